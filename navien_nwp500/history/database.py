"""Connection to the history database: SQLite file or PostgreSQL, transactions, migration, errors."""

from __future__ import annotations

import os
import re
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Iterator

import sqlalchemy as sa

from .._util.extras import missing_extra
from .._util.files import display_path
from .._util.text import clean_text
from ..exceptions import ConfigurationError, HistoryError
from .migration import layout_number, migrate, tables
from .schema import META, METADATA, SCHEMA_NUMBER
from .views import view_names

#: Seconds a writer waits for another one.
BUSY_SECONDS = 30
#: Seconds after which a PostgreSQL server that does not answer is away.
_CONNECT_SECONDS = 10
_POSTGRES = {"postgresql", "postgres", "postgresql+psycopg"}
#: Any number; the same for all programs that migrate this database.
_MIGRATION_LOCK = 500_052


class Database:
    """Database of a history, opened with its tables up to date.

    ``where`` is the path of an SQLite file, which is created if it does not exist, or the URL of a
    PostgreSQL database. Threads may use it. Raises ConfigurationError if it is no such database or
    one of a newer version, HistoryError if it cannot be reached or written.

    ``read_only``: it is neither created nor changed, and no file is written beside it. ``outdated`` is
    then True if tables or columns of this version are missing.
    """

    def __init__(self, where: str | os.PathLike[str], *, read_only: bool = False) -> None:
        self._url = parse_address(where)
        self._read_only = read_only
        self.outdated = False
        self._engine: Any = None
        self._lock = threading.Lock()

    def __enter__(self) -> Database:
        self.open()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """Return the path or URL, without password."""
        if self.path is not None:
            return display_path(self.path)
        return clean_text(self._url.render_as_string(hide_password=True))

    @property
    def path(self) -> Path | None:
        """Return the path of an SQLite file, None for PostgreSQL."""
        return Path(self._url.database) if self._url.get_backend_name() == "sqlite" else None

    def open(self) -> None:
        """Connect, and create or migrate the tables."""
        with self._lock:
            if self._engine is not None:
                return
            if self.path is not None and not self._read_only:
                self._create_file(self.path)
            engine = self._new_engine()
            try:
                with self._translated_errors(engine):
                    if self._prepare(engine):
                        self._shrink(engine)
            except BaseException:
                engine.dispose()
                raise
            self._engine = engine

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """Yield a connection in a transaction that sees one state of the database."""
        engine = self._opened_engine()
        with self._translated_errors(engine), engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Any]:
        """Yield a connection in a transaction; SQLite has one writer, for which others wait."""
        engine = self._opened_engine().execution_options(writes=True)
        with self._translated_errors(engine), engine.begin() as connection:
            yield connection

    def size(self) -> int:
        """Return the bytes that the database uses."""
        if self.path is not None:
            names = (self.path, Path(f"{self.path}-wal"))
            return sum(name.stat().st_size for name in names if name.exists())
        with self.reading() as connection:
            size = sa.func.pg_database_size(sa.func.current_database())
            return int(connection.execute(sa.select(size)).scalar_one())

    def shrink(self) -> None:
        """Give the space of deleted rows back to the file system; PostgreSQL does it by itself."""
        engine = self._opened_engine()
        with self._translated_errors(engine):
            self._shrink(engine)

    def _shrink(self, engine: Any) -> None:
        if self.path is not None:
            with engine.connect() as connection:
                # Not execute(): Python 3.10 to 3.12 stop after the first page.
                run = connection.connection.driver_connection.executescript
                run("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)")

    def _opened_engine(self) -> Any:
        if self._engine is None:
            raise ConfigurationError(f"{self.name} is not open; call open() first")
        return self._engine

    @staticmethod
    def _create_file(path: Path) -> None:
        # It names heaters and times of hot water: for its owner alone.
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))

    def _new_engine(self) -> Any:
        # A restarted server leaves dead connections in the pool; each is checked before use.
        return self._create_engine({}, pool_pre_ping=True)

    def _create_engine(self, connect_args: dict[str, Any], **pool: Any) -> Any:
        if self.path is not None:
            options: dict[str, Any] = {"timeout": BUSY_SECONDS, "check_same_thread": False}
        else:
            # A cut connection is noticed within seconds, not after the hours that TCP takes.
            options = {
                "connect_timeout": _CONNECT_SECONDS,
                "keepalives_idle": _CONNECT_SECONDS,
                "keepalives_interval": 5,
                "keepalives_count": 3,
                "tcp_user_timeout": 2000 * _CONNECT_SECONDS,
            }
        options = {**options, **self._url.query, **connect_args}
        try:
            engine = sa.create_engine(self._url, connect_args=options, **pool)
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                missing_extra("a PostgreSQL database", error.name, "postgres")
            ) from error
        if self.path is not None:
            if self._read_only:
                sa.event.listen(engine, "do_connect", _open_to_read)
            sa.event.listen(engine, "connect", partial(_set_up_sqlite, reads=self._read_only))
            sa.event.listen(engine, "begin", _begin_sqlite)
        else:
            if self._read_only:
                sa.event.listen(engine, "begin", _begin_reading_postgres)
            sa.event.listen(engine, "connect", _set_up_postgres)
        return engine

    def _prepare(self, engine: Any) -> bool:
        """Bring the tables up to date; return True if that has left unused space."""
        with engine.begin() as connection:
            current = self._is_current(connection)
        if current or self._read_only:
            self.outdated = not current
            return False
        with engine.execution_options(writes=True).begin() as connection:
            if self.path is None:
                lock = sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)
                connection.execute(sa.select(lock))
            # Another program may have done it meanwhile.
            return not self._is_current(connection) and migrate(connection, self.name)

    def _is_current(self, connection: Any) -> bool:
        """Return True if no table, column or view is missing."""
        found, number = tables(connection), None
        if META.name not in found and (found or self._read_only):
            raise ConfigurationError(
                f"{self.name} is a database of another program; name another one"
            )
        if META.name in found:
            number = layout_number(connection)
            if number is not None and number > SCHEMA_NUMBER:
                raise ConfigurationError(
                    f"{self.name} was made by a newer version of this program; install that version"
                )
        views = set(sa.inspect(connection).get_view_names())
        return (
            number == SCHEMA_NUMBER
            and views >= set(view_names(connection.dialect.name))
            and all(
                table.name in found and set(table.columns.keys()) <= found[table.name]
                for table in METADATA.sorted_tables
            )
        )

    @contextmanager
    def _translated_errors(self, engine: Any) -> Iterator[None]:
        # What fails while a connection is set up comes from the driver itself.
        errors = (sa.exc.DBAPIError, sa.exc.TimeoutError, engine.dialect.loaded_dbapi.Error)
        try:
            yield
        except errors as error:
            reason = _reason(error)
            if "not a database" in reason:
                raise ConfigurationError(
                    f"{self.name} is not a database of this program; name another file"
                ) from error
            raise HistoryError(f"{self.name}: {reason}") from error


def parse_address(where: str | os.PathLike[str]) -> Any:
    """Return the URL of a path or URL. Raises ConfigurationError."""
    text = os.fspath(where)
    if not re.match(r"[a-z][a-z0-9+]*:", text) or os.path.exists(text):
        return sa.URL.create("sqlite", database=text)
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        # The error has the text, and with it perhaps a password.
        raise ConfigurationError(_EXAMPLES) from None
    if url.drivername in _POSTGRES:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite" and url.database:
        return sa.URL.create("sqlite", database=url.database)
    raise ConfigurationError(_EXAMPLES)


_EXAMPLES = (
    "the database must be a file, such as history.db, or a URL, such as "
    "postgresql://user@host/heater"
)


def _open_to_read(dialect: Any, _record: Any, arguments: list[Any], options: Any) -> Any:
    """Open an SQLite file without writing to it or beside it."""
    path = Path(arguments[0])
    # Without a log nobody has the file open; SQLite would make one to read, unless it is told so.
    how = "mode=ro" if Path(f"{path}-wal").exists() else "immutable=1"
    address = f"{path.absolute().as_uri()}?{how}"
    return dialect.loaded_dbapi.connect(address, uri=True, **options)


def _set_up_sqlite(connection: Any, _record: Any, reads: bool = False) -> None:
    # SQLAlchemy begins the transactions: sqlite3 would begin them late, and without a lock.
    connection.isolation_level = None
    if reads:
        return
    for pragma in (
        "auto_vacuum = INCREMENTAL",  # only in a new file; before WAL
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _begin_reading_postgres(connection: Any) -> None:
    connection.exec_driver_sql("SET TRANSACTION READ ONLY")


def _begin_sqlite(connection: Any) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _set_up_postgres(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
    connection.commit()


def _reason(error: Exception) -> str:
    """Return the driver's first sentence, without statement and values."""
    cause = getattr(error, "orig", None) or error
    return clean_text((str(cause).strip() or type(cause).__name__).splitlines()[0])
