"""Each form of tariff: a right file, a wrong one, one that is cut, and a foreign one."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from navien_nwp500.analysis.prices import CalendarPrices, PriceSeries, read_tariff, tariff_files
from navien_nwp500.analysis.prices.tariff_files import parse_tariff
from navien_nwp500.analysis.prices.timed_prices import TariffOptions
from navien_nwp500.exceptions import ConfigurationError

UTC = timezone.utc
BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)
Write = Callable[[Any], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file whose name says nothing."""

    def save(content: Any) -> Path:
        path = tmp_path / "file"
        if not isinstance(content, (str, bytes)):
            content = json.dumps(content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return save


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def prices(series: PriceSeries) -> list[float]:
    return [round(one.price, 6) for one in series.intervals]


def whole(path: Path, **options: Any) -> PriceSeries:
    return read_tariff(path, **options).between(utc(2020, 1, 1), utc(2030, 1, 1))


# OpenEI. Invented: off-peak has two tiers, the night is one, summer evenings are dear.

_OFF, _PEAK, _NIGHT = 0, 1, 2


def rate(**changes: Any) -> dict[str, Any]:
    winter = [_NIGHT] * 6 + [_OFF] * 18
    summer = [_NIGHT] * 6 + [_OFF] * 10 + [_PEAK] * 5 + [_OFF] * 3
    weekdays = [winter] * 5 + [summer] * 4 + [winter] * 3
    return {
        "label": "0123456789abcdef",
        "utility": "Example Light & Power",
        "name": "Residential E-1",
        "sector": "Residential",
        "servicetype": "Bundled",
        "energyratestructure": [
            [
                {"max": 500, "rate": 0.2, "adj": 0.022, "unit": "kWh"},
                {"rate": 0.26, "adj": 0.022, "sell": 0.05, "unit": "kWh"},
            ],
            [{"rate": 0.37, "adj": 0.022, "max": 500}, {"rate": 0.43, "adj": 0.022}],
            [{"rate": 0.16, "adj": 0.022}],
        ],
        "energyweekdayschedule": weekdays,
        "energyweekendschedule": [winter] * 12,
        **changes,
    }


NEW_YORK = ZoneInfo("America/New_York")


def at(path: Path, *when: int, **options: Any) -> tuple[float, float, float]:
    """Price, lowest and highest, at a time of New York."""
    local = datetime(*when, tzinfo=NEW_YORK)  # type: ignore[misc, arg-type]
    series = read_tariff(path, NEW_YORK, **options).between(
        local.astimezone(UTC), local.astimezone(UTC) + HOUR
    )
    (one,) = series.intervals
    return one.price, one.low, one.high


@pytest.mark.parametrize("form", [lambda one: one, lambda one: [one], lambda one: {"items": [one]}])
def test_a_rate_of_openei_by_hand(write: Write, form: Callable[[Any], Any]) -> None:
    path = write(form(rate()))
    # A Wednesday in July: 0.37 + 0.022 below 500 kWh a month, 0.43 + 0.022 above.
    assert at(path, 2026, 7, 1, 17, monthly_kwh=500) == (0.392, 0.392, 0.452)
    assert at(path, 2026, 7, 1, 17) == (0.452, 0.392, 0.452)
    assert at(path, 2026, 7, 1, 12) == (0.282, 0.222, 0.282)
    assert at(path, 2026, 7, 1, 12, monthly_kwh=100) == (0.222, 0.222, 0.282)
    assert at(path, 2026, 7, 1, 3) == (0.182, 0.182, 0.182)
    # A Saturday, and January, have no peak.
    assert at(path, 2026, 7, 4, 17)[0] == at(path, 2026, 1, 7, 17)[0] == 0.282
    source = read_tariff(path)
    assert (source.currency, source.label) == ("USD", "Example Light & Power: Residential E-1")
    text = " ".join(source.notes)
    for part in ("no time zone", "tiers", "600 kWh", "sold energy", "no holidays", "Fixed"):
        assert part in text
    for part in ("Bundled", "alone", "highest power", "fuel"):
        assert part not in text


def golden(**changes: Any) -> dict[str, Any]:
    """The sample of the format's description: tiers at 300 kWh, no peak at weekends."""
    return {
        "label": "golden",
        "name": "Golden",
        "energyratestructure": [
            [{"max": 300, "unit": "kWh", "rate": 0.21, "adj": 0.012}, {"rate": 0.27, "adj": 0.012}],
            [{"max": 300, "unit": "kWh", "rate": 0.38, "adj": 0.012}, {"rate": 0.44, "adj": 0.012}],
            [{"unit": "kWh", "rate": 0.17, "adj": 0.012, "sell": 0.04}],
        ],
        "energyweekdayschedule": [[2] * 6 + [0] * 10 + [1] * 5 + [0] * 3] * 12,
        "energyweekendschedule": [[2] * 7 + [0] * 17] * 12,
        **changes,
    }


@pytest.mark.parametrize(
    ("when", "kwh", "price"),
    [
        ((2026, 1, 7, 17, 30), 200, 0.392),
        ((2026, 1, 7, 17, 30), 300, 0.392),
        ((2026, 1, 7, 17, 30), 400, 0.452),
        ((2026, 1, 10, 17, 30), 200, 0.222),
        ((2026, 1, 10, 17, 30), 400, 0.282),
        ((2026, 1, 7, 3), 200, 0.182),
        ((2026, 1, 7, 6), 200, 0.222),
        ((2026, 1, 10, 6), 200, 0.182),
        ((2026, 1, 7, 21), 200, 0.222),
    ],
)
def test_the_sample_of_openei(
    write: Write, when: tuple[int, ...], kwh: float, price: float
) -> None:
    path = write({"items": [golden()]})
    local = datetime(*when, tzinfo=NEW_YORK)  # type: ignore[misc, arg-type]
    one = (
        read_tariff(path, NEW_YORK, monthly_kwh=kwh)
        .between(local.astimezone(UTC), local.astimezone(UTC) + HOUR / 60)
        .intervals[0]
    )
    assert one.price == price


@pytest.mark.parametrize("no_end", [None, 0, 1e30, 1e38])
def test_a_tier_without_an_end(write: Write, no_end: float | None) -> None:
    tiers = [{"max": 300, "rate": 0.2}, {"max": no_end, "rate": 0.3}, {"rate": 9.0}]
    path = write(golden(energyratestructure=[tiers] * 3))
    assert at(path, 2026, 1, 7, 17, monthly_kwh=300)[0] == 0.2
    assert at(path, 2026, 1, 7, 17, monthly_kwh=1e6)[0] == 0.3


def test_fuel_adjustments_and_holidays_of_openei(write: Write) -> None:
    path = write(rate(fueladjustmentsmonthly=[0] * 6 + [0.01] + [0] * 5))
    assert at(path, 2026, 7, 1, 17) == (0.462, 0.402, 0.462)
    assert "fuel adjustment" in " ".join(read_tariff(path).notes)
    holidays = path.with_name("holidays")
    holidays.write_text("# of the utility\n2026-07-01  # a Wednesday\n\n")
    assert at(path, 2026, 7, 1, 17, holidays=holidays)[0] == 0.292
    assert at(path, 2026, 7, 2, 17, holidays=holidays)[0] == 0.462
    for text, message in (
        (b"2026-07-32", "line 1.*not a date"),
        (b"", "no dates"),
        (b"\xff", "not text"),
    ):
        holidays.write_bytes(text)
        with pytest.raises(ConfigurationError, match=message):
            read_tariff(path, holidays=holidays)


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"servicetype": "Delivery"}, "covers Delivery alone"),
        ({"demandratestructure": [[{"rate": 12.5}]]}, "highest power"),
        ({"flatdemandstructure": [[{"rate": 0}], [{"adj": 1}]]}, "highest power"),
        ({"sector": "Commercial"}, "not for homes"),
        ({"approved": False}, "Nobody has approved"),
        ({"enddate": 1577836800}, "valid until 2020-01-01"),
    ],
)
def test_what_openei_says_besides_is_told(write: Write, changes: dict[str, Any], note: str) -> None:
    source = read_tariff(write(rate(**changes)))
    assert any(note in one for one in source.notes)
    assert isinstance(source, CalendarPrices)
    assert source.power_charged == (note == "highest power")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"energyratestructure": None}, "no energyratestructure"),
        ({"energyratestructure": [[]] * 3}, "period 0 .* has no tiers"),
        ({"energyratestructure": [[{"max": 5}]] * 3}, "without a rate"),
        ({"energyratestructure": [[{"rate": "much"}]] * 3}, "not a number"),
        ({"energyratestructure": [[{"rate": 1, "max": 9, "unit": "kWh/kW"}]] * 3}, "highest power"),
        ({"energyratestructure": [[{"rate": 1, "max": -1}]] * 3}, "ends at -1 kWh"),
        ({"energyweekdayschedule": [[0] * 24] * 11}, "not 12 months"),
        ({"energyweekendschedule": [[0] * 23] * 12}, "not 24 hours in January"),
        ({"energyweekdayschedule": [[3] * 24] * 12}, "names period 3 in January"),
        ({"energyweekdayschedule": [[True] * 24] * 12}, "names period True"),
        ({"fueladjustmentsmonthly": [0.1]}, "not 12 numbers"),
    ],
)
def test_a_wrong_rate_of_openei(write: Write, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"rate Residential E-1: .*{message}"):
        read_tariff(write(rate(**changes)))


def test_daily_tiers_of_openei(write: Write) -> None:
    tiers = [{"rate": 0.1, "max": 10, "unit": "kWh daily"}, {"rate": 0.3, "unit": "kWh daily"}]
    path = write(rate(energyratestructure=[tiers] * 3))
    # 10 kWh a day are 304 kWh a month.
    assert at(path, 2026, 7, 1, 12, monthly_kwh=304)[0] == 0.1
    assert at(path, 2026, 7, 1, 12, monthly_kwh=305)[0] == 0.3


def test_one_of_several_rates_is_named(write: Write) -> None:
    path = write({"items": [rate(), rate(label="second", name="Residential E-2")]})
    with pytest.raises(ConfigurationError, match="2 rates .*--rate: 0123.* second \\(Res"):
        read_tariff(path)
    for name in ("second", "residential e-2"):
        assert read_tariff(path, rate=name).label.endswith("E-2")
    with pytest.raises(ConfigurationError, match="'third' is none of them"):
        read_tariff(path, rate="third")


# Prices of certain times.


def octopus(*rows: dict[str, Any], **changes: Any) -> dict[str, Any]:
    values = [
        {"value_exc_vat": 20, "value_inc_vat": 21, "valid_from": f, "valid_to": t}
        for f, t in (
            ("2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"),
            ("2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"),
        )
    ]
    values.append({**values[1], "value_inc_vat": -1.5})
    values[2]["valid_from"], values[2]["valid_to"] = "2026-03-29T00:00:00Z", "2026-03-29T00:30:00Z"
    return {"count": 3, "next": None, "results": [*values, *rows], **changes}


def test_octopus_agile(write: Write) -> None:
    series = whole(write(octopus()))
    assert prices(series) == [-0.015, 0.21, 0.21]
    assert (series.step, series.currency) == (HOUR / 2, "GBP")
    assert series.intervals[0].start == utc(2026, 3, 29)
    assert any("include VAT" in note for note in series.notes)
    later = {"value_inc_vat": 25.0, "valid_from": "2026-03-29T02:30:00+01:00", "valid_to": None}
    series = whole(write(octopus(later, next="page 2")))
    assert series.intervals[-1].end == utc(2030, 1, 1)
    assert any("more pages" in note for note in series.notes)


def test_octopus_in_several_pages(write: Write) -> None:
    row = {"value_inc_vat": 30, "valid_from": "2026-03-28T23:30Z", "valid_to": "2026-03-29T00:00Z"}
    pages = [octopus(next="page 2"), {"results": [row, octopus()["results"][2]], "next": None}]
    series = whole(write(pages))
    assert prices(series) == [0.3, -0.015, 0.21, 0.21]
    assert not any("more pages" in note for note in series.notes)
    with pytest.raises(ConfigurationError, match="page 2 has no list results"):
        whole(write([octopus(), {}]))


def test_octopus_with_two_methods_of_payment(write: Write) -> None:
    row = {"valid_from": "2026-01-01T00:00:00Z", "valid_to": "2026-01-02T00:00:00Z"}
    rows = [
        {**row, "value_inc_vat": 26, "payment_method": "NON_DIRECT_DEBIT"},
        {**row, "value_inc_vat": 25, "payment_method": "DIRECT_DEBIT"},
    ]
    assert prices(whole(write({"results": rows}))) == [0.25]


def nord_pool(hours: int = 3, **changes: Any) -> dict[str, Any]:
    entries = [
        {
            "deliveryStart": f"2026-10-24T{hour:02d}:00:00Z",
            "deliveryEnd": f"2026-10-24T{hour + 1:02d}:00:00Z",
            "entryPerArea": {"SE3": 50.5 - 40 * hour},
        }
        for hour in range(hours)
    ]
    return {"currency": "SEK", "market": "DayAhead", "multiAreaEntries": entries, **changes}


def test_nord_pool(write: Write) -> None:
    series = whole(write(nord_pool()))
    assert prices(series) == [0.0505, 0.0105, -0.0295]
    assert (series.currency, series.label) == ("SEK", "Nord Pool SE3")
    assert any("network charges" in note for note in series.notes)
    two = nord_pool()
    two["multiAreaEntries"][0]["entryPerArea"]["NO1"] = 1
    with pytest.raises(ConfigurationError, match="several areas; .*--rate: NO1, SE3"):
        whole(write(two))
    assert prices(whole(write([two]), rate="no1")) == [0.001]
    del two["multiAreaEntries"][1]["entryPerArea"]["SE3"]
    with pytest.raises(ConfigurationError, match="no price from 2026-10-24 01:00 to .* 02:00 UTC"):
        whole(write(two), rate="SE3")
    filled = whole(write(two), rate="SE3", fill_gaps=True)
    assert prices(filled) == [0.0505, -0.0295]
    assert filled.intervals[0].end == filled.intervals[1].start
    assert any("1 gaps" in note for note in filled.notes)
    with pytest.raises(ConfigurationError, match="mixes currencies"):
        whole(write([nord_pool(), nord_pool(currency="EUR")]))


def comed(*minutes: int) -> list[dict[str, str]]:
    start = 1767225600000
    return [
        {"millisUTC": str(start + minute * 60_000), "price": f"{minute / 10 - 1}"}
        for minute in minutes
    ]


def test_comed(write: Write) -> None:
    series = whole(write(comed(15, 10, 5, 0)))
    assert prices(series) == [-0.01, -0.005, 0, 0.005]
    assert (series.step, series.currency) == (timedelta(minutes=5), "USD")
    assert series.intervals[-1].end == utc(2026, 1, 1, 0, 20)
    with pytest.raises(ConfigurationError, match="no price from 2026-01-01 00:10 to .* 00:15"):
        whole(write(comed(0, 5, 15)))
    assert len(whole(write(comed(0, 5, 15)), fill_gaps=True).intervals) == 3
    (hour,) = whole(write(comed(25))).intervals
    assert (hour.start, hour.end) == (utc(2026, 1, 1), utc(2026, 1, 1, 1))


def entsoe(*series: str, kind: str = "A44", extra: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="utf-8"?>{extra}<Publication_MarketDocument xmlns='
        f'"urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3"><mRID>x</mRID><type>{kind}'
        f'</type>{"".join(series)}</Publication_MarketDocument>'
    )


def curve(
    points: dict[int, float],
    *,
    curve_type: str = "A03",
    step: str = "PT15M",
    start: str = "2026-03-28T23:00Z",
    end: str = "2026-03-29T00:00Z",
    area: str = "10YNL----------L",
    more: str = "",
) -> str:
    listed = "".join(
        f"<Point><position>{n}</position><price.amount>{p}</price.amount></Point>"
        for n, p in points.items()
    )
    return (
        f"<TimeSeries><in_Domain.mRID>{area}</in_Domain.mRID><currency_Unit.name>EUR"
        f"</currency_Unit.name><price_Measure_Unit.name>MWH</price_Measure_Unit.name>{more}"
        f"<curveType>{curve_type}</curveType><Period><timeInterval><start>{start}</start><end>{end}"
        f"</end></timeInterval><resolution>{step}</resolution>{listed}</Period></TimeSeries>"
    )


def test_entsoe_carries_a_price_forward(write: Write) -> None:
    series = whole(write(entsoe(curve({1: 100, 3: -5.5}))))
    assert prices(series) == [0.1, 0.1, -0.0055, -0.0055]
    assert series.step == timedelta(minutes=15) and series.currency == "EUR"
    assert series.intervals[0].start == utc(2026, 3, 28, 23)
    with pytest.raises(ConfigurationError, match="no price from 2026-03-28 23:15 to"):
        whole(write(entsoe(curve({1: 100, 3: -5.5}, curve_type="A01"))))
    utf_16 = entsoe(curve({1: 100})).replace("utf-8", "utf-16").encode("utf-16")
    assert prices(whole(write(utf_16))) == [0.1] * 4


def test_entsoe_over_a_change_of_the_clock(write: Write) -> None:
    """The day has 23 hours in Berlin; the next series continues it in hours."""
    day = curve(
        {n: n for n in range(1, 24)}, step="PT60M", curve_type="A01", end="2026-03-29T22:00Z"
    )
    series = whole(write(entsoe(day)))
    assert len(series.intervals) == 23 and series.step == HOUR
    assert not list(series.gaps(utc(2026, 3, 28, 23), utc(2026, 3, 29, 22)))


def test_entsoe_with_two_steps_auctions_and_areas(write: Write) -> None:
    hours = curve({1: 50, 2: 60}, step="PT60M", end="2026-03-29T01:00Z")
    second = "<classificationSequence_AttributeInstanceComponent.position>2</classificationSequence_AttributeInstanceComponent.position>"
    auction = curve({1: 999}, more=second)
    series = whole(write(entsoe(hours, curve({1: 1, 2: 2, 3: 3, 4: 4}), auction)))
    assert prices(series) == [0.001, 0.002, 0.003, 0.004, 0.06]
    text = " ".join(series.notes)
    assert "several auctions" in text and "two steps" in text
    other = curve({1: 7}, area="10Y1001A1001A82H")
    with pytest.raises(ConfigurationError, match="several areas; .*10Y1001A1001A82H, 10YNL"):
        whole(write(entsoe(hours, other)))
    assert prices(whole(write(entsoe(hours, other)), rate="10Y1001A1001A82H")) == [0.007] * 4


NO_DATA = (
    "<Acknowledgement_MarketDocument><Reason><code>999</code><text>No matching data</text></Reason>"
    "</Acknowledgement_MarketDocument>"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (entsoe(curve({1: 1}), kind="A65"), "type A65 .* not of day-ahead prices"),
        (entsoe(curve({5: 1})), "position '5' is not from 1 to 4"),
        (entsoe(curve({1: 1}, step="P1D")), "resolution is 'P1D'"),
        (entsoe(curve({1: 1}, curve_type="A05")), "curveType 'A05'"),
        (entsoe(curve({1: 1}, end="2026-03-29T00:10Z")), "no multiple"),
        (entsoe(curve({1: 1}, end="2126-03-29T00:00Z")), "no multiple"),
        (entsoe(), "has no prices"),
        (entsoe(curve({1: 1}))[:-40], "not whole XML"),
        (entsoe(curve({1: 1}), extra="<!DOCTYPE x [<!ENTITY y 'z'>]>"), "document type"),
        (
            entsoe(curve({1: 1}), extra="<!DOCTYPE x SYSTEM 'http://127.0.0.1/x.dtd'>"),
            "document type",
        ),
        ("<a>" * 40 + "</a>" * 40, "nested deeper"),
        ("<rss></rss>", "XML of another kind, rss"),
        (NO_DATA, "without prices: No matching data"),
    ],
)
def test_wrong_xml(write: Write, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_tariff(write(text))


# CSV.

OVERLAP = (
    "start,end,EUR/kWh\n2026-03-01T00:00Z,2026-03-01T02:00Z,1\n"
    "2026-03-01T01:00Z,2026-03-01T02:00Z,2\n"
)


def week(hours: int = 24, days: str = "daily") -> str:
    return "day,hour,ct/kWh\n" + "".join(f'"{days}",{hour},{hour}\n' for hour in range(hours))


@pytest.mark.parametrize(
    ("text", "currency", "found"),
    [
        ("start,EUR/kWh\n{0}+01:00,0.25\n{1}+01:00,-0.01\n", "EUR", [0.25, -0.01]),
        ("Time;Price (EUR/MWh)\n{0}+01:00;250,5\n{1}+01:00;-10\n", "EUR", [0.2505, -0.01]),
        ("# a comment\nend\tstart\tc/kWh\n{1}Z\t{0}Z\t25\n{2}Z\t{1}Z\t30\n", None, [0.25, 0.3]),
        ("timestamp,price_usd_per_kwh\n{0}Z,0.25\n{1}Z,0.3\n", "USD", [0.25, 0.3]),
        ("from,p/kWh\n{0}Z,25\n{1}Z,30\n", "GBP", [0.25, 0.3]),
        ("from,EUR ct/kWh\n{0}Z,25\n{1}Z,30\n", "EUR", [0.25, 0.3]),
        ("start,€/kWh\n{0}Z,0.25\n{1}Z,0.3\n", "EUR", [0.25, 0.3]),
        ("start,öre/kWh\n{0}Z,25\n{1}Z,30\n", None, [0.25, 0.3]),
    ],
)
def test_a_csv_with_times(
    write: Write, text: str, currency: str | None, found: list[float]
) -> None:
    times = ["2026-03-01T00:00", "2026-03-01 01:00:00", "2026-03-01T02:00"]
    series = whole(write(text.format(*times)))
    assert (prices(series), series.currency, series.step) == (found, currency, HOUR)


@pytest.mark.parametrize(
    "text", ["start,EUR/kWh\n2026-03-01T00:00Z,85\n", week().replace("ct", "EUR")]
)
def test_a_price_that_nobody_pays_is_doubted(write: Write, text: str) -> None:
    assert any("check the unit" in note for note in read_tariff(write(text)).notes)
    assert not any("unit" in one for one in read_tariff(write(text.replace("EUR", "JPY"))).notes)


def test_a_csv_whose_prices_have_no_unit(write: Write) -> None:
    text = "start,price,end\n2026-03-01T00:00+01:00,0.25,2026-03-01T01:00+01:00\n"
    series = whole(write(text))
    assert (prices(series), series.currency) == ([0.25], None)
    assert series.intervals[0][:2] == (utc(2026, 2, 28, 23), utc(2026, 3, 1))
    assert [note for note in series.notes if "names no unit" in note]
    assert not any("check the unit" in note for note in series.notes)
    assert any("25 per kWh: check" in note for note in whole(write(text.replace("0.", ""))).notes)
    both = "start,price,ct/kWh\n2026-03-01T00:00Z,9,25\n"
    assert prices(whole(write(both))) == [0.25]


def test_a_csv_of_24_or_168_hours(write: Write) -> None:
    for count, monday, sunday in ((24, [0, 1], [0, 1]), (168, [0, 1], [144, 145])):
        text = "hour,price\n" + "".join(f"{n},{n / 1000}\n" for n in range(count))
        source = read_tariff(write(text), ZoneInfo("UTC"))
        for day, expected in ((utc(2026, 3, 2), monday), (utc(2026, 3, 8), sunday)):
            series = source.between(day, day + 2 * HOUR)
            assert prices(series) == [n / 1000 for n in expected]
    with pytest.raises(ConfigurationError, match="line 26: '24' is not an hour from 0 to 23"):
        read_tariff(write("hour,price\n" + "".join(f"{n},1\n" for n in range(100))))
    with pytest.raises(ConfigurationError, match="'2026-03-01' is not a time"):
        read_tariff(write("date,hour,price\n2026-03-01,0,1\n"))


def test_times_without_an_offset(write: Write) -> None:
    rows = "start,EUR/kWh\n2026-03-28T23:00,0.1\n2026-03-29T00:00,0.2\n"
    with pytest.raises(ConfigurationError, match="name their time zone with --zone"):
        whole(write(rows))
    series = whole(write(rows), zone=BERLIN)
    assert series.intervals[0].start == utc(2026, 3, 28, 22)
    later = rows + "".join(f"2026-03-29T{hour:02d}:00,0.3\n" for hour in range(1, 5))
    with pytest.raises(ConfigurationError, match="Europe/Berlin changed on 2026-03-29"):
        whole(write(later), zone=BERLIN)
    with pytest.raises(ConfigurationError, match="with and without an offset"):
        whole(write(rows + "2026-03-29T01:00+01:00,0.3\n"), zone=BERLIN)


def test_a_csv_of_half_hours_and_of_several_columns(write: Write) -> None:
    text = "start,EUR/kWh,SEK/kWh\n2026-03-01T00:00Z,0.1,1\n2026-03-01T00:30Z,0.2,2\n"
    with pytest.raises(ConfigurationError, match="several columns of prices; .*eur/kwh, sek/kwh"):
        whole(write(text))
    series = whole(write(text), rate="SEK/kWh")
    assert (prices(series), series.currency, series.step) == ([1, 2], "SEK", HOUR / 2)


def test_a_csv_of_the_hours_of_a_week(write: Write) -> None:
    series = read_tariff(write(week()), BERLIN).between(utc(2026, 3, 29), utc(2026, 3, 29, 3))
    assert prices(series) == [0.01, 0.03, 0.04]  # 02:00 is skipped
    assert any("heater's clock" in note for note in read_tariff(write(week())).notes)
    text = "days;start;end;EUR/kWh\ndaily;00:00;06:30;0,1\nmon-fri;06:30;24:00;0,3\nweekend;06:30;00:00;0,2\n"
    series = read_tariff(write(text), ZoneInfo("UTC")).between(utc(2026, 3, 6), utc(2026, 3, 8))
    assert prices(series) == [0.1, 0.3, 0.1, 0.2] and series.step == HOUR / 2
    for text, message in (
        (week(23), "no price for Monday at 23:00"),
        (week() + "sat,5,1\n", "two prices for Saturday at 05:00"),
        (week(days="mon-sat"), "no price for Sunday at 00:00"),
        (week() + "someday,5,1\n", "line 26: 'someday' is none of"),
        (week().replace(",7,", ",24,"), "line 9: '24' is not an hour"),
        ("day,ct/kWh\nmon,5\n", "no column of hours"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            read_tariff(write(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("start,EUR/kWh\n2026-03-01T00:00Z,0.1\n2026-03", "line 3 has 1 cells, the header 2"),
        ("start,EUR/kWh\n2026-03-01T00:00Z,cheap\n", "line 2: 'cheap' is not a number"),
        ("start,EUR/kWh\n2026-03-01T00:00Z,nan\n", "line 2: 'nan' is not a number"),
        ("start,EUR/kWh\n01/03/2026,1\n", "line 2: '01/03/2026' is not a time"),
        ("start,EUR/kWh\n", "has no prices"),
        ("start,cost\n2026-03-01T00:00Z,1\n", "no column of prices with a unit"),
        ("EUR/kWh\n1\n", "no column of times"),
        ("timestamp,dhw_charge_percent,current_inst_power\nx,1,2\n", "no column of prices"),
        ("", "is empty"),
        ("hello", "no column of prices"),
        (
            "start,EUR/kWh\n2026-03-01T00:00Z,1\n2026-03-01T00:00Z,2\n",
            "two prices for 2026-03-01 00:00 UTC: 1 and 2",
        ),
        (OVERLAP, "overlaps another"),
    ],
)
def test_a_wrong_csv(write: Write, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_tariff(write(text))


# Recognition.

PLAN = [
    {
        "months": "all",
        "days": "daily",
        "start": "00:00",
        "end": "23:59",
        "price_min": "0.1",
        "price_max": "0.3",
    }
]


@pytest.mark.parametrize("form", [PLAN, {"periods": PLAN, "name": "N", "utility": "U"}])
def test_the_heaters_own_plan(write: Write, form: Any) -> None:
    source = read_tariff(write(form), BERLIN)
    series = source.between(utc(2026, 3, 1), utc(2026, 3, 1, 1))
    assert [one[2:] for one in series.intervals] == [(0.2, (0.1, 0.3))]
    assert source.label == ("plan of the heater" if form is PLAN else "U: N")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<!doctype html><html>", "web page"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\xff", "not text"),
        (b"PK\3\4" + bytes(100), "not text"),
        ("{}", "unknown form; expected a plan .*OpenEI.*CSV"),
        ("[]", "no price|not covered|1 to 40"),
        ("[1, 2]", "unknown form"),
        ('"text"', "no column of prices"),
        ({"error": {"message": "invalid key"}}, "an error message.*invalid key"),
        ({"error": {"message": "invalid key"}, "items": []}, "an error message.*invalid key"),
        ({"items": []}, "without any rate"),
        ("[" * 100_000, "nested too deep"),
        ({"periods": [{**PLAN[0], "end": "12:00"}]}, "is not covered"),
        ({"periods": [{**PLAN[0], "start": "25:00"}]}, "period 1: start is '25:00'"),
        ({"results": [{"value_inc_vat": 1}]}, "result 1: valid_from is missing"),
        ({"results": [{"value_inc_vat": 1, "valid_from": 5}]}, "result 1: 5 is not a time"),
        ({"multiAreaEntries": 5}, "no list multiAreaEntries"),
        ({"multiAreaEntries": [{"entryPerArea": {"A": 1}}]}, "entry 1: deliveryStart is missing"),
        ({"multiAreaEntries": []}, "areas"),
        ([{"millisUTC": "soon", "price": "1"}], "price 1: 'soon' is not a number"),
        ([{"millisUTC": 1e300, "price": "1"}], "price 1: millisUTC is 1e"),
        ([{"millisUTC": "1"}, 5], "price 1: price is missing"),
    ],
)
def test_a_file_that_is_no_tariff(write: Write, content: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_tariff(write(content))


@pytest.mark.parametrize(
    "content", [rate(), octopus(), nord_pool(), comed(0, 5), PLAN, entsoe(curve({1: 1}))]
)
def test_a_cut_file_is_recognised_at_every_length(write: Write, content: Any) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    for length in range(1, len(text) - 1, max(1, len(text) // 40)):
        with pytest.raises(ConfigurationError):
            read_tariff(write(text[:length]))


SAMPLES = [
    entsoe(curve({1: 100, 3: -5.5})),
    "start,EUR/kWh\n2026-03-01T00:00+01:00,0.25\n2026-03-01T01:00+01:00,-0.01\n",
    week(),
    *map(json.dumps, (rate(), octopus(), nord_pool(), comed(0, 5, 10), PLAN, {"periods": PLAN})),
]
HOSTILE = [
    "",
    "\0",
    "9" * 30,
    "null",
    "[]",
    "{}",
    '"',
    "1e999",
    "-",
    "\u00e9",
    "NaN",
    "0001",
    ",,",
    "<",
    "&x;",
]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SAMPLES), st.data())
def test_a_damaged_file_is_read_or_refused_with_a_sentence(text: str, data: st.DataObject) -> None:
    """Pieces of the text are replaced by others: nothing but ConfigurationError may come out."""
    for _ in range(data.draw(st.integers(1, 3))):
        # Between marks, so that often the syntax stays right and the values become wrong.
        marks = [0, *(m.start() for m in re.finditer(r"[\W_]", text)), len(text)]
        first = data.draw(st.integers(0, len(marks) - 2))
        text = (
            text[: marks[first] + 1]
            + data.draw(st.sampled_from(HOSTILE))
            + text[marks[first + 1] :]
        )
    try:
        source = parse_tariff(text.encode("utf-8", "replace"), "file", TariffOptions(zone=BERLIN))
    except ConfigurationError as error:
        assert "\n" not in str(error) and len(str(error)) < 2000
        return
    series = source.between(utc(2026, 3, 1), utc(2026, 3, 3))
    assert all(one.end > one.start for one in series.intervals)


def test_a_large_file_is_not_read_whole(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tariff_files, "MAX_BYTES", 2**20)
    with pytest.raises(ConfigurationError, match="larger than 1 MB"):
        read_tariff(write(b" " * (2**20 + 1)))


def test_fee_and_tax_are_added_to_every_price(write: Write) -> None:
    path = write(nord_pool())
    assert prices(whole(path, fee=0.1, vat=25)) == [0.188125, 0.138125, 0.088125]
    assert any(
        "0.1 per kWh was added, then 25 %" in note for note in whole(path, fee=0.1, vat=25).notes
    )
    source = read_tariff(write(PLAN), BERLIN, vat=100)
    (one,) = source.between(utc(2026, 3, 1), utc(2026, 3, 1, 1)).intervals
    assert one[2:] == (0.4, (0.2, 0.6))
