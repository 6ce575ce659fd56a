"""What the heater answers to the rows that are no plain control (protocol 5.2, 8)."""

from __future__ import annotations

import re
from random import Random
from typing import Any, Callable, Mapping, NamedTuple, Sequence

from .. import wire
from ..commands import (
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
from ..exceptions import NaviLinkError, ProtocolError
from ..protocol import Address, Request
from ..quantities import Flag
from ..schedules import (
    RecirculationEntry,
    Reservation,
    decode_recirculation,
    decode_reservations,
    entries_to_hex,
)
from .energy_usage import daily, monthly
from .heater import Heater
from .lifetime import diagnostics
from .timetable import Timetable

_READ = "/rd"
#: The cloud makes JSON of the diagnostics for app-style topics only (protocol 8.13).
_APP_STYLE = re.compile(r"cmd/[^/]+/[^/]+/[^/]+/[^/]+/res/td/rd")


class Answer(NamedTuple):
    """A message of the heater: where it goes, and its ``response`` beside the identity."""

    topic: str
    body: Mapping[str, Any]


class Answers:
    """The answers of one heater; ``random`` disorders what has no order (protocol 8.3)."""

    def __init__(self, heater: Heater, address: Address, random: Random) -> None:
        self._heater = heater
        self._address = address
        self._random = random

    def status(self, asked: Request) -> list[Answer]:
        """The whole status, naming the code it answers."""
        body = {"status": wire.encode(self._heater.status(asked.code))}
        return [Answer(asked.reply_topic, body)]

    def features(self, asked: Request) -> list[Answer]:
        """What the heater has and allows."""
        return [Answer(asked.reply_topic, {"feature": wire.encode(self._heater.features)})]

    def end_session(self, asked: Request) -> list[Answer]:
        """Nothing: no reply was ever observed (protocol 8.12)."""
        return []

    def reservations(self, asked: Request) -> list[Answer]:
        """The list twice: packed, and as objects on the topic that ends in /rd."""
        return self._read(asked, self._heater.settings.reservations)

    def recirculation(self, asked: Request) -> list[Answer]:
        """As the reservations."""
        return self._read(asked, self._heater.settings.recirculation.schedule)

    def write_reservations(self, asked: Request) -> list[Answer]:
        """Take the list if it is whole; answer with the list that results."""
        try:
            self._heater.write_reservations(decode_reservations(asked.body))
        except NaviLinkError:
            pass
        return [self._listed(asked, self._heater.settings.reservations)]

    def write_recirculation(self, asked: Request) -> list[Answer]:
        """As the reservations."""
        try:
            self._heater.write_recirculation(decode_recirculation(asked.body))
        except NaviLinkError:
            pass
        return [self._listed(asked, self._heater.settings.recirculation.schedule)]

    def write_tou(self, asked: Request) -> list[Answer]:
        """Take the plan if it names this controller, else stay silent; answer as written."""
        body, tou = asked.body, self._heater.settings.tou
        if body.get("controllerSerialNumber") != self._heater.features.controller_serial_number:
            return []
        try:
            use = wire.integer(body, "reservationUse", 0, 2)
            self._heater.write_tou(Flag(use).active, wire.items(body, "reservation"))
        except NaviLinkError:
            pass
        use = Flag.of(tou.enabled)
        written = [dict(entry) for entry in tou.entries]
        return [Answer(asked.reply_topic, {"reservationUse": int(use), "reservation": written})]

    def energy_daily(self, asked: Request) -> list[Answer]:
        """Each day of some months; silence when they cannot be read."""
        return self._energy(asked, daily)

    def energy_monthly(self, asked: Request) -> list[Answer]:
        """Each month of some years; silence when they cannot be read."""
        return self._energy(asked, monthly)

    def software(self, asked: Request) -> list[Answer]:
        """Nothing waits, said where the heater always says it (protocol 3.1, 8.11)."""
        nothing = {"swCode": 0, "otaMode": 0, "swVersion": 0, "status": 0}
        topic = self._address.command_topic(DOWNLOADED_SOFTWARE.reply_suffix)
        return [Answer(topic, {"downloadSwInfo": [nothing]})]

    def diagnostics(self, asked: Request) -> list[Answer]:
        """The lifetime counters; the raw form other topics get is not known well enough."""
        if not _APP_STYLE.fullmatch(asked.reply_topic):
            return []
        data = diagnostics(self._heater.machine.counts, self._heater.now.date())
        return [Answer(asked.reply_topic, {"typeOfTD": 2, "data": data})]

    def _energy(self, asked: Request, usage: Callable[..., list[dict[str, Any]]]) -> list[Answer]:
        counts = self._heater.machine.counts
        try:
            found = usage(counts, asked.body)
        except ProtocolError:
            return []
        body = {"typeOfUsage": 1, "total": counts.total.entry(), "usage": found}
        return [Answer(asked.reply_topic, body)]

    def _read(
        self, asked: Request, table: Timetable[Reservation] | Timetable[RecirculationEntry]
    ) -> list[Answer]:
        listed = self._listed(asked, table)
        packed = dict(listed.body, reservation=entries_to_hex(listed.body["reservation"]))
        if not asked.reply_topic.endswith(_READ):
            return [Answer(asked.reply_topic, packed)]
        return [Answer(asked.reply_topic[: -len(_READ)], packed), listed]

    def _listed(
        self, asked: Request, table: Timetable[Reservation] | Timetable[RecirculationEntry]
    ) -> Answer:
        entries = [entry.to_entry() for entry in table.entries]
        self._random.shuffle(entries)
        return Answer(asked.reply_topic, {"reservationUse": int(table.use), "reservation": entries})


#: Every row that is no plain control.
ANSWERS: Mapping[Command, Callable[[Answers, Request], Sequence[Answer]]] = {
    STATUS: Answers.status,
    FEATURES: Answers.features,
    END_SESSION: Answers.end_session,
    RESERVATIONS: Answers.reservations,
    ENERGY_DAILY: Answers.energy_daily,
    ENERGY_MONTHLY: Answers.energy_monthly,
    DOWNLOADED_SOFTWARE: Answers.software,
    DIAGNOSTICS: Answers.diagnostics,
    RECIRC_SCHEDULE: Answers.recirculation,
    WRITE_RESERVATIONS: Answers.write_reservations,
    WRITE_TOU: Answers.write_tou,
    WRITE_RECIRC_SCHEDULE: Answers.write_recirculation,
}
