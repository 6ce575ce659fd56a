"""Home Assistant's side: heaters told on to an MQTT broker, and wishes heard from it.

Everything is retained, so that Home Assistant knows all after a restart; whether it still holds is
said by two availability topics, the bridge's (its last will) and the heater's. The broker is a
stranger's: lost, it is sought again as ``ReconnectConfig`` says, and nothing waits meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Awaitable, Callable, Mapping, Sequence
from urllib.parse import unquote, urlsplit

import aiomqtt

from ..._util.aio import LatestValue, run_until_first
from ...config import ReconnectConfig
from ...device import NaviLinkDevice
from ...exceptions import ConfigurationError, NaviLinkError, ValueOutOfRangeError
from ...protocol.energy import EnergyTotal
from ...protocol.fields import field_specs
from ...protocol.redaction import logger
from ...protocol.status import DeviceStatus
from ...protocol.types import DHWMode, Flag
from .discovery import MODES, Topics, discovery, state
from .follower import Follower

_LOGGER = logger("navien_nwp500.bridges")

ONLINE, OFFLINE = "online", "offline"
#: Seconds for the broker to take a last word.
FAREWELL = 2.0
_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True)
class Broker:
    """Where the broker is and how to get in; ``mqtts`` verifies its certificate."""

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None

    @classmethod
    def parse(cls, url: str, password: str | None = None, ca_file: Path | None = None) -> Broker:
        """Read ``mqtt[s]://[user@]host[:port]``.

        Raises ConfigurationError for anything else, and for a password: every program on the
        machine can read a command line.
        """
        expected = "it must be mqtt[s]://[user@]host[:port]"
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise ConfigurationError(f"the broker's address cannot be read; {expected}") from error
        if parts.password is not None:
            raise ConfigurationError(
                "the broker's password may not be in its address; use MQTT_PASSWORD or a file"
            )
        rest = parts.path.strip("/") or parts.query or parts.fragment
        if parts.scheme not in _PORTS or not host or rest:
            raise ConfigurationError(f"the broker is {url!r}; {expected}")
        user = unquote(parts.username) if parts.username else None
        tls = parts.scheme == "mqtts"
        return cls(host, port or _PORTS[parts.scheme], tls, user, password, ca_file)

    def client(self, will: aiomqtt.Will) -> aiomqtt.Client:
        """A connection to enter, once."""
        context = ssl.create_default_context(cafile=self.ca_file) if self.tls else None
        return aiomqtt.Client(
            self.host,
            self.port,
            username=self.user,
            password=self.password,
            tls_context=context,
            will=will,
            keepalive=30,
            logger=logging.getLogger("navien_nwp500.bridges.library"),
        )


class MqttBridge:
    """Tells heaters on to one broker while ``run`` runs.

    ``root`` begins the heaters' topics, ``prefix`` Home Assistant's. Without ``control`` no wish
    is heard. Bridges of different accounts on one broker need roots of their own.
    """

    def __init__(
        self,
        broker: Broker,
        followers: Sequence[Follower],
        *,
        root: str = "navien_nwp500",
        prefix: str = "homeassistant",
        control: bool = True,
        reconnect: ReconnectConfig = ReconnectConfig(max_retries=None),
    ) -> None:
        self._broker = broker
        self._followers = followers
        self._root = root
        self._prefix = prefix
        self._control = control
        self._reconnect = reconnect
        self._connected = False

    async def run(self) -> None:
        """Serve until cancelled; the last word to the broker is ``offline``.

        Raises AuthenticationError and ConfigurationError of the heaters' cloud.
        """
        await run_until_first(self._keep_serving(), *(one.run() for one in self._followers))

    async def _keep_serving(self) -> None:
        tries = 0
        while True:
            self._connected = False
            try:
                await self._serve()
            except aiomqtt.MqttError as error:
                tries = 1 if self._connected else tries + 1
                if tries == 1:
                    _LOGGER.warning("broker %s: %s; trying again", self._broker.host, error)
            await asyncio.sleep(self._reconnect.delay(tries))

    async def _serve(self) -> None:
        """One connection. Its end on purpose is told from its loss: only the first says goodbye."""
        topic = Topics(self._root, "").bridge
        end: BaseException | None = None
        try:
            async with self._broker.client(aiomqtt.Will(topic, OFFLINE, 1, True)) as client:
                self._connected = True
                _LOGGER.info("connected to broker %s", self._broker.host)
                pages = [self._page(client, follower) for follower in self._followers]
                try:
                    await self._open(client, pages)
                except aiomqtt.MqttError:
                    raise
                except BaseException as error:
                    end = error
                    await _farewell(client, [topic, *(page.topics.availability for page in pages)])
        except aiomqtt.MqttError:
            if end is None:
                raise
        if end is not None:
            raise end

    def _page(self, client: aiomqtt.Client, follower: Follower) -> HeaterPublisher:
        topics = Topics(self._root, follower.heater.mac_address)
        return HeaterPublisher(client, follower, topics, self._prefix, self._control)

    async def _open(self, client: aiomqtt.Client, pages: list[HeaterPublisher]) -> None:
        await client.subscribe(f"{self._prefix}/status", qos=1)
        if self._control:
            await client.subscribe(f"{self._root}/+/+/set", qos=1)
        await client.publish(Topics(self._root, "").bridge, ONLINE, qos=1, retain=True)
        await run_until_first(self._listen(client, pages), *(page.run() for page in pages))

    async def _listen(self, client: aiomqtt.Client, pages: list[HeaterPublisher]) -> None:
        wishes = {page.topics.command(word): (page, word) for page in pages for word in WISHES}
        async for message in client.messages:
            topic = str(message.topic)
            said = message.payload if isinstance(message.payload, bytes) else b""
            if message.retain:
                # Said to nobody in particular, some day: no wish of now.
                _LOGGER.debug("%s: retained, not heeded", topic)
            elif topic == f"{self._prefix}/status":
                if said == ONLINE.encode():
                    for page in pages:
                        page.begin_again()
            elif topic in wishes:
                page, word = wishes[topic]
                page.wish(word, said.decode("utf-8", "replace"))


class HeaterPublisher:
    """One heater on one connection to the broker: what is told of it, what is wished of it."""

    def __init__(
        self,
        client: aiomqtt.Client,
        follower: Follower,
        topics: Topics,
        prefix: str,
        control: bool,
    ) -> None:
        self.topics = topics
        self._client = client
        self._follower = follower
        self._discovery_topic = f"{prefix}/device/navien_nwp500_{topics.mac}/config"
        self._control = control
        self._fields: set[str] = set()
        self._introduced = ""
        #: The newest wish of each kind; an older one is no wish any more.
        self._wishes: dict[str, str] = {}
        self._wished: LatestValue[bool] = LatestValue()

    async def run(self) -> None:
        """Tell and obey until cancelled."""
        await run_until_first(self._tell(), self._obey())

    def begin_again(self) -> None:
        """Tell everything anew: Home Assistant has started."""
        self._introduced = ""
        self._follower.news.put(True)

    def wish(self, word: str, said: str) -> None:
        """Take a wish; the newest of its kind is granted as soon as the one before is done."""
        self._wishes[word] = said
        self._wished.put(True)

    async def _tell(self) -> None:
        follower = self._follower
        while True:
            status = follower.status
            if status is not None and follower.features is not None:
                await self._introduce(status)
                heard = follower.heater.health.last_status
                await self._publish(self.topics.state, state(status, follower.energy, heard))
            await self._publish(self.topics.availability, ONLINE if status else OFFLINE)
            # Silence makes no news: look again when the last status may have become untrue.
            await follower.news.get(follower.lasts / 4)

    async def _introduce(self, status: DeviceStatus) -> None:
        """Publish the discovery message when it is not what Home Assistant was told."""
        features = self._follower.features
        if features is None:
            return
        rows = field_specs(DeviceStatus)
        self._fields |= {row.name for row in rows if getattr(status, row.name) is not None}
        if features.energy_usage_use == Flag.ACTIVE:
            self._fields |= {row.name for row in field_specs(EnergyTotal)} | {"total_wh"}
        name = self._follower.heater.name
        found = discovery(name, self.topics, features, self._fields, control=self._control)
        text = json.dumps(found, ensure_ascii=False)
        if text != self._introduced:
            await self._publish(self._discovery_topic, text)
            self._introduced = text

    async def _publish(self, topic: str, content: str | Mapping[str, Any]) -> None:
        text = content if isinstance(content, str) else json.dumps(content)
        await self._client.publish(topic, text, qos=1, retain=True)

    async def _obey(self) -> None:
        while True:
            await self._wished.get()
            while self._wishes:
                word = next(iter(self._wishes))
                await self._grant(word, self._wishes.pop(word))
                # Granted or not: what is true is told again.
                self._follower.news.put(True)

    async def _grant(self, word: str, said: str) -> None:
        heater = self._follower.heater
        try:
            status = await WISHES[word](heater, said)
        except NaviLinkError as error:
            _LOGGER.warning("%s: %s %r was not done: %s", heater.name, word, said[:40], error)
            return
        held = " once the time-of-use window is over" if status.held_mode is not None else ""
        _LOGGER.info("%s: %s %s%s", heater.name, word, said, held)


async def _set_temperature(heater: NaviLinkDevice, said: str) -> DeviceStatus:
    try:
        celsius = float(said)
    except ValueError as error:
        raise ValueOutOfRangeError("this is no number of degrees Celsius") from error
    return await heater.set_temperature(celsius=celsius)


async def _set_mode(heater: NaviLinkDevice, said: str) -> DeviceStatus:
    mode = MODES.get(said)
    if mode is None:
        raise ValueOutOfRangeError(f"it may be one of {', '.join(MODES)}")
    if mode is DHWMode.POWER_OFF:
        return await heater.turn_off()
    return await heater.set_dhw_mode(mode)


async def _set_power(heater: NaviLinkDevice, said: str) -> DeviceStatus:
    if said not in ("ON", "OFF"):
        raise ValueOutOfRangeError("it may be ON or OFF")
    return await (heater.turn_on() if said == "ON" else heater.turn_off())


#: What Home Assistant can wish, and how the heater is told.
WISHES: Mapping[str, Callable[[NaviLinkDevice, str], Awaitable[DeviceStatus]]] = {
    "temperature": _set_temperature,
    "mode": _set_mode,
    "power": _set_power,
}


async def _farewell(client: aiomqtt.Client, topics: Sequence[str]) -> None:
    """Say ``offline``, if the broker takes it in time; else its will says so."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(_say_offline(client, topics), name="farewell")
    deadline = loop.time() + FAREWELL
    while not task.done() and loop.time() < deadline:
        try:
            await asyncio.wait({task}, timeout=deadline - loop.time())
        except asyncio.CancelledError:
            # We are ending already; who ends us asks again until we have (waiting.ended).
            continue
    if not task.cancel() and (error := task.exception()) is not None:
        _LOGGER.debug("no farewell: %s", error)


async def _say_offline(client: aiomqtt.Client, topics: Sequence[str]) -> None:
    for topic in topics:
        await client.publish(topic, OFFLINE, qos=1, retain=True)
