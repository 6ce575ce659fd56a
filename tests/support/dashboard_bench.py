"""A dashboard of simulated heaters in another thread, so that a test can drive a browser.

The heaters' clock stands still: what is shown depends on no date and no machine.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Callable, Coroutine, TypeVar
from zoneinfo import ZoneInfo

from navien_nwp500 import NaviLinkClient
from navien_nwp500._util.aio import run_until_first
from navien_nwp500.apps.dashboard.access import AccessFolder
from navien_nwp500.apps.dashboard.api import DashboardSettings
from navien_nwp500.apps.dashboard.request_checks import PublicPlace
from navien_nwp500.apps.dashboard.watched_heater import PollTimes
from navien_nwp500.apps.dashboard.web_server import listen_on, open_dashboard
from navien_nwp500.config import ReconnectConfig
from navien_nwp500.history.database import Database
from navien_nwp500.history.store import HistoryStore, Reading, ReadingSource
from navien_nwp500.protocol.status import DeviceStatus
from navien_nwp500.simulator import Heater, Simulator
from navien_nwp500.simulator.simulator import FIRST_MAC

T = TypeVar("T")

MAC = f"{FIRST_MAC:012x}"
ZONE = ZoneInfo("America/New_York")
#: The present: Thursday morning.
NOW = datetime(2026, 3, 12, 8, 0, tzinfo=ZONE)
#: The day before is in the history, with a gap.
DAY = datetime(2026, 3, 11, tzinfo=ZONE)
GAP = (DAY + timedelta(hours=13), DAY + timedelta(hours=16))
POLL = timedelta(minutes=5)
#: Real seconds for what takes a moment, on a busy machine.
LIMIT = 60.0


@lru_cache(maxsize=None)
def recorded_day() -> tuple[tuple[datetime, DeviceStatus], ...]:
    """Return the statuses of the day before, and of this morning; none in the gap."""
    heater = Heater(now=DAY, seed=7)
    found: list[tuple[datetime, DeviceStatus]] = []
    while heater.now < NOW:
        if not GAP[0] <= heater.now < GAP[1]:
            found.append((heater.now, heater.status()))
        heater.advance(POLL.total_seconds())
    return tuple(found)


def write_history(path: Path) -> None:
    """Write the history of the first simulated heater: the recorded day."""
    with Database(path) as database:
        store = HistoryStore(database)
        stored = store.ensure_heater(MAC, name="NWP500", zone=ZONE.key)
        readings = [Reading.of(status, when) for when, status in recorded_day()]
        store.add(stored, readings, ReadingSource.LIVE)


class DashboardBench:
    """A simulated cloud with a dashboard, which can be stopped and started again.

    ``folder`` holds history and sessions. ``answer_timeout``: seconds that a heater has to answer.
    ``settings`` are those of the dashboard.
    """

    def __init__(
        self, folder: Path, *, heaters: int = 1, answer_timeout: float = 10.0, **settings: Any
    ) -> None:
        self.folder = folder
        self.port = 0
        self._answer_timeout = answer_timeout
        self.access = AccessFolder(folder / "access", settings.get("password_hash") or "")
        self._settings = DashboardSettings(PublicPlace.direct((), loopback=True), **settings)
        self._sim = Simulator(
            start=NOW, frozen=True, speed=600, control_interval=0, heaters=heaters
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="dashboard")
        self._stop: asyncio.Event | None = None
        self._dashboard: Any = None
        self._served: Any = None

    def __enter__(self) -> DashboardBench:
        self._thread.start()
        self.call(self._sim.__aenter__)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.call(self._sim.__aexit__, None, None, None)
        self.call(self._loop.shutdown_default_executor)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT)
        self._loop.close()

    def call(self, function: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
        """Run a coroutine function where the simulator runs."""
        coroutine = function(*arguments)
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(LIMIT)

    def do(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function where the simulator runs."""

        async def run() -> T:
            return function(*arguments)

        return self.call(run)

    @property
    def faults(self) -> Any:
        """The faults of the simulated cloud: use ``do`` to inject."""
        return self._sim.faults

    def heater(self, number: int = 0) -> Heater:
        """Return a simulated heater: use ``do`` to change it."""
        heater = self._sim.units[number].heater
        assert isinstance(heater, Heater)
        return heater

    def refresh(self, number: int = 0) -> None:
        """Request a status of a heater, as a poll does."""
        self.call(self._dashboard.heaters[number].heater.get_status)

    def advance(self, **time: float) -> None:
        """Let the heaters' time pass: days, hours, minutes."""
        self.call(partial(self._sim.advance, **time))

    @property
    def address(self) -> str:
        """Address of the page."""
        return f"http://127.0.0.1:{self.port}/"

    def new_address(self, view: str = "") -> str:
        """Return the address of the page with a new token to sign in."""
        return f"{self.address}#token={self.access.new_token()}{view}"

    def start(self) -> None:
        """Serve the dashboard, at the port that it had before."""
        started: asyncio.Future[None] = self.call(self._future)
        self._served = asyncio.run_coroutine_threadsafe(self._serve(started), self._loop)
        self.call(self._first_of, started)

    def stop(self) -> None:
        """End the dashboard, as Ctrl-C does."""
        if self._served is not None:
            assert self._stop is not None
            self.do(self._stop.set)
            self._served.result(LIMIT)
            self._served = None

    async def _future(self) -> Any:
        return asyncio.get_running_loop().create_future()

    async def _first_of(self, started: asyncio.Future[None]) -> None:
        serving = asyncio.wrap_future(self._served)
        await asyncio.wait({serving, started}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()

    async def _serve(self, started: asyncio.Future[None]) -> None:
        self._stop = asyncio.Event()
        quick = ReconnectConfig(max_retries=None, initial_delay=0.1, max_delay=0.5)
        config = replace(
            self._sim.config,
            answer_timeout=self._answer_timeout,
            command_interval=0.0,
            control_recheck_delay=0.1,
            refusal_pause=0.1,
            reconnect=quick,
        )
        async with NaviLinkClient(config) as client:
            devices = await client.get_devices()
            listening = listen_on("127.0.0.1", self.port)
            self.port = listening.getsockname()[1]
            async with open_dashboard(
                devices,
                listening,
                database=str(self.folder / "history.db"),
                access=self.access,
                settings=self._settings,
                times=PollTimes(300.0, 300.0, self._sim.clock.now, quick),
                zone=ZONE,
            ) as dashboard:
                self._dashboard = dashboard
                started.set_result(None)
                await run_until_first(dashboard.run(), self._stop.wait())
