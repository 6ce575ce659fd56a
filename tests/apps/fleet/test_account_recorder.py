"""Recording of one account: the pace of sign-ins, and what goes on when the cloud fails."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from navien_nwp500._util.aio import cancel_and_wait
from navien_nwp500.apps.fleet import account_recorder
from navien_nwp500.apps.fleet.account_recorder import (
    AccountRecorder,
    AccountState,
    SignInRateLimiter,
)
from navien_nwp500.apps.fleet.accounts_file import FleetAccount
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.faults.http_faults import RestFault


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


async def test_an_account_is_recorded_while_its_heaters_cannot_be_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(account_recorder, "RETRY_SECONDS", (0.01, 3600.0))
    monkeypatch.setattr(account_recorder, "RELIST_SECONDS", 0.05)
    rows: list[Any] = []
    async with Simulator(speed=600) as cloud:
        monkeypatch.setenv("FLEET", cloud.config.password or "")
        fault = cloud.faults.inject(RestFault.error(500, "INTERNAL_SERVER_ERROR", times=2))
        account, state = FleetAccount(cloud.config.email or "", "FLEET"), AccountState(0)
        config = replace(cloud.config, polling_interval=0.1)
        limiter = SignInRateLimiter(100)
        recorder = AccountRecorder(account, config, lambda *row: rows.append(row), limiter, state)
        task = asyncio.ensure_future(recorder.run())

        async def wait_for(count: int) -> None:
            while len(rows) < count:
                assert not task.done()
                await asyncio.sleep(0.02)

        await asyncio.wait_for(wait_for(1), 60)
        assert fault not in cloud.faults.active, "the first sign-ins have failed"
        cloud.faults.inject(RestFault.error(500, "INTERNAL_SERVER_ERROR"))
        await asyncio.wait_for(wait_for(len(rows) + 5), 60)
        assert state.phase == "recording" and cloud.counters.connects == 1
        await cancel_and_wait(task)
