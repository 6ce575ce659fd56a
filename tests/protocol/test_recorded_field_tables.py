"""Field specs compared with the tables of known fields beside the repository."""

from __future__ import annotations

from typing import Any

import pytest

from navien_nwp500.protocol.features import DeviceFeatures
from navien_nwp500.protocol.fields import field_specs
from navien_nwp500.protocol.status import DeviceStatus
from support import captures

if not captures.AVAILABLE:
    pytest.skip(captures.SKIP_REASON, allow_module_level=True)

#: Value type by unit and conversion.
CODECS = {
    ("code", "none"): "Code",
    ("count", "none"): "Code",
    ("degC", "half_celsius"): "HalfCelsius",
    ("degC", "deci_celsius"): "DeciCelsius",
    ("K", "deci_celsius_delta"): "DeciKelvin",
    ("flag", "flag"): "Flag",
    ("flag", "flag_tri"): "Flag",
    ("bitfield", "none"): "Bits",
    ("dBm", "neg_abs"): "SignalStrength",
    ("W", "none"): "Watts",
    ("%", "none"): "Percent",
    ("d", "none"): "Days",
    ("h", "none"): "Hours",
    ("L", "none"): "Litres",
    ("L/min", "div_10"): "DeciLitresPerMinute",
    ("rpm", "none"): "Rpm",
    ("steps", "none"): "Steps",
    ("Wh", "x4_wh"): "EnergyCount",
    ("packed", "none"): "Version",
    ("text", "none"): "str",
}
ENUMS = {
    "ErrorCode": "ErrorCode",
    "OperationMode": "OperationMode",
    "DrEvent": "DrEvent",
    "DhwOperationSetting": "DHWMode",
    "TemperatureType": "TemperatureType",
    "TempFormulaType": "TempFormula",
    "HeatSource": "HeatSource",
    "StateNum": "HeatPumpState",
    "TouStatus": "TouStatus",
    "TouOverride": "TouOverride",
    "RecircMode": "RecircMode",
    "UnitType": "UnitType",
    "VolumeCode": "Volume",
    "DhwControlType": "DhwControl",
}
PHYSICAL = {
    "half_celsius": lambda raw: raw / 2,
    "deci_celsius": lambda raw: raw / 10,
    "deci_celsius_delta": lambda raw: raw / 10,
    "div_10": lambda raw: raw / 10,
    "neg_abs": lambda raw: -abs(raw),
    "x4_wh": lambda raw: raw * 4,
    "none": lambda raw: raw,
}


def expected_codec(fact: dict[str, str]) -> str:
    kind, _, name = fact["conversion"].partition(":")
    return ENUMS[name] if kind == "enum" else CODECS[fact["unit"], kind]


def described(cls: type[Any]) -> list[tuple[str, str, str, str]]:
    return [(spec.key, spec.name, spec.codec.__name__, spec.certainty) for spec in field_specs(cls)]


def known_fields(name: str) -> list[tuple[str, str, str, str]]:
    return [
        (fact["wire_key"], fact["snake_name"], expected_codec(fact), fact["certainty"])
        for fact in captures.field_table(name)
    ]


def test_the_status_fields_match_the_known_fields() -> None:
    facts = known_fields("status_fields")
    assert len(facts) == 103
    # A new field comes after the known ones.
    assert described(DeviceStatus)[: len(facts)] == facts


def test_the_feature_fields_match_the_known_fields() -> None:
    facts = known_fields("feature_fields")
    # Field 30 is the other spelling of field 29, which is accepted but never sent.
    assert facts[29][:2] == ("mixingValveUse", "mixing_valve_use")
    del facts[29]
    assert described(DeviceFeatures) == facts


@pytest.mark.parametrize(
    "cls, name, count",
    [(DeviceStatus, "status_fields", 99), (DeviceFeatures, "feature_fields", 43)],
)
def test_every_example_is_converted_as_documented(cls: type[Any], name: str, count: int) -> None:
    facts = {fact["wire_key"]: fact for fact in captures.field_table(name)}
    checked = 0
    for spec in field_specs(cls)[: len(facts)]:
        fact = facts[spec.key]
        for column in ("example", "example_idle", "example_heating"):
            if not fact.get(column) or spec.codec is str:
                continue
            raw = int(fact[column])
            value = spec.codec(raw)
            rule = fact["conversion"]
            assert value == raw
            if rule.startswith("flag"):
                assert value.active is (raw == 2)
            elif rule.startswith("enum") and rule != "enum:ErrorCode":
                assert value.known
            elif rule in PHYSICAL:
                assert value.physical == PHYSICAL[rule](raw)
        checked += bool(fact.get("example") or fact.get("example_idle"))
    assert checked == count


@pytest.mark.parametrize(
    "cls, name", [(DeviceStatus, "status_fields"), (DeviceFeatures, "feature_fields")]
)
def test_units_match_the_known_fields(cls: type[Any], name: str) -> None:
    units = {fact["wire_key"]: fact["unit"] for fact in captures.field_table(name)}
    for spec in field_specs(cls)[: len(units)]:
        unit = getattr(spec.codec, "unit", "")
        assert unit in ("", units[spec.key])
        without = ("code", "count", "flag", "enum", "bitfield", "packed", "text")
        assert (unit == "") == (units[spec.key] in without)
