"""Electricity prices: one internal form, readers of tariffs, and the heater's own plan from them."""

from .calendar_prices import CalendarPrices, DayPrice, plan_prices
from .price_series import ClockSpan, FixedPrices, PriceInterval, PriceSeries, PriceSource

__all__ = [
    "CalendarPrices",
    "ClockSpan",
    "DayPrice",
    "FixedPrices",
    "PriceInterval",
    "PriceSeries",
    "PriceSource",
    "plan_prices",
]
