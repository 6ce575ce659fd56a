"""Random sequences of faults and commands, against the client and the simulator.

Hypothesis chooses the steps. After any sequence: one connection, every watcher still served, no
command confirmed that the heater did not execute, none executed twice, nothing left at the end.
"""

from __future__ import annotations

import asyncio
import datetime
from dataclasses import replace
from typing import Any, Awaitable, Callable, Coroutine, Sequence, TypeVar

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from navien_nwp500 import NaviLinkClient, NaviLinkDevice, ReconnectConfig
from navien_nwp500._util.aio import cancel_and_wait
from navien_nwp500.exceptions import NaviLinkError
from navien_nwp500.protocol.calendar import Weekday
from navien_nwp500.protocol.messages import Request
from navien_nwp500.protocol.schedules import Reservation
from navien_nwp500.protocol.types import DHWMode, HalfCelsius
from navien_nwp500.simulator.faults import (
    GARBAGE,
    CutConnections,
    DelayMessages,
    DropMessages,
    DropSubscriptions,
    DuplicateMessages,
    Fault,
    ForeignMessages,
    HalfOpen,
    InjectMessage,
    RefuseRequests,
    RestFault,
    RevokeCredentials,
    RivalClient,
)
from support.control_tools import QUICK
from support.stream_server import end_handshakes
from support.transports import TRANSPORTS, TransportSimulator

#: Seconds. A wait that takes longer fails the test; the SDK alone may need 15 s for a packet.
LIMIT = 60.0
SOON = ReconnectConfig(max_retries=None, initial_delay=0.05, max_delay=0.1)
#: Few values, so that some are set already.
TEMPERATURES = st.sampled_from([82, 90, 98, 120]).map(HalfCelsius)
MODES = st.sampled_from(
    [DHWMode.HEAT_PUMP, DHWMode.ELECTRIC, DHWMode.ENERGY_SAVER, DHWMode.HIGH_DEMAND]
)
FAULTS: dict[str, Callable[[], Sequence[Fault]]] = {
    "connection dropped": lambda: [CutConnections()],
    "half-open": lambda: [HalfOpen()],
    "messages dropped": lambda: [DropMessages()],
    "subscriptions lost": lambda: [DropSubscriptions()],
    "AWS credentials revoked": lambda: [RevokeCredentials(), CutConnections()],
    "tokens revoked": lambda: [RevokeCredentials(access_tokens=True), CutConnections()],
    "all revoked": lambda: [
        RevokeCredentials(access_tokens=True, refresh_tokens=True),
        CutConnections(),
    ],
    "handshakes refused": lambda: [RefuseRequests(where="mqtt", status=403), CutConnections()],
    "network unreachable": lambda: [RefuseRequests(), CutConnections()],
    "REST fails": lambda: [RestFault(502, b"<html>"), RevokeCredentials(), CutConnections()],
    "client id taken over": lambda: [RivalClient()],
    "messages delayed": lambda: [DelayMessages(seconds=0.5)],
    "messages duplicated": lambda: [DuplicateMessages(kind="all")],
    "foreign messages": lambda: [ForeignMessages(kind="all")],
}

T = TypeVar("T")


class Watcher:
    """A background watch that counts statuses."""

    def __init__(self, device: NaviLinkDevice) -> None:
        self.count = 0
        self.task = asyncio.get_running_loop().create_task(self._watch(device))

    async def _watch(self, device: NaviLinkDevice) -> None:
        async for _ in device.watch(interval=0.1):
            self.count += 1


class FaultMachine(RuleBasedStateMachine):
    """A heater, its cloud and a client, with the rules that change them."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.watchers: list[Watcher] = []
        self.plugged = True
        self.was_half_open = False
        #: Faults that begin when the heater receives a write.
        self.faults_on_write: Sequence[Fault] = ()
        #: Number of writes requested, and the session ids of those that the heater received.
        self.requested = 0
        self.received: list[str] = []

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(asyncio.wait_for(coroutine, LIMIT))

    @initialize(transport=st.sampled_from(sorted(TRANSPORTS)))
    def start(self, transport: str) -> None:
        async def open_all() -> None:
            options = {"speed": 600, "control_interval": 0}
            self.sim = await TransportSimulator(transport, **options).__aenter__()
            self.record_writes()
            await self.open_client()
            # More than one attempt where this machine stops for longer than the time limit.
            while await self.attempt(self.device.get_status()) is None:
                pass
            self.watchers.append(Watcher(self.device))

        self.do(open_all())

    def record_writes(self) -> None:
        wifi = self.sim.units[0].wifi
        execute = wifi._execute

        def record(request: Request) -> Any:
            if "/ctrl" in request.topic:
                self.received.append(request.session_id)
                self.begin(*self.faults_on_write)
            return execute(request)

        wifi._execute = record

    async def open_client(self) -> None:
        limits = {"answer_timeout": 0.3, "rest_timeout": 2.0, "command_interval": 0.0}
        settings = {**QUICK, **limits, "reconnect": SOON}
        self.client = NaviLinkClient(replace(self.sim.config, **settings))
        if not hasattr(self, "device"):
            (self.device,) = await self.client.get_devices()
        else:
            self.device = self.client._device(self.device.info)

    # Faults and recovery

    @rule(name=st.sampled_from(sorted(FAULTS)), seconds=st.sampled_from([0.0, 0.7]))
    def inject_fault(self, name: str, seconds: float) -> None:
        async def fault() -> None:
            self.begin(*FAULTS[name]())
            await asyncio.sleep(seconds)

        self.do(fault())

    def begin(self, *faults: Fault) -> None:
        for fault in faults:
            self.was_half_open |= isinstance(fault, HalfOpen)
            self.sim.faults.inject(fault)

    @rule(name=st.sampled_from(sorted(FAULTS)), wanted=TEMPERATURES)
    def set_temperature_during_a_fault(self, name: str, wanted: HalfCelsius) -> None:
        async def fault() -> None:
            await self.recovered()
            self.begin(*FAULTS[name]())
            await self.command(wanted, force=True)

        self.do(fault())

    @rule(
        name=st.sampled_from(["connection dropped", "messages dropped", "half-open"]),
        wanted=TEMPERATURES,
    )
    def lose_the_response(self, name: str, wanted: HalfCelsius) -> None:
        """Let the heater receive a command, and lose its response."""

        async def fault() -> None:
            await self.recovered()
            self.faults_on_write = FAULTS[name]()
            await self.command(wanted, force=True)
            self.faults_on_write = ()

        self.do(fault())

    @rule(wanted=TEMPERATURES)
    def set_temperature_during_foreign_messages(self, wanted: HalfCelsius) -> None:
        async def fault() -> None:
            await self.recovered()
            self.begin(ForeignMessages(kind="all", values={"dhwTemperatureSetting": int(wanted)}))
            await self.command(wanted, force=False)

        self.do(fault())

    @rule(garbage=st.sampled_from(sorted(GARBAGE)))
    def send_garbage(self, garbage: str) -> None:
        async def inject() -> None:
            self.begin(InjectMessage(garbage=garbage))

        self.do(inject())

    @rule()
    def drop_a_half_open_connection(self) -> None:
        async def fault() -> None:
            self.begin(HalfOpen())
            await asyncio.sleep(0.3)
            self.begin(CutConnections())

        self.do(fault())

    @precondition(lambda self: self.plugged)
    @rule()
    def unplug(self) -> None:
        self.do(self.sim.unplug())
        self.plugged = False

    @precondition(lambda self: not self.plugged)
    @rule()
    def plug_in(self) -> None:
        self.do(self.sim.plug_in())
        self.plugged = True

    @rule(seconds=st.sampled_from([0.02, 0.2, 1.0]))
    def wait(self, seconds: float) -> None:
        self.do(asyncio.sleep(seconds))

    @rule()
    def recover(self) -> None:
        self.do(self.recovered())

    async def recovered(self) -> None:
        """Clear all faults, then wait until every watcher is served and the heater responds."""
        self.sim.faults.clear()
        if not self.plugged:
            await self.sim.plug_in()
            self.plugged = True
        before = [watcher.count for watcher in self.watchers]
        for watcher, count in zip(self.watchers, before):
            while watcher.count == count:
                assert not watcher.task.done(), watcher.task
                await asyncio.sleep(0.01)
        while await self.attempt(self.device.get_status()) is None:
            await asyncio.sleep(0.01)

    # Actions of the user

    @rule()
    def poll(self) -> None:
        self.do(self.attempt(self.device.get_status()))

    @precondition(lambda self: len(self.watchers) < 3)
    @rule()
    def watch(self) -> None:
        async def start() -> None:
            if await self.attempt(self.connected()) is not None:
                self.watchers.append(Watcher(self.device))

        self.do(start())

    async def connected(self) -> bool:
        """Connect first, because a watch would end with the error of a failed first connect."""
        await (await self.device.get_mqtt_connection()).connect()
        return True

    @precondition(lambda self: self.watchers)
    @rule()
    def stop_watching(self) -> None:
        watcher = self.watchers.pop()
        self.do(cancel_and_wait(watcher.task))
        assert watcher.task.cancelled(), watcher.task

    @rule(wanted=TEMPERATURES, force=st.booleans())
    def set_temperature(self, wanted: HalfCelsius, force: bool) -> None:
        self.do(self.command(wanted, force))

    async def command(self, wanted: HalfCelsius, force: bool) -> None:
        status = await self.count_writes(
            self.device.set_temperature(celsius=wanted.celsius, force=force)
        )
        if status is not None:
            assert status.dhw_temperature_setting == wanted
            assert self.sim.units[0].heater.settings.setpoint == wanted

    @rule(mode=MODES)
    def set_mode(self, mode: DHWMode) -> None:
        async def send() -> None:
            status = await self.count_writes(self.device.set_dhw_mode(mode))
            if status is not None:
                assert status.dhw_operation_setting == mode
                assert self.sim.units[0].heater.settings.mode == mode

        self.do(send())

    @rule(first=TEMPERATURES, second=TEMPERATURES)
    def send_two_commands_at_once(self, first: HalfCelsius, second: HalfCelsius) -> None:
        async def send() -> None:
            temperatures = [first, second]
            self.requested += len(temperatures)
            set_temperature = self.device.set_temperature
            sending = [set_temperature(celsius=one.celsius, force=True) for one in temperatures]
            found = await asyncio.gather(*map(self.attempt, sending))
            for wanted, status in zip(temperatures, found):
                assert status is None or status.dhw_temperature_setting == wanted

        self.do(send())

    @rule(hour=st.integers(0, 23), minute=st.integers(0, 59))
    def add_reservation(self, hour: int, minute: int) -> None:
        at = datetime.time(hour, minute)
        # Not enabled: the heater would change its own setpoint at that time.
        one = Reservation.at(at, [Weekday.MONDAY], DHWMode.ELECTRIC, celsius=50, enabled=False)

        async def send() -> None:
            program = await self.count_writes(self.device.add_reservation(one))
            if program is not None:
                assert one in program.reservations
                kept = self.sim.units[0].heater.settings.reservations.entries
                assert sorted(kept, key=repr) == sorted(program.reservations, key=repr)

        self.do(send())

    @rule(wanted=TEMPERATURES)
    def dry_run(self, wanted: HalfCelsius) -> None:
        async def send() -> None:
            before = list(self.received)
            await self.attempt(self.device.set_temperature(celsius=wanted.celsius, dry_run=True))
            assert self.received == before

        self.do(send())

    @rule(seconds=st.sampled_from([0.0, 0.005, 0.05]))
    def cancel_a_request(self, seconds: float) -> None:
        async def send_and_cancel() -> None:
            request = asyncio.ensure_future(self.attempt(self.device.get_status()))
            await asyncio.sleep(seconds)
            request.cancel()
            await asyncio.wait({request})

        self.do(send_and_cancel())

    @rule()
    def reopen_the_client(self) -> None:
        async def again() -> None:
            await self.close_client()
            await self.open_client()

        self.do(again())

    async def attempt(self, doing: Awaitable[T]) -> T | None:
        """Return None when it fails with an error of the library; no other error may occur."""
        try:
            return await doing
        except NaviLinkError:
            return None

    async def count_writes(self, doing: Awaitable[T]) -> T | None:
        self.requested += 1
        before = len(self.received)
        found = await self.attempt(doing)
        # A write delayed by a half-open connection may arrive later, with another one.
        assert self.was_half_open or len(self.received) - before <= 1
        return found

    # Invariants

    @invariant()
    def one_connection(self) -> None:
        """Check the open connections; half-open ones do not count, the client has replaced them."""
        if hasattr(self, "client"):
            self.do(self.at_most_open(1))

    async def at_most_open(self, most: int) -> None:
        connections = self.sim._cloud._connections
        while sum(one._running.is_set() for one in connections) > most:
            await asyncio.sleep(0.005)

    @invariant()
    def nothing_executed_twice(self) -> None:
        assert len(self.received) == len(set(self.received))
        assert len(self.received) <= self.requested

    @invariant()
    def only_watchers_have_pending_requests(self) -> None:
        if hasattr(self, "client"):
            waiting = len(self.client._pool.first._requests.pending)
            assert waiting <= len(self.watchers)
            assert len(self.device._mqtt._watchers) <= len(self.watchers)
        for watcher in self.watchers:
            assert not watcher.task.done(), watcher.task

    async def close_client(self) -> None:
        """Close during any fault: every watch ends with an error, and nothing is left."""
        await self.client.close()
        for watcher in self.watchers:
            await asyncio.wait({watcher.task})
            assert isinstance(watcher.task.exception(), NaviLinkError), watcher.task
        self.watchers.clear()
        session: Any = self.client._pool.first
        assert not session._requests.pending and session._changed.waiting == set()
        assert not self.device._mqtt._watchers
        left = [task for task in asyncio.all_tasks() if task.get_name().startswith("navilink")]
        assert left == []

    def teardown(self) -> None:
        try:
            if hasattr(self, "sim"):
                self.do(self.stop_all())
        finally:
            self.loop.run_until_complete(end_handshakes())
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()

    async def stop_all(self) -> None:
        try:
            if hasattr(self, "client"):
                await self.recovered()
                self.nothing_executed_twice()
                await self.close_client()
                await self.at_most_open(0)
        finally:
            for watcher in self.watchers:
                await cancel_and_wait(watcher.task)
            await self.sim.__aexit__(None, None, None)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert [task for task in left if not task.get_name().startswith("Task-")] == []


TestFaultMachine = FaultMachine.TestCase
TestFaultMachine.settings = settings(
    max_examples=6,
    stateful_step_count=15,
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
