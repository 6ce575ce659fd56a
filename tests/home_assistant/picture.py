"""Picture of the heater's page in Home Assistant, by a headless Chromium."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
from processes import until

from client import HomeAssistant

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SIZE = (1200, 1000)


async def take_picture(home: HomeAssistant, target: Path) -> None:
    """Write a PNG of the device page; says so when there is no Chromium."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print("no picture: chromium is not installed")
        return
    devices = await home.command("config/device_registry/list")
    (device,) = [one for one in devices if one["manufacturer"] == "Navien"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [browser, "--headless=new", "--disable-gpu", "--no-sandbox", "--hide-scrollbars"]
        command += ["--remote-debugging-port=0", f"--user-data-dir={folder}"]
        command += [f"--window-size={SIZE[0]},{SIZE[1]}", "about:blank"]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process:
            try:
                await _draw(home, Path(folder), f"/config/devices/device/{device['id']}", target)
            finally:
                process.terminate()


async def _draw(home: HomeAssistant, folder: Path, page: str, target: Path) -> None:
    port_file = folder / "DevToolsActivePort"
    await until("chromium is ready", lambda: port_file.exists() and "\n" in port_file.read_text())
    port = port_file.read_text().split()[0]
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/json") as response:
            pages = [one for one in await response.json() if one["type"] == "page"]
        async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            numbers = itertools.count(1)

            async def send(method: str, **parameters: Any) -> Any:
                number = next(numbers)
                await socket.send_json({"id": number, "method": method, "params": parameters})
                while (answer := await socket.receive_json()).get("id") != number:
                    pass
                return answer.get("result")

            width, height = SIZE
            await send(
                "Emulation.setDeviceMetricsOverride",
                width=width,
                height=height,
                deviceScaleFactor=1,
                mobile=False,
            )
            await send("Page.navigate", url=f"{home.url}/manifest.json")
            await asyncio.sleep(2)
            tokens = {**home.tokens, "hassUrl": home.url, "clientId": f"{home.url}/"}
            tokens["expires"] = 9999999999999
            value = json.dumps(json.dumps(tokens))
            await send("Runtime.evaluate", expression=f"localStorage.hassTokens = {value}")
            await send("Page.navigate", url=home.url + page)
            await asyncio.sleep(20)  # the page has no event that says that it is drawn
            shot = await send("Page.captureScreenshot", format="png")
            target.write_bytes(base64.b64decode(shot["data"]))
