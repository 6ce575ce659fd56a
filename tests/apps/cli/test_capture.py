"""Recordings of raw traffic: made, masked, checked, taken from HAR files, played back."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import stat
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import given, strategies as st

from navien_nwp500 import CommandRejectedError, NaviLinkClient
from navien_nwp500.apps.cli.har import parse_har
from navien_nwp500.exceptions import ConfigurationError, ProtocolError
from navien_nwp500.protocol import capture
from navien_nwp500.protocol.account import parse_device_info
from navien_nwp500.protocol.capture import (
    IN,
    MQTT,
    OUT,
    REST,
    UNREADABLE,
    CaptureEntry,
    find_private,
    mask_entry,
    parse_entry,
    read_capture,
)
from navien_nwp500.protocol.energy import decode_energy_daily, decode_energy_monthly
from navien_nwp500.protocol.fields import encode_fields
from navien_nwp500.protocol.messages import Address, Message, parse_message, parse_request
from navien_nwp500.protocol.schedules import decode_reservations
from navien_nwp500.protocol.status import DeviceStatus
from navien_nwp500.simulator import Firmware, Simulator, simulator
from navien_nwp500.simulator.cloud.accounts import HeaterRecord, Location
from navien_nwp500.simulator.heater.replay import Replay
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
    """Simulators whose account and heater look like somebody's, not like the masks."""

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


async def test_nothing_planted_is_recorded_and_everything_asked_is(
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
    # Each answer still meets its question.
    async with Simulator(speed=600, replay=entries) as again:
        async with NaviLinkClient(again.config) as client:
            device = (await client.get_devices())[0]
            assert (await device.get_status()).dhw_temperature_setting == 121
            assert not (await device.get_reservations()).enabled


async def test_the_simulated_heaters_time_is_recorded_not_ours(tmp_path: Path) -> None:
    arguments = ("capture", "--simulate", "--speed", "3600", "--interval", "600", "--count", "4")
    code, _, _ = await run(tmp_path, *arguments, "--raw", "a.jsonl")
    assert code == 0
    entries = read_capture(tmp_path / "a.jsonl")
    # The second of the four polls comes before a full interval.
    assert timedelta(minutes=20) <= entries[-1].time - entries[0].time


async def test_a_recording_that_is_there_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("mine")
    code, _, err = await run(tmp_path, "capture", "--simulate", "--raw", "a.jsonl")
    assert (code, (tmp_path / "a.jsonl").read_text()) == (2, "mine") and "another file" in err


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C of Windows goes to the whole console")
async def test_ctrl_c_ends_a_recording_and_it_is_checked(sim: Simulator, tmp_path: Path) -> None:
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


async def test_a_killed_recording_ends_with_a_whole_line(sim: Simulator, tmp_path: Path) -> None:
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


async def test_a_torn_last_line_is_left_out_and_a_bad_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    line = frame({}).line
    path.write_text(f"{line}\n{line[:20]}")
    assert len(read_capture(path)) == 1
    path.write_text(f"{line}\n{line[:20]}\n")
    with pytest.raises(ConfigurationError, match="a.jsonl:2: not an entry"):
        read_capture(path)
    path.write_text("")
    with pytest.raises(ConfigurationError, match="contains no entries"):
        read_capture(path)


async def test_nothing_is_made_of_traffic_nobody_listens_to(
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


async def test_what_the_log_is_given_is_masked_already(
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


# Masks


SECRETS = {
    "MAC address": MAC,
    "e-mail address": "jane@example.org",
    "token": "eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl",
    "AWS key": "ASIAEXAMPLE000000000",
    "serial number": "76543210XY76543210",
    "secret key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEYS",
    "signed query": "X-Amz-Signature=0af3",
}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.sampled_from([*SECRETS.values(), "01:A1:b2:c3:d4:e5", f"cmd/52/61234/73019/x/res {MAC}"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.text(max_size=3)
        | st.sampled_from(
            ["macAddress", "clientID", "homeSeq", "latitude", "reservation", "hex", "deviceName"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)


@given(JSON, st.text(max_size=30))
def test_what_is_masked_passes_the_check_and_comes_back_from_its_line(
    payload: Any, topic: str
) -> None:
    for entry in (
        frame(payload, topic),
        CaptureEntry(WHEN, IN, REST, f"GET /{topic}", payload, 200),
    ):
        kept = mask_entry(entry)
        assert mask_entry(kept) == kept
        assert find_private(kept.line) == []
        assert parse_entry(kept.line) == kept


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_in_a_text_is_masked_and_its_kind_named(kind: str) -> None:
    entry = frame({"response": {"text": f"before {SECRETS[kind]}, after"}})
    assert kind in find_private(entry.line)
    kept = mask_entry(entry).line
    assert SECRETS[kind] not in kept and "before" in kept and "after" in kept
    assert find_private(kept) == []


@pytest.mark.parametrize(
    ("key", "value", "mask"),
    [
        ("userFirstName", "Jane", "***"),
        ("deviceName", ["Cellar"], ["***"]),
        ("homeSeq", 61234, 10001),
        ("userSeq", "73019", "20002"),
        ("additionalValue", "7788", "1234"),
        ("latitude", 41.98765, 0),
        ("zipCode", 94110, 0),
        ("installerPhoneNumber", None, None),
    ],
)
def test_a_key_is_masked_and_named_and_keeps_its_type(key: str, value: Any, mask: Any) -> None:
    entry = frame({"data": [{key: value, "dhwTemperature": 121}]})
    assert find_private(entry.line) == ["MAC address", *([key] if value is not None else [])]
    assert mask_entry(entry).payload == {"data": [{key: mask, "dhwTemperature": 121}]}


def test_heaters_and_clients_stay_apart_wherever_they_are_named() -> None:
    other = "04a1b2c3d4e6"
    payload = {
        "clientID": "phone",
        "responseTopic": "cmd/52/61234/73019/phone/res/rsv",
        "requestTopic": f"cmd/52/navilink-{MAC.upper()}/st",
        "heaters": [{"macAddress": MAC}, {"macAddress": other}],
    }
    kept = mask_entry(frame(payload))
    macs = [heater["macAddress"] for heater in kept.payload["heaters"]]
    assert len({*macs, MAC, other}) == 4
    assert kept.name == kept.payload["requestTopic"] == f"cmd/52/navilink-{macs[0]}/st"
    client = kept.payload["clientID"]
    assert kept.payload["responseTopic"] == f"cmd/52/10001/20002/{client}/res/rsv"
    assert client != mask_entry(frame({"clientID": "tablet"})).payload["clientID"]
    # No device has a group's address, so a mask is never somebody's.
    assert all(int(mac[:2], 16) & 1 for mac in macs)


def test_a_packed_schedule_is_no_mac_and_no_key() -> None:
    for packed in ("023e061e0478", "023e061e0478" * 7):
        kept = mask_entry(frame({"response": {"reservationUse": 2, "reservation": packed}}))
        assert kept.payload["response"]["reservation"] == packed
        assert find_private(kept.line) == []
    assert find_private(frame({"reservation": "jane@example.org"}, "a").line) == ["e-mail address"]


def test_a_binary_frame_keeps_its_values_and_loses_its_device() -> None:
    entry = frame(b"\x01\x00\x00\x03" + MAC[:4].encode() + b"\x00\x00\x00\x79")
    kept = mask_entry(entry)
    assert kept.payload == b"\x01\x00\x00\x030123\x00\x00\x00\x79"
    assert find_private(entry.line) == ["MAC address"] * 2 and find_private(kept.line) == []
    assert parse_entry(kept.line) == kept


@pytest.mark.parametrize(
    "line", ["", "[]", "{", '{"kind":"mqtt"}', "{}", "null", frame(1).line[:-2]]
)
def test_a_line_that_cannot_be_read_cannot_be_judged(line: str) -> None:
    assert find_private(line) == [UNREADABLE]
    with pytest.raises(ProtocolError):
        parse_entry(line)


GOOD = "good.jsonl: no private data in 1 lines\n"


async def test_check_names_line_and_kind_and_never_the_secret(tmp_path: Path) -> None:
    good = mask_entry(frame({"clientID": "phone"}))
    (tmp_path / "good.jsonl").write_text(good.line + "\n")
    bad = replace(good, payload={"userEmail": "jane@example.org", "note": MAC})
    (tmp_path / "bad.jsonl").write_text(f"{good.line}\n{bad.line}\nnothing\n")
    assert await run(tmp_path, "capture", "--check", "good.jsonl") == (0, "", GOOD)
    code, out, err = await run(tmp_path, "capture", "--check", "good.jsonl", "bad.jsonl")
    assert (code, err) == (1, GOOD)
    assert out.splitlines() == [
        "bad.jsonl:2: userEmail",
        "bad.jsonl:2: MAC address",
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


async def test_a_har_file_gives_the_calls_of_the_api_alone_in_order(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("text", ["", "[]", '{"log": {}}', har({"startedDateTime": "x"})])
def test_what_is_no_har_file_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ProtocolError, match="not a HAR file"):
        list(parse_har(text))


async def test_a_har_file_without_the_api_begins_no_recording(tmp_path: Path) -> None:
    (tmp_path / "app.har").write_text(har(ELSEWHERE))
    code, _, err = await run(tmp_path, "capture", "--har", "app.har", "--raw", "app.jsonl")
    assert code == 2 and "no call of the NaviLink API" in err
    assert not (tmp_path / "app.jsonl").exists()


# Playing back


def statuses(entries: list[CaptureEntry]) -> list[tuple[float, DeviceStatus, bool]]:
    """When each status was heard, seconds after the first, and whether it was a push."""
    found = []
    for entry in entries:
        if entry.kind == MQTT and entry.direction == IN:
            message = parse_message(entry.name, entry.content)
            if message is not None and message.status is not None:
                found.append((entry.time, message.status, len(message.session_id) == 1))
    return [((at - found[0][0]).total_seconds(), status, push) for at, status, push in found]


def values(status: DeviceStatus) -> dict[str, Any]:
    return {key: value for key, value in encode_fields(status).items() if key != "command"}


def test_the_reference_holds_a_reading_and_a_recovery() -> None:
    assert [path.name for path in RECORDINGS] == ["reading.jsonl", "recovery.jsonl"]
    told = statuses(read_capture(REFERENCE / "recovery.jsonl"))
    assert {status.operation_mode.name for _, status, _ in told} == {"HEAT_PUMP", "STANDBY"}
    assert any(push for _, _, push in told) and told[-1][0] > 6 * 3600


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_every_message_of_the_reference_is_decoded_and_nothing_private_is_left(path: Path) -> None:
    decoders: dict[str, Callable[[Message], Any]] = {
        "status": lambda one: one.status.extra == {},
        "feature": lambda one: one.features.controller_serial_number,
        "reservation": lambda one: decode_reservations(one.body) is not None,
        "usage": lambda one: (
            decode_energy_daily if "daily" in one.topic else decode_energy_monthly
        )(one.body).usage,
        "data": lambda one: one.body["data"],
        "downloadSwInfo": lambda one: one.body["downloadSwInfo"],
    }
    seen = set()
    for line, entry in zip(path.read_text("utf-8").splitlines(), read_capture(path)):
        assert find_private(line) == [] and entry.line == line
        if entry.kind == MQTT:
            message = parse_message(entry.name, entry.content)
            if message is None:
                assert parse_request(entry.name, entry.content) is not None
                continue
            kinds = decoders.keys() & message.body.keys()
            assert kinds and all(decoders[kind](message) for kind in kinds)
            seen |= kinds
        elif entry.direction == IN:
            assert (entry.status, entry.payload["code"]) == (200, 200)
            if entry.name == "POST /device/list":
                assert parse_device_info(entry.payload["data"][0]).online
    assert seen == decoders.keys()


async def test_a_client_reads_the_reference_as_it_was_recorded() -> None:
    entries = read_capture(REFERENCE / "recovery.jsonl")
    async with Simulator(speed=3600, replay=entries) as sim:
        async with NaviLinkClient(replace(sim.config, answer_timeout=1.0)) as client:
            device = (await client.get_devices())[0]
            assert device.mac_address == "0123456789ab"
            features = await device.get_features()
            assert features.controller_serial_number == "12345678AB12345678"
            assert (await device.get_tou_info()).periods
            assert (await device.get_reservations()).reservations == ()
            began = entries[0].time
            assert (await device.get_energy_daily(began.year, began.month)).usage
            assert (await device.get_diagnostics()) and not await device.get_downloaded_software()
            told = [values(status) for _, status, _ in statuses(entries)]
            heard = []
            async for status in device.watch(interval=0.05):
                if not heard or values(status) != heard[-1]:
                    heard.append(values(status))
                if len(heard) == 4:
                    break
            places = [told.index(one) for one in heard]
            assert places == sorted(places), "they come in another order"
            with pytest.raises(CommandRejectedError):
                await device.set_temperature(celsius=48)
            # Not asked then: not known now.
            with pytest.raises(Exception, match="no response"):
                await device.get_energy_daily(2001, 1)


def test_a_replay_keeps_order_and_pace_and_begins_anew() -> None:
    entries = read_capture(REFERENCE / "recovery.jsonl")
    told = statuses(entries)
    replay = Replay(entries, Address("0123456789ab", "1234"), WHEN)
    pause = told[-1][0] / (len(told) - 1)
    for _ in range(2):
        passed, pushes = 0.0, []
        for at, status, _ in told:
            pushes += replay.advance(at - passed)
            passed = at
            assert values(replay.status()) == values(status)
        assert pushes == [status for _, status, push in told if push]
        assert replay.advance(pause - 0.01) == []
        assert values(replay.status()) == values(told[-1][1])
        replay.advance(0.01)
    assert (replay.now - WHEN).total_seconds() == pytest.approx(2 * (told[-1][0] + pause))


def test_what_a_new_firmware_sends_comes_back() -> None:
    entries = [
        replace(
            entry, payload=json.loads(entry.content.replace(b'"dhwUse"', b'"newKey":7,"dhwUse"'))
        )
        for entry in read_capture(REFERENCE / "reading.jsonl")
    ]
    replay = Replay(entries, Address("0123456789ab", "1234"), WHEN)
    assert replay.status().extra == {"newKey": 7}


def test_a_recording_without_a_status_plays_nothing() -> None:
    entries = [entry for entry in read_capture(REFERENCE / "reading.jsonl") if entry.kind == REST]
    with pytest.raises(ConfigurationError, match="no message of a heater"):
        Simulator(replay=entries)
    with pytest.raises(ConfigurationError, match="its own heaters"):
        Simulator(replay=read_capture(REFERENCE / "reading.jsonl"), heaters=2)


async def test_simulate_replays_for_other_programs(tmp_path: Path) -> None:
    arguments = ("simulate", "--replay", str(REFERENCE / "reading.jsonl"), "--env-file", ".env")
    process = await start(tmp_path, *arguments)
    try:
        assert process.stderr is not None
        while b"ready" not in await asyncio.wait_for(process.stderr.readline(), LIMIT):
            pass
        code, out, _ = await run(tmp_path, "status", "--json")
        told = [
            values(status) for _, status, _ in statuses(read_capture(REFERENCE / "reading.jsonl"))
        ]
        found = json.loads(out)["status"]
        found.pop("command")
        assert code == 0 and found in told
    finally:
        process.terminate()
        await asyncio.wait_for(process.communicate(), LIMIT)
