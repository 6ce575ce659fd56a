"""Tests that every link of every document has a target. Links to other hosts must be listed."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not {".venv", "build", "dist", "site", ".pytest_cache"} & {*page.relative_to(ROOT).parts}
)
#: Hosts that documents may link to; nothing is fetched.
OUTSIDE = {"keepachangelog.com", "openei.org", "semver.org", "www.amazontrust.com"}


def prose(page: Path) -> str:
    """Return a page without its code, in which brackets are not links."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", lambda code: re.sub(r"[\[\]()]", "", code[0]), text)


def links(page: Path) -> list[str]:
    inline = re.findall(r"\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)", prose(page))
    named = re.findall(r"^\[[^\]]+\]:\s*(\S+)", prose(page), re.M)
    bare = re.findall(r"<(https?://[^>]+)>", prose(page))
    return [*inline, *named, *bare]


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings, as GitHub and MkDocs both make them."""
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.M):
        words = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        names.add(words if words not in found else f"{words}-{found[words]}")
        found[words] = found.get(words, 0) + 1
    return names


def test_links_are_found() -> None:
    assert len(PAGES) >= 12 and sum(len(links(page)) for page in PAGES) >= 25


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_target_of_every_link_exists(page: Path) -> None:
    for link in links(page):
        parts = urlsplit(link)
        if parts.scheme:
            known = parts.scheme == "https" and parts.hostname in OUTSIDE
            assert known, f"list the host of {link} in OUTSIDE"
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        assert target.exists() and ROOT in [target, *target.parents], link
        if parts.fragment:
            assert parts.fragment in anchors(target), f"{link}: {sorted(anchors(target))}"


def test_the_readme_leads_to_every_document() -> None:
    seen, left = set(), [ROOT / "README.md"]
    while left:
        page = left.pop()
        if page not in seen:
            seen.add(page)
            paths = [urlsplit(link) for link in links(page)]
            left += [
                (page.parent / part.path).resolve()
                for part in paths
                if not part.scheme and part.path.endswith(".md")
            ]
    assert {page for page in PAGES if page.parent == ROOT / "docs"} <= seen
