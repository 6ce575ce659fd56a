"""Tests of commands: what is sent, what is rejected before, what confirms a command."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, time, timezone
from decimal import Decimal
from typing import Any, AsyncIterator, Awaitable, Callable, Optional

import aiomqtt
import pytest

from navien_nwp500 import (
    CommandRejectedError,
    CommunicationError,
    ConfigurationError,
    DeviceOfflineError,
    DeviceStatus,
    DHWMode,
    NaviLinkClient,
    NaviLinkConfig,
    NaviLinkDevice,
    ReconnectConfig,
    RequestTimeoutError,
    Reservation,
    UnsupportedCommandError,
    ValueOutOfRangeError,
)
from navien_nwp500.protocol import commands
from navien_nwp500.protocol.calendar import EVERY_DAY, EVERY_MONTH, WEEKDAYS
from navien_nwp500.protocol.commands import (
    COMMANDS,
    FEATURES,
    STATUS,
    Command,
    Expectation,
    Parameter,
)
from navien_nwp500.protocol.fields import encode_fields
from navien_nwp500.protocol.messages import (
    Address,
    Request,
    build_reply,
    parse_request,
)
from navien_nwp500.protocol.schedules import RecirculationEntry, ReservationMode
from navien_nwp500.protocol.tou import TOUPeriod
from navien_nwp500.protocol.types import HalfCelsius, Percent, RecircMode
from navien_nwp500.simulator import Heater, Simulator
from navien_nwp500.simulator.faults import ChangeFields
from support.control_tools import QUICK, heater, record_writes

LIMIT = 60.0
ADDRESS = Address("0123456789ab", "1234", 10001)
CONTROL = [command for command in COMMANDS if command.is_control]


# Command definitions


@pytest.mark.parametrize(
    "code",
    [33554438, 33554442, 33554443, 33554446, 33554447, 33554451, 33554455, 33554460, 16777224],
)
def test_codes_that_no_client_sends_are_not_offered(code: int) -> None:
    assert all(command.code != code for command in COMMANDS)


def test_a_code_with_two_meanings_is_identified_by_topic_or_parameters() -> None:
    monthly = "st/energy-usage-monthly-query/rd"
    assert commands.find_command(16777226, "ctrl/rsv/rd") is commands.WRITE_RESERVATIONS
    assert commands.find_command(16777226, monthly) is commands.ENERGY_MONTHLY
    assert commands.find_command(33554437, "ctrl", [3]) is commands.DHW_MODE
    assert commands.find_command(33554437, "ctrl", [5, 7]) is commands.VACATION
    assert commands.find_command(33554437, "ctrl", [5, 7, 9]) is None


# Commands that the simulated heater confirms


#: Method, arguments, and fields of the status that it returns.
# fmt: off
CONFIRMED: list[tuple[str, dict[str, Any], dict[str, int]]] = [
    ("set_temperature", {"fahrenheit": 120}, {"dhw_temperature_setting": 98}),
    ("set_temperature", {"celsius": 55.5}, {"dhw_temperature_setting": 111}),
    ("set_dhw_mode", {"mode": DHWMode.HEAT_PUMP}, {"dhw_operation_setting": 1}),
    ("set_dhw_mode", {"mode": DHWMode.ELECTRIC}, {"dhw_operation_setting": 2}),
    ("set_dhw_mode", {"mode": DHWMode.HIGH_DEMAND}, {"dhw_operation_setting": 4}),
    ("turn_off", {}, {"dhw_operation_setting": 6}),
    ("start_vacation", {"days": 99}, {"dhw_operation_setting": 5, "vacation_day_setting": 99}),
    ("set_vacation_days", {"days": 3}, {"dhw_operation_setting": 3, "vacation_day_setting": 3}),
    ("set_anti_legionella", {"days": 30}, {"anti_legionella_use": 2, "anti_legionella_period": 30}),
    ("set_anti_legionella", {"days": None}, {"anti_legionella_use": 1}),
    ("set_air_filter_life", {"hours": 3000}, {"air_filter_alarm_period": 3000}),
    ("set_air_filter_life", {"hours": 0}, {"air_filter_alarm_period": 0}),
    ("reset_air_filter", {}, {"cumulated_op_time_eva_fan": 0}),
    ("set_tou", {"on": True}, {"tou_status": 1}),
    ("set_demand_response", {"on": True}, {"command": 33554470}),
    ("set_demand_response", {"on": False}, {"command": 33554469}),
    ("set_intelligent", {"on": True}, {"command": 33554468}),
    ("follow_water_program", {}, {"command": 33554441}),
    ("reset_condenser_fault", {}, {"command": 33554463}),
]
# fmt: on


@pytest.mark.parametrize(("method", "arguments", "confirmed"), CONFIRMED)
async def test_a_command_returns_the_status_that_confirms_it(
    method: str, arguments: dict[str, Any], confirmed: dict[str, int]
) -> None:
    async with heater() as (_, device):
        status = await getattr(device, method)(**arguments)
        assert {name: getattr(status, name) for name in confirmed} == confirmed
        assert status.device_connected == 2


async def test_turn_on_restores_the_mode_before_turn_off() -> None:
    async with heater() as (_, device):
        await device.set_dhw_mode(DHWMode.HEAT_PUMP)
        assert (await device.turn_off()).dhw_operation_setting == DHWMode.POWER_OFF
        assert (await device.turn_on()).dhw_operation_setting == DHWMode.HEAT_PUMP


async def test_recirculation_on_a_heater_with_a_pump() -> None:
    async with heater(recirculation=True) as (_, device):
        status = await device.set_recirculation_mode(RecircMode.HOT_BUTTON)
        assert status.recirc_operation_mode == RecircMode.HOT_BUTTON
        assert (await device.press_hot_button()).command == 33554444
        entry = RecirculationEntry(WEEKDAYS, time(6, 0), pump=2)
        program = await device.set_recirculation_schedule([entry])
        assert program.enabled and len(program.entries) == 1
        assert (await device.get_recirculation_schedule()).entries == program.entries


@pytest.mark.parametrize(("max_age", "requested"), [(LIMIT * 10, 1), (0.0, 2)])
async def test_a_status_of_seconds_ago_is_not_requested_again_before_a_change(
    max_age: float, requested: int
) -> None:
    async with Simulator(speed=600) as sim:
        config = replace(sim.config, **QUICK, command_interval=0.0, status_max_age=max_age)
        async with NaviLinkClient(config) as client, record_writes(sim, "st") as statuses:
            device = (await client.get_devices())[0]
            await device.get_status()
            changed = await device.set_temperature(celsius=50)
            assert changed.dhw_temperature_setting == 100
        assert len(statuses) == requested


async def test_that_nothing_is_to_be_changed_is_always_requested() -> None:
    async with Simulator(speed=600, pushes=False) as sim:
        config = replace(sim.config, **QUICK, command_interval=0.0, status_max_age=LIMIT * 10)
        async with NaviLinkClient(config) as client:
            device = (await client.get_devices())[0]
            assert (await device.get_status()).dhw_temperature_setting == 121
            sim.units[0].heater.set_setpoint(HalfCelsius(100))  # at the panel, unnoticed
            changed = await device.set_temperature(celsius=60.5)
            assert changed.dhw_temperature_setting == 121
            assert sim.units[0].heater.status().dhw_temperature_setting == 121


MIXING = Command(
    *("mixing", 0x020000F0, "ctrl", "invented", "Mix."),
    mode="mix",
    parameters=(Parameter("rate", Percent, 0, 80, step=5),),
    expects=(Expectation("mixing_rate", parameter="rate"),),
)


async def test_a_new_command_needs_only_its_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "COMMANDS", (*COMMANDS, MIXING))
    async with heater() as (_, device):
        planned = await device.control(MIXING, rate=40, dry_run=True)
        sent = {"command": 33554672, "mode": "mix", "param": [8], "paramStr": ""}
        assert planned.would_send == sent
        assert (await device.control(MIXING, rate=40)).mixing_rate == 40
        assert (await device.get_status()).mixing_rate == 40
        with pytest.raises(ValueOutOfRangeError, match="allows 0 % to 80 % in steps of 5"):
            await device.control(MIXING, rate=85)


@pytest.mark.parametrize(
    ("command", "values", "reason"),
    [
        (STATUS, {}, "status cannot be sent with control"),
        (commands.WRITE_TOU, {}, "write_tou cannot be sent with control"),
        (MIXING, {}, "mixing takes rate; the arguments are nothing"),
        (MIXING, {"rate": 5, "days": 1}, "the arguments are rate, days"),
        (commands.POWER_ON, {"days": 1}, "power_on takes nothing; the arguments are days"),
        (MIXING, {"rate": 5.5}, "rate is 5.5; it must be a whole number"),
    ],
)
async def test_a_command_is_not_sent_with_wrong_arguments(
    command: Command, values: dict[str, Any], reason: str
) -> None:
    async with heater() as (sim, device):
        async with record_writes(sim) as sent:
            with pytest.raises(ValueOutOfRangeError, match=reason):
                await device.control(command, **values)
        assert sent == []


# Commands that are rejected before anything is sent

ALL_YEAR = TOUPeriod(
    EVERY_MONTH, EVERY_DAY, time(0, 0), time(23, 59), Decimal("0.30"), Decimal("0.30")
)


async def test_nothing_is_sent_in_read_only_mode() -> None:
    async with heater(read_only=True) as (sim, device):
        sim.units[0].heater.set_anti_legionella(7)  # so that each command changes something
        async with record_writes(sim) as sent:
            morning = Reservation.at(time(6, 30), WEEKDAYS, ReservationMode.HEAT_PUMP, celsius=50)
            for method, arguments in [
                *((method, arguments) for method, arguments, _ in CONFIRMED),
                ("set_reservations", {"reservations": [morning]}),
                ("add_reservation", {"reservation": morning}),
                ("set_tou_schedule", {"periods": [ALL_YEAR]}),
            ]:
                with pytest.raises(ConfigurationError, match="NAVILINK_READ_ONLY"):
                    await getattr(device, method)(**arguments)
            assert (await device.get_status()).dhw_temperature_setting == 121
        assert sent == []


async def test_a_dry_run_sends_nothing_and_returns_what_it_would_send() -> None:
    async with heater() as (sim, device):
        async with record_writes(sim) as sent:
            status = await device.set_temperature(celsius=50, dry_run=True)
            body = {"mode": "dhw-temperature", "param": [100], "paramStr": ""}
            assert status.would_send == {"command": 33554464, **body}
            assert status.dhw_temperature_setting == 121
            assert (await device.set_temperature(celsius=60.5, dry_run=True)).would_send is None
            morning = Reservation.at(time(6, 30), WEEKDAYS, ReservationMode.HEAT_PUMP, celsius=50)
            assert len((await device.add_reservation(morning, dry_run=True)).reservations) == 1
            assert "reservation" in await device.set_tou_schedule([ALL_YEAR], dry_run=True)
        assert sent == []


async def test_a_setting_that_has_the_value_already_is_sent_only_with_force() -> None:
    async with heater() as (sim, device):
        async with record_writes(sim) as sent:
            await device.set_temperature(celsius=60.5)
            await device.set_dhw_mode(DHWMode.ENERGY_SAVER)
            await device.turn_on()
        assert sent == []
        async with record_writes(sim) as sent:
            await device.set_temperature(celsius=60.5, force=True)
        assert len(sent) == 1


@pytest.mark.parametrize(
    "send",
    [
        lambda d: d.set_temperature(celsius=40.0),
        lambda d: d.set_temperature(celsius=66.0),
        lambda d: d.set_temperature(fahrenheit=1e9),
        lambda d: d.set_temperature(celsius=float("nan")),
        lambda d: d.set_temperature(celsius=True),
        lambda d: d.set_temperature(),
        lambda d: d.set_temperature(celsius=50, fahrenheit=122),
        lambda d: d.start_vacation(days=0),
        lambda d: d.start_vacation(days=100),
        lambda d: d.start_vacation(days=1.5),
        lambda d: d.set_vacation_days(days=100),
        lambda d: d.set_anti_legionella(days=0),
        lambda d: d.set_anti_legionella(days=31),
        lambda d: d.set_air_filter_life(hours=500),
        lambda d: d.set_air_filter_life(hours=10500),
        lambda d: d.set_air_filter_life(hours=1250),
        lambda d: d.get_energy_daily(1999, 1),
        lambda d: d.get_energy_daily(2026, 13),
        lambda d: d.get_energy_monthly(),
    ],
)
async def test_a_value_out_of_range_is_rejected_before_anything_is_sent(
    send: Callable[[NaviLinkDevice], Awaitable[object]],
) -> None:
    async with heater() as (sim, device):
        async with record_writes(sim) as sent:
            with pytest.raises(ValueOutOfRangeError):
                await send(device)
        assert sent == []


async def test_the_limits_are_those_of_the_heater_and_named_in_the_error() -> None:
    async with heater() as (_, device):
        with pytest.raises(ValueOutOfRangeError, match=r"40\.5 °C.*65\.5 °C"):
            await device.set_temperature(celsius=40.0)
        assert (await device.set_temperature(celsius=40.5)).dhw_temperature_setting == 81
        assert (await device.set_temperature(fahrenheit=150)).dhw_temperature_setting == 131


async def test_an_early_mode_number_is_rejected_with_the_right_name() -> None:
    early = {32: "HEAT_PUMP is 1", 33: "ELECTRIC is 2", 34: "ENERGY_SAVER is 3"}
    others = {0: "turn_off", 5: "start_vacation", 6: "turn_off", 99: "HEAT_PUMP"}
    no_numbers: dict[Any, str] = {True: "HEAT_PUMP", "eco": "HEAT_PUMP"}
    async with heater() as (_, device):
        for number, named in {**early, **others, **no_numbers}.items():
            with pytest.raises(ValueOutOfRangeError, match=named):
                await device.set_dhw_mode(number)


async def test_a_command_for_missing_hardware_is_unsupported() -> None:
    async with heater() as (sim, device):
        async with record_writes(sim) as sent:
            for send in (
                lambda d: d.set_recirculation_mode(RecircMode.ALWAYS),
                lambda d: d.press_hot_button(),
                lambda d: d.get_recirculation_schedule(),
                lambda d: d.set_recirculation_schedule([]),
            ):
                with pytest.raises(UnsupportedCommandError, match="recirc"):
                    await send(device)
        assert sent == []


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.capabilities], ids=lambda c: c.name)
def test_each_capability_requires_one_of_its_values(command: Command) -> None:
    features = Heater(now=datetime(2026, 1, 1, tzinfo=timezone.utc), recirculation=True).features
    assert all(gate.available(features) for gate in command.capabilities)
    for gate in command.capabilities:
        for closed in (0, 1, None):
            without = replace(features, **{gate.field: closed})
            assert not gate.available(without)


# Other responses, from a scripted heater in place of the simulated one


class ScriptedHeater:
    """A heater that answers reads, and writes according to ``reaction``."""

    def __init__(self, sim: Simulator, reaction: str) -> None:
        self.heater = Heater(
            now=datetime(2026, 1, 1, tzinfo=timezone.utc), draws=None, recirculation=True
        )
        self.reaction = reaction
        self.sim = sim
        self.writes: list[Request] = []
        self.status: Optional[DeviceStatus] = None

    async def serve(self, ready: asyncio.Event) -> None:
        async with aiomqtt.Client("127.0.0.1", self.sim._cloud.broker_port) as mqtt:
            await mqtt.subscribe("cmd/52/navilink-0123456789ab/st/#", qos=1)
            await mqtt.subscribe("cmd/52/navilink-0123456789ab/ctrl/#", qos=1)
            ready.set()
            async for message in mqtt.messages:
                assert isinstance(message.payload, bytes)
                request = parse_request(str(message.topic), message.payload)
                if request is not None:
                    await self.answer(mqtt, request)

    async def answer(self, mqtt: aiomqtt.Client, request: Request) -> None:
        status = self.status or self.heater.status(request.code)
        if request.code == FEATURES.code:
            body: dict[str, Any] = {"feature": encode_fields(self.heater.features)}
        elif request.code == STATUS.code or self.reaction == "unchanged":
            body = {"status": encode_fields(replace(status, command=request.code))}
        else:
            self.writes.append(request)
            if self.reaction == "drop":
                await self.sim._cloud.drop_connections()
            if self.reaction != "refuse":
                return
            body = {"swVersion": 0, "failCode": 2}
            frame = build_reply(request, ADDRESS, body)
            topic = "cmd/52/navilink-0123456789ab/res/ctrl-fail"
            await mqtt.publish(topic, frame.payload, qos=1)
            return
        frame = build_reply(request, ADDRESS, body)
        await mqtt.publish(frame.topic, frame.payload, qos=1)


@asynccontextmanager
async def scripted_heater(
    reaction: str, *, answer_timeout: float = LIMIT, **options: Any
) -> AsyncIterator[tuple[ScriptedHeater, NaviLinkDevice]]:
    async with Simulator(speed=600) as sim:
        await sim.unplug()
        sim.units[0].record.connected = 2
        other = ScriptedHeater(sim, reaction)
        ready = asyncio.Event()
        task = asyncio.get_running_loop().create_task(other.serve(ready))
        await asyncio.wait_for(ready.wait(), LIMIT)
        settings = {**QUICK, "command_interval": 0.0, "answer_timeout": answer_timeout, **options}
        config = replace(sim.config, **settings)
        try:
            async with NaviLinkClient(config) as client:
                yield other, (await client.get_devices())[0]
        finally:
            task.cancel()
            await asyncio.wait({task})


async def test_a_response_that_does_not_confirm_the_command_is_a_rejection() -> None:
    async with scripted_heater("unchanged") as (_, device):
        with pytest.raises(CommandRejectedError) as caught:
            await device.set_temperature(celsius=50)
        assert "50.0 °C" in str(caught.value) and "60.5 °C" in str(caught.value)


async def test_a_response_to_another_command_is_a_rejection() -> None:
    async with heater() as (sim, device):
        sim.faults.inject(ChangeFields(values={"command": STATUS.code}))
        with pytest.raises(CommandRejectedError, match=f"found a response to {STATUS.code}"):
            await device.set_demand_response(True)
        with pytest.raises(CommandRejectedError, match="does not confirm it"):
            await device.set_temperature(celsius=50)


async def test_a_refusal_names_its_reason() -> None:
    async with scripted_heater("refuse") as (other, device):
        with pytest.raises(CommandRejectedError, match="too recent"):
            await device.set_temperature(celsius=50)
        assert len(other.writes) == 1


async def test_a_command_without_a_response_is_not_repeated_and_may_still_take_effect() -> None:
    async with scripted_heater("none", answer_timeout=1.0) as (other, device):
        with pytest.raises(RequestTimeoutError, match="may still take effect.*status"):
            await device.set_temperature(celsius=50)
        assert len(other.writes) == 1


async def test_a_command_ends_when_the_connection_drops_and_is_not_queued() -> None:
    async with scripted_heater("drop") as (other, device):
        with pytest.raises(CommunicationError, match="may still have taken effect"):
            await asyncio.wait_for(device.set_temperature(celsius=50), LIMIT)
        async for _ in device.watch(interval=0.05):
            break
        assert len(other.writes) == 1


async def test_a_mode_deferred_by_a_time_of_use_window_is_returned_as_held_mode() -> None:
    async with scripted_heater("unchanged") as (other, device):
        status = other.heater.status()
        window = replace(status, tou_status=3, tou_override_status=2, dhw_operation_setting=1)
        other.status = window
        answer = await device.set_dhw_mode(DHWMode.HIGH_DEMAND)
        assert answer.held_mode is DHWMode.HIGH_DEMAND
        with pytest.raises(CommandRejectedError):
            await device.set_temperature(celsius=50)
        other.status = replace(window, tou_override_status=1)
        with pytest.raises(CommandRejectedError):
            await device.set_dhw_mode(DHWMode.HIGH_DEMAND)


async def test_commands_to_one_heater_are_spaced() -> None:
    async with Simulator(speed=600) as sim:
        async with NaviLinkClient(replace(sim.config, command_interval=0.2)) as client:
            device = (await client.get_devices())[0]
            loop = asyncio.get_running_loop()
            await device.set_temperature(celsius=50)
            began = loop.time()
            await asyncio.gather(
                device.set_temperature(celsius=51), device.set_air_filter_life(hours=2000)
            )
            # A lower bound only: two intervals must have passed.
            assert loop.time() - began >= 0.3


async def test_diagnostics_and_downloaded_firmware() -> None:
    async with heater() as (_, device):
        assert ((await device.get_diagnostics()).components.compressor_starts or 0) >= 757
        assert await device.get_downloaded_software() == []


async def test_a_command_to_an_offline_heater_raises_device_offline() -> None:
    async with Simulator(speed=600) as sim:
        async with NaviLinkClient(replace(sim.config, answer_timeout=0.3)) as client:
            device = (await client.get_devices())[0]
            await sim.unplug()
            with pytest.raises(DeviceOfflineError):
                await device.set_temperature(celsius=50)


def test_read_only_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAVILINK_READ_ONLY", "1")
    assert NaviLinkConfig.from_environment().read_only


# Every command, with a wrong response, none, or a dropped connection

SOME_VALUES = {"temperature": 100, "mode": 4, "days": 5, "hours": 2000}


def arguments(command: Command) -> dict[str, Any]:
    return {
        parameter.name: SOME_VALUES.get(parameter.name) or parameter.lowest
        for parameter in command.parameters
    }


async def send(device: NaviLinkDevice, command: Command) -> DeviceStatus:
    return await device.control(command, force=True, **arguments(command))


@pytest.mark.parametrize(
    ("reaction", "expected"),
    [
        ("unchanged", CommandRejectedError),
        ("refuse", CommandRejectedError),
        ("none", RequestTimeoutError),
        ("drop", CommunicationError),
    ],
)
async def test_every_failed_command_is_a_typed_error(
    reaction: str, expected: type[Exception]
) -> None:
    fast = ReconnectConfig(initial_delay=0.02, max_delay=0.05)
    timeout = 0.3 if reaction == "none" else LIMIT
    options: dict[str, Any] = {"reconnect": fast, "refusal_pause": 0.0}
    async with scripted_heater(reaction, answer_timeout=timeout, **options) as (other, device):
        await device.get_status()
        for command in CONTROL:
            if reaction == "unchanged" and not command.expects:
                continue
            other.status = replace(
                other.heater.status(),
                **{part.field: _not(part, arguments(command)) for part in command.expects},
            )
            await asyncio.wait_for(device._mqtt._connection.wait_connected(), LIMIT)
            with pytest.raises(expected):
                await send(device, command)
        count = len(CONTROL) if reaction != "unchanged" else len([c for c in CONTROL if c.expects])
        assert len(other.writes) == (count if reaction != "unchanged" else 0)


def _not(part: commands.Expectation, values: dict[str, int]) -> int:
    wanted = part.value if part.parameter is None else values[part.parameter]
    assert wanted is not None
    return wanted if part.negated else wanted + 1
