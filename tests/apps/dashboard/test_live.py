"""The pages' sockets, the recording, and what a page is told when something is away."""

from __future__ import annotations

import asyncio
import logging
import socket as sockets
import sqlite3
import threading
import time
from contextlib import AsyncExitStack, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

pytest.importorskip("sqlalchemy")

from navien_nwp500 import DeviceInfo, Health, HealthState, ReconnectConfig
from navien_nwp500._util.aio import cancel_and_wait
from navien_nwp500._util.http_server import accept_websocket
from navien_nwp500.apps.dashboard import history_api, live_hub, web_server
from navien_nwp500.apps.dashboard.history_json import events_json
from navien_nwp500.apps.dashboard.now_json import connection_text
from navien_nwp500.history import database as database_module
from navien_nwp500.history.database import Database
from navien_nwp500.history.store import HistoryStore
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.faults import (
    CutConnections,
    HeaterOffline,
    RefuseRequests,
)
from support.cli import LIMIT
from support.reliability_tools import wait_until, within_limit
from support.served_dashboard import (
    Bench,
    command,
    get,
    next_message,
    now_when,
    open_bench,
    read_to_end,
    send,
)

NO_RETRY = ReconnectConfig(max_retries=0, initial_delay=0.05, max_delay=0.2)


async def test_a_page_gets_hello_then_the_newest_of_all(tmp_path: Path) -> None:
    async with open_bench(tmp_path) as bench, bench.page() as page:
        async with page.ws_connect("/api/live") as socket:
            hello = await socket.receive_json()
            assert hello["type"] == "hello"
            listed = await get(page, "/api/heaters")
            assert [one["id"] for one in hello["heaters"]] == [1]
            assert hello["version"] == (await get(page, "/api/about"))["version"]
            assert hello["heaters"][0]["controls"] == listed["heaters"][0]["controls"] != []
            first = await next_message(socket, "now")
            stored = await next_message(socket, "history")
            while (second := await next_message(socket, "now"))["time"] == first["time"]:
                pass
        assert first["heater"] == stored["heater"] == 1 and first["time"] < second["time"]
        assert 0 <= second["age_s"] < 60 and second["recording"] is None
        assert (second["link"], second["alerts"]) == ("online", [])


async def test_what_is_shown_is_what_was_recorded(tmp_path: Path) -> None:
    async with open_bench(tmp_path) as bench, bench.page() as page:
        async with page.ws_connect("/api/live") as socket:
            await next_message(socket, "history")
            shown = await next_message(socket, "now")
            await next_message(socket, "history")
    with Database(bench.database) as database:
        store = HistoryStore(database)
        rows = {one.ms: one.values for one in store.readings(store.find_heater())}
    values, status = rows[shown["time"]], shown["status"]
    assert status["power_w"] == values["current_inst_power"]
    assert status["upper_c"] == (values["tank_upper_temperature"] or 0) / 10
    assert status["setpoint_c"] == (values["dhw_temperature_setting"] or 0) / 2
    assert status["charge_percent"] == values["dhw_charge_per"]


async def test_twelve_pages_and_one_that_does_not_read(tmp_path: Path) -> None:
    """The slow one gets the newest alone, and holds nobody up."""
    async with open_bench(tmp_path, interval=0.02) as bench, bench.page() as page:
        async with AsyncExitStack() as stack:
            pages = [
                await stack.enter_async_context(page.ws_connect("/api/live")) for _ in range(12)
            ]
            slow = await open_slow_socket(bench, page)
            stack.push_async_callback(close_slow_socket, slow)
            assert len(bench.dashboard.hub._sockets) == 13
            large = {"type": "now", "heater": 1, "text": "x" * 200_000}
            for number in range(60):
                bench.dashboard.hub.publish("test", {**large, "number": number})
                for one in pages:
                    if number % 20 == 19:
                        while (await next_message(one, "now")).get("number") != number:
                            pass
            waiting = [one._waiting for one in bench.dashboard.hub._sockets]
            assert max(map(len, waiting)) <= 4, "one message of each key waits"


async def open_slow_socket(bench: Bench, page: aiohttp.ClientSession) -> asyncio.StreamWriter:
    """Open a page's socket by hand and read nothing but the handshake."""
    cookie = next(iter(page.cookie_jar))
    host = bench.url.partition("//")[2]
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", int(host.split(":")[1])))
    reader, writer = await asyncio.open_connection(sock=raw, limit=1024)
    writer.write(
        f"GET /api/live HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Cookie: {cookie.key}={cookie.value}\r\n\r\n".encode()
    )
    assert b"101" in await within_limit(reader.readline())
    before = len(bench.dashboard.hub._sockets)
    await wait_until(lambda: len(bench.dashboard.hub._sockets) >= min(before, 13))
    return writer


async def close_slow_socket(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    await asyncio.sleep(0)


async def test_a_page_may_go_before_its_socket_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def accept_late(socket: web.WebSocketResponse, request: web.Request) -> None:
        begun.set()
        await wait_until(lambda: request.transport is None)
        try:
            await accept_websocket(socket, request)
        finally:
            ended.set()

    monkeypatch.setattr(live_hub, "accept_websocket", accept_late)
    async with open_bench(tmp_path) as bench, bench.page() as page:
        opening = asyncio.ensure_future(page.ws_connect("/api/live"))
        await within_limit(begun.wait())
        await cancel_and_wait(opening)
        await within_limit(ended.wait())
        assert not bench.dashboard.hub.watched
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR] == []


async def test_the_end_of_the_server_closes_sockets_as_going_away(tmp_path: Path) -> None:
    async with open_bench(tmp_path) as bench, bench.page() as page:
        async with page.ws_connect("/api/live") as one, page.ws_connect("/api/live") as other:
            reading = [asyncio.ensure_future(read_to_end(socket)) for socket in (one, other)]
            await wait_until(lambda: bench.dashboard.hub.watched)
            await bench.end()
            assert [(await within_limit(task)).code for task in reading] == [1001, 1001]


async def test_a_page_that_died_does_not_keep_the_server_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_hub, "CLOSE_SECONDS", 0.1)
    monkeypatch.setattr(web_server, "SHUTDOWN_SECONDS", 0.1)
    async with open_bench(tmp_path) as bench, bench.page() as page:
        writer = await open_slow_socket(bench, page)
        bench.dashboard.hub.publish("test", {"type": "now", "text": "x" * 20_000_000})
        await within_limit(bench.end())
        await close_slow_socket(writer)


async def test_the_history_stays_open_until_what_reads_it_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = threading.Event()
    found: list[dict[str, Any]] = []

    def read_slowly(*arguments: Any, **options: Any) -> dict[str, Any]:
        began.set()
        time.sleep(0.5)
        found.append(events_json(*arguments, **options))
        return found[-1]

    monkeypatch.setattr(web_server, "SHUTDOWN_SECONDS", 0.1)
    monkeypatch.setattr(history_api, "events_json", read_slowly)
    async with open_bench(tmp_path) as bench, bench.page() as page:
        asking = asyncio.ensure_future(
            page.get("/api/heaters/1/events?from=1000000000000&to=2000000000000")
        )
        await wait_until(began.is_set)
        await within_limit(bench.end())
        assert found == [{"events": []}]
        with suppress(aiohttp.ClientError):  # it may have been answered just before
            await within_limit(asking)


async def test_a_history_that_is_opened_while_the_program_ends_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening: list[Database] = []
    whole = Database.open

    def open_slowly(database: Database) -> None:
        opening.append(database)
        time.sleep(0.2)
        whole(database)

    monkeypatch.setattr(Database, "open", open_slowly)
    starting = asyncio.ensure_future(open_bench(tmp_path).__aenter__())
    await wait_until(lambda: bool(opening))
    await cancel_and_wait(starting)
    assert starting.cancelled() and all(one._engine is None for one in opening)


async def test_a_dead_page_is_found_by_its_missing_pong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_hub, "HEARTBEAT", 0.1)
    async with open_bench(tmp_path) as bench, bench.page() as page:
        async with page.ws_connect("/api/live", autoping=False):
            await wait_until(lambda: bench.dashboard.hub.watched)
            await wait_until(lambda: not bench.dashboard.hub.watched)


async def test_what_a_page_says_is_limited(tmp_path: Path) -> None:
    async with open_bench(tmp_path) as bench, bench.page() as page:
        # The server does not wait for an answer; aiohttp hides its code when it cannot send one.
        async with page.ws_connect("/api/live", autoclose=False) as socket:
            await socket.send_str("x" * 2000)
            assert (await within_limit(read_to_end(socket))).code == 1009
            await wait_until(lambda: not bench.dashboard.hub.watched)


async def test_sockets_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_hub, "SOCKETS", 1)
    async with open_bench(tmp_path) as bench, bench.page() as page:
        async with page.ws_connect("/api/live"):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await page.ws_connect("/api/live")
        assert refused.value.status == 503


async def test_an_opened_page_has_a_status_requested_when_the_last_is_old(tmp_path: Path) -> None:
    # A heater whose time stands still sends nothing by itself.
    still: dict[str, Any] = {"interval": 3600, "while_watched": 3600, "frozen": True}
    async with open_bench(tmp_path, **still) as bench, bench.page() as page:
        bench.heater._status_time -= 7200
        assert (await get(page, "/api/heaters/1/now"))["age_s"] >= 7200
        async with page.ws_connect("/api/live") as socket:
            assert (await next_message(socket, "now"))["age_s"] < 7200


# What is away


async def test_an_offline_heater_among_several_is_told_and_the_other_goes_on(
    tmp_path: Path,
) -> None:
    async with Simulator(speed=600, heaters=2) as sim:
        sim.faults.inject(HeaterOffline(heater=sim.units[0].record.mac_address))
        short = {"answer_timeout": 1.0}
        async with open_bench(tmp_path, sim=sim, config=short) as bench, bench.page() as page:
            first, second = (await get(page, "/api/heaters"))["heaters"]
            assert (first["id"], second["id"]) == (1, 2)
            assert first["controls"] == [] and first["now"]["status"] is None
            assert second["controls"] and second["now"]["status"]
            assert "is offline: it is not connected to the cloud" in first["now"]["link_text"]
            now = await now_when(page, lambda now: now["link"] == "offline" and now["alerts"])
            assert [one["kind"] for one in now["alerts"]] == ["offline"]
            sim.faults.clear()
            now = await now_when(page, lambda now: now["link"] == "online" and not now["alerts"])
            assert now["link_text"].endswith("answers.") and now["status"]
    event, *_ = stored_events(bench.database, sim.units[0].record.mac_address)
    assert event["kind"] == "offline" and event["ended"] is not None


def stored_events(path: Path, mac: str) -> list[dict[str, Any]]:
    with Database(path) as database:
        store = HistoryStore(database)
        return store.events(store.find_heater(mac))


async def test_a_cloud_that_is_away_is_told_and_found_again(tmp_path: Path) -> None:
    async with open_bench(tmp_path) as bench, bench.page() as page:
        bench.sim.faults.inject(RefuseRequests(where="mqtt"))
        bench.sim.faults.inject(CutConnections())
        now = await now_when(page, lambda now: now["link"] == "connecting")
        assert "NaviLink cloud" in now["link_text"] and now["status"], "the last one stays"
        bench.sim.faults.clear()
        await now_when(page, lambda now: now["link"] == "online")


async def test_a_cloud_that_is_away_at_first_is_told_with_the_reason(tmp_path: Path) -> None:
    async with Simulator(speed=600) as sim:
        sim.faults.inject(RefuseRequests(where="mqtt"))
        config = {"reconnect": NO_RETRY}
        async with open_bench(tmp_path, sim=sim, config=config, ready=False) as bench:
            async with bench.page() as page:
                now = await now_when(page, lambda now: "closed" in now["link_text"])
                assert now["link_text"].startswith("No connection to the NaviLink cloud: ")
                assert now["status"] is None and now["age_s"] is None and now["time"] is None
                sim.faults.clear()
                now = await now_when(page, lambda now: now["link"] == "online")
                assert now["link_text"].endswith("answers.")


def test_the_reason_is_told_until_the_heater_is_reached_again() -> None:
    """Also in the moment in which its first status has arrived and was not read yet."""
    told = {
        state
        for state in HealthState
        if "why" in connection_text(health(state), DeviceInfo(connected=2), "why")
    }
    assert told == {HealthState.IDLE, HealthState.CONNECTING}


def health(state: HealthState) -> Health:
    since = datetime(2026, 6, 1, tzinfo=timezone.utc)
    return Health(state, since, last_status=None, reconnects=0, missed=0, bad_messages=0)


async def test_alerts_are_shown_and_recorded(tmp_path: Path) -> None:
    async with open_bench(tmp_path) as bench, bench.page() as page:
        bench.sim.set_error(596)
        now = await now_when(page, lambda now: now["alerts"])
        (alert,) = now["alerts"]
        assert alert["kind"] == "error" and "E596" in alert["text"]
        assert now["status"]["error"]["code"] == "E596" and now["status"]["error"]["advice"]
        bench.sim.set_error(0)
        await now_when(page, lambda now: not now["alerts"])
    (event,) = stored_events(bench.database, bench.heater.heater.mac_address)
    assert (event["kind"], event["time"]) == ("error", alert["since"])


async def test_serving_goes_on_while_the_history_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0)
    async with open_bench(tmp_path) as bench, bench.page() as page:
        other = sqlite3.connect(bench.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        now = await now_when(page, lambda now: now["recording"])
        assert now["recording"].startswith("The history cannot be written: ") and now["status"]
        sent = await send(page, command("temperature", celsius=52))
        assert sent["outcome"] == "confirmed", "commands need no history"
        later = await now_when(page, lambda later: later["time"] > now["time"])
        other.execute("ROLLBACK")
        other.close()
        await now_when(page, lambda now: now["recording"] is None)
    with Database(bench.database) as database:
        store = HistoryStore(database)
        times = {one.ms for one in store.readings(store.find_heater())}
    assert {now["time"], later["time"]} <= times, "what waited was caught up"


async def test_serving_goes_on_while_the_history_cannot_be_read(tmp_path: Path) -> None:
    async with open_bench(tmp_path) as bench, bench.page() as page:
        other = sqlite3.connect(bench.database, isolation_level=None)
        other.execute("ALTER TABLE event RENAME TO hidden")
        other.close()
        async with page.get("/api/heaters/1/events?from=1000000000000&to=2000000000000") as answer:
            assert answer.status == 503
            error = (await answer.json())["error"]
        assert error["code"] == "history" and "no such table" in error["text"]
        await get(page, "/api/heaters/1/now")
        await get(page, "/api/heaters/1/periods")


async def test_statuses_that_wait_at_the_end_are_stored(tmp_path: Path) -> None:
    """Also when each write takes longer than the wait after which a task is cancelled again."""
    release = threading.Event()
    async with open_bench(tmp_path) as bench, bench.page() as page:
        recorder = bench.heater._recorder
        write = recorder.write

        def write_slowly(*entry: Any) -> None:
            release.wait(LIMIT)
            time.sleep(0.15)
            write(*entry)

        recorder.write = write_slowly  # type: ignore[method-assign]
        await wait_until(lambda: len(bench.heater._entries) >= 2)
        last = await get(page, "/api/heaters/1/now")
        ending = asyncio.ensure_future(bench.end())
        release.set()
        await within_limit(ending)
    with Database(bench.database) as database:
        store = HistoryStore(database)
        assert last["time"] in {one.ms for one in store.readings(store.find_heater())}
