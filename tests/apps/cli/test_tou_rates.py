"""Rates of OpenEI: looked up with the owner's key from a server on loopback, listed, saved, used."""

from __future__ import annotations

import json
import re
import threading
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from navien_nwp500.apps.cli import openei
from navien_nwp500.apps.cli.plan_files import read_plan
from support.background_simulator import Invoke

KEY = "secret-KEY-0123456789"


def rate(label: str, **changes: Any) -> dict[str, Any]:
    return {
        "label": label,
        "utility": "Example Light & Power",
        "name": f"Residential {label}",
        "energyratestructure": [[{"rate": 0.2}]],
        **changes,
    }


ANSWER = {
    "items": [
        rate("b2"),
        rate("a1", utility="Another\x1b[31m Utility"),
        rate("old", startdate=1483228800, enddate=1577836800),
        rate("replaced"),
        rate("c3", supersedes="replaced", energyratestructure=[[{"rate": 0.3, "adj": 0.05}]]),
    ]
}


YEARS = (datetime.now(timezone.utc) - datetime(2020, 1, 1, tzinfo=timezone.utc)).days // 365
ENDED = f"(ended 2020-01-01, {YEARS} years ago)"


class OpenEI(ThreadingHTTPServer):
    """Answer each request with ``status`` and ``body``; keep the query of the last one."""

    daemon_threads = False
    status = 200
    body = b""
    query: dict[str, list[str]] = {}


class Handler(BaseHTTPRequestHandler):
    server: OpenEI

    def do_GET(self) -> None:
        self.server.query = parse_qs(urlsplit(self.path).query)
        self.send_response(self.server.status)
        self.send_header("Location", f"http://127.0.0.1:1/?{urlsplit(self.path).query}")
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenEI]:
    with OpenEI(("127.0.0.1", 0), Handler) as server:
        server.body = json.dumps(ANSWER).encode()
        monkeypatch.setattr(openei, "URL", f"http://127.0.0.1:{server.server_port}/utility_rates")
        monkeypatch.setenv(openei.KEY, KEY)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_present_rates_are_listed_by_utility(server: OpenEI, invoke: Invoke) -> None:
    code, out, err = invoke("tou rates --zip 12345")
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()[:-1]] == [
        ["Another", "[31m", "Utility"],
        ["a1", "Residential", "a1"],
        ["Example", "Light", "&", "Power"],
        ["b2", "Residential", "b2"],
        ["c3", "Residential", "c3"],
        ["old", "Residential", "old", *ENDED.split()],
    ]
    assert server.query["address"] == ["12345"] and server.query["api_key"] == [KEY]
    code, out, _ = invoke("tou rates --zip 12345 --utility example --json")
    assert code == 0 and [one["label"] for one in json.loads(out)] == ["b2", "c3", "old"]


def test_one_rate_is_saved_and_used(server: OpenEI, invoke: Invoke) -> None:
    command = "tou rates --zip 12345 --utility example --save rate.json"
    code, out, err = invoke(command)
    assert (code, out) == (2, "") and "b2 (Residential b2), c3" in err
    assert not Path("rate.json").exists()
    code, out, err = invoke(f"{command} --rate c3")
    assert (code, out) == (0, "") and "Residential c3 is written to rate.json" in err
    (period,) = read_plan(Path("rate.json")).periods
    assert float(period.price_max) == 0.35
    code, out, err = invoke("tou set rate.json --dry-run")
    assert code == 0 and "0.35 per kWh" in out and "no time zone" in err


def test_a_rate_that_has_ended_is_never_chosen_silently(server: OpenEI, invoke: Invoke) -> None:
    save = "tou rates --zip 12345 --save rate.json"
    server.body = json.dumps({"items": [rate("old", enddate=1577836800)]}).encode()
    code, out, err = invoke(save)
    assert (code, out) == (2, "") and "every rate there has ended (1)" in err
    code, out, err = invoke(f"{save} --rate old")
    assert code == 0 and f"{ENDED} is written" in err
    assert "valid until 2020-01-01" in invoke("tou set rate.json --dry-run")[2]
    present = rate("new", startdate=1483228800)
    server.body = json.dumps({"items": [rate("old", enddate=1577836800), present]}).encode()
    code, out, err = invoke(save)
    assert code == 0 and "Residential new  (since 2017-01-01) is written" in err


@pytest.mark.parametrize(
    ("status", "body", "code", "message"),
    [
        (403, b"{}", 2, "rejects the key in OPENEI_API_KEY"),
        (429, b"", 1, "no more requests"),
        (500, b"", 1, "HTTP status 500"),
        (302, b"", 1, "HTTP status 302"),
        (200, b"<html>", 1, "not JSON"),
        (200, b"[" * 100_000, 1, "not JSON"),
        (200, b"[]", 1, "no list of rates"),
        (200, json.dumps({"error": {"message": f"bad key {KEY}"}}).encode(), 1, "bad key [*]{3}"),
        (200, b'{"items": []}', 2, "no rate for homes there"),
        (200, b'{"inputs": {}}', 2, "no rate for homes there"),
        (200, b'{"items": [], "error": {"message": "over limit"}}', 1, "over limit"),
    ],
)
def test_what_openei_may_answer_instead(
    server: OpenEI, invoke: Invoke, status: int, body: bytes, code: int, message: str
) -> None:
    server.status, server.body = status, body
    found, out, err = invoke("tou rates --zip 12345")
    assert (found, out) == (code, "") and len(err.splitlines()) == 1
    assert re.search(message, err) and KEY not in err


def test_without_a_network_a_key_or_a_zip_code(
    server: OpenEI,
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(openei, "MAX_BYTES", 100)
    assert "larger than" in invoke("tou rates --zip 12345")[2]
    monkeypatch.setattr(openei, "URL", "http://127.0.0.1:1/utility_rates")
    monkeypatch.setenv("NAVILINK_LOG_LEVEL", "DEBUG")
    code, _, err = invoke("tou rates --zip 12345")
    assert code == 1 and "OpenEI cannot be reached: it refuses the connection" in err
    assert KEY not in err + caplog.text
    code, _, err = invoke("tou rates --zip 1234")
    assert code == 2 and "five digits" in err
    monkeypatch.delenv(openei.KEY)
    code, _, err = invoke("tou rates --zip 12345")
    assert code == 2 and "needs a key of OpenEI" in err
    Path(".env").write_text(f"{openei.KEY}={KEY}\n")
    assert openei.openei_key() == KEY
