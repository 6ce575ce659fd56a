"""The option ``--database``, and what commands of the history have in common."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Iterator

import click

from ..._util.extras import missing_extra
from ...exceptions import ConfigurationError
from .saved_account import data_folder

if TYPE_CHECKING:
    from ...history.store import HistoryStore

#: Value of the option without a value: the place in the user's data folder.
_DEFAULT = "default"

DATABASE = click.option(
    "--database",
    metavar="[URL|FILE]",
    is_flag=False,
    flag_value=_DEFAULT,
    help="History database: an SQLite file, or postgresql://USER@HOST/NAME. Without a value, a "
    "file in your data folder.",
)


def database_address(given: str | None) -> str:
    """Return the path or URL of the history database. Raises ConfigurationError."""
    if given is not None and given != _DEFAULT:
        return given
    folder = data_folder()
    if folder is None:
        raise ConfigurationError("the data folder is unknown; name a file: --database history.db")
    return str(folder / "history.db")


def is_default(given: str | None) -> bool:
    """Return True if the option names no database, so that it is the file in the data folder."""
    return given in (None, _DEFAULT)


def database_files(given: str | None) -> list[Path]:
    """Return the file that the option names, if it names one."""
    return [] if given is None or "://" in given else [Path(database_address(given))]


@contextmanager
def open_store(given: str | None, *, create: bool = False) -> Iterator[HistoryStore]:
    """Open the history database. Raises ConfigurationError if it does not exist, or as it does."""
    with needs_history():
        from ...history.database import Database
        from ...history.store import HistoryStore
    database = Database(database_address(given))
    if not create and database.path is not None and not database.path.exists():
        raise ConfigurationError(
            f"{database.name} does not exist; navien-nwp500 monitor --database makes it, and so "
            "does navien-nwp500 history import"
        )
    with database:
        yield HistoryStore(database)


@contextmanager
def needs_history() -> Iterator[None]:
    """Name the extra when a package that the block imports is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            missing_extra("the history database", error.name, "history")
        ) from error
