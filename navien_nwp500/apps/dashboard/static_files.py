"""Files of the page, read once: each with its hash as version, and compressed."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from aiohttp import hdrs, web

from .api_error import ApiError

FOLDER = Path(__file__).parent / "static"

#: Types by the end of a file's name, never those of the machine, and whether text compresses.
_TYPES = {
    ".html": ("text/html", True),
    ".js": ("text/javascript", True),
    ".mjs": ("text/javascript", True),
    ".css": ("text/css", True),
    ".json": ("application/json", True),
    ".svg": ("image/svg+xml", True),
    ".txt": ("text/plain", True),
    ".webmanifest": ("application/manifest+json", True),
    ".png": ("image/png", False),
    ".ico": ("image/x-icon", False),
    ".woff2": ("font/woff2", False),
}


@dataclass(frozen=True)
class StaticFile:
    """One file: its content, the same compressed or None, its type and version."""

    content: bytes
    compressed: bytes | None
    content_type: str
    version: str

    @classmethod
    def read(cls, path: Path) -> StaticFile:
        """Read a file of a known type."""
        content_type, is_text = _TYPES[path.suffix]
        content = path.read_bytes()
        # The same bytes at each start: gzip would write the time.
        compressed = gzip.compress(content, mtime=0) if is_text else None
        if is_text:
            content_type += "; charset=utf-8"
        return cls(
            content, compressed, content_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        )

    def response(self, request: web.Request) -> web.Response:
        """Return the answer: nothing new, compressed, or as it is."""
        # Browsers ask again each time and are told that nothing is new.
        headers = {
            hdrs.CACHE_CONTROL: "no-cache",
            hdrs.ETAG: self.version,
            hdrs.VARY: "Accept-Encoding",
        }
        if self.version in request.headers.get(hdrs.IF_NONE_MATCH, ""):
            return web.Response(status=304, headers=headers)
        headers[hdrs.CONTENT_TYPE] = self.content_type
        body = self.content
        if self.compressed is not None and "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
            headers[hdrs.CONTENT_ENCODING] = "gzip"
            body = self.compressed
        return web.Response(body=body, headers=headers)


class StaticFiles:
    """The page and its parts, by their paths in the folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): StaticFile.read(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix in _TYPES
        }

    async def page(self, request: web.Request) -> web.Response:
        """Answer with the page itself; it holds no data."""
        return self._answer("index.html", request)

    async def file(self, request: web.Request) -> web.Response:
        """Answer with a part of the page."""
        return self._answer(request.match_info["name"], request)

    def _answer(self, name: str, request: web.Request) -> web.Response:
        if name not in self._files:
            raise ApiError(404, "not_found", "There is no such file.")
        return self._files[name].response(request)
