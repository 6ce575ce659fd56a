"""Telling a heater something, and knowing that it did.

Every write makes the heater judge its demand afresh and may start the compressor (protocol 9.12).
So a wish that already holds is not sent, nothing is sent twice to be sure, commands keep a
distance, and success is what the heater's own answer shows.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import cached_property
from typing import Any, Mapping

from ..config import NaviLinkConfig
from ..device import Record
from ..exceptions import (
    CommandRejectedError,
    ConfigurationError,
    ProtocolError,
    RequestTimeoutError,
    UnsupportedCommandError,
    ValueOutOfRangeError,
)
from ..mqtt import NaviLinkMQTT
from ..protocol.commands import Command
from ..protocol.features import DeviceFeatures
from ..protocol.messages import Message
from ..protocol.redaction import logger
from ..protocol.status import DeviceStatus
from ..protocol.types import DHWMode, Quantity, Temperature

_LOGGER = logger(__name__)

#: Why a heater refused (protocol 4.4); other codes are unknown and shown as numbers.
FAIL_CODES = {2: "the command before it was too recent; wait a few seconds and send it again"}

_HOLDABLE = (DHWMode.ELECTRIC, DHWMode.ENERGY_SAVER, DHWMode.HIGH_DEMAND)


class CommandSender:
    """Sends the commands of one heater, one at a time."""

    def __init__(self, line: NaviLinkMQTT, record: Record, config: NaviLinkConfig) -> None:
        self._line = line
        self._record = record
        self._config = config
        self._features: DeviceFeatures | None = None
        self._last_sent = float("-inf")

    async def set(
        self, command: Command, *, force: bool, dry_run: bool, **values: int
    ) -> DeviceStatus:
        """Make a wish come true; returns the status that shows it.

        Raises UnsupportedCommandError, ValueOutOfRangeError before anything is sent;
        CommandRejectedError when the answer does not show the wish; RequestTimeoutError when there
        is none; ConfigurationError when the client may only read.
        """
        await self.check(command, **values)
        body = command.body(values)
        async with self._wishing:
            before = await self.status()
            if command.expects and not force and command.confirmed_by(before, values):
                return before
            if dry_run:
                return replace(before, would_send={"command": command.code, **body})
            message = await self.send(command, body)
        return self._judge(command, values, message)

    async def check(self, command: Command, **values: int) -> None:
        """Refuse what this heater cannot do or does not allow."""
        features = await self.features()
        capabilities = [*command.capabilities]
        if command.parameters:
            first = values[command.parameters[0].name]
            capabilities += [gate for value, gate in command.value_capabilities if value == first]
        for gate in capabilities:
            if not gate.open(features):
                raise UnsupportedCommandError(
                    f"{self._record.name} does not offer this ({gate.field} is "
                    f"{getattr(features, gate.field)}): {command.meaning}"
                )
        for parameter in command.parameters:
            value = values[parameter.name]
            if not parameter.allows(value, features):
                low, high = parameter.limits(features)
                allowed = f"{_text(parameter.codec, low)} to {_text(parameter.codec, high)}"
                step = f" in steps of {parameter.per}" if parameter.per > 1 else ""
                also = "".join(f", or {extra}" for extra in parameter.also)
                raise ValueOutOfRangeError(
                    f"{parameter.name} is {_text(parameter.codec, value)}; {self._record.name} allows "
                    f"{allowed}{step}{also}"
                )

    async def send(self, command: Command, body: Mapping[str, Any]) -> Message:
        """Send a write at its distance from the last and return the heater's answer.

        Never repeated. Raises CommandRejectedError when the heater says so itself.
        """
        if self._config.read_only:
            raise ConfigurationError(
                "this client may only read (read_only, NAVILINK_READ_ONLY); nothing was sent"
            )
        async with self._sending:
            pause = self._last_sent + self._config.command_interval - time.monotonic()
            await asyncio.sleep(max(0.0, pause))
            try:
                message = await self.ask(command, body)
            except RequestTimeoutError as error:
                raise RequestTimeoutError(
                    f"{self._record.name} did not answer ({command.name}); the command may still take "
                    "effect. Look at its status before you send it again"
                ) from error
            finally:
                self._last_sent = time.monotonic()
        if message.fail_code is not None:
            reason = FAIL_CODES.get(message.fail_code, f"fail code {message.fail_code}")
            raise CommandRejectedError(f"{self._record.name} refused ({command.name}): {reason}")
        return message

    async def ask(self, command: Command, body: Mapping[str, Any] | None = None) -> Message:
        """Send and return the heater's answer; DeviceOfflineError when it is known to be away."""
        async with self._record.silence_explained():
            return await self._line.request(command, body)

    async def status(self) -> DeviceStatus:
        """What the heater is doing now."""
        async with self._record.silence_explained():
            return await self._line.get_status()

    async def ask_features(self) -> DeviceFeatures:
        """What the heater has and allows, asked anew."""
        async with self._record.silence_explained():
            self._features = await self._line.get_features()
        return self._features

    async def features(self) -> DeviceFeatures:
        """The same, asked once, and again after the heater reloaded its data."""
        status = self._line.last_status
        reloaded = status is not None and status.did_reload is not None and status.did_reload.active
        if self._features is None or reloaded:
            return await self.ask_features()
        return self._features

    @cached_property
    def _wishing(self) -> asyncio.Lock:
        """One wish at a time: what it is compared with must not change under it."""
        return asyncio.Lock()

    @cached_property
    def _sending(self) -> asyncio.Lock:
        """One write at a time, wishes and lists alike."""
        return asyncio.Lock()

    def _judge(self, command: Command, values: Mapping[str, int], message: Message) -> DeviceStatus:
        status = message.status
        if status is None:
            raise ProtocolError(
                f"{self._record.name}: the answer to {command.name} holds no status"
            )
        acknowledged = status.command in (None, command.code)
        if acknowledged and command.confirmed_by(status, values):
            return status
        mode = values.get("mode")
        if command.value_capabilities and mode in _HOLDABLE and status.in_tou_window:
            # In a window modes 2 to 4 wait for its end: held, not refused (protocol 9.12).
            return replace(status, held_mode=DHWMode(mode))
        asked = ", ".join(f"{name} {_text(type(value), value)}" for name, value in values.items())
        found = ", ".join(_actual(status, part.field) for part in command.expects)
        raise CommandRejectedError(
            f"{self._record.name} answered {command.name} but did not do it: asked "
            f"{asked or command.meaning}; found {found or f'an answer to {status.command}'}"
        )


def _actual(status: DeviceStatus, field: str) -> str:
    value = getattr(status, field)
    return f"{field} {'absent' if value is None else value.text}"


def _text(codec: type[int], value: int) -> str:
    if issubclass(codec, (Temperature, DHWMode)):
        return str(codec(value).text)
    unit = codec.unit if issubclass(codec, Quantity) else ""
    return f"{int(value)} {unit}".rstrip()
