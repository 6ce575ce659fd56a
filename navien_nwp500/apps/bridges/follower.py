"""One heater followed for months: what is true of it now, and a word whenever that changes.

Whatever the library survives is survived here too; a first connect that fails is tried again. Only
what a person must mend (a refused password, a wrong setting) ends the following.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime

from ..._util.aio import LatestValue, run_until_first
from ...config import ReconnectConfig
from ...device import NaviLinkDevice
from ...exceptions import CommunicationError, DeviceError
from ...models import HealthState
from ...protocol.energy import EnergyTotal
from ...protocol.features import DeviceFeatures
from ...protocol.redaction import logger
from ...protocol.status import DeviceStatus
from ...protocol.types import Flag

_LOGGER = logger("navien_nwp500.bridges")

#: Polls in a row that may stay without a status before the last one is no longer told.
SILENT_POLLS = 3
#: Seconds between questions for the lifetime energy: it moves slowly, and each is a message more.
ENERGY_INTERVAL = 900.0


class Follower:
    """Follows one heater while ``run`` runs.

    ``news`` gets a word when a status came, the line changed or something was learned; it has one
    reader. ``features`` and ``energy`` are None until the heater has told them.
    """

    def __init__(
        self,
        heater: NaviLinkDevice,
        interval: float,
        *,
        patience: float = 15.0,
        energy_interval: float = ENERGY_INTERVAL,
        reconnect: ReconnectConfig = ReconnectConfig(max_retries=None),
    ) -> None:
        self.heater = heater
        self.news: LatestValue[bool] = LatestValue()
        self.features: DeviceFeatures | None = None
        self.energy: EnergyTotal | None = None
        #: Seconds a status is true for: the polls that may fail, and their answer times.
        self.lasts = SILENT_POLLS * (interval + patience)
        self._interval = interval
        self._energy_interval = energy_interval
        self._reconnect = reconnect
        self._heard = float("-inf")
        self._energy_due = float("-inf")

    @property
    def status(self) -> DeviceStatus | None:
        """The newest status, while it is true: None when the heater is not heard."""
        lost = self.heater.health.state in (HealthState.OFFLINE, HealthState.IDLE)
        if lost or time.monotonic() - self._heard > self.lasts:
            return None
        return self.heater.last_status

    async def run(self) -> None:
        """Follow until cancelled. Raises AuthenticationError and ConfigurationError."""
        await run_until_first(self._keep_watching(), self._hear_of_the_line())

    async def _keep_watching(self) -> None:
        tries = 0
        while True:
            heard = self._heard
            try:
                await self._watch()
            except CommunicationError as error:
                tries = tries + 1 if self._heard == heard else 1
                if tries == 1:
                    _LOGGER.warning("%s: %s; trying again", self.heater.name, error)
                await asyncio.sleep(self._reconnect.delay(tries))

    async def _watch(self) -> None:
        statuses = self.heater.watch(self._interval)
        try:
            async for status in statuses:
                self._heard = time.monotonic()
                self.news.put(True)
                await self._learn(status)
        finally:
            await statuses.aclose()

    async def _hear_of_the_line(self) -> None:
        changes = self.heater.watch_health()
        try:
            async for _ in changes:
                self.news.put(True)
        finally:
            await changes.aclose()

    async def _learn(self, status: DeviceStatus) -> None:
        """Ask what is not known yet or due again; what stays unanswered is asked next time."""
        try:
            if self.features is None or status.did_reload == Flag.ACTIVE:
                self.features = await self.heater.get_features()
                self.news.put(True)
            if (
                self.features.energy_usage_use == Flag.ACTIVE
                and time.monotonic() > self._energy_due
            ):
                # Whatever year is asked for, the lifetime's total comes with it (PROTOCOL 8.6).
                history = await self.heater.get_energy_monthly(datetime.now().year)
                self.energy = history.total
                self._energy_due = time.monotonic() + self._energy_interval
                self.news.put(True)
        except (CommunicationError, DeviceError) as error:
            _LOGGER.debug("%s: asked in vain: %s", self.heater.name, error)
