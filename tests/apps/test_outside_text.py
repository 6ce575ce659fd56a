"""Names from the cloud and of files are never a format: each outlet shows them as they are."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import os
import re
import shutil
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, AsyncIterator, Callable

import pytest
from markdown_it import MarkdownIt
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from apps.bridges.test_home_assistant import AnyBroker, bridging, broker, home_assistant
from apps.bridges.test_prometheus import OPENMETRICS, exporting, scrape
from navien_nwp500._util.text import clean_text, comparable
from navien_nwp500.apps.cli.app import navien_nwp500
from navien_nwp500.apps.cli.live_view import LiveView
from navien_nwp500.history.alerts import Alert
from navien_nwp500.history.csv import CsvRecorder
from navien_nwp500.simulator import Heater, Simulator
from support.background_simulator import START
from support.cli import run
from support.reliability_tools import wait_until

__all__ = ["broker"]

#: Names that are commands, markup or unprintable somewhere.
NAMES = [
    "[/]",
    "[bold]x[/bold] [link=https://a.example]y[/link]",
    "<script>alert('a')</script>",
    "<img src=x onerror=alert(1)>&lt;",
    "a | b `c` **d** [e](f)",
    "=1+1",
    "+1",
    "@SUM(1)",
    "-1 | x",
    "1. x",
    "# x",
    "home/+/#",
    'name="x"} 1\\n',
    "{{ states('x') }}",
    "%n $HOME ; \\",
    "cut \ud83d",
    "two\r\nlines\x00\x1b[31m",
    "\u202eright to left",
    "Ku\u0308che",
]


#: Those that mean something to a broker, in JSON or in a template; each heater has a hundred entities.
NAMES_OF_TOPICS = NAMES[11:17]


@asynccontextmanager
async def cloud_of(names: list[str]) -> AsyncIterator[Simulator]:
    """A cloud with a heater for each name."""
    async with Simulator(speed=600, heaters=len(names)) as sim:
        for unit, name in zip(sim.units, names):
            unit.record.device_name = name
        yield sim


@pytest.fixture
async def named() -> AsyncIterator[Simulator]:
    async with cloud_of(NAMES) as sim:
        yield sim


def shown(text: str) -> str:
    """Let a terminal with colours and links show a text in a live view."""
    file = io.StringIO()
    console = Console(file=file, width=100, force_terminal=True, color_system="truecolor")
    heater = Heater(now=START, seed=7)
    view = LiveView(text, console=console)
    console.print(view)
    view.show_status(heater.status(), heater.now, [Alert("error", text, True)])
    console.print(view)
    assert "\x1b]8" not in file.getvalue()  # a link
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", file.getvalue())


@pytest.mark.parametrize("name", [clean_text(name) for name in NAMES])
def test_the_live_view_has_no_markup(name: str) -> None:
    output = shown(name)
    assert output.count(name) >= 3  # twice in a title, and in the alert


async def test_commands_show_each_name_in_one_line_and_find_the_heater(
    named: Simulator, tmp_path: Path
) -> None:
    code, out, err = await run(tmp_path, "devices", **named.environment)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == len(NAMES)
    for line, name in zip(lines, NAMES):
        assert clean_text(name) in line and line.isprintable()
    code, out, _ = await run(tmp_path, "devices", "--json", **named.environment)
    assert [one["name"] for one in json.loads(out)] == [clean_text(name) for name in NAMES]
    for typed, name in (
        ("KÜCHE", "Küche"),
        (" two   LINES", clean_text(NAMES[16])),
        ("cut", "cut"),
    ):
        code, out, err = await run(
            tmp_path, "status", "--device", typed, "--json", **named.environment
        )
        assert code == 0, err
        assert comparable(json.loads(out)["device"]["name"]).startswith(comparable(name))


async def test_a_recording_has_no_formula(named: Simulator, tmp_path: Path) -> None:
    device = named.units[NAMES.index("=1+1")].record.mac_address
    arguments = ("monitor", "--count", "1", "--csv", "tank.csv", "--device", device)
    code, _, err = await run(tmp_path, *arguments, **named.environment)
    assert code == 0, err
    with open(tmp_path / "tank.csv", newline="") as file:
        for cell in (cell for row in csv.reader(file) for cell in row):
            assert not cell.startswith(("=", "+", "@", "\t")), cell
            assert not cell.startswith("-") or float(cell) < 0


async def test_metrics_have_the_names_as_labels(named: Simulator) -> None:
    async with exporting(named) as url:
        for headers, parse in (
            ({}, text_string_to_metric_families),
            (OPENMETRICS, openmetrics.text_string_to_metric_families),
        ):
            families = parse(await scrape(url, **headers))
            labels = [
                sample.labels["name"]
                for family in families
                for sample in family.samples
                if "name" in sample.labels
            ]
            assert sorted(labels) == sorted(clean_text(name) for name in NAMES)


async def test_the_bridge_publishes_every_heater(broker: AnyBroker) -> None:
    def found() -> dict[str, Any]:
        return {
            topic: json.loads(text)["device"]["name"]
            for topic, text in home.retained.items()
            if topic.endswith("/config")
        }

    async with cloud_of(NAMES_OF_TOPICS) as sim, home_assistant(broker) as home:
        async with bridging(sim, broker) as bridge:
            await wait_until(lambda: bridge.done() or len(found()) == len(NAMES_OF_TOPICS))
        assert sorted(found().values()) == sorted(map(clean_text, NAMES_OF_TOPICS))
        assert all(re.fullmatch(r"[\w/]+", topic) for topic in home.retained)


@pytest.fixture(scope="module")
def torn_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day of a heater, whose last line is torn: the notes name the file."""
    path = tmp_path_factory.mktemp("recording") / "tank.csv"
    heater = Heater(now=START, seed=7)
    with CsvRecorder(path) as recorder:
        for _ in range(100):
            heater.advance(900)
            recorder.write(heater.status(), heater.now)
    with open(path, "a") as file:
        file.write("2026")
    return path


@pytest.fixture
def recording(torn_recording: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Write a recording of this name."""

    def copy(name: str) -> Path:
        return Path(shutil.copy(torn_recording, tmp_path / name))

    return copy


def report(*arguments: str) -> None:
    with pytest.raises(SystemExit) as end:
        navien_nwp500.main(["report", *arguments])
    assert end.value.code == 0


def is_file_name(name: str) -> bool:
    """Return True if this system can name a file so; in the locale C names are ASCII."""
    try:
        return not set(name) & set("/\x00\ud83d") and bool(os.fsencode(name))
    except UnicodeEncodeError:
        return False


FILES = [name for name in NAMES if is_file_name(name)]


def test_a_file_name_is_plain_text_in_markdown(
    recording: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    report(*(str(recording(f"{name}.csv")) for name in FILES), "--markdown")
    tokens = MarkdownIt("commonmark").enable("table").parse(capsys.readouterr().out)
    kinds = {token.type for token in tokens}
    assert not {"html_block", "ordered_list_open", "fence", "code_block"} & kinds
    assert max(token.level for token in tokens if token.type == "bullet_list_open") == 0
    notes = [one for one in tokens if one.type == "inline" and "torn" in one.content]
    assert len(notes) == len(FILES)
    for note, name in zip(notes, FILES):
        assert {part.type for part in note.children or ()} <= {"text", "text_special"}
        text = "".join(part.content for part in note.children or ())
        assert text.startswith(f"{clean_text(f'{name}.csv')}: its last line")


class Tags(html.parser.HTMLParser):
    """The tags and texts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_file_name_is_plain_text_in_html(
    recording: Callable[[str], Path], tmp_path: Path
) -> None:
    files = [str(recording(f"{name}.csv")) for name in FILES]
    report(*files, "--html", str(tmp_path / "page"))
    page = Tags()
    page.feed((tmp_path / "page").read_text("utf-8"))
    assert not {"script", "a", "img"} & page.tags and "&amp;lt;" in (tmp_path / "page").read_text(
        "utf-8"
    )
    for name in FILES:
        assert page.text.count(clean_text(f"{name}.csv")) >= 2


async def test_a_topic_prefix_is_checked(tmp_path: Path) -> None:
    for prefix in ("a/#", "+", "/", "a\nb", "a\u202eb"):
        arguments = ("bridge", "mqtt", "--broker", "mqtt://127.0.0.1", "--topic", prefix)
        code, _, err = await run(tmp_path, *arguments)
        assert code == 2 and "is not a topic prefix" in err
