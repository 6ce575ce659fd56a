"""One bad part of an answer costs that part, and an odd answer to a write is "unconfirmed"."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, time, timezone
from decimal import Decimal
from typing import Any, Iterator, Mapping

import pytest

from navien_nwp500 import (
    CommandRejectedError,
    CommandUnconfirmedError,
    NaviLinkClient,
    NaviLinkDevice,
    ProtocolError,
    Reservation,
    TOUPeriod,
)
from navien_nwp500.protocol.calendar import EVERY_DAY, EVERY_MONTH
from navien_nwp500.protocol.commands import Command
from navien_nwp500.protocol.energy import EnergyUsage
from navien_nwp500.protocol.messages import Message
from navien_nwp500.protocol.schedules import ReservationMode
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.faults import ChangeFields, RestFault
from support.control_tools import heater, record_writes

PRICE = Decimal("0.30")
PLAN = [TOUPeriod(EVERY_MONTH, EVERY_DAY, time(0), time(23, 59), PRICE, PRICE)]
MORNING = Reservation.at(time(6), EVERY_DAY, ReservationMode.HEAT_PUMP, celsius=50)
EVENING = replace(MORNING, time=time(18))


def answer(data: Any) -> RestFault:
    """Return a REST fault that answers with ``data``."""
    body = json.dumps({"code": 200, "msg": "SUCCESS", "data": data}).encode()
    return RestFault(200, body, {"Content-Type": "application/json"})


def response(topic: str, **values: Any) -> ChangeFields:
    return ChangeFields(section="response", topic=f"cmd/+/+/+/+/res/{topic}", values=values)


@pytest.mark.parametrize(
    "echo",
    [
        {"reservation": [None]},
        {"reservation": [{"season": None, "week": 254}, {"season": 1, "week": 254}]},
        {"reservation": None},
        {"reservation": "0fff"},
        {"reservation": {}},
        {"reservation": [1]},
        {"reservationUse": None},
        {"reservationUse": "2"},
    ],
    ids=str,
)
async def test_an_odd_echo_of_a_plan_is_unconfirmed(echo: dict[str, Any]) -> None:
    async with heater() as (sim, device):
        sim.faults.inject(response("tou/rd", **echo))
        with pytest.raises(CommandUnconfirmedError, match="may have been executed: read the state"):
            await device.set_tou_schedule(PLAN)
        assert len(sim.units[0].heater.settings.tou.entries) == 1  # it was stored
        sim.faults.clear()
        await device.set_tou_schedule(PLAN)


async def test_an_echo_of_another_plan_is_rejected() -> None:
    async with heater() as (sim, device):
        sim.faults.inject(response("tou/rd", reservation=[]))
        with pytest.raises(CommandRejectedError):
            await device.set_tou_schedule(PLAN)


@contextmanager
def odd_from_the_write_on(
    sim: Simulator, device: NaviLinkDevice, odd: ChangeFields
) -> Iterator[None]:
    """Inject a fault when the write is sent: the reads before it get true answers."""
    with pytest.MonkeyPatch.context() as patch:
        send = device._commands.send

        async def inject_and_send(command: Command, body: Mapping[str, Any]) -> Message:
            sim.faults.inject(odd)
            return await send(command, body)

        patch.setattr(device._commands, "send", inject_and_send)
        yield
    sim.faults.clear()


@pytest.mark.parametrize(
    "status", [None, [], {}, {"operationMode": 1}, {"dhwTemperature": None}], ids=str
)
async def test_an_odd_answer_to_a_control_is_unconfirmed(status: Any) -> None:
    async with heater() as (sim, device):
        odd = ChangeFields(section="response", values={"status": status}, topic="cmd/+/+/+/+/res")
        with odd_from_the_write_on(sim, device, odd):
            with pytest.raises(CommandUnconfirmedError, match="temperature: the heater answered"):
                await device.set_temperature(celsius=50)
        assert (await device.get_status()).dhw_temperature_setting == 100


@pytest.mark.parametrize("listed", [None, 7, [None], [{"enable": 2}], "zz"], ids=str)
async def test_a_list_that_cannot_be_read_back_is_unconfirmed(listed: Any) -> None:
    async with heater() as (sim, device):
        with odd_from_the_write_on(sim, device, response("rsv/rd", reservation=listed)):
            with pytest.raises(CommandUnconfirmedError, match="write_reservations: the heater"):
                await device.add_reservation(MORNING)
        assert (await device.get_reservations()).reservations == (MORNING,)


async def test_a_damaged_reservation_costs_itself_and_is_never_written_over_by_a_change(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with heater() as (sim, device):
        await device.set_reservations([MORNING])
        damaged = {**MORNING.to_entry(), "hour": 99}
        sim.faults.inject(response("rsv/rd", reservation=[MORNING.to_entry(), damaged]))
        found = await device.get_reservations()
        assert found.reservations == (MORNING,) and len(found.unreadable) == 1
        assert "reservations: an entry cannot be read and is left out: entry 2: hour" in caplog.text
        async with record_writes(sim) as sent:
            with pytest.raises(ProtocolError, match="hour is not an integer from 0 to 23"):
                await device.add_reservation(EVENING)
        assert sent == []
        sim.faults.clear()
        odd = response("rsv/rd", reservation=[damaged])
        odd.times = 1
        sim.faults.inject(odd)
        # A list that replaces all repairs it.
        assert (await device.set_reservations([EVENING])).reservations == (EVENING,)


async def test_a_damaged_month_and_a_damaged_day_cost_themselves() -> None:
    now = datetime(2026, 3, 15, 5, tzinfo=timezone.utc)
    async with heater(start=now) as (sim, device):
        whole = await device.get_energy_daily(2026, 1, 2)
        january, february = ([d for d in whole.usage if d.date.month == m] for m in (1, 2))
        parts = [
            {"year": 2026, "month": 1, "data": [_item(day) for day in january[:-1]] + [None]},
            {"year": 2026, "month": 13, "data": []},
            {"year": 2026, "month": 2, "data": [_item(day) for day in february]},
        ]
        sim.faults.inject(response("energy-usage-daily-query/rd", usage=parts))
        found = await device.get_energy_daily(2026, 1, 2)
        assert found.usage == (*january[:-1], *february)
        assert [problem.partition(":")[0] for problem in found.unreadable] == [
            "entry 2",
            "2026-01-31",
        ]


def _item(day: EnergyUsage) -> dict[str, int]:
    return {
        "hpUsage": day.heat_pump_wh,
        "heUsage": day.element_wh,
        "hpTime": day.heat_pump_hours,
        "heTime": day.element_hours,
    }


async def test_a_damaged_period_of_the_copy_costs_itself_and_can_be_replaced() -> None:
    async with heater() as (sim, device):
        whole = await device.get_tou_info()
        record = sim.units[0].record
        await device.set_tou_info(whole)
        assert record.tou_plan is not None
        seasons = record.tou_plan["touInfo"]["schedule"]
        seasons[0]["interval"][1]["priceMax"] = None
        seasons.append({"season": 5000})
        found = await device.get_tou_info()
        assert found.periods == tuple(p for n, p in enumerate(whole.periods) if n != 1)
        assert len(found.unreadable) == 2 and "priceMax" in " ".join(found.unreadable)
        await device.set_tou_plan(PLAN)
        assert (await device.get_tou_info()).periods == tuple(PLAN)


async def test_an_odd_device_in_the_list_costs_itself(
    sim: Simulator, client: NaviLinkClient, caplog: pytest.LogCaptureFixture
) -> None:
    (device,) = await client.get_devices(connect=False)
    good = {
        "homeSeq": 10001,
        "macAddress": device.mac_address,
        "additionalValue": device.address.additional_value,
        "deviceType": 52,
        "connected": 2,
    }
    without_address = {key: value for key, value in good.items() if key != "macAddress"}
    odd = [None, [], {"deviceInfo": 7}, {"deviceInfo": without_address}]
    odd += [{"deviceInfo": {**good, "macAddress": "zz"}}]
    whole = {"deviceInfo": {**good, "deviceName": 7}, "location": [1], "error": "x", "descaling": 1}
    sim.faults.rest["/device/list"] = answer([*odd, whole])
    (found,) = await client.get_devices(connect=False)
    assert found.mac_address == device.mac_address
    assert "/device/list: 5 entries cannot be read and are left out" in caplog.text
    # 20 entries are a full page, however many of them can be read.
    sim.faults.rest["/device/list"] = pages = answer([*[None] * 19, whole])
    pages.times = 1
    found_again = await client.get_devices(connect=False)
    assert [one.mac_address for one in found_again] == [device.mac_address] * len(found_again)
    assert sim.counters.calls["/device/list"] >= 4
