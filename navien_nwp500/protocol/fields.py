"""Field specs: wire key, type and metadata of each message field.

A dataclass field declared with :func:`field_spec` carries its wire key, its number in the protocol's
table and what is known of it. Its annotation names the type of ``types`` that converts its value.
Decoding, encoding, the binary layout, CSV columns and the generated documents all read these specs.
"""

from __future__ import annotations

import dataclasses
import sys
from operator import attrgetter
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Tuple, TypeVar

from .._util.text import clean_text
from ..exceptions import ProtocolError
from .layouts import INTEGER_LIMIT, Layouts, ValueCache

T = TypeVar("T")
#: A function that reads all fields, and of each its name, the cache of its meanings, and whether
#: these are JSON objects.
Meanings = Tuple[Callable[[Any], Any], List[Tuple[str, Dict[Any, Any], bool]]]

_PLAIN_TYPES: dict[str, type[Any]] = {"int": int, "str": str}
_SPEC = "field_spec"
_ABSENT = object()
_CACHE: dict[type[Any], tuple[FieldSpec, ...]] = {}
_LAYOUTS: dict[type[Any], Layouts[Any] | None] = {}
_MEANINGS: dict[type[Any], Meanings] = {}


class FieldSpec(NamedTuple):
    """Definition of one message field; ``field_spec`` explains the members."""

    name: str
    key: str
    number: int
    codec: type[Any]
    required: bool
    certainty: str
    meaning: str
    alias: str | None


def field_spec(
    number: int,
    key: str,
    certainty: str,
    meaning: str,
    *,
    alias: str | None = None,
    required: bool = False,
    private: bool = False,
) -> Any:
    """Declare a field: its number in the table, wire key, certainty (source/confidence), meaning.

    ``alias`` is a second wire key that is accepted but never sent. A field that is not ``required``
    is None when it was not sent. A ``private`` field is left out of every repr.
    """
    metadata = {_SPEC: (number, key, certainty, meaning, alias)}
    if required:
        return dataclasses.field(metadata=metadata, repr=not private)
    return dataclasses.field(default=None, metadata=metadata, repr=not private)


def field_specs(cls: type[Any]) -> tuple[FieldSpec, ...]:
    """Return the field specs of a message class, in the order of the protocol's table."""
    if cls not in _CACHE:
        found = [_read_spec(cls, one) for one in dataclasses.fields(cls) if _SPEC in one.metadata]
        _CACHE[cls] = tuple(sorted(found, key=lambda spec: spec.number))
    return _CACHE[cls]


def _read_spec(cls: type[Any], entry: dataclasses.Field[Any]) -> FieldSpec:
    number, key, certainty, meaning, alias = entry.metadata[_SPEC]
    codec = _find_codec(cls, entry.name, str(entry.type))
    required = entry.default is dataclasses.MISSING
    return FieldSpec(entry.name, key, number, codec, required, certainty, meaning, alias)


def _find_codec(cls: type[Any], name: str, annotation: str) -> type[Any]:
    owner = next(base for base in cls.__mro__ if name in vars(base).get("__annotations__", {}))
    type_name = annotation.partition(" | ")[0]
    if type_name in _PLAIN_TYPES:
        return _PLAIN_TYPES[type_name]
    codec: type[Any] = vars(sys.modules[owner.__module__])[type_name]
    return codec


def decode_fields(cls: type[T], body: Mapping[str, Any], **added: Any) -> T:
    """Decode a JSON object into a message of ``cls``.

    A field that was not sent is None. Keys without a field spec, and values that the type cannot
    hold, are kept unchanged in ``extra``: one damaged optional field affects only itself. Texts are
    cleaned (``_util.text``). ``added`` are fields that the receiver sets.

    Raises ProtocolError when ``body`` is not an object, or a required field is missing or damaged.
    """
    if type(body) is dict:
        layouts = _LAYOUTS[cls] if cls in _LAYOUTS else _LAYOUTS.setdefault(cls, _layouts(cls))
        message: T | None = None if layouts is None else layouts.decode(body, added)
        if message is not None:
            return message
    return _decode_each_field(cls, body, added)


def _layouts(cls: type[Any]) -> Layouts[Any] | None:
    """Return the layouts of a class; None for one with texts, aliases, or values it changes itself."""
    specs = field_specs(cls)
    if hasattr(cls, "__post_init__") or any(one.codec is str or one.alias for one in specs):
        return None
    names = {spec.key: (spec.name, spec.codec) for spec in specs}
    own = {"extra", *(spec.name for spec in specs)}
    others = {one.name: one.default for one in dataclasses.fields(cls) if one.name not in own}
    return Layouts(cls, names, [spec.key for spec in specs if spec.required], others)


def _decode_each_field(cls: type[T], body: Mapping[str, Any], added: Mapping[str, Any]) -> T:
    if not isinstance(body, Mapping):
        raise ProtocolError(f"{cls.__name__}: expected an object, not {type(body).__name__}")
    values: dict[str, Any] = dict(added)
    decoded = set()
    for spec in field_specs(cls):
        key = spec.key
        raw = body.get(key, _ABSENT)
        value = _convert(spec.codec, raw)
        if value is None and spec.alias is not None:
            key = spec.alias
            value = _convert(spec.codec, body.get(key, _ABSENT))
        if value is not None:
            values[spec.name] = value
            decoded.add(key)
        elif spec.required:
            problem = "is missing" if raw is _ABSENT else "is not an integer"
            raise ProtocolError(f"{cls.__name__}: {spec.key} {problem}")
    values["extra"] = {key: value for key, value in body.items() if key not in decoded}
    return cls(**values)


def _convert(codec: type[Any], raw: Any) -> Any:
    if codec is str:
        return clean_text(raw) if isinstance(raw, str) else None
    if type(raw) is int and -INTEGER_LIMIT <= raw < INTEGER_LIMIT:
        return codec(raw)
    return None


def encode_fields(message: Any) -> dict[str, Any]:
    """Return the JSON object of a message, without fields that are None and with ``extra``."""
    body: dict[str, Any] = {}
    for spec in field_specs(type(message)):
        value = getattr(message, spec.name)
        if value is not None:
            body[spec.key] = value if spec.codec is str else int(value)
    body.update(message.extra)
    return body


def to_json(message: Any) -> dict[str, Any]:
    """Return the meaning of each field in plain JSON types; fields that are None are left out."""
    cls = type(message)
    if cls not in _MEANINGS:
        _MEANINGS[cls] = _meanings(cls)
    read, rows = _MEANINGS[cls]
    # Meanings are shared by all messages, so objects, which can be changed, are copied.
    return {
        name: cache[value].copy() if is_object else cache[value]
        for (name, cache, is_object), value in zip(rows, read(message))
        if value is not None
    }


def _meanings(cls: type[Any]) -> Meanings:
    """Return the meanings of a class; the type of a field decides whether they are objects."""
    specs = field_specs(cls)
    rows = []
    caches: dict[type[Any], dict[Any, Any]] = {int: _Unchanged(), str: _Unchanged()}
    for spec in specs:
        cache = caches.setdefault(spec.codec, ValueCache(_meaning(spec.codec)))
        rows.append((spec.name, cache, isinstance(cache[spec.codec(0)], dict)))
    return attrgetter(*(spec.name for spec in specs)), rows


def _meaning(codec: type[Any]) -> Callable[[int], Any]:
    return lambda raw: codec(raw).to_json()


class _Unchanged(Dict[Any, Any]):
    """Values that are their own meaning."""

    def __missing__(self, value: Any) -> Any:
        return value


def decode_each(
    entries: Iterable[Any], decode: Callable[[Any], T], *, partly: bool
) -> tuple[list[T], tuple[str, ...]]:
    """Decode the entries of a list; return the decoded ones, and why others cannot be read.

    Without ``partly`` an entry that cannot be read raises its ProtocolError; with it such an entry
    costs itself alone.
    """
    found, unreadable = [], []
    for number, entry in enumerate(entries, 1):
        try:
            found.append(decode(entry))
        except ProtocolError as error:
            if not partly:
                raise
            unreadable.append(f"entry {number}: {error}")
    return found, tuple(unreadable)


def require_integer(body: Mapping[str, Any], key: str, lowest: int, highest: int) -> int:
    """Return the integer under ``key``. Raises ProtocolError when none is there in the range."""
    value = body.get(key)
    if type(value) is not int or not lowest <= value <= highest:
        raise ProtocolError(f"{key} is not an integer from {lowest} to {highest}")
    return value


def require_list(body: Any, key: str) -> list[Any]:
    """Return the list under ``key``. Raises ProtocolError when there is none."""
    value = body.get(key) if isinstance(body, Mapping) else None
    if not isinstance(value, list):
        raise ProtocolError(f"{key} is not a list")
    return value


def require_object(value: Any, name: str) -> Mapping[str, Any]:
    """Return ``value`` if it is an object. Raises ProtocolError with ``name`` otherwise."""
    if not isinstance(value, Mapping):
        raise ProtocolError(f"{name} is not an object")
    return value
