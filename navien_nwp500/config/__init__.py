"""Settings of a client, given directly or read from the environment and a ``.env`` file.

Imports only ``exceptions`` and ``_util``. ``NaviLinkConfig`` and ``ReconnectConfig`` are public.
``settings`` defines the variables and their checks, which apply to the fields too; ``environment``
reads them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .._util.numbers import DAY, is_seconds, is_within, shown
from ..exceptions import ConfigurationError
from .environment import find_ignored_variables, read_environment, warn_once
from .settings import CHECKS, SETTINGS, check_new_file, check_value

__all__ = ["NaviLinkConfig", "ReconnectConfig"]

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


#: Fields that are times between messages to a heater.
_INTERVALS = (
    "command_interval",
    "refusal_pause",
    "status_max_age",
    "control_recheck_delay",
    "list_recheck_interval",
)


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
            if entry.name in CHECKS and (required or value is not None):
                checked = check_value(CHECKS[entry.name], entry.name, value)
                object.__setattr__(self, entry.name, checked)
        object.__setattr__(self, "session_file", check_new_file("session_file", self.session_file))
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
            warn_once(warning)
        found = {
            setting.name: check_value(setting.check, setting.variable, values[setting.variable])
            for setting in SETTINGS
            if values.get(setting.variable)
        }
        return cls(**{**found, **overrides})


def same_email(first: object, second: object) -> bool:
    """Compare two e-mails without case, as the cloud does; None equals only None."""
    if isinstance(first, str) and isinstance(second, str):
        return first.casefold() == second.casefold()
    return first is second
