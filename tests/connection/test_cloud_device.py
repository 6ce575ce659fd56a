"""Tests of the cloud's data of heaters and of other devices, through the client."""

from __future__ import annotations

import contextlib

import pytest

from navien_nwp500 import (
    APIError,
    MaintenanceError,
    NaviLinkClient,
    NaviLinkDevice,
    RequestTimeoutError,
    UnsupportedDeviceError,
)
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.faults import Maintenance, ReportError, RestFault
from support.reliability_tools import SHORT_TIMEOUT, fast_config, within_limit


async def test_the_last_error_is_readable_while_the_heater_is_offline(
    sim: Simulator, client: NaviLinkClient
) -> None:
    (device,) = await client.get_devices(connect=False)
    assert device.info.error is not None and device.info.error.text is None
    sim.set_error(480, 1)
    sim.set_error(0)
    await sim.unplug()
    error = await device.get_last_error()
    assert error is not None and error.text == "E480 upper tank sensor"
    assert error.time is not None and error.time.utcoffset() is not None
    assert (device.info.error, device.info.online) == (error, False)
    # The single response has no error: that of the list stays, and its own parts are added.
    info = await device.get_info()
    assert info.error == error and info.alarm_info is not None
    await client.get_devices(connect=False)
    assert device.info.alarm_info == info.alarm_info and device.info.install_type == "R"


async def test_the_cloud_may_report_no_error_code(sim: Simulator, client: NaviLinkClient) -> None:
    sim.faults.inject(ReportError(code=None, time=None))
    (device,) = await client.get_devices(connect=False)
    assert device.info.error is not None and device.info.error.error_code is None


async def test_other_devices_are_named_and_never_reached() -> None:
    async with Simulator(speed=600, other_devices=(1, 50)) as sim:
        async with NaviLinkClient(sim.config) as client:
            (device,) = await client.get_devices()
            others = await client.get_other_devices()
            assert device.device_type == 52
            types = [info.device_type.description for info in others if info.device_type]
            assert types == [
                "a tankless unit or boiler, type 1",
                "an NFB700 boiler, main unit, type 50",
            ]
            for info in others:
                with pytest.raises(UnsupportedDeviceError, match="only the NWP500"):
                    NaviLinkDevice(info, client.auth, client._pool, client.config)


async def test_an_account_with_other_devices_alone_has_no_heaters() -> None:
    async with Simulator(speed=600, heaters=0, other_devices=(2,)) as sim:
        async with NaviLinkClient(sim.config) as client:
            assert await client.get_devices() == []
            assert len(await client.get_other_devices()) == 1


async def test_without_permission_the_firmware_is_an_empty_list(
    sim: Simulator, client: NaviLinkClient
) -> None:
    (device,) = await client.get_devices(connect=False)
    sim.faults.rest["/device/firmware/info"] = RestFault.error(403, "FORBIDDEN")
    assert await device.get_firmware_info() == []
    sim.faults.rest["/device/firmware/info"] = RestFault.error(404, "NOT_FOUND")
    with pytest.raises(APIError):
        await device.get_firmware_info()


async def test_waiting_firmware_is_not_answered_to_an_account_without_pushes() -> None:
    """The response comes on the heater's own topic alone (PROTOCOL 3.1)."""
    async with Simulator(speed=600, pushes=False) as sim:
        async with NaviLinkClient(fast_config(sim, answer_timeout=SHORT_TIMEOUT)) as client:
            (device,) = await client.get_devices()

            async def connect() -> None:
                while not client._pool.first.pushes_refused:
                    with contextlib.suppress(RequestTimeoutError):  # on a busy machine
                        await device.get_status()

            await within_limit(connect())
            with pytest.raises(RequestTimeoutError, match="may not receive"):
                await device.get_downloaded_software()


async def test_the_app_version_needs_no_sign_in(sim: Simulator, client: NaviLinkClient) -> None:
    found = await client.get_app_version()
    assert (found.app_version, found.app_force_version) == ("2.04.00", "2.00.00")
    assert "/user/sign-in" not in sim.counters.calls


async def test_maintenance_is_announced_with_its_notice(
    sim: Simulator, client: NaviLinkClient
) -> None:
    sim.faults.inject(Maintenance("Back at 4."))
    with pytest.raises(MaintenanceError, match="maintenance: Back at 4.") as caught:
        await client.get_app_version()
    assert (caught.value.notice, caught.value.status_code) == ("Back at 4.", 403)


async def test_maintenance_does_not_end_the_session(sim: Simulator, client: NaviLinkClient) -> None:
    await client.authenticate()
    sim._cloud.book.revoke_access_tokens()
    body = b'{"code":403,"msg":"x","data":{"serverCheckText":"Back at 4."}}'
    sim.faults.rest["/auth/refresh"] = RestFault(403, body)
    with pytest.raises(MaintenanceError):
        await client.get_devices(connect=False)
    sim.faults.clear()
    assert len(await client.get_devices(connect=False)) == 1
    assert sim.counters.passwords == 1
