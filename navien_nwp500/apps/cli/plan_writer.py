"""Write a plan to a heater, and restore what was there before.

The order is that of safety: the backup first, then what a person would miss least. Everything written
twice has the same result, so an interrupted command is repeated.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Collection, Iterable, Iterator

from ...device import NaviLinkDevice
from ...exceptions import ConfigurationError, PlanCopyError
from ...protocol.schedules import Reservation, ReservationProgram
from ...protocol.status import DeviceStatus
from ...protocol.tou import TOUPeriod
from ...protocol.tou_comparison import compare_tou
from ...protocol.types import DHWMode, TouStatus
from .context import wait_response
from .formatting import both_units
from .parsing import days_text
from .plan_files import load_written_plan
from .saved_plans import Backup, SavedPlan, heater_mark, load_backup, save_backup


async def read_state(heater: NaviLinkDevice, now: datetime, *, simulated: bool) -> Backup:
    """Read what a plan may change.

    The heater's own time-of-use plan is that which was last written from here, else the cloud's copy,
    because a heater does not tell it (PROTOCOL 8.4).
    """
    status: DeviceStatus = await wait_response(heater.get_status())
    program = await wait_response(heater.get_reservations())
    if program.unreadable:
        raise ConfigurationError(
            f"the reservations cannot be read completely ({program.unreadable[0]}), so they could not "
            "be restored; remove the damaged one in the app first"
        )
    written = None if simulated else load_written_plan(heater)
    periods = (await heater.get_tou_info()).periods if written is None else written.periods
    return Backup(
        heater=heater_mark(heater),
        time=f"{now:%Y-%m-%d %H:%M}",
        program=program,
        setpoint=status.dhw_temperature_setting,
        mode=_mode(status),
        tou_on=status.tou_status != TouStatus.OFF,
        periods=tuple(periods),
    )


def _mode(status: DeviceStatus) -> DHWMode:
    mode = status.dhw_operation_setting
    if mode is None:
        raise ConfigurationError("the heater does not tell its mode, so it could not be restored")
    return mode


def differences(before: Backup, plan: SavedPlan) -> Iterator[str]:
    """Describe what applying a plan changes, line by line; nothing when it is applied already."""
    wanted = frozenset(plan.reservations)
    present = in_order(before.program.reservations) if before.program.enabled else []
    if before.program.reservations and not before.program.enabled:
        yield f"- {len(before.program.reservations)} reservations, switched off"
    yield from (f"- {reservation_text(one)}" for one in present if one not in wanted)
    yield from (f"+ {reservation_text(o)}" for o in plan.reservations if o not in present)
    if not plan.reservations:
        if plan.mode != before.mode:
            yield f"+ mode {plan.mode.text} instead of {before.mode.text}"
        if plan.setpoint != before.setpoint:
            new, old = (both_units(one, "F") for one in (plan.setpoint, before.setpoint))
            yield f"+ setpoint {new} instead of {old}"
    if plan.periods:
        if compare_tou(before.periods, plan.periods) or not before.tou_on:
            yield "+ time of use on, with the windows of the plan"
    elif before.tou_on:
        yield "- time of use"


def in_order(reservations: Iterable[Reservation]) -> list[Reservation]:
    """Return reservations by their time: a heater keeps no order (PROTOCOL 8.3)."""
    return sorted(reservations, key=lambda one: (one.time, sorted(day.value for day in one.days)))


def reservation_text(one: Reservation) -> str:
    """Write a reservation in one line."""
    return (
        f"{days_text(one.days):14} {one.time:%H:%M}  {both_units(one.temperature, 'F')}"
        f"  {one.mode.text}{'' if one.enabled else ', off'}"
    )


async def apply_plan(
    heater: NaviLinkDevice, plan: SavedPlan, before: Backup, path: Path | None
) -> None:
    """Write a plan; a backup that is there already, of an earlier plan, stays.

    Without ``path`` nothing is kept: a simulated heater ends with the command. Raises as the methods of
    the heater do. ``plan undo`` then restores what was before.
    """
    if path is not None:
        kept = load_backup(path) if path.exists() else before
        replaced = kept.replaced_periods or bool(plan.periods)
        save_backup(path, replace(kept, replaced_periods=replaced))
    if plan.periods:
        await _write_periods(heater, plan.periods, enabled=True)
    elif before.tou_on:
        await wait_response(heater.set_tou(False))
    present = ReservationProgram(bool(plan.reservations), plan.reservations)
    await _write_reservations(heater, present, before.program)
    if not plan.reservations:
        await _write_setting(heater, plan.mode, plan.setpoint.celsius)


async def undo_plan(heater: NaviLinkDevice, backup: Backup) -> None:
    """Restore a backup, whatever part of a plan was applied. Raises as the heater's methods do."""
    if backup.replaced_periods and backup.periods:
        await _write_periods(heater, backup.periods, enabled=backup.tou_on)
    else:  # without periods nobody knows a plan that could be followed
        await wait_response(heater.set_tou(backup.tou_on and not backup.replaced_periods))
    now = await wait_response(heater.get_reservations())
    # The heater had them, so it may have them again, also with values that are not set from here.
    await _write_reservations(heater, backup.program, now, backup.program.reservations)
    await _write_setting(heater, backup.mode, backup.setpoint.celsius)


async def _write_periods(
    heater: NaviLinkDevice, periods: tuple[TOUPeriod, ...], *, enabled: bool
) -> None:
    try:
        await wait_response(heater.set_tou_plan(periods, enabled=enabled))
    except PlanCopyError as error:
        raise PlanCopyError(f"{error}: run the same command, or navien-nwp500 plan undo") from error


async def _write_reservations(
    heater: NaviLinkDevice,
    wanted: ReservationProgram,
    present: ReservationProgram,
    unchecked: Collection[Reservation] = (),
) -> None:
    same = frozenset(wanted.reservations) == frozenset(present.reservations)
    if not same or wanted.enabled != present.enabled:
        await wait_response(
            heater.set_reservations(
                wanted.reservations, enabled=wanted.enabled, unchecked=unchecked
            )
        )


async def _write_setting(heater: NaviLinkDevice, mode: DHWMode, celsius: float) -> None:
    """Set mode and setpoint; a mode that cannot be selected, such as vacation, is left as it is."""
    if mode == DHWMode.POWER_OFF:
        await wait_response(heater.turn_off())
        return
    if mode in (DHWMode.HEAT_PUMP, DHWMode.ELECTRIC, DHWMode.ENERGY_SAVER, DHWMode.HIGH_DEMAND):
        await wait_response(heater.set_dhw_mode(mode))
    await wait_response(heater.set_temperature(celsius=celsius))
