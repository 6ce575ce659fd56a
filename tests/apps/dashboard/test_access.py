"""Tokens, sessions, password and the limit of attempts, each alone."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy")

from navien_nwp500.apps.dashboard import password_file
from navien_nwp500.apps.dashboard.access import (
    SESSION_SECONDS,
    SESSIONS,
    TOKEN_SECONDS,
    AccessFolder,
)
from navien_nwp500.apps.dashboard.attempt_limit import (
    ADDRESSES,
    ATTEMPTS,
    ATTEMPTS_OF_ALL,
    SECONDS,
    AttemptLimit,
)
from navien_nwp500.apps.dashboard.password_file import (
    is_password,
    read_password_hash,
    write_password,
)
from navien_nwp500.exceptions import ConfigurationError


def make_older(folder: Path, kind: str, seconds: float) -> None:
    for path in folder.glob(f"{kind}-*"):
        os.utime(path, (time.time() - seconds,) * 2)


def test_a_token_serves_once_also_among_programs(tmp_path: Path) -> None:
    access, other = AccessFolder(tmp_path), AccessFolder(tmp_path)
    token = other.new_token()
    assert access.take_token(token) and not access.take_token(token)
    assert not other.take_token(token)
    assert not access.take_token("x" * 43) and not access.take_token("../token")


def test_a_token_serves_for_an_hour(tmp_path: Path) -> None:
    access = AccessFolder(tmp_path)
    token = access.new_token()
    make_older(tmp_path, "token", TOKEN_SECONDS + 60)
    assert not access.take_token(token)
    access.new_token()
    make_older(tmp_path, "token", TOKEN_SECONDS + 60)
    access.new_token()
    assert len(list(tmp_path.iterdir())) == 1, "old tokens are removed"


def test_a_session_lasts_across_programs_until_it_is_ended_or_old(tmp_path: Path) -> None:
    access = AccessFolder(tmp_path)
    session, second = access.new_session(), access.new_session()
    assert AccessFolder(tmp_path).has_session(session)
    access.end_session(session)
    assert not access.has_session(session) and access.has_session(second)
    make_older(tmp_path, "session", SESSION_SECONDS + 60)
    assert not access.has_session(second)


def test_a_session_ends_with_the_password(tmp_path: Path) -> None:
    session = AccessFolder(tmp_path, "scrypt:one").new_session()
    assert AccessFolder(tmp_path, "scrypt:one").has_session(session)
    assert not AccessFolder(tmp_path, "scrypt:two").has_session(session)


def test_sessions_are_limited_and_the_oldest_ends(tmp_path: Path) -> None:
    access = AccessFolder(tmp_path)
    oldest = access.new_session()
    make_older(tmp_path, "session", 60)
    sessions = [access.new_session() for _ in range(SESSIONS)]
    assert not access.has_session(oldest) and access.has_session(sessions[-1])
    assert len(list(tmp_path.iterdir())) == SESSIONS


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_the_folder_is_private_and_gives_nobody_access(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "dashboard"
    access = AccessFolder(folder)
    secrets = [access.new_token(), access.new_session()]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert not any(one in path.name + path.read_text() for one in secrets)


def test_a_password_is_stored_as_a_hash_and_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(password_file, "_P", 1)  # a fifth of the time
    path = tmp_path / "password"
    write_password(path, "Kaffe\u0301 am Morgen")
    stored = read_password_hash(path)
    assert "Kaff" not in path.read_text() and (
        os.name == "nt" or stat.S_IMODE(path.stat().st_mode) == 0o600
    )
    assert is_password("Kaff\u00e9 am Morgen", stored), "the same letters, composed otherwise"
    assert not is_password("Kaffe am Morgen", stored)
    write_password(path, "Kaff\u00e9 am Morgen")
    assert read_password_hash(path) != stored, "each file has its own salt"


@pytest.mark.parametrize("password", ["", "1234567", "x" * 1025])
def test_a_weak_or_endless_password_is_refused(tmp_path: Path, password: str) -> None:
    with pytest.raises(ConfigurationError, match="8 to 1024"):
        write_password(tmp_path / "password", password)
    assert not (tmp_path / "password").exists()


@pytest.mark.parametrize("content", [b"", b"hunter2hunter2\n", b"scrypt:1:2:3:4:5", b"\xff\x00"])
def test_another_file_is_no_password_file_and_is_not_shown(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="--new-password") as error:
        read_password_hash(path)
    assert "hunter2" not in str(error.value)


def test_attempts_of_an_address_are_limited_and_come_back() -> None:
    now = [1000.0]
    limit = AttemptLimit(lambda: now[0])
    assert [limit.take("192.0.2.1") for _ in range(ATTEMPTS)] == [0.0] * ATTEMPTS
    wait = limit.take("192.0.2.1")
    assert 0 < wait <= SECONDS
    assert limit.take("192.0.2.2") == 0.0, "another address may"
    now[0] += wait
    assert limit.take("192.0.2.1") == 0.0
    assert limit.take("192.0.2.1") > 0


def test_attempts_of_one_network_count_together_and_success_forgives() -> None:
    limit = AttemptLimit(lambda: 0.0)
    for number in range(ATTEMPTS):
        assert limit.take(f"2001:db8:1:2::{number}") == 0.0
    assert limit.take("2001:db8:1:2:ffff::1") > 0
    limit.forgive("2001:db8:1:2::77")
    assert limit.take("2001:db8:1:2:ffff::1") == 0.0


def test_attempts_of_many_addresses_are_limited_too_in_bounded_memory() -> None:
    now = [0.0]
    limit = AttemptLimit(lambda: now[0])
    allowed = sum(limit.take(f"10.0.{n // 256}.{n % 256}") == 0.0 for n in range(2000))
    assert allowed == ATTEMPTS_OF_ALL
    for number in range(5 * ADDRESSES):
        now[0] += 3600
        limit.take(f"10.{number // 65536}.{number // 256 % 256}.{number % 256}")
    assert len(limit._used) <= ADDRESSES
