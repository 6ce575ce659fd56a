"""An example, written by hand, of each control of PROTOCOL 5.3 that a client sends.

Tests of the client, of the simulated heater and of the command line use them.
"""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple


class Example(NamedTuple):
    """Command name and values, the request that is sent, and the expected fields of the status.

    ``arguments`` follow ``navien-nwp500 set``; one example of each argument is enough.
    """

    name: str
    values: Mapping[str, int]
    code: int
    mode: str
    param: list[int]
    expected: Mapping[str, int]
    arguments: str = ""

    @property
    def body(self) -> dict[str, Any]:
        return {"mode": self.mode, "param": self.param, "paramStr": ""}


#: One heater that starts in energy saver can execute all of them in this order.
# fmt: off
EXAMPLES = (
    Example("power_off", {}, 33554433, "power-off", [], {"dhwOperationSetting": 6}, "power off"),
    Example("power_on", {}, 33554434, "power-on", [], {"dhwOperationSetting": 3}),
    Example("dhw_mode", {"mode": 1}, 33554437, "dhw-mode", [1], {"dhwOperationSetting": 1}, "mode heat-pump"),
    Example("dhw_mode", {"mode": 2}, 33554437, "dhw-mode", [2], {"dhwOperationSetting": 2}),
    Example("dhw_mode", {"mode": 4}, 33554437, "dhw-mode", [4], {"dhwOperationSetting": 4}),
    Example("dhw_mode", {"mode": 3}, 33554437, "dhw-mode", [3], {"dhwOperationSetting": 3}),
    Example("vacation", {"days": 7}, 33554437, "dhw-mode", [5, 7], {"dhwOperationSetting": 5, "vacationDaySetting": 7}, "vacation 14"),
    Example("vacation_days", {"days": 14}, 33554466, "goout-day", [14], {"dhwOperationSetting": 5, "vacationDaySetting": 14}, "vacation-days 14"),
    Example("temperature", {"temperature": 117}, 33554464, "dhw-temperature", [117], {"dhwTemperatureSetting": 117}, "temperature 120F"),
    Example("anti_legionella_on", {"days": 14}, 33554472, "anti-leg-on", [14], {"antiLegionellaUse": 2, "antiLegionellaPeriod": 14}, "anti-legionella 14"),
    Example("anti_legionella_off", {}, 33554471, "anti-leg-off", [], {"antiLegionellaUse": 1, "antiLegionellaPeriod": 14}),
    Example("tou_on", {}, 33554476, "tou-on", [], {"touStatus": 1, "touOverrideStatus": 2}, "tou on"),
    Example("tou_off", {}, 33554475, "tou-off", [], {"touStatus": 0}),
    Example("water_program", {}, 33554441, "reservation-mode", [], {"programReservationUse": 2}, "water-program"),
    Example("recirculation_hot_button", {}, 33554444, "recirc-hotbtn", [1], {}, "hot-button"),
    Example("recirculation_mode", {"mode": 2}, 33554445, "recirc-mode", [2], {"recircOperationMode": 2}, "recirculation weekly"),
    Example("reset_condenser_fault", {}, 33554463, "cond-fault-reset", [], {}, "condenser-reset"),
    Example("intelligent_off", {}, 33554467, "intelligent-off", [], {}),
    Example("intelligent_on", {}, 33554468, "intelligent-on", [], {}, "intelligent on"),
    Example("demand_response_off", {}, 33554469, "dr-off", [], {}),
    Example("demand_response_on", {}, 33554470, "dr-on", [], {}, "demand-response on"),
    Example("air_filter_reset", {}, 33554473, "air-filter-reset", [], {"cumulatedOpTimeEvaFan": 0}, "air-filter-reset"),
    Example("air_filter_life", {"hours": 3000}, 33554474, "air-filter-life", [6], {"airFilterAlarmPeriod": 3000, "airFilterAlarmUse": 2}, "air-filter-life 3000"),
    Example("air_filter_life", {"hours": 0}, 33554474, "air-filter-life", [0], {"airFilterAlarmPeriod": 0, "airFilterAlarmUse": 1}),
)
# fmt: on
