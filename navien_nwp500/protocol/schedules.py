"""Programs the heater keeps by its own clock: reservations and recirculation.

Both are lists written whole: what a write does not name is gone afterwards. Times are the heater's
local time, to the minute. Source: PROTOCOL 8.3 and 8.7.
"""

from __future__ import annotations

import datetime
import math
import re
from dataclasses import dataclass
from typing import Any, Collection, Iterable, Mapping, Sequence

from ..exceptions import ProtocolError, ValueOutOfRangeError
from .calendar import Weekday, check_days, check_time, pack_days, unpack_days
from .fields import require_integer, require_list, require_object
from .types import Choice, DHWMode, Flag, HalfCelsius

Body = Mapping[str, Any]

# Entries: what reservations and recirculation have in common.

#: The keys of an entry, in the order of its six bytes, with their ranges (PROTOCOL 8.3, 8.7).
_ENTRY = {
    "enable": (0, 2),
    "week": (0, 255),
    "hour": (0, 23),
    "min": (0, 59),
    "mode": (0, 255),
    "param": (-1, 255),
}


def _entry(raw: Any) -> dict[str, int]:
    body = require_object(raw, "a reservation")
    return {key: require_integer(body, key, *limits) for key, limits in _ENTRY.items()}


def _to_entry(
    enabled: bool, days: Iterable[Weekday], time: datetime.time, mode: int, param: int
) -> dict[str, int]:
    values = (2 if enabled else 1, pack_days(days), time.hour, time.minute, int(mode), int(param))
    return dict(zip(_ENTRY, values))


def entries_to_hex(entries: Iterable[Body]) -> str:
    """Twelve lower-case digits an entry, as the heater answers; a param of -1 is ff.

    Raises ProtocolError for an entry that does not fit six bytes.
    """
    return "".join(bytes(v & 0xFF for v in _entry(raw).values()).hex() for raw in entries)


def entries_from_hex(text: str) -> list[dict[str, int]]:
    """The entries of a text of :func:`entries_to_hex`, without padding and without a partial rest.

    ``param`` comes back as 0 to 255. Raises ProtocolError for other characters or values.
    """
    if not re.fullmatch("[0-9a-fA-F]*", text):
        raise ProtocolError("reservation holds something other than hex digits")
    digits = range(0, len(text) - len(text) % 12, 12)
    parts = (bytes.fromhex(text[start : start + 12]) for start in digits)
    return [_entry(dict(zip(_ENTRY, part))) for part in parts if any(part)]


def _program(body: Body) -> tuple[bool, list[dict[str, int]]]:
    enabled = require_integer(require_object(body, "the answer"), "reservationUse", 0, 2) == 2
    listed = body.get("reservation")
    if isinstance(listed, str):
        return enabled, entries_from_hex(listed)
    entries = [_entry(raw) for raw in require_list(body, "reservation")]
    return enabled, [entry for entry in entries if any(entry.values())]


def _request(enabled: bool, entries: list[dict[str, int]]) -> dict[str, Any]:
    return {"reservationUse": 2 if enabled and entries else 1, "reservation": entries}


# Reservations (PROTOCOL 8.3).

#: The widest limits heaters report: 35.0 degC on older firmware, 65.5 degC (PROTOCOL 7.1).
LOWEST, HIGHEST = HalfCelsius(70), HalfCelsius(131)


class ReservationMode(Choice):
    """What a reservation switches to. Its 5 is power off, not vacation (PROTOCOL 8.3)."""

    HEAT_PUMP = 1
    ELECTRIC = 2
    ENERGY_SAVER = 3
    HIGH_DEMAND = 4
    POWER_OFF = 5


@dataclass(frozen=True)
class Reservation:
    """At a time of some weekdays the heater takes a setpoint, then a mode; it has no end time.

    ``mode`` may be given as a DHWMode; those a reservation cannot have raise ValueOutOfRangeError.
    A mode without a name, read from a heater, stays its number.
    """

    days: frozenset[Weekday]
    time: datetime.time
    mode: ReservationMode
    temperature: HalfCelsius
    enabled: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", _reservation_mode(self.mode))

    @classmethod
    def at(
        cls,
        time: datetime.time,
        days: Iterable[Weekday],
        mode: ReservationMode | DHWMode,
        *,
        fahrenheit: float | None = None,
        celsius: float | None = None,
        enabled: bool = True,
        lowest: HalfCelsius | None = None,
        highest: HalfCelsius | None = None,
    ) -> Reservation:
        """Make a checked one; the temperature goes to the nearest 0.5 degC.

        Raises ValueOutOfRangeError as :meth:`check` does, and unless exactly one of
        ``fahrenheit`` and ``celsius`` is given.
        """
        given = [value for value in (fahrenheit, celsius) if value is not None]
        if len(given) != 1 or not math.isfinite(given[0]):
            raise ValueOutOfRangeError("exactly one of fahrenheit and celsius must be given")
        make = HalfCelsius.from_celsius if fahrenheit is None else HalfCelsius.from_fahrenheit
        made = cls(frozenset(days), time, _reservation_mode(mode), make(given[0]), enabled)
        made.check(lowest=lowest, highest=highest)
        return made

    @classmethod
    def from_entry(cls, entry: Body) -> Reservation:
        """Read one entry of the wire. Raises ProtocolError when it is damaged."""
        raw = _entry(entry)
        time = datetime.time(raw["hour"], raw["min"])
        mode, temperature = ReservationMode(raw["mode"]), HalfCelsius(raw["param"])
        return cls(unpack_days(raw["week"]), time, mode, temperature, raw["enable"] == 2)

    def to_entry(self) -> dict[str, int]:
        """The entry of the wire: enable 2 on, 1 off; param in half degrees Celsius."""
        return _to_entry(self.enabled, self.days, self.time, self.mode, self.temperature)

    def check(
        self, *, lowest: HalfCelsius | None = None, highest: HalfCelsius | None = None
    ) -> None:
        """Refuse what must not be written.

        The limits are ``dhw_temperature_min`` and ``_max`` of the heater's features; without
        them the widest that heaters report. Raises ValueOutOfRangeError saying what is allowed.
        """
        check_days(self.days)
        check_time(self.time)
        if not self.mode.known:
            raise ValueOutOfRangeError(f"a reservation cannot have mode {int(self.mode)}")
        low, high = lowest or LOWEST, highest or HIGHEST
        if not low <= self.temperature <= high:
            wish = HalfCelsius(self.temperature).text
            raise ValueOutOfRangeError(f"{wish} is outside {low.text} to {high.text}")


def _reservation_mode(mode: ReservationMode | DHWMode) -> ReservationMode:
    if isinstance(mode, ReservationMode):
        return mode
    if not isinstance(mode, DHWMode):
        raise ValueOutOfRangeError("the mode of a reservation is a ReservationMode or a DHWMode")
    if mode.name not in ReservationMode.__members__:
        allowed = ", ".join(known.text for known in ReservationMode)
        raise ValueOutOfRangeError(f"a reservation cannot be {mode.text}, only {allowed}")
    return ReservationMode[mode.name]


@dataclass(frozen=True)
class ReservationProgram:
    """Whether reservations are carried out at all, and each of them."""

    enabled: bool
    reservations: tuple[Reservation, ...]


def decode_reservations(body: Body) -> ReservationProgram:
    """Read the ``response`` of a read or write, its list as objects or as hex text.

    Padding is skipped, unknown modes are kept. Raises ProtocolError for anything else: what was
    read in part, written back, would delete the rest.
    """
    enabled, entries = _program(body)
    return ReservationProgram(enabled, tuple(map(Reservation.from_entry, entries)))


def encode_reservations(
    enabled: bool,
    reservations: Iterable[Reservation],
    *,
    kept: Collection[Reservation] = (),
    lowest: HalfCelsius | None = None,
    highest: HalfCelsius | None = None,
) -> dict[str, Any]:
    """The keys ``reservationUse`` and ``reservation`` of a write, which replaces the whole list.

    Reservations equal to one in ``kept``, as read from the heater, go back unchecked; the others
    raise ValueOutOfRangeError as :meth:`Reservation.check` does. An empty list is always sent as
    a program that is off. How many a heater holds is not known for sure (PROTOCOL 13).
    """
    entries = []
    for reservation in reservations:
        if reservation not in kept:
            reservation.check(lowest=lowest, highest=highest)
        entries.append(reservation.to_entry())
    return _request(enabled, entries)


# Recirculation (PROTOCOL 8.7).

#: So many entries a recirculation program may have.
RECIRCULATION_ENTRIES = 20


@dataclass(frozen=True)
class RecirculationEntry:
    """At a time of some weekdays the pump goes on or off; written with a param of -1.

    ``pump`` is Flag.ACTIVE for on, Flag.READY for off. Not confirmed on a unit with a pump.
    """

    days: frozenset[Weekday]
    time: datetime.time
    pump: Flag
    enabled: bool = True

    @classmethod
    def from_entry(cls, entry: Body) -> RecirculationEntry:
        """Read one entry of the wire. Raises ProtocolError when it is damaged."""
        raw = _entry(entry)
        time = datetime.time(raw["hour"], raw["min"])
        return cls(unpack_days(raw["week"]), time, Flag(raw["mode"]), raw["enable"] == 2)

    def to_entry(self) -> dict[str, int]:
        """The entry of the wire: mode 2 pump on, 1 pump off."""
        return _to_entry(self.enabled, self.days, self.time, self.pump, -1)

    def check(self) -> None:
        """Raise ValueOutOfRangeError for what must not be written, saying what is allowed."""
        check_days(self.days)
        check_time(self.time)
        if self.pump not in (Flag.READY, Flag.ACTIVE):
            raise ValueOutOfRangeError("the pump is Flag.ACTIVE, on, or Flag.READY, off")


@dataclass(frozen=True)
class RecirculationProgram:
    """Whether the recirculation schedule is carried out at all, and each entry of it."""

    enabled: bool
    entries: tuple[RecirculationEntry, ...]


def decode_recirculation(body: Body) -> RecirculationProgram:
    """Read the ``response`` of a recirculation schedule as :func:`decode_reservations` does."""
    enabled, entries = _program(body)
    return RecirculationProgram(enabled, tuple(map(RecirculationEntry.from_entry, entries)))


def encode_recirculation(
    enabled: bool,
    entries: Sequence[RecirculationEntry],
    *,
    kept: Collection[RecirculationEntry] = (),
) -> dict[str, Any]:
    """The keys of a write, which replaces the whole schedule of at most 20 entries.

    ``kept`` is as in :func:`encode_reservations`. Raises ValueOutOfRangeError.
    """
    if len(entries) > RECIRCULATION_ENTRIES:
        raise ValueOutOfRangeError(f"at most {RECIRCULATION_ENTRIES} entries, not {len(entries)}")
    for entry in entries:
        if entry not in kept:
            entry.check()
    return _request(enabled, [entry.to_entry() for entry in entries])
