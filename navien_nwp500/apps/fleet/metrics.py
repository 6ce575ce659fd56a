"""Metrics of a fleet for Prometheus, and whether it is alive and records.

Labels are slots, never accounts or heaters: 10,000 series would publish the list of accounts.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import AsyncContextManager, Iterator

from aiohttp import web
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..._util.metrics_server import serve_collector
from ...models import HealthState
from .fleet import Fleet

#: Phases of an account, in ``AccountState.phase``.
ACCOUNT_PHASES = ("waiting", "recording", "retrying", "refused")


class FleetCollector(Collector):
    """Collector of the current figures of a fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def collect(self) -> Iterator[Metric]:
        """Yield each metric."""
        fleet, queue = self._fleet, self._fleet.queue
        states = list(fleet.states.values())
        gauges = {
            "navien_slots_held": ("Slots that this process holds.", len(fleet.slots)),
            "navien_fleet_recording": ("1 while rows can be written.", int(fleet.writing)),
            "navien_fleet_rows_waiting": ("Rows that are not written yet.", len(queue)),
            "navien_fleet_lag_seconds": ("Time that the oldest row has waited.", queue.lag),
        }
        for name, (meaning, value) in gauges.items():
            yield GaugeMetricFamily(name, meaning, value)
        counters = {
            "navien_slot_changes": ("Slots taken and lost.", fleet.slot_changes),
            "navien_fleet_sessions_lost": ("Database sessions that ended.", fleet.sessions_lost),
            "navien_fleet_rows_written": ("Rows written.", queue.written),
            "navien_fleet_rows_dropped": ("Rows lost, or of a lost slot.", queue.dropped),
            "navien_fleet_polls_missed": ("Polls without an answer.", fleet.missed),
        }
        for name, (meaning, value) in counters.items():
            yield CounterMetricFamily(name, meaning, value)
        found = Counter(state.phase for state in states)
        accounts = GaugeMetricFamily(
            "navien_fleet_accounts", "Accounts by state.", labels=["state"]
        )
        for phase in ACCOUNT_PHASES:
            accounts.add_metric([phase], found[phase])
        yield accounts
        devices = [device for state in states for device in state.devices.values()]
        healths = Counter(device.health.state for device in devices)
        heaters = GaugeMetricFamily("navien_fleet_heaters", "Heaters by state.", labels=["state"])
        for health in HealthState:
            heaters.add_metric([health.value], healths[health])
        yield heaters
        yield self._oldest_statuses()

    def _oldest_statuses(self) -> Metric:
        now = asyncio.get_running_loop().time()
        longest: dict[int, float] = {}
        for state in self._fleet.states.values():
            if state.status_at is not None:
                longest[state.slot] = max(longest.get(state.slot, 0.0), now - state.status_at)
        family = GaugeMetricFamily(
            "navien_account_last_status_seconds",
            "Longest time without a status among the accounts of the slot.",
            labels=["slot"],
        )
        for slot, seconds in sorted(longest.items()):
            family.add_metric([str(slot)], seconds)
        return family


def serve_fleet_metrics(fleet: Fleet, host: str, port: int) -> AsyncContextManager[str]:
    """Serve ``/metrics``, ``/healthz`` and ``/readyz``; the value of the block is the first's URL.

    ``/healthz`` answers while the event loop runs; ``/readyz`` with 503 while nothing is recorded.
    """

    async def health(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def ready(_: web.Request) -> web.Response:
        held = len(fleet.slots)
        if not fleet.writing:
            return web.Response(status=503, text="the database cannot be written\n")
        return web.Response(text=f"recording {held} slots\n" if held else "standing by\n")

    routes = [web.get("/healthz", health), web.get("/readyz", ready)]
    return serve_collector(FleetCollector(fleet), host, port, routes)
