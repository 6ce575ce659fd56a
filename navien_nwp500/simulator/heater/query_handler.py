"""Replies to queries and to writes of whole lists (PROTOCOL 5.2, 8)."""

from __future__ import annotations

import re
from datetime import date
from random import Random
from typing import Any, Callable, Iterable, Mapping, NamedTuple, Sequence

from ...exceptions import NaviLinkError, ProtocolError
from ...protocol.commands import (
    DIAGNOSTICS,
    DOWNLOADED_SOFTWARE,
    END_SESSION,
    ENERGY_DAILY,
    ENERGY_MONTHLY,
    FEATURES,
    RECIRC_SCHEDULE,
    RESERVATIONS,
    STATUS,
    WRITE_RECIRC_SCHEDULE,
    WRITE_RESERVATIONS,
    WRITE_TOU,
    Command,
)
from ...protocol.diagnostics import (
    ComponentCounters,
    DrawCounters,
    EventCounters,
    pack_diagnostics,
)
from ...protocol.fields import (
    encode_fields,
    field_specs,
    require_integer,
    require_list,
)
from ...protocol.layouts import INTEGER_LIMIT
from ...protocol.messages import Address, Request
from ...protocol.schedules import (
    RecirculationEntry,
    Reservation,
    decode_recirculation,
    decode_reservations,
    entries_to_hex,
)
from ...protocol.types import Flag
from .energy_meter import EnergyMeter, EnergyUse
from .heater_state import WeeklySchedule
from .simulated_heater import Heater

_READ_SUFFIX = "/rd"
#: The cloud converts the diagnostics to JSON for app-style topics only (PROTOCOL 8.13).
_APP_STYLE = re.compile(r"cmd/[^/]+/[^/]+/[^/]+/[^/]+/res/td/rd")
#: Counters of events and draws are 0: the simulation does not count them, and those of draws are 0
#: on the recorded unit too (PROTOCOL 8.13).
_EVENTS, _DRAWS, _COMPONENTS = (
    dict.fromkeys((spec.key for spec in field_specs(cls)), 0)
    for cls in (EventCounters, DrawCounters, ComponentCounters)
)
#: A period of the time-of-use plan in the packed form, which was never captured: a place of 16 bytes
#: in the table that Bluetooth reads (PROTOCOL 8.4, 15). The order of its last parts is our choice.
_PERIOD_SIZES = {
    "season": 2,
    **dict.fromkeys(("week", "startHour", "startMinute", "endHour", "endMinute"), 1),
    "decimalPoint": 1,
    "priceMin": 4,
    "priceMax": 4,
}


class HeaterReply(NamedTuple):
    """A message of the heater: topic, and ``response`` without the identity fields."""

    topic: str
    body: Mapping[str, Any]


class QueryHandler:
    """Queries and list writes of one heater; ``random`` shuffles the lists (PROTOCOL 8.3)."""

    def __init__(self, heater: Heater, address: Address, random: Random) -> None:
        self._heater = heater
        self._address = address
        self._random = random

    def status(self, request: Request) -> list[HeaterReply]:
        """Return the complete status, with the code of the request."""
        body = {"status": encode_fields(self._heater.status(request.code))}
        return [HeaterReply(request.reply_topic, body)]

    def features(self, request: Request) -> list[HeaterReply]:
        """Return the features."""
        return [HeaterReply(request.reply_topic, {"feature": encode_fields(self._heater.features)})]

    def end_session(self, request: Request) -> list[HeaterReply]:
        """Return no reply; none was ever observed (PROTOCOL 8.12)."""
        return []

    def reservations(self, request: Request) -> list[HeaterReply]:
        """Return the reservations."""
        return self._schedule_replies(request, self._heater.settings.reservations)

    def recirculation(self, request: Request) -> list[HeaterReply]:
        """Return the recirculation schedule."""
        return self._schedule_replies(request, self._heater.settings.recirculation.schedule)

    def write_reservations(self, request: Request) -> list[HeaterReply]:
        """Store the reservations if all are valid; return the stored ones."""
        try:
            self._heater.write_reservations(decode_reservations(request.body))
        except NaviLinkError:
            pass
        return self._schedule_replies(request, self._heater.settings.reservations)

    def write_recirculation(self, request: Request) -> list[HeaterReply]:
        """Store the recirculation schedule if all entries are valid; return the stored one."""
        try:
            self._heater.write_recirculation(decode_recirculation(request.body))
        except NaviLinkError:
            pass
        return self._schedule_replies(request, self._heater.settings.recirculation.schedule)

    def write_tou_plan(self, request: Request) -> list[HeaterReply]:
        """Store the plan if it names this controller; return the stored one, else no reply.

        Without a list it would be a query, which no heater answers (PROTOCOL 5.5).
        """
        body, tou = request.body, self._heater.settings.tou
        serial = self._heater.features.controller_serial_number
        if body.get("controllerSerialNumber") != serial or "reservation" not in body:
            return []
        try:
            use = require_integer(body, "reservationUse", 0, 2)
            self._heater.write_tou_plan(Flag(use).active, require_list(body, "reservation"))
        except NaviLinkError:
            pass
        entries = [dict(entry) for entry in tou.entries]
        stored = {"reservationUse": int(Flag.of(tou.enabled)), "reservation": entries}
        return list_replies(request, stored)

    def energy_daily(self, request: Request) -> list[HeaterReply]:
        """Return each day of the requested months; no reply to an invalid request."""
        return self._energy_reply(request, _daily_energy)

    def energy_monthly(self, request: Request) -> list[HeaterReply]:
        """Return each month of the requested years; no reply to an invalid request."""
        return self._energy_reply(request, _monthly_energy)

    def downloaded_software(self, request: Request) -> list[HeaterReply]:
        """Return that no update waits, always on the same topic (PROTOCOL 3.1, 8.11)."""
        nothing = {"swCode": 0, "otaMode": 0, "swVersion": 0, "status": 0}
        topic = self._address.command_topic(DOWNLOADED_SOFTWARE.reply_suffix)
        return [HeaterReply(topic, {"downloadSwInfo": [nothing]})]

    def diagnostics(self, request: Request) -> list[HeaterReply]:
        """Return the lifetime counters packed, and on an app-style topic as objects too."""
        data = _diagnostics(self._heater.plant.energy_meter, self._heater.now.date())
        packed = {"typeOfTD": 2, "data": pack_diagnostics(data)}
        replies = [HeaterReply(_packed_topic(request), packed)]
        if _APP_STYLE.fullmatch(request.reply_topic):
            replies.append(HeaterReply(request.reply_topic, {"typeOfTD": 2, "data": data}))
        return replies

    def _energy_reply(
        self,
        request: Request,
        usage: Callable[[EnergyMeter, Mapping[str, Any]], list[dict[str, Any]]],
    ) -> list[HeaterReply]:
        meter = self._heater.plant.energy_meter
        try:
            periods = usage(meter, request.body)
        except ProtocolError:
            return []
        body = {"typeOfUsage": 1, "total": meter.total.to_entry(), "usage": periods}
        return [HeaterReply(request.reply_topic, body)]

    def _schedule_replies(
        self,
        request: Request,
        schedule: WeeklySchedule[Reservation] | WeeklySchedule[RecirculationEntry],
    ) -> list[HeaterReply]:
        entries = [entry.to_entry() for entry in schedule.entries]
        self._random.shuffle(entries)
        return list_replies(request, {"reservationUse": int(schedule.use), "reservation": entries})


def refusal(address: Address, fail_code: int) -> HeaterReply:
    """Return the reply to a control that the heater refuses (PROTOCOL 4.4)."""
    body = {"swVersion": 0, "failCode": fail_code}
    return HeaterReply(f"{address.push_topic}/ctrl-fail", body)


def list_replies(request: Request, body: Mapping[str, Any]) -> list[HeaterReply]:
    """Return a list packed, then as objects on a topic that ends in /rd (PROTOCOL 3.2).

    On another topic a plan comes as objects alone, because its packed form is not known. Raises
    ProtocolError for entries that are none.
    """
    entries = require_list(body, "reservation")
    is_plan = request.code == WRITE_TOU.code
    text = _pack_periods(entries) if is_plan else entries_to_hex(entries)
    packed = HeaterReply(_packed_topic(request), dict(body, reservation=text))
    objects = HeaterReply(request.reply_topic, body)
    if request.reply_topic.endswith(_READ_SUFFIX):
        return [packed, objects]
    return [objects if is_plan else packed]


def _packed_topic(request: Request) -> str:
    topic = request.reply_topic
    return topic[: -len(_READ_SUFFIX)] if topic.endswith(_READ_SUFFIX) else topic


def _pack_periods(entries: Iterable[Any]) -> str:
    """Pack periods; a number that does not fit is cut."""
    return "".join(
        (require_integer(entry, key, 0, INTEGER_LIMIT) % 256**size).to_bytes(size, "little").hex()
        for entry in entries
        for key, size in _PERIOD_SIZES.items()
    )


def _daily_energy(meter: EnergyMeter, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    year = require_integer(body, "year", 2000, 2099)
    return [
        {"year": year, "month": month, "data": _entries(meter.days_of_month(year, month))}
        for month in _requested_numbers(body, "month", 1, 12)
    ]


def _monthly_energy(meter: EnergyMeter, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "year": year,
            "data": _entries(
                EnergyUse.sum(meter.days_of_month(year, month)) for month in range(1, 13)
            ),
        }
        for year in _requested_numbers(body, "year", 2000, 2099)
    ]


def _entries(energies: Iterable[EnergyUse]) -> list[dict[str, int]]:
    return [energy.to_entry() for energy in energies]


def _requested_numbers(body: Mapping[str, Any], key: str, lowest: int, highest: int) -> list[int]:
    """Return the requested numbers sorted, without duplicates. Raises ProtocolError."""
    numbers = {
        require_integer({key: value}, key, lowest, highest) for value in require_list(body, key)
    }
    if not numbers:
        raise ProtocolError(f"{key} is an empty list")
    return sorted(numbers)


def _diagnostics(meter: EnergyMeter, today: date) -> dict[str, Any]:
    """Return the ``data`` of the diagnostics; 0 for events that are not simulated."""
    loads = {
        "Comp": meter.compressor,
        "EvaFan": meter.fan,
        "Uhe": meter.upper_element,
        "Lhe": meter.lower_element,
        "RecircPump": meter.recirculation_pump,
    }
    return {
        "tsData": {
            **_EVENTS,
            "cumulatedPwrHp": int(meter.total.heat_pump_wh),
            "cumulatedPwrHe": int(meter.total.element_wh),
            "daysSinceInstallation": (today - meter.installed).days,
        },
        "tcData": {},
        "tdData": dict(_DRAWS),
        "taData": {
            **_COMPONENTS,
            **{f"cumulatedOpTime{name}": load.hours for name, load in loads.items()},
            **{f"cumulatedOpNum{name}": load.starts for name, load in loads.items()},
        },
    }


#: Commands that are not controls.
QUERY_METHODS: Mapping[Command, Callable[[QueryHandler, Request], Sequence[HeaterReply]]] = {
    STATUS: QueryHandler.status,
    FEATURES: QueryHandler.features,
    END_SESSION: QueryHandler.end_session,
    RESERVATIONS: QueryHandler.reservations,
    ENERGY_DAILY: QueryHandler.energy_daily,
    ENERGY_MONTHLY: QueryHandler.energy_monthly,
    DOWNLOADED_SOFTWARE: QueryHandler.downloaded_software,
    DIAGNOSTICS: QueryHandler.diagnostics,
    RECIRC_SCHEDULE: QueryHandler.recirculation,
    WRITE_RESERVATIONS: QueryHandler.write_reservations,
    WRITE_TOU: QueryHandler.write_tou_plan,
    WRITE_RECIRC_SCHEDULE: QueryHandler.write_recirculation,
}
