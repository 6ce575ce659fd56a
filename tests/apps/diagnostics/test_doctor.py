"""``doctor`` with each step broken: the failed step, its cause and the advice."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import io
import json
import socket
import sqlite3
import ssl
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, AsyncIterator, Iterator

import pytest
import trustme

from navien_nwp500 import NaviLinkConfig, exceptions
from navien_nwp500.apps.cli.commands.doctor import format_finding
from navien_nwp500.apps.diagnostics import advice, network
from navien_nwp500.apps.diagnostics.checks import RECORDING, STEPS, Finding, State, diagnose
from navien_nwp500.exceptions import NaviLinkError
from navien_nwp500.history.csv_format import COLUMNS
from navien_nwp500.history.database import Database
from navien_nwp500.history.schema import to_ms
from navien_nwp500.history.store import HistoryStore, Reading, ReadingSource
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.faults import (
    ChangeFields,
    DropMessages,
    Fault,
    ForbidTopics,
    HeaterOffline,
    Maintenance,
    RefuseRequests,
    RestFault,
    RevokeCredentials,
    ShortLifetimes,
    WrongClock,
)
from support.cli import run
from support.reliability_tools import LIMIT, SHORT_TIMEOUT, fast_config
from support.stream_server import stream_server


async def check(config: NaviLinkConfig, **options: Any) -> dict[str, Finding]:
    return {finding.step: finding async for finding in diagnose(config, **options)}


def first_failure(found: dict[str, Finding]) -> Finding:
    """The first step that failed."""
    return next(finding for finding in found.values() if finding.state is State.FAILED)


def not_tried(found: dict[str, Finding]) -> set[str]:
    return {name for name, one in found.items() if one.state is State.NOT_TRIED}


#: Steps that are not tried when this step fails.
NOT_TRIED_AFTER = {
    "signature": {"CONNACK", "subscription", "features", "status"},
    "CONNACK": {"subscription", "features", "status"},
    "subscription": {"features", "status"},
    "online": {"features", "status"},
    "features": {"status"},
    "status": set(),
}


async def test_json_output_is_one_document(sim: Simulator, tmp_path: Path) -> None:
    sim.faults.inject(RefuseRequests(where="mqtt", status=403))
    code, out, err = await run(tmp_path, "doctor", "--json", **sim.environment)
    assert (code, err) == (1, "navien-nwp500: the connection check failed at: signature\n")
    steps = json.loads(out)["steps"]
    assert [step["step"] for step in steps] == [step.name for step in STEPS]
    by_name = {step["step"]: step for step in steps}
    assert by_name["signature"]["state"] == "failed" and "403" in by_name["signature"]["why"]
    assert by_name["status"]["state"] == "not tried"


NO_HEATER = json.dumps({"code": 200, "msg": "SUCCESS", "data": []}).encode()


@pytest.mark.parametrize(
    ("path", "fault", "step", "why", "do"),
    [
        ("/user/sign-in", RestFault.error(429, "slow down"), "sign-in", "Too many", "15 minutes"),
        ("/user/sign-in", RestFault(502, b"<html>"), "sign-in", "not the reason", "Wait"),
        ("/user/sign-in", RestFault(307), "sign-in", "redirects to another", "NAVILINK_BASE_URL"),
        ("/device/list", RestFault.error(403, "no"), "token", "does not allow", "app"),
        ("/device/list", RestFault(200, b"<html>"), "token", "unknown format", "update"),
        ("/device/list", RestFault(200, NO_HEATER), "heater", "no NWP500", "devices"),
    ],
)
async def test_a_failed_rest_call_is_named_with_advice(
    sim: Simulator, path: str, fault: RestFault, step: str, why: str, do: str
) -> None:
    sim.faults.rest[path] = fault
    found = await check(fast_config(sim))
    failure = first_failure(found)
    assert failure.step == step and why in failure.why and do in failure.do
    assert found["broker TLS"].state is State.PASSED and "status" in not_tried(found)


@pytest.mark.parametrize(
    ("fault", "step", "why", "do"),
    [
        (RefuseRequests(where="rest"), "clock", "was closed", "Try again"),
        (RefuseRequests(where="rest", unanswered=True), "clock", "drops packets", "Try again"),
        (WrongClock(3600), "clock", "more than 5 minutes off", "Set the clock"),
        (RefuseRequests(where="mqtt", status=403), "signature", "403", "Otherwise wait"),
        (ShortLifetimes(aws_keys=0), "signature", "expired early", "wait"),
        (RefuseRequests(where="mqtt"), "CONNACK", "closes the connection", "proxy"),
        (ForbidTopics("cmd/52/+/+/+/res/#"), "subscription", "closes the connection", "app"),
        (HeaterOffline(), "online", "no power", "router"),
        (DropMessages(), "features", "does not respond", "Wait 5 minutes"),
        (ChangeFields(values={"dhwTemperature": None}), "status", "new firmware", "report"),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else None,
)
async def test_the_failed_step_is_named_with_advice(
    sim: Simulator, fault: Fault, step: str, why: str, do: str
) -> None:
    sim.faults.inject(fault)
    limits = {"rest_timeout": LIMIT, "answer_timeout": LIMIT}
    if isinstance(fault, RefuseRequests) and fault.unanswered:
        limits["rest_timeout"] = 0.5
    if isinstance(fault, DropMessages):
        limits["answer_timeout"] = SHORT_TIMEOUT
    found = await check(fast_config(sim, **limits))
    failure = first_failure(found)
    assert failure.step == step and why in failure.why and do in failure.do
    if isinstance(fault, WrongClock):
        assert not_tried(found) == NOT_TRIED_AFTER["signature"]
    elif step != "clock":
        assert not_tried(found) == NOT_TRIED_AFTER[step]
    assert found["broker TLS"].state is State.PASSED


async def test_a_wrong_password_is_reported_and_sent_once(sim: Simulator) -> None:
    found = await check(replace(sim.config, password="other"))
    assert (first_failure(found).step, first_failure(found).fact) == ("sign-in", "rejected")
    assert "NAVILINK_PASSWORD" in first_failure(found).do
    assert sim.counters.passwords == 1


async def test_maintenance_is_a_step_with_the_notice_of_the_cloud(sim: Simulator) -> None:
    assert "newest app 2.04.00" in (await check(fast_config(sim)))["service"].fact
    sim.faults.inject(Maintenance("Back at 4."))
    found = await check(fast_config(sim))
    failure = first_failure(found)
    assert (failure.step, failure.fact) == ("service", "maintenance: Back at 4.")
    assert "Wait" in failure.do and found["status"].state is State.PASSED


async def test_a_cloud_that_does_not_tell_its_app_version_passes(sim: Simulator) -> None:
    sim.faults.rest["/app/version"] = RestFault.error(404, "NOT_FOUND")
    found = await check(fast_config(sim), until="service")
    assert found["service"].state is State.PASSED and "does not tell" in found["service"].fact
    body = {"code": 200, "msg": "SUCCESS", "data": {"appForceVersion": "9.00.00"}}
    sim.faults.rest["/app/version"] = RestFault(200, json.dumps(body).encode())
    assert "Update the library" in (await check(fast_config(sim), until="service"))["service"].why


async def test_errors_and_other_devices_are_told_with_advice() -> None:
    async with Simulator(speed=600, other_devices=(1, 1, 8)) as sim:
        sim.set_error(799)
        found = await check(fast_config(sim))
        assert {finding.state for finding in found.values()} == {State.PASSED}
        remark = found["heater"].why
        assert "2 of type 1, a tankless unit or boiler; 1 of type 8, a hydronic unit" in remark
        assert "E799 water leak" in remark and "Close the water supply" in remark
        assert "The heater reports E799" in found["status"].why
        await sim.unplug()
        found = await check(fast_config(sim))
        assert first_failure(found).step == "online" and "E799" in found["heater"].why


@pytest.mark.parametrize("wanted", [None, "device 1", "0223456789ab"])
async def test_an_account_with_other_devices_alone_is_explained(wanted: str | None) -> None:
    async with Simulator(speed=600, heaters=0, other_devices=(1,)) as sim:
        failure = first_failure(await check(fast_config(sim), device=wanted))
    assert (failure.step, failure.fact) == (
        "heater",
        "not supported: 1 of type 1, a tankless unit or boiler",
    )
    assert "sends it nothing" in failure.why and "NaviLink app" in failure.do


async def test_air_outside_the_limits_and_a_full_filter_are_told(sim: Simulator) -> None:
    sim.faults.inject(ChangeFields(values={"ambientTemperature": 41, "airFilterAlarmPeriod": 300}))
    remark = (await check(fast_config(sim)))["status"].why
    assert "4.1 °C" in remark and "Operation Prevention in Progress" in remark
    assert "set air-filter-reset" in remark


async def test_an_unplugged_heater_is_offline_and_other_steps_pass(sim: Simulator) -> None:
    await sim.unplug()
    found = await check(fast_config(sim))
    assert first_failure(found).step == "online" and found["subscription"].state is State.PASSED


async def test_credentials_revoked_during_the_check_are_renewed(sim: Simulator) -> None:
    states = []
    async for finding in diagnose(fast_config(sim)):
        states.append(finding.state)
        if finding.step == "AWS keys":
            sim.faults.inject(RevokeCredentials())
    assert set(states) == {State.PASSED} and len(states) == len(STEPS)


async def test_an_account_without_pushed_updates_is_advised_to_poll() -> None:
    async with Simulator(speed=600, pushes=False) as sim:
        found = await check(fast_config(sim))
    assert {finding.state for finding in found.values()} == {State.PASSED}
    assert "Polling is enough" in found["subscription"].why


async def test_missing_fields_are_named(sim: Simulator) -> None:
    sim.faults.inject(ChangeFields(missing=["tankUpperTemperature"]))
    assert "tank_upper_temperature" in (await check(fast_config(sim)))["status"].why


async def test_a_heater_of_another_mac_is_not_found(sim: Simulator) -> None:
    found = await check(fast_config(sim), device="ba9876543210")
    assert first_failure(found).step == "heater" and "--device" in first_failure(found).do


async def test_the_check_ends_at_the_requested_step(sim: Simulator) -> None:
    found = await check(fast_config(sim), until="AWS keys")
    assert list(found)[-1] == "AWS keys" and sim.counters.connects == 0


# Names and TLS


@contextlib.asynccontextmanager
async def tls_server(trust: ssl.SSLContext | None, silent: bool = False) -> AsyncIterator[int]:
    """Run a server that responds over TLS, without TLS, or never; yield its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if silent:
            await asyncio.Event().wait()
        else:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with stream_server(serve, trust) as port:
        yield port


def certified(name: str, ca_file: Path, **dates: datetime) -> ssl.SSLContext:
    """Return a server context with a certificate for a name; write its authority to a file."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, **dates).configure_cert(context)
    authority.cert_pem.write_to_path(str(ca_file))
    return context


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.fixture
def no_such_name(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return an unknown name; getaddrinfo is replaced, so that tests stay on loopback."""
    original = socket.getaddrinfo

    def lookup(host: Any, *rest: Any, **options: Any) -> Any:
        if host == "nowhere.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return original(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return "nowhere.invalid"


async def test_an_unknown_name_stops_only_dependent_steps(
    sim: Simulator, no_such_name: str
) -> None:
    found = await check(replace(fast_config(sim), websocket_url=f"wss://{no_such_name}/mqtt"))
    assert first_failure(found).step == "broker name" and "DNS" in first_failure(found).why
    assert not_tried(found) == {"broker TLS", "signature"} | NOT_TRIED_AFTER["signature"]
    assert found["online"].state is State.PASSED
    found = await check(replace(fast_config(sim), base_url=f"https://{no_such_name}/api"))
    assert first_failure(found).step == "REST name"
    assert found["broker TLS"].state is State.PASSED
    assert {"REST TLS", "clock", "sign-in", "AWS keys", "signature"} <= not_tried(found)


async def test_an_invalid_name_is_unknown() -> None:
    with pytest.raises(network.UnknownNameError):
        await network.addresses(f"https://{'x' * 64}.example/api")


async def test_a_blocked_name_is_reported(sim: Simulator) -> None:
    found = await check(replace(fast_config(sim), websocket_url="wss://0.0.0.0/mqtt"))
    assert first_failure(found).step == "broker name" and "Pi-hole" in first_failure(found).why


async def test_a_closed_port_is_reported(sim: Simulator) -> None:
    url = f"wss://127.0.0.1:{closed_port()}/mqtt"
    failure = first_failure(await check(replace(fast_config(sim), websocket_url=url)))
    assert (failure.step, failure.fact) == ("broker TLS", "no connection (refused)")
    assert "443" in failure.do


async def test_an_untrusted_authority_is_reported(sim: Simulator, tmp_path: Path) -> None:
    certified("localhost", tmp_path / "other.pem")
    found = await check(replace(fast_config(sim), ca_file=tmp_path / "other.pem"))
    failure = first_failure(found)
    assert failure.step == "REST TLS" and "Unset NAVILINK_CA_FILE" in failure.do
    assert found["broker TLS"].state is State.FAILED
    (tmp_path / "other.pem").write_text("no certificate")
    found = await check(replace(fast_config(sim), ca_file=tmp_path / "other.pem"))
    failure = first_failure(found)
    assert failure.step == "REST TLS" and "NAVILINK_CA_FILE" in failure.why


@pytest.mark.parametrize(
    ("name", "dates", "fact", "why"),
    [
        ("other.example", {}, "another name", "captive portal"),
        ("127.0.0.1", {"not_after": -1}, "no longer valid", "clock is far off"),
        ("127.0.0.1", {"not_before": 1}, "not yet valid", "clock is far off"),
    ],
)
async def test_a_wrong_name_or_date_of_a_certificate_is_reported(
    sim: Simulator, tmp_path: Path, name: str, dates: dict[str, int], fact: str, why: str
) -> None:
    now = datetime.now(timezone.utc)
    when = {"not_before": now - timedelta(days=2), "not_after": now + timedelta(days=9)}
    when.update({end: now + timedelta(days=days) for end, days in dates.items()})
    context = certified(name, tmp_path / "ca.pem", **when)
    async with tls_server(context) as port:
        config = replace(sim.config, base_url=f"https://127.0.0.1:{port}/api")
        found = await check(replace(config, ca_file=tmp_path / "ca.pem"))
    assert first_failure(found).step == "REST TLS"
    assert fact in first_failure(found).fact and why in first_failure(found).why


async def test_a_server_without_tls_or_without_response_is_reported(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tls_server(None) as port:
        found = await check(replace(sim.config, base_url=f"https://127.0.0.1:{port}/api"))
    assert first_failure(found).step == "REST TLS" and "captive portal" in first_failure(found).why
    monkeypatch.setattr(network, "LIMIT", 0.2)
    async with tls_server(None, silent=True) as port:
        found = await check(replace(sim.config, base_url=f"https://127.0.0.1:{port}/api"))
    failure = first_failure(found)
    assert (failure.step, failure.fact) == ("REST TLS", "no response in time")


# The command line


@pytest.mark.parametrize(
    ("variables", "code", "words"),
    [
        ({"NAVILINK_PASSWORD": ""}, 2, "Sign in: navien-nwp500 login"),
        ({"NAVILINK_BASE_URL": "http://joe:word@home.example"}, 2, "NAVILINK_BASE_URL must be an"),
        ({"NAVILINK_PASSWORD": "other"}, 4, "rejects this e-mail or this password"),
        ({"NAVILINK_DEVICE_MAC": "ba9876543210"}, 1, "not among the 1 NWP500"),
    ],
)
async def test_the_exit_code_depends_on_the_kind_of_error(
    sim: Simulator, tmp_path: Path, variables: dict[str, str], code: int, words: str
) -> None:
    ended, out, err = await run(tmp_path, "doctor", **{**sim.environment, **variables})
    assert ended == code and words in out
    assert "joe" not in out + err and "home.example" not in out + err
    assert err.startswith("navien-nwp500: the connection check failed at: ")


async def test_the_exit_code_of_an_offline_heater_is_3(sim: Simulator, tmp_path: Path) -> None:
    sim.faults.inject(HeaterOffline())
    assert (await run(tmp_path, "doctor", **sim.environment))[0] == 3


def test_an_ascii_stream_gets_letters_instead_of_signs() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    drawn = [
        next(iter(format_finding(Finding("clock", state, "fact"), stream)))
        for state in (State.PASSED, State.FAILED, State.NOT_TRIED)
    ]
    assert [line[:2] for line in drawn] == ["ok", "NO", "--"]
    assert "".join(drawn).isascii()


# The CSV file


@pytest.mark.parametrize(
    ("content", "state", "words"),
    [
        (None, State.FAILED, "cannot be read"),
        ("", State.FAILED, "no status"),
        (",".join(COLUMNS) + "\n", State.FAILED, "no status"),
        ("a,b\n1,2\n", State.FAILED, "not a recording"),
        (
            ",".join(COLUMNS) + "\n" + ("1" + "," * (len(COLUMNS) - 1) + "\n") * 3,
            State.PASSED,
            "3 statuses",
        ),
    ],
)
async def test_a_recording_is_checked(
    tmp_path: Path, content: str | None, state: State, words: str
) -> None:
    path = tmp_path / "tank.csv"
    if content is not None:
        path.write_text(content)
    found = await check(NaviLinkConfig(), recording=path)
    assert found[RECORDING.name].state is state and words in found[RECORDING.name].fact
    assert first_failure(found).step == "configuration"
    assert not_tried(found) == {step.name for step in STEPS} - {"configuration"}


# The history


def history(path: Path, age: timedelta | None) -> None:
    with Database(path) as database:
        store = HistoryStore(database)
        heater = store.ensure_heater("0123456789ab")
        if age is not None:
            ms = to_ms(datetime.now(timezone.utc) - age)
            store.add(heater, [Reading(ms, {})], ReadingSource.LIVE)


@pytest.mark.parametrize(
    ("age", "words", "remark"),
    [
        (timedelta(minutes=4, seconds=20), "1 statuses of 1 heater, the last 4 min ago", ""),
        (timedelta(days=3, hours=1), "the last 3 days ago", "Nothing seems to record"),
        (None, "0 statuses", "There is no status in it yet."),
    ],
)
async def test_a_history_is_checked(
    tmp_path: Path, age: timedelta | None, words: str, remark: str
) -> None:
    path = tmp_path / "history.db"
    history(path, age)
    finding = (await check(NaviLinkConfig(), database=str(path)))["database"]
    assert finding.state is State.PASSED, finding
    assert words in finding.fact and remark in finding.why and bool(remark) == bool(finding.why)
    assert str(tmp_path) not in finding.fact


async def test_a_history_that_cannot_be_used_is_a_finding_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.db"
    missing = (await check(NaviLinkConfig(), database=str(path)))["database"]
    assert missing.state is State.FAILED and "monitor --database" in missing.do
    away = "postgresql://planted@127.0.0.1:1/planted"
    unreachable = (await check(NaviLinkConfig(), database=away))["database"]
    assert unreachable.fact == "it cannot be opened or read" and "psql" in unreachable.do
    history(path, None)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '999' WHERE key = 'schema'")
    connection.close()
    newer = (await check(NaviLinkConfig(), database=str(path)))["database"]
    assert "newer version" in newer.fact and "Install that version" in newer.do
    monkeypatch.setattr("navien_nwp500.history.database_state.file_system", lambda path: "nfs4")
    network = (await check(NaviLinkConfig(), database=str(path)))["database"]
    assert network.fact == "it is on a network file system (nfs4)" and "PostgreSQL" in network.do


# The tables


def errors() -> Iterator[NaviLinkError]:
    """Yield one error of each kind that a step could raise."""
    values: dict[str, Any] = {"status_code": 418, "code": 403, "notice": "x", "retry_after": 30}
    for module in (exceptions, network, advice):
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, NaviLinkError):
                required = inspect.getfullargspec(kind.__init__).kwonlyargs
                yield kind("x", **{name: values[name] for name in required if name in values})


def test_every_error_has_advice() -> None:
    assert {step for step, _ in advice.ADVICE} <= {"", *(step.name for step in STEPS)}
    for cause, action in advice.ADVICE.values():
        assert len(cause) > 20 and action.endswith(".")
    general = advice.ADVICE["", NaviLinkError]
    without = {type(one).__name__ for one in errors() if advice.find_advice("", one) is general}
    # Errors that no step raises, because it only reads and has no history, and two base classes.
    assert without == {
        "HistoryError",
        "NaviLinkError",
        "AuthenticationError",
        "DeviceError",
        "UnsupportedCommandError",
        "CommandRejectedError",
        "CommandTooSoonError",
        "ValueOutOfRangeError",
    }


def test_every_step_depends_only_on_earlier_ones() -> None:
    for number, step in enumerate(STEPS):
        assert set(step.needs) <= {earlier.name for earlier in STEPS[:number]}
