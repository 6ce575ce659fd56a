"""The figures as a table for a terminal of 80 columns, and as a page."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Mapping, Sequence

from .figures import Figure, Sample

_LINE = "{:30} {:>14} {:>14} {:>6} {:>7} {}"


def terminal(sections: Mapping[str, Sequence[Figure]]) -> str:
    """Say the medians, half the distance of the quartiles as ±, and what was reached."""
    lines = [_LINE.format("", "ours", "floor", "ratio", "goal", "").rstrip()]
    for title, figures in sections.items():
        lines += ["", title]
        against = None
        for figure in figures:
            if figure.against != against and figure.against is not None:
                lines.append(f"  against {figure.against}:")
            against = figure.against
            lines.append(_row(figure))
    return "\n".join(lines)


def page(sections: Mapping[str, Sequence[Figure]], command: str) -> str:
    """The same as Markdown, with the quartiles themselves and the machine."""
    lines = [
        "# Results",
        "",
        f"Written by `{command}`; docs/PERFORMANCE.md says what each figure is and how it is taken.",
        "A figure is a median, the quartiles in brackets; a ratio is the median of the ratios of",
        "neighbours, ours and floor measured in turns.",
        "",
        *(f"- {name}: {value}" for name, value in machine().items()),
    ]
    for title, figures in sections.items():
        lines += ["", f"## {title}", "", "| | ours | floor | ratio | above | goal | |"]
        lines += ["|---|---|---|---|---|---|---|", *map(_markdown, figures)]
    return "\n".join(lines) + "\n"


def machine() -> dict[str, str]:
    """Describe the machine without naming it or its owner."""
    implementation = f"{platform.python_implementation()} {platform.python_version()}"
    return {
        "CPU": _processor(),
        "cores": str(_cores()),
        "Python": implementation,
        "system": f"{platform.system()} {platform.release()}",
    }


def _row(figure: Figure) -> str:
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    goal = "" if figure.goal is None else figure.goal.text
    floor = "" if figure.floor is None else _short(figure.floor, figure.unit)
    what = f"  {figure.what}"
    ours = _short(figure.ours, figure.unit)
    line = _LINE.format(what, ours, floor, ratio, goal, _verdict(figure))
    if len(what) <= 30:
        return line.rstrip()
    return what + "\n" + _LINE.format("", ours, floor, ratio, goal, _verdict(figure)).rstrip()


def _markdown(figure: Figure) -> str:
    floor = "" if figure.floor is None else f"{_long(figure.floor)} {figure.against}"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    above = "" if figure.above is None else _number(figure.above)
    goal = "" if figure.goal is None else figure.goal.text
    cells = (f"{figure.what}, {figure.unit}", _long(figure.ours), floor, ratio, above, goal)
    return "| " + " | ".join((*cells, _verdict(figure))) + " |"


def _verdict(figure: Figure) -> str:
    return {None: "", True: "met", False: "NOT"}[figure.met]


def _short(sample: Sample, unit: str) -> str:
    low, high = sample.quartiles
    spread = f" ±{_number((high - low) / 2)}" if len(sample.values) > 1 else ""
    return f"{_number(sample.median)}{spread} {unit}"


def _long(sample: Sample) -> str:
    if len(sample.values) == 1:
        return _number(sample.median)
    low, high = sample.quartiles
    return f"{_number(sample.median)} ({_number(low)} to {_number(high)})"


def _number(value: float) -> str:
    """Three digits that count; thousands whole."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _cores() -> int:
    """Those we may use, where the system tells."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
