"""Intervals between statuses: how long each status is valid, split at the local hours.

A status is valid until the next one. A pause longer than three usual intervals, and than 15
minutes, and any pause longer than 2 hours, is a gap: nothing is known about it, so the status before
it has no duration (as in ``history.alerts.Summary``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..history.alerts import (
    HEAT_PUMP_WATTS,
    LONGEST_LIMIT,
    SHORTEST_LIMIT,
    USUAL_INTERVALS,
)
from ..protocol.status import ELEMENT_WATTS, RUNNING_WATTS
from ..protocol.types import Flag, OperationMode

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
_SHORTEST_MS = int(SHORTEST_LIMIT.total_seconds() * 1000)
_LONGEST_MS = int(LONGEST_LIMIT.total_seconds() * 1000)
#: The usual interval may change with the time, so each of these parts has its own.
_PART_MS = DAY_MS // 2
#: Of a part without two statuses (default interval of the monitor).
_DEFAULT_INTERVAL_MS = 300_000
_NEVER = 2**62


def add_intervals(table: pd.DataFrame) -> pd.DataFrame:
    """Add to each status the interval for which it is valid, and what was running.

    ``length``: ms to the next status. ``known``: False before a gap. ``usual``: usual ms between polls.
    ``heat_pump`` and ``element``: running. ``…_watts``: their shares of the power. ``start``: the
    compressor was off in the status before.
    """
    when = table["ms"].to_numpy()
    length: Any = np.append(np.diff(when), _NEVER)
    usual = _usual_intervals(when, length)
    known = length <= np.clip(USUAL_INTERVALS * usual, _SHORTEST_MS, _LONGEST_MS)
    return table.assign(length=length, known=known, usual=usual, **_running(table))


def _usual_intervals(when: Any, length: Any) -> Any:
    """Return the usual interval around each status.

    It is the interval up to which half of the time passes, so that neither updates that the heater
    pushes between polls nor gaps change it. At a change of the interval the longer one counts.
    """
    part = when // _PART_MS
    steps = pd.DataFrame({"part": part, "length": length})
    steps = steps[(steps["length"] > 0) & (steps["length"] <= _LONGEST_MS)]
    steps = steps.sort_values(["part", "length"])
    passed = steps.groupby("part")["length"]
    half = steps[2 * passed.cumsum() >= passed.transform("sum")]
    usual = half.groupby("part")["length"].first()
    near = [usual.reindex(part + shift).to_numpy() for shift in (-1, 0, 1)]
    return np.nan_to_num(np.fmax.reduce(near), nan=_DEFAULT_INTERVAL_MS)


def _running(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Return what was running, by the rules of ``DeviceStatus.activity``."""
    power, heats = table["power"], table["heats"].astype(int)
    # A file of seven columns has no flags; the operation mode follows one message later.
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


def split_intervals(statuses: pd.DataFrame, step_ms: int = HOUR_MS) -> pd.DataFrame:
    """Split the intervals of :func:`add_intervals` at multiples of ``step_ms`` local time.

    ``row``: of the status. ``first``: its first piece. ``local``: ms since 1970 in the recording's
    zone, ``offset``: ms from UTC. ``ms``: its length, 0 before a gap.
    """
    when, offset = statuses["ms"].to_numpy(), statuses["offset"].to_numpy()
    known = statuses["known"].to_numpy()
    follow: Any = np.append(when[1:], _NEVER)
    end = np.where(known, follow, when)
    # Clocks change on the hour: between two statuses with different offsets, the later offset applies
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
        }
    )
