"""What must not be told: masks for everything that is logged or saved.

``KEYS`` names the fields whose values identify a person, a home or a heater, or open a door;
``PATTERNS`` finds such values in running text, where a foreign error may have put them.
"""

from __future__ import annotations

import logging
import re
from typing import Any, Mapping, NamedTuple

MASK = "***"

#: Key -> what stands in its place.
KEYS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "password",
            "accessToken",
            "idToken",
            "refreshToken",
            "accessKeyId",
            "secretKey",
            "sessionToken",
            "authorization",
            "pushToken",
        ),
        MASK,
    ),
    "userId": "user@example.com",
    "userEmail": "user@example.com",
    "macAddress": "0123456789ab",
    "additionalValue": "1234",
    "clientID": "client",
    "controllerSerialNumber": "12345678AB12345678",
    "controllerId": "12345678AB12345678",
    "manufactureId": "1234E5678901234",
    **dict.fromkeys(
        (
            "userFirstName",
            "userLastName",
            "userPhoneNumber",
            "deviceName",
            "installerFirstName",
            "installerLastName",
            "installerPhoneNumber",
            "state",
            "city",
            "address",
            "latitude",
            "longitude",
            "altitude",
            "zipCode",
            # Whose electricity, by which plan: a region of the map.
            "utility",
            "name",
        ),
        MASK,
    ),
    "homeSeq": "10001",
    "userSeq": "20002",
    "installerId": MASK,
}


class Pattern(NamedTuple):
    """What a kind of secret looks like in running text, and what stands in its place."""

    kind: str
    form: re.Pattern[str]
    mask: str


MAC = "MAC address"

PATTERNS: tuple[Pattern, ...] = (
    Pattern("token", re.compile(r"eyJ[\w-]+(\.[\w-]*){1,4}"), MASK),
    Pattern("signed query", re.compile(r"(X-Amz-[\w-]+=)[^&\s]+"), r"\1" + MASK),
    Pattern("AWS key", re.compile(r"\bA(SIA|KIA)[A-Z0-9]{12,}"), MASK),
    Pattern("e-mail address", re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+"), MASK + "@" + MASK),
    Pattern(MAC, re.compile(r"(?<![0-9A-Fa-f])[0-9a-fA-F]{12}(?![0-9A-Fa-f])"), MASK),
    Pattern(
        MAC,
        re.compile(r"(?<![0-9A-Fa-f])([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}(?![0-9A-Fa-f])"),
        MASK,
    ),
    Pattern("serial number", re.compile(r"\b\d{8}[A-Z]{2}\d{8}\b"), MASK),
    Pattern("secret key", re.compile(r"[A-Za-z0-9+/]{40,}={0,2}"), MASK),
)


def mask_text(text: str) -> str:
    """The text with whatever looks like a secret or an identity masked."""
    for _, form, mask in PATTERNS:
        text = form.sub(mask, text)
    return text


def mask_values(value: Any) -> Any:
    """A JSON value with the values of ``KEYS`` masked, and texts masked as ``mask_text`` does."""
    if isinstance(value, Mapping):
        return {
            key: mask_value(key, inner) if key in KEYS else mask_values(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [mask_values(inner) for inner in value]
    return mask_text(value) if isinstance(value, str) else value


def mask_value(key: str, value: Any) -> Any:
    """What stands in place of a value under a key of ``KEYS``: a number for a number."""
    if isinstance(value, Mapping):
        return mask_values(value)
    if isinstance(value, list):
        return [mask_value(key, inner) for inner in value]
    mask = KEYS[key]
    if isinstance(value, (int, float)):
        return int(mask) if mask.isdigit() else 0
    return None if value is None else mask


class _Masking(logging.Filter):
    """Masks a record before any handler sees it, its traceback too."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = mask_text(record.getMessage()), None
        if record.exc_info:
            record.exc_text = mask_text(_FORMATTER.formatException(record.exc_info))
        return True


_FORMATTER = logging.Formatter()


def logger(name: str) -> logging.Logger:
    """The logger of a module; whatever it is given leaves it masked."""
    found = logging.getLogger(name)
    if not any(isinstance(one, _Masking) for one in found.filters):
        found.addFilter(_Masking())
    return found
