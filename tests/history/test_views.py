"""Views in shown units, and the queries of Grafana's dashboard on them."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Iterator

import pytest
import sqlalchemy as sa

from navien_nwp500.history.database import Database
from navien_nwp500.history.store import HistoryStore, Reading, ReadingSource
from navien_nwp500.history.views import column_name
from navien_nwp500.protocol.fields import decode_fields, field_specs
from navien_nwp500.protocol.status import DeviceStatus
from support.status_examples import HEATING

START = datetime(2026, 3, 28, 22, tzinfo=timezone.utc)
DASHBOARD = Path(__file__).parents[2] / "examples" / "grafana" / "navien-nwp500-postgresql.json"


@pytest.fixture
def database(where: str) -> Iterator[Database]:
    """Statuses of 25 hours, in which clocks go forward, every 5 minutes."""
    body = {**HEATING, "currentInstPower": 120}
    status = decode_fields(DeviceStatus, body)
    with Database(where) as database:
        store = HistoryStore(database)
        heater = store.ensure_heater("0123456789ab", name="Cellar", zone="Europe/Berlin")
        rows = [Reading.of(status, START + n * timedelta(minutes=5)) for n in range(25 * 12 + 1)]
        store.add(heater, rows, ReadingSource.CSV)
        yield database


def query(database: Database, text: str) -> list[dict[str, Any]]:
    with database.reading() as connection:
        return [dict(row) for row in connection.execute(sa.text(text)).mappings()]


def test_a_status_has_its_shown_values(database: Database) -> None:
    row = query(database, "SELECT * FROM v_status ORDER BY time LIMIT 1")[0]
    status = decode_fields(DeviceStatus, {**HEATING, "currentInstPower": 120})
    assert (row["mac"], row["name"]) == ("0123456789ab", "Cellar")
    assert row["time"] == (START if database.path is None else START.timestamp())
    for spec in field_specs(DeviceStatus):
        value = getattr(status, spec.name)
        shown = None if value is None else getattr(value, "physical", value)
        found = row[column_name(spec)]
        assert (found if found is None else float(found)) == pytest.approx(shown), spec.name
    assert float(row["tank_upper_temperature_celsius"]) == 59.4
    assert float(row["dhw_temperature_celsius"]) == 59.0
    assert float(row["total_energy_capacity_wh"]) == 5616  # 1404 counts of 4 Wh
    assert row["wifi_rssi_dbm"] == -58


def test_a_quarter_hour_has_its_shown_values(database: Database) -> None:
    row = query(database, "SELECT * FROM v_quarter ORDER BY time LIMIT 1")[0]
    assert (row["seconds_known"], row["wh"], row["mean_watts"]) == (900, 30, 120)
    assert (float(row["upper_avg_celsius"]), float(row["setpoint_celsius"])) == (59.4, 60.5)


@pytest.mark.parametrize("where", ["postgresql"], indirect=True)
def test_a_day_is_that_of_the_heater(database: Database) -> None:
    found = query(database, "SELECT * FROM v_day ORDER BY day")
    assert [(str(row["day"]), row["wh"]) for row in found] == [
        ("2026-03-28", 120),
        ("2026-03-29", 23 * 120),
        ("2026-03-30", 120),
    ]


@pytest.mark.parametrize("where", ["postgresql"], indirect=True)
def test_every_query_of_the_dashboard_has_rows(database: Database) -> None:
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    queries = [target["rawSql"] for panel in panels for target in panel["targets"]]
    assert len(queries) >= 6
    begin, end = START.isoformat(), (START + timedelta(days=2)).isoformat()
    for text in queries:
        text = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 BETWEEN '{begin}' AND '{end}'", text)
        text = text.replace("${heater:sqlstring}", "'0123456789ab'")
        assert "$" not in text
        assert query(database, text), text


@pytest.mark.parametrize("where", ["postgresql"], indirect=True)
def test_who_may_read_the_views_may_do_so_after_a_migration(database: Database, where: str) -> None:
    roles = [f'"reader {where[-4:]}"', "PUBLIC"]
    rights = (
        "SELECT relname, relacl::text FROM pg_class WHERE relname LIKE 'v\\_%' ORDER BY relname"
    )
    with database.writing() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {roles[0]}")
        connection.exec_driver_sql(f"GRANT SELECT ON heater, v_status TO {roles[0]}")
        connection.exec_driver_sql(f"GRANT SELECT ON v_day TO {roles[1]}")
        connection.exec_driver_sql("ALTER TABLE command DROP COLUMN text")
    before = query(database, rights)
    assert [row["relacl"] is None for row in before] == [False, True, False]
    with Database(where) as again:
        assert not again.outdated and query(again, rights) == before
        assert query(again, "SELECT text FROM command") == []
