"""Nothing tells a secret: known ones are planted, everything runs, everything written is searched."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import platform
import stat
import sys
import traceback
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from navien_nwp500 import DHWMode, NaviLinkClient, NaviLinkConfig, NaviLinkError, ReconnectConfig
from navien_nwp500._connection.session_file import SessionFile
from navien_nwp500.apps.cli.commands.doctor import finding_json, format_finding
from navien_nwp500.apps.diagnostics.checks import Finding, diagnose
from navien_nwp500.history.csv import CsvRecorder
from navien_nwp500.protocol.redaction import FIELD_MASKS, logger, mask_text, mask_values
from navien_nwp500.simulator import Simulator
from navien_nwp500.simulator.cloud.accounts import Location
from navien_nwp500.simulator.faults import (
    ChangeFields,
    DropMessages,
    ForbidTopics,
    HeaterOffline,
    RefuseRequests,
    RestFault,
    WrongClock,
)

PASSWORD = "plantedPassword-77"
SECRETS = {"password": PASSWORD, "e-mail": "user@example.com", "MAC": "0123456789ab"}


def secrets_of(client: NaviLinkClient) -> dict[str, str]:
    tokens, keys = client._auth._tokens, client._auth._aws_credentials
    found = dict(SECRETS)
    if tokens is not None:
        found.update(access=tokens.access_token, refresh=tokens.refresh_token)
    if keys is not None:
        found.update(key=keys.access_key_id, secret=keys.secret_key, session=keys.session_token)
    return found


async def live(client: NaviLinkClient, sim: Simulator, told: io.StringIO, csv: Path) -> None:
    """Go every way there is, the wrong ones too; tell every error and every repr."""

    async def attempt(step: object) -> None:
        try:
            result = await step  # type: ignore[misc]
            told.write(f"{result!r}\n")
        except NaviLinkError as error:
            told.write("".join(traceback.format_exception(type(error), error, error.__traceback__)))

    devices = await client.get_devices()
    device = devices[0]
    mqtt = await device.get_mqtt_connection(ReconnectConfig(initial_delay=0.05, max_delay=0.1))
    await attempt(device.get_status())
    await attempt(device.get_features())
    await attempt(device.get_info())
    await attempt(device.get_tou_info())
    await attempt(device.get_connectivity_status())
    await attempt(device.set_temperature(celsius=20))
    await attempt(device.set_dhw_mode(DHWMode.HEAT_PUMP))
    for status in (429, 500, 502):
        text = f"no {SECRETS['e-mail']} {SECRETS['MAC']}"
        sim.faults.rest["/device/info"] = RestFault.error(status, text, code=status)
        await attempt(device.get_info())
    sim.faults.clear()
    sim._cloud.book.revoke_access_tokens()
    await attempt(device.get_info())
    sim._cloud.book.revoke_keys()
    await sim._cloud.drop_connections()
    await attempt(client._pool.first.wait_connected())
    await sim.unplug()
    await attempt(device.get_status())
    await sim.plug_in()
    await attempt(client.authenticate("user@example.com", PASSWORD + "x"))
    with CsvRecorder(csv) as recorder:
        async for status in device.watch(interval=60):
            recorder.write(status, datetime.now(timezone.utc))
            break
    told.write(f"{client!r} {device!r} {mqtt!r} {client._auth!r} {client._pool.first!r}")
    told.write(f"{device.address!r} {device.info!r} {client.config!r} {device.health!r}")


async def saved(config: NaviLinkConfig, told: io.StringIO) -> None:
    """Tell what can be told of a session file, of one others can read too."""
    assert config.session_file is not None and config.email is not None
    file = SessionFile(config.session_file, config.base_url)
    told.write(f"{file!r} {await file.read(config.email)!r}")
    held = config.session_file.read_text()
    assert PASSWORD not in held and "refresh_token" in held
    if os.name == "posix":
        # It holds secrets by purpose: instead of being free of them it is its owner's alone.
        assert stat.S_IMODE(config.session_file.stat().st_mode) == 0o600
        config.session_file.chmod(0o644)
    for damage in (held, held[:-9], held.replace('"tokens": {', '"tokens": {"expires_at": "x",')):
        config.session_file.write_text(damage)
        told.write(repr(await file.read(config.email)))


async def test_no_secret_is_logged_raised_shown_or_recorded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    told = io.StringIO()
    csv = tmp_path / "tank.csv"
    async with Simulator(speed=600, password=PASSWORD) as sim:
        session_file = tmp_path / "session.json"
        config = replace(
            sim.config, answer_timeout=1.0, command_interval=0.0, session_file=session_file
        )
        async with NaviLinkClient(config) as client:
            await asyncio.wait_for(live(client, sim, told, csv), 60)
            secrets = secrets_of(client)
        await saved(config, told)
    own = [record for record in caplog.records if record.name.startswith("navien_nwp500")]
    logged = "\n".join(logging.Formatter().format(record) for record in own)
    printed = capsys.readouterr()
    for name, secret in secrets.items():
        for where, text in {
            "log": logged,
            "errors and reprs": told.getvalue(),
            "stdout": printed.out,
            "stderr": printed.err,
            "CSV": csv.read_text(),
        }.items():
            assert secret not in text, f"the {name} is in the {where}"
    assert len(own) > 10, "the search has nothing to search"


HOME = {
    "name": "Planted Cellar",
    "place": "1 Planted Street",
    "machine": platform.node() or "nameless",
}


async def test_what_the_doctor_says_can_be_shown_to_anybody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every step fails once, and each says as much as it ever does, also to a machine."""
    caplog.set_level(logging.DEBUG)
    faults = [
        WrongClock(3600),
        RefuseRequests(where="rest"),
        RefuseRequests(where="mqtt", status=403),
        RefuseRequests(where="mqtt"),
        ForbidTopics("cmd/52/+/+/+/res/#"),
        HeaterOffline(),
        DropMessages(),
        ChangeFields(values={"dhwTemperature": None}),
    ]
    seen: list[Finding] = []
    async with Simulator(speed=600, password=PASSWORD) as sim:
        record = sim.units[0].record
        record.device_name, record.location = HOME["name"], Location(address=HOME["place"])
        config = replace(sim.config, answer_timeout=1.0, device_mac=SECRETS["MAC"])
        hosts = {"REST": config.base_url.split("/")[2], "broker": sim._cloud.websocket_url}
        folders = {"folder": str(tmp_path), "certificates": str(config.ca_file)}
        planted = {**SECRETS, **HOME, **hosts, **folders, "serial": record.controller_serial}
        seen += [one async for one in diagnose(config, recording=tmp_path / "absent.csv")]
        for fault in faults:
            sim.faults.inject(fault)
            seen += [finding async for finding in diagnose(config)]
            sim.faults.clear()
        for path in ("/user/sign-in", "/device/list", "/device/info"):
            text = " ".join(planted.values())
            sim.faults.rest[path] = RestFault.error(400, text)
            seen += [finding async for finding in diagnose(config)]
            sim.faults.clear()
        for wrong in ({"password": "x" + PASSWORD}, {"base_url": config.base_url + "1"}):
            seen += [finding async for finding in diagnose(replace(config, **wrong))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAVILINK_CA_FILE", str(tmp_path / "absent.pem"))
        seen += [finding async for finding in diagnose()]
    said = "\n".join(line for one in seen for line in (*format_finding(one, sys.stdout), repr(one)))
    said += json.dumps([finding_json(finding) for finding in seen]) + str(capsys.readouterr())
    for name, value in planted.items():
        assert value not in said, f"the {name} is told"
    failed = {finding.step for finding in seen if finding.error is not None}
    assert failed >= {"configuration", "clock", "sign-in", "token", "signature", "CONNACK"}
    assert failed >= {"subscription", "online", "features", "status", "CSV"}


def test_a_log_record_is_masked_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    try:
        raise ValueError("someone@example.org at 0123456789ab")
    except ValueError:
        logger("navien_nwp500.test").exception("of %s", "12345678AB12345678")
    text = caplog.text
    assert "someone" not in text and "0123456789ab" not in text and "12345678AB" not in text
    assert "ValueError" in text and "***" in text


@pytest.mark.parametrize(
    "secret",
    [
        "user.name+tag@example.co.uk",
        "eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl",
        "ASIAEXAMPLE000000000",
        "0123456789AB",
        "01:23:45:67:89:ab",
        "12345678AB12345678",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEYS",
    ],
)
def test_a_secret_in_running_text_is_masked(secret: str) -> None:
    masked = mask_text(f"before {secret}, after")
    assert secret not in masked and "before" in masked and "after" in masked


def test_a_signed_query_is_masked() -> None:
    masked = mask_text("GET /mqtt?X-Amz-Credential=abc%2Fdef&X-Amz-Signature=0af3 HTTP/1.1")
    assert masked == "GET /mqtt?X-Amz-Credential=***&X-Amz-Signature=*** HTTP/1.1"


def test_values_are_masked_by_their_keys_at_any_depth() -> None:
    body = {"a": [{"macAddress": "aabbccddeeff", "homeSeq": 7, "dhwTemperature": 121}]}
    assert mask_values(body) == {
        "a": [{"macAddress": "0123456789ab", "homeSeq": 10001, "dhwTemperature": 121}]
    }
    for key in FIELD_MASKS:
        assert "private" not in str(mask_values({key: "private"}))


def test_what_is_no_secret_stays_readable() -> None:
    text = "/device/list: the cloud answers 500 INTERNAL_SERVER_ERROR; 2 tries, 1.5 s"
    assert mask_text(text) == text


def test_a_config_masks_what_it_holds() -> None:
    config = NaviLinkConfig(email="user@example.com", password=PASSWORD, device_mac="0123456789ab")
    assert not any(secret in repr(config) + str(config) for secret in SECRETS.values())
