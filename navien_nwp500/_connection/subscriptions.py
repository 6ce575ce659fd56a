"""Subscriptions of one connection: a reply topic per home, a push topic per heater.

Requests are sent right after SUBSCRIBE, without waiting for SUBACK; the broker handles the packets
of a connection in order, so a response confirms the subscription one round trip earlier.
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
from .transport import SubscriptionRefusedError, Transport

_LOGGER = logger("navien_nwp500.connection")

if TYPE_CHECKING:
    _Subscribing = asyncio.Task[Optional[CommunicationError]]

#: AWS closes a connection with more (PROTOCOL 2.3). Each is sent in a packet of its own, which
#: also keeps the limit of 8 topic filters per packet.
MAX_SUBSCRIPTIONS = 50
#: After so many connections dropped during the push subscription, the account is taken to have no
#: permission (AWS closes without a reason, PROTOCOL 2.3), and only polling is used.
PUSH_TRIES = 2
#: Seconds by which the end of a connection may be reported after the failure of its subscriptions.
#: The SDK reports both from its own thread, in this order; a busy machine may stop in between.
DROP_DELAY = 1.0


class PushesRefusedError(WebSocketError):
    """The connection dropped during the push subscription."""


class PushPermission:
    """Permission of the account to subscribe to pushed updates, learned from the broker.

    A broker refuses by closing the connection, or by an answer (SUBACK). An answer costs nothing, so
    the next connection asks again.
    """

    def __init__(self) -> None:
        self._drops = 0
        self._warned = False

    @property
    def wanted(self) -> bool:
        """True while pushes should be subscribed to."""
        return self._drops < PUSH_TRIES

    @property
    def refused(self) -> bool:
        """True after the broker has refused the subscription."""
        return self._warned

    @property
    def uncertain(self) -> bool:
        """True after a connection dropped during the subscription, for this or another reason."""
        return self._drops > 0

    def confirm(self) -> None:
        """Record that the broker accepted the subscription."""
        self._drops = 0
        self._warned = False

    def record_drop(self) -> None:
        """Record that a connection dropped during the subscription."""
        self._drops += 1
        if self._drops == PUSH_TRIES:
            self.record_refusal()

    def record_refusal(self) -> None:
        """Log, once, that the broker refuses the subscription."""
        if not self._warned:
            self._warned = True
            _LOGGER.warning(
                "This account may not subscribe to pushed updates; falling back to polling."
            )


def subscription_keys(address: Address, permission: PushPermission) -> set[object]:
    """Return a key for each subscription that a heater needs on a connection."""
    if permission.wanted:
        return {address.home_seq, address.mac_address}
    return {address.home_seq}


class SubscribedTransport:
    """A transport with the subscriptions made on it."""

    def __init__(
        self, transport: Transport, user: UserInfo | None, permission: PushPermission
    ) -> None:
        self._transport = transport
        user_seq = (user.user_seq if user else None) or 0
        self.reply_address = ReplyAddress(transport.client_id, user_seq)
        self._permission = permission
        self._tasks: dict[object, _Subscribing] = {}
        self._pushes_granted = False
        self._closed = False
        #: True after the broker accepted any subscription.
        self.confirmed = False
        #: Set when the connection dropped during the push subscription.
        self.refusal: PushesRefusedError | None = None

    @property
    def client_id(self) -> str:
        """Client id of the connection."""
        return self._transport.client_id

    @property
    def connected(self) -> bool:
        """True until the connection has ended."""
        return self._transport.connected

    @property
    def subscribed(self) -> Iterable[object]:
        """Keys of all subscriptions, also of heaters that are no longer attached."""
        return self._tasks.keys()

    async def publish(self, frame: Frame) -> None:
        """Publish a frame.

        Raises WebSocketError, or PushesRefusedError when the connection dropped during the push
        subscription.
        """
        capture.log_frame(capture.OUT, frame.topic, frame.payload)
        try:
            await self._transport.publish(frame)
        except WebSocketError:
            if await self._transport.wait_ended(DROP_DELAY) and self._tasks:
                await asyncio.wait(self._tasks.values())
            if self.refusal is not None:
                raise self.refusal from None  # it has its own cause
            raise

    async def receive(self) -> Frame | None:
        """Return the next message; None after the connection has ended."""
        frame = await self._transport.receive()
        if frame is not None:
            capture.log_frame(capture.IN, frame.topic, frame.payload)
        return frame

    async def subscribe(self, *addresses: Address) -> None:
        """Subscribe to these heaters; returns once the packets are sent.

        Subscriptions that exist are kept; those that the broker refused are tried again.
        """
        before = set(self._tasks.values())
        for address in addresses:
            reply = self._start(address.home_seq, self._subscribe_replies(address))
            if self._permission.wanted:
                self._start(address.mac_address, self._subscribe_pushes(address, reply))
        if not before.issuperset(self._tasks.values()):
            await asyncio.sleep(0)  # lets each new task hand its packet to the transport

    async def wait_subscribed(self, *addresses: Address) -> None:
        """Wait until the broker has accepted the subscriptions of these heaters.

        Raises PushesRefusedError when the connection dropped during the push subscription, or the
        error of the subscription.
        """
        keys = {key for one in addresses for key in subscription_keys(one, self._permission)}
        tasks = [self._tasks[key] for key in keys if key in self._tasks]
        if tasks:
            await asyncio.wait(tasks)
        for task in tasks:
            error = _error_of(task)
            if error is not None:
                raise self.refusal or error

    def forget(self, address: Address) -> None:
        """Subscribe to this heater again at the next ``subscribe``, unless that is under way."""
        for key in (address.home_seq, address.mac_address):
            if key in self._tasks and self._tasks[key].done():
                del self._tasks[key]

    async def close(self) -> None:
        """Disconnect and end all subscriptions under way."""
        # A connection that had dropped before was not closed by us.
        self._closed = self._closed or self._transport.connected
        try:
            await self._transport.close()
            if self._tasks:  # the end of the connection ends each task, and the task notes why
                await asyncio.wait(self._tasks.values())
        finally:
            await cancel_and_wait(*self._tasks.values())

    def _start(
        self, key: object, subscribing: Coroutine[Any, Any, CommunicationError | None]
    ) -> _Subscribing:
        task = self._tasks.get(key)
        if task is not None and not (task.done() and _error_of(task)):
            subscribing.close()
            return task
        task = asyncio.get_running_loop().create_task(subscribing, name="navilink-subscribe")
        self._tasks[key] = task
        return task

    async def _subscribe_replies(self, address: Address) -> CommunicationError | None:
        try:
            await self._transport.subscribe(self.reply_address.reply_filter(address))
        except CommunicationError as error:
            return error
        self.confirmed = True
        return None

    async def _subscribe_pushes(
        self, address: Address, reply: _Subscribing
    ) -> CommunicationError | None:
        if self._permission.uncertain:
            # One after the other, so that a drop shows which subscription caused it.
            await asyncio.wait({reply})
            if _error_of(reply):
                return _error_of(reply)
        try:
            await self._transport.subscribe(address.filter)
        except SubscriptionRefusedError as error:
            _LOGGER.debug("%s: %s", address, error)
            self._permission.record_refusal()
            return None  # polling alone will do
        except WebSocketError as error:
            dropped = await self._transport.wait_ended(DROP_DELAY)
            return self._explain_drop(error) if dropped else error
        except CommunicationError as error:
            return error
        self._pushes_granted = True
        self._permission.confirm()
        return None

    def _explain_drop(self, error: WebSocketError) -> WebSocketError:
        """Return the refusal when a missing permission can be the reason of a drop."""
        if self._pushes_granted or self._closed:
            return error
        if self.refusal is None:
            self._permission.record_drop()
            self.refusal = PushesRefusedError(f"push subscription: {error}")
            self.refusal.__cause__ = error
        return self.refusal


def _error_of(task: _Subscribing) -> CommunicationError | None:
    """Return the reason why the broker did not accept a subscription; None when it did."""
    return WebSocketError("the connection was closed") if task.cancelled() else task.result()
