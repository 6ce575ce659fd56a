"""What several tests stand on: a simulated cloud of their own, and a client of it."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import os
import shutil
import signal
from pathlib import Path
from typing import Any, AsyncIterator, Callable, Iterator, Mapping

import pytest

from navien_nwp500 import NaviLinkClient
from navien_nwp500.simulator import Simulator
from support.transports import Way, WayedSimulator

#: Also where the package is not installed, and with it its entry point.
pytest_plugins = ["navien_nwp500.apps.pytest_plugin"]


def pytest_configure() -> None:
    """Have no loop before the first: asked for one, Python 3.9 makes it, and nobody closes it."""
    asyncio.set_event_loop(None)


@pytest.fixture(scope="session", autouse=True)
def sigint_not_ignored() -> Iterator[None]:
    """Let programs be interrupted: they inherit that a shell's ``make test &`` ignores SIGINT."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def pytest_collection_finish() -> None:
    """Spare each look for garbage the thousands of tests: some tests ask for many."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def plain_environment() -> Iterator[None]:
    """Leave out an account, proxies, and what the terminal is like: programs inherit them."""
    terminal = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}
    with pytest.MonkeyPatch.context() as patch:
        for name in [*os.environ]:
            if name in terminal or name.startswith("NAVILINK_") or name.lower().endswith("_proxy"):
                patch.delenv(name)
        yield


@pytest.fixture(autouse=True)
def library_log() -> Iterator[None]:
    """The command line sets up the library's log for its process; here each test has its own."""
    log = logging.getLogger("navien_nwp500")
    handlers, level = log.handlers[:], log.level
    yield
    log.handlers[:] = handlers
    log.setLevel(level)
    for name, part in logging.root.manager.loggerDict.items():
        if name.startswith("navien_nwp500.") and isinstance(part, logging.Logger):
            part.setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Names for folders that are not there yet: each look gives another."""
    base = tmp_path_factory.mktemp("elsewhere")
    return (base / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def empty_folders(monkeypatch: pytest.MonkeyPatch, elsewhere: Iterator[Path]) -> None:
    """The command line keeps sessions and the account: each test, and its programs, begins without."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(next(elsewhere)))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(next(elsewhere)))
    # Containers set it often, people never: with it a program that forgets to flush passes.
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.fixture(scope="session")
def find_program() -> Callable[..., str]:
    """Find a program by one of its names; without it the test skips, and fails where CI=true."""

    def found(*names: str) -> str:
        path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))
        for name in names:
            if program := shutil.which(name, path=path):
                return program
        missing = f"{names[0]} is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)

    return found


@pytest.fixture
def way() -> Way:
    """How clients come to the broker; ``ways.each_way`` instead runs a test over all of them."""
    return "awscrt-mqtt3"


@pytest.fixture
async def sim(way: Way, navilink_settings: Mapping[str, Any]) -> AsyncIterator[Simulator]:
    """A cloud with one heater, ten minutes of its time a second; the test kit's, come to that way."""
    async with WayedSimulator(way, **navilink_settings) as simulator:
        yield simulator


@pytest.fixture
def navilink_cloud(sim: Simulator) -> Simulator:
    return sim


@pytest.fixture
def client(navilink_client: NaviLinkClient) -> NaviLinkClient:
    return navilink_client
