"""JSON parsing with the fastest installed parser.

Results are always those of ``json.loads``: the result of a fast parser is used only where all
parsers agree; otherwise ``json.loads`` parses the text again.
"""

from __future__ import annotations

import importlib
import json
import re
from itertools import compress
from operator import ne
from typing import Any, Callable, Dict, Tuple

Parser = Callable[[bytes], Any]

#: Parsers differ in how deeply nested objects and lists they accept.
MAX_DEPTH = 16
#: Texts of a key and a number that are kept; a heater sends some thousand a day.
MAX_PAIRS = 4096
#: Entries of an object that is probably a status.
MANY = 40
#: Types that every parser reads alike.
_PORTABLE_TYPES = {int, str, bool, type(None)}
_CONTAINERS = {dict, list}


def _parse_with_json(payload: bytes) -> Any:
    key = payload.find(_STATUS_KEY)
    start = key + len(_STATUS)
    if key >= 0 and payload.startswith(_STATUS, key):
        end = payload.find(b"}", start)
        numbers = _BLOCKS.parse(payload[start:end])
        rest = payload[:start] + payload[end:]
        # Texts with a backslash, or two such keys, may name one key twice.
        if numbers is not None and rest.count(_STATUS_KEY) == 1 and b"\\" not in rest:
            value = _parse_whole(rest)
            holder = value.get("response", value) if type(value) is dict else None
            if type(holder) is dict and holder.get("status") == {}:
                holder["status"] = numbers
                return value
    return _parse_whole(payload)


def _parse_whole(payload: bytes) -> Any:
    # json.loads without its detection of the encoding: text that is valid JSON in UTF-8 is never
    # valid in UTF-16, where each ASCII character has a NUL.
    text = payload.decode()
    value, end = _DECODER.raw_decode(text)
    if end != len(text):
        raise ValueError("more than one value, or white space at the end")
    return value


class _Pairs(Dict[bytes, Tuple[str, int]]):
    """Key and number of each text such as ``"fanPwm":0``. Raises KeyError for any other text."""

    def __missing__(self, text: bytes) -> tuple[str, int]:
        found = _PAIR.fullmatch(text)
        if found is None:
            raise KeyError(text)
        if len(self) >= MAX_PAIRS:
            self.clear()
        pair = self[text] = (found[1].decode(), int(found[2]))
        return pair


class _Blocks:
    """Parser of the inside of objects of integers, of which few differ from the one before."""

    def __init__(self) -> None:
        self._pairs = _Pairs()
        # One tuple, so that other threads see parts of the same object: its texts, its keys, itself.
        self._latest: tuple[list[bytes], list[str], dict[str, int]] = ([], [], {})

    def parse(self, block: bytes) -> dict[str, int] | None:
        """Return the object; None if it is another one than integers without white space."""
        texts = block.split(b",")
        try:
            found = self._changed(texts)
            if found is None:
                found = dict(map(self._pairs.__getitem__, texts))
                if len(found) != len(texts):  # a key twice
                    return None
                self._latest = texts, [*found], found
        except KeyError:
            return None
        return found.copy()

    def _changed(self, texts: list[bytes]) -> dict[str, int] | None:
        """Return the object before with the changed numbers; None if a key differs."""
        before, keys, numbers = self._latest
        if len(texts) != len(before):
            return None
        pairs = self._pairs
        found = numbers.copy()
        for index in compress(range(len(texts)), map(ne, texts, before)):
            name, number = pairs[texts[index]]
            if name != keys[index]:
                return None
            found[name] = number
        self._latest = texts, keys, found
        return found


def _checked(parse: Parser) -> Parser:
    def checked(payload: bytes) -> Any:
        value = parse(payload)
        if type(value) not in (dict, list) or not is_portable(value):
            raise ValueError("parsers may differ")
        return value

    return checked


def is_portable(value: Any, depth: int = MAX_DEPTH) -> bool:
    """Return True if an object or list holds no float and no deep nesting.

    An integer beyond 64 bits, which json reads exactly, is a float to other parsers.
    """
    inner = value.values() if type(value) is dict else value
    if len(inner) > MANY:
        # The quickest proof that there are integers alone: their sum is one.
        try:
            if type(sum(inner)) is int:
                return True
        except TypeError:
            pass
    types = set(map(type, inner))
    if types <= _PORTABLE_TYPES:
        return True
    if float in types or not depth:
        return False
    for part in inner:
        if type(part) in _CONTAINERS and not is_portable(part, depth - 1):
            return False
    return True


def _installed() -> dict[str, Parser]:
    found = {}
    for name, parse in (("orjson", "loads"), ("msgspec.json", "decode")):
        try:
            found[name] = _checked(getattr(importlib.import_module(name), parse))
        except ImportError:
            continue
    return {**found, "json": _parse_with_json}


_DECODER = json.JSONDecoder()
_STATUS_KEY = b'"status":'
_STATUS = _STATUS_KEY + b"{"
_PAIR = re.compile(rb'"(\w+)":(-?(?:0|[1-9]\d{0,17}))')
_BLOCKS = _Blocks()
#: The installed parsers, the fastest first.
PARSERS = _installed()
FASTEST = next(iter(PARSERS.values()))


def loads(payload: bytes, parser: Parser | None = None) -> Any:
    """Parse a JSON text. Raises ValueError and RecursionError as ``json.loads`` does."""
    try:
        return (parser or FASTEST)(payload)
    except (ValueError, RecursionError):
        return json.loads(payload)
