"""PostgreSQL server of a test run, in a temporary folder, reached through a socket in it."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Iterator

import psycopg

#: Seconds within which the server starts or stops, on a busy machine too.
LIMIT = 60.0


class PostgresServer:
    """Server without a port; ``new_database`` returns the URL of an empty database."""

    def __init__(self, initdb: str, folder: Path) -> None:
        self._program = str(Path(initdb).with_name("postgres"))
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        # PostgreSQL refuses to run as root.
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("nobody")
            os.chown(folder, user.pw_uid, user.pw_gid)
            self._user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        subprocess.run(
            [initdb, "--no-sync", "--auth=trust", "--username=test", "--encoding=UTF8"]
            + ["--locale=C", "--pgdata", str(folder / "data")],
            check=True,
            capture_output=True,
            cwd=folder,
            **self._user,
        )

    @property
    def pid(self) -> int:
        """Return the process id of the running server."""
        assert self._process is not None
        return self._process.pid

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://test@/{database}?host={self._folder}"

    def start(self) -> None:
        settings = ["listen_addresses=", "fsync=off", f"unix_socket_directories={self._folder}"]
        options = [word for setting in settings for word in ("-c", setting)]
        with open(self._folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-D", str(self._folder / "data"), *options],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                **self._user,
            )
        end = time.monotonic() + LIMIT
        while True:
            try:
                psycopg.connect(self.url()).close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < end, (self._folder / "log").read_text("utf-8")
                time.sleep(0.05)

    def stop(self) -> None:
        """End the server at once, as when its machine fails."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(LIMIT)
            self._process = None

    def new_database(self) -> str:
        self._databases += 1
        name = f"heater{self._databases}"
        with contextlib.closing(psycopg.connect(self.url(), autocommit=True)) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)


@contextlib.contextmanager
def running_server(initdb: str) -> Iterator[PostgresServer]:
    # Not in pytest's folder, which another user may not enter, and with a short path for the socket.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        server = PostgresServer(initdb, folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
