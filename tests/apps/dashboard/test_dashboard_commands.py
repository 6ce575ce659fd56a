"""Commands through the API: sent once, one at a time, and their outcome in words."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any, AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

pytest.importorskip("sqlalchemy")

from navien_nwp500.apps.dashboard import command_runner
from navien_nwp500.history.command_log import CommandLog
from navien_nwp500.history.database import Database
from navien_nwp500.history.store import HistoryStore
from navien_nwp500.protocol import commands
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.faults import DelayMessages, DropMessages, RefuseWrites
from support.control_tools import record_writes
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

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(name="bench", scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    folder = tmp_path_factory.mktemp("commands")
    async with open_bench(folder, control_interval=0.0) as bench:
        yield bench


@pytest_asyncio.fixture(name="page", loop_scope="module")
async def signed_in(bench: Bench) -> AsyncIterator[aiohttp.ClientSession]:
    async with bench.page() as page:
        yield page
    bench.sim.faults.clear()


async def setpoint(bench: Bench) -> float:
    """Return the setpoint that the heater sends now, in degC."""
    return (await bench.heater.heater.get_status()).dhw_temperature_setting.celsius


async def test_a_command_is_confirmed_with_what_the_heater_confirms(
    page: aiohttp.ClientSession,
) -> None:
    """In this order, because one command needs another before it."""
    cases = [
        (command("temperature", celsius=50.0), "50.0 °C (122.0 °F)."),
        (
            command("temperature", celsius=49.2),
            "49.0 °C (120.2 °F), its step nearest to the 49.2 °C",
        ),
        (command("mode", mode="high_demand"), "confirms the mode high demand"),
        (command("power", on=False), "confirms that it is off"),
        (command("power", on=True), "confirms that it is on"),
        (command("vacation", days=5), "a vacation of 5 days"),
        (command("vacation", days=0), "the vacation is over; mode "),
        (command("vacation", days=0), "No vacation is running; nothing was sent."),
        (command("tou", on=True), "time of use is on"),
        (command("tou", on=False), "time of use is off"),
    ]
    for body, text in cases:
        answer = await send(page, body)
        assert (answer["id"], answer["outcome"]) == (body["id"], "confirmed")
        assert text in answer["text"]


async def test_the_page_shows_what_a_command_has_set(
    bench: Bench, page: aiohttp.ClientSession
) -> None:
    await send(page, command("vacation", days=3))
    now = await now_when(page, lambda now: now["status"]["vacation_days"] == 3)
    assert now["status"]["mode"]["value"] == "vacation"
    await send(page, command("mode", mode="heat_pump"))
    await send(page, command("tou", on=True))
    now = await now_when(page, lambda now: now["status"]["tou"]["on"])
    assert now["status"]["vacation_days"] is None
    await send(page, command("tou", on=False))


async def test_a_command_outside_the_heaters_limits_is_refused_in_words(
    bench: Bench, page: aiohttp.ClientSession
) -> None:
    before = await setpoint(bench)
    answer = await send(page, command("temperature", celsius=90))
    assert answer["outcome"] == "refused" and "allows 40.5 °C" in answer["text"]
    answer = await send(page, command("vacation", days=100))
    assert answer["outcome"] == "refused" and "allows 1 d to 99 d" in answer["text"]
    assert await setpoint(bench) == before


async def test_a_refusal_of_the_heater_is_told_with_its_reason(tmp_path: Path) -> None:
    async with open_bench(tmp_path) as bench, bench.page() as page:
        bench.sim.faults.inject(RefuseWrites(fail_code=2))
        answer = await send(page, command("temperature", celsius=51))
        assert answer["outcome"] == "refused" and "too recent" in answer["text"]


async def test_a_heater_that_does_not_answer_is_told_apart(tmp_path: Path) -> None:
    config = {"answer_timeout": 1.0}
    async with open_bench(tmp_path, config=config, interval=60) as bench, bench.page() as page:
        bench.sim.faults.inject(DropMessages())
        body = command("temperature", celsius=51)
        answer = await send(page, body)
        assert answer["outcome"] == "unanswered" and "may still take effect" in answer["text"]
        assert await get(page, f"/api/heaters/1/commands/{body['id']}") == answer


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("temperature", {"celsius": "50"}),
        ("temperature", {"celsius": True}),
        ("temperature", {"celsius": 10**400}),
        ("temperature", {"fahrenheit": 120}),
        ("temperature", {}),
        ("temperature", {"celsius": 50, "force": True}),
        ("mode", {"mode": "vacation"}),
        ("mode", {"mode": 3}),
        ("power", {"on": 1}),
        ("vacation", {"days": 1.5}),
        ("vacation", {"days": -1}),
        ("tou", {"on": "yes"}),
        ("reset_condenser_fault", {"on": True}),
    ],
)
async def test_arguments_that_make_no_sense_are_not_sent(
    bench: Bench, page: aiohttp.ClientSession, name: str, arguments: dict[str, Any]
) -> None:
    async with record_writes(bench.sim) as sent:
        body = {"id": str(uuid.uuid4()), "command": name, "arguments": arguments}
        async with page.post("/api/heaters/1/commands", json=body) as answer:
            assert answer.status == 400
            assert (await answer.json())["error"]["code"] == "bad_request"
    assert sent == []


@pytest.mark.parametrize("id", ["", "1", "x" * 36, None, 7])
async def test_a_command_needs_an_id(page: aiohttp.ClientSession, id: Any) -> None:
    body = {**command("power", on=True), "id": id}
    async with page.post("/api/heaters/1/commands", json=body) as answer:
        assert answer.status == 400


async def test_a_doubled_request_is_one_command(bench: Bench, page: aiohttp.ClientSession) -> None:
    body = command("temperature", celsius=53)
    async with record_writes(bench.sim) as sent:
        answers = await asyncio.gather(*(send(page, body) for _ in range(5)))
        answers.append(await send(page, body))
        answers.append(await send(page, {**body, "id": body["id"].upper()}))
        answers.append(await get(page, f"/api/heaters/1/commands/{body['id']}"))
    assert len(sent) == 1
    assert answers == [answers[0]] * len(answers) and answers[0]["outcome"] == "confirmed"


async def test_a_lost_response_sends_nothing_twice(
    bench: Bench, page: aiohttp.ClientSession
) -> None:
    body = command("temperature", celsius=54)
    async with record_writes(bench.sim) as sent:
        request = asyncio.ensure_future(send(page, body))
        await wait_until(lambda: bool(sent))
        request.cancel()  # the connection closes
        with pytest.raises(asyncio.CancelledError):
            await request
        assert (await send(page, body))["outcome"] == "confirmed"
    assert len(sent) == 1


async def test_an_id_belongs_to_one_command(bench: Bench, page: aiohttp.ClientSession) -> None:
    body = command("temperature", celsius=52)
    await send(page, body)
    async with record_writes(bench.sim) as sent:
        other = {**body, "arguments": {"celsius": 55}}
        async with page.post("/api/heaters/1/commands", json=other) as answer:
            assert answer.status == 409
            assert (await answer.json())["error"]["code"] == "id_used"
    assert sent == []
    assert "52.0" in (await get(page, f"/api/heaters/1/commands/{body['id']}"))["text"]


async def test_a_command_is_sent_once_also_after_a_restart(tmp_path: Path) -> None:
    body = command("temperature", celsius=53)
    async with open_bench(tmp_path) as bench, bench.page() as page:
        first = await send(page, body)
    async with open_bench(tmp_path) as bench, bench.page() as page:
        async with record_writes(bench.sim) as sent:
            assert await get(page, f"/api/heaters/1/commands/{body['id']}") == first
            assert await send(page, body) == first
            other = {**body, "arguments": {"celsius": 55}}
            async with page.post("/api/heaters/1/commands", json=other) as answer:
                assert (await answer.json())["error"]["code"] == "id_used"
            assert await send(page, body) == first
        assert sent == []


async def test_a_command_that_a_killed_program_sent_is_not_sent_again(tmp_path: Path) -> None:
    body = command("temperature", celsius=53)
    with Database(tmp_path / "history.db") as database:
        store = HistoryStore(database)
        heater = store.ensure_heater("0123456789ab")
        named = {"name": body["command"], "arguments": body["arguments"], "who": "dashboard"}
        assert CommandLog(store).begin(heater, body["id"], ms=1_000_000, **named)
    async with open_bench(tmp_path) as bench, bench.page() as page:
        async with record_writes(bench.sim) as sent:
            answer = await send(page, body)
        assert sent == []
        assert answer["outcome"] == "unanswered" and "may have taken effect" in answer["text"]


async def test_the_end_of_a_vacation_returns_to_the_mode_before_also_after_a_restart(
    tmp_path: Path,
) -> None:
    async with Simulator(speed=600, control_interval=0.0) as sim:
        async with open_bench(tmp_path, sim=sim) as bench, bench.page() as page:
            await send(page, command("mode", mode="high_demand"))
            await bench.heater.heater.get_status()
            await send(page, command("vacation", days=3))
        async with open_bench(tmp_path, sim=sim) as bench, bench.page() as page:
            answer = await send(page, command("vacation", days=0))
    assert answer["text"].endswith("the vacation is over; mode high demand.")


async def test_one_command_runs_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_runner, "FINISH_SECONDS", 0.0)
    options: dict[str, Any] = {"config": {"answer_timeout": 60.0}, "heaters": 2}
    async with open_bench(tmp_path, **options) as bench, bench.page() as page:
        bench.sim.faults.inject(DropMessages(heater=bench.heater.heater.mac_address))
        async with record_writes(bench.sim) as sent:
            first = asyncio.ensure_future(send(page, command("temperature", celsius=52)))
            await wait_until(lambda: bool(sent))
            async with page.post(
                "/api/heaters/1/commands", json=command("power", on=False)
            ) as answer:
                assert answer.status == 409
                assert (await answer.json())["error"]["code"] == "busy"
            # The other heater is not busy.
            other = await send(page, command("temperature", celsius=52), heater=2)
            assert other["outcome"] == "confirmed"
        assert len(sent) == 2
        first.cancel()
        await asyncio.wait({first})


async def test_a_slow_command_is_told_to_be_running_and_its_end_comes_by_the_socket(
    bench: Bench, page: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_runner, "ANSWER_SECONDS", 0.0)
    async with page.ws_connect("/api/live") as socket:
        body = command("temperature", celsius=55)
        answer = await send(page, body)
        assert answer["outcome"] == "running"
        told = await next_message(socket, "command")
        assert (await send(page, command("temperature", celsius=54)))["outcome"] == "running"
        assert (await next_message(socket, "command"))["id"] != body["id"]
    assert (told["heater"], told["id"], told["outcome"]) == (1, body["id"], "confirmed")
    assert (await get(page, f"/api/heaters/1/commands/{body['id']}"))["text"] == told["text"]


async def test_unknown_commands_and_those_of_another_heater_are_not_found(
    bench: Bench, page: aiohttp.ClientSession
) -> None:
    body = command("power", on=True)
    await send(page, body)
    for path in (f"1/commands/{uuid.uuid4()}", f"2/commands/{body['id']}", "1/commands/x"):
        async with page.get(f"/api/heaters/{path}") as answer:
            assert answer.status == 404


async def test_a_command_at_the_end_of_the_program_finishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_runner, "FINISH_SECONDS", 60.0)
    body = command("temperature", celsius=52)
    async with open_bench(tmp_path) as bench, bench.page() as page:
        bench.sim.faults.inject(DelayMessages(seconds=600.0))
        async with record_writes(bench.sim) as sent:
            request = asyncio.ensure_future(send(page, body))
            await wait_until(lambda: bool(sent))
        ending = asyncio.ensure_future(bench.end())
        await wait_until(bench.running.done)
        assert not request.done()
        bench.sim.faults.clear()
        await within_limit(ending)
        assert (await within_limit(request))["outcome"] == "confirmed"
    assert stored(tmp_path, body["id"]) == "confirmed"


async def test_a_command_that_the_end_of_the_program_cuts_off_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_runner, "FINISH_SECONDS", 0.05)
    body = command("temperature", celsius=52)
    async with open_bench(tmp_path, interval=60) as bench, bench.page() as page:
        async with page.ws_connect("/api/live") as socket:
            bench.sim.faults.inject(DropMessages())
            async with record_writes(bench.sim) as sent:
                request = asyncio.ensure_future(send(page, body))
                await wait_until(lambda: bool(sent))
            reading = asyncio.ensure_future(read_to_end(socket))
            await bench.end()
            answer = await within_limit(request)
            told = [one for one in (await reading).messages if one["type"] == "command"]
            assert told[-1]["outcome"] == answer["outcome"] == "unanswered"
    assert "may have taken effect" in answer["text"]
    assert stored(tmp_path, body["id"]) == "unanswered"


def stored(folder: Path, id: str) -> str | None:
    """Return the outcome of a command in the history."""
    with Database(folder / "history.db") as database:
        found = CommandLog(HistoryStore(database)).find(id)
    assert found is not None and json.dumps(found.arguments) and found.who == "dashboard"
    assert found.name == commands.TEMPERATURE.name
    return found.outcome
