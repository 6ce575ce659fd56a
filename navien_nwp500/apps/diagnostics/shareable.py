"""Describe errors for a report that anyone may see: without account, heater, host or path."""

from __future__ import annotations

import re

from ..._connection.rest_client import RedirectedError
from ..._connection.transport import HandshakeRefusedError
from ...config import SETTINGS
from ...exceptions import (
    APIError,
    ConfigurationError,
    DeviceOfflineError,
    InvalidCredentialsError,
    MaintenanceError,
    NaviLinkError,
    RequestTimeoutError,
)
from . import advice, network

#: Errors raised in this folder, whose messages contain no private data.
_SHAREABLE_ERRORS = (
    network.UnknownNameError,
    network.BlockedNameError,
    network.NoConnectionError,
    network.NoTlsError,
    network.ProxyError,
    advice.NoAccountError,
    advice.WrongClockError,
    advice.NoHeaterError,
    advice.OtherDevicesError,
    advice.UnresponsiveHeaterError,
    advice.NoRecordingError,
    advice.EmptyRecordingError,
    advice.NoDatabaseError,
    advice.NewerDatabaseError,
    advice.NoPackageError,
    advice.NetworkDatabaseError,
    advice.ForbiddenDatabaseError,
    advice.UnreachableDatabaseError,
)


def shareable(error: NaviLinkError) -> str:
    """Describe an error without private data: messages that may contain values are replaced."""
    if isinstance(error, _SHAREABLE_ERRORS):
        return str(error)
    if isinstance(error, ConfigurationError):
        return _setting(error)
    if isinstance(error, InvalidCredentialsError):
        return "rejected"
    if isinstance(error, HandshakeRefusedError):
        return "rejected, also with new credentials"
    if isinstance(error, RequestTimeoutError):
        return "no response in time"
    if isinstance(error, DeviceOfflineError):
        return "the heater is not connected to the cloud"
    if isinstance(error, RedirectedError):
        return "the server redirects to another address"
    if isinstance(error, MaintenanceError):
        return f"maintenance: {error.notice}"
    if isinstance(error, APIError):
        return f"the cloud responds with status {error.status_code}, code {error.code}"
    sdk_code = re.search(r"\bAWS_[A-Z_]+\b", str(error))
    return sdk_code.group() if sdk_code else type(error).__name__.strip("_")


def _setting(error: ConfigurationError) -> str:
    """Name the setting and its allowed values, without its present value."""
    label = str(error).partition(" ")[0]
    if label == "HTTPS_PROXY":
        return str(error)  # it never contains the value
    if label not in {name for setting in SETTINGS for name in (setting.variable, setting.name)}:
        return "a setting, or the settings file, cannot be used"
    return f"{label} must be {error.__cause__}"
