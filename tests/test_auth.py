"""Both clocks of a session on the simulated cloud: the token's and the AWS keys'."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path
from typing import AsyncIterator

import aiohttp
import pytest

from navien_nwp500 import (
    APIError,
    CommunicationError,
    ConfigurationError,
    InvalidCredentialsError,
    NaviLinkAuth,
    NaviLinkConfig,
    ProtocolError,
    RequestTimeoutError,
    TokenExpiredError,
)
from navien_nwp500._connection.rest_client import tls_context
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.faults import RestFault

LIST = {"userId": "user@example.com", "offset": 0, "count": 20}


@pytest.fixture
async def auth(sim: Simulator) -> AsyncIterator[NaviLinkAuth]:
    found = NaviLinkAuth(sim.config)
    yield found
    await found.close()


def age(auth: NaviLinkAuth, *, token: bool = False, keys: bool = False) -> None:
    """Let a lease run out."""
    if token:
        assert auth._tokens is not None
        auth._tokens = replace(auth._tokens, expires_at=0)
    if keys:
        assert auth._aws_credentials is not None
        auth._aws_credentials = replace(auth._aws_credentials, expires_at=0)


async def listed(auth: NaviLinkAuth) -> int:
    return len(await auth.call("POST", "/device/list", body=LIST))


async def test_the_first_call_signs_in_by_itself(sim: Simulator, auth: NaviLinkAuth) -> None:
    assert await listed(auth) == 1
    assert sim.counters.passwords == 1
    assert auth.user is not None and auth.user.user_type == "O"


async def test_a_token_is_refreshed_before_it_ends(sim: Simulator, auth: NaviLinkAuth) -> None:
    await auth.sign_in()
    age(auth, token=True)
    assert await listed(auth) == 1
    counters = sim.counters
    assert (counters.refreshes, counters.passwords, counters.unauthorized) == (1, 1, 0)


async def test_a_refused_token_is_refreshed_and_the_call_repeated_once(
    sim: Simulator, auth: NaviLinkAuth
) -> None:
    await auth.sign_in()
    sim._cloud.book.revoke_access_tokens()
    assert await listed(auth) == 1
    counters = sim.counters
    assert (counters.unauthorized, counters.refreshes, counters.passwords) == (1, 1, 1)


async def test_parallel_calls_share_one_refresh(sim: Simulator, auth: NaviLinkAuth) -> None:
    await auth.sign_in()
    sim._cloud.book.revoke_access_tokens()
    assert await asyncio.gather(*(listed(auth) for _ in range(8))) == [1] * 8
    assert (sim.counters.refreshes, sim.counters.passwords) == (1, 1)


async def test_a_refused_refresh_signs_in_again(sim: Simulator, auth: NaviLinkAuth) -> None:
    await auth.sign_in()
    sim._cloud.book.revoke_access_tokens()
    sim._cloud.book.revoke_refresh_tokens()
    assert await listed(auth) == 1
    assert sim.counters.passwords == 2


async def test_a_token_refused_for_ever_ends_after_one_repetition(
    sim: Simulator, auth: NaviLinkAuth
) -> None:
    await auth.sign_in()
    sim.faults.rest["/device/list"] = RestFault.error(401, "UNAUTHORIZED")
    with pytest.raises(TokenExpiredError):
        await listed(auth)
    assert sim.counters.refreshes == 1


@pytest.mark.parametrize(
    ("refusing", "expected"),
    [
        ((), (1, 0, 1)),
        (("/auth/session/refresh",), (0, 1, 1)),
        (("/auth/session/refresh", "/user/secured-sign-in"), (0, 0, 2)),
    ],
)
async def test_keys_are_renewed_the_cheapest_way_first(
    sim: Simulator, auth: NaviLinkAuth, refusing: tuple[str, ...], expected: tuple[int, int, int]
) -> None:
    await auth.sign_in()
    before = await auth.aws_credentials()
    assert await auth.aws_credentials() is before
    age(auth, keys=True)
    for path in refusing:
        sim.faults.rest[path] = RestFault.error(403, "FORBIDDEN")
    after = await auth.aws_credentials()
    assert after.fresh and after.access_key_id != before.access_key_id
    counters = sim.counters
    assert (
        counters.session_refreshes,
        counters.secured_sign_ins,
        counters.passwords,
    ) == expected


async def test_an_outage_of_the_server_never_costs_the_password(
    sim: Simulator, auth: NaviLinkAuth
) -> None:
    await auth.sign_in()
    sim.faults.rest["*"] = RestFault(502, b"<html>")
    age(auth, keys=True)
    for _ in range(5):
        with pytest.raises(APIError):
            await auth.aws_credentials()
    sim.faults.clear()
    assert (await auth.aws_credentials()).fresh
    assert sim.counters.passwords == 1


async def test_an_old_token_is_refreshed_before_it_renews_keys(
    sim: Simulator, auth: NaviLinkAuth
) -> None:
    await auth.sign_in()
    age(auth, token=True, keys=True)
    assert (await auth.aws_credentials()).fresh
    counters = sim.counters
    assert (counters.refreshes, counters.session_refreshes, counters.passwords) == (1, 1, 1)


async def test_a_token_refused_while_renewing_keys_costs_a_refresh_not_the_password(
    sim: Simulator, auth: NaviLinkAuth
) -> None:
    await auth.sign_in()
    age(auth, keys=True)
    sim._cloud.book.revoke_access_tokens()
    assert (await auth.aws_credentials()).fresh
    counters = sim.counters
    assert (counters.refreshes, counters.session_refreshes, counters.passwords) == (1, 1, 1)


async def test_refused_keys_are_renewed_though_they_look_fresh(
    sim: Simulator, auth: NaviLinkAuth
) -> None:
    keys = await auth.aws_credentials()
    assert await auth.aws_credentials(refused=keys) != keys
    assert sim.counters.passwords == 1


async def test_a_refresh_leaves_the_aws_keys_and_a_missing_refresh_token_stays(
    sim: Simulator, auth: NaviLinkAuth
) -> None:
    keys = await auth.aws_credentials()
    assert auth._tokens is not None
    refresh_token = auth._tokens.refresh_token
    auth._update({"accessToken": "another", "authenticationExpiresIn": 3600})
    assert auth._tokens.access_token == "another"
    assert auth._tokens.refresh_token == refresh_token
    assert await auth.aws_credentials() is keys


async def test_keys_without_a_lifetime_live_as_long_as_the_token() -> None:
    auth = NaviLinkAuth(NaviLinkConfig())
    keys = {"accessKeyId": "A", "secretKey": "B", "sessionToken": "C"}
    auth._update({**keys, "authorizationExpiresIn": None, "authenticationExpiresIn": 100})
    short = auth._aws_credentials
    auth._update({**keys, "authorizationExpiresIn": 10_000, "authenticationExpiresIn": 100})
    assert short is not None and auth._aws_credentials is not None
    assert auth._aws_credentials.expires_at - short.expires_at > 9000


@pytest.mark.parametrize("answer", ["wrong password", "unknown user", "words"])
async def test_refused_credentials_are_told_and_never_sent_twice(
    sim: Simulator, answer: str
) -> None:
    config = sim.config
    if answer == "unknown user":
        config = replace(config, email="nobody@example.com")
    elif answer == "wrong password":
        config = replace(config, password="not-the-one")
    else:
        sim.faults.rest["/user/sign-in"] = RestFault.error(200, "Unauthorized user", code=409)
    auth = NaviLinkAuth(config)
    for attempt in (auth.sign_in(), listed(auth), auth.aws_credentials(), auth.sign_in()):
        with pytest.raises(InvalidCredentialsError) as caught:
            await attempt
        assert config.password is not None and config.password not in str(caught.value)
    await auth.close()
    assert sim.counters.passwords <= 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, b""),
        (500, b'{"code":500,"msg":"Invalid credentials store","data":null}'),
        (502, b"<html>Invalid gateway</html>"),
        (503, b'{"code":503,"msg":"unauthorized upstream"}'),
    ],
)
async def test_a_fault_of_the_server_is_no_wrong_password(
    sim: Simulator, auth: NaviLinkAuth, status: int, body: bytes
) -> None:
    sim.faults.rest["/user/sign-in"] = RestFault(status, body, times=1)
    with pytest.raises(APIError) as caught:
        await auth.sign_in()
    assert caught.value.status_code == status
    await auth.sign_in()


async def test_an_error_may_come_with_http_200(sim: Simulator, auth: NaviLinkAuth) -> None:
    await auth.sign_in()
    sim.faults.rest["/device/list"] = RestFault.error(200, "INTERNAL_SERVER_ERROR", code=500)
    with pytest.raises(APIError) as caught:
        await listed(auth)
    assert (caught.value.status_code, caught.value.code) == (200, 500)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        *((one, ProtocolError) for one in (b"", b"{", b"\xff\xfe", b"[" * 100_000)),
        *((one, APIError) for one in (b"null", b"[1]")),
    ],
)
async def test_an_answer_that_is_no_envelope(
    sim: Simulator, auth: NaviLinkAuth, body: bytes, expected: type[Exception]
) -> None:
    await auth.sign_in()
    sim.faults.rest["/device/list"] = RestFault(200, body)
    with pytest.raises(expected):
        await listed(auth)


async def test_a_server_that_is_away_or_not_trusted_is_a_communication_error(
    sim: Simulator,
) -> None:
    away = replace(sim.config, base_url="https://127.0.0.1:1/api/v2.1")
    untrusted = replace(sim.config, ca_file=None)
    for config in (away, untrusted):
        auth = NaviLinkAuth(config)
        with pytest.raises(CommunicationError):
            await auth.sign_in()
        await auth.close()


async def test_a_silent_server_is_left_after_the_time_limit(sim: Simulator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes calls, says nothing
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        auth = NaviLinkAuth(replace(sim.config, base_url=url, rest_timeout=0.2))
        with pytest.raises(RequestTimeoutError, match="0.2 s"):
            await auth.sign_in()
        await auth.close()


async def test_without_credentials_it_says_where_to_put_them() -> None:
    auth = NaviLinkAuth(NaviLinkConfig())
    with pytest.raises(ConfigurationError, match="NAVILINK_EMAIL"):
        await auth.sign_in()


async def test_a_lent_session_is_used_and_left_open(sim: Simulator) -> None:
    connector = aiohttp.TCPConnector(ssl=tls_context(sim.config.ca_file))
    async with aiohttp.ClientSession(connector=connector) as session:
        auth = NaviLinkAuth(sim.config, session=session)
        assert await listed(auth) == 1
        await auth.close()
        assert not session.closed


async def test_no_repr_shows_a_secret(auth: NaviLinkAuth) -> None:
    keys = await auth.aws_credentials()
    shown = f"{auth!r} {auth._tokens!r} {keys!r} {auth.user!r}"
    assert auth._tokens is not None
    for secret in (
        auth._tokens.access_token,
        auth._tokens.refresh_token,
        keys.access_key_id,
        keys.secret_key,
        keys.session_token,
        "user@example.com",
    ):
        assert secret not in shown


async def test_clients_share_one_tls_context_a_file_as_long_as_it_stays_the_same(
    sim: Simulator, tmp_path: Path
) -> None:
    loop = asyncio.get_running_loop()
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(Path(str(sim.config.ca_file)).read_bytes())
    found = await asyncio.gather(
        *(loop.run_in_executor(None, tls_context, ca_file) for _ in range(20))
    )
    assert len(set(map(id, found))) == 1
    ca_file.write_bytes(ca_file.read_bytes() + b"\n")
    assert tls_context(ca_file) is not found[0]
    assert tls_context(None) is tls_context(None)


@pytest.mark.parametrize("content", [None, b"no certificate"])
async def test_certificates_that_cannot_be_read_are_told(
    sim: Simulator, tmp_path: Path, content: bytes | None
) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(content or b"")
    auth = NaviLinkAuth(replace(sim.config, ca_file=ca_file))
    if content is None:
        ca_file.unlink()
    with pytest.raises(ConfigurationError, match="ca.pem cannot be read"):
        await auth.sign_in()
    await auth.close()
