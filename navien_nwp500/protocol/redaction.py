"""Masking of private data in everything that is logged or saved.

``FIELD_MASKS`` names the fields whose values identify a person, a home or a heater, or grant access.
``PATTERNS`` finds such values in text, for example in an error of another library.
"""

from __future__ import annotations

import logging
import re
from typing import Any, Mapping, NamedTuple

from .._util.text import clean_text

MASK = "***"

#: Mask by key.
FIELD_MASKS: Mapping[str, str] = {
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
            "installerId",
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
            # Utility and rate plan identify the region.
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
    """Regular expression for one kind of secret in text, and its mask."""

    kind: str
    regex: re.Pattern[str]
    mask: str


MAC = "MAC address"

#: Each takes time in proportion to the text: a match begins only where a run of its characters
#: begins, and a lookahead decides before anything is tried that a longer text would repeat.
PATTERNS: tuple[Pattern, ...] = (
    Pattern(
        "token",
        re.compile(r"((?<![\w-])(?=[\w-]+\.)[\w-]*?)eyJ[\w-]+(\.[\w-]*){1,4}"),
        r"\1" + MASK,
    ),
    Pattern(
        "signed query",
        re.compile(r"((?<![\w-])(?=[\w-]+=[^&\s])[\w-]*?X-Amz-[\w-]+=)[^&\s]+"),
        r"\1" + MASK,
    ),
    Pattern("AWS key", re.compile(r"\bA(SIA|KIA)[A-Z0-9]{12,}"), MASK),
    Pattern(
        "e-mail address", re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(\.[\w-]+)+"), MASK + "@" + MASK
    ),
    Pattern(MAC, re.compile(r"(?<![0-9A-Fa-f])[0-9a-fA-F]{12}(?![0-9A-Fa-f])"), MASK),
    Pattern(
        MAC,
        re.compile(r"(?<![0-9A-Fa-f])([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}(?![0-9A-Fa-f])"),
        MASK,
    ),
    Pattern("serial number", re.compile(r"\b\d{8}[A-Z]{2}\d{8}\b"), MASK),
    Pattern("secret key", re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{40,}={0,2}"), MASK),
)


def mask_text(text: str) -> str:
    """Mask everything in a text that looks like a secret or an identity."""
    for _, regex, mask in PATTERNS:
        text = regex.sub(mask, text)
    return text


def mask_values(value: Any) -> Any:
    """Mask a JSON value: values of ``FIELD_MASKS`` by key, other texts with ``mask_text``."""
    if isinstance(value, Mapping):
        return {
            key: mask_value(key, inner) if key in FIELD_MASKS else mask_values(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [mask_values(inner) for inner in value]
    return mask_text(value) if isinstance(value, str) else value


def mask_value(key: str, value: Any) -> Any:
    """Mask a value under a key of ``FIELD_MASKS``; a number becomes a number."""
    if isinstance(value, Mapping):
        return mask_values(value)
    if isinstance(value, list):
        return [mask_value(key, inner) for inner in value]
    mask = FIELD_MASKS[key]
    if isinstance(value, (int, float)):
        return int(mask) if mask.isdigit() else 0
    return None if value is None else mask


class _MaskingFilter(logging.Filter):
    """Logging filter that masks message and traceback before any handler gets the record.

    A message is one line: foreign text in it cannot look like another message.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = mask_text(clean_text(record.getMessage())), None
        if record.exc_info:
            record.exc_text = mask_text(_FORMATTER.formatException(record.exc_info))
        return True


_FORMATTER = logging.Formatter()


def logger(name: str) -> logging.Logger:
    """Return the logger of a module, with masking of all its records."""
    found = logging.getLogger(name)
    if not any(isinstance(one, _MaskingFilter) for one in found.filters):
        found.addFilter(_MaskingFilter())
    return found


def library_logger(name: str) -> logging.Logger:
    """Return a logger for aiomqtt and paho, with all its records at DEBUG.

    For them a dropped connection is an error; here it is told once, by who restores it.
    """
    found = logger(name)

    def as_detail(record: logging.LogRecord) -> bool:
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        return found.isEnabledFor(logging.DEBUG)

    found.addFilter(as_detail)
    return found
