"""Replay of a capture: a heater that repeats what a real one sent, in its order and timing.

After the end it starts again. A request gets the response it got in the capture, and none if it was
not sent there. Controls change nothing: each gets the current status.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from datetime import datetime, timedelta
from typing import Any, Iterator, Mapping, NamedTuple, Sequence

from ...exceptions import ConfigurationError, ProtocolError
from ...protocol.capture import IN, MQTT, CaptureEntry
from ...protocol.commands import STATUS
from ...protocol.fields import decode_fields, encode_fields
from ...protocol.messages import Address, Message, Request, parse_message, parse_request
from ...protocol.status import DeviceStatus
from ..cloud.accounts import HeaterRecord
from .query_handler import HeaterReply, refusal

#: Keys that name a heater; they are not part of a request's or a response's content.
_IDENTITY = ("deviceType", "macAddress", "additionalValue")
#: The pause before a capture with a single point in time starts again.
_MIN_PAUSE = timedelta(seconds=1)
#: Interval in which pushes are looked for, seconds.
_STEP = 1.0
_ZERO = timedelta(0)


class _CapturedStatus(NamedTuple):
    """A status, ``at`` after the first message; ``requested`` is False for a push."""

    at: timedelta
    status: DeviceStatus
    requested: bool


class _CapturedResponse(NamedTuple):
    """A response to a query; its topic is ``cut`` characters shorter than the requested one."""

    at: timedelta
    topic: str
    cut: int
    body: Mapping[str, Any]


class Replay:
    """One heater of a capture; only :meth:`advance` moves time.

    Raises ConfigurationError when the capture contains no status of it.
    """

    def __init__(self, entries: Sequence[CaptureEntry], address: Address, now: datetime) -> None:
        self._start = now
        self._address = address
        self._elapsed = _ZERO
        self._statuses: list[_CapturedStatus] = []
        self._responses: dict[str, list[_CapturedResponse]] = {}
        self._load(entries, address)
        if not self._statuses:
            raise ConfigurationError(f"{address}: the capture contains no status of it")
        last = self._statuses[-1].at
        self._length = last + max(last / max(len(self._statuses) - 1, 1), _MIN_PAUSE)
        self._times = [captured.at for captured in self._statuses]

    @property
    def now(self) -> datetime:
        """Time of the heater's own clock."""
        return self._start + self._elapsed

    @property
    def seconds_until_step(self) -> float:
        """Seconds until ``advance`` is to be called again."""
        return _STEP

    def status(self, command: int = STATUS.code) -> DeviceStatus:
        """Return the status of the present time."""
        number = bisect_right(self._times, self._elapsed % self._length)
        body = encode_fields(self._statuses[max(number - 1, 0)].status)
        return decode_fields(DeviceStatus, {**body, "command": command})

    def advance(self, seconds: float) -> list[DeviceStatus]:
        """Move time forward; return the pushes of this time, in order."""
        before, self._elapsed = self._elapsed, self._elapsed + timedelta(seconds=seconds)
        pushes = []
        for number in range(before // self._length, self._elapsed // self._length + 1):
            begin = number * self._length
            pushes += [
                captured.status
                for captured in self._statuses
                if not captured.requested and before < begin + captured.at <= self._elapsed
            ]
        return pushes

    def handle(self, request: Request) -> Sequence[HeaterReply]:
        """Return the captured response to a query, and the status for a control."""
        if request.code == STATUS.code or request.topic.split("/")[3:] == ["ctrl"]:
            body = {"status": encode_fields(self.status(request.code))}
            return [HeaterReply(request.reply_topic, body)]
        captured = self._responses.get(_request_key(request), [])
        now = self._elapsed % self._length
        latest = max((one.at for one in captured if one.at <= now), default=None)
        if latest is None:
            latest = min((one.at for one in captured), default=_ZERO)
        return [_reply(one, request) for one in captured if one.at == latest]

    def acknowledge(self, request: Request) -> Sequence[HeaterReply]:
        """Return what ``handle`` returns: writes have no effect here."""
        return self.handle(request)

    def apply(self, request: Request) -> None:
        """Change nothing."""

    def refusal(self, fail_code: int) -> HeaterReply:
        """Return the reply to a control that the heater refuses (PROTOCOL 4.4)."""
        return refusal(self._address, fail_code)

    def _load(self, entries: Sequence[CaptureEntry], address: Address) -> None:
        requests: dict[tuple[str, str], Request] = {}
        response_times: dict[str, timedelta] = {}
        start: datetime | None = None
        for entry in entries:
            sent, message = _parse(entry)
            if sent is not None:
                requests.setdefault((sent.client_id, sent.session_id), sent)
            if message is None or message.mac_address != address.mac_address:
                continue
            start = start or entry.time
            at = entry.time - start
            request = requests.get((message.client_id, message.session_id))
            if message.status is not None:
                requested = request is not None or message.binary_code is not None
                self._statuses.append(_CapturedStatus(at, message.status, requested))
            elif request is not None:
                self._add_response(request, message, at, response_times)
        self._statuses.sort(key=lambda captured: captured.at)

    def _add_response(
        self,
        request: Request,
        message: Message,
        at: timedelta,
        response_times: dict[str, timedelta],
    ) -> None:
        """Add a response to a query; all parts of one response get the time of the first."""
        body = {key: value for key, value in message.body.items() if key not in _IDENTITY}
        at = response_times.setdefault(f"{request.client_id} {request.session_id}", at)
        is_prefix = request.reply_topic.startswith(message.topic)
        cut = len(request.reply_topic) - len(message.topic) if is_prefix else 0
        topic = "" if is_prefix else message.topic
        responses = self._responses.setdefault(_request_key(request), [])
        responses.append(_CapturedResponse(at, topic, cut, body))


def captured_heaters(entries: Sequence[CaptureEntry]) -> list[HeaterRecord]:
    """Return the heaters of a capture as the cloud stores them, in order of first appearance.

    Raises ConfigurationError when there is none.
    """
    found: dict[str, HeaterRecord] = {}
    for entry in entries:
        _, message = _parse(entry)
        if message is None or message.mac_address is None:
            continue
        record = found.setdefault(message.mac_address, HeaterRecord(message.mac_address))
        if message.features is not None:
            serial = message.features.controller_serial_number
            record.controller_serial = serial or record.controller_serial
    for mac, plan in _tou_plans(entries):
        if mac in found:
            found[mac].tou_plan = plan
    if not found:
        raise ConfigurationError("the capture contains no message of a heater")
    for number, record in enumerate(found.values(), 1):
        record.device_name = "NWP500" if number == 1 else f"NWP500 {number}"
    return list(found.values())


def _tou_plans(entries: Sequence[CaptureEntry]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the time-of-use plans of the cloud, each with the MAC of its request."""
    mac = ""
    for entry in entries:
        if entry.name != "GET /device/tou" or not isinstance(entry.payload, dict):
            continue
        if entry.direction != IN:
            mac = str(entry.payload.get("macAddress"))
        elif isinstance(entry.payload.get("data"), dict) and "touInfo" in entry.payload["data"]:
            yield mac, entry.payload["data"]


def _parse(entry: CaptureEntry) -> tuple[Request | None, Message | None]:
    """Parse an MQTT frame as request or message; neither when it is damaged."""
    if entry.kind != MQTT:
        return None, None
    try:
        message = parse_message(entry.name, entry.content) if entry.direction == IN else None
        request = parse_request(entry.name, entry.content) if message is None else None
        # Decoded here, so that an error shows now and not during the replay.
        _ = message and (message.status, message.features)
    except ProtocolError:
        return None, None
    return request, message


def _request_key(request: Request) -> str:
    """Return the content of a request without client and heater."""
    body = {key: value for key, value in request.body.items() if key not in _IDENTITY}
    return json.dumps([request.code, body], sort_keys=True)


def _reply(captured: _CapturedResponse, request: Request) -> HeaterReply:
    end = len(request.reply_topic) - captured.cut
    return HeaterReply(captured.topic or request.reply_topic[:end], captured.body)
