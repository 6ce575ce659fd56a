"""The forecast of one status: its situations, its figures by hand, and what moves them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Iterable

import pytest

from navien_nwp500.analysis.forecast import Forecast, Situation, forecast
from navien_nwp500.analysis.forecast.bands import (
    NARROWEST_MINUTES,
    NOW,
    Band,
    Calibration,
    Score,
    deviation,
)
from navien_nwp500.analysis.forecast.learned import Learned
from navien_nwp500.analysis.heater_model import HeaterModel
from navien_nwp500.exceptions import ValueOutOfRangeError
from navien_nwp500.protocol.calendar import EVERY_MONTH, Weekday
from navien_nwp500.protocol.fields import decode_fields
from navien_nwp500.protocol.schedules import Reservation, ReservationProgram
from navien_nwp500.protocol.status import DeviceStatus
from navien_nwp500.protocol.tou import TOUPeriod
from navien_nwp500.protocol.types import DHWMode, Volume
from support.status_examples import CORE, HEATING, IDLE

#: A Tuesday.
NOON = datetime(2026, 1, 6, 12, 20, tzinfo=timezone.utc)
#: Forecasts that all came true: nothing is drawn in this household.
TRUE = {"scores": [Score(100.0, 0.0)] * 57, "start_scores": [Score(100.0, 0.0)] * 19}
USUAL = Learned(HeaterModel(), **TRUE)
#: A heater of which exactly the figures of PROTOCOL 14 hold.
QUIET = Learned(
    replace(HeaterModel(), start_hidden_wh=0.0, start_hidden_ratio=0.0, running_hidden_ratio=0.0),
    **TRUE,
)
EVERY_DAY = frozenset(Weekday)


def status(example: dict[str, Any], **fields: Any) -> DeviceStatus:
    """Return an example with other fields, without the count of heat that would not fit them."""
    content = {key: value for key, value in example.items() if key != "totalEnergyCapacity"}
    return decode_fields(DeviceStatus, {**content, **fields})


def resting(upper: float, lower: float, *, air: float = 22.0, **fields: Any) -> DeviceStatus:
    """Return an idle heater in mode 1; its intake shows the air and 3.4 K of the cabinet."""
    return status(
        IDLE,
        **{
            "tankUpperTemperature": round(upper * 10),
            "tankLowerTemperature": round(lower * 10),
            "ambientTemperature": round((air + 3.4) * 10),
            "dhwOperationSetting": 1,
            **fields,
        },
    )


def running(upper: float, lower: float, *, air: float = 22.0, **fields: Any) -> DeviceStatus:
    return status(
        HEATING,
        **{
            "tankUpperTemperature": round(upper * 10),
            "tankLowerTemperature": round(lower * 10),
            "ambientTemperature": round((air - 3.0) * 10),
            "dhwOperationSetting": 1,
            "dhwTemperatureSetting": 121,
            "dhwUse": 1,
            "touStatus": 0,
            **fields,
        },
    )


def made(given: DeviceStatus, **options: Any) -> Forecast:
    return forecast(given, NOON, **options)


def band(found: Band | None) -> Band:
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("upper", "lower", "air", "minutes"),
    [  # PROTOCOL 14.7
        (58.2, 40.6, 18.3, 182),
        (58.2, 48.5, 22.0, 109),
        (57.0, 55.0, 22.0, 70),
        (49.2, 49.2, 22.0, 169),
    ],
)
def test_heating_now_takes_the_time_of_the_record(
    upper: float, lower: float, air: float, minutes: float
) -> None:
    found = made(resting(upper, lower, air=air), learned=QUIET)
    assert found.situation is Situation.RESTING and found.times == (None, None, None)
    assert band(found.if_started.end).minutes == pytest.approx(minutes, rel=0.04)
    usual = band(made(resting(upper, lower, air=air)).if_started.end)
    assert usual.least <= minutes <= usual.most, "a quiet tank is in the band too"


def test_a_run_takes_the_same_by_its_higher_sensor_and_its_colder_air() -> None:
    run = made(running(58.2, 48.5 + 0.65), learned=QUIET)
    assert run.situation is Situation.HEATING and run.if_started == (None, None, None)
    assert band(run.times.end).minutes == pytest.approx(109, rel=0.04)
    assert band(run.times.ready).minutes <= band(run.times.end).minutes
    # What is drawn is no error of the heater's figures: they are scored without it.
    drawn = made(running(58.2, 48.5 + 0.65), learned=Learned(QUIET.model))
    assert drawn.quiet_minutes == run.quiet_minutes == band(run.times.end).minutes
    assert band(drawn.times.end).minutes > run.quiet_minutes


def test_heat_that_a_draw_hid_makes_a_start_longer() -> None:
    quiet = made(resting(58.2, 44.0), learned=QUIET)
    usual = made(resting(58.2, 44.0), learned=USUAL)
    # 250 Wh, and 0.3 x 140.5 Wh/K x 14.2 K = 598 Wh, by some 1.2 kW (PROTOCOL 13, point 24).
    long, short = band(usual.if_started.end), band(quiet.if_started.end)
    assert long.minutes - short.minutes == pytest.approx(42, abs=3)


def test_the_text_of_each_situation() -> None:
    rest = resting(58.2, 48.5)
    texts = {
        "The water is at the setpoint.": made(resting(60.6, 55.0)),
        "No start is foreseeable: not before Wed 14:44 by standby alone; heating now would take "
        "2 h 30 min.": made(rest),
        "The heater is off; heating now would take 2 h 30 min.": made(
            resting(58.2, 48.5, dhwOperationSetting=6)
        ),
        "While water runs: not before 13:54.": made(running(58.2, 49.15, dhwUse=2)),
        "While water runs: 200 L at 40 °C not before 12:40.": made(
            running(58.2, 49.15, dhwUse=2), litres=200
        ),
        "At the setpoint in 2 h 5 min, at 14:23 (13:54 to 15:19).": made(running(58.2, 49.15)),
        "No forecast: the heater sends no temperature of the lower tank sensor.": made(
            status({key: value for key, value in IDLE.items() if key != "tankLowerTemperature"})
        ),
    }
    for text, found in texts.items():
        assert found.text == text


def test_litres_by_hand_and_by_the_clock() -> None:
    # PROTOCOL 14.8: 59/50 with cold water of 22.4 gives 266 L.
    now = made(resting(59.0, 50.0), litres=266, cold=22.4)
    assert now.times.enough == NOW and now.text.endswith("There are 266 L at 40 °C now.")
    later = made(resting(59.0, 50.0), litres=300, cold=22.4, learned=QUIET)
    # 34 L more are 34 x 1.163 x 17.6 = 696 Wh: half an hour and the losses.
    assert band(later.if_started.enough).minutes == pytest.approx(37, abs=5)
    never = made(resting(59.0, 50.0), litres=400, cold=22.4)
    assert never.if_started.enough is None
    assert never.text.endswith("This setpoint does not give 400 L at 40 °C.")
    for litres in (0, -1, float("nan"), 1e6):
        with pytest.raises(ValueOutOfRangeError):
            made(resting(59.0, 50.0), litres=litres)
    assert made(resting(60.6, 60.6)).showers == (3, 4)


def test_each_missing_or_impossible_value_is_named() -> None:
    for found, reason in [
        (made(status(CORE)), "upper tank sensor"),
        (made(resting(60.0, 0.0)), "lower tank sensor says 0.0"),
        (made(resting(60.0, 50.0, currentInstPower=-1)), "no valid power"),
        (made(resting(60.0, 50.0, errorCode=103)), "reports an error"),
    ]:
        assert found.situation is Situation.UNKNOWN and found.times == (None, None, None)
        assert found.reason is not None and reason in found.reason and reason in found.text


def test_without_the_air_the_band_is_wider() -> None:
    fields = {**HEATING, "tankLowerTemperature": 500}
    night = NOON.replace(hour=1)
    known = band(forecast(status(fields), night).times.end)
    without = {key: value for key, value in fields.items() if key != "ambientTemperature"}
    unknown = band(forecast(status(without), night).times.end)
    assert unknown.most - unknown.least > 1.1 * (known.most - known.least)


def reserved(hour: int, celsius: float, mode: DHWMode = DHWMode.HEAT_PUMP) -> ReservationProgram:
    entry = Reservation.at(time(hour, 0), EVERY_DAY, mode, celsius=celsius)
    return ReservationProgram(True, (entry,))


def test_a_reservation_foresees_a_start() -> None:
    rest = resting(57.0, 55.0)
    found = made(rest, reservations=reserved(15, 62.0), learned=USUAL)
    assert found.situation is Situation.FORESEEN and found.start is not None
    assert found.start.when == NOON.replace(hour=15, minute=0)
    now = made(running(57.0, 55.6, dhwTemperatureSetting=124), learned=USUAL).times
    times = found.times
    # 160 min until then, in which the tank cools by 0.9 K or 14 min of heating, and 15 min of a start.
    assert band(times.ready).minutes - band(now.ready).minutes == pytest.approx(190, abs=12)
    assert found.text.startswith("Heating starts at 15:00 (a reservation). At the setpoint in 4 h")
    # The same setpoint and mode start nothing, nor does a setpoint below the water (PROTOCOL 9.12).
    for useless in (reserved(15, 60.5), reserved(15, 50.0)):
        assert made(rest, reservations=useless).situation is Situation.RESTING
    off = replace(reserved(15, 62.0), enabled=False)
    assert made(rest, reservations=off).start is None


def test_an_earlier_start_by_standby_hides_a_reservation() -> None:
    cold = resting(55.0, 40.7, air=10.0)
    found = made(cold, reservations=reserved(11, 62.0))
    assert found.start is None and found.not_before is not None
    assert found.not_before < NOON + timedelta(hours=2)


def tou_plan(start: int, end: int) -> tuple[TOUPeriod, ...]:
    """Return a plan with one peak window, whole hours."""
    hours = [(0, start, "0.1"), (start, end, "0.4"), (end, 24, "0.1")]
    return tuple(
        TOUPeriod(
            frozenset(EVERY_MONTH), EVERY_DAY, time(a), time(b - 1, 59), Decimal(c), Decimal(c)
        )
        for a, b, c in hours
    )


def test_in_a_window_a_cold_tank_waits_for_its_end() -> None:
    window = {"touStatus": 3, "touOverrideStatus": 2}
    cold = resting(58.0, 40.4, **window)
    found = made(cold, periods=tou_plan(12, 16))
    assert found.start is not None and found.start.when == NOON.replace(hour=16, minute=0)
    assert made(cold).start is None, "an unknown end"
    # More than 8 K short it starts in the window too (PROTOCOL 9.12).
    far = made(resting(52.0, 45.0, **window), periods=tou_plan(12, 16))
    assert far.start is not None and far.start.when == NOON
    assert far.times.ready is None and far.times.end is not None
    assert made(resting(58.0, 40.4)).start is not None, "outside it starts at once"


def test_a_run_in_a_window_stops_two_kelvin_short() -> None:
    window = {"touStatus": 3, "touOverrideStatus": 2}
    short = made(running(57.0, 55.0, **window)).times
    whole = made(running(57.0, 55.0)).times
    assert short.ready is None and band(short.end).minutes < band(whole.end).minutes - 20
    assert made(running(57.0, 55.0, **window)).notes == (
        "in a time-of-use window it stops 2 K below the setpoint",
    )
    assert made(running(57.0, 55.0, **window, heatUpperUse=2, currentInstPower=5400)).notes == ()
    closing = made(running(57.0, 50.0, **window), periods=tou_plan(12, 13)).times
    assert closing == made(running(57.0, 50.0)).times, "the window ends before"


def test_an_element_heats_the_top_first() -> None:
    fields = {"heatUpperUse": 2, "compUse": 1, "currentInstPower": 5190, "operationMode": 64}
    found = made(running(50.0, 30.0, dhwOperationSetting=2, **fields)).times
    # 10.5 K at 1.09 K/min (PROTOCOL 14.3), then 30.5 K at 0.77.
    assert band(found.ready).minutes == pytest.approx(9.6, abs=0.5)
    assert band(found.end).minutes == pytest.approx(9.6 + 39.6, abs=1.5)
    # It is as fast as expected: no cold water hides from it, and little is drawn meanwhile.
    assert band(found.ready).most - band(found.ready).least < 10
    both = running(50.0, 30.0, dhwOperationSetting=4, **{**fields, "compUse": 2})
    assert band(made(both).times.end).minutes > 120


def test_the_upper_sensor_follows_an_element_that_starts_after_a_minute() -> None:
    found = made(resting(50.0, 30.0, dhwOperationSetting=2)).if_started
    on = {"heatUpperUse": 2, "compUse": 1, "currentInstPower": 5190, "operationMode": 64}
    now = made(running(50.0, 30.0, dhwOperationSetting=2, **on)).times
    for later, sooner in zip(found[:2], now[:2]):
        assert band(later).minutes - band(sooner).minutes == pytest.approx(1.21, abs=0.05)


def test_a_start_waits_for_the_lock_out() -> None:
    waiting = {"operationBusy": 2, "operationMode": 32}
    locked = made(resting(57.0, 55.0, **waiting, currentStatenum=70))
    free = made(resting(57.0, 55.0, **waiting, currentStatenum=30))
    assert locked.situation is free.situation is Situation.STARTING
    later = band(locked.times.end).minutes - band(free.times.end).minutes
    assert later == pytest.approx((165 - 30) / 60)  # half of 330 s, and 30 s


def test_more_to_heat_takes_longer_and_is_less_certain() -> None:
    def end(
        upper: float = 55.0, lower: float = 45.0, air: float = 20.0, setpoint: float = 58.0
    ) -> Band:
        given = running(upper, lower, air=air, dhwTemperatureSetting=round(setpoint * 2))
        return band(made(given, volume=Volume.GALLONS_65).times.end)

    for found in (
        [end(setpoint=one / 2) for one in range(112, 131)],
        [end(upper=one) for one in range(57, 44, -1)],
        [end(lower=one) for one in range(55, 20, -1)],
        [end(air=one) for one in range(35, 2, -1)],
    ):
        minutes = [one.minutes for one in found]
        assert minutes == sorted(minutes) and minutes[-1] > minutes[0]
        assert found[-1].most - found[-1].least > found[0].most - found[0].least


def test_what_is_there_takes_no_time() -> None:
    hot = made(running(60.5, 55.0), litres=100).times
    assert hot.ready == NOW and hot.enough == NOW and band(hot.end).minutes > 30
    assert made(resting(60.6, 60.0)).times.end == NOW


def test_a_band_widens_with_time_and_is_never_narrower_than_five_minutes() -> None:
    narrow = Calibration([Score(100.0, 0.0)] * 60)
    for minutes in range(0, 600, 7):
        found = narrow.band(minutes, deviation(minutes))
        assert 0 <= found.least <= found.minutes <= found.most
        assert found.most - found.least >= NARROWEST_MINUTES
    usual = [Calibration().band(minutes, deviation(minutes)) for minutes in range(30, 600, 30)]
    widths = [one.most - one.least for one in usual]
    assert widths == sorted(widths) and widths[-1] > 3 * widths[0]


def scores(values: Iterable[float], minutes: float = 100.0) -> list[Score]:
    return [Score(minutes, value) for value in values]


def test_the_band_holds_eight_of_ten_past_scores() -> None:
    # Of the scores 1 to 19, two are below 2 or above 18: ranks 0.1 x 20 and 0.9 x 20.
    ranks = scores(range(1, 20))
    found = Calibration(start_scores=ranks).band(100, 1.0, starting=True)
    assert (found.least, found.most) == (102, 118)
    # In a run three scores are those of one recovery; those of another time do not count.
    other = scores([99.0] * 60, minutes=10.0)
    found = Calibration(scores=[*other, *ranks, *ranks, *ranks]).band(100, 1.0)
    assert (found.least, found.most) == (102, 118)
    few = Calibration(scores([0.1])).band(100, 1.0)
    assert few.most - few.least == NARROWEST_MINUTES
    # Without a score: those of a normal distribution, 1.28 deviations.
    assert Calibration().band(100, 10.0) == pytest.approx(Band(100, 87.18, 112.82))


def test_the_json_has_durations_in_minutes_and_times_with_a_zone() -> None:
    document = made(resting(57.0, 55.0), reservations=reserved(15, 62.0), litres=200).to_json()
    assert document["situation"] == "start foreseen" and document["litres"] == 200
    assert document["start"] == "2026-01-06T15:00:00+00:00"
    assert document["ready"].keys() == {"minutes", "least", "most"}
    assert document["enough"] == {"minutes": 0, "least": 0, "most": 0}
    assert document["water_now"]["least"] <= document["water_now"]["most"]


def test_a_forecast_needs_no_pandas() -> None:
    code = (
        "import sys; import navien_nwp500.analysis.forecast; "
        "assert not {'pandas', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
