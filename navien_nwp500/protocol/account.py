"""Account, device and firmware data of the REST service."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Mapping

from ..exceptions import ProtocolError
from . import error_codes
from .fields import decode_fields, field_spec
from .types import Code, DeviceType, ErrorCode, PushSetting, UnitType, Version

#: Version of the maker's app that this library registers as (PROTOCOL 1.12).
APP_VERSION = "2.03.00"


@dataclass(frozen=True)
class UserInfo:
    """Owner of the account."""

    # fmt: off
    user_type: str | None = field_spec(1, "userType", "captured/high", "Role: O owner, M member, I installer.")
    user_first_name: str | None = field_spec(2, "userFirstName", "captured/high", "Given name.", private=True)
    user_last_name: str | None = field_spec(3, "userLastName", "captured/high", "Family name.", private=True)
    user_status: str | None = field_spec(4, "userStatus", "captured/high", "State of the account; NORMAL in every sample.")
    user_seq: int | None = field_spec(5, "userSeq", "captured/high", "Number of the account, part of response topics.", private=True)
    # fmt: on

    extra: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class LastError:
    """Last error of a heater that the cloud knows, readable while the heater is offline.

    It may be over: the status says whether an error is active (PROTOCOL 1.7).
    """

    # fmt: off
    error_code: ErrorCode | None = field_spec(1, "errorCode", "library2/medium", "Error code; 0 no error, None when the cloud reports none.")
    error_occured_time: str | None = field_spec(2, "errorOccuredTime", "library2/medium", "Time as the cloud wrote it, ISO 8601; the key is misspelled so.")
    # fmt: on

    extra: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def text(self) -> str | None:
        """Description of the error; None when there was none, or the cloud reports none."""
        return error_codes.describe_error(self.error_code or 0)

    @property
    def advice(self) -> str | None:
        """Advice on the error (PROTOCOL 11.1); None as ``text``."""
        return error_codes.advise_error(self.error_code or 0)

    @property
    def summary(self) -> str | None:
        """Description with the time as the cloud wrote it; None as ``text``."""
        when = f" ({self.error_occured_time})" if self.error_occured_time else ""
        return None if self.text is None else f"{self.text}{when}"

    @property
    def time(self) -> datetime | None:
        """Aware time of the error; None when the cloud's text names no time zone, or no time."""
        return _parse_time(self.error_occured_time)


@dataclass(frozen=True)
class Descaling:
    """Descaling of a heater as the cloud knows it; both None when there is none (PROTOCOL 1.8)."""

    # fmt: off
    descaling_start_time: str | None = field_spec(1, "descalingStartTime", "captured/low", "Start, as the cloud wrote it; None in every sample.")
    descaling_end_time: str | None = field_spec(2, "descalingEndTime", "captured/low", "End, as the cloud wrote it; None in every sample.")
    # fmt: on

    extra: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class AlarmInfo:
    """Push settings of the account for a heater (PROTOCOL 1.8)."""

    # fmt: off
    is_error_alarm: PushSetting | None = field_spec(1, "isErrorAlarm", "captured/medium", "Push messages about errors.")
    is_etc_alarm: PushSetting | None = field_spec(2, "isEtcAlarm", "captured/medium", "Other push messages.")
    is_descaling_alarm: PushSetting | None = field_spec(3, "isDescalingAlarm", "library2/medium", "Push messages about descaling; a member's account has none.")
    # fmt: on

    extra: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Installer:
    """Installer of a heater; all None when none is registered (PROTOCOL 1.8)."""

    # fmt: off
    installer_id: str | None = field_spec(1, "installerId", "captured/medium", "E-mail or id of the installer.", private=True)
    installer_first_name: str | None = field_spec(2, "installerFirstName", "captured/medium", "Given name.", private=True)
    installer_last_name: str | None = field_spec(3, "installerLastName", "captured/medium", "Family name.", private=True)
    installer_phone_number: str | None = field_spec(4, "installerPhoneNumber", "captured/medium", "Telephone number.", private=True)
    # fmt: on

    extra: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class DeviceInfo:
    """Data of a device in the cloud, from the list of devices or requested singly.

    The single response contains neither MAC nor additionalValue (PROTOCOL 1.8); the device adds
    them. Only the list contains ``error``, only the single response ``alarm_info`` and
    ``installer``; the device keeps what the other response does not contain.
    """

    # fmt: off
    home_seq: int | None = field_spec(1, "homeSeq", "captured/high", "Number of the home, part of response topics.", private=True)
    mac_address: str | None = field_spec(2, "macAddress", "captured/high", "12 lower-case hex digits.", private=True)
    additional_value: str | None = field_spec(3, "additionalValue", "captured/high", "Second part of the identity, numeric text.", private=True)
    device_type: DeviceType | None = field_spec(4, "deviceType", "captured/high", "52 for the NWP500.")
    device_name: str | None = field_spec(5, "deviceName", "captured/high", "Name that the owner gave it.", private=True)
    connected: int | None = field_spec(6, "connected", "captured/high", "2 online; 1 or 0 offline.")
    install_type: str | None = field_spec(7, "installType", "captured/high", "R residential, C commercial.")
    state: str | None = field_spec(8, "state", "captured/high", "State of its location.", private=True)
    city: str | None = field_spec(9, "city", "captured/high", "City of its location.", private=True)
    address: str | None = field_spec(10, "address", "captured/high", "Street address of its location.", private=True)
    model_type_code: UnitType | None = field_spec(11, "modelTypeCode", "library2/medium", "Product family; since 2026.")
    installer_id: str | None = field_spec(12, "installerId", "library2/medium", "Id of the installer; since 2026.", private=True)
    # fmt: on

    #: Last error that the cloud knows; None when it was not sent.
    error: LastError | None = None
    descaling: Descaling | None = None
    alarm_info: AlarmInfo | None = None
    installer: Installer | None = field(default=None, repr=False)
    #: Keys without a field, and values that their field's type cannot hold, unchanged.
    extra: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """Name given by the owner."""
        unnamed = "NWP500" if self.supported else "unnamed device"
        return (self.device_name or "").strip() or unnamed

    @property
    def supported(self) -> bool:
        """True for an NWP500; nothing can be sent to another device (PROTOCOL 16)."""
        return self.kind is DeviceType.NWP500

    @property
    def kind(self) -> DeviceType:
        """Type of the device; an entry without one is read as an NWP500."""
        return DeviceType.NWP500 if self.device_type is None else self.device_type

    @property
    def online(self) -> bool:
        """True if the heater is connected to the cloud: only 2 means so (PROTOCOL 1.14)."""
        return self.connected == 2

    @property
    def offline_text(self) -> str:
        """Sentence about an offline heater, with its last error if the cloud has one."""
        text = f"{self.name} is offline: it is not connected to the cloud. Check its power and its Wi-Fi"
        if self.error is None or self.error.summary is None:
            return text
        return f"{text}. Its last error was {self.error.summary}. {self.error.advice}"


@dataclass(frozen=True)
class FirmwareInfo:
    """One firmware component of a heater."""

    # fmt: off
    cur_sw_code: Code | None = field_spec(1, "curSwCode", "captured/high", "Component.")
    cur_version: Version | None = field_spec(2, "curVersion", "captured/high", "Installed version.")
    downloaded_version: Version | None = field_spec(3, "downloadedVersion", "captured/high", "Version waiting to be installed; 0 or None if there is none.")
    # fmt: on

    extra: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class AppVersion:
    """Versions of the maker's app that the cloud announces (PROTOCOL 1.17)."""

    # fmt: off
    app_version: str | None = field_spec(1, "appVersion", "library2/medium", "Newest release.")
    app_force_version: str | None = field_spec(2, "appForceVersion", "library2/medium", "Oldest release that the cloud accepts.")
    # fmt: on

    extra: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def outdated(self) -> bool:
        """True if the cloud no longer accepts the app version that this library registers as."""
        oldest = _version(self.app_force_version)
        return oldest is not None and oldest > (_version(APP_VERSION) or ())


#: Objects beside ``deviceInfo`` by their key: the field of DeviceInfo and its type.
_PARTS: Mapping[str, tuple[str, type[Any]]] = {
    "error": ("error", LastError),
    "descaling": ("descaling", Descaling),
    "alarmInfo": ("alarm_info", AlarmInfo),
    "installer": ("installer", Installer),
}


def parse_device_info(data: Any) -> DeviceInfo:
    """Decode an entry of the list of devices, or a single response (PROTOCOL 1.7, 1.8).

    Unknown objects beside ``deviceInfo`` are kept in ``extra`` under their key. Raises
    ProtocolError.
    """
    if not isinstance(data, dict) or not isinstance(data.get("deviceInfo"), dict):
        raise ProtocolError("the device info holds no deviceInfo")
    body: dict[str, Any] = {}
    parts: dict[str, Any] = {}
    for key, value in data.items():
        if key in _PARTS and isinstance(value, dict):
            name, kind = _PARTS[key]
            parts[name] = decode_fields(kind, value)
        elif key not in ("deviceInfo", "location"):
            body[key] = value
    location = data.get("location")
    body.update(data["deviceInfo"])
    body.update(location if isinstance(location, dict) else {})
    return decode_fields(DeviceInfo, body, **parts)


def _parse_time(text: str | None) -> datetime | None:
    """Parse an ISO 8601 time with a zone; Python 3.9 knows neither Z nor every fraction."""
    pattern = r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:Z|([+-]\d\d):?(\d\d))"
    found = re.fullmatch(pattern, text or "", re.ASCII)
    if found is None:
        return None
    date, time, fraction, hours, minutes = found.groups()
    fraction = (fraction or "")[:6].ljust(6, "0")
    try:
        return datetime.fromisoformat(f"{date}T{time}.{fraction}{hours or '+00'}:{minutes or '00'}")
    except ValueError:
        return None


def _version(text: str | None) -> tuple[int, ...] | None:
    if text is None or not re.fullmatch(r"\d{1,9}(\.\d{1,9})*", text, re.ASCII):
        return None
    return tuple(int(part) for part in text.split("."))
