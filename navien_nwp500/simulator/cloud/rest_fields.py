"""Fields of a REST request, read and checked, and the error response."""

from __future__ import annotations

from typing import Any, Mapping

from .accounts import CloudAccount, HeaterRecord

Fields = Mapping[str, Any]

#: Result of a call whose response has no ``data`` key.
NO_DATA = object()


class RestError(Exception):
    """An error response: HTTP status, and ``code`` and ``msg`` of the envelope."""

    def __init__(self, status: int, msg: str, *, code: int | None = None) -> None:
        super().__init__(msg)
        self.status = status
        self.msg = msg
        self.code = status if code is None else code


def bad_request() -> RestError:
    """Return the error for a field that is missing or invalid."""
    return RestError(400, "COMMON_BAD_REQUEST")


def read_text(fields: Fields, key: str) -> str:
    """Return a text field. Raise RestError."""
    value = fields.get(key)
    if not isinstance(value, str):
        raise bad_request()
    return value


def read_count(fields: Fields, key: str) -> int:
    """Return an integer of 0 or more. Raise RestError."""
    value = fields.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise bad_request()
    return value


def read_object(fields: Fields, key: str) -> Fields:
    """Return an object. Raise RestError."""
    value = fields.get(key)
    if not isinstance(value, dict):
        raise bad_request()
    return value


def check_user_type(account: CloudAccount, fields: Fields) -> None:
    """Refuse another role than the account's. What the real cloud does then is not known."""
    if read_text(fields, "userType") != account.user_type:
        raise RestError(404, "COMMON_NOT_AUTHORIZED")


def find_heater(account: CloudAccount, fields: Fields) -> HeaterRecord:
    """Return the heater that a request names. Raise RestError."""
    identity = read_text(fields, "macAddress"), read_text(fields, "additionalValue")
    heater = account.heater(*identity)
    if heater is None:
        raise RestError(404, "NOT_FOUND")
    return heater
