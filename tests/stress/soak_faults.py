"""The faults of the soak test, as they are posted to the simulator's process."""

from __future__ import annotations

import random
from typing import Any, Callable, Mapping, NamedTuple

Body = Mapping[str, Any]


class FaultCase(NamedTuple):
    """A fault to post, for a random time between ``seconds``.

    With ``found_by_client`` the client must get a status again before the fault is cleared.
    """

    body: Callable[[random.Random], Body]
    seconds: tuple[float, float] = (0.5, 2.5)
    found_by_client: bool = False


def _case(*seconds: float, found_by_client: bool = False, **faults: Any) -> FaultCase:
    lasting = (seconds[0], seconds[1]) if seconds else (0.5, 2.5)
    return FaultCase(lambda _: faults, lasting, found_by_client)


def _with_cut(*seconds: float, found_by_client: bool = False, **faults: Any) -> FaultCase:
    """Make a case that also cuts the connections, so that the client must connect again."""
    return _case(*seconds, found_by_client=found_by_client, **faults, cut_connections=True)


def _rest(**fault: Any) -> FaultCase:
    """Make a case where the client needs new AWS keys while REST calls fail."""
    return _with_cut(rest={"*": fault}, revoke_credentials=True)


def _responses(name: str, **parameters: Any) -> FaultCase:
    return _case(**{name: {"kind": "responses", **parameters}})


_GARBAGE = (
    *("empty", "text", "not utf-8", "cut", "list", "null", "nan", "deep", "deep object"),
    *("300 KB", "short frame"),
)
_BAD_FIELDS = {"dhwTemperature": "warm", "errorCode": 10**30, "tankUpperTemperature": None}
_FORBIDDEN = {"topic": "cmd/52/+/+/+/res/#", "times": 1}
CASES: Mapping[str, FaultCase] = {
    "connections cut": _with_cut(0, 0),
    "network away": _with_cut(1, 5, refuse_requests={"where": "all"}),
    "half-open, cleared": _case(1, 5, half_open={"new": True}),
    "half-open, not cleared": _case(0.3, 0.3, half_open=True, found_by_client=True),
    "half-open, then cut": _with_cut(half_open=True),
    "messages dropped": _case(1, 6, drop_messages=True),
    "subscriptions dropped": _case(0.3, 0.3, drop_subscriptions=True, found_by_client=True),
    "handshakes 403": _with_cut(1, 4, refuse_requests={"where": "mqtt", "status": 403}),
    "handshakes 503": _with_cut(1, 4, refuse_requests={"where": "mqtt", "status": 503}),
    "handshakes unanswered": _with_cut(1, 4, refuse_requests={"where": "mqtt", "unanswered": True}),
    "AWS keys revoked": _with_cut(0, 0, revoke_credentials={"aws_keys": True}),
    "tokens revoked": _with_cut(0, 0, revoke_credentials={"aws_keys": True, "access_tokens": True}),
    "all revoked": _with_cut(
        *(0, 0),
        revoke_credentials={"aws_keys": True, "access_tokens": True, "refresh_tokens": True},
    ),
    "short lifetimes": _with_cut(short_lifetimes={"aws_keys": 0, "access_tokens": 0}),
    "REST 502": _rest(status=502, body="<html>", headers={"Content-Type": "text/html"}),
    "REST 429": _rest(status=429, headers={"Retry-After": "1"}),
    "REST 200, error inside": _rest(status=200, body={"code": 500, "msg": "DB", "data": None}),
    "REST truncated": _rest(cut=20),
    "REST reset": _rest(reset=True),
    "REST slow": _rest(delay=0.5, trickle=0.5),
    "wrong clock": _with_cut(1, 3, wrong_clock=True),
    "garbage": FaultCase(
        lambda rng: {"inject_message": {"garbage": rng.choice(_GARBAGE)}}, (0, 0.3)
    ),
    "bad fields": _responses("change_fields", values=_BAD_FIELDS, missing=["operationMode"]),
    "delayed responses": _responses("delay_messages", seconds=1.5),
    "duplicate responses": _responses("duplicate_messages"),
    "foreign responses": _responses("foreign_messages"),
    "foreign, true one lost": _responses("foreign_messages", replace=True),
    "reordered responses": _responses("reorder_messages", times=20),
    "SUBACK lost": _with_cut(0.3, 0.3, lose_replies={"packet": "suback"}, found_by_client=True),
    "topic forbidden": _with_cut(0, 0, forbid_topics=_FORBIDDEN),
    "rival client": _case(rival_client=True),
    "heaters offline": _case(1, 6, heater_offline=True),
    "one heater offline": _case(1, 6, heater_offline={"heater": "0123456789ab"}),
}
