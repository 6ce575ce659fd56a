"""Program that uses a client for everything and reports calls that block the event loop.

``test_embedding.py`` runs it with the simulator's address in the environment; the arguments are the
session file and settings as JSON. Prints the blocking calls as JSON: the call, the line of the
package that made it, and its first argument.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import navien_nwp500
from navien_nwp500 import NaviLinkClient, NaviLinkConfig

PACKAGE = Path(navien_nwp500.__file__).parent
#: Audit events of calls that may wait for a disk, a resolver or another program.
BLOCKING = {
    *("open", "import", "time.sleep", "subprocess.Popen", "os.system", "os.listdir", "os.scandir"),
    *("os.mkdir", "os.remove", "os.rename", "tempfile.mkstemp", "glob.glob", "shutil.move"),
    *("socket.getaddrinfo", "socket.gethostbyname", "socket.getnameinfo", "socket.connect"),
}

#: Seconds. Far longer than any callback takes, also on a busy machine.
SLOW = 1.0


class BlockingCallRecorder:
    """Record calls that block the thread of its creation, between ``begin`` and ``end``."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self._thread = threading.get_ident()
        self._on = False
        sys.addaudithook(self._on_audit_event)

    def begin(self) -> None:
        self._on = True

    def end(self) -> None:
        self._on = False

    def _on_audit_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on or event not in BLOCKING or threading.get_ident() != self._thread:
            return
        if event == "socket.connect" and arguments[0].gettimeout() == 0:
            return  # does not block
        self._on = False  # reading the stack may open files
        stack = traceback.extract_stack(limit=60)
        ours = [frame for frame in stack if PACKAGE in Path(frame.filename).parents]
        line = (
            f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
            if ours
            else "no line of the package"
        )
        self.found.setdefault(f"{event} by {line}", str(arguments[0]))
        self._on = True


async def use_client(config: NaviLinkConfig) -> None:
    """Sign in, list heaters, read, watch, send a command and close."""
    async with NaviLinkClient(config) as client:
        if config.password is not None:
            await client.authenticate()
        device = (await client.get_devices())[0]
        await device.get_status()
        statuses = device.watch(interval=0.2)
        for _ in range(3):
            await statuses.__anext__()
        await statuses.aclose()
        await device.set_temperature(celsius=50)
        await device.get_reservations()
        await device.get_energy_daily(2024, 1)
        await client.auth.measure_skew()


async def record_blocking_calls(config: NaviLinkConfig, recorder: BlockingCallRecorder) -> None:
    """Use a client twice: signed in with the password, then with the saved session."""
    # Loads what asyncio needs for its first thread and name.
    await asyncio.get_running_loop().run_in_executor(None, "a.b".encode, "idna")
    recorder.begin()
    await use_client(config)
    await use_client(replace(config, password=None))
    recorder.end()


async def use_client_in_debug_mode(config: NaviLinkConfig) -> None:
    """Use a client while asyncio reports slow callbacks and calls from other threads on stderr."""
    asyncio.get_running_loop().slow_callback_duration = SLOW
    await use_client(config)


def main() -> None:
    config = NaviLinkConfig.from_environment(
        session_file=Path(sys.argv[1]), command_interval=0.1, **json.loads(sys.argv[2])
    )
    recorder = BlockingCallRecorder()
    asyncio.run(record_blocking_calls(config, recorder))
    asyncio.run(use_client_in_debug_mode(config), debug=True)
    print(json.dumps(recorder.found, indent=1))


if __name__ == "__main__":
    main()
