"""Routes of the history: series, sums, heating runs, events, and the recording as a file."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any, Callable

from aiohttp import hdrs, web

from ...analysis.prices import PriceSource
from ...exceptions import ConfigurationError, HistoryError
from ...history.exporter import csv_lines
from ...history.schema import to_datetime, to_ms
from ...history.store import HistoryStore, StoredHeater
from .api_error import bad_request, json_response
from .history_json import events_json, periods_json, runs_json, series_json
from .threads import Threads
from .watched_heater import WatchedHeater

#: Buckets of a series at most.
POINTS = 2000
SPANS = ("day", "week", "month", "year")
#: Latest time of a range, in the year 9990.
LAST_MS = 253_000_000_000_000
#: Lines of a recording that are read at a time.
_LINES = 500
#: Bytes of an answer from which it is compressed.
_LARGE = 4096


class HistoryApi:
    """Handlers of the routes that read the history, each in a thread."""

    def __init__(
        self,
        find_heater: Callable[[web.Request], WatchedHeater],
        store: HistoryStore,
        threads: Threads,
        prices: PriceSource | None,
    ) -> None:
        self._find_heater = find_heater
        self._store = store
        self._threads = threads
        self._prices = prices

    def routes(self, heater: str) -> list[web.RouteDef]:
        """Return the routes below the path of a heater."""
        return [
            web.get(f"{heater}/series", self.series),
            web.get(f"{heater}/periods", self.periods),
            web.get(f"{heater}/runs", self.runs),
            web.get(f"{heater}/events", self.events),
            web.get(f"{heater}/csv", self.csv),
        ]

    async def series(self, request: web.Request) -> web.Response:
        """Return the series of a span or range."""
        points = _integer(request, "points", 600)
        if not 1 <= points <= POINTS:
            raise bad_request(f"points must be 1 to {POINTS}")
        unit = request.query.get("unit", "C")
        if unit not in ("C", "F"):
            raise bad_request("unit must be C or F")
        options: dict[str, Any] = {"points": points, "unit": unit, "now": self._now(request)}
        if "from" in request.query or "to" in request.query:
            since, until = _range(request)
            options.update(since=since, until=until)
        else:
            options.update(_span(request))
        return await self._answer(request, series_json, **options)

    async def periods(self, request: web.Request) -> web.Response:
        """Return energy and cost of the parts of a span."""
        return await self._answer(
            request, periods_json, now=self._now(request), prices=self._prices, **_span(request)
        )

    async def runs(self, request: web.Request) -> web.Response:
        """Return the heating runs of a range."""
        since, until = _range(request)
        schedules = self._find_heater(request).schedules

        def runs(store: HistoryStore, heater: StoredHeater) -> dict[str, Any]:
            return runs_json(
                store,
                heater,
                since=since,
                until=until,
                prices=self._prices,
                reservations=schedules.reservations,
                plan=schedules.plan,
            )

        return await self._answer(request, runs)

    async def events(self, request: web.Request) -> web.Response:
        """Return the events of a range."""
        since, until = _range(request)
        now = self._now(request)
        return await self._answer(request, events_json, since=since, until=until, now=now)

    async def csv(self, request: web.Request) -> web.StreamResponse:
        """Send the statuses of a range as a recording, as they are read."""
        heater, (since, until) = self._find_heater(request), _range(request)
        lines = csv_lines(self._store, heater.stored, since, until)

        def read() -> bytes:
            return b"".join(islice(lines, _LINES))

        part = await self._threads.call(read)
        days = (to_datetime(ms).date().isoformat() for ms in (since, max(since, until - 1)))
        name = f"heater-{heater.stored.id}-{'-to-'.join(days)}.csv"
        response = web.StreamResponse(
            headers={
                hdrs.CONTENT_TYPE: "text/csv; charset=utf-8",
                hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"',
            }
        )
        response.enable_compression()
        await response.prepare(request)
        while part:
            await response.write(part)
            try:
                part = await self._threads.call(read)
            except HistoryError:
                # Cut off, so that nobody takes a part for the whole.
                if request.transport is not None:
                    request.transport.abort()
                break
        return response

    async def _answer(
        self, request: web.Request, function: Callable[..., dict[str, Any]], **options: Any
    ) -> web.Response:
        heater = self._find_heater(request).stored
        try:
            content = await self._threads.call(lambda: function(self._store, heater, **options))
        except ConfigurationError as error:
            raise bad_request(f"{error}.") from error
        response = json_response(content)
        if response.content_length is not None and response.content_length > _LARGE:
            response.enable_compression()
        return response

    def _now(self, request: web.Request) -> int:
        return to_ms(self._find_heater(request).now())


def _span(request: web.Request) -> dict[str, Any]:
    span = request.query.get("span", "day")
    if span not in SPANS:
        raise bad_request(f"span must be one of {', '.join(SPANS)}")
    at = _integer(request, "at") if "at" in request.query else None
    if at is not None and not 0 <= at <= LAST_MS:
        raise bad_request("at must be ms since 1970")
    return {"span": span, "at": at}


def _range(request: web.Request) -> tuple[int, int]:
    since, until = _integer(request, "from"), _integer(request, "to")
    if not 0 <= since < until <= LAST_MS:
        raise bad_request("from and to must be ms since 1970, and from before to")
    return since, until


def _integer(request: web.Request, name: str, default: int | None = None) -> int:
    text = request.query.get(name)
    if text is None and default is not None:
        return default
    if text is None or not re.fullmatch(r"-?\d{1,15}", text, re.ASCII):
        raise bad_request(f"{name} must be a whole number")
    return int(text)
