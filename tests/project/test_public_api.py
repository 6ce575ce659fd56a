"""Programs need no other place than the documented ones, for names and for types."""

from __future__ import annotations

import ast
import inspect
import re
import typing
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Iterator

import navien_nwp500

ROOT = Path(__file__).parents[2]
#: Documented places beside ``navien_nwp500``: modules with fixed names, and programs for others.
MODULES = {
    *("client", "auth", "device", "aws_iot_websocket", "mqtt", "config", "models", "exceptions"),
    *("simulator", "simulator.faults", "protocol.commands", "analysis.causes"),
    *("apps.diagnostics", "apps.pytest_plugin"),
}
PACKAGE = "navien_nwp500"
PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.md")]
BLOCKS = {
    f"{page.relative_to(ROOT)}:{number}": block
    for page in PAGES
    for number, block in enumerate(
        re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)
    )
}
PROGRAMS = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
    for path in sorted((ROOT / "examples").rglob("*.py"))
}


def undocumented_imports(source: str) -> list[str]:
    """Return the imports of a program from places of the package that are not documented."""
    found = []
    for node in ast.walk(
        compile(source, "", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    ):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            place = (node.module or "").partition(".")[2]
            names = {f"{place}.{one.name}".strip(".") for one in node.names}
            if place not in {"", *MODULES} and not names <= MODULES:
                found.append(ast.unparse(node))
        elif isinstance(node, ast.Import):
            names = {
                one.name.partition(".")[2] for one in node.names if one.name.startswith(PACKAGE)
            }
            found += [ast.unparse(node)] if names - {"", *MODULES} else []
    return found


def test_documents_and_examples_import_from_documented_places() -> None:
    found = {
        place: undocumented_imports(source) for place, source in {**BLOCKS, **PROGRAMS}.items()
    }
    assert {place: imports for place, imports in found.items() if imports} == {}


def test_an_undocumented_import_is_found() -> None:
    for source in (
        "from navien_nwp500.protocol.types import Flag",
        "def f():\n    import navien_nwp500._connection.pool",
        "from navien_nwp500.simulator.faults.network_faults import HalfOpen",
    ):
        assert undocumented_imports(source)
    assert undocumented_imports("from navien_nwp500.protocol import commands") == []


def public_values() -> Iterator[tuple[str, Any]]:
    for name in navien_nwp500.__all__:
        yield name, getattr(navien_nwp500, name)
    for module in ("simulator", "simulator.faults", "apps.diagnostics", "analysis.causes"):
        found = import_module(f"{PACKAGE}.{module}")
        for name in found.__all__:
            yield name, getattr(found, name)


PUBLIC = dict(public_values())


def annotations_of(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the annotations of a function, or of the public members of a class.

    The library creates devices, MQTT connections and the fault injector, so nobody else calls their ``__init__``; it
    alone calls the methods of faults.
    """
    if inspect.isclass(value):
        seen: set[str] = set()
        for owner in value.__mro__:
            if not owner.__module__.startswith(PACKAGE):
                continue
            for name, text in vars(owner).get("__annotations__", {}).items():
                if not name.startswith("_"):
                    yield f"{owner.__name__}.{name}", _resolved(text, owner.__module__)
            for name, member in vars(owner).items():
                if name in seen:  # replaced by a class that inherits from this one
                    continue
                seen.add(name)
                created = value.__name__ in {"NaviLinkDevice", "NaviLinkMQTT", "FaultInjector"}
                if name != "__init__" and ".faults." in owner.__module__:
                    continue
                if not name.startswith("_") or (name == "__init__" and not created):
                    function = getattr(member, "fget", getattr(member, "__func__", member))
                    if inspect.isfunction(function):
                        for found in _of_function(function):
                            yield f"{owner.__name__}.{name}", found
    elif inspect.isfunction(value):
        for found in _of_function(value):
            yield value.__name__, found


def _of_function(function: Any) -> Iterator[Any]:
    for text in function.__annotations__.values():
        yield _resolved(text, function.__module__)


def _resolved(annotation: Any, module: str) -> Any:
    """Evaluate an annotation with all names its module can see, also for type checking only."""
    if not isinstance(annotation, str):
        return annotation
    names = names_of(module)
    return [
        eval(word, names)
        for word in re.findall(r"[A-Za-z_][\w.]*", annotation)
        if word.split(".")[0] in names
    ]


@lru_cache(maxsize=None)
def names_of(module: str) -> dict[str, Any]:
    """Return all names that a module can see; each module is parsed once."""
    names = dict(vars(typing))
    tree = ast.parse(inspect.getsource(import_module(module)))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = f"{'.' * node.level}{node.module or ''}"
            package = import_module(module).__package__
            for alias in node.names:
                found = import_module(base, package)
                if alias.name != "*" and hasattr(found, alias.name):
                    names[alias.asname or alias.name] = getattr(found, alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.name.split(".")[0]] = import_module(alias.name.split(".")[0])
    names.update(vars(import_module(module)))
    return names


def types_in(annotation: Any) -> Iterator[type]:
    """Yield the classes of the package that an annotation names."""
    if isinstance(annotation, list):
        for one in annotation:
            yield from types_in(one)
    elif inspect.isclass(annotation) and annotation.__module__.startswith(PACKAGE):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from types_in(argument)


def test_every_type_of_a_public_signature_can_be_imported() -> None:
    public = {value for value in PUBLIC.values() if inspect.isclass(value)}
    for module in MODULES:
        found = import_module(f"{PACKAGE}.{module}")
        listed = getattr(found, "__all__", ())
        public |= {getattr(found, one) for one in listed if inspect.isclass(getattr(found, one))}
    hidden = {
        f"{member}: {cls.__module__}.{cls.__name__}"
        for value in PUBLIC.values()
        for member, annotation in annotations_of(value)
        for cls in types_in(annotation)
        if cls not in public
    }
    assert hidden == set(), "import it in models.py, or make the member private"
