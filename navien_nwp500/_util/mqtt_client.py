"""Client of the package aiomqtt that leaves nothing behind when its connect fails or is cancelled."""

from __future__ import annotations

import asyncio
from typing import Any

import aiomqtt
from aiomqtt import MqttError


class MqttClient(aiomqtt.Client):
    """``aiomqtt.Client`` that closes after a failed connect, and lets a connect be cancelled.

    aiomqtt keeps reading a connection that was not accepted. When that ends, it asks for the exception of
    the cancelled connect, and asyncio prints a CancelledError with its traceback.
    """

    async def __aenter__(self) -> Any:
        try:
            return await super().__aenter__()
        except (MqttError, asyncio.CancelledError):
            self._client.disconnect()
            raise

    def _on_disconnect(self, *arguments: Any) -> None:
        if not self._connected.cancelled():
            super()._on_disconnect(*arguments)
