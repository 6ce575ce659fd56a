"""Seek input that breaks a decoder (``make fuzz``).

    python tests/stress/fuzz.py [--seconds 60] [--seed 0] [--engine atheris|hypothesis]
    python tests/stress/fuzz.py --reproduce HEX

Every exception except ProtocolError is a failure. With atheris the search is guided by coverage;
without it Hypothesis generates the bytes. The first byte selects the decoder, the second whether the
rest is the payload itself or a list of changes to a valid message. So the printed bytes reproduce a
failure with either engine. Exits with 1 on a failure.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import importlib.util
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, NamedTuple

_ATHERIS = importlib.util.find_spec("atheris") is not None
if _ATHERIS and "--child" in sys.argv:
    import atheris

    _watched: Any = atheris.instrument_imports(include=["navien_nwp500"])
else:
    _watched = contextlib.nullcontext()
with _watched:
    from navien_nwp500.exceptions import ProtocolError
    from navien_nwp500.protocol import energy, messages, schedules, tou
    from navien_nwp500.protocol.account import DeviceInfo, FirmwareInfo, UserInfo
    from navien_nwp500.protocol.commands import STATUS
    from navien_nwp500.protocol.features import DeviceFeatures
    from navien_nwp500.protocol.fields import decode_fields, encode_fields, to_json
    from navien_nwp500.protocol.messages import Address, ReplyAddress, parse_message, parse_request
    from navien_nwp500.simulator import Heater

ADDRESS = Address("0123456789ab", "1234")
TOPICS = tuple(
    ADDRESS.command_topic(end) for end in ("res", "st", "ctrl", "res/rsv/rd", "st/rsv/rd")
)
#: The longest input. AWS IoT accepts 128 KB, which is tested elsewhere.
MAX_LENGTH = 16 * 1024


class Decoder(NamedTuple):
    """A decoder of bytes or of a JSON object, with valid samples."""

    call: Callable[[Any], object]
    samples: tuple[Any, ...]
    reads_bytes: bool = False


def _status(payload: bytes) -> None:
    status = messages.decode_status(payload)
    to_json(status)
    repr(status)


def _message(payload: bytes) -> None:
    """Parse a message; its first bytes select the topic, which seldom matters."""
    message = parse_message(TOPICS[sum(payload[:9]) % len(TOPICS)], payload)
    if message is not None:
        repr((message, message.fail_code))
        for read in (lambda: message.status, lambda: message.features):
            with contextlib.suppress(ProtocolError):
                read()


def _request(payload: bytes) -> None:
    repr(parse_request(TOPICS[sum(payload[:9]) % len(TOPICS)], payload))


def _decoder_of(cls: type[Any]) -> Callable[[Any], object]:
    def read(body: Any) -> None:
        found = decode_fields(cls, body)
        to_json(found)
        encode_fields(found)

    return read


def decoders() -> Mapping[str, Decoder]:
    heater = Heater(now=datetime(2026, 1, 5, 5, tzinfo=timezone.utc), recirculation=True)
    status, features = encode_fields(heater.status()), encode_fields(heater.features)
    answer = {
        "protocolVersion": 2,
        "clientID": "c",
        "sessionID": "1768478400000",
        "requestTopic": TOPICS[1],
        "response": {"deviceType": 52, "macAddress": "0123456789ab", "status": status},
    }
    described = {**answer, "response": {"macAddress": "0123456789ab", "feature": features}}
    request = json.loads(messages.build_request(STATUS, ADDRESS, ReplyAddress("c", 1), "1").payload)
    binary = messages.encode_binary_status(heater.status(), ADDRESS.mac_address)
    day = {"hpUsage": 1, "heUsage": 2, "hpTime": 3, "heTime": 4}
    entry = {"enable": 2, "week": 124, "hour": 6, "min": 30, "mode": 3, "param": 118}
    period = {"week": 124, "startHour": 0, "startMinute": 0, "endHour": 23, "endMinute": 59}
    price = {"priceMin": 30000, "priceMax": 34831, "decimalPoint": 5}
    plan = {"schedule": [{"season": 31, "interval": [{**period, **price}]}], "zipCode": 12345}
    program = {"reservationUse": 2, "reservation": [entry]}
    usage = {"year": 2026, "month": 1, "data": [day] * 2}
    return {
        "decode_status": Decoder(_status, (status, answer, binary), True),
        "parse_message": Decoder(_message, (answer, described, binary), True),
        "parse_request": Decoder(_request, (request, binary[:8]), True),
        "features": Decoder(_decoder_of(DeviceFeatures), (features,)),
        "DeviceInfo": Decoder(_decoder_of(DeviceInfo), ({"macAddress": "a", "deviceType": 52},)),
        "UserInfo": Decoder(_decoder_of(UserInfo), ({"userType": "O", "userSeq": 1},)),
        "FirmwareInfo": Decoder(_decoder_of(FirmwareInfo), ({"curSwCode": 1, "curVersion": 2},)),
        "decode_reservations": Decoder(
            schedules.decode_reservations,
            (program, {"reservationUse": 1, "reservation": "027c061e0376"}),
        ),
        "decode_recirculation": Decoder(schedules.decode_recirculation, (program,)),
        "decode_tou": Decoder(tou.decode_tou, ({"registerPath": "w", "touInfo": plan},)),
        "decode_energy_daily": Decoder(
            energy.decode_energy_daily, ({"total": day, "usage": [usage]},)
        ),
        "decode_energy_monthly": Decoder(
            energy.decode_energy_monthly, ({"total": day, "usage": [{**usage, "month": None}]},)
        ),
    }


# Bytes to input


class _Deep:
    """A mark for 500 nested lists, which are made only where they are used."""


HOSTILE: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 2, 255, -1, 2**31, -(2**31) - 1, 2**63, 10**400),
    *(1.5, 5.0, float("nan"), float("inf"), 1e308),
    *("", "text", "12", "02", "0x1", "\ud800", "\0", "٣", "f" * 600),
    *([], {}, [[]], [None], {"": 0}, [1, "2"], _Deep),
)


class ByteSource:
    """A source of numbers and texts from bytes; zeros after its end."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def number(self, below: int) -> int:
        if below <= 1:
            return 0
        size = 1 if below <= 256 else 2
        taken, self.data = self.data[:size], self.data[size:]
        return int.from_bytes(taken, "big") % below

    def value(self, whole: Any) -> Any:
        """Return a value: a hostile one, an integer, a text, or another part of the message."""
        kind = self.number(4)
        if kind == 0:
            chosen = HOSTILE[self.number(len(HOSTILE))]
            return _nested() if chosen is _Deep else copy.deepcopy(chosen)
        if kind == 1:
            return self.number(65536) - 32768
        if kind == 2:
            size = self.number(40)
            taken, self.data = self.data[:size], self.data[size:]
            return taken.decode("latin-1")
        parts = list(_places(whole))
        owner, key = parts[self.number(len(parts))] if parts else ([whole], 0)
        return copy.deepcopy(owner[key])


def _nested() -> Any:
    deep: Any = []
    for _ in range(500):
        deep = [deep]
    return deep


def _places(value: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """Yield every place in a message as its container and key."""
    found = value.items() if isinstance(value, dict) else ()
    found = enumerate(value) if isinstance(value, list) else found
    for key, inner in list(found):
        yield value, key
        if depth < 8:
            yield from _places(inner, depth + 1)


def _changed(sample: Any, source: ByteSource) -> Any:
    """Return a valid message with up to twelve changes."""
    found = [copy.deepcopy(sample)]
    for _ in range(12):
        if not source.data:
            break
        places = list(_places(found))
        owner, key = places[source.number(len(places))]
        action = source.number(8)
        if action < 5 or owner is found:
            owner[key] = source.value(found[0])
        elif action == 5:
            del owner[key]
        elif isinstance(owner, list):
            owner.append(source.value(found[0]))
        else:
            owner[str(source.value(found[0]))[:40]] = source.value(found[0])
    return found[0]


def run_one(data: bytes, known: Mapping[str, Decoder], runs: Counter[str]) -> None:
    """Decode the input that the bytes describe. Raise every exception but ProtocolError."""
    source = ByteSource(data)
    name = list(known)[source.number(len(known))]
    decoder = known[name]
    runs[name] += 1
    try:
        decoder.call(_converted(_content(decoder, source), decoder.reads_bytes))
    except (ProtocolError, _NotInput):
        pass


def _content(decoder: Decoder, source: ByteSource) -> Any:
    """Return the rest of the bytes, or a valid message changed by it."""
    if source.number(256) % 3 == 0:
        return source.data
    sample = decoder.samples[source.number(len(decoder.samples))]
    if isinstance(sample, bytes):
        content = bytearray(sample[: source.number(len(sample) * 2)])
        while source.data and content:
            content[source.number(len(content))] = source.number(256)
        return content
    try:
        return _changed(sample, source)
    except RecursionError as error:  # nested lists, too deep to copy
        raise _NotInput from error


class _NotInput(Exception):
    """The bytes describe no input for this decoder."""


def _converted(content: Any, as_bytes: bool) -> Any:
    if as_bytes:
        if isinstance(content, (bytes, bytearray)):
            return bytes(content)
        with contextlib.suppress(ValueError, RecursionError):
            return json.dumps(content).encode()
        raise _NotInput
    if not isinstance(content, (bytes, bytearray)):
        return content
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(bytes(content))
    raise _NotInput


def seeds(known: Mapping[str, Decoder]) -> Iterator[bytes]:
    """Yield the valid messages, and one changed message of each decoder."""
    for number, decoder in enumerate(known.values()):
        for sample in decoder.samples:
            raw = sample if isinstance(sample, bytes) else json.dumps(sample).encode()
            yield bytes([number, 0]) + raw
        yield bytes([number, 1, 0, 3, 0, 0, 5])


# The engines


def with_atheris(seconds: int, seed: int) -> tuple[bool, str]:
    """Run the search in another process, because libFuzzer exits its process."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        (folder / "corpus").mkdir()
        for number, data in enumerate(seeds(decoders())):
            (folder / "corpus" / str(number)).write_bytes(data)
        arguments = [f"-max_total_time={seconds}", f"-max_len={MAX_LENGTH}", f"-seed={seed or 1}"]
        arguments += ["-timeout=10", "-rss_limit_mb=2048", f"-artifact_prefix={folder}/broken-"]
        command = [sys.executable, __file__, "--child", *arguments, str(folder / "corpus")]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        tail: list[str] = []
        assert process.stdout is not None
        try:
            for line in process.stdout:
                tail = [*tail[-400:], line]
                if re.match(r"#\d+\s+(pulse|INITED|DONE)", line):
                    print(line.rstrip(), file=sys.stderr, flush=True)
            code = process.wait(60)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        broken = [path.read_bytes() for path in folder.glob("broken-*")]
        found = re.findall(r"#(\d+)\s+DONE\s+(.*)", "".join(tail))
        if code != 0 or broken:
            sys.stderr.write("".join(tail[-60:]))
        for data in broken:
            report(data)
        inputs, rest = found[-1] if found else ("?", "")
        return code == 0 and not broken, f"{inputs} inputs, {' '.join(rest.split()[:6])}"


def child(arguments: list[str]) -> None:
    known = decoders()
    runs: Counter[str] = Counter()
    atheris.Setup([sys.argv[0], *arguments], lambda data: run_one(data, known, runs))
    atheris.Fuzz()


def with_hypothesis(seconds: int, seed: int) -> tuple[bool, str]:
    """Generate bytes in rounds until the time is over; ``seed`` makes the rounds repeatable."""
    from hypothesis import HealthCheck, Phase, given, seed as seeded, settings, strategies as st

    known = decoders()
    runs: Counter[str] = Counter()
    choose = st.integers(0, len(known) - 1).map(lambda number: bytes([number]))
    some = st.tuples(choose, st.binary(max_size=200)).map(b"".join)
    smallest: list[bytes] = []

    def check(data: bytes) -> None:
        try:
            run_one(data, known, runs)
        except Exception:
            smallest[:] = [data]
            raise

    rule = settings(
        max_examples=2000,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    for data in seeds(known):
        check(data)
    deadline, shown, rng = time.monotonic() + seconds, time.monotonic(), random.Random(seed)
    while time.monotonic() < deadline:
        try:
            seeded(rng.getrandbits(32))(rule(given(some)(check)))()
        except Exception:
            report(smallest[0])
            return False, f"{sum(runs.values())} inputs"
        if time.monotonic() > shown + 5:
            shown = time.monotonic()
            print(f"{sum(runs.values())} inputs", file=sys.stderr, flush=True)
    return True, f"{sum(runs.values())} inputs, at least {min(runs.values())} a decoder"


def report(data: bytes) -> None:
    """Print the bytes of a failure and its exception."""
    print(f"failed with {data!r}\nreproduce: python tests/stress/fuzz.py --reproduce {data.hex()}")
    try:
        run_one(data, decoders(), Counter())
    except Exception as error:
        print(f"  {type(error).__name__}: {error}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", choices=("atheris", "hypothesis"))
    parser.add_argument("--reproduce", metavar="HEX")
    options = parser.parse_args()
    if options.reproduce is not None:
        run_one(bytes.fromhex(options.reproduce), decoders(), Counter())
        print("no failure")
        return 0
    engine = options.engine or ("atheris" if _ATHERIS else "hypothesis")
    print(f"engine: {engine}", file=sys.stderr, flush=True)
    run = with_atheris if engine == "atheris" else with_hypothesis
    passed, figures = run(options.seconds, options.seed)
    print(f"{engine}: {figures}, {options.seconds} s: {'no failure' if passed else 'FAILED'}")
    return 0 if passed else 1


if __name__ == "__main__":
    if "--child" in sys.argv:
        child(sys.argv[sys.argv.index("--child") + 1 :])
    sys.exit(main())
