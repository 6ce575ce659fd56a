"""Tests of finding a heater by name or MAC address."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from navien_nwp500 import find_devices
from navien_nwp500.simulator import Simulator
from support.cli import run


@dataclass(frozen=True)
class Heater:
    name: str
    mac_address: str


CELLAR = Heater("Cellar", "0123456789ab")
CELLAR_2 = Heater("Cellar 2", "0123456789ac")
GARAGE = Heater("Großes Haus", "f0f1f2f3f4f5")
ALL = [CELLAR, CELLAR_2, GARAGE]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("Cellar", [CELLAR]),  # a whole name, although another begins with it
        ("cellar 2", [CELLAR_2]),
        ("CEL", [CELLAR, CELLAR_2]),
        ("gros", [GARAGE]),
        ("0123456789AB", [CELLAR]),
        ("01:23:45:67:89:ac", [CELLAR_2]),
        ("01-23", [CELLAR, CELLAR_2]),
        ("f0", [GARAGE]),
        ("haus", []),  # only the beginning counts
        ("ab", []),
        ("-", []),
        (" ", []),
    ],
)
def test_a_heater_is_found_by_name_or_mac_address_or_their_beginning(
    wanted: str, found: list[Heater]
) -> None:
    assert find_devices(ALL, wanted) == found


@pytest.fixture
async def two() -> Simulator:
    return Simulator(speed=600, heaters=2)


async def test_every_cli_command_accepts_a_name(two: Simulator, tmp_path: Path) -> None:
    async with two as sim:
        code, out, _ = await run(tmp_path, "status", "--device", "nwp500 2", **sim.environment)
        assert code == 0 and "NWP500 2" in out
        code, out, _ = await run(
            tmp_path, "info", "--device", "01:23:45:67:89:ac", **sim.environment
        )
        assert code == 0 and "NWP500 2" in out
        code, out, err = await run(tmp_path, "status", "--device", "nwp", **sim.environment)
        assert (code, out) == (1, "")
        assert "NWP500 (0123456789ab), NWP500 2 (0123456789ac)" in err
        code, _, err = await run(tmp_path, "status", "--device", "attic", **sim.environment)
        assert code == 1 and "begins with 'attic'" in err and "navien-nwp500 devices" in err
        code, out, _ = await run(tmp_path, "doctor", "--device", "nwp", **sim.environment)
        assert code == 1 and "2 of 2 NWP500 match" in out and "0123456789ab" not in out
