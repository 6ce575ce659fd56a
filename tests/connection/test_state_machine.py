"""Faults and commands in any order, against the real client and the simulator.

Hypothesis chooses the steps; whatever they are, the promises hold: one connection, no watcher lost,
nothing told as done that the heater does not show, nothing done twice, nothing left at the end.
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
from support.transports import TRANSPORTS, TransportSimulator

#: Every wait ends, a failed one loudly. The SDK alone may need 15 s to give a packet up.
LIMIT = 60.0
SOON = ReconnectConfig(max_retries=None, initial_delay=0.05, max_delay=0.1)
#: Few, so that some wishes hold already.
TEMPERATURES = st.sampled_from([82, 90, 98, 120]).map(HalfCelsius)
MODES = st.sampled_from(
    [DHWMode.HEAT_PUMP, DHWMode.ELECTRIC, DHWMode.ENERGY_SAVER, DHWMode.HIGH_DEMAND]
)
FAULTS: dict[str, Callable[[], Sequence[Fault]]] = {
    "cut": lambda: [CutConnections()],
    "half-open": lambda: [HalfOpen()],
    "deaf": lambda: [DropMessages()],
    "subscriptions lost": lambda: [DropSubscriptions()],
    "keys revoked": lambda: [RevokeCredentials(), CutConnections()],
    "tokens revoked": lambda: [RevokeCredentials(access_tokens=True), CutConnections()],
    "all revoked": lambda: [
        RevokeCredentials(access_tokens=True, refresh_tokens=True),
        CutConnections(),
    ],
    "handshakes refused": lambda: [RefuseRequests(where="mqtt", status=403), CutConnections()],
    "network away": lambda: [RefuseRequests(), CutConnections()],
    "REST broken": lambda: [RestFault(502, b"<html>"), RevokeCredentials(), CutConnections()],
    "rival": lambda: [RivalClient()],
    "late": lambda: [DelayMessages(seconds=0.5)],
    "doubled": lambda: [DuplicateMessages(kind="all")],
    "foreign": lambda: [ForeignMessages(kind="all")],
}

T = TypeVar("T")


class Watcher:
    """Somebody who watches, and counts."""

    def __init__(self, device: NaviLinkDevice) -> None:
        self.count = 0
        self.task = asyncio.get_running_loop().create_task(self._watch(device))

    async def _watch(self, device: NaviLinkDevice) -> None:
        async for _ in device.watch(interval=0.1):
            self.count += 1


class Household(RuleBasedStateMachine):
    """A heater, its cloud, and a client that lives through whatever comes."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.watchers: list[Watcher] = []
        self.plugged = True
        self.was_half_open = False
        #: Faults that begin as the heater hears a write.
        self.when_heard: Sequence[Fault] = ()
        #: Writes asked for, and the session ids of those the heater heard.
        self.wishes = 0
        self.heard: list[str] = []

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(asyncio.wait_for(coroutine, LIMIT))

    @initialize(transport=st.sampled_from(sorted(TRANSPORTS)))
    def move_in(self, transport: str) -> None:
        async def start() -> None:
            self.sim = await TransportSimulator(
                transport, speed=600, control_interval=0
            ).__aenter__()
            self.record_writes()
            await self.open_client()
            await self.device.get_status()
            self.watchers.append(Watcher(self.device))

        self.do(start())

    def record_writes(self) -> None:
        handler: Any = self.sim.units[0].wifi._handler
        handle = handler.handle

        def recorded(asked: Request) -> Any:
            if "/ctrl" in asked.topic:
                self.heard.append(asked.session_id)
                self.begin(*self.when_heard)
            return handle(asked)

        handler.handle = recorded

    async def open_client(self) -> None:
        config = replace(
            self.sim.config,
            reconnect=SOON,
            answer_timeout=0.3,
            rest_timeout=2.0,
            command_interval=0.0,
        )
        self.client = NaviLinkClient(config)
        if not hasattr(self, "device"):
            (self.device,) = await self.client.get_devices()
        else:
            self.device = self.client._device(self.device.info)

    # What goes wrong, and heals

    @rule(name=st.sampled_from(sorted(FAULTS)), seconds=st.sampled_from([0.0, 0.7]))
    def break_something(self, name: str, seconds: float) -> None:
        async def fault() -> None:
            self.begin(*FAULTS[name]())
            await asyncio.sleep(seconds)

        self.do(fault())

    def begin(self, *faults: Fault) -> None:
        for fault in faults:
            self.was_half_open |= isinstance(fault, HalfOpen)
            self.sim.faults.inject(fault)

    @rule(name=st.sampled_from(sorted(FAULTS)), wanted=TEMPERATURES)
    def tell_under_a_fault(self, name: str, wanted: HalfCelsius) -> None:
        async def fault() -> None:
            await self.healed()
            self.begin(*FAULTS[name]())
            await self.tell(wanted, force=True)

        self.do(fault())

    @rule(name=st.sampled_from(["cut", "deaf", "half-open"]), wanted=TEMPERATURES)
    def lose_the_answer(self, name: str, wanted: HalfCelsius) -> None:
        """The heater hears the wish, and what it answers never arrives."""

        async def fault() -> None:
            await self.healed()
            self.when_heard = FAULTS[name]()
            await self.tell(wanted, force=True)
            self.when_heard = ()

        self.do(fault())

    @rule(wanted=TEMPERATURES)
    def tell_what_somebody_else_is_told(self, wanted: HalfCelsius) -> None:
        async def fault() -> None:
            await self.healed()
            self.begin(ForeignMessages(kind="all", values={"dhwTemperatureSetting": int(wanted)}))
            await self.tell(wanted, force=False)

        self.do(fault())

    @rule(garbage=st.sampled_from(sorted(GARBAGE)))
    def send_garbage(self, garbage: str) -> None:
        async def inject() -> None:
            self.begin(InjectMessage(garbage=garbage))

        self.do(inject())

    @rule()
    def cut_what_is_half_open(self) -> None:
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
    def let_time_pass(self, seconds: float) -> None:
        self.do(asyncio.sleep(seconds))

    @rule()
    def heal(self) -> None:
        self.do(self.healed())

    async def healed(self) -> None:
        """Heal everything; then every watcher is served, and the heater does as it is told."""
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

    # What a person does

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
        """The first connect is loud, to whoever makes it; here nobody watches yet."""
        await (await self.device.get_mqtt_connection()).connect()
        return True

    @precondition(lambda self: self.watchers)
    @rule()
    def leave(self) -> None:
        watcher = self.watchers.pop()
        self.do(cancel_and_wait(watcher.task))
        assert watcher.task.cancelled(), watcher.task

    @rule(wanted=TEMPERATURES, force=st.booleans())
    def set_temperature(self, wanted: HalfCelsius, force: bool) -> None:
        self.do(self.tell(wanted, force))

    async def tell(self, wanted: HalfCelsius, force: bool) -> None:
        status = await self.wish(self.device.set_temperature(celsius=wanted.celsius, force=force))
        if status is not None:
            assert status.dhw_temperature_setting == wanted
            assert self.sim.units[0].heater.settings.setpoint == wanted

    @rule(mode=MODES)
    def set_mode(self, mode: DHWMode) -> None:
        async def tell() -> None:
            status = await self.wish(self.device.set_dhw_mode(mode))
            if status is not None:
                assert status.dhw_operation_setting == mode
                assert self.sim.units[0].heater.settings.mode == mode

        self.do(tell())

    @rule(first=TEMPERATURES, second=TEMPERATURES)
    def two_wishes_at_once(self, first: HalfCelsius, second: HalfCelsius) -> None:
        async def tell() -> None:
            wishes = [first, second]
            self.wishes += len(wishes)
            found = await asyncio.gather(
                *(
                    self.attempt(self.device.set_temperature(celsius=one.celsius, force=True))
                    for one in wishes
                )
            )
            for wish, status in zip(wishes, found):
                assert status is None or status.dhw_temperature_setting == wish

        self.do(tell())

    @rule(hour=st.integers(0, 23), minute=st.integers(0, 59))
    def add_reservation(self, hour: int, minute: int) -> None:
        at = datetime.time(hour, minute)
        # Not enabled: the heater would change its own setpoint at that time.
        one = Reservation.at(at, [Weekday.MONDAY], DHWMode.ELECTRIC, celsius=50, enabled=False)

        async def tell() -> None:
            program = await self.wish(self.device.add_reservation(one))
            if program is not None:
                assert one in program.reservations
                kept = self.sim.units[0].heater.settings.reservations.entries
                assert sorted(kept, key=repr) == sorted(program.reservations, key=repr)

        self.do(tell())

    @rule(wanted=TEMPERATURES)
    def try_dry(self, wanted: HalfCelsius) -> None:
        async def tell() -> None:
            before = list(self.heard)
            await self.attempt(self.device.set_temperature(celsius=wanted.celsius, dry_run=True))
            assert self.heard == before

        self.do(tell())

    @rule(seconds=st.sampled_from([0.0, 0.005, 0.05]))
    def ask_and_think_better_of_it(self, seconds: float) -> None:
        async def ask() -> None:
            asking = asyncio.ensure_future(self.attempt(self.device.get_status()))
            await asyncio.sleep(seconds)
            asking.cancel()
            await asyncio.wait({asking})

        self.do(ask())

    @rule()
    def close_and_open_again(self) -> None:
        async def again() -> None:
            await self.close_client()
            await self.open_client()

        self.do(again())

    async def attempt(self, doing: Awaitable[T]) -> T | None:
        """None when it failed with an error of ours: whatever is at fault, it is one of them."""
        try:
            return await doing
        except NaviLinkError:
            return None

    async def wish(self, doing: Awaitable[T]) -> T | None:
        self.wishes += 1
        before = len(self.heard)
        found = await self.attempt(doing)
        # What a half-open line held up may be heard later, with another wish.
        assert self.was_half_open or len(self.heard) - before <= 1
        return found

    # What always holds

    @invariant()
    def one_connection(self) -> None:
        """What is half-open the client has given up, but the cloud cannot know it."""
        if hasattr(self, "client"):
            self.do(self.at_most_open(1))

    async def at_most_open(self, most: int) -> None:
        connections = self.sim._cloud._connections
        while sum(one._running.is_set() for one in connections) > most:
            await asyncio.sleep(0.005)

    @invariant()
    def nothing_done_twice(self) -> None:
        assert len(self.heard) == len(set(self.heard))
        assert len(self.heard) <= self.wishes

    @invariant()
    def only_watchers_wait(self) -> None:
        if hasattr(self, "client"):
            waiting = len(self.client._pool.first._requests.pending)
            assert waiting <= len(self.watchers)
            assert len(self.device._mqtt._watchers) <= len(self.watchers)
        for watcher in self.watchers:
            assert not watcher.task.done(), watcher.task

    async def close_client(self) -> None:
        """Close under whatever is at fault; those who watched are told, and nothing is left."""
        await self.client.close()
        for watcher in self.watchers:
            await asyncio.wait({watcher.task})
            assert isinstance(watcher.task.exception(), NaviLinkError), watcher.task
        self.watchers.clear()
        session: Any = self.client._pool.first
        assert not session._requests.pending and session._changed.waiting == set()
        assert self.device._mqtt._watchers == set()
        left = [task for task in asyncio.all_tasks() if task.get_name().startswith("navilink")]
        assert left == []

    def teardown(self) -> None:
        try:
            if hasattr(self, "sim"):
                self.do(self.move_out())
        finally:
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()

    async def move_out(self) -> None:
        try:
            if hasattr(self, "client"):
                await self.healed()
                self.nothing_done_twice()
                await self.close_client()
                await self.at_most_open(0)
        finally:
            for watcher in self.watchers:
                await cancel_and_wait(watcher.task)
            await self.sim.__aexit__(None, None, None)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert [task for task in left if not task.get_name().startswith("Task-")] == []


TestHousehold = Household.TestCase
TestHousehold.settings = settings(
    max_examples=10,
    stateful_step_count=15,
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
