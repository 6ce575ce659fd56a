"""Home Assistant's side of a broker, for tests of the bridge."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import Any, AsyncIterator, Callable, Collection

import aiomqtt

from navien_nwp500 import NaviLinkClient
from navien_nwp500._util.aio import cancel_and_wait
from navien_nwp500.apps.bridges.entities import MODE_NAMES, words
from navien_nwp500.apps.bridges.follower import Follower
from navien_nwp500.apps.bridges.home_assistant import Broker, MqttBridge, Presentation
from navien_nwp500.simulator import Simulator

from .cli import LIMIT
from .home_assistant_schema import Display
from .mqtt_brokers import AnyBroker
from .reliability_tools import FAST_RECONNECT, fast_config, wait_until

MAC = "0123456789ab"
STATE, AVAILABILITY = f"navien_nwp500/{MAC}/state", f"navien_nwp500/{MAC}/availability"
BRIDGE = "navien_nwp500/bridge/bridge/availability"
CONFIG = f"homeassistant/device/navien_nwp500_{MAC}/config"


class HomeAssistant:
    """Subscriber of all topics, which can also publish."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self.retained: dict[str, str] = {}
        self.received: list[tuple[str, str]] = []
        self._client = client
        self._task = asyncio.ensure_future(self._listen())

    async def stop(self) -> None:
        await cancel_and_wait(self._task)

    async def publish(self, topic: str, text: str, retain: bool = False) -> None:
        await self._client.publish(topic, text, qos=1, retain=retain)

    async def until(self, condition: Callable[[Display], bool]) -> Display:
        """Wait until the condition holds for the display."""
        await wait_until(lambda: CONFIG in self.retained and STATE in self.retained)
        await wait_until(lambda: condition(self.display))
        return self.display

    async def until_water_heater(self, attribute: str, value: str) -> None:
        """Wait until the water heater shows a value of temperature or mode that the heater has."""
        template = f"{attribute}_state_template"

        def confirmed(display: Display) -> bool:
            if display.shown("water_heater", template) != value:
                return False
            if attribute == "mode":
                names = {words(mode): name for mode, name in MODE_NAMES.items()}
                return names[display.values["dhw_operation_setting"]] == value
            celsius = display.values["dhw_temperature_setting"]
            return float(value) in (celsius, round(celsius * 9 / 5 + 32))

        await self.until(confirmed)

    @property
    def bridge_topic(self) -> str:
        """Availability topic of the bridge that published the heater."""
        return str(json.loads(self.retained[CONFIG])["availability"][0]["topic"])

    @property
    def display(self) -> Display:
        return Display(json.loads(self.retained[CONFIG]), self.retained)

    async def _listen(self) -> None:
        async for message in self._client.messages:
            assert isinstance(message.payload, bytes)
            topic, text = str(message.topic), message.payload.decode()
            self.retained[topic] = text
            self.received.append((topic, text))


@asynccontextmanager
async def home_assistant(broker: AnyBroker) -> AsyncIterator[HomeAssistant]:
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.subscribe("#", qos=1)
        found = HomeAssistant(client)
        try:
            yield found
        finally:
            await found.stop()


@asynccontextmanager
async def bridging(
    sim: Simulator,
    broker: AnyBroker,
    interval: float = 0.2,
    answer_timeout: float = LIMIT,
    presentation: Presentation = Presentation(),
    account_macs: Collection[str] | None = None,
    **settings: Any,
) -> AsyncIterator[asyncio.Task[None]]:
    config = fast_config(sim, answer_timeout=answer_timeout, **settings)
    options: Any = {
        "answer_timeout": answer_timeout,
        "energy_interval": 0.5,
        "with_schedules": True,
    }
    async with NaviLinkClient(config) as client:
        followers = [
            Follower(heater, interval, reconnect=FAST_RECONNECT, **options)
            for heater in await client.get_devices()
        ]
        address, control = Broker("127.0.0.1", broker.port), not config.read_only
        bridge = MqttBridge(
            *(address, followers, presentation._replace(control=control)),
            account_macs=account_macs,
            reconnect=FAST_RECONNECT,
        )
        task = asyncio.ensure_future(bridge.run())
        try:
            yield task
        finally:
            await cancel_and_wait(task)
            if not task.cancelled():
                task.exception()
