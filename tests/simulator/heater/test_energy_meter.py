"""Energy, diagnostics and firmware replies of the simulated heater (PROTOCOL 8.6, 8.11, 8.13)."""

from __future__ import annotations

from typing import Any

import pytest

from navien_nwp500.simulator import Heater
from support.heater_bench import APP, CLIENT, DEVICE, LIB_QUERY, MONDAY, Bench


def daily_energy(bench: Bench, year: int, months: list[int]) -> dict[str, Any]:
    topic = f"{LIB_QUERY}/energy-usage-daily-query/rd"
    replies = bench.request(
        "st/energy-usage-daily-query/rd", 16777225, topic, year=year, month=months
    )
    ((found, body),) = replies
    assert found == topic
    return body


def test_energy_of_the_days_of_requested_months() -> None:
    bench = Bench()
    body = daily_energy(bench, 2025, [11, 12])
    assert body["typeOfUsage"] == 1
    total = {"heUsage": 146000, "hpUsage": 1266000, "heTime": 35, "hpTime": 3124}
    assert body["total"] == total
    shape = [(part["year"], part["month"], len(part["data"])) for part in body["usage"]]
    assert shape == [(2025, 11, 30), (2025, 12, 31)]
    for part in body["usage"]:
        for day in part["data"]:
            assert list(day) == ["heUsage", "hpUsage", "heTime", "hpTime"]
            assert 1500 < day["hpUsage"] < 6500 and 4 <= day["hpTime"] <= 16
    (january,) = daily_energy(bench, 2026, [1])["usage"]
    past, future = january["data"][:4], january["data"][5:]
    assert all(day["hpUsage"] for day in past)
    assert all(set(day.values()) == {0} for day in future) and len(future) == 26
    assert set(daily_energy(bench, 2020, [1])["usage"][0]["data"][0].values()) == {0}


def test_today_and_the_lifetime_are_counted() -> None:
    bench = Bench(lower_celsius=40.0, upper_celsius=50.0)
    bench.heater.advance(4 * 3600)
    body = daily_energy(bench, 2026, [1])
    today = body["usage"][0]["data"][4]
    assert today["hpUsage"] > 1000 and today["hpTime"] == 3
    assert body["total"]["hpUsage"] == 1266000 + today["hpUsage"]


def test_energy_of_the_months_of_requested_years() -> None:
    bench = Bench()
    topic = f"{LIB_QUERY}/energy-usage-monthly-query/rd"
    suffix = "st/energy-usage-monthly-query/rd"
    ((found, body),) = bench.request(suffix, 16777226, topic, year=[2025, 2026])
    assert found == topic
    assert [(list(part), part["year"], len(part["data"])) for part in body["usage"]] == [
        (["year", "data"], 2025, 12),
        (["year", "data"], 2026, 12),
    ]
    december = body["usage"][0]["data"][11]
    of_days = [day["hpUsage"] for day in daily_energy(bench, 2025, [12])["usage"][0]["data"]]
    assert 0 <= december["hpUsage"] - sum(of_days) <= 31
    everything = sum(month["hpUsage"] for part in body["usage"] for month in part["data"])
    assert 1266000 - 13 <= everything <= 1266000
    assert body["total"]["heUsage"] == 146000


def test_the_past_is_the_same_for_the_same_seed() -> None:
    one, same = (daily_energy(Bench(), 2025, [12]) for _ in range(2))
    assert one == same
    changed = Heater(now=MONDAY, seed=5).plant.energy_meter.days_of_month(2025, 12)
    assert [d.to_entry() for d in changed] != one["usage"][0]["data"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"year": 2026},
        {"year": 2026, "month": []},
        {"year": 2026, "month": [13]},
        {"year": 2026, "month": 1},
        {"year": 1999, "month": [1]},
        {"year": "2026", "month": [1]},
    ],
)
def test_an_invalid_energy_query_gets_no_reply(body: dict[str, Any]) -> None:
    assert Bench().request("st/energy-usage-daily-query/rd", 16777225, **body) == []


def test_no_firmware_update_is_reported_on_a_fixed_topic() -> None:
    nothing = {"swCode": 0, "otaMode": 0, "swVersion": 0, "status": 0}
    replies = Bench().request("st/dl-sw-info", 16777227, f"{LIB_QUERY}/dl-sw-info")
    assert replies == [(f"{DEVICE}/res/dl-sw-info", {"downloadSwInfo": [nothing]})]


def test_diagnostics_come_packed_first_and_as_objects_on_an_app_style_topic() -> None:
    bench = Bench()
    ((raw_topic, raw),) = bench.request("st/td/rd", 16777228, f"{LIB_QUERY}/td/rd")
    # 1,266,000 and 146,000 Wh, 359 days, and 14 counters of 16 bits.
    assert raw_topic == f"{LIB_QUERY}/td"
    assert raw["data"]["tsData"] == "50511300503a02006701" + 14 * "0000"
    assert raw["data"]["taData"].startswith("340c0000f5020000") and raw["data"]["tcData"] == ""
    topic = f"cmd/52/10001/0/{CLIENT}/res/td/rd"
    (first, _), (found, body) = bench.request("st/td/rd", 16777228, topic)
    assert first == f"cmd/52/10001/0/{CLIENT}/res/td"
    assert found == topic and body["typeOfTD"] == 2
    data = body["data"]
    assert list(data) == ["tsData", "tcData", "tdData", "taData"] and data["tcData"] == {}
    ts, ta = data["tsData"], data["taData"]
    assert (ts["cumulatedPwrHp"], ts["cumulatedPwrHe"]) == (1266000, 146000)
    assert ts["daysSinceInstallation"] == 359
    assert set(data["tdData"].values()) == {0} and "avrageRecoveryTime" in data["tdData"]
    assert (ta["cumulatedOpTimeComp"], ta["cumulatedOpNumComp"]) == (3124, 757)
    assert ta["cumulatedOpTimeUhe"] + ta["cumulatedOpTimeLhe"] == 35
    assert {"cumulatedOpTimeInvComp4", "cumulatedOpNumShutOffVv", "cumulatedOpStepEev"} <= set(ta)
    assert "mixingValveOpAvgMixinGrate" in ta and "cumulatedOpTimeDrGridEmg" in ts


def test_diagnostics_count_starts() -> None:
    bench = Bench(lower_celsius=40.0, upper_celsius=50.0)
    bench.heater.advance(4 * 3600)
    _, (_, body) = bench.request("st/td/rd", 16777228, f"{APP}/td/rd")
    ta = body["data"]["taData"]
    assert (ta["cumulatedOpNumComp"], ta["cumulatedOpNumEvaFan"]) == (758, 758)
    assert ta["cumulatedOpTimeComp"] == 3127
