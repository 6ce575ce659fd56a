"""The state of a simulator in a file, so that its clients survive a restart of it."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, AsyncIterator, Callable, Iterator, Mapping

from .._util.aio import LatestValue, cancel_and_wait, in_thread
from .._util.files import display_path, write_atomically
from ..exceptions import ConfigurationError, NaviLinkError
from ..protocol.schedules import ReservationProgram, decode_reservations
from ..protocol.types import DHWMode, Flag, HalfCelsius
from .cloud.accounts import HeaterRecord, Location
from .cloud.certificates import Certificates, make_server_context
from .heater.energy_meter import EnergyUse
from .heater.simulated_heater import Heater

_LOGGER = logging.getLogger("navien_nwp500.simulator")

#: First key of the file, with the version of its form.
_FORMAT = "navien-nwp500 simulator"
_VERSION = 1
#: What a file that was written by another program can raise; OSError is that of its certificates.
_BAD = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    OSError,
    NaviLinkError,
)
#: What the owner can change in the cloud.
_RECORD_FIELDS = ("device_name", "install_type", "tou_plan", "alarms", "maintenance")


@dataclass(frozen=True)
class SavedState:
    """Saved parts of a simulator: address, certificates, password, tokens, clock and heaters.

    ``heaters`` are by MAC address: the cloud's record, and the heater's settings, tank and lifetime
    energy. What runs at the moment starts anew.
    """

    port: int
    password: str
    certificates: Certificates
    time: datetime
    tokens: Mapping[str, Any]
    heaters: Mapping[str, Mapping[str, Any]]


class StateFile:
    """A file of one ``SavedState``, readable by its owner alone: it holds keys and tokens."""

    def __init__(self, path: Path) -> None:
        self.path = path = path.absolute()
        #: The authority's certificate for clients, beside the file.
        self.ca_file = path.with_name(f"{path.name}.ca.pem")

    def read(self) -> SavedState | None:
        """Return the state, None without a file.

        Raise ConfigurationError if the file cannot be read, or is of another kind.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            shown = display_path(self.path)
            raise ConfigurationError(f"{shown} cannot be read: {error.strerror}") from error
        with self.explain_damage():
            return _parse(json.loads(content))

    @contextmanager
    def explain_damage(self) -> Iterator[None]:
        """Turn the error of a damaged file into a ConfigurationError that says what to do."""
        try:
            yield
        except _BAD as error:
            raise ConfigurationError(
                f"{display_path(self.path)} is no state of a simulator, or damaged; name another "
                "file, or delete it"
            ) from error

    def write(self, state: SavedState) -> None:
        """Replace the file in one step. Raise OSError."""
        document = {"program": _FORMAT, "version": _VERSION, **asdict(state)}
        document["certificates"] = state.certificates._asdict()
        document["time"] = state.time.isoformat()
        write_atomically(self.path, json.dumps(document, indent=1).encode(), private=True)

    @asynccontextmanager
    async def saving(
        self, snapshot: Callable[[], SavedState], changed: LatestValue[bool]
    ) -> AsyncIterator[None]:
        """Write the state now, after each change, and at the end. Raise OSError."""
        await self._save(snapshot)
        task = asyncio.create_task(self._save_changes(snapshot, changed), name="save state")
        try:
            yield
        finally:
            await cancel_and_wait(task)
            await self._save(snapshot)

    async def _save_changes(
        self, snapshot: Callable[[], SavedState], changed: LatestValue[bool]
    ) -> None:
        while True:
            await changed.get()
            try:
                await self._save(snapshot)
            except OSError as error:
                _LOGGER.warning("the state is not saved: %s", error)

    async def _save(self, snapshot: Callable[[], SavedState]) -> None:
        state = snapshot()
        await in_thread(lambda: self.write(state))


def _parse(document: Any) -> SavedState:
    if (document["program"], document["version"]) != (_FORMAT, _VERSION):
        raise ValueError("another format")
    certificates = Certificates(**document["certificates"])
    make_server_context(certificates)
    found = SavedState(
        **{
            **{field.name: document[field.name] for field in fields(SavedState)},
            "certificates": certificates,
            "time": datetime.fromisoformat(document["time"]),
        }
    )
    if type(found.port) is not int or not 0 < found.port < 65536 or found.time.tzinfo is None:
        raise ValueError("port or time")
    if not (isinstance(found.password, str) and found.password):
        raise ValueError("password")
    for value in (found.tokens, found.heaters):
        if not isinstance(value, dict):
            raise ValueError("no object")
    return found


def describe(record: HeaterRecord, heater: object) -> dict[str, Any]:
    """Return what the cloud and a simulated heater keep; nothing of a replayed heater."""
    return {
        "location": asdict(record.location),
        **{name: getattr(record, name) for name in _RECORD_FIELDS},
        "heater": _describe_heater(heater) if isinstance(heater, Heater) else None,
    }


def restore(record: HeaterRecord, heater: object, saved: Mapping[str, Any]) -> None:
    """Set what ``describe`` returned. Raise one of the errors of a damaged file."""
    record.location = Location(**saved["location"])
    for name in _RECORD_FIELDS:
        setattr(record, name, saved[name])
    if isinstance(heater, Heater) and saved["heater"] is not None:
        _restore_heater(heater, saved["heater"])


def _describe_heater(heater: Heater) -> dict[str, Any]:
    settings, tou = heater.settings, heater.settings.tou
    return {
        "mode": int(settings.mode),
        "previous_mode": int(settings.previous_mode),
        "vacation_days": settings.vacation_days,
        "setpoint": int(settings.setpoint),
        "layers": list(heater.tank.layers),
        "energy": asdict(heater.plant.energy_meter.total),
        "reservation_use": int(settings.reservations.use),
        "reservations": [entry.to_entry() for entry in settings.reservations.entries],
        "tou_enabled": tou.enabled,
        "tou_plan": [dict(entry) for entry in tou.entries],
    }


def _restore_heater(heater: Heater, saved: Mapping[str, Any]) -> None:
    settings = heater.settings
    settings.mode = settings.delayed_mode = DHWMode(saved["mode"])
    settings.previous_mode = DHWMode(saved["previous_mode"])
    settings.vacation_days = int(saved["vacation_days"])
    setpoint = HalfCelsius(saved["setpoint"])
    settings.setpoint = settings.delayed_setpoint = settings.element_setpoint = setpoint
    heater.tank.layers[:] = map(float, saved["layers"])
    heater.plant.energy_meter.total = EnergyUse(**saved["energy"])
    body = {"reservationUse": saved["reservation_use"], "reservation": saved["reservations"]}
    program: ReservationProgram = decode_reservations(body)
    settings.reservations.entries = program.reservations
    settings.reservations.use = Flag(saved["reservation_use"])
    if saved["tou_plan"]:
        heater.write_tou_plan(bool(saved["tou_enabled"]), saved["tou_plan"])
    else:
        heater.set_tou_enabled(bool(saved["tou_enabled"]))
