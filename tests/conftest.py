"""What several tests stand on: a simulated cloud of their own, and a client of it."""

from __future__ import annotations

import logging
from typing import AsyncIterator, Iterator

import pytest
from ways import Way, WayedSimulator

from navien_nwp500 import NaviLinkClient
from navien_nwp500.simulator import Simulator


@pytest.fixture(autouse=True)
def library_log() -> Iterator[None]:
    """The command line sets up the library's log for its process; here each test has its own."""
    log = logging.getLogger("navien_nwp500")
    handlers, level = log.handlers[:], log.level
    yield
    log.handlers[:] = handlers
    log.setLevel(level)


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The command line keeps sessions in the user's cache: each test, and its programs, has one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def way() -> Way:
    """How clients come to the broker; ``ways.each_way`` instead runs a test over all of them."""
    return "awscrt-mqtt3"


@pytest.fixture
async def sim(way: Way) -> AsyncIterator[Simulator]:
    """A cloud with one heater, ten minutes of its time a second."""
    async with WayedSimulator(way, speed=600) as simulator:
        yield simulator


@pytest.fixture
async def client(sim: Simulator) -> AsyncIterator[NaviLinkClient]:
    async with NaviLinkClient(sim.config) as found:
        yield found
