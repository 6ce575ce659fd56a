"""Losses of a tariff as a plan of the heater, as sentences (PROTOCOL 8.4, 9.12)."""

from __future__ import annotations

from decimal import Decimal
from typing import Iterator, Sequence

from ...protocol.calendar import Weekday
from ...protocol.calendar_text import days_text, months_text
from ...protocol.tou import TOUPeriod
from .calendar_prices import CalendarPrices

PLACES = Decimal("0.00001")
_FLOAT_ERROR = 1e-9
HOLIDAYS = "The heater knows no holidays: they have the prices of their weekday in the plan."


def rounded_price(price: float) -> Decimal:
    """Return a price with the decimal places that the heater stores."""
    return Decimal(repr(price)).quantize(PLACES)


def calendar_losses(source: CalendarPrices) -> Iterator[str]:
    """Yield what a plan cannot hold of the rules of a calendar."""
    if source.holidays:
        yield HOLIDAYS
    prices = {one.price for day in source.days.values() for one in day}
    if any(abs(float(rounded_price(one)) - one) > _FLOAT_ERROR for one in prices):
        yield (
            "The heater stores 5 decimal places: prices are rounded, and those that differ by less "
            "than 0.00001 are one price."
        )


def window_losses(periods: Sequence[TOUPeriod]) -> Iterator[str]:
    """Yield what the heater makes of the periods, which has to do with the dearest time alone."""
    prices: dict[tuple[frozenset[int], frozenset[Weekday]], set[Decimal]] = {}
    for one in periods:
        prices.setdefault((one.months, one.days), set()).add(one.price_max)
    even = [key for key, found in prices.items() if len(found) == 1]
    if any(one.price_min != one.price_max for one in periods):
        yield "The plan has the range over all tiers: the highest tier decides which time is dearest."
    if len(even) == len(prices):
        yield "Each day has one price, so the heater never holds heating back."
        return
    for months, days in even:
        when = f"{days_text(days)}, months {months_text(months)}"
        yield f"One price all day: the heater does not hold heating back ({when})."
    if any(len(found) > 2 for found in prices.values()):
        yield (
            "The heater holds heating back in the dearest time of a day alone: between the other "
            "prices it makes no difference."
        )
    yield (
        "In that time heating ends about 2 K below the setpoint, and its begin sets the mode to heat "
        "pump; another mode does not come back by itself."
    )
