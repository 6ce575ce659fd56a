#!/bin/sh
# Show the simulated heater. Without arguments and in a terminal: the dashboard, with a month of history,
# until Ctrl-C. Otherwise, and with --text: a day in the terminal, which ends by itself after half a
# minute and is recorded in demo.csv.
set -eu
program=.venv/bin/navien-nwp500
case "${1:-}" in
    "") [ -t 1 ] || set -- --text ;;
    --text | --page) ;;
    *)
        echo "usage: make demo, or make demo ARGS=--text (ends by itself), or ARGS=--page" >&2
        exit 2
        ;;
esac
if [ "${1:-}" = --text ]; then
    exec "$program" monitor --simulate --speed 3000 --count 288 --csv demo.csv
fi
exec "$program" dashboard --simulate --past 30 --speed 300 --listen 127.0.0.1:0
