"""Which heater a person means: by its name, its MAC, or the beginning of either."""

from __future__ import annotations

import re
from typing import Protocol, Sequence, TypeVar


class NamedDevice(Protocol):
    """What has a name and a MAC."""

    @property
    def name(self) -> str: ...

    @property
    def mac_address(self) -> str: ...


N = TypeVar("N", bound=NamedDevice)


def find_matching(heaters: Sequence[N], wanted: str) -> list[N]:
    """Find the heaters ``wanted`` may mean; one when it is clear, none when there is no such.

    Upper and lower case are the same, a MAC may have its colons. A whole name or MAC is meant
    before the beginning of another: "NWP500" is not "NWP500 2".
    """
    text = wanted.strip().casefold()
    digits = re.sub(r"[:\-.\s]", "", text)
    whole = [one for one in heaters if text == one.name.casefold() or digits == one.mac_address]
    if whole or not text:
        return whole
    return [
        one
        for one in heaters
        if one.name.casefold().startswith(text) or (digits and one.mac_address.startswith(digits))
    ]
