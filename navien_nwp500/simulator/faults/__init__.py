"""Injected faults: everything that can go wrong between clients and the cloud, on demand.

Import faults from here; each is one dataclass. ::

    sim.faults.inject(HalfOpen())
    sim.faults.rest["/device/list"] = RestFault(502, b"<html>", times=1)
    sim.faults.clear()
"""

# ruff: noqa: F403, F405 - __all__ lists the names once
from .base import *
from .http_faults import *
from .injector import *
from .message_faults import *
from .network_faults import *

__all__ = [
    "GARBAGE",
    "ChangeFields",
    "ClientConnection",
    "CutConnections",
    "DelayMessages",
    "DropMessages",
    "DropSubscriptions",
    "DuplicateMessages",
    "Fault",
    "FaultInjector",
    "ForbidTopics",
    "ForeignMessages",
    "HalfOpen",
    "HeaterOffline",
    "InjectMessage",
    "LoseReplies",
    "NoMqtt5",
    "PacketFault",
    "RefuseRequests",
    "ReorderMessages",
    "RequestFault",
    "RestFault",
    "RevokeCredentials",
    "RivalClient",
    "ShortLifetimes",
    "WrongClock",
    "all_faults",
]
