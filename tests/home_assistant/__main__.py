"""Run the bridge in a real Home Assistant and check what a user sees: ``nox -s home_assistant``.

Starts Home Assistant, mosquitto, the simulated cloud and the bridge on loopback, on ports that the
system chooses, and stops them all at the end. Prints one line for each check. Exit code 1 when a
check fails; the logs are then left in the folder that is printed.

usage: python tests/home_assistant HASS [PICTURE]

HASS is the program ``hass``. PICTURE is a PNG file for a picture of the heater's page, by chromium.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
from checks import CHECKS
from picture import take_picture
from processes import Bench

from client import HomeAssistant

DOCUMENT = Path(__file__).parents[2] / "docs" / "TROUBLESHOOTING.md"


async def run(hass: str, picture: Path | None, folder: Path) -> int:
    """Run all checks; return the number of those that failed. SIGTERM ends it like Ctrl-C."""
    failed, task = 0, asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with Bench(hass, folder, access_rules()) as bench, aiohttp.ClientSession() as session:
        home = HomeAssistant(bench.url, session)
        await home.onboard()
        version = (await home.call("GET", "/api/config"))["version"]
        print(f"Home Assistant {version}", flush=True)
        await home.add_mqtt(bench.broker_port)
        for check in CHECKS:
            if check.__name__ == "every_entity" and picture is not None:
                await take_picture(home, picture)
            begin = time.monotonic()
            try:
                detail, word = await check(bench, home) or "", "passed"
            except (AssertionError, TimeoutError, RuntimeError, aiohttp.ClientError) as error:
                detail, word, failed = f"{type(error).__name__}: {error}", "FAILED", failed + 1
            took = time.monotonic() - begin
            print(f"{word} {took:5.1f} s  {check.__doc__} {detail}".rstrip(), flush=True)
    return failed


def access_rules() -> str:
    """Return the lines of the broker's access list that the document names."""
    text = DOCUMENT.read_text("utf-8")
    found = re.search(r"```text\n(user navien\n.*?)```", text, re.S)
    assert found is not None, "the document has no access list"
    return found[1]


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    picture = Path(sys.argv[2]).absolute() if len(sys.argv) == 3 else None
    folder = Path(tempfile.mkdtemp(prefix="home-assistant-"))
    failed = 1
    try:
        failed = asyncio.run(run(str(Path(sys.argv[1]).absolute()), picture, folder))
    except (asyncio.CancelledError, KeyboardInterrupt):
        print("stopped")
    finally:
        if failed:
            print(f"the logs are in {folder}")
        else:
            shutil.rmtree(folder)
    sys.exit(min(failed, 1))


if __name__ == "__main__":
    main()
