"""Run commands in this process, against a simulator in another thread.

A process per command would cost half a second each; ``support.cli`` starts real ones.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Coroutine, TypeVar

import pytest

from navien_nwp500.protocol.schedules import Reservation, ReservationProgram
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.faults import RestFault

T = TypeVar("T")
#: Run a command and return its exit code, stdout and stderr; or its stdout.
Invoke = Callable[[str], "tuple[int, str, str]"]
Output = Callable[[str], str]

START = datetime(2026, 3, 12, 8, 0, tzinfo=timezone(timedelta(hours=-5)))


class BackgroundSimulator:
    """A simulator in its own thread, so that commands can run their event loop in this one."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulator")

    def __enter__(self) -> BackgroundSimulator:
        self._thread.start()
        self.sim = self._run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self.sim.__aexit__(None, None, None))
        self._run(_end_remaining_tasks())
        self._run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    async def _start(self) -> Simulator:
        return await Simulator(**self._options).__aenter__()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    @property
    def reservations(self) -> tuple[Reservation, ...]:
        """The reservations stored in the heater."""
        return self.sim.units[0].heater.settings.reservations.entries

    def inject(self, fault: RestFault | None) -> None:
        """Give this response to every REST call; None: the true ones."""

        async def inject() -> None:
            self.sim.faults.rest.clear()
            if fault is not None:
                self.sim.faults.inject(fault)

        self._run(inject())

    def write_reservations(self, *reservations: Reservation, heater: int = 0) -> None:
        """Store reservations in the heater, without the cloud."""
        program = ReservationProgram(bool(reservations), reservations)

        async def write() -> None:
            self.sim.units[heater].heater.write_reservations(program)

        self._run(write())


async def _end_remaining_tasks() -> None:
    """Cancel what asyncio still does by itself, as ``asyncio.run`` does at its end.

    That is a TLS handshake which a command left when it ended early.
    """
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def exit_code(program: Callable[[], object]) -> int:
    """Run a program in a thread of its own, with its own event loop, and return its exit code."""

    def run() -> int:
        with pytest.raises(SystemExit) as end:
            program()
        assert isinstance(end.value.code, int)
        return end.value.code

    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(run).result()
