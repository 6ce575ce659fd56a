"""The signature check, tested with an independent signer and with the AWS SDK."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

import pytest
from awscrt import auth, http

from navien_nwp500.simulator.cloud.sigv4 import IssuedKeys, SignatureRejected, verify
from support.cloud_tools import presign

NOW = 1_800_000_000.0
HOST = "127.0.0.1"
KEYS = IssuedKeys("ASIAEXAMPLE000000000", "s/cr+t" * 6, "t+k/n=" * 50, expires_at=NOW + 3600)


def verified(target: str, *, host: str = HOST, now: float = NOW, **headers: str) -> IssuedKeys:
    received = [("Host", host), *headers.items()]
    return verify("GET", target, received, {KEYS.access_key_id: KEYS}.get, now)


def test_a_right_signature_is_accepted() -> None:
    assert verified(presign(KEYS, HOST, when=NOW)) is KEYS


@pytest.mark.parametrize("skew", [-299, 299])
def test_a_clock_within_five_minutes_is_accepted(skew: int) -> None:
    assert verified(presign(KEYS, HOST, when=NOW + skew)) is KEYS


def test_order_and_case_of_the_encoding_do_not_matter() -> None:
    path, query = presign(KEYS, HOST, when=NOW).split("?")
    shuffled = "&".join(reversed(query.replace("%2F", "%2f").split("&")))
    assert verified(f"{path}?{shuffled}") is KEYS


def test_repeated_blanks_in_a_header_do_not_matter() -> None:
    assert verified(presign(KEYS, "a b", when=NOW), host="  a    b ") is KEYS


REJECTED = {
    "wrong signature": [
        presign(KEYS, HOST, when=NOW, secret="x" * 40),
        presign(KEYS, "elsewhere", when=NOW),
        presign(KEYS, HOST, when=NOW) + "&X-Amz-Expires=86400",
        presign(KEYS, HOST, when=NOW).replace("/mqtt", "/other"),
    ],
    "wrong token": [
        presign(KEYS, HOST, when=NOW, token="another"),
        presign(KEYS, HOST, when=NOW, token=""),
        presign(KEYS, HOST, when=NOW).split("&X-Amz-Security-Token")[0],
        presign(KEYS, HOST, when=NOW, token="\N{SNOWMAN}"),
    ],
    "stale date": [presign(KEYS, HOST, when=NOW - 301), presign(KEYS, HOST, when=NOW + 301)],
    "wrong scope": [
        presign(KEYS, HOST, when=NOW, service="iotdata"),
        presign(KEYS, HOST, when=NOW, region="eu-west-1"),
        presign(KEYS, HOST, when=NOW).replace("X-Amz-Date=2", "X-Amz-Date=1"),
    ],
    "unknown key": [presign(KEYS, HOST, when=NOW).replace("ASIAEXAMPLE", "ASIAFOREIGN")],
    "signed header missing": [
        presign(KEYS, HOST, when=NOW).replace("SignedHeaders=host", "SignedHeaders=connection"),
        presign(KEYS, HOST, when=NOW).replace("SignedHeaders=host", "SignedHeaders=host%3Bx-y"),
    ],
    "repeated parameter": [presign(KEYS, HOST, when=NOW) + "&X-Amz-Date=20270115T080000Z"],
    "no X-Amz-Signature": [presign(KEYS, HOST, when=NOW).replace("Signature=", "Nothing=")],
    "not signed": ["/mqtt", "/mqtt?", "/mqtt?a", "/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA512"],
    "date unreadable": [presign(KEYS, HOST, when=NOW).replace("080000Z", "080000")],
}


@pytest.mark.parametrize(
    ("reason", "target"), [(reason, target) for reason in REJECTED for target in REJECTED[reason]]
)
def test_a_wrong_signature_is_rejected(reason: str, target: str) -> None:
    with pytest.raises(SignatureRejected, match=reason):
        verified(target)


def test_expired_keys_are_rejected() -> None:
    late = KEYS.expires_at
    with pytest.raises(SignatureRejected, match="expired key"):
        verified(presign(KEYS, HOST, when=late), now=late)


def signed_by_sdk(*, sign_token: bool, host: str = HOST) -> tuple[str, list[tuple[str, str]]]:
    """Let awscrt presign GET /mqtt, and return the target and the headers."""
    received = [("host", host), ("upgrade", "websocket"), ("connection", "Upgrade")]
    request = http.HttpRequest("GET", "/mqtt", http.HttpHeaders(received))
    config: dict[str, Any] = {
        "algorithm": auth.AwsSigningAlgorithm.V4,
        "signature_type": auth.AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS,
        "credentials_provider": auth.AwsCredentialsProvider.new_static(
            KEYS.access_key_id, KEYS.secret_key, KEYS.session_token
        ),
        "region": "us-east-1",
        "service": "iotdevicegateway",
        "omit_session_token": not sign_token,
    }
    auth.aws_sign_request(request, auth.AwsSigningConfig(**config)).result(timeout=5)
    return request.path, list(request.headers)


def date_of(target: str) -> float:
    """Read the date of a presigned target, in seconds since the epoch."""
    stamp = target.split("X-Amz-Date=")[1][:16]
    moment = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ")
    return moment.replace(tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize("host", [HOST, "localhost:8443"])
def test_the_sdk_signs_the_same(host: str) -> None:
    target, headers = signed_by_sdk(sign_token=False, host=host)
    now = date_of(target)
    keys = IssuedKeys(KEYS.access_key_id, KEYS.secret_key, KEYS.session_token, now + 1)
    assert verify("GET", target, headers, {keys.access_key_id: keys}.get, now) is keys


def test_a_signed_token_is_rejected() -> None:
    target, headers = signed_by_sdk(sign_token=True)
    now = date_of(target)
    keys = IssuedKeys(KEYS.access_key_id, KEYS.secret_key, KEYS.session_token, now + 1)
    with pytest.raises(SignatureRejected, match="wrong signature"):
        verify("GET", target, headers, {keys.access_key_id: keys}.get, now)


def test_the_repr_of_keys_has_no_secrets() -> None:
    assert KEYS.secret_key not in repr(KEYS)
    assert KEYS.session_token not in repr(KEYS)
    assert quote(KEYS.session_token, safe="") not in repr(KEYS)
