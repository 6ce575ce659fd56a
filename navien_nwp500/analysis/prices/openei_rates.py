"""Rates of OpenEI's utility rate database (URDB): the answer of its API, or one rate of it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Iterator, Mapping, NamedTuple, Sequence

from ..._util.numbers import shown
from ..._util.text import clean_text
from ...exceptions import ConfigurationError
from ...protocol.calendar import EVERY_MONTH, MONTH_NAMES, WEEKEND, Weekday
from .calendar_prices import CalendarPrices, DayPrice, DayPrices
from .market_prices import choose
from .timed_prices import TariffOptions, parse_number

Body = Mapping[str, Any]
_HOURS = 24
_DAYS_OF_MONTH = 365 / 12
#: A tier without an end has no ``max``, 0, or a number at least so large.
_UNBOUND = 1e30
_SCHEDULES = ("energyweekdayschedule", "energyweekendschedule")
_DEMAND = ("demandratestructure", "flatdemandstructure", "coincidentratestructure")


class _Price(NamedTuple):
    """Price of a period of the rate, and its range over the tiers."""

    price: float
    scope: tuple[float, float] | None


def rates_of(content: Any) -> list[Body]:
    """Return the rates in an answer of the API, a list of rates or one rate; empty if none."""
    if isinstance(content, dict) and isinstance(content.get("items"), list):
        content = content["items"]
    rates = content if isinstance(content, list) else [content]
    return [
        rate
        for rate in rates
        if isinstance(rate, dict)
        and (
            any(key.startswith("energy") for key in rate) or ("label" in rate and "utility" in rate)
        )
    ]


def rate_title(rate: Body) -> str:
    """Return the name of a rate for people."""
    return clean_text(str(rate.get("name") or rate.get("label") or "a rate without a name"))


def select_rate(content: Any, file: str, options: TariffOptions) -> Body:
    """Return the only rate of a file, or the one that was named. Raises ConfigurationError."""
    rates = rates_of(content)
    several = f"{file} has {len(rates)} rates"
    labels = [str(rate.get("label") or rate_title(rate)) for rate in rates]
    if options.rate in labels:
        return choose(rates, labels, several, options.rate)
    titles = [rate_title(rate) for rate in rates]
    if len(rates) > 1 and (options.rate is None or titles.count(options.rate) > 1):
        named = [f"{label} ({title})" for label, title in zip(labels, titles)]
        return choose(rates, named, f"{several} (give the label)", options.rate)
    return choose(rates, titles, several, options.rate)


def read_openei(content: Any, file: str, options: TariffOptions) -> CalendarPrices:
    """Read a rate: the price of a period is ``rate`` + ``adj`` + the fuel adjustment of the month.

    The tier is that of the household's monthly use. Raises ConfigurationError.
    """
    rate = select_rate(content, file, options)
    try:
        periods = _periods(rate, options.monthly_kwh)
        fuel = _fuel(rate)
        schedules = [_schedule(rate, key, len(periods)) for key in _SCHEDULES]
    except ValueError as error:
        raise ConfigurationError(f"{file}, rate {rate_title(rate)}: {error}") from error
    days: dict[tuple[int, Weekday], DayPrices] = {}
    for month in EVERY_MONTH:
        week = [_day(schedule[month - 1], periods, fuel[month - 1]) for schedule in schedules]
        for day in Weekday:
            days[month, day] = week[day in WEEKEND]
    utility = clean_text(str(rate.get("utility") or ""))
    return CalendarPrices(
        days,
        options.zone,
        "USD" if rate.get("country", "USA") == "USA" else None,
        ": ".join(filter(None, (utility, rate_title(rate)))),
        (*rate_notes(rate, options), *_cost_notes(periods, options)),
        options.holidays,
        {month: days[month, Weekday.SUNDAY] for month in EVERY_MONTH},
        f"at {options.monthly_kwh:g} kWh a month" if any(one.scope for one in periods) else "",
        any(_has_charge(rate.get(key)) for key in _DEMAND),
    )


def _periods(rate: Body, monthly_kwh: float) -> list[_Price]:
    structure = rate.get("energyratestructure")
    if not isinstance(structure, list) or not structure:
        raise ValueError("it has no energyratestructure, so no price of energy")
    return [_period(f"period {n}", tiers, monthly_kwh) for n, tiers in enumerate(structure)]


def _period(where: str, tiers: Any, monthly_kwh: float) -> _Price:
    if not isinstance(tiers, list) or not tiers:
        raise ValueError(f"{where} of energyratestructure has no tiers")
    prices: list[float] = []
    chosen: float | None = None
    for tier in tiers:
        if not isinstance(tier, dict):
            raise ValueError(f"{where} of energyratestructure has a tier that is not an object")
        if tier.get("rate") is None and tier.get("adj") is None:
            raise ValueError(f"{where} of energyratestructure has a tier without a rate")
        price = sum(parse_number(tier[key]) for key in ("rate", "adj") if tier.get(key) is not None)
        prices.append(price)
        if chosen is None and monthly_kwh <= _tier_end(where, tier):
            chosen = price
    low, high = min(prices), max(prices)
    # A use above the last tier's limit has the price of the last tier.
    return _Price(prices[-1] if chosen is None else chosen, None if low == high else (low, high))


def _tier_end(where: str, tier: Body) -> float:
    """Return the monthly use in kWh at which a tier ends."""
    unit = tier.get("unit") or "kWh"
    if unit not in ("kWh", "kWh daily"):
        raise ValueError(
            f"{where} of energyratestructure has tiers by {clean_text(str(unit))}, which depend on "
            "the highest power of the household; this cannot be priced"
        )
    limit = 0.0 if tier.get("max") is None else parse_number(tier["max"])
    if limit < 0:
        raise ValueError(f"{where} of energyratestructure has a tier that ends at {limit:g} kWh")
    if limit == 0 or limit >= _UNBOUND:
        return float("inf")
    return limit * (_DAYS_OF_MONTH if unit == "kWh daily" else 1)


def _fuel(rate: Body) -> list[float]:
    found = rate.get("fueladjustmentsmonthly")
    if found is None:
        return [0.0] * 12
    if not isinstance(found, list) or len(found) != 12:
        raise ValueError("fueladjustmentsmonthly has not 12 numbers")
    return [0.0 if one is None else parse_number(one) for one in found]


def _schedule(rate: Body, key: str, periods: int) -> list[list[int]]:
    found = rate.get(key)
    if found is None and periods == 1 and not any(other in rate for other in _SCHEDULES):
        return [[0] * _HOURS] * 12
    if not isinstance(found, list) or len(found) != 12:
        raise ValueError(f"{key} has not 12 months")
    for name, hours in zip(MONTH_NAMES, found):
        if not isinstance(hours, list) or len(hours) != _HOURS:
            raise ValueError(f"{key} has not 24 hours in {name}")
        for hour in hours:
            if type(hour) is not int or not 0 <= hour < periods:
                raise ValueError(
                    f"{key} names period {shown(hour)} in {name}; energyratestructure has 0 to {periods - 1}"
                )
    return found


def _day(hours: Sequence[int], periods: Sequence[_Price], fuel: float) -> DayPrices:
    starts = [n for n in range(_HOURS) if n == 0 or hours[n] != hours[n - 1]]
    found = []
    for start, end in zip(starts, [*starts[1:], _HOURS]):
        price, scope = periods[hours[start]]
        # Rounded as bills are: without it 0.34 + 0.052 is 0.39200000000000002.
        prices = [round(one + fuel, 9) for one in (price, *(scope or ()))]
        found.append(
            DayPrice(start * 60, end * 60, prices[0], (prices[1], prices[2]) if scope else None)
        )
    return found


def rate_notes(rate: Body, options: TariffOptions) -> tuple[str, ...]:
    """Return sentences about what the prices of a rate leave out or presume."""
    return (*_left_out(rate, options), *_doubts(rate))


def _left_out(rate: Body, options: TariffOptions) -> Iterator[str]:
    clock = "the heater's clock" if options.zone is None else f"the clock of {options.zone.key}"
    yield f"OpenEI names no time zone: the prices are by {clock}."
    if any(_fuel(rate)):
        yield "The fuel adjustment of each month is added to its prices."
    service = rate.get("servicetype")
    if service not in (None, "Bundled"):
        yield (
            f"The rate covers {clean_text(str(service))} alone, not the whole price of energy: the "
            "rest is missing in these costs (--fee adds it)."
        )
    if any(_has_charge(rate.get(key)) for key in _DEMAND):
        yield (
            "The rate also charges for the highest power of the household; this is not counted, and "
            "heating at its time costs more than these prices say."
        )
    if _sells(rate):
        yield "Its prices for sold energy are ignored."
    yield "Fixed and minimum charges, taxes and credits are not counted."


def _cost_notes(periods: Sequence[_Price], options: TariffOptions) -> Iterator[str]:
    if any(one.scope for one in periods):
        yield (
            f"The rate has tiers. The price is that of the tier at {options.monthly_kwh:g} kWh a "
            "month for the whole household (--monthly-kwh); the range is over all tiers."
        )
    if not options.holidays:
        yield (
            "OpenEI names no holidays: they are priced as their weekday (--holidays names a file of "
            "dates that have weekend prices)."
        )


def _doubts(rate: Body) -> Iterator[str]:
    sector = rate.get("sector")
    if sector not in (None, "Residential"):
        yield f"The rate is for the sector {clean_text(str(sector))}, not for homes."
    if rate.get("approved") is False:
        yield "Nobody has approved this rate at OpenEI."
    end = rate.get("enddate")
    if isinstance(end, (int, float)) and not isinstance(end, bool) and 0 < end < 1e11:
        until = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=end)
        yield f"By OpenEI this rate is valid until {until:%Y-%m-%d}."


def _has_charge(structure: Any) -> bool:
    return any(tier.get("rate") or tier.get("adj") for tier in _tiers(structure))


def _sells(rate: Body) -> bool:
    return any(tier.get("sell") for tier in _tiers(rate.get("energyratestructure")))


def _tiers(structure: Any) -> Iterator[Body]:
    for period in structure if isinstance(structure, list) else ():
        for tier in period if isinstance(period, list) else ():
            if isinstance(tier, dict):
                yield tier
