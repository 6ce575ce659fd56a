"""Meaning of the errors of the REST service, by their codes."""

from __future__ import annotations

from ..exceptions import APIError, MaintenanceError

#: ``code`` of a rejected e-mail or password; the HTTP status is 200 (PROTOCOL 1.3).
WRONG_PASSWORD = 1001
#: Codes below are HTTP statuses.
FIRST_OWN_CODE = 1000


def is_unauthorized(error: APIError) -> bool:
    """Return True when the cloud rejects the token, or e-mail and password at a sign-in."""
    return 401 in (error.status_code, error.code)


def is_wrong_password(error: APIError) -> bool:
    """Return True when a failed sign-in means a wrong e-mail or password (PROTOCOL 1.3).

    Codes decide: 401, or one of the service's own codes with HTTP 200; 1001 is the recorded one,
    and another must not lead to a second try either. Words decide only where they were recorded.
    429, other HTTP errors and server errors never mean it, whatever their text.
    """
    if is_throttled(error) or error.is_server_error:
        return False
    if is_unauthorized(error) or error.code == WRONG_PASSWORD:
        return True
    own_code = (error.code or 0) >= FIRST_OWN_CODE or error.reason == "USER_NOT_FOUND"
    return error.status_code == 200 and own_code


def is_throttled(error: APIError) -> bool:
    """Return True when the cloud asks to wait: it answers nothing now, whatever is asked."""
    return isinstance(error, MaintenanceError) or 429 in (error.status_code, error.code)
