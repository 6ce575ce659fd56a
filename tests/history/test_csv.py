"""CSV recorder: complete lines in any case, and no change to files that are not recordings."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Iterator

import pytest

from navien_nwp500.exceptions import ConfigurationError
from navien_nwp500.history.csv import BufferedCsvRecorder, CsvRecorder
from navien_nwp500.history.csv_format import COLUMNS
from navien_nwp500.protocol.fields import decode_fields, encode_fields, field_specs
from navien_nwp500.protocol.status import DeviceStatus
from support.programs import running
from support.status_examples import CORE

# These columns must never change.
FIRST_SEVEN = (
    "timestamp,dhw_charge_percent,operation_mode,dhw_temperature,"
    "current_inst_power,tank_upper_temp,tank_lower_temp"
)
WHEN = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)
RUNNING = {**CORE, "operationMode": 32, "compUse": 2, "evaFanUse": 2, "currentInstPower": 463}


def status(**changes: Any) -> DeviceStatus:
    return decode_fields(DeviceStatus, {**RUNNING, "dhwTemperature": 121, **changes})


FULL = status(tankUpperTemperature=605, tankLowerTemperature=594, currentSuperHeat=-2, fanPwm=0)


def record(path: Path, *statuses: DeviceStatus) -> CsvRecorder:
    with CsvRecorder(path) as recorder:
        for number, each in enumerate(statuses):
            recorder.write(each, WHEN + timedelta(seconds=number))
    return recorder


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert all(None not in line and None not in line.values() for line in found)
    return found


@pytest.fixture()
def path(tmp_path: Path) -> Path:
    return tmp_path / "heater.csv"


# Content


def test_the_first_seven_columns_never_change(path: Path) -> None:
    record(path, FULL)
    header, line, rest = path.read_bytes().decode().split("\n")
    assert rest == ""
    assert header.startswith(FIRST_SEVEN + ",")
    assert line.startswith("2026-01-02T03:04:05.678+00:00,98,32,121,463,60.5,59.4,")


def test_all_other_fields_follow_as_sent(path: Path) -> None:
    record(path, FULL)
    (line,) = lines(path)
    assert tuple(line) == COLUMNS
    shown = {
        "dhw_charge_per": "dhw_charge_percent",
        "tank_upper_temperature": "tank_upper_temp",
        "tank_lower_temperature": "tank_lower_temp",
    }
    names = {shown.get(spec.name, spec.name) for spec in field_specs(DeviceStatus)}
    assert set(COLUMNS) == names | {"timestamp", "zone", "heater"}
    assert len(COLUMNS) == len(names) + 3
    assert line["current_super_heat"] == "-2"
    assert line["comp_use"] == "2"
    assert line["fan_pwm"] == "0"
    assert line["wifi_rssi"] == "58"


def test_a_field_that_was_not_sent_is_empty_and_not_0(path: Path) -> None:
    record(path, status())
    (line,) = lines(path)
    sent = {name for name, cell in line.items() if cell}
    assert len(sent) == 1 + len(RUNNING)
    assert line["tank_upper_temp"] == line["tank_lower_temp"] == line["fan_pwm"] == ""


@pytest.mark.parametrize(
    "raw, cell", [(605, "60.5"), (600, "60.0"), (-2, "-0.2"), (0, "0.0"), (7, "0.7")]
)
def test_the_tank_columns_are_tenths(path: Path, raw: int, cell: str) -> None:
    record(path, status(tankUpperTemperature=raw, tankLowerTemperature=raw))
    (line,) = lines(path)
    assert line["tank_upper_temp"] == line["tank_lower_temp"] == cell


def test_an_unknown_code_is_written_as_its_number(path: Path) -> None:
    record(path, status(operationMode=33, compUse=7, command=16777219))
    (line,) = lines(path)
    assert (line["operation_mode"], line["comp_use"]) == ("33", "7")
    assert line["command"] == "16777219"


def summer_noon(offset: timedelta) -> datetime:
    return datetime(2026, 7, 1, 12, tzinfo=timezone(offset))


@pytest.mark.parametrize(
    "when, cell",
    [
        (WHEN, "2026-01-02T03:04:05.678+00:00"),
        (summer_noon(timedelta(hours=-7)), "2026-07-01T12:00:00.000-07:00"),
        (summer_noon(timedelta(hours=5, minutes=45)), "2026-07-01T12:00:00.000+05:45"),
    ],
)
def test_a_timestamp_contains_its_zone(path: Path, when: datetime, cell: str) -> None:
    with CsvRecorder(path) as recorder:
        recorder.write(FULL, when)
    (line,) = lines(path)
    assert line["timestamp"] == cell
    assert datetime.strptime(cell, "%Y-%m-%dT%H:%M:%S.%f%z").utcoffset() == when.utcoffset()


def test_a_timestamp_without_a_zone_is_refused(path: Path) -> None:
    with CsvRecorder(path) as recorder:
        with pytest.raises(ConfigurationError, match="zone"):
            recorder.write(FULL, datetime(2026, 1, 2))
    assert lines(path) == []


def test_each_line_is_on_disk_after_write(path: Path) -> None:
    with CsvRecorder(path) as recorder:
        for number in range(1, 4):
            recorder.write(FULL, WHEN)
            assert len(lines(path)) == number


# Continuing a file


def test_a_file_is_continued_and_never_overwritten(path: Path) -> None:
    record(path, FULL)
    before = path.read_bytes()
    recorder = record(path, status())
    assert recorder.truncated_bytes == 0
    after = path.read_bytes()
    assert after.startswith(before)
    assert after.count(b"timestamp") == 1
    assert len(lines(path)) == 2


def test_opening_alone_changes_nothing(path: Path) -> None:
    record(path, FULL)
    before = path.read_bytes()
    record(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("count", [7, 8, 60, 103])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_an_older_file_keeps_its_columns(path: Path, count: int, end: bytes) -> None:
    old = ",".join(COLUMNS[:count]).encode() + end
    path.write_bytes(old)
    recorder = record(path, FULL)
    assert recorder.columns == COLUMNS[:count]
    assert path.read_bytes().startswith(old)
    (line,) = lines(path)
    assert tuple(line) == COLUMNS[:count]
    assert line["dhw_charge_percent"] == "98"


def test_an_empty_file_begins_with_a_header(path: Path) -> None:
    path.touch()
    recorder = record(path, FULL)
    assert recorder.truncated_bytes == 0
    assert tuple(lines(path)[0]) == COLUMNS


# Other files

FOREIGN = {
    "another csv": b"a,b\n1,2\n",
    "another csv, torn": b"a,b\n1,2",
    "another csv, one line": b"a,b",
    "text": b"Dear diary\n",
    "text without end": b"Dear diary\n\ntoday",
    "blank line first": b"\n" + FIRST_SEVEN.encode() + b"\n",
    "zeros": b"\0" * 5000,
    "bytes": bytes(range(256)) * 20,
    "bytes that begin with a line": b"\0\n" + bytes(range(256)),
    "a long line": b"x" * 300_000,
    "a long line that ends": b"x" * 300_000 + b"\n1",
    "a long quoted line": b'"' + b"x" * 200_000 + b'"\n1',
    "columns in another order": b"dhw_charge_percent,timestamp\n1,2\n",
    "too few columns": FIRST_SEVEN.encode()[:-16] + b"\n",
    "a column twice": FIRST_SEVEN.encode() + b",wifi_rssi,wifi_rssi\n",
    "the timestamp twice": FIRST_SEVEN.encode() + b",timestamp\n",
    "an unknown delimiter": FIRST_SEVEN.replace(",", "|").encode() + b"\n",
    "a quote that does not end": b'"' + FIRST_SEVEN.encode() + b"\n",
    "utf-16": FIRST_SEVEN.encode("utf-16") + b"\n",
    "no header but a line": b"2026-01-02T03:04:05.678+00:00,98,32,121,463,60.5,59.4\n",
    "no header but a torn line": b"2026-01-02T03:04:05.678+00:00,98,32",
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_another_file_is_rejected_and_not_changed(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="name another file") as refused:
        CsvRecorder(path).open()
    assert str(path) in str(refused.value)
    assert path.read_bytes() == content


# Incomplete files


def test_a_file_cut_anywhere_is_repaired_and_continued(path: Path) -> None:
    record(path, FULL, status())
    whole = path.read_bytes()
    ends = [number + 1 for number, byte in enumerate(whole) if byte == 10]
    assert len(ends) == 3 and ends[-1] == len(whole)
    added = status(dhwChargePer=42)
    near = {end + step for end in (0, *ends) for step in range(-9, 10)}
    for cut in sorted({*range(0, len(whole), 7), *near} & set(range(len(whole) + 1))):
        path.write_bytes(whole[:cut])
        recorder = record(path, added)
        sound = max([end for end in ends if end <= cut], default=0)
        if cut + 1 in ends[1:]:  # only the line end is missing
            sound = cut + 1
        assert recorder.truncated_bytes == max(0, cut - sound)
        after = path.read_bytes()
        assert after.startswith(whole[:sound] or whole[: ends[0]])
        kept = max(0, sum(end <= sound for end in ends) - 1)
        assert after.count(b"\n") == kept + 2
        assert after.endswith(b"\n")
        assert after.splitlines()[-1].split(b",")[1] == b"42"
        assert {line.count(b",") for line in after.splitlines()} == {len(COLUMNS) - 1}


def test_only_the_incomplete_line_is_cut_off(path: Path) -> None:
    record(path, FULL)
    whole = path.read_bytes()
    path.write_bytes(whole + b"2" * 50_000)
    assert record(path).truncated_bytes == 50_000
    assert path.read_bytes() == whole


def test_a_repair_is_logged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    record(path, FULL)
    path.write_bytes(path.read_bytes()[:-3])
    record(path)
    (warning,) = [entry for entry in caplog.records if entry.levelname == "WARNING"]
    assert "incomplete last line" in warning.getMessage()
    assert str(path) in warning.getMessage()


# Write errors


def test_a_folder_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        CsvRecorder(tmp_path / "absent" / "heater.csv").open()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        CsvRecorder(tmp_path).open()


def child(code: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


READ_ONLY = """
import os, sys
from navien_nwp500.history.csv import CsvRecorder
if os.geteuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
try:
    CsvRecorder(sys.argv[1]).open()
except PermissionError as error:
    print("refused")
"""


@pytest.fixture()
def shared_folder() -> Iterator[Path]:
    """Create a folder that all users can enter; those of pytest are for its user only."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs the users of a POSIX system")
def test_a_read_only_file_is_an_os_error_and_stays_as_it_is(shared_folder: Path) -> None:
    path = shared_folder / "heater.csv"
    record(path, FULL)
    before = path.read_bytes()[:-3]
    path.write_bytes(before)
    path.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    run = child(READ_ONLY, str(path))
    assert (run.stdout, run.stderr) == ("refused\n", "")
    assert path.read_bytes() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_full_disk_is_an_os_error() -> None:
    with pytest.raises(OSError, match="No space left"):
        CsvRecorder("/dev/full").open()


# Space for the header, one line and half a line; then more space.
FULL_DISK = """
import resource, sys
from datetime import datetime, timezone
from navien_nwp500.protocol.messages import decode_status
from navien_nwp500.history.csv import CsvRecorder
from navien_nwp500.history.csv_format import COLUMNS

status = decode_status(sys.argv[2])
now = datetime(2026, 1, 2, tzinfo=timezone.utc)
with CsvRecorder(sys.argv[1]) as recorder:
    header = recorder.path.stat().st_size
    recorder.write(status, now)
    line = recorder.path.stat().st_size - header
    resource.setrlimit(resource.RLIMIT_FSIZE, (header + line + line // 2, resource.RLIM_INFINITY))
    for attempt in range(2):
        try:
            recorder.write(status, now)
        except OSError as error:
            print(type(error).__name__, recorder.path.stat().st_size == header + line)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    recorder.write(status, now)
    print(recorder.path.stat().st_size == header + 2 * line)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs the file limits of a POSIX system")
def test_half_a_line_written_to_a_full_disk_is_removed(path: Path) -> None:
    run = child(FULL_DISK, str(path), wire_json())
    assert run.stderr == ""
    assert run.stdout.split("\n")[:3] == ["OSError True", "OSError True", "True"]
    assert len(lines(path)) == 2


def wire_json() -> str:
    return str(encode_fields(FULL)).replace("'", '"')


# Several writers, and a killed process


def test_threads_write_complete_lines(path: Path) -> None:
    start = threading.Barrier(4)

    def write(recorder: CsvRecorder, charge: int) -> None:
        start.wait(10)
        for _ in range(100):
            recorder.write(status(dhwChargePer=charge), WHEN)

    with CsvRecorder(path) as recorder:
        threads = [threading.Thread(target=write, args=(recorder, charge)) for charge in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    found = lines(path)
    assert len(found) == 400
    assert {line["dhw_charge_percent"] for line in found} == {"0", "1", "2", "3"}
    assert {len(line) for line in found} == {len(COLUMNS)}


def test_two_recorders_of_one_file_keep_each_others_lines(path: Path) -> None:
    with CsvRecorder(path) as first, CsvRecorder(path) as second:
        for _ in range(3):
            first.write(status(dhwChargePer=1), WHEN)
            second.write(status(dhwChargePer=2), WHEN)
    assert [line["dhw_charge_percent"] for line in lines(path)] == ["1", "2"] * 3


def test_writing_to_a_closed_recorder_is_an_error(path: Path) -> None:
    recorder = record(path, FULL)
    for closed in (recorder, CsvRecorder(path)):
        with pytest.raises(ConfigurationError, match="is not open"):
            closed.write(FULL, WHEN)
    recorder.close()
    assert len(lines(path)) == 1


def test_a_recorder_may_be_opened_again(path: Path) -> None:
    recorder = record(path, FULL)
    with recorder:
        recorder.write(FULL, WHEN)
    assert len(lines(path)) == 2


ENDLESS = """
import sys
from datetime import datetime, timezone
from navien_nwp500.protocol.messages import decode_status
from navien_nwp500.history.csv import CsvRecorder

status = decode_status(sys.argv[2])
with CsvRecorder(sys.argv[1]) as recorder:
    written = 0
    while True:
        recorder.write(status, datetime.now(timezone.utc))
        written += 1
        if written == 200:
            print("writing", flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_process_leaves_complete_lines(path: Path) -> None:
    before = 0
    for _ in range(3):
        command = [sys.executable, "-c", ENDLESS, str(path), wire_json()]
        with running(*command) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "writing\n"
            process.kill()
            assert process.wait(30) == -signal.SIGKILL
        record(path)
        found = lines(path)
        assert len(found) >= before + 200
        before = len(found)
    assert {line["tank_upper_temp"] for line in found} == {"60.5"}
    assert {len(line) for line in found} == {len(COLUMNS)}


# BufferedCsvRecorder


def test_statuses_are_kept_until_the_file_can_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "disk" / "tank.csv"
    path.parent.mkdir()
    with BufferedCsvRecorder(path) as recorder:
        recorder.write(status(), WHEN)
        path.parent.rename(tmp_path / "elsewhere")
        for _ in range(3):
            recorder.write(status(), WHEN)
        path.parent.mkdir()
        recorder.write(status(), WHEN)
    assert len(path.read_text().splitlines()) == 1 + 4
    assert len((tmp_path / "elsewhere" / "tank.csv").read_text().splitlines()) == 1 + 1
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_kept_statuses_are_bounded_and_dropped_ones_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "disk" / "tank.csv"
    path.parent.mkdir()
    with BufferedCsvRecorder(path, capacity=5) as recorder:
        path.parent.rename(tmp_path / "elsewhere")
        for _ in range(12):
            recorder.write(status(), WHEN)
        assert recorder.dropped == 7
    assert "5 statuses not written" in caplog.text


def test_a_failed_first_opening_raises(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        with BufferedCsvRecorder(tmp_path / "no" / "such" / "tank.csv"):
            raise AssertionError("it opened")
