"""Tests of generated documents, of the commands in README and Getting started, and of pictures."""

from __future__ import annotations

import csv
import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from support.cli import run, run_program

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Module ``tables`` of the scripts, imported with their folder on the path."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("tables")


@pytest.mark.parametrize("name", ["COMMANDS.md", "DEVICE_DATA_SCHEMA.md", "CLI.md"])
def test_a_generated_document_is_up_to_date(tables: Any, name: str) -> None:
    text = tables.documents()[ROOT / "docs" / name]
    assert (ROOT / "docs" / name).read_text("utf-8") == text, "run: python scripts/tables.py"


def test_every_command_and_field_is_in_its_document() -> None:
    from navien_nwp500.protocol.commands import COMMANDS
    from navien_nwp500.protocol.features import DeviceFeatures
    from navien_nwp500.protocol.fields import field_specs
    from navien_nwp500.protocol.status import DeviceStatus

    commands = (ROOT / "docs" / "COMMANDS.md").read_text("utf-8")
    fields = (ROOT / "docs" / "DEVICE_DATA_SCHEMA.md").read_text("utf-8")
    assert all(f"| `{one.name}` | {one.code} |" in commands for one in COMMANDS)
    for cls in (DeviceStatus, DeviceFeatures):
        assert all(f"`{spec.key}`" in fields for spec in field_specs(cls))


def test_the_readme_program_on_the_simulator_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    program = next(block for block in blocks if "Simulator(" in block)
    (tmp_path / "program.py").write_text(program, "utf-8")
    code, out, err = run_program(tmp_path / "program.py", cwd=tmp_path)
    assert (code, err) == (0, "")
    assert re.fullmatch(r"\d+ %\n", out)


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"`?make (\w+)[` ]", (ROOT / "README.md").read_text("utf-8")):
        assert re.search(rf"^{target}:", makefile, re.M)


async def test_the_commands_of_getting_started_lead_to_a_report(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "GETTING_STARTED.md").read_text("utf-8")
    commands = [
        re.findall(r"^navien-nwp500 (.*?)(?: +#.*)?$", section.partition("\n## ")[0], re.M)[0]
        for section in text.split("\n## ")
        if section.startswith(("Record", "Draw a report"))
    ]
    assert len(commands) == 2
    for command in commands:
        code, _, err = await run(tmp_path, *command.split())
        assert code == 0, err
    assert "60 readings" in (tmp_path / "tank.html").read_text("utf-8")


def test_the_chart_of_a_fleet_shows_what_was_measured() -> None:
    with (ROOT / "benchmarks" / "fleet_growth.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    chart = (ROOT / "docs" / "pictures" / "fleet.svg").read_text("utf-8")
    shown = re.findall(r">([\d,.]+)</text>", chart)
    for row in rows:
        assert f"{int(row['accounts']):,}" in shown
        assert f"{float(row['megabytes']):,.0f}" in shown
    assert rows


def test_pictures_are_used_small_and_load_nothing() -> None:
    shown = {
        (page.parent / name).resolve()
        for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
        for name in re.findall(r"!\[.{20,}?\]\((.*?)\)", page.read_text("utf-8"))
    }
    pictures = sorted((ROOT / "docs" / "pictures").iterdir())
    assert sorted(shown) == pictures
    assert sum(path.stat().st_size for path in pictures) < 300_000
    live = (ROOT / "docs" / "pictures" / "live.svg").read_text("utf-8")
    assert "url(http" not in live and "@font-face" not in live and "@import" not in live
