"""Time-of-use plans in JSON files: those of ``tou set``, and what was last written to a heater.

A heater does not tell its plan (PROTOCOL 8.4). So ``tou set`` keeps what it wrote, in the user's cache
folder, and ``tou show`` compares the cloud's copy with it.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Callable, NamedTuple, Sequence, TypeVar

from ..._util.files import decode_text, write_atomically
from ...device import NaviLinkDevice
from ...exceptions import ConfigurationError
from ...protocol.calendar import EVERY_MONTH, Weekday
from ...protocol.redaction import logger
from ...protocol.tou import TOUPeriod
from .parsing import day_names, parse_days, parse_months, parse_time
from .saved_account import cache_folder

_LOGGER = logger("navien_nwp500.cli")
T = TypeVar("T")


class PlanFile(NamedTuple):
    """Content of a plan file; a text that it does not have is None."""

    periods: list[TOUPeriod]
    name: str | None = None
    utility: str | None = None
    zip_code: str | None = None


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


def read_plan(file: Path) -> PlanFile:
    """Read a JSON file. Raises ConfigurationError naming the key or the period, and the error."""
    try:
        content = json.loads(decode_text(file.read_bytes()), parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{file} is not JSON: {error}") from error
    if _is_openei(content):
        raise ConfigurationError(
            f"{file} is a rate of OpenEI's utility rate database, which cannot be read yet; write "
            "its prices as periods, as navien-nwp500 tou set --help shows"
        )
    body = content if isinstance(content, dict) else {"periods": content}
    listed = body.get("periods")
    if not isinstance(listed, list):
        raise ConfigurationError(
            f"{file} contains no list of periods, as navien-nwp500 tou set --help shows it"
        )
    periods = [
        _parse_period(f"{file}, period {number}", raw) for number, raw in enumerate(listed, 1)
    ]
    name, utility, zip_code = (_text(file, body, key) for key in ("name", "utility", "zip_code"))
    return PlanFile(periods, name, utility, zip_code)


def _is_openei(content: Any) -> bool:
    """Return whether this is a response of OpenEI, or one of its rates."""
    if isinstance(content, dict) and isinstance(content.get("items"), list):
        content = content["items"]
    rates = content if isinstance(content, list) else [content]
    return any(
        isinstance(rate, dict) and any(key.startswith("energyrate") for key in rate)
        for rate in rates
    )


def _text(file: Path, body: dict[str, Any], key: str) -> str | None:
    value = body.get(key)
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"{file}: {key} is {value!r}; it must be a text")
    return value


def _parse_period(where: str, raw: Any) -> TOUPeriod:
    if not isinstance(raw, dict):
        raise ConfigurationError(f"{where} is not an object")
    keys = {"months", "days", "start", "end", "price_min", "price_max"}
    unknown = ", ".join(sorted(set(raw) - keys))
    if unknown:
        raise ConfigurationError(
            f"{where}: {unknown} is not known; a period has {', '.join(sorted(keys))}"
        )

    def value(key: str, read: Callable[[Any], T]) -> T:
        if key not in raw:
            raise ConfigurationError(f"{where}: {key} is missing")
        try:
            return read(raw[key])
        except (ValueError, TypeError, AttributeError, InvalidOperation) as error:
            raise ConfigurationError(f"{where}: {key} is {raw[key]!r}: {error}") from error

    return TOUPeriod(
        value("months", _months),
        value("days", _days),
        value("start", parse_time),
        value("end", parse_time),
        value("price_min", _price),
        value("price_max", _price),
    )


def _months(value: Any) -> frozenset[int]:
    if isinstance(value, str):
        return parse_months(value)
    if not isinstance(value, list) or not all(
        type(month) is int and month in EVERY_MONTH for month in value
    ):
        raise ValueError("it must be numbers from 1 to 12, or a text such as jun-sep")
    return frozenset(value)


def _days(value: Any) -> frozenset[Weekday]:
    return parse_days(value if isinstance(value, str) else ",".join(value))


def _price(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise ValueError("it must be a decimal number as text, such as 0.34831")
    try:
        return Decimal(value)
    except InvalidOperation as error:
        raise ValueError("it must be a decimal number, such as 0.34831") from error


def period_json(period: TOUPeriod) -> dict[str, Any]:
    """Return a period as in a plan file."""
    return {
        "months": sorted(period.months),
        "days": day_names(period.days),
        "start": f"{period.start:%H:%M}",
        "end": f"{period.end:%H:%M}",
        "price_min": str(period.price_min),
        "price_max": str(period.price_max),
    }
