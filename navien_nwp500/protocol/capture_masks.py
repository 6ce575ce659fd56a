"""Masks of a capture: what is known to identify nobody is kept, everything else is masked.

``KEPT_TEXTS`` names the keys whose texts are kept, each with the form that a text must have, and
``NUMBER_KEYS`` the keys whose numbers are kept. A body that is not JSON is masked whole. A heater's
message may have fields that nobody knows yet, so its whole numbers of 16 bits are kept: a heater knows
no name, address or token. Masking something that is masked changes nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
from typing import Any, Iterator, Mapping

from . import account, diagnostics, energy, features, status
from .commands import COMMANDS
from .fields import field_specs
from .redaction import FIELD_MASKS, MASK, PATTERNS, mask_value

#: Different in each process, so that nobody can find a MAC address by masking all of them.
_SALT = os.urandom(16)

_HEATER_MASK = re.compile(r"012345[0-9a-f]{6}")
_CLIENT_MASK = re.compile(r"client(-[0-9a-f]{8})?")
_KEY = re.compile(r"[a-z][A-Za-z_]*([0-9]{1,2}[A-Za-z_]*)?")
_MASKED_KEY = re.compile(r"\*{3}[0-9]*")
_TEXT_NUMBER = re.compile(r"-?[0-9]{1,5}(\.[0-9]{1,4})?")
#: Topic of a heater, and of the responses to one client of an account (PROTOCOL 3.1).
_HEATER_TOPIC = re.compile(r"(cmd|evt)/([0-9]{1,3})/navilink-([0-9A-Fa-f:-]{12,17})((?:/[a-z-]+)*)")
_REPLY_TOPIC = re.compile(r"(cmd|evt)/([0-9]{1,3})/[0-9]+/[0-9]+/([^/]+)((?:/[a-z-]+)*)")
#: Header of a binary frame: its code, and 4 digits of the MAC address (PROTOCOL 4.5).
_HEADER_BYTES, _HEADER_MASK = 8, b"0123"
_SMALL = 0xFFFF
#: Versions and counters have 32 bits; session ids and times are milliseconds since 1970.
_LARGEST = 2**32
#: Schedule entries of 6 bytes each (PROTOCOL 8.3) look like MAC addresses and keys.
_NOT_SEARCHED = re.compile(
    r'"(reservation|schedule|tsData|tcData|tdData|taData|hex|sessionID)":"[0-9a-f]*"'
)


def _codes(*codes: str) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, codes)))


_PACKED = re.compile(r"(?:[0-9a-f]{2})*")
_VERSION = re.compile(r"[0-9]{1,2}(\.[0-9]{1,3}){1,3}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]{5,15}(Z|[+-][0-9]{2}:?[0-9]{2})?)?")

#: Keys whose texts are kept, with the form of these texts. A text of another form is masked.
KEPT_TEXTS: Mapping[str, re.Pattern[str]] = {
    "msg": re.compile(r"SUCCESS|[A-Z]{2,}(_[A-Z]+)+"),
    # Milliseconds since 1970, or a small number (PROTOCOL 4.3).
    "sessionID": re.compile(r"[0-9]{0,4}|[12][0-9]{12}"),
    "mode": _codes(*{command.mode for command in COMMANDS if command.mode}),
    "paramStr": _codes(""),
    **dict.fromkeys(("version", "userVersion", "appVersion", "appForceVersion"), _VERSION),
    **dict.fromkeys(("errorOccuredTime", "startDate", "endDate", "time"), _TIME),
    "userType": _codes("O", "M", "I"),
    "userStatus": _codes("NORMAL"),
    "installType": _codes("R", "C"),
    "registerPath": _codes("wifi", "bt"),
    "sourceType": _codes("openei"),
    "legalType": _codes("pp", "tc"),
    "language": _codes("US", "CA"),
    "os": _codes("A", "I"),
    "cmd": _codes("rsv", "recirc-rsv", "tou"),
}

#: Keys of packed lists and counters, in hex digits, in messages of a heater (PROTOCOL 8.3, 8.13).
PACKED_KEYS = ("reservation", "schedule", "tsData", "tcData", "tdData", "taData")


def _number_keys() -> Iterator[str]:
    tables = (
        status.DeviceStatus,
        features.DeviceFeatures,
        energy.EnergyUsage,
        energy.EnergyTotal,
        account.DeviceInfo,
        account.FirmwareInfo,
        account.LastError,
        account.AlarmInfo,
        diagnostics.EventCounters,
        diagnostics.DrawCounters,
        diagnostics.ComponentCounters,
    )
    for table in tables:
        for spec in field_specs(table):
            yield spec.key
    # Envelopes, lists and plans (PROTOCOL 1, 4, 8).
    yield from (
        "code command deviceType deviceGroup protocolVersion connected offset count param month year "
        "day hour min minute week enable mode season interval startHour startMinute endHour endMinute "
        "priceMin priceMax decimalPoint reservationUse recircReservationUse sourceVersion "
        "authenticationExpiresIn authorizationExpiresIn totalCount failCode curSwCode curVersion "
        "downloadedVersion userAgree agreement mandatory reagree"
    ).split()


NUMBER_KEYS = frozenset(_number_keys()) - set(FIELD_MASKS)
#: Parts of paths of the REST service (PROTOCOL 1.4, 1.17, 1.18). Other parts are masked.
PATH_WORDS = frozenset(
    "admin app auth change-info cip connectivity-status convert device error filter firmware format "
    "get-push-settings history info list manufacture-id preferences refresh secured-sign-in session "
    "set-push-settings sign-in sign-out simple-list tou update-push-token user version water-filter "
    "air-filter descaling".split()
)


class Masker:
    """Masking of one entry, with the list of the kinds of data that were changed.

    ``from_heater`` is True for MQTT messages.
    """

    def __init__(self, from_heater: bool) -> None:
        self._from_heater = from_heater
        self.found: list[str] = []

    def name(self, name: str) -> str:
        """Mask a topic, or method and path."""
        if self._from_heater:
            return str(self._changed("topic", name, mask_topic(name)))
        method, _, path = name.partition(" ")
        parts = ["" if not part else _known(part, PATH_WORDS) for part in path.split("/")]
        method = method if method in ("GET", "POST", "PUT", "DELETE", "PATCH") else MASK
        return str(self._changed("path", name, f"{method} {'/'.join(parts)}"))

    def payload(self, payload: Any) -> Any:
        """Mask a payload: a JSON value, bytes of a binary frame, or a text that is not JSON."""
        if isinstance(payload, bytes):
            return self._changed("binary frame", payload, _mask_frame(payload))
        if isinstance(payload, str):
            masked = payload if payload in ("", MASK) else MASK
            return self._changed("a body that is not JSON", payload, masked)
        return self._value(payload, "")

    def _value(self, value: Any, key: str) -> Any:
        if isinstance(value, Mapping):
            return self._object(value, key)
        if isinstance(value, list):
            return [self._value(one, key) for one in value]
        if isinstance(value, str):
            return self._changed(_kind(key, value), value, self._text(key, value))
        if value is None or isinstance(value, bool):
            return value
        return self._changed(_kind(key, value), value, self._number(key, value))

    def _object(self, value: Mapping[str, Any], key: str) -> dict[str, Any]:
        masked: dict[str, Any] = {}
        unused = (one for one in _masked_keys() if one not in value)
        for name, inner in value.items():
            shown = name
            if not _is_harmless_key(name):
                shown = next(unused)
                self.found.append("a key of unknown form")
            # Under a private key everything is private, however deep.
            masked[shown] = self._value(inner, key if key in FIELD_MASKS else name)
        return masked

    def _text(self, key: str, text: str) -> str:
        if key == "macAddress":
            return mask_mac(text)
        if key == "clientID":
            return _mask_client(text)
        if key in FIELD_MASKS:
            return str(mask_value(key, text))
        if key in ("requestTopic", "responseTopic"):
            return mask_topic(text)
        form = KEPT_TEXTS.get(key, _TEXT_NUMBER if key in NUMBER_KEYS else None)
        if self._from_heater and key in PACKED_KEYS:
            form = _PACKED
        return text if form is not None and form.fullmatch(text) else MASK

    def _number(self, key: str, number: float) -> Any:
        if key in FIELD_MASKS:
            return mask_value(key, number)
        small = self._from_heater and isinstance(number, int) and abs(number) <= _SMALL
        known = key in NUMBER_KEYS and abs(number) < _LARGEST
        return number if known or small else 0

    def _changed(self, kind: str, before: Any, after: Any) -> Any:
        if before != after:
            self.found.append(kind)
        return after


def search_private(text: str) -> list[str]:
    """Search the text of an entry for what looks private, whatever its key; return the kinds.

    This does not use the tables of the masks, so that it finds what they miss.
    """
    for mask in set(FIELD_MASKS.values()):
        text = text.replace(f'"{mask}"', '""')
    text = _NOT_SEARCHED.sub("", _HEATER_MASK.sub("", text))
    return [kind for kind, regex, _ in PATTERNS if regex.search(text)]


def is_mask(text: str) -> bool:
    """Return True for a text that masking writes, and that no account or heater has."""
    return text in FIELD_MASKS.values() or _HEATER_MASK.fullmatch(text) is not None


def mask_topic(topic: str) -> str:
    """Mask heater, home, user and client in a topic; one of unknown form is masked whole."""
    if found := _HEATER_TOPIC.fullmatch(topic):
        return f"{found[1]}/{found[2]}/navilink-{mask_mac(found[3])}{found[4]}"
    if found := _REPLY_TOPIC.fullmatch(topic):
        home, user = FIELD_MASKS["homeSeq"], FIELD_MASKS["userSeq"]
        return f"{found[1]}/{found[2]}/{home}/{user}/{_mask_client(found[3])}{found[4]}"
    return topic if not topic else MASK


def mask_mac(text: str) -> str:
    """Return a MAC address that no device can have: 01 begins a multicast address."""
    plain = re.sub("[:-]", "", text).lower()
    return plain if _HEATER_MASK.fullmatch(plain) else f"012345{_digest(plain)[:6]}"


def _mask_client(text: str) -> str:
    return text if not text or _CLIENT_MASK.fullmatch(text) else f"client-{_digest(text)[:8]}"


def _mask_frame(frame: bytes) -> bytes:
    """Keep the code of a binary frame and its 4-byte numbers of 16 bits; zero everything else."""
    if len(frame) < _HEADER_BYTES:
        return b""
    numbers = [frame[start : start + 4] for start in range(_HEADER_BYTES, len(frame), 4)]
    kept = [number if _is_small(number) else bytes(len(number)) for number in numbers]
    return frame[:4] + _HEADER_MASK + b"".join(kept)


def _is_small(number: bytes) -> bool:
    return len(number) == 4 and abs(struct.unpack(">i", number)[0]) <= _SMALL


def _is_harmless_key(name: str) -> bool:
    if _MASKED_KEY.fullmatch(name):
        return True
    usual = len(name) <= 40 and _KEY.fullmatch(name) is not None
    return usual and not any(regex.search(name) for _, regex, _ in PATTERNS)


def _known(part: str, words: frozenset[str]) -> str:
    return part if part in words else MASK


def _kind(key: str, value: Any) -> str:
    kinds = [kind for kind, regex, _ in PATTERNS if isinstance(value, str) and regex.search(value)]
    if kinds and key not in FIELD_MASKS:
        return kinds[0]
    shown = key if _KEY.fullmatch(key) else MASK
    return shown if key in FIELD_MASKS else f"a value under {shown!r}"


def _masked_keys() -> Iterator[str]:
    yield MASK
    number = 2
    while True:
        yield f"{MASK}{number}"
        number += 1


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), key=_SALT).hexdigest()
