"""A link and what was asked of it: the reply topic of each home, the push topic of each heater.

Subscriptions leave without being waited for. The broker takes the packets of a connection in
their order, so a request right behind them is answered where they listen, one round trip earlier.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Coroutine, Iterable, Optional

from .._util.aio import cancel_and_wait
from ..exceptions import CommunicationError, WebSocketError
from ..protocol import capture
from ..protocol.account import UserInfo
from ..protocol.messages import Address, Frame, ReplyAddress
from ..protocol.redaction import logger
from .transport import Transport

_LOGGER = logger(__name__)

if TYPE_CHECKING:
    _Asking = asyncio.Task[Optional[CommunicationError]]

#: AWS takes so many on one connection and then closes it (protocol 2.3). Each leaves in a packet
#: of its own, so that of 8 topic filters a packet is kept too.
MAX_SUBSCRIPTIONS = 50
#: So many drops over the push subscription show that the account may not have it (AWS closes
#: without a word, protocol 2.3); polling alone must then do.
PUSH_TRIES = 2
#: How much later than its subscriptions a dropped line may be known to be down, seconds. The SDK
#: reports both from its own thread, in this order.
DROP_SEEN = 0.2


class PushesRefusedError(WebSocketError):
    """The line dropped over the push subscription."""


class PushPermission:
    """Whether the account may hear its heaters' pushes, as far as dropped links have taught."""

    def __init__(self) -> None:
        self._drops = 0

    @property
    def wanted(self) -> bool:
        """Whether to subscribe to pushes."""
        return self._drops < PUSH_TRIES

    @property
    def doubted(self) -> bool:
        """Whether a link dropped over it, or over something else at the same moment."""
        return self._drops > 0

    def grant(self) -> None:
        """Learn that the broker agreed."""
        self._drops = 0

    def refuse(self) -> None:
        """Learn that a link dropped over it."""
        self._drops += 1
        if self._drops == PUSH_TRIES:
            _LOGGER.warning("this account may not hear pushes; polling alone from now on")


def topic_filters(address: Address, right: PushPermission) -> set[object]:
    """What a heater needs on a connection, each thing under a name of its own."""
    return {address.home_seq, address.mac_address} if right.wanted else {address.home_seq}


class SubscribedTransport:
    """One link from its opening to its end, with every subscription made on it."""

    def __init__(self, link: Transport, user: UserInfo | None, right: PushPermission) -> None:
        self._link = link
        self.requester = ReplyAddress(link.client_id, (user.user_seq if user else None) or 0)
        self._right = right
        self._asked: dict[object, _Asking] = {}
        self._pushes_granted = False
        self._closed = False
        #: Whether the broker has agreed to anything: the link is then no try any more.
        self.proved = False
        #: The line dropped over the push subscription.
        self.refusal: PushesRefusedError | None = None

    @property
    def client_id(self) -> str:
        return self._link.client_id

    @property
    def up(self) -> bool:
        return self._link.up

    @property
    def asked(self) -> Iterable[object]:
        """What was asked for here, also for heaters nobody listens to any more."""
        return self._asked.keys()

    async def publish(self, frame: Frame) -> None:
        """Send a frame. Raises WebSocketError, PushesRefusedError when it fell with the pushes."""
        capture.log_frame(capture.OUT, frame.topic, frame.payload)
        try:
            await self._link.publish(frame)
        except WebSocketError:
            if await self._fallen() and self._asked:
                await asyncio.wait(self._asked.values())
            if self.refusal is not None:
                raise self.refusal from None  # it has its own cause
            raise

    async def receive(self) -> Frame | None:
        """The next message; None once the line is down."""
        frame = await self._link.receive()
        if frame is not None:
            capture.log_frame(capture.IN, frame.topic, frame.payload)
        return frame

    async def subscribe(self, *addresses: Address) -> None:
        """Ask for these heaters' news; returns once the packets have left.

        What was asked for stays so; what the broker did not agree to is asked for again.
        """
        before = set(self._asked.values())
        for address in addresses:
            reply = self._ask(address.home_seq, self._hear_answers(address))
            if self._right.wanted:
                self._ask(address.mac_address, self._hear_pushes(address, reply))
        if not before.issuperset(self._asked.values()):
            await asyncio.sleep(0)  # lets each new task hand its packet to the transport

    async def agreed(self, *addresses: Address) -> None:
        """Return when the broker has agreed to what was asked for these heaters.

        Raises PushesRefusedError when the line dropped over the pushes, else what went wrong.
        """
        names = {name for one in addresses for name in topic_filters(one, self._right)}
        tasks = [self._asked[name] for name in names if name in self._asked]
        if tasks:
            await asyncio.wait(tasks)
        for task in tasks:
            error = _outcome(task)
            if error is not None:
                raise self.refusal or error

    def forget(self, address: Address) -> None:
        """Ask for this heater's news anew next time, unless that is under way."""
        for name in (address.home_seq, address.mac_address):
            if name in self._asked and self._asked[name].done():
                del self._asked[name]

    async def close(self) -> None:
        """Disconnect, and leave no subscription under way."""
        self._closed = self._closed or self._link.up  # a line that is down was not ended by us
        try:
            await self._link.close()
            if self._asked:  # the line's end ends each, and it notes why
                await asyncio.wait(self._asked.values())
        finally:
            await cancel_and_wait(*self._asked.values())

    def _ask(self, name: object, asking: Coroutine[Any, Any, CommunicationError | None]) -> _Asking:
        task = self._asked.get(name)
        if task is not None and not (task.done() and _outcome(task)):
            asking.close()
            return task
        task = asyncio.get_running_loop().create_task(asking, name="navilink-subscribe")
        self._asked[name] = task
        return task

    async def _hear_answers(self, address: Address) -> CommunicationError | None:
        try:
            await self._link.subscribe(self.requester.reply_filter(address))
        except CommunicationError as error:
            return error
        self.proved = True
        return None

    async def _hear_pushes(self, address: Address, reply: _Asking) -> CommunicationError | None:
        if self._right.doubted:  # one by one then, or a drop would not show whose it is
            await asyncio.wait({reply})
            if _outcome(reply):
                return _outcome(reply)
        try:
            await self._link.subscribe(address.filter)
        except WebSocketError as error:
            return self._refused(error) if await self._fallen() else error
        except CommunicationError as error:
            return error
        self._pushes_granted = True
        self._right.grant()
        return None

    async def _fallen(self) -> bool:
        """Whether the line is down: the SDK may name what fell before the line it fell with."""
        if self._link.up:
            await asyncio.sleep(DROP_SEEN)
        return not self._link.up

    def _refused(self, error: WebSocketError) -> WebSocketError:
        """A heater's pushes did not come about: is it the account's right that is missing?"""
        if self._pushes_granted or self._closed:
            return error
        if self.refusal is None:
            self._right.refuse()
            self.refusal = PushesRefusedError(f"push subscription: {error}")
            self.refusal.__cause__ = error
        return self.refusal


def _outcome(task: _Asking) -> CommunicationError | None:
    """Why the broker did not agree; None when it did."""
    return WebSocketError("the connection was closed") if task.cancelled() else task.result()
