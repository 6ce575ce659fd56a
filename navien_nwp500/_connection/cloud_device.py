"""Heater as the cloud knows it, also while the heater is offline."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, AsyncIterator, Mapping, Protocol

from ..exceptions import DeviceOfflineError, NaviLinkError, ProtocolError, RequestTimeoutError
from ..protocol.account import DeviceInfo, parse_device_info
from ..protocol.messages import DEVICE_TYPE, Address
from ..protocol.redaction import logger

_LOGGER = logger("navien_nwp500.device")


class RestAccount(Protocol):
    """The part of ``NaviLinkAuth`` that requests about a heater need."""

    @property
    def user_id(self) -> str:
        """E-mail of the account."""

    async def call(self, method: str, path: str, *, body: Mapping[str, Any]) -> Any:
        """Make a REST call; returns the ``data`` of the response."""


class CloudDevice:
    """Device info of one heater, and REST requests about it."""

    def __init__(self, info: DeviceInfo, account: RestAccount) -> None:
        #: Latest device info.
        self.info = info
        self.address = _address(info)
        self._account = account

    @property
    def name(self) -> str:
        """Name given by the owner."""
        return (self.info.device_name or "").strip() or "NWP500"

    async def request_info(self) -> DeviceInfo:
        """Request the device info. Raises APIError and other REST errors."""
        info = parse_device_info(await self.post("/device/info"))
        # The response holds neither (PROTOCOL 1.8).
        self.info = replace(
            info,
            mac_address=self.address.mac_address,
            additional_value=self.address.additional_value,
        )
        return self.info

    async def post(self, path: str) -> Any:
        """Make a POST call about this heater; returns the ``data`` of the response."""
        body = {
            "macAddress": self.address.mac_address,
            "additionalValue": self.address.additional_value,
            "userId": self._account.user_id,
        }
        return await self._account.call("POST", path, body=body)

    @asynccontextmanager
    async def explain_timeout(self) -> AsyncIterator[None]:
        """Turn a RequestTimeoutError inside into DeviceOfflineError when the cloud reports it."""
        try:
            yield
        except RequestTimeoutError as error:
            if await self._is_offline():
                raise DeviceOfflineError(
                    f"{self.name} is offline: it is not connected to the cloud. Check its power and "
                    "its Wi-Fi"
                ) from error
            raise

    async def _is_offline(self) -> bool:
        try:
            return not (await self.request_info()).online
        except NaviLinkError as error:
            _LOGGER.debug("%s: cannot request whether it is online: %s", self.address, error)
            return False


def _address(info: DeviceInfo) -> Address:
    if info.mac_address is None or info.additional_value is None:
        raise ProtocolError("/device/list: a heater without macAddress or additionalValue")
    device_type = DEVICE_TYPE if info.device_type is None else info.device_type
    mac = info.mac_address.lower()
    return Address(mac, info.additional_value, info.home_seq or 0, device_type)
