"""JSON parsing with the fastest installed parser.

Results are always those of ``json.loads``: the result of a fast parser is used only where all
parsers agree; otherwise ``json.loads`` parses the text again.
"""

from __future__ import annotations

import importlib
import json
from typing import Any, Callable

Parser = Callable[[bytes], Any]

#: Parsers differ in how deeply nested objects and lists they accept.
MAX_DEPTH = 16
#: Types that every parser reads alike.
_PORTABLE_TYPES = {int, str, bool, type(None)}


def _parse_with_json(payload: bytes) -> Any:
    # json.loads without its detection of the encoding: text that is valid JSON in UTF-8 is never
    # valid in UTF-16, where each ASCII character has a NUL.
    text = payload.decode()
    value, end = _DECODER.raw_decode(text)
    if end != len(text):
        raise ValueError("more than one value, or white space at the end")
    return value


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
    types = set(map(type, inner))
    if types <= _PORTABLE_TYPES:
        return True
    if float in types or not depth:
        return False
    return all([is_portable(part, depth - 1) for part in inner if type(part) in (dict, list)])


def _installed() -> dict[str, Parser]:
    found = {}
    for name, parse in (("orjson", "loads"), ("msgspec.json", "decode")):
        try:
            found[name] = _checked(getattr(importlib.import_module(name), parse))
        except ImportError:
            continue
    return {**found, "json": _parse_with_json}


_DECODER = json.JSONDecoder()
#: The installed parsers, the fastest first.
PARSERS = _installed()
FASTEST = next(iter(PARSERS.values()))


def loads(payload: bytes, parser: Parser | None = None) -> Any:
    """Parse a JSON text. Raises ValueError and RecursionError as ``json.loads`` does."""
    try:
        return (parser or FASTEST)(payload)
    except (ValueError, RecursionError):
        return json.loads(payload)
