"""Writes that show late, get lost or are refused, and responses that come in two forms."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import time
from decimal import Decimal
from typing import Any, AsyncIterator, Awaitable, Callable

import pytest

from navien_nwp500 import (
    CommandRejectedError,
    CommandTooSoonError,
    NaviLinkClient,
    NaviLinkDevice,
    RequestTimeoutError,
    Reservation,
    ReservationMode,
    WebSocketError,
)
from navien_nwp500.models import EVERY_DAY, EVERY_MONTH, WEEKDAYS, RecirculationEntry, TOUPeriod
from navien_nwp500.protocol.commands import (
    COMMANDS,
    DIAGNOSTICS,
    ENERGY_DAILY,
    ENERGY_MONTHLY,
    RECIRC_SCHEDULE,
    RESERVATIONS,
    WRITE_RECIRC_SCHEDULE,
    WRITE_RESERVATIONS,
    WRITE_TOU,
    Command,
)
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.faults import (
    CutConnections,
    DelayListWrites,
    DelaySetpoint,
    DropListWrites,
    DropMessages,
    RefuseWrites,
)
from support.control_tools import record_writes
from support.reliability_tools import (
    SHORT_TIMEOUT,
    count_log,
    fast_config,
    wait_until,
    within_limit,
)

MORNING = Reservation.at(time(6, 30), WEEKDAYS, ReservationMode.HEAT_PUMP, celsius=50)
PLAN = [TOUPeriod(EVERY_MONTH, EVERY_DAY, time(0, 0), time(23, 59), Decimal("0.3"), Decimal("0.3"))]
NEVER = 3600.0

Write = Callable[[NaviLinkDevice], Awaitable[Any]]
LIST_WRITES: dict[str, Write] = {
    "reservations": lambda device: device.set_reservations([MORNING]),
    "recirculation": lambda device: device.set_recirculation_schedule(
        [RecirculationEntry(WEEKDAYS, time(6, 0), pump=2)]
    ),
}
each_list = pytest.mark.parametrize("write", LIST_WRITES.values(), ids=LIST_WRITES.keys())


@asynccontextmanager
async def pumped_heater(**settings: Any) -> AsyncIterator[tuple[Simulator, NaviLinkDevice]]:
    """Return a heater with a recirculation pump, whose features are known already."""
    async with Simulator(speed=600, frozen=True, recirculation=True, control_interval=0) as sim:
        async with NaviLinkClient(fast_config(sim, **settings)) as client:
            device = (await client.get_devices())[0]
            await device.get_features()
            yield sim, device


# Responses that come packed first


def test_these_commands_have_a_packed_response() -> None:
    assert {command for command in COMMANDS if command.has_packed_reply} == {
        *(DIAGNOSTICS, RESERVATIONS, RECIRC_SCHEDULE, ENERGY_DAILY, ENERGY_MONTHLY),
        *(WRITE_RESERVATIONS, WRITE_RECIRC_SCHEDULE, WRITE_TOU),
    }


@pytest.mark.parametrize("command", [DIAGNOSTICS, RESERVATIONS, RECIRC_SCHEDULE])
async def test_the_packed_response_that_comes_first_is_not_taken(command: Command) -> None:
    async with pumped_heater() as (_, device):
        for _ in range(3):
            message = await within_limit(device._commands.request(command))
            assert message.topic.endswith(f"/{command.reply_suffix}")


async def test_a_packed_response_is_used_when_no_other_comes() -> None:
    async with pumped_heater(answer_timeout=SHORT_TIMEOUT) as (sim, device):
        expected = await within_limit(device.get_diagnostics())
        await within_limit(device.set_reservations([MORNING]))
        sim.faults.inject(DropMessages(topic="cmd/+/+/+/+/res/+/rd"))
        found = await within_limit(device.get_diagnostics())
        assert found.components == expected.components
        assert found.events.days_since_installation == 359
        assert (await within_limit(device.get_reservations())).reservations == (MORNING,)
        with pytest.raises(RequestTimeoutError, match="may still take effect"):
            await within_limit(device.set_tou_schedule(PLAN))


async def test_a_plan_is_confirmed_although_its_packed_response_comes_first() -> None:
    async with pumped_heater() as (_, device):
        assert await within_limit(device.set_tou_schedule(PLAN))


# Lists that show late, or get lost


@each_list
async def test_a_list_that_shows_late_is_confirmed(write: Write) -> None:
    async with pumped_heater(list_recheck_interval=0.4) as (sim, device):
        sim.faults.inject(DelayListWrites(seconds=0.3))
        async with record_writes(sim) as sent:
            assert (await within_limit(write(device))).enabled
        assert len(sent) == 1


@each_list
@pytest.mark.parametrize("echo", [True, False])
async def test_a_lost_list_is_read_back_three_times_and_then_rejected(
    write: Write, echo: bool
) -> None:
    timeout = {} if echo else {"answer_timeout": SHORT_TIMEOUT}
    async with pumped_heater(**timeout) as (sim, device):
        sim.faults.inject(DropListWrites(echo=echo))
        async with record_writes(sim) as sent:
            with pytest.raises(CommandRejectedError, match="1 entries.*0 found.*3 times.*safe"):
                await within_limit(write(device))
        assert len(sent) == 1
        assert (await within_limit(write(device))).enabled


async def test_a_list_whose_response_is_lost_is_confirmed() -> None:
    async with pumped_heater(answer_timeout=SHORT_TIMEOUT) as (sim, device):
        lost = sim.faults.inject(DropMessages(topic="cmd/+/+/+/+/res/recirc-rsv/#", times=2))
        async with record_writes(sim) as sent:
            program = await within_limit(LIST_WRITES["recirculation"](device))
        assert program.enabled and len(sent) == 1 and not lost.is_active


@each_list
async def test_a_list_without_any_response_may_be_stored(write: Write) -> None:
    async with pumped_heater(answer_timeout=SHORT_TIMEOUT) as (sim, device):
        sim.faults.inject(DropListWrites(echo=False))
        async with record_writes(sim) as sent:
            writing = asyncio.ensure_future(write(device))
            await wait_until(lambda: bool(sent))
            sim.faults.inject(DropMessages(topic="cmd/+/+/+/+/res/#"))
            with pytest.raises(RequestTimeoutError, match="it may be stored. Read it"):
                await within_limit(writing)
        assert len(sent) == 1


# A setpoint that takes effect late


async def test_a_setpoint_that_shows_late_is_confirmed() -> None:
    async with pumped_heater(control_recheck_delay=0.4) as (sim, device):
        sim.faults.inject(DelaySetpoint(seconds=0.3))
        async with record_writes(sim) as sent:
            status = await within_limit(device.set_temperature(celsius=50))
        assert status.dhw_temperature_setting.celsius == 50 and len(sent) == 1


async def test_a_setpoint_that_does_not_show_is_looked_at_once_more_and_rejected() -> None:
    async with pumped_heater() as (sim, device):
        sim.faults.inject(DelaySetpoint(seconds=NEVER))
        with pytest.raises(CommandRejectedError, match="50.0 °C.*60.5 °C"):
            await within_limit(device.set_temperature(celsius=50))
        sim.faults.clear()
        assert (await device.get_status()).dhw_temperature_setting.celsius == 50


# A refusal because the command before was too recent


async def test_after_a_refusal_as_too_soon_no_command_is_sent_for_a_while() -> None:
    async with pumped_heater(answer_timeout=20.0) as (sim, device):
        sim.faults.inject(RefuseWrites())
        async with record_writes(sim) as sent:
            with pytest.raises(CommandTooSoonError, match="pause for 30 s") as refused:
                await within_limit(device.set_temperature(celsius=50))
            assert refused.value.retry_after == 30.0
            for write in (*LIST_WRITES.values(), lambda d: d.turn_off()):
                with pytest.raises(CommandTooSoonError, match=r"not sent.*again in \d+ s") as held:
                    await within_limit(write(device))
                assert 20 < held.value.retry_after <= 30
        assert len(sent) == 1
        assert (await within_limit(device.get_status())).dhw_temperature_setting.celsius == 60.5


async def test_a_command_waits_for_the_end_of_a_short_pause(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with pumped_heater(refusal_pause=0.3) as (sim, device):
        sim.faults.inject(RefuseWrites())
        with pytest.raises(CommandTooSoonError):
            await within_limit(device.set_temperature(celsius=50))
        began = asyncio.get_running_loop().time()
        await within_limit(device.set_temperature(celsius=50))
        # A lower bound only. The clock of the pause began a little earlier.
        assert asyncio.get_running_loop().time() - began >= 0.2
        assert count_log(caplog, "temperature waits") == 1


async def test_a_refusal_for_another_reason_pauses_nothing() -> None:
    async with pumped_heater() as (sim, device):
        sim.faults.inject(RefuseWrites(fail_code=7))
        with pytest.raises(CommandRejectedError, match="fail code 7"):
            await within_limit(device.set_temperature(celsius=50))
        assert await within_limit(device.set_temperature(celsius=50))


async def test_a_refusal_pauses_one_heater_only() -> None:
    async with Simulator(speed=600, heaters=2, control_interval=0) as sim:
        async with NaviLinkClient(fast_config(sim, answer_timeout=20.0)) as client:
            first, second = await client.get_devices()
            sim.faults.inject(RefuseWrites(heater=first.mac_address))
            with pytest.raises(CommandTooSoonError):
                await within_limit(first.set_temperature(celsius=50))
            assert await within_limit(second.set_temperature(celsius=50))


# Every wait ends with the connection


def refuse(sim: Simulator) -> None:
    sim.faults.inject(RefuseWrites())


def lose_list(sim: Simulator) -> None:
    sim.faults.inject(DropListWrites())


def delay_setpoint(sim: Simulator) -> None:
    sim.faults.inject(DelaySetpoint(seconds=NEVER))


@pytest.mark.parametrize("close", [False, True], ids=["drop", "close"])
@pytest.mark.parametrize(
    ("fault", "write", "outcome"),
    [
        (refuse, LIST_WRITES["reservations"], "write_reservations was not sent"),
        (lose_list, LIST_WRITES["reservations"], "write_reservations may still take effect"),
        (lose_list, LIST_WRITES["recirculation"], "may still take effect"),
        (delay_setpoint, lambda d: d.set_temperature(celsius=50), "may still take effect"),
    ],
    ids=["pause", "reservations", "recirculation", "setpoint"],
)
async def test_a_wait_ends_when_the_connection_drops(
    fault: Callable[[Simulator], None], write: Write, outcome: str, close: bool
) -> None:
    waits = {"refusal_pause": 50.0, "list_recheck_interval": NEVER, "control_recheck_delay": NEVER}
    async with pumped_heater(**waits) as (sim, device):
        fault(sim)
        if fault is refuse:
            with pytest.raises(CommandTooSoonError):
                await within_limit(device.turn_off())
        writing = asyncio.ensure_future(write(device))
        await wait_until(lambda: bool(device._mqtt._dropped.waiting))
        if close:
            await device._pool.close()
        else:
            sim.faults.inject(CutConnections())
        with pytest.raises(WebSocketError, match=outcome):
            await within_limit(writing)
