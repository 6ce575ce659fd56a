"""Errors of this library, grouped by what the caller can do about them.

::

    NaviLinkError
    ├── ConfigurationError          fix the settings and start again
    ├── HistoryError                the history database is away, full or damaged
    ├── AuthenticationError         ask the user to sign in
    │   ├── InvalidCredentialsError     the cloud rejected e-mail or password
    │   └── TokenExpiredError           the session ended and could not be renewed
    ├── CommunicationError          wait and try again
    │   ├── APIError                    the REST service returned an error (status_code, code)
    │   │   └── MaintenanceError            the cloud is down for maintenance (notice)
    │   ├── MQTTError                   the MQTT connection or a subscription failed
    │   ├── WebSocketError              the signed connection could not be opened or was lost
    │   ├── ProtocolError               a malformed message
    │   │   └── CommandUnconfirmedError     after a write; it may have been executed
    │   ├── RequestTimeoutError         no response in time
    │   └── PlanCopyError               the heater has the new time-of-use plan, the cloud not
    └── DeviceError                 check the heater or the request
        ├── DeviceOfflineError          the heater is not connected to the cloud
        ├── UnsupportedDeviceError      a device of another type than the NWP500
        ├── UnsupportedCommandError     this heater does not have the function
        ├── CommandRejectedError        the heater answered, but did not execute the command
        │   └── CommandTooSoonError         it was sent too soon after another (retry_after)
        └── ValueOutOfRangeError        outside the limits of this heater

Errors of aiohttp, awscrt, json and struct never reach the caller directly; they are the ``__cause__``
of these.
"""

from __future__ import annotations


class NaviLinkError(Exception):
    """Base of all errors that this library raises."""


class ConfigurationError(NaviLinkError):
    """Missing or invalid setting."""


class HistoryError(NaviLinkError):
    """The history database cannot be reached, read or written."""


class AuthenticationError(NaviLinkError):
    """Failed sign-in."""


class InvalidCredentialsError(AuthenticationError):
    """Rejected e-mail or password; the library never sends them again by itself."""


class TokenExpiredError(AuthenticationError):
    """Expired session that cannot be renewed."""


class CommunicationError(NaviLinkError):
    """Failed communication with the cloud; trying again later can help."""


class APIError(CommunicationError):
    """Error response of the REST service.

    ``status_code`` is the HTTP status. ``code`` is the number in the body, else the HTTP status.
    ``reason`` is the text in the body, empty if there is none. ``retry_after`` is the time in
    seconds that the cloud asks to wait, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int,
        code: int | None = None,
        reason: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.code = code
        self.reason = reason
        self.retry_after = retry_after

    @property
    def is_server_error(self) -> bool:
        """True for a 5xx, as HTTP status or as code in the body."""
        return any(500 <= number < 600 for number in (self.status_code, self.code or 0))


class MaintenanceError(APIError):
    """Cloud that announces maintenance; ``notice`` is its text."""

    def __init__(self, message: str, *, notice: str, status_code: int, code: int | None) -> None:
        super().__init__(message, status_code=status_code, code=code, reason=notice)
        self.notice = notice


class MQTTError(CommunicationError):
    """Failed MQTT connection, or rejected subscription."""


class WebSocketError(CommunicationError):
    """Signed WebSocket that could not be opened, or was lost."""


class ProtocolError(CommunicationError):
    """Malformed message."""


class CommandUnconfirmedError(ProtocolError):
    """Malformed response to a write: the heater may have executed it, so read before repeating."""


class RequestTimeoutError(CommunicationError):
    """No response within the time limit."""


class PlanCopyError(CommunicationError):
    """Time-of-use plan that the heater stored, while the cloud's copy of it was not changed.

    The maker's app shows the copy. The ``__cause__`` is the error of the cloud; writing the same
    plan again is safe.
    """


class DeviceError(NaviLinkError):
    """Request that the heater cannot or will not execute."""


class DeviceOfflineError(DeviceError):
    """Heater that is not connected to the cloud, or does not respond."""


class UnsupportedDeviceError(DeviceError):
    """Device of another type than the NWP500; nothing is ever sent to it."""


class UnsupportedCommandError(DeviceError):
    """Command for a function that this heater does not have."""


class CommandRejectedError(DeviceError):
    """Command whose response does not confirm the requested state."""


class CommandTooSoonError(CommandRejectedError):
    """Command too soon after another: refused by the heater, or not sent after such a refusal.

    ``retry_after`` is the time in seconds after which commands are sent to this heater again.
    """

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ValueOutOfRangeError(DeviceError):
    """Value outside the limits that this heater reports."""
