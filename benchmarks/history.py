"""Space and speed of a history: a year of one heater at 5 minutes, in a file.

Two weeks are simulated and repeated; the questions are those of the dashboard. The floor of a question is
the same rows read by ``sqlite3`` alone. All are milliseconds of the processor: a busy machine does not
matter.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any, Callable, Mapping

from navien_nwp500.apps.cli.simulated_past import simulator_with_past
from navien_nwp500.apps.dashboard.history_json import periods_json, runs_json, series_json
from navien_nwp500.history.database import Database
from navien_nwp500.history.store import SLICE, HistoryStore, Reading, ReadingSource
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.heater.simulated_heater import Heater

from .figures import Figure, Sample, at_most
from .turns import in_turns, progress

_DAY_MS = 86_400_000
_START = datetime(2025, 1, 1, tzinfo=timezone.utc)
_START_MS = int(_START.timestamp() * 1000)
_QUARTER_COLUMNS = "time, seconds_known, wh, watts_max, charge_avg, upper_avg, lower_avg"
_STATUS_COLUMNS = "time, current_inst_power, tank_upper_temperature, tank_lower_temperature"


def measure(quick: bool) -> list[Figure]:
    """Fill a file, ask it, and make a month for the demo."""
    weeks, poll, rounds = (4, 1800.0, 1) if quick else (52, 300.0, 15)
    progress(f"history: {weeks} weeks")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.db"
        _fill(path, weeks // 2, poll)
        size = path.stat().st_size / weeks * 365 / 7 / 1e6
        questions = _ask(path, rounds)
        past = Path(folder) / "past.db"
        began = time.process_time()
        days = 1 if quick else 30
        asyncio.run(_past(past, days))
        month = (time.process_time() - began) * 30 / days
    return [
        Figure("A heater's year at 5 minutes, in SQLite", "MB", Sample([size]), goal=at_most(20)),
        *questions,
        Figure("CPU of a simulated month of history", "s", Sample([month]), goal=at_most(10)),
    ]


def _fill(path: Path, fortnights: int, poll: float) -> None:
    heater = Heater(now=_START)
    rows = []
    for number in range(1, round(14 * 86_400 / poll) + 1):
        heater.advance(poll, coarse=True)
        rows.append((int(number * poll * 1000), heater.status_numbers()))
    with Database(path) as database:
        store = HistoryStore(database)
        stored = store.ensure_heater("0123456789ab", zone="America/New_York")
        for fortnight in range(fortnights):
            begin = _START_MS + 14 * fortnight * _DAY_MS
            readings = [Reading(begin + ms, values) for ms, values in rows]
            for at in range(0, len(readings), SLICE):
                store.add(stored, readings[at : at + SLICE], ReadingSource.LIVE)


def _ask(path: Path, rounds: int) -> list[Figure]:
    """Ask the questions of the dashboard in turns with their floors."""
    plain = sqlite3.connect(path)
    try:
        with Database(path) as database:
            store = HistoryStore(database)
            heater = store.find_heater()
            middle = _START_MS + 16 * _DAY_MS
            span = {"at": middle, "now": middle}
            runs = {"since": middle - 15 * _DAY_MS, "until": middle + 15 * _DAY_MS}
            ask: Mapping[str, Callable[[], Any]] = {
                "a day": partial(series_json, store, heater, span="day", **span),
                "a month": partial(series_json, store, heater, span="month", **span),
                "a year": partial(series_json, store, heater, span="year", **span),
                "energy": partial(periods_json, store, heater, span="year", **span),
                "runs": partial(runs_json, store, heater, **runs),
                "status": partial(_read, plain, _STATUS_COLUMNS, "status", 31),
                "quarter": partial(_read, plain, _QUARTER_COLUMNS, "quarter", 366),
            }
            found = in_turns(
                rounds, {name: partial(_milliseconds, one) for name, one in ask.items()}
            )
    finally:
        plain.close()
    floor = "rows by sqlite3"
    return [
        Figure("Series of a day", "ms", found["a day"]),
        Figure("Series of a month", "ms", found["a month"], found["status"], floor),
        Figure("Series of a year", "ms", found["a year"], found["quarter"], floor, at_most(150)),
        Figure("Energy of a year by month", "ms", found["energy"], found["quarter"], floor),
        Figure("Runs of a month with their causes", "ms", found["runs"], found["status"], floor),
    ]


def _read(connection: sqlite3.Connection, columns: str, table: str, days: int) -> None:
    query = f"SELECT {columns} FROM {table} WHERE heater_id = 1 AND time < ? ORDER BY time"
    connection.execute(query, (_START_MS + days * _DAY_MS,)).fetchall()


def _milliseconds(question: Callable[[], Any]) -> float:
    began = time.process_time()
    question()
    return (time.process_time() - began) * 1000


async def _past(path: Path, days: int) -> None:
    await simulator_with_past(partial(Simulator, speed=1), str(path), days=days, zone=None)
