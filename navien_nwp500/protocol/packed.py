"""Messages of integers, quick to make and small to keep.

A decoded message keeps its numbers packed, as they were checked; the first field that is read
gives all fields their values. A constructed message has them from the start.
"""

from __future__ import annotations

import dataclasses
import marshal
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, Mapping, NamedTuple, TypeVar

T = TypeVar("T")

#: So many values of a type are kept for all messages to share; a heater shows some hundred a day.
POOL = 512
#: So many shapes are kept; the firmwares of one account have two or three.
SHAPES = 8
_set = object.__setattr__


class PackedMessage:
    """The base of a message whose numbers stay packed until a field is read; see :func:`slotted`."""

    __slots__ = ("_shape", "_numbers", "__weakref__")
    _shape: Layout
    _numbers: bytes

    def __setattr__(self, name: str, value: Any) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    if not TYPE_CHECKING:  # or every misspelt field would pass the type checker

        def __getattr__(self, name: str) -> Any:
            """Fill the fields: only one without a value yet is looked for here."""
            if name not in self.__dataclass_fields__:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            # Empty when another thread has just filled them.
            if self._numbers:
                self._shape.fill(self, self._numbers)
                _set(self, "_numbers", b"")
            return object.__getattribute__(self, name)

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _fields(type(self))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            _set(self, name, value)


def with_slots(cls: type[T]) -> type[T]:
    """Make a frozen dataclass again with its own fields as slots (``slots=True`` of Python 3.10).

    Its frozen ``__setattr__`` names the class it was made for, so that of Compact takes its place.
    """
    inherited = {name for base in cls.__bases__ for name in getattr(base, "__slots__", ())}
    inherited |= {name for base in cls.__bases__ for name in _fields(base)}
    own = tuple(name for name in _fields(cls) if name not in inherited)
    replaced = {*own, "__dict__", "__weakref__", "__setattr__", "__delattr__"}
    kept = {name: value for name, value in vars(cls).items() if name not in replaced}
    kept.update(__slots__=own, __qualname__=cls.__qualname__)
    made: type[T] = type(cls)(cls.__name__, cls.__bases__, kept)  # type: ignore[misc]
    return made


def _fields(cls: type[Any]) -> dict[str, dataclasses.Field[Any]]:
    found: dict[str, dataclasses.Field[Any]] = getattr(cls, "__dataclass_fields__", {})
    return found


class ValueCache(Dict[int, Any]):
    """Each value of a type once, however many messages show it; full, it begins anew."""

    def __init__(self, codec: type[Any]) -> None:
        super().__init__()
        self._codec = codec

    def __missing__(self, raw: int) -> Any:
        if len(self) >= POOL:
            self.clear()
        value = self[raw] = self._codec(raw)
        return value


class FieldSlot(NamedTuple):
    """How the field of a key is set, and where the value of its number comes from."""

    key: str
    fill: Callable[[Any, Any], None]
    pool: ValueCache


class Layout:
    """What all bodies with the same keys have in common."""

    def __init__(self, slots: Iterable[FieldSlot], keys: Iterable[str]) -> None:
        sent = [slot for slot in slots if slot.key in keys]
        self._take = itemgetter(*(slot.key for slot in sent))
        self._tags = b"i" * len(sent)
        self._fills = [slot.fill for slot in sent]
        self._pools = [slot.pool for slot in sent]
        self._unsent = [slot.fill for slot in slots if slot.key not in keys]
        self._unknown = frozenset(keys).difference(slot.key for slot in slots)

    def pack(self, body: dict[str, Any]) -> bytes | None:
        """The numbers of a body of as many keys, packed; None when one is no plain integer.

        Marshal writes a plain integer of 32 bits, and nothing else, as an "i" and four bytes. So
        one call tells the type and the range of each: True and 1.0 equal 1 but are not "i".
        Raises KeyError when the keys are others.
        """
        taken = self._take(body)
        if self._unknown and not self._unknown <= body.keys():
            raise KeyError("another shape")
        try:
            packed = marshal.dumps(taken, 2)
        except ValueError:  # something JSON does not know
            return None
        return packed if packed[5::5] == self._tags else None

    def extra(self, body: dict[str, Any]) -> dict[str, Any]:
        """What no slot holds, in the order it came."""
        if not self._unknown:
            return {}
        return {key: value for key, value in body.items() if key in self._unknown}

    def fill(self, message: PackedMessage, packed: bytes) -> None:
        """Give the slots of a message their values."""
        for fill, pool, raw in zip(self._fills, self._pools, marshal.loads(packed)):
            fill(message, pool[raw])
        for fill in self._unsent:
            fill(message, None)


class Layouts:
    """The shapes in which the messages of one class come."""

    def __init__(
        self, cls: type[Any], names: Mapping[str, tuple[str, type[Any]]], required: Iterable[str]
    ) -> None:
        """``names``: by key the name of the field and the type of its value."""
        pools = {codec: ValueCache(codec) for _, codec in names.values()}
        self._cls = cls
        self._slots = tuple(
            FieldSlot(key, getattr(cls, name).__set__, pools[codec])
            for key, (name, codec) in names.items()
        )
        self._required = frozenset(required)
        self._plain = _fields(cls).keys() - {"extra", *(name for name, _ in names.values())}
        self._others = [
            (name, getattr(cls, name).__set__, _fields(cls)[name].default) for name in self._plain
        ]
        # The setters of slots take half the time of object.__setattr__.
        self._set_shape, self._set_numbers, self._set_extra = (
            getattr(cls, name).__set__ for name in ("_shape", "_numbers", "extra")
        )
        self._met: dict[int, Layout] = {}

    def message(self, body: dict[str, Any], added: Mapping[str, Any]) -> Any:
        """A message of this body, or None when not all in it is ordinary."""
        if added and not added.keys() <= self._plain:
            return None
        try:
            shape = self._met[len(body)]
            numbers = shape.pack(body)
        except KeyError:
            if not self._required <= body.keys():
                return None
            shape = self._meet(body)
            numbers = shape.pack(body)
        if numbers is None:
            return None
        made = object.__new__(self._cls)
        self._set_shape(made, shape)
        self._set_numbers(made, numbers)
        self._set_extra(made, shape.extra(body))
        for name, fill, default in self._others:
            fill(made, added.get(name, default))
        return made

    def _meet(self, body: dict[str, Any]) -> Layout:
        if len(self._met) >= SHAPES:
            self._met.clear()
        shape = self._met[len(body)] = Layout(self._slots, body.keys())
        return shape
