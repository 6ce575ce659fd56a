"""Send commands to one heater and confirm them.

Every control makes the heater re-evaluate its demand and may start the compressor (PROTOCOL 9.12);
the write of a list does not (PROTOCOL 8.3). So a setting that already has the wanted value, by a
status requested for it, is not sent, nothing is sent twice, commands are spaced, and a command
succeeds only if the heater's response, or a second look at its status, confirms the new state.
After a refusal as too soon, commands are held back for a while (PROTOCOL 4.4).
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any, Iterator, Mapping, Protocol

from ..config import NaviLinkConfig
from ..exceptions import (
    CommandRejectedError,
    CommandTooSoonError,
    CommandUnconfirmedError,
    ConfigurationError,
    ProtocolError,
    RequestTimeoutError,
    UnsupportedCommandError,
    ValueOutOfRangeError,
)
from ..protocol.commands import Command
from ..protocol.features import DeviceFeatures
from ..protocol.messages import Message
from ..protocol.redaction import logger
from ..protocol.status import DeviceStatus
from ..protocol.types import DHWMode, Quantity, Temperature
from .cloud_device import CloudDevice

_LOGGER = logger("navien_nwp500.device")

#: Code of a refusal because the command before was too recent; others are unknown (PROTOCOL 4.4).
TOO_SOON = 2

_DEFERRED_MODES = (DHWMode.ELECTRIC, DHWMode.ENERGY_SAVER, DHWMode.HIGH_DEMAND)


class HeaterConnection(Protocol):
    """The part of ``NaviLinkMQTT`` that commands need."""

    @property
    def last_status(self) -> DeviceStatus | None:
        """Latest status of the heater."""

    @property
    def last_status_age(self) -> float:
        """Seconds since it arrived; infinite before the first."""

    async def request(self, command: Command, body: Mapping[str, Any] | None = None) -> Message:
        """Send a command and return the response."""

    async def get_status(self) -> DeviceStatus:
        """Request the status."""

    async def get_features(self) -> DeviceFeatures:
        """Request the features."""

    async def pause(self, seconds: float, outcome: str) -> None:
        """Wait; raises WebSocketError with the ``outcome`` as soon as the connection has dropped."""


@contextmanager
def after_write(name: str) -> Iterator[None]:
    """Turn a ProtocolError inside into CommandUnconfirmedError: the write may have taken effect."""
    try:
        yield
    except ProtocolError as error:
        raise CommandUnconfirmedError(
            f"{name}: the heater answered, but the answer cannot be read ({error}). It may have been "
            "executed: read the state before you send it again"
        ) from error


class CommandSender:
    """Send the commands of one heater, one at a time."""

    def __init__(
        self, connection: HeaterConnection, device: CloudDevice, config: NaviLinkConfig
    ) -> None:
        self._connection = connection
        self._device = device
        self._config = config
        self._features: DeviceFeatures | None = None
        # Monotonic times: of the latest command, and of the end of the pause after a refusal.
        self._last_sent = self._paused_until = float("-inf")

    async def execute(
        self, command: Command, *, force: bool, dry_run: bool, **values: int
    ) -> DeviceStatus:
        """Execute a control command and return the status that confirms it.

        Raises UnsupportedCommandError or ValueOutOfRangeError before anything is sent;
        CommandRejectedError when neither the response nor a second look confirms the command;
        RequestTimeoutError without a response; CommandUnconfirmedError for one that cannot be read;
        ConfigurationError for a read-only client.
        """
        await self.check(command, **values)
        body = command.body(values)
        async with self._execute_lock:
            recent = self._recent_status()
            if dry_run or recent is None or _is_done(command, values, recent, force):
                before = await self.status()
                if _is_done(command, values, before, force):
                    return before
                if dry_run:
                    return replace(before, would_send={"command": command.code, **body})
            message = await self.send(command, body)
            with after_write(command.name):
                return await self._confirm(command, values, message)

    def _recent_status(self) -> DeviceStatus | None:
        """Return a status that need not be requested again to see that a command changes something.

        Should somebody else have set the value meanwhile, it is written again, which starts nothing
        (PROTOCOL 9.12).
        """
        recent = self._connection.last_status_age <= self._config.status_max_age
        return self._connection.last_status if recent else None

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

    def check_writable(self) -> None:
        """Raise ConfigurationError for a read-only client."""
        if self._config.read_only:
            raise ConfigurationError(
                "this client is read-only (read_only, NAVILINK_READ_ONLY); nothing was sent"
            )

    async def send(self, command: Command, body: Mapping[str, Any]) -> Message:
        """Send a write, spaced from the one before, and return the response. Never repeats it.

        Raises CommandRejectedError when the heater refuses, CommandTooSoonError when it refused the
        one before and the pause after that is longer than a response may take, RequestTimeoutError,
        WebSocketError when the connection drops, ConfigurationError for a read-only client.
        """
        self.check_writable()
        async with self._send_lock:
            await self._wait_for_turn(command)
            try:
                message = await self.request(command, body)
            except RequestTimeoutError as error:
                raise RequestTimeoutError(
                    f"{self._device.name} did not answer {command.name}, which may still take "
                    "effect. Check its status before you send it again"
                ) from error
            finally:
                self._last_sent = time.monotonic()
            if message.fail_code == TOO_SOON:
                self._paused_until = time.monotonic() + self._config.refusal_pause
                raise CommandTooSoonError(
                    f"{self._device.name} refused {command.name}: the command before it was too "
                    f"recent. Commands to it now pause for {self._config.refusal_pause:.0f} s; send "
                    "it again after that",
                    retry_after=self._config.refusal_pause,
                )
        if message.fail_code is not None:
            raise CommandRejectedError(
                f"{self._device.name} refused {command.name} with fail code {message.fail_code}, "
                "whose meaning is not known"
            )
        return message

    async def _wait_for_turn(self, command: Command) -> None:
        """Wait until the time between two commands, and the pause after a refusal, are over."""
        now = time.monotonic()
        paused = self._paused_until - now
        if paused > self._config.answer_timeout:
            raise CommandTooSoonError(
                f"{self._device.name} refused a command as too soon; {command.name} was not sent. "
                f"Send it again in {paused:.0f} s",
                retry_after=paused,
            )
        if paused > 0:
            _LOGGER.warning(
                "%s refused a command as too soon; %s waits %.0f s",
                *(self._device.name, command.name, paused),
            )
        wait = max(paused, self._last_sent + self._config.command_interval - now)
        if wait > 0:
            await self._connection.pause(wait, f"{command.name} was not sent")

    async def pause_after(self, command: Command, seconds: float) -> None:
        """Wait until a command that was sent may show; raises WebSocketError when the connection drops."""
        await self._connection.pause(seconds, f"{command.name} may still take effect")

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

    async def _confirm(
        self, command: Command, values: Mapping[str, int], message: Message
    ) -> DeviceStatus:
        """Return the status that confirms a command; looks at the status once more when needed."""
        status = message.status
        if status is None:
            raise ProtocolError(
                f"{self._device.name}: the response to {command.name} holds no status"
            )
        if status.command in (None, command.code):
            if confirmed := _confirmed(command, values, status):
                return confirmed
            # A setting may take effect late (PROTOCOL 9.9).
            status = await self._look_again(command)
            if confirmed := _confirmed(command, values, status):
                return confirmed
        elif confirmed := _deferred(command, values, status):
            return confirmed
        asked = ", ".join(f"{name} {_text(type(value), value)}" for name, value in values.items())
        found = ", ".join(_actual(status, part.field) for part in command.expects)
        raise CommandRejectedError(
            f"{self._device.name} answered {command.name} but does not confirm it: requested "
            f"{asked or command.meaning}; found {found or f'a response to {status.command}'}"
        )

    async def _look_again(self, command: Command) -> DeviceStatus:
        await self.pause_after(command, self._config.control_recheck_delay)
        try:
            return await self.status()
        except RequestTimeoutError as error:
            raise RequestTimeoutError(
                f"{self._device.name} acknowledged {command.name} without showing it, and then sent no "
                "status; the command may still take effect. Check its status before you send it again"
            ) from error


def _is_done(
    command: Command, values: Mapping[str, int], status: DeviceStatus, force: bool
) -> bool:
    """Return True when a status already shows what the command sets, unless it is forced."""
    return bool(command.expects) and not force and command.confirmed_by(status, values)


def _confirmed(
    command: Command, values: Mapping[str, int], status: DeviceStatus
) -> DeviceStatus | None:
    """Return a status that confirms the command; None if it does not."""
    if command.confirmed_by(status, values):
        return status
    return _deferred(command, values, status)


def _deferred(
    command: Command, values: Mapping[str, int], status: DeviceStatus
) -> DeviceStatus | None:
    """Return the status with the mode that a time-of-use window defers; None in other cases.

    Modes 2 to 4 then take effect at its end (PROTOCOL 9.12).
    """
    mode = values.get("mode")
    if command.value_capabilities and mode in _DEFERRED_MODES and status.in_tou_window:
        return replace(status, held_mode=DHWMode(mode))
    return None


def _actual(status: DeviceStatus, field: str) -> str:
    value = getattr(status, field)
    return f"{field} {'absent' if value is None else value.text}"


def _text(codec: type[int], value: int) -> str:
    if issubclass(codec, (Temperature, DHWMode)):
        return str(codec(value).text)
    unit = codec.unit if issubclass(codec, Quantity) else ""
    return f"{int(value)} {unit}".rstrip()
