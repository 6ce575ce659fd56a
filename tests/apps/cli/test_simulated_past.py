"""Simulator with a past: what the history has, and that the heater goes on where it ends."""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

pytest.importorskip("sqlalchemy")

from navien_nwp500.apps.cli import simulated_past
from navien_nwp500.apps.cli.simulated_past import simulator_with_past
from navien_nwp500.apps.dashboard.history_json import runs_json
from navien_nwp500.history.command_log import CommandLog
from navien_nwp500.history.database import Database
from navien_nwp500.history.heating_runs import heating_runs
from navien_nwp500.history.schema import to_ms
from navien_nwp500.history.spans import range_span
from navien_nwp500.history.store import HistoryStore, Reading
from navien_nwp500.history.value_series import recorded_gaps
from navien_nwp500.simulator import Heater, Simulator
from support.cli import run

ZONE = ZoneInfo("Europe/Berlin")
#: Clocks change on the first of the ten days.
TODAY = datetime(2026, 4, 8, 12, tzinfo=ZONE)
HOUR = 3_600_000


async def make(path: Path, days: int, seed: int = 0) -> Simulator:
    simulator = partial(Simulator, speed=0.001)
    return await simulator_with_past(
        simulator, str(path), days=days, zone=ZONE, seed=seed, today=TODAY
    )


def stored(path: Path) -> list[Reading]:
    with Database(path) as database:
        store = HistoryStore(database)
        return list(store.readings(store.find_heater()))


async def test_ten_days_have_recoveries_a_gap_an_element_and_an_alert(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    simulator = await make(path, 10)
    heater = simulator.units[0].heater
    assert isinstance(heater, Heater)
    # It goes on where the history ends: a recovery has begun in the last minutes.
    assert simulator.clock.now() >= heater.now
    assert (simulator.clock.now() - heater.now).total_seconds() < 60
    last = stored(path)[-1]
    assert 0 <= to_ms(heater.now) - last.ms < 6 * 60_000
    assert heater.plant.heat_pump.compressor and last.values["comp_use"] == 2
    assert heater.status_numbers().items() - last.values.items() == set()
    with Database(path) as database:
        store = HistoryStore(database)
        one = store.find_heater()
        count, first, end = store.span(one)
        assert one.zone == "Europe/Berlin" and first is not None and end is not None
        assert end - first >= 10 * 24 * HOUR - 6 * 60_000
        assert 2700 < count < 3200
        whole = range_span(first, end, ZONE)
        gaps = recorded_gaps(store, one, whole, now=end, shortest=60_000)
        assert [round((after - start) / HOUR, 1) for start, after in gaps] == [1.4]
        runs = heating_runs(store, one, whole)
        assert len(runs) >= 15
        assert sum(run.wh for run in runs) > 10 * 2000
        assert [run for run in runs if run.element and run.max_watts > 4500]
        shown = runs_json(store, one, since=first, until=end)["runs"]
        assert [row["start"] for row in shown] == [run.start for run in runs]
        assert all(row["cause"] and row["certainty"] for row in shown)
        kinds = {event["kind"] for event in store.events(one)}
        assert {"power", "offline", "mode"} <= kinds
        modes = CommandLog(store).within(one, first, end)
        assert [(c.name, c.outcome) for c in modes] == [("mode", "confirmed")] * 2


async def test_it_ends_on_the_day_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when each day ends some time late, as the last status of a day does."""
    monkeypatch.setattr(simulated_past, "_INTERVAL", 7001.0)
    simulator = await make(tmp_path / "history.db", 5)
    now = simulator.clock.now()
    assert now.date() == TODAY.date() and now.hour >= 5


async def test_equal_starts_give_equal_pasts_and_other_seeds_others(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        await make(tmp_path / name, 1, seed)
    one, same, other = (stored(tmp_path / name) for name in "abc")
    assert one == same and [row.values for row in one] != [row.values for row in other]


async def test_it_ends_soon_when_it_is_cancelled(tmp_path: Path) -> None:
    task = asyncio.ensure_future(make(tmp_path / "history.db", 366))
    while not (tmp_path / "history.db").exists():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(stored_or_empty(tmp_path / "history.db")) < 366 * 280


async def test_the_dashboard_begins_with_a_past(tmp_path: Path) -> None:
    listen = ["--listen", "127.0.0.1:0", "--no-browser"]
    words = ["dashboard", "--simulate", "--past", "1", *listen]
    code, out, err = await run(tmp_path, *words, "--for", "0.1")
    assert (code, err.splitlines()[0]) == (0, "Simulating a history of 1 days ...")
    assert out.startswith("http://127.0.0.1:") and list(tmp_path.iterdir()) == []
    code, _, err = await run(tmp_path, *words, "--database", "mine.db")
    assert code == 2 and "--past is for --simulate, without --database" in err


def stored_or_empty(path: Path) -> list[Any]:
    with Database(path) as database:
        store = HistoryStore(database)
        return [reading for one in store.heaters() for reading in store.readings(one)]
