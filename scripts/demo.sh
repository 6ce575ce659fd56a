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
    set -- monitor --simulate --speed 3000 --count 288 --csv demo.csv
else
    set -- dashboard --simulate --past 30 --speed 300 --listen 127.0.0.1:0
fi
# Ctrl-C is the end of the demo, no error for make to report. The shell passes it on, as it does others.
"$program" "$@" &
trap "kill $! 2>/dev/null || :" INT TERM HUP
while :; do
    code=0
    wait $! || code=$? # a signal ends this wait, too
    kill -0 $! 2>/dev/null || exit $code
done
