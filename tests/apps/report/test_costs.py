"""Costs of a report by each kind of tariff."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from apps.report.test_report import PUMP, REST, Recorded, every, recorded, word
from navien_nwp500.analysis.prices import FixedPrices, PriceInterval, PriceSeries
from navien_nwp500.analysis.summary import summarize
from navien_nwp500.apps.report.json_output import document
from navien_nwp500.apps.report.notes import data_notes
from navien_nwp500.apps.report.tables import facts, tables
from navien_nwp500.exceptions import ConfigurationError
from navien_nwp500.history.recordings import load

__all__ = ["recorded"]  # a fixture
START = datetime.fromisoformat("2026-01-05T00:00:00+00:00")


def market(*prices: float | None, minutes: int = 30, begin: datetime = START) -> FixedPrices:
    step = timedelta(minutes=minutes)
    found = [
        PriceInterval(begin + n * step, begin + (n + 1) * step, price)
        for n, price in enumerate(prices)
        if price is not None
    ]
    return FixedPrices(PriceSeries(found, "EUR", "market", ("a note",)))


def test_half_hour_prices_by_hand(recorded: Recorded) -> None:
    """480 W from 00:10 to 00:50: 20 minutes at 0.30 and 20 at -0.10, at any offset of the clock."""
    for offset in ("+00:00", "+05:30", "-03:00", "+05:45"):
        zone = datetime.fromisoformat(f"2026-01-01T00:00:00{offset}").tzinfo
        start = datetime.fromisoformat("2026-01-05T00:10:00+00:00").astimezone(zone)
        path = recorded(*every(start.isoformat(), PUMP, REST, minutes=40))
        report = summarize(load([path]), tariff=market(0.30, -0.10))
        cost = document(report)["cost"]
        assert cost["cost_low"] == cost["cost_high"] == pytest.approx(0.16 * 0.30 - 0.16 * 0.10)
        assert [(one["price_low"], one["energy_wh"]) for one in cost["prices"]] == [
            (-0.10, 160),
            (0.30, 160),
        ]
        assert (cost["currency"], cost["tariff"], cost["priced_wh"]) == ("EUR", "market", 320)


def test_energy_without_a_price_is_told(recorded: Recorded) -> None:
    path = recorded(*every(START.isoformat(), *[PUMP] * 6, REST))  # an hour
    report = summarize(load([path]), tariff=market(0.5))
    notes = list(data_notes(report))
    assert "Prices: market." in notes and "a note" in notes
    assert any("no price for 0.24 of 0.48 kWh" in note for note in notes)
    assert document(report)["cost"]["cost_low"] == 0.12
    # The same energy, spread evenly over the priced time, costs the same.
    assert document(report)["cost"]["even_low"] == 0.12
    (fact,) = [fact for fact in facts(report) if fact.name == "Cost"]
    assert fact.value == "0.12 EUR"
    with pytest.raises(ConfigurationError, match="no price from 2026-01-05 to 2026-01-05"):
        summarize(load([path]), tariff=market(0.5, begin=START + timedelta(days=9)))


def test_a_day_without_a_price_has_no_cost(recorded: Recorded) -> None:
    lines = every(START.isoformat(), *[PUMP] * 200)
    report = summarize(load([recorded(*lines)]), tariff=market(*[0.5] * 48))
    first, second = document(report)["days"]
    assert first["cost_low"] == pytest.approx(0.5 * 0.48 * 24) and second["cost_low"] is None
    table = next(table for table in tables(report) if table.name == "Days")
    assert [row[-1] for row in table.rows] == ["5.76", "–"]


def test_many_prices_are_summed_in_bands(recorded: Recorded) -> None:
    lines = every(START.isoformat(), *[PUMP] * 145)
    prices = [round(-0.05 + 0.0031 * n, 5) for n in range(96)]
    report = summarize(load([recorded(*lines)]), tariff=market(*prices, minutes=15))
    assert report.prices is not None
    bands = report.prices.to_dict("records")
    assert len(bands) <= 20 and (bands[0]["price_low"], bands[0]["price_high"]) == (-0.06, -0.04)
    assert sum(band["energy_wh"] for band in bands) == pytest.approx(report.total["energy_wh"])
    assert sum(band["cost_low"] for band in bands) == pytest.approx(report.total["cost_low"])
    assert report.total["cost_low"] == pytest.approx(sum(price * 0.12 for price in prices))
    for band in bands:
        mean = band["cost_low"] / band["energy_wh"] * 1000
        assert band["price_low"] <= mean < band["price_high"]


RATE = {
    "label": "x",
    "utility": "Example",
    "name": "Tiers",
    "energyratestructure": [[{"rate": 0.2, "max": 500}, {"rate": 0.3, "max": 900}, {"rate": 0.4}]],
}


def test_a_rate_with_tiers_has_a_likely_cost_and_its_range(
    recorded: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recorded(*every(START.isoformat(), *[PUMP] * 36, REST))
    rate = tmp_path / "rate"
    rate.write_text(json.dumps(RATE))
    options = ("--tariff", rate, "--monthly-kwh", 800)
    assert word(path, *options, "--json") == 0
    cost = json.loads(capsys.readouterr().out)["cost"]
    kwh = 0.48 * 6
    assert (cost["cost_low"], cost["cost_high"]) == pytest.approx((kwh * 0.2, kwh * 0.4))
    assert cost["cost_likely"] == pytest.approx(kwh * 0.3, abs=1e-4)
    assert (cost["basis"], cost["currency"]) == ("at 800 kWh a month", "USD")
    assert word(path, *options, "--markdown") == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in ("0.58 to 1.15 USD", "0.86 at 800 kWh a month", "Example: Tiers", "no holidays"):
        assert part in text


def test_the_word_takes_fee_tax_area_zone_and_holidays(
    recorded: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recorded(*every("2026-01-05T12:00:00+01:00", *[PUMP] * 6, REST))
    prices, holidays = tmp_path / "prices", tmp_path / "holidays"
    prices.write_text(
        "day;hour;EUR/MWh;SEK/MWh\n"
        + "".join(
            f"{day};{n};{p};1\n" for day, p in (("mon-sat", 100), ("sun", 40)) for n in range(24)
        )
    )
    holidays.write_text("2026-01-05\n")
    common = ("--tariff", prices, "--rate", "EUR/MWh", "--zone", "Europe/Berlin", "--json")
    for options, price in (((), 0.1), (("--holidays", holidays), 0.04)):
        fees = ("--fee", "0.06", "--vat", "25")
        assert word(path, *common, *options, *fees) == 0
        cost = json.loads(capsys.readouterr().out)["cost"]
        assert cost["cost_low"] == pytest.approx(0.48 * (price + 0.06) * 1.25)
    assert word(path, *common, "--holidays", holidays, "--html", holidays) == 2
    assert holidays.read_text() == "2026-01-05\n"
    prices.write_text("start,EUR/kWh\n2026-01-05T11:00Z,0.1\n2026-01-05T11:10Z,0.2\n2026-01-05T11:")
    capsys.readouterr()
    assert word(path, "--tariff", prices) == 2
    message = capsys.readouterr().err
    assert "line 4" in message and len(message.splitlines()) == 1
