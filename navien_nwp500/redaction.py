"""What must not be told: masks for everything that is logged or saved.

``KEYS`` names the fields whose values identify a person, a home or a heater, or open a door;
``PATTERNS`` finds such values in running text, where a foreign error may have put them.
"""

from __future__ import annotations

import logging
import re
from typing import Any, Mapping

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
        ),
        MASK,
    ),
    "homeSeq": "10001",
    "userSeq": "20002",
    "installerId": MASK,
}

#: Running text: JWTs, AWS key ids and signed queries, e-mail addresses, MACs, controller serials.
PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"eyJ[\w-]+(\.[\w-]*){1,4}"), MASK),
    (re.compile(r"(X-Amz-[\w-]+=)[^&\s]+"), r"\1" + MASK),
    (re.compile(r"\bA(SIA|KIA)[A-Z0-9]{12,}"), MASK),
    (re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+"), MASK + "@" + MASK),
    (re.compile(r"(?<![0-9A-Fa-f])[0-9a-fA-F]{12}(?![0-9A-Fa-f])"), MASK),
    (re.compile(r"(?<![0-9A-Fa-f])([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}(?![0-9A-Fa-f])"), MASK),
    (re.compile(r"\b\d{8}[A-Z]{2}\d{8}\b"), MASK),
    (re.compile(r"[A-Za-z0-9+/]{40,}={0,2}"), MASK),
)


def mask_text(text: str) -> str:
    """The text with whatever looks like a secret or an identity masked."""
    for pattern, mask in PATTERNS:
        text = pattern.sub(mask, text)
    return text


def mask_values(value: Any) -> Any:
    """A JSON value with the values of ``KEYS`` masked, and texts masked as ``mask_text`` does."""
    if isinstance(value, Mapping):
        return {key: _mask_value(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [mask_values(inner) for inner in value]
    return mask_text(value) if isinstance(value, str) else value


def _mask_value(key: str, value: Any) -> Any:
    if key not in KEYS or value is None:
        return mask_values(value)
    mask = KEYS[key]
    if isinstance(value, (Mapping, list)):
        return mask_values(value)
    return int(mask) if isinstance(value, int) and mask.isdigit() else mask


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
