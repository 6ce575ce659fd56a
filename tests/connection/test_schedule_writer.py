"""Tests of the lists in the heater: reservations, time-of-use plan, energy history."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, time, timezone
from decimal import Decimal

import pytest

from navien_nwp500 import (
    APIError,
    ConfigurationError,
    PlanCopyError,
    Reservation,
    ValueOutOfRangeError,
)
from navien_nwp500.protocol.calendar import EVERY_DAY, EVERY_MONTH, WEEKDAYS, WEEKEND
from navien_nwp500.protocol.schedules import ReservationMode
from navien_nwp500.protocol.tou import TOUPeriod
from navien_nwp500.protocol.types import HalfCelsius
from navien_nwp500.simulator.faults import RestFault
from support.control_tools import heater, record_writes


def reservation(number: int) -> Reservation:
    days = (WEEKDAYS, WEEKEND, EVERY_DAY)[number % 3]
    mode = (ReservationMode.HEAT_PUMP, ReservationMode.ENERGY_SAVER)[number % 2]
    return Reservation.at(time(number % 24, number), days, mode, celsius=45 + number % 16 / 2)


async def test_32_reservations_survive_add_update_and_remove_in_any_order() -> None:
    async with heater() as (_, device):
        entries = [reservation(number) for number in range(32)]
        assert (await device.get_reservations()).reservations == ()
        for entry in entries[:3]:
            await device.add_reservation(entry)
        await device.set_reservations(entries)
        assert set((await device.get_reservations()).reservations) == set(entries)
        later = replace(entries[7], time=time(23, 59), enabled=False)
        await device.update_reservation(entries[7], later)
        await device.remove_reservation(entries[0])
        program = await device.add_reservation(entries[0])
        expected = {*entries[:7], later, *entries[8:]}
        assert set(program.reservations) == expected and program.enabled
        for entry in sorted(expected, key=lambda e: (e.temperature, e.time), reverse=True):
            await device.remove_reservation(entry)
        assert (await device.get_reservations()).reservations == ()


async def test_concurrent_changes_of_reservations_lose_nothing() -> None:
    async with heater() as (_, device):
        await asyncio.gather(*(device.add_reservation(reservation(n)) for n in range(5)))
        found = (await device.get_reservations()).reservations
        assert set(found) == {reservation(n) for n in range(5)}


async def test_a_missing_reservation_cannot_be_removed() -> None:
    async with heater() as (_, device):
        await device.add_reservation(reservation(1))
        with pytest.raises(ValueOutOfRangeError, match="get_reservations"):
            await device.remove_reservation(reservation(2))
        assert (await device.get_reservations()).reservations == (reservation(1),)


async def test_a_reservation_outside_the_limits_of_the_heater_is_rejected() -> None:
    async with heater() as (sim, device):
        async with record_writes(sim) as sent:
            cold = replace(reservation(1), temperature=HalfCelsius(60))
            with pytest.raises(ValueOutOfRangeError):
                await device.add_reservation(cold)
        assert sent == []


async def test_a_time_of_use_plan_is_written_and_a_gap_is_rejected() -> None:
    def period(start: time, end: time, price: str) -> TOUPeriod:
        return TOUPeriod(EVERY_MONTH, EVERY_DAY, start, end, Decimal(price), Decimal(price))

    day = [
        period(time(0, 0), time(15, 59), "0.30"),
        period(time(16, 0), time(20, 59), "0.42"),
        period(time(21, 0), time(23, 59), "0.30"),
    ]
    async with heater() as (sim, device):
        sent = await device.set_tou_schedule(day)
        assert sent["controllerSerialNumber"] == sim.units[0].record.controller_serial
        assert (await device.set_tou(True)).tou_status != 0
        async with record_writes(sim) as sent:
            with pytest.raises(ValueOutOfRangeError, match="not covered"):
                await device.set_tou_schedule(day[:2])
        assert sent == []


def all_day(price: str) -> TOUPeriod:
    return TOUPeriod(EVERY_MONTH, EVERY_DAY, time(0), time(23, 59), Decimal(price), Decimal(price))


async def test_a_plan_is_written_to_the_heater_and_its_copy_to_the_cloud() -> None:
    async with heater() as (sim, device):
        record, tou = sim.units[0].record, sim.units[0].heater.settings.tou
        await device.set_tou_plan([all_day("0.25")], name="One price", enabled=False, dry_run=True)
        assert record.tou_plan is None and not tou.entries
        await device.set_tou_plan([all_day("0.25")], name="One price", enabled=False)
        info = await device.get_tou_info()
        assert (info.name, info.utility, info.zip_code) == ("One price", "Sample Utility", "10001")
        assert info.periods == (all_day("0.25"),) and tou.entries[0]["priceMin"] == 25000
        # Each write also stands alone.
        await device.set_tou_schedule([all_day("0.26")], enabled=False)
        assert (await device.get_tou_info()).periods == (all_day("0.25"),)
        await device.set_tou_info(replace(info, periods=(all_day("0.27"),)))
        assert (await device.get_tou_info()).periods == (all_day("0.27"),)
        assert tou.entries[0]["priceMin"] == 26000


async def test_a_copy_that_fails_is_an_error_of_its_own() -> None:
    async with heater() as (sim, device):
        tou = sim.units[0].heater.settings.tou
        sim.faults.rest["/device/tou"] = RestFault.error(400, "COMMON_BAD_REQUEST")
        with pytest.raises(PlanCopyError, match="NWP500 stored .* COMMON_BAD_REQUEST") as caught:
            await device.set_tou_plan([all_day("0.25")], enabled=False)
        assert isinstance(caught.value.__cause__, APIError) and tou.entries
        sim.faults.clear()
        await device.set_tou_plan([all_day("0.25")], enabled=False)
        assert (await device.get_tou_info()).periods == (all_day("0.25"),)


async def test_the_cloud_copy_of_a_read_only_client_is_not_changed() -> None:
    async with heater(read_only=True) as (sim, device):
        info = await device.get_tou_info()
        for write in (device.set_tou_info(info), device.set_tou_plan(info.periods)):
            with pytest.raises(ConfigurationError, match="NAVILINK_READ_ONLY"):
                await write
        assert sim.units[0].record.tou_plan is None


async def test_a_plan_with_many_periods_of_a_group_is_written_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At least 20 periods have been held; 16 a group comes from an old document alone."""
    prices = [Decimal(f"0.{hour + 10}") for hour in range(20)]
    day = [
        TOUPeriod(EVERY_MONTH, EVERY_DAY, time(hour), time(hour, 59), price, price)
        for hour, price in enumerate(prices)
    ]
    day[-1] = replace(day[-1], end=time(23, 59))
    async with heater() as (_, device):
        sent = await device.set_tou_schedule(day)
    assert len(sent["reservation"]) == 20
    (warning,) = [one.getMessage() for one in caplog.records if "periods" in one.getMessage()]
    assert warning == (
        "20 periods have the same months and weekdays; an old document allows 16, so the heater may "
        "not store this plan"
    )


async def test_energy_by_day_and_by_month() -> None:
    now = datetime(2026, 3, 15, 5, tzinfo=timezone.utc)
    async with heater(start=now) as (_, device):
        days = await device.get_energy_daily(now.year, now.month)
        assert days.usage[0].date.month == now.month
        assert days.total.total_wh >= sum(day.total_wh for day in days.usage) > 0
        one, two = await asyncio.gather(
            device.get_energy_monthly(now.year), device.get_energy_daily(now.year, now.month)
        )
        assert len(one.usage) == 12 and one.total.heat_pump_wh >= days.total.heat_pump_wh
        month = one.usage[now.month - 1]
        assert month.date.day == 1 and month.heat_pump_wh > 0
        assert len(two.usage) >= 28
