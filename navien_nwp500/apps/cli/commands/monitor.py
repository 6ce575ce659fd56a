"""``monitor``: the main job, live."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import AsyncGenerator, AsyncIterator, Protocol, TypeVar

from ...._util.aio import cancel_and_wait
from ....device import NaviLinkDevice
from ....exceptions import DeviceOfflineError
from ....history.alerts import Alert, AlertWatch, Summary
from ....history.csv import BufferedCsvRecorder
from ....models import Health
from ....protocol.status import DeviceStatus
from ..context import CommandContext, choose, open_context
from .status import document, line

S = TypeVar("S", bound="_Stream")


class Output(Protocol):
    """Where statuses are shown, between entering and leaving."""

    def __enter__(self) -> Output: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, status: DeviceStatus, when: datetime, alerts: list[Alert]) -> None: ...

    def warn(self, when: datetime, alerts: list[Alert]) -> None: ...

    def tick(self, health: Health) -> None:
        """Take the state of the line, once a second."""


async def monitor(
    simulate: bool,
    speed: float,
    interval: float | None,
    count: int | None,
    csv_file: Path | None,
    device: str | None,
    as_json: bool,
    unit: str | None,
) -> None:
    """Watch one heater until stopped or ``count`` statuses have come; sum up at the end."""
    with ExitStack() as files:
        # The file first: what cannot be written is better known before hours of waiting.
        recorder = (
            files.enter_context(BufferedCsvRecorder(csv_file)) if csv_file is not None else None
        )
        async with open_context(simulate, speed) as here:
            heater = await choose(here.client, device)
            every = interval or here.client.config.polling_interval
            summary = Summary(longest_hold=timedelta(seconds=max(3 * every, 900)))
            output = files.enter_context(_output(heater, as_json, unit))
            ticks = asyncio.get_running_loop().create_task(_tick(output, heater), name="tick")
            try:
                await _follow(here, heater, every, count, recorder, output, summary)
            finally:
                await cancel_and_wait(ticks)
                files.close()
                _sum_up(summary, csv_file)


async def _follow(
    here: CommandContext,
    heater: NaviLinkDevice,
    every: float,
    count: int | None,
    recorder: BufferedCsvRecorder | None,
    output: Output,
    summary: Summary,
) -> None:
    loop = asyncio.get_running_loop()
    alerts = AlertWatch()
    patience = here.client.config.answer_timeout + 5
    statuses = heater.watch(here.real(every))
    told = _with_silence(statuses, here.real(every) + patience, patience)
    try:
        async for status in told:
            when = here.now()
            if status is None:
                if not summary.statuses:
                    await _explain_silence(heater)
                output.warn(when, alerts.silence())
                continue
            if recorder is not None:
                await loop.run_in_executor(None, recorder.write, status, when)
            summary.add(status, when)
            found = alerts.check(status)
            summary.alerts += sum(alert.active for alert in found)
            output.show(status, when, found)
            if count is not None and summary.statuses >= count:
                return
    finally:
        await told.aclose()
        await statuses.aclose()


async def _tick(output: Output, heater: NaviLinkDevice) -> None:
    while True:
        output.tick(heater.health)
        await asyncio.sleep(1)


async def _with_silence(
    statuses: AsyncIterator[DeviceStatus], limit: float, first_limit: float
) -> AsyncGenerator[DeviceStatus | None, None]:
    """The statuses, and None for each ``limit`` seconds in which none came."""
    pending: asyncio.Task[DeviceStatus] | None = None
    patience = first_limit
    try:
        while True:
            if pending is None:
                pending = asyncio.get_running_loop().create_task(_next(statuses))
            done, _ = await asyncio.wait({pending}, timeout=patience)
            if not done:
                yield None
                continue
            status, pending, patience = pending.result(), None, limit
            yield status
    finally:
        if pending is not None:
            await cancel_and_wait(pending)
            if not pending.cancelled():
                pending.exception()  # seen; the watch is over


async def _next(statuses: AsyncIterator[DeviceStatus]) -> DeviceStatus:
    return await statuses.__anext__()


async def _explain_silence(heater: NaviLinkDevice) -> None:
    info = await heater.get_info()
    state = "is online but does not answer" if info.online else "is offline"
    raise DeviceOfflineError(f"{heater.name} {state}. Check its power and its Wi-Fi")


class _Stream:
    """What is printed line by line has no moment between two statuses."""

    def __enter__(self: S) -> S:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave what a reader that has gone did not take: each line was flushed."""

    def tick(self, health: Health) -> None:
        """Print nothing."""


class _JsonLines(_Stream):
    """JSON lines on stdout, alerts within."""

    def __init__(self, heater: NaviLinkDevice) -> None:
        self._heater = heater

    def show(self, status: DeviceStatus, when: datetime, alerts: list[Alert]) -> None:
        self._print(when, alerts, document(self._heater, status))

    def warn(self, when: datetime, alerts: list[Alert]) -> None:
        if alerts:
            self._print(when, alerts, {})

    def _print(self, when: datetime, alerts: list[Alert], content: dict[str, object]) -> None:
        said = [
            {"kind": alert.kind, "text": alert.text, "active": alert.active} for alert in alerts
        ]
        stamp = when.isoformat(timespec="milliseconds")
        print(json.dumps({"time": stamp, **content, "alerts": said}), flush=True)


class _Lines(_Stream):
    """One line a status."""

    def __init__(self, unit: str | None) -> None:
        self._unit = unit

    def show(self, status: DeviceStatus, when: datetime, alerts: list[Alert]) -> None:
        said = [alert.text for alert in alerts]
        print(line(status, f"{when:%m-%d %H:%M:%S}", said, self._unit), flush=True)

    def warn(self, when: datetime, alerts: list[Alert]) -> None:
        for alert in alerts:
            print(f"{when:%m-%d %H:%M:%S}  ! {alert.text}", flush=True)


def _output(heater: NaviLinkDevice, as_json: bool, unit: str | None) -> Output:
    if as_json:
        return _JsonLines(heater)
    if sys.stdout.isatty():
        from ..live_view import LiveView

        return LiveView(heater.name, unit)
    return _Lines(unit)


def _sum_up(summary: Summary, csv_file: Path | None) -> None:
    """Say on stderr what it all came to."""
    if summary.first is None or summary.last is None:
        print("No status was received.", file=sys.stderr)
        return
    span = summary.last - summary.first
    lines = [
        f"{summary.statuses} statuses over {_hours(span)} h"
        + (f", {_hours(summary.gap_time)} h of it gaps" if summary.gap_time else ""),
        (
            f"energy        {summary.total_wh / 1000:.2f} kWh: heat pump "
            f"{summary.heat_pump_wh / 1000:.2f}, element {summary.element_wh / 1000:.2f}, "
            f"rest {summary.other_wh / 1000:.2f}"
        ),
        (
            f"running       heat pump {_hours(summary.heat_pump_time)} h, "
            f"element {_hours(summary.element_time)} h, {summary.starts} compressor starts"
        ),
        f"charge        lowest {summary.lowest_charge} %",
        f"power         highest {summary.highest_power} W",
        f"alerts        {summary.alerts}",
    ]
    if csv_file is not None:
        lines.append(f"recorded in   {csv_file}")
    print("\n".join(lines), file=sys.stderr)


def _hours(span: timedelta) -> str:
    return f"{span.total_seconds() / 3600:.1f}"
