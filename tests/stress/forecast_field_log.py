"""Forecasts of the recovery in the field log, against its end: errors by the time left.

The field log is a capture of a real heater, which lies beside the repository. Its first 13.6 minutes are
left out: the tank recovers from draws then, which a status does not show. With the figures that fit this
heater, each error should be at most 7 minutes.

    PYTHONPATH=.:tests python tests/stress/forecast_field_log.py
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from statistics import mean
from typing import Iterator

from navien_nwp500.analysis.forecast import forecast
from navien_nwp500.analysis.forecast.learned import Learned
from navien_nwp500.analysis.heater_model import HeaterModel
from navien_nwp500.protocol.fields import decode_fields
from navien_nwp500.protocol.messages import OPERATION_MODE_CHANGED
from navien_nwp500.protocol.status import DeviceStatus
from support import captures
from support.recoveries import MIDNIGHT
from support.status_examples import HEATING

FIRST_MINUTE = 13.6
MODELS = {
    "usual figures": HeaterModel(),
    "figures of this heater": HeaterModel(
        rate=1.12, stop_overshoot=0.65, wh_per_kelvin=281, running_hidden_ratio=0.0
    ),
}


def errors(model: HeaterModel) -> Iterator[tuple[float, float]]:
    """Yield the minutes left, and the forecast minus that, for each row of the run."""
    rows = captures.field_log()
    times = [datetime.fromisoformat(row["timestamp"]) for row in rows]
    end = next(
        when for when, row in zip(times, rows) if row["command"] == str(int(OPERATION_MODE_CHANGED))
    )
    for when, row in zip(times, rows):
        left = (end - when).total_seconds() / 60
        if left > 0 and (when - times[0]).total_seconds() > 60 * FIRST_MINUTE:
            found = forecast(logged_status(row), MIDNIGHT, learned=Learned(model=model)).times.end
            assert found is not None
            yield left, found.minutes - left


def logged_status(row: dict[str, str]) -> DeviceStatus:
    """Return the status of a row, as far as a forecast reads it."""

    def tenths(name: str) -> int:
        return round((float(row[f"{name}_temperature"]) - 32) / 0.18)

    values = {
        "tankUpperTemperature": tenths("tank_upper"),
        "tankLowerTemperature": tenths("tank_lower"),
        "ambientTemperature": tenths("ambient"),
        "dhwTemperatureSetting": round((float(row["dhw_temperature_setting"]) - 32) / 0.9),
        "currentInstPower": int(row["current_inst_power"]),
    }
    return decode_fields(DeviceStatus, {**HEATING, **values})


def main() -> None:
    """Print a table for each model."""
    if not captures.AVAILABLE:
        raise SystemExit(captures.SKIP_REASON)
    for name, model in MODELS.items():
        groups: dict[int, list[float]] = defaultdict(list)
        for left, error in errors(model):
            groups[int(left // 10)].append(error)
        print(f"{name}\n  minutes left   rows   mean error   largest")
        for group, found in sorted(groups.items()):
            span = f"{10 * group} to {10 * group + 10}"
            print(f"  {span:>12} {len(found):6d} {mean(found):+12.1f} {max(map(abs, found)):9.1f}")


if __name__ == "__main__":
    main()
