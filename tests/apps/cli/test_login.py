"""The commands ``login`` and ``logout``, the saved account and the sessions of all commands."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from platformdirs import user_cache_path, user_config_path

from navien_nwp500 import ConfigurationError, NaviLinkConfig
from navien_nwp500.apps.cli import saved_account
from navien_nwp500.apps.cli.saved_account import account_file, session_file
from navien_nwp500.simulator import Simulator
from support.cli import LIMIT, run, start

TESTS = Path(__file__).parents[2]


def cloud_of(sim: Simulator) -> dict[str, str]:
    """Return the variables of the simulated cloud, without the account."""
    return {**sim.environment, "NAVILINK_EMAIL": "", "NAVILINK_PASSWORD": ""}


def typed(sim: Simulator) -> str:
    return f"{sim.account.email}\n{sim.account.password}\n"


def saved_files() -> list[Path]:
    """Return all saved files with content; a lock has none."""
    return [path for path in all_files() if path.suffix != ".lock" or path.stat().st_size]


def all_files() -> list[Path]:
    folders = (
        user_config_path("navien-nwp500", appauthor=False),
        user_cache_path("navien-nwp500", appauthor=False),
    )
    return [path for folder in folders for path in sorted(folder.glob("*"))]


def end_session(sim: Simulator) -> None:
    sim._cloud.book.revoke_access_tokens()
    sim._cloud.book.revoke_refresh_tokens()


async def login(sim: Simulator, cwd: Path, *options: str, **variables: str) -> tuple[int, str, str]:
    return await run(cwd, "login", *options, typed=typed(sim), **{**cloud_of(sim), **variables})


async def test_after_login_a_command_needs_no_variables(sim: Simulator, tmp_path: Path) -> None:
    code, out, err = await login(sim, tmp_path)
    assert (code, err) == (0, "") and "Signed in as user@example.com" in out
    code, out, err = await run(tmp_path, "status", **cloud_of(sim))
    assert (code, err) == (0, "") and "charge" in out
    assert sim.counters.passwords == 1
    assert saved_files() == [account_file(), session_file(sim.config)]
    for path in saved_files():
        assert sim.account.password not in path.read_text()
        if os.name == "posix":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_wrong_password_is_reported_at_once_and_nothing_is_saved(
    sim: Simulator, tmp_path: Path
) -> None:
    lines = f"{sim.account.email}\nnot-the-one\n"
    code, out, err = await run(tmp_path, "login", typed=lines, **cloud_of(sim))
    assert (code, out, saved_files()) == (4, "", [])
    assert "rejects" in err and "not-the-one" not in err


async def test_a_wrong_password_does_not_change_the_saved_login(
    sim: Simulator, tmp_path: Path
) -> None:
    await login(sim, tmp_path)
    lines = f"{sim.account.email}\nnot-the-one\n"
    assert (await run(tmp_path, "login", typed=lines, **cloud_of(sim)))[0] == 4
    assert (await run(tmp_path, "devices", **cloud_of(sim)))[0] == 0


@pytest.mark.parametrize("lines", ["", "user@example.com\n", "\nsecret\n"])
async def test_a_pipe_must_have_both_lines(tmp_path: Path, lines: str) -> None:
    code, _, err = await run(tmp_path, "login", typed=lines)
    assert code == 2 and "two lines" in err and "secret" not in err


async def test_an_expired_session_needs_a_new_login(sim: Simulator, tmp_path: Path) -> None:
    await login(sim, tmp_path)
    end_session(sim)
    for _ in range(2):
        code, out, err = await run(tmp_path, "status", **cloud_of(sim))
        assert (code, out) == (4, "") and "navien-nwp500 login" in err
    assert (await login(sim, tmp_path))[0] == 0
    assert (await run(tmp_path, "status", **cloud_of(sim)))[0] == 0


async def test_without_an_account_the_error_suggests_login(tmp_path: Path) -> None:
    code, _, err = await run(tmp_path, "status")
    assert code == 2 and "navien-nwp500 login" in err and "NAVILINK_EMAIL" in err


async def test_logout_removes_everything(sim: Simulator, tmp_path: Path) -> None:
    await login(sim, tmp_path)
    assert await run(tmp_path, "logout", **cloud_of(sim)) == (0, "Signed out.\n", "")
    assert all_files() == []
    assert await run(tmp_path, "logout") == (0, "No account was saved.\n", "")
    assert (await run(tmp_path, "status", **cloud_of(sim)))[0] == 2


async def test_the_environment_takes_precedence(sim: Simulator, tmp_path: Path) -> None:
    other = {"NAVILINK_EMAIL": "other@example.com", "NAVILINK_PASSWORD": "none"}
    _, _, err = await login(sim, tmp_path, **other)
    assert "other@example.com and takes precedence" in err
    assert (await run(tmp_path, "devices", **{**sim.environment, **other}))[0] == 4
    assert sim.counters.passwords == 2


async def test_a_saved_account_is_used_for_its_service_only(sim: Simulator, tmp_path: Path) -> None:
    await login(sim, tmp_path)
    elsewhere = {**cloud_of(sim), "NAVILINK_BASE_URL": "https://127.0.0.1:1/api/v2.1"}
    code, _, err = await run(tmp_path, "devices", **elsewhere)
    assert code == 2 and "there is no account" in err


async def test_an_email_in_other_case_is_the_same_account(sim: Simulator, tmp_path: Path) -> None:
    other_case = {"NAVILINK_EMAIL": "User@Example.com"}
    _, _, err = await login(sim, tmp_path, **other_case)
    assert err == ""
    assert (await run(tmp_path, "devices", **{**cloud_of(sim), **other_case}))[0] == 0
    assert sim.counters.passwords == 1


def test_a_home_folder_that_platformdirs_cannot_find_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Older versions leave the ``~``, newer ones raise RuntimeError."""

    def fail(*_: Any, **__: Any) -> Path:
        raise RuntimeError("could not determine the home directory")

    for find in (fail, lambda *_, **__: Path("~/.cache")):
        monkeypatch.setattr(saved_account, "user_cache_path", find)
        monkeypatch.setattr(saved_account, "user_config_path", find)
        assert session_file(NaviLinkConfig(email="user@example.com")) is None
        assert saved_account.load_account() is None and saved_account.saved_files() == []
        with pytest.raises(ConfigurationError, match="no home folder"):
            saved_account.account_file()


@pytest.mark.parametrize("command", ["devices", "doctor"])
async def test_an_unknown_variable_is_shown_once(
    sim: Simulator, tmp_path: Path, command: str
) -> None:
    (tmp_path / ".env").write_text("NAVILINK_READONLY=1\n", "utf-8")
    code, _, err = await run(tmp_path, command, **sim.environment)
    assert code == 0
    assert err.count("did you mean NAVILINK_READ_ONLY?") == len(err.splitlines()) == 1


@pytest.mark.parametrize("content", ["", "[]", '{"email": 1, "base_url": "x"}', '{"name": "x"}'])
async def test_a_damaged_file_is_reported_and_login_replaces_it(
    sim: Simulator, tmp_path: Path, content: str
) -> None:
    await login(sim, tmp_path)
    account_file().write_text(content)
    code, _, err = await run(tmp_path, "devices", **cloud_of(sim))
    assert code == 2 and "is damaged" in err and "navien-nwp500 login" in err
    assert (await login(sim, tmp_path))[0] == 0
    assert (await run(tmp_path, "devices", **cloud_of(sim)))[0] == 0


async def test_the_doctor_uses_the_saved_login(sim: Simulator, tmp_path: Path) -> None:
    await login(sim, tmp_path)
    code, out, _ = await run(tmp_path, "doctor", **cloud_of(sim))
    assert code == 0 and "a session is saved" in out
    end_session(sim)
    code, out, _ = await run(tmp_path, "doctor", **cloud_of(sim))
    assert code == 4 and "navien-nwp500 login" in out


BROKEN_KEYRING = """
from keyring.backend import KeyringBackend

class Broken(KeyringBackend):
    priority = 1

    def get_password(self, service, username):
        raise RuntimeError("no D-Bus")

    set_password = delete_password = get_password
"""


class TestKeyring:
    @pytest.fixture
    def ring(self, tmp_path: Path) -> dict[str, str]:
        return {
            "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS / "support")]),
            "PYTHON_KEYRING_BACKEND": "file_keyring.FileKeyring",
            "A_KEYRING": str(tmp_path / "ring.json"),
        }

    async def test_a_saved_password_is_used_after_the_session_and_removed_by_logout(
        self, sim: Simulator, tmp_path: Path, ring: dict[str, str]
    ) -> None:
        assert (await login(sim, tmp_path, "--keep-password", **ring))[0] == 0
        held = json.loads((tmp_path / "ring.json").read_text())
        assert list(held.values()) == [sim.account.password]
        assert all(sim.account.password not in path.read_text() for path in saved_files())
        end_session(sim)
        code, _, err = await run(tmp_path, "devices", **cloud_of(sim), **ring)
        assert (code, err) == (0, "")
        assert (await run(tmp_path, "logout", **cloud_of(sim), **ring))[0] == 0
        assert json.loads((tmp_path / "ring.json").read_text()) == {} and saved_files() == []

    async def test_a_login_without_the_option_removes_the_saved_password(
        self, sim: Simulator, tmp_path: Path, ring: dict[str, str]
    ) -> None:
        await login(sim, tmp_path, "--keep-password", **ring)
        await login(sim, tmp_path, **ring)
        assert json.loads((tmp_path / "ring.json").read_text()) == {}

    async def test_without_a_keyring_the_error_is_reported_and_the_session_saved(
        self, sim: Simulator, tmp_path: Path
    ) -> None:
        none = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
        code, _, err = await login(sim, tmp_path, "--keep-password", **none)
        assert code == 2 and "keyring cannot be opened" in err and sim.account.password not in err
        assert "you are signed in" in err
        assert (await run(tmp_path, "devices", **cloud_of(sim), **none))[0] == 0

    @pytest.mark.parametrize("backend", ["keyring.backends.fail.Keyring", "broken_keyring.Broken"])
    async def test_a_keyring_that_no_longer_opens_hinders_nothing(
        self, sim: Simulator, tmp_path: Path, ring: dict[str, str], backend: str
    ) -> None:
        """One raises the library's own error, the other an error of its own."""
        (tmp_path / "broken_keyring.py").write_text(BROKEN_KEYRING)
        assert (await login(sim, tmp_path, "--keep-password", **ring))[0] == 0
        path = os.pathsep.join([ring["PYTHONPATH"], str(tmp_path)])
        broken = {**cloud_of(sim), "PYTHON_KEYRING_BACKEND": backend, "PYTHONPATH": path}
        code, out, err = await run(tmp_path, "status", "--json", **broken)
        assert code == 0 and "dhwTemperature" in out
        assert "keyring cannot be opened" in err and len(err.splitlines()) == 1
        code, out, err = await login(sim, tmp_path, **broken)
        assert code == 0 and "Signed in" in out and "is still in the system's keyring" in err

    async def test_logout_removes_what_it_can_and_says_what_is_left(
        self, sim: Simulator, tmp_path: Path, ring: dict[str, str]
    ) -> None:
        assert (await login(sim, tmp_path, "--keep-password", **ring))[0] == 0
        broken = {**ring, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
        code, _, err = await run(tmp_path, "logout", **cloud_of(sim), **broken)
        assert code == 1 and saved_files() == []
        assert "is still in the system's keyring" in err and sim.account.email in err
        assert "signed out" in err and f"navien-nwp500 {sim.config.base_url}" in err

    async def test_without_the_library_the_error_names_the_extra(
        self, sim: Simulator, tmp_path: Path
    ) -> None:
        (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['keyring'] = None\n")
        path = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(TESTS.parent)])}
        code, _, err = await login(sim, tmp_path, "--keep-password", **path)
        assert code == 2 and "the extra 'keyring'" in err
        assert saved_files() == [] and sim.counters.passwords == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminal here")
async def test_a_password_typed_on_a_terminal_is_not_shown(sim: Simulator, tmp_path: Path) -> None:
    import pty

    try:
        master, terminal = pty.openpty()
    except OSError as error:
        pytest.skip(f"this machine gives out no pseudo-terminals: {error}")
    try:
        # A password is read from the controlling terminal, which must not be that of the tests.
        process = await start(
            tmp_path, "login", stdin=terminal, start_new_session=True, **cloud_of(sim)
        )
        assert process.stderr is not None
        await asyncio.wait_for(process.stderr.readuntil(b"E-mail:"), LIMIT)
        os.write(master, f"{sim.account.email}\n".encode())
        # Input before the echo is switched off is discarded; the blank is printed after that.
        await asyncio.wait_for(process.stderr.readuntil(b"Password: "), LIMIT)
        os.write(master, f"{sim.account.password}\n".encode())
        out, _ = await asyncio.wait_for(process.communicate(), LIMIT)
        assert process.returncode == 0 and b"Signed in" in out
        shown = os.read(master, 4096).decode()
        assert sim.account.email in shown and sim.account.password not in shown
    finally:
        os.close(master)
        os.close(terminal)


# Sessions without login


def without_password(sim: Simulator) -> dict[str, str]:
    return {**sim.environment, "NAVILINK_PASSWORD": ""}


async def test_the_second_command_needs_neither_sign_in_nor_password(
    sim: Simulator, tmp_path: Path
) -> None:
    assert (await run(tmp_path, "devices", **sim.environment))[0] == 0
    code, out, err = await run(tmp_path, "status", **without_password(sim))
    assert (code, err) == (0, "") and "charge" in out
    assert (sim.counters.passwords, sim.counters.sign_ins) == (1, 1)
    assert saved_files() == [session_file(sim.config)]
    if os.name == "posix":
        assert stat.S_IMODE(saved_files()[0].stat().st_mode) == 0o600
    assert sim.account.password not in saved_files()[0].read_text()


async def test_no_session_file_signs_in_anew_and_saves_nothing(
    sim: Simulator, tmp_path: Path
) -> None:
    command = ("devices", "--no-session-file")
    assert (await run(tmp_path, *command, **sim.environment))[0] == 0
    assert saved_files() == []
    code, _, err = await run(tmp_path, *command, **without_password(sim))
    assert code == 2 and "NAVILINK_PASSWORD" in err
    await run(tmp_path, "devices", **sim.environment)
    assert (await run(tmp_path, *command, **sim.environment))[0] == 0
    assert sim.counters.passwords == 3


async def test_an_expired_session_without_login_needs_the_password(
    sim: Simulator, tmp_path: Path
) -> None:
    await run(tmp_path, "devices", **sim.environment)
    end_session(sim)
    code, out, err = await run(tmp_path, "devices", **without_password(sim))
    assert (code, out) == (4, "") and "set NAVILINK_PASSWORD" in err
    assert (await run(tmp_path, "devices", **sim.environment))[0] == 0


async def test_a_simulated_account_is_not_saved(tmp_path: Path) -> None:
    assert (await run(tmp_path, "devices", "--simulate"))[0] == 0
    assert saved_files() == []


@pytest.mark.parametrize(
    "other", [{"email": "other@example.com"}, {"base_url": "https://elsewhere.example"}]
)
def test_each_account_has_its_own_file(other: dict[str, str]) -> None:
    config = NaviLinkConfig(email="user@example.com")
    another = NaviLinkConfig(**{"email": "user@example.com", **other})  # type: ignore[arg-type]
    assert session_file(config) == session_file(config) != session_file(another)
    assert "user" not in session_file(config).name
