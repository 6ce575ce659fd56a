"""The pytest plugin in the tests of other projects; each test runs pytest in a process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLUGIN = "navien_nwp500.apps.pytest_plugin"
LIMIT = 120.0

THREE_LINES = """
import pytest

pytestmark = [pytest.mark.asyncio, pytest.mark.navilink(heaters=3)]

@pytest.mark.navilink(heaters=2)
async def test_two_heaters(navilink_client):
    assert len(await navilink_client.get_devices()) == 2

async def test_a_status(navilink_client, navilink_heater):
    device = (await navilink_client.get_devices())[0]
    navilink_heater.set_error_code(517)
    assert (await device.get_status()).error_code == 517
"""


@dataclass
class Run:
    code: int
    output: str


def run(folder: Path, tests: str, *options: str, absent: str = "") -> Run:
    """Run the tests of another project, as if the ``absent`` module were not installed."""
    (folder / "test_theirs.py").write_text(tests, "utf-8")
    first = folder / "first"
    first.mkdir(exist_ok=True)
    if absent:
        missing = f"raise ModuleNotFoundError('No module named {absent}', name={absent!r})\n"
        (first / f"{absent}.py").write_text(missing)
    words = ["-p", PLUGIN, "-p", "no:cacheprovider", "--strict-markers", "-W", "error", *options]
    # Plugins that are installed for other tests take more time than all else.
    words += ["-p", "no:schemathesis", "-p", "no:hypothesispytest", "-p", "no:anyio"]
    # Older releases of pytest-asyncio warn of an option that newer ones do not have.
    words += ["-W", 'ignore:The configuration option "asyncio_default_fixture_loop_scope']
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "test_theirs.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(first), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    return Run(done.returncode, done.stdout + done.stderr)


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_fixtures_work_in_each_mode_of_pytest_asyncio(mode: str, tmp_path: Path) -> None:
    done = run(tmp_path, THREE_LINES, "-o", f"asyncio_mode={mode}")
    assert (done.code, "2 passed" in done.output) == (0, True), done.output


def test_without_pytest_asyncio_a_fixture_names_it_and_other_tests_run(tmp_path: Path) -> None:
    theirs = "def test_other(): pass\ndef test_ours(navilink_cloud): pass\n"
    done = run(tmp_path, theirs, "-p", "no:asyncio", absent="pytest_asyncio")
    assert "1 passed, 1 error" in done.output, done.output
    assert "navilink_cloud needs: pip install pytest-asyncio" in done.output


def test_without_the_extra_a_fixture_names_it(tmp_path: Path) -> None:
    theirs = THREE_LINES + "\nasync def test_other(): pass\n"
    done = run(tmp_path, theirs, "-o", "asyncio_mode=auto", absent="aiomqtt")
    assert "1 passed, 2 errors" in done.output, done.output
    assert "needs aiomqtt: install the extra 'simulator'" in done.output


def test_settings_without_a_name_are_an_error(tmp_path: Path) -> None:
    theirs = THREE_LINES.replace("navilink(heaters=2)", "navilink(600)")
    done = run(tmp_path, theirs, "-o", "asyncio_mode=auto")
    assert "settings by name: speed=600" in done.output and "1 passed, 1 error" in done.output


def test_pytest_lists_the_marker_and_the_fixtures(tmp_path: Path) -> None:
    assert "@pytest.mark.navilink(**settings): settings" in run(tmp_path, "", "--markers").output
    shown = run(tmp_path, "", "--fixtures").output
    for name in ("cloud", "heater", "config", "client", "settings"):
        assert re.search(rf"^navilink_{name}\b.*pytest_plugin", shown, re.M), shown


def test_a_conftest_may_list_the_plugin_too(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(f"pytest_plugins = [{PLUGIN!r}]\n")
    done = run(tmp_path, "def test_other(): pass\n")
    assert (done.code, "1 passed" in done.output) == (0, True), done.output


def test_the_plugin_imports_nothing_else_of_the_package() -> None:
    code = f"import pytest, pytest_asyncio, sys; before = set(sys.modules); import {PLUGIN}"
    code += "; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == [
        "navien_nwp500",
        "navien_nwp500._util",
        "navien_nwp500._util.version",
        "navien_nwp500.apps",
        PLUGIN,
    ], done.stderr


def test_the_entry_point_is_named_like_its_module() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert f'[project.entry-points.pytest11]\n"{PLUGIN}" = "{PLUGIN}"\n' in text
