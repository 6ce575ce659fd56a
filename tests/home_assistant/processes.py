"""Programs of the test: Home Assistant, mosquitto, the simulated cloud and the bridge, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Awaitable, Callable, Union

#: Seconds for everything that is waited for; on a busy machine Home Assistant starts in a minute.
LIMIT = 180.0

CONFIGURATION = """\
homeassistant:
  name: Test
  unit_system: metric
  time_zone: UTC
http:
  server_host: 127.0.0.1
  server_port: {port}
api:
recorder:
frontend:
energy:
automation: !include automations.yaml
input_number:
  surplus: {{min: -10000, max: 10000}}
input_boolean:
  schedule:
logger:
  default: warning
"""
#: Steps after the first user: they add integrations that use the internet.
ONBOARDING = {
    "version": 4,
    "minor_version": 1,
    "key": "onboarding",
    "data": {"done": ["core_config", "analytics", "integration"]},
}
#: Password of both users of the broker; it listens on loopback.
PASSWORD = "loopback"


def free_port() -> int:
    """Return a port that is free now; the programs cannot tell one that the system chose."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(
    what: str, condition: Callable[[], Union[bool, Awaitable[bool]]], limit: float = LIMIT
) -> None:
    """Wait until a condition is true. Raises TimeoutError that names it."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit
    while True:
        found = condition()
        if found if isinstance(found, bool) else await found:
            return
        if loop.time() > deadline:
            raise TimeoutError(f"not within {limit:g} s: {what}")
        await asyncio.sleep(0.2)


class Program:
    """A program that can be started several times; its output is appended to a file."""

    def __init__(self, name: str, command: list[str], folder: Path, **env: str) -> None:
        self.log = folder / f"{name}.log"
        self._name, self._command, self._folder = name, command, folder
        self.env = {**os.environ, "PYTHONUNBUFFERED": "1", **env}
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait for the end and return the exit code; kill what does not end."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(None, process.wait, LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise TimeoutError(f"{self._name} did not end after {number.name}") from None

    async def run(self) -> int:
        """Start it and wait until it ends by itself."""
        await self.start()
        assert self._process is not None
        loop = asyncio.get_running_loop()
        code = await loop.run_in_executor(None, self._process.wait, LIMIT)
        self._process = None
        return code

    def text(self) -> str:
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""


class Bench:
    """All programs, while ``async with`` lasts, with their files in one folder."""

    def __init__(self, hass: str, folder: Path, access: str, heaters: int = 1) -> None:
        self.folder = folder
        self.broker_port, self.web_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.web_port}"
        self.config = folder / "config"
        self.account: dict[str, str] = {}
        self._access, self._env_file = access, folder / "simulator.env"
        self._command = [sys.executable, "-m", "navien_nwp500"]
        env = ["--env-file", str(self._env_file), "--heaters", str(heaters)]
        self.simulator = self._program("simulator", "simulate", "--speed", "60", *env)
        self.mosquitto = Program(
            "mosquitto", [_find("mosquitto"), "-c", str(folder / "mosquitto.conf")], folder
        )
        words = [hass, "--config", str(self.config), "--skip-pip", "--log-no-color"]
        self.hass = Program("hass", words, folder)
        self.bridge = self.bridge_with("--interval", "5")

    def _program(self, name: str, *words: str, **env: str) -> Program:
        return Program(name, [*self._command, *words], self.folder, **env)

    def bridge_with(self, *words: str, name: str = "bridge") -> Program:
        """Return a bridge with further options."""
        broker = ["--broker", f"mqtt://navien@127.0.0.1:{self.broker_port}"]
        env = {**self.account, "MQTT_PASSWORD": PASSWORD}
        return self._program(name, "bridge", "mqtt", *broker, *words, **env)

    async def __aenter__(self) -> Bench:
        self._write_files()
        try:
            await self.simulator.start()
            await until("the simulator is ready", self._env_file.exists)
            # The bridge and the example integration read the account from their environment.
            lines = self._env_file.read_text("utf-8").splitlines()
            self.account = dict(line.split("=", 1) for line in lines)
            self.hass.env.update(self.account)
            self.bridge.env.update(self.account)
            await self.start_mosquitto()
            await self.hass.start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def _stop(self) -> None:
        for program in (self.bridge, self.hass, self.mosquitto, self.simulator):
            with contextlib.suppress(TimeoutError):
                await program.stop()

    async def start_mosquitto(self) -> None:
        await self.mosquitto.start()
        await until("mosquitto listens", self._listens)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.broker_port)) == 0

    def _write_files(self) -> None:
        passwords, access = self.folder / "passwords", self.folder / "access"
        passwords.touch(0o600)
        for user in ("navien", "homeassistant"):
            command = [_find("mosquitto_passwd"), "-b", str(passwords), user, PASSWORD]
            subprocess.run(command, check=True, capture_output=True)
        access.write_text(f"user homeassistant\ntopic readwrite #\n\n{self._access}\n", "utf-8")
        access.chmod(0o600)
        lines = [
            f"listener {self.broker_port} 127.0.0.1",
            f"password_file {passwords}",
            f"acl_file {access}",
            "persistence true",
            "autosave_on_changes true",
            f"persistence_location {self.folder}/",
        ]
        if os.geteuid() == 0:  # else it changes to a user that may not read the folder
            lines.append("user root")
        (self.folder / "mosquitto.conf").write_text("\n".join([*lines, ""]), "utf-8")
        self.config.mkdir()
        text = CONFIGURATION.format(port=self.web_port)
        (self.config / "configuration.yaml").write_text(text, "utf-8")
        (self.config / "automations.yaml").write_text("[]\n", "utf-8")
        storage = self.config / ".storage"
        storage.mkdir()
        (storage / "onboarding").write_text(json.dumps(ONBOARDING), "utf-8")
        blueprints = self.config / "blueprints" / "automation" / "navien_nwp500"
        blueprints.mkdir(parents=True)
        examples = Path(__file__).parents[2] / "examples"
        for path in (examples / "home_assistant").glob("*.yaml"):
            shutil.copy(path, blueprints)
        integration = examples / "embedding" / "navien_example"
        ignored = shutil.ignore_patterns("__pycache__")
        target = self.config / "custom_components" / integration.name
        shutil.copytree(integration, target, ignore=ignored)


def _find(program: str) -> str:
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        sys.exit(f"{program} is not installed: apt-get install mosquitto")
    return found
