"""Electricity prices: one internal form, readers of tariffs, and the heater's own plan from them."""

from .calendar_prices import CalendarPrices, DayPrice, plan_prices
from .plan_conversion import ConvertedPlan, PriceWindow, plan_from_prices, window_plan
from .price_series import ClockSpan, FixedPrices, PriceInterval, PriceSeries, PriceSource
from .tariff_files import read_tariff

__all__ = [
    "CalendarPrices",
    "ClockSpan",
    "ConvertedPlan",
    "DayPrice",
    "FixedPrices",
    "PriceInterval",
    "PriceSeries",
    "PriceSource",
    "PriceWindow",
    "plan_from_prices",
    "plan_prices",
    "read_tariff",
    "window_plan",
]
