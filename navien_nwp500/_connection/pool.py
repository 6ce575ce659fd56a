"""MQTT connections of an account: one for all heaters, and another when it is full."""

from __future__ import annotations

from .._util.aio import cancel_and_wait
from ..config import NaviLinkConfig, ReconnectConfig
from ..exceptions import MQTTError
from .connection import Connection, Subscriber
from .connector import Connector
from .credentials import CredentialsProvider
from .subscriptions import PushPermission


class ConnectionPool:
    """Assign each heater to the first connection with capacity (PROTOCOL 2.3).

    A connection has capacity for 49 heaters of a home, or for any number when the account may not
    subscribe to pushes.
    """

    def __init__(
        self, auth: CredentialsProvider, connector: Connector, config: NaviLinkConfig
    ) -> None:
        self._auth = auth
        self._connector = connector
        self._config = config
        self._permission = PushPermission()
        self._connections = [self._new_connection()]
        self._closed = False

    def __repr__(self) -> str:
        return f"ConnectionPool({', '.join(map(repr, self._connections))})"

    @property
    def first(self) -> Connection:
        """The first connection, which always exists."""
        return self._connections[0]

    @property
    def reconnect_config(self) -> ReconnectConfig:
        """Backoff of all connections."""
        return self.first.reconnect_config

    @reconnect_config.setter
    def reconnect_config(self, reconnect_config: ReconnectConfig) -> None:
        for connection in self._connections:
            connection.reconnect_config = reconnect_config

    def attach(self, subscriber: Subscriber) -> Connection:
        """Assign a subscriber to a connection until it is detached, and return the connection.

        Raises MQTTError after ``close``.
        """
        for connection in self._connections:
            if connection.has_subscriber(subscriber):
                return connection
        if self._closed:
            raise MQTTError("the client is closed; create a new one")
        for connection in self._connections:
            if connection.has_capacity(subscriber.address):
                break
        else:
            connection = self._new_connection()
            connection.reconnect_config = self.reconnect_config
            self._connections.append(connection)
        connection.attach(subscriber)
        return connection

    async def close(self) -> None:
        """Close all connections for good; all are stopped before the first is waited for."""
        self._closed = True
        tasks = [task for connection in self._connections for task in connection.stop()]
        await cancel_and_wait(*tasks)

    def _new_connection(self) -> Connection:
        return Connection(self._auth, self._connector, self._config, self._permission)
