"""Fixtures of all tests: a simulated cloud, a client of it, and a clean environment."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import os
import shutil
import signal
from pathlib import Path
from typing import Any, AsyncIterator, Callable, Generator, Iterator, Mapping

import pytest
from hypothesis import given, settings
from hypothesis.strategies import none

from navien_nwp500 import NaviLinkClient
from navien_nwp500.simulator import Simulator
from support.transports import TransportSimulator

NOT_INSTALLED = " is not installed"
#: The entry point exists only where the package is installed.
pytest_plugins = ["navien_nwp500.apps.pytest_plugin"]


def pytest_configure() -> None:
    """Let nothing depend on the machine: neither its speed, nor what an earlier run found.

    No event loop is set, because ``get_event_loop`` of Python 3.9 would create one that is never closed.
    """
    asyncio.set_event_loop(None)
    settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
    settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def sigint_not_ignored() -> Iterator[None]:
    """Handle SIGINT: a shell ignores it for ``make test &``, and child processes inherit that."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def pytest_collection_finish() -> None:
    """Exclude the collected tests from garbage collection, which some tests run often.

    Hypothesis runs once before that, because it registers its random generator at the first run and
    warns when garbage collection sees nothing that holds it.
    """
    given(none())(lambda _: None)()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def plain_environment() -> Iterator[None]:
    """Remove account, proxies and terminal settings from the environment; programs inherit it."""
    terminal = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}
    with pytest.MonkeyPatch.context() as patch:
        for name in [*os.environ]:
            if (
                name in terminal
                or name.startswith(("NAVILINK_", "OPENEI_"))
                or name.lower().endswith("_proxy")
            ):
                patch.delenv(name)
        yield


@pytest.fixture(autouse=True)
def library_log() -> Iterator[None]:
    """Restore the library's log, which the command line configures for the whole process."""
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
    """Yield paths of folders that do not exist, another each time."""
    base = tmp_path_factory.mktemp("elsewhere")
    return (base / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def empty_folders(monkeypatch: pytest.MonkeyPatch, elsewhere: Iterator[Path]) -> None:
    """Start each test and its programs without saved sessions, accounts and histories."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(next(elsewhere)))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(next(elsewhere)))
    monkeypatch.setenv("XDG_DATA_HOME", str(next(elsewhere)))
    # Containers often set it, users do not; with it a program that forgets to flush passes.
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, None]:
    """Report the tests that lack a program in one line for each program."""
    report = (yield).get_result()
    if report.skipped and NOT_INSTALLED in str(report.longrepr):
        report.longrepr = (__file__, 0, report.longrepr[2])


@pytest.fixture(scope="session")
def find_program() -> Callable[..., str]:
    """Return a function that finds a program by one of its names.

    A missing program skips the test, and fails it where CI=true.
    """

    def found(*names: str) -> str:
        # Debian keeps the programs of the PostgreSQL server in a folder of each version.
        servers = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")))
        path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", *servers))
        for name in names:
            if program := shutil.which(name, path=path):
                return program
        missing = f"{names[0]}{NOT_INSTALLED}"
        if os.environ.get("CI") == "true":
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)

    return found


@pytest.fixture(scope="session")
def postgres(find_program: Callable[..., str]) -> Iterator[Any]:
    """A PostgreSQL server, which takes a second to make: tests have a database of it each."""
    initdb = find_program("initdb")
    from support.postgres import running_server  # not on Windows

    with running_server(initdb) as server:
        yield server


@pytest.fixture
def transport() -> str:
    """Transport of the clients; ``each_transport`` instead runs a test over all of them."""
    return "awscrt-mqtt3"


@pytest.fixture
async def sim(transport: str, navilink_settings: Mapping[str, Any]) -> AsyncIterator[Simulator]:
    """Cloud with one heater at 600 times real time, as in the pytest plugin, for that transport."""
    async with TransportSimulator(transport, **navilink_settings) as simulator:
        yield simulator


@pytest.fixture
def navilink_cloud(sim: Simulator) -> Simulator:
    return sim


@pytest.fixture
def client(navilink_client: NaviLinkClient) -> NaviLinkClient:
    return navilink_client
