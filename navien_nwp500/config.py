"""Settings, given directly or read from the environment and a ``.env`` file.

The environment has priority over the file, and is never changed. ``SETTINGS`` defines each variable:
its name, its field of ``NaviLinkConfig`` and its check, which applies to both.
"""

from __future__ import annotations

import difflib
import io
import logging
import os
import random
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, NamedTuple
from urllib.parse import urlsplit

from ._util.numbers import DAY, is_seconds, is_within, shown
from .exceptions import ConfigurationError

__all__ = ["NaviLinkConfig", "ReconnectConfig"]

_LOGGER = logging.getLogger("navien_nwp500.config")
#: Other libraries read them too, so they count for the whole process, and not from a file.
_PROXY_VARIABLES = ("HTTPS_PROXY", "NO_PROXY")
_BAD_LINE = "not understood and ignored; it must be NAME=value, with quotes that are closed"
#: Warnings that this process has logged.
_LOGGED: set[str] = set()

BASE_URL = "https://nlus.naviensmartcontrol.com/api/v2.1"
#: Maker's address of the broker, and the AWS address behind it (PROTOCOL 2.1).
WEBSOCKET_URLS = (
    "wss://nlus-iot.naviensmartcontrol.com/mqtt",
    "wss://a1t30mldyslmuq-ats.iot.us-east-1.amazonaws.com/mqtt",
)


@dataclass(frozen=True)
class ReconnectConfig:
    """Reconnect settings: exponential backoff with full jitter.

    The library gives up after ``max_retries`` failed attempts in a row; None means never, and each
    success resets the count. The first delay is half of ``initial_delay`` seconds, so that a short
    outage is over within 2 s. Each further delay is twice as long, at most ``max_delay``. With
    ``jitter`` the delay is a random time between 0 and that, so that many clients do not reconnect
    at the same moment. The defaults give up after about 14 minutes; use ``max_retries=None`` to
    survive longer outages, as the command line does.
    """

    max_retries: int | None = 20
    initial_delay: float = 2.0
    max_delay: float = 120.0
    jitter: bool = True

    def __post_init__(self) -> None:
        retries = self.max_retries
        if retries is not None and not (isinstance(retries, int) and is_within(retries, 0, 10**9)):
            raise ConfigurationError(
                f"max_retries is {shown(retries)}; it must be None, or a whole number, 0 or more"
            )
        delays = (self.initial_delay, self.max_delay)
        if not all(map(is_seconds, delays)) or not self.initial_delay <= self.max_delay:
            raise ConfigurationError(
                f"initial_delay is {shown(self.initial_delay)} and max_delay "
                f"{shown(self.max_delay)} (seconds); both must be above 0 and at most {DAY}, and "
                "initial_delay not above max_delay"
            )

    def delay(self, failures: int) -> float:
        """Return the seconds to wait before the next attempt, after ``failures`` failed ones."""
        limit = min(self.max_delay, self.initial_delay * 2 ** (min(failures, 30) - 1))
        return random.uniform(0, limit) if self.jitter else limit


def same_email(first: object, second: object) -> bool:
    """Compare two e-mails without case, as the cloud does; None equals only None."""
    if isinstance(first, str) and isinstance(second, str):
        return first.casefold() == second.casefold()
    return first is second


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
        from ._util.hosts import is_host  # loads ssl, which decoding does not need

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


def _new_file(name: str, value: Any) -> Path | None:
    """Check the path of a file that may not exist yet."""
    try:
        path = None if value is None else Path(value).expanduser()
        usable = path is None or (path.name and "\0" not in path.name and not path.is_dir())
    except (TypeError, ValueError, OSError, RuntimeError):
        usable = False
    if not usable:
        raise ConfigurationError(f"{name} is {shown(value)}; it must be the path of a file")
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
#: Fields that are times between messages to a heater.
_INTERVALS = (
    "command_interval",
    "refusal_pause",
    "status_max_age",
    "control_recheck_delay",
    "list_recheck_interval",
)
#: The transport has no variable: "auto" uses the library that is installed.
_CHECKS = {
    "transport": _one_of("auto", "awscrt", "pure"),
    **{setting.name: setting.check for setting in SETTINGS},
}


@dataclass(frozen=True)
class NaviLinkConfig:
    """Settings of a client. All fields have defaults; credentials may be given later.

    ``websocket_url`` None means the maker's address, then the AWS address behind it.
    ``mqtt_protocol`` "MQTT5" falls back to 3.1.1 if the broker does not accept it. ``transport``
    "auto" is the AWS SDK, or pure Python if the SDK is not installed. ``polling_interval`` and the
    timeouts are in seconds. ``session_file`` is a file, readable only by its owner, that stores
    tokens and AWS credentials between runs: while they are valid, a start needs only the e-mail.
    The password is never stored. Raises ConfigurationError with the field, its value and the
    allowed values.
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
    #: The heater answers in 2 to 4 s, the first time in up to 8 s (PROTOCOL 9.9).
    answer_timeout: float = 15.0
    rest_timeout: float = 30.0
    #: Minimum time between commands to one heater, in seconds: the heater rejects commands that
    #: follow too fast (PROTOCOL 4.4; 13, point 17).
    command_interval: float = 5.0
    #: Time in seconds without commands to a heater that has rejected one as too soon, because it
    #: rejects those that follow, too (PROTOCOL 4.4).
    refusal_pause: float = 30.0
    #: Age in seconds up to which a status may show that a command changes something; then the command
    #: is sent without requesting the status first. That a setting already has the wanted value is
    #: always requested. 0 always requests it.
    status_max_age: float = 30.0
    #: Time in seconds after which a command that was acknowledged, but does not show in the
    #: response, is looked for once more (PROTOCOL 9.9).
    control_recheck_delay: float = 10.0
    #: Time in seconds between the three reads that look for a list after its write: it shows within
    #: 3 to 6 s (PROTOCOL 8.3).
    list_recheck_interval: float = 4.0
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
            if not is_seconds(value):
                raise ConfigurationError(
                    f"{name} is {shown(value)}; it must be above 0 and at most {DAY} s"
                )
        for name in _INTERVALS:
            value = getattr(self, name)
            if not is_within(value, 0, DAY):
                raise ConfigurationError(f"{name} is {shown(value)}; it must be 0 to {DAY} s")

    def __repr__(self) -> str:
        return f"NaviLinkConfig(base_url={self.base_url!r}, mqtt_protocol={self.mqtt_protocol!r})"

    @property
    def websocket_urls(self) -> tuple[str, ...]:
        """Addresses of the broker, in the order in which they are tried."""
        return WEBSOCKET_URLS if self.websocket_url is None else (self.websocket_url,)

    @classmethod
    def from_environment(
        cls, env_file: str | Path | None = None, **overrides: Any
    ) -> NaviLinkConfig:
        """Read the ``NAVILINK_…`` variables from the environment and a ``.env`` file.

        ``env_file`` is the path of the file; without it ``.env`` is searched in the current folder
        and its parents. The environment has priority over the file, and ``overrides`` over both;
        an empty value counts as not set. A ``NAVILINK_…`` variable that does not exist is logged
        once per process. Raises ConfigurationError with the name of the variable.
        """
        values = read_environment(env_file)
        for warning in find_ignored_variables(values):
            _warn_once(warning)
        found = {
            setting.name: _checked(setting.check, setting.variable, values[setting.variable])
            for setting in SETTINGS
            if values.get(setting.variable)
        }
        return cls(**{**found, **overrides})


def read_environment(env_file: str | Path | None = None) -> Mapping[str, str | None]:
    """Return the variables of the ``.env`` file and the environment, which has priority if set."""
    nonempty = {name: value for name, value in os.environ.items() if value}
    return {**_read_env_file(env_file), **nonempty}


def find_ignored_variables(values: Mapping[str, str | None]) -> Iterator[str]:
    """Yield a warning for each ``NAVILINK_…`` variable that does not exist, or has no ``=``."""
    known = {setting.variable for setting in SETTINGS}
    for key, value in values.items():
        # Only the name: in a line such as NAVILINK_PASSWORD:secret the key contains the value.
        name = re.match(r"\W*(navilink\w*)", key, re.IGNORECASE | re.ASCII)
        if name is None or (key in known and value is not None):
            continue
        if name[1] in known:
            yield f"a line of .env is ignored: it must begin with {name[1]}="
            continue
        suffixes = sorted(variable[len("NAVILINK_") :] for variable in known)
        suffix = name[1].upper()[len("NAVILINK") :].strip("_")
        nearest = [one for one in suffixes if suffix and suffix in one]
        nearest = nearest or difflib.get_close_matches(suffix, suffixes, 1, 0.5)
        advice = f"did you mean NAVILINK_{nearest[0]}?" if nearest else "see .env.template"
        yield f"{name[1]} is not a setting and is ignored; {advice}"


def _read_env_file(env_file: str | Path | None) -> Mapping[str, str | None]:
    from dotenv import find_dotenv
    from dotenv.parser import parse_stream

    try:
        path = find_dotenv(usecwd=True) if env_file is None else str(env_file)
    except FileNotFoundError:  # the working folder was removed
        path = ""
    if env_file is not None and not Path(path).is_file():
        raise ConfigurationError(f"env_file is {path!r}; it must be the path of a readable file")
    if not path:
        return {}
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error.strerror}); correct its owner or permissions"
        ) from error
    # utf-8-sig: python-dotenv before 1.2 makes a byte order mark a part of the first name.
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:  # as in UTF-16; raised here, as a UnicodeDecodeError contains the whole file
        raise ConfigurationError(f"{path} is not UTF-8 text; save it with this encoding")
    values: dict[str, str | None] = {}
    # Not dotenv_values: it would replace ${NAME}, which a password may contain, and log what it does
    # not understand without the name of the file.
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            _warn_once(f"{path}, line {binding.original.line}: {_BAD_LINE}")
        elif binding.key is not None:
            values[binding.key] = binding.value
            if binding.key.upper() in _PROXY_VARIABLES and binding.key not in os.environ:
                _warn_once(f"{path}: {binding.key} is ignored; set it in the environment itself")
    return values


def _warn_once(warning: str) -> None:
    if warning not in _LOGGED:
        _LOGGED.add(warning)
        _LOGGER.warning("%s", warning)


def _checked(check: Callable[[Any], Any], label: str, value: Any) -> Any:
    try:
        return check(value)
    except (ValueError, TypeError) as error:
        hidden = label.lower().endswith("password")
        text = "not usable" if hidden else shown(value)
        raise ConfigurationError(f"{label} is {text}; it must be {error}") from error
