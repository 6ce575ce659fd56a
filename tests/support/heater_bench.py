"""Test bench for one simulated heater, with requests written by hand.

The client is not used: the requests are the examples of PROTOCOL 4.1, 5.6 and 8.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

from navien_nwp500.protocol.fields import encode_fields
from navien_nwp500.protocol.messages import Address, parse_request
from navien_nwp500.protocol.types import DHWMode
from navien_nwp500.simulator import Heater
from navien_nwp500.simulator.heater.command_handler import CommandHandler

MAC, CLIENT = "0123456789ab", "navien-client-0a1b2c3d"
DEVICE = f"cmd/52/navilink-{MAC}"
#: Reply topics of each style of client (PROTOCOL 3.2).
LIB = f"{DEVICE}/{CLIENT}/res"
LIB_QUERY = f"cmd/52/{CLIENT}/res"
APP = f"cmd/52/10001/20002/{CLIENT}/res"
DEMAND, OPERATION, LOAD = 67108868, 67108883, 67108892
#: A Monday.
MONDAY = datetime(2026, 1, 5, 5, 0, tzinfo=timezone.utc)

RESERVATIONS = [
    {"enable": 2, "week": 124, "hour": 6, "min": 30, "mode": 3, "param": 118},
    {"enable": 1, "week": 124, "hour": 22, "min": 0, "mode": 1, "param": 116},
]
PACKED = {"027c061e0376", "017c16000174"}
PLAN = [
    {"season": 31, "week": 124, "startHour": 0, "startMinute": 0, "endHour": 14, "endMinute": 59,
     "priceMin": 30000, "priceMax": 30000, "decimalPoint": 5},
    {"season": 31, "week": 124, "startHour": 15, "startMinute": 0, "endHour": 15, "endMinute": 59,
     "priceMin": 32000, "priceMax": 32000, "decimalPoint": 5},
    {"season": 31, "week": 124, "startHour": 16, "startMinute": 0, "endHour": 20, "endMinute": 59,
     "priceMin": 42000, "priceMax": 42000, "decimalPoint": 5},
    {"season": 31, "week": 124, "startHour": 21, "startMinute": 0, "endHour": 23, "endMinute": 59,
     "priceMin": 32000, "priceMax": 32000, "decimalPoint": 5},
]  # fmt: skip
SERIAL = "12345678AB12345678"


def envelope(
    suffix: str, code: int, reply: str, session: str = "1768478400000", **body: Any
) -> tuple[str, bytes]:
    """Return topic and payload of a request (PROTOCOL 4.1)."""
    topic = f"{DEVICE}/{suffix}"
    content = {
        "clientID": CLIENT,
        "sessionID": session,
        "protocolVersion": 2,
        "request": {
            "command": code,
            "deviceType": 52,
            "macAddress": MAC,
            "additionalValue": "1234",
            **body,
        },
        "requestTopic": topic,
        "responseTopic": reply,
    }
    return topic, json.dumps(content).encode()


def control(code: int, mode: str, numbers: list[int], **more: Any) -> dict[str, Any]:
    return {"code": code, "mode": mode, "param": numbers, "paramStr": "", **more}


class Bench:
    """A heater without draws, 1.8 K below its setpoint, and its command handler."""

    def __init__(self, *, interval: float = 0.0, seed: int = 0, **changes: Any) -> None:
        options: dict[str, Any] = {
            "now": MONDAY,
            "draws": None,
            "mode": DHWMode.HEAT_PUMP,
            "upper_celsius": 58.7,
            "lower_celsius": 58.7,
            **changes,
        }
        self.heater = Heater(**options)
        address = Address(MAC, "1234")
        self.handler = CommandHandler(self.heater, address, control_interval=interval, seed=seed)

    def request(
        self, suffix: str, code: int, reply: str = LIB, **body: Any
    ) -> list[tuple[str, dict[str, Any]]]:
        parsed = parse_request(*envelope(suffix, code, reply, **body))
        assert parsed is not None
        return [(topic, dict(found)) for topic, found in self.handler.handle(parsed)]

    def control(self, code: int, mode: str, numbers: list[int]) -> dict[str, int] | None:
        """Send a control; return the status in its reply, or None without a reply."""
        replies = self.request("ctrl", code, mode=mode, param=numbers, paramStr="")
        assert len(replies) < 2
        if not replies:
            return None
        (topic, body), *_ = replies
        assert topic == LIB and list(body) == ["status"]
        assert body["status"]["command"] == code
        status: dict[str, int] = body["status"]
        return status

    @property
    def status(self) -> dict[str, int]:
        found: dict[str, int] = encode_fields(self.heater.status(0))
        return {key: value for key, value in found.items() if key != "command"}

    def write_reservations(self, *entries: dict[str, int], use: int = 2) -> list[dict[str, int]]:
        """Write reservations; return the ones that are stored."""
        replies = self.request(
            "ctrl/rsv/rd",
            16777226,
            f"{LIB_QUERY}/rsv/rd",
            reservationUse=use,
            reservation=list(entries),
        )
        (packed, _), (topic, body) = replies
        assert (packed, topic) == (f"{LIB_QUERY}/rsv", f"{LIB_QUERY}/rsv/rd")
        listed: list[dict[str, int]] = body["reservation"]
        return sorted(listed, key=str)

    def write_plan(self, entries: list[dict[str, int]], serial: str = SERIAL, use: int = 2) -> Any:
        """Write a plan; return the replies without the packed plan, which comes first."""
        replies = self.request(
            "ctrl/tou/rd",
            33554439,
            f"{LIB_QUERY}/tou/rd",
            controllerSerialNumber=serial,
            reservationUse=use,
            reservation=entries,
        )
        return [reply for reply in replies if reply[0] != f"{LIB_QUERY}/tou"]

    def advance_to(self, hour: int, minute: int = 0) -> list[int]:
        """Advance to a time of the heater's day; return the command codes of the pushes."""
        target = self.heater.now.replace(hour=hour, minute=minute, second=0, microsecond=0)
        seconds = (target - self.heater.now) % timedelta(days=1)
        return [int(p.command or 0) for p in self.heater.advance(seconds.total_seconds())]
