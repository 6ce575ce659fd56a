"""Test of the manner of the docstrings; ruff checks their form and the imperative mood."""

from __future__ import annotations

import ast
import re
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "navien_nwp500"
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
INDIRECT = re.compile(r"(What|Whether|Which|How|Who|Where|Why)\b")


def test_at_most_one_percent_of_the_docstrings_begin_with_a_question_word() -> None:
    docstrings = {
        f"{path.relative_to(PACKAGE)}: {text}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, DOCUMENTED) and (text := ast.get_docstring(node))
    }
    found = sorted(text for text in docstrings if INDIRECT.match(text.partition(": ")[2]))
    assert len(docstrings) > 1000
    assert len(found) <= len(docstrings) / 100, found
