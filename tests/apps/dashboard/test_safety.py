"""Every promise of docs/DASHBOARD.md about safety, against a running dashboard."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sqlite3
from pathlib import Path
from typing import Any, AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

pytest.importorskip("sqlalchemy")

from navien_nwp500.apps.dashboard import attempt_limit, password_file
from navien_nwp500.apps.dashboard.api import DashboardSettings
from navien_nwp500.apps.dashboard.request_checks import PublicPlace
from navien_nwp500.apps.dashboard.web_server import BODY_BYTES
from navien_nwp500.exceptions import ConfigurationError
from support.cli import LIMIT
from support.served_dashboard import LOCAL, Bench, command, get, open_bench, read_to_end, send

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: Every path that needs a session, with the methods it takes.
GUARDED = [
    ("GET", "/api/heaters"),
    ("GET", "/api/live"),
    *(("GET", f"/api/heaters/1/{name}") for name in ("now", "series", "periods", "runs", "events")),
    ("GET", "/api/heaters/1/csv?from=1&to=2"),
    ("POST", "/api/heaters/1/commands"),
    ("GET", f"/api/heaters/1/commands/{'0' * 8}-0000-4000-8000-{'0' * 12}"),
]


@pytest_asyncio.fixture(name="bench", scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    async with open_bench(tmp_path_factory.mktemp("safety")) as bench:
        yield bench


@pytest.fixture(autouse=True)
def quick_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tests of a module sign in more often than a person."""
    monkeypatch.setattr(attempt_limit, "ATTEMPTS", 1000)
    monkeypatch.setattr(attempt_limit, "ATTEMPTS_OF_ALL", 1000)


async def code_of(answer: aiohttp.ClientResponse) -> tuple[int, str]:
    content = await answer.json()
    assert set(content) == {"error"} and len(content["error"]["text"]) > 10
    return answer.status, content["error"]["code"]


# Sign-in


@pytest.mark.parametrize(("method", "path"), GUARDED, ids=lambda one: one.replace("/api/", ""))
@pytest.mark.parametrize("cookie", ["", "x" * 43, "../../etc/passwd"])
async def test_without_a_session_nothing_is_answered(
    bench: Bench, method: str, path: str, cookie: str
) -> None:
    name = f"navien_nwp500_{bench.url.rpartition(':')[2]}"
    async with bench.visitor(headers={"Cookie": f"{name}={cookie}"}) as visitor:
        body = command("power", on=False) if method == "POST" else None
        async with visitor.request(method, path, json=body) as answer:
            assert await code_of(answer) == (401, "sign_in")


async def test_a_token_is_exchanged_once_for_a_cookie_that_scripts_cannot_read(
    bench: Bench,
) -> None:
    token = bench.access.new_token()
    async with bench.visitor() as visitor:
        assert not (await get(visitor, "/api/about"))["signed_in"]
        async with visitor.post("/api/session", json={"token": token}) as answer:
            assert answer.status == 204
            cookie = answer.headers["Set-Cookie"]
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
        assert "Secure" not in cookie, "http on loopback"
        assert int(re.search(r"Max-Age=(\d+)", cookie)[1]) > 7 * 86400  # type: ignore[index]
        assert (await get(visitor, "/api/about"))["signed_in"]
    async with bench.visitor() as other:
        async with other.post("/api/session", json={"token": token}) as answer:
            assert await code_of(answer) == (401, "sign_in")
            assert "Set-Cookie" not in answer.headers


async def test_signing_out_ends_the_session_and_its_sockets(bench: Bench) -> None:
    async with bench.page() as page, bench.page() as other:
        cookies = list(page.cookie_jar)
        async with page.ws_connect("/api/live") as socket, other.ws_connect("/api/live") as stays:
            closed = asyncio.ensure_future(read_to_end(socket))
            async with page.delete("/api/session") as answer:
                assert answer.status == 204
            assert (await asyncio.wait_for(closed, LIMIT)).code == 1008
            assert not stays.closed
        await get(other, "/api/heaters")
        # The cookie that somebody may have kept serves nobody.
        header = {"Cookie": f"{cookies[0].key}={cookies[0].value}"}
        async with bench.visitor(headers=header) as thief:
            async with thief.get("/api/heaters") as answer:
                assert answer.status == 401


async def test_attempts_to_sign_in_are_limited(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt_limit, "ATTEMPTS", 3)
    monkeypatch.setattr(attempt_limit, "SECONDS", 600.0)
    async with bench.visitor() as visitor:
        answers = []
        for _ in range(6):
            async with visitor.post("/api/session", json={"token": "wrong"}) as answer:
                answers.append((answer.status, answer.headers.get("Retry-After")))
        async with visitor.post("/api/session", json={"token": bench.access.new_token()}) as answer:
            assert await code_of(answer) == (429, "too_many_attempts"), "not even the right one"
    assert [status for status, _ in answers[-3:]] == [429] * 3
    assert all(1 <= int(after or 0) <= 600 * 1000 for _, after in answers[-3:])
    monkeypatch.setattr(attempt_limit, "ATTEMPTS", 1000)
    async with bench.page():  # forgives the attempts
        pass


# Other pages


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil", ""]
)
async def test_a_name_that_leads_here_is_not_answered(bench: Bench, host: str) -> None:
    for path in ("/", "/static/app.js", "/api/about", "/api/heaters", "/nothing"):
        async with bench.page() as page, page.get(path, headers={"Host": host}) as answer:
            assert await code_of(answer) == (421, "wrong_name")


@pytest.mark.parametrize(
    "host", ["localhost:{port}", "127.0.0.1:{port}", "[::1]:{port}", "10.1.2.3"]
)
async def test_addresses_and_localhost_are_answered(bench: Bench, host: str) -> None:
    name = host.format(port=bench.url.rpartition(":")[2])
    async with bench.visitor() as visitor:
        async with visitor.get("/api/about", headers={"Host": name}) as answer:
            assert answer.status == 200


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "null"},
    {"Origin": "https://127.0.0.1:{port}"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda one: " ".join(*one.items()))
async def test_a_foreign_page_changes_nothing_and_opens_no_socket(
    bench: Bench, headers: dict[str, str]
) -> None:
    port = bench.url.rpartition(":")[2]
    headers = {name: value.format(port=port) for name, value in headers.items()}
    before = bench.heater.now_json()["status"]["setpoint_c"]
    async with bench.page() as page:
        body = command("temperature", celsius=before + 1)
        for request in (
            page.post("/api/heaters/1/commands", json=body, headers=headers),
            page.post("/api/session", json={"token": "x"}, headers=headers),
            page.delete("/api/session", headers=headers),
        ):
            async with request as answer:
                assert await code_of(answer) == (403, "foreign_page")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await page.ws_connect("/api/live", headers=headers)
        assert refused.value.status == 403
        async with page.get(f"/api/heaters/1/commands/{body['id']}") as answer:
            assert answer.status == 404, "it was never requested"
        await get(page, "/api/heaters")  # still signed in


async def test_a_foreign_page_cannot_load_data(bench: Bench) -> None:
    async with bench.page() as page:
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
        async with page.get("/api/heaters", headers=headers) as answer:
            assert await code_of(answer) == (403, "foreign_page")
        for site in ("same-origin", "none"):
            async with page.get("/api/heaters", headers={"Sec-Fetch-Site": site}) as answer:
                assert answer.status == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
async def test_what_a_form_can_send_is_refused(bench: Bench, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    async with bench.page() as page:
        body = json.dumps(command("power", on=False)).encode()
        for path in ("/api/heaters/1/commands", "/api/session"):
            async with page.post(
                path, data=body, headers=headers, skip_auto_headers=["Content-Type"]
            ) as answer:
                assert await code_of(answer) == (415, "json_only")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/static/app.js", 200),
        ("GET", "/static/nothing.js", 404),
        ("GET", "/nothing", 404),
        ("GET", "/api/about", 200),
        ("GET", "/api/heaters", 200),
        ("GET", "/api/heaters/9/now", 404),
        ("OPTIONS", "/api/heaters", 405),
        ("PUT", "/api/session", 405),
    ],
)
async def test_every_answer_has_the_headers_and_none_invites_other_origins(
    bench: Bench, method: str, path: str, status: int
) -> None:
    async with bench.page() as page:
        json_body = {} if method == "PUT" else None
        headers = {"Content-Type": "application/json"} if method == "OPTIONS" else {}
        async with page.request(method, path, json=json_body, headers=headers) as answer:
            assert answer.status == status
            found = answer.headers
    policy = dict(part.split(" ", 1) for part in found["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in found["Content-Security-Policy"]
    assert found["X-Content-Type-Options"] == "nosniff"
    assert found["Referrer-Policy"] == "no-referrer" and found["X-Frame-Options"] == "DENY"
    assert found["Cross-Origin-Resource-Policy"] == "same-origin"
    assert not [name for name in found if name.lower().startswith("access-control")]
    assert "aiohttp" not in found.get("Server", "")
    if path.startswith("/api"):
        assert found["Cache-Control"] == "no-store"


# Sizes and forms


@pytest.mark.parametrize("path", ["/api/session", "/api/heaters/1/commands"])
async def test_a_large_body_is_refused(bench: Bench, path: str) -> None:
    async with bench.page() as page:
        async with page.post(path, json={"token": "x" * BODY_BYTES}) as answer:
            assert await code_of(answer) == (413, "too_large")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"\xff", b"[" * 9000, b'{"token": 1}', b"{}", b'{"a": "b"}', b"1e999"],
)
async def test_a_body_that_is_no_such_json_is_refused(bench: Bench, body: bytes) -> None:
    async with bench.page() as page:
        kind = {"Content-Type": "application/json"}
        for path in ("/api/session", "/api/heaters/1/commands"):
            async with page.post(path, data=body, headers=kind) as answer:
                assert await code_of(answer) == (400, "bad_request")


# What is written down


async def test_no_secret_is_in_the_page_the_log_or_the_history(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token, wrong = bench.access.new_token(), "wrong-Passw0rd-wrong"
    async with bench.visitor() as visitor:
        for body in ({"token": token}, {"token": token}, {"password": wrong}):
            async with visitor.post("/api/session", json=body) as answer:
                await answer.read()
        cookie = next(iter(visitor.cookie_jar)).value
        await send(visitor, command("temperature", celsius=52))
        async with visitor.get(f"/static/../?token={wrong}") as answer:
            await answer.read()
        pages = [await (await visitor.get(path)).read() for path in ("/", "/static/app.js")]
        heaters = json.dumps(await get(visitor, "/api/heaters"))
    secrets = (token, wrong, cookie, bench.sim.config.password, bench.sim.config.email)
    mac = bench.sim.units[0].record.mac_address
    log = "\n".join(record.getMessage() for record in caplog.records)
    with sqlite3.connect(f"file:{bench.database}?mode=ro", uri=True) as database:
        dump = "\n".join(database.iterdump())
    database.close()
    for secret in secrets:
        assert secret not in log and secret not in dump and secret not in heaters
        assert not any(secret.encode() in page for page in pages)
    assert mac not in heaters + log


# Ways to start


async def test_read_only_offers_no_controls_and_sends_nothing(tmp_path: Path) -> None:
    settings = DashboardSettings(LOCAL, read_only=True)
    async with open_bench(tmp_path, settings=settings) as bench, bench.page() as page:
        assert (await get(page, "/api/about"))["read_only"]
        assert (await get(page, "/api/heaters"))["heaters"][0]["controls"] == []
        async with page.post("/api/heaters/1/commands", json=command("power", on=False)) as answer:
            assert await code_of(answer) == (403, "read_only")
        assert bench.heater.now_json()["status"]["on"]


async def test_with_a_password_one_signs_in_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(password_file, "_P", 1)
    password_file.write_password(tmp_path / "password", "correct horse")
    stored = password_file.read_password_hash(tmp_path / "password")
    settings = DashboardSettings(LOCAL, password_hash=stored)
    async with open_bench(tmp_path, settings=settings) as bench, bench.visitor() as visitor:
        assert (await get(visitor, "/api/about"))["sign_in"] == "password"
        for password, status in (("wrong horse", 401), ("correct horse", 204)):
            async with visitor.post("/api/session", json={"password": password}) as answer:
                assert answer.status == status
        await get(visitor, "/api/heaters")


async def test_without_a_password_none_signs_in(bench: Bench) -> None:
    async with bench.visitor() as visitor:
        for password in ("", "anything"):
            async with visitor.post("/api/session", json={"password": password}) as answer:
                assert await code_of(answer) == (401, "sign_in")


@pytest.mark.parametrize("prefix", ["", "/heater"], ids=["path taken off", "path left"])
async def test_behind_a_named_proxy(tmp_path: Path, prefix: str) -> None:
    place = PublicPlace.behind_proxy("https://example.org/heater/")
    settings = DashboardSettings(place)
    async with open_bench(tmp_path, settings=settings) as bench:
        own: dict[str, Any] = {"Host": "example.org", "Origin": "https://example.org"}
        async with bench.visitor(headers=own) as visitor:
            async with visitor.post(
                f"{prefix}/api/session", json={"token": bench.access.new_token()}
            ) as answer:
                assert answer.status == 204
                cookie = answer.headers["Set-Cookie"]
            assert {"Secure", "Path=/heater/", "SameSite=Strict"} <= set(cookie.split("; "))
            own["Cookie"] = cookie.partition(";")[0]
        async with bench.visitor(headers=own) as page:
            assert (await get(page, f"{prefix}/api/heaters"))["heaters"]
            async with page.get(f"{prefix}/") as answer:
                assert answer.status == 200
            async with page.ws_connect(f"{prefix}/api/live") as socket:
                assert (await socket.receive_json())["type"] == "hello"
            async with page.get("/heater", allow_redirects=False) as answer:
                assert (answer.status, answer.headers["Location"]) == (308, "/heater/")
            for host in (bench.url.partition("//")[2], "localhost", "other.example.org"):
                async with page.get(f"{prefix}/", headers={"Host": host}) as answer:
                    assert await code_of(answer) == (421, "wrong_name")
            foreign = {"Origin": "http://example.org"}
            async with page.delete(f"{prefix}/api/session", headers=foreign) as answer:
                assert await code_of(answer) == (403, "foreign_page")


@pytest.mark.parametrize(
    "url",
    ["", "example.org", "https://", "https://u:p@example.org", "https://example.org/?x",
     "https://example.org/../x y", "ftp://example.org"],
)  # fmt: skip
async def test_another_address_of_a_proxy_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="--behind-proxy"):
        PublicPlace.behind_proxy(url)


async def test_names_of_this_machine_are_answered_to_other_machines() -> None:
    place = PublicPlace.direct(("Pi.fritz.box.",), loopback=False)
    assert place.allows_host("pi.fritz.box:9501") and place.allows_host("192.168.1.20:9501")
    assert not place.allows_host("evil.example:9501") and not place.allows_host("")
    assert not PublicPlace.direct((), loopback=True).allows_host("pi.fritz.box:9501")
