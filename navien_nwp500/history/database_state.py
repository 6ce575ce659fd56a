"""State of a history database, read without changing it: size, last status, folder, file system."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from ..exceptions import ConfigurationError, HistoryError
from .database import Database
from .schema import HEATER, STATUS

#: File systems whose locks and shared memory do not reach other machines, as SQLite's log needs.
_NETWORK = {
    *("9p", "afs", "ceph", "cifs", "coda", "davfs", "gfs", "gfs2", "glusterfs", "gpfs", "lustre"),
    *("ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "pvfs2", "smb2", "smb3", "smbfs", "vboxsf"),
    *("virtiofs", "vmhgfs"),
}
_MOUNTS = Path("/proc/self/mounts")


@dataclass(frozen=True)
class DatabaseState:
    """State of a database. ``last`` is the time of the newest status in ms, None without any.

    ``outdated``: an older version of this program made it. ``free``: bytes left on the disk of a file,
    and ``file_system`` its type, such as ext4, if known; None for PostgreSQL.
    """

    bytes: int
    heaters: int
    statuses: int
    last: int | None
    outdated: bool
    free: int | None
    file_system: str | None


class NetworkFolderError(HistoryError):
    """The file is on a network file system, on which SQLite's log does not work."""


class PermissionsError(HistoryError):
    """The file, or its folder, is not for this user to write."""


def read_state(where: str | os.PathLike[str]) -> DatabaseState:
    """Return the state of a database, which is neither created nor changed.

    Raises PermissionsError, NetworkFolderError, and ConfigurationError and HistoryError as ``Database``
    does, also if it does not exist.
    """
    database = Database(where, read_only=True)
    if database.path is not None:
        _check_file(database.path)
    with database:
        path = database.path
        free = None if path is None else shutil.disk_usage(path).free
        newest = sa.select(sa.func.max(STATUS.c.time)).where(STATUS.c.heater_id == HEATER.c.id)
        with database.reading() as connection:
            times = connection.execute(
                sa.select(newest.scalar_subquery()).select_from(HEATER)
            ).all()
            count = connection.execute(sa.select(sa.func.count()).select_from(STATUS)).scalar_one()
        known = [time for (time,) in times if time is not None]
        size = database.size()
        return DatabaseState(
            bytes=size,
            heaters=len(times),
            statuses=count,
            last=max(known, default=None),
            outdated=database.outdated,
            free=free,
            file_system=None if path is None else file_system(path),
        )


def _check_file(path: Path) -> None:
    try:
        path.stat()
    except PermissionError as error:
        raise PermissionsError("its folder cannot be read by this user") from error
    except OSError as error:
        raise ConfigurationError("it does not exist") from error
    kind = file_system(path)
    if kind is not None and (kind in _NETWORK or kind.startswith("fuse.")):
        raise NetworkFolderError(f"it is on a network file system ({kind})")
    if not os.access(path, os.R_OK | os.W_OK):
        raise PermissionsError("this user may not read and write it")
    if not os.access(path.resolve().parent, os.W_OK | os.X_OK):
        raise PermissionsError("this user may not write in its folder, where its log must be")


def file_system(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """Return the type of the file system of a file; None if the system does not tell."""
    try:
        lines = mounts.read_bytes().splitlines()
    except OSError:
        return None
    place = path.resolve()
    found: tuple[Path, str | None] = (Path(place.anchor), None)
    for line in lines:
        fields = os.fsdecode(line).split(" ")
        if len(fields) < 3:
            continue
        folder = Path(_unescaped(fields[1]))
        inside = folder == place or folder in place.parents
        # Later mounts hide earlier ones of the same folder.
        if inside and len(folder.parts) >= len(found[0].parts):
            found = folder, fields[2]
    return found[1]


def _unescaped(text: str) -> str:
    """Return a path of the list of mounts, which has spaces and the like as octal numbers."""
    for number in (0o40, 0o11, 0o12):
        text = text.replace(f"\\{number:03o}", chr(number))
    return text.replace("\\134", "\\")
