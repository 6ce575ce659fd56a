"""One heater of the dashboard: polled, recorded, and its present state for the pages.

A lost connection, or a first connect that fails, is tried again. Only what a person must correct
ends ``WatchedHeater.run``.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Callable, Sequence

from ..._util.aio import Notifier, finish, run_until_first
from ...analysis.forecast import Forecast, forecast
from ...analysis.forecast.learned import Learned
from ...config import ReconnectConfig
from ...device import NaviLinkDevice
from ...exceptions import CommunicationError, DeviceError
from ...history.alerts import REQUEST, Alert, AlertWatch
from ...history.buffer import CAPACITY
from ...history.database_recorder import BufferedDatabaseRecorder
from ...history.schema import to_ms
from ...history.store import StoredHeater
from ...models import HealthState
from ...protocol.features import DeviceFeatures
from ...protocol.redaction import logger
from ...protocol.status import DeviceStatus
from ...protocol.types import DHWMode, Flag
from .known_schedules import KnownSchedules
from .live_hub import LiveHub
from .now_json import SELECTABLE_MODES, connection_text, controls_json, display_unit, status_to_json
from .threads import Threads

_LOGGER = logger("navien_nwp500.dashboard")


@dataclass(frozen=True)
class PollTimes:
    """Seconds between polls, always and while a page is open, and the clock of the heaters."""

    interval: float
    while_watched: float
    now: Callable[[], datetime]
    reconnect: ReconnectConfig = ReconnectConfig(max_retries=None)


class WatchedHeater:
    """A heater that is polled and recorded while ``run`` runs.

    ``stored`` is the heater in the history, whose number the API uses; ``hub`` are the open pages;
    ``learned`` are its figures for forecasts.
    """

    def __init__(
        self,
        heater: NaviLinkDevice,
        stored: StoredHeater,
        recorder: BufferedDatabaseRecorder,
        times: PollTimes,
        threads: Threads,
        hub: LiveHub,
        learned: Learned = Learned(),
        mode_before: DHWMode = DHWMode.ENERGY_SAVER,
    ) -> None:
        self.heater = heater
        self.stored = stored
        self.features: DeviceFeatures | None = None
        #: Mode to which the end of a vacation returns.
        self.mode_before = mode_before
        self._recorder = recorder
        self._times = times
        self._threads = threads
        self._hub = hub
        self._learned = learned
        self.schedules = KnownSchedules(heater)
        self._alert_watch = AlertWatch()
        self._alerts: dict[str, dict[str, Any]] = {}
        self._problem: str | None = None
        self._forecast: Forecast | None = None
        self._status: DeviceStatus | None = None
        self._status_ms: int | None = None
        self._status_time = float("-inf")
        self._entries: deque[tuple[DeviceStatus | None, datetime, Sequence[Alert]]] = deque(
            maxlen=CAPACITY
        )
        self._entered = Notifier()
        self._refresh_wanted = Notifier()

    def now(self) -> datetime:
        """Return the present time of the heaters."""
        return self._times.now()

    # For the pages

    def now_json(self) -> dict[str, Any]:
        """Return the present state, as the API shows it."""
        health, status = self.heater.health, self._status
        age = time.monotonic() - self._status_time
        return {
            "heater": self.stored.id,
            "time": self._status_ms,
            "age_s": None if status is None else round(age, 1),
            "poll_s": self._interval(None),
            "link": health.state.value,
            "link_text": connection_text(health, self.heater.info, self._problem),
            "status": None if status is None else status_to_json(status),
            "alerts": list(self._alerts.values()),
            "forecast": None if self._forecast is None else self._forecast.to_json(),
            "recording": self._recording_text(),
        }

    def _recording_text(self) -> str | None:
        problem = self._recorder.problem
        if problem is None:
            return None
        return (
            f"The history cannot be written: {problem}. Until it can, statuses are kept in memory."
        )

    def summary_json(self, *, read_only: bool) -> dict[str, Any]:
        """Return the heater with its controls and its present state, as the API lists it."""
        features = None if read_only else self.features
        return {
            "id": self.stored.id,
            "name": self.heater.name,
            "zone": self.stored.zone or "UTC",
            "unit": display_unit(self._status),
            "controls": [] if features is None else controls_json(features),
            "now": self.now_json(),
        }

    def publish_now(self) -> None:
        """Send the present state to the open pages."""
        self._hub.publish(f"now {self.stored.id}", {"type": "now", **self.now_json()})

    def request_refresh(self) -> None:
        """Have a status requested for a page that was opened, unless one is new enough."""
        if time.monotonic() - self._status_time > self._times.while_watched:
            self._refresh_wanted.notify()

    # Polling

    async def run(self) -> None:
        """Poll and record until cancelled. Raises AuthenticationError and ConfigurationError."""
        try:
            await run_until_first(
                self._watch_with_retries(),
                self._watch_health(),
                self._watch_requests(),
                self._refresh(),
                self._record(),
            )
        finally:
            await finish(self._write_waiting())

    def _interval(self, _: DeviceStatus | None) -> float:
        """Return the time to the next poll: short for a page, and until the features are known."""
        soon = self._hub.watched or self.features is None
        return self._times.while_watched if soon else self._times.interval

    async def _watch_with_retries(self) -> None:
        tries = 0
        while True:
            before = self._status_time
            try:
                await self._watch()
            except CommunicationError as error:
                tries = tries + 1 if self._status_time == before else 1
                if tries == 1:
                    _LOGGER.warning("%s: %s; trying again", self.heater.name, error)
                self._problem = str(error)
                self.publish_now()
                await asyncio.sleep(self._times.reconnect.delay(tries))

    async def _watch(self) -> None:
        statuses = self.heater.watch(self._interval)
        try:
            async for status in statuses:
                self._observe(status, self._times.now())
                await self._request_features(status)
                await self.schedules.request_due(status)
        finally:
            await statuses.aclose()

    async def _refresh(self) -> None:
        """Request a status each time a page wants it: it comes to the watch, like all."""
        while True:
            await self._refresh_wanted.wait()
            try:
                await self.heater.get_status()
            except (CommunicationError, DeviceError) as error:
                _LOGGER.debug("%s: no status for a page: %s", self.heater.name, error)

    def _observe(self, status: DeviceStatus, when: datetime) -> None:
        mode = status.dhw_operation_setting
        if mode in SELECTABLE_MODES:
            self.mode_before = DHWMode(mode)
        self._status, self._status_ms = status, to_ms(when)
        self._status_time, self._problem = time.monotonic(), None
        self._forecast = forecast(
            status,
            when.astimezone(self.stored.time_zone),
            learned=self._learned,
            reservations=self.schedules.reservations,
            periods=self.schedules.periods,
        )
        self._enter(status, when, self._alert_watch.check(status))

    async def _request_features(self, status: DeviceStatus) -> None:
        """Request the features when unknown or reloaded; a failure is retried at the next status."""
        if self.features is not None and status.did_reload != Flag.ACTIVE:
            return
        try:
            self.features = await self.heater.get_features()
            self._hub.publish("heaters", {"type": "heaters"})
        except (CommunicationError, DeviceError) as error:
            _LOGGER.debug("%s: features not received: %s", self.heater.name, error)

    async def _watch_health(self) -> None:
        changes = self.heater.watch_health()
        try:
            async for health in changes:
                if health.state is HealthState.OFFLINE:
                    await self._on_offline()
                self.publish_now()
        finally:
            await changes.aclose()

    async def _watch_requests(self) -> None:
        """Record what clients have the heater change; statuses report an outage."""
        while True:
            requests = self.heater.watch_requests()
            try:
                async for request in requests:
                    if request.is_change:
                        self._append(None, self._times.now(), [Alert(REQUEST, request.text)])
            except CommunicationError:
                await asyncio.sleep(self._times.reconnect.delay(1))
            finally:
                await requests.aclose()

    async def _on_offline(self) -> None:
        self._enter(None, self._times.now(), self._alert_watch.no_response())
        try:
            await self.heater.get_info()
            await self.heater.get_last_error()
        except CommunicationError as error:
            _LOGGER.debug("%s: the cloud does not tell its state: %s", self.heater.name, error)

    # Recording

    def _enter(self, status: DeviceStatus | None, when: datetime, alerts: list[Alert]) -> None:
        """Show a status and alerts of one time, and have them recorded."""
        for alert in alerts:
            if alert.active and alert.kind != "mode":
                self._alerts[alert.kind] = {
                    "kind": alert.kind,
                    "text": alert.text,
                    "since": to_ms(when),
                }
            else:
                self._alerts.pop(alert.kind, None)
        self.publish_now()
        if status is not None or alerts:
            self._append(status, when, alerts)

    def _append(self, status: DeviceStatus | None, when: datetime, alerts: list[Alert]) -> None:
        self._entries.append((status, when, alerts))
        self._entered.notify()

    async def _record(self) -> None:
        while True:
            if not self._entries:
                await self._entered.wait()
            await self._write_waiting()

    async def _write_waiting(self) -> None:
        """Write what waits; while the history cannot be written, its recorder keeps it."""
        while self._entries:
            problem = self._recorder.problem
            entry = self._entries.popleft()
            await self._threads.in_order(self._recorder.write, *entry)
            if self._recorder.problem is None:
                message = {"type": "history", "heater": self.stored.id}
                self._hub.publish(f"history {self.stored.id}", message)
            if self._recorder.problem != problem:
                self.publish_now()
