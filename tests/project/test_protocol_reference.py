"""Code and documents cite sections of reference/PROTOCOL.md that exist."""

from __future__ import annotations

import re
from pathlib import Path

from support.reference_page import LINE_END, NUMBERS, OTHER_FORM, TEXT, chapter, cited, resolves

ROOT = Path(__file__).parents[2]
FOLDERS = ("navien_nwp500", "tests", "benchmarks", "examples", "docs", "reference")
CITING = sorted(
    path
    for files in (ROOT.glob("*.md"), *((ROOT / folder).rglob("*") for folder in FOLDERS))
    for path in files
    if path.suffix in (".py", ".md", ".txt")
)


def test_the_cited_sections_exist() -> None:
    missing = [
        f"{path.relative_to(ROOT)}: {number}"
        for path in CITING
        for number in cited(path.read_text("utf-8"))
        if number not in NUMBERS
    ]
    assert missing == [], "write the section, with source and certainty, in reference/PROTOCOL.md"


def test_every_citation_has_the_same_form() -> None:
    other = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in CITING
        if path != Path(__file__)
        for found in OTHER_FORM.finditer(LINE_END.sub(" ", path.read_text("utf-8")))
    ]
    assert other == [], "write PROTOCOL 6.8"
    assert OTHER_FORM.search("protocol 6.8") and OTHER_FORM.search("PROTOCOL.md 6.8")


def test_citations_are_found() -> None:
    text = (
        "(PROTOCOL 8.3, 8.4 and 9.12) PROTOCOL 1.16, PROTOCOL 13. the password last (PROTOCOL\n"
        "        1.5). #: known (PROTOCOL\n    #: 4.4, 14). PROTOCOL 9.2 to 9.5 and MQTT 3.1.1"
    )
    assert cited(text) == "8.3 8.4 9.12 1.16 13 1.5 4.4 14 9.2 9.5".split()
    assert not resolves(f"PROTOCOL {6}.99") and not resolves("nothing")
    assert sum(len(cited(path.read_text("utf-8"))) for path in CITING) > 200


def test_the_open_points_that_are_cited_are_open() -> None:
    listed = re.findall(r"^\| (\d+) \|", chapter(13), re.M)
    texts = [path.read_text("utf-8") for path in CITING if path.suffix == ".py"]
    points = re.findall(r"PROTOCOL 13, point (\d+)", " ".join(texts), re.I)
    assert points and set(points) <= set(listed)


def test_sections_are_numbered_once_and_in_order() -> None:
    order = [tuple(int(part) for part in number.split(".")) for number in NUMBERS]
    assert order == sorted(set(order))
    assert len(order) == len(re.findall(r"^#{2,3} ", TEXT, re.M))
