"""Faults and counters from outside, over HTTP beside the REST calls.

``GET /simulator/faults`` lists what there is, ``POST`` sets it, ``GET /simulator/state`` tells what
clients did. Everything is read off the faults' own rows.
"""

from __future__ import annotations

import base64
import ipaddress
import json
from dataclasses import MISSING, Field, asdict, fields
from functools import partial
from inspect import cleandoc
from typing import Any, Callable, Collection, Mapping

from aiohttp import web

from ..cloud.counters import Counters
from ..faults.base import ClientConnection, Fault, Handler, fault_table
from ..faults.registry import CONTROL, Faults, RestFault

_SHOWN_BYTES = 200


class AdminApi:
    """Let other processes on this machine set faults and read counters."""

    def __init__(
        self, faults: Faults, counters: Counters, lines: Collection[ClientConnection]
    ) -> None:
        self._faults = faults
        self._counters = counters
        self._lines = lines

    def routes(self) -> list[web.RouteDef]:
        """List every route."""
        return [
            web.get(f"{CONTROL}faults", _local(self._list)),
            web.post(f"{CONTROL}faults", _local(self._set)),
            web.get(f"{CONTROL}state", _local(self._state)),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        rows = {name: _describe(row) for name, row in fault_table().items()}
        return web.json_response({"faults": rows, "in_force": self._in_force()})

    async def _set(self, request: web.Request) -> web.Response:
        """Do all a body asks, healing first, or nothing of it."""
        try:
            steps = self._understand(json.loads(await request.text()))
        except (ValueError, LookupError, OverflowError, RecursionError) as error:
            return web.json_response({"error": f"Nothing was changed: {error}."}, status=400)
        for step in steps:
            step()
        return web.json_response({"in_force": self._in_force()})

    def _understand(self, asked: object) -> list[Callable[[], object]]:
        """Read what is to be done; raises ValueError with a sentence."""
        if not isinstance(asked, dict):
            raise ValueError("the body is no JSON object")
        rows = fault_table()
        steps: list[Callable[[], object]] = []
        if asked.pop("clear", False) is not False:
            steps.append(self._faults.clear)
        for name, value in asked.items():
            if name not in rows:
                raise ValueError(f"there is no fault {name!r}; there are {', '.join(rows)}")
            if value is None or value is False:
                steps.append(partial(self._faults.clear, name))
            elif name == RestFault.name:
                steps.extend(self._understand_calls(value))
            else:
                steps.append(partial(self._faults.set, _make(rows[name], value)))
        return steps

    def _understand_calls(self, calls: object) -> list[Callable[[], object]]:
        if not isinstance(calls, dict):
            raise ValueError("rest maps a path, or *, to its fault")
        steps: list[Callable[[], object]] = []
        for path, value in calls.items():
            if value is None or value is False:
                steps.append(partial(self._faults.rest.pop, path, None))
            else:
                steps.append(partial(self._faults.rest.__setitem__, path, _make(RestFault, value)))
        return steps

    async def _state(self, request: web.Request) -> web.Response:
        connections = [
            {"client": line.client_id, "subscriptions": sorted(line.filters)}
            for line in self._lines
        ]
        return web.json_response(
            {
                "counters": asdict(self._counters),
                "connections": connections,
                "in_force": self._in_force(),
            }
        )

    def _in_force(self) -> dict[str, Any]:
        found: dict[str, Any] = {fault.name: _show(fault) for fault in self._faults.in_force}
        rest = {path: _show(one) for path, one in self._faults.rest.items() if one.in_force}
        return {**found, RestFault.name: rest} if rest else found


def _local(handle: Handler) -> Handler:
    """Answer this machine only, whatever the server listens on."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            is_local = ipaddress.ip_address(request.remote or "").is_loopback
        except ValueError:
            is_local = False
        return await handle(request) if is_local else web.Response(status=403)

    return guarded


def _describe(row: type[Fault]) -> dict[str, Any]:
    parameters = {
        one.name: {"type": one.type, "default": _plain(_default(one))} for one in _fields(row)
    }
    meaning = " ".join(cleandoc(row.__doc__ or "").replace("``", "").split())
    return {"meaning": meaning, "parameters": parameters}


def _show(fault: Fault) -> dict[str, Any]:
    return {one.name: _plain(getattr(fault, one.name)) for one in _fields(type(fault))}


def _fields(row: type[Fault]) -> tuple[Field[Any], ...]:
    return fields(row)  # type: ignore[arg-type]  # every row is a dataclass


def _default(one: Field[Any]) -> Any:
    return one.default if one.default_factory is MISSING else one.default_factory()


def _plain(value: Any) -> Any:
    """Make a parameter JSON; of bytes only the beginning."""
    if isinstance(value, bytes):
        return value[:_SHOWN_BYTES].decode(errors="replace")
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, (tuple, list)) else value


def _make(row: type[Fault], value: object) -> Any:
    """Make a fault from what JSON said: true, or its parameters; raises ValueError."""
    if value is True:
        return row()
    if not isinstance(value, dict):
        raise ValueError(f"{row.name} is true, false or an object of its parameters")
    types = {one.name: str(one.type) for one in _fields(row)}
    for key in value:
        if key not in types:
            names = ", ".join(types) or "none"
            raise ValueError(f"{row.name} has no parameter {key!r}; it has {names}")
    return row(**{key: _read(f"{row.name}.{key}", types[key], value[key]) for key in value})


def _read(name: str, annotation: str, value: Any) -> Any:
    """Read one parameter as its row's annotation says; raises ValueError."""
    for kind in annotation.split(" | "):
        accepts, convert = _KINDS[kind]
        if accepts(value):
            return convert(value)
    raise ValueError(f"{name} is to be {annotation}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_payload(value: object) -> bool:
    return isinstance(value, (str, dict, list))


def _payload(value: Any) -> bytes:
    """Bytes of a text; of ``{"base64": ...}``, for any bytes; of other JSON, itself."""
    if isinstance(value, str):
        return value.encode(errors="surrogateescape")
    if isinstance(value, dict) and set(value) == {"base64"}:
        return base64.b64decode(str(value["base64"]), validate=True)
    return json.dumps(value).encode()


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_headers(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


#: How JSON says a value of each type the rows' annotations name: is it one, and make it.
_KINDS: Mapping[str, tuple[Callable[[Any], bool], Callable[[Any], Any]]] = {
    "None": (lambda value: value is None, lambda value: value),
    "bool": (lambda value: isinstance(value, bool), bool),
    "int": (lambda value: type(value) is int, int),
    "float": (_is_number, float),
    "str": (lambda value: isinstance(value, str), str),
    "bytes": (_is_payload, _payload),
    "Sequence[str]": (_is_texts, tuple),
    "Mapping[str, str]": (_is_headers, dict),
    "Mapping[str, Any]": (lambda value: isinstance(value, dict), dict),
}
