"""Tests of the time at which modules are loaded: people feel it at each call of the command line."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

import navien_nwp500
from navien_nwp500.apps.cli.app import COMMANDS, navien_nwp500 as commands

HEAVY = {
    "aiohttp",
    "awscrt",
    "awsiot",
    "asyncio",
    "ssl",
    "dotenv",
    "rich.console",
    "pandas",
    "sqlalchemy",
}


def loaded_by(code: str) -> set[str]:
    """The heavy modules that a fresh interpreter has loaded after running ``code``."""
    code += "\nimport sys; print(*sys.modules, file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return HEAVY & set(result.stderr.split())


def test_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import navien_nwp500; navien_nwp500.__version__") == set()


def test_decoding_loads_no_event_loop() -> None:
    assert loaded_by("from navien_nwp500 import DeviceStatus, decode_status") == set()


def test_the_client_loads_neither_http_nor_the_sdk_before_it_is_used() -> None:
    assert loaded_by("from navien_nwp500 import *") == {"asyncio", "ssl"}


def test_recording_csv_loads_no_database() -> None:
    assert "sqlalchemy" not in loaded_by(
        "from navien_nwp500.apps.cli.commands import monitor, history"
    )


def test_help_loads_no_client() -> None:
    run = "from navien_nwp500.__main__ import main\ntry: main()\nexcept SystemExit: pass"
    assert loaded_by(f"import sys; sys.argv[1:] = ['--help']\n{run}") == set()


def test_every_name_is_there_and_listed() -> None:
    assert [name for name in navien_nwp500.__all__ if getattr(navien_nwp500, name) is None] == []
    assert set(navien_nwp500.__all__) <= set(dir(navien_nwp500))


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Heater'"):
        navien_nwp500.Heater


def test_a_module_is_there_as_an_attribute() -> None:
    code = "import navien_nwp500; navien_nwp500.exceptions.NaviLinkError"
    assert loaded_by(code) == set()


def test_the_short_help_of_a_command_is_the_first_sentence_of_its_help() -> None:
    found = {name: commands.get_command(click.Context(commands), name) for name in COMMANDS}
    assert [
        name for name, command in found.items() if command is None or command.name != name
    ] == []
    assert {
        name: command.get_short_help_str(200) for name, command in found.items() if command
    } == COMMANDS
