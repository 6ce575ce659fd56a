"""Metrics of a fleet for Prometheus, and whether it is alive and records.

Labels are slots, never accounts or heaters: 10,000 series would publish the list of accounts.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from typing import AsyncIterator, Iterator

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from ...models import HealthState
from .fleet import Fleet

#: States of an account, in ``AccountState.word``.
ACCOUNT_STATES = ("waiting", "recording", "retrying", "refused")


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
        found = Counter(state.word for state in states)
        accounts = GaugeMetricFamily(
            "navien_fleet_accounts", "Accounts by state.", labels=["state"]
        )
        for word in ACCOUNT_STATES:
            accounts.add_metric([word], found[word])
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
            if state.heard is not None:
                longest[state.slot] = max(longest.get(state.slot, 0.0), now - state.heard)
        family = GaugeMetricFamily(
            "navien_account_last_heard_seconds",
            "Time since the last status of the account of the slot that was heard longest ago.",
            labels=["slot"],
        )
        for slot, seconds in sorted(longest.items()):
            family.add_metric([str(slot)], seconds)
        return family


@asynccontextmanager
async def serve_fleet_metrics(fleet: Fleet, host: str, port: int) -> AsyncIterator[str]:
    """Serve ``/metrics``, ``/healthz`` and ``/readyz``, and yield the URL of the first.

    ``/healthz`` answers while the event loop runs; ``/readyz`` with 503 while nothing is recorded.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(FleetCollector(fleet))

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    async def health(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def ready(_: web.Request) -> web.Response:
        held = len(fleet.slots)
        if not fleet.writing:
            return web.Response(status=503, text="the database cannot be written\n")
        return web.Response(text=f"recording {held} slots\n" if held else "standing by\n")

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", health)
    app.router.add_get("/readyz", ready)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        bound = runner.addresses[0]
        address = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        yield f"http://{address}:{bound[1]}/metrics"
    finally:
        await runner.cleanup()
