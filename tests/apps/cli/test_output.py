"""Printing on any encoding, and to streams that cannot be written."""

from __future__ import annotations

import ast
import asyncio
import encodings.aliases
import io
import re
from pathlib import Path
from typing import Iterator

import click
import pytest
from hypothesis import given
from rich.console import Console

from navien_nwp500.apps.cli import output
from navien_nwp500.apps.cli.live_view import LiveView
from navien_nwp500.apps.cli.output import PLAIN, OutputError, plain, prepare_streams, print_result
from navien_nwp500.apps.cli.runner import describe_os_error, report_error
from navien_nwp500.history.alerts import Alert
from navien_nwp500.history.csv import CsvRecorder
from navien_nwp500.models import Health, HealthState
from navien_nwp500.simulator import Heater, Simulator
from support.background_simulator import START
from support.cli import LIMIT, environment, fork_server
from support.forked_cli import AVAILABLE
from util.test_text import ANY_TEXT

PACKAGE = Path(output.__file__).parents[2]


def single_byte_codecs() -> list[str]:
    """The codecs of Python that write one byte per character, and ASCII as ASCII."""
    found, text = [], bytes(range(128)).decode()
    for name in sorted({*encodings.aliases.aliases.values()}):
        try:
            one_byte = len("äж漢ひ한".encode(name, "replace")) == 5
            if one_byte and text.encode(name) == text.encode():
                found.append(name)
        except (LookupError, UnicodeError, AttributeError, TypeError):
            continue  # no codec of texts, or not on this system
    return found


CODECS = single_byte_codecs()


def stream(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding)


def test_the_codecs_are_all_there() -> None:
    assert len(CODECS) > 50
    assert {"ascii", "latin_1", "cp1252", "cp437", "koi8_r", "iso8859_15", "mac_roman"} <= {*CODECS}


@pytest.mark.parametrize("codec", CODECS)
def test_every_sign_of_the_program_has_a_plain_twin(codec: str) -> None:
    for sign, twin in PLAIN.items():
        shown = plain(sign, stream(codec))
        assert shown in (sign, twin) and "?" not in shown
    degrees = plain("49.0 °C, 120.2 °F", stream(codec))
    assert degrees in ("49.0 °C, 120.2 °F", "49.0 C, 120.2 F")


def literals(path: Path) -> Iterator[str]:
    """The texts of a module that it may print: all but its docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in docstrings:
                yield node.value


def test_every_sign_that_the_package_prints_is_in_the_table() -> None:
    not_printed = {PACKAGE / "_util" / "text.py", Path(output.__file__)}
    found: set[str] = set()
    for path in {*PACKAGE.rglob("*.py")} - not_printed:
        signs = {
            sign for text in literals(path) for sign in text if sign > "\x7f" and sign.isprintable()
        }
        assert signs <= PLAIN.keys(), path
        found |= signs
    assert {"°", "█", "✓", "╭"} <= found


def test_help_is_ascii_because_click_prints_it_by_itself(
    all_commands: dict[str, click.Command],
) -> None:
    for path, command in all_commands.items():
        assert command.get_help(click.Context(command, info_name=path)).isascii(), path


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Küche", "Kuche"),
        ("Tank 🔥", "Tank ?"),
        ("e\u0301", "e"),
        ("温水器", "???"),
        ("\ud83d", "?"),
        ("✗ 1 → 2 … ½ 3 µg ±", "NO 1 -> 2 ... 12 3 ug +-"),
        ("▁▂▃▄▅▆▇█", "..:-=+*#"),
    ],
)
def test_text_in_ascii(text: str, shown: str) -> None:
    assert plain(text, stream("ascii")) == shown


@given(ANY_TEXT)
def test_any_text_can_be_printed_everywhere(text: str) -> None:
    for encoding in ("ascii", "cp1252", "cp437", "utf-8", "utf-16", "gb2312", "cp037"):
        plain(text, stream(encoding))


def test_only_the_printing_layer_prints() -> None:
    found = []
    for path in (PACKAGE / "apps").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if called in {"print", "click.echo", "click.secho"} or re.match(
                r"sys\.std(out|err)\.write", called
            ):
                found.append(f"{path.name}: {called}")
    assert found == ["output.py: print"] * 2


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "cp437", "koi8-r"])
def test_the_live_view_is_aligned_on_any_encoding(encoding: str) -> None:
    shown = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    heater = Heater(now=START, seed=7)
    view = LiveView("Küche 🔥", console=Console(file=shown, width=80, force_terminal=False))
    for _ in range(60):
        heater.advance(300)
        view.show_status(heater.status(), heater.now, [Alert("error", "the tank is 5 °C", True)])
    view.show_health(Health(HealthState.ONLINE, START, START, 0, 0, 0))
    Console(file=shown, width=80, force_terminal=False).print(view)  # a strict stream: all is plain
    shown.flush()
    lines = shown.buffer.getvalue().decode(encoding).splitlines()  # type: ignore[attr-defined]
    assert len(lines) > 15 and {len(line) for line in lines} == {80}
    text = "\n".join(lines)
    assert re.search(r"K(ü|u)che \?", text) and ("█" in text or "#" in text)


@pytest.mark.skipif(not AVAILABLE, reason="needs fork")
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
async def test_commands_print_plain_text_where_the_encoding_lacks_a_sign(
    encoding: str, sim: Simulator, tmp_path: Path
) -> None:
    heater = Heater(now=START, seed=7)
    with CsvRecorder(tmp_path / "tank.csv") as recorder:
        for _ in range(100):
            heater.advance(900)
            recorder.write(heater.status(), heater.now)
    loop = asyncio.get_running_loop()
    signs = {
        "status": r"\d (°|\\xb0)?F",
        "energy month": "#",
        "monitor --count 1": r"\d (°|\\xb0)?F",
        "doctor": "^ok configuration",
    }
    if encoding == "ascii":  # once, as its modules take a second to load
        signs["report tank.csv --markdown"] = r"upper, (°|\\xb0)?C|\+-|--"
    for command, sign in signs.items():
        code, out, err = await loop.run_in_executor(
            None,
            lambda: fork_server().run(
                tmp_path,
                tuple(command.split()),
                None,
                environment(**sim.environment),
                int(LIMIT),
                {"encoding": encoding},
            ),
        )
        assert code == 0, err
        assert re.search(sign, out, re.M) and "?" not in out
        assert (encoding == "ascii") <= out.isascii()


class Unwritable(io.TextIOWrapper):
    """A text stream on a full disk, or whose reader is gone."""

    def __init__(self, error: OSError) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")
        self._error = error

    def write(self, text: str) -> int:
        raise self._error


@pytest.mark.parametrize(
    "error", [BrokenPipeError(32, "Broken pipe"), OSError(28, "No space left")]
)
def test_what_was_done_stays_done_when_it_cannot_be_printed(
    error: OSError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout", Unwritable(error))
    with pytest.raises(OutputError, match="the output cannot be written"):
        print_result("49.0 °C")
    print_result("49.0 °C", done=True)
    assert "this was done, but the output cannot be written" in capsys.readouterr().err
    monkeypatch.setattr("sys.stderr", Unwritable(error))
    print_result("49.0 °C", done=True)


def test_a_fault_of_the_program_is_one_sentence_that_says_where(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(KeyError) as fault:
        dict[str, str]()["no\nsuch"]
    assert report_error(fault.value) == 1
    err = capsys.readouterr().err
    assert re.match(r"navien-nwp500: internal error at test_output.py, line \d+: KeyError: ", err)
    assert len(err.splitlines()) == 1 and "NAVILINK_LOG_LEVEL=DEBUG" in err


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            PermissionError(13, "Permission denied", "a\nb.csv"),
            "a b.csv: Permission denied; choose",
        ),
        (OSError(28, "No space left on device"), "No space left on device; free some space"),
        (OSError("no number"), "no number"),
    ],
)
def test_an_error_of_the_system_is_a_sentence_with_advice(error: OSError, sentence: str) -> None:
    assert describe_os_error(error).startswith(sentence)


def test_closed_streams_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(f"sys.{name}", None)
    prepare_streams()
    import sys

    print_result("nobody reads this")
    assert sys.stdin.read() == ""
    for closed in (sys.stdin, sys.stdout, sys.stderr):
        closed.close()
