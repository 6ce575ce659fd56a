"""Prometheus exporter: scraped over HTTP and read by the official parsers."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, AsyncIterator

import aiohttp
import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from navien_nwp500 import NaviLinkClient
from navien_nwp500._util.aio import cancel_and_wait, run_until_first
from navien_nwp500.apps.bridges.follower import Follower
from navien_nwp500.apps.bridges.prometheus import UNITS, serve_metrics
from navien_nwp500.protocol.fields import field_specs
from navien_nwp500.protocol.status import DeviceStatus
from navien_nwp500.protocol.types import Choice
from navien_nwp500.simulator import Simulator
from support.cli import LIMIT, run, start
from support.reliability_tools import FAST_RECONNECT, SHORT_TIMEOUT, fast_config, within_limit

DASHBOARD = Path(__file__).parents[3] / "examples" / "grafana" / "navien-nwp500.json"
OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}


async def scrape(url: str, **headers: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        assert answer.status == 200
        return await answer.text()


async def samples(url: str) -> dict[tuple[str, str], float]:
    """Return values by metric and MAC; of a state set, the active state."""
    found = {}
    for family in text_string_to_metric_families(await scrape(url)):
        for one in family.samples:
            if one.name not in one.labels or one.value:
                found[one.name, one.labels["mac"]] = one.value
    return found


@asynccontextmanager
async def exporting(
    sim: Simulator, interval: float = 0.2, answer_timeout: float = LIMIT
) -> AsyncIterator[str]:
    async with NaviLinkClient(fast_config(sim, answer_timeout=answer_timeout)) as client:
        options: Any = {"answer_timeout": answer_timeout, "energy_interval": 0.5}
        followers = [
            Follower(heater, interval, reconnect=FAST_RECONNECT, **options)
            for heater in await client.get_devices()
        ]
        task = asyncio.ensure_future(run_until_first(*(one.run() for one in followers)))
        try:
            async with serve_metrics(followers, "127.0.0.1", 0) as url:
                yield url
        finally:
            await cancel_and_wait(task)


async def until(
    url: str, metric: str, mac: str, value: float | None = None
) -> dict[tuple[str, str], float]:
    """Wait for this sample, with this value if given; return all samples."""

    async def wait() -> dict[tuple[str, str], float]:
        while True:
            found = await samples(url)
            if (metric, mac) in found and value in (None, found[metric, mac]):
                return found
            await asyncio.sleep(0.01)

    return await within_limit(wait())


FIRST, SECOND = "0123456789ab", "0123456789ac"


async def test_values_are_in_base_units(sim: Simulator) -> None:
    async with exporting(sim) as url:
        found = await until(url, "navien_heat_pump_energy_joules_total", FIRST)
        assert found["navien_heat_pump_energy_joules_total", FIRST] >= 1_266_000 * 3600
        heater = sim.units[0].heater.status()
        assert found["navien_dhw_temperature_setting_celsius", FIRST] == 60.5
        assert 0 <= found["navien_dhw_charge_per_ratio", FIRST] <= 1
        assert found["navien_total_energy_capacity_joules", FIRST] == 5616 * 3600
        assert found["navien_air_filter_alarm_period_seconds", FIRST] == 3_600_000
        assert found["navien_wifi_rssi_dbm", FIRST] == heater.wifi_rssi.dbm < 0
        assert found["navien_heater_info", FIRST] == 1


async def test_both_formats_can_be_parsed(sim: Simulator) -> None:
    async with exporting(sim) as url:
        await until(url, "navien_up", FIRST, 1)
        text = await scrape(url, **OPENMETRICS)
        assert text.endswith("# EOF\n")
        names = [family.name for family in openmetrics.text_string_to_metric_families(text)]
        assert len(names) == len(set(names)) > 100
        assert all(re.fullmatch("navien_[a-z0-9_]+", name) for name in names)


async def test_a_heater_that_does_not_respond_has_no_values() -> None:
    async with (
        Simulator(speed=600, heaters=2) as sim,
        exporting(sim, answer_timeout=SHORT_TIMEOUT) as url,
    ):
        await until(url, "navien_up", FIRST, 1)
        await until(url, "navien_up", SECOND, 1)
        await sim.unplug(1)
        found = await until(url, "navien_up", SECOND, 0)
        exported = {name for name, mac in found if mac == SECOND}
        assert exported == {
            "navien_up",
            "navien_last_status_timestamp_seconds",
            "navien_reconnects_total",
            "navien_bad_messages_total",
            "navien_heater_info",
        }
        assert ("navien_dhw_temperature_celsius", FIRST) in found
        await sim.plug_in(1)
        assert ("navien_comp_use", SECOND) in await until(url, "navien_up", SECOND, 1)


async def test_the_last_error_is_exported_while_the_heater_is_offline(sim: Simulator) -> None:
    async with exporting(sim, answer_timeout=SHORT_TIMEOUT) as url:
        found = await until(url, "navien_up", FIRST, 1)
        # The fan runs meanwhile, in fast time.
        assert 500 < found["navien_air_filter_remaining_seconds", FIRST] / 3600 <= 604
        least, most = (
            found[f"navien_usable_water_{edge}_cubic_meters", FIRST] for edge in ("least", "most")
        )
        assert 0 <= least < most < 0.35
        # The tank of the simulated heater is cold, so it heats.
        ready = [found[f"navien_ready{edge}_seconds", FIRST] for edge in ("_least", "", "_most")]
        assert ready == sorted(ready) and ready[2] >= 300
        assert ("navien_last_error_code", FIRST) not in found  # the cloud reports none
        assert ("navien_error_info", FIRST) not in found
        sim.set_error(799)
        found = await until(url, "navien_last_error_code", FIRST, 799)
        assert ("navien_error_info", FIRST) in found
        assert 'advice="Close the water supply' in await scrape(url)
        await sim.unplug()
        found = await until(url, "navien_up", FIRST, 0)
        assert found["navien_last_error_code", FIRST] == 799
        assert found["navien_last_error_info", FIRST] == 1
        error = sim.units[0].record.error_time
        assert error is not None
        expected = datetime.fromisoformat(error).timestamp()
        assert found["navien_last_error_timestamp_seconds", FIRST] == pytest.approx(expected)
        assert ("navien_error_info", FIRST) not in found


def test_every_field_type_has_a_unit() -> None:
    for spec in field_specs(DeviceStatus):
        known = issubclass(spec.codec, Choice) or any(one in UNITS for one in spec.codec.__mro__)
        assert known, spec.name


async def test_the_dashboard_queries_existing_metrics(sim: Simulator) -> None:
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    queries += [one["query"] for one in dashboard["templating"]["list"] if one["type"] == "query"]
    queried = {name for query in queries for name in re.findall(r"\bnavien_\w+", query)}
    async with exporting(sim) as url:
        found = await until(url, "navien_heat_pump_energy_joules_total", FIRST)
    exported = {name for name, _ in found}
    assert len(queried) > 10 and queried <= exported
    identities = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(identities)) == len(identities)


async def test_the_command_prints_its_url_and_ends_at_sigterm(
    sim: Simulator, tmp_path: Path
) -> None:
    words = ("bridge", "prometheus", "--interval", "0.2", "--listen", "127.0.0.1:0")
    process = await start(tmp_path, *words, **sim.environment)
    try:
        assert process.stderr is not None
        line = (await asyncio.wait_for(process.stderr.readline(), LIMIT)).decode()
        url = line.rpartition(" ")[2].strip()
        await until(url, "navien_up", FIRST, 1)
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = await within_limit(process.communicate())
    assert process.returncode == 0 and b"Traceback" not in err


@pytest.mark.parametrize("listen", ["9500", "host:", "host:http", ":9500", "host:99999"])
async def test_an_invalid_listen_address_is_rejected(tmp_path: Path, listen: str) -> None:
    code, _, err = await run(tmp_path, "bridge", "prometheus", "--simulate", "--listen", listen)
    assert code == 2 and "HOST:PORT" in err
