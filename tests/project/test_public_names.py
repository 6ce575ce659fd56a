"""Public names are pinned, so that none is renamed or removed unnoticed (docs/DEPRECATIONS.md).

``public_names.txt`` has a line for each name of the package and each attribute of its classes, with
the parameters. Add new ones with: python tests/project/test_public_names.py
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any, Iterator

import navien_nwp500
from navien_nwp500.simulator import Simulator

#: Made by the client, never by a program.
MADE = {navien_nwp500.NaviLinkDevice, navien_nwp500.NaviLinkMQTT}
PINNED = Path(__file__).with_name("public_names.txt")


def public() -> Iterator[str]:
    """Every name there is, in the form of the pinned ones."""
    found = {name: getattr(navien_nwp500, name) for name in navien_nwp500.__all__}
    yield from (" ".join([name, *_parameters(value)]) for name, value in found.items())
    for cls in [*filter(inspect.isclass, found.values()), Simulator]:
        for name in sorted({*dir(cls), *_own_attributes(cls)}):
            if not name.startswith("_") and _is_ours(cls, name):
                value = inspect.getattr_static(cls, name, None)
                yield " ".join([f"{cls.__name__}.{name}", *_parameters(value)])


def _own_attributes(cls: type) -> set[str]:
    """What every instance has and the class does not show."""
    if dataclasses.is_dataclass(cls):
        return {entry.name for entry in dataclasses.fields(cls)}
    source = inspect.getsource(cls.__init__) if "__init__" in vars(cls) else ""
    return set(re.findall(r"^ +self\.([a-z]\w*)\b.* = ", source, re.M))


def _is_ours(cls: type, name: str) -> bool:
    """Not what int, Enum or Exception bring along."""
    owners = [one for one in cls.__mro__ if name in vars(one)]
    return not owners or owners[0].__module__.startswith("navien_nwp500")


def _parameters(value: Any) -> list[str]:
    if inspect.isclass(value):
        if value in MADE or not _is_ours(value, "__init__"):
            return []
        value = value.__init__
    function = getattr(value, "__func__", value)
    if not inspect.isfunction(function):
        return []
    return [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]


def missing(pinned: str, there: Iterator[str]) -> list[str]:
    """The pinned names and parameters that are no longer there."""
    found = {name: set(words) for name, *words in map(str.split, there)}
    lines = [line.split() for line in pinned.splitlines()]
    return [
        " ".join(line) for line in lines if line[0] not in found or {*line[1:]} - found[line[0]]
    ]


def test_no_pinned_name_or_parameter_is_gone() -> None:
    gone = missing(PINNED.read_text("utf-8"), public())
    assert not gone, "removed or renamed; docs/DEPRECATIONS.md says how"


def test_every_name_of_the_package_is_pinned() -> None:
    pinned = {line.split()[0] for line in PINNED.read_text("utf-8").splitlines()}
    assert set(navien_nwp500.__all__) <= pinned, f"add it: python {Path(__file__).name}"


def test_a_renamed_method_and_a_dropped_parameter_are_seen() -> None:
    pinned = "A\nA.go far\nA.stop\n"
    assert missing(pinned, iter(["A", "A.go far fast", "A.stop"])) == []
    assert missing(pinned, iter(["A", "A.walk far", "A.stop"])) == ["A.go far"]
    assert missing(pinned, iter(["A", "A.go", "A.stop"])) == ["A.go far"]


if __name__ == "__main__":
    PINNED.write_text("".join(f"{line}\n" for line in public()), "utf-8")
