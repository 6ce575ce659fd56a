"""Energy history: examples of PROTOCOL 8.6, and invalid responses."""

from __future__ import annotations

import calendar
import copy
import datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from navien_nwp500.exceptions import ProtocolError
from navien_nwp500.protocol.energy import (
    EnergyTotal,
    EnergyUsage,
    decode_energy_daily,
    decode_energy_monthly,
)

# PROTOCOL 8.6, the daily response.
DAILY: dict[str, Any] = {
    "deviceType": 52,
    "macAddress": "0123456789ab",
    "additionalValue": "1234",
    "typeOfUsage": 1,
    "total": {"heUsage": 146000, "hpUsage": 1266000, "heTime": 35, "hpTime": 3124},
    "usage": [
        {
            "year": 2026,
            "month": 1,
            "data": [
                {"heUsage": 0, "hpUsage": usage, "heTime": 0, "hpTime": 4}
                for usage in (1840, 1790, 1830)
            ],
        }
    ],
}
ITEM = {"heUsage": 900, "hpUsage": 50000, "heTime": 1, "hpTime": 110}


def response(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"total": DAILY["total"], "usage": list(parts)}


def test_the_daily_example() -> None:
    history = decode_energy_daily(DAILY)
    assert history.total == EnergyTotal(
        heat_pump_wh=1266000, element_wh=146000, heat_pump_hours=3124, element_hours=35
    )
    # The lifetime total is not the sum of the response.
    assert history.total.total_wh == 1412000
    assert sum(day.total_wh for day in history.usage) == 5460
    dates = [day.date.isoformat() for day in history.usage]
    assert dates == ["2026-01-01", "2026-01-02", "2026-01-03"]
    first = {"heat_pump_wh": 1840, "element_wh": 0, "heat_pump_hours": 4, "element_hours": 0}
    assert history.usage[0] == EnergyUsage(date=datetime.date(2026, 1, 1), **first)


def test_heat_pump_and_element_are_summed() -> None:
    history = decode_energy_daily(response({"year": 2026, "month": 1, "data": [ITEM]}))
    assert history.usage[0].total_wh == 50900


def test_a_month_is_named_by_its_first_day_and_years_come_in_order() -> None:
    history = decode_energy_monthly(
        response({"year": 2026, "data": [ITEM] * 2}, {"year": 2025, "data": [ITEM] * 12})
    )
    assert len(history.usage) == 14
    assert history.usage[0].date == datetime.date(2025, 1, 1)
    assert history.usage[11].date == datetime.date(2025, 12, 1)
    assert history.usage[13].date == datetime.date(2026, 2, 1)
    assert history.usage[13].heat_pump_hours == 110


@given(st.integers(2000, 2099), st.integers(1, 12))
def test_a_month_has_no_more_days_than_the_calendar(year: int, month: int) -> None:
    length = calendar.monthrange(year, month)[1]
    part = {"year": year, "month": month, "data": [ITEM] * length}
    days = decode_energy_daily(response(part)).usage
    assert days[-1].date == datetime.date(year, month, length)
    part["data"] = [ITEM] * (length + 1)
    with pytest.raises(
        ProtocolError, match=f"{length + 1} entries, but only {length} are possible"
    ):
        decode_energy_daily(response(part))


def test_a_thirteenth_month_is_an_error() -> None:
    with pytest.raises(ProtocolError, match="13 entries, but only 12"):
        decode_energy_monthly(response({"year": 2026, "data": [ITEM] * 13}))


def test_a_date_twice_is_an_error() -> None:
    part = {"year": 2026, "month": 1, "data": [ITEM]}
    with pytest.raises(ProtocolError, match="2026-01-01 is in the response twice"):
        decode_energy_daily(response(part, part))


def test_a_month_without_days_is_accepted() -> None:
    assert decode_energy_daily(response({"year": 2026, "month": 1, "data": []})).usage == ()
    assert decode_energy_daily(response()).usage == ()


def test_unknown_keys_are_ignored() -> None:
    item = {**ITEM, "epUsage": None, "waterUsage": "x"}
    plain = decode_energy_daily(response({"year": 2026, "month": 1, "data": [ITEM]}))
    more = decode_energy_daily({**response({"year": 2026, "month": 1, "data": [item]}), "day": 0.5})
    assert more.usage[0].total_wh == plain.usage[0].total_wh
    assert more.total == plain.total


@pytest.mark.parametrize("key", ["hpUsage", "heUsage", "hpTime", "heTime"])
@pytest.mark.parametrize("where", ["total", "day"])
def test_counts_must_be_integers(where: str, key: str) -> None:
    body = copy.deepcopy(DAILY)
    target = body["total"] if where == "total" else body["usage"][0]["data"][1]
    for wrong in (True, 1.0, None, "1", [], {}, 2**63):
        target[key] = wrong
        with pytest.raises(ProtocolError, match=key):
            decode_energy_daily(body)
    del target[key]
    with pytest.raises(ProtocolError, match=f"{key} is missing"):
        decode_energy_daily(body)


@pytest.mark.parametrize("wrong", [True, 1.0, None, "1", 0, -1, 2**70])
@pytest.mark.parametrize("key", ["year", "month"])
def test_dates_must_be_integers(key: str, wrong: object) -> None:
    body = copy.deepcopy(DAILY)
    body["usage"][0][key] = wrong
    with pytest.raises(ProtocolError, match=f"{key} is not an integer"):
        decode_energy_daily(body)


@pytest.mark.parametrize("year", [1999, 2100])
def test_years_have_limits(year: int) -> None:
    with pytest.raises(ProtocolError, match="2000 to 2099"):
        decode_energy_monthly(response({"year": year, "data": []}))
    with pytest.raises(ProtocolError, match="2000 to 2099"):
        decode_energy_daily(response({"year": year, "month": 1, "data": []}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["total", "usage", "data", "year", "month", "hpUsage"]), inner
    ),
    max_leaves=8,
)


@given(JSON)
def test_invalid_input_is_a_protocol_error(body: Any) -> None:
    for decode in (decode_energy_daily, decode_energy_monthly):
        with pytest.raises(ProtocolError):
            decode(body)


@given(JSON)
def test_an_invalid_part_is_a_protocol_error(part: Any) -> None:
    with pytest.raises(ProtocolError):
        decode_energy_daily(response({"year": 2026, "month": 1, "data": [part]}))
