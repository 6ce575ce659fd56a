"""Heater as the cloud knows it, also while the heater is offline."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, AsyncIterator, Mapping, Protocol, Sequence

from ..exceptions import (
    APIError,
    DeviceOfflineError,
    MaintenanceError,
    NaviLinkError,
    ProtocolError,
    RequestTimeoutError,
)
from ..protocol.account import DeviceInfo, FirmwareInfo, LastError, parse_device_info
from ..protocol.fields import decode_each, decode_fields, require_list
from ..protocol.messages import DEVICE_TYPE, Address, plain_mac
from ..protocol.redaction import logger
from ..protocol.tou import TOUInfo, decode_tou

_LOGGER = logger("navien_nwp500.device")

#: The page size that every client uses, documented as the maximum (PROTOCOL 1.7).
PAGE_SIZE = 20
#: Pages after which a list that does not end is an error; the simulator has 10,000 heaters at most.
MAX_PAGES = 500


class RestAccount(Protocol):
    """The part of ``NaviLinkAuth`` that requests about a heater need."""

    @property
    def user_id(self) -> str:
        """E-mail of the account."""

    async def user_type(self) -> str:
        """Return the role in the account."""

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """Make a REST call; returns the ``data`` of the response."""


def warn_of_unreadable(what: str, unreadable: Sequence[str]) -> None:
    """Log that parts of a response cannot be read, so that nothing is missing without a word."""
    if len(unreadable) == 1:
        _LOGGER.warning("%s: an entry cannot be read and is left out: %s", what, unreadable[0])
    elif unreadable:
        count = len(unreadable)
        _LOGGER.warning(
            "%s: %d entries cannot be read and are left out, first %s", what, count, unreadable[0]
        )


async def list_devices(account: RestAccount) -> list[DeviceInfo]:
    """Request the list of devices of every type, all pages (PROTOCOL 1.7). Raises errors of REST.

    A device that cannot be read, or has no address, is left out with a warning. A cloud that ignores
    ``offset`` repeats a page; a page without a new device ends the list.
    """
    infos: list[DeviceInfo] = []
    known: set[str] = set()
    for number in range(MAX_PAGES):
        part, size = await _request_part(account, number * PAGE_SIZE)
        new = [info for info in part if info.mac_address not in known]
        infos += new
        known.update(info.mac_address for info in new if info.mac_address is not None)
        if size < PAGE_SIZE:
            return infos
        if not new:
            _LOGGER.warning(
                "/device/list: the cloud repeats a page; devices after the first %d may be missing",
                len(infos),
            )
            return infos
    raise ProtocolError(f"/device/list: the cloud sends more than {MAX_PAGES} pages of devices")


async def _request_part(account: RestAccount, offset: int) -> tuple[list[DeviceInfo], int]:
    """Request a page; return its devices, and how many entries it has."""
    body = {"userId": account.user_id, "offset": offset, "count": PAGE_SIZE}
    data = await account.call("POST", "/device/list", body=body)
    if not isinstance(data, list):
        raise ProtocolError("/device/list: the response holds no list of heaters")
    found, unreadable = decode_each(data, _read_entry, partly=True)
    warn_of_unreadable("/device/list", unreadable)
    return found, len(data)


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
        return self.info.name

    async def request_info(self) -> DeviceInfo:
        """Request the device info. Raises APIError and other REST errors."""
        info = parse_device_info(await self.post("/device/info"))
        # The response holds none of them (PROTOCOL 1.8).
        self.info = replace(
            info,
            mac_address=self.address.mac_address,
            additional_value=self.address.additional_value,
            model_type_code=info.model_type_code or self.info.model_type_code,
            error=info.error or self.info.error,
        )
        return self.info

    def update(self, info: DeviceInfo) -> None:
        """Store an entry of the list; keep what only the single response holds (PROTOCOL 1.8)."""
        before = self.info
        self.info = replace(
            info,
            install_type=info.install_type or before.install_type,
            alarm_info=info.alarm_info or before.alarm_info,
            installer=info.installer or before.installer,
        )

    async def request_last_error(self) -> LastError | None:
        """Request the entry of the list, which alone holds the last error. Raises errors of REST."""
        offset, size = 0, PAGE_SIZE
        while size == PAGE_SIZE:
            part, size = await _request_part(self._account, offset)
            for info in part:
                if plain_mac(info.mac_address or "") == self.address.mac_address:
                    self.update(info)
                    return info.error
            offset += size
        return self.info.error

    async def request_firmware(self) -> list[FirmwareInfo]:
        """Request the firmware of each component; empty when the account may not (PROTOCOL 1.3)."""
        try:
            data = await self.post("/device/firmware/info")
        except APIError as error:
            if error.status_code != 403 or isinstance(error, MaintenanceError):
                raise
            _LOGGER.debug("%s: no firmware for this account: %s", self.address, error)
            return []
        entries = require_list(data, "firmwares")
        found, unreadable = decode_each(
            entries, lambda entry: decode_fields(FirmwareInfo, entry), partly=True
        )
        warn_of_unreadable("/device/firmware/info", unreadable)
        return found

    async def request_tou(self, serial: str) -> TOUInfo:
        """Request the stored time-of-use plan, with the serial number (PROTOCOL 1.10, 1.11)."""
        query = {**self._identity, "userType": await self._account.user_type()}
        query["controllerId"] = serial
        data = await self._account.call("GET", "/device/tou", query=query)
        info = decode_tou(data, partly=True)
        warn_of_unreadable("/device/tou", info.unreadable)
        return info

    async def store_tou(self, plan: Mapping[str, Any]) -> None:
        """Replace the stored time-of-use plan by an encoded one (PROTOCOL 1.10)."""
        body = {**self._identity, "userType": await self._account.user_type(), **plan}
        await self._account.call("PUT", "/device/tou", body=body)

    async def post(self, path: str) -> Any:
        """Make a POST call about this heater; returns the ``data`` of the response."""
        return await self._account.call("POST", path, body=self._identity)

    @property
    def _identity(self) -> dict[str, str]:
        """Keys of every call about this heater."""
        return {
            "macAddress": self.address.mac_address,
            "additionalValue": self.address.additional_value,
            "userId": self._account.user_id,
        }

    @asynccontextmanager
    async def explain_timeout(self) -> AsyncIterator[None]:
        """Turn a RequestTimeoutError inside into DeviceOfflineError when the cloud reports it."""
        try:
            yield
        except RequestTimeoutError as error:
            if await self._is_offline():
                raise DeviceOfflineError(self.info.offline_text) from error
            raise

    async def _is_offline(self) -> bool:
        try:
            return not (await self.request_info()).online
        except NaviLinkError as error:
            _LOGGER.debug("%s: cannot request whether it is online: %s", self.address, error)
            return False


def _read_entry(entry: Any) -> DeviceInfo:
    info = parse_device_info(entry)
    if info.device_type in (None, DEVICE_TYPE):
        _address(info)  # a heater without one cannot be reached
    return info


def _address(info: DeviceInfo) -> Address:
    if info.mac_address is None or info.additional_value is None:
        raise ProtocolError("/device/list: a heater without macAddress or additionalValue")
    device_type = DEVICE_TYPE if info.device_type is None else int(info.device_type)
    mac = plain_mac(info.mac_address)
    return Address(mac, info.additional_value, info.home_seq or 0, device_type)
