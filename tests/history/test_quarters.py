"""Roll-up to quarter hours and days, against sums by hand."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from navien_nwp500.history.quarters import FIELDS, add_days, roll_up

START = 1_767_225_600_000  # 2026-01-01T00:00Z
MINUTE = 60_000


def status(minute: float, watts: int = 0, **values: int) -> tuple[int, dict[str, Any]]:
    known = {"dhw_charge_per": 50, "current_inst_power": watts, **values}
    return START + int(minute * MINUTE), {**dict.fromkeys(FIELDS), **known}


def test_energy_is_power_times_the_time_to_the_next_status_split_at_the_quarter() -> None:
    rows = roll_up(
        [status(10, 600, dhw_charge_per=90), status(20, 60, dhw_charge_per=80), status(24)]
    )
    assert [row["time"] - START for row in rows] == [0, 15 * MINUTE]
    first, second = rows
    # 600 W for 5 minutes; then 600 W for 5 minutes and 60 W for 4.
    assert (first["wh"], first["seconds_known"]) == (50, 300)
    assert (second["wh"], second["seconds_known"]) == (54, 540)
    assert (first["charge_avg"], second["charge_avg"]) == (90, (90 * 5 + 80 * 4) / 9)
    assert (second["charge_min"], second["charge_max"], second["watts_max"]) == (50, 90, 600)


def test_a_status_counts_for_15_minutes_and_the_rest_of_a_pause_is_unknown() -> None:
    rows = roll_up([status(5, 400, comp_use=2), status(65, 400, comp_use=1), status(70)])
    assert [(row["time"] - START) // MINUTE for row in rows] == [0, 15, 60]
    assert [row["seconds_known"] for row in rows] == [600, 300, 300]
    assert sum(row["wh"] for row in rows) == pytest.approx(400 * 20 / 60)
    assert [row["compressor_s"] for row in rows] == [600, 300, 0]


def test_the_last_status_and_fields_that_were_not_sent_add_nothing() -> None:
    (row,) = roll_up([status(1, 100)])
    assert (row["seconds_known"], row["wh"], row["watts_max"]) == (0, 0, 100)
    assert row["upper_avg"] is None and row["setpoint"] is None
    assert roll_up([]) == []


@pytest.mark.parametrize(
    ("zone", "first", "hours"),
    [
        # Clocks go forward and back at 01:00 UTC: days of 23 and 25 hours.
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        # Half and quarter hours from UTC.
        ("Asia/Kolkata", date(2026, 3, 29), 24),
        ("Asia/Kathmandu", date(2026, 3, 29), 24),
        # Clocks change by half an hour.
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
    ],
)
def test_a_day_is_that_of_the_heater(zone: str, first: date, hours: float) -> None:
    """A status each minute at 60 W: each minute of a day is 1 Wh."""
    own = ZoneInfo(zone)
    start = datetime(first.year, first.month, first.day, tzinfo=own).astimezone(timezone.utc)
    begin = int((start - timedelta(hours=2)).timestamp() * 1000)
    statuses = [(begin + n * MINUTE, status(0, 60)[1]) for n in range(30 * 60)]
    before, day, after = add_days(roll_up(statuses), own)
    assert (before.day, day.day) == (first - timedelta(days=1), first)
    assert (before.wh, day.wh) == pytest.approx((120, hours * 60))
    assert day.seconds_known == hours * 3600
    assert before.wh + day.wh + after.wh == pytest.approx(30 * 60 - 1)
