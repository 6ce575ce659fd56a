"""Tests of the documentation site: strict build, all pages, complete API reference."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import navien_nwp500

for module in ("material", "mkdocstrings"):
    pytest.importorskip(module, reason="the extra docs is not installed")

ROOT = Path(__file__).parents[2]
#: Elements that make a browser load from another host without a click.
LOADS = re.compile(
    r"""<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)=["']?(?:https?:)?//|@import|"""
    r"""url\(["']?(?:https?:)?//""",
    re.I,
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return folder


def test_every_document_is_a_page_and_can_be_searched(site: Path) -> None:
    index = (site / "search" / "search_index.json").read_text("utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        name = "" if page.stem == "README" else page.stem
        assert (site / name / "index.html").is_file(), page.name
        assert not name or f'"{name}/' in index, page.name


def test_the_api_reference_describes_every_public_name(site: Path) -> None:
    page = (site / "API" / "index.html").read_text("utf-8")
    described = set(re.findall(r'id="navien_nwp500\.(?:\w+\.)*(\w+)"', page))
    assert {*navien_nwp500.__all__} - {"__version__"} <= described
    assert "async" in page and "Raises DeviceOfflineError" in page


def test_the_site_loads_nothing_from_other_hosts(site: Path) -> None:
    files = [path for kind in ("*.html", "*.css") for path in site.rglob(kind)]
    assert len(files) > 10
    for path in files:
        found = LOADS.search(path.read_text("utf-8").replace('<link rel="canonical"', ""))
        assert found is None, f"{path.relative_to(site)}: {found}"
