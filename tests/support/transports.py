"""Run a test over every transport and MQTT version."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping

import pytest

from navien_nwp500 import NaviLinkConfig
from navien_nwp500.simulator import Simulator

TRANSPORTS: Mapping[str, Mapping[str, str]] = {
    "awscrt-mqtt3": {"transport": "awscrt", "mqtt_protocol": "MQTT3"},
    "awscrt-mqtt5": {"transport": "awscrt", "mqtt_protocol": "MQTT5"},
    "pure": {"transport": "pure", "mqtt_protocol": "MQTT3"},
}

each_transport = pytest.mark.parametrize("transport", TRANSPORTS)


class TransportSimulator(Simulator):
    """A simulator whose clients use one transport."""

    def __init__(self, transport: str, **settings: Any) -> None:
        super().__init__(**settings)
        self.transport = transport

    @property
    def config(self) -> NaviLinkConfig:
        return replace(super().config, **TRANSPORTS[self.transport])
