#!/bin/sh
# Run a command, "make test" by default, with the Python of another Debian release, in a copy of this tree.
#
# usage: python_from_debian.sh SUITE [COMMAND]
#
# SUITE is a release of Debian: bullseye has Python 3.9.2, bookworm 3.11.2, trixie 3.13.5, forky 3.14.
# Needs root and mmdebstrap (apt install mmdebstrap). The other Debian is a temporary folder of 300 MB
# that is removed at the end. Exit code: that of the command, or 75 when that Debian could not be made.
set -eu
cd "$(dirname "$0")/.."
result=$(mktemp)
trap 'rm -f "$result"' EXIT

# Valid-Until: with a clock that is ahead, the mirror's list looks expired; it is signed anyway.
# Certificates and the settings of pip are copied, because a proxy may need them. CI is unset, because
# it requires the programs of all tests, which are not installed there.
export RESULT="$result" COMMAND="${2:-make test}"
mmdebstrap --quiet --variant=minbase --include=python3-venv,make,git,ca-certificates,tzdata \
    --aptopt='Acquire::Check-Valid-Until "false"' \
    --customize-hook='
        cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"
        [ ! -e /etc/pip.conf ] || cp /etc/pip.conf "$1/etc/"
        mkdir "$1/src"
        git ls-files -z --cached --others --exclude-standard |
            tar --create --null --ignore-failed-read --files-from=- |
            tar --extract --no-same-owner --directory="$1/src"
        code=0
        chroot "$1" env --unset=CI sh -c "python3 --version && cd /src && $COMMAND" || code=$?
        echo "$code" >"$RESULT"' \
    "$1" /dev/null || true
exit "$(grep . "$result" || echo 75)"
