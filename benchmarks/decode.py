"""Time and memory of decoding.

A simulated heater says what a day brings, a status every 5 minutes in the form of a real one's.
Every time stands beside that of ``json.loads`` for the same messages, taken in turns. Decoding
checks everything and makes all typed values. The figures are: unread, one field read, all fields
read, and every meaning read. A foreign decoder is measured where it is installed.
"""

from __future__ import annotations

import gc
import importlib
import json
import time
import tracemalloc
from datetime import datetime, timezone
from functools import partial
from importlib import metadata
from operator import attrgetter
from typing import Any, Callable
from unittest import mock

from navien_nwp500.protocol import json_codec, messages
from navien_nwp500.protocol.fields import encode_fields, field_specs, to_json
from navien_nwp500.protocol.status import DeviceStatus
from navien_nwp500.simulator import Heater

from .figures import Figure, Sample, at_most_times
from .turns import in_turns, progress

ADDRESS = messages.Address("0123456789ab", "1234")
#: A day of polls, each 5 minutes after the last.
POLLS, BETWEEN = 288, 300.0
FLOOR = "json.loads alone"


def measure(quick: bool) -> list[Figure]:
    """Decode a day's messages in turns, with each parser that is installed."""
    rounds = 3 if quick else 101
    frames = _day(24 if quick else POLLS)
    progress(f"decode: {rounds} rounds of {len(frames)} messages")
    takes: dict[str, Callable[[], float]] = {FLOOR: partial(_microseconds, _parsed, frames)}
    for name, parser in json_codec.PARSERS.items():
        for what, way in WAYS.items():
            takes[f"{name}: {what}"] = partial(_with, parser, way, frames)
    for name, way in _foreign_ways().items():
        takes[name] = partial(_microseconds, way, frames)
    found = in_turns(rounds, takes)
    floor = found.pop(FLOOR)
    quickest = next(iter(json_codec.PARSERS))
    limits = {f"{quickest}: {what}": limit for what, limit in GOALS.items()}
    limits.update((f"json: {what}", limit) for what, limit in GOALS_OF_JSON.items())
    goals = {name: at_most_times(limit) for name, limit in limits.items()}
    figures = [
        Figure(name, "µs", sample, floor, FLOOR, goals.get(name)) for name, sample in found.items()
    ]
    return figures + _sizes(frames)


def _day(polls: int) -> list[messages.Frame]:
    heater = Heater(now=datetime(2026, 1, 5, tzinfo=timezone.utc), seed=500)
    frames = []
    for number in range(polls):
        heater.advance(BETWEEN)
        body = {"status": encode_fields(heater.status(number))}
        frames.append(messages.build_push(ADDRESS, "0a1b2c3d", number, body))
    return frames


def _microseconds(way: Callable[[messages.Frame], Any], frames: list[messages.Frame]) -> float:
    began = time.perf_counter()
    for frame in frames:
        way(frame)
    return (time.perf_counter() - began) / len(frames) * 1e6


def _with(
    parser: json_codec.Parser, way: Callable[[messages.Frame], Any], frames: list[messages.Frame]
) -> float:
    with mock.patch.object(json_codec, "FASTEST", parser):
        return _microseconds(way, frames)


def _parsed(frame: messages.Frame) -> Any:
    return json.loads(frame.payload)


def _decoded(frame: messages.Frame) -> DeviceStatus:
    return messages.decode_status(frame.payload)


def _one_field(frame: messages.Frame) -> None:
    assert _decoded(frame).dhw_temperature is not None


def _all_fields(frame: messages.Frame) -> None:
    ALL_FIELDS(_decoded(frame))


def _every_meaning(frame: messages.Frame) -> None:
    to_json(_decoded(frame))


def _received(frame: messages.Frame) -> None:
    message = messages.parse_message(frame.topic, frame.payload)
    assert message is not None and message.status is not None


def _foreign_ways() -> dict[str, Callable[[messages.Frame], Any]]:
    """Return how ``nwp500-python`` decodes a status and reads a field; nothing where it is missing."""
    try:
        model = importlib.import_module("nwp500.models").DeviceStatus
    except ImportError:
        progress("decode: nwp500-python is not installed, so its row is left out")
        return {}

    def one_field(frame: messages.Frame) -> None:
        # As its client does: the text with json.loads, the object with pydantic.
        status = model.model_validate(_parsed(frame)["response"]["status"])
        assert status.dhw_temperature is not None

    return {f"nwp500-python {metadata.version('nwp500-python')}, one read": one_field}


ALL_FIELDS = attrgetter(*(spec.name for spec in field_specs(DeviceStatus)))
WAYS: dict[str, Callable[[messages.Frame], Any]] = {
    "decode_status, unread": _decoded,
    "decode_status, one read": _one_field,
    "decode_status, all read": _all_fields,
    "decode_status, all meanings": _every_meaning,
    "parse_message().status": _received,
}
#: Multiples of ``json.loads``: with the quickest parser, and with json where a quicker one is there.
GOALS = {
    "decode_status, unread": 1.25,
    "decode_status, one read": 1.0,
    "decode_status, all meanings": 2.0,
    "parse_message().status": 1.25,
}
GOALS_OF_JSON = {"decode_status, one read": 1.25, "decode_status, all meanings": 2.5}


def _sizes(frames: list[messages.Frame]) -> list[Figure]:
    """Measure the memory of a stored status; the floor is the dictionary of ``json.loads``."""
    against = "its dictionary of json.loads"
    floor = Sample([_bytes_each(frames, lambda frame: _parsed(frame)["response"]["status"])])
    ways = {"kept, unread": _decoded, "kept, read": _kept_read}
    return [
        Figure(name, "B", Sample([_bytes_each(frames, way)]), floor, against)
        for name, way in ways.items()
    ]


def _kept_read(frame: messages.Frame) -> DeviceStatus:
    status = _decoded(frame)
    to_json(status)
    return status


def _bytes_each(frames: list[messages.Frame], keep: Callable[[messages.Frame], Any]) -> float:
    """Bytes Python allocates for each, other things loaded and seen before."""
    warm = [keep(frame) for frame in frames]
    kept: list[Any] = []
    del warm
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept.extend(keep(frame) for frame in frames)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return (after - before) / len(kept)
