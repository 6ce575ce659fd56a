"""What reference/PROTOCOL.md holds, and how a text cites it."""

from __future__ import annotations

import re
from pathlib import Path

TEXT = (Path(__file__).parents[2] / "reference" / "PROTOCOL.md").read_text("utf-8")
#: The numbers of its sections, in its order.
NUMBERS = re.findall(r"^#{2,3} (\d+(?:\.\d+)?)\.? ", TEXT, re.M)

NUMBER = r"\d+(?:\.\d+)*"
#: One citation, and the further numbers of a list: "PROTOCOL 8.3, 8.4 and 9.12".
CITATION = re.compile(rf"\bprotocol(?:\.md)? ({NUMBER}(?:(?:, | and |, and | to ){NUMBER})*)", re.I)
#: What goes on in the next line of a comment or docstring.
LINE_END = re.compile(r"\n[ \t]*(?:#:? ?)?")


def cited(text: str) -> list[str]:
    """The sections a text names, in its order."""
    found = CITATION.findall(LINE_END.sub(" ", text))
    return [number for numbers in found for number in re.findall(NUMBER, numbers)]


def resolves(source: str) -> bool:
    """Whether a text cites something, and all of it is there."""
    return bool(cited(source)) and set(NUMBERS).issuperset(cited(source))


def chapter(number: int) -> str:
    """One chapter of the page."""
    return TEXT.partition(f"\n## {number}. ")[2].partition("\n## ")[0]
