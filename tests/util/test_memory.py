"""Memory is returned to the system once, when many connections have started."""

from __future__ import annotations

import asyncio
import sys

import pytest

from navien_nwp500 import NaviLinkClient
from navien_nwp500._util import memory
from navien_nwp500._util.memory import malloc_trim, trim_heap_later
from navien_nwp500.simulator import Simulator
from support.reliability_tools import wait_until


@pytest.fixture
def trimmed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The calls of malloc_trim, which come at once."""
    calls: list[int] = []
    monkeypatch.setattr(memory, "DELAY", 0.0)
    monkeypatch.setattr(memory, "_starts", 0)
    monkeypatch.setattr(memory, "malloc_trim", lambda: calls.append)
    return calls


async def settled() -> None:
    """Let all timers run that are due."""
    done = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.001, done.set_result, None)
    await done


async def test_the_heap_is_trimmed_once_after_many_starts(trimmed: list[int]) -> None:
    for _ in range(memory.MANY - 1):
        trim_heap_later()
    await settled()
    assert trimmed == []
    for _ in range(memory.MANY):
        trim_heap_later()
    trim_heap_later().cancel()
    await settled()
    assert trimmed == []  # the last start was given up
    trim_heap_later()
    await settled()
    assert trimmed == [0]
    trim_heap_later()
    await settled()
    assert trimmed == [0]


async def test_a_client_trims_after_its_start_and_not_when_it_is_closed(
    sim: Simulator, trimmed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MANY", 1)
    async with NaviLinkClient(sim.config) as client:
        await (await client.get_devices())[0].get_status()
        await wait_until(lambda: trimmed == [0])
    monkeypatch.setattr(memory, "DELAY", 3600.0)
    async with NaviLinkClient(sim.config) as client:
        await (await client.get_devices())[0].get_status()
        await wait_until(lambda: client._pool.first._trim is not None)
        trim = client._pool.first._trim
    assert trim is not None and trim.cancelled()


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    malloc_trim.cache_clear()
    assert malloc_trim() is None
    monkeypatch.undo()
    malloc_trim.cache_clear()
    found = malloc_trim()
    assert found is None or found(0) in (0, 1)
