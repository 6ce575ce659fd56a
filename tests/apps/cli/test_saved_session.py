"""The session that commands save: the second command neither signs in nor needs a password."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from navien_nwp500 import NaviLinkConfig
from navien_nwp500.apps.cli.saved_account import session_file
from navien_nwp500.simulator import Simulator
from support.cli import run


def saved_files() -> list[Path]:
    return sorted(user_cache_path("navien-nwp500", appauthor=False).glob("**/*"))


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


async def test_an_expired_session_needs_the_password(sim: Simulator, tmp_path: Path) -> None:
    await run(tmp_path, "devices", **sim.environment)
    sim._cloud.book.revoke_access_tokens()
    sim._cloud.book.revoke_refresh_tokens()
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
