"""Brokers that the simulators of one test process use in turn: starting one costs more than a test.

Only the broker is shared, and only one simulator has it at a time; accounts, heaters, certificates
and everything before the broker are each simulator's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import Future
from typing import AsyncIterator, Iterator

from navien_nwp500.simulator.broker import BrokerPorts, in_thread, running_broker


class BrokerPool:
    """Lend running brokers; the one that makes the pool ends them with ``stack``."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._idle: list[BrokerPorts] = []

    @contextlib.asynccontextmanager
    async def running_broker(self) -> AsyncIterator[BrokerPorts]:
        """Give the ports of a broker that nobody else uses meanwhile."""
        ports = self._idle.pop() if self._idle else await in_thread(self._start)
        try:
            yield ports
        finally:
            self._idle.append(ports)

    def _start(self) -> BrokerPorts:
        return self._stack.enter_context(_broker_in_thread())


@contextlib.contextmanager
def _broker_in_thread() -> Iterator[BrokerPorts]:
    """Run a broker in a loop of its own: the tests' loops end with each test."""
    started: Future[BrokerPorts] = Future()
    end = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(started, end)), daemon=True)
    thread.start()
    try:
        yield started.result()
    finally:
        end.set()
        thread.join()


async def _serve(started: Future[BrokerPorts], end: threading.Event) -> None:
    try:
        async with running_broker() as ports:
            started.set_result(ports)
            await asyncio.get_running_loop().run_in_executor(None, end.wait)
    except OSError as error:
        started.set_exception(error)
