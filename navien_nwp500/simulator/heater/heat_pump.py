"""The heat pump: state machine, fan, expansion valve, refrigerant temperatures and power.

Times in seconds, temperatures in degC, power and heat in W. Measured values are from
PROTOCOL 9.1, 9.6, 9.7 and 14.2.
"""

from __future__ import annotations

from math import exp
from random import Random

from ...protocol.types import HeatPumpState

#: Pre-run 28 to 36 s, command to compressor 30 s in the median (PROTOCOL 9.1, 9.9).
PRE_RUN_SECONDS = 30.0
COMPRESSOR_START_SECONDS = 6.0
FAN_RUN_ON_SECONDS = 30.0
#: 330 s measured from stop to restart (PROTOCOL 14.2), of which 30 s are the next pre-run.
LOCK_OUT_SECONDS = 300.0

EEV_PARKED = 480.0
EEV_START = 250.0
EEV_STEPS_PER_SECOND = 28.0
SUPERHEAT_KELVIN = 5.0
#: Superheat = suction - evaporator + about 2.2 K (PROTOCOL 9.6).
SUPERHEAT_OFFSET = 2.2

FAN_LOW = 550.0
FAN_HIGH = 900.0
#: 900 rpm at low intake air: seen at 16 degC, and 550 rpm at 26 degC (PROTOCOL 9.6).
FAN_HIGH_BELOW = 18.0
FAN_BAND = 1.0
FAN_PRE_RUN_WATTS = 17.0
FAN_RUN_ON_WATTS = 9.0
#: 900 rpm takes more than 550, fitted to LOG-B.
FAN_HIGH_WATTS = 12.0
#: Above this water temperature the measured power rises by 20 W/K (PROTOCOL 14.2), and so does the
#: discharge, 69.6 to 72.2 over the last 1.7 K (LOG-B).
HOT_WATER = 58.2

#: A start costs 160 Wh of electricity before the tank gains (PROTOCOL 14.2). Two thirds of it: the
#: machine takes a part of the heat first, which fades with this time constant. The rest is power
#: above the measured values, most after 9 min. How the cost is divided is our choice.
WARM_UP_SECONDS = 800.0
WARM_UP_WATTS = 140.0

#: A long run cools the intake air: 16.3 at the stop of LOG-B, 19.8 at rest.
AIR_COOLED_KELVIN = 3.6
AIR_COOLING_SECONDS = 2400.0
#: At rest the intake sensor measures the cabinet, 3.4 K above the air (PROTOCOL 14.2).
CABINET_KELVIN = 3.4
CABINET_SECONDS = 750.0
INTAKE_SECONDS = 60.0

IDLE, PRE_RUN, START, RUN, RUN_ON, LOCK_OUT = (
    HeatPumpState.IDLE,
    HeatPumpState.PRE_RUN,
    HeatPumpState.COMPRESSOR_START,
    HeatPumpState.RUN,
    HeatPumpState.FAN_RUN_ON,
    HeatPumpState.LOCK_OUT,
)


def heat_watts(air: float, water: float) -> float:
    """Return the heat into the tank in W, fitted to the recoveries of PROTOCOL 14.7."""
    return 1400 + 38 * (air - 20) - 8 * (water - 50)


def power_watts(air: float, water: float) -> float:
    """Return the electrical power in W, by the measured 323, 386 and 467 W of PROTOCOL 14.2."""
    x, y = air - 20, water - 46
    return 390 + x + 4.45 * y + 0.037 * y * y


#: Refrigerant at rest: (seconds after the stop, target, time constant); later each temperature
#: approaches its rest temperature (LOG-B rows 218 to 490).
_AFTER_STOP: dict[str, tuple[tuple[float, float, float], ...]] = {
    "discharge": ((160, 60.4, 25), (1000, 41.0, 240)),
    "suction": ((115, 15.5, 35), (200, 28.0, 30)),
    "evaporator": ((115, 29.0, 38), (210, 27.0, 60)),
}
_REST_SECONDS = {"discharge": 1500.0, "suction": 450.0, "evaporator": 120.0}
#: The tank warms the refrigerant at rest: 37 degC with 60 degC water in a cabinet of 23 degC.
REST_SHARE = 0.37


def _approach(value: float, target: float, seconds: float, time_constant: float) -> float:
    return target + (value - target) * exp(-seconds / time_constant)


class HeatPump:
    """State machine and refrigerant circuit of the heat pump."""

    def __init__(self, *, air: float, water: float, bottom: float, seed: int) -> None:
        self.state = IDLE
        self.heat_requested = False
        self.state_seconds = 0.0
        self.seconds_since_stop = 1e6
        self.air_cooled = 0.0
        self.target_fan_rpm = 0.0
        self.fan_rpm = 0.0
        self.eev_step = EEV_PARKED
        self.ambient = air + CABINET_KELVIN
        rest = self._rest_temperature(bottom)
        self.discharge, self.suction, self.evaporator = rest + 1, rest, air + 4.6
        #: 1 with a cold machine, 0 with a warm one.
        self._cold = 1.0
        self._air, self._water = air, water
        self._superheat = SUPERHEAT_KELVIN
        self._random = Random(seed)

    @property
    def compressor(self) -> bool:
        return self.state in (START, RUN)

    @property
    def fan(self) -> bool:
        return self.state in (PRE_RUN, START, RUN, RUN_ON)

    @property
    def eev(self) -> bool:
        return self.state != IDLE

    @property
    def needs_short_steps(self) -> bool:
        """True while a step of more than 2 s would miss a change."""
        return self.state in (PRE_RUN, START, RUN_ON) or self.seconds_since_stop < 200

    @property
    def intake_air(self) -> float:
        return self._air - self.air_cooled

    @property
    def superheat(self) -> float:
        return self.suction - self.evaporator + SUPERHEAT_OFFSET

    @property
    def fan_pwm(self) -> int:
        # Counts at 550 and 900 rpm: PROTOCOL 9.6; slowing down to 550 rpm 1454 to 1578 (LOG-B).
        if not self.target_fan_rpm:
            return 0
        if self.target_fan_rpm == FAN_HIGH:
            return 1880
        return round(1092 + 370 * min(1.3, self.fan_rpm / FAN_LOW))

    @property
    def power(self) -> float:
        """Electrical power in W, without the 1 W of the controller."""
        if self.state == RUN:
            fan = FAN_HIGH_WATTS if self.target_fan_rpm == FAN_HIGH else 0.0
            warm_up = WARM_UP_WATTS * 4 * self._cold * (1 - self._cold)
            full = power_watts(self.intake_air, self._water) + fan + warm_up
            # The compressor reaches its full power within about a minute.
            return full * (1 - exp(-(self.state_seconds + COMPRESSOR_START_SECONDS) / 20.0))
        if self.state == START:
            return FAN_PRE_RUN_WATTS + 20 * self.state_seconds
        if self.state == PRE_RUN:
            return FAN_PRE_RUN_WATTS * min(1.0, self.fan_rpm / FAN_LOW)
        return FAN_RUN_ON_WATTS if self.fan_rpm > 100 else 0.0

    @property
    def heat(self) -> float:
        """Heat from the condenser into the water in W."""
        if self.state != RUN:
            return 0.0
        return heat_watts(self.intake_air, self._water) * (1 - self._cold)

    def request_heat(self, requested: bool) -> None:
        """Start or stop; the lock-out delays a start, nothing delays a stop."""
        self.heat_requested = requested
        if requested and self.state == IDLE:
            self._enter(PRE_RUN)
        elif not requested and self.state == PRE_RUN:
            self._enter(IDLE)
        elif not requested and self.compressor:
            self.seconds_since_stop = 0.0
            self._enter(RUN_ON)

    def step(self, seconds: float, *, air: float, water: float, bottom: float) -> None:
        """Simulate ``seconds``; ``water`` is the mean of the lower zone, ``bottom`` its coldest."""
        self._air, self._water = air, water
        self.state_seconds += seconds
        self.seconds_since_stop += seconds
        self._update_state()
        self._update_air(seconds, air)
        self._update_fan(seconds)
        self._update_eev(seconds)
        if self.compressor:
            self._cold = _approach(self._cold, 0.0, seconds, WARM_UP_SECONDS)
            self._update_running_circuit(seconds)
        else:
            self._cold = _approach(self._cold, 1.0, seconds, CABINET_SECONDS)
            self._update_resting_circuit(seconds, bottom)

    def _enter(self, state: HeatPumpState) -> None:
        self.state = state
        self.state_seconds = 0.0
        self.target_fan_rpm = FAN_LOW if self.fan else 0.0

    def _update_state(self) -> None:
        if self.state == PRE_RUN and self.state_seconds >= PRE_RUN_SECONDS:
            self._enter(START)
        elif self.state == START and self.state_seconds >= COMPRESSOR_START_SECONDS:
            self._enter(RUN)
        elif self.state == RUN_ON and self.state_seconds >= FAN_RUN_ON_SECONDS:
            self._enter(LOCK_OUT)
        elif self.state == LOCK_OUT and self.seconds_since_stop >= LOCK_OUT_SECONDS:
            self._enter(PRE_RUN if self.heat_requested else IDLE)

    def _update_air(self, seconds: float, air: float) -> None:
        cooled = AIR_COOLED_KELVIN if self.compressor else 0.0
        self.air_cooled = _approach(self.air_cooled, cooled, seconds, AIR_COOLING_SECONDS)
        if self.fan:
            self.ambient = _approach(self.ambient, self.intake_air, seconds, INTAKE_SECONDS)
        else:
            self.ambient = _approach(self.ambient, air + CABINET_KELVIN, seconds, CABINET_SECONDS)

    def _update_fan(self, seconds: float) -> None:
        if self.state == RUN:
            band = FAN_BAND if self.target_fan_rpm == FAN_HIGH else 0.0
            cold = self.intake_air < FAN_HIGH_BELOW + band
            self.target_fan_rpm = FAN_HIGH if cold else FAN_LOW
        # 550 rpm within 10 s; from 540 rpm it stops in 30 s (PROTOCOL 9.1).
        rate = 55.0 if self.target_fan_rpm > self.fan_rpm else 18.0
        largest = rate * seconds
        target = self.target_fan_rpm and self.target_fan_rpm - 5 + self._random.uniform(-2, 2)
        if self.state == RUN_ON and self.fan_rpm > FAN_LOW:
            largest *= 6  # 896 to 742 rpm in the first second after the stop (LOG-B row 219)
        self.fan_rpm += max(-largest, min(largest, target - self.fan_rpm))

    def _update_eev(self, seconds: float) -> None:
        largest = EEV_STEPS_PER_SECOND * seconds
        if self.state == RUN:
            hot = max(0.0, self._water - HOT_WATER)
            target = 98 + 4.2 * (self.intake_air - 16) + 3.5 * hot + self._random.uniform(-1, 1)
        elif self.state == PRE_RUN:
            # Down to about 0 in 17 s, then up to 250 (PROTOCOL 9.1).
            target = 0.0 if self.state_seconds < 480 / EEV_STEPS_PER_SECOND else EEV_START
        elif self.state in (START, RUN_ON):
            target = self.eev_step
        else:
            target = EEV_PARKED
        self.eev_step += max(-largest, min(largest, target - self.eev_step))

    def _update_running_circuit(self, seconds: float) -> None:
        hot = max(0.0, self._water - HOT_WATER)
        air = self.intake_air
        self._superheat += (SUPERHEAT_KELVIN - self._superheat) * min(1.0, seconds / 120)
        self._superheat += self._random.uniform(-0.15, 0.15)
        # 0.596 x air - 3.5 (PROTOCOL 14.2); at the end of LOG-B 0.6 K warmer per K of hot water.
        evaporator = 0.596 * air - 3.5 + 0.6 * hot
        discharge = self._water + 10.1 + 0.6 * (air - 16) + 0.75 * hot
        self.evaporator = _approach(self.evaporator, evaporator, seconds, 60)
        suction = self.evaporator + self._superheat - SUPERHEAT_OFFSET
        self.suction = _approach(self.suction, suction, seconds, 30)
        self.discharge = _approach(self.discharge, discharge, seconds, 300)

    def _update_resting_circuit(self, seconds: float, bottom: float) -> None:
        rest = self._rest_temperature(bottom)
        rests = {"discharge": rest + 1, "suction": rest, "evaporator": self._air + 4.6}
        for name, rest_target in rests.items():
            steps = (step for step in _AFTER_STOP[name] if self.seconds_since_stop <= step[0])
            _, target, constant = next(steps, (0, rest_target, _REST_SECONDS[name]))
            setattr(self, name, _approach(getattr(self, name), target, seconds, constant))

    def _rest_temperature(self, bottom: float) -> float:
        return self.ambient + REST_SHARE * (bottom - self.ambient)
