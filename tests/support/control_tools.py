"""Helpers of the command tests: a heater, and a record of what is sent to it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, AsyncIterator

import aiomqtt

from navien_nwp500 import NaviLinkClient, NaviLinkDevice
from navien_nwp500.simulator import Simulator

#: Settings of a client that looks for the effect of a write soon again.
QUICK: dict[str, Any] = {"control_recheck_delay": 0.05, "list_recheck_interval": 0.05}


@asynccontextmanager
async def heater(
    read_only: bool = False, **options: Any
) -> AsyncIterator[tuple[Simulator, NaviLinkDevice]]:
    async with Simulator(speed=600, **options) as sim:
        config = replace(sim.config, **QUICK, command_interval=0.05, read_only=read_only)
        async with NaviLinkClient(config) as client:
            yield sim, (await client.get_devices())[0]


@asynccontextmanager
async def record_writes(
    sim: Simulator, suffix: str = "ctrl/#"
) -> AsyncIterator[list[tuple[str, bytes]]]:
    """Record every control message, or other request, that a client sends to the heater."""
    marker = f"cmd/52/marker/{suffix.replace('#', 'end')}"
    sent: list[tuple[str, bytes]] = []

    async def listen(tap: aiomqtt.Client) -> None:
        async for message in tap.messages:
            assert isinstance(message.payload, bytes)
            sent.append((str(message.topic), message.payload))

    async with aiomqtt.Client("127.0.0.1", sim._cloud.broker_port) as tap:
        await tap.subscribe(f"cmd/52/+/{suffix}")
        task = asyncio.get_running_loop().create_task(listen(tap))
        try:
            yield sent
            # Messages sent before this marker arrive before it.
            await tap.publish(marker, b"")
            while not sent or sent[-1][0] != marker:
                await asyncio.sleep(0)
            sent.pop()
        finally:
            task.cancel()
            await asyncio.wait({task})
