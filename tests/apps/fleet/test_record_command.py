"""The command record: its options, metrics and shards."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Callable, Iterator

import aiohttp
import psycopg
import pytest

from apps.fleet.conftest import ACCOUNTS
from navien_nwp500 import ConfigurationError
from navien_nwp500._util.aio import cancel_and_wait
from navien_nwp500._util.files import write_atomically
from navien_nwp500.apps.cli.commands.record import choose_division, record_command
from navien_nwp500.apps.fleet.accounts_file import SLOTS, AccountsFile, read_accounts
from navien_nwp500.apps.fleet.fleet import Fleet, FleetSettings, HeldSlots, Shard
from navien_nwp500.apps.fleet.metrics import serve_fleet_metrics
from navien_nwp500.history.database import Database
from navien_nwp500.history.schema import to_ms
from navien_nwp500.history.store import HistoryStore
from navien_nwp500.simulator.simulator import email_of
from support.background_simulator import BackgroundSimulator
from support.programs import start_program

if sys.platform == "linux":
    import resource

EXAMPLES = Path(__file__).parents[3] / "examples" / "fleet"
LIMIT = 90.0
PIPE = asyncio.subprocess.PIPE
COMMON = ("--interval", "1", "--sign-ins", "100", "--listen", "127.0.0.1:0")


async def start(
    accounts: Path, settings: dict[str, str], *words: str
) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "navien_nwp500", "record", "--accounts", str(accounts)]
    return await start_program(*command, *words, env={**os.environ, **settings}, stderr=PIPE)


async def metrics_url(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        if found := re.search(rb"http://\S+", line):
            return found[0].decode()
    raise AssertionError("no metrics are served")


async def wait_for(condition: Callable[[], object]) -> None:
    for _ in range(int(LIMIT / 0.1)):
        if condition():
            return
        await asyncio.sleep(0.1)
    raise AssertionError


async def fetch(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def test_accounts_are_recorded_and_metrics_name_none(
    accounts: Path, cloud_settings: dict[str, str], url: str
) -> None:
    process = await start(accounts, cloud_settings, "--database", url, "--slots", "64", *COMMON)
    address = await metrics_url(process)

    def recorded() -> bool:
        with psycopg.connect(url) as connection:
            try:
                row = connection.execute("SELECT count(DISTINCT heater_id) FROM status").fetchone()
            except psycopg.errors.UndefinedTable:
                return False
        return row == (ACCOUNTS,)

    await wait_for(recorded)
    _, text = await fetch(address)
    ready = await fetch(address.replace("/metrics", "/readyz"))
    alive = await fetch(address.replace("/metrics", "/healthz"))
    process.send_signal(signal.SIGTERM)
    _, errors = await asyncio.wait_for(process.communicate(), LIMIT)
    assert process.returncode == 0, errors
    assert ready == (200, "recording 64 slots\n") and alive[0] == 200
    assert "navien_slots_held 64.0" in text
    assert f'navien_fleet_accounts{{state="recording"}} {ACCOUNTS}.0' in text
    assert f'navien_fleet_heaters{{state="online"}} {ACCOUNTS}.0' in text
    assert "navien_fleet_polls_missed_total 0.0" in text
    password = cloud_settings["FLEET"]
    for account in read_accounts(accounts):
        assert account.email not in text and account.email.encode() not in errors
    assert password not in text and password.encode() not in errors


@pytest.fixture
def open_files() -> Iterator[int]:
    """Lower the limit of open files, as systems do; return what they allow."""
    resource = pytest.importorskip("resource")
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, most))
    yield most
    resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


async def test_a_shard_records_its_part_without_postgresql(
    accounts: Path, cloud_settings: dict[str, str], tmp_path: Path, open_files: int
) -> None:
    file = tmp_path / "history.db"
    words = ("--database", str(file), "--shard", "1/2", *COMMON)
    process = await start(accounts, cloud_settings, *words)
    address = await metrics_url(process)
    if sys.platform == "linux":  # an account needs a connection
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (open_files, open_files)
    mine = sum(account.slot % 2 == 0 for account in read_accounts(accounts))
    assert 0 < mine < ACCOUNTS
    while True:
        _, text = await asyncio.wait_for(fetch(address), LIMIT)
        if f'navien_fleet_heaters{{state="online"}} {mine}.0' in text:
            break
        await asyncio.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), LIMIT)
    assert process.returncode == 0
    with Database(file) as database:
        assert len(HistoryStore(database).heaters()) == mine


@pytest.mark.parametrize(
    ("slots", "shard", "sentence"),
    [
        (None, None, "give --slots"),
        (3, "1/2", "one of both"),
        (None, "3/2", "must be as 2/5"),
        (None, "0/2", "must be as 2/5"),
        (3, None, "--shard"),  # a file has no slots
    ],
)
def test_impossible_divisions_are_refused(
    tmp_path: Path, slots: int | None, shard: str | None, sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        choose_division(str(tmp_path / "history.db"), slots, shard)


async def test_accounts_start_and_end_with_the_file_and_a_refused_one_is_tried_again(
    cloud: BackgroundSimulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLEET", cloud.sim.config.password or "")
    monkeypatch.setenv("WRONG", "not yet")
    file = tmp_path / "fleet.json"

    def name(**variables: str) -> None:
        entries = [{"email": email, "password_env": name} for email, name in variables.items()]
        write_atomically(file, json.dumps({"accounts": entries}).encode())

    one, two = email_of(0), email_of(1)
    name(**{one: "FLEET", two: "WRONG"})
    config = replace(cloud.sim.config, polling_interval=1)
    settings = FleetSettings(config, sign_ins_per_second=100, beat=0.05)
    fleet = Fleet(AccountsFile(file), Shard(str(tmp_path / "history.db"), 1, 1), settings)
    async with serve_fleet_metrics(fleet, "127.0.0.1", 0) as address:
        ready = await fetch(address.replace("/metrics", "/readyz"))
        assert ready == (503, "the database cannot be written\n")
    task = asyncio.ensure_future(fleet.run())

    def states() -> dict[str, str]:
        return {email: state.phase for email, state in fleet.states.items()}

    await wait_for(lambda: states() == {one: "recording", two: "refused"})
    monkeypatch.setenv("WRONG", cloud.sim.config.password or "")
    name(**{two: "WRONG"})
    await wait_for(lambda: states() == {two: "recording"})
    await cancel_and_wait(task)


def test_the_examples_are_accepted() -> None:
    accounts = read_accounts(EXAMPLES / "fleet.json")
    named = [account.password_env for account in accounts if account.password_env]
    for example in ("compose.yaml", "kubernetes.yaml"):
        text = (EXAMPLES / example).read_text("utf-8")
        assert all(name in text for name in ("PGPASSWORD", *named)), example
        words = re.findall(r"^ +- (--\w.*)$", text, re.M)
        assert len(words) == 4
        words = [word.replace("/etc/navien", str(EXAMPLES)) for word in words]
        options = record_command.make_context("record", words).params
        division = choose_division(options["database"], options["slots"], options["shard"])
        assert isinstance(division, HeldSlots)
        replicas = int(re.findall(r"replicas: (\d)", text)[0])
        assert (replicas - 1) * options["slots"] >= SLOTS, "one can be missing"


async def test_what_waits_is_written_at_the_end(
    accounts: Path, cloud: BackgroundSimulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = cloud.sim.config
    monkeypatch.setenv("FLEET", config.password or "")
    file = tmp_path / "history.db"
    with Database(file) as database:
        settings = FleetSettings(replace(config, polling_interval=0.2), sign_ins_per_second=100)
        fleet = Fleet(AccountsFile(accounts), Shard(str(file), 1, 1), settings)
        task = asyncio.ensure_future(fleet.run())
        while not fleet.queue.written:
            await asyncio.sleep(0.02)
        with database.writing():  # others wait for it
            while len(fleet.queue) < ACCOUNTS:
                await asyncio.sleep(0.02)
            waiting = {row.when for row in fleet.queue}
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, LIMIT)
        store = HistoryStore(database)
        stored = {one.ms for heater in store.heaters() for one in store.readings(heater, ())}
        assert {to_ms(when) for when in waiting} <= stored
