"""Simulator whose heater has a past: days of statuses, alerts and commands in a history.

The heater is simulated from the first of these days on, and the simulator goes on with it where the
history ends, at the beginning of a recovery. Equal starts give equal histories.
"""

from __future__ import annotations

import random
import uuid
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Mapping, NamedTuple
from zoneinfo import ZoneInfo

from ..._util.aio import in_thread
from ...history.alerts import HIGH_POWER_WATTS, LOW_CHARGE_PERCENT, Alert, AlertWatch
from ...history.command_log import CommandLog
from ...history.database import Database
from ...history.schema import to_ms
from ...history.store import HistoryStore, Reading, ReadingSource, StoredHeater
from ...protocol.fields import field_specs
from ...protocol.status import DeviceStatus
from ...protocol.types import DHWMode

if TYPE_CHECKING:
    from ...simulator import Simulator

#: Seconds between the recorded statuses, and how far they come earlier or later.
_INTERVAL, _JITTER = 300.0, 4.0
_START_HOUR = 5
_CODECS = {spec.name: spec.codec for spec in field_specs(DeviceStatus)}


class PastEvent(NamedTuple):
    """Event so many days before the end, at a time of the day."""

    days_before: int
    hour: float
    what: str
    value: Any = None


#: A router without power, twice; an error that is corrected; guests, for whom the mode is changed.
_EVENTS = (
    PastEvent(23, 9.0, "away", 5.5),
    PastEvent(16, 14.2, "error", (990, 0)),
    PastEvent(16, 15.1, "error", (0, 0)),
    PastEvent(9, 17.5, "mode", DHWMode.HIGH_DEMAND),
    PastEvent(9, 18.0, "draw", (70.0, 9.0)),
    PastEvent(9, 18.4, "draw", (75.0, 10.0)),
    PastEvent(9, 19.1, "draw", (60.0, 8.0)),
    PastEvent(9, 21.0, "mode", DHWMode.ENERGY_SAVER),
    PastEvent(4, 2.3, "away", 1.6),
)


async def simulator_with_past(
    make_simulator: Callable[..., Simulator],
    database: str,
    *,
    days: int,
    zone: ZoneInfo | None,
    seed: int = 0,
    today: datetime | None = None,
) -> Simulator:
    """Return a simulator, not yet entered, whose heater has so many days in a database.

    ``make_simulator`` is the class, with its other arguments bound. ``today`` is a time of the day at
    which the history ends, by default now. Raises HistoryError and ConfigurationError as ``Database``
    does.
    """
    today = (today or datetime.now()).astimezone(zone)
    today = today.replace(tzinfo=timezone(today.utcoffset() or timedelta()))  # no clock change
    morning = today.replace(hour=_START_HOUR, minute=0, second=0, microsecond=0)
    start = morning - timedelta(days=days)
    simulator = make_simulator(start=start, frozen=True, seed=seed)
    past = _Past(simulator, zone, seed, morning)
    with Database(database) as opened:
        # A day at a time: Ctrl-C ends it soon.
        while await in_thread(partial(past.record_day, HistoryStore(opened))):
            pass
    simulator.clock.move(past.heater.now - start)
    simulator.clock.unfreeze()
    return simulator


class _Past:
    """The past of a simulator's heater, recorded day by day."""

    def __init__(
        self, simulator: Simulator, zone: ZoneInfo | None, seed: int, morning: datetime
    ) -> None:
        from ...simulator.heater.simulated_heater import Heater

        (unit,) = simulator.units
        assert isinstance(unit.heater, Heater)
        self.heater = unit.heater
        self._record = unit.record
        self._zone, self._end = zone, morning
        self._random = random.Random(f"past {seed}")
        self._events = sorted((self._time_of(event), event) for event in _EVENTS)
        self._events = [one for one in self._events if one[0] >= self.heater.now]
        self._watch = AlertWatch()
        self._alert_key: tuple[int, ...] | None = None
        self._until = self._away_until = self.heater.now

    def record_day(self, store: HistoryStore) -> bool:
        """Simulate and store the next day; return False when that was the last."""
        heater = store.ensure_heater(
            self._record.mac_address,
            name=self._record.device_name,
            zone=None if self._zone is None else self._zone.key,
        )
        self._until += timedelta(days=1)
        last = self._until > self._end
        readings: list[Reading] = []
        while self.heater.now < self._until and not (
            last and self.heater.plant.heat_pump.compressor
        ):
            self._step(store, heater, readings)
        store.add(heater, readings, ReadingSource.LIVE)
        return not last

    def _step(self, store: HistoryStore, heater: StoredHeater, readings: list[Reading]) -> None:
        seconds = _INTERVAL + self._random.uniform(-_JITTER, _JITTER)
        next_poll = self.heater.now + timedelta(seconds=round(seconds, 3))
        while self._events and self._events[0][0] <= next_poll:
            when, event = self._events.pop(0)
            self._advance_to(when)
            self._act(event, store, heater)
        self._advance_to(next_poll)
        if self.heater.now < self._away_until:
            return
        now, values = to_ms(self.heater.now), self.heater.status_numbers()
        readings.append(Reading(now, values))
        alerts = self._alerts(values)
        if alerts:
            store.record(heater, now, None, alerts)

    def _advance_to(self, when: datetime) -> None:
        # What the heater pushes meanwhile is not recorded; a poll is never far away.
        self.heater.advance(max(0.0, (when - self.heater.now).total_seconds()), coarse=True)

    def _alerts(self, values: Mapping[str, int]) -> list[Alert]:
        """Return the alerts of a status, which is built only if it can cause one: that takes time."""
        charge, watts = values["dhw_charge_per"], values["current_inst_power"]
        key = (
            values["error_code"],
            values["sub_error_code"],
            values["operation_mode"],
            charge < LOW_CHARGE_PERCENT,
            watts > HIGH_POWER_WATTS,
        )
        if key == self._alert_key:
            return []
        self._alert_key = key
        typed = {name: _CODECS[name](value) for name, value in values.items()}
        return self._watch.check(DeviceStatus(**typed))

    def _act(self, event: PastEvent, store: HistoryStore, heater: StoredHeater) -> None:
        now = to_ms(self.heater.now)
        if event.what == "away":
            self._away_until = self.heater.now + timedelta(hours=event.value)
            store.record(heater, now, None, self._watch.no_response())
            self._alert_key = None  # the next status ends it
        elif event.what == "error":
            self.heater.set_error_code(*event.value)
        elif event.what == "draw":
            self.heater.draw(*event.value)
        else:
            self._set_mode(event.value, now, CommandLog(store), heater)

    def _set_mode(self, mode: DHWMode, ms: int, log: CommandLog, heater: StoredHeater) -> None:
        """Change the mode as the page does, with an entry in the list of commands."""
        number = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        arguments = {"mode": int(mode)}
        log.begin(heater, number, ms=ms, name="mode", arguments=arguments, who="a simulated person")
        self.heater.set_mode(mode)
        text = f"The heater confirms: mode {mode.text}."
        log.end(number, ms=ms + 2600, outcome="confirmed", text=text)

    def _time_of(self, event: PastEvent) -> datetime:
        midnight = self._end.replace(hour=0)
        return midnight + timedelta(hours=event.hour, days=-event.days_before)
