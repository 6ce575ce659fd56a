"""Requests of clients as the heater's own topics show them (PROTOCOL 3.7)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Collection, Mapping

from ..exceptions import ProtocolError
from .commands import find_command
from .messages import Address, Frame, Request, parse_request

__all__ = ["ClientRequest"]

#: Hexadecimal digits of the hash that stands for a client id: enough to tell clients apart.
_DIGITS = 8
_RECORD = re.compile(
    r"(?P<command>\w+) (?P<code>\d{1,10})(?P<values>(?: \w+=-?\d{1,10})*?)"
    r"(?: client=(?P<client>[0-9a-f]{8}))?(?P<own> own)?",
    re.ASCII,
)


@dataclass(frozen=True)
class ClientRequest:
    """A request to the heater, of whatever client: the maker's app, another program, this one.

    ``command`` is its name in COMMANDS.md, ``code`` its number (PROTOCOL 5); an unknown one has the
    name ``unknown``. ``values`` are its parameters as sent: temperatures in half degrees Celsius; of
    a list ``entries`` and ``enabled`` (2 on, 1 off). ``client`` stands for the client id, which is
    never shown: equal hashes are the same connection. ``own`` is True for a request of this client.
    Whether the heater obeyed is not in it.
    """

    when: datetime
    command: str
    code: int
    values: Mapping[str, int] = field(default_factory=dict)
    client: str = ""
    own: bool = False
    #: True for what changes the heater, False for a query.
    is_change: bool = True

    @property
    def text(self) -> str:
        """Return it as records have it: ``temperature 33554464 temperature=98 client=0a1b2c3d``."""
        words = [self.command, str(self.code)]
        words += [f"{name}={int(value)}" for name, value in self.values.items()]
        words += [f"client={self.client}"] if self.client else []
        return " ".join(words + ["own"] * self.own)

    @classmethod
    def from_text(cls, when: datetime, text: str) -> ClientRequest:
        """Return the change that a record holds. Raises ProtocolError if it is none."""
        found = _RECORD.fullmatch(text)
        if found is None:
            raise ProtocolError(f"{text[:60]!r} is not a recorded request")
        pairs = (pair.split("=") for pair in found["values"].split())
        values = {name: int(value) for name, value in pairs}
        client, own = found["client"] or "", bool(found["own"])
        return cls(when, found["command"], int(found["code"]), values, client, own)


def observe_request(
    frame: Frame, when: datetime, own_clients: Collection[str]
) -> ClientRequest | None:
    """Return the request in a frame that came on a heater's topic; None when it holds none.

    ``own_clients`` are the client ids of this program. Raises ProtocolError if it is malformed.
    """
    request = parse_request(frame.topic, frame.payload)
    if request is None:
        return None
    suffix = request.topic[len(Address(request.mac_address, "").command_topic("")) :]
    numbers = [value for value in _list(request, "param") if type(value) is int]
    command = find_command(request.code, suffix, numbers)
    values = _list_values(request) if command is None or command.mode is None else None
    if command is not None and values is None:
        values = command.parse_param(numbers)
    return ClientRequest(
        when=when,
        command="unknown" if command is None else command.name,
        code=request.code,
        values=values or {},
        client=hash_client(request.client_id),
        own=request.client_id in own_clients,
        is_change=suffix.split("/")[0] == "ctrl",
    )


def hash_client(client_id: str) -> str:
    """Return what stands for a client id in records; nothing for none."""
    if not client_id:
        return ""
    return hashlib.sha256(client_id.encode("utf-8", "replace")).hexdigest()[:_DIGITS]


def _list(request: Request, key: str) -> list[Any]:
    found = request.body.get(key)
    return found if isinstance(found, list) else []


def _list_values(request: Request) -> dict[str, int]:
    use = request.body.get("reservationUse")
    values = {"enabled": use} if type(use) is int else {}
    return {**values, "entries": len(_list(request, "reservation"))} if values else {}
