"""Tables of the history database, for SQLite and PostgreSQL alike.

A field of a status is a column of ``status`` if it often changes, else of ``settings``, which has each
combination once: SQLite stores a byte for each column of each row. A new field is a new column. Times are
milliseconds since 1970 in UTC in Python and in SQLite, ``TIMESTAMPTZ`` in PostgreSQL. Values are the integers
that were sent.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

from ..protocol.fields import FieldSpec, field_specs
from ..protocol.status import DeviceStatus
from ..protocol.types import Bits, Code, EnergyCount, ErrorCode, Hours, Litres

#: Number of the layout. A database with a higher one was made by a newer version of this program. New
#: tables and columns do not change it: an older program leaves them empty. In layout 1 ``status`` had all
#: fields (see ``migration``).
SCHEMA_NUMBER = 2

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)
#: Types of fields that pass 32,767: counters, and codes such as 16777219.
_WIDE = {Bits, Code, EnergyCount, ErrorCode, Hours, Litres}


#: Fields that can change from one status to the next, or that charts need; the others, and new ones, are
#: in ``settings``.
CHANGING = frozenset(
    (
        *("operation_mode", "operation_busy", "current_heat_use", "current_statenum"),
        *("dhw_use", "comp_use", "eva_fan_use", "eev_use", "heat_upper_use", "heat_lower_use"),
        *("dhw_temperature", "dhw_temperature2", "dhw_temperature_setting", "dhw_charge_per"),
        *("tank_upper_temperature", "tank_lower_temperature", "outside_temperature"),
        *("discharge_temperature", "suction_temperature", "evaporator_temperature"),
        *("ambient_temperature", "current_inlet_temperature", "target_super_heat"),
        *("current_super_heat", "current_inst_power", "available_energy_capacity"),
        *("target_fan_rpm", "current_fan_rpm", "fan_pwm", "eev_step", "wifi_rssi"),
        *("cumulated_op_time_eva_fan", "air_filter_alarm_elapsed"),
        *("current_dhw_flow_rate", "cumulated_dhw_flow_rate", "mixing_rate"),
        *("recirc_temperature", "recirc_faucet_temperature", "recirc_dhw_flow_rate"),
    )
)


def to_datetime(ms: int) -> datetime:
    """Return the time of milliseconds since 1970, in UTC."""
    return _EPOCH + ms * _MILLISECOND


def to_ms(when: datetime) -> int:
    """Return the milliseconds since 1970 of a time with a time zone."""
    return (when - _EPOCH) // _MILLISECOND


class PostgresTime(TypeDecorator):
    """A time: milliseconds since 1970 in Python, ``TIMESTAMPTZ`` in PostgreSQL."""

    impl = TIMESTAMP(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Any) -> Any:
        return None if value is None else to_datetime(value)

    def process_result_value(self, value: Any, dialect: Any) -> int | None:
        return None if value is None else to_ms(value)


#: The type of times; SQLite stores the milliseconds.
UTC_TIME = BigInteger().with_variant(PostgresTime(), "postgresql")

METADATA = MetaData()

META = Table(
    "meta",
    METADATA,
    Column("key", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)

HEATER = Table(
    "heater",
    METADATA,
    Column("id", Integer, primary_key=True),
    # Twelve digits, or the last four where only a recording is known.
    Column("mac", String(12), nullable=False, unique=True),
    Column("name", Text),
    Column("zone", String(64)),  # IANA name; NULL while unknown
)


def _heater() -> Any:
    return Column("heater_id", Integer, ForeignKey("heater.id"), nullable=False)


def _field(spec: FieldSpec) -> Any:
    return Column(spec.name, Integer if spec.codec in _WIDE else SmallInteger)


_SPECS = field_specs(DeviceStatus)

#: Each combination of the values that seldom change, such as settings, limits and equipment.
SETTINGS = Table(
    "settings",
    METADATA,
    Column("id", Integer, primary_key=True),
    _heater(),
    Column("digest", String(64), nullable=False),  # of the values (see ``status_rows``)
    *(_field(spec) for spec in _SPECS if spec.name not in CHANGING),
    UniqueConstraint("heater_id", "digest", name="settings_once"),
)

STATUS = Table(
    "status",
    METADATA,
    _heater(),
    Column("time", UTC_TIME, nullable=False),
    Column("source", SmallInteger, nullable=False),
    # Of ``settings``. No foreign key, with which to delete one would search all statuses.
    Column("settings_id", Integer, nullable=False),
    *(_field(spec) for spec in _SPECS if spec.name in CHANGING),
    Column("extra", Text),  # JSON of what has no column, or does not fit into it
    PrimaryKeyConstraint("heater_id", "time"),
)

#: Each field's column, in the order of the status table, and the tables that have them. Databases leave the
#: join out of a query without a column of ``settings``.
FIELD_COLUMNS = {
    spec.name: (STATUS if spec.name in CHANGING else SETTINGS).c[spec.name] for spec in _SPECS
}
WHOLE_STATUS = STATUS.outerjoin(SETTINGS, SETTINGS.c.id == STATUS.c.settings_id)

#: Integrals over quarter hours, the unit that days in every time zone and tariffs consist of.
QUARTER = Table(
    "quarter",
    METADATA,
    _heater(),
    Column("time", UTC_TIME, nullable=False),
    Column("seconds_known", Float, nullable=False),
    Column("wh", Float, nullable=False),
    Column("watts_max", Integer),
    Column("charge_min", SmallInteger),
    Column("charge_max", SmallInteger),
    Column("charge_avg", Float),
    Column("upper_avg", Float),
    Column("lower_avg", Float),
    Column("ambient_avg", Float),
    Column("setpoint", SmallInteger),
    Column("compressor_s", Float, nullable=False),
    Column("upper_s", Float, nullable=False),
    Column("lower_s", Float, nullable=False),
    Column("draw_s", Float, nullable=False),
    PrimaryKeyConstraint("heater_id", "time"),
    sqlite_with_rowid=False,
)

EVENT = Table(
    "event",
    METADATA,
    Column("id", Integer, primary_key=True),
    _heater(),
    Column("time", UTC_TIME, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("ended", UTC_TIME),
    Column("detail", Text, nullable=False),
    UniqueConstraint("heater_id", "time", "kind", name="event_once"),
)

COMMAND = Table(
    "command",
    METADATA,
    Column("id", String(36), primary_key=True),  # UUID: a request sent twice is one command
    _heater(),
    Column("asked", UTC_TIME, nullable=False),
    Column("name", String(32), nullable=False),
    Column("arguments", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("outcome", Text),
    Column("answered", UTC_TIME),
    Column("text", Text),
)
