"""Settings: given directly, or read from the environment and a ``.env`` file.

The real environment wins over the file, and nothing here writes to it. Each setting has one row in
``SETTINGS``: its variable, the field it fills and the check both ways share.
"""

from __future__ import annotations

import os
import random
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Callable, Mapping, NamedTuple
from urllib.parse import urlsplit

from .exceptions import ConfigurationError

__all__ = ["NaviLinkConfig", "ReconnectConfig"]

BASE_URL = "https://nlus.naviensmartcontrol.com/api/v2.1"
#: The maker's own name for the broker, and the AWS name behind it (PROTOCOL 2.1).
WEBSOCKET_URLS = (
    "wss://nlus-iot.naviensmartcontrol.com/mqtt",
    "wss://a1t30mldyslmuq-ats.iot.us-east-1.amazonaws.com/mqtt",
)


@dataclass(frozen=True)
class ReconnectConfig:
    """How a lost connection is sought again: exponential backoff with full jitter.

    ``max_retries`` tries in a row (None: for ever), counted anew after each success. The first
    waits up to half of ``initial_delay`` seconds, so that a short cut is healed within 2 s, the
    second up to ``initial_delay``, each further one up to twice as long, never more than
    ``max_delay``. With ``jitter`` the wait is drawn evenly between 0 and that, so that many
    clients do not come back as one. As shipped it gives up after some 14 minutes; who is to outlast
    a night sets ``max_retries=None``, as the command line does.
    """

    max_retries: int | None = 20
    initial_delay: float = 2.0
    max_delay: float = 120.0
    jitter: bool = True

    def __post_init__(self) -> None:
        retries = self.max_retries
        if retries is not None and (not _is_number(retries) or retries < 0):
            raise ConfigurationError(f"max_retries is {retries!r}; it may be None, 0 or more")
        delays = (self.initial_delay, self.max_delay)
        if not all(map(_is_number, delays)) or not 0 < self.initial_delay <= self.max_delay:
            raise ConfigurationError(
                f"initial_delay is {self.initial_delay} and max_delay {self.max_delay} (seconds); "
                "they must be above 0, the first not above the second"
            )

    def pause(self, tries: int) -> float:
        """Seconds to wait before the next try, after so many in a row have failed."""
        limit = min(self.max_delay, self.initial_delay * 2 ** (min(tries, 30) - 1))
        return random.uniform(0, limit) if self.jitter else limit


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("text that is not empty")
    return value


def _one_of(*allowed: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value.strip().upper() not in (a.upper() for a in allowed):
            raise ValueError("one of " + ", ".join(allowed))
        return next(a for a in allowed if a.upper() == value.strip().upper())

    return check


def _url(scheme: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        try:
            parts = urlsplit(value.strip()) if isinstance(value, str) else None
            usable = parts is not None and parts.scheme == scheme and bool(parts.hostname)
            usable = usable and (parts is None or parts.port != 0)
        except ValueError:
            usable = False
        if not usable:
            raise ValueError(f"an address that begins with {scheme}://")
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


def _new_file(name: str, value: Any) -> Path | None:
    """Check the path of a file that may have to be made."""
    try:
        path = None if value is None else Path(value).expanduser()
        usable = path is None or (path.name and "\0" not in path.name and not path.is_dir())
    except (TypeError, ValueError, OSError, RuntimeError):
        usable = False
    if not usable:
        raise ConfigurationError(f"{name} is {value!r}; it may be the path of a file")
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
    if not 0 < seconds <= 86400:
        raise ValueError("seconds above 0, at most 86400")
    return seconds


def _yes_or_no(value: Any) -> bool:
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    found = words.get(str(value).strip().lower())
    if found is None:
        raise ValueError("1 (yes) or 0 (no)")
    return found


class Setting(NamedTuple):
    """One setting: the variable, the field it fills, its check and a line for people."""

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
        "Its password; a saved session needs none while it holds.",
    ),
    Setting(
        "NAVILINK_LOG_LEVEL",
        "log_level",
        _one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        "How much the command line logs: DEBUG, INFO, WARNING or ERROR.",
    ),
    Setting(
        "NAVILINK_MQTT_PROTOCOL",
        "mqtt_protocol",
        _one_of("MQTT3", "MQTT5"),
        "MQTT3 (3.1.1) or MQTT5.",
    ),
    Setting("NAVILINK_BASE_URL", "base_url", _url("https"), "Address of the REST service."),
    Setting("NAVILINK_WEBSOCKET_URL", "websocket_url", _url("wss"), "Address of the broker."),
    Setting("NAVILINK_CA_FILE", "ca_file", _file, "Certificates to trust instead of the system's."),
    Setting(
        "NAVILINK_WIRE_FORMAT",
        "wire_format",
        _one_of("json", "binary"),
        "json (what the live service speaks) or binary.",
    ),
    Setting("NAVILINK_DEVICE_MAC", "device_mac", _mac, "Which heater, when you have several."),
    Setting("NAVILINK_POLLING_INTERVAL", "polling_interval", _seconds, "Seconds between polls."),
    Setting(
        "NAVILINK_READ_ONLY",
        "read_only",
        _yes_or_no,
        "1 refuses every command that changes the heater.",
    ),
)
#: A transport is chosen in code: a machine rarely has both, and "auto" takes what there is.
_CHECKS = {
    "transport": _one_of("auto", "awscrt", "pure"),
    **{setting.name: setting.check for setting in SETTINGS},
}


@dataclass(frozen=True)
class NaviLinkConfig:
    """Everything a client can be told. All fields have defaults; credentials may come later.

    ``websocket_url`` None means the maker's address, then the AWS address behind it.
    ``mqtt_protocol`` "MQTT5" falls back to 3.1.1 when the broker does not take it. ``transport``
    "auto" is the AWS SDK, and pure Python by itself where the SDK is not installed.
    ``polling_interval`` and the time-outs are seconds. ``session_file`` names a file, readable by
    its owner alone, that keeps tokens and keys between runs, so that a start with a session still
    in force needs the e-mail only; the password is never kept. Raises ConfigurationError naming the
    field, what it holds and what it may hold.
    """

    email: str | None = None
    password: str | None = field(default=None, repr=False)
    log_level: str = "INFO"
    mqtt_protocol: str = "MQTT3"
    base_url: str = BASE_URL
    websocket_url: str | None = None
    ca_file: Path | None = None
    wire_format: str = "json"
    device_mac: str | None = field(default=None, repr=False)
    polling_interval: float = 300.0
    read_only: bool = False
    transport: str = "auto"
    reconnect: ReconnectConfig = field(default_factory=ReconnectConfig)
    #: The heater answers in 2 to 4 s, at first in up to 8 s (PROTOCOL 9.9).
    answer_timeout: float = 15.0
    rest_timeout: float = 30.0
    #: Least distance between commands to one heater, seconds: it refuses hurried ones, and a few
    #: seconds are known to do (PROTOCOL 4.4, 13).
    command_interval: float = 5.0
    session_file: Path | None = None

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            required = entry.default is not None
            if entry.name in _CHECKS and (required or value is not None):
                checked = _checked(_CHECKS[entry.name], entry.name, value)
                object.__setattr__(self, entry.name, checked)
        object.__setattr__(self, "session_file", _new_file("session_file", self.session_file))
        for name in ("answer_timeout", "rest_timeout"):
            value = getattr(self, name)
            if not _is_number(value) or not value > 0:
                raise ConfigurationError(f"{name} is {value!r}; it must be above 0 s")
        if not _is_number(self.command_interval) or not self.command_interval >= 0:
            raise ConfigurationError(
                f"command_interval is {self.command_interval!r}; it must be 0 s or more"
            )

    def __repr__(self) -> str:
        return f"NaviLinkConfig(base_url={self.base_url!r}, mqtt_protocol={self.mqtt_protocol!r})"

    @property
    def websocket_urls(self) -> tuple[str, ...]:
        """Where to seek the broker, in this order."""
        return WEBSOCKET_URLS if self.websocket_url is None else (self.websocket_url,)

    @classmethod
    def from_environment(
        cls, env_file: str | Path | None = None, **overrides: Any
    ) -> NaviLinkConfig:
        """Read the ``NAVILINK_…`` variables from the environment and a ``.env`` file.

        ``env_file`` names the file; without it ``.env`` is sought from the current folder
        upwards. The environment wins over the file, ``overrides`` over both; an empty value is
        no value. Raises ConfigurationError naming the variable.
        """
        values = environment(env_file)
        found = {
            setting.name: _checked(setting.check, setting.variable, values[setting.variable])
            for setting in SETTINGS
            if values.get(setting.variable)
        }
        return cls(**{**found, **overrides})


def environment(env_file: str | Path | None = None) -> Mapping[str, str | None]:
    """Read what was said: the ``.env`` file, and over it the environment as far as not empty."""
    said = {name: value for name, value in os.environ.items() if value}
    return {**_read_env_file(env_file), **said}


def _read_env_file(env_file: str | Path | None) -> Mapping[str, str | None]:
    from dotenv import dotenv_values, find_dotenv

    path = find_dotenv(usecwd=True) if env_file is None else str(env_file)
    if env_file is not None and not Path(path).is_file():
        raise ConfigurationError(f"env_file is {path!r}; it must be the path of a readable file")
    try:
        # As it is written: a password may hold ${.
        return dotenv_values(path, interpolate=False) if path else {}
    except (OSError, UnicodeDecodeError):
        pass
    # Outside the except: a UnicodeDecodeError carries the whole file, the password too.
    raise ConfigurationError(f"{path} cannot be read; it must be text in UTF-8")


def _checked(check: Callable[[Any], Any], label: str, value: Any) -> Any:
    try:
        return check(value)
    except (ValueError, TypeError) as error:
        held = "not usable" if label.lower().endswith("password") else repr(value)
        raise ConfigurationError(f"{label} is {held}; it may be {error}") from error
