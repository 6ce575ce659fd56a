"""Send commands to one heater and confirm them.

Every control makes the heater re-evaluate its demand and may start the compressor (PROTOCOL 9.12);
the write of a list does not (PROTOCOL 8.3). So a setting that already has the wanted value is not sent, nothing is sent twice, commands are spaced,
and a command succeeds only if the heater's response confirms the new state.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import cached_property
from typing import Any, Mapping, Protocol

from ..config import NaviLinkConfig
from ..exceptions import (
    CommandRejectedError,
    ConfigurationError,
    ProtocolError,
    RequestTimeoutError,
    UnsupportedCommandError,
    ValueOutOfRangeError,
)
from ..protocol.commands import Command
from ..protocol.features import DeviceFeatures
from ..protocol.messages import Message
from ..protocol.status import DeviceStatus
from ..protocol.types import DHWMode, Quantity, Temperature
from .cloud_device import CloudDevice

#: Reasons of a refusal (PROTOCOL 4.4); other codes are unknown and shown as numbers.
FAIL_CODES = {2: "the command before it was too recent; wait a few seconds and send it again"}

_DEFERRED_MODES = (DHWMode.ELECTRIC, DHWMode.ENERGY_SAVER, DHWMode.HIGH_DEMAND)


class HeaterConnection(Protocol):
    """The part of ``NaviLinkMQTT`` that commands need."""

    @property
    def last_status(self) -> DeviceStatus | None:
        """Latest status of the heater."""

    async def request(self, command: Command, body: Mapping[str, Any] | None = None) -> Message:
        """Send a command and return the response."""

    async def get_status(self) -> DeviceStatus:
        """Request the status."""

    async def get_features(self) -> DeviceFeatures:
        """Request the features."""


class CommandSender:
    """Send the commands of one heater, one at a time."""

    def __init__(
        self, connection: HeaterConnection, device: CloudDevice, config: NaviLinkConfig
    ) -> None:
        self._connection = connection
        self._device = device
        self._config = config
        self._features: DeviceFeatures | None = None
        self._last_sent = float("-inf")

    async def execute(
        self, command: Command, *, force: bool, dry_run: bool, **values: int
    ) -> DeviceStatus:
        """Execute a control command and return the status that confirms it.

        Raises UnsupportedCommandError or ValueOutOfRangeError before anything is sent;
        CommandRejectedError when the response does not confirm the command; RequestTimeoutError
        without a response; ConfigurationError for a read-only client.
        """
        await self.check(command, **values)
        body = command.body(values)
        async with self._execute_lock:
            before = await self.status()
            if command.expects and not force and command.confirmed_by(before, values):
                return before
            if dry_run:
                return replace(before, would_send={"command": command.code, **body})
            message = await self.send(command, body)
        return self._confirm(command, values, message)

    async def check(self, command: Command, **values: int) -> None:
        """Check capabilities and limits of this heater.

        Raises UnsupportedCommandError, ValueOutOfRangeError.
        """
        features = await self.features()
        capabilities = [*command.capabilities]
        if command.parameters:
            first = values[command.parameters[0].name]
            capabilities += [one for value, one in command.value_capabilities if value == first]
        for capability in capabilities:
            if not capability.available(features):
                raise UnsupportedCommandError(
                    f"{self._device.name} does not offer this ({capability.field} is "
                    f"{getattr(features, capability.field)}): {command.meaning}"
                )
        for parameter in command.parameters:
            value = values[parameter.name]
            if not parameter.allows(value, features):
                low, high = parameter.limits(features)
                allowed = f"{_text(parameter.codec, low)} to {_text(parameter.codec, high)}"
                step = f" in steps of {parameter.step}" if parameter.step > 1 else ""
                also = "".join(f", or {extra}" for extra in parameter.also_allowed)
                raise ValueOutOfRangeError(
                    f"{parameter.name} is {_text(parameter.codec, value)}; {self._device.name} allows "
                    f"{allowed}{step}{also}"
                )

    async def send(self, command: Command, body: Mapping[str, Any]) -> Message:
        """Send a write, spaced from the one before, and return the response. Never repeats it.

        Raises CommandRejectedError when the heater refuses, RequestTimeoutError, ConfigurationError
        for a read-only client.
        """
        if self._config.read_only:
            raise ConfigurationError(
                "this client is read-only (read_only, NAVILINK_READ_ONLY); nothing was sent"
            )
        async with self._send_lock:
            pause = self._last_sent + self._config.command_interval - time.monotonic()
            await asyncio.sleep(max(0.0, pause))
            try:
                message = await self.request(command, body)
            except RequestTimeoutError as error:
                raise RequestTimeoutError(
                    f"{self._device.name} did not answer ({command.name}); the command may still take "
                    "effect. Check its status before you send it again"
                ) from error
            finally:
                self._last_sent = time.monotonic()
        if message.fail_code is not None:
            reason = FAIL_CODES.get(message.fail_code, f"fail code {message.fail_code}")
            raise CommandRejectedError(f"{self._device.name} refused ({command.name}): {reason}")
        return message

    async def request(self, command: Command, body: Mapping[str, Any] | None = None) -> Message:
        """Send any command and return the response. Raises DeviceOfflineError, RequestTimeoutError."""
        async with self._device.explain_timeout():
            return await self._connection.request(command, body)

    async def status(self) -> DeviceStatus:
        """Request the status."""
        async with self._device.explain_timeout():
            return await self._connection.get_status()

    async def request_features(self) -> DeviceFeatures:
        """Request the features."""
        async with self._device.explain_timeout():
            self._features = await self._connection.get_features()
        return self._features

    async def features(self) -> DeviceFeatures:
        """Return the features, requested once and again after the heater has reloaded its data."""
        status = self._connection.last_status
        reloaded = status is not None and status.did_reload is not None and status.did_reload.active
        if self._features is None or reloaded:
            return await self.request_features()
        return self._features

    @cached_property
    def _execute_lock(self) -> asyncio.Lock:
        """Serialise commands: the status compared with must not change meanwhile."""
        return asyncio.Lock()

    @cached_property
    def _send_lock(self) -> asyncio.Lock:
        """Serialise writes, of commands and lists alike."""
        return asyncio.Lock()

    def _confirm(
        self, command: Command, values: Mapping[str, int], message: Message
    ) -> DeviceStatus:
        status = message.status
        if status is None:
            raise ProtocolError(
                f"{self._device.name}: the response to {command.name} holds no status"
            )
        acknowledged = status.command in (None, command.code)
        if acknowledged and command.confirmed_by(status, values):
            return status
        mode = values.get("mode")
        if command.value_capabilities and mode in _DEFERRED_MODES and status.in_tou_window:
            # In a time-of-use window modes 2 to 4 take effect at its end (PROTOCOL 9.12).
            return replace(status, held_mode=DHWMode(mode))
        asked = ", ".join(f"{name} {_text(type(value), value)}" for name, value in values.items())
        found = ", ".join(_actual(status, part.field) for part in command.expects)
        raise CommandRejectedError(
            f"{self._device.name} answered {command.name} but does not confirm it: requested "
            f"{asked or command.meaning}; found {found or f'a response to {status.command}'}"
        )


def _actual(status: DeviceStatus, field: str) -> str:
    value = getattr(status, field)
    return f"{field} {'absent' if value is None else value.text}"


def _text(codec: type[int], value: int) -> str:
    if issubclass(codec, (Temperature, DHWMode)):
        return str(codec(value).text)
    unit = codec.unit if issubclass(codec, Quantity) else ""
    return f"{int(value)} {unit}".rstrip()
