"""Tests of the asyncio helpers: no cancellation is lost, no wait lasts for ever."""

from __future__ import annotations

import asyncio
import gc
import socket
import warnings
from typing import Any, Awaitable, Callable

import pytest

from navien_nwp500._util.aio import (
    LatestValue,
    cancel_and_wait,
    finish,
    result_of,
    run_until_first,
    stop_accepting,
    wait_at_most,
)
from support.reliability_tools import within_limit


async def test_latest_value_keeps_only_the_latest() -> None:
    queue: LatestValue[int] = LatestValue()
    for number in range(5):
        queue.put(number)
    assert await queue.get(1) == 4
    assert await queue.get(0.001) is None


async def test_a_waiting_reader_is_woken_by_a_value_and_by_close() -> None:
    queue: LatestValue[int] = LatestValue()
    reading = asyncio.ensure_future(queue.get())
    await asyncio.sleep(0)
    queue.put(7)
    assert await reading == 7
    reading = asyncio.ensure_future(queue.get())
    await asyncio.sleep(0)
    queue.close()
    assert await reading is None and await queue.get() is None


async def test_wait_at_most_ends_and_cancels_the_future() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    with pytest.raises(asyncio.TimeoutError):
        await wait_at_most(0.001, future)
    assert future.done()
    task = asyncio.ensure_future(asyncio.sleep(60))
    with pytest.raises(asyncio.TimeoutError):
        await wait_at_most(0.001, task)
    await asyncio.wait({task})
    assert task.cancelled()


async def test_a_cancellation_that_arrives_with_the_result_is_not_lost() -> None:
    """Raise CancelledError where asyncio.wait_for before Python 3.12 returns the result."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    waiting = asyncio.ensure_future(wait_at_most(10, future))
    await asyncio.sleep(0)
    future.set_result(1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_task_that_swallows_cancellations_is_ended() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while swallowed < 3:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1

    task = asyncio.ensure_future(stubborn())
    await asyncio.sleep(0)
    await cancel_and_wait(task)
    assert task.done() and swallowed == 3


async def test_tasks_are_ended_also_when_the_caller_is_cancelled() -> None:
    """Cancel the caller several times, as ``cancel_and_wait`` itself does."""
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                pass

    task = asyncio.ensure_future(stubborn())
    await asyncio.sleep(0)
    ending = asyncio.ensure_future(cancel_and_wait(task))
    for _ in range(3):
        await asyncio.sleep(0)
        ending.cancel()
    await asyncio.sleep(0)
    was_waiting = not ending.done()
    release.set()
    await asyncio.wait({ending, task})
    assert was_waiting and ending.cancelled()


async def test_work_is_finished_however_often_its_task_is_cancelled() -> None:
    done: list[int] = []

    async def work() -> None:
        for step in range(3):
            await asyncio.sleep(0.15)  # longer than cancel_and_wait waits
            done.append(step)

    async def working() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await finish(work())

    task = asyncio.ensure_future(working())
    await asyncio.sleep(0)
    await cancel_and_wait(task)
    assert task.cancelled() and done == [0, 1, 2]


@pytest.mark.parametrize("wait", [finish, result_of])
async def test_what_fails_after_its_wait_was_cancelled_is_not_reported(
    wait: Callable[[asyncio.Future[None]], Awaitable[None]],
) -> None:
    """Unlike asyncio.shield, which prints a traceback on Python 3.14."""
    reported: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reported.append(context))
    work: asyncio.Future[None] = loop.create_future()
    waiting = asyncio.ensure_future(wait(work))
    await asyncio.sleep(0)
    waiting.cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    assert not work.done()
    work.set_exception(OSError("no space"))
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    assert isinstance(work.exception(), OSError), "its owner has it"
    del work, waiting
    gc.collect()
    assert reported == []


async def test_what_fails_while_it_is_cancelled_is_not_reported_by_asyncio() -> None:
    reported: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    async def failing() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise OSError("no such file")

    running = asyncio.ensure_future(run_until_first(failing(), asyncio.sleep(60)))
    for _ in range(2):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()
    del running
    gc.collect()
    assert reported == []


async def is_closed(client: socket.socket) -> bool:
    """Wait until the server has closed a connection that gets no data."""
    client.setblocking(False)
    try:
        return await asyncio.get_running_loop().sock_recv(client, 1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("turns", range(4))
async def test_a_connection_is_accepted_whole_or_not_at_all(turns: int) -> None:
    """It is accepted in one turn, and gets its transport and its protocol in the next two."""
    made: list[asyncio.Transport] = []

    class Server(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            made.append(transport)

    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        port = server.sockets[0].getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            for _ in range(turns):
                await asyncio.sleep(0)
            await stop_accepting(server)
            for transport in made:
                transport.abort()
            await asyncio.sleep(0)
            assert await within_limit(is_closed(client)), "nobody has it, and it is open"
        gc.collect()
    assert [str(one.message) for one in caught if f", {port})" in str(one.message)] == []
