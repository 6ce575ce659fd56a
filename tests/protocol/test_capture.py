"""Capture files: entries, masks, and the search for private data."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from navien_nwp500.exceptions import ConfigurationError, ProtocolError
from navien_nwp500.protocol import capture_masks
from navien_nwp500.protocol.capture import (
    BESIDE,
    IN,
    MQTT,
    OUT,
    REST,
    UNREADABLE,
    CaptureEntry,
    find_private,
    find_values,
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
    kept = mask_entry(entry)
    assert kept.payload == {"response": {"text": "***"}}
    assert find_private(kept.line) == []


def test_the_search_finds_what_a_mask_would_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the masks keep every text: the search does not use their tables."""
    monkeypatch.setattr(capture_masks.Masker, "_text", lambda self, key, text: text)
    for kind, secret in SECRETS.items():
        found = find_private(mask_entry(frame({"msg": secret}, "")).line)
        assert found == [kind]


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
        ("address", {"lines": ["1 Main Street", {"floor": 3}]}, {"lines": ["***", {"floor": 0}]}),
    ],
)
def test_a_private_key_is_masked_and_keeps_its_type(key: str, value: Any, mask: Any) -> None:
    entry = frame({"data": [{key: value, "dhwTemperature": 121}]})
    assert ("topic" in find_private(entry.line)) and (
        value is None or len(find_private(entry.line)) > 2
    )
    assert mask_entry(entry).payload == {"data": [{key: mask, "dhwTemperature": 121}]}


@pytest.mark.parametrize("key", ["phone", "e_mail", "Vorname", "note", "motDePasse", "x1"])
def test_an_unknown_key_of_a_rest_call_is_masked_whatever_it_holds(key: str) -> None:
    for value in ("Jane", 5551234, 1.5, ["Jane"], {"inner": "Jane"}):
        kept = mask_entry(CaptureEntry(WHEN, IN, REST, "POST /user/info", {"data": {key: value}}))
        assert "Jane" not in kept.line and "5551234" not in kept.line and "1.5" not in kept.line


def test_an_unknown_field_of_a_heater_keeps_its_small_whole_number() -> None:
    kept = mask_entry(
        frame({"response": {"status": {"newField": 4711, "newText": "x", "big": 10**6}}})
    )
    assert kept.payload == {"response": {"status": {"newField": 4711, "newText": "***", "big": 0}}}


# Private bodies in every form that a service or an app could use

PLANTED = st.lists(
    st.text("abcdefghijklmnopqrstuvwxyz", min_size=9, max_size=14).map(lambda word: f"Zz{word}")
    | st.text("\u0436\u0437\u043b\u3042\u30ab\u0915", min_size=6, max_size=12)
    # An odd number of digits: an even one could be a packed list of a heater.
    | st.integers(10**10, 10**11 - 1).map(str),
    min_size=1,
    max_size=4,
)
KEYS = st.sampled_from(
    ["password", "Password", "e-mail", "user.name", "data", "msg", "status", "mode", "schedule",
     "sessionID", "version", "macAddress", "clientID", "responseTopic", "dhwTemperature", "Stra\u00dfe"]
)  # fmt: skip


def forms(words: list[str], keys: list[str]) -> list[Any]:
    """Write the words as JSON, nested JSON, a form, a multi-part body, cut JSON and a frame."""
    pairs = dict(zip(keys, words))
    boundary = "".join(f'--b\r\nname="{key}"\r\n\r\n{word}\r\n' for key, word in pairs.items())
    nested: Any = words
    for key in keys:
        nested = {key: [nested]}
    numbers = [int(word) if word.isdecimal() and word.isascii() else word for word in words]
    return [
        pairs,
        {"data": nested},
        {"data": numbers, **dict.fromkeys(words, 1)},
        {keys[0]: json.dumps(pairs)},
        "&".join(f"{key}={word}" for key, word in pairs.items()),
        json.dumps(pairs, ensure_ascii=False)[:-3],
        boundary,
        f"<html>{' '.join(words)}</html>",
        b"\x01" + " ".join(words).encode(),
        words[0],
        numbers[0],
    ]


@given(PLANTED, st.lists(KEYS, min_size=4, max_size=4, unique=True), st.sampled_from([REST, MQTT]))
def test_no_planted_value_is_left_in_any_form_of_body(
    words: list[str], keys: list[str], kind: str
) -> None:
    for body in forms(words, keys):
        for name in ("POST /user/info", f"POST /user/{words[0]}", f"cmd/52/{words[0]}/st"):
            kept = mask_entry(CaptureEntry(WHEN, IN, kind, name, body, 200))
            plain = json.dumps(json.loads(kept.line), ensure_ascii=False)
            left = [word for word in words if word in plain or word.encode().hex() in plain]
            assert left == [] and find_private(kept.line) == []
            assert mask_entry(kept) == kept


def test_a_text_beside_the_entry_is_reported() -> None:
    line = frame({}, "").line
    assert find_private(line) == []
    for changed in (f'{line[:-1]},"note":"Jane"}}', line.replace('"payload"', '"payload" ')):
        assert find_private(changed) == [BESIDE]


def test_values_of_the_account_are_searched() -> None:
    text = mask_entry(frame({"userId": "jane@example.org"})).line
    assert find_values(text, ["jane@example.org", "status", "topic", "user@example.com", "a"]) == 0
    assert find_values(text + '"JANE@example.org"', ["jane@example.org"]) == 1
    assert find_values(text + ':"cellar"', ["Cellar"]) == 1


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
    assert find_private(frame({"reservation": "jane@example.org"}, "").line) == 2 * [
        "e-mail address"
    ]


def test_a_binary_frame_keeps_its_values_and_its_device_is_masked() -> None:
    entry = frame(b"\x01\x00\x00\x03" + MAC[:4].encode() + b"\x00\x00\x00\x79")
    kept = mask_entry(entry)
    assert kept.payload == b"\x01\x00\x00\x030123\x00\x00\x00\x79"
    assert "binary frame" in find_private(entry.line) and find_private(kept.line) == []
    assert parse_entry(kept.line) == kept


@pytest.mark.parametrize(
    "line", ["", "[]", "{", '{"kind":"mqtt"}', "{}", "null", frame(1).line[:-2]]
)
def test_an_unreadable_line_is_reported_as_such(line: str) -> None:
    assert find_private(line) == [UNREADABLE]
    with pytest.raises(ProtocolError):
        parse_entry(line)
