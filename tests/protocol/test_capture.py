"""Capture files: entries, masks, and the search for private data."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from navien_nwp500.exceptions import ConfigurationError, ProtocolError
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

WHEN = datetime(2026, 1, 1, 6, tzinfo=timezone.utc)
MAC = "04a1b2c3d4e5"


def frame(payload: Any, topic: str = f"cmd/52/navilink-{MAC}/st") -> CaptureEntry:
    return CaptureEntry(WHEN, OUT, MQTT, topic, payload)


def test_an_incomplete_last_line_is_ignored_and_a_bad_line_reported(tmp_path: Path) -> None:
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
def test_a_masked_entry_has_no_private_data_and_survives_a_round_trip(
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
def test_private_data_in_a_text_is_masked_and_its_kind_reported(kind: str) -> None:
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
def test_a_private_key_is_masked_and_keeps_its_type(key: str, value: Any, mask: Any) -> None:
    entry = frame({"data": [{key: value, "dhwTemperature": 121}]})
    assert find_private(entry.line) == ["MAC address", *([key] if value is not None else [])]
    assert mask_entry(entry).payload == {"data": [{key: mask, "dhwTemperature": 121}]}


def test_heaters_and_clients_stay_distinguishable() -> None:
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
    # A group address: no device has one, so a mask is never a real address.
    assert all(int(mac[:2], 16) & 1 for mac in macs)


def test_a_packed_schedule_is_not_private() -> None:
    for packed in ("023e061e0478", "023e061e0478" * 7):
        kept = mask_entry(frame({"response": {"reservationUse": 2, "reservation": packed}}))
        assert kept.payload["response"]["reservation"] == packed
        assert find_private(kept.line) == []
    assert find_private(frame({"reservation": "jane@example.org"}, "a").line) == ["e-mail address"]


def test_a_binary_frame_keeps_its_values_and_its_device_is_masked() -> None:
    entry = frame(b"\x01\x00\x00\x03" + MAC[:4].encode() + b"\x00\x00\x00\x79")
    kept = mask_entry(entry)
    assert kept.payload == b"\x01\x00\x00\x030123\x00\x00\x00\x79"
    assert find_private(entry.line) == ["MAC address"] * 2 and find_private(kept.line) == []
    assert parse_entry(kept.line) == kept


@pytest.mark.parametrize(
    "line", ["", "[]", "{", '{"kind":"mqtt"}', "{}", "null", frame(1).line[:-2]]
)
def test_an_unreadable_line_is_reported_as_such(line: str) -> None:
    assert find_private(line) == [UNREADABLE]
    with pytest.raises(ProtocolError):
        parse_entry(line)
