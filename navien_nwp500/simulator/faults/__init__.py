"""Injected faults: everything that can go wrong between clients and the cloud, on demand.

Import faults from here; each is one dataclass. ::

    sim.faults.inject(HalfOpen())
    sim.faults.rest["/device/list"] = RestFault(502, b"<html>", times=1)
    sim.faults.clear()
"""

# ruff: noqa: F403, F405, PLE0605
from .base import *
from .heater_faults import *
from .http_faults import *
from .injector import *
from .message_faults import *
from .network_faults import *

_BASES = (
    *("Fault", "HeaterFault", "PacketFault", "RequestFault"),
    *("ClientConnection", "FaultInjector", "RequestHandler"),
)
__all__ = sorted(
    {*_BASES, "GARBAGE", "all_faults", *(one.__name__ for one in all_faults().values())}
)
