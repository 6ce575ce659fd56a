"""A report as Markdown."""

from __future__ import annotations

import re
from typing import Iterator, Sequence

from ..._util.text import clean_text
from ...analysis.summary import Report
from .notes import notes
from .tables import ReportTable, facts, tables, title


def markdown(report: Report) -> str:
    """Return key figures, days and events as tables."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# Water heater, {title(report)}"
    yield ""
    for fact in facts(report):
        yield f"- {fact.name}: **{_plain(fact.value)}** ({_plain(fact.note)})"
    for table in tables(report):
        if table.rows:
            yield from _table(table)
    yield from ("", "## Notes", "")
    for note in notes(report):
        yield _entry(note)


def _table(table: ReportTable) -> Iterator[str]:
    yield from ("", f"## {table.name}", "", table.note, "")
    yield _row(table.columns)
    yield _row(["---", *["---:"] * (len(table.columns) - 1)])
    for row in table.rows:
        yield _row(row)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_plain(cell) for cell in cells) + " |"


def _plain(text: str) -> str:
    """Escape text so that no cell, tag, link or emphasis begins in it: file names come from outside."""
    return re.sub(r"[\\|<>*_`\[\]~&#]", r"\\\g<0>", clean_text(text))


def _entry(text: str) -> str:
    """Return a list entry; its text cannot begin another list or a heading."""
    return "- " + re.sub(r"^(\d*)([-+=.)])", r"\1\\\2", _plain(text))
