"""The heat pump: sequencer, fan, expansion valve, refrigerant temperatures and power.

Times in seconds, temperatures in degC, power and heat in W. Measured figures from
PROTOCOL 9.1, 9.6, 9.7 and 14.2.
"""

from __future__ import annotations

from math import exp
from random import Random

from ...protocol.types import HeatPumpState

#: Pre-run 28 to 36 s, write to compressor 30 s in the median (PROTOCOL 9.1, 9.9).
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
#: 900 rpm goes with low intake air: seen at 16 degC, 550 rpm at 26 degC (PROTOCOL 9.6).
FAN_HIGH_BELOW = 18.0
FAN_BAND = 1.0
FAN_PRE_RUN_WATTS = 17.0
FAN_RUN_ON_WATTS = 9.0
#: The fit of PROTOCOL 14.2 falls short of the measured power by these; 900 rpm takes more.
FAN_LOW_WATTS = 5.0
FAN_HIGH_WATTS = 31.0
#: Measured power and discharge rise faster above this water than the fit does: 20 and not 5 W/K
#: at the end of a run (PROTOCOL 14.2), discharge 69.6 to 72.2 over the last 1.7 K (LOG-B).
HOT_WATER = 58.2
HOT_WATTS_PER_KELVIN = 6.0

#: Into the tank came 1.02 kW net where the fit gives 0.98 kW before a loss of 0.09 kW, and
#: 1,271 W over whole recoveries at air 18.3 where it gives 1,156 W (PROTOCOL 14.2).
HEAT_FACTOR = 1.12
#: 160 Wh a start go into the machine before the tank gains heat (PROTOCOL 14.2): 8 min at 1.2 kW.
WARM_UP_SECONDS = 480.0

#: Running long, the unit cools the air it takes in: 16.3 at the stop of LOG-B, 19.8 at rest.
AIR_COOLED_KELVIN = 3.6
AIR_COOLING_SECONDS = 2400.0
#: The intake sensor at rest reads the cabinet, 3.4 K above the air (PROTOCOL 14.2).
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
    """Heat into the tank by the fit of PROTOCOL 14.2, W."""
    x, y = air - 20, water - 50
    return 1202 + 27.2 * x - 12.26 * y - 0.184 * x * y - 0.044 * y * y + 0.264 * x * x


def power_watts(air: float, water: float) -> float:
    """Electrical power by the fit of PROTOCOL 14.2, W."""
    x, y = air - 20, water - 50
    return 389 + 2.54 * x + 6.37 * y + 0.177 * x * y - 0.042 * y * y - 0.061 * x * x


#: What the refrigerant does at rest: until so many seconds after the stop each temperature nears
#: a goal with a time constant; then the goal is where it rests (LOG-B rows 218 to 490).
_AFTER_STOP: dict[str, tuple[tuple[float, float, float], ...]] = {
    "discharge": ((160, 60.4, 25), (1000, 41.0, 240)),
    "suction": ((115, 15.5, 35), (200, 28.0, 30)),
    "evaporator": ((115, 29.0, 38), (210, 27.0, 60)),
}
_REST_LAG = {"discharge": 1500.0, "suction": 450.0, "evaporator": 120.0}
#: The bottom of a hot tank warms the refrigerant at rest: 37 degC with 60 degC water in a cabinet of 23.
REST_SHARE = 0.37


def _toward(value: float, goal: float, seconds: float, lag: float) -> float:
    return goal + (value - goal) * exp(-seconds / lag)


class HeatPump:
    """Sequencer and refrigerant circuit; ``step`` moves it, ``call`` asks for heat or ends it."""

    def __init__(self, *, air: float, water: float, bottom: float, seed: int) -> None:
        self.state = IDLE
        self.called = False
        self.in_state = 0.0
        self.since_stop = 1e6
        self.air_cooled = 0.0
        self.target_fan_rpm = 0.0
        self.fan_rpm = 0.0
        self.eev_step = EEV_PARKED
        self.ambient = air + CABINET_KELVIN
        rest = self._rest_temperature(bottom)
        self.discharge, self.suction, self.evaporator = rest + 1, rest, air + 4.6
        self._warm = 0.0
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
    def lively(self) -> bool:
        """Whether a step of more than 2 s would miss something."""
        return self.state in (PRE_RUN, START, RUN_ON) or self.since_stop < 200

    @property
    def intake_air(self) -> float:
        return self._air - self.air_cooled

    @property
    def superheat(self) -> float:
        return self.suction - self.evaporator + SUPERHEAT_OFFSET

    @property
    def fan_pwm(self) -> int:
        # Counts at 550 and 900 rpm: PROTOCOL 9.6; coasting to 550 rpm 1454 to 1578 (LOG-B).
        if not self.target_fan_rpm:
            return 0
        if self.target_fan_rpm == FAN_HIGH:
            return 1880
        return round(1092 + 370 * min(1.3, self.fan_rpm / FAN_LOW))

    @property
    def power(self) -> float:
        """What the machine draws, W, without the 1 W of the controller."""
        if self.state == RUN:
            fan = FAN_HIGH_WATTS if self.target_fan_rpm == FAN_HIGH else FAN_LOW_WATTS
            hot = HOT_WATTS_PER_KELVIN * max(0.0, self._water - HOT_WATER)
            full = power_watts(self.intake_air, self._water) + fan + hot
            # The compressor takes its full power within about half a minute of its start.
            return full * (1 - exp(-(self.in_state + COMPRESSOR_START_SECONDS) / 10.0))
        if self.state == START:
            return FAN_PRE_RUN_WATTS + 20 * self.in_state
        if self.state == PRE_RUN:
            return FAN_PRE_RUN_WATTS * min(1.0, self.fan_rpm / FAN_LOW)
        return FAN_RUN_ON_WATTS if self.fan_rpm > 100 else 0.0

    @property
    def heat(self) -> float:
        """What the condenser gives the water, W."""
        if self.state != RUN:
            return 0.0
        return heat_watts(self.intake_air, self._water) * HEAT_FACTOR * self._warm

    def call(self, wanted: bool) -> None:
        """Ask for heat, or end it; the lock-out delays a start, nothing delays the stop."""
        self.called = wanted
        if wanted and self.state == IDLE:
            self._enter(PRE_RUN)
        elif not wanted and self.state == PRE_RUN:
            self._enter(IDLE)
        elif not wanted and self.compressor:
            self.since_stop = 0.0
            self._enter(RUN_ON)

    def step(self, seconds: float, *, air: float, water: float, bottom: float) -> None:
        """Move ``seconds`` on; ``water`` is the mean of the lower zone, ``bottom`` its coldest."""
        self._air, self._water = air, water
        self.in_state += seconds
        self.since_stop += seconds
        self._next_state()
        self._move_air(seconds, air)
        self._move_fan(seconds)
        self._move_eev(seconds)
        if self.compressor:
            self._warm = _toward(self._warm, 1.0, seconds, WARM_UP_SECONDS)
            self._move_running(seconds)
        else:
            self._warm = _toward(self._warm, 0.0, seconds, CABINET_SECONDS)
            self._move_resting(seconds, bottom)

    def _enter(self, state: HeatPumpState) -> None:
        self.state = state
        self.in_state = 0.0
        self.target_fan_rpm = FAN_LOW if self.fan else 0.0

    def _next_state(self) -> None:
        if self.state == PRE_RUN and self.in_state >= PRE_RUN_SECONDS:
            self._enter(START)
        elif self.state == START and self.in_state >= COMPRESSOR_START_SECONDS:
            self._enter(RUN)
        elif self.state == RUN_ON and self.in_state >= FAN_RUN_ON_SECONDS:
            self._enter(LOCK_OUT)
        elif self.state == LOCK_OUT and self.since_stop >= LOCK_OUT_SECONDS:
            self._enter(PRE_RUN if self.called else IDLE)

    def _move_air(self, seconds: float, air: float) -> None:
        if self.compressor:
            cooled, lag = AIR_COOLED_KELVIN, AIR_COOLING_SECONDS
        else:
            cooled, lag = 0.0, AIR_COOLING_SECONDS
        self.air_cooled = _toward(self.air_cooled, cooled, seconds, lag)
        if self.fan:
            self.ambient = _toward(self.ambient, self.intake_air, seconds, INTAKE_SECONDS)
        else:
            self.ambient = _toward(self.ambient, air + CABINET_KELVIN, seconds, CABINET_SECONDS)

    def _move_fan(self, seconds: float) -> None:
        if self.state == RUN:
            band = FAN_BAND if self.target_fan_rpm == FAN_HIGH else 0.0
            cold = self.intake_air < FAN_HIGH_BELOW + band
            self.target_fan_rpm = FAN_HIGH if cold else FAN_LOW
        # 550 rpm within 10 s, 540 rpm coast to rest in 30 s (PROTOCOL 9.1).
        rate = 55.0 if self.target_fan_rpm > self.fan_rpm else 18.0
        reach = rate * seconds
        goal = self.target_fan_rpm and self.target_fan_rpm - 5 + self._random.uniform(-2, 2)
        if self.state == RUN_ON and self.fan_rpm > FAN_LOW:
            reach *= 6  # 896 to 742 rpm in the first second after the stop (LOG-B row 219)
        self.fan_rpm += max(-reach, min(reach, goal - self.fan_rpm))

    def _move_eev(self, seconds: float) -> None:
        reach = EEV_STEPS_PER_SECOND * seconds
        if self.state == RUN:
            hot = max(0.0, self._water - HOT_WATER)
            goal = 98 + 4.2 * (self.intake_air - 16) + 3.5 * hot + self._random.uniform(-1, 1)
        elif self.state == PRE_RUN:
            # Down to about 0 in 17 s, then up to 250 (PROTOCOL 9.1).
            goal = 0.0 if self.in_state < 480 / EEV_STEPS_PER_SECOND else EEV_START
        elif self.state in (START, RUN_ON):
            goal = self.eev_step
        else:
            goal = EEV_PARKED
        self.eev_step += max(-reach, min(reach, goal - self.eev_step))

    def _move_running(self, seconds: float) -> None:
        hot = max(0.0, self._water - HOT_WATER)
        air = self.intake_air
        self._superheat += (SUPERHEAT_KELVIN - self._superheat) * min(1.0, seconds / 120)
        self._superheat += self._random.uniform(-0.15, 0.15)
        # 0.596 x air - 3.5 (PROTOCOL 14.2), warmer at the end of LOG-B by 0.6 K per K of hot water.
        evaporator = 0.596 * air - 3.5 + 0.6 * hot
        discharge = self._water + 10.1 + 0.6 * (air - 16) + 0.75 * hot
        self.evaporator = _toward(self.evaporator, evaporator, seconds, 60)
        suction = self.evaporator + self._superheat - SUPERHEAT_OFFSET
        self.suction = _toward(self.suction, suction, seconds, 30)
        self.discharge = _toward(self.discharge, discharge, seconds, 300)

    def _move_resting(self, seconds: float, bottom: float) -> None:
        rest = self._rest_temperature(bottom)
        rests = {"discharge": rest + 1, "suction": rest, "evaporator": self._air + 4.6}
        for name, goal in rests.items():
            lag = _REST_LAG[name]
            for until, near, near_lag in _AFTER_STOP[name]:
                if self.since_stop <= until:
                    goal, lag = near, near_lag
                    break
            setattr(self, name, _toward(getattr(self, name), goal, seconds, lag))

    def _rest_temperature(self, bottom: float) -> float:
        cabinet = self.ambient
        return cabinet + REST_SHARE * (bottom - cabinet)
