"""A heater's record in the cloud: what REST knows of it, also when it is away."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, AsyncIterator

from . import wire
from .auth import NaviLinkAuth
from .exceptions import DeviceOfflineError, NaviLinkError, ProtocolError, RequestTimeoutError
from .models import DeviceInfo
from .protocol import DEVICE_TYPE, Address
from .redaction import logger

_LOGGER = logger(__name__)


class Record:
    """One heater of the account in the cloud. ``info`` is what was last heard of it."""

    def __init__(self, info: DeviceInfo, auth: NaviLinkAuth) -> None:
        self.info = info
        self.address = _address(info)
        self.auth = auth

    @property
    def name(self) -> str:
        """The owner's name for the heater."""
        return self.info.device_name or "NWP500"

    async def refresh(self) -> DeviceInfo:
        """Ask the cloud again."""
        info = parse_info(await self.post("/device/info"))
        # The answer names neither (protocol 1.8).
        self.info = replace(
            info,
            mac_address=self.address.mac_address,
            additional_value=self.address.additional_value,
        )
        return self.info

    async def post(self, path: str) -> Any:
        """Make a call about this heater; returns the ``data`` of the answer."""
        body = {
            "macAddress": self.address.mac_address,
            "additionalValue": self.address.additional_value,
            "userId": self.auth.user_id,
        }
        return await self.auth.call("POST", path, body=body)

    @asynccontextmanager
    async def silence_explained(self) -> AsyncIterator[None]:
        """Turn the heater's silence inside into DeviceOfflineError when the cloud has lost it."""
        try:
            yield
        except RequestTimeoutError as error:
            if await self._is_away():
                raise DeviceOfflineError(
                    f"{self.name} is offline: the cloud has lost it. Check its power and its Wi-Fi"
                ) from error
            raise

    async def _is_away(self) -> bool:
        try:
            return not (await self.refresh()).online
        except NaviLinkError as error:
            _LOGGER.debug("%s: cannot ask whether it is online: %s", self.address, error)
            return False


def parse_info(data: Any) -> DeviceInfo:
    """Decode a heater's record of REST: its two inner objects as one. Raises ProtocolError."""
    if not isinstance(data, dict) or not isinstance(data.get("deviceInfo"), dict):
        raise ProtocolError("a heater's record holds no deviceInfo")
    location = data.get("location")
    return wire.decode(
        DeviceInfo, {**data["deviceInfo"], **(location if isinstance(location, dict) else {})}
    )


def _address(info: DeviceInfo) -> Address:
    if info.mac_address is None or info.additional_value is None:
        raise ProtocolError("/device/list: a heater without macAddress or additionalValue")
    device_type = DEVICE_TYPE if info.device_type is None else info.device_type
    mac = info.mac_address.lower()
    return Address(mac, info.additional_value, info.home_seq or 0, device_type)
