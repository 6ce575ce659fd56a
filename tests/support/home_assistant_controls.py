"""Home Assistant with a simulated heater that has all that can be set."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import Any, AsyncIterator

from navien_nwp500 import DHWMode
from navien_nwp500.simulator import Heater, Simulator

from .home_assistant import MAC, HomeAssistant, bridging, home_assistant
from .mqtt_brokers import BuiltIn
from .reliability_tools import wait_until


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
        """Publish a value and wait until it is done, and the control shows it."""
        before = len(self.home.received)
        await self.send(key, payload)
        await wait_until(lambda: self._is_done(before))
        await self.shows(**{key: payload})

    def _is_done(self, since: int) -> bool:
        texts = [text for topic, text in self.home.received[since:] if topic.endswith("/command")]
        return any(json.loads(text).get("result") == "done" for text in texts)

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
