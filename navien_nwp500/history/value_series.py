"""Values of a heater over time for charts: least, mean and largest value of each bucket of time.

Up to 31 days they come from the statuses, beyond that, and where these were deleted, from the quarter
hours, and beyond two years from days. A status is valid as in the roll-up (see ``quarters``); a bucket
in which nothing is known has None.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Sequence
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ..exceptions import ConfigurationError
from ..protocol.types import DeciCelsius, HalfCelsius
from .quarters import QUARTER_MS, VALID_MS
from .schema import QUARTER, STATUS, PostgresTime
from .spans import DAY_MS, HOUR_MS, TimeSpan, day_starts, offsets
from .store import HistoryStore, StoredHeater

#: Buckets of one series, at most.
MAX_POINTS = 2000
#: The longest range that is read from the statuses, and from the quarter hours.
_STATUS_MS = 31 * DAY_MS + HOUR_MS
_QUARTER_LEVEL_MS = 2 * 366 * DAY_MS
_MINUTE_MS = 60_000
#: Lengths of buckets below a day, which divide it; from 15 minutes on they are whole quarter hours.
_STEPS = (
    *(seconds * 1000 for seconds in (1, 2, 5, 10, 15, 30)),
    *(minutes * _MINUTE_MS for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440)),
)
_WH = 3_600_000
_FIELDS = {
    "power_w": ("current_inst_power", 1),
    "upper_c": ("tank_upper_temperature", DeciCelsius.per_degree),
    "lower_c": ("tank_lower_temperature", DeciCelsius.per_degree),
    "charge_percent": ("dhw_charge_per", 1),
}


@dataclass
class BucketValues:
    """Mean over the known time, least and largest value of each bucket; None where nothing is known."""

    mean: list[float | None]
    min: list[float | None]
    max: list[float | None]

    @classmethod
    def unknown(cls, count: int) -> BucketValues:
        """Return so many buckets without a value."""
        return cls([None] * count, [None] * count, [None] * count)


@dataclass
class ValueSeries:
    """Series of one range. ``times``: starts of the buckets in ms. ``source``: status, quarter or day.

    ``values``: power_w in W, upper_c and lower_c in °C, charge_percent. ``setpoint_c``: the last one of
    a bucket. ``energy_wh``: of its known time. ``gaps``: times of which nothing is known, at least as
    long as a bucket, between statuses and until ``now``.
    """

    source: str
    bucket_ms: int
    times: list[int]
    values: dict[str, BucketValues]
    setpoint_c: list[float | None]
    energy_wh: list[float | None]
    gaps: list[tuple[int, int]] = field(default_factory=list)


def recorded_bounds(store: HistoryStore, heater: StoredHeater) -> tuple[int, int] | None:
    """Return the first and the last recorded time, to the quarter hour; None without any."""
    time = QUARTER.c.time
    query = sa.select(sa.func.min(time), sa.func.max(time)).where(QUARTER.c.heater_id == heater.id)
    with store.database.reading() as connection:
        first, last = connection.execute(query).one()
    return None if first is None else (first, last + QUARTER_MS)


def value_series(
    store: HistoryStore, heater: StoredHeater, span: TimeSpan, *, points: int, now: int
) -> ValueSeries:
    """Return the series of a span in at most ``points`` buckets, 1 to 2000.

    ``now`` is the present time in ms, until which a silence after the last status is a gap. Raises
    ConfigurationError for another number of points.
    """
    if not 1 <= points <= MAX_POINTS:
        raise ConfigurationError(f"points is {points}; it must be 1 to {MAX_POINTS}")
    if has_statuses(store, heater, span):
        series = _from_statuses(heater, span, _status_rows(store, heater, span), points)
    else:
        level = "quarter" if span.end - span.start <= _QUARTER_LEVEL_MS else "day"
        series = _from_quarters(store, heater, span, level, points)
    series.gaps = recorded_gaps(store, heater, span, now=now, shortest=series.bucket_ms)
    return series


def has_statuses(store: HistoryStore, heater: StoredHeater, span: TimeSpan) -> bool:
    """Return True if a span is read from its statuses, False if from quarter hours."""
    if span.end - span.start > _STATUS_MS:
        return False
    within = (STATUS.c.time >= span.start - VALID_MS, STATUS.c.time < span.end)
    query = sa.select(sa.literal(1)).where(STATUS.c.heater_id == heater.id, *within).limit(1)
    with store.database.reading() as connection:
        return connection.execute(query).first() is not None


def milliseconds(column: Any, store: HistoryStore) -> Any:
    """Return the SQL expression of a time in ms since 1970, for SQLite and PostgreSQL."""
    if store.database.path is not None:
        return sa.type_coerce(column, sa.BigInteger)
    plain = sa.type_coerce(column, PostgresTime.impl)
    return sa.cast(sa.extract("epoch", plain) * 1000, sa.BigInteger)


def local_milliseconds(
    column: Any, store: HistoryStore, span: TimeSpan, zone: ZoneInfo | None
) -> Any:
    """Return the SQL expression of what the heater's clock shows, as ms since 1970 without a zone.

    SQLite knows no time zones, so the offsets of the span are written into the expression.
    """
    own = milliseconds(column, store)
    *changes, (_, last) = offsets(span, zone)
    if not changes:
        return own + last
    return own + sa.case(*((column < until, offset) for until, offset in changes), else_=last)


# From statuses


def _status_rows(store: HistoryStore, heater: StoredHeater, span: TimeSpan) -> list[Any]:
    """Return the statuses that are valid in a span, and the one after it."""
    time, mine = STATUS.c.time, STATUS.c.heater_id == heater.id
    names = [name for name, _ in _FIELDS.values()]
    query = sa.select(time, *(STATUS.c[name] for name in names), STATUS.c.dhw_temperature_setting)
    query = query.where(mine).order_by(time)
    with store.database.reading() as connection:
        within = query.where(time > span.start - VALID_MS, time < span.end)
        rows = list(connection.execute(within).all())
        rows += connection.execute(query.where(time >= span.end).limit(1)).all()
    return rows


def _from_statuses(
    heater: StoredHeater, span: TimeSpan, rows: list[Any], points: int
) -> ValueSeries:
    step, times = _buckets(span, points, _STEPS[0], heater.time_zone)
    buckets = _StatusBuckets(times[0], step, len(times))
    following = [row[0] for row in rows[1:]] + [rows[-1][0]]
    for row, after in zip(rows, following):
        begin, end = max(row[0], span.start), min(after, row[0] + VALID_MS, span.end)
        if begin < end or span.start <= row[0] < span.end:
            buckets.add(row[1:], begin, max(begin, end))
    return buckets.series(times)


class _StatusBuckets:
    """Sums over buckets of equal length, of statuses in order of time."""

    def __init__(self, origin: int, step: int, count: int) -> None:
        self._origin, self._step, self._count = origin, step, count
        self._watt_ms: list[int | None] = [None] * count
        self._setpoint: list[float | None] = [None] * count
        self._sums = [[0] * count for _ in _FIELDS]
        self._weights = [[0] * count for _ in _FIELDS]
        self._values = [BucketValues.unknown(count) for _ in _FIELDS]

    def add(self, row: Sequence[Any], begin: int, end: int) -> None:
        """Add a status that is valid from ``begin`` to ``end``; these may be equal."""
        first = (begin - self._origin) // self._step
        last = max(first, (end - 1 - self._origin) // self._step)
        for index in range(first, min(last + 1, self._count)):
            start = self._origin + index * self._step
            self._add_to(index, row, min(end, start + self._step) - max(begin, start))

    def _add_to(self, index: int, row: Sequence[Any], ms: int) -> None:
        self._watt_ms[index] = (self._watt_ms[index] or 0) + (row[0] or 0) * ms
        if row[-1] is not None:
            self._setpoint[index] = row[-1] / HalfCelsius.per_degree
        for value, sums, weights, values in zip(row, self._sums, self._weights, self._values):
            if value is not None:
                sums[index] += value * ms
                weights[index] += ms
                least, largest = values.min[index], values.max[index]
                values.min[index] = value if least is None or value < least else least
                values.max[index] = value if largest is None or value > largest else largest
                values.mean[index] = value  # the latest, where no time is known

    def series(self, times: list[int]) -> ValueSeries:
        """Return the series in shown units."""
        found = {}
        for (name, (_, scale)), sums, weights, values in zip(
            _FIELDS.items(), self._sums, self._weights, self._values
        ):
            mean = [
                total / weight if weight else latest
                for total, weight, latest in zip(sums, weights, values.mean)
            ]
            shown = (_scaled(row, scale) for row in (mean, values.min, values.max))
            found[name] = BucketValues(*shown)
        energy = [None if one is None else one / _WH for one in self._watt_ms]
        return ValueSeries("status", self._step, times, found, self._setpoint, energy)


def _scaled(values: Sequence[float | None], scale: float) -> list[float | None]:
    return [None if value is None else value / scale for value in values]


# From quarter hours


def _from_quarters(
    store: HistoryStore, heater: StoredHeater, span: TimeSpan, level: str, points: int
) -> ValueSeries:
    zone = heater.time_zone
    step, times = _buckets(span, points, QUARTER_MS if level == "quarter" else DAY_MS, zone)
    clock, first = milliseconds(QUARTER.c.time, store), times[0]
    if step >= DAY_MS:
        clock = local_milliseconds(QUARTER.c.time, store, span, zone)
        first += offsets(span, zone)[0][1]
    bucket = (clock - first) // step
    count = len(times)
    values = {name: BucketValues.unknown(count) for name in _FIELDS}
    series = ValueSeries(level, step, times, values, [None] * count, [None] * count)
    within = (QUARTER.c.time >= span.start, QUARTER.c.time < span.end)
    query = _quarter_sums(store, bucket).where(QUARTER.c.heater_id == heater.id, *within)
    with store.database.reading() as connection:
        for index, energy, setpoint, *found in connection.execute(query):
            series.energy_wh[index] = energy
            series.setpoint_c[index] = (
                None if setpoint is None else setpoint / HalfCelsius.per_degree
            )
            for number, (name, (_, scale)) in enumerate(_FIELDS.items()):
                one = _scaled(found[3 * number : 3 * number + 3], scale)
                values[name].mean[index], values[name].min[index], values[name].max[index] = one
    return series


def _quarter_sums(store: HistoryStore, bucket: Any) -> Any:
    """Return the query of each bucket's energy, last setpoint, and mean, min and max of each value."""
    columns, number = QUARTER.c, bucket.label("number")
    known = columns.seconds_known
    quarter = milliseconds(columns.time, store) // QUARTER_MS
    watts = columns.wh * 3600 / sa.func.nullif(known, 0)
    values = [sa.func.sum(columns.wh) * 3600 / sa.func.nullif(sa.func.sum(known), 0)]
    values += [sa.func.min(watts), sa.func.max(columns.watts_max)]
    for name in ("upper_avg", "lower_avg", "charge_avg"):
        weight = sa.func.sum(sa.case((columns[name].is_not(None), known)))
        mean = sa.func.sum(columns[name] * known) / sa.func.nullif(weight, 0)
        least = columns.charge_min if name == "charge_avg" else columns[name]
        largest = columns.charge_max if name == "charge_avg" else columns[name]
        values += [mean, sa.func.min(least), sa.func.max(largest)]
    # The setpoint of the last quarter hour: both in one number.
    last = sa.func.max(quarter * _PACK + columns.setpoint) % _PACK
    return sa.select(number, sa.func.sum(columns.wh), last, *values).group_by(number)


#: Larger than any setpoint.
_PACK = 65536


# Buckets and gaps


def _buckets(
    span: TimeSpan, points: int, shortest: int, zone: ZoneInfo | None
) -> tuple[int, list[int]]:
    """Return the length and the starts of at most so many buckets."""
    length = span.end - span.start
    step = next((one for one in _STEPS if one >= shortest and length / one < points), DAY_MS)
    if step == DAY_MS:  # of the heater, which are not all equally long
        days = day_starts(span, zone)
        several = -(-len(days) // points)
        return several * DAY_MS, days[::several]
    offset = offsets(span, zone)[0][1]
    first = (span.start + offset) // step * step - offset
    return step, list(range(first, span.end, step))


def recorded_gaps(
    store: HistoryStore, heater: StoredHeater, span: TimeSpan, *, now: int, shortest: int
) -> list[tuple[int, int]]:
    """Return the times in a span of which nothing is known, if they are so long, in order.

    Before the first recorded time and after ``now`` is no such time.
    """
    if has_statuses(store, heater, span):
        table, valid = STATUS, VALID_MS
    else:
        table, valid = QUARTER, QUARTER_MS
    mine = table.c.heater_id == heater.id
    time, ms = table.c.time, milliseconds(table.c.time, store)
    ends = sa.select(
        sa.select(sa.func.max(time)).where(mine, time < span.start).scalar_subquery(),
        sa.select(sa.func.min(time)).where(mine, time >= span.end).scalar_subquery(),
        sa.select(sa.func.max(time)).where(mine).scalar_subquery(),
    )
    with store.database.reading() as connection:
        before, after, last = connection.execute(ends).one()
        within = (mine, time >= (before or span.start), time <= (after or span.end))
        following = sa.func.lead(ms).over(order_by=time)
        pairs = sa.select(ms.label("ms"), following.label("following")).where(*within).subquery()
        long = pairs.c.following - pairs.c.ms > valid + shortest
        query = sa.select(pairs.c.ms, pairs.c.following).where(long).order_by(pairs.c.ms)
        found = [(begin + valid, end) for begin, end in connection.execute(query)]
    if last is not None and after is None:
        found.append((last + valid, now))
    cut = [(max(begin, span.start), min(end, span.end, now)) for begin, end in found]
    return [(begin, end) for begin, end in cut if end - begin >= max(1, shortest)]
