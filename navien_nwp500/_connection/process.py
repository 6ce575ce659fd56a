"""A client belongs to the process that created it: threads and connections do not survive a fork."""

from __future__ import annotations

import os

from ..exceptions import ConfigurationError


class OwnProcess:
    """The process in which an object was created."""

    def __init__(self) -> None:
        self._id = os.getpid()

    def check(self) -> None:
        """Raise ConfigurationError in a forked child."""
        if os.getpid() != self._id:
            raise ConfigurationError(
                "this client was created before the process was forked, and its connections belong "
                "to the parent; create a client in the child"
            )
