"""JSON parsers agree with json.loads; quick and field-by-field decoding agree."""

from __future__ import annotations

import copy
import dataclasses
import importlib.util
import json
import pickle
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import given, settings, strategies as st

from navien_nwp500.exceptions import ProtocolError
from navien_nwp500.protocol import json_codec, layouts
from navien_nwp500.protocol.fields import (
    _decode_each_field,
    _layouts,
    decode_fields,
    encode_fields,
    field_specs,
    to_json,
)
from navien_nwp500.protocol.status import DeviceStatus, DHWStatus

MANY = settings(max_examples=100, deadline=None, database=None)
SPECS = field_specs(DeviceStatus)
CORE: dict[str, Any] = {spec.key: 2 for spec in SPECS if spec.required}

every_parser = pytest.mark.parametrize("parser", json_codec.PARSERS)


def outcome(read: Callable[[], Any]) -> tuple[str, Any]:
    """Return result or error for comparison: NaN equals itself, True is not 1, key order counts."""
    try:
        return "value", exact(read())
    except (ValueError, RecursionError, ProtocolError) as error:
        return type(error).__name__, str(error)


def exact(value: Any) -> Any:
    if isinstance(value, dict):
        return [(key, exact(inner)) for key, inner in value.items()]
    if isinstance(value, list):
        return ["list", *map(exact, value)]
    return type(value), repr(value)


# Parsers

CAPTURE = Path(__file__).parents[2] / "reference" / "recovery.jsonl"
SOUND = b'{"status": {"a": 1, "b": [1, -2, {"c": "x"}], "d": null, "e": true}}'
HOSTILE = {
    "empty": b"",
    "blanks around": b' \t\r\n{"a": 1}\n ',
    "a form feed": b'\x0c{"a": 1}',
    "BOM": b'\xef\xbb\xbf{"a": 1}',
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "utf-16 without BOM": '{"a": 1}'.encode("utf-16-le"),
    "utf-32": '{"a": 1}'.encode("utf-32-be"),
    "NUL": b'{"a": 1}\0',
    "twice": b'{"a": 1}{"a": 1}',
    "a key twice": b'{"a": 1, "b": 2, "a": 3}',
    "a key twice in two spellings": b'{"a": 1, "b": 2, "\\u0061": 3}',
    "a status twice": b'{"response":{"status":{"a":1},"status":{}}}',
    "a status outside and one inside": b'{"status":{"a":1},"response":{"status":{}}}',
    "a status in two spellings": b'{"status":{"a":1},"\\u0073tatus":{}}',
    "a status beside a response": b'{"status":{"a":1},"response":{"b":2}}',
    "a status in a list": b'{"response":[{"status":{"a":1}}]}',
    "a status in a text": b'["\\"status":{","}"]',
    "a comma too many": b'{"a": 1,}',
    "a comment": b'{"a": 1 /* one */}',
    "single quotes": b"{'a': 1}",
    "a tab in a text": b'{"a": "\t"}',
    "DEL in a text": b'{"a": "\x7f"}',
    "a lone surrogate": b'{"a": "\\ud800"}',
    "surrogates the wrong way round": b'{"a": "\\udc00\\ud800"}',
    "a pair of surrogates": b'{"a": "\\ud83d\\ude00"}',
    "a surrogate in bytes": b'{"a": "\xed\xa0\x80"}',
    "overlong utf-8": b'{"a": "\xc0\xaf"}',
    "half a character": b'{"a": "\xc3"}',
    "an escape that is none": b'{"a": "\\x41"}',
    "deep": b'{"a": ' + b"[" * 30 + b"]" * 30 + b"}",
    "deeper": b'{"a": ' + b"[" * 1020 + b"]" * 1020 + b"}",
    "deepest": b'{"a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    **{
        f"number {text[:24]}": b'{"a": %b}' % text.encode()
        for text in (
            *("0", "-0", "00", "01", "+1", "1.", ".5", "1.0", "-0.0", "1e3", "1E400", "1e-400"),
            *("NaN", "-NaN", "Infinity", "-Infinity", "nan", "0x10", "1_000", "\u0663", "True"),
            *(
                str(sign * 2**bits + more)
                for sign in (1, -1)
                for bits in (31, 53, 63, 64)
                for more in (-1, 0, 1)
            ),
            *("9" * 400, "9" * 5000, "0." + "1" * 5000),
        )
    },
    **{
        f"alone {text}": text.encode()
        for text in ("1", "1.5", "true", "null", '"x"', "[]", "[1.5]")
    },
}


@every_parser
@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE)
def test_unusual_json_gives_the_same_result_with_every_parser(parser: str, payload: bytes) -> None:
    quick = json_codec.PARSERS[parser]
    assert outcome(lambda: json_codec.loads(payload, quick)) == outcome(lambda: json.loads(payload))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**400])
    | st.floats()
    | st.text(st.characters(), max_size=6),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(), max_size=3), inner, max_size=4),
    max_leaves=15,
)


@every_parser
@MANY
@given(data=st.data())
def test_damaged_json_gives_the_same_result_with_every_parser(
    parser: str, data: st.DataObject
) -> None:
    text = json.dumps(data.draw(JSON), ensure_ascii=data.draw(st.booleans()))
    payload = bytearray(text.encode(errors="surrogatepass"))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(payload)))
        part = data.draw(st.binary(max_size=2) | st.sampled_from([b"\\ud800", b"1.5", b"[", b"-0"]))
        payload[at : at + data.draw(st.integers(0, 2))] = part
    quick, whole = json_codec.PARSERS[parser], bytes(payload)
    assert outcome(lambda: json_codec.loads(whole, quick)) == outcome(lambda: json.loads(whole))


@every_parser
def test_a_normal_message_needs_only_the_fast_parser(
    parser: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [*CAPTURE.read_bytes().splitlines(), SOUND]
    quick, expected = json_codec.PARSERS[parser], [json.loads(text) for text in texts]
    monkeypatch.setattr(json, "loads", None)
    assert [json_codec.loads(text, quick) for text in texts] == expected


def test_the_fastest_installed_parser_is_first() -> None:
    wanted = ["orjson", "msgspec.json", "json"]
    there = [name for name in wanted if importlib.util.find_spec(name.partition(".")[0])]
    assert list(json_codec.PARSERS) == there


# Decoding

ODD: tuple[Any, ...] = (
    *(None, True, False, 1.0, 1.5, float("nan"), "1", "", [], [1], {}, {"a": 1}, 10**400),
    *(2**31, -(2**31) - 1, 2**63 - 1, -(2**63), 2**63, -(2**63) - 1),
)
NUMBERS = st.integers(-(2**31), 2**31 - 1) | st.integers(-2, 3)
KEYS = st.sampled_from([spec.key for spec in SPECS]) | st.sampled_from(["new", "newer", "extra"])
BODIES = st.builds(
    lambda numbers, count, more, gone: {
        key: value
        for key, value in {
            **{spec.key: number for spec, number in zip(SPECS[:count], numbers)},
            **more,
        }.items()
        if key not in gone
    },
    st.lists(NUMBERS, min_size=len(SPECS), max_size=len(SPECS)),
    st.sampled_from([60, 87, 99, 103]),
    st.dictionaries(KEYS, NUMBERS | st.sampled_from(ODD), max_size=3),
    st.sets(KEYS, max_size=2),
)


def visible(decoded: DHWStatus) -> Any:
    """Return everything visible of a message: values, types and the order of unknown keys."""
    values = {field.name: getattr(decoded, field.name) for field in dataclasses.fields(decoded)}
    types = {name: type(value) for name, value in values.items()}
    return repr(decoded), exact(values), types, exact(encode_fields(decoded))


def decode_each_field(cls: type[Any], body: Any, **added: Any) -> Any:
    return _decode_each_field(cls, body, added)


@MANY
@given(bodies=st.lists(BODIES, min_size=1, max_size=3), connected=st.sampled_from([None, 2]))
def test_quick_and_field_by_field_decoding_agree(
    bodies: list[dict[str, Any]], connected: int | None
) -> None:
    added = {} if connected is None else {"device_connected": connected}
    for cls in (DHWStatus, DeviceStatus):
        for body in bodies:
            quick = outcome(lambda: visible(decode_fields(cls, body, **added)))
            careful = outcome(lambda: visible(decode_each_field(cls, body, **added)))
            assert quick == careful


@pytest.mark.parametrize("odd", ODD, ids=lambda value: repr(value)[:12])
def test_an_unusual_value_in_any_field_is_decoded_alike(odd: Any) -> None:
    sound = {spec.key: 1 for spec in SPECS}
    decode_fields(DeviceStatus, sound)
    for key in sound:
        body = {**sound, key: odd}
        assert outcome(lambda: visible(decode_fields(DeviceStatus, body))) == outcome(
            lambda: visible(decode_each_field(DeviceStatus, body))
        )


def test_nothing_in_the_first_message_is_known_before() -> None:
    for odd in (None, True, "1"):
        found = _layouts(DeviceStatus)
        assert found is not None and found.decode({**CORE, "fanPwm": odd}, {}) is None


@pytest.mark.parametrize("more", [{}, {"newer": 3}, {"newer": "x", "newest": None}])
@pytest.mark.parametrize("gone", [(), ("fanPwm",), ("command", "minorCode")])
@pytest.mark.parametrize("count", [87, 99, 103])
def test_messages_of_other_firmware_are_decoded_quickly_too(
    count: int, gone: tuple[str, ...], more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {spec.key: 2 for spec in SPECS[:count] if spec.key not in gone}
    body.update(more)
    expected = visible(decode_each_field(DeviceStatus, body))
    monkeypatch.setattr("navien_nwp500.protocol.fields._decode_each_field", None)
    for _ in range(2):
        assert visible(decode_fields(DeviceStatus, body)) == expected
    assert decode_fields(DeviceStatus, body).extra == more


def test_layouts_with_as_many_keys_replace_each_other() -> None:
    for name in ("fanPwm", "eevStep", "fanPwm"):
        body = {**CORE, name: 7}
        assert visible(decode_fields(DeviceStatus, body)) == visible(
            decode_each_field(DeviceStatus, body)
        )
    for name in ("new", "newer", "fanPwm", "new"):
        assert decode_fields(DeviceStatus, {**CORE, name: 7}).extra == (
            {} if name == "fanPwm" else {name: 7}
        )


def test_caches_have_a_limit() -> None:
    found = _layouts(DeviceStatus)
    assert found is not None
    for number in range(3 * layouts.CACHE_SIZE):
        body = {**CORE, "fanPwm": number, **{f"new{key}": 1 for key in range(number % 40)}}
        message = found.decode(body, {})
        assert message is not None and message.fan_pwm == number
        assert to_json(message)["fan_pwm"] == number
    assert len(found.by_length) <= layouts.MAX_LAYOUTS
    assert {len(cache) <= layouts.CACHE_SIZE for cache in found.caches.values()} == {True}
    blocks = json_codec._Blocks()
    for number in range(2 * json_codec.MAX_PAIRS):
        assert blocks.parse(b'"a":%d,"b":2' % number) == {"a": number, "b": 2}
    assert len(blocks._pairs) <= json_codec.MAX_PAIRS


def test_a_message_has_nothing_of_the_one_before() -> None:
    body = {spec.key: 2 for spec in SPECS[:87]} | {"new": [1]}
    first = decode_fields(DeviceStatus, body, device_connected=2)
    body["fanPwm"] = 300
    body["new"].append(2)  # type: ignore[attr-defined]
    second = decode_fields(DeviceStatus, body)
    assert (first.fan_pwm, second.fan_pwm) == (2, 300)
    assert (first.device_connected, second.device_connected) == (2, None)
    to_json(second)["dhw_temperature"]["celsius"] = 0
    assert to_json(second)["dhw_temperature"] == {"celsius": 1.0, "fahrenheit": 33.8}
    vars(second)["fan_pwm"] = 7
    assert decode_fields(DeviceStatus, body).fan_pwm == 300


PIECES = (
    *(b'"a":1', b'"a":2', b'"b":1', b'"b":-7', b'"c":300', b'"c":301', b'"c":123456789012345678'),
    *(
        b'"c":-0',
        b'"c":01',
        b'"c":1.5',
        b'"c":true',
        b'"c":1e3',
        b'"c":"x"',
        b'"c":9223372036854775808',
    ),
    *(
        b' "c":1',
        b'"c": 1',
        b'"status":{"a":1}',
        b'"\\u0061":3',
        b'"status":"status"',
        b'"d":[1]',
        b"",
    ),
)
FRAMES = (
    b'{"response":{"x":"y","status":{%s}},"z":1}',
    b'{"status":{%s}}',
    b'{"other":{"status":{%s}}}',
    b'{"response":{"status":{%s},"status":{}}}',
    b'{"response":{"\\u0073tatus":{},"status":{%s}}}',
    b'{"response":{"status":{%s}},"status":{}}',
    b'[{"status":{%s}}]',
    b'{"x":"\\"status\\":{","status":{%s}}',
    b'{"status":{%s}',
    b'{"status":{%s}}}',
)


@every_parser
@MANY
@given(
    texts=st.lists(
        st.tuples(st.sampled_from(FRAMES), st.lists(st.sampled_from(PIECES), max_size=4)),
        min_size=2,
        max_size=5,
    )
)
def test_a_status_after_others_is_parsed_as_json_does(
    parser: str, texts: list[tuple[bytes, list[bytes]]]
) -> None:
    quick = json_codec.PARSERS[parser]
    for frame, pieces in texts:
        whole = frame % b",".join(pieces)
        kind, found = outcome(lambda: json_codec.loads(whole, quick))
        assert (kind, found) == outcome(lambda: json.loads(whole)), whole
        if kind == "value":
            _spoil(json_codec.loads(whole, quick))


@every_parser
@pytest.mark.parametrize("odd", ["1.0", "1e400", "-0", "true", "null", '"x"', "[1.5]", str(10**30)])
def test_one_odd_value_in_a_large_object_is_parsed_as_json_does(parser: str, odd: str) -> None:
    large = ",".join(f'"k{number}":{number**9}' for number in range(99))
    for text in (f"{{{large}}}", f'{{{large},"odd":{odd}}}', f'{{"odd":{odd},{large}}}'):
        whole = text.encode()
        found = outcome(lambda: json_codec.loads(whole, json_codec.PARSERS[parser]))
        assert found == outcome(lambda: json.loads(whole))


def _spoil(value: Any) -> None:
    """Change what a parser has returned: the next result must not have it."""
    for part in value.values() if type(value) is dict else ():
        _spoil(part)
    if type(value) is dict:
        value["spoilt"] = value["a"] = None


# Behaviour of a message, decoded or constructed


def decoded_one() -> DeviceStatus:
    return decode_fields(
        DeviceStatus, {spec.key: 2 for spec in SPECS[:87]} | {"new": [1]}, device_connected=2
    )


def constructed() -> DeviceStatus:
    values = {
        field.name: getattr(decoded_one(), field.name) for field in dataclasses.fields(DeviceStatus)
    }
    return DeviceStatus(**values)


@pytest.mark.parametrize("make", [decoded_one, constructed])
def test_a_message_behaves_like_a_dataclass(make: Callable[[], DeviceStatus]) -> None:
    message = make()
    assert message == constructed()
    assert repr(make()) == repr(constructed())
    for copied in (copy.copy(make()), copy.deepcopy(make()), pickle.loads(pickle.dumps(make()))):
        assert visible(copied) == visible(message)
    assert copy.deepcopy(message).extra["new"] is not message.extra["new"]
    assert dataclasses.replace(make(), fan_pwm=None).fan_pwm is None
    assert dataclasses.asdict(make()) == dataclasses.asdict(constructed())
    assert make() != dataclasses.replace(make(), fan_pwm=None)
    with pytest.raises(TypeError, match="unhashable"):
        hash(make())


@pytest.mark.parametrize("make", [decoded_one, constructed])
@pytest.mark.parametrize("name", ["fan_pwm", "extra", "wifi_rssi", "of_no_class", "_packed"])
def test_a_message_cannot_be_changed(make: Callable[[], DeviceStatus], name: str) -> None:
    message = make()
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(message, name, 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        delattr(message, name)
    assert message == constructed()


@pytest.mark.parametrize("make", [decoded_one, constructed])
def test_an_unknown_attribute_is_an_error_with_its_name(make: Callable[[], DeviceStatus]) -> None:
    with pytest.raises(AttributeError, match="'DeviceStatus' object has no attribute 'fan_pwn'"):
        make().fan_pwn  # type: ignore[attr-defined]


def test_a_message_supports_weak_references() -> None:
    import weakref

    message = decoded_one()
    assert weakref.ref(message)() is message


def test_equal_values_are_shared_but_extra_is_not() -> None:
    first, second = decoded_one(), decoded_one()
    assert first.dhw_temperature is second.dhw_temperature is first.dhw_temperature_setting
    assert type(first.dhw_temperature) is not type(first.tank_upper_temperature)
    plain = [decode_fields(DeviceStatus, dict(CORE)) for _ in range(2)]
    assert plain[0].extra is not plain[1].extra
