"""Show the simulated heater.

Without arguments and in a terminal: the dashboard, with a month of history, until Ctrl-C. Otherwise,
and with --text: a day in the terminal, which ends by itself after half a minute and is recorded in
demo.csv.
"""

from __future__ import annotations

import sys

TEXT = "monitor --simulate --speed 3000 --count 288 --csv demo.csv"
PAGE = "dashboard --simulate --past 30 --speed 300 --listen 127.0.0.1:0"
#: Exit code of a command that Ctrl-C ended.
INTERRUPTED = 130


def main() -> None:
    words = sys.argv[1:] or (["--page"] if sys.stdout.isatty() else ["--text"])
    if words not in (["--page"], ["--text"]):
        print(
            "usage: make demo, or make demo ARGS=--text (ends by itself), or ARGS=--page",
            file=sys.stderr,
        )
        sys.exit(2)
    from navien_nwp500.__main__ import main as run

    sys.argv[1:] = (PAGE if words == ["--page"] else TEXT).split()
    run()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
    except SystemExit as end:
        if end.code != INTERRUPTED:  # Ctrl-C is the end of the demo, no error for make to report
            raise
