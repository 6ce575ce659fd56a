"""Check of the history database, for a report that anyone may see: without its place."""

from __future__ import annotations

import time

from ..._util.extras import missing_extra
from ...exceptions import ConfigurationError, HistoryError
from . import advice

#: Hours without a status after which nothing seems to record.
_QUIET_HOURS = 3
#: Free bytes below which a disk is nearly full: the history of ten heater years.
_LITTLE_SPACE = 250_000_000


def check_database(where: str) -> tuple[str, str]:
    """Return what is in a database, and a remark or "". Blocks, and changes nothing.

    Raises one of the errors of ``advice``.
    """
    try:
        from ...history.database_state import NetworkFolderError, PermissionsError, read_state
    except ModuleNotFoundError as error:
        missing = missing_extra("the history database", error.name, "history")
        raise advice.NoPackageError(missing) from error
    try:
        state = read_state(where)
    except NetworkFolderError as error:
        raise advice.NetworkDatabaseError(str(error)) from error
    except PermissionsError as error:
        raise advice.ForbiddenDatabaseError(str(error)) from error
    except ConfigurationError as error:
        if "newer version" in str(error):
            raise advice.NewerDatabaseError("a newer version of this program made it") from error
        raise advice.NoDatabaseError("it does not exist, or is no history") from error
    except HistoryError as error:
        raise advice.UnreachableDatabaseError("it cannot be opened or read") from error
    heaters = f"{state.heaters} heater{'s' if state.heaters != 1 else ''}"
    place = "" if state.file_system is None else f" on {state.file_system}"
    fact = f"{state.bytes / 1e6:.1f} MB{place}, {state.statuses} statuses of {heaters}"
    if state.last is None:
        return fact, "There is no status in it yet."
    hours = (time.time() - state.last / 1000) / 3600
    fact += f", the last {_age(hours)} ago"
    remarks = []
    if hours > _QUIET_HOURS:
        remarks.append("Nothing seems to record: is the monitor or the dashboard running?")
    if state.outdated:
        remarks.append("An older version made it; this one completes it when it next records.")
    if state.free is not None and state.free < _LITTLE_SPACE:
        remarks.append(f"Its disk has {state.free / 1e6:.0f} MB left.")
    return fact, " ".join(remarks)


def _age(hours: float) -> str:
    if hours < 1:
        return f"{max(0.0, hours * 60):.0f} min"
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"
