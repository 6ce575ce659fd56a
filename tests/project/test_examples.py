"""Tests that all examples run with the simulator."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

import navien_nwp500
from support.cli import environment, run_program
from support.home_assistant_schema import SENSOR_CLASSES
from support.programs import running

EXAMPLES = Path(__file__).parents[2] / "examples"
LIMIT = 60.0


def run(name: str, *words: str, cwd: Path) -> list[str]:
    """Run an example with the simulator, check that it succeeds, and return its output lines."""
    code, out, err = run_program(EXAMPLES / name, *words, "--simulate", cwd=cwd)
    assert (code, err) == (0, "")
    return out.splitlines()


def test_basic_usage_prints_a_status(tmp_path: Path) -> None:
    out = "\n".join(run("basic_usage.py", cwd=tmp_path))
    assert "setpoint  60.5 °C (140.9 °F)" in out


def test_the_control_demo_prints_each_confirmation(tmp_path: Path) -> None:
    lines = run("device_control_demo.py", cwd=tmp_path)
    assert len(lines) == 9 and "failed" not in "".join(lines)
    assert "confirmed: 49.0 °C (120.2 °F)" in lines[0]
    assert lines[-1].endswith("1 stored")


def test_the_check_of_the_aws_credentials_prints_no_secret(tmp_path: Path) -> None:
    lines = run("debug/debug_aws_creds.py", cwd=tmp_path)
    assert len(lines) == 9 and all(line.startswith("passed") for line in lines)
    assert "AWS keys" in lines[-1] and "to be renewed in" in lines[-1]
    assert "ASIA" not in "".join(lines)


def test_the_check_of_the_connection_receives_statuses(tmp_path: Path) -> None:
    out = "".join(run("debug/debug_websocket.py", cwd=tmp_path))
    assert "failed" not in out and out.count("connection online") == 3


@pytest.mark.parametrize("name", ["debug_aws_creds.py", "debug_websocket.py"])
def test_a_check_without_an_account_stops_at_the_configuration(name: str, tmp_path: Path) -> None:
    code, out, err = run_program(EXAMPLES / "debug" / name, cwd=tmp_path)
    assert (code, err) == (1, "")
    assert out.startswith("failed     configuration") and ".env.template" in out


@pytest.mark.skipif(sys.platform == "win32", reason="signals as Unix has them")
def test_the_production_monitor_records_until_ctrl_c(tmp_path: Path) -> None:
    csv = tmp_path / "tank.csv"
    words = (str(EXAMPLES / "tank_monitoring_production.py"), "tank.csv", "--simulate")
    with running(sys.executable, *words, cwd=tmp_path, env=environment()) as process:
        deadline = time.monotonic() + LIMIT
        while not csv.exists() or csv.read_bytes().count(b"\n") < 4:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "nothing was recorded"
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0 and "Traceback" not in err
    assert csv.read_bytes().endswith(b"\n")


def test_one_shot_reports_hot_water_by_its_exit_code(tmp_path: Path) -> None:
    assert re.fullmatch(r"NWP500: \d+ % charged, fault: none", run("one_shot.py", cwd=tmp_path)[0])
    code, _, err = run_program(EXAMPLES / "one_shot.py", "101", "--simulate", cwd=tmp_path)
    assert (code, err) == (1, "")


def test_the_asyncio_example_reads_the_heater_in_another_task(tmp_path: Path) -> None:
    lines = run("embed_in_asyncio.py", cwd=tmp_path)
    assert [bool(re.fullmatch(r"{'NWP500': '\d+ %'}", line)) for line in lines][-5:] == [True] * 5


def test_all_heaters_are_listed_with_the_one_offline(tmp_path: Path) -> None:
    lines = run("many_heaters.py", cwd=tmp_path)
    assert len(lines) == 12 and lines[3] == "NWP500 4         offline"
    assert sum(" W  " in line for line in lines) == 11


def test_statuses_are_stored_in_the_database(tmp_path: Path) -> None:
    for _ in range(2):  # the second run continues the file
        assert run("to_sqlite.py", "heaters.db", cwd=tmp_path) == []
    database = sqlite3.connect(tmp_path / "heaters.db")
    rows = database.execute("SELECT * FROM statuses ORDER BY time").fetchall()
    database.close()
    assert len(rows) == 20
    assert all(row[1] == "NWP500" and row[4] == 60.5 and row[7] == 0 for row in rows)


def test_statuses_are_influxdb_lines(tmp_path: Path) -> None:
    lines = run("to_influx.py", cwd=tmp_path)
    fields = r"charge=\d+i,fault=0i,heating=[01]i,setpoint=60.5,water=\d+\.\d,watts=\d+i"
    assert len(lines) == 10
    assert all(re.fullmatch(rf"navien,heater=NWP500 {fields} \d{{19}}", line) for line in lines)


def test_the_integration_passes_its_own_tests() -> None:
    # Without plugins that are installed for other tests: they take more time than all else.
    without = ("cacheprovider", "schemathesis", "hypothesispytest", "anyio")
    plugins = ("navien_nwp500.apps.pytest_plugin", *(f"no:{name}" for name in without))
    words = ("-W", "error", *(word for name in plugins for word in ("-p", name)))
    # Only pytest-asyncio before 1.0 needs it.
    asks = ("-W", 'ignore:The configuration option "asyncio_default_fixture_loop_scope')
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, *asks, "-q", str(EXAMPLES / "embedding")],
        cwd=EXAMPLES / "embedding",
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent)},
        capture_output=True,
        text=True,
        timeout=2 * LIMIT,
    )
    assert done.returncode == 0 and "5 passed, 1 skipped" in done.stdout, done.stdout + done.stderr


def test_the_integration_imports_only_names_that_exist() -> None:
    """Check the imports without Home Assistant, which is not installed."""
    folder = EXAMPLES / "embedding" / "navien_example"
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert manifest["domain"] == folder.name and manifest["requirements"] == [
        "navien-nwp500>=1.0.0"
    ]
    trees = {path.stem: ast.parse(path.read_text("utf-8")) for path in folder.glob("*.py")}
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            wanted = {alias.name for alias in node.names}
            if node.module == "navien_nwp500":
                assert wanted <= set(navien_nwp500.__all__)
            elif node.level:
                assert wanted <= _defined(trees[node.module]), node.module
            elif name in ("feed", "values"):
                assert not node.module.startswith(
                    "homeassistant"
                ), "it could not be tested without Home Assistant"


def test_the_integration_names_everything_it_shows() -> None:
    """Without its text Home Assistant shows the key of a form, an error or an entity."""
    folder = EXAMPLES / "embedding" / "navien_example"
    texts = json.loads((folder / "strings.json").read_text("utf-8"))
    assert texts == json.loads((folder / "translations" / "en.json").read_text("utf-8"))
    sensors = runpy.run_path(str(folder / "values.py"))["SENSORS"]
    assert texts["entity"]["sensor"].keys() == {sensor.key for sensor in sensors}
    icons = json.loads((folder / "icons.json").read_text("utf-8"))["entity"]["sensor"]
    assert icons.keys() <= texts["entity"]["sensor"].keys()
    flow = (folder / "config_flow.py").read_text("utf-8")
    steps = {f"async_step_{one}" for one in texts["config"]["step"]}
    assert steps == set(re.findall(r"async def (async_step_(?!reauth\b|init\b)\w+)", flow))
    assert texts["config"]["error"].keys() == {"invalid_auth", "cannot_connect"}
    assert all(f'"{key}"' in flow for key in texts["config"]["error"])
    for step in texts["config"]["step"].values():
        assert step["data"].keys() == step["data_description"].keys()


def test_home_assistant_accepts_the_units() -> None:
    found = runpy.run_path(str(EXAMPLES / "embedding" / "navien_example" / "values.py"))
    for sensor in found["SENSORS"]:
        units, states = SENSOR_CLASSES.get(sensor.device_class, ({"%"}, {"measurement"}))
        assert sensor.unit in units and "measurement" in states


def test_the_blueprints_name_every_input_that_they_use() -> None:
    """``nox -s home_assistant`` runs them; a name that is wrong is found here."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """Loader that collects the inputs."""

    used: list[str] = []
    Loader.add_constructor("!input", lambda loader, node: used.append(node.value))
    paths = sorted((EXAMPLES / "home_assistant").glob("*.yaml"))
    page = (EXAMPLES.parent / "docs" / "HOME_ASSISTANT.md").read_text("utf-8")
    assert re.findall(r"`(\w+\.yaml)`", page) and len(paths) == 4
    for path in paths:
        used.clear()
        found = yaml.load(path.read_text("utf-8"), Loader)
        about = found["blueprint"]
        assert set(used) == about["input"].keys() and f"`{path.name}`" in page
        assert about["homeassistant"]["min_version"] == "2024.12.0" and found["actions"]


def _defined(tree: ast.Module) -> set[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    names = {node.name for node in tree.body if isinstance(node, kinds)}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            found = [one for target in node.targets for one in ast.walk(target)]
            names |= {one.id for one in found if isinstance(one, ast.Name)}
    return names


def test_the_readme_lists_every_example() -> None:
    text = (EXAMPLES / "README.md").read_text("utf-8")
    folder = EXAMPLES / "embedding"
    programs = [path for path in EXAMPLES.rglob("*.py") if folder not in path.parents]
    assert all(f"| `{path.relative_to(EXAMPLES).as_posix()}" in text for path in programs)


def test_examples_are_short() -> None:
    whole = EXAMPLES / "embedding"  # an integration and its tests
    for path in EXAMPLES.rglob("*.py"):
        limit = 240 if path.parent.name == "tests" else 130 if whole in path.parents else 66
        assert len(path.read_text("utf-8").splitlines()) <= limit, path.name
