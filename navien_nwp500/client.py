"""The front door: sign in, list the heaters, own the one connection they share."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from ._connection.pool import ConnectionPool
from .auth import NaviLinkAuth
from .config import NaviLinkConfig
from .device import NaviLinkDevice, parse_info
from .exceptions import ProtocolError
from .protocol.account import DeviceInfo, UserInfo
from .protocol.messages import DEVICE_TYPE

if TYPE_CHECKING:
    import aiohttp

#: The page size every client uses, documented as the most (protocol 1.7).
PAGE = 20


class NaviLinkClient:
    """A NaviLink account.

    ::

        async with NaviLinkClient() as client:
            for device in await client.get_devices():
                print(device.name, await device.get_status())

    Without ``config`` the settings are those of ``NaviLinkConfig.from_environment()``: the
    ``NAVILINK_…`` variables and a ``.env`` file. Credentials may also come later, with
    ``authenticate(email, password)``, and win. ``session`` is an aiohttp session to use; the caller
    closes it. Raises ConfigurationError when a variable holds a bad value.
    """

    def __init__(
        self,
        config: NaviLinkConfig | None = None,
        *,
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        self.config = config if config is not None else NaviLinkConfig.from_environment()
        self._auth = NaviLinkAuth(self.config, session=session)
        self._exchange = ConnectionPool(self._auth, self.config)
        self._devices: dict[str | None, NaviLinkDevice] = {}

    def __repr__(self) -> str:
        return f"NaviLinkClient({self._exchange!r})"

    async def __aenter__(self) -> NaviLinkClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def auth(self) -> NaviLinkAuth:
        """The signed-in account below it: REST calls, tokens, keys for the broker."""
        return self._auth

    async def authenticate(self, email: str | None = None, password: str | None = None) -> UserInfo:
        """Sign in, with what was configured when called without arguments.

        Calling it is optional: the first call that needs a session signs in by itself. Raises
        InvalidCredentialsError when the cloud refuses them; they are never sent twice.
        """
        return await self._auth.sign_in(email, password)

    async def get_devices(self, *, connect: bool = True) -> list[NaviLinkDevice]:
        """List the account's NWP500 heaters, all pages. Raises what REST raises.

        Who lists heaters is about to use one, so their connection is opened meanwhile, as soon as
        the account is signed in. It costs a handshake at most: what goes wrong with it is raised by
        the first call that needs it and not by this one, nothing is tried again before that, and
        ``close()`` ends it. ``connect=False`` opens nothing, for those who only look at the list.
        """
        if connect:
            await self._auth.ready()
            self._exchange.first.begin()
        infos: list[DeviceInfo] = []
        while True:
            page = await self._page(len(infos))
            infos += page
            if len(page) < PAGE:
                break
        return [self._device(info) for info in infos if info.device_type in (DEVICE_TYPE, None)]

    async def update_push_token(
        self, push_token: str, *, model_name: str = "", os_version: str = ""
    ) -> None:
        """Register a phone for the maker's push messages (protocol 1.12). Raises what REST raises."""
        body = {
            "modelName": model_name,
            "appVersion": "2.03.00",
            "os": "A",
            "osVersion": os_version,
            "userId": self._auth.user_id,
            "pushToken": push_token,
        }
        await self._auth.call("POST", "/app/update-push-token", body=body)

    async def close(self) -> None:
        """Close the connection and sign nothing out: the session stays valid in the cloud.

        For good: whatever is asked afterwards raises CommunicationError and opens nothing.
        """
        try:
            await self._exchange.close()
        finally:
            await self._auth.close()

    def _device(self, info: DeviceInfo) -> NaviLinkDevice:
        """One object a heater, however often it is listed: its watchers stay with it."""
        device = self._devices.get(info.mac_address)
        if device is None:
            device = NaviLinkDevice(info, self._auth, self._exchange, self.config)
            self._devices[info.mac_address] = device
        device.update(info)
        return device

    async def _page(self, offset: int) -> list[DeviceInfo]:
        body = {"userId": self._auth.user_id, "offset": offset, "count": PAGE}
        data = await self._auth.call("POST", "/device/list", body=body)
        if not isinstance(data, list):
            raise ProtocolError("/device/list: the answer holds no list of heaters")
        return [parse_info(entry) for entry in data]
