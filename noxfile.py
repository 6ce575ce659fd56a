"""Sessions of nox: all tests on every Python found, with the oldest packages, and the release.

``nox`` runs the tests, ``nox -s test-3.13`` on one Python, ``nox -s hostile`` in an unusual
environment, ``nox -s brokers`` over each broker, ``nox -s build wheel`` builds and tries a release,
``nox -s integration home_assistant`` tests with Home Assistant, ``nox -s manifests`` checks the files for
Kubernetes and Compose.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Iterator
from zoneinfo import ZoneInfo

import nox


def _version(name: str) -> str:
    """Return the version of this Python, or "" when it does not run, as a pyenv shim may not."""
    command = [shutil.which(name) or "", "-c", "import platform; print(platform.python_version())"]
    if not command[0]:
        return ""
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


SUPPORTED = ["3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]
FOUND = {one: version for one in SUPPORTED if (version := _version(f"python{one}"))}
PYTHONS = list(FOUND)
# The system's Python is often another patch release than the first on PATH.
SYSTEM = "/usr/bin/python3"
SHIPPED = [
    SYSTEM
    for version in [_version(SYSTEM)]
    if version.rpartition(".")[0] in SUPPORTED and version not in FOUND.values()
]

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "virtualenv"
nox.options.envdir = ".venv/nox"
nox.options.sessions = ["test", "floors"]


@nox.session(python=PYTHONS + SHIPPED)
def test(session: nox.Session) -> None:
    """Run all tests with the newest packages."""
    session.install("--editable", ".[dev]")
    session.run("python", "-m", "pytest", *_SEVERAL, *session.posargs)


@nox.session(python=PYTHONS[:1])
def floors(session: nox.Session) -> None:
    """Run all tests with the oldest packages that pyproject.toml allows."""
    session.install("uv")
    session.run("uv", "pip", "install", "--quiet", *_LOWEST, "--editable", ".[dev]")
    session.run("python", "-m", "pytest", *_SEVERAL, *session.posargs)


@nox.session(python=PYTHONS[-1:])
def manifests(session: nox.Session) -> None:
    """Check the files of examples/fleet against the schemas of Kubernetes and Compose."""
    session.install("kubernetes-validate", "check-jsonschema")
    session.run("kubernetes-validate", "--strict", "examples/fleet/kubernetes.yaml")
    compose = ("--builtin-schema", "vendor.compose-spec", "examples/fleet/compose.yaml")
    session.run("check-jsonschema", *compose)


@nox.session(python=False)
@nox.parametrize(
    ("zone", "date"),
    [
        nox.param("Pacific/Kiritimati", "2028-02-29T10:00", id="leap-day"),
        nox.param("America/St_Johns", "2027-12-31T23:58", id="end-of-year"),
    ],
)
def hostile(session: nox.Session, zone: str, date: str) -> None:
    """Run all tests on another date, far from UTC, in ASCII, without SIGINT and stdin, under load."""
    if not sys.platform.startswith("linux") or shutil.which("cc") is None:
        session.error("another date needs Linux and a C compiler: apt-get install gcc libc6-dev")
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
        session.run("cc", "-shared", "-fPIC", "-o", library, "tests/support/other_date.c", "-ldl")
        session.run(*shell, *tests, env={**around, "LD_PRELOAD": library})


@contextlib.contextmanager
def _busy() -> Iterator[None]:
    """Keep a processor busy; ends when nox is killed too."""
    code = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        try:
            yield
        finally:
            process.kill()


@nox.session(python=False)
def build(session: nox.Session) -> None:
    """Build sdist and wheel, with the same bytes for the same commit, and check their files."""
    made = _git("log", "-1", "--format=%ct")
    shutil.rmtree("dist", ignore_errors=True)
    session.run(sys.executable, "-m", "build", "--outdir", "dist", env={"SOURCE_DATE_EPOCH": made})
    (sdist,), (built,) = Path("dist").glob("*.tar.gz"), Path("dist").glob("*.whl")
    _make_reproducible(sdist, int(made))
    session.run(sys.executable, "-m", "twine", "check", "--strict", str(sdist), str(built))
    package = set(_git("ls-files", "navien_nwp500").splitlines())
    with zipfile.ZipFile(built) as archive:
        _compare_files(
            session, package, {one for one in archive.namelist() if ".dist-info/" not in one}
        )
    with tarfile.open(sdist) as archive:
        names = {one.name.partition("/")[2] for one in archive if one.isfile()}
    _compare_files(
        session, package, {one for one in names if "/" in one and ".egg-info/" not in one}
    )


def _git(*words: str) -> str:
    return subprocess.run(
        ["git", *words], check=True, capture_output=True, text=True
    ).stdout.strip()


def _make_reproducible(sdist: Path, made: int) -> None:
    """Remove the time and the user of packing from an sdist; setuptools writes both."""
    with tarfile.open(sdist) as packed:
        files = [(one, packed.extractfile(one)) for one in packed]
        with gzip.GzipFile(f"{sdist}.new", "wb", mtime=made) as out:
            with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as settled:
                for one, content in files:
                    one.mtime, one.uid, one.gid, one.uname, one.gname = made, 0, 0, "", ""
                    one.pax_headers = {}
                    settled.addfile(one, content)
    Path(f"{sdist}.new").replace(sdist)


def _compare_files(session: nox.Session, wanted: set[str], found: set[str]) -> None:
    if wanted != found:
        session.error(f"missing: {sorted(wanted - found)}, unexpected: {sorted(found - wanted)}")


@nox.session(python=PYTHONS)
def wheel(session: nox.Session) -> None:
    """Install the wheel into an empty environment, and run the demo."""
    (built,) = Path("dist").resolve().glob("*.whl")
    session.install(f"{built}[simulator,cli,dashboard]")
    session.chdir(session.create_tmp())
    session.run("navien-nwp500", "monitor", "--simulate", "--speed", "3000", "--count", "24")
    page = ["--past", "3", "--listen", "127.0.0.1:0", "--no-browser", "--for", "2"]
    session.run("navien-nwp500", "dashboard", "--simulate", *page)


@nox.session(python=PYTHONS[-1:])
def brokers(session: nox.Session) -> None:
    """Run the tests of the simulator over each of its brokers that is installed."""
    session.install("--editable", ".[dev]")
    # iotcore has no wheel for musl; mosquitto is a program.
    iotcore = ["--only-binary=iotcore", "--editable", ".[iotcore]"]
    session.run("python", "-m", "pip", "install", "--quiet", *iotcore, success_codes=[0, 1])
    choose = (
        "import sys; from navien_nwp500.simulator.cloud import broker_process as b;"
        " b.choose_broker(sys.argv[1])"
    )
    for name in ("built-in", "iotcore", "mosquitto"):
        if subprocess.run(
            [f"{session.bin}/python", "-c", choose, name], capture_output=True
        ).returncode:
            session.warn(f"the broker {name} is not installed")
            continue
        env = {"SIMULATOR_BROKER": name}
        session.run(
            "python", "-m", "pytest", *_SEVERAL, *(session.posargs or _BROKER_TESTS), env=env
        )


@nox.session(python=PYTHONS[-1:])
def integration(session: nox.Session) -> None:
    """Test the example integration in the newest Home Assistant that this Python can install."""
    session.install("pytest-homeassistant-custom-component>=0.13.200")
    _install_beside_home_assistant(session)
    session.run("python", "-m", "pytest", "-q", "examples/embedding/tests/test_home_assistant.py")


def _install_beside_home_assistant(session: nox.Session) -> None:
    """Install the library and the simulator without changing aiohttp.

    Home Assistant before 2025.7 keeps it below the version we require, which matters for months of
    use, not for a test.
    """
    session.install("awsiotsdk>=1.21", "python-dotenv>=1.0", "trustme>=1.2", "aiomqtt>=2.4,<3")
    session.install("--no-deps", "--editable", ".")


@nox.session(python=PYTHONS[-1:])
def home_assistant(session: nox.Session) -> None:
    """Run the bridge in the newest Home Assistant that this Python can install, on loopback.

    A word after ``--`` is the file of a picture of its page. Needs mosquitto.
    """
    session.install("homeassistant>=2024.12")
    session.run("python", "tests/home_assistant/requirements.py")
    _install_beside_home_assistant(session)
    program = [sys.executable, "tests/home_assistant", f"{session.bin}/hass", *session.posargs]
    session.run(*program, external=True, env={"PYTHONPATH": str(Path.cwd())})


@nox.session(python=PYTHONS[-1:])
def platforms(session: nox.Session) -> None:
    """Check with pip, for every platform and Python, that the wheel installs without a compiler."""
    (built,) = Path("dist").resolve().glob("*.whl")
    session.install("--upgrade", "pip")
    cases = [(platform, python) for platform in _PLATFORMS for python in SUPPORTED]
    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(_install_dry, session.bin, str(built), *case) for case in cases]
        errors = dict(zip(cases, (one.result() for one in runs)))
    for platform in _PLATFORMS:
        row = ["no" if errors[platform, python] else python for python in SUPPORTED]
        session.log(f"{' '.join(platform):22}" + " ".join(f"{one:>5}" for one in row))
    if failed := {case: error for case, error in errors.items() if error}:
        session.error(
            "\n".join(f"{' '.join(case[0])} {case[1]}: {error}" for case, error in failed.items())
        )


def _install_dry(bin: str, built: str, platform: tuple[str, ...], python: str) -> str:
    """Return the error of pip when the demo cannot be installed on a platform, else ""."""
    system, machine, libc = platform
    markers = {
        "platform_system": system,
        "sys_platform": {"Windows": "win32"}.get(system, system.lower()),
        "os_name": "nt" if system == "Windows" else "posix",
        "platform_machine": machine,
        "python_version": python,
        "python_full_version": f"{python}.2",
        "implementation_version": f"{python}.2",
    }
    options = [
        "--dry-run",
        "--quiet",
        "--ignore-installed",
        "--target=unused",
        "--only-binary=:all:",
    ]
    options += [f"--platform={tag}" for tag in _tags(system, machine, libc)]
    options += [
        "--implementation=cp",
        f"--python-version={python}",
        f"{built}[simulator,cli,dashboard]",
    ]
    command = [f"{bin}/python", "-c", _PIP_ELSEWHERE, json.dumps(markers), "install", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return "; ".join(errors or [done.stderr]) if done.returncode else ""


def _tags(system: str, machine: str, libc: str) -> list[str]:
    """Return the wheel tags of a platform: Debian 12, Alpine of the same time, macOS 11 and later."""
    if libc == "musl":
        return [f"musllinux_1_{minor}_{machine}" for minor in (2, 1, 0)]
    if libc == "glibc":
        first = 5 if machine == "x86_64" else 17
        old = ("manylinux2014", "manylinux2010", "manylinux1")[: 3 if machine == "x86_64" else 1]
        new = [f"manylinux_2_{minor}" for minor in range(36, first - 1, -1)]
        return [f"{name}_{machine}" for name in (*new, *old)]
    if system == "Windows":
        return ["win_amd64"]
    names = [f"macosx_{major}_0" for major in range(14, 10, -1)]
    names += [f"macosx_10_{minor}" for minor in range(16, 8, -1)]
    return [f"{name}_{kind}" for name in names for kind in (machine, "universal2")]


# As "make test".
_SEVERAL = ["--numprocesses=4", "--dist=worksteal"]
# The packages of pyproject.toml at their lowest version, their own dependencies as usual.
_LOWEST = ["--resolution", "lowest-direct"]
# Tests that depend on the broker.
_BROKER_TESTS = ["tests/simulator", "tests/connection"]
_PLATFORMS = [
    *(("Linux", machine, "glibc") for machine in ("x86_64", "aarch64", "armv7l")),
    *(("Linux", machine, "musl") for machine in ("x86_64", "aarch64", "armv7l")),
    *(("Darwin", "x86_64", ""), ("Darwin", "arm64", ""), ("Windows", "AMD64", "")),
]
# pip --platform selects wheels, but evaluates environment markers for the running Python.
_PIP_ELSEWHERE = """
import json, sys
from pip._vendor.packaging import markers
here = markers.default_environment()
markers.default_environment = lambda: {**here, **json.loads(sys.argv[1])}
from pip._internal.cli.main import main
sys.exit(main(sys.argv[2:]))
"""
