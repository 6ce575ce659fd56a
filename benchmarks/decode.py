"""How quick decoding is, and how small what it makes (``python benchmarks/decode.py``).

Every time stands beside that of ``json.loads`` for the same recorded messages, taken in turns in
the same run, so that a busy machine slows both. Only public ways are timed.
"""

from __future__ import annotations

import gc
import importlib
import json
import random
import statistics
import time
import timeit
import tracemalloc
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple

from navien_nwp500 import parsing, protocol, wire
from navien_nwp500.models import DeviceStatus
from navien_nwp500.quantities import Code, Quantity

RECORDED = Path(__file__).parents[2] / "shared" / "captures" / "status_messages.jsonl"
TOPIC = "cmd/52/navilink-0123456789ab/res"
FLOOR = "json.loads alone"
ROUNDS, TIMES, KEPT = 31, 5, 1000
#: Reading what a field means, one of each kind of quantity.
MEANINGS = (
    "dhw_temperature.celsius",
    "tank_upper_temperature.fahrenheit",
    "current_super_heat.kelvin",
    "current_inst_power.watts",
    "total_energy_capacity.watt_hours",
    "comp_use.active",
    "operation_mode.name",
    "error_code.active",
)


class Series(NamedTuple):
    """One thing measured many times: ``values`` in ``unit``, to be read against ``floor``."""

    name: str
    values: list[float]
    unit: str
    floor: str | None


def measure() -> Iterator[Series]:
    """Measure everything, the floor first. Takes about half a minute."""
    payloads = RECORDED.read_bytes().splitlines()
    ways = _ways()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            seconds[name].append(_one_round(way, payloads))
    for name, values in seconds.items():
        yield Series(name, values, "s", None if name == FLOOR else FLOOR)
    status = protocol.decode_status(payloads[0])
    for meaning in MEANINGS:
        times = timeit.repeat(f"status.{meaning}", globals={"status": status}, number=20_000)
        yield Series(f"reading {meaning}", [each / 20_000 for each in times], "s", None)
    different = _different(payloads)
    yield Series("a status kept, unread", [_bytes_each(different, False)], "B", None)
    yield Series("a status kept, read", [_bytes_each(different, True)], "B", None)


def _one_round(way: Callable[[bytes], Any], payloads: list[bytes]) -> float:
    start = time.perf_counter()
    for _ in range(TIMES):
        for payload in payloads:
            way(payload)
    return (time.perf_counter() - start) / (TIMES * len(payloads))


def _ways() -> dict[str, Callable[[bytes], Any]]:
    ways: dict[str, Callable[[bytes], Any]] = {FLOOR: json.loads}
    for name, function in (("orjson", "loads"), ("msgspec.json", "decode")):
        if name in parsing.PARSERS:
            ways[f"{name} alone"] = getattr(importlib.import_module(name), function)
    for name, parser in parsing.PARSERS.items():
        for way in (_decoded, _received, _first_field, _every_meaning):
            ways[f"{name}: {(way.__doc__ or '').rstrip('.').lower()}"] = _with(parser, way)
    return ways


def _with(parser: parsing.Parser, way: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def timed(payload: bytes) -> None:
        parsing.QUICKEST = parser
        way(payload)

    return timed


def _decoded(payload: bytes) -> DeviceStatus:
    """Decode_status."""
    return protocol.decode_status(payload)


def _received(payload: bytes) -> None:
    """Parse_message and its status."""
    message = protocol.parse_message(TOPIC, payload)
    assert message is not None and message.status is not None


def _first_field(payload: bytes) -> None:
    """Decode_status and one field, which fills all."""
    assert _decoded(payload).dhw_temperature


def _every_meaning(payload: bytes) -> None:
    """Decode_status and every field's meaning."""
    wire.reading(_decoded(payload))


def _different(payloads: list[bytes]) -> list[bytes]:
    """Recorded messages with each physical quantity drawn anew from all its usual range."""
    chance = random.Random(500)
    made = []
    for number in range(KEPT):
        message = json.loads(payloads[number % len(payloads)])
        body = message["response"]["status"]
        for row in wire.rows(DeviceStatus):
            if row.key in body and issubclass(row.codec, Quantity) and row.codec is not Code:
                body[row.key] = chance.randint(*row.codec.usual)
        made.append(json.dumps(message).encode())
    return made


def _bytes_each(payloads: list[bytes], read: bool) -> float:
    kept: list[DeviceStatus] = []
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for payload in payloads:
            kept.append(protocol.decode_status(payload))
            if read:
                wire.reading(kept[-1])
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return (after - before) / len(kept)


def main() -> None:
    floor = 0.0
    for name, values, unit, against in measure():
        middle = statistics.median(values)
        if name == FLOOR:
            floor = middle
        shown = f"{middle * 1e6:9.2f} µs" if unit == "s" else f"{middle:9.0f} B "
        ratio = f"{middle / floor:6.2f}" if against == FLOOR else " " * 6
        low, high = (f"{edge / middle - 1:+.0%}" for edge in (min(values), max(values)))
        print(f"{name:<58}{shown}{ratio}  {low} {high}")


if __name__ == "__main__":
    main()
