"""Messages about optional packages."""

from __future__ import annotations


def missing_extra(feature: str, package: str | None, extra: str) -> str:
    """Say which extra installs the package that a feature needs, or the package of this module."""
    name = (package or "a package").partition(".")[0]
    return (
        f"{feature} needs {name}: install the extra '{extra}', in a clone with "
        f"pip install '.[{extra}]'"
    )
