"""Print the packages that Home Assistant installs at its first start, for the parts used here.

Runs on the Python that has Home Assistant. Each part names its packages and the parts it needs in its
``manifest.json``.
"""

from __future__ import annotations

import json
from pathlib import Path

import homeassistant
from homeassistant import bootstrap

PARTS = {
    "http",
    "api",
    "recorder",
    "frontend",
    "energy",
    "mqtt",
    "automation",
    "persistent_notification",
}


def main() -> None:
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
    print("\n".join(sorted(packages)))


if __name__ == "__main__":
    main()
