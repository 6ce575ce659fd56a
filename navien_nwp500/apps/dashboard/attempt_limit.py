"""Limit of the attempts to sign in, by address and in all, in bounded memory."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from typing import Callable

#: Attempts at once, and seconds until one more is allowed: of one address, and of all together.
ATTEMPTS, SECONDS = 5, 30.0
ATTEMPTS_OF_ALL, SECONDS_OF_ALL = 50, 6.0
#: Addresses that are remembered; the limit of all together holds for the others.
ADDRESSES = 1024


class AttemptLimit:
    """Limit of attempts: a few at once, then one at an interval."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # The time until which the allowed attempts are used up, as if each took its interval.
        self._used: OrderedDict[str, float] = OrderedDict()
        self._used_by_all = float("-inf")

    def take(self, address: str) -> float:
        """Count an attempt and return 0; or return the seconds until one is allowed."""
        now, key = self._clock(), _network(address)
        used = max(self._used.get(key, now), now)
        used_by_all = max(self._used_by_all, now)
        wait = max(
            used - now - (ATTEMPTS - 1) * SECONDS,
            used_by_all - now - (ATTEMPTS_OF_ALL - 1) * SECONDS_OF_ALL,
        )
        if wait > 0:
            return wait
        self._used[key] = used + SECONDS
        self._used.move_to_end(key)
        self._used_by_all = used_by_all + SECONDS_OF_ALL
        if len(self._used) > ADDRESSES:
            self._used.popitem(last=False)
        return 0.0

    def forgive(self, address: str) -> None:
        """Forget the attempts of an address that has signed in."""
        if self._used.pop(_network(address), None) is not None:
            self._used_by_all -= SECONDS_OF_ALL


def _network(address: str) -> str:
    """Return what one client has: an IPv4 address, or the half of an IPv6 address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
