"""Settings that have a variable: its name, its field of ``NaviLinkConfig`` and its check."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Callable, NamedTuple
from urllib.parse import urlsplit

from .._util.numbers import DAY, is_seconds, shown
from ..exceptions import ConfigurationError


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("non-empty text")
    return value


def _one_of(*allowed: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value.strip().upper() not in (a.upper() for a in allowed):
            raise ValueError("one of " + ", ".join(allowed))
        return next(a for a in allowed if a.upper() == value.strip().upper())

    return check


def _url(scheme: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        from .._util.hosts import is_host  # loads ssl, which decoding does not need

        try:
            parts = urlsplit(value.strip()) if isinstance(value, str) else None
            usable = parts is not None and parts.scheme == scheme and is_host(parts.hostname)
            usable = usable and (parts is None or parts.port != 0)
        except ValueError:
            usable = False
        if not usable:
            raise ValueError(f"an address that begins with {scheme}://, then a valid host name")
        return str(value).strip().rstrip("/")

    return check


def _file(value: Any) -> Path:
    try:
        path = Path(value).expanduser()
        usable = path.is_file()
    except (TypeError, ValueError, OSError, RuntimeError):
        usable = False
    if not usable:
        raise ValueError("the path of a readable file")
    return path


def _mac(value: Any) -> str:
    digits = re.sub(r"[:\-.\s]", "", str(value)).lower()
    if not re.fullmatch(r"[0-9a-f]{12}", digits):
        raise ValueError("12 hexadecimal digits")
    return digits


def _seconds(value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = 0.0
    if not is_seconds(seconds):
        raise ValueError(f"a number of seconds above 0, at most {DAY}")
    return seconds


def _yes_or_no(value: Any) -> bool:
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    found = words.get(str(value).strip().lower())
    if found is None:
        raise ValueError("1 (yes) or 0 (no)")
    return found


class Setting(NamedTuple):
    """Definition of a variable: its name, its field, its check and its description."""

    variable: str
    name: str
    check: Callable[[Any], Any]
    meaning: str


SETTINGS = (
    Setting("NAVILINK_EMAIL", "email", _text, "E-mail of your NaviLink account."),
    Setting(
        "NAVILINK_PASSWORD",
        "password",
        _text,
        "Password of the account; not needed while a saved session is valid.",
    ),
    Setting(
        "NAVILINK_LOG_LEVEL",
        "log_level",
        _one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        "Log level of the command line: DEBUG, INFO, WARNING or ERROR.",
    ),
    Setting(
        "NAVILINK_MQTT_PROTOCOL",
        "mqtt_protocol",
        _one_of("MQTT3", "MQTT5"),
        "MQTT version: MQTT3 (3.1.1) or MQTT5.",
    ),
    Setting(
        "NAVILINK_BASE_URL",
        "base_url",
        _url("https"),
        "URL of the REST service, beginning with https://.",
    ),
    Setting(
        "NAVILINK_WEBSOCKET_URL",
        "websocket_url",
        _url("wss"),
        "URL of the MQTT broker, beginning with wss://.",
    ),
    Setting(
        "NAVILINK_CA_FILE",
        "ca_file",
        _file,
        "File of CA certificates to trust instead of the system's.",
    ),
    Setting(
        "NAVILINK_WIRE_FORMAT",
        "wire_format",
        _one_of("json", "binary"),
        "Message format: json, which the live service uses, or binary.",
    ),
    Setting(
        "NAVILINK_DEVICE_MAC",
        "device_mac",
        _mac,
        "MAC address of the heater, if the account has several.",
    ),
    Setting(
        "NAVILINK_POLLING_INTERVAL", "polling_interval", _seconds, "Time between polls, in seconds."
    ),
    Setting(
        "NAVILINK_READ_ONLY",
        "read_only",
        _yes_or_no,
        "1 rejects every command that would change the heater.",
    ),
)
#: The transport has no variable: "auto" uses the library that is installed.
CHECKS = {
    "transport": _one_of("auto", "awscrt", "pure"),
    **{setting.name: setting.check for setting in SETTINGS},
}


def check_value(check: Callable[[Any], Any], label: str, value: Any) -> Any:
    """Return a value as a check returns it. Raises ConfigurationError that names the setting."""
    try:
        return check(value)
    except (ValueError, TypeError) as error:
        hidden = label.lower().endswith("password")
        text = "not usable" if hidden else shown(value)
        raise ConfigurationError(f"{label} is {text}; it must be {error}") from error


def check_new_file(name: str, value: Any) -> Path | None:
    """Check the path of a file that may not exist yet."""
    try:
        path = None if value is None else Path(value).expanduser()
        usable = path is None or (path.name and "\0" not in path.name and not path.is_dir())
    except (TypeError, ValueError, OSError, RuntimeError):
        usable = False
    if not usable:
        raise ConfigurationError(f"{name} is {shown(value)}; it must be the path of a file")
    return path
