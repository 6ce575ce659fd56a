"""Views of the history in shown units, for Grafana and for people who write SQL.

``v_status`` has the fields of a status and ``v_quarter`` the quarter hours, each with the heater and in the
unit that its column names. ``v_day`` sums them over the days of the heater's time zone; SQLite knows no
time zones and has none. ``time`` is a ``TIMESTAMPTZ`` in PostgreSQL, seconds since 1970 in SQLite.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator

import sqlalchemy as sa

from ..protocol.fields import FieldSpec, field_specs
from ..protocol.status import DeviceStatus
from ..protocol.types import Temperature
from .schema import FIELD_COLUMNS, HEATER, QUARTER, STATUS, WHOLE_STATUS

#: Names of units in columns.
_SUFFIXES = {
    "%": "percent",
    "W": "watts",
    "Wh": "wh",
    "K": "kelvin",
    "L": "litres",
    "L/min": "litres_per_minute",
    "dBm": "dbm",
    "h": "hours",
    "d": "days",
}
_SUMS = ("seconds_known", "wh", "compressor_s", "upper_s", "lower_s", "draw_s")


def view_names(dialect: str) -> list[str]:
    """Return the names of the views that a database of this kind has."""
    return ["v_status", "v_quarter", *(["v_day"] if dialect == "postgresql" else [])]


@contextmanager
def replaced_views(connection: Any) -> Iterator[None]:
    """Remove the views, and create them at the end; who may read them may do so again."""
    dialect = connection.dialect.name
    names = view_names(dialect)
    grants = _grants(connection, names) if dialect == "postgresql" else []
    for name in names[::-1]:
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")
    yield
    queries = {"v_status": _status(dialect), "v_quarter": _quarter(dialect), "v_day": _day()}
    for name in names:
        query = queries[name].compile(connection, compile_kwargs={"literal_binds": True})
        connection.exec_driver_sql(f"CREATE VIEW {name} AS {query}")
    for grant in grants:
        connection.exec_driver_sql(grant)


def _grants(connection: Any, names: list[str]) -> list[str]:
    """Return the statements that give the rights of others on the views."""
    query = sa.text(
        "SELECT privilege_type, table_name, grantee FROM information_schema.table_privileges"
        " WHERE table_schema = current_schema() AND grantee <> current_user"
    )
    quoted = connection.dialect.identifier_preparer.quote_identifier
    return [
        f"GRANT {right} ON {name} TO {who if who == 'PUBLIC' else quoted(who)}"
        for right, name, who in connection.execute(query)
        if name in names
    ]


def column_name(spec: FieldSpec) -> str:
    """Return the name of a field's column in ``v_status``, with its unit."""
    if issubclass(spec.codec, Temperature):
        return f"{spec.name}_celsius"
    unit = getattr(spec.codec, "unit", "")
    return f"{spec.name}_{_SUFFIXES[unit]}" if unit in _SUFFIXES else spec.name


def _time(column: Any, dialect: str) -> Any:
    return column if dialect == "postgresql" else column / sa.literal(1000.0)


def _shown(spec: FieldSpec) -> Any:
    scale = getattr(spec.codec(1), "physical", 1)
    value = FIELD_COLUMNS[spec.name]
    if abs(scale) < 1:  # 594 / 10.0 is 59.4, and 594 * 0.1 is not
        value = value / sa.literal(float(round(1 / scale)))
    elif scale != 1:
        value = value * sa.literal(scale)
    return value.label(column_name(spec))


def _status(dialect: str) -> Any:
    shown = [_shown(spec) for spec in field_specs(DeviceStatus)]
    time = _time(sa.type_coerce(STATUS.c.time, sa.BigInteger), dialect).label("time")
    whole = WHOLE_STATUS.join(HEATER, HEATER.c.id == STATUS.c.heater_id)
    return sa.select(time, *_heater(), *shown).select_from(whole)


def _heater() -> list[Any]:
    return [HEATER.c.mac, HEATER.c.name]


def _quarter(dialect: str) -> Any:
    time = _time(sa.type_coerce(QUARTER.c.time, sa.BigInteger), dialect).label("time")
    known = sa.func.nullif(QUARTER.c.seconds_known, 0)
    return sa.select(
        time,
        *_heater(),
        *(QUARTER.c[name] for name in _SUMS),
        (QUARTER.c.wh * 3600 / known).label("mean_watts"),
        QUARTER.c.watts_max,
        QUARTER.c.charge_min.label("charge_min_percent"),
        QUARTER.c.charge_max.label("charge_max_percent"),
        QUARTER.c.charge_avg.label("charge_avg_percent"),
        *(
            (QUARTER.c[f"{name}_avg"] / sa.literal(10.0)).label(f"{name}_avg_celsius")
            for name in ("upper", "lower", "ambient")
        ),
        (QUARTER.c.setpoint / sa.literal(2.0)).label("setpoint_celsius"),
    ).join_from(QUARTER, HEATER)


def _day() -> Any:
    zone = sa.func.coalesce(HEATER.c.zone, "UTC")
    day = sa.cast(sa.func.timezone(zone, QUARTER.c.time), sa.Date).label("day")
    sums = [sa.func.sum(QUARTER.c[name]).label(name) for name in _SUMS]
    start = sa.func.min(sa.type_coerce(QUARTER.c.time, sa.BigInteger)).label("time")
    return (
        sa.select(start, day, *_heater(), *sums)
        .join_from(QUARTER, HEATER)
        .group_by(HEATER.c.id, day)
    )
