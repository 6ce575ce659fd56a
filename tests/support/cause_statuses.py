"""Statuses by hand, for rules of causes that a few of them show best."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from navien_nwp500.analysis.causes import Knowledge, RunCause, run_causes
from support.heating_causes import MONDAY


def values(**changes: Any) -> dict[str, int | None]:
    """A status of an idle tank in numbers as they are sent; None leaves a field out."""
    found: dict[str, int | None] = {
        "command": 16777219,
        "dhw_use": 1,
        "dhw_operation_setting": 1,
        "dhw_temperature_setting": 121,
        "operation_mode": 0,
        "current_heat_use": 0,
        "current_statenum": 20,
        "current_inst_power": 1,
        "tank_upper_temperature": 580,
        "tank_lower_temperature": 500,
        "ambient_temperature": 234,
        "hp_upper_on_temp_setting": 81,
        "hp_upper_off_temp_setting": 121,
        "hp_lower_on_temp_setting": 81,
        "heat_min_op_temperature": 81,
        "tou_status": 0,
        "tou_override_status": 0,
        "anti_legionella_operation_busy": 1,
        "program_reservation_use": 1,
        "error_code": 0,
    }
    return {**found, **changes}


ON = {"current_heat_use": 1, "operation_mode": 32}
WINDOW = {"tou_status": 3, "tou_override_status": 2, "hp_upper_on_temp_setting": 121}


def told(*statuses: tuple[float, dict[str, Any]], known: Knowledge = Knowledge()) -> list[RunCause]:
    """The runs of statuses, each with its time in minutes."""
    timed = ((MONDAY + timedelta(minutes=when), values(**what)) for when, what in statuses)
    return run_causes(timed, known)


IDLE = {"current_heat_use": 0, "operation_mode": 0}
