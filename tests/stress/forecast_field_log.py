"""Forecasts of the recovery in the field log, against its end: errors by the time left.

The field log is a capture of a real heater, which lies beside the repository. In its first 13.6 minutes
the tank recovers from draws, which a status does not show. Without those, each error should be at most
7 minutes with the figures that fit this heater.

    PYTHONPATH=.:tests python tests/stress/forecast_field_log.py
"""

from __future__ import annotations

from statistics import mean, stdev
from typing import NamedTuple

from navien_nwp500.analysis.forecast import forecast
from navien_nwp500.analysis.forecast.bands import Band
from navien_nwp500.analysis.forecast.learned import Learned
from navien_nwp500.analysis.heater_model import HeaterModel
from navien_nwp500.protocol.messages import OPERATION_MODE_CHANGED
from support import captures
from support.field_log import log_numbers_by_time, status_of_numbers

#: From this minute of the file on draws no longer matter.
FIRST_MINUTE = 13.6
FITTED = HeaterModel(rate=1.12, stop_overshoot=0.65, wh_per_kelvin=281, running_hidden_ratio=0.0)
MODELS = {"usual figures": HeaterModel(), "figures of this heater": FITTED}
#: Minutes left, and the error of the formula with its fitted figures by hand: mean and deviation.
GROUPS = {
    (0, 5): "+0.6 ± 1.0",
    (5, 10): "+1.2 ± 0.7",
    (10, 20): "+3.0 ± 1.8",
    (20, 30): "+6.8 ± 1.5",
    (30, 40): "+6.7 ± 1.3",
    (40, 53): "-5.8 ± 4.0",
}


class Row(NamedTuple):
    """A row of the run: minutes since the first one, minutes left, and the forecast of those."""

    minute: float
    left: float
    band: Band

    @property
    def error(self) -> float:
        """Return the forecast minus the truth, in minutes."""
        return self.band.minutes - self.left


def rows_of_run(model: HeaterModel) -> list[Row]:
    """Forecast each status of the run with a model, and else as without a recording."""
    statuses = log_numbers_by_time()
    first = statuses[0][0]
    end = next(when for when, values in statuses if values["command"] == OPERATION_MODE_CHANGED)
    found = []
    for when, values in statuses:
        left = (end - when).total_seconds() / 60
        if left > 0:
            made = forecast(status_of_numbers(values), when, learned=Learned(model=model)).times
            if made.end is not None:
                found.append(Row((when - first).total_seconds() / 60, left, made.end))
    return found


def inside(rows: list[Row]) -> float:
    """Return the part of the rows whose band holds the truth."""
    return mean(row.band.least <= row.left <= row.band.most for row in rows)


def main() -> None:
    """Print a table for each model."""
    if not captures.AVAILABLE:
        raise SystemExit(captures.SKIP_REASON)
    for name, model in MODELS.items():
        rows = rows_of_run(model)
        later = [row for row in rows if row.minute > FIRST_MINUTE]
        print(f"{name}\n  minutes left   rows   error        largest   in band   width   by hand")
        for (least, most), by_hand in GROUPS.items():
            part = [row for row in rows if least < row.left <= most]
            errors = [row.error for row in part]
            width = mean(row.band.most - row.band.least for row in part)
            print(
                f"  {least:>5} to {most:<4} {len(part):6d}   {mean(errors):+5.1f} ± {stdev(errors):3.1f}"
                f"{max(map(abs, errors)):10.1f} {inside(part):9.2f} {width:7.0f}   {by_hand}"
            )
        largest = max(abs(row.error) for row in later)
        print(
            f"  after minute {FIRST_MINUTE}: {len(later)} rows, largest {largest:.1f}, "
            f"in band {inside(later):.2f}; of all {len(rows)} rows {inside(rows):.2f}\n"
        )


if __name__ == "__main__":
    main()
