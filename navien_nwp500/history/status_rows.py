"""Rows of statuses: what seldom changes is stored once for each combination of its values."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Mapping, Sequence, Tuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from .schema import FIELD_COLUMNS, SETTINGS, STATUS

_SELDOM = [name for name, column in FIELD_COLUMNS.items() if column.table is SETTINGS]
_OWN = [name for name in STATUS.columns.keys() if name != "settings_id"]
#: A heater, and its values in the order of _SELDOM.
_Combination = Tuple[Any, ...]


def insert_new(connection: Any, table: Any, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows whose key is not there yet, and return their number."""
    if not rows:
        return 0
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).on_conflict_do_nothing()
    statement = statement.execution_options(preserve_rowcount=True)
    return int(connection.execute(statement, rows).rowcount)


def insert_statuses(connection: Any, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the statuses whose time is not there yet, and return their number.

    A row has heater, time, source, extra and all fields. No other transaction may write the same heater.
    """
    combinations = [_combination(row) for row in rows]
    ids = _settings_ids(connection, set(combinations))
    return insert_new(
        connection,
        STATUS,
        [
            {**{name: row[name] for name in _OWN}, "settings_id": ids[combination]}
            for row, combination in zip(rows, combinations)
        ],
    )


def delete_unused_settings(connection: Any, heater_id: int) -> None:
    """Delete the combinations of a heater that no status has; no other may write the heater."""
    used = sa.select(STATUS.c.settings_id).where(STATUS.c.heater_id == heater_id).distinct()
    mine = SETTINGS.c.heater_id == heater_id
    connection.execute(sa.delete(SETTINGS).where(mine, SETTINGS.c.id.not_in(used)))


def _combination(row: Mapping[str, Any]) -> _Combination:
    return (row["heater_id"], *[row[name] for name in _SELDOM])


def _settings_ids(connection: Any, combinations: set[_Combination]) -> dict[_Combination, int]:
    """Return the id of each combination; those that are not stored yet are added."""
    keys = {combination: (combination[0], _digest(combination)) for combination in combinations}
    found = _stored(connection, set(keys.values()))
    # Looked up first: a conflict would cost PostgreSQL a number of the id's sequence each time.
    new = [
        {"heater_id": heater, "digest": digest, **dict(zip(_SELDOM, combination[1:]))}
        for combination, (heater, digest) in keys.items()
        if (heater, digest) not in found
    ]
    if new:
        insert_new(connection, SETTINGS, new)
        found |= _stored(connection, {(row["heater_id"], row["digest"]) for row in new})
    return {combination: found[key] for combination, key in keys.items()}


def _stored(connection: Any, keys: set[tuple[int, str]]) -> dict[tuple[int, str], int]:
    columns = SETTINGS.c
    query = sa.select(columns.heater_id, columns.digest, columns.id).where(
        columns.heater_id.in_({heater for heater, _ in keys}),
        columns.digest.in_({digest for _, digest in keys}),
    )
    return {(heater, digest): id for heater, digest, id in connection.execute(query)}


def _digest(combination: _Combination) -> str:
    """Return a digest that is the same in a version with more fields, which are NULL here."""
    values = {name: value for name, value in zip(_SELDOM, combination[1:]) if value is not None}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
