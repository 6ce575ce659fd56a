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
from ...protocol.fields import encode_fields, require_integer, require_list
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
#: Keys of the diagnostics, misspelled as on the wire (PROTOCOL 8.13). The simulation does not
#: count these events.
_EVENT_KEYS = (
    "cumulatedOccNumEco",
    "cumulatedOccNumDryFire",
    "numOffRostProtectBurn",
    "cumulatedOccNumConOvrFlow",
    "cumulatedOccNumWtrOvrFlow",
    "cumulatedOccNumAbDisTmp",
    "cumulatedOccNumHpo",
    "cumulatedOccNumAbSucTmp",
    "cumulatedOccNumAbDisSucTmp",
    "cumulatedOpTimeDrShed",
    "cumulatedOpTimeDrLoadUp",
    "cumulatedOpTimeDrAdvLoadUp",
    "cumulatedOpTimeDrCpp",
    "cumulatedOpTimeDrGridEmg",
)
#: All 0 on the recorded unit (PROTOCOL 8.13).
_DRAW_KEYS = (
    "numOfdhwUse",
    "numOfLongDhwUse",
    "numOfShortDhwUse",
    "dhwUseTotalFlow",
    "longDhwUseTotalFlow",
    "dhwUseTotalTime",
    "longDhwUseTotalTime",
    "avrageRecoveryTime",
)


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
        """Return the reservations packed, and as objects on the topic that ends in /rd."""
        return self._schedule_replies(request, self._heater.settings.reservations)

    def recirculation(self, request: Request) -> list[HeaterReply]:
        """Return the recirculation schedule packed, and as objects."""
        return self._schedule_replies(request, self._heater.settings.recirculation.schedule)

    def write_reservations(self, request: Request) -> list[HeaterReply]:
        """Store the reservations if all are valid; return the stored ones."""
        try:
            self._heater.write_reservations(decode_reservations(request.body))
        except NaviLinkError:
            pass
        return [self._schedule_reply(request, self._heater.settings.reservations)]

    def write_recirculation(self, request: Request) -> list[HeaterReply]:
        """Store the recirculation schedule if all entries are valid; return the stored one."""
        try:
            self._heater.write_recirculation(decode_recirculation(request.body))
        except NaviLinkError:
            pass
        return [self._schedule_reply(request, self._heater.settings.recirculation.schedule)]

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
        return [HeaterReply(request.reply_topic, stored)]

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
        """Return the lifetime counters; no reply on other topics, whose raw form is not known."""
        if not _APP_STYLE.fullmatch(request.reply_topic):
            return []
        data = _diagnostics(self._heater.plant.energy_meter, self._heater.now.date())
        return [HeaterReply(request.reply_topic, {"typeOfTD": 2, "data": data})]

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
        objects = self._schedule_reply(request, schedule)
        packed = dict(objects.body, reservation=entries_to_hex(objects.body["reservation"]))
        if not request.reply_topic.endswith(_READ_SUFFIX):
            return [HeaterReply(request.reply_topic, packed)]
        return [HeaterReply(request.reply_topic[: -len(_READ_SUFFIX)], packed), objects]

    def _schedule_reply(
        self,
        request: Request,
        schedule: WeeklySchedule[Reservation] | WeeklySchedule[RecirculationEntry],
    ) -> HeaterReply:
        entries = [entry.to_entry() for entry in schedule.entries]
        self._random.shuffle(entries)
        body = {"reservationUse": int(schedule.use), "reservation": entries}
        return HeaterReply(request.reply_topic, body)


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
    hours = {name: load.hours for name, load in loads.items()}
    hours.update({f"InvComp{number}": 0 for number in range(1, 5)})
    starts = {name: load.starts for name, load in loads.items()}
    starts["ShutOffVv"] = 0
    return {
        "tsData": {
            "cumulatedPwrHp": int(meter.total.heat_pump_wh),
            "cumulatedPwrHe": int(meter.total.element_wh),
            "daysSinceInstallation": (today - meter.installed).days,
            **dict.fromkeys(_EVENT_KEYS, 0),
        },
        "tcData": {},
        "tdData": dict.fromkeys(_DRAW_KEYS, 0),
        "taData": {
            **{f"cumulatedOpTime{name}": value for name, value in hours.items()},
            **{f"cumulatedOpNum{name}": value for name, value in starts.items()},
            "cumulatedOpStepEev": 0,
            "mixingValveOpTotalStep": 0,
            "mixingValveOpAvgMixinGrate": 0,
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
