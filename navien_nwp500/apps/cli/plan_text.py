"""A proposal of a plan as text of 80 columns, and as JSON."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Iterator

from ...protocol.calendar import Weekday
from .formatting import WIDTH, both_units
from .parsing import days_text, months_text
from .saved_plans import SavedPlan, plan_json

if TYPE_CHECKING:
    from ...analysis.planning.heating_plan import HeatingPlan
    from ...analysis.planning.proposal import PlanProposal, YearFigures

#: Colder than this, bacteria can live in the tank (PROTOCOL 8.9 heats to 60 degC against them).
DISINFECTION_CELSIUS = 49.0
#: More entries than this are hard to follow in the app.
_MANY = 7
_NAME = 12


def proposal_text(found: PlanProposal) -> str:
    """Write a proposal for people: the bound first, then what is proposed and why."""
    money = found.currency or "money"
    lines = [
        *_fact(
            "at most",
            f"{found.bound:.0f} {money} a year can be saved at all, and {found.bound_times:.0f} by heating "
            "at other times alone",
        ),
        *_fact("now", f"{_plan(found.present)}; {_figures(found.present_figures, money)}"),
    ]
    if found.plan is not None and found.figures is not None:
        lines += _fact("plan", f"{_plan(found.plan)}; {_figures(found.figures, money)}")
    if found.simulated is not None:
        simulated, model = found.simulated
        lines += _fact(
            "simulator",
            f"in the weeks it tried, {simulated:.0f} {money} a year are saved; the model said {model:.0f}",
        )
    lines += ["", *textwrap.wrap(found.verdict, WIDTH)]
    if found.plan is not None:
        lines += ["", *_entries(found.plan)]
    notes = [*warnings(found), *found.notes]
    if notes:
        lines.append("")
    for note in notes:
        lines += _fact("note", note)
    return "\n".join(lines)


def warnings(found: PlanProposal) -> Iterator[str]:
    """Return what a person should know before applying a plan."""
    plan = found.plan
    if plan is None:
        return
    highest = max([plan.setpoint, *(one.setpoint for one in plan.entries)]).celsius
    if highest < DISINFECTION_CELSIUS:
        yield (
            f"The tank is never heated above {highest:.1f} °C. Below {DISINFECTION_CELSIUS:.0f} °C "
            "bacteria such as Legionella can grow; anti-legionella heats to 60 °C now and then: "
            "navien-nwp500 set anti-legionella --help"
        )
    elif plan.lowest.celsius < DISINFECTION_CELSIUS:
        yield (
            f"Between its runs the tank may fall below {DISINFECTION_CELSIUS:.0f} °C, where bacteria "
            f"such as Legionella can grow; each day it is heated to {highest:.1f} °C again."
        )
    if len(plan.entries) > _MANY:
        yield f"These are {len(plan.entries)} reservations, more than are easily kept in view."
    yield "It is assumed that time of use is off now, and that no reservation is hidden in the record."


def _fact(name: str, text: str) -> list[str]:
    return textwrap.wrap(
        f"{name:{_NAME}}{text}",
        WIDTH,
        subsequent_indent=" " * _NAME,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _plan(plan: HeatingPlan) -> str:
    """Describe a plan in a few words."""
    parts = [] if plan.entries else [f"setpoint {both_units(plan.setpoint, 'C')}"]
    if plan.entries:
        parts.append(f"{len(plan.entries)} reservations")
    if plan.windows:
        parts.append("time-of-use windows")
    return f"{', '.join(parts)}, {plan.mode.text}"


def _figures(one: YearFigures, money: str) -> str:
    day, step = one.coldest_at
    when = f"{tuple(Weekday)[day].name.title()} {step // 12:02d}:{step % 12 * 5:02d}"
    return (
        f"{one.cost:.0f} {money} and {one.kwh:.0f} kWh a year, {one.starts:.0f} starts a week, coldest draw "
        f"{one.coldest:.0f} °C ({when}), {one.missed:.0f} cold showers a year"
    )


def _entries(plan: HeatingPlan) -> Iterator[str]:
    for one in plan.entries:
        head = f"{one.time:%H:%M}  {both_units(one.setpoint, 'C')}  {days_text(one.days):8} "
        yield from textwrap.wrap(f"{head}{one.why}", WIDTH, subsequent_indent=" " * 36)
    for window in plan.windows:
        span = f"{window.start // 60:02d}:{window.start % 60:02d}-"
        span += f"{window.end // 60:02d}:{window.end % 60:02d}"
        head = f"{span}  window  {days_text(window.days)}, {months_text(window.months)}: "
        yield from textwrap.wrap(f"{head}{window.why}", WIDTH, subsequent_indent=" " * 36)


def proposal_json(found: PlanProposal, saved: SavedPlan | None) -> dict[str, Any]:
    """Return a proposal for programs; money in the tariff's currency, a year."""
    saving = found.saving
    return {
        "verdict": found.verdict,
        "leave_as_it_is": found.plan is None,
        "currency": found.currency,
        "days": found.days,
        "bound": round(found.bound, 2),
        "bound_of_other_times": round(found.bound_times, 2),
        "present": _figures_json(found.present_figures),
        "proposed": None if found.figures is None else _figures_json(found.figures),
        "saving": (
            None
            if saving is None or found.plan is None
            else {
                "value": round(saving.value, 2),
                "low": round(saving.low, 2),
                "high": round(saving.high, 2),
            }
        ),
        "simulated": (
            None
            if found.simulated is None
            else dict(zip(("simulator", "model"), (round(one, 2) for one in found.simulated)))
        ),
        "plan": None if saved is None else plan_json(saved),
        "warnings": list(warnings(found)),
        "notes": list(found.notes),
    }


def _figures_json(one: YearFigures) -> dict[str, Any]:
    day, step = one.coldest_at
    return {
        "cost": round(one.cost, 2),
        "kwh": round(one.kwh, 1),
        "starts_a_week": round(one.starts, 1),
        "coldest_celsius": round(one.coldest, 1),
        "coldest_at": f"{tuple(Weekday)[day].name.lower()} {step // 12:02d}:{step % 12 * 5:02d}",
        "cold_showers": round(one.missed, 1),
        "fewest_litres": round(one.fewest, 1),
    }
