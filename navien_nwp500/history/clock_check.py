"""Check of recorded times: those of a clock that was wrong are left out."""

from __future__ import annotations

from bisect import bisect_right
from typing import Sequence

#: 2020: no NWP500 is older, so an earlier time is that of a clock that was not yet set.
_FIRST_POSSIBLE_MS = 1_577_836_800_000
#: Rows of a file are in order of time, except that several recorders may write at once.
_ORDER_TOLERANCE_MS = 60_000
_DAY_MS = 86_400_000


def possible_times(times: Sequence[int]) -> list[bool]:
    """Return False for the times, in ms since 1970 and in the order of a file, of a wrong clock.

    These are times before 2020, and those of less than a day that do not fit between the times
    around them, as after a jump of the clock. A file in no order at all stays whole, and so does one to
    which another was added.
    """
    possible = [time >= _FIRST_POSSIBLE_MS for time in times]
    rows = [row for row, is_possible in enumerate(possible) if is_possible]
    wrong = [
        run
        for run in _out_of_order([times[row] for row in rows])
        if abs(times[rows[run[-1]]] - times[rows[run[0]]]) < _DAY_MS
    ]
    if 2 * sum(map(len, wrong)) < len(rows):
        for run in wrong:
            for index in run:
                possible[rows[index]] = False
    return possible


def _out_of_order(times: Sequence[int]) -> list[list[int]]:
    """Return runs of rows outside the longest sequence in order of time."""
    if all(after - before >= -_ORDER_TOLERANCE_MS for before, after in zip(times, times[1:])):
        return []
    kept = _longest_in_order(times)
    runs = []
    for before, after in zip([-1, *kept], [*kept, len(times)]):
        # The first and the last rows have a limit on one side alone.
        low = float("-inf") if before < 0 else times[before] - _ORDER_TOLERANCE_MS
        high = float("inf") if after == len(times) else times[after] + _ORDER_TOLERANCE_MS
        run = [row for row in range(before + 1, after) if not low <= times[row] <= high]
        if run:
            runs.append(run)
    return runs


def _longest_in_order(values: Sequence[int]) -> list[int]:
    """Return the indexes of the longest sequence that does not decrease."""
    ends: list[int] = []  # of the best sequence of each length
    last: list[int] = []
    previous = []
    for index, value in enumerate(values):
        length = bisect_right(ends, value)
        previous.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [value]
        last[length : length + 1] = [index]
    found = []
    index = last[-1] if last else -1
    while index >= 0:
        found.append(index)
        index = previous[index]
    return found[::-1]
