"""Read and write the lists in the heater: reservations, recirculation schedule, time-of-use plan.

A write replaces the whole list. So a change reads the list, writes it back whole and reads it again
to confirm; changes of one process are serialised. It starts no heating. A written list shows only
after seconds, a write can be lost without an error, and so can its response: only what is read back
decides (PROTOCOL 8.3). Energy queries are here too, for they share the lock.
"""

from __future__ import annotations

import asyncio
import json
from functools import cached_property
from typing import Any, Callable, Collection, Iterable, Mapping, NamedTuple, Sequence, TypeVar

from .._util.numbers import shown
from ..config import NaviLinkConfig
from ..exceptions import (
    CommandRejectedError,
    ProtocolError,
    RequestTimeoutError,
    UnsupportedCommandError,
    ValueOutOfRangeError,
)
from ..protocol.commands import (
    ENERGY_DAILY,
    ENERGY_MONTHLY,
    RECIRC_SCHEDULE,
    RESERVATIONS,
    WRITE_RECIRC_SCHEDULE,
    WRITE_RESERVATIONS,
    WRITE_TOU,
    Command,
)
from ..protocol.energy import EnergyHistory, decode_energy_daily, decode_energy_monthly
from ..protocol.fields import require_integer, require_list, require_object
from ..protocol.redaction import logger
from ..protocol.schedules import (
    RecirculationEntry,
    RecirculationProgram,
    Reservation,
    ReservationProgram,
    decode_recirculation,
    decode_reservations,
    encode_recirculation,
    encode_reservations,
)
from ..protocol.tou import (
    DOUBTFUL_GROUP,
    TOUPeriod,
    check_tou,
    encode_tou_mqtt,
    largest_group,
)
from .cloud_device import warn_of_unreadable
from .command_sender import CommandSender, after_write

_LOGGER = logger("navien_nwp500.schedules")

Change = Callable[[Sequence[Reservation]], Sequence[Reservation]]
Program = TypeVar("Program", ReservationProgram, RecirculationProgram)

#: Number of times that a written list is read back before it counts as not stored.
READS = 3


class ScheduleWriter:
    """Read and write the lists of one heater through its command sender."""

    def __init__(self, sender: CommandSender, config: NaviLinkConfig) -> None:
        self._sender = sender
        self._interval = config.list_recheck_interval

    async def reservations(self) -> ReservationProgram:
        """Read the reservations; an entry that cannot be read is left out with a warning."""
        program = decode_reservations(await self._read(RESERVATIONS), partly=True)
        warn_of_unreadable("reservations", program.unreadable)
        return program

    async def change_reservations(
        self,
        change: Change,
        *,
        enabled: bool | None = None,
        replace_all: bool = False,
        unchecked: Collection[Reservation] = (),
        dry_run: bool = False,
    ) -> ReservationProgram:
        """Read the reservations, apply a change, write them all, and confirm by reading again.

        ``enabled`` None keeps the program on or off; a program that was never set is switched on.
        A list with an entry that cannot be read is changed only by a ``change`` that replaces all.
        ``unchecked``: reservations that were in the heater before, besides those that are now.
        """
        await self._sender.check(WRITE_RESERVATIONS)
        features = await self._sender.features()
        async with self._lock:
            before = decode_reservations(await self._read(RESERVATIONS), partly=replace_all)
            wanted = tuple(change(before.reservations))
            on = enabled if enabled is not None else before.enabled or not before.reservations
            body = encode_reservations(
                on,
                wanted,
                unchecked=(*before.reservations, *unchecked),
                lowest=features.dhw_temperature_min,
                highest=features.dhw_temperature_max,
            )
            goal = decode_reservations(body)
            if dry_run or (_content(before) == _content(goal) and not before.unreadable):
                return goal
            return await self._store(
                WRITE_RESERVATIONS, body, goal, RESERVATIONS, decode_reservations
            )

    async def recirculation(self) -> RecirculationProgram:
        """Read the recirculation schedule, as :meth:`reservations`."""
        await self._sender.check(RECIRC_SCHEDULE)
        program = decode_recirculation(await self._read(RECIRC_SCHEDULE), partly=True)
        warn_of_unreadable("recirculation schedule", program.unreadable)
        return program

    async def write_recirculation(
        self, enabled: bool, entries: Iterable[RecirculationEntry], *, dry_run: bool = False
    ) -> RecirculationProgram:
        """Replace the recirculation schedule and confirm it by reading again."""
        await self._sender.check(WRITE_RECIRC_SCHEDULE)
        body = encode_recirculation(enabled, tuple(entries))
        goal = decode_recirculation(body)
        if dry_run:
            return goal
        async with self._lock:
            return await self._store(
                WRITE_RECIRC_SCHEDULE, body, goal, RECIRC_SCHEDULE, decode_recirculation
            )

    async def write_tou(
        self, periods: Sequence[TOUPeriod], *, enabled: bool = True, dry_run: bool = False
    ) -> Mapping[str, Any]:
        """Replace the plan in the heater; returns what was or would be sent."""
        check_tou(periods)
        if (most := largest_group(periods)) > DOUBTFUL_GROUP:
            _LOGGER.warning(
                "%d periods have the same months and weekdays; an old document allows %d, so the "
                "heater may not store this plan",
                most,
                DOUBTFUL_GROUP,
            )
        await self._sender.check(WRITE_TOU)
        serial = (await self._sender.features()).controller_serial_number
        if not serial:
            raise UnsupportedCommandError(
                "the heater does not send its serial number, which a plan needs"
            )
        body = {
            "controllerSerialNumber": serial,
            "reservationUse": 2 if enabled else 1,
            "reservation": encode_tou_mqtt(periods),
        }
        if dry_run:
            return body
        async with self._lock:
            answer = (await self._sender.send(WRITE_TOU, body)).body
        with after_write(WRITE_TOU.name):
            stored = _plan(answer)
        if stored != _plan(body):
            raise CommandRejectedError(
                "the heater's response does not confirm the time-of-use plan"
            )
        return body

    async def energy_daily(self, year: int, months: Sequence[int]) -> EnergyHistory:
        """Read the energy of each day of some months of one year."""
        if not months or not all(type(month) is int and 1 <= month <= 12 for month in months):
            raise ValueOutOfRangeError(f"months are {shown(months)}; each may be 1 to 12")
        _check_years([year])
        return await self._energy(
            ENERGY_DAILY, {"year": year, "month": list(months)}, decode_energy_daily
        )

    async def energy_monthly(self, years: Sequence[int]) -> EnergyHistory:
        """Read the energy of each month of some years."""
        _check_years(years)
        return await self._energy(ENERGY_MONTHLY, {"year": list(years)}, decode_energy_monthly)

    async def _energy(
        self,
        command: Command,
        body: Mapping[str, Any],
        decode: Callable[..., EnergyHistory],
    ) -> EnergyHistory:
        # Responses do not name their query and share one shape, so queries are serialised (PROTOCOL 4.3).
        async with self._lock:
            history = decode((await self._sender.request(command, body)).body, partly=True)
        warn_of_unreadable(command.name, history.unreadable)
        return history

    async def _store(
        self,
        command: Command,
        body: Mapping[str, Any],
        goal: Program,
        query: Command,
        decode: Callable[[Mapping[str, Any]], Program],
    ) -> Program:
        """Write a list and return it as read back.

        Raises CommandRejectedError when the last of ``READS`` reads finds another list,
        RequestTimeoutError when the heater answers neither the write nor the first read,
        CommandUnconfirmedError when the list that is read back cannot be read.
        """
        answered, found = True, None
        try:
            await self._sender.send(command, body)
        except RequestTimeoutError:
            answered = False
        for number in range(READS):
            if number:
                await self._sender.pause_after(command, self._interval)
            try:
                answer = await self._read(query)
            except RequestTimeoutError as error:
                if answered and number + 1 < READS:
                    continue
                raise RequestTimeoutError(
                    f"{command.name}: the heater did not answer when the list was read back; it may "
                    "be stored. Read it before you write it again"
                ) from error
            answered = True
            with after_write(command.name):
                found = decode(answer)
            if _content(found) == _content(goal):
                return found
        assert found is not None  # or the last read has raised
        raise CommandRejectedError(
            f"{command.name}: the heater did not store the list: {len(_content(goal).entries)} entries "
            f"were sent, and {len(_content(found).entries)} found when it was read back {READS} times. "
            "A heater can lose a write; it is safe to write the list again"
        )

    async def _read(self, query: Command) -> Mapping[str, Any]:
        return (await self._sender.request(query)).body

    @cached_property
    def _lock(self) -> asyncio.Lock:
        return asyncio.Lock()


def without(reservations: Sequence[Reservation], reservation: Reservation) -> list[Reservation]:
    """Return the list without one reservation. Raises ValueOutOfRangeError when it is missing."""
    left = list(reservations)
    if reservation not in left:
        raise ValueOutOfRangeError(
            "the heater has no such reservation; read them with get_reservations() and pass one of "
            "them"
        )
    left.remove(reservation)
    return left


class _Content(NamedTuple):
    """Content of a list, without the order of its entries, which a heater does not keep (PROTOCOL 8.3)."""

    enabled: bool
    entries: list[tuple[int, ...]]


def _content(program: ReservationProgram | RecirculationProgram) -> _Content:
    entries: Sequence[Reservation | RecirculationEntry] = (
        program.reservations if isinstance(program, ReservationProgram) else program.entries
    )
    return _Content(program.enabled, sorted(tuple(one.to_entry().values()) for one in entries))


def _plan(body: Mapping[str, Any]) -> tuple[int, list[str]]:
    """Return what a time-of-use plan says, without the order of its periods and of their keys.

    Raises ProtocolError when it cannot be read.
    """
    use = require_integer(body, "reservationUse", 0, 2)
    periods = [require_object(one, "a period") for one in require_list(body, "reservation")]
    if any(type(value) is not int for one in periods for value in one.values()):
        raise ProtocolError("a period has a value that is not an integer")
    return use, sorted(json.dumps(one, sort_keys=True) for one in periods)


def _check_years(years: Sequence[int]) -> None:
    if not years or not all(type(year) is int and 2000 <= year <= 2099 for year in years):
        raise ValueOutOfRangeError(f"years are {shown(years)}; each may be 2000 to 2099")
