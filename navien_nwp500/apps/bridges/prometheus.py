"""Prometheus exporter: metrics made from the field specs at each scrape.

Each field is a metric: its type gives base unit and form, its meaning is the help text. Values are
exported only while they are current; a heater that does not respond has ``navien_up 0`` and no values.
"""

from __future__ import annotations

from typing import Any, AsyncContextManager, Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
)
from prometheus_client.registry import Collector

from ..._util.metrics_server import serve_collector
from ...analysis.hot_water import usable_water_of
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

#: Suffix and factor that convert a type's unit to a base unit of Prometheus.
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
#: The same for the lifetime counters: plain integers whose names end with the unit.
COUNTERS: Mapping[str, tuple[str, float]] = {
    "_wh": ("_energy_joules", 3600),
    "_hours": ("_running_seconds", 3600),
}
_LABELS = ("mac",)


class HeaterCollector(Collector):
    """Collector of the current values of heaters."""

    def __init__(self, followers: Sequence[Follower]) -> None:
        self._followers = followers

    def collect(self) -> Iterator[Metric]:
        """Yield each metric that has a value for at least one heater."""
        yield from self._connections()
        yield from self._last_errors()
        statuses = {
            follower.heater.mac_address: follower.status
            for follower in self._followers
            if follower.status is not None
        }
        for spec in field_specs(DeviceStatus):
            values = {mac: getattr(status, spec.name) for mac, status in statuses.items()}
            known = {mac: value for mac, value in values.items() if _known(value)}
            if known:
                yield _metric(spec.name, spec.codec, spec.meaning, known)
        if statuses:
            activities = {mac: status.activity.value for mac, status in statuses.items()}
            names = [one.value for one in Activity]
            yield _states("navien_activity", "What the heater is doing.", names, activities)
            yield from _derived(statuses)
            yield from self._forecasts()
        yield from self._counters()

    def _connections(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("navien_up", "1 while the heater responds.", labels=_LABELS)
        received = GaugeMetricFamily(
            "navien_last_status_timestamp_seconds", "Time of the newest status.", labels=_LABELS
        )
        reconnects = CounterMetricFamily(
            "navien_reconnects", "Reconnections to the cloud.", labels=_LABELS
        )
        bad = CounterMetricFamily(
            "navien_bad_messages", "Messages that could not be decoded.", labels=_LABELS
        )
        info = InfoMetricFamily(
            "navien_heater", "Name, model and firmware of the heater.", labels=_LABELS
        )
        for follower in self._followers:
            label, health = [follower.heater.mac_address], follower.heater.health
            up.add_metric(label, float(follower.status is not None))
            reconnects.add_metric(label, health.reconnects)
            bad.add_metric(label, health.bad_messages)
            if health.last_status is not None:
                received.add_metric(label, health.last_status.timestamp())
            info.add_metric(label, _identity(follower))
        yield from (up, received, reconnects, bad, info)

    def _last_errors(self) -> Iterator[Metric]:
        """Yield the last errors that the cloud knows, also of heaters that do not respond."""
        codes = GaugeMetricFamily(
            "navien_last_error_code", "Last error that the cloud knows; 0 none.", labels=_LABELS
        )
        times = GaugeMetricFamily(
            "navien_last_error_timestamp_seconds", "Time of the last error.", labels=_LABELS
        )
        info = InfoMetricFamily(
            "navien_last_error", "Last error in words, and what to do.", labels=_LABELS
        )
        for follower in self._followers:
            label, error = [follower.heater.mac_address], follower.heater.info.error
            if error is None or error.error_code is None:
                continue
            codes.add_metric(label, int(error.error_code))
            if error.text is not None and error.advice is not None:
                info.add_metric(label, {"error": error.text, "advice": error.advice})
                if error.time is not None:
                    times.add_metric(label, error.time.timestamp())
        yield from (codes, times, info)

    def _forecasts(self) -> Iterator[Metric]:
        """Yield when the water is at the setpoint, of heaters of which that is foreseeable."""
        for suffix, part, meaning in (
            ("", "minutes", "Time until the water is at the setpoint; none if not foreseeable."),
            ("_least", "least", "Lower end of the 80 % band of the time until it is."),
            ("_most", "most", "Upper end of the 80 % band of the time until it is."),
        ):
            family = GaugeMetricFamily(f"navien_ready{suffix}_seconds", meaning, labels=_LABELS)
            for one in self._followers:
                made = one.forecast if one.status is not None else None
                if made is not None and made.times.ready is not None:
                    minutes = getattr(made.times.ready, part)
                    family.add_metric([one.heater.mac_address], 60 * round(minutes))
            yield family

    def _counters(self) -> Iterator[Metric]:
        """Yield the lifetime counters of the heaters that respond."""
        known = [
            one for one in self._followers if one.energy is not None and one.status is not None
        ]
        for spec in field_specs(EnergyTotal) if known else ():
            stem, _, unit = spec.name.rpartition("_")
            suffix, factor = COUNTERS[f"_{unit}"]
            family = CounterMetricFamily(f"navien_{stem}{suffix}", spec.meaning, labels=_LABELS)
            for one in known:
                family.add_metric([one.heater.mac_address], getattr(one.energy, spec.name) * factor)
            yield family


def _derived(statuses: Mapping[str, DeviceStatus]) -> Iterator[Metric]:
    """Yield what is calculated from a whole status: usable water, air filter, error in words."""
    yield from _usable_water(statuses)
    hours = GaugeMetricFamily(
        "navien_air_filter_remaining_seconds",
        "Fan time until the air filter must be cleaned.",
        labels=_LABELS,
    )
    info = InfoMetricFamily("navien_error", "Active error in words, what to do.", labels=_LABELS)
    for mac, status in statuses.items():
        if status.air_filter_remaining_hours is not None:
            hours.add_metric([mac], status.air_filter_remaining_hours * 3600)
        if status.error_text is not None and status.error_advice is not None:
            info.add_metric([mac], {"error": status.error_text, "advice": status.error_advice})
    yield from (hours, info)


def _usable_water(statuses: Mapping[str, DeviceStatus]) -> Iterator[Metric]:
    """Yield the hot water of each tank; no estimate below 100 litres, only its range."""
    waters = {mac: usable_water_of(status) for mac, status in statuses.items()}
    for suffix, part, meaning in (
        ("", "litres", "Water of 40 degC that the tank gives without heating; none below 0.1."),
        ("_least", "least", "Lower end of the range of the usable water."),
        ("_most", "most", "Upper end of the range of the usable water."),
    ):
        name = f"navien_usable_water{suffix}_cubic_meters"
        family = GaugeMetricFamily(name, meaning, labels=_LABELS)
        for mac, water in waters.items():
            litres = None if water is None else water.to_json()[part]
            if litres is not None:
                family.add_metric([mac], litres / 1000)
        yield family


def _known(value: Any) -> bool:
    """Return False for None and for a flag that is neither on nor off."""
    return value in (Flag.READY, Flag.ACTIVE) if isinstance(value, Flag) else value is not None


def _identity(follower: Follower) -> dict[str, str]:
    labels = {"name": follower.heater.name, "model": "NWP500"}
    features = follower.features
    if features is not None and features.controller_sw_version is not None:
        labels["firmware"] = features.controller_sw_version.text
    return labels


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
        # An unknown code becomes an additional state.
        family.add_metric([mac], {one: one == value for one in dict.fromkeys([*names, value])})
    return family


def serve_metrics(followers: Sequence[Follower], host: str, port: int) -> AsyncContextManager[str]:
    """Serve ``/metrics`` on an address while the block runs; its value is the URL.

    With port 0 the system chooses a port.
    """
    return serve_collector(HeaterCollector(followers), host, port)
