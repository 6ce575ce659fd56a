"""What ``make`` says to a newcomer when it cannot install: one sentence, and nothing half-made."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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

#: A project that brings its own build backend, so that pip has no index to ask.
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
        # What this machine's pip is told elsewhere, and the make that runs this test, are left out.
        env={**inherited, "PIP_CONFIG_FILE": os.devnull, "PYTHON": sys.executable, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


def sentence(checkout: Path, *words: str, **variables: str) -> str:
    """What a make that fails says before make's own line."""
    code, _, err = make(checkout, *words, **variables)
    said, of_make = err.splitlines()
    assert code == 2 and of_make.startswith("make: ***")
    return said


def pretended(path: Path, code: str, venv: str = "exit 1") -> str:
    """Make a Python that runs ``code`` first; for ``-m venv`` it runs ``venv``, a line of shell."""
    code = f"sys.modules['ensurepip'] = sys.modules['pip'] = sys; {code}"
    path.write_text(
        f'#!/bin/sh\n[ "$1" = -c ] || {{ {venv}; }}\n'
        f'exec {sys.executable} -c "import sys; {code}\n$2"\n'
    )
    path.chmod(0o755)
    return f"PYTHON={path}"


def test_an_absent_python_is_said(checkout: Path) -> None:
    assert "no-such-python is not here" in sentence(checkout, "demo", "PYTHON=no-such-python")


def test_a_python_that_is_too_old_is_said(checkout: Path) -> None:
    old = pretended(checkout / "old", "sys.version_info = (3, 8, 18); sys.version = '3.8.18 (x)'")
    said = sentence(checkout, "demo", old)
    assert "old is Python 3.8.18, which is too old: install Python 3.9 or newer" in said


def test_a_python_without_venv_is_told_the_package_that_brings_it(checkout: Path) -> None:
    bare = pretended(checkout / "bare", "sys.modules['ensurepip'] = None")
    assert "apt install python3-venv" in sentence(checkout, "demo", bare)
    assert not (checkout / ".venv").exists()


def test_a_venv_that_cannot_be_made_leaves_nothing(checkout: Path) -> None:
    full = "mkdir .venv; echo No space left on device; exit 1"
    said = sentence(checkout, "demo", pretended(checkout / "full", "", full))
    assert said.startswith(".venv could not be made: No space left on device")
    assert not (checkout / ".venv").exists()


@needs_venv
def test_an_index_out_of_reach_is_said_in_a_sentence_and_leaves_nothing(checkout: Path) -> None:
    (checkout / "pyproject.toml").write_text(PROJECT.replace("[]", '["setuptools"]', 1))
    said = sentence(checkout, "demo", PIP_INDEX_URL="http://127.0.0.1:9/", PIP_RETRIES="1")
    assert said.startswith("The package index was not reached: ") and said.endswith("install.log")
    assert "connection broken" in (checkout / "install.log").read_text("utf-8")
    assert not (checkout / ".venv").exists()


@needs_venv
def test_what_is_installed_stays_when_more_cannot_be(checkout: Path) -> None:
    runs, python = checkout / ".venv" / "runs", checkout / ".venv" / "bin" / "python"
    code, out, err = make(checkout, ".venv/installed")
    assert (code, out.count("\n"), err) == (0, 2, "")
    assert make(checkout, ".venv/runs") == (0, "", "")

    # A package that has to be compiled, where no compiler is: what was there goes on to work.
    (checkout / "compiled").mkdir()
    (checkout / "compiled" / "pyproject.toml").write_text(PROJECT)
    (checkout / "compiled" / "backend.py").write_text(NO_COMPILER)
    needs = f"Requires-Dist: compiled @ file://{checkout}/compiled\\n"
    (checkout / "backend.py").write_text(BACKEND.replace('1\\n"', f'1\\n{needs}"', 1))
    os.utime(runs, (1, 1))
    said = sentence(checkout, "demo")
    assert said.startswith("compiled has no wheel for this Python") and "a compiler" in said
    assert subprocess.run([python, "-c", "import pip"]).returncode == 0


def test_another_python_or_one_that_has_gone_makes_another_venv(checkout: Path) -> None:
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    (checkout / ".venv" / "runs").touch()
    other = pretended(checkout / "python3", "sys.version = '3.99.0 (x)'", "echo asked; exit 1")
    shutil.copy(checkout / "python3", python)
    assert make(checkout, ".venv/runs", other) == (0, "", "")
    python.unlink()
    python.symlink_to(checkout / "gone")
    path = f"{checkout}:{os.environ['PATH']}"
    said = sentence(checkout, ".venv/runs", PYTHON="", PATH=path)
    assert said.startswith(".venv could not be made: asked")

    python.parent.mkdir(parents=True)
    (checkout / ".venv" / "runs").touch()
    pretended(python, "sys.version = '3.98.0 (x)'")
    assert make(checkout, ".venv/runs", PYTHON="", PATH=path) == (0, "", "")
    assert sentence(checkout, ".venv/runs", other).startswith(".venv could not be made: asked")
