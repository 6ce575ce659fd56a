"""Time-of-use plans in JSON files: those of ``tou set``, and what was last written to a heater.

A heater does not tell its plan (PROTOCOL 8.4). So ``tou set`` keeps what it wrote, in the user's cache
folder, and ``tou show`` compares the cloud's copy with it.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from pathlib import Path
from typing import NamedTuple, Sequence

from ..._util.files import decode_text, write_atomically
from ...analysis.prices.heater_plan import PlanFile, parse_plan, period_json
from ...analysis.prices.openei_rates import rates_of
from ...analysis.prices.plan_conversion import openei_plan
from ...analysis.prices.tariff_files import is_plan, load_json, read_bounded
from ...analysis.prices.timed_prices import TariffOptions
from ...device import NaviLinkDevice
from ...exceptions import ConfigurationError
from ...protocol.redaction import logger
from ...protocol.tou import TOUPeriod
from .saved_account import cache_folder

__all__ = ["PlanFile", "WrittenPlan", "period_json", "read_plan"]

_LOGGER = logger("navien_nwp500.cli")


class WrittenPlan(NamedTuple):
    """Plan that ``tou set`` on this computer has written to a heater, and when."""

    time: str
    periods: list[TOUPeriod]


def save_written_plan(
    device: NaviLinkDevice, periods: Sequence[TOUPeriod], time: datetime.datetime
) -> None:
    """Keep what the heater has stored. A folder that cannot be written costs the comparison only."""
    content = {
        "time": f"{time:%Y-%m-%d %H:%M}",
        "periods": [period_json(period) for period in periods],
    }
    path = _written_file(device)
    if path is None:
        return
    try:
        write_atomically(path, json.dumps(content).encode(), private=True)
    except OSError as error:
        _LOGGER.warning("the written plan is not kept for tou show: %s", error)


def forget_written_plan(device: NaviLinkDevice) -> None:
    """Forget it before a write: until a confirmation nobody knows what the heater has."""
    path = _written_file(device)
    if path is None:
        return
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        _LOGGER.debug("the written plan cannot be removed: %s", error)


def load_written_plan(device: NaviLinkDevice) -> WrittenPlan | None:
    """Load what was last written to the heater; None when nothing was, or the file is damaged."""
    path = _written_file(device)
    if path is None:
        return None
    try:
        time = json.loads(path.read_text("utf-8"))["time"]
        return WrittenPlan(str(time), read_plan(path).periods)
    except (OSError, ValueError, LookupError, TypeError, RecursionError, ConfigurationError):
        return None


def _written_file(device: NaviLinkDevice) -> Path | None:
    folder = cache_folder()
    heater = hashlib.sha256(device.mac_address.encode()).hexdigest()
    return None if folder is None else folder / f"tou-{heater[:8]}.json"


def read_plan(file: Path, rate: str | None = None) -> PlanFile:
    """Read a plan from a JSON file: its periods, or a rate of OpenEI, which is converted.

    ``rate`` is the label or the name of one of several rates. Raises ConfigurationError naming the
    key or the period, and the error.
    """
    try:
        content = load_json(decode_text(read_bounded(file)), str(file))
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file} is not JSON: it is not text") from None
    if not is_plan(content) and rates_of(content):
        return openei_plan(content, str(file), TariffOptions(rate=rate))
    return parse_plan(content, str(file))
