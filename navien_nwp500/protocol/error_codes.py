"""Error codes of the heater and their descriptions.

Its panel shows an error code as E and three digits. Sources: the unit's manual and the maker's app
(PROTOCOL 11).
"""

from __future__ import annotations

DESCRIPTIONS: dict[int, str] = {
    96: "upper electric element",
    97: "lower electric element",
    326: "dry fire: little or no water in the tank",
    407: "hot-water temperature sensor",
    445: "mixing valve",
    480: "upper tank sensor",
    481: "lower tank sensor",
    515: "relay",
    517: "DIP switch setting",
    593: "panel key",
    594: "EEPROM",
    595: "power meter",
    596: "Wi-Fi",
    598: "real-time clock",
    615: "input circuit",
    781: "CTA-2045 communication",
    798: "shut-off valve",
    799: "water leak",
    901: "high-limit (ECO) cut-off",
    907: "compressor power line",
    908: "compressor",
    909: "evaporator fan",
    910: "discharge sensor",
    911: "discharge temperature too high",
    912: "suction sensor",
    913: "suction temperature too low",
    914: "evaporator sensor",
    915: "discharge minus suction temperature implausible",
    916: "evaporator temperature",
    920: "ambient air sensor",
    940: "refrigerant line blocked",
    990: "condensate overflow",
}

_SENSOR = {1: "below its limit", 2: "above its limit"}

#: Descriptions of sub-codes; 0 is no sub-code.
SUB_CODES: dict[int, dict[int, str]] = {
    **dict.fromkeys((407, 480, 481, 910, 912, 914, 920), _SENSOR),
    445: {1: "fails to open", 2: "fails to close"},
    515: {25: "upper element", 26: "lower element", 27: "compressor"},
    615: {
        4: "ADC reference",
        27: "ECO feedback",
        28: "compressor feedback",
        29: "upper element feedback",
        30: "lower element feedback",
    },
}


def describe_error(code: int, sub_code: int = 0) -> str | None:
    """Return the description of an error code; None for 0, no error.

    >>> describe_error(480, 1)
    'E480 upper tank sensor: below its limit'
    """
    if not code:
        return None
    detail = SUB_CODES.get(code, {}).get(sub_code)
    if detail is None and sub_code:
        detail = f"sub-code {sub_code}"
    text = f"E{code:03d} {DESCRIPTIONS.get(code, 'unknown error code')}"
    return f"{text}: {detail}" if detail else text
