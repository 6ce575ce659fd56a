"""Status messages of PROTOCOL 6, written by hand."""

from __future__ import annotations

from typing import Any

# fmt: off
#: PROTOCOL 6.11, as controller 0x0B010000 sends it.
IDLE = {
    "command": 16777219, "outsideTemperature": 0, "specialFunctionStatus": 1, "didReload": 1,
    "errorCode": 0, "subErrorCode": 0, "operationMode": 0, "operationBusy": 1,
    "freezeProtectionUse": 2, "dhwUse": 1, "dhwUseSustained": 0, "dhwTemperature": 120,
    "dhwTemperatureSetting": 121, "programReservationUse": 1, "smartDiagnostic": 0,
    "faultStatus1": 0, "faultStatus2": 0, "wifiRssi": 58, "ecoUse": 2,
    "dhwTargetTemperatureSetting": 121, "tankUpperTemperature": 601, "tankLowerTemperature": 603,
    "dischargeTemperature": 386, "suctionTemperature": 377, "evaporatorTemperature": 242,
    "ambientTemperature": 226, "targetSuperHeat": 50, "compUse": 1, "eevUse": 1, "evaFanUse": 1,
    "currentInstPower": 1, "shutOffValveUse": 1, "conOvrSensorUse": 1, "wtrOvrSensorUse": 1,
    "dhwChargePer": 98, "drEventStatus": 0, "vacationDaySetting": 0, "vacationDayElapsed": 0,
    "freezeProtectionTemperature": 12, "antiLegionellaUse": 2, "antiLegionellaPeriod": 7,
    "antiLegionellaOperationBusy": 1, "programReservationType": 0, "dhwOperationSetting": 3,
    "temperatureType": 2, "tempFormulaType": 1, "errorBuzzerUse": 2, "currentHeatUse": 0,
    "currentInletTemperature": 0, "currentStatenum": 20, "targetFanRpm": 0, "currentFanRpm": 0,
    "fanPwm": 0, "dhwTemperature2": 0, "currentDhwFlowRate": 0, "mixingRate": 0, "eevStep": 480,
    "currentSuperHeat": 157, "heatUpperUse": 1, "heatLowerUse": 1, "scaldUse": 2,
    "airFilterAlarmUse": 2, "airFilterAlarmPeriod": 1000, "airFilterAlarmElapsed": 0,
    "cumulatedOpTimeEvaFan": 396, "cumulatedDhwFlowRate": 0, "touStatus": 0,
    "hpUpperOnTempSetting": 81, "hpUpperOffTempSetting": 121, "hpLowerOnTempSetting": 81,
    "hpLowerOffTempSetting": 121, "heUpperOnTempSetting": 81, "heUpperOffTempSetting": 121,
    "heLowerOnTempSetting": 81, "heLowerOffTempSetting": 121, "hpUpperOnDiffTempSetting": 0,
    "hpUpperOffDiffTempSetting": 0, "hpLowerOnDiffTempSetting": 0, "hpLowerOffDiffTempSetting": 0,
    "heUpperOnDiffTempSetting": 0, "heUpperOffDiffTempSetting": -2, "heLowerOnTDiffempSetting": 0,
    "heLowerOffDiffTempSetting": 0, "drOverrideStatus": 0, "touOverrideStatus": 1,
    "totalEnergyCapacity": 1404, "availableEnergyCapacity": 21, "heatMinOpTemperature": 81,
    "recircOperationBusy": 1, "recircReservationUse": 1, "recircOperationMode": 1,
    "recircTempSetting": 0, "recircTemperature": 0, "recircPumpOperationStatus": 0,
    "recircFaucetTemperature": 0, "recircHotBtnReady": 2, "recircOperationReason": 0,
    "recircDhwFlowRate": 0, "recircErrorStatus": 0,
}
#: PROTOCOL 6.5, the heat pump running.
HEATING = {
    **IDLE, "operationMode": 32, "operationBusy": 2, "dhwTemperature": 118,
    "tankUpperTemperature": 594, "tankLowerTemperature": 594, "dischargeTemperature": 696,
    "suctionTemperature": 100, "evaporatorTemperature": 67, "ambientTemperature": 160,
    "compUse": 2, "eevUse": 2, "evaFanUse": 2, "currentInstPower": 463, "dhwChargePer": 95,
    "currentHeatUse": 1, "currentStatenum": 50, "targetFanRpm": 900, "currentFanRpm": 894,
    "fanPwm": 1880, "eevStep": 100, "currentSuperHeat": 52, "cumulatedOpTimeEvaFan": 395,
    "availableEnergyCapacity": 77,
}
#: Keys that every status contains.
_REQUIRED = (
    "errorCode", "subErrorCode", "operationMode", "dhwUse", "dhwTemperature", "dhwTemperatureSetting",
    "wifiRssi", "compUse", "evaFanUse", "currentInstPower", "dhwChargePer", "heatUpperUse",
    "heatLowerUse",
)
# fmt: on
#: Shortest complete status.
CORE = {key: IDLE[key] for key in _REQUIRED}
#: PROTOCOL 6.11, the whole response.
IDLE_REPLY: dict[str, Any] = {
    "protocolVersion": 2,
    "clientID": "navien-client-0a1b2c3d",
    "sessionID": "1768478400000",
    "requestTopic": "cmd/52/navilink-0123456789ab/st",
    "response": {
        "deviceType": 52,
        "macAddress": "0123456789ab",
        "additionalValue": "1234",
        "status": IDLE,
    },
}
