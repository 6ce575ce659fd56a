"""Publisher of one heater to Home Assistant, and executor of its commands."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timezone
from typing import Any, NamedTuple

from ..._util.aio import LatestValue, run_until_first
from ..._util.text import clean_text
from ...exceptions import NaviLinkError
from ...protocol.features import DeviceFeatures
from ...protocol.redaction import logger
from ...protocol.status import DeviceStatus
from .broker import BrokerClient, Permissions
from .controlled_heater import ControlledHeater
from .controls import COMMANDS, LABELS, REPLACES, control_values, plain_command
from .discovery import DeviceDetails, Topics, discovery, sent_fields
from .entities import cloud_state, shows_fahrenheit, state
from .peers import OFFLINE, ONLINE
from .requested import requested_values

_LOGGER = logger("navien_nwp500.bridges")

#: What the last command was before the first.
NO_COMMAND = {"text": "none"}


class Presentation(NamedTuple):
    """Presentation of heaters in Home Assistant: prefixes of the bridge, its name and what is offered."""

    root: str = "navien_nwp500"
    prefix: str = "homeassistant"
    bridge: str = "bridge"
    control: bool = True
    simulated: bool = False
    details: DeviceDetails = DeviceDetails()

    def topics(self, mac: str) -> Topics:
        """Return the topics of a heater."""
        return Topics(self.root, mac, self.bridge, self.prefix, self.simulated)


class HeaterPublisher:
    """Publisher of one heater's values, and executor of its commands, on one broker connection."""

    def __init__(
        self,
        client: BrokerClient,
        target: ControlledHeater,
        presentation: Presentation,
        permissions: Permissions,
    ) -> None:
        self.topics = presentation.topics(target.heater.mac_address)
        self._client = client
        self._target = target
        self._follower = target.follower
        self._presentation = presentation
        self._permissions = permissions
        self._fields: set[str] = set()
        self._published_discovery = ""
        #: Payload by command, in the order given; see ``add_command``.
        self._commands: dict[str, str] = {}
        self._command_added: LatestValue[bool] = LatestValue()
        self._executing: tuple[str, str] | None = None

    async def run(self) -> None:
        """Publish values and execute commands until cancelled, after ``publish``."""
        await run_until_first(self._publish_updates(), self._execute_commands())

    def republish(self) -> None:
        """Publish everything again, because Home Assistant has started."""
        self._published_discovery = ""
        self._follower.updates.put(True)

    def add_command(self, name: str, payload: str) -> None:
        """Queue a command in place of those that it makes pointless.

        It is executed as soon as those before are done, so that the heater ends as if all had been.
        """
        name, payload = plain_command(name, payload)
        for replaced in REPLACES[name]:
            self._commands.pop(replaced, None)
        self._commands[name] = payload
        self._command_added.put(True)
        self._follower.updates.put(True)

    async def start(self) -> None:
        """Publish first: what earlier runs have left is replaced before it counts as current."""
        await self._publish_last_command(NO_COMMAND)
        await self._publish_all()

    async def _publish_updates(self) -> None:
        while True:
            # A status that expires causes no update, so look again before long.
            await self._follower.updates.get(self._follower.max_age / 4)
            await self._publish_all()

    async def _publish_all(self) -> None:
        """Publish what is known; the heater is online only with the values that are current."""
        follower = self._follower
        status, features, online = follower.status, follower.features, False
        if status is not None and features is not None:
            await self._publish_discovery(status, features)
            effect = "Home Assistant gets no values"
            values = json.dumps(self._values(status, features))
            online = await self._publish(self.topics.state, values, effect)
        heater = follower.heater
        values = json.dumps(cloud_state(heater.info.error, heater.health))
        effect = "Home Assistant does not learn the last error"
        await self._publish(self.topics.cloud, values, effect)
        effect = "Home Assistant does not learn whether the heater responds"
        await self._publish(self.topics.availability, ONLINE if online else OFFLINE, effect)
        effect = "Home Assistant does not learn why the heater heats"
        for event in () if follower.heating is None else follower.heating.take():
            await self._publish(self.topics.heating, json.dumps(event), effect, retain=False)

    def _values(self, status: DeviceStatus, features: DeviceFeatures) -> dict[str, Any]:
        """Return the values shown: those of the status, and what was asked while it is under way."""
        self._target.observe(status)
        follower = self._follower
        received = follower.heater.health.last_status
        shown = state(status, follower.energy, received, follower.forecast)
        shown.update(control_values(self._target, status))
        executing = () if self._executing is None else (self._executing,)
        for name, payload in (*executing, *self._commands.items()):
            shown.update(requested_values(name, payload, features, shows_fahrenheit(status)))
        return shown

    async def _publish_discovery(self, status: DeviceStatus, features: DeviceFeatures) -> None:
        """Publish the discovery message if it has changed."""
        self._fields |= sent_fields(status, features)
        name = self._follower.heater.name
        message = discovery(
            *(name, self.topics, features, self._fields),
            control=self._presentation.control,
            fahrenheit=shows_fahrenheit(status),
            details=self._presentation.details,
        )
        text = json.dumps(message, ensure_ascii=False)
        if text == self._published_discovery:
            return
        effect = "Home Assistant does not find the heater"
        if await self._publish(self.topics.discovery, text, effect):
            self._published_discovery = text

    async def _publish(self, topic: str, text: str, effect: str, *, retain: bool = True) -> bool:
        """Publish, and return True when the broker accepts it; a refusal is logged once."""
        refusal = await self._client.try_publish(topic, text, retain=retain)
        rule = f"topic write {topic.replace(self.topics.mac, '+')}"
        if "_+" in rule:  # a wildcard is a whole level
            rule = f"topic write {self._presentation.prefix}/device/+/config"
        return self._permissions.record(rule, refusal, effect)

    async def _execute_commands(self) -> None:
        """Execute commands until cancelled; those that are then lost are logged."""
        heater = self._follower.heater
        try:
            while True:
                await self._command_added.get()
                while self._commands:
                    name = next(iter(self._commands))
                    self._executing = name, self._commands.pop(name)
                    await self._execute(*self._executing)
                    self._executing = None
                    # Publish the actual state again, whether or not the command succeeded.
                    self._follower.updates.put(True)
        finally:
            for name, payload in self._commands.items():
                _LOGGER.warning(
                    "%s: %s %r was not executed: the bridge was disconnected from its broker, or ends",
                    *(heater.name, name, payload[:40]),
                )

    async def _execute(self, name: str, payload: str) -> None:
        heater = self._follower.heater
        await self._report(name, payload, "under way")
        try:
            status = await COMMANDS[name](self._target, payload)
        except asyncio.CancelledError:
            _LOGGER.warning(
                "%s: %s %r was not confirmed: the bridge was disconnected from its broker, or ends; it "
                "may still take effect",
                *(heater.name, name, payload[:40]),
            )
            raise
        except NaviLinkError as error:
            _LOGGER.warning("%s: %s %r failed: %s", heater.name, name, payload[:40], error)
            await self._report(name, payload, "refused", str(error))
            return
        held = "once the time-of-use window is over" if status.held_mode is not None else ""
        shown = f"{clean_text(payload[:40])} {held}".rstrip()
        _LOGGER.info("%s: %s %s", heater.name, name, shown)
        await self._report(name, payload, "done", held)

    async def _report(self, name: str, payload: str, result: str, reason: str = "") -> None:
        """Publish what became of a command: as the last one, and a refusal as an event too."""
        command = f"{LABELS[name]} {clean_text(payload[:40])}".rstrip()
        report = {"command": command, "result": result, "reason": reason}
        if result == "refused":
            event = json.dumps({"event_type": "refused", **report})
            effect = "Home Assistant does not learn which commands are refused"
            await self._publish(self.topics.refusal, event, effect, retain=False)
        time = datetime.now(timezone.utc).isoformat(timespec="seconds")
        await self._publish_last_command({"text": f"{command}: {result}", **report, "time": time})

    async def _publish_last_command(self, report: dict[str, str]) -> None:
        effect = "Home Assistant does not learn the last command"
        await self._publish(self.topics.last_command, json.dumps(report), effect)
