"""The ways to the broker: every transport and version there is, for the tests where it matters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping

import pytest

from navien_nwp500 import NaviLinkConfig
from navien_nwp500.simulator import Simulator

Way = str

WAYS: Mapping[Way, Mapping[str, str]] = {
    "awscrt-mqtt3": {"transport": "awscrt", "mqtt_protocol": "MQTT3"},
    "awscrt-mqtt5": {"transport": "awscrt", "mqtt_protocol": "MQTT5"},
    "pure": {"transport": "pure", "mqtt_protocol": "MQTT3"},
}

each_way = pytest.mark.parametrize("way", WAYS)


class WayedSimulator(Simulator):
    """A simulator whose clients come one way."""

    def __init__(self, way: Way, **settings: Any) -> None:
        super().__init__(**settings)
        self.way = way

    @property
    def config(self) -> NaviLinkConfig:
        return replace(super().config, **WAYS[self.way])
