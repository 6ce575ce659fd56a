"""The installer diagnostics (PROTOCOL 8.13), keys as misspelled on the wire."""

from __future__ import annotations

from datetime import date
from typing import Any

from .energy_meter import EnergyMeter

_EVENTS = (
    "cumulatedOccNumEco",
    "cumulatedOccNumDryFire",
    "numOffRostProtectBurn",
    "cumulatedOccNumConOvrFlow",
    "cumulatedOccNumWtrOvrFlow",
    "cumulatedOccNumAbDisTmp",
    "cumulatedOccNumHpo",
    "cumulatedOccNumAbSucTmp",
    "cumulatedOccNumAbDisSucTmp",
    "cumulatedOpTimeDrShed",
    "cumulatedOpTimeDrLoadUp",
    "cumulatedOpTimeDrAdvLoadUp",
    "cumulatedOpTimeDrCpp",
    "cumulatedOpTimeDrGridEmg",
)
#: All 0 on the unit that was asked.
_DRAWS = (
    "numOfdhwUse",
    "numOfLongDhwUse",
    "numOfShortDhwUse",
    "dhwUseTotalFlow",
    "longDhwUseTotalFlow",
    "dhwUseTotalTime",
    "longDhwUseTotalTime",
    "avrageRecoveryTime",
)


def diagnostics(counts: EnergyMeter, today: date) -> dict[str, Any]:
    """The ``data`` of the answer; 0 for what the simulated heater does not count."""
    loads = {
        "Comp": counts.compressor,
        "EvaFan": counts.fan,
        "Uhe": counts.upper_element,
        "Lhe": counts.lower_element,
        "RecircPump": counts.recirculation_pump,
    }
    hours = {name: load.hours for name, load in loads.items()}
    hours.update({f"InvComp{number}": 0 for number in range(1, 5)})
    starts = {name: load.starts for name, load in loads.items()}
    starts["ShutOffVv"] = 0
    return {
        "tsData": {
            "cumulatedPwrHp": int(counts.total.heat_pump_wh),
            "cumulatedPwrHe": int(counts.total.element_wh),
            "daysSinceInstallation": (today - counts.installed).days,
            **dict.fromkeys(_EVENTS, 0),
        },
        "tcData": {},
        "tdData": dict.fromkeys(_DRAWS, 0),
        "taData": {
            **{f"cumulatedOpTime{name}": value for name, value in hours.items()},
            **{f"cumulatedOpNum{name}": value for name, value in starts.items()},
            "cumulatedOpStepEev": 0,
            "mixingValveOpTotalStep": 0,
            "mixingValveOpAvgMixinGrate": 0,
        },
    }
