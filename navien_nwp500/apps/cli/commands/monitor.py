"""The command ``monitor``."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, AsyncIterator, Protocol

import click

from ...._util.aio import cancel_and_wait, in_thread, run_until_first, with_timeouts
from ....analysis.forecast import forecast
from ....analysis.forecast.learned import Learned
from ....device import NaviLinkDevice
from ....exceptions import CommunicationError, DeviceOfflineError
from ....history.alerts import REQUEST, Alert, AlertWatch, Summary, longest_validity
from ....history.buffer import BufferedRecorder
from ....history.csv import BufferedCsvRecorder, CsvRecorder
from ....history.request_log import RequestLog
from ....protocol.client_requests import ClientRequest
from ....protocol.status import DeviceStatus
from ..boost_command import finishing_boost
from ..context import CommandContext, open_device
from ..database_option import DATABASE, database_address, open_store
from ..formatting import degrees, device_json, status_json
from ..learned_file import known_heater
from ..options import ACCOUNT_OPTIONS, COUNT, DEVICE, INTERVAL, JSON, OUTPUT_FILE, UNIT, speed
from ..output import print_note, print_result
from ..runner import run_async
from ..zone import ZONE, machine_zone

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from ....history.database_recorder import BufferedDatabaseRecorder
    from ..live_view import LiveView


#: Until the next try to see requests, when the connection could not be opened for them.
REQUEST_RETRY_SECONDS = 5.0


class Output(Protocol):
    """A display of statuses and alerts."""

    def show_status(self, status: DeviceStatus, when: datetime, alerts: list[Alert]) -> None: ...

    def show_alerts(self, when: datetime, alerts: list[Alert]) -> None:
        """Show the alerts, maybe none, of a time without a status."""


@click.command("monitor")
@ACCOUNT_OPTIONS
@speed(600)
@INTERVAL
@COUNT
@click.option("--csv", "csv_file", type=OUTPUT_FILE, help="Append the statuses to a CSV file.")
@DATABASE
@ZONE
@DEVICE
@UNIT
@JSON
@run_async
async def monitor_command(
    interval: float | None,
    count: int | None,
    csv_file: Path | None,
    database: str | None,
    zone: ZoneInfo | None,
    as_json: bool,
    unit: str | None,
    **account: Any,
) -> None:
    """Watch the heater live, until Ctrl-C.

    Shows a live view on a terminal, one line per status in a pipe, and one JSON object per
    status with --json. --csv continues a file that exists, --database a history, which has the
    alerts too; --zone is written to both, by default this machine's zone. Alerts: error code,
    charge below 20 %, power above 4000 W, heater offline, change of operation mode.

    Example: navien-nwp500 monitor --simulate --csv tank.csv
    """
    address = None if database is None else database_address(database)
    # First: an error should not come after hours of waiting.
    _check_recordings(csv_file, address)
    with ExitStack() as files:
        async with open_device(**account) as (context, heater):
            recordings = Recordings(files, heater, zone or machine_zone(), csv_file, address)
            seconds = interval or context.client.config.polling_interval
            summary = Summary(max_interval=longest_validity(timedelta(seconds=seconds)))
            learned = known_heater(context, heater.mac_address)
            try:
                async with (
                    finishing_boost(context, heater),
                    _open_output(heater, as_json, unit, learned) as output,
                ):
                    watching = _watch(context, heater, seconds, count, recordings, output, summary)
                    await run_until_first(watching, _record_requests(context, heater, recordings))
            finally:
                files.close()
                _print_summary(summary, recordings.names)


def _check_recordings(csv_file: Path | None, address: str | None) -> None:
    """Raise an error if a recording cannot be written."""
    if csv_file is not None:
        with CsvRecorder(csv_file):
            pass
    if address is not None:
        with open_store(address, create=True):
            pass


class Recordings:
    """The CSV file and the database of one heater, as far as they were asked for."""

    def __init__(
        self,
        files: ExitStack,
        heater: NaviLinkDevice,
        zone: ZoneInfo | None,
        csv_file: Path | None,
        address: str | None,
    ) -> None:
        self._csv: BufferedCsvRecorder | None = None
        self._requests: BufferedRecorder | None = None
        self._database: BufferedDatabaseRecorder | None = None
        mac = heater.mac_address
        if csv_file is not None:
            recorder = BufferedCsvRecorder(csv_file, heater=mac, zone=zone)
            self._csv = files.enter_context(recorder)
            self._requests = files.enter_context(BufferedRecorder(RequestLog(csv_file)))
        if address is not None:
            from ....history.database_recorder import BufferedDatabaseRecorder

            history = BufferedDatabaseRecorder(address, heater=mac, label=heater.name, zone=zone)
            self._database = files.enter_context(history)

    @property
    def names(self) -> list[str]:
        """Return their paths and URLs, for people."""
        return [one.name for one in (self._csv, self._database) if one is not None]

    async def write(self, status: DeviceStatus | None, when: datetime, alerts: list[Alert]) -> None:
        """Write what is there, in a thread."""
        if self.names:
            await in_thread(partial(self._write, status, when, alerts))

    async def write_request(self, request: ClientRequest) -> None:
        """Write a request of a client, in a thread."""
        await in_thread(partial(self._write_request, request))

    def _write_request(self, request: ClientRequest) -> None:
        if self._requests is not None:
            self._requests.put(request)
        if self._database is not None:
            self._database.write(None, request.when, [Alert(REQUEST, request.text)])

    def _write(self, status: DeviceStatus | None, when: datetime, alerts: list[Alert]) -> None:
        if self._csv is not None and status is not None:
            self._csv.write(status, when)
        if self._database is not None and (status is not None or alerts):
            self._database.write(status, when, alerts)


async def _watch(
    context: CommandContext,
    heater: NaviLinkDevice,
    seconds: float,
    count: int | None,
    recordings: Recordings,
    output: Output,
    summary: Summary,
) -> None:
    alerts = AlertWatch()
    first_limit = context.client.config.answer_timeout + 5
    interval = context.real_seconds(seconds)
    watch = heater.watch(interval)
    statuses = with_timeouts(watch, interval + first_limit, first_limit)
    try:
        async for status in statuses:
            when = context.now()
            if status is None:
                if not summary.statuses:
                    await _raise_offline(heater)
                found = alerts.no_response()
                await recordings.write(None, when, found)
                output.show_alerts(when, found)
                continue
            summary.add(status, when)
            found = alerts.check(status)
            await recordings.write(status, when, found)
            summary.alerts += sum(alert.active for alert in found)
            output.show_status(status, when, found)
            if count is not None and summary.statuses >= count:
                return
    finally:
        await statuses.aclose()
        await watch.aclose()


async def _record_requests(
    context: CommandContext, heater: NaviLinkDevice, recordings: Recordings
) -> None:
    """Record what clients have the heater change, until cancelled; statuses report an outage."""
    while recordings.names:
        requests = heater.watch_requests()
        try:
            async for request in requests:
                if request.is_change:
                    await recordings.write_request(replace(request, when=context.now()))
        except CommunicationError:
            await asyncio.sleep(REQUEST_RETRY_SECONDS)
        finally:
            await requests.aclose()
    await asyncio.Event().wait()


async def _raise_offline(heater: NaviLinkDevice) -> None:
    info = await heater.get_info()
    state = "is online but does not respond" if info.online else "is offline"
    raise DeviceOfflineError(f"{heater.name} {state}. Check its power and its Wi-Fi")


@asynccontextmanager
async def _open_output(
    heater: NaviLinkDevice, as_json: bool, unit: str | None, learned: Learned
) -> AsyncIterator[Output]:
    if as_json:
        yield _JsonOutput(heater, learned)
    elif not sys.stdout.isatty():
        yield _TextOutput(unit)
    else:
        from ..live_view import LiveView

        with LiveView(heater.name, unit, learned=learned) as view:
            refresh = asyncio.get_running_loop().create_task(_refresh(view, heater), name="refresh")
            try:
                yield view
            finally:
                await cancel_and_wait(refresh)


async def _refresh(view: LiveView, heater: NaviLinkDevice) -> None:
    while True:
        view.show_health(heater.health)
        await asyncio.sleep(1)


class _JsonOutput:
    """One JSON object per status, with its alerts."""

    def __init__(self, heater: NaviLinkDevice, learned: Learned) -> None:
        self._heater = heater
        self._learned = learned

    def show_status(self, status: DeviceStatus, when: datetime, alerts: list[Alert]) -> None:
        made = forecast(status, when, learned=self._learned).to_json()
        device = device_json(self._heater)
        self._print(when, alerts, {"device": device, **status_json(status), "forecast": made})

    def show_alerts(self, when: datetime, alerts: list[Alert]) -> None:
        if alerts:
            self._print(when, alerts, {})

    def _print(self, when: datetime, alerts: list[Alert], content: dict[str, object]) -> None:
        listed = [
            {"kind": alert.kind, "text": alert.text, "active": alert.active} for alert in alerts
        ]
        time = when.isoformat(timespec="milliseconds")
        print_result(json.dumps({"time": time, **content, "alerts": listed}))


class _TextOutput:
    """One line of at most 80 columns per status, and one per alert."""

    def __init__(self, unit: str | None) -> None:
        self._unit = unit

    def show_status(self, status: DeviceStatus, when: datetime, alerts: list[Alert]) -> None:
        water = degrees(status.dhw_temperature, status, self._unit)
        lower = degrees(status.tank_lower_temperature, status, self._unit)
        print_result(
            f"{when:%m-%d %H:%M:%S}  {status.dhw_charge_percent:3d} %  {water:>8}  {lower:>8} lower  "
            f"{status.activity.value:9} {status.current_inst_power:5d} W"
        )
        self.show_alerts(when, alerts)

    def show_alerts(self, when: datetime, alerts: list[Alert]) -> None:
        for alert in alerts:
            print_result(f"{when:%m-%d %H:%M:%S}  ! {alert.text}")


def _print_summary(summary: Summary, recordings: list[str]) -> None:
    """Print the totals to stderr."""
    if summary.first is None or summary.last is None:
        print_note("No status was received.")
        return
    span = summary.last - summary.first
    lines = [
        f"{summary.statuses} statuses over {_hours(span)} h"
        + (f", {_hours(summary.gap_time)} h of it gaps" if summary.gap_time else ""),
        (
            f"energy        {summary.total_wh / 1000:.2f} kWh: heat pump "
            f"{summary.heat_pump_wh / 1000:.2f}, element {summary.element_wh / 1000:.2f}, "
            f"other {summary.other_wh / 1000:.2f}"
        ),
        (
            f"running       heat pump {_hours(summary.heat_pump_time)} h, "
            f"element {_hours(summary.element_time)} h, starts of the compressor: {summary.starts}"
        ),
        f"charge        lowest {summary.lowest_charge} %",
        f"power         highest {summary.highest_power} W",
        f"alerts        {summary.alerts}",
    ]
    lines += [f"recorded in   {name}" for name in recordings]
    print_note("\n".join(lines))


def _hours(span: timedelta) -> str:
    return f"{span.total_seconds() / 3600:.1f}"
