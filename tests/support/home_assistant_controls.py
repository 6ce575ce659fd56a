"""Home Assistant with a simulated heater that has all that can be set."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Any, AsyncIterator

from navien_nwp500 import DHWMode
from navien_nwp500.simulator import Heater, Simulator

from .home_assistant import MAC, HomeAssistant, bridging, home_assistant
from .mqtt_brokers import BuiltIn


class Installation:
    """Home Assistant and the heater that it controls."""

    def __init__(self, home: HomeAssistant, heater: Any) -> None:
        self.home = home
        self.heater: Heater = heater

    async def send(self, key: str, payload: str) -> None:
        """Publish on the command topic of a control."""
        topic = self.home.display.component(key)["command_topic"]
        assert topic == f"navien_nwp500/{MAC}/{key}/set"
        await self.home.publish(topic, payload)

    async def shows(self, **expected: str) -> None:
        """Wait until the controls show these values."""
        for key, value in expected.items():
            await self.home.until(lambda one: one.shown(key) == value)

    async def set(self, key: str, payload: str) -> None:
        """Publish a value and wait until the control shows it."""
        await self.send(key, payload)
        await self.shows(**{key: payload})

    @property
    def mode(self) -> DHWMode:
        """Mode of the heater."""
        return self.heater.settings.mode


@asynccontextmanager
async def installation(**settings: Any) -> AsyncIterator[Installation]:
    broker = BuiltIn()
    await broker.start()
    try:
        async with Simulator(speed=600, recirculation=True) as sim, home_assistant(broker) as home:
            async with bridging(sim, broker, **settings):
                await home.until(lambda one: one.available)
                yield Installation(home, sim.units[0].heater)
    finally:
        await broker.stop()
