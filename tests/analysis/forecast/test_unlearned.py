"""Without a recording of the heater: the band holds eight of ten, where people draw and where not.

``pytest -s`` on this file prints figures; ``tests/stress/forecast_coverage.py`` prints those of
``docs/FORECAST.md``, of more recoveries.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from random import Random
from statistics import mean, median

from navien_nwp500.analysis.forecast.ordinary_draws import added_minutes
from support.household_recoveries import (
    HEADER,
    HOUSEHOLDS,
    Forecasted,
    asked_recovery,
    figures,
    inside,
    own_recoveries,
    quiet_recovery,
)

#: Other seeds than those by which the prior was chosen.
FIRST_SEED = 200
NOON = datetime(2026, 1, 6, 12, 0, tzinfo=timezone.utc)


def test_the_band_holds_eight_of_ten_where_a_household_goes_on_drawing() -> None:
    random = Random(1)
    starts: list[Forecasted] = []
    runs: list[Forecasted] = []
    for name in HOUSEHOLDS:
        made = (asked_recovery(seed, HOUSEHOLDS[name]) for seed in range(FIRST_SEED, 1000))
        asked = [one for one, _ in zip((each for each in made if each), range(5))]
        own = list(own_recoveries(FIRST_SEED, HOUSEHOLDS[name], 2))
        for each in (*asked, *own):
            starts += each.start()
            runs += each.later(random.uniform(0, each.end - 5))
    print(f"\n{HEADER}\n{figures('before the start', starts)}\n{figures('in the run', runs)}")
    assert len(starts) + len(runs) > 50
    assert 0.75 <= inside([*starts, *runs]) <= 0.92
    assert abs(mean(one.error for one in [*starts, *runs])) < 25


def test_the_band_holds_a_quiet_tank_too() -> None:
    found = [quiet_recovery(seed) for seed in range(FIRST_SEED, FIRST_SEED + 40)]
    starts = [one for each in found for one in each.start()]
    runs = [one for each in found for one in each.later(20)]
    print(f"\n{HEADER}\n{figures('before the start', starts)}\n{figures('in the run', runs)}")
    assert inside(starts) >= 0.75 and inside(runs) >= 0.75
    assert mean(one.band.most - one.band.least for one in starts) < 90


def test_more_is_drawn_in_longer_time_and_nothing_at_night() -> None:
    def usual(hour: float, minutes: float) -> list[float]:
        return added_minutes(NOON.replace(hour=0) + timedelta(hours=hour), minutes, 1.24)

    assert sum(usual(1, 120)) < sum(usual(12, 120)) < sum(usual(18, 120))
    for hour in range(24):
        shorter, longer = usual(hour, 60), usual(hour, 240)
        assert all(a <= b + 1e-6 for a, b in zip(shorter, longer)) and min(shorter) >= 0
    # Half of the households draw 130 to 220 L from 3:00 to 19:00, of 220 L a day (PROTOCOL 14.9).
    day = added_minutes(NOON.replace(hour=3), 16 * 60, 0.001)
    assert 130 < median(day) / 0.001 < 220 and min(day) == 0.0
    assert usual(18, 120) == usual(18, 120)
    assert added_minutes(NOON, 120, 0.0) == [0.0] * len(usual(0, 1))
