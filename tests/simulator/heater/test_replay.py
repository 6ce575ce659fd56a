"""Replay of captured traffic by the simulated heater."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable

import pytest

from navien_nwp500 import CommandRejectedError, NaviLinkClient
from navien_nwp500.exceptions import ConfigurationError
from navien_nwp500.protocol.account import parse_device_info
from navien_nwp500.protocol.capture import IN, MQTT, REST, CaptureEntry, find_private, read_capture
from navien_nwp500.protocol.energy import decode_energy_daily, decode_energy_monthly
from navien_nwp500.protocol.fields import encode_fields
from navien_nwp500.protocol.messages import Address, Message, parse_message, parse_request
from navien_nwp500.protocol.schedules import decode_reservations
from navien_nwp500.protocol.status import DeviceStatus
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.heater.replay import Replay
from support.control_tools import QUICK

REFERENCE = Path(__file__).parents[3] / "reference"
RECORDINGS = sorted(REFERENCE.glob("*.jsonl"))
WHEN = datetime(2026, 1, 1, 6, tzinfo=timezone.utc)


def statuses(entries: list[CaptureEntry]) -> list[tuple[float, DeviceStatus, bool]]:
    """Return each status with its seconds after the first, and whether it was a push."""
    found = []
    for entry in entries:
        if entry.kind == MQTT and entry.direction == IN:
            message = parse_message(entry.name, entry.content)
            if message is not None and message.status is not None:
                found.append((entry.time, message.status, len(message.session_id) == 1))
    return [((at - found[0][0]).total_seconds(), status, push) for at, status, push in found]


def values(status: DeviceStatus) -> dict[str, Any]:
    return {key: value for key, value in encode_fields(status).items() if key != "command"}


def test_the_reference_has_a_capture_of_all_requests_and_of_a_recovery() -> None:
    assert [path.name for path in RECORDINGS] == ["reading.jsonl", "recovery.jsonl"]
    captured = statuses(read_capture(REFERENCE / "recovery.jsonl"))
    assert {status.operation_mode.name for _, status, _ in captured} == {"HEAT_PUMP", "STANDBY"}
    assert any(push for _, _, push in captured) and captured[-1][0] > 6 * 3600


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_the_captures_of_the_reference_are_decoded_and_have_no_private_data(path: Path) -> None:
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


async def test_a_client_reads_what_was_captured() -> None:
    entries = read_capture(REFERENCE / "recovery.jsonl")
    async with Simulator(speed=3600, replay=entries) as sim:
        async with NaviLinkClient(replace(sim.config, **QUICK, answer_timeout=1.0)) as client:
            device = (await client.get_devices())[0]
            assert device.mac_address == "0123456789ab"
            features = await device.get_features()
            assert features.controller_serial_number == "12345678AB12345678"
            assert (await device.get_tou_info()).periods
            assert (await device.get_reservations()).reservations == ()
            began = entries[0].time
            assert (await device.get_energy_daily(began.year, began.month)).usage
            assert (await device.get_diagnostics()) and not await device.get_downloaded_software()
            captured = [values(status) for _, status, _ in statuses(entries)]
            received = []
            async for status in device.watch(interval=0.05):
                if not received or values(status) != received[-1]:
                    received.append(values(status))
                if len(received) == 4:
                    break
            positions = [captured.index(one) for one in received]
            assert positions == sorted(positions), "in another order"
            with pytest.raises(CommandRejectedError):
                await device.set_temperature(celsius=48)
            # Not requested during the capture.
            with pytest.raises(Exception, match="no response"):
                await device.get_energy_daily(2001, 1)


def test_a_replay_keeps_order_and_time_and_starts_again() -> None:
    entries = read_capture(REFERENCE / "recovery.jsonl")
    captured = statuses(entries)
    replay = Replay(entries, Address("0123456789ab", "1234"), WHEN)
    pause = captured[-1][0] / (len(captured) - 1)
    for _ in range(2):
        passed, pushes = 0.0, []
        for at, status, _ in captured:
            pushes += replay.advance(at - passed)
            passed = at
            assert values(replay.status()) == values(status)
        assert pushes == [status for _, status, push in captured if push]
        assert replay.advance(pause - 0.01) == []
        assert values(replay.status()) == values(captured[-1][1])
        replay.advance(0.01)
    assert (replay.now - WHEN).total_seconds() == pytest.approx(2 * (captured[-1][0] + pause))


def test_unknown_fields_are_replayed() -> None:
    entries = [
        replace(
            entry, payload=json.loads(entry.content.replace(b'"dhwUse"', b'"newKey":7,"dhwUse"'))
        )
        for entry in read_capture(REFERENCE / "reading.jsonl")
    ]
    replay = Replay(entries, Address("0123456789ab", "1234"), WHEN)
    assert replay.status().extra == {"newKey": 7}


def test_a_capture_without_a_status_cannot_be_replayed() -> None:
    entries = [entry for entry in read_capture(REFERENCE / "reading.jsonl") if entry.kind == REST]
    with pytest.raises(ConfigurationError, match="no message of a heater"):
        Simulator(replay=entries)
    with pytest.raises(ConfigurationError, match="its own heaters"):
        Simulator(replay=read_capture(REFERENCE / "reading.jsonl"), heaters=2)
