"""Run commands in this process, against a simulator in another thread.

A process per command would cost half a second each; ``support.cli`` starts real ones.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any, Callable

import pytest

from navien_nwp500.protocol.schedules import Reservation, ReservationProgram
from navien_nwp500.simulator import Simulator

#: Run a command and return its exit code, stdout and stderr; or its stdout.
Invoke = Callable[[str], "tuple[int, str, str]"]
Output = Callable[[str], str]

START = datetime(2026, 3, 12, 8, 0, tzinfo=timezone(timedelta(hours=-5)))


class BackgroundSimulator:
    """A simulator in its own thread, so that commands can run their event loop in this one."""

    def __init__(self, **options: Any) -> None:
        self._ready: Future[tuple[Simulator, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(options)), name="simulator"
        )

    def __enter__(self) -> BackgroundSimulator:
        self._thread.start()
        self.sim, self._loop, self._stop = self._ready.result(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)

    async def _serve(self, options: dict[str, Any]) -> None:
        try:
            async with Simulator(**options) as simulator:
                stop = asyncio.Event()
                self._ready.set_result((simulator, asyncio.get_running_loop(), stop))
                await stop.wait()
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    @property
    def reservations(self) -> tuple[Reservation, ...]:
        """The reservations stored in the heater."""
        return self.sim.units[0].heater.settings.reservations.entries

    def write_reservations(self, *reservations: Reservation) -> None:
        """Store reservations in the heater, without the cloud."""
        written: Future[None] = Future()

        def write() -> None:
            program = ReservationProgram(bool(reservations), reservations)
            self.sim.units[0].heater.write_reservations(program)
            written.set_result(None)

        self._loop.call_soon_threadsafe(write)
        written.result(10)


def exit_code(program: Callable[[], object]) -> int:
    """Run a program in a thread of its own, with its own event loop, and return its exit code."""

    def run() -> int:
        with pytest.raises(SystemExit) as end:
            program()
        assert isinstance(end.value.code, int)
        return end.value.code

    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(run).result()
