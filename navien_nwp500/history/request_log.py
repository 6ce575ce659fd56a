"""Requests of clients beside a CSV recording: ``tank.csv`` has them in ``tank.requests.txt``.

A line has the time and the request as ``ClientRequest.text``. The file begins with the first request;
its name does not end in csv, so that ``report *.csv`` takes recordings alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

from .._util.files import display_path
from ..exceptions import ConfigurationError, ProtocolError
from ..protocol.client_requests import ClientRequest
from .csv_format import TIMESTAMP, parse_time

_HEADER = f"{TIMESTAMP},request"


def request_log(recording: Path) -> Path:
    """Return the path of the requests that belong to a recording."""
    return recording.with_suffix(".requests.txt")


class RequestLog:
    """Recorder that appends requests to the file of a recording, each in one write.

    The file is opened for each line, so that other programs may rename it. A line that a crash left
    incomplete is completed by a line end.
    """

    def __init__(self, recording: Path) -> None:
        self.path = request_log(recording)

    @property
    def name(self) -> str:
        """Return the path, for people."""
        return display_path(self.path)

    def open(self) -> None:
        """Do nothing: the first request makes the file."""

    def close(self) -> None:
        """Do nothing: the file is closed after each line."""

    def write(self, request: ClientRequest) -> None:
        """Append a request. Raises OSError; then nothing of it is left."""
        time = request.when.isoformat(timespec="milliseconds")
        line = f"{time},{request.text}\n".encode()
        with open(self.path, "ab+", buffering=0) as file:
            end = file.seek(0, 2)
            if not end:
                line = f"{_HEADER}\n".encode() + line
            else:
                file.seek(end - 1)
                line = line if file.read(1) == b"\n" else b"\n" + line
            if file.write(line) != len(line):
                file.truncate(end)
                raise OSError(f"{self.path}: a request was not written whole")


def read_requests(recording: Path) -> list[ClientRequest]:
    """Return the requests beside a recording in order of time; none without a file of them.

    Lines that were torn are left out. Raises ConfigurationError for another file, OSError.
    """
    path = request_log(recording)
    try:
        text = path.read_text("utf-8", "replace")
    except FileNotFoundError:
        return []
    lines = text.split("\n")
    if lines[0].strip("\ufeff\r") != _HEADER:
        raise ConfigurationError(f"{display_path(path)} does not begin with {_HEADER}")
    return sorted(_parse(lines[1:]), key=lambda request: request.when)


def _parse(lines: list[str]) -> Iterator[ClientRequest]:
    for line in lines:
        time, _, text = line.strip("\r").partition(",")
        try:
            yield ClientRequest.from_text(parse_time(time), text)
        except (ValueError, ProtocolError):
            continue
