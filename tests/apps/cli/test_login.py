"""The account a person names once: asked for, tried, found by every later word, and removed."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from pathlib import Path

import pytest
from platformdirs import user_cache_path, user_config_path

from navien_nwp500.apps.cli.saved_account import account_file, session_file
from navien_nwp500.simulator import Simulator
from support.cli import LIMIT, run, start

TESTS = Path(__file__).parents[2]


def cloud_of(sim: Simulator) -> dict[str, str]:
    """Where the simulated service is; of the account nothing."""
    return {**sim.environment, "NAVILINK_EMAIL": "", "NAVILINK_PASSWORD": ""}


def typed(sim: Simulator) -> str:
    return f"{sim.account.email}\n{sim.account.password}\n"


def kept() -> list[Path]:
    folders = (
        user_config_path("navien-nwp500", appauthor=False),
        user_cache_path("navien-nwp500", appauthor=False),
    )
    return [path for folder in folders for path in sorted(folder.glob("*"))]


def end_session(sim: Simulator) -> None:
    sim._cloud.book.revoke_access_tokens()
    sim._cloud.book.revoke_refresh_tokens()


async def login(sim: Simulator, cwd: Path, *words: str, **variables: str) -> tuple[int, str, str]:
    return await run(cwd, "login", *words, typed=typed(sim), **{**cloud_of(sim), **variables})


async def test_after_login_a_word_needs_no_variable(sim: Simulator, tmp_path: Path) -> None:
    code, out, err = await login(sim, tmp_path)
    assert (code, err) == (0, "") and "Signed in as user@example.com" in out
    code, out, err = await run(tmp_path, "status", **cloud_of(sim))
    assert (code, err) == (0, "") and "charge" in out
    assert sim.counters.passwords == 1
    assert kept() == [account_file(), session_file(sim.config)]
    for path in kept():
        assert sim.account.password not in path.read_text()
        if os.name == "posix":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_wrong_password_is_said_at_once_and_keeps_nothing(
    sim: Simulator, tmp_path: Path
) -> None:
    words = f"{sim.account.email}\nnot-the-one\n"
    code, out, err = await run(tmp_path, "login", typed=words, **cloud_of(sim))
    assert (code, out, kept()) == (4, "", [])
    assert "rejects" in err and "not-the-one" not in err


async def test_a_wrong_password_leaves_the_earlier_login(sim: Simulator, tmp_path: Path) -> None:
    await login(sim, tmp_path)
    words = f"{sim.account.email}\nnot-the-one\n"
    assert (await run(tmp_path, "login", typed=words, **cloud_of(sim)))[0] == 4
    assert (await run(tmp_path, "devices", **cloud_of(sim)))[0] == 0


@pytest.mark.parametrize("words", ["", "user@example.com\n", "\nsecret\n"])
async def test_a_pipe_must_bring_both_lines(tmp_path: Path, words: str) -> None:
    code, _, err = await run(tmp_path, "login", typed=words)
    assert code == 2 and "two lines" in err and "secret" not in err


async def test_a_session_that_has_ended_asks_for_login_each_time(
    sim: Simulator, tmp_path: Path
) -> None:
    await login(sim, tmp_path)
    end_session(sim)
    for _ in range(2):
        code, out, err = await run(tmp_path, "status", **cloud_of(sim))
        assert (code, out) == (4, "") and "navien-nwp500 login" in err
    assert (await login(sim, tmp_path))[0] == 0
    assert (await run(tmp_path, "status", **cloud_of(sim)))[0] == 0


async def test_without_any_account_a_word_names_login(tmp_path: Path) -> None:
    code, _, err = await run(tmp_path, "status")
    assert code == 2 and "navien-nwp500 login" in err and "NAVILINK_EMAIL" in err


async def test_logout_removes_all_of_it(sim: Simulator, tmp_path: Path) -> None:
    await login(sim, tmp_path)
    assert await run(tmp_path, "logout", **cloud_of(sim)) == (0, "Signed out.\n", "")
    assert kept() == []
    assert await run(tmp_path, "logout") == (0, "No account was saved.\n", "")
    assert (await run(tmp_path, "status", **cloud_of(sim)))[0] == 2


async def test_the_environment_wins(sim: Simulator, tmp_path: Path) -> None:
    other = {"NAVILINK_EMAIL": "other@example.com", "NAVILINK_PASSWORD": "none"}
    _, _, err = await login(sim, tmp_path, **other)
    assert "other@example.com and takes precedence" in err
    assert (await run(tmp_path, "devices", **{**sim.environment, **other}))[0] == 4
    assert sim.counters.passwords == 2


async def test_an_account_is_of_one_service(sim: Simulator, tmp_path: Path) -> None:
    await login(sim, tmp_path)
    elsewhere = {**cloud_of(sim), "NAVILINK_BASE_URL": "https://127.0.0.1:1/api/v2.1"}
    code, _, err = await run(tmp_path, "devices", **elsewhere)
    assert code == 2 and "there is no account" in err


@pytest.mark.parametrize("content", ["", "[]", '{"email": 1, "base_url": "x"}', '{"name": "x"}'])
async def test_a_damaged_file_is_said_and_a_login_mends_it(
    sim: Simulator, tmp_path: Path, content: str
) -> None:
    await login(sim, tmp_path)
    account_file().write_text(content)
    code, _, err = await run(tmp_path, "devices", **cloud_of(sim))
    assert code == 2 and "is damaged" in err and "navien-nwp500 login" in err
    assert (await login(sim, tmp_path))[0] == 0
    assert (await run(tmp_path, "devices", **cloud_of(sim)))[0] == 0


async def test_the_doctor_walks_with_the_login(sim: Simulator, tmp_path: Path) -> None:
    await login(sim, tmp_path)
    code, out, _ = await run(tmp_path, "doctor", **cloud_of(sim))
    assert code == 0 and "the saved session holds" in out
    end_session(sim)
    code, out, _ = await run(tmp_path, "doctor", **cloud_of(sim))
    assert code == 4 and "navien-nwp500 login" in out


class TestKeyring:
    @pytest.fixture
    def ring(self, tmp_path: Path) -> dict[str, str]:
        return {
            "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS / "support")]),
            "PYTHON_KEYRING_BACKEND": "file_keyring.FileKeyring",
            "A_KEYRING": str(tmp_path / "ring.json"),
        }

    async def test_a_kept_password_outlives_the_session_and_not_logout(
        self, sim: Simulator, tmp_path: Path, ring: dict[str, str]
    ) -> None:
        assert (await login(sim, tmp_path, "--keep-password", **ring))[0] == 0
        held = json.loads((tmp_path / "ring.json").read_text())
        assert list(held.values()) == [sim.account.password]
        assert all(sim.account.password not in path.read_text() for path in kept())
        end_session(sim)
        code, _, err = await run(tmp_path, "devices", **cloud_of(sim), **ring)
        assert (code, err) == (0, "")
        assert (await run(tmp_path, "logout", **cloud_of(sim), **ring))[0] == 0
        assert json.loads((tmp_path / "ring.json").read_text()) == {} and kept() == []

    async def test_a_login_without_it_takes_the_kept_one_out(
        self, sim: Simulator, tmp_path: Path, ring: dict[str, str]
    ) -> None:
        await login(sim, tmp_path, "--keep-password", **ring)
        await login(sim, tmp_path, **ring)
        assert json.loads((tmp_path / "ring.json").read_text()) == {}

    async def test_a_system_without_a_keyring_says_so_and_the_session_stays(
        self, sim: Simulator, tmp_path: Path
    ) -> None:
        none = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
        code, _, err = await login(sim, tmp_path, "--keep-password", **none)
        assert code == 2 and "keyring cannot be opened" in err and sim.account.password not in err
        assert (await run(tmp_path, "devices", **cloud_of(sim), **none))[0] == 0

    async def test_without_the_library_the_extra_is_named(
        self, sim: Simulator, tmp_path: Path
    ) -> None:
        (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['keyring'] = None\n")
        path = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(TESTS.parent)])}
        code, _, err = await login(sim, tmp_path, "--keep-password", **path)
        assert code == 2 and "the extra 'keyring'" in err
        assert kept() == [] and sim.counters.passwords == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminal here")
async def test_on_a_terminal_the_password_is_asked_for_and_not_shown(
    sim: Simulator, tmp_path: Path
) -> None:
    import pty

    try:
        master, terminal = pty.openpty()
    except OSError as error:
        pytest.skip(f"this machine gives out no pseudo-terminals: {error}")
    try:
        # Passwords are read from the terminal of the session, if there is one: ours must not be it.
        process = await start(
            tmp_path, "login", stdin=terminal, start_new_session=True, **cloud_of(sim)
        )
        assert process.stderr is not None
        await asyncio.wait_for(process.stderr.readuntil(b"E-mail:"), LIMIT)
        os.write(master, f"{sim.account.email}\n".encode())
        # What was typed before the echo is switched off is thrown away; the blank comes after.
        await asyncio.wait_for(process.stderr.readuntil(b"Password: "), LIMIT)
        os.write(master, f"{sim.account.password}\n".encode())
        out, _ = await asyncio.wait_for(process.communicate(), LIMIT)
        assert process.returncode == 0 and b"Signed in" in out
        shown = os.read(master, 4096).decode()
        assert sim.account.email in shown and sim.account.password not in shown
    finally:
        os.close(master)
        os.close(terminal)
