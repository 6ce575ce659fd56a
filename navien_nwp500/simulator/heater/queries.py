"""What the heater answers to the rows that are no plain control (PROTOCOL 5.2, 8)."""

from __future__ import annotations

import re
from random import Random
from typing import Any, Callable, Mapping, NamedTuple, Sequence

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
from .appliance import Heater
from .energy_queries import daily, monthly
from .lifetime_counters import diagnostics
from .weekly_schedule import WeeklySchedule

_READ = "/rd"
#: The cloud makes JSON of the diagnostics for app-style topics only (PROTOCOL 8.13).
_APP_STYLE = re.compile(r"cmd/[^/]+/[^/]+/[^/]+/[^/]+/res/td/rd")


class HeaterReply(NamedTuple):
    """A message of the heater: where it goes, and its ``response`` beside the identity."""

    topic: str
    body: Mapping[str, Any]


class QueryHandler:
    """The answers of one heater; ``random`` disorders what has no order (PROTOCOL 8.3)."""

    def __init__(self, heater: Heater, address: Address, random: Random) -> None:
        self._heater = heater
        self._address = address
        self._random = random

    def status(self, asked: Request) -> list[HeaterReply]:
        """The whole status, naming the code it answers."""
        body = {"status": encode_fields(self._heater.status(asked.code))}
        return [HeaterReply(asked.reply_topic, body)]

    def features(self, asked: Request) -> list[HeaterReply]:
        """What the heater has and allows."""
        return [HeaterReply(asked.reply_topic, {"feature": encode_fields(self._heater.features)})]

    def end_session(self, asked: Request) -> list[HeaterReply]:
        """Nothing: no reply was ever observed (PROTOCOL 8.12)."""
        return []

    def reservations(self, asked: Request) -> list[HeaterReply]:
        """The list twice: packed, and as objects on the topic that ends in /rd."""
        return self._read(asked, self._heater.settings.reservations)

    def recirculation(self, asked: Request) -> list[HeaterReply]:
        """As the reservations."""
        return self._read(asked, self._heater.settings.recirculation.schedule)

    def write_reservations(self, asked: Request) -> list[HeaterReply]:
        """Take the list if it is whole; answer with the list that results."""
        try:
            self._heater.write_reservations(decode_reservations(asked.body))
        except NaviLinkError:
            pass
        return [self._listed(asked, self._heater.settings.reservations)]

    def write_recirculation(self, asked: Request) -> list[HeaterReply]:
        """As the reservations."""
        try:
            self._heater.write_recirculation(decode_recirculation(asked.body))
        except NaviLinkError:
            pass
        return [self._listed(asked, self._heater.settings.recirculation.schedule)]

    def write_tou(self, asked: Request) -> list[HeaterReply]:
        """Take the plan if it names this controller, else stay silent; answer as written."""
        body, tou = asked.body, self._heater.settings.tou
        if body.get("controllerSerialNumber") != self._heater.features.controller_serial_number:
            return []
        try:
            use = require_integer(body, "reservationUse", 0, 2)
            self._heater.write_tou(Flag(use).active, require_list(body, "reservation"))
        except NaviLinkError:
            pass
        use = Flag.of(tou.enabled)
        written = [dict(entry) for entry in tou.entries]
        return [
            HeaterReply(asked.reply_topic, {"reservationUse": int(use), "reservation": written})
        ]

    def energy_daily(self, asked: Request) -> list[HeaterReply]:
        """Each day of some months; silence when they cannot be read."""
        return self._energy(asked, daily)

    def energy_monthly(self, asked: Request) -> list[HeaterReply]:
        """Each month of some years; silence when they cannot be read."""
        return self._energy(asked, monthly)

    def software(self, asked: Request) -> list[HeaterReply]:
        """Nothing waits, said where the heater always says it (PROTOCOL 3.1, 8.11)."""
        nothing = {"swCode": 0, "otaMode": 0, "swVersion": 0, "status": 0}
        topic = self._address.command_topic(DOWNLOADED_SOFTWARE.reply_suffix)
        return [HeaterReply(topic, {"downloadSwInfo": [nothing]})]

    def diagnostics(self, asked: Request) -> list[HeaterReply]:
        """The lifetime counters; the raw form other topics get is not known well enough."""
        if not _APP_STYLE.fullmatch(asked.reply_topic):
            return []
        data = diagnostics(self._heater.machine.counts, self._heater.now.date())
        return [HeaterReply(asked.reply_topic, {"typeOfTD": 2, "data": data})]

    def _energy(
        self, asked: Request, usage: Callable[..., list[dict[str, Any]]]
    ) -> list[HeaterReply]:
        counts = self._heater.machine.counts
        try:
            found = usage(counts, asked.body)
        except ProtocolError:
            return []
        body = {"typeOfUsage": 1, "total": counts.total.entry(), "usage": found}
        return [HeaterReply(asked.reply_topic, body)]

    def _read(
        self,
        asked: Request,
        table: WeeklySchedule[Reservation] | WeeklySchedule[RecirculationEntry],
    ) -> list[HeaterReply]:
        listed = self._listed(asked, table)
        packed = dict(listed.body, reservation=entries_to_hex(listed.body["reservation"]))
        if not asked.reply_topic.endswith(_READ):
            return [HeaterReply(asked.reply_topic, packed)]
        return [HeaterReply(asked.reply_topic[: -len(_READ)], packed), listed]

    def _listed(
        self,
        asked: Request,
        table: WeeklySchedule[Reservation] | WeeklySchedule[RecirculationEntry],
    ) -> HeaterReply:
        entries = [entry.to_entry() for entry in table.entries]
        self._random.shuffle(entries)
        return HeaterReply(
            asked.reply_topic, {"reservationUse": int(table.use), "reservation": entries}
        )


#: Every row that is no plain control.
ANSWERS: Mapping[Command, Callable[[QueryHandler, Request], Sequence[HeaterReply]]] = {
    STATUS: QueryHandler.status,
    FEATURES: QueryHandler.features,
    END_SESSION: QueryHandler.end_session,
    RESERVATIONS: QueryHandler.reservations,
    ENERGY_DAILY: QueryHandler.energy_daily,
    ENERGY_MONTHLY: QueryHandler.energy_monthly,
    DOWNLOADED_SOFTWARE: QueryHandler.software,
    DIAGNOSTICS: QueryHandler.diagnostics,
    RECIRC_SCHEDULE: QueryHandler.recirculation,
    WRITE_RESERVATIONS: QueryHandler.write_reservations,
    WRITE_TOU: QueryHandler.write_tou,
    WRITE_RECIRC_SCHEDULE: QueryHandler.write_recirculation,
}
