"""The suite on every Python found, on the oldest of everything, and the release in an empty place.

``nox`` runs the suites, ``nox -s build wheel`` makes a release and tries it, ``nox -s test-3.13``
runs one, ``nox -s hostile`` runs it where everything around the tests is unusual.
"""

from __future__ import annotations

import contextlib
import gzip
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Iterator
from zoneinfo import ZoneInfo

import nox


def _runs(version: str) -> bool:
    """Whether this Python is here; a pyenv shim may be, without its Python."""
    program = shutil.which(f"python{version}")
    asked = [program or "", "--version"]
    return program is not None and subprocess.run(asked, capture_output=True).returncode == 0


PYTHONS = [one for one in ("3.9", "3.10", "3.11", "3.12", "3.13") if _runs(one)]

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "virtualenv"
nox.options.envdir = ".venv/nox"
nox.options.sessions = ["test", "floors"]


@nox.session(python=PYTHONS)
def test(session: nox.Session) -> None:
    """Run the suite with the newest of everything."""
    session.install("--editable", ".[dev]")
    session.run("python", "-m", "pytest", *_SEVERAL, *session.posargs)


@nox.session(python=PYTHONS[:1])
def floors(session: nox.Session) -> None:
    """Run the suite with the oldest of everything that pyproject.toml allows."""
    session.install("uv")
    session.run("uv", "pip", "install", "--quiet", *_LOWEST, "--editable", ".[dev]")
    session.run("python", "-m", "pytest", *_SEVERAL, *session.posargs)


@nox.session(python=False)
@nox.parametrize(
    ("zone", "date"),
    [
        nox.param("Pacific/Kiritimati", "2028-02-29T10:00", id="leap-day"),
        nox.param("America/St_Johns", "2027-12-31T23:58", id="end-of-year"),
    ],
)
def hostile(session: nox.Session, zone: str, date: str) -> None:
    """Run the suite on another date, far from UTC, in ASCII, without SIGINT and stdin, busy."""
    if not sys.platform.startswith("linux") or shutil.which("cc") is None:
        session.error("the other date needs Linux and a C compiler: apt-get install gcc libc6-dev")
    moment = datetime.fromisoformat(date).replace(tzinfo=ZoneInfo(zone))
    around = {
        "OTHER_DATE_SECONDS": str(int(moment.timestamp() - time.time())),
        "TZ": zone,
        "LC_ALL": "C",
        "PYTHONUTF8": "0",  # else Python takes C for UTF-8
        "COLUMNS": "40",
        "FORCE_COLOR": "1",
        "TERM": "dumb",
        "NAVILINK_EMAIL": "stray@example.com",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    shell = ["sh", "-c", 'trap "" INT; exec "$@" <&-', "sh"]
    tests = [sys.executable, "-m", "pytest", *_SEVERAL, *session.posargs]
    with tempfile.TemporaryDirectory() as folder, _busy(), _busy():
        library = f"{folder}/other_date.so"
        session.run("cc", "-shared", "-fPIC", "-o", library, "tests/other_date.c", "-ldl")
        session.run(*shell, *tests, env={**around, "LD_PRELOAD": library})


@contextlib.contextmanager
def _busy() -> Iterator[None]:
    """Keep a processor busy; also when nox is killed it ends."""
    code = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        try:
            yield
        finally:
            process.kill()


@nox.session(python=False)
def build(session: nox.Session) -> None:
    """Make sdist and wheel, the same bytes from the same commit, and look into them."""
    made = _git("log", "-1", "--format=%ct")
    shutil.rmtree("dist", ignore_errors=True)
    session.run(sys.executable, "-m", "build", "--outdir", "dist", env={"SOURCE_DATE_EPOCH": made})
    (sdist,), (built,) = Path("dist").glob("*.tar.gz"), Path("dist").glob("*.whl")
    _settle(sdist, int(made))
    session.run(sys.executable, "-m", "twine", "check", "--strict", str(sdist), str(built))
    package = set(_git("ls-files", "navien_nwp500").splitlines())
    with zipfile.ZipFile(built) as archive:
        _judge(session, package, {one for one in archive.namelist() if ".dist-info/" not in one})
    with tarfile.open(sdist) as archive:
        names = {one.name.partition("/")[2] for one in archive if one.isfile()}
    _judge(session, package, {one for one in names if "/" in one and ".egg-info/" not in one})


def _git(*words: str) -> str:
    return subprocess.run(
        ["git", *words], check=True, capture_output=True, text=True
    ).stdout.strip()


def _settle(sdist: Path, made: int) -> None:
    """Take out of an sdist when and by whom it was packed: setuptools writes both."""
    with tarfile.open(sdist) as packed:
        files = [(one, packed.extractfile(one)) for one in packed]
        with gzip.GzipFile(f"{sdist}.new", "wb", mtime=made) as out:
            with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as settled:
                for one, content in files:
                    one.mtime, one.uid, one.gid, one.uname, one.gname = made, 0, 0, "", ""
                    one.pax_headers = {}
                    settled.addfile(one, content)
    Path(f"{sdist}.new").replace(sdist)


def _judge(session: nox.Session, wanted: set[str], found: set[str]) -> None:
    if wanted != found:
        session.error(f"missing: {sorted(wanted - found)}, too much: {sorted(found - wanted)}")


@nox.session(python=PYTHONS)
def wheel(session: nox.Session) -> None:
    """Install the wheel where nothing is, and run the demo from it."""
    (built,) = Path("dist").resolve().glob("*.whl")
    session.install(f"{built}[simulator,cli]")
    session.chdir(session.create_tmp())
    session.run("navien-nwp500", "monitor", "--simulate", "--speed", "3000", "--count", "24")


# As make test does.
_SEVERAL = ["--numprocesses=auto", "--maxprocesses=4", "--dist=worksteal"]
# What stands in pyproject.toml is taken at its floor, what comes along with it as usual.
_LOWEST = ["--resolution", "lowest-direct"]
