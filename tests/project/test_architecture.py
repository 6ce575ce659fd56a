"""The floors of the house: a module imports only from below its own."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Iterator

import pytest

PACKAGE = Path(__file__).parents[2] / "navien_nwp500"

FLOORS = [
    {
        "exceptions",
        "version",
        "faults",
        "waiting",
        "health",
        "redaction",
        "compact",
        "parsing",
        "choosing",
    },
    {"config", "quantities", "wire", "week", "leases", "mailbox", "pace", "traffic"},
    {"models", "schedules", "tou", "energy", "pulse", "har"},
    {"commands"},
    {"protocol", "recording", "reports"},
    {"rest", "session_file", "link", "reach"},
    {"auth", "aws_iot_websocket", "pure_websocket", "answers"},
    {"dialer", "record", "subscribed", "remedies"},
    {"asking"},
    {"session"},
    {"exchange"},
    {"mqtt"},
    {"control"},
    {"programs"},
    {"readings"},
    {"device"},
    {"client"},
    {"doctor", "bridges"},
    {"cli", "__main__", "pytest_plugin"},
]
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
#: Simulator and analysis stand beside the house: they see the ground floors.
BESIDE = {"simulator", "analysis"}
#: Who sees them: what the command line and the test kit bring to people.
SEES_BESIDE = {"cli": BESIDE, "pytest_plugin": {"simulator"}}
BESIDE_SEES = set().union(*FLOORS[:5])


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE)
        if relative.name != "__init__.py" or len(relative.parts) > 1:
            yield ".".join(relative.with_suffix("").parts), path


def imports(name: str, path: Path) -> set[str]:
    """The rooms of the house a module names, wherever the import stands in it."""
    package = ["navien_nwp500", *name.split(".")[:-1]]
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            found |= {source, *(f"{source}.{alias.name}" for alias in node.names)}
    rooms = {target.split(".")[1] for target in found if target.startswith("navien_nwp500.")}
    return rooms & (set(FLOOR) | BESIDE)


def violations(name: str, seen: set[str]) -> list[str]:
    room = name.split(".")[0]
    if room in BESIDE:
        return [f"{name} -> {other}" for other in seen - BESIDE_SEES - {room}]
    bad = []
    for other in seen - {room}:
        if other in BESIDE:
            if other not in SEES_BESIDE.get(room, set()):
                bad.append(f"{name} -> {other}")
        elif FLOOR[other] >= FLOOR[room] and not (room == "__main__" and other == "cli"):
            bad.append(f"{name} -> {other}")
    return bad


def test_imports_point_down() -> None:
    found = dict(modules())
    homeless = [name for name in found if name.split(".")[0] not in {*FLOOR, *BESIDE}]
    assert homeless == [], "they have no floor: give them one"
    wrong = [each for name, path in found.items() for each in violations(name, imports(name, path))]
    assert wrong == []


def test_the_walk_sees_imports_in_functions_and_under_type_checking(tmp_path: Path) -> None:
    module = tmp_path / "wire.py"
    module.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from .device import NaviLinkDevice\n"
        "def late():\n    from .. import navien_nwp500\n    import navien_nwp500.client\n"
        "    from . import mqtt\n"
    )
    assert imports("wire", module) == {"device", "client", "mqtt"}
    assert violations("wire", {"device"}) == ["wire -> device"]
    assert violations("models", {"schedules"}) == ["models -> schedules"]
    assert violations("device", {"simulator"}) == ["device -> simulator"]
    assert violations("simulator.rest", {"auth"}) == ["simulator.rest -> auth"]
    assert violations("analysis.sums", {"simulator"}) == ["analysis.sums -> simulator"]
    assert violations("device", {"analysis"}) == ["device -> analysis"]
    assert violations("pytest_plugin", {"simulator", "client"}) == []
    assert violations("pytest_plugin", {"analysis"}) == ["pytest_plugin -> analysis"]
    assert violations("pytest_plugin", {"cli"}) == ["pytest_plugin -> cli"]


def test_the_picture_of_the_house_shows_its_floors() -> None:
    text = (PACKAGE.parent / "docs" / "ARCHITECTURE.md").read_text("utf-8")
    picture = text.partition("```text\n")[2].partition("```")[0]
    house, beside = picture.split("\n\n")
    shown: dict[int, set[str]] = {}
    number = len(FLOORS)
    for line in house.splitlines():
        number = int(line[:4].strip() or number)
        shown.setdefault(number, set()).update(line[4:35].split())
    assert list(shown) == sorted(shown, reverse=True)
    assert [shown[floor] for floor in sorted(shown)] == FLOORS
    assert {line.split()[0] for line in beside.splitlines()} == BESIDE


def test_only_one_file_knows_the_aws_sdk() -> None:
    knowing = [name for name, path in modules() if "awscrt" in _imported_packages(path)]
    assert knowing == ["aws_iot_websocket"]


@pytest.mark.parametrize(
    ("library", "file"), [("aiomqtt", "pure_websocket"), ("botocore", "pure_websocket")]
)
def test_only_one_file_of_the_client_knows_a_library_of_the_pure_link(
    library: str, file: str
) -> None:
    knowing = [name for name, path in modules() if library in _imported_packages(path)]
    beside = ("simulator.", "bridges.")
    assert [name for name in knowing if not name.startswith(beside)] == [file]


def test_only_one_line_crosses_threads() -> None:
    crossings = [
        (name, node.attr)
        for name, path in modules()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in {"call_soon_threadsafe", "run_coroutine_threadsafe"}
    ]
    assert crossings == [("aws_iot_websocket", "call_soon_threadsafe")]


def _imported_packages(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module.split(".")[0])
    return found
