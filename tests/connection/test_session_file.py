"""Tests of the session file: it saves a sign-in, and only a valid file is used."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import stat
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from navien_nwp500 import (
    APIError,
    ConfigurationError,
    InvalidCredentialsError,
    NaviLinkAuth,
    NaviLinkClient,
    NaviLinkConfig,
    ProtocolError,
    TokenExpiredError,
)
from navien_nwp500._connection import session_file
from navien_nwp500._connection.credentials import AwsCredentials, Tokens
from navien_nwp500._connection.session_file import SavedSession, SessionFile
from navien_nwp500._util.files import open_locked
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.faults import RestFault
from support import session_worker
from support.programs import start_program
from support.reliability_tools import wait_until

LIST = {"userId": "user@example.com", "offset": 0, "count": 20}
EMAIL, URL = "user@example.com", "https://127.0.0.1:1/api"
SAVED = SavedSession(
    Tokens(9e9, "access", "refresh"), AwsCredentials(9e9, "id", "secret", "token"), 7
)

#: Tokens that serve once show a second refresh of processes that share a session.
pytestmark = pytest.mark.navilink(refresh_token_reuse=False)

posix = pytest.mark.skipif(os.name != "posix", reason="Windows protects folders differently")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made" / "session.json"


def without_password(sim: Simulator, path: Path) -> NaviLinkConfig:
    return replace(sim.config, password=None, session_file=path)


async def save(sim: Simulator, path: Path) -> None:
    """Save a session, as the first run does."""
    async with NaviLinkClient(replace(sim.config, session_file=path)) as client:
        await client.get_devices()


def change(path: Path, **parts: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **parts}))


def expire(path: Path, *names: str) -> None:
    """Let saved credentials expire."""
    document = json.loads(path.read_text())
    change(path, **{name: {**document[name], "expires_at": 1} for name in names})


# Runs after the first


async def test_a_saved_session_needs_no_sign_in(sim: Simulator, path: Path) -> None:
    await save(sim, path)
    before = replace(sim.counters)
    async with NaviLinkClient(without_password(sim, path)) as client:
        (device,) = await client.get_devices()
        assert (await device.get_status()).dhw_charge_percent >= 0
        assert client._auth.user is not None and client._auth.user.user_seq
    counters = sim.counters
    assert (counters.passwords, counters.sign_ins) == (before.passwords, before.sign_ins) == (1, 1)
    assert counters.refreshes == counters.session_refreshes == counters.unauthorized == 0
    assert counters.requests == before.requests + 1  # the list


@pytest.mark.parametrize("saved_by", ["this version", "an older version"])
@pytest.mark.navilink(user_type="M", frozen=True)
async def test_a_member_keeps_its_role_for_time_of_use_calls(
    sim: Simulator, path: Path, saved_by: str
) -> None:
    """The cloud is asked once for what an older file does not hold (PROTOCOL 1.10)."""
    await save(sim, path)
    assert json.loads(path.read_text())["user_type"] == "M"
    if saved_by == "an older version":
        document = json.loads(path.read_text())
        del document["user_type"]
        path.write_text(json.dumps(document))
    for _ in range(2):
        async with NaviLinkClient(without_password(sim, path)) as client:
            (device,) = await client.get_devices()
            assert (await device.get_tou_info()).periods
            assert (await device.get_tou_info()).periods
    assert sim.counters.calls.get("/user/info", 0) == (saved_by == "an older version")
    assert json.loads(path.read_text())["user_type"] == "M"


@pytest.mark.navilink(user_type="M", frozen=True)
async def test_an_unknown_role_is_not_saved(sim: Simulator, path: Path) -> None:
    await save(sim, path)
    change(path, user_type=None)
    sim.faults.rest["/user/info"] = RestFault.error(404, "NOT_FOUND")
    async with NaviLinkClient(without_password(sim, path)) as client:
        (device,) = await client.get_devices()
        with pytest.raises(APIError):  # it is asked as an owner
            await device.get_tou_info()
        sim.faults.clear()
        assert (await device.get_tou_info()).periods


@pytest.mark.parametrize(
    ("old", "expected"),
    [(["tokens"], (1, 0)), (["aws_credentials"], (0, 1)), (["tokens", "aws_credentials"], (1, 1))],
)
async def test_expired_credentials_are_renewed_without_the_password(
    sim: Simulator, path: Path, old: list[str], expected: tuple[int, int]
) -> None:
    await save(sim, path)
    expire(path, *old)
    async with NaviLinkClient(without_password(sim, path)) as client:
        (device,) = await client.get_devices()
        await device.get_status()
    counters = sim.counters
    assert (counters.refreshes, counters.session_refreshes) == expected
    assert counters.passwords == 1
    # The renewed ones are saved.
    async with NaviLinkClient(without_password(sim, path)) as client:
        await (await client.get_devices())[0].get_status()
    assert (counters.refreshes, counters.session_refreshes) == expected


async def test_revoked_credentials_are_renewed_without_password(sim: Simulator, path: Path) -> None:
    await save(sim, path)
    sim._cloud.book.revoke_access_tokens()
    sim._cloud.book.revoke_keys()
    async with NaviLinkClient(without_password(sim, path)) as client:
        await (await client.get_devices())[0].get_status()
    counters = sim.counters
    assert (counters.refreshes, counters.session_refreshes, counters.passwords) == (1, 1, 1)


async def test_rejected_aws_credentials_are_removed_from_the_file(
    sim: Simulator, path: Path
) -> None:
    await save(sim, path)
    sim.faults.rest["/auth/session/refresh"] = RestFault(502, b"")
    sim.faults.rest["/user/secured-sign-in"] = RestFault(502, b"")
    auth = NaviLinkAuth(without_password(sim, path))
    credentials = await auth.aws_credentials()
    with pytest.raises(Exception, match="502"):
        await auth.aws_credentials(refused=credentials)
    await auth.close()
    document = json.loads(path.read_text())
    assert document["aws_credentials"] is None and document["tokens"]["refresh_token"]


async def test_a_rejected_session_signs_in_with_the_password(sim: Simulator, path: Path) -> None:
    await save(sim, path)
    first = path.read_text()
    sim._cloud.book.revoke_access_tokens()
    sim._cloud.book.revoke_refresh_tokens()
    await save(sim, path)
    assert sim.counters.passwords == 2
    assert path.read_text() != first


async def test_a_rejected_session_without_password_is_an_error(sim: Simulator, path: Path) -> None:
    await save(sim, path)
    sim._cloud.book.revoke_access_tokens()
    sim._cloud.book.revoke_refresh_tokens()
    async with NaviLinkClient(without_password(sim, path)) as client:
        with pytest.raises(TokenExpiredError, match="NAVILINK_PASSWORD"):
            await client.get_devices()
    assert not path.exists()
    async with NaviLinkClient(without_password(sim, path)) as client:
        with pytest.raises(ConfigurationError, match="no saved session"):
            await client.get_devices()


async def test_an_outage_keeps_the_file_and_sends_no_password(sim: Simulator, path: Path) -> None:
    await save(sim, path)
    expire(path, "tokens")
    before = path.read_text()
    sim.faults.rest["*"] = RestFault(503, b"")
    async with NaviLinkClient(replace(sim.config, session_file=path)) as client:
        with pytest.raises(Exception, match="503"):
            await client.get_devices()
    assert path.read_text() == before and sim.counters.passwords == 1


async def test_a_rejected_password_saves_nothing(sim: Simulator, path: Path) -> None:
    config = replace(sim.config, password="not-the-one", session_file=path)
    async with NaviLinkClient(config) as client:
        with pytest.raises(InvalidCredentialsError):
            await client.get_devices()
    assert not path.exists()


async def test_an_email_in_other_case_is_the_same_account(sim: Simulator, path: Path) -> None:
    await save(sim, path)
    config = replace(sim.config, session_file=path, email=sim.account.email.upper())
    auth = NaviLinkAuth(config)
    await auth.call("POST", "/device/list", body=LIST)
    assert sim.counters.passwords == 1
    with pytest.raises(InvalidCredentialsError):
        await auth.sign_in(sim.account.email, "wrong")
    assert auth._tokens is not None
    with pytest.raises(InvalidCredentialsError, match="not sent again"):
        await auth.sign_in(sim.account.email.upper(), "wrong")
    await auth.close()


async def test_another_account_drops_the_credentials_of_the_first(
    sim: Simulator, path: Path
) -> None:
    await save(sim, path)
    auth = NaviLinkAuth(replace(sim.config, session_file=path))
    await auth.call("POST", "/device/list", body=LIST)
    with pytest.raises(InvalidCredentialsError):
        await auth.sign_in("other@example.com", "a password")
    assert auth._tokens is None and auth._aws_credentials is None and auth.user is None
    await auth.close()


# Two processes


async def test_a_token_that_another_process_renewed_is_used(sim: Simulator, path: Path) -> None:
    config = replace(sim.config, session_file=path)
    one, other = NaviLinkAuth(config), NaviLinkAuth(config)
    for auth in (one, other):
        await auth.call("POST", "/device/list", body=LIST)
    assert sim.counters.passwords == 1
    sim._cloud.book.revoke_access_tokens()
    for auth in (one, other):
        await auth.call("POST", "/device/list", body=LIST)
    credentials = [
        await auth.aws_credentials(refused=await auth.aws_credentials()) for auth in (one, other)
    ]
    assert credentials[0] == credentials[1]
    counters = sim.counters
    assert (counters.refreshes, counters.session_refreshes, counters.passwords) == (1, 1, 1)
    for auth in (one, other):
        await auth.close()


async def test_tokens_of_another_process_replace_a_failed_refresh(
    sim: Simulator, path: Path
) -> None:
    """The other process renews between our read of the file and our refresh, which then fails."""
    config = replace(sim.config, session_file=path)
    one, other = NaviLinkAuth(config), NaviLinkAuth(config)
    for auth in (one, other):
        await auth.call("POST", "/device/list", body=LIST)
    stale = one._tokens
    assert stale is not None
    one._tokens = replace(stale, expires_at=0)
    sim._cloud.book.revoke_refresh_tokens()
    await other.sign_in()
    await one._renew_tokens()
    assert one._tokens == other._tokens and sim.counters.passwords == 2
    for auth in (one, other):
        await auth.close()


@pytest.mark.parametrize("workers", [2, 3])
async def test_one_process_refreshes_for_all(sim: Simulator, path: Path, workers: int) -> None:
    """The refresh token serves once; each of 25 rounds begins with an expired session."""
    await save(sim, path)
    environment = {**os.environ, **sim.environment}
    del environment["NAVILINK_PASSWORD"]
    processes = await start_workers(workers, path, environment)
    for _ in range(25):
        expire(path, "tokens")
        assert await run_round(processes) == ["ok"] * workers
    counters = sim.counters
    assert (counters.refreshes, counters.passwords, counters.unauthorized) == (25, 1, 0)


async def test_one_process_signs_in_for_all(sim: Simulator, path: Path) -> None:
    """Each round begins with a session that the cloud has ended."""
    await save(sim, path)
    environment = {**os.environ, **sim.environment}
    processes = await start_workers(3, path, environment)
    for number in range(1, 26):
        sim._cloud.book.revoke_access_tokens()
        sim._cloud.book.revoke_refresh_tokens()
        assert await run_round(processes) == ["ok"] * 3
        assert sim.counters.passwords == 1 + number


async def start_workers(
    number: int, path: Path, environment: dict[str, str]
) -> list[asyncio.subprocess.Process]:
    """Start processes that share a session file."""
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    program = str(Path(session_worker.__file__))
    return [
        await start_program(sys.executable, program, str(path), env=environment, **pipes)
        for _ in range(number)
    ]


async def run_round(processes: list[asyncio.subprocess.Process]) -> list[str]:
    """Let all processes run once at the same time, and return what they print."""
    printed = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"run\n")
    for process in processes:
        assert process.stdout is not None
        printed.append((await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip())
    return printed


async def test_a_process_that_holds_the_lock_is_waited_for_with_a_limit(
    sim: Simulator, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await save(sim, path)
    expire(path, "tokens")
    monkeypatch.setattr(session_file, "LOCK_TIMEOUT", 0.2)
    auth = NaviLinkAuth(without_password(sim, path))
    async with SessionFile(path, URL).locked():
        await auth.call("POST", "/device/list", body=LIST)
    await auth.close()
    assert sim.counters.refreshes == 1
    assert [f"{path.name}.lock" in text for text in caplog.messages] == [True]
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


async def test_a_lock_is_released_when_cancelled_while_it_is_taken(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow disk takes the lock after the cancellation: nobody would release it."""
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def slow(lock: Path) -> int | None:
        begun.set()
        assert go_on.wait(60)
        try:
            return open_locked(lock)
        finally:
            ended.set()

    monkeypatch.setattr(session_file, "open_locked", slow)
    entering = asyncio.ensure_future(SessionFile(path, URL).locked().__aenter__())
    assert await asyncio.to_thread(begun.wait, 60)
    entering.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert await asyncio.to_thread(ended.wait, 60)
    assert not path.with_name(f"{path.name}.lock").exists()


@posix
async def test_without_a_place_for_the_lock_the_session_is_renewed(
    sim: Simulator, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await save(sim, path)
    expire(path, "tokens")
    path.with_name(f"{path.name}.lock").mkdir()
    auth = NaviLinkAuth(without_password(sim, path))
    await auth.call("POST", "/device/list", body=LIST)
    await auth.close()
    assert sim.counters.refreshes == 1 and "without the lock" in caplog.text


@pytest.mark.parametrize("status", [400, 403, 404, 408, 429, 500])
async def test_only_a_401_of_the_refresh_ends_a_session(
    sim: Simulator, path: Path, status: int
) -> None:
    await save(sim, path)
    expire(path, "tokens")
    before = path.read_text()
    sim.faults.rest["/auth/refresh"] = RestFault.error(status, "Forbidden", times=1)
    auth = NaviLinkAuth(without_password(sim, path))
    with pytest.raises(APIError, match=str(status)):
        await auth.call("POST", "/device/list", body=LIST)
    assert path.read_text() == before
    await auth.call("POST", "/device/list", body=LIST)
    await auth.close()
    assert (sim.counters.refreshes, sim.counters.passwords) == (1, 1)


@pytest.mark.parametrize("data", [b"null", b"{}", b'{"accessToken":null}', b"[]"])
async def test_a_refresh_without_a_token_signs_in_with_the_password(
    sim: Simulator, path: Path, data: bytes
) -> None:
    await save(sim, path)
    expire(path, "tokens")
    sim.faults.rest["/auth/refresh"] = RestFault(
        200, b'{"code":200,"msg":"SUCCESS","data":%s}' % data
    )
    auth = NaviLinkAuth(without_password(sim, path))
    before = json.loads(path.read_text())
    with pytest.raises(ProtocolError, match="holds no token"):
        await auth.call("POST", "/device/list", body=LIST)
    await auth.close()
    assert json.loads(path.read_text()) == before and sim.counters.passwords == 1
    auth = NaviLinkAuth(replace(sim.config, session_file=path))
    await auth.call("POST", "/device/list", body=LIST)
    await auth.close()
    assert sim.counters.passwords == 2


async def test_a_refresh_is_finished_although_its_caller_is_cancelled(
    sim: Simulator, path: Path
) -> None:
    await save(sim, path)
    expire(path, "tokens")
    sim.faults.rest["/auth/refresh"] = RestFault(delay=0.3)
    auth = NaviLinkAuth(without_password(sim, path))
    call = asyncio.ensure_future(auth.call("POST", "/device/list", body=LIST))
    await wait_until(lambda: sim.counters.calls.get("/auth/refresh") == 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await auth.close()
    auth = NaviLinkAuth(without_password(sim, path))
    await auth.call("POST", "/device/list", body=LIST)
    await auth.close()
    assert (sim.counters.calls["/auth/refresh"], sim.counters.passwords) == (1, 1)


async def test_a_session_that_another_process_has_replaced_is_not_deleted(path: Path) -> None:
    file = SessionFile(path, URL)
    await file.write(EMAIL, SAVED)
    await file.delete(Tokens(9e9, "older", "refresh"), EMAIL)
    assert await file.read(EMAIL) == SAVED
    await file.delete(SAVED.tokens, EMAIL)
    assert not path.exists()


async def test_concurrent_writers_leave_one_complete_session(path: Path) -> None:
    program = (
        "import asyncio, sys; from dataclasses import replace; from pathlib import Path\n"
        "from navien_nwp500._connection.credentials import AwsCredentials, Tokens\n"
        "from navien_nwp500._connection.session_file import SavedSession, SessionFile\n"
        "async def main(path, mark):\n"
        "    file = SessionFile(Path(path), 'u')\n"
        "    text = mark * 5000\n"
        "    saved = SavedSession(Tokens(9e9, text, text), AwsCredentials(9e9, text, text, text), 1)\n"
        "    for _ in range(50):\n"
        "        await file.write('e', saved)\n"
        "        read = await file.read('e')\n"
        "        assert read is not None and read.tokens.access_token in ('a' * 5000, 'b' * 5000)\n"
        "        assert read.aws_credentials.secret_key == read.tokens.access_token\n"
        "asyncio.run(main(*sys.argv[1:]))\n"
    )
    writers = [await start_program(sys.executable, "-c", program, str(path), mark) for mark in "ab"]
    assert [await asyncio.wait_for(writer.wait(), 60) for writer in writers] == [0, 0]
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


# The file


@posix
async def test_the_file_and_its_folder_are_readable_by_their_owner_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        await SessionFile(path, URL).write(EMAIL, SAVED)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_written_session_is_read_back(path: Path) -> None:
    file = SessionFile(path, URL)
    for saved in (SAVED, replace(SAVED, aws_credentials=None, user_seq=None)):
        await file.write(EMAIL, saved)
        assert await file.read(EMAIL) == saved
    assert await SessionFile(path.with_name("absent"), URL).read(EMAIL) is None


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("version", 2, "version"),
        ("version", None, "version"),
        ("email", "other@example.com", "another account"),
        ("base_url", "https://elsewhere.example/", "another account or service"),
        ("user_seq", "7", "user_seq"),
        ("user_seq", True, "user_seq"),
        ("user_type", 7, "user_type"),
        ("tokens", None, "no session"),
        ("tokens", [], "no session"),
        ("tokens", {"expires_at": 9e9, "access_token": "a"}, "damaged"),
        ("tokens", {"expires_at": "9", "access_token": "a", "refresh_token": "b"}, "damaged"),
        ("tokens", {"expires_at": True, "access_token": "a", "refresh_token": "b"}, "damaged"),
        ("tokens", {"expires_at": 10**400, "access_token": "a", "refresh_token": "b"}, "damaged"),
        ("tokens", {"expires_at": 9, "access_token": "a\r\nX: y", "refresh_token": "b"}, "damaged"),
        ("aws_credentials", {"expires_at": 9e9, "access_key_id": 1}, "damaged"),
        ("aws_credentials", "text", "no session"),
    ],
)
async def test_a_file_with_an_invalid_part_is_not_used(
    path: Path, name: str, value: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = SessionFile(path, URL)
    await file.write(EMAIL, SAVED)
    change(path, **{name: value})
    for _ in range(3):
        assert await file.read(EMAIL) is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING and reason in record.getMessage()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b"null", b"7"])
async def test_an_invalid_file_is_not_used_and_is_replaced(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(0o600)
    file = SessionFile(path, URL)
    assert await file.read(EMAIL) is None and len(caplog.records) == 1
    await file.write(EMAIL, SAVED)
    assert await file.read(EMAIL) == SAVED


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
async def test_a_file_that_others_can_read_is_not_used_and_becomes_private(
    path: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    file = SessionFile(path, URL)
    await file.write(EMAIL, SAVED)
    path.chmod(mode)
    assert await file.read(EMAIL) is None
    assert "others" in caplog.text
    await file.write(EMAIL, SAVED)
    assert await file.read(EMAIL) == SAVED


@posix
async def test_a_file_of_another_user_is_not_used(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = SessionFile(path, URL)
    await file.write(EMAIL, SAVED)
    own_id = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own_id + 1)
    assert await file.read(EMAIL) is None
    assert "another user" in caplog.text


@posix
async def test_a_named_pipe_does_not_block_reading(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path, 0o600)
    # Without a writer; with a writer that sends nothing.
    for mode in (os.O_RDONLY | os.O_NONBLOCK, os.O_RDWR):
        pipe = os.open(path, mode)
        try:
            assert await asyncio.wait_for(SessionFile(path, URL).read(EMAIL), 10) is None
        finally:
            os.close(pipe)


async def test_a_path_that_cannot_be_written_is_logged_once_and_does_not_stop_the_client(
    sim: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    config = replace(sim.config, session_file=tmp_path / "file" / "session.json")
    async with NaviLinkClient(config) as client:
        for _ in range(2):
            await client.get_devices()
            sim._cloud.book.revoke_access_tokens()
    logged = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert sim.counters.refreshes == 1
    assert len([text for text in logged if "cannot be saved" in text]) == 1


async def test_a_failed_write_leaves_the_old_session_and_no_temporary_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = SessionFile(path, URL)
    await file.write(EMAIL, SAVED)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for _ in range(2):
        await file.write(EMAIL, replace(SAVED, user_seq=8))
    assert await file.read(EMAIL) == SAVED
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert len(caplog.records) == 1 and "No space left" in caplog.text


async def test_no_session_is_saved_by_default(sim: Simulator) -> None:
    assert NaviLinkConfig().session_file is None and NaviLinkAuth(sim.config)._file is None


@pytest.mark.parametrize("value", ["", ".", "\0", 7])
def test_an_impossible_session_file_is_rejected(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="session_file"):
        NaviLinkConfig(session_file=value)


def test_a_session_file_may_be_in_the_home_folder() -> None:
    path = NaviLinkConfig(session_file="~/x/session.json").session_file  # type: ignore[arg-type]
    assert path == Path.home() / "x" / "session.json"
