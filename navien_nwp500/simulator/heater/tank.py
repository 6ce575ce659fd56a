"""The water: a stack of layers with two sensors, in watts, litres and degrees Celsius.

Layers rather than two lumps: the sensors then react late to a draw and to an element, and a
recovery heats the cold part first, as measured (PROTOCOL 14.1, 14.3, 14.5).
"""

from __future__ import annotations

from math import exp
from random import Random

from ...protocol.types import DeciCelsius, Volume

#: 66 L of a 65-gallon tank answer to the upper element: three layers of eleven (PROTOCOL 14.3).
LAYERS = 11
#: The condenser heats 0.44 to 0.48 of the tank while it is stratified: five of eleven (14.1).
CONDENSER_LAYERS = 5
UPPER_ELEMENT_LAYER = 8
LOWER_ELEMENT_LAYER = 1

#: Place of the sensors in layers from the bottom; the lower one reads between two layers, which
#: gives -3.8 K for a draw of 43.5 L (PROTOCOL 14.5).
UPPER_SENSOR = 8.0
LOWER_SENSOR = 3.5

WATT_HOURS_PER_LITRE_KELVIN = 1.163
#: 281 Wh/K on the 65-gallon unit are 241.7 of its nominal 246.0 L (PROTOCOL 14.1).
WATER_SHARE = 241.7 / 246.0

#: 14 W/K a layer is a time constant of 27 h between the halves of the tank (PROTOCOL 14.1).
CONDUCTION = 14.0
JACKET_WATTS_PER_KELVIN = 2.36  # PROTOCOL 14.4
BOTTOM_WATTS = 27.0  # PROTOCOL 14.4
BOTTOM_GAP_KELVIN = 1.02  # PROTOCOL 14.4
CONDENSER_LIFT_KELVIN = 5.6  # condenser above the water, PROTOCOL 14.2

#: 1.21 min at full element power before the sensor follows, the same coast after (PROTOCOL 14.3).
SENSOR_LAG_SECONDS = 73.0
#: The lower sensor reads 0.3 K above the upper one in an hour of rest (LOG-B rows 260 to 490).
LOWER_SENSOR_OFFSET = 0.25
#: Both sensors fall within 2 min of a stop, by 0.3 and 0.5 K (LOG-B rows 218 to 228): warm water
#: rises along the wall while the condenser heats. K per kW.
UPPER_WALL_KELVIN = 0.27
LOWER_WALL_KELVIN = 0.45
WALL_LAG_SECONDS = 60.0
NOISE_KELVIN = 0.04
NOISE_SECONDS = 60.0


class Tank:
    """Water in layers, bottom first; what came in, went out and is left is accounted in Wh."""

    def __init__(
        self, *, volume: Volume, upper: float, lower: float, inlet: float, seed: int
    ) -> None:
        self.litres = (volume.litres or 246.0) * WATER_SHARE
        self.inlet = inlet
        self.heat_in_wh = 0.0
        self.lost_wh = 0.0
        self.drawn_wh = 0.0
        self._layer_wh = self.litres * WATT_HOURS_PER_LITRE_KELVIN / LAYERS
        self._random = Random(seed)
        self._noise = [0.0, 0.0]
        self._quiet = 0.0
        self._wall = 0.0
        self.layers: list[float] = []
        self.set_sensors(upper, lower)

    def set_sensors(self, upper: float, lower: float) -> None:
        """Put water into the tank that makes both sensors read these, degC."""
        wall_upper, wall_lower = self._wall_kelvin(upper, lower)
        upper -= wall_upper
        lower -= wall_lower + LOWER_SENSOR_OFFSET
        slope = (upper - lower) / (UPPER_SENSOR - LOWER_SENSOR)
        coldest = min(self.inlet, upper, lower)
        self.layers = [
            max(coldest, min(lower + slope * (place - LOWER_SENSOR), max(upper, lower)))
            for place in range(LAYERS)
        ]
        self._rise()
        self._sensors = [self._upper_water, self._lower_water]

    @property
    def upper(self) -> DeciCelsius:
        """What the upper sensor reads."""
        wall = self._wall_kelvin(*self._sensors)[0]
        return DeciCelsius.from_celsius(self._sensors[0] + wall + self._noise[0])

    @property
    def lower(self) -> DeciCelsius:
        """What the lower sensor reads."""
        wall = self._wall_kelvin(*self._sensors)[1]
        water = self._sensors[1] + LOWER_SENSOR_OFFSET
        return DeciCelsius.from_celsius(water + wall + self._noise[1])

    @property
    def condenser_water(self) -> float:
        """Mean of the water the condenser lies around, degC."""
        return sum(self.layers[:CONDENSER_LAYERS]) / CONDENSER_LAYERS

    @property
    def bottom(self) -> float:
        """The coldest water, degC."""
        return self.layers[0]

    @property
    def stored_wh(self) -> float:
        """Heat in the water above 0 degC."""
        return sum(self.layers) * self._layer_wh

    def step(
        self,
        seconds: float,
        *,
        air: float,
        condenser: float = 0.0,
        upper_element: float = 0.0,
        lower_element: float = 0.0,
        litres: float = 0.0,
    ) -> None:
        """Move ``seconds`` on: heat in W, air in degC, ``litres`` drawn in this time."""
        hours = seconds / 3600
        self._lose(hours, air)
        self._conduct(hours)
        self._draw(litres)
        self._condense(condenser * hours)
        self._heat(UPPER_ELEMENT_LAYER, upper_element * hours)
        self._heat(LOWER_ELEMENT_LAYER, lower_element * hours)
        self._rise()
        self._sense(seconds, condenser)

    def _heat(self, layer: int, watt_hours: float) -> None:
        self.layers[layer] += watt_hours / self._layer_wh
        self.heat_in_wh += watt_hours

    def _condense(self, watt_hours: float) -> None:
        if not watt_hours:
            return
        # The colder a layer, the more of the condenser's heat it takes.
        wrapped = self.layers[:CONDENSER_LAYERS]
        wall = max(wrapped) + CONDENSER_LIFT_KELVIN
        total = sum(wall - water for water in wrapped)
        for layer, water in enumerate(wrapped):
            self._heat(layer, watt_hours * (wall - water) / total)

    def _lose(self, hours: float, air: float) -> None:
        share = JACKET_WATTS_PER_KELVIN / LAYERS * hours
        layers = self.layers
        gap = max(0.0, self._upper_water - self._lower_water)
        bottom = BOTTOM_WATTS * (1 - exp(-gap / BOTTOM_GAP_KELVIN)) * hours
        if layers[0] <= air:
            bottom = 0.0
        lost = share * (sum(layers) - LAYERS * air) + bottom
        factor = share / self._layer_wh
        self.layers = [water - (water - air) * factor for water in layers]
        self.layers[0] -= bottom / self._layer_wh
        self.lost_wh += lost

    def _conduct(self, hours: float) -> None:
        layers = self.layers
        factor = CONDUCTION * hours / self._layer_wh
        flows = [(layers[i + 1] - layers[i]) * factor for i in range(LAYERS - 1)]
        for i, flow in enumerate(flows):
            layers[i] += flow
            layers[i + 1] -= flow

    def _draw(self, litres: float) -> None:
        layer_litres = self.litres / LAYERS
        while litres > 0:
            share = min(litres / layer_litres, 0.5)
            litres -= share * layer_litres
            self.drawn_wh += share * self._layer_wh * (self.layers[-1] - self.inlet)
            below = [self.inlet, *self.layers[:-1]]
            self.layers = [w + share * (b - w) for w, b in zip(self.layers, below)]

    def _rise(self) -> None:
        """Mix every layer that is warmer than the one above with it."""
        groups: list[tuple[float, int]] = []
        for water in self.layers:
            mean, count = water, 1
            while groups and groups[-1][0] > mean:
                below, size = groups.pop()
                mean = (below * size + mean * count) / (size + count)
                count += size
            groups.append((mean, count))
        if len(groups) < LAYERS:
            self.layers = [mean for mean, count in groups for _ in range(count)]

    def _sense(self, seconds: float, condenser: float) -> None:
        follow = 1 - exp(-seconds / SENSOR_LAG_SECONDS)
        self._sensors[0] += (self._upper_water - self._sensors[0]) * follow
        self._sensors[1] += (self._lower_water - self._sensors[1]) * follow
        self._wall += (condenser / 1000 - self._wall) * (1 - exp(-seconds / WALL_LAG_SECONDS))
        self._quiet += seconds
        if self._quiet >= NOISE_SECONDS:
            self._quiet = 0.0
            self._noise = [self._random.uniform(-NOISE_KELVIN, NOISE_KELVIN) for _ in range(2)]

    def _wall_kelvin(self, upper: float, lower: float) -> tuple[float, float]:
        mixed = max(0.0, min(1.0, 1.0 - (upper - lower)))
        return UPPER_WALL_KELVIN * self._wall * mixed, LOWER_WALL_KELVIN * self._wall

    @property
    def _upper_water(self) -> float:
        return self.layers[UPPER_ELEMENT_LAYER]

    @property
    def _lower_water(self) -> float:
        return (self.layers[3] + self.layers[4]) / 2
