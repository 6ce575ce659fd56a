"""Whole messages in both formats: building, parsing and errors."""

from __future__ import annotations

import contextlib
import json
import struct
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from navien_nwp500.exceptions import ProtocolError
from navien_nwp500.protocol.commands import END_SESSION, FEATURES, STATUS, Command
from navien_nwp500.protocol.fields import decode_fields, encode_fields, field_specs
from navien_nwp500.protocol.messages import (
    Address,
    Message,
    ReplyAddress,
    build_binary_reply,
    build_binary_request,
    build_push,
    build_reply,
    build_request,
    decode_status,
    encode_binary_status,
    encode_status,
    parse_message,
    parse_request,
)
from navien_nwp500.protocol.status import DeviceStatus, DHWStatus
from support.status_examples import CORE, IDLE, IDLE_REPLY

MODEST = settings(max_examples=80, deadline=None, database=None)
MANY = settings(max_examples=200, deadline=None, database=None)

MAC = "0123456789ab"
CLIENT = "3f0e7c1a-0000-4000-8000-000000000001"
ADDRESS = Address(MAC, "1234", home_seq=10001)
REPLY_ADDRESS = ReplyAddress(CLIENT, user_seq=20002)
SESSION = "1768478400000"
STATUS_TOPIC = f"cmd/52/navilink-{MAC}/st"
PUSH_TOPIC = f"cmd/52/navilink-{MAC}/res"
REPLY_TOPIC = f"cmd/52/10001/20002/{CLIENT}/res"

SPECS = field_specs(DeviceStatus)
#: Numbers of keys of the controllers 0x0A010000 and 0x0B010000, and of all known fields.
KEY_COUNTS = (87, 99, 103)
#: A binary status holds at least the core, which ends with field 60.
CORE_END = 60
HEADER = struct.pack(">I4s", 16777219, b"0123")


def dump(value: Any) -> bytes:
    return json.dumps(value).encode()


def status_of(count: int, value: int = 1) -> DeviceStatus:
    return decode_fields(DeviceStatus, {spec.key: value for spec in SPECS[:count]})


def binary(count: int, value: int = 1) -> bytes:
    return HEADER + struct.pack(f">{count}i", *[value] * count)


WHOLE_RANGE = st.sampled_from([-(2**31), -1, 0, 2**31 - 1]) | st.integers(-(2**31), 2**31 - 1)
USUAL = st.tuples(
    *[
        st.integers(*spec.codec.usual) if hasattr(spec.codec, "usual") else WHOLE_RANGE
        for spec in SPECS
    ]
)
EXTREME = st.tuples(*[WHOLE_RANGE] * len(SPECS))


# Round trips


@settings(MODEST, max_examples=60)
@given(values=USUAL | EXTREME)
def test_a_status_of_each_firmware_survives_both_formats(values: tuple[int, ...]) -> None:
    for count in KEY_COUNTS:
        body = {spec.key: value for spec, value in zip(SPECS[:count], values)}
        status = decode_status(dump(body))
        assert [getattr(status, spec.name) for spec in SPECS[:count]] == list(values[:count])
        assert {getattr(status, spec.name) for spec in SPECS[count:]} <= {None}
        assert list(json.loads(encode_status(status)).items()) == list(body.items())
        frame = encode_binary_status(status, MAC)
        assert frame == HEADER + struct.pack(f">{count}i", *values[:count])
        assert decode_status(encode_status(status)) == decode_status(frame) == status


def test_the_range_limits_of_every_field_survive_both_formats() -> None:
    for spec in SPECS:
        for raw in (*getattr(spec.codec, "usual", ()), -(2**31), 2**31 - 1):
            status = decode_fields(
                DeviceStatus, {**{other.key: 1 for other in SPECS}, spec.key: raw}
            )
            for payload in (encode_status(status), encode_binary_status(status, MAC)):
                again = decode_status(payload)
                assert getattr(again, spec.name) == raw, spec.name
                assert again == status, spec.name


# JSON: addresses


@pytest.mark.parametrize("mac", ["", "0123456789AB", "0123456789a", "01:23:45:67:89:ab", "#" * 12])
def test_an_address_must_have_twelve_digits(mac: str) -> None:
    with pytest.raises(ProtocolError):
        Address(mac, "1234")


def test_the_repr_of_an_address_shows_only_four_digits() -> None:
    assert MAC[:8] not in repr(ADDRESS)
    assert "1234" not in repr(ADDRESS).replace(MAC[-4:], "")


# JSON: parsing messages


def test_a_status_is_decoded_once() -> None:
    message = parse_message(REPLY_TOPIC, dump(IDLE_REPLY))
    assert message is not None
    assert message.status is message.status


def test_features_are_parsed() -> None:
    response = {"deviceType": 52, "macAddress": MAC, "feature": {"countryCode": 3, "volumeCode": 2}}
    message = parse_message(f"{REPLY_TOPIC}/did", dump({**IDLE_REPLY, "response": response}))
    assert message is not None
    assert message.status is None
    assert message.features is not None
    assert message.features.country_code == 3
    assert message.features.extra == {}


def test_a_rejection_is_a_message_without_a_status() -> None:
    # PROTOCOL 4.4.
    response = {"deviceType": 52, "macAddress": MAC, "additionalValue": "1234", "failCode": 2}
    message = parse_message(f"{PUSH_TOPIC}/ctrl-fail", dump({**IDLE_REPLY, "response": response}))
    assert message is not None
    assert message.status is None
    assert message.body["failCode"] == 2


def test_the_heater_of_a_message_can_come_from_its_topic() -> None:
    content = dump({"response": {"status": IDLE}})
    named = parse_message(PUSH_TOPIC, content)
    nameless = parse_message(REPLY_TOPIC, content)
    assert named is not None and nameless is not None
    assert named.mac_address == MAC
    assert nameless.mac_address is None
    assert (nameless.client_id, nameless.session_id) == ("", "")


@pytest.mark.parametrize("mac", ["0123456789AB", "01:23:45:67:89:AB", "01-23-45-67-89-ab"])
def test_a_mac_address_is_the_same_however_it_is_written(mac: str) -> None:
    body = {"clientID": "a", "sessionID": "1", "response": {"macAddress": mac}}
    message = parse_message("cmd/52/1/2/a/res", json.dumps(body).encode())
    assert message is not None and message.mac_address == "0123456789ab"


@pytest.mark.parametrize("value", [None, 7, ["x"], {"a": 1}, True])
def test_ids_that_are_not_text_are_ignored(value: Any) -> None:
    message = parse_message(PUSH_TOPIC, dump({**IDLE_REPLY, "clientID": value, "sessionID": value}))
    assert message is not None
    assert (message.client_id, message.session_id) == ("", "")


@pytest.mark.parametrize("command", [STATUS, FEATURES, END_SESSION])
def test_requests_from_the_wildcard_are_not_messages(command: Command) -> None:
    json_frame = build_request(command, ADDRESS, REPLY_ADDRESS, SESSION)
    assert parse_message(json_frame.topic, json_frame.payload) is None
    binary_frame = build_binary_request(command, ADDRESS)
    assert parse_message(binary_frame.topic, binary_frame.payload) is None


def test_an_event_of_a_client_is_not_a_message() -> None:
    # PROTOCOL 3.5.
    event = {"clientID": CLIENT, "protocolVersion": 1, "event": {"macAddress": MAC}}
    assert parse_message(f"evt/52/navilink-{MAC}/app-connection", dump(event)) is None


def test_a_damaged_status_is_an_error_only_when_read() -> None:
    broken = {**IDLE_REPLY, "response": {"macAddress": MAC, "status": {"wifiRssi": 58}}}
    message = parse_message(PUSH_TOPIC, dump(broken))
    assert message is not None
    with pytest.raises(ProtocolError, match="is missing"):
        _ = message.status


@pytest.mark.parametrize("status", [[], "x", 4, True])
def test_a_status_that_is_not_an_object_is_an_error(status: Any) -> None:
    message = parse_message(PUSH_TOPIC, dump({"response": {"status": status, "feature": status}}))
    assert message is not None
    for name in ("status", "features"):
        with pytest.raises(ProtocolError):
            getattr(message, name)


def test_the_repr_of_a_message_hides_its_body() -> None:
    message = parse_message(PUSH_TOPIC, dump(IDLE_REPLY))
    assert "additionalValue" not in repr(message)


# The heater's side


def test_a_response_has_the_keys_of_the_protocol_and_the_ids_of_its_request() -> None:
    frame = build_request(STATUS, ADDRESS, REPLY_ADDRESS, SESSION)
    request = parse_request(frame.topic, frame.payload)
    assert request is not None
    assert (request.code, request.mac_address, request.additional_value) == (16777219, MAC, "1234")
    assert (request.client_id, request.session_id, request.binary) == (CLIENT, SESSION, False)
    response = build_reply(request, ADDRESS, {"status": IDLE})
    assert response.topic == REPLY_TOPIC
    content = json.loads(response.payload)
    assert content == {**IDLE_REPLY, "clientID": CLIENT, "sessionID": SESSION}
    assert list(content) == ["protocolVersion", "clientID", "sessionID", "requestTopic", "response"]


def test_a_response_uses_the_response_topic_of_the_request() -> None:
    sent = {"request": {"command": 16777219}, "responseTopic": "cmd/52/anywhere/res"}
    request = parse_request(STATUS_TOPIC, dump(sent))
    assert request is not None
    assert build_reply(request, ADDRESS, {}).topic == "cmd/52/anywhere/res"


@pytest.mark.parametrize("count, session", [(0, "0"), (9, "9"), (10, "0"), (1234, "4")])
def test_the_session_id_of_a_push_is_one_counting_digit(count: int, session: str) -> None:
    frame = build_push(ADDRESS, CLIENT, count, {"status": IDLE})
    assert frame.topic == PUSH_TOPIC
    content = json.loads(frame.payload)
    assert content["sessionID"] == session
    assert content["requestTopic"] == STATUS_TOPIC
    assert content["response"] == IDLE_REPLY["response"]
    message = parse_message(frame.topic, frame.payload)
    assert message is not None and message.status is not None
    assert message.session_id == session


def test_responses_are_not_requests() -> None:
    assert parse_request(PUSH_TOPIC, dump(IDLE_REPLY)) is None
    assert parse_request(PUSH_TOPIC, binary(99)) is None


@pytest.mark.parametrize("command", [None, "16777219", 16777219.0, True, [1]])
def test_a_request_without_a_command_is_an_error(command: Any) -> None:
    with pytest.raises(ProtocolError, match="contains no command"):
        parse_request(STATUS_TOPIC, dump({"request": {"command": command}}))


# Binary frames


def test_a_binary_command_ends_with_its_payload() -> None:
    sent = build_binary_request(STATUS, Address("abcdef012345", "1"), b"\x00\x07")
    assert sent.payload == b"\x01\x00\x00\x03abcd\x00\x07"
    assert sent.topic == "cmd/52/navilink-abcdef012345/st"


@pytest.mark.parametrize(
    "device_id, four", [("0123456789ab", b"0123"), ("ab", b"ab\0\0"), ("", b"\0\0\0\0")]
)
def test_a_device_id_is_cut_or_padded_to_four_bytes(device_id: str, four: bytes) -> None:
    frame = encode_binary_status(status_of(CORE_END), device_id)
    assert frame[:8] == b"\x01\x00\x00\x03" + four
    assert len(frame) == 8 + 4 * CORE_END


def test_a_binary_response_uses_the_push_topic_and_is_parsed() -> None:
    frame = build_binary_request(STATUS, ADDRESS)
    request = parse_request(frame.topic, frame.payload)
    assert request is not None
    assert (request.code, request.mac_address, request.binary) == (16777219, MAC, True)
    response = build_binary_reply(request, ADDRESS, status_of(99, 7))
    assert response.topic == PUSH_TOPIC
    message = parse_message(response.topic, response.payload)
    assert message is not None
    assert (message.mac_address, message.binary_code) == (MAC, 16777219)
    assert message.status == decode_fields(
        DeviceStatus, {spec.key: 7 for spec in SPECS[:99]}, device_connected=2
    )


def test_a_binary_status_must_have_whole_fields() -> None:
    whole = b"\0\0\0\x02" * (len(SPECS) + 4)
    read: dict[int, list[int | None]] = {}
    for length in range(4 * len(SPECS) + 13):
        with contextlib.suppress(ProtocolError):
            status = decode_status(HEADER + whole[:length])
            read[length] = [getattr(status, spec.name) for spec in SPECS]
    assert read == {
        4 * count: [2] * count + [None] * (len(SPECS) - count)
        for count in range(CORE_END, len(SPECS) + 1)
    }


@pytest.mark.parametrize("length", range(8))
def test_an_incomplete_header_is_an_error(length: int) -> None:
    with pytest.raises(ProtocolError):
        decode_status(HEADER[:length])
    if length:
        with pytest.raises(ProtocolError):
            parse_message(PUSH_TOPIC, HEADER[:length])


@pytest.mark.parametrize("code", [0x01000001, 0x01000004, 0x02000001, 0x04000013, 0x01FFFFFF])
def test_a_binary_frame_of_another_command_has_no_status(code: int) -> None:
    frame = struct.pack(">I4s", code, b"0123") + binary(99)[8:]
    with pytest.raises(ProtocolError, match=str(code)):
        decode_status(frame)
    message = parse_message(PUSH_TOPIC, frame)
    assert message is not None
    assert (message.status, message.features, message.binary_code) == (None, None, code)


def test_a_binary_frame_cannot_leave_out_a_field() -> None:
    status = decode_fields(DeviceStatus, {spec.key: 1 for spec in SPECS if spec.name != "fan_pwm"})
    with pytest.raises(ProtocolError, match="cannot leave out field 53"):
        encode_binary_status(status, MAC)


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 2**62])
def test_a_binary_frame_cannot_hold_more_than_32_bits(value: int) -> None:
    with pytest.raises(ProtocolError, match="32 bits"):
        encode_binary_status(status_of(99, value), MAC)


# Invalid input: only ProtocolError

INVALID = {
    "empty": b"",
    "blank": b"   ",
    "zero": b"\0",
    "no json": b"not json",
    "half an object": b'{"response": {"status": {',
    "scalar": b"120",
    "text": b'"status"',
    "null": b"null",
    "true": b"true",
    "list": b'[{"response": {}}]',
    "not a number": b"NaN",
    "infinity": b"-Infinity",
    "not utf-8": b'{"response": "\xff\xfe"}',
    "latin-1": '{"response": "é"}'.encode("latin-1"),
    "utf-16 cut short": '{"response": {}}'.encode("utf-16")[:-1],
    "deep list": b"[" * 100_000,
    "deep object": b'{"a":' * 20_000,
    "deep and whole": b'{"response":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "long number": b'{"response": ' + b"9" * 10**5 + b"}",
    "long fraction": b'{"response": 0.' + b"1" * 10**5 + b"}",
    "300 KB": dump({**IDLE_REPLY, "padding": "x" * 300_000}),
    "300 KB of nothing": b" " * 300_000 + b"{}",
    "two objects": dump(IDLE_REPLY) * 2,
    "text instead of an object": b'{"response": "status"}',
    "list instead of an object": b'{"response": []}',
}


@pytest.mark.parametrize("payload", INVALID.values(), ids=INVALID)
def test_invalid_payloads_are_errors(payload: bytes) -> None:
    with pytest.raises(ProtocolError) as raised:
        decode_status(payload)
    assert len(str(raised.value)) < 300
    with pytest.raises(ProtocolError):
        parse_message(PUSH_TOPIC, payload)


WITHOUT_STATUS = {
    "null response": b'{"response": null}',
    "null status": b'{"response": {"status": null}}',
    "no status": b'{"response": {"macAddress": "0123456789ab"}}',
    "empty status": b'{"response": {"status": {}}}',
    "a request": build_request(STATUS, ADDRESS, REPLY_ADDRESS, SESSION).payload,
    "NaN": dump({**CORE, "wifiRssi": float("nan")}),
    "infinity": dump({**CORE, "wifiRssi": float("inf")}),
    "10**400": dump({**CORE, "wifiRssi": 10**400}),
    "10**5 digits": dump(CORE)[:-1] + b', "command": ' + b"9" * 10**5 + b', "wifiRssi": null}',
    "a fraction": dump({**CORE, "dhwTemperature": 60.5}),
}


@pytest.mark.parametrize("payload", WITHOUT_STATUS.values(), ids=WITHOUT_STATUS)
def test_payloads_without_a_complete_status_are_errors(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_status(payload)


@pytest.mark.parametrize("text", ["", "\ud800", '{"a": "\udfff', "null", "120"])
def test_invalid_text_is_an_error(text: str) -> None:
    with pytest.raises(ProtocolError):
        decode_status(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, "9" * 1000, None, [[[]]]])
def test_an_impossible_optional_value_affects_only_its_field(value: Any) -> None:
    status = decode_status(dump({**CORE, "fanPwm": value, "eevStep": 480}))
    assert status.fan_pwm is None
    assert status.eev_step == 480
    assert list(status.extra) == ["fanPwm"]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_all_bytes_types_are_accepted(kind: Any) -> None:
    assert decode_status(kind(dump(CORE))) == decode_status(dump(CORE))
    assert decode_status(kind(binary(87))) == status_of(87)


def check_payload(payload: bytes) -> None:
    """Check that every parser accepts a payload or raises ProtocolError."""
    try:
        status = decode_status(payload)
    except ProtocolError:
        pass
    else:
        assert isinstance(status, DeviceStatus)
    for topic in (PUSH_TOPIC, REPLY_TOPIC, STATUS_TOPIC, ""):
        try:
            message = parse_message(topic, payload)
            assert message is None or isinstance(message, Message)
            if message is not None:
                assert message.status is None or isinstance(message.status, DHWStatus)
                assert message.features is None or message.features.extra is not None
        except ProtocolError:
            pass
        try:
            request = parse_request(topic, payload)
            assert request is None or type(request.code) is int
        except ProtocolError:
            pass


@MANY
@given(payload=st.binary(max_size=600))
def test_random_bytes_raise_only_protocol_errors(payload: bytes) -> None:
    check_payload(payload)
    check_payload(HEADER + payload)
    check_payload(b'{"response":' + payload)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["response", "request", "status", "feature", "command", "wifiRssi"])
        | st.text(max_size=4),
        inner,
        max_size=5,
    ),
    max_leaves=12,
)


@MANY
@given(value=JSON)
def test_random_json_raises_only_protocol_errors(value: Any) -> None:
    check_payload(dump(value))


@MANY
@given(data=st.data())
def test_damaged_messages_raise_only_protocol_errors(data: st.DataObject) -> None:
    sound = data.draw(st.sampled_from([dump(IDLE_REPLY), binary(99), binary(87, -2)]))
    payload = bytearray(sound[: data.draw(st.integers(0, len(sound)))])
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(payload)))
        payload[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    check_payload(bytes(payload))


@MODEST
@given(
    body=st.dictionaries(
        st.sampled_from([spec.key for spec in SPECS if not spec.required]) | st.text(max_size=6),
        JSON,
        max_size=20,
    )
)
def test_a_status_with_sound_required_fields_is_always_decoded(body: dict[str, Any]) -> None:
    sent = {**body, **CORE}
    status = decode_fields(DeviceStatus, sent)
    assert {spec.key: getattr(status, spec.name) for spec in SPECS if spec.required} == CORE
    again = encode_fields(status)
    assert again.keys() == sent.keys()
    assert all(again[key] is value or again[key] == value for key, value in sent.items())
