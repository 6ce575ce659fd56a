"""What a heater says: its record in the cloud, its status, its features, its history."""

from __future__ import annotations

from typing import Any, AsyncGenerator, Mapping

from . import wire
from .auth import NaviLinkAuth
from .commands import DIAGNOSTICS, DOWNLOADED_SOFTWARE
from .config import NaviLinkConfig, ReconnectConfig
from .control import Control
from .energy import EnergyHistory
from .exchange import Exchange
from .health import Health
from .models import DeviceFeatures, DeviceInfo, DeviceStatus, FirmwareInfo
from .mqtt import NaviLinkMQTT
from .programs import Programs
from .protocol import Address
from .record import Record
from .schedules import RecirculationProgram, ReservationProgram
from .tou import TOUInfo, decode_tou


class DeviceReadings:
    """A heater of the account as far as it can be read. ``NaviLinkDevice`` adds the writing."""

    def __init__(
        self, info: DeviceInfo, auth: NaviLinkAuth, exchange: Exchange, config: NaviLinkConfig
    ) -> None:
        self._record = Record(info, auth)
        self._exchange = exchange
        self._config = config
        self._line = NaviLinkMQTT(exchange, self._record.address)
        self._control = Control(self._line, self._record, config)
        self._programs = Programs(self._control)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @property
    def name(self) -> str:
        """The owner's name for it."""
        return self._record.name

    @property
    def info(self) -> DeviceInfo:
        """What the cloud last said of it; ``get_info()`` asks again."""
        return self._record.info

    @property
    def address(self) -> Address:
        """How requests and topics name it."""
        return self._record.address

    @property
    def mac_address(self) -> str:
        """Its MAC address, 12 lower-case hex digits."""
        return self.address.mac_address

    @property
    def device_type(self) -> int:
        """52 for the NWP500."""
        return self.address.device_type

    @property
    def last_status(self) -> DeviceStatus | None:
        """The newest status heard from it, whoever asked; None before the first."""
        return self._line.last_status

    @property
    def health(self) -> Health:
        """How its line is doing: state, since when, last status, counts."""
        return self._line.health

    def watch_health(self) -> AsyncGenerator[Health, None]:
        """Yield the health now, and again at each change of state. Runs until left."""
        return self._line.watch_health()

    def update(self, info: DeviceInfo) -> None:
        """Take what the cloud's list says of it now."""
        self._record.info = info

    # What the cloud knows

    async def get_info(self) -> DeviceInfo:
        """Ask the cloud about the heater. Raises APIError and what else REST raises."""
        return await self._record.refresh()

    async def get_firmware_info(self) -> list[FirmwareInfo]:
        """Ask for the firmware of each component. Raises APIError and what else REST raises."""
        data = await self._record.post("/device/firmware/info")
        return [wire.decode(FirmwareInfo, entry) for entry in wire.items(data, "firmwares")]

    async def get_tou_info(self) -> TOUInfo:
        """Ask for the time-of-use plan stored in the cloud.

        The heater's serial is asked for first (protocol 1.11). Raises APIError, and
        DeviceOfflineError when the heater is not there to tell its serial.
        """
        features = await self.get_features()
        auth = self._record.auth
        query = {
            "additionalValue": self.address.additional_value,
            "controllerId": features.controller_serial_number or "",
            "macAddress": self.address.mac_address,
            "userId": auth.user_id,
            "userType": (auth.user.user_type if auth.user else None) or "O",
        }
        return decode_tou(await auth.call("GET", "/device/tou", query=query))

    async def get_connectivity_status(self) -> dict[str, int]:
        """Ask whether the heater is there: ``{"device_connected": n}``.

        0 offline, 1 online, 2 online and answering over MQTT on this client's connection. Asked
        of ``/device/info``, because ``/device/connectivity-status`` answers 403 in the field. An
        error is raised, never taken for "connected".
        """
        if not (await self.get_info()).online:
            return {"device_connected": 0}
        return {"device_connected": 2 if self._line.answering else 1}

    # What the heater says

    async def get_status(self) -> DeviceStatus:
        """Ask the heater for its status.

        Raises DeviceOfflineError when it does not answer and the cloud knows it is offline,
        RequestTimeoutError when it does not answer though it is online, CommunicationError when
        the line drops.
        """
        return await self._control.status()

    async def get_features(self) -> DeviceFeatures:
        """Ask the heater what it has and allows. Raises as ``get_status``."""
        return await self._control.ask_features()

    async def get_reservations(self) -> ReservationProgram:
        """Ask for the timed reservations the heater keeps. Raises as ``get_status``."""
        return await self._programs.reservations()

    async def get_recirculation_schedule(self) -> RecirculationProgram:
        """Ask for the recirculation schedule; UnsupportedCommandError without a pump."""
        return await self._programs.recirculation()

    async def get_energy_daily(self, year: int, *months: int) -> EnergyHistory:
        """Ask what each day of some months of one year took, Wh and hours.

        The heater serves years 2000 to 2099; days ahead are zeros. ``total`` is its lifetime, not
        the sum (protocol 8.6). Raises ValueOutOfRangeError, and as ``get_status``.
        """
        return await self._programs.energy_daily(year, months)

    async def get_energy_monthly(self, *years: int) -> EnergyHistory:
        """Ask what each month of some years took. Otherwise as ``get_energy_daily``."""
        return await self._programs.energy_monthly(years)

    async def get_diagnostics(self) -> Mapping[str, Any]:
        """Ask for the lifetime counters, keys spelled as the heater does (protocol 8.13)."""
        return wire.mapping((await self._control.ask(DIAGNOSTICS)).body.get("data"), "data")

    async def get_downloaded_software(self) -> list[Mapping[str, Any]]:
        """Ask which firmware waits to be installed; empty when none does (protocol 8.11)."""
        body = (await self._control.ask(DOWNLOADED_SOFTWARE)).body
        entries = [wire.mapping(e, "downloadSwInfo") for e in wire.items(body, "downloadSwInfo")]
        return [entry for entry in entries if any(entry.values())]

    def watch(self, interval: float | None = None) -> AsyncGenerator[DeviceStatus, None]:
        """Yield each status: polled every ``interval`` seconds (default: configured), and pushes.

        ::

            async for status in device.watch(interval=300):
                print(status.dhw_charge_percent)

        Runs until left. A gap is all one sees of an outage. Raises when the first connect fails,
        or when the connection is given up.
        """
        return self._line.watch(self._config.polling_interval if interval is None else interval)

    async def get_mqtt_connection(
        self, reconnect_config: ReconnectConfig | None = None
    ) -> NaviLinkMQTT:
        """The heater's line on the client's one connection; ``connect()`` it before use.

        ``reconnect_config`` rules how the shared connection is sought again from now on.
        """
        if reconnect_config is not None:
            self._exchange.reconnect = reconnect_config
        return self._line
