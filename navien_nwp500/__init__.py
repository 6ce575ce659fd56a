"""Async client for Navien NWP500 heat pump water heaters over the NaviLink cloud.

Each name is loaded when it is first asked for, so that a program that only decodes stored messages
loads no event loop, and one that asks for the version next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._util.version import __version__

if TYPE_CHECKING:
    from .auth import NaviLinkAuth
    from .client import NaviLinkClient
    from .config import NaviLinkConfig, ReconnectConfig
    from .device import NaviLinkDevice
    from .exceptions import (
        APIError,
        AuthenticationError,
        CommandRejectedError,
        CommunicationError,
        ConfigurationError,
        DeviceError,
        DeviceOfflineError,
        InvalidCredentialsError,
        MQTTError,
        NaviLinkError,
        ProtocolError,
        RequestTimeoutError,
        TokenExpiredError,
        UnsupportedCommandError,
        ValueOutOfRangeError,
        WebSocketError,
    )
    from .mqtt import NaviLinkMQTT
    from .protocol.account import DeviceInfo, UserInfo
    from .protocol.energy import EnergyUsage
    from .protocol.features import DeviceFeatures
    from .protocol.messages import decode_status
    from .protocol.schedules import Reservation
    from .protocol.status import Activity, DeviceStatus, DHWStatus
    from .protocol.tou import TOUInfo
    from .protocol.types import DHWMode

__all__ = [
    "APIError",
    "Activity",
    "AuthenticationError",
    "CommandRejectedError",
    "CommunicationError",
    "ConfigurationError",
    "DHWMode",
    "DHWStatus",
    "DeviceError",
    "DeviceFeatures",
    "DeviceInfo",
    "DeviceOfflineError",
    "DeviceStatus",
    "EnergyUsage",
    "InvalidCredentialsError",
    "MQTTError",
    "NaviLinkAuth",
    "NaviLinkClient",
    "NaviLinkConfig",
    "NaviLinkDevice",
    "NaviLinkError",
    "NaviLinkMQTT",
    "ProtocolError",
    "ReconnectConfig",
    "RequestTimeoutError",
    "Reservation",
    "TOUInfo",
    "TokenExpiredError",
    "UnsupportedCommandError",
    "UserInfo",
    "ValueOutOfRangeError",
    "WebSocketError",
    "__version__",
    "decode_status",
]

#: What each module brings; the imports above say the same to a type checker.
_BRINGS = {
    "auth": "NaviLinkAuth",
    "client": "NaviLinkClient",
    "config": "NaviLinkConfig ReconnectConfig",
    "device": "NaviLinkDevice",
    "energy": "EnergyUsage",
    "exceptions": "APIError AuthenticationError CommandRejectedError CommunicationError"
    " ConfigurationError DeviceError DeviceOfflineError InvalidCredentialsError MQTTError"
    " NaviLinkError ProtocolError RequestTimeoutError TokenExpiredError UnsupportedCommandError"
    " ValueOutOfRangeError WebSocketError",
    "models": "Activity DHWStatus DeviceFeatures DeviceInfo DeviceStatus UserInfo",
    "mqtt": "NaviLinkMQTT",
    "protocol": "decode_status",
    "quantities": "DHWMode",
    "schedules": "Reservation",
    "tou": "TOUInfo",
}
_HOMES = {name: module for module, names in _BRINGS.items() for name in names.split()}


if not TYPE_CHECKING:  # or a type checker would believe in any name

    def __getattr__(name: str) -> Any:
        """Load a name, or a module that brings one, when it is first asked for (PEP 562)."""
        if name in _BRINGS:
            return import_module(f".{name}", __name__)
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
