"""Injected faults: everything that can go wrong between clients and the cloud, on demand.

Import faults from here; each is one dataclass. ::

    sim.faults.inject(HalfOpen())
    sim.faults.rest["/device/list"] = RestFault(502, b"<html>", times=1)
    sim.faults.clear()
"""

from .base import ClientConnection, Fault, PacketFault, RequestFault, all_faults
from .http_faults import RefuseRequests, RestFault
from .injector import FaultInjector
from .message_faults import (
    GARBAGE,
    ChangeFields,
    DelayMessages,
    DropMessages,
    DuplicateMessages,
    ForeignMessages,
    HeaterOffline,
    InjectMessage,
    ReorderMessages,
)
from .network_faults import (
    CutConnections,
    DropSubscriptions,
    ForbidTopics,
    HalfOpen,
    LoseReplies,
    NoMqtt5,
    RevokeCredentials,
    RivalClient,
    ShortLifetimes,
    WrongClock,
)

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
