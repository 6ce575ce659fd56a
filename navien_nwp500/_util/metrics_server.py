"""HTTP server of metrics for Prometheus; needs its client library."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import AsyncIterator, Iterable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from .hosts import address_text


@asynccontextmanager
async def serve_collector(
    collector: Collector, host: str, port: int, routes: Iterable[web.RouteDef] = ()
) -> AsyncIterator[str]:
    """Serve ``/metrics`` and further routes on an address, and yield the URL of the metrics.

    With port 0 the system chooses a port. Raises OSError.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), *routes])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield f"http://{address_text(*runner.addresses[0][:2])}/metrics"
    finally:
        await runner.cleanup()
