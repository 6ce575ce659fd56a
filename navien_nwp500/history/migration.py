"""Migration of a history database: missing tables, columns and views, and older layouts.

All of it is one transaction: after a power cut or ``kill -9`` the database is as before.
"""

from __future__ import annotations

import logging
from typing import Any, Iterator, Mapping, Sequence

import sqlalchemy as sa

from ..exceptions import ConfigurationError, HistoryError
from .schema import FIELD_COLUMNS, HEATER, META, METADATA, SCHEMA_NUMBER, STATUS, UTC_TIME
from .status_rows import insert_statuses
from .views import replaced_views

_LOGGER = logging.getLogger(__name__)
#: Statuses that are read and written at once, and after how many that is said.
_SLICE = 5_000
_SAID_EVERY = 50_000
#: The table ``status`` of layout 1, while its rows are moved.
_OLD = "status_1"


def layout_number(connection: Any) -> int | None:
    """Return the number of the layout that a database with the table ``meta`` has."""
    query = sa.select(META.c.value).where(META.c.key == "schema")
    found = connection.execute(query).scalar_one_or_none()
    return None if found is None else int(found)


def tables(connection: Any) -> dict[str, set[str]]:
    """Return the columns of each table."""
    found = sa.inspect(connection).get_multi_columns()
    return {name: {column["name"] for column in columns} for (_, name), columns in found.items()}


def migrate(connection: Any, name: str) -> bool:
    """Create missing tables and views and add missing columns; return True if statuses were moved.

    ``name`` is that of the database. Raises ConfigurationError and HistoryError.
    """
    found = tables(connection)
    older = META.name in found and layout_number(connection) == 1 and STATUS.name in found
    with replaced_views(connection):
        if older:
            _set_aside(connection, name, found[STATUS.name])
        METADATA.create_all(connection)
        _add_columns(connection)
        if older:
            _move_statuses(connection, name, found[STATUS.name])
    connection.execute(sa.delete(META).where(META.c.key == "schema"))
    connection.execute(sa.insert(META).values(key="schema", value=str(SCHEMA_NUMBER)))
    return older


def _add_columns(connection: Any) -> None:
    found = tables(connection)
    missing = [
        (table.name, column)
        for table in METADATA.sorted_tables
        for column in table.columns
        if column.name not in found[table.name]
    ]
    if missing:
        # Imported only now: it takes longer to load than to work.
        from alembic.migration import MigrationContext
        from alembic.operations import Operations

        operations = Operations(MigrationContext.configure(connection))
        for name, column in missing:
            operations.add_column(name, sa.Column(column.name, column.type))


# Layout 1


def _set_aside(connection: Any, name: str, columns: set[str]) -> None:
    """Rename the table of statuses, and keep others from writing until the transaction ends."""
    unknown = columns - {*FIELD_COLUMNS, "heater_id", "time", "source", "extra"}
    if unknown:
        raise ConfigurationError(
            f"{name} has columns of another version of this program ({', '.join(sorted(unknown))}); "
            "install that version"
        )
    if connection.dialect.name == "postgresql":
        # In the order in which a writer locks them, or each could wait for the other.
        connection.exec_driver_sql("LOCK TABLE heater, status IN ACCESS EXCLUSIVE MODE")
        key = sa.inspect(connection).get_pk_constraint(STATUS.name)["name"]
        connection.exec_driver_sql(f'ALTER TABLE status RENAME CONSTRAINT "{key}" TO {_OLD}_pkey')
    connection.exec_driver_sql(f"ALTER TABLE status RENAME TO {_OLD}")


def _move_statuses(connection: Any, name: str, columns: set[str]) -> None:
    fields = [field for field in FIELD_COLUMNS if field in columns]
    old = sa.Table(
        _OLD,
        sa.MetaData(),
        sa.Column("heater_id", sa.Integer),
        sa.Column("time", UTC_TIME),
        sa.Column("source", sa.Integer),
        *(sa.Column(field, sa.Integer) for field in fields),
        sa.Column("extra", sa.Text),
    )
    total = connection.execute(sa.select(sa.func.count()).select_from(old)).scalar_one()
    moved = 0
    for rows in _slices(connection, old):
        if total > _SAID_EVERY and moved % _SAID_EVERY < _SLICE:
            _LOGGER.warning(
                "%s gets the layout of this version: %s of %s statuses", name, moved, total
            )
        moved += insert_statuses(connection, rows)
    if moved != total:
        raise HistoryError(f"{name}: {total - moved} statuses could not be moved; it is unchanged")
    connection.exec_driver_sql(f"DROP TABLE {_OLD}")


def _slices(connection: Any, old: Any) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Yield all statuses in parts, each with every field."""
    absent = dict.fromkeys(FIELD_COLUMNS)
    for (heater,) in connection.execute(sa.select(HEATER.c.id)).all():
        query = sa.select(old).where(old.c.heater_id == heater).order_by(old.c.time).limit(_SLICE)
        part = query
        while True:
            rows = [{**absent, **row} for row in connection.execute(part).mappings()]
            if rows:
                yield rows
            if len(rows) < _SLICE:
                break
            part = query.where(old.c.time > rows[-1]["time"])
