"""``doctor``: where the way to a reading ends, why, and what to do."""

from __future__ import annotations

import json
import os
import platform
import sys
import textwrap
from contextlib import AsyncExitStack
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
from ..context import account_config, simulator_class
from ..options import DEVICE, JSON, SIMULATE
from ..runner import log_to_stderr, run

_WIDTH = 80
_SIGNS = {State.PASSED: "✓", State.FAILED: "✗", State.NOT_TRIED: "–"}
_ASCII_SIGNS = {State.PASSED: "ok", State.FAILED: "NO", State.NOT_TRIED: "--"}
#: The kinds of ending an exit code tells apart.
_ENDINGS = (AuthenticationError, DeviceOfflineError, ConfigurationError, NaviLinkError)


@click.command()
@SIMULATE
@DEVICE
@JSON
@click.option(
    "--csv",
    "recording",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A CSV of the monitor to look at, too.",
)
def doctor(**options: Any) -> None:
    """Say where the way to a reading ends, why, and what to do.

    Changes nothing. What it prints can be shown to anybody: it holds no account, heater or address.

    Example: navien-nwp500 doctor
    """
    run(examine(**options))


async def examine(
    simulate: bool, device: str | None, as_json: bool, recording: Path | None
) -> None:
    """Take each step and print what it found; raises what tells the exit code."""
    # The findings say what the log would.
    log_to_stderr(os.environ.get("NAVILINK_LOG_LEVEL") or "ERROR")
    found: list[Finding] = []
    async with AsyncExitStack() as stack:
        if simulate:
            simulator = await stack.enter_async_context(simulator_class()(speed=60))
            config: NaviLinkConfig | None = simulator.config
        else:
            config = _configuration()
        if not as_json:
            print(_machine())
        async for finding in diagnose(config, device=device, recording=recording):
            found.append(finding)
            if not as_json:
                print("\n".join(lines(finding, sys.stdout)), flush=True)
    failures = [(one.step, one.error) for one in found if one.error is not None]
    if as_json:
        steps = [plain(finding) for finding in found]
        print(json.dumps({"machine": _machine(), "steps": steps}, indent=2))
    elif not failures:
        print("All checks passed.")
    if failures:
        raise _ending(*failures[0])


def _configuration() -> NaviLinkConfig | None:
    try:
        return account_config()
    except ConfigurationError:
        return None  # what is wrong with the settings is the walk's first finding


def lines(finding: Finding, stream: TextIO) -> Iterator[str]:
    """Draw a finding within 80 columns, with signs the stream's encoding has."""
    tried = finding.state is not State.NOT_TRIED
    time = f"{finding.seconds:.1f} s" if tried else ""
    head = f"{_signs(stream)[finding.state]:2} {finding.step:13} {time:>7}  "
    yield from textwrap.wrap(head + finding.fact, _WIDTH, subsequent_indent=" " * len(head))
    why = "why:" if finding.error is not None else "note:"
    for label, text in ((why, finding.why), ("do:", finding.do)):
        if text:
            yield from textwrap.wrap(
                text, _WIDTH, initial_indent=f"   {label:5} ", subsequent_indent=" " * 9
            )


def _signs(stream: TextIO) -> dict[State, str]:
    try:
        "".join(_SIGNS.values()).encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return _ASCII_SIGNS
    return _SIGNS


def plain(finding: Finding) -> dict[str, Any]:
    """A finding for a machine."""
    return {
        "step": finding.step,
        "state": finding.state.value,
        "fact": finding.fact,
        "seconds": round(finding.seconds, 3),
        "why": finding.why,
        "do": finding.do,
    }


def _machine() -> str:
    """What a report of a fault needs to know; not the machine's name."""
    return (
        f"navien-nwp500 {__version__}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}"
    )


def _ending(step: str, error: NaviLinkError) -> NaviLinkError:
    """Put the failure in words without names; its kind gives the exit code."""
    kind = next(kind for kind in _ENDINGS if isinstance(error, kind))
    return kind(f"the connection check failed at: {step}")
