"""The heater's time zone: as given with --zone, else that of this machine."""

from __future__ import annotations

import os
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from .parsing import option_type

_LOCALTIME = Path("/etc/localtime")
#: Names under which a machine has no zone of its own, as in most containers.
_UTC = {"UTC", "Etc/UTC", "UCT", "Etc/UCT", "Universal", "Etc/Universal", "Zulu", "Etc/Zulu"}


def parse_zone(name: str) -> ZoneInfo:
    """Parse the name of a time zone. Raises ValueError."""
    try:
        return ZoneInfo(name.strip())
    except (ValueError, OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise ValueError(f"{name!r} is not a time zone such as America/Los_Angeles") from error


def machine_zone() -> ZoneInfo | None:
    """Return the time zone that TZ names, else that of the system; None if unknown or UTC."""
    name = os.environ.get("TZ", "").lstrip(":")
    if not name:
        try:
            _, _, name = os.readlink(_LOCALTIME).partition("zoneinfo/")
        except OSError:
            return None
    try:
        return None if name in _UTC else parse_zone(name)
    except ValueError:
        return None


ZONE = click.option(
    "--zone",
    metavar="NAME",
    type=option_type(parse_zone),
    help="Time zone of the heater, for example America/Los_Angeles.",
)
