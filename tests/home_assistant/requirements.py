"""Install the packages that Home Assistant would install at its first start, for the parts used here.

Runs on the Python that has Home Assistant. Each part names its packages and the parts it needs in its
``manifest.json``. MQTT needs parts for speech, whose packages have no wheel for a new Python; a module
without content takes their place.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import homeassistant
from homeassistant import bootstrap

PARTS = {"http", "api", "recorder", "frontend", "energy", "mqtt", "hassio"}
EMPTY = """\
def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return type(name, (), {})
"""


def requirements() -> list[str]:
    """Return the packages of all parts, and of those that they need."""
    folder = Path(homeassistant.__file__).parent / "components"
    waiting = PARTS | set(bootstrap.CORE_INTEGRATIONS) | set(bootstrap.DEFAULT_INTEGRATIONS)
    seen: set[str] = set()
    packages: set[str] = set()
    while waiting:
        part = waiting.pop()
        seen.add(part)
        manifest = json.loads((folder / part / "manifest.json").read_text("utf-8"))
        packages.update(manifest.get("requirements", []))
        waiting |= set(manifest.get("dependencies", [])) - seen
    return sorted(packages)


def main() -> None:
    install = [sys.executable, "-m", "pip", "install", "--quiet"]
    packages = requirements()
    if subprocess.run([*install, *packages]).returncode == 0:
        return
    for package in packages:
        if subprocess.run([*install, package], capture_output=True).returncode:
            module = re.split("[=<>~]", package)[0].replace("-", "_").lower()
            print(f"{package} cannot be installed; an empty module takes its place")
            folder = Path(sysconfig.get_path("purelib"))
            (folder / f"{module}.py").write_text(EMPTY, "utf-8")


if __name__ == "__main__":
    main()
