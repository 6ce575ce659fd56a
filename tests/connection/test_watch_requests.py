"""Requests of other clients, as the heater's own topics show them (PROTOCOL 3.7)."""

from __future__ import annotations

import asyncio
from datetime import datetime, time, timezone
from typing import Any, AsyncIterator

import pytest

from navien_nwp500 import NaviLinkClient, NaviLinkDevice, ProtocolError
from navien_nwp500.models import WEEKDAYS, ClientRequest, HealthState, Reservation, ReservationMode
from navien_nwp500.protocol.client_requests import hash_client, observe_request
from navien_nwp500.protocol.messages import Frame
from navien_nwp500.simulator import Simulator
from support.heater_bench import CLIENT, control, envelope
from support.reliability_tools import fast_config, wait_until, within_limit

NOON = datetime(2026, 1, 5, 12, tzinfo=timezone.utc)


def observed(suffix: str, code: int, **body: Any) -> ClientRequest:
    frame = Frame(*envelope(suffix, code, "cmd/52/10001/20002/app/res", **body))
    request = observe_request(frame, NOON, {"me"})
    assert request is not None
    return request


def test_what_a_request_tells() -> None:
    request = observed("ctrl", **control(33554464, "dhw-temperature", [117]))
    assert (request.command, request.values) == ("temperature", {"temperature": 117})
    assert (request.is_change, request.own) == (True, False)
    vacation = observed("ctrl", **control(33554437, "dhw-mode", [5, 7]))
    assert (vacation.command, vacation.values) == ("vacation", {"days": 7})
    query = observed("st", 16777219)
    assert (query.command, query.is_change, query.values) == ("status", False, {})
    plan = observed("ctrl/rsv/rd", 16777226, reservationUse=2, reservation=[{}, {}])
    assert (plan.command, plan.values) == ("write_reservations", {"enabled": 2, "entries": 2})
    unknown = observed("ctrl", **control(33554499, "new", [1]))
    assert (unknown.command, unknown.code, unknown.values) == ("unknown", 33554499, {})


def test_the_client_id_is_nowhere() -> None:
    request = observed("ctrl", **control(33554464, "dhw-temperature", [117]))
    assert CLIENT not in repr(request) and CLIENT not in request.text
    assert request.client == hash_client(CLIENT) and len(request.client) == 8


@pytest.mark.parametrize(
    "request_",
    [
        ClientRequest(NOON, "temperature", 33554464, {"temperature": 98}, "0a1b2c3d"),
        ClientRequest(NOON, "power_on", 33554434, {}, "", True),
        ClientRequest(
            NOON, "write_reservations", 16777226, {"enabled": 1, "entries": 0}, "0a1b2c3d"
        ),
    ],
)
def test_a_record_holds_all_of_it(request_: ClientRequest) -> None:
    assert ClientRequest.from_text(NOON, request_.text) == request_


@pytest.mark.parametrize("text", ["", "temperature", "temperature x", "a 1 client=secret-id"])
def test_another_text_is_no_record(text: str) -> None:
    with pytest.raises(ProtocolError):
        ClientRequest.from_text(NOON, text)


async def next_change(requests: AsyncIterator[ClientRequest]) -> ClientRequest:
    async for request in requests:
        if request.is_change:
            return request
    raise AssertionError("the requests have ended")


async def test_the_requests_of_the_app_are_seen_and_told_from_our_own() -> None:
    async with Simulator(speed=60) as sim:
        async with (
            NaviLinkClient(fast_config(sim)) as ours,
            NaviLinkClient(fast_config(sim)) as app,
        ):
            (heater,), (same,) = await ours.get_devices(), await app.get_devices()
            requests = heater.watch_requests()
            seen = asyncio.ensure_future(next_change(requests))
            await wait_until(lambda: heater.health.state is not HealthState.IDLE)
            await (await heater.get_mqtt_connection()).connect()
            await within_limit(same.set_temperature(celsius=52))
            first = await within_limit(seen)
            assert (first.command, first.values, first.own) == (
                "temperature",
                {"temperature": 104},
                False,
            )
            await within_limit(heater.set_temperature(celsius=50))
            second = await within_limit(next_change(requests))
            assert second.own and second.values == {"temperature": 100}
            assert first.client != second.client and first.client != ""
            await requests.aclose()


async def test_nothing_is_decoded_without_a_watcher() -> None:
    async with Simulator(speed=60) as sim:
        async with NaviLinkClient(fast_config(sim)) as client:
            (heater,) = await client.get_devices()
            assert isinstance(heater, NaviLinkDevice)
            requests = heater.watch_requests()
            pending = asyncio.ensure_future(next_change(requests))
            await within_limit(heater.add_reservation(_reservation()))
            assert (await within_limit(pending)).command == "write_reservations"
            await requests.aclose()
            mqtt = await heater.get_mqtt_connection()
            assert mqtt._subscriber.on_request is None


def _reservation() -> Reservation:
    return Reservation.at(time(6, 30), WEEKDAYS, ReservationMode.HEAT_PUMP, celsius=50)
