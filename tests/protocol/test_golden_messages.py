"""Golden messages: topics, envelopes and the request of each command, written by hand.

Each has its section of reference/PROTOCOL.md; nothing here is calculated by the library.
"""

from __future__ import annotations

import json
import logging
import struct
from dataclasses import replace
from datetime import time
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from navien_nwp500 import NaviLinkClient, Reservation
from navien_nwp500.protocol import capture
from navien_nwp500.protocol.calendar import EVERY_DAY, EVERY_MONTH, WEEKDAYS
from navien_nwp500.protocol.commands import COMMANDS
from navien_nwp500.protocol.messages import (
    DEMAND_CHANGED,
    LOAD_SWITCHED,
    OPERATION_MODE_CHANGED,
    SNAPSHOT,
    Address,
    ReplyAddress,
    build_binary_request,
    build_push,
    build_request,
    decode_status,
    encode_binary_status,
    encode_status,
    parse_message,
)
from navien_nwp500.protocol.schedules import RecirculationEntry, ReservationMode
from navien_nwp500.protocol.tou import TOUPeriod
from navien_nwp500.protocol.types import Flag, HalfCelsius
from navien_nwp500.simulator import Simulator
from support.control_examples import EXAMPLES, Example
from support.reference_page import resolves
from support.status_examples import IDLE, IDLE_REPLY

ADDRESS = Address("0123456789ab", "1234", home_seq=10001)
REPLY_ADDRESS = ReplyAddress("client-0a1b2c3d", user_seq=20002)
SESSION = "1768478400000"
STATUS = decode_status(json.dumps(IDLE))


# Topics and envelopes


def test_topics() -> None:
    # PROTOCOL 3.1 to 3.4
    assert ADDRESS.command_topic("st/did") == "cmd/52/navilink-0123456789ab/st/did"
    assert ADDRESS.push_topic == "cmd/52/navilink-0123456789ab/res"
    assert ADDRESS.filter == "cmd/52/navilink-0123456789ab/#"
    assert REPLY_ADDRESS.reply_filter(ADDRESS) == "cmd/52/10001/20002/client-0a1b2c3d/res/#"


def test_causes_of_pushes() -> None:
    # PROTOCOL 5.4
    reasons = (SNAPSHOT, DEMAND_CHANGED, OPERATION_MODE_CHANGED, LOAD_SWITCHED)
    assert reasons == (0, 67108868, 67108883, 67108892)


def test_the_bytes_of_a_push() -> None:
    # PROTOCOL 3.4, 4.2, 4.3
    sent = build_push(ADDRESS, "client-0a1b2c3d", 17, {"status": {"command": 67108868}})
    assert sent.topic == "cmd/52/navilink-0123456789ab/res"
    assert sent.payload == (
        b'{"protocolVersion":2,"clientID":"client-0a1b2c3d","sessionID":"7",'
        b'"requestTopic":"cmd/52/navilink-0123456789ab/st",'
        b'"response":{"deviceType":52,"macAddress":"0123456789ab","additionalValue":"1234",'
        b'"status":{"command":67108868}}}'
    )


def test_a_response_is_parsed() -> None:
    # PROTOCOL 4.2, 6.11
    payload = json.dumps(IDLE_REPLY).encode()
    message = parse_message("cmd/52/10001/20002/client-0a1b2c3d/res", payload)
    assert message is not None and message.status is not None
    assert (message.client_id, message.session_id) == ("navien-client-0a1b2c3d", SESSION)
    assert message.mac_address == "0123456789ab"
    assert message.binary_code is message.features is None
    assert message.status == replace(STATUS, device_connected=2)
    assert message.status.extra == {}
    assert json.loads(encode_status(message.status)) == IDLE


def test_the_bytes_of_a_binary_status() -> None:
    # PROTOCOL 4.5: the values of the example in their order, 99 fields.
    frame = bytes.fromhex("0100000330313233") + struct.pack(">99i", *IDLE.values())
    assert encode_binary_status(STATUS, "0123456789ab") == frame
    assert decode_status(frame) == STATUS


# One message for each command


def compact(body: dict[str, Any]) -> str:
    return json.dumps(body, separators=(",", ":"))


class Sent(NamedTuple):
    """Source and name of a command, its code, topic, response topic and added body."""

    source: str
    name: str
    code: int
    suffix: str
    reply: str
    body: str = ""


# fmt: off
QUERIES_AND_LISTS = (
    Sent("PROTOCOL 5.2", "features", 16777217, "st/did", "res/did"),
    Sent("PROTOCOL 8.12", "end_session", 16777218, "st/end", "res/end"),
    Sent("PROTOCOL 5.2", "status", 16777219, "st", "res"),
    Sent("PROTOCOL 8.3", "reservations", 16777222, "st/rsv/rd", "res/rsv/rd"),
    Sent("PROTOCOL 8.6", "energy_daily", 16777225, "st/energy-usage-daily-query/rd", "res/energy-usage-daily-query/rd", '"year":2026,"month":[1,2]'),
    Sent("PROTOCOL 8.6", "energy_monthly", 16777226, "st/energy-usage-monthly-query/rd", "res/energy-usage-monthly-query/rd", '"year":[2025,2026]'),
    Sent("PROTOCOL 8.11", "downloaded_software", 16777227, "st/dl-sw-info", "res/dl-sw-info"),
    Sent("PROTOCOL 8.13", "diagnostics", 16777228, "st/td/rd", "res/td/rd"),
    Sent("PROTOCOL 8.7", "recirculation_schedule", 16777231, "st/recirc-rsv/rd", "res/recirc-rsv/rd"),
    Sent("PROTOCOL 8.3", "write_reservations", 16777226, "ctrl/rsv/rd", "res/rsv/rd", '"reservationUse":2,"reservation":[{"enable":2,"week":124,"hour":6,"min":30,"mode":3,"param":118}]'),
    Sent("PROTOCOL 8.4", "write_tou", 33554439, "ctrl/tou/rd", "res/tou/rd", '"controllerSerialNumber":"12345678AB12345678","reservationUse":2,"reservation":[{"season":4095,"week":254,"startHour":0,"startMinute":0,"endHour":23,"endMinute":59,"priceMin":34831,"priceMax":42000,"decimalPoint":5}]'),
    Sent("PROTOCOL 8.7", "write_recirculation_schedule", 33554440, "ctrl/recirc-rsv/rd", "res/recirc-rsv/rd", '"reservationUse":2,"reservation":[{"enable":2,"week":124,"hour":6,"min":0,"mode":2,"param":-1}]'),
)
# fmt: on
CONTROLS = tuple(
    Sent("PROTOCOL 5.3", one.name, one.code, "ctrl", "res", compact(one.body)[1:-1])
    for one in EXAMPLES
)
BY_NAME = {command.name: command for command in COMMANDS}


def wire_text(sent: Sent) -> str:
    """Return the whole message of PROTOCOL 4.1."""
    return (
        '{"clientID":"client-0a1b2c3d","sessionID":"1768478400000","protocolVersion":2,'
        f'"request":{{"command":{sent.code},"deviceType":52,"macAddress":"0123456789ab",'
        f'"additionalValue":"1234"{"," * bool(sent.body)}{sent.body}}},'
        f'"requestTopic":"cmd/52/navilink-0123456789ab/{sent.suffix}",'
        f'"responseTopic":"cmd/52/10001/20002/client-0a1b2c3d/{sent.reply}"}}'
    )


@pytest.mark.parametrize(
    "sent", [*QUERIES_AND_LISTS, *CONTROLS], ids=lambda sent: f"{sent.name} {sent.body[:40]}"
)
def test_the_bytes_of_each_command(sent: Sent) -> None:
    assert resolves(sent.source)
    frame = build_request(
        BY_NAME[sent.name], ADDRESS, REPLY_ADDRESS, SESSION, json.loads(f"{{{sent.body}}}") or None
    )
    assert frame.payload == wire_text(sent).encode()
    assert frame.topic == f"cmd/52/navilink-0123456789ab/{sent.suffix}"
    # PROTOCOL 4.5: the same command as a binary frame.
    binary = build_binary_request(BY_NAME[sent.name], ADDRESS)
    assert binary.payload == struct.pack(">I", sent.code) + b"0123"
    assert binary.topic == frame.topic


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: f"{one.name} {one.param}")
def test_parameters_become_the_body_of_each_example(example: Example) -> None:
    # PROTOCOL 5.3, 5.6
    command = BY_NAME[example.name]
    assert command.body(example.values) == example.body
    assert command.parse_param(example.param) == example.values


def test_every_command_has_a_golden_message() -> None:
    written = {sent.name for sent in (*QUERIES_AND_LISTS, *CONTROLS)}
    assert written == set(BY_NAME), "write its message by hand, with its source"


async def test_a_client_sends_the_golden_queries_and_lists() -> None:
    entries: list[capture.CaptureEntry] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            entries.append(record.entry)  # type: ignore[attr-defined]

    log, collector = logging.getLogger("navien_nwp500.traffic"), Collector()
    log.setLevel(logging.DEBUG)
    log.addHandler(collector)
    try:
        async with Simulator(speed=600, recirculation=True) as sim:
            config = replace(sim.config, command_interval=0.05)
            async with NaviLinkClient(config) as client:
                device = (await client.get_devices())[0]
                await device.get_status()
                await device.get_features()
                await device.get_reservations()
                await device.get_energy_daily(2026, 1, 2)
                await device.get_energy_monthly(2025, 2026)
                await device.get_downloaded_software()
                await device.get_diagnostics()
                await device.get_recirculation_schedule()
                mode, setpoint = ReservationMode.ENERGY_SAVER, HalfCelsius(118)
                await device.set_reservations([Reservation(WEEKDAYS, time(6, 30), mode, setpoint)])
                await device.set_recirculation_schedule(
                    [RecirculationEntry(WEEKDAYS, time(6, 0), Flag.ACTIVE)]
                )
                low, high = Decimal("0.34831"), Decimal("0.42")
                await device.set_tou_schedule(
                    [TOUPeriod(EVERY_MONTH, EVERY_DAY, time(0, 0), time(23, 59), low, high)]
                )
    finally:
        log.removeHandler(collector)
    constant = ("command", "deviceType", "macAddress", "additionalValue")
    sent = set()
    for entry in entries:
        if (entry.direction, entry.kind) == (capture.OUT, capture.MQTT):
            request = entry.payload["request"]
            body = {key: value for key, value in request.items() if key not in constant}
            suffix = entry.name.split("/", 3)[3]
            sent.add((request["command"], suffix, compact(body)[1:-1]))
    written = {
        (one.code, one.suffix, one.body) for one in QUERIES_AND_LISTS if one.name != "end_session"
    }
    assert sent == written
