"""The suite on every Python found, on the oldest of everything, and the wheel in an empty place.

``nox`` runs all of it; ``nox -s wheel-3.13`` runs one. A Python that is not there is skipped.
"""

from __future__ import annotations

from pathlib import Path

import nox

PYTHONS = ["3.9", "3.10", "3.11", "3.12", "3.13"]

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_missing_interpreters = False
nox.options.envdir = ".venv/nox"
nox.options.sessions = ["test", "floors"]


@nox.session(python=PYTHONS)
def test(session: nox.Session) -> None:
    """Run the suite with the newest of everything."""
    session.install("--editable", ".[dev]")
    session.run("python", "-m", "pytest", *_SEVERAL, *session.posargs)


@nox.session(python=PYTHONS[0])
def floors(session: nox.Session) -> None:
    """Run the suite with the oldest of everything that pyproject.toml allows."""
    session.install("uv")
    session.run("uv", "pip", "install", "--quiet", *_LOWEST, "--editable", ".[dev]")
    session.run("python", "-m", "pytest", *_SEVERAL, *session.posargs)


@nox.session(python=PYTHONS)
def wheel(session: nox.Session) -> None:
    """Install the wheel where nothing is, and run the demo from it."""
    (built,) = Path("dist").glob("*.whl")
    session.install(f"{built}[simulator,cli]")
    session.chdir(session.create_tmp())
    session.run("navien-nwp500", "status", "--simulate")
    session.run("navien-nwp500", "monitor", "--simulate", "--speed", "600", "--count", "3")


# As make test does.
_SEVERAL = ["--numprocesses=auto", "--maxprocesses=4"]
# What stands in pyproject.toml is taken at its floor, what comes along with it as usual.
_LOWEST = ["--resolution", "lowest-direct"]
