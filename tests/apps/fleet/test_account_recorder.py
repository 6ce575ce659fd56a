"""The pace of sign-ins."""

from __future__ import annotations

import asyncio

from navien_nwp500.apps.fleet.account_recorder import SignInRateLimiter


async def test_sign_ins_take_turns_and_only_some_run_at_a_time() -> None:
    limiter = SignInRateLimiter(50)
    loop, slow = asyncio.get_running_loop(), asyncio.Event()
    began: list[float] = []
    start = loop.time()

    async def sign_in() -> None:
        async with limiter.turn():
            began.append(loop.time())
            await slow.wait()

    tasks = [asyncio.ensure_future(sign_in()) for _ in range(60)]
    while len(began) < 50:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert len(began) == 50
    slow.set()
    await asyncio.gather(*tasks)
    assert len(began) == 60
    assert all(at - start > number / 50 - 0.001 for number, at in enumerate(began))
