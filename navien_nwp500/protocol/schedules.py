"""Schedules that the heater runs by its own clock: reservations and recirculation.

Each is written as a whole list: an entry that a write leaves out is deleted. Times are the heater's
local time, to the minute (PROTOCOL 8.3, 8.7).
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field
from typing import Any, Callable, Collection, Iterable, Mapping, Sequence, TypeVar

from .._util.numbers import is_within, shown
from ..exceptions import ProtocolError, ValueOutOfRangeError
from .calendar import Weekday, check_days, check_time, pack_days, unpack_days
from .fields import decode_each, require_integer, require_list, require_object
from .types import Choice, DHWMode, Flag, HalfCelsius

Body = Mapping[str, Any]
T = TypeVar("T")

# Entries, which reservations and recirculation share.

#: Keys of an entry, in the order of its six bytes, with their ranges (PROTOCOL 8.3, 8.7).
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
    """Encode entries as 12 lower-case hex digits each, as the heater does; a param of -1 is ff.

    Raises ProtocolError for an entry that does not fit into six bytes.
    """
    return "".join(bytes(v & 0xFF for v in _entry(raw).values()).hex() for raw in entries)


def entries_from_hex(text: str) -> list[dict[str, int]]:
    """Decode the text of :func:`entries_to_hex`; padding and an incomplete last entry are dropped.

    ``param`` is 0 to 255. Raises ProtocolError for other characters or values.
    """
    return [_entry(part) for part in _hex_entries(text) if any(part.values())]


def _hex_entries(text: str) -> list[dict[str, int]]:
    if not re.fullmatch("[0-9a-fA-F]*", text):
        raise ProtocolError("reservation contains characters that are not hex digits")
    digits = range(0, len(text) - len(text) % 12, 12)
    return [dict(zip(_ENTRY, bytes.fromhex(text[start : start + 12]))) for start in digits]


def _program(
    body: Body, decode: Callable[[Body], T], *, partly: bool
) -> tuple[bool, tuple[T, ...], tuple[str, ...]]:
    def read(raw: Any) -> T | None:
        entry = _entry(raw)
        return decode(entry) if any(entry.values()) else None  # padding

    enabled = require_integer(require_object(body, "the response"), "reservationUse", 0, 2) == 2
    listed = body.get("reservation")
    raw = _hex_entries(listed) if isinstance(listed, str) else require_list(body, "reservation")
    entries, unreadable = decode_each(raw, read, partly=partly)
    return enabled, tuple(entry for entry in entries if entry is not None), unreadable


def _request(enabled: bool, entries: list[dict[str, int]]) -> dict[str, Any]:
    return {"reservationUse": 2 if enabled and entries else 1, "reservation": entries}


# Reservations (PROTOCOL 8.3).

#: The widest limits that heaters report: 35.0 degC on older firmware, 65.5 degC (PROTOCOL 7.1).
LOWEST, HIGHEST = HalfCelsius(70), HalfCelsius(131)


class ReservationMode(Choice):
    """Mode of a reservation. Its 5 is power off, not vacation (PROTOCOL 8.3)."""

    HEAT_PUMP = 1
    ELECTRIC = 2
    ENERGY_SAVER = 3
    HIGH_DEMAND = 4
    POWER_OFF = 5


@dataclass(frozen=True)
class Reservation:
    """Change of setpoint, then mode, at a time on some weekdays; it has no end time.

    ``mode`` may be given as a DHWMode; a mode that a reservation cannot have raises
    ValueOutOfRangeError. An unknown mode that was read from a heater keeps its number. ``as_read``: the
    entry that the heater sent, which may say the same in other numbers.
    """

    days: frozenset[Weekday]
    time: datetime.time
    mode: ReservationMode
    temperature: HalfCelsius
    enabled: bool = True
    as_read: tuple[int, ...] = field(default=(), compare=False, repr=False)

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
        """Create and check a reservation; the temperature is rounded to the nearest 0.5 degC.

        Raises ValueOutOfRangeError as :meth:`check` does, and unless exactly one of
        ``fahrenheit`` and ``celsius`` is given.
        """
        given = [value for value in (fahrenheit, celsius) if value is not None]
        if len(given) != 1 or not is_within(given[0], -1000, 1000):
            raise ValueOutOfRangeError(
                "exactly one of fahrenheit and celsius must be given, as a temperature"
            )
        make = HalfCelsius.from_celsius if fahrenheit is None else HalfCelsius.from_fahrenheit
        made = cls(frozenset(days), time, _reservation_mode(mode), make(given[0]), enabled)
        made.check(lowest=lowest, highest=highest)
        return made

    @classmethod
    def from_entry(cls, entry: Body) -> Reservation:
        """Decode one entry. Raises ProtocolError if it is damaged."""
        raw = _entry(entry)
        time = datetime.time(raw["hour"], raw["min"])
        mode, temperature = ReservationMode(raw["mode"]), HalfCelsius(raw["param"])
        days, enabled = unpack_days(raw["week"]), raw["enable"] == 2
        return cls(days, time, mode, temperature, enabled, tuple(raw.values()))

    def to_entry(self) -> dict[str, int]:
        """Encode as an entry: enable 2 on, 1 off; param in half degrees Celsius.

        What was read and not changed is returned as it was.
        """
        if self.as_read:
            entry = dict(zip(_ENTRY, self.as_read))
            if Reservation.from_entry(entry) == self:
                return entry
        return _to_entry(self.enabled, self.days, self.time, self.mode, self.temperature)

    def check(
        self, *, lowest: HalfCelsius | None = None, highest: HalfCelsius | None = None
    ) -> None:
        """Raise ValueOutOfRangeError if this must not be written; the message names what is allowed.

        The limits are ``dhw_temperature_min`` and ``_max`` of the heater's features; the default
        is the widest range that heaters report.
        """
        check_days(self.days)
        check_time(self.time)
        if not self.mode.known:
            raise ValueOutOfRangeError(f"a reservation cannot have mode {int(self.mode)}")
        if not isinstance(self.temperature, int) or not is_within(self.temperature, 0, 255):
            raise ValueOutOfRangeError(
                f"temperature is {shown(self.temperature)}; it must be a HalfCelsius, 0 to 255"
            )
        low, high = lowest or LOWEST, highest or HIGHEST
        if not low <= self.temperature <= high:
            wanted = HalfCelsius(self.temperature).text
            raise ValueOutOfRangeError(f"{wanted} is outside {low.text} to {high.text}")


def _reservation_mode(mode: ReservationMode | DHWMode) -> ReservationMode:
    if isinstance(mode, ReservationMode):
        return mode
    if not isinstance(mode, DHWMode):
        raise ValueOutOfRangeError(
            "the mode of a reservation must be a ReservationMode or a DHWMode"
        )
    if mode.name not in ReservationMode.__members__:
        allowed = ", ".join(known.text for known in ReservationMode)
        raise ValueOutOfRangeError(f"a reservation cannot be {mode.text}, only {allowed}")
    return ReservationMode[mode.name]


@dataclass(frozen=True)
class ReservationProgram:
    """List of reservations, and the switch for all of them.

    ``unreadable`` says why entries are missing; such a list cannot be changed, only replaced.
    """

    enabled: bool
    reservations: tuple[Reservation, ...]
    unreadable: tuple[str, ...] = ()

    def next_after(self, now: datetime.datetime) -> tuple[datetime.datetime, Reservation] | None:
        """Return when the next reservation is due after a time of the heater's clock, and which.

        None when the reservations are switched off, or none of them is enabled.
        """
        found = []
        for reservation in self.reservations if self.enabled else ():
            for days in range(8) if reservation.enabled else ():
                date = now.date() + datetime.timedelta(days)
                due = datetime.datetime.combine(date, reservation.time)
                if due > now and Weekday.of(date) in reservation.days:
                    found.append((due, reservation))
                    break
        return min(found, key=lambda one: one[0], default=None)


def decode_reservations(body: Body, *, partly: bool = False) -> ReservationProgram:
    """Decode the ``response`` of a read or write, with the list as objects or as hex text.

    Padding is dropped, unknown modes are kept. Raises ProtocolError for anything else: writing
    back a partly read list would delete the rest. With ``partly`` a damaged entry costs itself
    alone.
    """
    return ReservationProgram(*_program(body, Reservation.from_entry, partly=partly))


def encode_reservations(
    enabled: bool,
    reservations: Iterable[Reservation],
    *,
    unchecked: Collection[Reservation] = (),
    lowest: HalfCelsius | None = None,
    highest: HalfCelsius | None = None,
) -> dict[str, Any]:
    """Encode the keys ``reservationUse`` and ``reservation`` of a write, which replaces the list.

    Reservations equal to one in ``unchecked``, as read from the heater, are not checked; the others
    raise ValueOutOfRangeError as :meth:`Reservation.check` does. An empty list is always sent as
    switched off. At least 32 entries fit; larger lists were not tried (PROTOCOL 8.3).
    """
    entries = []
    for reservation in reservations:
        if reservation not in unchecked:
            reservation.check(lowest=lowest, highest=highest)
        entries.append(reservation.to_entry())
    return _request(enabled, entries)


# Recirculation (PROTOCOL 8.7).

MAX_RECIRCULATION_ENTRIES = 20


@dataclass(frozen=True)
class RecirculationEntry:
    """Switching of the pump at a time on some weekdays; written with a param of -1.

    ``pump`` is Flag.ACTIVE for on, Flag.READY for off. Not confirmed on a unit with a pump.
    """

    days: frozenset[Weekday]
    time: datetime.time
    pump: Flag
    enabled: bool = True

    @classmethod
    def from_entry(cls, entry: Body) -> RecirculationEntry:
        """Decode one entry. Raises ProtocolError if it is damaged."""
        raw = _entry(entry)
        time = datetime.time(raw["hour"], raw["min"])
        return cls(unpack_days(raw["week"]), time, Flag(raw["mode"]), raw["enable"] == 2)

    def to_entry(self) -> dict[str, int]:
        """Encode as an entry: mode 2 pump on, 1 pump off."""
        return _to_entry(self.enabled, self.days, self.time, self.pump, -1)

    def check(self) -> None:
        """Raise ValueOutOfRangeError if this must not be written; the message names what is allowed."""
        check_days(self.days)
        check_time(self.time)
        if self.pump not in (Flag.READY, Flag.ACTIVE):
            raise ValueOutOfRangeError("the pump must be Flag.ACTIVE, on, or Flag.READY, off")


@dataclass(frozen=True)
class RecirculationProgram:
    """Entries of the recirculation schedule, and the switch for all of them.

    ``unreadable`` says why entries are missing.
    """

    enabled: bool
    entries: tuple[RecirculationEntry, ...]
    unreadable: tuple[str, ...] = ()


def decode_recirculation(body: Body, *, partly: bool = False) -> RecirculationProgram:
    """Decode the ``response`` of a recirculation schedule as :func:`decode_reservations` does."""
    return RecirculationProgram(*_program(body, RecirculationEntry.from_entry, partly=partly))


def encode_recirculation(
    enabled: bool,
    entries: Sequence[RecirculationEntry],
    *,
    unchecked: Collection[RecirculationEntry] = (),
) -> dict[str, Any]:
    """Encode the keys of a write, which replaces the whole schedule of at most 20 entries.

    ``unchecked`` is as in :func:`encode_reservations`. Raises ValueOutOfRangeError.
    """
    if len(entries) > MAX_RECIRCULATION_ENTRIES:
        raise ValueOutOfRangeError(
            f"at most {MAX_RECIRCULATION_ENTRIES} entries, not {len(entries)}"
        )
    for entry in entries:
        if entry not in unchecked:
            entry.check()
    return _request(enabled, [entry.to_entry() for entry in entries])
