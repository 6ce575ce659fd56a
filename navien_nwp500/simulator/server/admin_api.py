"""HTTP interface to faults and counters, for other processes and languages.

``GET /simulator/faults`` lists all faults, ``POST`` injects and clears them, and
``GET /simulator/state`` gives counters and connections. All names come from the fault classes.
"""

from __future__ import annotations

import base64
import ipaddress
import json
from dataclasses import MISSING, Field, asdict, fields
from functools import partial
from inspect import cleandoc
from typing import Any, Callable, Collection, Iterable, Mapping

from aiohttp import web

from ..cloud.counters import Counters
from ..faults import ClientConnection, Fault, FaultInjector, RestFault, all_faults
from ..faults.base import Handler
from ..faults.injector import ADMIN_PATH

_MAX_SHOWN_BYTES = 200


class AdminApi:
    """Handlers for other processes on this machine: inject faults, read counters."""

    def __init__(
        self, faults: FaultInjector, counters: Counters, connections: Collection[ClientConnection]
    ) -> None:
        self._faults = faults
        self._counters = counters
        self._connections = connections

    def routes(self) -> list[web.RouteDef]:
        """Return every route."""
        return [
            web.get(f"{ADMIN_PATH}faults", _local(self._faults_list)),
            web.post(f"{ADMIN_PATH}faults", _local(self._change)),
            web.get(f"{ADMIN_PATH}state", _local(self._state)),
        ]

    async def _faults_list(self, request: web.Request) -> web.Response:
        faults = {name: _describe(fault) for name, fault in all_faults().items()}
        return web.json_response({"faults": faults, "active": self._active()})

    async def _change(self, request: web.Request) -> web.Response:
        """Make all changes of a body, clearing first, or none of them."""
        try:
            steps = self._parse(json.loads(await request.text()))
        except (ValueError, LookupError, OverflowError, RecursionError) as error:
            return web.json_response({"error": f"Nothing was changed: {error}."}, status=400)
        for step in steps:
            step()
        return web.json_response({"active": self._active()})

    def _parse(self, body: object) -> list[Callable[[], object]]:
        """Return the changes a body asks for. Raise ValueError with a sentence."""
        if not isinstance(body, dict):
            raise ValueError("the body is not a JSON object")
        known = all_faults()
        steps: list[Callable[[], object]] = []
        if body.pop("clear", False) is not False:
            steps.append(self._faults.clear)
        for name, value in body.items():
            if name not in known:
                raise ValueError(f"there is no fault {name!r}; there are {', '.join(known)}")
            if value is None or value is False:
                steps.append(partial(self._faults.clear, name))
            elif name == RestFault.name:
                steps.extend(self._parse_rest(value))
            else:
                steps.append(partial(self._faults.inject, _make(known[name], value)))
        return steps

    def _parse_rest(self, calls: object) -> list[Callable[[], object]]:
        if not isinstance(calls, dict):
            raise ValueError("rest must map a path, or *, to its fault")
        steps: list[Callable[[], object]] = []
        for path, value in calls.items():
            if value is None or value is False:
                steps.append(partial(self._faults.rest.pop, path, None))
            else:
                steps.append(partial(self._faults.rest.__setitem__, path, _make(RestFault, value)))
        return steps

    async def _state(self, request: web.Request) -> web.Response:
        connections = [
            {"client": one.client_id, "subscriptions": sorted(one.filters)}
            for one in self._connections
        ]
        return web.json_response(
            {
                "counters": asdict(self._counters),
                "connections": connections,
                "active": self._active(),
            }
        )

    def _active(self) -> dict[str, Any]:
        found: dict[str, Any] = {fault.name: _show(fault) for fault in self._faults.active}
        rest = {path: _show(one) for path, one in self._faults.rest.items() if one.is_active}
        return {**found, RestFault.name: rest} if rest else found


def _local(handle: Handler) -> Handler:
    """Reject requests from other machines, whatever address the server listens on."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            is_local = ipaddress.ip_address(request.remote or "").is_loopback
        except ValueError:
            is_local = False
        return await handle(request) if is_local else web.Response(status=403)

    return guarded


def _describe(fault: type[Fault]) -> dict[str, Any]:
    parameters = {
        one.name: {"type": one.type, "default": _plain(_default(one))} for one in _fields(fault)
    }
    meaning = " ".join(cleandoc(fault.__doc__ or "").replace("``", "").split())
    return {"meaning": meaning, "parameters": parameters}


def _show(fault: Fault) -> dict[str, Any]:
    return {one.name: _plain(getattr(fault, one.name)) for one in _fields(type(fault))}


def _fields(fault: type[Fault]) -> tuple[Field[Any], ...]:
    return fields(fault)  # type: ignore[arg-type]  # every fault is a dataclass


def _default(one: Field[Any]) -> Any:
    return one.default if one.default_factory is MISSING else one.default_factory()


def _plain(value: Any) -> Any:
    """Convert a parameter to JSON; bytes are shortened."""
    if isinstance(value, bytes):
        return value[:_MAX_SHOWN_BYTES].decode(errors="replace")
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, (tuple, list)) else value


def _make(fault: type[Fault], value: object) -> Any:
    """Make a fault from JSON: true, or an object of parameters. Raise ValueError."""
    if value is True:
        return fault()
    if not isinstance(value, dict):
        raise ValueError(f"{fault.name} must be true, false or an object of its parameters")
    types = {one.name: str(one.type) for one in _fields(fault)}
    for key in value:
        if key not in types:
            names = ", ".join(types) or "none"
            raise ValueError(f"{fault.name} has no parameter {key!r}; it has {names}")
    return fault(**{key: _read(f"{fault.name}.{key}", types[key], value[key]) for key in value})


def _read(name: str, annotation: str, value: Any) -> Any:
    """Convert one parameter from JSON to its annotated type. Raise ValueError."""
    for kind in annotation.split(" | "):
        accepts, convert = _KINDS[kind]
        if accepts(value):
            return convert(value)
    raise ValueError(f"{name} must be {annotation}")


def _payload(value: Any) -> bytes:
    """Return the bytes of a text, of ``{"base64": ...}``, or of other JSON as it is."""
    if isinstance(value, str):
        return value.encode(errors="surrogateescape")
    if isinstance(value, dict) and set(value) == {"base64"}:
        return base64.b64decode(str(value["base64"]), validate=True)
    return json.dumps(value).encode()


def _are_texts(values: Iterable[object]) -> bool:
    return all(isinstance(one, str) for one in values)


#: For each annotated type: a check whether a JSON value fits, and its conversion.
_KINDS: Mapping[str, tuple[Callable[[Any], bool], Callable[[Any], Any]]] = {
    "None": (lambda value: value is None, lambda value: value),
    "bool": (lambda value: isinstance(value, bool), bool),
    "int": (lambda value: type(value) is int, int),
    "float": (lambda value: type(value) in (int, float), float),
    "str": (lambda value: isinstance(value, str), str),
    "bytes": (lambda value: isinstance(value, (str, dict, list)), _payload),
    "Sequence[str]": (lambda value: isinstance(value, list) and _are_texts(value), tuple),
    "Mapping[str, str]": (
        lambda value: isinstance(value, dict) and _are_texts(value.values()),
        dict,
    ),
    "Mapping[str, Any]": (lambda value: isinstance(value, dict), dict),
}
