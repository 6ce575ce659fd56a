"""Reservations and time-of-use plan of a heater, which forecasts and causes are told from."""

from __future__ import annotations

import time
from typing import Sequence

from ...device import NaviLinkDevice
from ...exceptions import CommunicationError, DeviceError
from ...protocol.redaction import logger
from ...protocol.schedules import ReservationProgram
from ...protocol.status import DeviceStatus
from ...protocol.tou import TOUPeriod

_LOGGER = logger("navien_nwp500.dashboard")

#: Seconds between requests, unless the status shows that one was switched on or off.
INTERVAL = 3600.0


class KnownSchedules:
    """Schedules as they were last received; None and empty until then."""

    def __init__(self, heater: NaviLinkDevice) -> None:
        self._heater = heater
        self.reservations: ReservationProgram | None = None
        self.plan: Sequence[TOUPeriod] | None = None
        self._due = float("-inf")
        self._switched: tuple[bool, bool] | None = None

    @property
    def periods(self) -> Sequence[TOUPeriod]:
        """Return the time-of-use plan while it is on."""
        on = self._switched is not None and self._switched[1]
        return self.plan or () if on else ()

    async def request_due(self, status: DeviceStatus) -> None:
        """Request both when due; a failure leaves those known until the next time."""
        use = status.program_reservation_use
        switched = use is None or use.active, bool(status.tou_status)
        if switched == self._switched and time.monotonic() < self._due:
            return
        self._switched, self._due = switched, time.monotonic() + INTERVAL
        try:
            self.reservations = await self._heater.get_reservations()
            self.plan = list((await self._heater.get_tou_info()).periods)
        except (CommunicationError, DeviceError) as error:
            _LOGGER.debug("%s: schedules not received: %s", self._heater.name, error)
