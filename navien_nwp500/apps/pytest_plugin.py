"""A test kit for integrations: fixtures with a simulated cloud, its heater and a client. ::

    @pytest.mark.navilink(speed=600, heaters=2)
    async def test_mine(navilink_cloud, navilink_client):
        navilink_cloud.faults.inject(CutConnections())

pytest loads it wherever the package is installed: nothing of the simulator is loaded before a
fixture is used. The fixtures are coroutines of pytest-asyncio, in its strict and its auto mode.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, Mapping

import pytest

if TYPE_CHECKING:
    from ..client import NaviLinkClient
    from ..config import NaviLinkConfig
    from ..simulator import Heater, Simulator

_MARKER = (
    "navilink(**settings): what the simulated cloud is like, as navien_nwp500's Simulator takes it"
)
#: Ten minutes of the heater's time a second: it answers at once, and a tank heats in a minute.
_SPEED = 600.0
#: A minute of the heater's time at that speed; it refuses hurried commands.
_COMMAND_INTERVAL = 0.1


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)


def _coroutine_fixture(function: Callable[..., Any]) -> Any:
    """A fixture of pytest-asyncio; where that is not installed, one that says so."""
    try:
        from pytest_asyncio import fixture
    except ModuleNotFoundError:

        def missing() -> None:
            pytest.fail(f"{function.__name__} needs: pip install pytest-asyncio", pytrace=False)

        return pytest.fixture(missing, name=function.__name__)
    return fixture(function)


@pytest.fixture
def navilink_settings(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """What the simulated cloud is like: the markers' settings, the nearest first."""
    settings: dict[str, Any] = {"speed": _SPEED}
    for marker in reversed(list(request.node.iter_markers("navilink"))):
        if marker.args:
            pytest.fail("the navilink marker takes settings by name: speed=600", pytrace=False)
        settings.update(marker.kwargs)
    return settings


@_coroutine_fixture
async def navilink_cloud(navilink_settings: Mapping[str, Any]) -> AsyncIterator[Simulator]:
    """A simulated NaviLink cloud with its heaters: ``faults``, ``clock``, ``advance``, ``config``."""
    try:
        from ..simulator import Simulator
    except ModuleNotFoundError as error:
        pytest.fail(str(error), pytrace=False)
    async with Simulator(**navilink_settings) as cloud:
        yield cloud


@pytest.fixture
def navilink_heater(navilink_cloud: Simulator) -> Heater:
    """The first simulated heater itself: ``draw``, ``set_error_code``, ``status``."""
    from ..simulator import Heater

    heater = navilink_cloud.units[0].heater
    assert isinstance(heater, Heater)  # it is a recording only where one was asked for
    return heater


@pytest.fixture
def navilink_config(navilink_cloud: Simulator) -> NaviLinkConfig:
    """What a client of the simulated cloud needs; override it to change the client."""
    from dataclasses import replace

    return replace(navilink_cloud.config, command_interval=_COMMAND_INTERVAL)


@_coroutine_fixture
async def navilink_client(navilink_config: NaviLinkConfig) -> AsyncIterator[NaviLinkClient]:
    """A client of the simulated cloud, closed at the end of the test."""
    from ..client import NaviLinkClient

    async with NaviLinkClient(navilink_config) as client:
        yield client
