"""The words that tell the heater something, and those that ask for more than a status.

They run here as in a process, up to their exit code, against a cloud in a thread of its own: a
process a word would cost half a second each. Two real processes show that it is the same.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from navien_nwp500.apps.cli import parsing
from navien_nwp500.apps.cli.app import navien_nwp500
from navien_nwp500.apps.cli.commands.set import SET_COMMANDS, register, set_command, single
from navien_nwp500.apps.cli.commands.tou import read_plan
from navien_nwp500.apps.cli.context import CommandContext, wait_response
from navien_nwp500.apps.cli.formatting import UNCHANGED, both_units
from navien_nwp500.apps.cli.runner import OFFLINE, run
from navien_nwp500.exceptions import ConfigurationError, RequestTimeoutError
from navien_nwp500.protocol import commands
from navien_nwp500.protocol.calendar import EVERY_DAY, WEEKDAYS, WEEKEND, Weekday
from navien_nwp500.protocol.commands import Command, Parameter
from navien_nwp500.protocol.features import DeviceFeatures
from navien_nwp500.protocol.fields import decode_fields, encode_fields
from navien_nwp500.protocol.schedules import Reservation, ReservationMode, ReservationProgram
from navien_nwp500.protocol.status import DeviceStatus
from navien_nwp500.protocol.types import HalfCelsius, Percent, RecircMode
from navien_nwp500.simulator import Simulator

Said = Callable[..., "tuple[int, str, str]"]
START = datetime(2026, 3, 12, 8, 0, tzinfo=timezone(timedelta(hours=-5)))
#: A plan whose dear hours are at START.
DEAR_DAY = [
    {"months": "all", "days": "daily", "start": "00:00", "end": "07:59", "price": "0.30"},
    {"months": "all", "days": "daily", "start": "08:00", "end": "22:59", "price": "0.48125"},
    {"months": "all", "days": "daily", "start": "23:00", "end": "23:59", "price": "0.30"},
]


class Beside:
    """A simulator in a thread of its own, so that a word can have its loop here."""

    def __init__(self, **options: Any) -> None:
        self._ready: Future[tuple[Simulator, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(options)), name="simulator"
        )

    def __enter__(self) -> Beside:
        self._thread.start()
        self.sim, self._loop, self._done = self._ready.result(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(60)

    async def _serve(self, options: dict[str, Any]) -> None:
        try:
            async with Simulator(**options) as simulator:
                done = asyncio.Event()
                self._ready.set_result((simulator, asyncio.get_running_loop(), done))
                await done.wait()
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    @property
    def kept(self) -> tuple[Reservation, ...]:
        """The reservations in the heater's memory."""
        return self.sim.units[0].heater.settings.reservations.entries

    def keep(self, *reservations: Reservation) -> None:
        """Put them there, past the cloud."""
        written: Future[None] = Future()

        def write() -> None:
            program = ReservationProgram(bool(reservations), reservations)
            self.sim.units[0].heater.write_reservations(program)
            written.set_result(None)

        self._loop.call_soon_threadsafe(write)
        written.result(10)


def exit_code(program: Callable[[], object]) -> int:
    """Run a program to its end in a thread: the event loop of the tests is not its own."""

    def ending() -> int:
        with pytest.raises(SystemExit) as end:
            program()
        assert isinstance(end.value.code, int)
        return end.value.code

    with ThreadPoolExecutor(max_workers=1) as one:
        return one.submit(ending).result()


@pytest.fixture(scope="module")
def beside() -> Iterator[Beside]:
    """A heater with a pump, whose clock stands at eight."""
    options = {"speed": 600, "start": START, "frozen": True, "recirculation": True}
    with Beside(**options, control_interval=0.0) as found:
        yield found


@pytest.fixture
def sim(beside: Beside) -> Simulator:
    return beside.sim


@pytest.fixture
def say(
    sim: Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Said:
    """Say words on the command line; returns the exit code and what was printed."""
    for name in [name for name in os.environ if name.startswith("NAVILINK_")]:
        monkeypatch.delenv(name)
    for name, value in sim.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(CommandContext, "now", lambda self: sim.clock.now())
    monkeypatch.chdir(tmp_path)

    def spoken(*words: str) -> tuple[int, str, str]:
        code = exit_code(lambda: navien_nwp500.main(list(words), prog_name="navien-nwp500"))
        printed = capsys.readouterr()
        assert all(len(line) <= 80 for line in printed.out.splitlines()), printed.out
        return code, printed.out, printed.err

    return spoken


@pytest.fixture
def done(say: Said) -> Callable[..., str]:
    """Say words that must succeed and stay silent on stderr; returns what they print."""

    def spoken(*words: str) -> str:
        code, out, err = say(*words)
        assert (code, err) == (0, "")
        return out

    return spoken


Done = Callable[..., str]


def status(done: Done) -> dict[str, Any]:
    found = json.loads(done("status", "--json"))["status"]
    assert isinstance(found, dict)
    return found


# set


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("temperature 120F", "set to 120.2 °F (49.0 °C);"),
        ("temperature 50C", "set to 122.0 °F (50.0 °C);"),
        ("temperature 125", "set to 124.7 °F (51.5 °C);"),
        ("temperature 51 --unit C", "set to 123.8 °F (51.0 °C);"),
        ("mode heat-pump", "mode heat pump,"),
        ("mode energy-saver", "mode energy saver,"),
        ("power off", "The heater is off; its setpoint is"),
        ("power on", "The heater is set to"),
        ("vacation 7", "The heater is on vacation for 7 days;"),
        ("mode high-demand", "mode high demand,"),
        ("vacation-days 1", "A vacation lasts 1 day."),
        ("anti-legionella off", "not disinfected. The stored period is 7 days."),
        ("anti-legionella 10", "disinfected every 10 days."),
        ("demand-response on", "accepted the command"),
        ("tou on", "Time of use is on"),
        ("tou off", "Time of use is off"),
        ("intelligent off", "accepted the command"),
        ("water-program", "accepted the command"),
        ("air-filter-life 3000", "its reminder comes at 3000."),
        ("air-filter-life 0", "its reminder is off."),
        ("air-filter-reset", "The air filter has 0 fan hours;"),
        ("condenser-reset", "accepted the command"),
        ("recirculation weekly", "Recirculation: weekly."),
        ("hot-button", "accepted the command"),
    ],
)
def test_set_says_what_the_heater_now_is(done: Done, words: str, sentence: str) -> None:
    out = done("set", *words.split())
    assert sentence in out
    assert "Nothing was sent" not in out
    assert out.splitlines()[-1].startswith("The heater is ")


def test_a_wish_that_holds_is_not_sent_unless_forced(done: Done) -> None:
    done("set", "temperature", "130F")
    assert UNCHANGED in done("set", "temperature", "130F")
    forced = done("set", "temperature", "130F", "--force")
    assert "Nothing was sent" not in forced and "130.1 °F" in forced


def test_a_dry_run_says_what_would_be_sent_and_changes_nothing(done: Done) -> None:
    before = status(done)["dhwTemperatureSetting"]
    out = done("set", "temperature", "48C", "--dry-run")
    assert out.startswith(
        "Dry run: would send command 33554464, dhw-temperature [96]. Nothing was sent.\n"
    )
    found = json.loads(done("set", "temperature", "48C", "--dry-run", "--json"))
    assert found["would_send"]["param"] == [96] and "held_mode" not in found
    assert status(done)["dhwTemperatureSetting"] == before != 96


def test_json_of_set_is_the_document_of_status(done: Done) -> None:
    found = json.loads(done("set", "temperature", "53C", "--json"))
    assert set(found) == {"device", "status", "reading"}
    assert found["status"]["dhwTemperatureSetting"] == 106
    assert encode_fields(decode_fields(DeviceStatus, found["status"])) == found["status"]


def test_a_mode_asked_for_in_a_window_is_held(done: Done, tmp_path: Path) -> None:
    done("set", "mode", "heat-pump")
    done("tou", "set", str(plan_file(tmp_path, DEAR_DAY)))
    out = done("set", "mode", "high-demand")
    assert "The mode changes to high demand when the time-of-use window ends." in out
    assert "mode heat pump," in out
    found = json.loads(done("set", "mode", "energy-saver", "--json"))
    assert found["held_mode"] == "energy_saver"
    assert "Stop following" not in done("tou", "off")


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        ("temperature 300F", 1, "65.5 °C (149.9 °F)"),
        ("vacation 100", 1, "1 d to 99 d"),
        ("air-filter-life 3001", 1, "in steps of 500"),
        ("temperature warm", 2, "'warm' is not a temperature"),
        ("temperature 120F --unit C", 2, "--unit is C"),
        ("mode vacation", 2, "energy-saver"),
        ("anti-legionella often", 2, "nor off"),
        ("vacation", 2, "DAYS"),
        ("temperature 49C --device nonsense", 1, "nonsense"),
    ],
)
def test_a_refusal_says_why_and_sends_nothing(
    say: Said, done: Done, words: str, code: int, reason: str
) -> None:
    found, out, err = say("set", *words.split())
    assert (found, out) == (code, "")
    assert reason in err and "Traceback" not in err
    assert code == 2 or len(err.splitlines()) == 1


def test_read_only_refuses_every_write(say: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAVILINK_READ_ONLY", "1")
    for words in (["set", "power", "off"], ["reservations", "add", *PARTS]):
        code, out, err = say(*words)
        assert (code, out) == (2, "") and "read-only" in err


def test_every_control_of_the_table_has_a_word() -> None:
    controls = {row for row in commands.COMMANDS if row.suffix == "ctrl"}
    assert {row for word in SET_COMMANDS for row in word.controls.values()} == controls


@pytest.mark.parametrize(
    ("codec", "limits", "takes", "example", "said", "sent"),
    [
        (Percent, (0, 80), "RATE", "0", "40", 40),
        (HalfCelsius, (60, 120), "120F|49C", "120F", "45C", 90),
        (HalfCelsius, (60, 120), "120F|49C", "120F", "113", 90),  # as this heater shows it
        (RecircMode, (1, 4), "{always|weekly|hot-button|none}", "always", "hot-button", 3),
    ],
)
def test_a_row_of_the_table_is_a_word(
    say: Said,
    monkeypatch: pytest.MonkeyPatch,
    codec: type[int],
    limits: tuple[int, int],
    takes: str,
    example: str,
    said: str,
    sent: int,
) -> None:
    parameters = (Parameter("rate", codec, *limits),)
    row = Command(
        "mixing_rate", 0x020000F0, "ctrl", "invented", "Mix.", mode="mix", parameters=parameters
    )
    monkeypatch.setattr(set_command, "commands", dict(set_command.commands))
    register(set_command, single(row))
    _, out, _ = say("set", "mixing-rate", "--help")
    assert takes in out and f"Example: navien-nwp500 set mixing-rate {example}\n" in out
    assert "Mix." in say("set", "--help")[1]
    code, out, _ = say("set", "mixing-rate", said, "--dry-run")
    assert code == 0 and f"command 33554672, mix [{sent}]" in out


def test_a_heater_that_does_not_answer_a_command_is_exit_code_3(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def silence() -> None:
        raise RequestTimeoutError("NWP500 did not answer; the command may still take effect")

    assert exit_code(lambda: run(wait_response(silence()))) == OFFLINE
    assert "may still take effect" in capsys.readouterr().err


# reservations

PARTS = "--days mon-fri --at 06:30 --mode energy-saver --temperature 120F".split()


SUNDAY = "  1  05:00  weekend           heat pump     130.1 °F  off"
MORNING = "  2  06:30  mon-fri           energy saver  120.2 °F  on"
TWO = (
    Reservation(WEEKDAYS, time(6, 30), ReservationMode.ENERGY_SAVER, HalfCelsius(98)),
    Reservation(WEEKEND, time(5), ReservationMode.HEAT_PUMP, HalfCelsius(109), enabled=False),
)


@pytest.fixture
def two(beside: Beside) -> None:
    """Exactly two reservations, not in the order of their numbers."""
    beside.keep(*TWO)


@pytest.mark.usefixtures("two")
class TestReservations:
    def test_list_numbers_them_by_time(self, done: Done) -> None:
        lines = done("reservations", "list").splitlines()
        assert lines == ["NWP500 has 2 reservations:", SUNDAY, MORNING]

    def test_add_keeps_the_others(self, done: Done) -> None:
        words = "--days daily --at 23:15 --mode power-off --temperature 120"
        lines = done("reservations", "add", *words.split()).splitlines()
        added = "  3  23:15  daily             power off     120.2 °F  on"
        assert lines == ["NWP500 has 3 reservations:", SUNDAY, MORNING, added]

    def test_json(self, done: Done) -> None:
        found = json.loads(done("reservations", "list", "--json"))
        assert set(found) == {"device", "enabled", "reservations"} and found["enabled"] is True
        assert found["reservations"][0] == {
            "number": 1,
            "days": ["saturday", "sunday"],
            "time": "05:00",
            "mode": "heat_pump",
            "temperature": {"celsius": 54.5, "fahrenheit": 130.1},
            "enabled": False,
        }

    def test_a_dry_run_shows_the_list_as_it_would_become(self, done: Done, beside: Beside) -> None:
        out = done("reservations", "add", *PARTS[:3], "04:00", *PARTS[4:], "--dry-run")
        assert (
            out.startswith("Dry run: the schedule would become this. Nothing was sent.\n")
            and "  1  04:00" in out
        )
        assert SUNDAY not in done("reservations", "remove", "1", "--dry-run")
        found = json.loads(done("reservations", "off", "--dry-run", "--json"))
        assert (found["dry_run"], found["enabled"]) == (True, False)
        assert beside.kept == TWO

    def test_update_changes_what_is_named(self, done: Done) -> None:
        words = "2 --at 07:00 --days wed,sun --temperature 125 --off".split()
        out = done("reservations", "update", *words)
        assert out.splitlines()[1:] == [
            SUNDAY,
            "  2  07:00  wed,sun           energy saver  124.7 °F  off",
        ]
        out = done("reservations", "update", "1", "--on", "--mode", "power-off")
        assert "  1  05:00  weekend           power off     130.1 °F  on" in out

    def test_remove_keeps_the_others(self, done: Done) -> None:
        out = done("reservations", "remove", "1")
        assert out.splitlines() == ["NWP500 has 1 reservation:", MORNING.replace("2", "1", 1)]
        assert done("reservations", "remove", "1") == "NWP500 has no reservations.\n"

    def test_off_and_on(self, done: Done) -> None:
        assert "; the schedule is disabled:\n" in done("reservations", "off")
        assert UNCHANGED in done("reservations", "off")
        assert done("reservations", "on").splitlines()[0] == "NWP500 has 2 reservations:"

    @pytest.mark.parametrize(
        ("words", "code", "reason"),
        [
            ("remove 3", 1, "there is no reservation 3; NWP500 has 2"),
            ("update 9 --on", 1, "there is no reservation 9"),
            ("update 1 --temperature 180F", 1, "65.5 °C"),
            ("update 1", 2, "Name at least one option"),
            ("remove 0", 2, "N"),
            ("add --days someday --at 06:30 --mode electric --temperature 50C", 2, "someday"),
            ("add --days mon --at 24:00 --mode electric --temperature 50C", 2, "24:00"),
            ("add --days mon --at 06:30 --mode vacation --temperature 50C", 2, "vacation"),
        ],
    )
    def test_a_refusal_changes_nothing(
        self, say: Said, beside: Beside, words: str, code: int, reason: str
    ) -> None:
        found, out, err = say("reservations", *words.split())
        assert (found, out) == (code, "") and reason in err
        assert beside.kept == TWO


def test_no_reservation_cannot_be_switched_on(say: Said, beside: Beside) -> None:
    beside.keep()
    code, _, err = say("reservations", "on")
    assert code == 1 and "reservations add" in err


# tou


def plan_file(folder: Path, periods: Any) -> Path:
    """A file for ``tou set``; ``price`` stands for both prices."""
    for entry in periods:
        if "price" in entry:
            entry.update(price_min=entry["price"], price_max=entry.pop("price"))
    path = folder / "plan.json"
    path.write_text(json.dumps({"periods": periods}))
    return path


def test_tou_show_prints_the_plan_of_the_cloud(done: Done) -> None:
    lines = done("tou", "show").splitlines()
    assert lines[0] == "Plan in the cloud: Sample time-of-use rate, Sample Utility"
    assert "  oct-may" in lines and "  jun-sep" in lines
    assert "                      16:00-20:59  0.33 to 0.43 per kWh" in lines
    assert lines[-1].startswith("Today, ")
    assert "12345678" not in "".join(lines)


def test_the_json_of_tou_show_is_a_file_for_tou_set(done: Done, tmp_path: Path) -> None:
    text = done("tou", "show", "--json")
    found = json.loads(text)
    assert found["periods"][1]["price_max"] == "0.43000" and "peak_windows_today" in found
    (tmp_path / "plan.json").write_text(text)
    out = done("tou", "set", "plan.json", "--off")
    assert out.splitlines()[0] == "The heater stored this plan and does not follow it:"
    assert status(done)["touStatus"] == 0


def test_a_dry_run_of_tou_set_sends_nothing(done: Done, tmp_path: Path) -> None:
    done("tou", "off")
    path = str(plan_file(tmp_path, DEAR_DAY))
    out = done("tou", "set", path, "--dry-run")
    assert out.startswith("Dry run: ") and "08:00-22:59  0.48125 per kWh" in out
    found = json.loads(done("tou", "set", path, "--dry-run", "--json"))
    assert found["would_send"]["reservation"][1]["priceMax"] == 48125
    assert len(found["periods"]) == 3 and "sent" not in found
    assert status(done)["touStatus"] == 0


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        ({"end": "07:00"}, 1, "Monday in January: 07:01 to 07:59 is not covered"),
        ({"end": "25:00"}, 2, "period 1: end is '25:00'"),
        ({"days": "mon-someday"}, 2, "period 1: days is 'mon-someday': 'someday' is none of"),
        ({"days": 7}, 2, "period 1: days"),
        ({"months": [13]}, 2, "period 1: months is [13]"),
        ({"price_max": "much"}, 2, "period 1: price_max is 'much'"),
        ({"color": "red"}, 2, "period 1: color is not known"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_before_anything_is_opened(
    say: Said, sim: Simulator, tmp_path: Path, change: Any, code: int, reason: str
) -> None:
    before = sim.counters.passwords
    path = plan_file(tmp_path, [{**DEAR_DAY[0], **change}, *DEAR_DAY[1:]])
    found, out, err = say("tou", "set", str(path))
    assert (found, out) == (code, "") and reason in err and len(err.splitlines()) == 1
    assert sim.counters.passwords == before


def test_files_that_hold_no_plan(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    for text, reason in (("{", "not JSON"), ("{}", "no list"), ("[1]", "period 1 is not an")):
        path.write_text(text)
        with pytest.raises(ConfigurationError, match=reason):
            read_plan(path)
    path.write_text('[{"months": "all"}]')
    with pytest.raises(ConfigurationError, match="days is missing"):
        read_plan(path)


def test_a_bare_list_with_bare_numbers_is_read_exactly(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    entry = {**DEAR_DAY[0], "price_min": 0.1, "price_max": 0.34831, "days": ["mon", "sunday"]}
    entry.pop("price", None)
    path.write_text(json.dumps([entry]))
    (period,) = read_plan(path)
    assert (str(period.price_min), str(period.price_max)) == ("0.1", "0.34831")
    assert period.days == {Weekday.MONDAY, Weekday.SUNDAY}


# energy


def test_energy_day_draws_this_month_up_to_today(done: Done) -> None:
    lines = done("energy", "day").splitlines()
    assert [line[:10] for line in lines[2:-2]] == [f"2026-03-{day:02}" for day in range(1, 13)]
    assert any("█" in line for line in lines)
    assert lines[-2].startswith("total ") and lines[-1].startswith("lifetime ")


def test_energy_of_months_of_two_years_in_order(done: Done) -> None:
    found = json.loads(done("energy", "day", "2026-01", "2025-12", "2026-01", "--json"))
    dates = [entry["date"] for entry in found["usage"]]
    assert len(dates) == 62 and dates == sorted(dates) and dates[0] == "2025-12-01"
    assert set(found["usage"][0]) == set(found["lifetime"]) | {"date"}
    assert found["lifetime"]["heat_pump_wh"] > 1_000_000


def test_energy_month_adds_up(done: Done) -> None:
    found = json.loads(done("energy", "month", "2026", "--json"))
    total = sum(entry["heat_pump_wh"] for entry in found["usage"])
    line = done("energy", "month", "2026").splitlines()[-2].split()
    assert line[0] == "total" and abs(float(line[1]) - total / 1000) < 1
    assert len(done("energy", "month").splitlines()) == 4 + START.month


def test_energy_refuses_other_dates(say: Said) -> None:
    for words, code in ((["day", "2026-13"], 2), (["day", "1999-01"], 1), (["month", "26"], 2)):
        found, out, err = say("energy", *words)
        assert (found, out) == (code, "") and err


# info


def test_info_says_what_it_can_and_nothing_secret(done: Done, sim: Simulator) -> None:
    out = done("info")
    assert "tank       65 gallons, 246 litres" in out
    assert "firmware   controller 11.1.0.0, Wi-Fi 2.7.0.0" in out
    assert "setpoint   104.9 °F (40.5 °C) to 149.9 °F (65.5 °C)" in out
    assert "yes        Recirculation pump supported." in out
    assert "no         Mixing valve fitted" in out
    assert "12345678" not in out and sim.units[0].record.mac_address not in out


def test_info_as_json_has_the_features_as_sent(done: Done) -> None:
    found = json.loads(done("info", "--json"))
    assert set(found) == {"device", "features", "reading"}
    assert found["features"]["controllerSerialNumber"] == "12345678AB12345678"
    assert encode_fields(decode_fields(DeviceFeatures, found["features"])) == found["features"]


# All of them


def test_help_of_every_word_fits_and_has_an_example(say: Said) -> None:
    import click

    def walk(group: click.Group, path: list[str]) -> Iterator[tuple[list[str], bool]]:
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            yield [*path, name], isinstance(command, click.Group)
            if isinstance(command, click.Group):
                yield from walk(command, [*path, name])

    for path, _ in walk(navien_nwp500, []):
        code, out, _ = say(*path, "--help")
        assert code == 0 and f"Example: navien-nwp500 {' '.join(path)}" in " ".join(out.split())


def test_the_help_of_set_is_the_meaning_of_its_rows(say: Said) -> None:
    for word in SET_COMMANDS:
        _, out, _ = say("set", word.name, "--help")
        assert all(row.meaning in " ".join(out.split()) for row in word.controls.values())


@pytest.mark.parametrize("words", ["set power off", "tou show"])
def test_a_word_brings_its_own_simulated_heater(tmp_path: Path, words: str) -> None:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("NAVILINK_")}
    done = subprocess.run(
        [sys.executable, "-m", "navien_nwp500", *words.split(), "--simulate", "--speed", "600"],
        cwd=tmp_path,
        env={**kept, "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "The heater is off" in done.stdout or "Plan in the cloud" in done.stdout


# What people type


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("daily", EVERY_DAY),
        ("weekdays", WEEKDAYS),
        ("mon-fri", WEEKDAYS),
        ("Sat, sunday", WEEKEND),
        ("fri-mon", WEEKEND | {Weekday.FRIDAY, Weekday.MONDAY}),
        ("tue", {Weekday.TUESDAY}),
        ("weekend,wed", WEEKEND | {Weekday.WEDNESDAY}),
    ],
)
def test_day_words(text: str, days: set[Weekday]) -> None:
    assert parsing.parse_days(text) == days
    assert parsing.parse_days(parsing.days_text(days)) == days


def test_month_words_come_back() -> None:
    assert parsing.parse_months("oct-may") == {10, 11, 12, 1, 2, 3, 4, 5}
    assert parsing.months_text({10, 11, 12, 1, 2, 3, 4, 5}) == "oct-may"
    for season in range(1, 4096):
        months = {month for month in range(1, 13) if season >> (month - 1) & 1}
        assert parsing.parse_months(parsing.months_text(months)) == months


@pytest.mark.parametrize("text", ["", "mo", "monx", "mon-", "-mon", "mon--fri", "1", "mon fri"])
def test_words_that_are_no_days(text: str) -> None:
    with pytest.raises(ValueError, match="is none of"):
        parsing.parse_days(text)


def test_a_temperature_in_the_heaters_own_unit() -> None:
    assert parsing.parse_degrees("120").argument("F") == {"fahrenheit": 120}
    assert parsing.parse_degrees("49,5".replace(",", ".")).argument("C") == {"celsius": 49.5}
    assert parsing.parse_degrees("120 °f").argument("C") == {"fahrenheit": 120}
    assert both_units(HalfCelsius(98), "C") == "49.0 °C (120.2 °F)"
    for text in ("", "F", "1e3", "nan", "120K", "1_0"):
        with pytest.raises(ValueError):
            parsing.parse_degrees(text)
