"""The benchmarks run and fill their table; what they measure is not judged here."""

from __future__ import annotations

import importlib
import os
import platform
import re
from pathlib import Path
from typing import Callable

import pytest

ROOT = Path(__file__).parents[2]
#: Those that take seconds and need nothing but what the tests have, and how many figures each has.
QUICK = {
    "start": 4,
    "decode": 6,
    "first-reading": 12,
    "round-trip": 2,
    "many": 12,
    "history": 7,
    "outages": 1,
}
#: Without a floor there is no ratio.
BARE = {"many", "first-reading", "history"}


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The program ``python -m benchmarks``, without the second that its modules take to load."""
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.chdir(ROOT)  # their clouds are processes
    run = importlib.import_module("benchmarks.__main__").main
    return lambda *words: run(words)


@pytest.mark.parametrize("name", QUICK)
def test_the_quick_form_fills_its_table(
    name: str,
    benchmarks: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = tmp_path / "RESULTS.md"
    benchmarks("--quick", name, "--results", str(page))
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
    text = page.read_text("utf-8")
    check_machine(text)
    rows = [line.split("|")[1:-1] for line in text.splitlines() if "|" in line]
    figures = [[cell.strip() for cell in row] for row in rows[2:]]
    assert len(figures) >= QUICK[name]
    for what, ours, floor, ratio, *_ in figures:
        assert re.match(r"-?[\d.,]+", ours), what
        if name not in BARE:
            assert re.match(r"[\d.,]+ ", floor) and float(ratio) > 0, what


def check_machine(text: str) -> None:
    """Check that a page names the machine, but neither a path nor its host."""
    assert "- cores: " in text and "- Python: " in text
    assert str(ROOT) not in text and str(Path.home()) + os.sep not in text
    assert platform.node() not in text


def test_an_unknown_benchmark_is_refused_with_the_list(
    benchmarks: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        benchmarks("nonsense")
    assert refused.value.code == 2 and "round-trip" in capsys.readouterr().err
