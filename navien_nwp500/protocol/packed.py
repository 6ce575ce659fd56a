"""Messages that keep their integers packed until the first field is read.

The integers are checked at once, in C; the typed values are created on first use. So decoding takes
about as long as ``json.loads`` alone, and a stored status needs less memory than its dictionary;
``benchmarks/decode.py`` measures both. A constructed message has its values from the start.
"""

from __future__ import annotations

import dataclasses
import marshal
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, Mapping, NamedTuple, TypeVar

T = TypeVar("T")

#: Values of one type that are cached for all messages; a heater sends some hundred a day.
CACHE_SIZE = 512
#: Layouts that are cached; the firmware versions of one account have two or three.
MAX_LAYOUTS = 8
_set = object.__setattr__


class PackedMessage:
    """Base of a message whose integers stay packed until a field is read; see ``with_slots``."""

    __slots__ = ("_layout", "_packed", "__weakref__")
    _layout: Layout
    _packed: bytes

    def __setattr__(self, name: str, value: Any) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    if not TYPE_CHECKING:  # or every misspelt field would pass the type checker

        def __getattr__(self, name: str) -> Any:
            """Unpack all fields; Python calls this only for a field without a value."""
            if name not in self.__dataclass_fields__:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            # Empty when another thread has just unpacked them.
            if self._packed:
                self._layout.unpack(self, self._packed)
                _set(self, "_packed", b"")
            return object.__getattribute__(self, name)

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _fields(type(self))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            _set(self, name, value)


def with_slots(cls: type[T]) -> type[T]:
    """Rebuild a frozen dataclass with its own fields as slots (``slots=True`` of Python 3.10).

    Its frozen ``__setattr__`` refers to the class it was made for, so that of PackedMessage replaces
    it.
    """
    inherited = {name for base in cls.__bases__ for name in getattr(base, "__slots__", ())}
    inherited |= {name for base in cls.__bases__ for name in _fields(base)}
    own = tuple(name for name in _fields(cls) if name not in inherited)
    replaced = {*own, "__dict__", "__weakref__", "__setattr__", "__delattr__"}
    namespace = {name: value for name, value in vars(cls).items() if name not in replaced}
    namespace.update(__slots__=own, __qualname__=cls.__qualname__)
    made: type[T] = type(cls)(cls.__name__, cls.__bases__, namespace)  # type: ignore[misc]
    return made


def _fields(cls: type[Any]) -> dict[str, dataclasses.Field[Any]]:
    found: dict[str, dataclasses.Field[Any]] = getattr(cls, "__dataclass_fields__", {})
    return found


class ValueCache(Dict[int, Any]):
    """Values of one type by their integer, shared by all messages; cleared when full."""

    def __init__(self, codec: type[Any]) -> None:
        super().__init__()
        self._codec = codec

    def __missing__(self, raw: int) -> Any:
        if len(self) >= CACHE_SIZE:
            self.clear()
        value = self[raw] = self._codec(raw)
        return value


class FieldSlot(NamedTuple):
    """Wire key of a field, the setter of its slot and the cache of its values."""

    key: str
    set_value: Callable[[Any, Any], None]
    cache: ValueCache


class Layout:
    """Field order that all bodies with the same keys share."""

    def __init__(self, slots: Iterable[FieldSlot], keys: Iterable[str]) -> None:
        sent = [slot for slot in slots if slot.key in keys]
        self._get_numbers = itemgetter(*(slot.key for slot in sent))
        self._tags = b"i" * len(sent)
        self._setters = [slot.set_value for slot in sent]
        self._caches = [slot.cache for slot in sent]
        self._absent = [slot.set_value for slot in slots if slot.key not in keys]
        self._unknown = frozenset(keys).difference(slot.key for slot in slots)

    def pack(self, body: dict[str, Any]) -> bytes | None:
        """Pack the integers of a body with as many keys; None if one is not a 32-bit integer.

        Marshal writes a plain 32-bit integer, and nothing else, as an "i" and four bytes. So one
        call checks type and range of each: True and 1.0 equal 1 but are not written as "i".
        Raises KeyError when the keys are different.
        """
        numbers = self._get_numbers(body)
        if self._unknown and not self._unknown <= body.keys():
            raise KeyError("another layout")
        try:
            packed = marshal.dumps(numbers, 2)
        except ValueError:  # a type that JSON does not have
            return None
        return packed if packed[5::5] == self._tags else None

    def extra(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the entries without a field, in their order."""
        if not self._unknown:
            return {}
        return {key: value for key, value in body.items() if key in self._unknown}

    def unpack(self, message: PackedMessage, packed: bytes) -> None:
        """Set all fields of a message from its packed integers."""
        for set_value, cache, raw in zip(self._setters, self._caches, marshal.loads(packed)):
            set_value(message, cache[raw])
        for set_value in self._absent:
            set_value(message, None)


class Layouts:
    """Layouts of one message class, by number of keys."""

    def __init__(
        self, cls: type[Any], names: Mapping[str, tuple[str, type[Any]]], required: Iterable[str]
    ) -> None:
        """Prepare the slots. ``names`` maps a wire key to field name and value type."""
        caches = {codec: ValueCache(codec) for _, codec in names.values()}
        self._cls = cls
        self._slots = tuple(
            FieldSlot(key, getattr(cls, name).__set__, caches[codec])
            for key, (name, codec) in names.items()
        )
        self._required = frozenset(required)
        self._plain = _fields(cls).keys() - {"extra", *(name for name, _ in names.values())}
        self._others = [
            (name, getattr(cls, name).__set__, _fields(cls)[name].default) for name in self._plain
        ]
        # The setters of slots take half the time of object.__setattr__.
        self._set_layout, self._set_packed, self._set_extra = (
            getattr(cls, name).__set__ for name in ("_layout", "_packed", "extra")
        )
        self._by_length: dict[int, Layout] = {}

    def decode(self, body: dict[str, Any], added: Mapping[str, Any]) -> Any:
        """Return a message of this body; None if it needs the field-by-field decoding."""
        if added and not added.keys() <= self._plain:
            return None
        try:
            layout = self._by_length[len(body)]
            packed = layout.pack(body)
        except KeyError:
            if not self._required <= body.keys():
                return None
            layout = self._add_layout(body)
            packed = layout.pack(body)
        if packed is None:
            return None
        message = object.__new__(self._cls)
        self._set_layout(message, layout)
        self._set_packed(message, packed)
        self._set_extra(message, layout.extra(body))
        for name, set_value, default in self._others:
            set_value(message, added.get(name, default))
        return message

    def _add_layout(self, body: dict[str, Any]) -> Layout:
        if len(self._by_length) >= MAX_LAYOUTS:
            self._by_length.clear()
        layout = self._by_length[len(body)] = Layout(self._slots, body.keys())
        return layout
