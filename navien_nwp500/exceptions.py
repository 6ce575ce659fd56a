"""What can go wrong, grouped by what the caller can do about it.

::

    NaviLinkError
    ├── ConfigurationError          fix the settings and start again
    ├── AuthenticationError         ask the person
    │   ├── InvalidCredentialsError     the cloud refused e-mail or password
    │   └── TokenExpiredError           the session ended and could not be renewed
    ├── CommunicationError          wait and try again
    │   ├── APIError                    REST answered with an error (status_code, code)
    │   ├── MQTTError                   the broker or the subscription failed
    │   ├── WebSocketError              the signed connection could not be opened or was lost
    │   ├── ProtocolError               an answer that cannot be understood
    │   └── RequestTimeoutError         no answer in time
    └── DeviceError                 look at the heater or at the request
        ├── DeviceOfflineError          the heater is not connected to the cloud
        ├── UnsupportedCommandError     this heater does not have that function
        ├── CommandRejectedError        the heater answered, but did not do it
        └── ValueOutOfRangeError        outside the limits of this heater

Nothing of aiohttp, awscrt, json or struct reaches a caller unwrapped; the foreign error is the
``__cause__``.
"""

from __future__ import annotations


class NaviLinkError(Exception):
    """Everything this library raises on purpose."""


class ConfigurationError(NaviLinkError):
    """A setting is missing or has a value it may not have."""


class AuthenticationError(NaviLinkError):
    """The cloud does not let this account in."""


class InvalidCredentialsError(AuthenticationError):
    """E-mail or password were refused; they are never sent a second time by themselves."""


class TokenExpiredError(AuthenticationError):
    """The session has ended and nothing that could renew it is at hand."""


class CommunicationError(NaviLinkError):
    """The way to the cloud or back failed; trying later can help."""


class APIError(CommunicationError):
    """REST answered with an error.

    ``status_code`` is the HTTP status, ``code`` the number in the body, None when there was none;
    ``retry_after`` the seconds the cloud asks to be left alone, None when it does not.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int,
        code: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.code = code
        self.retry_after = retry_after


class MQTTError(CommunicationError):
    """The MQTT session failed: a subscription was refused, or the line is down."""


class WebSocketError(CommunicationError):
    """The signed WebSocket could not be opened, or was lost."""


class ProtocolError(CommunicationError):
    """A message does not have the form the protocol gives it."""


class RequestTimeoutError(CommunicationError):
    """No answer came in time."""


class DeviceError(NaviLinkError):
    """The heater cannot or will not do what was asked."""


class DeviceOfflineError(DeviceError):
    """The heater is not connected to the cloud, or does not answer."""


class UnsupportedCommandError(DeviceError):
    """This heater does not have the function asked for."""


class CommandRejectedError(DeviceError):
    """The heater answered, and its answer does not show the wish."""


class ValueOutOfRangeError(DeviceError):
    """A value lies outside the limits this heater reports."""
