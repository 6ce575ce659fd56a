"""Commands that a page asks for: each sent once, one at a time for a heater, its outcome in words."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Awaitable, Callable, Mapping

from ..._util.aio import cancel_and_wait
from ..._util.numbers import is_within
from ...exceptions import (
    CommandRejectedError,
    CommunicationError,
    ConfigurationError,
    DeviceOfflineError,
    HistoryError,
    NaviLinkError,
    UnsupportedCommandError,
    ValueOutOfRangeError,
)
from ...history.command_log import CommandLog
from ...history.schema import to_ms
from ...history.store import HistoryStore
from ...protocol.redaction import logger
from ...protocol.status import DeviceStatus
from ...protocol.types import DHWMode
from .api_error import ApiError, bad_request
from .live_hub import LiveHub
from .now_json import SELECTABLE_MODES
from .threads import Threads
from .watched_heater import WatchedHeater

_LOGGER = logger("navien_nwp500.dashboard")

#: Seconds after which an answer says that the command is still running.
ANSWER_SECONDS = 20.0
#: Seconds that a running command has at the end of the program.
FINISH_SECONDS = 10.0
#: Commands that are remembered without the history.
REMEMBERED = 1000

RUNNING, CONFIRMED, REFUSED = "running", "confirmed", "refused"
UNANSWERED, FAILED = "unanswered", "failed"
_CUT_OFF = (
    "This program ended before the heater answered. The command may have taken effect: look at the "
    "heater's status before you send it again."
)

_NOT_SENT = "This program ended before the command was sent."

Send = Callable[[WatchedHeater], Awaitable["tuple[DeviceStatus, str]"]]


@dataclass
class RequestedCommand:
    """A command with its outcome so far; ``text`` is for people."""

    id: str
    heater: int
    name: str
    arguments: Mapping[str, Any]
    outcome: str = RUNNING
    text: str = "Sent to the heater; its answer may take half a minute."
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {"id": self.id, "outcome": self.outcome, "text": self.text}

    def is_same(self, other: RequestedCommand) -> bool:
        """Return True if another one asks for the same."""
        mine, others = ((one.heater, one.name, dict(one.arguments)) for one in (self, other))
        return mine == others


class CommandRunner:
    """The commands of all heaters. The open pages are told the outcome of each."""

    def __init__(self, store: HistoryStore, threads: Threads, hub: LiveHub) -> None:
        self._log = CommandLog(store)
        self._threads = threads
        self._hub = hub
        self._commands: OrderedDict[str, RequestedCommand] = OrderedDict()
        self._running: dict[int, RequestedCommand] = {}
        self._closed = False

    async def request(
        self, target: WatchedHeater, id: str, name: str, arguments: Mapping[str, Any]
    ) -> RequestedCommand:
        """Send a command, unless its id is known; return it when it has an outcome, or at last.

        Raises ApiError for arguments that make no sense, for an id that another command has, and
        while another command runs.
        """
        send = parse_command(name, arguments)
        wanted = RequestedCommand(id, target.stored.id, name, arguments)
        command = self._commands.get(id)
        if command is None:
            command = self._start(target, wanted, send)
        elif not command.is_same(wanted):
            raise _id_used()
        if command.task is not None:
            done, _ = await asyncio.wait({command.task}, timeout=ANSWER_SECONDS)
            for task in done:
                if not task.cancelled():
                    task.result()
        return command

    async def find(self, heater: int, id: str) -> RequestedCommand | None:
        """Return a command that was requested, also before this program started."""
        command = self._commands.get(id)
        if command is None:
            command = await self._threads.call(self._stored, id)
        return command if command is not None and command.heater == heater else None

    async def close(self) -> None:
        """Let the running commands finish; after a while they are given up, which is said."""
        self._closed = True
        tasks = [
            one.task
            for one in self._commands.values()
            if one.task is not None and not one.task.done()
        ]
        if tasks:
            await asyncio.wait(tasks, timeout=FINISH_SECONDS)
            await cancel_and_wait(*tasks)
            for task in tasks:
                if not task.cancelled():
                    task.result()

    def _start(
        self, target: WatchedHeater, command: RequestedCommand, send: Send
    ) -> RequestedCommand:
        if self._closed:
            raise ApiError(503, "ending", "This program is ending; nothing was sent.")
        if command.heater in self._running:
            raise ApiError(
                409, "busy", "Another command is being sent to this heater. Wait for its answer."
            )
        while len(self._commands) >= REMEMBERED:
            self._commands.popitem(last=False)
        self._commands[command.id] = self._running[command.heater] = command
        run = self._run(target, command, send)
        command.task = asyncio.get_running_loop().create_task(run, name="command")
        return command

    async def _run(self, target: WatchedHeater, command: RequestedCommand, send: Send) -> None:
        try:
            known = await self._begin(target, command)
            if known is None:
                await self._send_to_end(target, command, send)
            elif known.is_same(command):
                command.outcome, command.text = known.outcome, known.text
            else:
                del self._commands[command.id]
                raise _id_used()
        finally:
            if command.outcome == RUNNING:  # cancelled
                command.outcome, command.text = FAILED, _NOT_SENT
            if self._running.get(command.heater) is command:
                del self._running[command.heater]

    async def _send_to_end(
        self, target: WatchedHeater, command: RequestedCommand, send: Send
    ) -> None:
        try:
            await self._send(target, command, send)
        finally:
            if command.outcome == RUNNING:  # cancelled
                command.outcome, command.text = UNANSWERED, _CUT_OFF
            # First: a page that is told may send the next one at once.
            self._running.pop(command.heater, None)
            message = {"type": "command", "heater": command.heater, **command.to_json()}
            self._hub.publish(f"command {command.heater}", message)
            await self._end(target, command)

    async def _send(self, target: WatchedHeater, command: RequestedCommand, send: Send) -> None:
        try:
            _, command.text = await send(target)
            command.outcome = CONFIRMED
        except (
            CommandRejectedError,
            UnsupportedCommandError,
            ValueOutOfRangeError,
            ConfigurationError,
        ) as error:
            command.outcome, command.text = REFUSED, _sentence(error)
        except (CommunicationError, DeviceOfflineError) as error:
            command.outcome, command.text = UNANSWERED, _sentence(error)
        except NaviLinkError as error:
            command.outcome, command.text = FAILED, _sentence(error)

    # Storing

    async def _begin(
        self, target: WatchedHeater, command: RequestedCommand
    ) -> RequestedCommand | None:
        """Store a command before it is sent; return the one that was sent with its id before."""
        try:
            return await self._threads.call(self._store_begin, target, command)
        except HistoryError as error:
            _LOGGER.warning("a command is sent without being stored: %s", error)
            return None

    def _store_begin(
        self, target: WatchedHeater, command: RequestedCommand
    ) -> RequestedCommand | None:
        """Store a command and return None, or the one that has its id."""
        new = self._log.begin(
            target.stored,
            command.id,
            ms=to_ms(target.now()),
            name=command.name,
            arguments=command.arguments,
            who="dashboard",
        )
        return None if new else self._stored(command.id)

    def _stored(self, id: str) -> RequestedCommand | None:
        found = self._log.find(id)
        if found is None:
            return None
        outcome, text = found.outcome or UNANSWERED, found.text or ""
        if found.outcome is None:
            text = _CUT_OFF
        return RequestedCommand(id, found.heater_id, found.name, found.arguments, outcome, text)

    async def _end(self, target: WatchedHeater, command: RequestedCommand) -> None:
        ms, outcome, text = to_ms(target.now()), command.outcome, command.text
        try:
            await self._threads.call(
                lambda: self._log.end(command.id, ms=ms, outcome=outcome, text=text)
            )
        except HistoryError as error:
            _LOGGER.warning("the outcome of a command is not stored: %s", error)


def _id_used() -> ApiError:
    return ApiError(409, "id_used", "Another command has this id; a new command needs a new one.")


def _sentence(error: Exception) -> str:
    text = str(error)
    return text if text.endswith((".", "!", "?")) else f"{text}."


# What is sent, by the name of the command


def parse_command(name: str, arguments: Mapping[str, Any]) -> Send:
    """Return what sends a command. Raises ApiError for one that does not exist."""
    if name not in _PARSERS:
        raise bad_request(f"command must be one of {', '.join(_PARSERS)}")
    key, parse = _PARSERS[name]
    if list(arguments) != [key]:
        raise bad_request(f"the arguments of {name} are {key} alone")
    return parse(arguments[key])


def _parse_temperature(value: Any) -> Send:
    if not is_within(value, -273, 1000):
        raise bad_request("celsius must be a number of degrees")

    async def send(target: WatchedHeater) -> tuple[DeviceStatus, str]:
        status = await target.heater.set_temperature(celsius=value)
        found = status.dhw_temperature_setting
        text = f"The heater confirms the temperature {found.text}."
        if abs(found.celsius - value) > 0.01:
            text = f"{text[:-1]}, its step nearest to the {value:.1f} °C that were asked for."
        return status, text

    return send


def _parse_mode(value: Any) -> Send:
    modes = {mode.name.lower(): mode for mode in SELECTABLE_MODES}
    if not isinstance(value, str) or value not in modes:
        raise bad_request(f"mode must be one of {', '.join(modes)}")

    async def send(target: WatchedHeater) -> tuple[DeviceStatus, str]:
        status = await target.heater.set_dhw_mode(modes[value])
        if status.held_mode is not None:
            return status, (
                f"The heater has taken the mode {status.held_mode.text}; it changes to it when the "
                "time-of-use window ends."
            )
        return status, f"The heater confirms the mode {modes[value].text}."

    return send


def _parse_power(value: Any) -> Send:
    on = _parse_switch(value)

    async def send(target: WatchedHeater) -> tuple[DeviceStatus, str]:
        heater = target.heater
        status = await (heater.turn_on() if on else heater.turn_off())
        return status, f"The heater confirms that it is {'on' if on else 'off'}."

    return send


def _parse_vacation(value: Any) -> Send:
    if type(value) is not int or not 0 <= value <= 999:
        raise bad_request("days must be a whole number, 0 to end a vacation")

    async def send(target: WatchedHeater) -> tuple[DeviceStatus, str]:
        heater = target.heater
        if value:
            status = await heater.start_vacation(days=value, force=True)
            return status, f"The heater confirms a vacation of {value} days."
        status = await heater.get_status()
        if status.dhw_operation_setting != DHWMode.VACATION:
            return status, "No vacation is running; nothing was sent."
        status = await heater.set_dhw_mode(target.mode_before)
        return (
            status,
            f"The heater confirms that the vacation is over; mode {target.mode_before.text}.",
        )

    return send


def _parse_time_of_use(value: Any) -> Send:
    on = _parse_switch(value)

    async def send(target: WatchedHeater) -> tuple[DeviceStatus, str]:
        status = await target.heater.set_tou(on)
        return status, f"The heater confirms that time of use is {'on' if on else 'off'}."

    return send


def _parse_switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise bad_request("on must be true or false")
    return value


_PARSERS: Mapping[str, tuple[str, Callable[[Any], Send]]] = {
    "temperature": ("celsius", _parse_temperature),
    "mode": ("mode", _parse_mode),
    "power": ("on", _parse_power),
    "vacation": ("days", _parse_vacation),
    "tou": ("on", _parse_time_of_use),
}
