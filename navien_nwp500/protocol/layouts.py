"""Quick decoding of messages of integers, each of which differs little from the one before.

A heater sends the same keys in the same order, and few of its values change between two messages. So
the values of a message are a copy of those of the message before, in which the changed ones are
replaced; only these are checked and converted. ``benchmarks/decode.py`` measures it.
"""

from __future__ import annotations

from itertools import compress
from operator import is_not
from typing import Any, Callable, Dict, Generic, Iterable, Mapping, Optional, Tuple, TypeVar

T = TypeVar("T")

#: JSON integers are unbounded; a number that needs more than 64 bits is treated as damaged.
INTEGER_LIMIT = 2**63
#: Values of one type that are cached for all messages; a heater sends some hundred a day.
CACHE_SIZE = 512
#: Layouts that are cached; the firmware versions of one account have two or three.
MAX_LAYOUTS = 8


class ValueCache(Dict[int, Any]):
    """Values of one type by their integer, shared by all messages; cleared when full.

    Raises KeyError for a number that needs more than 64 bits.
    """

    def __init__(self, codec: Callable[[int], Any]) -> None:
        super().__init__()
        self._codec = codec

    def __missing__(self, raw: int) -> Any:
        if not -INTEGER_LIMIT <= raw < INTEGER_LIMIT:
            raise KeyError(raw)
        if len(self) >= CACHE_SIZE:
            self.clear()
        value = self[raw] = self._codec(raw)
        return value


#: Name of a field and the cache of its values; of an unknown key, no cache.
Row = Tuple[str, Optional[ValueCache]]


class Layout:
    """Keys that messages share, in their order, and the latest of these messages."""

    def __init__(
        self, keys: Iterable[str], rows: Mapping[str, Row], defaults: Mapping[str, Any]
    ) -> None:
        """``defaults`` are the values of the fields without a key."""
        self.keys = list(keys)
        self.unknown = [key for key in self.keys if key not in rows]
        self._rows = [rows.get(key, ("", None)) for key in self.keys]
        # One pair, so that other threads see numbers and values of the same message.
        self._latest: tuple[list[Any], dict[str, Any]] = (
            [object()] * len(self.keys),
            dict(defaults),
        )

    def values(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """Return the value of each field of a body with these keys; None if one is no integer.

        An object that is the same as in the message before is known to be an integer. True and 1.0
        equal 1 and are other objects. Raises KeyError for a number that needs more than 64 bits.
        """
        before, values = self._latest
        numbers = [*body.values()]
        values = values.copy()
        rows = self._rows
        for index in compress(range(len(rows)), map(is_not, numbers, before)):
            name, cache = rows[index]
            if cache is not None:
                number = numbers[index]
                if type(number) is not int:
                    return None
                values[name] = cache[number]
        self._latest = numbers, values
        return values.copy()


class Layouts(Generic[T]):
    """Layouts of one message class, by number of keys."""

    def __init__(
        self,
        cls: type[T],
        names: Mapping[str, tuple[str, type[Any]]],
        required: Iterable[str],
        defaults: Mapping[str, Any],
    ) -> None:
        """``names`` maps a wire key to field name and value type, ``defaults`` are other fields."""
        self.caches = {codec: ValueCache(codec) for _, codec in names.values()}
        self.by_length: dict[int, Layout] = {}
        self._cls = cls
        self._set_values = vars(cls.__mro__[-2])["__dict__"].__set__
        self._rows = {key: (name, self.caches[codec]) for key, (name, codec) in names.items()}
        self._required = frozenset(required)
        self._defaults = dict(defaults)

    def decode(self, body: dict[str, Any], added: Mapping[str, Any]) -> T | None:
        """Return a message of this body; None if it needs the field-by-field decoding."""
        layout = self.by_length.get(len(body))
        if layout is None or layout.keys != [*body]:
            if not self._required <= body.keys():
                return None
            layout = self._add_layout(body)
        try:
            values = layout.values(body)
        except KeyError:
            return None
        if values is None:
            return None
        if added:
            if not added.keys() <= self._defaults.keys():
                return None
            values.update(added)
        values["extra"] = {key: body[key] for key in layout.unknown} if layout.unknown else {}
        message = object.__new__(self._cls)
        self._set_values(message, values)
        return message

    def _add_layout(self, body: dict[str, Any]) -> Layout:
        if len(self.by_length) >= MAX_LAYOUTS:
            self.by_length.clear()
        layout = self.by_length[len(body)] = Layout(body, self._rows, self._defaults)
        return layout
