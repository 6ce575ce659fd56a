"""Costs of recorded energy: the price of each piece of the intervals between statuses."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any, NamedTuple, Sequence

import numpy as np
import pandas as pd

from ..exceptions import ConfigurationError
from .intervals import HOUR_MS, split_intervals
from .prices import ClockSpan, PriceSeries, PriceSource
from .prices.price_series import EPOCH

#: More different prices are summed in bands.
MOST_PRICES = 24
COSTS = ("cost_low", "cost_high", "cost_likely", "even_low", "even_high", "priced_wh")
_MINUTE_MS = 60_000
_EDGES = ("low", "high", "likely")


class Prices(NamedTuple):
    """Prices over a recording: their edges in ms since 1970, and ``step_ms`` that meets all."""

    series: PriceSeries
    starts: Any
    ends: Any
    values: Any
    step_ms: int

    def at(self, ms: pd.Series) -> pd.DataFrame:
        """Return ``low``, ``high`` and ``likely`` price per kWh at times in ms, NaN without one."""
        place = np.searchsorted(self.starts, ms.to_numpy(), side="right") - 1
        known = (place >= 0) & (ms.to_numpy() < self.ends[place])
        found = np.where(known[:, None], self.values[place], np.nan)
        return pd.DataFrame(found, columns=list(_EDGES), index=ms.index)


def prices_over(statuses: pd.DataFrame, source: PriceSource) -> Prices:
    """Return the prices over the statuses of :func:`add_intervals`, by the recording's clock.

    Raises ConfigurationError when no time of the recording has a price.
    """
    clock = _clock(split_intervals(statuses, HOUR_MS))
    start, end = clock[0].start, clock[-1].end
    series = source.between(start, end, clock)
    if not series.intervals:
        raise ConfigurationError(
            f"the tariff has no price from {start:%Y-%m-%d} to {end:%Y-%m-%d} (UTC), the time of the "
            "recording"
        )
    intervals = series.intervals
    ms = timedelta(milliseconds=1)
    starts = np.array([(one.start - EPOCH) // ms for one in intervals])
    ends = np.array([(one.end - EPOCH) // ms for one in intervals])
    values = np.array([(one.low, one.high, one.price) for one in intervals])
    return Prices(series, starts, ends, values, _step_ms(starts, ends, values, clock))


def _clock(pieces: pd.DataFrame) -> list[ClockSpan]:
    """Return the offsets of the recording's clock over its pieces, in whole seconds."""
    offset = pieces["offset"].to_numpy()
    utc = pieces["local"].to_numpy() - offset
    first = np.flatnonzero(np.append(True, offset[1:] != offset[:-1]))
    last = utc[-1] + pieces["ms"].iloc[-1]
    edges = [
        int(utc[0]) // HOUR_MS * HOUR_MS,
        *utc[first[1:]],
        (int(last) // HOUR_MS + 1) * HOUR_MS,
    ]
    times = [EPOCH + timedelta(seconds=int(edge) // 1000) for edge in edges]
    return [
        ClockSpan(start, end, timedelta(milliseconds=int(offset[place])))
        for start, end, place in zip(times, times[1:], first)
    ]


def _step_ms(starts: Any, ends: Any, values: Any, clock: Sequence[ClockSpan]) -> int:
    """Return the longest step, at most an hour, at whose multiples of local time prices change."""
    same = (starts[1:] == ends[:-1]) & (values[1:] == values[:-1]).all(axis=1)
    edges = {*starts[1:][~same].tolist(), *ends[:-1][~same].tolist()}
    offsets = [span.offset // timedelta(milliseconds=1) for span in clock]
    return max(math.gcd(HOUR_MS, *edges, *offsets), _MINUTE_MS)


def add_costs(pieces: pd.DataFrame, prices: Prices, energy: Sequence[str]) -> None:
    """Add the cost of each piece, and the cost if the energy of the day were spread evenly.

    Energy at a time without a price has no cost; ``priced_wh`` is the rest.
    """
    price = prices.at(pieces["local"] - pieces["offset"])
    known = price["likely"].notna()
    wh = pieces[list(energy)].sum(axis=1).where(known)
    length = pieces["ms"].where(known)
    grouped = wh.groupby(pieces["day"])
    whole = length.groupby(pieces["day"]).transform("sum")
    even = grouped.transform("sum") * (length / whole.where(whole > 0)).fillna(0)
    pieces["priced_wh"] = wh
    for edge in _EDGES:
        pieces[f"price_{edge}"] = price[edge]
        pieces[f"cost_{edge}"] = wh / 1000 * price[edge]
        pieces[f"even_{edge}"] = even / 1000 * price[edge]


def price_table(pieces: pd.DataFrame, energy: Sequence[str]) -> pd.DataFrame:
    """Return energy, time and cost at each price, or in bands of prices when there are many."""
    used = pieces.assign(energy_wh=pieces[list(energy)].sum(axis=1))
    used = used[used["price_likely"].notna()]
    sums = ["energy_wh", "ms", "cost_low", "cost_high"]
    table = used.groupby(["price_low", "price_high"])[sums].sum().reset_index()
    if len(table) <= MOST_PRICES:
        return table
    width = _band_width(float(table["price_high"].max() - table["price_low"].min()))
    band = np.floor(used["price_likely"] / width)
    table = used.groupby(band)[sums].sum()
    edges = pd.DataFrame(
        {"price_low": table.index * width, "price_high": (table.index + 1) * width}
    )
    return pd.concat([edges.round(9), table.reset_index(drop=True)], axis=1)


def _band_width(span: float) -> float:
    """Return 1, 2 or 5 times a power of ten, so that at most 20 bands cover the span."""
    power = 10.0 ** math.floor(math.log10(span / 20))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor * 20 >= span)
