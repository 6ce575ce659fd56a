"""Tests of the library inside a program of somebody else."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

from navien_nwp500 import DeviceStatus, NaviLinkClient, NaviLinkConfig
from navien_nwp500.simulator import Simulator
from support.programs import start_program
from support.transports import TRANSPORTS, each_transport

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "navien_nwp500"
LIMIT = 60.0

#: What makes code, or objects of any class, out of bytes.
RUNNING = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "eval", "exec"}

#: Loads every module of the library and prints what that changed in its process.
IMPORT_ALL = """
import logging, os, pkgutil, signal, sys, threading, warnings
from importlib import import_module

written = []
def hear(event, words):
    if event == "open" and isinstance(words[1], str) and set(words[1]) & set("wax+"):
        written.append(str(words[0]))
    if event in ("os.mkdir", "os.putenv", "os.unsetenv", "socket.__new__", "subprocess.Popen"):
        written.append(event)

def state():
    root = logging.getLogger()
    return (
        threading.active_count(), dict(os.environ), os.getcwd(),
        root.level, list(root.handlers), logging.root.manager.disable, sys.excepthook,
        [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        list(warnings.filters),
    )

import aiohttp.web, aiomqtt, awscrt.mqtt, awsiot.mqtt_connection_builder  # what they do is theirs
import pytest  # before Python 3.11 it brings one that prints groups of exceptions
before = state()
sys.addaudithook(hear)
import navien_nwp500
names = [found.name for found in pkgutil.walk_packages(navien_nwp500.__path__, "navien_nwp500.")]
for name in names:
    if not name.startswith(("navien_nwp500.analysis", "navien_nwp500.apps.report", "navien_nwp500.history.recordings", "navien_nwp500.__main__")):
        import_module(name)
assert len(names) > 80
changed = [(old, new) for old, new in zip(before, state()) if old != new]
assert not changed, changed
assert not written, written
for name, one in logging.root.manager.loggerDict.items():
    if name.startswith("navien_nwp500") and isinstance(one, logging.Logger):
        assert one.level == logging.NOTSET and one.propagate, name
        assert all(isinstance(handler, logging.NullHandler) for handler in one.handlers), name
"""


@each_transport
async def test_no_call_blocks_the_event_loop(
    transport: str, sim: Simulator, tmp_path: Path
) -> None:
    path, words = [str(ROOT), *sys.path], [
        str(tmp_path / "s.json"),
        json.dumps(TRANSPORTS[transport]),
    ]
    process = await start_program(
        *(
            sys.executable,
            "-W",
            "error",
            str(ROOT / "tests" / "support" / "client_lifecycle.py"),
            *words,
        ),
        env={**os.environ, **sim.environment, "PYTHONPATH": os.pathsep.join(path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), LIMIT)
    assert (process.returncode, err.decode()) == (0, "")
    assert json.loads(out) == {}


@each_transport
async def test_callbacks_are_called_in_the_loop_that_waits_for_them(
    transport: str, client: NaviLinkClient
) -> None:
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    heard: list[tuple[int, bool]] = []

    def hear(_: DeviceStatus) -> None:
        heard.append((threading.get_ident(), asyncio.get_running_loop() is loop))
        came.set()  # safe in this thread alone

    line = await (await client.get_devices())[0].get_mqtt_connection()
    await line.connect()
    line.set_status_callback(hear)
    monitoring = asyncio.ensure_future(line.start_monitoring(polling_interval=0.1))
    while len(heard) < 3:
        came.clear()
        await came.wait()
    monitoring.cancel()
    await asyncio.wait({monitoring})
    assert set(heard) == {(threading.get_ident(), True)}


async def test_two_clients_in_one_process_share_nothing(tmp_path: Path) -> None:
    """Other authorities, accounts, versions of MQTT, ways and session files, at the same time."""
    async with Simulator(speed=600) as one, Simulator(speed=600, accounts=2) as two:
        other = two._cloud.accounts[1]
        configs = [
            replace(one.config, mqtt_protocol="MQTT3", session_file=tmp_path / "1"),
            replace(two.config, mqtt_protocol="MQTT5", session_file=tmp_path / "2"),
            replace(two.config, email=other.email, transport="pure", session_file=tmp_path / "3"),
        ]
        one.units[0].heater.set_error_code(517)
        two.units[0].heater.set_error_code(407)
        two.units[1].heater.set_error_code(595)
        assert await asyncio.gather(*map(faults_of, configs)) == [[517] * 3, [407] * 3, [595] * 3]
        kept = [json.loads((tmp_path / name).read_text()) for name in "123"]
    assert [entry["email"] for entry in kept] == [config.email for config in configs]
    assert len({entry["tokens"]["access_token"] for entry in kept}) == 3


async def faults_of(config: NaviLinkConfig) -> list[int]:
    async with NaviLinkClient(config) as client:
        device = (await client.get_devices())[0]
        return [int((await device.get_status()).error_code) for _ in range(3)]


def test_importing_the_library_changes_nothing_in_its_process(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-B", "-c", IMPORT_ALL],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_unpickled_or_evaluated() -> None:
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                names = [node.func.id] if node.func.id in {"eval", "exec"} else []
            else:
                continue
            found += [(path.name, name) for name in names if name.split(".")[0] in RUNNING]
    assert found == []
