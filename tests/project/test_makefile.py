"""Tests of failed installations with ``make``: one plain sentence, and no incomplete ``.venv``."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from navien_nwp500.apps.cli.app import navien_nwp500

ROOT = Path(__file__).parents[2]
MAKE = shutil.which("make")

pytestmark = pytest.mark.skipif(
    os.name != "posix" or MAKE is None, reason="make is not installed; without it pip does the same"
)

try:
    import ensurepip
except ImportError:
    PIP = (0,)
else:
    PIP = tuple(map(int, re.findall(r"\d+", ensurepip.version())))
needs_venv = pytest.mark.skipif(
    PIP < (21, 3), reason="this Python's venv is not installed or has a pip older than 21.3"
)

#: A project with its own build backend, so that pip needs no index.
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
BACKEND = """
import zipfile

METADATA = "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n"


def build_editable(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(folder + "/tiny-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny-1.dist-info/METADATA", METADATA)
        wheel.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr("tiny-1.dist-info/RECORD", "")
    return "tiny-1-py3-none-any.whl"
"""
NO_COMPILER = """
import pathlib


def prepare_metadata_for_build_wheel(folder, config_settings=None):
    info = pathlib.Path(folder, "compiled-1.dist-info")
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: compiled\\nVersion: 1\\n")
    return info.name


def build_wheel(folder, config_settings=None, metadata_directory=None):
    raise FileNotFoundError("No such file or directory: 'gcc'")
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    for name in ("Makefile", "scripts/install.sh"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "backend.py").write_text(BACKEND)
    return tmp_path


def make(checkout: Path, *words: str, **variables: str) -> tuple[int, str, str]:
    inherited = {
        name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ
    }
    done = subprocess.run(
        [MAKE or "make", "--no-print-directory", *words],
        cwd=checkout,
        # Without the settings of pip on this machine, and without those of a make that runs this test.
        env={**inherited, "PIP_CONFIG_FILE": os.devnull, "PYTHON": sys.executable, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


def failure(checkout: Path, *words: str, **variables: str) -> str:
    """Return the one line that a failing make prints before its own line."""
    code, _, err = make(checkout, *words, **variables)
    message, of_make = err.splitlines()
    assert code == 2 and of_make.startswith("make: ***")
    return message


def fake_python(path: Path, code: str, create: str = "exit 1") -> str:
    """Write a Python that runs ``code`` first; for ``-m venv`` it runs the shell line ``create``."""
    code = f"sys.modules['ensurepip'] = sys.modules['pip'] = sys; {code}"
    path.write_text(
        f'#!/bin/sh\n[ "$1" = -c ] || {{ {create}; }}\n'
        f'exec {sys.executable} -c "import sys; {code}\n$2"\n'
    )
    path.chmod(0o755)
    return f"PYTHON={path}"


@pytest.fixture(scope="module")
def made_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the pip of this one, which takes seconds to install; tests copy it."""
    folder = tmp_path_factory.mktemp("made") / ".venv"
    pip = find_spec("pip")
    venv.create(folder, symlinks=True, with_pip=pip is None)
    if pip is not None and pip.origin is not None:
        packages = next(folder.rglob("site-packages"))
        for path in Path(pip.origin).parents[1].glob("pip*"):
            if path.name == "pip" or path.suffix == ".dist-info":
                shutil.copytree(path, packages / path.name)
    return folder


@pytest.fixture
def quick_python(checkout: Path, made_venv: Path) -> str:
    """A Python that copies an environment instead of making one."""
    python = checkout / "quick"
    python.write_text(
        f'#!/bin/sh\n[ "$1 $2" != "-m venv" ] || exec cp -a {made_venv} .venv\n'
        f'exec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    return f"PYTHON={python}"


def test_a_missing_python_is_reported(checkout: Path) -> None:
    assert "no-such-python is not installed" in failure(checkout, "demo", "PYTHON=no-such-python")


def test_an_old_python_is_reported(checkout: Path) -> None:
    old = fake_python(checkout / "old", "sys.version_info = (3, 8, 18); sys.version = '3.8.18 (x)'")
    message = failure(checkout, "demo", old)
    assert "old is Python 3.8.18, which is too old: install Python 3.9 or newer" in message


def test_without_the_module_venv_the_package_to_install_is_named(checkout: Path) -> None:
    bare = fake_python(checkout / "bare", "sys.modules['ensurepip'] = None")
    assert "apt install python3-venv" in failure(checkout, "demo", bare)
    assert not (checkout / ".venv").exists()


def test_a_failed_venv_is_removed(checkout: Path) -> None:
    full = "mkdir .venv; echo No space left on device; exit 1"
    message = failure(checkout, "demo", fake_python(checkout / "full", "", full))
    assert message.startswith(".venv could not be made: No space left on device")
    assert not (checkout / ".venv").exists()


@needs_venv
def test_an_unreachable_index_is_reported_and_the_venv_removed(
    checkout: Path, quick_python: str
) -> None:
    (checkout / "pyproject.toml").write_text(PROJECT.replace("[]", '["setuptools"]', 1))
    away = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "1"}
    message = failure(checkout, "demo", quick_python, **away)
    assert message.startswith("The package index was not reached: ") and message.endswith(
        "install.log"
    )
    assert "connection broken" in (checkout / "install.log").read_text("utf-8")
    assert not (checkout / ".venv").exists()


@needs_venv
def test_a_failed_install_keeps_the_packages_that_are_installed(
    checkout: Path, quick_python: str
) -> None:
    runs, python = checkout / ".venv" / "runs", checkout / ".venv" / "bin" / "python"
    code, out, err = make(checkout, ".venv/runs", quick_python)
    assert (code, out.count("\n"), err) == (0, 1, "")
    assert make(checkout, ".venv/runs", quick_python) == (0, "", "")

    # A package that must be compiled, without a compiler.
    (checkout / "compiled").mkdir()
    (checkout / "compiled" / "pyproject.toml").write_text(PROJECT)
    (checkout / "compiled" / "backend.py").write_text(NO_COMPILER)
    needs = f"Requires-Dist: compiled @ file://{checkout}/compiled\\n"
    (checkout / "backend.py").write_text(BACKEND.replace('1\\n"', f'1\\n{needs}"', 1))
    os.utime(runs, (1, 1))
    message = failure(checkout, "demo", quick_python)
    assert message.startswith("compiled has no wheel for this Python") and "a compiler" in message
    assert subprocess.run([python, "-c", "import pip"]).returncode == 0


def command_line(folder: Path, source: str) -> Path:
    """Write a package with another ``main()`` than ours; return the folder for ``PYTHONPATH``."""
    package = folder / "packages" / "navien_nwp500"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(source)
    return package.parent


@pytest.mark.parametrize(
    ("words", "command"),
    [
        # Nobody sees a page there: it ends by itself.
        ((), "monitor --simulate --speed 3000 --count 288 --csv demo.csv"),
        (("--text",), "monitor --simulate --speed 3000 --count 288 --csv demo.csv"),
        (("--page",), "dashboard --simulate --past 30 --speed 300 --listen 127.0.0.1:0"),
    ],
)
def test_the_demo_is_a_page_in_a_terminal_and_ends_by_itself_elsewhere(
    tmp_path: Path, words: tuple[str, ...], command: str
) -> None:
    prints = command_line(tmp_path, "import sys\ndef main(): print(*sys.argv[1:])\n")
    demo = [sys.executable, str(ROOT / "scripts" / "demo.py")]
    env = {**os.environ, "PYTHONPATH": str(prints)}
    done = subprocess.run([*demo, *words], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{command}\n", "")
    name, *arguments = command.split()
    found = navien_nwp500.get_command(click.Context(navien_nwp500), name)
    assert found is not None and found.make_context(name, arguments).params["simulate"]
    wrong = subprocess.run([*demo, "--what"], env=env, capture_output=True, text=True)
    assert wrong.returncode == 2 and wrong.stderr.startswith("usage: make demo")


#: A command line that ends as ours does: 130 after Ctrl-C, 0 after SIGTERM.
UNTIL_A_SIGNAL = """
import signal, sys, time

def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        print("begun", flush=True)
        time.sleep(600)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        print("ended", flush=True)
"""


@pytest.mark.parametrize("to_all", [True, False], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_ends_the_demo_and_is_no_error(tmp_path: Path, to_all: bool) -> None:
    env = {**os.environ, "PYTHONPATH": str(command_line(tmp_path, UNTIL_A_SIGNAL))}
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    # Ctrl-C is ignored in what a shell has started in the background, such as these tests.
    python.write_text(
        "#!/bin/sh\n"
        f'exec {sys.executable} -c "import signal, sys, runpy; sys.argv[:1] = []; '
        "signal.signal(signal.SIGINT, signal.default_int_handler); "
        'runpy.run_path(sys.argv[0], run_name=\'__main__\')" "$@"\n'
    )
    python.chmod(0o755)
    (tmp_path / "scripts").mkdir()
    for name in ("Makefile", "scripts/demo.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".venv" / "runs").touch()
    assert MAKE is not None
    with subprocess.Popen(
        [MAKE, "--silent", "--old-file=.venv/runs", "demo", "ARGS=--page"],
        cwd=tmp_path,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "begun\n"
            if to_all:
                os.killpg(process.pid, signal.SIGINT)
            else:
                process.terminate()
            out, err = process.communicate(timeout=60)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert out == "ended\n"
    assert "rror" not in err


def test_another_or_a_removed_python_creates_a_new_venv(checkout: Path) -> None:
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    (checkout / ".venv" / "runs").touch()
    other = fake_python(checkout / "python3", "sys.version = '3.99.0 (x)'", "echo asked; exit 1")
    shutil.copy(checkout / "python3", python)
    assert make(checkout, ".venv/runs", other) == (0, "", "")
    python.unlink()
    python.symlink_to(checkout / "gone")
    path = f"{checkout}:{os.environ['PATH']}"
    message = failure(checkout, ".venv/runs", PYTHON="", PATH=path)
    assert message.startswith(".venv could not be made: asked")

    python.parent.mkdir(parents=True)
    (checkout / ".venv" / "runs").touch()
    fake_python(python, "sys.version = '3.98.0 (x)'")
    assert make(checkout, ".venv/runs", PYTHON="", PATH=path) == (0, "", "")
    assert failure(checkout, ".venv/runs", other).startswith(".venv could not be made: asked")
