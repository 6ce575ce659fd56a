"""A recording played back: a heater that says again what a real one said, in its order and pace.

After its end it begins anew. A question is answered as it was in the recording; what nobody asked
then stays unanswered. Controls change nothing: each is answered with the status of the moment.
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
from .queries import HeaterReply

#: What an answer says of the heater itself, and a question of whom it means.
_IDENTITY = ("deviceType", "macAddress", "additionalValue")
#: The pause before a recording of one moment begins anew.
_LEAST_PAUSE = timedelta(seconds=1)
_NONE = timedelta(0)


class _Told(NamedTuple):
    """A status, ``at`` so long after the heater's first message."""

    at: timedelta
    status: DeviceStatus
    asked: bool


class _Answered(NamedTuple):
    """An answer to a read; ``cut`` is how much shorter its topic was than asked for."""

    at: timedelta
    topic: str
    cut: int
    body: Mapping[str, Any]


class Replay:
    """One heater of a recording; time moves only by :meth:`advance`.

    Raises ConfigurationError when the recording holds no status of it.
    """

    def __init__(self, entries: Sequence[CaptureEntry], address: Address, now: datetime) -> None:
        self._start = now
        self._at = _NONE
        self._told: list[_Told] = []
        self._answered: dict[str, list[_Answered]] = {}
        self._read(entries, address)
        if not self._told:
            raise ConfigurationError(f"{address}: the recording holds no status of it")
        last = self._told[-1].at
        self._round = last + max(last / max(len(self._told) - 1, 1), _LEAST_PAUSE)
        self._times = [told.at for told in self._told]

    @property
    def now(self) -> datetime:
        """The heater's own clock."""
        return self._start + self._at

    def status(self, command: int = STATUS.code) -> DeviceStatus:
        """The status of the moment."""
        number = bisect_right(self._times, self._at % self._round)
        body = encode_fields(self._told[max(number - 1, 0)].status)
        return decode_fields(DeviceStatus, {**body, "command": command})

    def advance(self, seconds: float) -> list[DeviceStatus]:
        """Move time on; return the pushes that fall into it, in order."""
        before, self._at = self._at, self._at + timedelta(seconds=seconds)
        pushes = []
        for number in range(before // self._round, self._at // self._round + 1):
            begin = number * self._round
            pushes += [
                told.status
                for told in self._told
                if not told.asked and before < begin + told.at <= self._at
            ]
        return pushes

    def obey(self, asked: Request) -> Sequence[HeaterReply]:
        """Answer a question as it was answered, and a control with the status."""
        if asked.code == STATUS.code or asked.topic.split("/")[3:] == ["ctrl"]:
            return [
                HeaterReply(asked.reply_topic, {"status": encode_fields(self.status(asked.code))})
            ]
        found = self._answered.get(_question(asked), [])
        at = self._at % self._round
        latest = max((one.at for one in found if one.at <= at), default=None)
        if latest is None:
            latest = min((one.at for one in found), default=_NONE)
        return [_answer(one, asked) for one in found if one.at == latest]

    def _read(self, entries: Sequence[CaptureEntry], address: Address) -> None:
        questions: dict[tuple[str, str], Request] = {}
        asked_at: dict[str, timedelta] = {}
        began: datetime | None = None
        for entry in entries:
            asked, message = _understood(entry)
            if asked is not None:
                questions.setdefault((asked.client_id, asked.session_id), asked)
            if message is None or message.mac_address != address.mac_address:
                continue
            began = began or entry.time
            at = entry.time - began
            request = questions.get((message.client_id, message.session_id))
            if message.status is not None:
                answers = request is not None or message.binary_code is not None
                self._told.append(_Told(at, message.status, answers))
            elif request is not None:
                self._keep(request, message, at, asked_at)
        self._told.sort(key=lambda told: told.at)

    def _keep(
        self, request: Request, message: Message, at: timedelta, asked_at: dict[str, timedelta]
    ) -> None:
        """Keep an answer to a read; the parts of one answer share the time of the first."""
        body = {key: value for key, value in message.body.items() if key not in _IDENTITY}
        at = asked_at.setdefault(f"{request.client_id} {request.session_id}", at)
        begins_alike = request.reply_topic.startswith(message.topic)
        cut = len(request.reply_topic) - len(message.topic) if begins_alike else 0
        topic = "" if begins_alike else message.topic
        self._answered.setdefault(_question(request), []).append(_Answered(at, topic, cut, body))


def records(entries: Sequence[CaptureEntry]) -> list[HeaterRecord]:
    """The heaters of a recording as the cloud keeps them, in the order in which they were heard.

    Raises ConfigurationError when there is none.
    """
    found: dict[str, HeaterRecord] = {}
    for entry in entries:
        _, message = _understood(entry)
        if message is None or message.mac_address is None:
            continue
        record = found.setdefault(message.mac_address, HeaterRecord(message.mac_address))
        if message.features is not None:
            serial = message.features.controller_serial_number
            record.controller_serial = serial or record.controller_serial
    for mac, plan in _plans(entries):
        if mac in found:
            found[mac].tou_plan = plan
    if not found:
        raise ConfigurationError("the recording holds no message of a heater")
    for number, record in enumerate(found.values(), 1):
        record.device_name = "NWP500" if number == 1 else f"NWP500 {number}"
    return list(found.values())


def _plans(entries: Sequence[CaptureEntry]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The time-of-use plans the cloud told, each with the MAC that was asked about."""
    mac = ""
    for entry in entries:
        if entry.name != "GET /device/tou" or not isinstance(entry.payload, dict):
            continue
        if entry.direction != IN:
            mac = str(entry.payload.get("macAddress"))
        elif isinstance(entry.payload.get("data"), dict) and "touInfo" in entry.payload["data"]:
            yield mac, entry.payload["data"]


def _understood(entry: CaptureEntry) -> tuple[Request | None, Message | None]:
    """A frame as question or answer; neither when it is damaged, or was not MQTT."""
    if entry.kind != MQTT:
        return None, None
    try:
        message = parse_message(entry.name, entry.content) if entry.direction == IN else None
        asked = parse_request(entry.name, entry.content) if message is None else None
        # What cannot be decoded is found here, not in the middle of a round.
        _ = message and (message.status, message.features)
    except ProtocolError:
        return None, None
    return asked, message


def _question(asked: Request) -> str:
    """What was asked, whoever asked it."""
    body = {key: value for key, value in asked.body.items() if key not in _IDENTITY}
    return json.dumps([asked.code, body], sort_keys=True)


def _answer(told: _Answered, asked: Request) -> HeaterReply:
    end = len(asked.reply_topic) - told.cut
    return HeaterReply(told.topic or asked.reply_topic[:end], told.body)
