"""Fixtures of the fleet: PostgreSQL, and a cloud with several accounts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterator

import pytest

from navien_nwp500.simulator.simulator import email_of
from support.background_simulator import BackgroundSimulator

#: Accounts of the cloud: enough that no process of three is left without one.
ACCOUNTS = 12


@pytest.fixture
def url(postgres: Any) -> str:
    address: str = postgres.new_database()
    return address


@pytest.fixture(scope="module")
def cloud() -> Iterator[BackgroundSimulator]:
    with BackgroundSimulator(speed=600, accounts=ACCOUNTS, heaters=1) as simulator:
        yield simulator


@pytest.fixture
def accounts(tmp_path: Path) -> Path:
    entries = [{"email": email_of(number), "password_env": "FLEET"} for number in range(ACCOUNTS)]
    path = tmp_path / "fleet.json"
    path.write_text(json.dumps({"accounts": entries}), "utf-8")
    return path


@pytest.fixture
def cloud_settings(cloud: BackgroundSimulator) -> dict[str, str]:
    """Variables of a process that records from the cloud."""
    config = cloud.sim.config
    return {
        "FLEET": config.password or "",
        "NAVILINK_BASE_URL": config.base_url,
        "NAVILINK_WEBSOCKET_URL": config.websocket_url or "",
        "NAVILINK_CA_FILE": str(config.ca_file),
    }
