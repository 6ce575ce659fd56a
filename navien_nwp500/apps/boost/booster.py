"""Run, continue and stop a boost."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import AsyncIterator, Callable, Protocol

from ..._util.aio import cancel_and_wait, in_thread
from ..._util.files import open_locked, release_lock
from ...device import NaviLinkDevice
from ...exceptions import (
    CommandRejectedError,
    CommunicationError,
    DeviceError,
    DeviceOfflineError,
)
from ...protocol import commands
from ...protocol.redaction import logger
from ...protocol.status import Activity, DeviceStatus
from ...protocol.types import DHWMode, Volume
from .boost_file import BoostFile
from .boost_plan import (
    BoostPlan,
    BoostRequest,
    BoostResult,
    BoostSettings,
    has_water,
    make_plan,
    tank_volume,
    what_to_restore,
)

_LOGGER = logger("navien_nwp500.boost")

#: A boost for an amount of water ends when nothing has heated for so long: a lock-out and a start
#: take 6 minutes (PROTOCOL 9.1).
IDLE = timedelta(minutes=20)
#: Seconds of the heater's time between two polls, and between two tries to restore.
POLL, RETRY = 60.0, 30.0
#: Tries to restore: for about an hour; after a stop few, because service managers do not wait long.
TRIES, TRIES_AFTER_STOP = 120, 3
#: Real seconds between two looks at the file, and that a stop waits for the other program.
CHECK, STOP_LIMIT = 1.0, 120.0
_PASSING = (CommunicationError, DeviceOfflineError, CommandRejectedError)


class BoostClock(Protocol):
    """The heater's time."""

    def now(self) -> datetime:
        """Return the present time, with its zone."""

    def real_seconds(self, seconds: float) -> float:
        """Convert seconds of the heater's time to real seconds."""


class Booster:
    """The boosts of one heater; of all programs on this computer one runs at a time.

    ``on_start`` is called when the heater has confirmed the settings, ``on_end`` when they are
    restored, also after a cancellation.
    """

    def __init__(
        self,
        heater: NaviLinkDevice,
        file: BoostFile,
        clock: BoostClock,
        *,
        check: float = CHECK,
        on_start: Callable[[BoostPlan, DeviceStatus], None] = lambda plan, status: None,
        on_end: Callable[[BoostResult], None] = lambda result: None,
    ) -> None:
        self._heater = heater
        self._file = file
        self._clock = clock
        self._check = check
        self._on_start = on_start
        self._on_end = on_end
        self._volume: Volume | None = None

    async def plan(self, request: BoostRequest) -> BoostPlan:
        """Return what a boost would change; no command is sent.

        Raises as ``make_plan``, UnsupportedCommandError and ValueOutOfRangeError by the features of
        the heater, and as ``get_status``.
        """
        return (await self._plan(request))[0]

    async def run(self, request: BoostRequest) -> BoostResult:
        """Heat now, wait for the end, restore.

        A boost that an earlier run has left is restored first. Water that is already there ends the
        boost before any command. A cancellation restores at once, and is then raised. Raises as
        ``plan``, DeviceError while another boost of the heater runs, and DeviceOfflineError when the
        heater does not answer at the end: the file stays, so ``finish`` or ``stop`` can restore.
        """
        async with self._locked() as held:
            if not held:
                raise DeviceError(
                    f"{self._heater.name} is boosted already, by another program on this computer; "
                    "to end that: navien-nwp500 set boost stop"
                )
            left = await in_thread(self._file.read)
            if left is not None:
                await self._restore(left, None, TRIES_AFTER_STOP)
            plan, status = await self._plan(request)
            if has_water(plan, status, self._volume):
                result = BoostResult(plan, status, reached=True)
                self._on_end(result)
                return result
            return await self._until_end(plan, start=True)

    async def finish(self) -> BoostResult | None:
        """Continue a boost that an earlier run has left, and restore at its end.

        None when there is none, or another program runs it. Raises and is cancelled as ``run``.
        """
        async with self._locked() as held:
            plan = await in_thread(self._file.read) if held else None
            if plan is None:
                return None
            _LOGGER.warning(
                "a boost of %s was not finished; its settings are restored at %s",
                *(self._heater.name, f"{plan.end:%Y-%m-%d %H:%M}"),
            )
            return await self._until_end(plan)

    async def stop(self) -> BoostResult | None:
        """End the boost of this heater now, whichever program on this computer runs it.

        The program that runs it restores the settings; without one, this one does. None without a
        boost, and when the other program has restored. Raises DeviceError when it has not within two
        minutes, and as ``run``.
        """
        plan = await in_thread(self._file.read)
        if plan is None:
            return None
        ended = replace(plan, end=self._clock.now())
        await in_thread(partial(self._file.write, ended))
        limit = time.monotonic() + STOP_LIMIT
        while time.monotonic() < limit:
            async with self._locked() as held:
                if held:
                    left = await in_thread(self._file.read)
                    if left is None:
                        return None
                    return await self._restore(left, None, TRIES_AFTER_STOP)
            await asyncio.sleep(self._check / 4)
        raise DeviceError(
            f"the program that boosts {self._heater.name} has not restored the settings within "
            f"{STOP_LIMIT:.0f} s; end it, then run this command again"
        )

    # Parts

    @asynccontextmanager
    async def _locked(self) -> AsyncIterator[bool]:
        """Take the lock of the heater's boost; False while another program has it."""
        path = self._file.lock_path
        release = partial(release_lock, path=path)
        descriptor = await in_thread(partial(open_locked, path), undo=release)
        try:
            yield descriptor is not None
        finally:
            release(descriptor)

    async def _plan(self, request: BoostRequest) -> tuple[BoostPlan, DeviceStatus]:
        features = await self._heater.get_features()
        self._volume = tank_volume(features)
        status = await self._heater.get_status()
        plan = make_plan(request, status, features, self._clock.now())
        if not has_water(plan, status, self._volume):
            # The limits are checked before the first command, not between two.
            await self._apply(plan.boosted, dry_run=True)
        return plan, status

    async def _until_end(self, plan: BoostPlan, *, start: bool = False) -> BoostResult:
        """Start, if asked to, wait for the end and restore; after an error restore at once."""
        reached, ended = None, False
        try:
            if start:
                await in_thread(partial(self._file.write, plan))
                await self._start(plan)
            reached, ended = await self._wait(plan), True
        finally:
            result = await self._restore(plan, reached, TRIES if ended else TRIES_AFTER_STOP)
        return result

    async def _start(self, plan: BoostPlan) -> None:
        """Write the settings of the boost."""
        status = self._heater.last_status
        if plan.boosted.tou is not None:
            status = await self._heater.set_tou(plan.boosted.tou)
            mode, old = status.dhw_operation_setting, plan.before.mode
            if mode is not None and mode != old:
                # A mode that the window had deferred: it is what the owner wants at its end.
                wanted = replace(plan.boosted, mode=plan.boosted.mode or old)
                plan = replace(plan, before=replace(plan.before, mode=mode), boosted=wanted)
                await in_thread(partial(self._file.write, plan))
        status = await self._apply(replace(plan.boosted, tou=None)) or status
        if status is not None:
            self._on_start(plan, status)

    async def _wait(self, plan: BoostPlan) -> bool | None:
        """Wait for the end; returns whether the water is there."""
        watch = asyncio.get_running_loop().create_task(self._watch(plan), name="boost-watch")
        try:
            while True:
                present = await in_thread(self._file.read)
                if present is None or self._clock.now() >= present.end:
                    return None if plan.litres is None else False
                done, _ = await asyncio.wait({watch}, timeout=self._check)
                if done:
                    return watch.result()
        finally:
            await cancel_and_wait(watch)
            if not watch.cancelled():
                watch.exception()  # retrieved, so that asyncio does not report it

    async def _watch(self, plan: BoostPlan) -> bool:
        """Poll until the water is there, or nothing heats any more; without litres for ever."""
        idle_since: datetime | None = None
        statuses = self._heater.watch(self._clock.real_seconds(POLL))
        try:
            async for status in statuses:
                if has_water(plan, status, self._volume):
                    return True
                now = self._clock.now()
                if plan.litres is None or status.activity is not Activity.STANDBY:
                    idle_since = None
                elif idle_since is None:
                    idle_since = now
                elif now - idle_since >= IDLE:
                    return False
        finally:
            await statuses.aclose()
        raise AssertionError("a watch does not end by itself")

    async def _restore(self, plan: BoostPlan, reached: bool | None, tries: int) -> BoostResult:
        """Restore what the boost has changed; a heater that does not answer is tried again."""
        saved: BoostPlan | None = await in_thread(self._file.read)
        plan = saved or plan
        pause = self._clock.real_seconds(RETRY) if tries == TRIES else self._check
        restored, kept = BoostSettings(), BoostSettings()
        try:
            for left in range(tries - 1, -1, -1):
                try:
                    status = await self._heater.get_status()
                    missing, kept = what_to_restore(plan, status)
                    restored = restored.with_others(missing)
                    status = await self._apply(missing) or status
                    break
                except _PASSING as error:
                    if not left:
                        raise
                    _LOGGER.warning("the settings before the boost are not restored yet: %s", error)
                    await asyncio.sleep(pause)
        except BaseException:
            _LOGGER.error(
                "%s still has the settings of the boost. To restore them: navien-nwp500 set boost "
                "stop; monitor does it too",
                self._heater.name,
            )
            raise
        await in_thread(self._file.delete)
        result = BoostResult(plan, status, restored, kept, reached)
        self._on_end(result)
        return result

    async def _apply(self, settings: BoostSettings, dry_run: bool = False) -> DeviceStatus | None:
        """Write settings, and return the last status that confirms one.

        Time of use comes first, as the others depend on it. A setpoint that is raised in mode 3 may
        start the element (PROTOCOL 14.3), so mode 1 comes before the setpoint, other modes after it.
        """
        heater, status = self._heater, None
        if settings.tou is not None:
            status = await heater.set_tou(settings.tou, dry_run=dry_run)
        mode, raw = settings.mode, settings.temperature
        if mode == DHWMode.HEAT_PUMP:
            status = await heater.set_dhw_mode(mode, dry_run=dry_run)
        if raw is not None:
            status = await heater.control(commands.TEMPERATURE, dry_run=dry_run, temperature=raw)
        if mode is not None and mode != DHWMode.HEAT_PUMP:
            status = await heater.set_dhw_mode(mode, dry_run=dry_run)
        return status
