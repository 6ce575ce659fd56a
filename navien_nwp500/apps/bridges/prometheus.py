"""Prometheus' side: a page of metrics, made from the rows of the tables at each visit.

A row is a metric: its type says base unit and form, its meaning is the help. What a heater said is
told while it is true; of a heater that is not heard only ``navien_up 0`` is told, never old values.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Any, AsyncIterator, Iterable, Iterator, Mapping, Sequence

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from ...protocol.energy import EnergyTotal
from ...protocol.fields import field_specs
from ...protocol.status import Activity, DeviceStatus
from ...protocol.types import (
    Choice,
    Code,
    Days,
    DeciKelvin,
    DeciLitresPerMinute,
    EnergyCount,
    Flag,
    Hours,
    Litres,
    Percent,
    Quantity,
    Rpm,
    SignalStrength,
    Steps,
    Temperature,
    Watts,
)
from .follower import Follower

#: Suffix and factor that make a type's unit a base unit of Prometheus.
UNITS: Mapping[type[Quantity], tuple[str, float]] = {
    Temperature: ("_celsius", 1),
    DeciKelvin: ("_kelvin", 1),
    Watts: ("_watts", 1),
    EnergyCount: ("_joules", 3600),
    Percent: ("_ratio", 0.01),
    Hours: ("_seconds", 3600),
    Days: ("_seconds", 86400),
    Rpm: ("_rpm", 1),
    Steps: ("_steps", 1),
    Litres: ("_cubic_meters", 0.001),
    DeciLitresPerMinute: ("_cubic_meters_per_second", 0.001 / 60),
    SignalStrength: ("_dbm", 1),
    Code: ("", 1),
}
#: The lifetime's counters are plain integers; their names end with the unit.
COUNTERS: Mapping[str, tuple[str, float]] = {
    "_wh": ("_energy_joules", 3600),
    "_hours": ("_running_seconds", 3600),
}
_LABELS = ("mac",)


class HeaterCollector(Collector):
    """Makes the metrics of heaters out of what is true of them now."""

    def __init__(self, followers: Sequence[Follower]) -> None:
        self._followers = followers

    def collect(self) -> Iterator[Metric]:
        """Yield each metric some heater has a value for."""
        yield from self._lines()
        statuses = {
            follower.heater.mac_address: follower.status
            for follower in self._followers
            if follower.status is not None
        }
        for row in field_specs(DeviceStatus):
            values = {mac: getattr(status, row.name) for mac, status in statuses.items()}
            known = {mac: value for mac, value in values.items() if _said(value)}
            if known:
                yield _metric(row.name, row.codec, row.meaning, known)
        if statuses:
            activities = {mac: status.activity.value for mac, status in statuses.items()}
            names = [one.value for one in Activity]
            yield _states("navien_activity", "What the heater is doing.", names, activities)
        yield from self._counters()

    def _lines(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("navien_up", "Whether the heater is heard.", labels=_LABELS)
        heard = GaugeMetricFamily(
            "navien_last_status_timestamp_seconds", "When its newest status came.", labels=_LABELS
        )
        reconnects = CounterMetricFamily(
            "navien_reconnects", "Times the connection was lost and found again.", labels=_LABELS
        )
        bad = CounterMetricFamily(
            "navien_bad_messages", "Messages that could not be understood.", labels=_LABELS
        )
        info = InfoMetricFamily("navien_heater", "Which heater it is.", labels=_LABELS)
        for follower in self._followers:
            label, health = [follower.heater.mac_address], follower.heater.health
            up.add_metric(label, float(follower.status is not None))
            reconnects.add_metric(label, health.reconnects)
            bad.add_metric(label, health.bad_messages)
            if health.last_status is not None:
                heard.add_metric(label, health.last_status.timestamp())
            info.add_metric(label, _identity(follower))
        yield from (up, heard, reconnects, bad, info)

    def _counters(self) -> Iterator[Metric]:
        """A heater's lifetime: true for as long as it is heard, and never going back."""
        told = [one for one in self._followers if one.energy is not None and one.status is not None]
        for row in field_specs(EnergyTotal):
            if told:
                stem, _, unit = row.name.rpartition("_")
                suffix, factor = COUNTERS[f"_{unit}"]
                family = CounterMetricFamily(f"navien_{stem}{suffix}", row.meaning, labels=_LABELS)
                for one in told:
                    value = getattr(one.energy, row.name) * factor
                    family.add_metric([one.heater.mac_address], value)
                yield family


def _said(value: Any) -> bool:
    """Whether a value says anything: a flag that is neither on nor off does not."""
    return value in (Flag.READY, Flag.ACTIVE) if isinstance(value, Flag) else value is not None


def _identity(follower: Follower) -> dict[str, str]:
    found = {"name": follower.heater.name, "model": "NWP500"}
    features = follower.features
    if features is not None and features.controller_sw_version is not None:
        found["firmware"] = features.controller_sw_version.text
    return found


def _metric(name: str, codec: type[Any], meaning: str, values: Mapping[str, Any]) -> Metric:
    name = f"navien_{name}"
    if issubclass(codec, Choice) and not issubclass(codec, Flag):
        names = [one.name.lower() for one in codec]
        return _states(name, meaning, names, {mac: one.name.lower() for mac, one in values.items()})
    suffix, factor = ("", 1.0) if issubclass(codec, Flag) else _unit(codec)
    suffix = "" if name.endswith(suffix) else suffix
    family = GaugeMetricFamily(f"{name}{suffix}", meaning, labels=_LABELS)
    for mac, value in values.items():
        flag = isinstance(value, Flag)
        family.add_metric([mac], float(value.active) if flag else value.physical * factor)
    return family


def _unit(codec: type[Any]) -> tuple[str, float]:
    return next(UNITS[base] for base in codec.__mro__ if base in UNITS)


def _states(name: str, meaning: str, names: Iterable[str], values: Mapping[str, str]) -> Metric:
    family = StateSetMetricFamily(name, meaning, labels=_LABELS)
    for mac, value in values.items():
        # A code nobody knows is a state of its own.
        family.add_metric([mac], {one: one == value for one in dict.fromkeys([*names, value])})
    return family


@asynccontextmanager
async def serving(followers: Sequence[Follower], host: str, port: int) -> AsyncIterator[str]:
    """Serve ``/metrics`` on this address; yields its URL. Port 0 lets the system choose."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(HeaterCollector(followers))

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        bound = runner.addresses[0]
        shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        yield f"http://{shown}:{bound[1]}/metrics"
    finally:
        await runner.cleanup()
