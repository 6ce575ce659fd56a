"""Faults of a heater that executes a request: lost, late and refused writes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Sequence

from ...protocol.commands import (
    TEMPERATURE,
    WRITE_RECIRC_SCHEDULE,
    WRITE_RESERVATIONS,
    WRITE_TOU,
)
from ...protocol.messages import Request
from ..heater.query_handler import HeaterReply
from .base import FaultContext, HeaterFault, RequestHandler

_LIST_WRITES = {
    (command.code, command.suffix)
    for command in (WRITE_RESERVATIONS, WRITE_RECIRC_SCHEDULE, WRITE_TOU)
}


def _is_list_write(request: Request) -> bool:
    return any(
        request.code == code and request.topic.endswith(f"/{suffix}")
        for code, suffix in _LIST_WRITES
    )


@dataclass
class DropListWrites(HeaterFault):
    """A list that is written is not stored (PROTOCOL 8.3).

    The response has the list as if it were; without ``echo`` no response comes.
    """

    name = "drop_list_writes"
    heater: str | None = None
    echo: bool = True
    times: int | None = 1

    def applies_to(self, request: Request) -> bool:
        return _is_list_write(request)

    def handle(self, request: Request, handler: RequestHandler) -> Sequence[HeaterReply]:
        return handler.acknowledge(request) if self.echo else []


class _LateWrites(HeaterFault):
    """A write that is acknowledged at once and takes effect ``seconds`` (of real time) later."""

    seconds: float

    def on_inject(self, context: FaultContext) -> None:
        self._waiting: dict[asyncio.TimerHandle, tuple[RequestHandler, Request]] = {}

    def handle(self, request: Request, handler: RequestHandler) -> Sequence[HeaterReply]:
        def apply() -> None:
            del self._waiting[timer]
            handler.apply(request)

        timer = asyncio.get_running_loop().call_later(self.seconds, apply)
        self._waiting[timer] = (handler, request)
        return handler.acknowledge(request)

    def on_clear(self, context: FaultContext) -> None:
        """Let the waiting writes take effect, in their order."""
        waiting, self._waiting = self._waiting, {}
        for timer, (handler, request) in waiting.items():
            timer.cancel()
            handler.apply(request)


@dataclass
class DelayListWrites(_LateWrites):
    """A list that is written can be read back only ``seconds`` (of real time) later (PROTOCOL 8.3)."""

    name = "delay_list_writes"
    heater: str | None = None
    seconds: float = 5.0
    times: int | None = None

    def applies_to(self, request: Request) -> bool:
        return _is_list_write(request)


@dataclass
class DelaySetpoint(_LateWrites):
    """A setpoint is acknowledged with the old one and takes effect ``seconds`` (of real time) later.

    See PROTOCOL 9.9.
    """

    name = "delay_setpoint"
    heater: str | None = None
    seconds: float = 8.0
    times: int | None = None

    def applies_to(self, request: Request) -> bool:
        return request.code == TEMPERATURE.code


@dataclass
class RefuseWrites(HeaterFault):
    """Controls and lists that are written are refused with a ``fail_code`` (PROTOCOL 4.4).

    2 means that the control before was too recent; the meaning of the others is not known.
    """

    name = "refuse_writes"
    heater: str | None = None
    fail_code: int = 2
    times: int | None = 1

    def applies_to(self, request: Request) -> bool:
        return "ctrl" in request.topic.split("/")

    def handle(self, request: Request, handler: RequestHandler) -> Sequence[HeaterReply]:
        return [handler.refusal(self.fail_code)]
