"""Account, device and firmware data of the REST service."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..exceptions import ProtocolError
from .fields import decode_fields, field_spec
from .types import Code, Version


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
class DeviceInfo:
    """Data of a heater in the cloud, from the list of heaters or requested singly.

    The single response contains neither MAC nor additionalValue (PROTOCOL 1.8); the device adds
    them.
    """

    # fmt: off
    home_seq: int | None = field_spec(1, "homeSeq", "captured/high", "Number of the home, part of response topics.", private=True)
    mac_address: str | None = field_spec(2, "macAddress", "captured/high", "12 lower-case hex digits.", private=True)
    additional_value: str | None = field_spec(3, "additionalValue", "captured/high", "Second part of the identity, numeric text.", private=True)
    device_type: int | None = field_spec(4, "deviceType", "captured/high", "52 for the NWP500.")
    device_name: str | None = field_spec(5, "deviceName", "captured/high", "Name that the owner gave it.", private=True)
    connected: int | None = field_spec(6, "connected", "captured/high", "2 online; 1 or 0 offline.")
    install_type: str | None = field_spec(7, "installType", "captured/high", "R residential, C commercial.")
    state: str | None = field_spec(8, "state", "captured/high", "State of its location.", private=True)
    city: str | None = field_spec(9, "city", "captured/high", "City of its location.", private=True)
    address: str | None = field_spec(10, "address", "captured/high", "Street address of its location.", private=True)
    # fmt: on

    extra: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def online(self) -> bool:
        """True if the heater is connected to the cloud: only 2 means so (PROTOCOL 1.14)."""
        return self.connected == 2


@dataclass(frozen=True)
class FirmwareInfo:
    """One firmware component of a heater."""

    # fmt: off
    cur_sw_code: Code | None = field_spec(1, "curSwCode", "captured/high", "Component.")
    cur_version: Version | None = field_spec(2, "curVersion", "captured/high", "Installed version.")
    downloaded_version: Version | None = field_spec(3, "downloadedVersion", "captured/high", "Version waiting to be installed; 0 or None if there is none.")
    # fmt: on

    extra: dict[str, Any] = field(default_factory=dict, repr=False)


def parse_device_info(data: Any) -> DeviceInfo:
    """Decode the device info of a REST response, two objects in one. Raises ProtocolError."""
    if not isinstance(data, dict) or not isinstance(data.get("deviceInfo"), dict):
        raise ProtocolError("the device info holds no deviceInfo")
    location = data.get("location")
    return decode_fields(
        DeviceInfo, {**data["deviceInfo"], **(location if isinstance(location, dict) else {})}
    )
