"""Diagnostics: objects and the packed form, by hand (PROTOCOL 8.13)."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

import pytest

from navien_nwp500.exceptions import ProtocolError
from navien_nwp500.protocol.diagnostics import (
    ComponentCounters,
    DrawCounters,
    EventCounters,
    decode_diagnostics,
    pack_diagnostics,
)
from navien_nwp500.protocol.fields import field_specs

PARTS = (EventCounters, DrawCounters, ComponentCounters)
#: Some counters as a live client received them, in the order of the keys.
OBJECTS: dict[str, Any] = {
    "tsData": {
        "cumulatedPwrHp": 1266585,
        "cumulatedPwrHe": 146337,
        "daysSinceInstallation": 359,
        "cumulatedOccNumConOvrFlow": 3,
        "brandNew": [1],
    },
    "tcData": {},
    "tdData": {"numOfdhwUse": 0, "avrageRecoveryTime": 7},
    "taData": {
        "cumulatedOpTimeComp": 3124,
        "cumulatedOpNumComp": 757,
        "mixingValveOpAvgMixinGrate": 5,
    },
}
#: The same, packed by hand: little-endian, two numbers of 32 bits and 15 of 16 in the first part, 32
#: bits in the others.
PACKED: dict[str, Any] = {
    "tsData": "99531300a13b020067010000000000000300" + "0000" * 10,
    "tcData": "",
    "tdData": "00000000" * 7 + "07000000",
    "taData": "340c0000f5020000" + "00000000" * 9 + "05000000" + "00000000" * 6,
}


def test_objects_are_decoded_and_unknown_keys_kept() -> None:
    found = decode_diagnostics({"typeOfTD": 2, "data": {**OBJECTS, "teData": {"a": 1}}})
    events, components = found.events, found.components
    assert (events.heat_pump_wh, events.element_wh) == (1266585, 146337)
    assert events.days_since_installation == 359 and events.condensate_overflows == 3
    assert events.dry_fires is None and events.extra == {"brandNew": [1]}
    assert (found.draws.draws, found.draws.average_recovery_time) == (0, 7)
    assert (components.compressor_hours, components.compressor_starts) == (3124, 757)
    assert components.mixing_valve_rate == 5 and components.extra == {}
    assert found.extra == {"teData": {"a": 1}}


def test_the_packed_form_has_the_same_counters() -> None:
    found, expected = decode_diagnostics({"data": PACKED}), decode_diagnostics({"data": OBJECTS})
    assert found.extra == {} and found.events.extra == {}
    for part in ("events", "draws", "components"):
        named = {key: value for key, value in asdict(getattr(expected, part)).items() if value}
        named.pop("extra", None)
        values = asdict(getattr(found, part))
        assert {key: values[key] for key in named} == named
        assert {value for key, value in values.items() if key not in {*named, "extra"}} == {0}


def test_a_packed_part_may_be_shorter_or_longer_than_known() -> None:
    longer = decode_diagnostics({"data": {**PACKED, "tsData": f"{PACKED['tsData']}0a0b"}})
    assert longer.events.extra == {"packed": "0a0b"}
    shorter = decode_diagnostics({"data": {**PACKED, "tsData": "99531300a1"}})
    assert (shorter.events.heat_pump_wh, shorter.events.element_wh) == (1266585, None)
    assert decode_diagnostics({"data": {}}).components == ComponentCounters()


def test_what_the_simulator_packs_is_the_form_written_by_hand() -> None:
    assert pack_diagnostics(OBJECTS) == PACKED


@pytest.mark.parametrize(
    "response",
    [{}, {"data": "00"}, {"data": None}, {"data": {"tsData": "xy"}}, {"data": {"taData": [1]}}],
)
def test_other_forms_are_protocol_errors(response: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        decode_diagnostics(response)


@pytest.mark.parametrize("part", PARTS)
def test_every_counter_is_documented_with_its_source(part: type[Any]) -> None:
    specs = field_specs(part)
    assert [spec.number for spec in specs] == list(range(1, len(specs) + 1))
    assert {spec.name for spec in specs} == {one.name for one in fields(part)} - {"extra"}
    assert all("/" in spec.certainty and spec.meaning.endswith(".") for spec in specs)
