"""Files of ``plan``: a plan to apply, and what a heater had before.

Both are JSON. The backup of a heater stays until ``plan undo`` has restored everything in it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Sequence

from ..._util.files import decode_text, display_path, write_atomically
from ...analysis.prices.heater_plan import parse_plan, period_json
from ...device import NaviLinkDevice
from ...exceptions import ConfigurationError, ProtocolError, ValueOutOfRangeError
from ...protocol.calendar import Weekday
from ...protocol.schedules import Reservation, ReservationProgram
from ...protocol.tou import TOUPeriod
from ...protocol.types import DHWMode, HalfCelsius
from .parsing import day_names, parse_days, parse_time
from .saved_account import data_folder

_PLAN, _BACKUP = "navien-nwp500 plan", "navien-nwp500 backup before a plan"
#: Larger files are none of these.
_MOST_BYTES = 200_000


@dataclass(frozen=True)
class SavedPlan:
    """Settings that ``plan apply`` writes.

    ``setpoint`` and ``mode`` hold at once when there are no ``reservations``. Without ``periods`` time of
    use is off.
    """

    setpoint: HalfCelsius
    mode: DHWMode
    reservations: tuple[Reservation, ...] = ()
    reasons: tuple[str, ...] = ()
    periods: tuple[TOUPeriod, ...] = ()


@dataclass(frozen=True)
class Backup:
    """Settings of a heater before a plan; ``periods`` are those of its time-of-use plan, if known.

    ``replaced_periods``: a plan that was applied since has replaced them.
    """

    heater: str
    time: str
    program: ReservationProgram
    setpoint: HalfCelsius
    mode: DHWMode
    tou_on: bool
    periods: tuple[TOUPeriod, ...]
    replaced_periods: bool = False


def last_plan_file() -> Path | None:
    """Return the file of the plan that was made last; None without a data folder."""
    folder = data_folder()
    return None if folder is None else folder / "last-plan.json"


def backup_file(device: NaviLinkDevice) -> Path:
    """Return the file of a heater's backup. Raises ConfigurationError without a data folder."""
    folder = data_folder()
    if folder is None:
        raise ConfigurationError("the data folder is unknown; name a file with --backup FILE")
    return folder / f"before-plan-{heater_mark(device)}.json"


def heater_mark(device: NaviLinkDevice) -> str:
    """Return what tells heaters apart in these files, without their MAC address."""
    return hashlib.sha256(device.mac_address.encode()).hexdigest()[:8]


def save_plan(path: Path, plan: SavedPlan, **more: Any) -> None:
    """Write a plan; ``more`` is for people."""
    content = {"content": _PLAN, **more, **plan_json(plan)}
    write_atomically(path, _encode(content), private=True)


def plan_json(plan: SavedPlan) -> dict[str, Any]:
    """Return a plan as in its file."""
    reasons = [*plan.reasons, *[""] * len(plan.reservations)]
    return {
        "setpoint": plan.setpoint.celsius,
        "mode": plan.mode.name.lower(),
        "reservations": [
            {
                "days": day_names(one.days),
                "time": f"{one.time:%H:%M}",
                "celsius": one.temperature.celsius,
                "why": why,
            }
            for one, why in zip(plan.reservations, reasons)
        ],
        "periods": [period_json(one) for one in plan.periods],
    }


def load_plan(path: Path) -> SavedPlan:
    """Read a plan. Raises ConfigurationError for another or a damaged file, OSError."""
    body = _load(path, _PLAN, "a plan of navien-nwp500 plan --save")
    try:
        mode = DHWMode[str(body["mode"]).upper()]
        listed: Sequence[Mapping[str, Any]] = body["reservations"]
        reservations = tuple(
            Reservation.at(
                parse_time(one["time"]), _days(one["days"]), mode, celsius=float(one["celsius"])
            )
            for one in listed
        )
        setpoint = HalfCelsius.from_celsius(float(body["setpoint"]))
        reasons = tuple(str(one.get("why", "")) for one in listed)
        periods = _periods(path, body)
    except (LookupError, TypeError, ValueError, AttributeError, ValueOutOfRangeError) as error:
        raise ConfigurationError(f"{display_path(path)} is damaged: {error!r}") from error
    return SavedPlan(setpoint, mode, reservations, reasons, periods)


def save_backup(path: Path, backup: Backup) -> None:
    """Write a backup, readable by its owner alone."""
    content = {
        "content": _BACKUP,
        "heater": backup.heater,
        "time": backup.time,
        "enabled": backup.program.enabled,
        "reservations": [one.to_entry() for one in backup.program.reservations],
        "setpoint": int(backup.setpoint),
        "mode": int(backup.mode),
        "tou_on": backup.tou_on,
        "periods": [period_json(one) for one in backup.periods],
        "replaced_periods": backup.replaced_periods,
    }
    write_atomically(path, _encode(content), private=True)


def load_backup(path: Path) -> Backup:
    """Read a backup. Raises ConfigurationError for another or a damaged file, OSError."""
    body = _load(path, _BACKUP, "a backup of navien-nwp500 plan apply")
    try:
        entries = tuple(Reservation.from_entry(one) for one in body["reservations"])
        return Backup(
            heater=str(body["heater"]),
            time=str(body["time"]),
            program=ReservationProgram(bool(body["enabled"]), entries),
            setpoint=HalfCelsius(int(body["setpoint"])),
            mode=DHWMode(int(body["mode"])),
            tou_on=bool(body["tou_on"]),
            periods=_periods(path, body),
            replaced_periods=bool(body["replaced_periods"]),
        )
    except (LookupError, TypeError, ValueError, ProtocolError) as error:
        raise ConfigurationError(f"{display_path(path)} is damaged: {error!r}") from error


def _periods(path: Path, body: Mapping[str, Any]) -> tuple[TOUPeriod, ...]:
    return tuple(parse_plan({"periods": body["periods"]}, display_path(path)).periods)


def _days(names: Any) -> frozenset[Weekday]:
    return parse_days(names if isinstance(names, str) else ",".join(names))


def _encode(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _load(path: Path, kind: str, name: str) -> Mapping[str, Any]:
    content = path.read_bytes()
    try:
        body = json.loads(decode_text(content)) if len(content) <= _MOST_BYTES else None
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or body.get("content") != kind:
        raise ConfigurationError(f"{display_path(path)} is not {name}")
    return body
