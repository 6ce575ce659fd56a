"""The dashboard as one program: heaters, history, and the server of page and API."""

from __future__ import annotations

import socket
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import AsyncIterator, Mapping, NamedTuple, Sequence
from zoneinfo import ZoneInfo

from aiohttp import web
from aiohttp.typedefs import Handler

from ..._util.aio import in_thread, run_until_first
from ..._util.hosts import address_text
from ..._util.http_server import end_with_client
from ...analysis.forecast.learned import Learned
from ...device import NaviLinkDevice
from ...exceptions import HistoryError
from ...history.database import Database
from ...history.database_recorder import BufferedDatabaseRecorder
from ...history.store import HistoryStore, StoredHeater
from ...protocol.redaction import library_logger, logger
from ...protocol.types import DHWMode
from .access import AccessFolder
from .api import Api, ApiParts, DashboardSettings, SignIn
from .api_error import ApiError
from .command_runner import CommandRunner
from .live_hub import LiveHub
from .now_json import SELECTABLE_MODES
from .request_checks import RequestChecks, add_headers
from .static_files import FOLDER, StaticFiles
from .threads import Threads
from .watched_heater import PollTimes, WatchedHeater

_LOGGER = logger("navien_nwp500.dashboard")
_DOCUMENT = Path(__file__).parent / "openapi.json"

#: Bytes of a request's body at most.
BODY_BYTES = 16 * 1024
#: Seconds that requests have at the end.
SHUTDOWN_SECONDS = 2.0
#: Code and sentence of the errors that aiohttp finds.
_HTTP_ERRORS = {
    404: ("not_found", "There is nothing at this address."),
    405: ("not_allowed", "This address does not take this method."),
    413: ("too_large", f"The body is larger than {BODY_BYTES} bytes."),
}


@dataclass(frozen=True)
class Dashboard:
    """A dashboard that is served, and its heaters."""

    heaters: Sequence[WatchedHeater]
    hub: LiveHub

    async def run(self) -> None:
        """Poll and record all heaters until cancelled. Raises what a person must correct."""
        await run_until_first(*(heater.run() for heater in self.heaters))


def listen_on(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address; with port 0 the system chooses a port.

    Raises OSError that names the address.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        error.filename = address_text(host, port)
        raise


@asynccontextmanager
async def open_dashboard(
    devices: Sequence[NaviLinkDevice],
    listening: socket.socket,
    *,
    database: str,
    access: AccessFolder,
    settings: DashboardSettings,
    times: PollTimes,
    zone: ZoneInfo | None = None,
    learned: Mapping[str, Learned] = MappingProxyType({}),
    static: Path = FOLDER,
) -> AsyncIterator[Dashboard]:
    """Serve a dashboard of some heaters on a socket that listens, until the block ends.

    ``database`` is the path or URL of the history, ``learned`` what forecasts know of a heater, by its
    MAC address. Raises ConfigurationError and HistoryError when it
    cannot be opened.
    """
    async with AsyncExitStack() as stack:
        threads, files = Threads(), ExitStack()
        stack.push_async_callback(in_thread, files.close)
        stack.callback(threads.close)  # a request that was cancelled may still read the history
        history = await threads.in_order(_open_history, files, database, devices, zone)
        hub = LiveHub()
        heaters = [
            WatchedHeater(
                device,
                stored,
                recorder,
                times,
                threads,
                hub,
                learned.get(device.mac_address, Learned()),
                mode,
            )
            for device, stored, recorder, mode in zip(
                devices, history.heaters, history.recorders, history.modes
            )
        ]
        commands = CommandRunner(history.store, threads, hub)
        parts = ApiParts(heaters, history.store, threads, commands, hub, access)
        port = listening.getsockname()[1]
        app = _application(settings, parts, port, StaticFiles(static))
        # What browsers send wrong is no error of this program.
        log = library_logger("navien_nwp500.dashboard.http")
        runner = web.AppRunner(app, access_log=None, logger=log, shutdown_timeout=SHUTDOWN_SECONDS)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        stack.push_async_callback(hub.close)
        stack.push_async_callback(commands.close)
        await web.SockSite(runner, listening).start()
        yield Dashboard(heaters, hub)


class _History(NamedTuple):
    """A history: its store, and of each heater its entry, recorder and latest chosen mode."""

    store: HistoryStore
    heaters: Sequence[StoredHeater]
    recorders: Sequence[BufferedDatabaseRecorder]
    modes: Sequence[DHWMode]


def _open_history(
    files: ExitStack, database: str, devices: Sequence[NaviLinkDevice], zone: ZoneInfo | None
) -> _History:
    """Open a history, which ``files`` closes."""
    store = HistoryStore(files.enter_context(Database(database)))
    key = None if zone is None else zone.key
    heaters = [store.ensure_heater(one.mac_address, name=one.name, zone=key) for one in devices]
    recorders = [
        BufferedDatabaseRecorder(database, heater=one.mac_address, label=one.name, zone=zone)
        for one in devices
    ]
    for recorder in recorders:
        files.enter_context(recorder)
    modes = [
        DHWMode(
            store.latest(one, "dhw_operation_setting", SELECTABLE_MODES) or DHWMode.ENERGY_SAVER
        )
        for one in heaters
    ]
    return _History(store, heaters, recorders, modes)


def _application(
    settings: DashboardSettings, parts: ApiParts, port: int, static: StaticFiles
) -> web.Application:
    sign_in = SignIn(settings, parts.access, port)
    api = Api(settings, parts, sign_in, _DOCUMENT.read_bytes())
    parts.hub.greeting = api.greeting
    checks = RequestChecks(settings.place)
    app = web.Application(
        middlewares=[_errors, end_with_client, checks.middleware(), sign_in.middleware()],
        client_max_size=BODY_BYTES,
    )
    app.on_response_prepare.append(add_headers)
    # A proxy may leave the path of its name in the requests, or take it off.
    for base in dict.fromkeys(("", settings.place.base)):
        app.add_routes(api.routes(base))
        app.add_routes(
            [
                web.get(f"{base}/", static.page),
                web.get(f"{base}/static/{{name:[a-zA-Z0-9_./-]+}}", static.file),
            ]
        )
        if base:
            app.router.add_get(base, _add_slash)
    return app


async def _add_slash(request: web.Request) -> web.Response:
    """Send a browser to the page: its addresses are relative to the path with a slash."""
    return web.Response(status=308, headers={"Location": f"{request.path}/"})


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer errors in JSON, each with a sentence."""
    try:
        return await handler(request)
    except ApiError as error:
        return error.response()
    except HistoryError as error:
        return ApiError(503, "history", f"The history cannot be read now: {error}.").response()
    except web.HTTPException as error:
        code, text = _HTTP_ERRORS.get(error.status, ("not_allowed", error.reason))
        headers = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
        return ApiError(error.status, code, text, headers).response()
    except Exception as error:  # the outermost level of a request: the others go on
        place = f"{type(error).__name__} at {request.method} {request.path}"
        _LOGGER.error("internal error, please report it: %s", place)
        _LOGGER.debug("internal error", exc_info=error)
        return ApiError(500, "internal", "This is a fault of the dashboard.").response()
