"""The tank: layers of water with two sensors, in W, litres and degC.

With layers the sensors react late to a draw and to an element. A recovery heats the lower zone
first: the condenser's wall stirs it, so that cold water below the lower sensor passes it and the
sensor dips before it climbs (PROTOCOL 14.1, 14.2, 14.3, 14.5).
"""

from __future__ import annotations

from math import exp
from random import Random

from ...protocol.types import DeciCelsius, Volume

#: The upper element heats 66 L of a 65-gallon tank: three layers of eleven (PROTOCOL 14.3).
LAYERS = 11
#: The condenser heats 0.44 to 0.48 of the tank while it is stratified: five of eleven
#: (PROTOCOL 14.1).
CONDENSER_LAYERS = 5
UPPER_ELEMENT_LAYER = 8
LOWER_ELEMENT_LAYER = 1
#: The upper sensor is at the upper element, the lower one between two layers (``_lower_water``),
#: which gives -3.8 K for a draw of 43.5 L (PROTOCOL 14.5). The outlet is one layer, 22 L, above the
#: upper sensor: 20 to 28 L are usable after it has turned cold (PROTOCOL 14.8). The highest layer
#: is drawn only as far as it mixes.
OUTLET_LAYER = 9

WATT_HOURS_PER_LITRE_KELVIN = 1.163
#: 281 Wh/K on the 65-gallon unit are 241.7 of its nominal 246.0 L (PROTOCOL 14.1).
WATER_SHARE = 241.7 / 246.0

#: 14 W/K a layer is a time constant of 27 h between the halves of the tank (PROTOCOL 14.1).
CONDUCTION = 14.0
JACKET_WATTS_PER_KELVIN = 2.36  # PROTOCOL 14.4
BOTTOM_WATTS = 27.0  # PROTOCOL 14.4
BOTTOM_GAP_KELVIN = 1.02  # PROTOCOL 14.4
#: A mixed tank loses this part of it too: the sensors do not see it, but it makes the lower one
#: hold longer at the next start (PROTOCOL 14.2). Our choice.
BOTTOM_LEAST_SHARE = 0.8
#: Time in which water rising along the condenser stirs the lower zone: 1.2 kW at 1 to 2 K above
#: the water are 500 to 1000 L/h in a zone of 110 L. Our choice.
STIRRING_SECONDS = 250.0
#: The jet of the inlet stirs the water that is colder than the outlet by so much: a part of a layer
#: that flows in moves each of them by so many times that part towards their mean. The outlet of a
#: full tank is then cold after about 155 L (PROTOCOL 14.8). Our choice.
INLET_STIRRING_KELVIN = 6.0
INLET_STIRRING = 1.5

#: The sensor follows the element 1.21 min late, at switching on and off (PROTOCOL 14.3).
SENSOR_LAG_SECONDS = 73.0
#: The lower sensor shows 0.3 K above the upper one in an hour of rest (LOG-B rows 260 to 490).
LOWER_SENSOR_OFFSET = 0.25
#: Both sensors fall within 2 min of a stop, by 0.3 and 0.5 K (LOG-B rows 218 to 228): warm water
#: rises along the wall while the condenser heats. K per kW.
UPPER_WALL_KELVIN = 0.27
LOWER_WALL_KELVIN = 0.45
WALL_LAG_SECONDS = 60.0
#: A start first moves colder water past the sensors, as if the condenser cooled, and warms the wall
#: slowly: even after a short stop the lower sensor holds for 3 min (PROTOCOL 14.2). Our choice.
START_DIP_KILOWATTS = -0.3
WALL_RISE_SECONDS = 700.0
NOISE_KELVIN = 0.04
NOISE_SECONDS = 60.0


class Tank:
    """Water in layers, bottom first, with heat counters in Wh: in, lost, drawn and stored."""

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
        self._noise_age = 0.0
        self._condenser_kw = 0.0
        self._heating = False
        self.layers: list[float] = []
        self.set_sensors(upper, lower)

    def set_sensors(self, upper: float, lower: float) -> None:
        """Set the water so that the sensors show these temperatures in degC."""
        wall_upper, wall_lower = self._wall_kelvin(upper, lower)
        upper -= wall_upper
        lower -= wall_lower + LOWER_SENSOR_OFFSET
        # Two zones of half the tank each (PROTOCOL 14.1); the middle layer is in both.
        half = LAYERS // 2
        self.layers = [lower] * half + [(upper + lower) / 2] + [upper] * half
        self._mix()
        self._sensors = [self._upper_water, self._lower_water]

    @property
    def upper(self) -> DeciCelsius:
        """Temperature of the upper sensor."""
        wall = self._wall_kelvin(*self._sensors)[0]
        return DeciCelsius.from_celsius(self._sensors[0] + wall + self._noise[0])

    @property
    def lower(self) -> DeciCelsius:
        """Temperature of the lower sensor."""
        wall = self._wall_kelvin(*self._sensors)[1]
        water = self._sensors[1] + LOWER_SENSOR_OFFSET
        return DeciCelsius.from_celsius(water + wall + self._noise[1])

    @property
    def condenser_water(self) -> float:
        """Mean temperature of the water the condenser heats in degC."""
        return sum(self.layers[:CONDENSER_LAYERS]) / CONDENSER_LAYERS

    @property
    def outlet(self) -> float:
        """Temperature of the water that a draw takes in degC."""
        return self.layers[OUTLET_LAYER]

    @property
    def bottom(self) -> float:
        """Temperature of the lowest layer in degC."""
        return self.layers[0]

    @property
    def stored_wh(self) -> float:
        """Heat of the water above 0 degC in Wh."""
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
        """Simulate ``seconds``: heat in W, air in degC, ``litres`` drawn in this time."""
        hours = seconds / 3600
        self._cool(hours, air)
        self._conduct(hours)
        self._draw(litres)
        self._heat_by_condenser(condenser * hours, seconds)
        self._heat(UPPER_ELEMENT_LAYER, upper_element * hours)
        self._heat(LOWER_ELEMENT_LAYER, lower_element * hours)
        self._mix()
        self._update_sensors(seconds, condenser)

    def _heat(self, layer: int, watt_hours: float) -> None:
        self.layers[layer] += watt_hours / self._layer_wh
        self.heat_in_wh += watt_hours

    def _heat_by_condenser(self, watt_hours: float, seconds: float) -> None:
        if not watt_hours:
            return
        for layer in range(CONDENSER_LAYERS):
            self._heat(layer, watt_hours / CONDENSER_LAYERS)
        self._stir(CONDENSER_LAYERS, 1 - exp(-seconds / STIRRING_SECONDS))

    def _stir(self, count: int, share: float) -> None:
        """Move the lowest ``count`` layers towards their mean, by ``share`` of the way."""
        mean = sum(self.layers[:count]) / count
        self.layers[:count] = [water + (mean - water) * share for water in self.layers[:count]]

    def _cool(self, hours: float, air: float) -> None:
        share = JACKET_WATTS_PER_KELVIN / LAYERS * hours
        layers = self.layers
        gap = max(0.0, self._upper_water - self._lower_water)
        share_of_bottom = max(BOTTOM_LEAST_SHARE, 1 - exp(-gap / BOTTOM_GAP_KELVIN))
        bottom = BOTTOM_WATTS * share_of_bottom * hours
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
        drawn = OUTLET_LAYER + 1
        while litres > 0:
            share = min(litres / layer_litres, 0.5)
            litres -= share * layer_litres
            outlet = self.outlet
            self.drawn_wh += share * self._layer_wh * (outlet - self.inlet)
            below = [self.inlet, *self.layers[:OUTLET_LAYER]]
            self.layers[:drawn] = [w + share * (b - w) for w, b in zip(self.layers, below)]
            stirred = sum(w < outlet - INLET_STIRRING_KELVIN for w in self.layers[:drawn])
            if stirred:
                self._stir(stirred, INLET_STIRRING * share)

    def _mix(self) -> None:
        """Mix each layer with the one above if that is colder."""
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

    def _update_sensors(self, seconds: float, condenser: float) -> None:
        follow = 1 - exp(-seconds / SENSOR_LAG_SECONDS)
        self._sensors[0] += (self._upper_water - self._sensors[0]) * follow
        self._sensors[1] += (self._lower_water - self._sensors[1]) * follow
        if condenser and not self._heating:
            self._condenser_kw = START_DIP_KILOWATTS
        self._heating = condenser > 0
        lag = WALL_RISE_SECONDS if condenser else WALL_LAG_SECONDS
        self._condenser_kw += (condenser / 1000 - self._condenser_kw) * (1 - exp(-seconds / lag))
        self._noise_age += seconds
        if self._noise_age >= NOISE_SECONDS:
            self._noise_age = 0.0
            self._noise = [self._random.uniform(-NOISE_KELVIN, NOISE_KELVIN) for _ in range(2)]

    def _wall_kelvin(self, upper: float, lower: float) -> tuple[float, float]:
        mixed = max(0.0, min(1.0, 1.0 - (upper - lower)))
        return (
            UPPER_WALL_KELVIN * self._condenser_kw * mixed,
            LOWER_WALL_KELVIN * self._condenser_kw,
        )

    @property
    def _upper_water(self) -> float:
        return self.layers[UPPER_ELEMENT_LAYER]

    @property
    def _lower_water(self) -> float:
        return (self.layers[3] + self.layers[4]) / 2
