"""A program of somebody else finds the types, as the package lies in a site-packages folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

pytest.importorskip("mypy")

PACKAGE = Path(__file__).parents[2] / "navien_nwp500"

PROGRAM = """
from __future__ import annotations
import asyncio
from navien_nwp500 import DeviceStatus, DHWMode, NaviLinkClient, NaviLinkConfig, NaviLinkDevice

async def main() -> list[int]:
    charges: list[int] = []
    async with NaviLinkClient(NaviLinkConfig.from_environment(read_only=True)) as client:
        devices: list[NaviLinkDevice] = await client.get_devices()
        async for status in devices[0].watch(interval=60):
            charges.append(status.dhw_charge_percent or 0)
            celsius: float = status.dhw_temperature.celsius
            print(celsius, status.comp_use.active)
        shown: DeviceStatus = await devices[0].set_dhw_mode(DHWMode.HEAT_PUMP)
        print(shown.error_text)
    return charges

asyncio.run(main())
"""

MISTAKES = """
from navien_nwp500 import NaviLinkClient, NaviLinkDevice, NoSuchName

async def wrong(client: NaviLinkClient, device: NaviLinkDevice) -> None:
    await device.set_temperature(kelvin=300)
    status = await device.get_status()
    text: str = status.dhw_charge_percent
    device.get_weather()
"""


def test_a_typed_program_is_checked_against_the_installed_package(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv")
    python = next((tmp_path / "venv").glob("[bS]*/python*"))
    site = next((tmp_path / "venv").rglob("site-packages"))
    shutil.copytree(PACKAGE, site / "navien_nwp500")
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "mistakes.py").write_text(MISTAKES)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--no-color-output", "--no-error-summary"),
            *("--python-executable", str(python), "program.py", "mistakes.py"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    lines = done.stdout.splitlines()
    found = [(line.split(":")[0], line.split(":")[1]) for line in lines if " error: " in line]
    expected = [("mistakes.py", number) for number in ("2", "5", "7", "8")]
    assert found == expected, done.stdout + done.stderr
