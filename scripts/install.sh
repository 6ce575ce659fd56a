#!/bin/sh
# Install into .venv. It is created when it is missing, broken, or made by another PYTHON.
#
# usage: install.sh STAMP ARGUMENT-OF-PIP-INSTALL...
#
# STAMP is a file in .venv that records that these arguments are installed. The output of venv and pip
# goes to install.log; a failure prints one sentence that says what to do.
set -u
log=install.log
stamp=$1
shift
python=${PYTHON:-python3}
made=

fail() {
    echo "$*" >&2
    exit 1
}

# Leave no incomplete .venv behind.
trap '[ -z "$made" ] || rm -rf .venv' EXIT
trap 'exit 130' INT TERM

version() {
    "$1" -c 'import sys; print(sys.version)' 2>/dev/null
}

installed=$(.venv/bin/python -c 'import pip, sys; print(sys.version)' 2>/dev/null)
[ -z "${PYTHON:-}" ] || [ "$installed" = "$(version "$python")" ] || installed=
[ -z "$installed" ] || [ ! "$stamp" -nt pyproject.toml ] || exit 0

another="install Python 3.9 or newer, or name the one you have, as in: make demo PYTHON=python3.12"
if [ -z "$installed" ]; then
    found=$(version "$python") || fail "$python is not installed or does not run: $another"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' ||
        fail "$python is Python ${found%% *}, which is too old: $another"
    "$python" -c 'import ensurepip, venv' 2>"$log" ||
        fail "$python cannot make virtual environments: install its module venv, on Debian and" \
            "Ubuntu with: sudo apt install python3-venv"
    made=yes
    "$python" -m venv --clear .venv >"$log" 2>&1 ||
        fail ".venv could not be made: $(tail -n 1 "$log") (full output in $log)"
fi

echo "Installing into .venv: a minute or two; the output of pip goes to $log"
# An editable install from pyproject.toml alone needs pip 21.3; Debian 11 ships 20.3.
if .venv/bin/python -m pip install --disable-pip-version-check 'pip>=21.3' >"$log" 2>&1 &&
    .venv/bin/python -m pip install --disable-pip-version-check "$@" >>"$log" 2>&1; then
    made=
    touch "$stamp"
    exit 0
fi

unbuilt=$(sed -n -e 's/.*Failed building wheel for \([^ ]*\).*/\1/p' \
    -e '/metadata-generation-failed/,$s/^╰─> \([^ ]*\)$/\1/p' "$log" | tail -n 1)
if [ -n "$unbuilt" ]; then
    fail "$unbuilt has no wheel for this Python on $(uname -m), and building it failed: use another" \
        "Python (make demo PYTHON=python3.12) or install a compiler. The output of pip is in $log"
elif grep -q -e 'connection broken by' -e 'confirming the ssl certificate' -e 'timed out' "$log"; then
    fail "The package index was not reached: check the network (HTTPS_PROXY names a proxy), then" \
        "run make again. The output of pip is in $log"
fi
fail "pip failed: $(grep -i "^error" "$log" | tail -n 1) (full output in $log)"
