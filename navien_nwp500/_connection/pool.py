"""The account's connections: one for all heaters, and a further one when its room is used up."""

from __future__ import annotations

from .._util.aio import cancel_and_wait
from ..auth import NaviLinkAuth
from ..config import NaviLinkConfig, ReconnectConfig
from ..exceptions import MQTTError
from .connection import Connection, Subscriber
from .subscriptions import PushPermission


class ConnectionPool:
    """Puts each heater's line on the first connection with room (protocol 2.3).

    49 heaters of a home fit on one, or any number when the account may not hear pushes.
    """

    def __init__(self, auth: NaviLinkAuth, config: NaviLinkConfig) -> None:
        self._auth = auth
        self._config = config
        self._right = PushPermission()
        self._sessions = [Connection(auth, config, self._right)]
        self._closed = False

    def __repr__(self) -> str:
        return f"Exchange({', '.join(map(repr, self._sessions))})"

    @property
    def first(self) -> Connection:
        """The connection there always is."""
        return self._sessions[0]

    @property
    def reconnect(self) -> ReconnectConfig:
        """How lost connections are sought again."""
        return self.first.reconnect

    @reconnect.setter
    def reconnect(self, rule: ReconnectConfig) -> None:
        for session in self._sessions:
            session.reconnect = rule

    def attach(self, line: Subscriber) -> Connection:
        """Connect a line to the session it stays on until detached, and return it.

        Raises MQTTError once closed: nobody would end what is opened then.
        """
        for session in self._sessions:
            if session.serves(line):
                return session
        if self._closed:
            raise MQTTError("the client is closed; make a new one")
        for session in self._sessions:
            if session.has_room(line.address):
                break
        else:
            session = Connection(self._auth, self._config, self._right)
            session.reconnect = self.reconnect
            self._sessions.append(session)
        session.attach(line)
        return session

    async def close(self) -> None:
        """Close every connection for good; all have been told before one is waited for."""
        self._closed = True
        await cancel_and_wait(*[task for session in self._sessions for task in session.end()])
