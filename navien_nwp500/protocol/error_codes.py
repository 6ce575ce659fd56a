"""Error codes of the heater: what they mean, and what to do.

Its panel shows an error code as E and three digits. Sources: the unit's manual and the maker's app
(PROTOCOL 11); the advice is the manual's, in this project's words (PROTOCOL 11.1).
"""

from __future__ import annotations

from typing import Mapping, NamedTuple

_SENSOR = {1: "below its limit", 2: "above its limit"}
_CALL = "Call the service."
_WIRING = "Have a qualified person check its wiring, with the breaker off"
_ELEMENT = (
    "Have a qualified person measure the element's resistance and check its wiring, with the breaker "
    "off; board, element or relay may need to be replaced."
)
_TANK_SENSOR = (
    f"{_WIRING}, and replace the sensor. Until then the heater goes on with the other element and "
    "has less hot water."
)
_INPUT = "Have a qualified person check element and thermistor, then replace the board."
_FEEDBACK = f"{_WIRING}, then replace the element."


class ErrorDescription(NamedTuple):
    """Meaning of an error code, what to do, and both by sub-code where they differ."""

    meaning: str
    advice: str
    sub_codes: Mapping[int, str] = {}
    sub_advice: Mapping[int, str] = {}


#: Error codes with their meaning (PROTOCOL 11) and advice (PROTOCOL 11.1). Sub-code 1 of 909 says
#: nothing more than the code.
ERRORS: Mapping[int, ErrorDescription] = {
    96: ErrorDescription("upper electric element", _ELEMENT),
    97: ErrorDescription("lower electric element", _ELEMENT),
    326: ErrorDescription(
        "dry fire: little or no water in the tank",
        "Fill the tank until water without air flows from the outlet: heating an empty tank destroys "
        "the elements.",
    ),
    407: ErrorDescription(
        "hot-water temperature sensor", f"{_WIRING}, and replace the sensor.", _SENSOR
    ),
    445: ErrorDescription(
        "mixing valve", "Have the mixing valve replaced.", {1: "fails to open", 2: "fails to close"}
    ),
    480: ErrorDescription("upper tank sensor", _TANK_SENSOR, _SENSOR),
    481: ErrorDescription("lower tank sensor", _TANK_SENSOR, _SENSOR),
    515: ErrorDescription(
        "relay",
        f"{_WIRING}, and replace the relay.",
        {25: "upper element", 26: "lower element", 27: "compressor"},
    ),
    517: ErrorDescription(
        "DIP switch setting", "Have the installer set the DIP switches as the manual says."
    ),
    593: ErrorDescription("panel key", _CALL),
    594: ErrorDescription("EEPROM", _CALL),
    595: ErrorDescription("power meter", f"{_WIRING}, and replace the power meter."),
    596: ErrorDescription("Wi-Fi", _CALL),
    598: ErrorDescription("real-time clock", _CALL),
    615: ErrorDescription(
        "input circuit",
        _CALL,
        {
            4: "ADC reference",
            27: "ECO feedback",
            28: "compressor feedback",
            29: "upper element feedback",
            30: "lower element feedback",
        },
        {
            4: _INPUT,
            27: _INPUT,
            28: f"{_WIRING}; call the service.",
            29: _FEEDBACK,
            30: _FEEDBACK,
        },
    ),
    781: ErrorDescription(
        "CTA-2045 communication",
        "Have a qualified person check the wiring of the CTA-2045 module, and replace the module.",
    ),
    798: ErrorDescription("shut-off valve", f"{_WIRING}; call the service."),
    799: ErrorDescription(
        "water leak",
        "Close the water supply and look for a leak at the pipes. A tank that leaks must be replaced.",
    ),
    901: ErrorDescription(
        "high-limit (ECO) cut-off",
        "Have a qualified person check element and thermistor, and replace the board.",
    ),
    907: ErrorDescription("compressor power line", f"{_WIRING}."),
    908: ErrorDescription("compressor", f"{_WIRING}; call the service."),
    909: ErrorDescription("evaporator fan", f"{_WIRING}; call the service.", {1: ""}),
    910: ErrorDescription("discharge sensor", f"{_WIRING}; call the service.", _SENSOR),
    911: ErrorDescription("discharge temperature too high", _CALL),
    912: ErrorDescription("suction sensor", f"{_WIRING}; call the service.", _SENSOR),
    913: ErrorDescription("suction temperature too low", _CALL),
    914: ErrorDescription("evaporator sensor", f"{_WIRING}; call the service.", _SENSOR),
    915: ErrorDescription("discharge minus suction temperature implausible", _CALL),
    916: ErrorDescription("evaporator temperature", _CALL),
    920: ErrorDescription("ambient air sensor", f"{_WIRING}; call the service.", _SENSOR),
    940: ErrorDescription(
        "refrigerant line blocked", "Call the service: the expansion valve may be stuck."
    ),
    990: ErrorDescription("condensate overflow", "Remove what blocks the condensate drain."),
}
UNKNOWN = ErrorDescription("unknown error code", "Look it up in the manual, or call the service.")


def describe_error(code: int, sub_code: int = 0) -> str | None:
    """Return the description of an error code; None for 0, no error.

    >>> describe_error(480, 1)
    'E480 upper tank sensor: below its limit'
    """
    if not code:
        return None
    known = ERRORS.get(code, UNKNOWN)
    detail = known.sub_codes.get(sub_code)
    if detail is None and sub_code:
        detail = f"sub-code {sub_code}"
    text = f"E{code:03d} {known.meaning}"
    return f"{text}: {detail}" if detail else text


def advise_error(code: int, sub_code: int = 0) -> str | None:
    """Return what to do about an error code (PROTOCOL 11.1); None for 0, no error.

    >>> advise_error(916)
    'Call the service.'
    """
    if not code:
        return None
    known = ERRORS.get(code, UNKNOWN)
    return known.sub_advice.get(sub_code, known.advice)
