"""Tariffs that are the same every day."""

from __future__ import annotations

from datetime import time
from decimal import Decimal

from navien_nwp500.analysis.prices import CalendarPrices, plan_prices
from navien_nwp500.protocol.calendar import EVERY_DAY, EVERY_MONTH
from navien_nwp500.protocol.tou import TOUPeriod


def day_tariff(*spans: tuple[int, int, str], label: str = "test") -> CalendarPrices:
    """Return a tariff of spans, each as first hour, hour after, price."""
    periods = [
        TOUPeriod(
            EVERY_MONTH, EVERY_DAY, time(start), time(end - 1, 59), Decimal(price), Decimal(price)
        )
        for start, end, price in spans
    ]
    return plan_prices(periods, label=label, currency="USD")


FLAT = day_tariff((0, 24, "0.30"), label="flat")
#: Dear when people come home.
PEAK = day_tariff((0, 16, "0.15"), (16, 21, "0.50"), (21, 24, "0.15"), label="peak")
#: The same, less of it.
MILD = day_tariff((0, 16, "0.33"), (16, 21, "0.45"), (21, 24, "0.33"), label="mild")
