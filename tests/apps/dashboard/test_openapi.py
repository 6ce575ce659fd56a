"""The description of the API: its routes are those of the server, and so are its answers."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import Any, Iterator
from uuid import uuid4

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings

pytest.importorskip("sqlalchemy")

from navien_nwp500.apps.dashboard import api, history_api, live_hub
from navien_nwp500.apps.dashboard.web_server import BODY_BYTES
from navien_nwp500.history.command_log import CommandLog
from navien_nwp500.history.database import Database
from navien_nwp500.history.schema import to_ms
from navien_nwp500.history.store import HistoryStore
from support.dashboard_bench import DAY, LIMIT, MAC, NOW, DashboardBench, write_history

DOCUMENT = json.loads((Path(api.__file__).parent / "openapi.json").read_text("utf-8"))
KNOWN_COMMAND = "01234567-89ab-4cde-8123-456789abcdef"
METHODS = ("get", "post", "delete", "put", "patch")


def operations() -> set[tuple[str, str]]:
    return {
        (method.upper(), path)
        for path, methods in DOCUMENT["paths"].items()
        for method in methods
        if method in METHODS
    }


def test_every_route_is_described_and_every_described_one_exists() -> None:
    class Nothing:
        def __getattr__(self, name: str) -> Any:
            return Nothing()

        def __iter__(self) -> Iterator[Any]:
            return iter(())

    nothing: Any = Nothing()
    routes = api.Api(nothing, nothing, nothing, b"").routes("")
    found = {(one.method, re.sub(r"\{(\w+):.*?\}+(?=/|$)", r"{\1}", one.path)) for one in routes}
    assert found == operations()


def test_limits_in_the_description_are_those_of_the_server() -> None:
    text = json.dumps(DOCUMENT)
    assert f"{BODY_BYTES // 1024} KiB" in text
    (points,) = (
        one["schema"]
        for one in DOCUMENT["paths"]["/api/heaters/{heater}/series"]["get"]["parameters"]
        if one["name"] == "points"
    )
    assert points["maximum"] == history_api.POINTS
    spans = DOCUMENT["components"]["schemas"]["Range"]["properties"]["span"]["enum"]
    assert tuple(spans[:-1]) == history_api.SPANS


@pytest.fixture(name="bench", scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DashboardBench]:
    folder = tmp_path_factory.mktemp("openapi")
    write_history(folder / "history.db")
    with Database(folder / "history.db") as database:
        store = HistoryStore(database)
        options: Any = {"name": "power", "arguments": {"on": True}, "who": "dashboard"}
        CommandLog(store).begin(store.find_heater(MAC), KNOWN_COMMAND, ms=to_ms(NOW), **options)
    with DashboardBench(folder) as bench:
        yield bench


@pytest.fixture(scope="module")
def signed_in(bench: DashboardBench) -> dict[str, str]:
    """Cookies of one sign-in, before a test uses up the attempts that are allowed in a time."""
    import requests

    token = {"token": bench.access.new_token()}
    answer = requests.post(f"{bench.address}api/session", json=token, timeout=LIMIT)
    assert answer.status_code == 204
    return answer.cookies.get_dict()


@lru_cache(maxsize=None)
def described_api() -> Any:
    """Return the API as schemathesis reads its description, which takes it some time."""
    import schemathesis

    return schemathesis.openapi.from_dict(with_known_values(DOCUMENT))


def with_known_values(document: Any) -> Any:
    """Return the description with what exists here: the heater, a recorded day, a command."""
    known = {"heater": 1, "from": to_ms(DAY), "to": to_ms(NOW), "id": KNOWN_COMMAND}
    found = json.loads(json.dumps(document))
    for methods in found["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] in known:
                    parameter["schema"] = {"const": known[parameter["name"]]}
    return found


def described(method: str, path: str, status: int) -> dict[str, Any] | None:
    """Return the schema of an answer, None if it has no content in JSON."""
    answer = DOCUMENT["paths"][path][method.lower()]["responses"][str(status)]
    if "$ref" in answer:
        answer = DOCUMENT["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    schema: dict[str, Any] | None = (
        answer.get("content", {}).get("application/json", {}).get("schema")
    )
    return schema


needs_schemathesis = pytest.mark.skipif(
    find_spec("schemathesis") is None, reason="schemathesis needs Python 3.10"
)


@needs_schemathesis
@pytest.mark.parametrize("operation", sorted(operations()), ids=" ".join)
def test_answers_to_any_request_are_as_described(
    bench: DashboardBench, signed_in: dict[str, str], operation: tuple[str, str]
) -> None:
    """Requests that the description allows, and those with wrong parts, made by schemathesis."""
    import jsonschema_rs
    import requests
    import schemathesis
    from schemathesis.generation import GenerationMode

    method, path = operation
    api_schema = described_api()
    # What the description allows; and, where there is something, what it does not.
    cases = api_schema[path][method].as_strategy(generation_mode=GenerationMode.POSITIVE)
    if "{" in path or method == "POST":
        cases |= api_schema[path][method].as_strategy(generation_mode=GenerationMode.NEGATIVE)
    checks = [
        schemathesis.checks.CHECKS.get_one(name)
        for name in (
            "not_a_server_error",
            "status_code_conformance",
            "content_type_conformance",
            "response_headers_conformance",
            "response_schema_conformance",
        )
    ]
    statuses: set[int] = set()
    with requests.Session() as session:
        if path != "/api/session":
            session.cookies.update(signed_in)

        @settings(max_examples=10, suppress_health_check=list(HealthCheck))
        @given(case=cases)
        def check(case: Any) -> None:
            answer = case.call_and_validate(
                base_url=bench.address.rstrip("/"), session=session, checks=checks
            )

            statuses.add(answer.status_code)
            # Schemathesis tolerates properties that are not described.
            schema = described(method, path, answer.status_code)
            if schema is not None:
                document = {**schema, "components": DOCUMENT["components"]}
                jsonschema_rs.validate(document, answer.json())

        check()
    assert min(statuses) < 300 or path in ("/api/live", "/api/session"), "none was right"


@needs_schemathesis
def test_messages_of_the_socket_are_as_described(
    bench: DashboardBench, signed_in: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import jsonschema_rs

    monkeypatch.setattr(live_hub, "BEAT", 0.05)
    schema = DOCUMENT["components"]["schemas"]["LiveMessage"]
    document = {**schema, "components": DOCUMENT["components"]}
    opened = Event()

    async def receive() -> None:
        missing = {"hello", "now", "beat", "history", "command"}
        origin = {"Origin": bench.address.rstrip("/")}
        async with aiohttp.ClientSession(bench.address, cookies=signed_in, headers=origin) as page:
            async with page.ws_connect("/api/live") as socket:
                opened.set()
                status = 409  # the last command of another test may still run
                while status == 409:
                    body = {"id": str(uuid4()), "command": "power", "arguments": {"on": False}}
                    async with page.post("/api/heaters/1/commands", json=body) as answer:
                        status = answer.status
                while missing:
                    message = await socket.receive_json()
                    jsonschema_rs.validate(document, message)
                    missing.discard(message["type"])

    with ThreadPoolExecutor(1) as thread:
        received = thread.submit(bench.call, receive)
        assert opened.wait(LIMIT)
        bench.advance(minutes=10)
        bench.refresh()
        received.result()
