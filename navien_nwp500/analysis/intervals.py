"""Time between readings: how long each is taken to hold, cut where local hours begin.

A reading holds until the next one. A silence longer than three usual intervals, and 15 minutes, is
a gap: nobody knows what happened in it, so it holds nothing (as ``reports.Summary`` has it).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..history.alerts import HEAT_PUMP_WATTS
from ..protocol.status import ELEMENT_WATTS, RUNNING_WATTS
from ..protocol.types import Flag, OperationMode

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
_LONGEST_HOLD_MS = 900_000
_NEVER = 2**62


def hold(table: pd.DataFrame) -> pd.DataFrame:
    """Add to each reading how long it holds and what ran.

    ``length`` ms to the next reading, ``known`` whether it holds so long, ``seen`` ms it answers
    for in the coverage: one usual interval, or up to half as much again where the next is late.
    ``heat_pump`` and ``element`` run; ``…_watts`` split the power between them and the rest.
    ``start``: the compressor was off at the reading before.
    """
    when, usual = table["ms"].to_numpy(), table["usual"].to_numpy()
    length: Any = np.append(np.diff(when), _NEVER)
    known = length <= np.maximum(3 * usual, _LONGEST_HOLD_MS)
    seen = np.where(length <= 1.5 * usual, length, usual)
    return table.assign(length=length, known=known, seen=seen, **_running(table))


def _running(table: pd.DataFrame) -> dict[str, pd.Series]:
    """What ran, by the rules of ``DeviceStatus.activity``."""
    power, heats = table["power"], table["heats"].astype(int)
    # Seven columns know no flags; what heats says the same a message later.
    compressor = _flag(table["comp_use"], (heats & OperationMode.HEAT_PUMP) > 0)
    element_on = _flag(table["heat_upper_use"], (heats & OperationMode.ELECTRIC) > 0)
    element_on |= _flag(table["heat_lower_use"], (heats & OperationMode.ELECTRIC) > 0)
    on = power >= RUNNING_WATTS
    element = on & ((power >= ELEMENT_WATTS) | element_on)
    heat_pump = on & (compressor | ~element)
    share = power.where(~element, power.clip(upper=HEAT_PUMP_WATTS)).where(heat_pump, 0.0)
    element_watts = (power - share).where(element, 0.0)
    before = compressor.shift(1, fill_value=True)
    return {
        "heat_pump": heat_pump,
        "element": element,
        "heat_pump_watts": share,
        "element_watts": element_watts,
        "other_watts": power - share - element_watts,
        "start": compressor & ~before,
    }


def _flag(sent: pd.Series, otherwise: pd.Series) -> pd.Series:
    return (sent == Flag.ACTIVE).where(sent.notna(), otherwise)


def cut(held: pd.DataFrame, step_ms: int = HOUR_MS) -> pd.DataFrame:
    """The spans of :func:`hold` in pieces that do not cross a multiple of ``step_ms`` local time.

    ``row`` of the reading and whether the piece is its ``first``; ``local`` ms since 1970 on the
    recording's own clock and ``offset`` from UTC; ``ms`` known and ``seen`` ms of the coverage.
    """
    when, offset = held["ms"].to_numpy(), held["offset"].to_numpy()
    seen, known = held["seen"].to_numpy().astype("int64"), held["known"].to_numpy()
    follow: Any = np.append(when[1:], _NEVER)
    end = np.where(known, follow, when + seen)
    # Clocks change on the hour: between two readings that differ, the zone is the later one's
    # from the last full hour on.
    later: Any = np.append(offset[1:], offset[-1:])
    change = np.where(later != offset, follow // HOUR_MS * HOUR_MS, _NEVER)
    change = np.where(change > when, change, follow)
    first_cut = ((when + offset) // step_ms + 1) * step_ms - offset
    pieces = 1 + np.maximum(0, -((first_cut - end) // step_ms))
    row: Any = np.repeat(np.arange(len(when)), pieces)
    number = np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    start = np.where(number == 0, when[row], first_cut[row] + (number - 1) * step_ms)
    stop = np.minimum(end[row], first_cut[row] + number * step_ms)
    shift = np.where(start >= change[row], later[row], offset[row])
    return pd.DataFrame(
        {
            "row": row,
            "first": number == 0,
            "offset": shift,
            "local": start + shift,
            "ms": np.where(known[row], stop - start, 0),
            "seen": np.clip(np.minimum(stop, (when + seen)[row]) - start, 0, None),
        }
    )
