"""A whole life of a client, in a process of its own, watched for calls that block the loop's thread.

Run by ``test_manners.py`` with the simulator's address in the environment and these words: the
session file, then settings as JSON. Prints what blocked as JSON: the call and the line of the
package that made it, with what it was given.
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

#: Far above what any callback takes, on a machine that does other things too; seconds.
SLOW = 1.0


class Watch:
    """Notes what blocks the thread it was made in, between ``begin`` and ``end``."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self._thread = threading.get_ident()
        self._on = False
        sys.addaudithook(self._on_audit_event)

    def begin(self) -> None:
        self._on = True

    def end(self) -> None:
        self._on = False

    def _on_audit_event(self, event: str, words: tuple[Any, ...]) -> None:
        if not self._on or event not in BLOCKING or threading.get_ident() != self._thread:
            return
        if event == "socket.connect" and words[0].gettimeout() == 0:
            return  # it does not wait
        self._on = False  # finding the line may open files
        stack = traceback.extract_stack(limit=60)
        ours = [frame for frame in stack if PACKAGE in Path(frame.filename).parents]
        line = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "nothing of ours"
        self.found.setdefault(f"{event} by {line}", str(words[0]))
        self._on = True


async def live(config: NaviLinkConfig) -> None:
    """Sign in, list, read, watch, command and close, as a program does."""
    async with NaviLinkClient(config) as client:
        if config.password is not None:
            await client.authenticate()
        device = (await client.get_devices())[0]
        await device.get_status()
        news = device.watch(interval=0.2)
        for _ in range(3):
            await news.__anext__()
        await news.aclose()
        await device.set_temperature(celsius=50)
        await device.get_reservations()
        await device.get_energy_daily(2024, 1)
        await client.auth.measure_skew()


async def live_watched(config: NaviLinkConfig, watch: Watch) -> None:
    """Live twice: signed in with the password, then with the session the file keeps."""
    # What asyncio itself loads at its first use of a thread and of a name.
    await asyncio.get_running_loop().run_in_executor(None, "a.b".encode, "idna")
    watch.begin()
    await live(config)
    await live(replace(config, password=None))
    watch.end()


async def live_debugged(config: NaviLinkConfig) -> None:
    """Live where asyncio complains, on stderr: of slow callbacks and of calls from other threads."""
    asyncio.get_running_loop().slow_callback_duration = SLOW
    await live(config)


def main() -> None:
    config = NaviLinkConfig.from_environment(
        session_file=Path(sys.argv[1]), command_interval=0.1, **json.loads(sys.argv[2])
    )
    watch = Watch()
    asyncio.run(live_watched(config, watch))
    asyncio.run(live_debugged(config), debug=True)
    print(json.dumps(watch.found, indent=1))


if __name__ == "__main__":
    main()
