"""Fixtures for the tests of other projects: a simulated cloud, its heater and a client.

::

    @pytest.mark.navilink(speed=600, heaters=2)
    async def test_mine(navilink_cloud, navilink_client):
        navilink_cloud.faults.inject(CutConnections())

pytest loads this plugin wherever the package is installed, so it imports the simulator only when a
fixture is used. The fixtures are coroutines of pytest-asyncio, in its strict and its auto mode.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, Mapping

import pytest

if TYPE_CHECKING:
    from ..client import NaviLinkClient
    from ..config import NaviLinkConfig
    from ..simulator import Heater, Simulator

_MARKER = "navilink(**settings): settings of the simulated cloud, the parameters of Simulator"
#: Ten minutes of the heater's time in a second: it responds at once and heats in a minute.
_SPEED = 600.0
#: Real seconds, a minute of the heater's time at that speed: it rejects earlier commands.
_COMMAND_INTERVAL = 0.1


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)


def _coroutine_fixture(function: Callable[..., Any]) -> Any:
    """Make a fixture of pytest-asyncio, or without that package a fixture that fails."""
    try:
        from pytest_asyncio import fixture
    except ModuleNotFoundError:

        def missing() -> None:
            pytest.fail(f"{function.__name__} needs: pip install pytest-asyncio", pytrace=False)

        return pytest.fixture(missing, name=function.__name__)
    return fixture(function)


@pytest.fixture
def navilink_settings(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """Return the settings of the simulated cloud; the nearest marker wins."""
    settings: dict[str, Any] = {"speed": _SPEED}
    for marker in reversed(list(request.node.iter_markers("navilink"))):
        if marker.args:
            pytest.fail("the navilink marker needs settings by name: speed=600", pytrace=False)
        settings.update(marker.kwargs)
    return settings


@_coroutine_fixture
async def navilink_cloud(navilink_settings: Mapping[str, Any]) -> AsyncIterator[Simulator]:
    """Run a simulated NaviLink cloud: see ``faults``, ``clock``, ``advance``, ``config``."""
    try:
        from ..simulator import Simulator
    except ModuleNotFoundError as error:
        pytest.fail(str(error), pytrace=False)
    async with Simulator(**navilink_settings) as cloud:
        yield cloud


@pytest.fixture
def navilink_heater(navilink_cloud: Simulator) -> Heater:
    """Return the first simulated heater: ``draw``, ``set_error_code``, ``status``."""
    from ..simulator import Heater

    heater = navilink_cloud.units[0].heater
    assert isinstance(heater, Heater)  # only the setting replay makes it another class
    return heater


@pytest.fixture
def navilink_config(navilink_cloud: Simulator) -> NaviLinkConfig:
    """Return the client's configuration; override this fixture to change it."""
    from dataclasses import replace

    return replace(
        navilink_cloud.config,
        command_interval=_COMMAND_INTERVAL,
        control_recheck_delay=_COMMAND_INTERVAL,
        list_recheck_interval=_COMMAND_INTERVAL,
    )


@_coroutine_fixture
async def navilink_client(navilink_config: NaviLinkConfig) -> AsyncIterator[NaviLinkClient]:
    """Run a client of the simulated cloud, closed at the end of the test."""
    from ..client import NaviLinkClient

    async with NaviLinkClient(navilink_config) as client:
        yield client
