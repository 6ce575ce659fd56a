"""The command ``dashboard`` as a process: its address, its ways to start, its end."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import stat
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import aiohttp
import pytest

pytest.importorskip("sqlalchemy")

from navien_nwp500.apps.dashboard.password_file import is_password
from navien_nwp500.history.database import Database
from navien_nwp500.history.store import HistoryStore
from navien_nwp500.simulator import Simulator
from support.cli import LIMIT, run, start

ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+)/#token=([\w-]{43})\n")


async def request(method: str, url: str, **options: Any) -> tuple[int, Any, SimpleCookie]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        async with session.request(method, url, **options) as answer:
            is_json = answer.content_type == "application/json"
            content = await answer.json() if is_json else await answer.text()
            return answer.status, content, answer.cookies


async def first_line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), LIMIT)).decode()


async def end(process: asyncio.subprocess.Process, number: int) -> tuple[int | None, str, str]:
    process.send_signal(number)
    out, err = await asyncio.wait_for(process.communicate(), LIMIT)
    return process.returncode, out.decode(), err.decode()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals between processes")
async def test_a_dashboard_from_its_address_to_its_end_and_once_more(
    sim: Simulator, tmp_path: Path
) -> None:
    command = ("dashboard", "--interval", "0.2", "--no-browser", "--listen")
    process = await start(tmp_path, *command, "127.0.0.1:0", **sim.environment)
    found = ADDRESS.fullmatch(await first_line(process))
    assert found is not None
    page, token = found.groups()
    place = page.partition("//")[2]
    assert (await request("GET", page))[0] == 200
    url = f"{page}/api/session"
    status, _, cookies = await request("POST", url, json={"token": token})
    assert status == 204
    ((name, cookie),) = cookies.items()
    cookie_header = {"Cookie": f"{name}={cookie.value}"}

    # Another address for another browser.
    code, out, err = await run(tmp_path, "dashboard", "--address", "--listen", place)
    other = ADDRESS.fullmatch(out)
    assert (code, err) == (0, "") and other is not None and other[1] == page
    assert (await request("POST", url, json={"token": other[2]}))[0] == 204

    # An occupied port is an error that names it.
    code, out, err = await run(tmp_path, *command, place, **sim.environment)
    assert (code, out) == (1, "")
    assert place in err and "another program uses this address" in err

    code_, out, err = await end(process, signal.SIGINT)
    assert (code_, out) == (130, "") and "Traceback" not in err
    assert token not in err and cookie.value not in err

    # The session lasts over a restart.
    process = await start(tmp_path, *command, place, **sim.environment)
    assert ADDRESS.fullmatch(await first_line(process))
    status, content, _ = await request("GET", f"{page}/api/heaters", headers=cookie_header)
    assert status == 200 and content["heaters"][0]["name"] == "NWP500"
    code_, out, err = await end(process, signal.SIGTERM)
    assert (code_, out) == (0, "") and "Traceback" not in err
    data = Path(os.environ["XDG_DATA_HOME"]) / "navien-nwp500"
    with Database(data / "history.db") as database:
        store = HistoryStore(database)
        count, _, _ = store.span(store.find_heater())
    assert count > 0
    for path in (data / "dashboard").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_simulated_dashboard_ends_by_itself_and_leaves_nothing(tmp_path: Path) -> None:
    arguments = ("dashboard", "--simulate", "--for", "0.5", "--listen", "127.0.0.1:0")
    code, out, err = await run(tmp_path, *arguments)
    assert code == 0 and ADDRESS.fullmatch(out) and "Ctrl-C" in err
    assert not Path(os.environ["XDG_DATA_HOME"]).exists()


async def test_a_password_is_made_and_used(tmp_path: Path) -> None:
    arguments = ("dashboard", "--new-password", "secret")
    code, out, err = await run(tmp_path, *arguments, typed="correct horse\n")
    assert (code, out, err) == (0, "", "written: secret\n")
    assert is_password("correct horse", (tmp_path / "secret").read_text().strip())
    options = ("--simulate", "--for", "0.1", "--listen", "127.0.0.1:0")
    code, out, _ = await run(tmp_path, "dashboard", *options, "--password-file", "secret")
    assert code == 0 and re.fullmatch(r"http://127\.0\.0\.1:\d+/\n", out), "no token is needed"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("--listen 0.0.0.0:0", "is reached from other machines: add --password-file"),
        ("--listen [::]:0", "is reached from other machines: add --password-file"),
        ("--listen 192.0.2.1:9501", "is reached from other machines"),
        ("--listen nothing", "it must be HOST:PORT"),
        ("--behind-proxy example.org", "it must be the address of the page"),
        ("--password-file README", "is no password file"),
        ("--address --listen 127.0.0.1:0", "the port that the dashboard has printed"),
        ("--new-password short", "it must have 8 to 1024"),
        ("--database mysql://host/name --listen 127.0.0.1:0", "the database must be a file"),
    ],
)
async def test_what_a_person_must_correct_is_told(
    tmp_path: Path, arguments: str, text: str
) -> None:
    (tmp_path / "README").write_text("hello")
    command = ["dashboard", *arguments.split()]
    if "--database" in arguments:
        command.append("--simulate")
    code, out, err = await run(tmp_path, *command, typed="short\n")
    assert (code, out) == (2, "") and text in err.replace("\n", " ")


async def test_a_history_that_is_away_at_the_start_is_an_error(tmp_path: Path) -> None:
    options = ("--simulate", "--listen", "127.0.0.1:0", "--database", "postgresql://127.0.0.1:1/x")
    code, out, err = await run(tmp_path, "dashboard", *options)
    assert (code, out) == (1, "") and "127.0.0.1" in err and "Traceback" not in err
