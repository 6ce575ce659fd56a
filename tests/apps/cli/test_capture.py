"""The command ``capture``, and the replay of its files."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import signal
import stat
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from navien_nwp500 import NaviLinkClient
from navien_nwp500.apps.cli.har import parse_har
from navien_nwp500.exceptions import ProtocolError
from navien_nwp500.protocol import capture
from navien_nwp500.protocol.capture import (
    IN,
    MQTT,
    OUT,
    REST,
    UNREADABLE,
    CaptureEntry,
    find_private,
    mask_entry,
    read_capture,
)
from navien_nwp500.protocol.messages import parse_message, parse_request
from navien_nwp500.simulator import Firmware, Simulator, simulator
from navien_nwp500.simulator.cloud.accounts import HeaterRecord, Location
from navien_nwp500.simulator.cloud.mqtt_packets import publish
from support.cli import LIMIT, run, start

TRAFFIC_LOG = "navien_nwp500.traffic"
REFERENCE = Path(__file__).parents[3] / "reference"
RECORDINGS = sorted(REFERENCE.glob("*.jsonl"))
WHEN = datetime(2026, 1, 1, 6, tzinfo=timezone.utc)
MAC = "04a1b2c3d4e5"
PLANTED = {
    "e-mail": "jane.planted@example.org",
    "password": "plantedPassword-77",
    "MAC": MAC,
    "home": "612345678",
    "user": "730198765",
    "serial": "76543210XY76543210",
    "name": "Planted Cellar",
    "town": "Plantedville",
    "street": "1 Planted Street",
}


def frame(payload: Any, topic: str = f"cmd/52/navilink-{MAC}/st") -> CaptureEntry:
    return CaptureEntry(WHEN, OUT, MQTT, topic, payload)


@pytest.fixture
def private(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give simulators an account and heater with data that differs from the masks."""

    def record(number: int, firmware: Firmware) -> HeaterRecord:
        return HeaterRecord(
            MAC,
            "7788",
            home_seq=int(PLANTED["home"]),
            device_name=PLANTED["name"],
            controller_serial=PLANTED["serial"],
            controller_version=firmware.value,
            location=Location(city=PLANTED["town"], address=PLANTED["street"], latitude=41.98765),
        )

    monkeypatch.setattr(simulator, "_record", record)
    monkeypatch.setattr(simulator, "EMAIL", PLANTED["e-mail"])
    monkeypatch.setattr(simulator, "FIRST_USER", int(PLANTED["user"]))


# Recording


async def test_a_capture_has_all_requests_and_no_private_data(
    private: None, tmp_path: Path
) -> None:
    async with Simulator(speed=600, password=PLANTED["password"]) as sim:
        arguments = ("capture", "--raw", "a.jsonl", "--count", "3", "--interval", "0.05")
        code, out, err = await run(tmp_path, *arguments, **sim.environment)
    assert (code, out) == (0, "")
    assert "status 3 of 3" in err and "no private data in" in err
    text = (tmp_path / "a.jsonl").read_text()
    for name, value in {**PLANTED, "latitude": "41.98765", "token": "eyJ"}.items():
        assert value not in text, f"the {name} is in the recording"
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "a.jsonl").stat().st_mode) == 0o600
    entries = read_capture(tmp_path / "a.jsonl")
    names = {entry.name for entry in entries if entry.kind == REST}
    assert {"POST /user/sign-in", "POST /device/list", "GET /device/tou"} <= names
    requests = [
        parse_request(e.name, e.content) for e in entries if (e.kind, e.direction) == (MQTT, OUT)
    ]
    (mask,) = {asked.mac_address for asked in requests if asked is not None}
    asked = {entry.name.partition(mask)[2] for entry in entries if entry.kind == MQTT}
    assert {"/st", "/st/did", "/st/rsv/rd", "/st/energy-usage-daily-query/rd", "/st/td/rd"} <= asked
    # The masked responses still match their requests.
    async with Simulator(speed=600, replay=entries) as again:
        async with NaviLinkClient(again.config) as client:
            device = (await client.get_devices())[0]
            assert (await device.get_status()).dhw_temperature_setting == 121
            assert not (await device.get_reservations()).enabled


async def test_a_capture_has_the_time_of_the_simulated_heater(tmp_path: Path) -> None:
    arguments = ("capture", "--simulate", "--speed", "3600", "--interval", "600", "--count", "4")
    code, _, _ = await run(tmp_path, *arguments, "--raw", "a.jsonl")
    assert code == 0
    entries = read_capture(tmp_path / "a.jsonl")
    # The second of the four polls comes before a full interval.
    assert timedelta(minutes=20) <= entries[-1].time - entries[0].time


async def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("mine")
    code, _, err = await run(tmp_path, "capture", "--simulate", "--raw", "a.jsonl")
    assert (code, (tmp_path / "a.jsonl").read_text()) == (2, "mine") and "another file" in err


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C of Windows goes to the whole console")
async def test_ctrl_c_ends_a_capture_and_it_is_checked(sim: Simulator, tmp_path: Path) -> None:
    process = await start(
        tmp_path, "capture", "--raw", "a.jsonl", "--interval", "0.05", **sim.environment
    )
    assert process.stderr is not None
    while b"status 2" not in await asyncio.wait_for(process.stderr.readline(), LIMIT):
        pass
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), LIMIT)
    lines = len((tmp_path / "a.jsonl").read_text().splitlines())
    assert process.returncode == 130
    assert f"a.jsonl: no private data in {lines} lines" in err.decode()


@pytest.mark.parametrize(
    "arguments",
    [(), ("--check",), ("--check", "--raw", "a.jsonl"), ("--raw", "a.jsonl", "b.jsonl")],
)
async def test_contradicting_options_are_rejected(tmp_path: Path, arguments: Any) -> None:
    (tmp_path / "b.jsonl").write_text("")
    code, out, err = await run(tmp_path, "capture", *arguments)
    assert (code, out) == (2, "") and "Error: " in err
    assert not (tmp_path / "a.jsonl").exists()


async def test_a_killed_capture_ends_with_a_complete_line(sim: Simulator, tmp_path: Path) -> None:
    arguments = ("capture", "--raw", "a.jsonl", "--interval", "0.02")
    process = await start(tmp_path, *arguments, **sim.environment)
    assert process.stderr is not None
    while b"status 5" not in await asyncio.wait_for(process.stderr.readline(), LIMIT):
        pass
    process.kill()
    await asyncio.wait_for(process.communicate(), LIMIT)
    content = (tmp_path / "a.jsonl").read_bytes()
    assert content.endswith(b"\n") and len(content.splitlines()) > 30
    for line in content.decode().splitlines():
        assert find_private(line) == []


async def test_no_entries_are_made_without_a_listener(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[CaptureEntry] = []

    def entry(*values: Any) -> CaptureEntry:
        made.append(CaptureEntry(*values))
        return made[-1]

    monkeypatch.setattr(capture, "CaptureEntry", entry)
    log = logging.getLogger(TRAFFIC_LOG)
    try:
        for level, listened in ((logging.INFO, False), (logging.DEBUG, True)):
            log.setLevel(level)
            async with NaviLinkClient(sim.config) as client:
                await (await client.get_devices())[0].get_status()
            assert bool(made) == listened
    finally:
        log.setLevel(logging.NOTSET)


async def test_entries_are_masked_before_any_log_handler_sees_them(
    private: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with Simulator(speed=600, password=PLANTED["password"]) as sim:
        async with NaviLinkClient(sim.config) as client:
            await (await client.get_devices())[0].get_status()
    given = [vars(record) for record in caplog.records if record.name == TRAFFIC_LOG]
    assert {(one["entry"].kind, one["entry"].direction) for one in given} == {
        (REST, OUT), (REST, IN), (MQTT, OUT), (MQTT, IN)
    }  # fmt: skip
    for name, value in PLANTED.items():
        assert value not in repr(given), f"the {name} reaches every handler"


GOOD = "good.jsonl: no private data in 1 lines: every text and number has a known, harmless form"


async def test_check_prints_line_and_kind_but_not_the_private_data(tmp_path: Path) -> None:
    good = mask_entry(frame({"clientID": "phone"}))
    (tmp_path / "good.jsonl").write_text(good.line + "\n")
    bad = replace(good, payload={"userEmail": "jane@example.org", "note": MAC})
    (tmp_path / "bad.jsonl").write_text(f"{good.line}\n{bad.line}\nnothing\n")
    code, out, err = await run(tmp_path, "capture", "--check", "good.jsonl")
    assert (code, out) == (0, "") and err.startswith(GOOD)
    code, out, err = await run(tmp_path, "capture", "--check", "good.jsonl", "bad.jsonl")
    assert code == 1 and err.startswith(GOOD) and "bad.jsonl" not in err
    assert out.splitlines() == [
        "bad.jsonl:2: userEmail",
        "bad.jsonl:2: MAC address",
        "bad.jsonl:2: e-mail address",
        f"bad.jsonl:3: {UNREADABLE}",
    ]


# HAR files


def har(*calls: dict[str, Any]) -> str:
    return json.dumps({"log": {"version": "1.2", "entries": calls}})


def har_call(url: str, answer: Any, second: int = 0, **request: Any) -> dict[str, Any]:
    return {
        "startedDateTime": f"2026-01-01T06:00:{second:02}.1234567Z",
        "time": 250.5,
        "request": {
            "method": "POST",
            "url": url,
            "headers": [{"name": "authorization", "value": "eyJraWQi.eyJzdWIi.abc"}],
            **request,
        },
        "response": {
            "status": 200,
            "headers": [{"name": "set-cookie", "value": "planted-cookie"}],
            "content": {"mimeType": "application/json", **answer},
        },
    }


API = "https://nlus.naviensmartcontrol.com/api/v2.1"
SIGN_IN = har_call(
    f"{API}/user/sign-in",
    {"text": json.dumps({"code": 200, "data": {"token": {"accessToken": "eyJplanted.x.y"}}})},
    postData={"text": json.dumps({"userId": PLANTED["e-mail"], "password": PLANTED["password"]})},
)
TOU = har_call(
    f"{API}/device/tou?macAddress={MAC}&userId=jane.planted%40example.org&userType=O",
    {"text": "eyJjb2RlIjoyMDB9", "encoding": "base64"},
    second=1,
    method="GET",
)
ELSEWHERE = har_call("https://ads.example.com/api/v2.1/user", {"text": '{"planted": "ad"}'})
LOOKALIKE = har_call(f"https://example.com/{API}/user", {"text": '{"planted": "ad"}'})


async def test_only_the_calls_of_the_api_are_imported_in_order(tmp_path: Path) -> None:
    (tmp_path / "app.har").write_text(har(TOU, ELSEWHERE, LOOKALIKE, SIGN_IN), "utf-8")
    arguments = ("capture", "--har", "app.har", "--raw", "app.jsonl")
    code, out, err = await run(tmp_path, *arguments)
    assert (code, out) == (0, "") and "4 lines" in err
    text = (tmp_path / "app.jsonl").read_text()
    for value in (*PLANTED.values(), "planted"):
        assert value not in text
    entries = read_capture(tmp_path / "app.jsonl")
    assert [str(entry) for entry in entries] == [
        "out rest POST /user/sign-in",
        "in rest POST /user/sign-in",
        "out rest GET /device/tou",
        "in rest GET /device/tou",
    ]
    assert entries[0].payload == {"userId": "user@example.com", "password": "***"}
    assert entries[1].payload == {"code": 200, "data": {"token": {"accessToken": "***"}}}
    assert entries[2].payload["userType"] == "O"
    assert (entries[3].payload, entries[3].status) == ({"code": 200}, 200)
    assert entries[1].time - entries[0].time == timedelta(milliseconds=250)


@pytest.mark.parametrize("text", ["", "[]", '{"log": {}}', '{"log": {"entries": 1}}'])
def test_a_file_that_is_not_a_har_file_is_rejected(text: str) -> None:
    with pytest.raises(ProtocolError, match="not a HAR file"):
        parse_har(text)


async def test_a_damaged_entry_costs_that_entry_alone(tmp_path: Path) -> None:
    unanswered = {name: part for name, part in TOU.items() if name != "response"}
    elsewhere = {name: part for name, part in ELSEWHERE.items() if name == "request"}
    no_time = {name: part for name, part in TOU.items() if name != "startedDateTime"}
    damaged = [{}, None, "x", {"request": None}, no_time]
    (tmp_path / "app.har").write_text(har(unanswered, elsewhere, *damaged, SIGN_IN), "utf-8")  # type: ignore[arg-type]
    code, _, err = await run(tmp_path, "capture", "--har", "app.har", "--raw", "app.jsonl")
    assert code == 0 and "app.har: 5 of 8 entries are damaged and left out" in err
    assert [str(entry) for entry in read_capture(tmp_path / "app.jsonl")] == [
        "out rest POST /user/sign-in",
        "in rest POST /user/sign-in",
        "out rest GET /device/tou",
    ]
    (tmp_path / "bad.har").write_text(har(*damaged))  # type: ignore[arg-type]
    code, _, err = await run(tmp_path, "capture", "--har", "bad.har", "--raw", "bad.jsonl")
    assert code == 2 and "no call of the NaviLink API; 5 of 5 entries are damaged" in err


def web_socket(*frames: tuple[str, bytes], host: str = "nlus-iot.naviensmartcontrol.com") -> Any:
    """A WebSocket with binary frames, and a text frame, one second apart."""
    messages = [
        {
            "type": kind,
            "time": 1767247200.5 + second,
            "opcode": 2,
            "data": base64.b64encode(content).decode(),
        }
        for second, (kind, content) in enumerate(frames)
    ]
    text = {"type": "receive", "time": 1767247200.5, "opcode": 1, "data": "hello"}
    entry = har_call(f"wss://{host}/mqtt?X-Amz-Signature=planted", {})
    return {**entry, "_webSocketMessages": [*messages, text]}


CONNECTS = {
    # CONNECT of an empty client id, as OASIS 3.1 has it.
    4: bytes.fromhex("100c 0004 4d515454 04 02 003c 0000"),
    5: bytes.fromhex("100d 0004 4d515454 05 02 003c 00 0000"),
}


@pytest.mark.parametrize("level", CONNECTS)
async def test_messages_in_web_socket_frames_are_imported(tmp_path: Path, level: int) -> None:
    request = publish(f"cmd/52/navilink-{MAC}/st", b'{"requestTopic": "x"}', level, 1).raw
    answer = publish("cmd/52/1/2/phone/res", b'{"response": {"planted": "secret-77"}}', level).raw
    frames = [
        *(("send", CONNECTS[level] + request[:9]), ("send", request[9:])),
        # Two packets in one frame; one whose topic is too short; one after it.
        *(("receive", answer + answer), ("receive", b"\x30\x04\x00\x09ab"), ("receive", answer)),
    ]
    foreign = web_socket(("receive", answer), host="example.com")
    (tmp_path / "app.har").write_text(har(web_socket(*frames), foreign, SIGN_IN), "utf-8")
    code, _, err = await run(tmp_path, "capture", "--har", "app.har", "--raw", "app.jsonl")
    assert code == 0 and "1 of 3 entries are damaged" in err
    text = (tmp_path / "app.jsonl").read_text()
    assert MAC not in text and "secret-77" not in text and "phone" not in text
    found = [entry for entry in read_capture(tmp_path / "app.jsonl") if entry.kind == "mqtt"]
    assert [entry.direction for entry in found] == ["out", "in", "in", "in"]
    assert found[0].name.startswith("cmd/52/navilink-012345") and "requestTopic" in found[0].payload
    assert [entry.time.isoformat() for entry in found[:2]] == [
        "2026-01-01T06:00:01.500000+00:00",
        "2026-01-01T06:00:02.500000+00:00",
    ]


async def test_without_calls_of_the_api_no_file_is_written(tmp_path: Path) -> None:
    (tmp_path / "app.har").write_text(har(ELSEWHERE))
    code, _, err = await run(tmp_path, "capture", "--har", "app.har", "--raw", "app.jsonl")
    assert code == 2 and "no call of the NaviLink API" in err
    assert not (tmp_path / "app.jsonl").exists()


async def test_simulate_replays_for_other_programs(tmp_path: Path) -> None:
    arguments = ("simulate", "--replay", str(REFERENCE / "reading.jsonl"), "--env-file", ".env")
    process = await start(tmp_path, *arguments)
    try:
        assert process.stderr is not None
        while b"ready" not in await asyncio.wait_for(process.stderr.readline(), LIMIT):
            pass
        code, out, _ = await run(tmp_path, "status", "--json")
        assert code == 0
        captured = [
            {**message.body["status"], "command": 0}
            for entry in read_capture(REFERENCE / "reading.jsonl")
            if entry.kind == MQTT
            and (message := parse_message(entry.name, entry.content)) is not None
            and message.status is not None
        ]
        assert {**json.loads(out)["status"], "command": 0} in captured
    finally:
        process.terminate()
        await asyncio.wait_for(process.communicate(), LIMIT)
