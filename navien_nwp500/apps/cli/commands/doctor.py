"""The command ``doctor``."""

from __future__ import annotations

import json
import os
import platform
import sys
import textwrap
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Iterator, TextIO

import click

from ...._util.version import __version__
from ....config import NaviLinkConfig
from ....exceptions import (
    AuthenticationError,
    ConfigurationError,
    DeviceOfflineError,
    NaviLinkError,
)
from ...diagnostics.checks import Finding, State, diagnose
from ..context import account_config, import_simulator
from ..database_option import DATABASE, database_address
from ..options import ACCOUNT_OPTIONS, DEVICE, JSON, OUTPUT_FILE
from ..output import plain, print_result
from ..runner import log_to_stderr, run_async
from ..saved_account import data_folder

_WIDTH = 80
_SIGNS = {State.PASSED: "✓", State.FAILED: "✗", State.NOT_TRIED: "–"}
#: The errors with different exit codes.
_ERRORS = (AuthenticationError, DeviceOfflineError, ConfigurationError, NaviLinkError)


@click.command("doctor")
@ACCOUNT_OPTIONS
@DEVICE
@JSON
@click.option("--csv", "recording", type=OUTPUT_FILE, help="Check a recording of monitor too.")
@DATABASE
@run_async
async def doctor_command(
    simulate: bool,
    no_session_file: bool,
    device: str | None,
    as_json: bool,
    recording: Path | None,
    database: str | None,
) -> None:
    """Check the connection step by step and suggest fixes.

    Checks the history too: that of --database, or the file in your data folder if there is one.
    Changes nothing. You can show its output to anyone: it contains no account, heater or
    address.

    Example: navien-nwp500 doctor
    """
    findings: list[Finding] = []
    config: NaviLinkConfig | None = None
    async with AsyncExitStack() as stack:
        if simulate:
            config = (await stack.enter_async_context(import_simulator()(speed=60))).config
        else:
            with suppress(ConfigurationError):  # the first check reports it
                config = account_config(no_session_file)
        # The findings contain what the log would report, except warnings about the settings.
        log_to_stderr(os.environ.get("NAVILINK_LOG_LEVEL") or "ERROR")
        if not as_json:
            print_result(_system())
        place = _database(database)
        async for finding in diagnose(config, device=device, recording=recording, database=place):
            findings.append(finding)
            if not as_json:
                print_result("\n".join(format_finding(finding, sys.stdout)))
    errors = [(one.step, one.error) for one in findings if one.error is not None]
    if as_json:
        steps = [finding_json(finding) for finding in findings]
        print_result(json.dumps({"machine": _system(), "steps": steps}, indent=2))
    elif not errors:
        print_result("All checks passed.")
    if errors:
        raise _summarize(*errors[0])


def _database(given: str | None) -> str | None:
    """Return the address of the history to check, None without one."""
    if given is not None:
        return database_address(given)
    folder = data_folder()
    usual = None if folder is None else folder / "history.db"
    return str(usual) if usual is not None and usual.exists() else None


def format_finding(finding: Finding, stream: TextIO) -> Iterator[str]:
    """Yield lines of at most 80 columns, with signs that the stream's encoding can write."""
    tried = finding.state is not State.NOT_TRIED
    time = f"{finding.seconds:.1f} s" if tried else ""
    head = f"{plain(_SIGNS[finding.state], stream):2} {finding.step:13} {time:>7}  "
    yield from textwrap.wrap(head + finding.fact, _WIDTH, subsequent_indent=" " * len(head))
    why = "why:" if finding.error is not None else "note:"
    for label, text in ((why, finding.why), ("do:", finding.do)):
        if text:
            yield from textwrap.wrap(
                text, _WIDTH, initial_indent=f"   {label:5} ", subsequent_indent=" " * 9
            )


def finding_json(finding: Finding) -> dict[str, Any]:
    """Return a finding for JSON."""
    return {
        "step": finding.step,
        "state": finding.state.value,
        "fact": finding.fact,
        "seconds": round(finding.seconds, 3),
        "why": finding.why,
        "do": finding.do,
    }


def _system() -> str:
    """Describe the system for a bug report, without the computer's name."""
    return (
        f"navien-nwp500 {__version__}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}"
    )


def _summarize(step: str, error: NaviLinkError) -> NaviLinkError:
    """Return an error without names, of the kind that gives the exit code."""
    kind = next(kind for kind in _ERRORS if isinstance(error, kind))
    return kind(f"the connection check failed at: {step}")
