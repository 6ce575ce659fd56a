"""Recordings that other programs changed: what the recorder continues, the readers read, and the reverse."""

from __future__ import annotations

import csv
import io
import logging
import os
import tempfile
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from navien_nwp500.exceptions import ConfigurationError
from navien_nwp500.history.csv import BufferedCsvRecorder, CsvRecorder
from navien_nwp500.history.csv_format import COLUMNS, FIXED_COLUMNS, FormatError, parse_recording
from navien_nwp500.protocol.fields import decode_fields
from navien_nwp500.protocol.status import DeviceStatus
from support.status_examples import CORE

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
MAC, OTHER_MAC = "04:78:63:33:8d:aa", "0478632aaaaa"
MANY = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def status(charge: int) -> DeviceStatus:
    changes = {"dhwChargePer": charge, "tankUpperTemperature": 605, "tankLowerTemperature": 594}
    return decode_fields(DeviceStatus, {**CORE, **changes})


def record(path: Path, *charges: int, **options: Any) -> None:
    with CsvRecorder(path, **options) as recorder:
        for charge in charges:
            recorder.write(status(charge), WHEN + timedelta(minutes=charge))


def rows(path: Path) -> list[dict[str, str]]:
    """Read the rows as the readers do."""
    return [
        dict(zip(block.header.columns, block.header.cells(row)))
        for block in parse_recording(path.read_bytes()).blocks
        for row in block.rows
    ]


def charges(path: Path) -> list[int]:
    return [int(row["dhw_charge_percent"]) for row in rows(path)]


@pytest.fixture()
def path(tmp_path: Path) -> Path:
    return tmp_path / "tank.csv"


# Forms


class Form(NamedTuple):
    """The form in which a spreadsheet program saves a CSV file."""

    mark: bool = False
    delimiter: str = ","
    quoting: int = csv.QUOTE_MINIMAL
    end: str = "\n"
    decimal_comma: bool = False
    added_columns: int = 0

    def save(self, path: Path) -> None:
        """Save a recording again, in place."""
        found = parse_recording(path.read_bytes())
        text = io.StringIO()
        writer = csv.writer(
            text, delimiter=self.delimiter, quoting=self.quoting, lineterminator=self.end
        )
        for block in found.blocks:
            for cells in (block.header.columns, *map(block.header.cells, block.rows)):
                writer.writerow([self._cell(cell) for cell in cells] + [""] * self.added_columns)
        path.write_bytes(("\ufeff" * self.mark + text.getvalue()).encode())

    def _cell(self, cell: str) -> str:
        tenths = cell.replace(",", ".").count(".") == 1 and len(cell) == 4
        return cell.replace(".", ",") if self.decimal_comma and tenths else cell


FORMS = st.builds(
    Form,
    st.booleans(),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.sampled_from([0, 3]),
)
FULL_FORM = Form(True, ";", csv.QUOTE_ALL, "\r\n", True, 3)


@MANY
@given(FORMS, FORMS)
def test_a_file_saved_in_another_form_is_read_and_continued(first: Form, second: Form) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tank.csv"
        record(path, 11, 12, heater=MAC)
        before = rows(path)
        for form, charge in ((first, 13), (second, 14)):
            form.save(path)
            record(path, charge, heater=MAC)
        found = rows(path)
        assert [row["dhw_charge_percent"] for row in found] == ["11", "12", "13", "14"]
        assert {row["heater"] for row in found} == {"8daa"}
        assert {row["tank_upper_temp"].replace(",", ".") for row in found} == {"60.5"}
        assert [row["timestamp"] for row in found[:2]] == [row["timestamp"] for row in before]


def test_the_report_reads_every_form(path: Path) -> None:
    pytest.importorskip("pandas")
    from navien_nwp500.history.recordings import load

    record(path, 11, 12, heater=MAC)
    FULL_FORM.save(path)
    record(path, 13, heater=MAC)
    table = load([path]).table
    assert table["charge"].tolist() == [11, 12, 13]
    assert table["upper"].tolist() == [60.5] * 3 and table["lower"].tolist() == [59.4] * 3


def test_a_column_of_the_user_stays_empty(path: Path) -> None:
    path.write_text(",".join([*FIXED_COLUMNS, "my_notes"]) + "\n")
    record(path, 42)
    assert rows(path)[0]["my_notes"] == "" and charges(path) == [42]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (",".join(COLUMNS).encode("utf-16"), "UTF-16"),
        (b"2026-01-02T03:04:05.678+00:00,98,32,121,463,60.5,59.4\n", "no header before it"),
        (",".join(COLUMNS).replace(",", "|").encode() + b"\n", "not the header of a recording"),
    ],
)
def test_writer_and_reader_refuse_the_same_for_the_same_reason(
    path: Path, content: bytes, says: str
) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=says):
        record(path, 1)
    with pytest.raises(FormatError, match=says):
        parse_recording(path.read_bytes())
    assert path.read_bytes() == content


@pytest.mark.parametrize("form", [Form(), FULL_FORM])
def test_a_doubled_header_does_no_harm(path: Path, form: Form) -> None:
    record(path, 1, 2)
    form.save(path)
    first, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(first + b"\n" + first + b"\n" + rest)
    record(path, 3)
    assert charges(path) == [1, 2, 3]


def test_joined_files_are_continued_with_the_columns_of_the_last(path: Path) -> None:
    record(path, 1)
    old = ",".join(FIXED_COLUMNS) + "\n2026-01-05T00:00:00+00:00,60,32,100,480,50.0,45.0\n"
    path.write_bytes(path.read_bytes() + old.encode())
    record(path, 2)
    assert charges(path) == [1, 60, 2]
    assert len(path.read_text().splitlines()[-1].split(",")) == len(FIXED_COLUMNS)


# Ends


@pytest.mark.parametrize("form", [Form(), FULL_FORM, Form(delimiter="\t", end="\r\n")])
def test_a_file_cut_at_any_byte_is_read_and_continued_alike(path: Path, form: Form) -> None:
    record(path, 11, 12, heater=MAC)
    form.save(path)
    whole = path.read_bytes()
    start = whole.rindex(b"2026-01-02T")
    cuts = [*range(0, len(whole), 29), *range(start, len(whole) + 1)]
    for cut in cuts:
        path.write_bytes(whole[:cut])
        before = charges(path)
        record(path, 13, heater=MAC)
        assert charges(path) == [*before, 13], cut
    assert before == [11, 12]


def test_a_row_without_its_line_end_counts(path: Path) -> None:
    record(path, 1, 2, heater=MAC)
    path.write_bytes(path.read_bytes()[:-1])
    assert charges(path) == [1, 2]
    record(path, 3, heater=MAC)
    assert charges(path) == [1, 2, 3]


@pytest.mark.parametrize("cell, kept", [("58", ""), ("5", ""), ("", "")])
def test_a_last_cell_that_may_be_cut_is_left_out(path: Path, cell: str, kept: str) -> None:
    header = ",".join([*FIXED_COLUMNS, "wifi_rssi"])
    path.write_text(f"{header}\n2026-01-05T00:00:00+00:00,60,32,100,480,50.0,45.0,{cell}")
    assert rows(path)[0]["wifi_rssi"] == kept
    record(path, 2)
    assert [row["wifi_rssi"] for row in rows(path)] == [kept, "58"]


# Changes while the file is open

CHANGES = st.lists(
    st.one_of(
        st.just("write"),
        st.just("rename"),
        st.just("delete"),
        st.just("open again"),
        st.integers(0, 4000),
        FORMS,
    ),
    max_size=8,
)


@MANY
@given(CHANGES)
def test_whatever_happens_to_an_open_file_it_stays_readable(changes: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tank.csv"
        recorder = CsvRecorder(path, heater=MAC)
        recorder.open()
        charge = 0
        try:
            for change in [*changes, "write"]:
                if change == "rename" and path.exists():
                    path.rename(Path(folder) / f"tank.csv.{charge}.{len(os.listdir(folder))}")
                elif change == "delete" and path.exists():
                    path.unlink()
                elif change == "open again":
                    recorder.close()
                    recorder.open()
                elif isinstance(change, int) and path.exists():
                    os.truncate(path, min(change, path.stat().st_size))
                elif isinstance(change, Form) and path.exists() and rows(path):
                    change.save(path)
                elif change == "write":
                    charge += 1
                    recorder.write(status(charge), WHEN)
                    assert charges(path)[-1] == charge
        finally:
            recorder.close()
        found = [charge for each in Path(folder).iterdir() for charge in charges(each)]
        assert len(found) == len(set(found))


def test_an_emptied_file_gets_its_header_again_and_it_is_said(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """``: > tank.csv``, or copytruncate of logrotate."""
    with BufferedCsvRecorder(path, heater=MAC) as recorder:
        recorder.write(status(1), WHEN)
        os.truncate(path, 0)
        recorder.write(status(2), WHEN)
        recorder.write(status(3), WHEN)
    assert charges(path) == [2, 3]
    assert "emptied or changed" in caplog.text
    record(path, 4, heater=MAC)
    assert charges(path) == [2, 3, 4]


def test_a_file_that_logrotate_renamed_is_left_and_a_new_one_begun(path: Path) -> None:
    with CsvRecorder(path) as recorder:
        recorder.write(status(1), WHEN)
        path.rename(path.with_name("tank.csv.1"))
        recorder.write(status(2), WHEN)
    assert charges(path) == [2] and charges(path.with_name("tank.csv.1")) == [1]


def test_a_file_replaced_by_a_foreign_one_is_not_touched(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with BufferedCsvRecorder(path) as recorder:
        path.write_bytes(b"a,b\n1,2\n")
        recorder.write(status(1), WHEN)
        assert path.read_bytes() == b"a,b\n1,2\n"
        path.unlink()
        recorder.write(status(2), WHEN)
    assert charges(path) == [1, 2]
    assert "name another file" in caplog.text


# The heater and its zone


def test_a_row_names_its_heater_and_zone(path: Path) -> None:
    record(path, 0, heater=MAC, zone=ZoneInfo("America/Los_Angeles"))
    (row,) = rows(path)
    assert (row["heater"], row["zone"]) == ("8daa", "America/Los_Angeles")
    assert row["timestamp"] == "2026-01-01T19:04:05.000-08:00"
    assert "04786333" not in path.read_text().replace(":", "")


def test_the_recording_of_another_heater_is_not_continued(path: Path) -> None:
    record(path, 1, heater=MAC)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="…8daa, this is …aaaa; name another file"):
        record(path, 2, heater=OTHER_MAC)
    assert path.read_bytes() == before
    record(path, 2)  # a caller that does not name its heater
    record(path, 3, heater=OTHER_MAC)


def test_an_older_file_is_continued_and_it_is_said(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "navien_nwp500")
    path.write_text(",".join(FIXED_COLUMNS) + "\n2026-01-05T00:00:00Z,60,32,100,480,50.0,45.0\n")
    record(path, 1, heater=MAC)
    assert charges(path) == [60, 1]
    assert "do not name the heater" in caplog.text


def test_a_heater_is_named_by_its_mac_address() -> None:
    with pytest.raises(ConfigurationError, match="MAC address"):
        CsvRecorder("tank.csv", heater="Cellar")


# Threads


def test_the_last_statuses_wait_for_the_one_that_is_being_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM on a slow disk: the exit of the recorder overtakes the thread that writes."""
    writing, ready = threading.Event(), threading.Event()
    write = CsvRecorder.write

    def slow(self: CsvRecorder, *row: Any) -> None:
        write(self, *row)
        writing.set()
        assert ready.wait(30)

    with BufferedCsvRecorder(path) as recorder:
        monkeypatch.setattr(CsvRecorder, "write", slow)
        thread = threading.Thread(target=recorder.write, args=(status(1), WHEN))
        thread.start()
        assert writing.wait(30)
        # The exit starts while the write goes on; it must not write the status again.
        threading.Timer(0.2, ready.set).start()
    thread.join(30)
    assert charges(path) == [1]
