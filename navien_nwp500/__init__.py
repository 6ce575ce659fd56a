"""Async client for Navien NWP500 heat pump water heaters over the NaviLink cloud."""

from .auth import NaviLinkAuth
from .client import NaviLinkClient
from .config import NaviLinkConfig, ReconnectConfig
from .device import NaviLinkDevice
from .energy import EnergyUsage
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
from .models import Activity, DeviceFeatures, DeviceInfo, DeviceStatus, DHWStatus, UserInfo
from .mqtt import NaviLinkMQTT
from .protocol import decode_status
from .quantities import DHWMode
from .schedules import Reservation
from .tou import TOUInfo
from .version import __version__

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
