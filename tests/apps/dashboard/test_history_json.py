"""JSON of the history for the dashboard, from a database in a file."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Iterator

import pytest

pytest.importorskip("sqlalchemy")

from navien_nwp500.analysis.prices.price_series import FixedPrices, PriceInterval, PriceSeries
from navien_nwp500.apps.dashboard.history_json import (
    events_json,
    periods_json,
    runs_json,
    series_json,
)
from navien_nwp500.exceptions import ConfigurationError
from navien_nwp500.history.alerts import Alert
from navien_nwp500.history.command_log import CommandLog
from navien_nwp500.history.database import Database
from navien_nwp500.history.schema import to_datetime, to_ms
from navien_nwp500.history.store import HistoryStore, Reading, ReadingSource, StoredHeater

MINUTE, HOUR = 60_000, 3_600_000
#: 10 June 2026, 00:00 in Berlin.
START = to_ms(datetime(2026, 6, 9, 22, tzinfo=timezone.utc))
NOW = START + 30 * HOUR


def reading(minute: int, watts: int) -> Reading:
    known = {
        "current_inst_power": watts,
        "tank_upper_temperature": 500,
        "tank_lower_temperature": 400,
        "dhw_charge_per": 60,
        "dhw_temperature_setting": 110,
        "comp_use": 2 if watts > 100 else 1,
    }
    return Reading(START + minute * MINUTE, known)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[HistoryStore]:
    with Database(tmp_path / "history.db") as database:
        yield HistoryStore(database)


@pytest.fixture
def heater(store: HistoryStore) -> StoredHeater:
    """A heater with 600 W for two hours on two mornings; on the second a gap from 1 to 2 o'clock."""
    one = store.ensure_heater("0123456789ab", zone="Europe/Berlin")
    minutes = [m for m in range(0, 29 * 60, 10) if not 25 * 60 < m < 26 * 60]
    runs = (range(360, 480), range(1440 + 180, 1440 + 300))
    rows = [reading(m, 600 if any(m in run for run in runs) else 0) for m in minutes]
    store.add(one, rows, ReadingSource.LIVE)
    return one


def prices() -> FixedPrices:
    first, middle, last = (to_datetime(START + h * HOUR) for h in (0, 7, 48))
    rows = [PriceInterval(first, middle, 0.10), PriceInterval(middle, last, 0.30)]
    return FixedPrices(PriceSeries(rows, "EUR", "test"))


def test_a_day_is_shown_with_its_neighbours_and_in_words(
    store: HistoryStore, heater: StoredHeater
) -> None:
    found = series_json(store, heater, span="day", at=START + HOUR, points=600, now=NOW)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    span = found["range"]
    assert (span["span"], span["from"], span["to"]) == ("day", START, START + 24 * HOUR)
    assert (span["label"], span["previous"], span["next"]) == (
        "Wednesday, 10 June 2026",
        None,
        START + 24 * HOUR,
    )
    lists = [found["setpoint_c"], found["energy_wh"]]
    for name in ("power_w", "upper_c", "lower_c", "charge_percent"):
        assert set(found[name]) == {"mean", "min", "max"}
        lists += found[name].values()
    assert {len(one) for one in lists} == {len(found["times"])}
    assert found["times"][1] - found["times"][0] == found["bucket_ms"] == 5 * MINUTE
    assert found["ticks"][2] == {"ms": START + 6 * HOUR, "label": "06:00"}
    assert (found["gaps"], found["source"]) == ([], "status")
    assert found["summary"] == {
        "power": "Power: 50 W on average, at most 600 W.",
        "tank": "Water in the upper part of the tank 50 °C, in the lower part 40 °C.",
        "charge": "Hot water: 60 %.",
        "energy": "Energy: 1.2 kWh.",
    }
    today = series_json(store, heater, span="day", now=NOW, unit="F")
    assert (today["range"]["previous"], today["range"]["next"]) == (START, None)
    assert "tank 122 °F, in" in today["summary"]["tank"]
    none = series_json(store, heater, since=START - 5 * HOUR, until=START - 4 * HOUR, now=NOW)
    assert none["summary"]["power"].startswith("Nothing is recorded: 9 June 2026, 19:00")


def test_a_gap_is_a_gap_in_the_series_and_an_event(
    store: HistoryStore, heater: StoredHeater
) -> None:
    later = START + 24 * HOUR
    store.record(heater, later, None, [Alert("mode", "a run says the same")])
    store.record(heater, later + HOUR, None, [Alert("error", "E003")])
    store.record(heater, later + 2 * HOUR, None, [Alert("error", "over", active=False)])
    log = CommandLog(store)
    for number, when in (("a", later + 4 * HOUR), ("b", later + 5 * HOUR)):
        log.begin(heater, number, ms=when, name="power", arguments={"on": True}, who="page")
    log.end("a", ms=later + 4 * HOUR + 5, outcome="confirmed", text="The heater is on.")
    now = START + 40 * HOUR
    day = {"since": later, "until": later + 24 * HOUR}
    gaps = series_json(store, heater, **day, now=now)["gaps"]
    quarter = 15 * MINUTE
    assert gaps == [
        [later + HOUR + quarter, later + 2 * HOUR],
        [later + 4 * HOUR + 50 * MINUTE + quarter, now],
    ]
    events = events_json(store, heater, **day, now=now)["events"]
    shown = [(one["kind"], one["label"], one["text"], one["ended"] is None) for one in events]
    assert shown == [
        ("gap", "Thu 11 Jun 2026, 05:05", "Nothing was recorded for 10 h 55 min", False),
        ("command", "Thu 11 Jun 2026, 05:00", "power: no answer yet", True),
        ("command", "Thu 11 Jun 2026, 04:00", "The heater is on.", False),
        ("gap", "Thu 11 Jun 2026, 01:15", "Nothing was recorded for 45 min", False),
        ("error", "Thu 11 Jun 2026, 01:00", "E003", False),
    ]


def test_energy_and_cost_are_compared_with_the_day_before(
    store: HistoryStore, heater: StoredHeater
) -> None:
    found = periods_json(store, heater, span="day", at=START + 25 * HOUR, prices=prices(), now=NOW)
    assert (found["by"], len(found["rows"]), found["currency"]) == ("hour", 24, "EUR")
    assert found["rows"][3] == {
        "start": START + 27 * HOUR,
        "end": START + 28 * HOUR,
        "label": "03:00",
        "energy_wh": 600,
        "cost": 0.18,
        "known": 1,
    }
    assert found["rows"][7]["energy_wh"] is None and found["rows"][7]["known"] == 0
    assert found["total"]["energy_wh"] == 1100 and found["total"]["cost"] == 0.33
    assert sum(row["energy_wh"] or 0 for row in found["rows"]) == found["total"]["energy_wh"]
    # 6 to 7 o'clock for 0.10, then 0.30.
    assert found["before"]["cost"] == 0.24 and found["before"]["energy_wh"] == 1200
    assert found["summary"] == (
        "1.1 kWh for 0.33 EUR so far, known for 68 % of the time; 1.2 kWh for 0.24 EUR in the day "
        "before."
    )
    without = periods_json(store, heater, span="year", at=START, now=NOW)
    assert (without["by"], without["currency"], without["total"]["cost"]) == ("month", None, None)
    assert without["rows"][5]["label"] == "June" and without["before"]["energy_wh"] is None
    assert without["summary"].startswith("2.3 kWh so far")


def test_runs_have_their_cost_and_what_is_known_of_their_cause(
    store: HistoryStore, heater: StoredHeater
) -> None:
    start = START + 6 * HOUR
    found = runs_json(store, heater, since=START, until=NOW, prices=prices())["runs"]
    (cause,) = (one["cause"] for one in found[1:])
    assert isinstance(cause, str) and found[1]["certainty"] in ("sure", "likely", "unknown")
    assert [one["start"] for one in found] == [START + 27 * HOUR, start]
    assert found[1] == {
        "start": start,
        "end": START + 8 * HOUR,
        "energy_wh": 1200,
        "cost": 0.24,
        "max_w": 600,
        "element": False,
        "upper_from_c": 50,
        "upper_to_c": 50,
        "lower_from_c": 40,
        "lower_to_c": 40,
        **{name: found[1][name] for name in ("cause", "certainty", "stop")},
        "label": "Wed 10 Jun 2026, 06:00, 2 h",
    }
    assert runs_json(store, heater, since=START, until=START + HOUR) == {"runs": [], "note": None}


def test_deleted_statuses_are_no_time_without_runs(
    store: HistoryStore, heater: StoredHeater
) -> None:
    def note(since: int) -> str | None:
        return runs_json(store, heater, since=since, until=NOW)["note"]

    store.prune(START + 12 * HOUR)
    assert note(START) == (
        "Older statuses were deleted: heating runs are known from Wed 10 Jun 2026, 12:00 on."
    )
    assert note(START + 12 * HOUR) is None
    store.prune(NOW)
    assert note(START + 24 * HOUR) == (
        "Older statuses were deleted: heating runs are known from Thu 11 Jun 2026, 05:00 on."
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"span": "decade"},
        {"since": START},
        {"span": "day", "since": START, "until": NOW},
        {"since": NOW, "until": START},
        {"span": "day", "at": 10**20},
        {"span": "day", "points": 0},
    ],
    ids=str,
)
def test_a_wrong_range_is_refused(
    store: HistoryStore, heater: StoredHeater, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError):
        series_json(store, heater, **wrong, now=NOW)
