"""Commands that people gave, in the history database: what was asked, by whom, and the outcome."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Mapping

import sqlalchemy as sa

from .schema import COMMAND
from .status_rows import insert_new
from .store import HistoryStore, StoredHeater


@dataclass(frozen=True)
class StoredCommand:
    """A command. ``id``: the UUID of whoever asked. ``asked``, ``answered``: ms since 1970.

    ``outcome`` is one word, such as confirmed or refused, and ``text`` says it to people; both are None
    until the heater has answered.
    """

    id: str
    heater_id: int
    asked: int
    name: str
    arguments: Mapping[str, Any]
    who: str
    outcome: str | None = None
    answered: int | None = None
    text: str | None = None


class CommandLog:
    """Commands of an open history database. Raises HistoryError as ``Database`` does."""

    def __init__(self, store: HistoryStore) -> None:
        self._database = store.database

    def begin(
        self,
        heater: StoredHeater,
        command_id: str,
        *,
        ms: int,
        name: str,
        arguments: Mapping[str, Any],
        who: str,
    ) -> bool:
        """Store a command before it is sent; return False if its id is there, so that it was sent."""
        row = StoredCommand(command_id, heater.id, ms, name, arguments, who)
        values = {**vars(row), "arguments": json.dumps(arguments, sort_keys=True)}
        with self._database.writing() as connection:
            return insert_new(connection, COMMAND, [values]) == 1

    def end(self, command_id: str, *, ms: int, outcome: str, text: str) -> None:
        """Store the outcome of a command, unless it has one."""
        unfinished = sa.and_(COMMAND.c.id == command_id, COMMAND.c.outcome.is_(None))
        values = {"outcome": outcome, "text": text, "answered": ms}
        with self._database.writing() as connection:
            connection.execute(sa.update(COMMAND).where(unfinished).values(values))

    def find(self, command_id: str) -> StoredCommand | None:
        """Return the command with an id, None if there is none."""
        found = self._commands(COMMAND.c.id == command_id)
        return found[0] if found else None

    def unfinished(self) -> list[StoredCommand]:
        """Return the commands without an outcome, as after a crash, the oldest first."""
        return self._commands(COMMAND.c.outcome.is_(None))

    def within(self, heater: StoredHeater, since: int, until: int) -> list[StoredCommand]:
        """Return the commands of a heater from ``since`` to before ``until``, the oldest first."""
        asked = COMMAND.c.asked
        return self._commands(COMMAND.c.heater_id == heater.id, asked >= since, asked < until)

    def _commands(self, *conditions: Any) -> list[StoredCommand]:
        query = sa.select(COMMAND).where(*conditions).order_by(COMMAND.c.asked, COMMAND.c.id)
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [StoredCommand(**{**row, "arguments": json.loads(row["arguments"])}) for row in rows]
