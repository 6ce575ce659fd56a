"""A dashboard of a simulated heater, served in the test's own event loop."""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, AsyncIterator, Callable, NamedTuple

import aiohttp

from navien_nwp500 import NaviLinkClient
from navien_nwp500._util.aio import cancel_and_wait
from navien_nwp500.apps.dashboard.access import AccessFolder
from navien_nwp500.apps.dashboard.api import DashboardSettings
from navien_nwp500.apps.dashboard.request_checks import PublicPlace
from navien_nwp500.apps.dashboard.watched_heater import PollTimes, WatchedHeater
from navien_nwp500.apps.dashboard.web_server import Dashboard, listen_on, open_dashboard
from navien_nwp500.simulator import Simulator
from support.reliability_tools import FAST_RECONNECT, LIMIT, fast_config, wait_until, within_limit

LOCAL = PublicPlace.direct((), loopback=True)


@dataclass
class Bench:
    """A running dashboard: its address, and what it is made of."""

    sim: Simulator
    dashboard: Dashboard
    access: AccessFolder
    url: str
    database: Path
    program: AsyncExitStack
    running: asyncio.Future[None]

    async def end(self) -> None:
        """End the program, as a signal does; its cloud goes on."""
        await self.program.aclose()

    @property
    def heater(self) -> WatchedHeater:
        """The first heater."""
        return self.dashboard.heaters[0]

    @asynccontextmanager
    async def visitor(self, **options: Any) -> AsyncIterator[aiohttp.ClientSession]:
        """A browser without a session, whose paths begin at the dashboard."""
        jar = aiohttp.CookieJar(unsafe=True)  # it takes cookies of IP addresses
        limit = aiohttp.ClientTimeout(total=LIMIT)
        async with aiohttp.ClientSession(
            self.url, cookie_jar=jar, timeout=limit, **options
        ) as session:
            yield session

    @asynccontextmanager
    async def page(self, **options: Any) -> AsyncIterator[aiohttp.ClientSession]:
        """A browser that has signed in."""
        async with self.visitor(**options) as session:
            async with session.post("/api/session", json={"token": self.access.new_token()}) as it:
                assert it.status == 204
            yield session


@asynccontextmanager
async def open_bench(
    folder: Path,
    *,
    interval: float = 0.2,
    while_watched: float = 0.5,
    settings: DashboardSettings = DashboardSettings(LOCAL),
    config: dict[str, Any] | None = None,
    database: Path | None = None,
    sim: Simulator | None = None,
    ready: bool = True,
    **simulation: Any,
) -> AsyncIterator[Bench]:
    """Serve a dashboard; the block begins when it is ``ready``: online heaters have sent features."""
    access = AccessFolder(folder / "access", settings.password_hash or "")
    database = database or folder / "history.db"
    async with AsyncExitStack() as stack:
        if sim is None:
            sim = await stack.enter_async_context(Simulator(**{"speed": 600, **simulation}))
        client = NaviLinkClient(fast_config(sim, **(config or {})))
        await stack.enter_async_context(client)
        program = await stack.enter_async_context(AsyncExitStack())
        listening = program.enter_context(listen_on("127.0.0.1", 0))
        dashboard = await program.enter_async_context(
            open_dashboard(
                await client.get_devices(),
                listening,
                database=str(database),
                access=access,
                settings=settings,
                times=PollTimes(
                    interval, min(interval, while_watched), sim.clock.now, FAST_RECONNECT
                ),
            )
        )
        running = asyncio.ensure_future(dashboard.run())
        program.push_async_callback(_stop, running)
        online = [one for one in dashboard.heaters if one.heater.info.online and ready]
        await wait_until(lambda: running.done() or all(one.features for one in online))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        yield Bench(sim, dashboard, access, url, database, program, running)


async def _stop(running: asyncio.Future[None]) -> None:
    """End what a dashboard runs; raise the error that ended it before."""
    await cancel_and_wait(running)  # type: ignore[arg-type]
    if not running.cancelled():
        running.result()


def command(name: str, **arguments: Any) -> dict[str, Any]:
    """Return the body of a new command."""
    return {"id": str(uuid.uuid4()), "command": name, "arguments": arguments}


async def get(session: aiohttp.ClientSession, path: str) -> Any:
    """Return the JSON of an answer that must be right."""
    async with session.get(path) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def send(session: aiohttp.ClientSession, body: dict[str, Any], heater: int = 1) -> Any:
    """Send a command and return its JSON."""
    async with session.post(f"/api/heaters/{heater}/commands", json=body) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def next_message(socket: aiohttp.ClientWebSocketResponse, kind: str) -> Any:
    """Return the next message of a kind from a page's socket."""

    async def find() -> Any:
        async for message in socket:
            content = json.loads(message.data)
            if content["type"] == kind:
                return content
        raise AssertionError(f"the socket closed with {socket.close_code}")

    return await asyncio.wait_for(find(), LIMIT)


class Received(NamedTuple):
    """The messages of a socket, and the code with which it was closed."""

    messages: list[dict[str, Any]]
    code: int | None


async def read_to_end(socket: aiohttp.ClientWebSocketResponse) -> Received:
    """Read as a page does until the socket is closed."""
    messages = [json.loads(message.data) async for message in socket]
    return Received(messages, socket.close_code)


async def now_when(
    page: aiohttp.ClientSession, condition: Callable[[dict[str, Any]], object], heater: int = 1
) -> dict[str, Any]:
    """Return the present state of a heater as soon as it meets a condition."""

    async def find() -> dict[str, Any]:
        while not condition(now := await get(page, f"/api/heaters/{heater}/now")):
            await asyncio.sleep(0.01)
        return dict(now)

    return await within_limit(find())
