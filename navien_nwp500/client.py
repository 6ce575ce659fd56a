"""A NaviLink account: sign in, list the heaters, own their connections."""

from __future__ import annotations

from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Mapping

from ._connection.aiomqtt_websocket import PureMqtt3, PureMqtt5
from ._connection.cloud_device import list_devices
from ._connection.connector import Connector, Transports
from ._connection.pool import ConnectionPool
from .auth import NaviLinkAuth
from .aws_iot_websocket import AwsIotMqtt3, AwsIotMqtt5
from .config import NaviLinkConfig
from .device import NaviLinkDevice
from .exceptions import ConfigurationError
from .protocol.account import APP_VERSION, AppVersion, DeviceInfo, UserInfo

if TYPE_CHECKING:
    import aiohttp

__all__ = ["NaviLinkClient"]

#: Packages that each library of transports needs, and its transports; "auto" is the first installed.
TRANSPORTS: Mapping[str, tuple[tuple[str, ...], Transports]] = {
    "awscrt": (("awscrt",), {"MQTT3": AwsIotMqtt3, "MQTT5": AwsIotMqtt5}),
    "pure": (("aiomqtt", "botocore"), {"MQTT3": PureMqtt3, "MQTT5": PureMqtt5}),
}
_NOT_INSTALLED = {
    "awscrt": "transport is 'awscrt', and awsiotsdk is not installed: pip install awsiotsdk",
    "pure": "transport is 'pure', and aiomqtt or botocore is not installed: install the extra 'pure'",
    "auto": (
        "no MQTT transport is installed: awsiotsdk is missing, for which this machine may have no "
        "wheel; install the extra 'pure'"
    ),
}


class NaviLinkClient:
    """A NaviLink account.

    ::

        async with NaviLinkClient() as client:
            for device in await client.get_devices():
                print(device.name, await device.get_status())

    Without ``config`` the settings are those of ``NaviLinkConfig.from_environment()``: the
    ``NAVILINK_…`` variables and a ``.env`` file. Credentials may also come later, with
    ``authenticate(email, password)``, and win. ``session`` is an aiohttp session to use; the caller
    closes it, and ``ca_file`` applies to the calls made with it, too. Raises ConfigurationError
    when a variable holds a bad value.
    """

    def __init__(
        self, config: NaviLinkConfig | None = None, *, session: aiohttp.ClientSession | None = None
    ) -> None:
        self.config = config if config is not None else NaviLinkConfig.from_environment()
        self._auth = NaviLinkAuth(self.config, session=session)
        connector = Connector(self._auth, self.config, choose_transports)
        self._pool = ConnectionPool(self._auth, connector, self.config)
        self._devices: dict[str | None, NaviLinkDevice] = {}

    def __repr__(self) -> str:
        return f"NaviLinkClient({self._pool!r})"

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
        """The signed-in account: REST calls, tokens and AWS credentials."""
        return self._auth

    async def authenticate(self, email: str | None = None, password: str | None = None) -> UserInfo:
        """Sign in; without arguments with the configured e-mail and password.

        Optional: the first call that needs it signs in. Raises InvalidCredentialsError when the
        cloud rejects them; rejected ones are never sent twice.
        """
        return await self._auth.sign_in(email, password)

    async def get_devices(self, *, connect: bool = True) -> list[NaviLinkDevice]:
        """List the NWP500 heaters of the account, all pages. Raises the errors of REST.

        The MQTT connection is opened meanwhile, because a program that lists heaters is about to
        use one. An error of it is raised by the first call that needs the connection.
        ``connect=False`` does not open it.
        """
        if connect:
            await self._auth.ensure_signed_in()
            self._pool.first.start()
        return [self._device(info) for info in await list_devices(self._auth) if info.supported]

    async def get_other_devices(self) -> list[DeviceInfo]:
        """List the devices of the account that are no NWP500, to name them; all pages.

        ``device_type.description`` says what each is. Nothing can be sent to them: the same command
        numbers mean something else there (PROTOCOL 16). Raises the errors of REST.
        """
        return [info for info in await list_devices(self._auth) if not info.supported]

    async def get_app_version(self) -> AppVersion:
        """Request which versions of the maker's app the cloud accepts; needs no sign-in.

        Raises MaintenanceError when the cloud announces maintenance, and the errors of REST
        (PROTOCOL 1.17).
        """
        return await self._auth.app_version()

    async def update_push_token(
        self, push_token: str, *, model_name: str = "", os_version: str = ""
    ) -> None:
        """Register a phone for push notifications (PROTOCOL 1.12). Raises the errors of REST."""
        body = {
            "modelName": model_name,
            "appVersion": APP_VERSION,
            "os": "A",
            "osVersion": os_version,
            "userId": self._auth.user_id,
            "pushToken": push_token,
        }
        await self._auth.call("POST", "/app/update-push-token", body=body)

    async def close(self) -> None:
        """Close all connections for good; the sign-in stays valid in the cloud.

        Later calls raise CommunicationError.
        """
        try:
            await self._pool.close()
        finally:
            await self._auth.close()

    def _device(self, info: DeviceInfo) -> NaviLinkDevice:
        """Return the same object for a heater each time it is listed, so that its watchers stay."""
        device = self._devices.get(info.mac_address)
        if device is None:
            device = NaviLinkDevice(info, self._auth, self._pool, self.config)
            self._devices[info.mac_address] = device
        device._cloud.update(info)
        return device


def choose_transports(name: str) -> Transports:
    """Return the transports of an installed library: "awscrt", "pure" or "auto".

    Raises ConfigurationError when it is not installed.
    """
    for library, (packages, transports) in TRANSPORTS.items():
        if name in (library, "auto") and all(find_spec(package) for package in packages):
            return transports
    raise ConfigurationError(_NOT_INSTALLED[name])
