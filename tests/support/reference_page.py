"""Sections of reference/PROTOCOL.md, and citations of them: ``PROTOCOL 6.8``."""

from __future__ import annotations

import re
from pathlib import Path

TEXT = (Path(__file__).parents[2] / "reference" / "PROTOCOL.md").read_text("utf-8")
#: Section numbers, in order.
NUMBERS = re.findall(r"^#{2,3} (\d+(?:\.\d+)?)\.? ", TEXT, re.M)

NUMBER = r"\d+(?:\.\d+)*"
#: A citation with the further numbers of a list: "PROTOCOL 8.3, 8.4 and 9.12".
CITATION = re.compile(rf"\bPROTOCOL ({NUMBER}(?:(?:, | and |, and | to ){NUMBER})*)")
#: A citation may continue on the next line of a comment or docstring.
LINE_END = re.compile(r"\n[ \t]*(?:#:? ?)?")


def cited(text: str) -> list[str]:
    """Return the sections that a text cites, in order."""
    found = CITATION.findall(LINE_END.sub(" ", text))
    return [number for numbers in found for number in re.findall(NUMBER, numbers)]


def resolves(source: str) -> bool:
    """Return True when a text cites sections and all of them exist."""
    return bool(cited(source)) and set(NUMBERS).issuperset(cited(source))


def chapter(number: int) -> str:
    """Return one chapter of the page."""
    return TEXT.partition(f"\n## {number}. ")[2].partition("\n## ")[0]


#: Other ways to write a citation, which a search for "PROTOCOL" would miss.
OTHER_FORM = re.compile(rf"\b(?:[Pp]rotocol|PROTOCOL\.md) {NUMBER}\b")
