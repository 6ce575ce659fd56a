"""The import rule of docs/ARCHITECTURE.md: a module imports only from lower levels."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Iterable, Iterator

import pytest

PACKAGE = Path(__file__).parents[2] / "navien_nwp500"

#: A folder counts as one module; modules of one level do not import each other.
LEVELS = {
    **dict.fromkeys(["exceptions", "_util"], 0),
    **dict.fromkeys(["protocol", "config"], 1),
    **dict.fromkeys(["models", "_connection", "simulator"], 2),
    **dict.fromkeys(["auth", "mqtt", "aws_iot_websocket", "history"], 3),
    **dict.fromkeys(["device", "analysis"], 4),
    "client": 5,
    **dict.fromkeys(["apps", "__main__"], 6),
}
SIMULATOR_MAY_IMPORT = {"protocol", "config", "exceptions", "_util"}
#: Folders of apps that import others: the command line starts the programs.
APPS_STARTED_BY_CLI = {"boost", "fleet", "bridges", "report", "diagnostics", "dashboard"}


def modules() -> Iterator[tuple[str, ...]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).with_suffix("").parts


@lru_cache(maxsize=None)
def nodes_of(module: tuple[str, ...]) -> list[ast.AST]:
    """Return all nodes of a module, the module itself first; each module is parsed once."""
    path = PACKAGE.joinpath(*module).with_suffix(".py")
    return [*ast.walk(ast.parse(path.read_text("utf-8")))]


def tree_of(module: tuple[str, ...]) -> ast.Module:
    tree = nodes_of(module)[0]
    assert isinstance(tree, ast.Module)
    return tree


@pytest.fixture(autouse=True, scope="module")
def forget_nodes() -> Iterator[None]:
    """Free the nodes after the last test: every later garbage collection would visit them."""
    yield
    nodes_of.cache_clear()


def imports(module: tuple[str, ...], nodes: Iterable[ast.AST]) -> set[tuple[str, ...]]:
    """Modules of the package that a module imports, also in functions and for type checking."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            found |= {tuple(name[1:]) for name in names if name[0] == PACKAGE.name}
        elif isinstance(node, ast.ImportFrom):
            base = [*module[: len(module) - node.level]] if node.level else []
            base += (node.module or "").split(".") if node.module else []
            if node.level or base[0] == PACKAGE.name:
                base = base if node.level else base[1:]
                found |= {(*base, alias.name) for alias in node.names}
    return {target for target in found if target and target[0] in LEVELS}


def violations(module: tuple[str, ...], targets: set[tuple[str, ...]]) -> list[str]:
    own = module[0]
    bad = []
    for target in sorted(targets):
        other = target[0]
        if own == other == "apps":
            apart = module[1:2] != target[1:2]
            wrong = apart and not (module[1] == "cli" and target[1] in APPS_STARTED_BY_CLI)
        elif own == other or (own, other) == ("__main__", "apps"):
            wrong = False
        elif own == "simulator":
            wrong = other not in SIMULATOR_MAY_IMPORT
        elif other == "simulator":
            wrong = module[:2] not in {("apps", "cli"), ("apps", "pytest_plugin")}
        elif own == "apps" and other == "_connection":
            wrong = module[1] != "diagnostics"
        else:
            wrong = LEVELS[own] <= LEVELS[other]
        if wrong:
            bad.append(f"{'.'.join(module)} imports {'.'.join(target)}")
    return bad


def test_a_module_imports_only_from_lower_levels() -> None:
    below = [one for one in modules() if one != ("__init__",)]
    assert {one[0] for one in below} <= set(LEVELS), "give the module a level"
    assert [bad for one in below for bad in violations(one, imports(one, nodes_of(one)))] == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (("config",), "from .device import NaviLinkDevice"),
        (("models",), "from ._connection import pool"),
        (("protocol", "fields"), "def late():\n    from ..client import NaviLinkClient"),
        (("device",), "if TYPE_CHECKING:\n    import navien_nwp500.analysis.costs"),
        (("simulator", "cloud", "rest_api"), "from ...auth import NaviLinkAuth"),
        (("device",), "from .simulator import Simulator"),
        (("apps", "bridges", "follower"), "from ..._connection.pool import ConnectionPool"),
        (("apps", "report", "html"), "from ..bridges import follower"),
        (("apps", "bridges", "follower"), "from ...simulator import Simulator"),
    ],
)
def test_the_rule_sees_every_kind_of_violation(module: tuple[str, ...], source: str) -> None:
    assert len(violations(module, imports(module, ast.walk(ast.parse(source))))) == 1


def test_no_two_modules_and_no_two_public_classes_share_a_name() -> None:
    """The modules of commands are named like the commands, so they do not count."""
    names = Counter(
        one[-1] for one in modules() if one[-1] != "__init__" and "commands" not in one[:-1]
    )
    classes = Counter(
        node.name
        for one in modules()
        for node in tree_of(one).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, count in (names + classes).items() if count > 1] == []


def test_the_folders_are_few() -> None:
    entries = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert len(entries) <= 18 and max(LEVELS.values()) < 8
    for folder in (path.parent for path in PACKAGE.rglob("__init__.py")):
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))), folder


@pytest.mark.parametrize(
    ("library", "files"),
    [
        ("awscrt", {"aws_iot_websocket"}),
        ("botocore", {"aiomqtt_websocket"}),
        ("aiomqtt", {"aiomqtt_websocket", "broker", "mqtt_client"}),
    ],
)
def test_a_foreign_library_has_one_file_in_the_client_and_in_each_program(
    library: str, files: set[str]
) -> None:
    found = set()
    for one in modules():
        for node in nodes_of(one):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            if any(name.split(".")[0] == library for name in names):
                found.add(one[-1])
    assert found == files


def test_one_place_calls_into_the_event_loop_from_another_thread() -> None:
    calls = [
        (one[-1], node.attr)
        for one in modules()
        for node in nodes_of(one)
        if isinstance(node, ast.Attribute)
        and node.attr in {"call_soon_threadsafe", "run_coroutine_threadsafe"}
    ]
    assert calls == [("aws_iot_websocket", "call_soon_threadsafe")]


#: Metaphors that the names of the field replace, such as transport, request, subscriber, update,
#: health, latest value, credentials, requested state, expectation, capability, capture, command.
METAPHORS = set(
    "asking deaf dial dialer distance door doubt exchange face floor front gate hear heard hold house "
    "lease line link lose mailbox news obedience page pace proof pulse reach remedies remote seek "
    "silent tell told walk wish word world".split()
)
#: Ordinary uses: text lines, links and pages of documents, the hold of a heat pump.
ORDINARY = set(
    "line _line _end_of_last_line _truncate_incomplete_line _for_page page _page LoseReplies".split()
)


def test_names_are_the_words_of_the_field() -> None:
    found = []
    for one in modules():
        nodes = nodes_of(one)
        names = {one[-1]} | {node.arg for node in nodes if isinstance(node, ast.arg)}
        definitions = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        names |= {node.name for node in nodes if isinstance(node, definitions)}
        for name in names - ORDINARY:
            parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.replace("NaviLink", "")).lower()
            if METAPHORS & set(parts.split("_")):
                found.append(f"{'.'.join(one)}: {name}")
    assert found == []


def test_at_most_one_percent_of_the_docstrings_begin_with_a_question_word() -> None:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for one in modules() for node in nodes_of(one)]
    texts = [ast.get_docstring(node) for node in nodes if isinstance(node, documented)]
    found = [one for one in texts if re.match("(What|Whether|Which|How|Who|Where|Why) ", one or "")]
    assert len(found) <= len(texts) / 100, found
