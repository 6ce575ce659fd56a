"""Newest status, features and energy of one heater, and a notification of each change.

A lost connection, or a first connect that fails, is tried again. Only what a person must correct
(a rejected password, a wrong setting) ends ``Follower.run``.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Callable

from ..._util.aio import LatestValue, run_until_first
from ...analysis.forecast import Forecast, forecast
from ...analysis.forecast.learned import Learned
from ...config import ReconnectConfig
from ...device import NaviLinkDevice
from ...exceptions import CommunicationError, DeviceError
from ...models import HealthState
from ...protocol.commands import COMMANDS
from ...protocol.energy import EnergyTotal
from ...protocol.features import DeviceFeatures
from ...protocol.redaction import logger
from ...protocol.schedules import ReservationProgram
from ...protocol.status import Activity, DeviceStatus
from ...protocol.tou import TOUInfo
from ...protocol.types import Flag
from .heating_events import HeatingEvents

_LOGGER = logger("navien_nwp500.bridges")

#: Consecutive polls that may fail before the last status is no longer published.
MAX_FAILED_POLLS = 3
#: Seconds between requests for the lifetime energy: it changes slowly, and each is one more message.
ENERGY_INTERVAL = 900.0
#: The same for the schedules, unless the status shows that one was switched on or off.
SCHEDULES_INTERVAL = 3600.0
#: Seconds between polls of a heater whose changes are to be seen within 30 s: a response takes 2 to
#: 4 s, and live clients poll every 30 s (PROTOCOL 9.9).
IDLE_INTERVAL = 25.0
#: Seconds between polls while it heats, and after a change; live clients poll as often (PROTOCOL 9.9).
BUSY_INTERVAL = 10.0
#: Polls after a change that come as often.
POLLS_AFTER_CHANGE = 6
#: The next try to see requests comes as late as after so many lost connections.
REQUEST_TRIES = 5
#: Fields that commands set.
_SETTINGS = sorted({one.field for command in COMMANDS for one in command.expects})


class Follower:
    """Follower of one heater while ``run`` runs.

    ``updates`` gets a value when a status arrived or health, features or energy changed; it has one
    reader. ``heating`` has the events of heating runs, None without ``with_schedules``; its times
    are those of ``now``, the heater's clock. ``features`` and ``energy`` are None until the heater
    has sent them; so are ``reservations`` and ``tou_plan``, which are requested only
    ``with_schedules``. Polls are ``interval`` seconds after the latest status, whoever requested
    it; with ``busy_interval`` they come so often while the heater heats, and for a while after a
    setting or its activity has changed.
    """

    def __init__(
        self,
        heater: NaviLinkDevice,
        interval: float,
        *,
        busy_interval: float | None = None,
        answer_timeout: float = 15.0,
        energy_interval: float = ENERGY_INTERVAL,
        with_schedules: bool = False,
        learned: Learned = Learned(),
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
        reconnect: ReconnectConfig = ReconnectConfig(max_retries=None),
    ) -> None:
        self.heater = heater
        self.updates: LatestValue[bool] = LatestValue()
        self.features: DeviceFeatures | None = None
        self.energy: EnergyTotal | None = None
        self.reservations: ReservationProgram | None = None
        self.tou_plan: TOUInfo | None = None
        #: Of the newest status.
        self.forecast: Forecast | None = None
        self._learned = learned
        self.heating = HeatingEvents(now) if with_schedules else None
        #: Seconds a status stays valid: the polls that may fail, with their timeouts.
        self.max_age = MAX_FAILED_POLLS * (interval + answer_timeout)
        self._interval = interval
        self._busy_interval = interval if busy_interval is None else min(interval, busy_interval)
        self._shown: tuple[object, ...] = ()
        self._busy_until = float("-inf")
        self._energy_interval = energy_interval
        self._reconnect = reconnect
        self._status_time = float("-inf")
        self._energy_due = float("-inf")
        self._with_schedules = with_schedules
        self._schedules_due = float("-inf")
        self._schedules_on: tuple[bool, bool] | None = None
        self._error_code = 0

    @property
    def status(self) -> DeviceStatus | None:
        """Return the newest status; None when it is too old or the heater is offline."""
        offline = self.heater.health.state in (HealthState.OFFLINE, HealthState.IDLE)
        if offline or time.monotonic() - self._status_time > self.max_age:
            return None
        return self.heater.last_status

    def on_schedules_written(
        self, *, reservations: ReservationProgram | None = None, plan: TOUInfo | None = None
    ) -> None:
        """Take schedules as they were written; both are requested again at the next status."""
        self.reservations = reservations or self.reservations
        self.tou_plan = plan or self.tou_plan
        self._schedules_due = float("-inf")

    async def run(self) -> None:
        """Follow until cancelled. Raises AuthenticationError and ConfigurationError."""
        parts = [self._watch_with_retries(), self._watch_health()]
        if self.heating is not None:
            parts.append(self._watch_requests(self.heating))
        await run_until_first(*parts)

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
                await asyncio.sleep(self._reconnect.delay(tries))

    async def _watch(self) -> None:
        statuses = self.heater.watch(self._seconds_to_poll)
        try:
            async for status in statuses:
                self._status_time = time.monotonic()
                self._observe(status)
                self._make_forecast(status)
                if self.heating is not None:
                    self.heating.add_status(status, self.reservations, self.tou_plan)
                self.updates.put(True)
                if status.error_code not in (0, self._error_code):
                    await self._request_last_error()
                self._error_code = int(status.error_code)
                await self._request_due(status)
                await self._request_schedules(status)
        finally:
            await statuses.aclose()

    def _make_forecast(self, status: DeviceStatus) -> None:
        plan = self.tou_plan if status.tou_status else None
        self.forecast = forecast(
            status,
            datetime.now().astimezone(),
            learned=self._learned,
            reservations=self.reservations,
            periods=() if plan is None else plan.periods,
        )

    def _observe(self, status: DeviceStatus) -> None:
        """Shorten the interval for a while when a setting or the activity has changed."""
        shown = (status.activity, *(getattr(status, field) for field in _SETTINGS))
        if self._shown and shown != self._shown:
            self._busy_until = self._status_time + POLLS_AFTER_CHANGE * self._busy_interval
        self._shown = shown

    def _seconds_to_poll(self, status: DeviceStatus | None) -> float:
        """Return how long the latest status needs no poll."""
        idle = status is None or status.activity in (Activity.STANDBY, Activity.UNKNOWN)
        if idle and time.monotonic() >= self._busy_until:
            return self._interval
        return self._busy_interval

    async def _watch_health(self) -> None:
        changes = self.heater.watch_health()
        try:
            async for health in changes:
                self.updates.put(True)
                if health.state is HealthState.OFFLINE:
                    await self._request_last_error()
        finally:
            await changes.aclose()

    async def _watch_requests(self, heating: HeatingEvents) -> None:
        """Remember the requests of clients; ``_watch_with_retries`` reports a lost connection."""
        while True:
            requests = self.heater.watch_requests()
            try:
                async for request in requests:
                    heating.add_request(request)
            except CommunicationError as error:
                _LOGGER.debug("%s: requests are not seen: %s", self.heater.name, error)
            finally:
                await requests.aclose()
            await asyncio.sleep(self._reconnect.delay(REQUEST_TRIES))

    async def _request_last_error(self) -> None:
        """Request the last error that the cloud knows; a failure leaves the one known before."""
        try:
            await self.heater.get_last_error()
            self.updates.put(True)
        except CommunicationError as error:
            _LOGGER.debug("%s: last error not received: %s", self.heater.name, error)

    async def _request_due(self, status: DeviceStatus) -> None:
        """Request features and energy when unknown or due; a failure is retried at the next status."""
        try:
            if self.features is None or status.did_reload == Flag.ACTIVE:
                self.features = await self.heater.get_features()
                self.updates.put(True)
            has_meter = self.features.energy_usage_use == Flag.ACTIVE
            if has_meter and time.monotonic() > self._energy_due:
                # The response holds the lifetime total, whatever year is requested (PROTOCOL 8.6).
                history = await self.heater.get_energy_monthly(datetime.now().year)
                self.energy = history.total
                self._energy_due = time.monotonic() + self._energy_interval
                self.updates.put(True)
        except (CommunicationError, DeviceError) as error:
            _LOGGER.debug("%s: features or energy not received: %s", self.heater.name, error)

    async def _request_schedules(self, status: DeviceStatus) -> None:
        """Request reservations and time-of-use plan when due, or switched on or off.

        A failure leaves those known before until they are due again.
        """
        features = self.features
        if not self._with_schedules or features is None:
            return
        if features.program_reservation_use != Flag.ACTIVE:
            return
        switched = status.program_reservation_use == Flag.ACTIVE, bool(status.tou_status)
        if switched == self._schedules_on and time.monotonic() < self._schedules_due:
            return
        self._schedules_on = switched
        self._schedules_due = time.monotonic() + SCHEDULES_INTERVAL
        try:
            self.reservations = await self.heater.get_reservations()
            self.updates.put(True)
            self.tou_plan = await self.heater.get_tou_info()
            self.updates.put(True)
        except (CommunicationError, DeviceError) as error:
            _LOGGER.debug("%s: schedules not received: %s", self.heater.name, error)
