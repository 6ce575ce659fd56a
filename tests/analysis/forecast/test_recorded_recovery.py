"""The forecast of the one recovery that was recorded of a real heater (``stress/forecast_field_log``)."""

from __future__ import annotations

from statistics import mean

import pytest

from navien_nwp500.analysis.forecast import Situation, forecast
from navien_nwp500.analysis.heater_model import HeaterModel
from stress.forecast_field_log import FIRST_MINUTE, FITTED, inside, rows_of_run
from support import captures
from support.field_log import log_numbers_by_time, status_of_numbers

if not captures.AVAILABLE:
    pytest.skip(captures.SKIP_REASON, allow_module_level=True)


def test_with_the_figures_of_that_heater_each_error_is_at_most_seven_minutes() -> None:
    rows = [row for row in rows_of_run(FITTED) if row.minute > FIRST_MINUTE]
    assert len(rows) == 152 and max(row.left for row in rows) > 38
    assert max(abs(row.error) for row in rows) <= 7
    for least, most, kelvin in ((0, 5, 2), (5, 10, 2), (10, 20, 4), (20, 30, 4)):
        part = [row.error for row in rows if least < row.left <= most]
        assert abs(mean(part)) < kelvin, (least, most)


def test_without_a_recording_the_band_holds_the_truth() -> None:
    rows = rows_of_run(HeaterModel())
    # Also while draws are made good, of which a status shows nothing.
    assert len(rows) == 178 and inside(rows) >= 0.97
    widths = [row.band.most - row.band.least for row in rows]
    assert max(widths) < 60, "it holds because it is right, not because it says nothing"


def test_at_rest_after_it_no_time_is_told() -> None:
    when, numbers = log_numbers_by_time()[-1]
    made = forecast(status_of_numbers(numbers), when)
    assert made.situation in (Situation.HOT, Situation.RESTING) and made.times.ready in (
        None,
        (0, 0, 0),
    )
    assert made.start is None and made.not_before is not None
