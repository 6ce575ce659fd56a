"""Count the steps of a backtracking search, to see how the cost of a pattern grows with its text.

The matcher is a plain one over the parse tree of ``re``. It has none of the shortcuts of the C
code, so it counts at least as many steps.
"""

from __future__ import annotations

import re
import sys
from typing import Any, Callable

# Python 3.11 renamed the modules.
if sys.version_info >= (3, 11):
    from re import _constants as constants, _parser as parser  # type: ignore[attr-defined]
else:
    import sre_constants as constants
    import sre_parse as parser

Continue = Callable[[int], "int | None"]
_SINGLE = (constants.LITERAL, constants.NOT_LITERAL, constants.IN, constants.ANY)


def count_steps(regex: re.Pattern[str], text: str, *, whole: bool = False) -> int:
    """Return the steps of replacing all matches in a text, or of matching the ``whole`` text."""
    counter, limit = _Counter(regex, text), sys.getrecursionlimit()
    sys.setrecursionlimit(limit + 10 * len(text))
    try:
        if whole:
            counter.match(0, lambda end: end if end == len(text) else None)
        else:
            counter.match_all()
    finally:
        sys.setrecursionlimit(limit)
    return counter.steps


class _Counter:
    def __init__(self, regex: re.Pattern[str], text: str) -> None:
        self.steps = 0
        self._text = text
        self._items = list(parser.parse(regex.pattern))

    def match(self, start: int, then: Continue = lambda end: end) -> int | None:
        return self._sequence(self._items, start, then)

    def match_all(self) -> None:
        start = 0
        while start <= len(self._text):
            end = self.match(start)
            start = start + 1 if end is None or end == start else end

    def _sequence(self, items: list[Any], at: int, then: Continue) -> int | None:
        if not items:
            return then(at)
        return self._item(items[0], at, lambda end: self._sequence(items[1:], end, then))

    def _item(self, item: Any, at: int, then: Continue) -> int | None:
        self.steps += 1
        operation, argument = item
        if operation in _SINGLE:
            return then(at + 1) if self._fits(item, at) else None
        if operation is constants.MAX_REPEAT:
            return self._greedy(argument, at, then)
        if operation is constants.MIN_REPEAT:
            return self._lazy(argument, at, then)
        if operation is constants.SUBPATTERN:
            return self._sequence(list(argument[-1]), at, then)
        if operation is constants.BRANCH:
            found = (self._sequence(list(one), at, then) for one in argument[1])
            return next((end for end in found if end is not None), None)
        if operation is constants.AT:
            return then(at)  # a border of a word; taken as met, which costs more steps
        if operation in (constants.ASSERT, constants.ASSERT_NOT):
            direction, inner = argument
            begin = at if direction > 0 else at - 1
            found = None if begin < 0 else self._sequence(list(inner), begin, lambda end: end)
            return then(at) if (found is not None) is (operation is constants.ASSERT) else None
        raise NotImplementedError(str(operation))

    def _greedy(self, argument: Any, at: int, then: Continue) -> int | None:
        low, high, inner = argument
        items = list(inner)
        if len(items) == 1 and items[0][0] in _SINGLE:
            end = at
            while end - at < high and self._fits(items[0], end):
                end += 1
            while end - at >= low:
                self.steps += 1
                found = then(end)
                if found is not None:
                    return found
                end -= 1
            return None

        def again(position: int, count: int) -> int | None:
            if count < high:
                found = self._sequence(
                    items,
                    position,
                    lambda end: again(end, count + 1) if end > position else None,
                )
                if found is not None:
                    return found
            return then(position) if count >= low else None

        return again(at, 0)

    def _lazy(self, argument: Any, at: int, then: Continue) -> int | None:
        low, high, inner = argument
        (item,) = inner
        end = at
        while True:
            if end - at >= low and (found := then(end)) is not None:
                return found
            if end - at >= high or not self._fits(item, end):
                return None
            end += 1

    def _fits(self, item: Any, at: int) -> bool:
        self.steps += 1
        if at >= len(self._text):
            return False
        operation, argument = item
        character = self._text[at]
        if operation is constants.LITERAL:
            return ord(character) == argument
        if operation is constants.NOT_LITERAL:
            return ord(character) != argument
        if operation is constants.ANY:
            return character != "\n"
        negated = argument[0][0] is constants.NEGATE
        parts = argument[1:] if negated else argument
        return any(_contains(part, character) for part in parts) is not negated


def _contains(part: Any, character: str) -> bool:
    operation, argument = part
    if operation is constants.LITERAL:
        return ord(character) == argument
    if operation is constants.RANGE:
        return bool(argument[0] <= ord(character) <= argument[1])
    category = {
        constants.CATEGORY_WORD: r"\w",
        constants.CATEGORY_DIGIT: r"\d",
        constants.CATEGORY_SPACE: r"\s",
    }[argument]
    return re.fullmatch(category, character) is not None
