"""JSON text to values, by the quickest parser there is.

Whatever the parser, the values are those of ``json.loads``: a quick answer is taken only where all
parsers agree, and every doubt is settled by ``json.loads`` itself.
"""

from __future__ import annotations

import importlib
import json
from typing import Any, Callable

Parser = Callable[[bytes], Any]

#: Beyond so many objects and lists inside each other parsers differ in what they accept.
DEPTH = 16
#: What every parser reads as the same.
_ALIKE = {int, str, bool, type(None)}


def _plain(payload: bytes) -> Any:
    # As json.loads, without its search for the encoding: text that is whole JSON in UTF-8 is
    # no other JSON in UTF-16, where each ASCII character has a NUL.
    text = payload.decode()
    value, end = _DECODER.raw_decode(text)
    if end != len(text):
        raise ValueError("more than one value, or a blank at the end")
    return value


def _checked(parse: Parser) -> Parser:
    def checked(payload: bytes) -> Any:
        value = parse(payload)
        if type(value) not in (dict, list) or not ordinary(value):
            raise ValueError("parsers may differ")
        return value

    return checked


def ordinary(value: Any, depth: int = DEPTH) -> bool:
    """Whether an object or list holds no fraction and nothing deep.

    What json reads as an integer of any length is a fraction to others where it passes 64 bits.
    """
    inner = value.values() if type(value) is dict else value
    kinds = set(map(type, inner))
    if kinds <= _ALIKE:
        return True
    if float in kinds or not depth:
        return False
    return all([ordinary(part, depth - 1) for part in inner if type(part) in (dict, list)])


def _installed() -> dict[str, Parser]:
    found = {}
    for name, parse in (("orjson", "loads"), ("msgspec.json", "decode")):
        try:
            found[name] = _checked(getattr(importlib.import_module(name), parse))
        except ImportError:
            continue
    return {**found, "json": _plain}


_DECODER = json.JSONDecoder()
#: The parsers that are installed, the quickest first.
PARSERS = _installed()
QUICKEST = next(iter(PARSERS.values()))


def loads(payload: bytes, parser: Parser | None = None) -> Any:
    """The value of a JSON text. Raises ValueError and RecursionError as ``json.loads`` does."""
    try:
        return (parser or QUICKEST)(payload)
    except (ValueError, RecursionError):
        return json.loads(payload)
