"""Rows: the one line that says how a field travels.

A dataclass field made by :func:`row` carries its wire key, its number in the protocol's table and
what is known of it; its annotation names the type of ``quantities`` that is its codec. Decoding,
encoding, the binary layout, CSV columns and the generated documents all read the rows.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
from typing import Any, Mapping, NamedTuple, TypeVar

from ..exceptions import ProtocolError
from .packed import Layouts, PackedMessage

T = TypeVar("T")

#: JSON knows no bound; a number no 64-bit register can hold is damage, not a reading.
LIMIT = 2**63
_PLAIN: dict[str, type[Any]] = {"int": int, "str": str}
_ROW = "row"
_ABSENT = object()
_TABLES: dict[type[Any], tuple[FieldSpec, ...]] = {}


class FieldSpec(NamedTuple):
    """How one field travels."""

    name: str
    key: str
    number: int
    codec: type[Any]
    required: bool
    certainty: str
    meaning: str
    also: str | None


def field_spec(
    number: int,
    key: str,
    certainty: str,
    meaning: str,
    *,
    also: str | None = None,
    required: bool = False,
    private: bool = False,
) -> Any:
    """Declare a field: its number in the table, wire key, certainty (source/confidence), meaning.

    ``also`` is a second spelling that is understood but never sent. A field that is not
    ``required`` is None when it was not sent; a ``private`` one is left out of every repr.
    """
    metadata = {_ROW: (number, key, certainty, meaning, also)}
    if required:
        return dataclasses.field(metadata=metadata, repr=not private)
    return dataclasses.field(default=None, metadata=metadata, repr=not private)


def field_specs(cls: type[Any]) -> tuple[FieldSpec, ...]:
    """The rows of a message class, in the order of the protocol's table."""
    if cls not in _TABLES:
        found = [_row(cls, entry) for entry in dataclasses.fields(cls) if _ROW in entry.metadata]
        _TABLES[cls] = tuple(sorted(found, key=lambda entry: entry.number))
    return _TABLES[cls]


def _row(cls: type[Any], entry: dataclasses.Field[Any]) -> FieldSpec:
    number, key, certainty, meaning, also = entry.metadata[_ROW]
    codec = _codec(cls, entry.name, str(entry.type))
    required = entry.default is dataclasses.MISSING
    return FieldSpec(entry.name, key, number, codec, required, certainty, meaning, also)


def _codec(cls: type[Any], name: str, annotation: str) -> type[Any]:
    owner = next(base for base in cls.__mro__ if name in vars(base).get("__annotations__", {}))
    type_name = annotation.partition(" | ")[0]
    if type_name in _PLAIN:
        return _PLAIN[type_name]
    codec: type[Any] = vars(sys.modules[owner.__module__])[type_name]
    return codec


def decode_fields(cls: type[T], body: Mapping[str, Any], **added: Any) -> T:
    """Make a message of ``cls`` from its JSON object.

    A field that was not sent is None. Keys without a row, and values no row can hold, are kept
    as they came in ``extra``: one bad field costs that field alone. ``added`` are fields the
    receiver knows.

    Raises ProtocolError when ``body`` is no object or a required field is missing or damaged.
    """
    if issubclass(cls, PackedMessage) and type(body) is dict:
        shapes: Layouts = _shapes(cls)  # type: ignore[arg-type]  # a class is hashable
        message: T | None = shapes.message(body, added)
        if message is not None:
            return message
    return _decode_with_care(cls, body, added)


@functools.lru_cache(maxsize=None)
def _shapes(cls: type[Any]) -> Layouts:
    entries = field_specs(cls)
    names = {entry.key: (entry.name, entry.codec) for entry in entries}
    return Layouts(cls, names, [entry.key for entry in entries if entry.required])


def _decode_with_care(cls: type[T], body: Mapping[str, Any], added: Mapping[str, Any]) -> T:
    if not isinstance(body, Mapping):
        raise ProtocolError(f"{cls.__name__}: an object was expected, not {type(body).__name__}")
    values: dict[str, Any] = dict(added)
    taken = set()
    for entry in field_specs(cls):
        key = entry.key
        raw = body.get(key, _ABSENT)
        value = _value(entry.codec, raw)
        if value is None and entry.also is not None:
            key = entry.also
            value = _value(entry.codec, body.get(key, _ABSENT))
        if value is not None:
            values[entry.name] = value
            taken.add(key)
        elif entry.required:
            state = "is missing" if raw is _ABSENT else "holds no integer"
            raise ProtocolError(f"{cls.__name__}: {entry.key} {state}")
    values["extra"] = {key: value for key, value in body.items() if key not in taken}
    return cls(**values)


def _value(codec: type[Any], raw: Any) -> Any:
    if codec is str:
        return raw if isinstance(raw, str) else None
    if type(raw) is int and -LIMIT <= raw < LIMIT:
        return codec(raw)
    return None


def encode_fields(message: Any) -> dict[str, Any]:
    """The JSON object of a message: what was not sent is left out, what was unknown comes back."""
    body: dict[str, Any] = {}
    for entry in field_specs(type(message)):
        value = getattr(message, entry.name)
        if value is not None:
            body[entry.key] = value if entry.codec is str else int(value)
    body.update(message.extra)
    return body


def to_json(message: Any) -> dict[str, Any]:
    """What a message means, field by field, in plain JSON types; unsent fields are left out."""
    result = {}
    for entry in field_specs(type(message)):
        value = getattr(message, entry.name)
        if value is not None:
            result[entry.name] = value if entry.codec in (int, str) else value.reading
    return result


def require_integer(body: Mapping[str, Any], key: str, lowest: int, highest: int) -> int:
    """The integer under ``key``. Raises ProtocolError when there is none within the range."""
    value = body.get(key)
    if type(value) is not int or not lowest <= value <= highest:
        raise ProtocolError(f"{key} holds no integer from {lowest} to {highest}")
    return value


def require_list(body: Any, key: str) -> list[Any]:
    """The list under ``key``. Raises ProtocolError when there is none."""
    value = body.get(key) if isinstance(body, Mapping) else None
    if not isinstance(value, list):
        raise ProtocolError(f"{key} is not a list")
    return value


def require_object(value: Any, name: str) -> Mapping[str, Any]:
    """The value as an object. Raises ProtocolError, naming it, when it is none."""
    if not isinstance(value, Mapping):
        raise ProtocolError(f"{name} is not an object")
    return value
