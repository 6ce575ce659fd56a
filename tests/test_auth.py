"""Tests of sign-in and of the renewal of tokens and AWS credentials."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import AsyncIterator

import pytest

from navien_nwp500 import (
    APIError,
    CommunicationError,
    ConfigurationError,
    InvalidCredentialsError,
    NaviLinkAuth,
    NaviLinkConfig,
    TokenExpiredError,
)
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.faults import RestFault

LIST = {"userId": "user@example.com", "offset": 0, "count": 20}


@pytest.fixture
async def auth(sim: Simulator) -> AsyncIterator[NaviLinkAuth]:
    auth = NaviLinkAuth(sim.config)
    yield auth
    await auth.close()


def expire(auth: NaviLinkAuth, *, token: bool = False, aws: bool = False) -> None:
    """Let the token or the AWS credentials expire."""
    if token:
        assert auth._tokens is not None
        auth._tokens = replace(auth._tokens, expires_at=0)
    if aws:
        assert auth._aws_credentials is not None
        auth._aws_credentials = replace(auth._aws_credentials, expires_at=0)


async def count_heaters(auth: NaviLinkAuth) -> int:
    return len(await auth.call("POST", "/device/list", body=LIST))


async def test_the_first_call_signs_in(sim: Simulator, auth: NaviLinkAuth) -> None:
    assert await count_heaters(auth) == 1
    assert sim.counters.passwords == 1
    assert auth.user is not None and auth.user.user_type == "O"


async def test_a_token_is_refreshed_before_it_expires(sim: Simulator, auth: NaviLinkAuth) -> None:
    await auth.sign_in()
    expire(auth, token=True)
    assert await count_heaters(auth) == 1
    counters = sim.counters
    assert (counters.refreshes, counters.passwords, counters.unauthorized) == (1, 1, 0)


async def test_a_rejected_token_is_refreshed_once(sim: Simulator, auth: NaviLinkAuth) -> None:
    await auth.sign_in()
    sim._cloud.book.revoke_access_tokens()
    assert await count_heaters(auth) == 1
    counters = sim.counters
    assert (counters.unauthorized, counters.refreshes, counters.passwords) == (1, 1, 1)


async def test_parallel_calls_share_one_refresh(sim: Simulator, auth: NaviLinkAuth) -> None:
    await auth.sign_in()
    sim._cloud.book.revoke_access_tokens()
    sim.faults.rest["/auth/refresh"] = RestFault(delay=0.2)  # all calls are rejected meanwhile
    assert await asyncio.gather(*(count_heaters(auth) for _ in range(8))) == [1] * 8
    assert (sim.counters.calls["/auth/refresh"], sim.counters.passwords) == (1, 1)


async def test_a_rejected_refresh_signs_in_again(sim: Simulator, auth: NaviLinkAuth) -> None:
    await auth.sign_in()
    sim._cloud.book.revoke_access_tokens()
    sim._cloud.book.revoke_refresh_tokens()
    assert await count_heaters(auth) == 1
    assert sim.counters.passwords == 2


async def test_an_always_rejected_token_is_an_error(sim: Simulator, auth: NaviLinkAuth) -> None:
    await auth.sign_in()
    sim.faults.rest["/device/list"] = RestFault.error(401, "UNAUTHORIZED")
    with pytest.raises(TokenExpiredError):
        await count_heaters(auth)
    assert (sim.counters.calls["/device/list"], sim.counters.refreshes) == (2, 1)


@pytest.mark.parametrize(
    ("rejecting", "expected"),
    [
        ((), (1, 0, 1)),
        (("/auth/session/refresh",), (0, 1, 1)),
        (("/auth/session/refresh", "/user/secured-sign-in"), (0, 0, 2)),
    ],
)
async def test_aws_credentials_are_renewed_by_the_cheapest_call_first(
    sim: Simulator, auth: NaviLinkAuth, rejecting: tuple[str, ...], expected: tuple[int, int, int]
) -> None:
    await auth.sign_in()
    before = await auth.aws_credentials()
    assert await auth.aws_credentials() is before
    expire(auth, aws=True)
    for path in rejecting:
        sim.faults.rest[path] = RestFault.error(403, "FORBIDDEN")
    after = await auth.aws_credentials()
    assert after.fresh and after.access_key_id != before.access_key_id
    counters = sim.counters
    assert (counters.session_refreshes, counters.secured_sign_ins, counters.passwords) == expected


async def test_a_server_outage_never_sends_the_password(sim: Simulator, auth: NaviLinkAuth) -> None:
    await auth.sign_in()
    sim.faults.rest["*"] = RestFault(502, b"<html>")
    expire(auth, aws=True)
    for _ in range(5):
        with pytest.raises(APIError):
            await auth.aws_credentials()
    sim.faults.clear()
    assert (await auth.aws_credentials()).fresh
    assert sim.counters.passwords == 1


async def test_an_expired_token_is_refreshed_first(sim: Simulator, auth: NaviLinkAuth) -> None:
    await auth.sign_in()
    expire(auth, token=True, aws=True)
    assert (await auth.aws_credentials()).fresh
    counters = sim.counters
    assert (counters.refreshes, counters.session_refreshes, counters.passwords) == (1, 1, 1)


async def test_a_token_rejected_during_a_renewal_is_refreshed_without_the_password(
    sim: Simulator, auth: NaviLinkAuth
) -> None:
    await auth.sign_in()
    expire(auth, aws=True)
    sim._cloud.book.revoke_access_tokens()
    assert (await auth.aws_credentials()).fresh
    counters = sim.counters
    assert (counters.refreshes, counters.session_refreshes, counters.passwords) == (1, 1, 1)


async def test_rejected_aws_credentials_are_renewed(sim: Simulator, auth: NaviLinkAuth) -> None:
    credentials = await auth.aws_credentials()
    assert await auth.aws_credentials(refused=credentials) != credentials
    assert sim.counters.passwords == 1


async def test_a_refresh_keeps_the_other_credentials(sim: Simulator, auth: NaviLinkAuth) -> None:
    credentials = await auth.aws_credentials()
    assert auth._tokens is not None
    refresh_token = auth._tokens.refresh_token
    auth._update({"accessToken": "another", "authenticationExpiresIn": 3600})
    assert auth._tokens.access_token == "another"
    assert auth._tokens.refresh_token == refresh_token
    assert await auth.aws_credentials() is credentials


async def test_aws_credentials_without_a_lifetime_expire_with_the_token() -> None:
    auth = NaviLinkAuth(NaviLinkConfig())
    credentials = {"accessKeyId": "A", "secretKey": "B", "sessionToken": "C"}
    auth._update({**credentials, "authorizationExpiresIn": None, "authenticationExpiresIn": 100})
    short = auth._aws_credentials
    auth._update({**credentials, "authorizationExpiresIn": 10_000, "authenticationExpiresIn": 100})
    assert short is not None and auth._aws_credentials is not None
    assert auth._aws_credentials.expires_at - short.expires_at > 9000


#: Sign-ins that were refused for good: HTTP status, code and text (PROTOCOL 1.3).
REFUSALS = [
    (200, 1001, "INVALID_USER_PASSWORD"),
    (200, 1001, "another text"),
    (400, 1001, "INVALID_USER_PASSWORD"),
    (401, 401, "Invalid credentials"),
    (401, 401, ""),
    (200, 401, "no"),
    (200, 1002, "a code that nobody recorded"),
    (200, 404, "USER_NOT_FOUND"),
]


@pytest.mark.parametrize("wrong", [{"password": "not-the-one"}, {"email": "nobody@example.com"}])
async def test_a_rejected_password_is_never_sent_twice(
    sim: Simulator, wrong: dict[str, str]
) -> None:
    """The simulated cloud answers as the live one does: HTTP 200 with code 1001."""
    config = replace(sim.config, **wrong)  # type: ignore[arg-type]
    auth = NaviLinkAuth(config)
    for attempt in (auth.sign_in(), count_heaters(auth), auth.aws_credentials(), auth.sign_in()):
        with pytest.raises(InvalidCredentialsError) as caught:
            await attempt
        assert config.password is not None and config.password not in str(caught.value)
    await auth.close()
    assert sim.counters.calls["/user/sign-in"] == 1


@pytest.mark.parametrize(("status", "code", "text"), REFUSALS)
async def test_every_form_of_a_refused_password_is_sent_once(
    sim: Simulator, auth: NaviLinkAuth, status: int, code: int, text: str
) -> None:
    sim.faults.rest["/user/sign-in"] = RestFault.error(status, text, code=code)
    for _ in range(3):
        with pytest.raises(InvalidCredentialsError):
            await auth.sign_in()
    assert sim.counters.requests == 1


@pytest.mark.parametrize("text", ["Invalid request", "unauthorized", "user_not_found"])
@pytest.mark.parametrize(
    ("status", "code"), [(429, 429), (403, 403), (400, 400), (200, 429), (404, 404), (200, 500)]
)
async def test_words_do_not_make_a_password_wrong(
    sim: Simulator, auth: NaviLinkAuth, status: int, code: int, text: str
) -> None:
    sim.faults.rest["/user/sign-in"] = RestFault.error(status, text, code=code)
    with pytest.raises(APIError) as caught:
        await auth.sign_in()
    assert (caught.value.status_code, caught.value.code) == (status, code)
    assert caught.value.reason == text
    sim.faults.clear()
    assert (await auth.sign_in()).user_seq == 20002


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, b""),
        (500, b'{"code":500,"msg":"Invalid credentials store","data":null}'),
        (502, b"<html>Invalid gateway</html>"),
        (503, b'{"code":503,"msg":"unauthorized upstream"}'),
    ],
)
async def test_a_server_error_does_not_count_as_a_wrong_password(
    sim: Simulator, auth: NaviLinkAuth, status: int, body: bytes
) -> None:
    sim.faults.rest["/user/sign-in"] = RestFault(status, body, times=1)
    with pytest.raises(APIError) as caught:
        await auth.sign_in()
    assert caught.value.status_code == status
    await auth.sign_in()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("address", ["http://127.0.0.1:{}/", "https://127.0.0.1:{}/", "/elsewhere"])
async def test_a_redirect_is_not_followed(sim: Simulator, status: int, address: str) -> None:
    received: list[bytes] = []

    async def record(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(65536))
        writer.close()

    listener = await asyncio.start_server(record, "127.0.0.1", 0)
    location = address.format(listener.sockets[0].getsockname()[1])
    sim.faults.rest["*"] = RestFault(status, headers={"Location": f"{location}?token=s3cret"})
    async with listener:
        auth = NaviLinkAuth(sim.config)
        for _ in range(2):  # not a rejected password: the next try is made
            with pytest.raises(CommunicationError, match="NAVILINK_BASE_URL") as raised:
                await auth.sign_in()
        await auth.close()
    assert location in str(raised.value) and f"HTTP {status}" in str(raised.value)
    assert "s3cret" not in str(raised.value)
    assert received == [] and sim.counters.requests == 2


async def test_a_redirected_refresh_neither_deletes_the_session_nor_sends_the_password(
    sim: Simulator, tmp_path: Path
) -> None:
    path = tmp_path / "session.json"
    auth = NaviLinkAuth(replace(sim.config, session_file=path))
    await auth.sign_in()
    sim._cloud.book.revoke_access_tokens()
    sim.faults.rest["/auth/refresh"] = RestFault(308, headers={"Location": "http://127.0.0.1:1/"})
    with pytest.raises(CommunicationError, match="redirects"):
        await count_heaters(auth)
    await auth.close()
    assert path.exists() and sim.counters.passwords == 1


async def test_missing_credentials_raise_an_error_that_names_the_settings() -> None:
    auth = NaviLinkAuth(NaviLinkConfig())
    with pytest.raises(ConfigurationError, match="NAVILINK_EMAIL"):
        await auth.sign_in()


async def test_no_repr_shows_a_secret(auth: NaviLinkAuth) -> None:
    credentials = await auth.aws_credentials()
    shown = f"{auth!r} {auth._tokens!r} {credentials!r} {auth.user!r}"
    assert auth._tokens is not None
    for secret in (
        auth._tokens.access_token,
        auth._tokens.refresh_token,
        credentials.access_key_id,
        credentials.secret_key,
        credentials.session_token,
        "user@example.com",
    ):
        assert secret not in shown
