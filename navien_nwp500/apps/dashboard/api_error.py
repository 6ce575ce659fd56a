"""Error answers of the dashboard's API."""

from __future__ import annotations

from typing import Mapping

from aiohttp import web

from .live_hub import encode_json


class ApiError(Exception):
    """Request that is answered by an error: HTTP status, a code for programs, what to do."""

    def __init__(
        self, status: int, code: str, text: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})

    def response(self) -> web.Response:
        """Return the answer."""
        content = {"error": {"code": self.code, "text": str(self)}}
        return json_response(content, status=self.status, headers=self.headers)


def json_response(
    content: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return an answer in JSON."""
    return web.json_response(
        text=encode_json(content), status=status, headers=None if headers is None else dict(headers)
    )


def bad_request(text: str) -> ApiError:
    """Return the error for a request that makes no sense."""
    return ApiError(400, "bad_request", text)
