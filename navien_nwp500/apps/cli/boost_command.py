"""The command ``set boost``, and what finishes a boost that an earlier run has left."""

from __future__ import annotations

import asyncio
import textwrap
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, AsyncIterator, Iterator

import click

from ...device import NaviLinkDevice
from ...exceptions import ConfigurationError, DeviceError, NaviLinkError
from ...protocol.status import DeviceStatus
from ...protocol.types import DHWMode, HalfCelsius
from ..boost.boost_file import BoostFile
from ..boost.boost_plan import BoostPlan, BoostRequest, BoostResult, BoostSettings
from ..boost.booster import Booster
from .context import CommandContext, open_context, open_device, select_devices, wait_response
from .formatting import (
    WIDTH,
    both_units,
    display_unit,
    print_json,
    state_text,
    status_json,
    usable_text,
)
from .options import WRITE_OPTIONS, Number
from .output import print_note, print_result
from .parsing import Degrees, option_type, parse_degrees, parse_time
from .runner import run_async
from .saved_account import data_folder

_MODES = {
    mode.text.replace(" ", "-"): mode
    for mode in (DHWMode.HEAT_PUMP, DHWMode.ELECTRIC, DHWMode.ENERGY_SAVER, DHWMode.HIGH_DEMAND)
}


@click.command("boost", short_help="Heat now for a while, then restore the settings.")
@click.argument("stop", type=click.Choice(["stop"]), required=False, metavar="[stop]")
@click.option(
    "--until", metavar="HH:MM", type=option_type(parse_time), help="End at this time of day."
)
@click.option(
    "--litres",
    metavar="N",
    type=Number(min=1, max=1000),
    help="End when the tank can give this many litres of hot water (40 C).",
)
@click.option(
    "--mode", type=click.Choice([*_MODES]), help="Mode of the boost.  [default: the present]"
)
@click.option(
    "--temperature",
    metavar="120F|49C",
    type=option_type(parse_degrees),
    help="Setpoint of the boost.  [default: the present, or a step more if heating needs it]",
)
@WRITE_OPTIONS
@run_async
async def boost_command(
    stop: str | None,
    until: time | None,
    litres: float | None,
    mode: str | None,
    temperature: Degrees | None,
    dry_run: bool,
    as_json: bool,
    **account: Any,
) -> None:
    """Heat now for a while, then restore the settings.

    Time of use is off until the end. Mode, setpoint and time of use are restored at the end, at Ctrl-C,
    and by "set boost stop"; each only if it was not changed elsewhere. After a crash or a power cut
    the next boost, "set boost stop" or monitor restores them. One boost at a time for each heater.

    Example: navien-nwp500 set boost --until 18:30
    """
    if stop is not None:
        if (until, litres, mode, temperature, dry_run) != (None, None, None, None, False):
            raise click.UsageError("stop takes none of the options of a boost.")
        await _stop(as_json, **account)
        return
    if (until is None) == (litres is None):
        raise click.UsageError("Give either --until HH:MM, or --litres N, or stop.")
    async with open_device(**account) as (context, heater):
        with boost_file(context, heater) as file:
            output = _JsonOutput(heater) if as_json else _TextOutput(heater)
            booster = Booster(heater, file, context, on_start=output.on_start, on_end=output.on_end)
            request = BoostRequest(
                None if until is None else next_time(context, until),
                litres,
                None if mode is None else _MODES[mode],
                await _setpoint(heater, temperature),
            )
            if dry_run:
                output.show_dry_run(await wait_response(booster.plan(request)))
                return
            result = await wait_response(booster.run(request))
    if result.reached is False:
        raise DeviceError(f"the boost ended before the tank gave {litres:g} L of 40 degC")


async def _stop(
    as_json: bool, simulate: bool, speed: float, device: str | None, no_session_file: bool
) -> None:
    async with open_context(simulate, speed, no_session_file) as context:
        heater = (await select_devices(context.client, device))[0]
        with boost_file(context, heater) as file:
            output = _JsonOutput(heater) if as_json else _TextOutput(heater)
            present = await asyncio.to_thread(file.read)
            result = await wait_response(
                Booster(heater, file, context, on_end=output.on_end).stop()
            )
            if result is None:
                output.show_stopped(was_running=present is not None)


@contextmanager
def boost_file(context: CommandContext, heater: NaviLinkDevice) -> Iterator[BoostFile]:
    """Return the file of a heater's boost; that of a simulated heater ends with it.

    Raises ConfigurationError without a home folder.
    """
    if context.simulated:
        with TemporaryDirectory() as folder:
            yield BoostFile.of(Path(folder), heater.mac_address)
        return
    data = data_folder()
    if data is None:
        raise ConfigurationError(
            "there is no home folder to keep the settings before the boost in: set HOME or "
            "XDG_DATA_HOME"
        )
    yield BoostFile.of(data, heater.mac_address)


@asynccontextmanager
async def finishing_boost(context: CommandContext, heater: NaviLinkDevice) -> AsyncIterator[None]:
    """Meanwhile finish a boost that an earlier run has left; at the end restore its settings.

    An error is a note: what goes on meanwhile is more important.
    """
    folder = None if context.simulated else data_folder()
    file = None if folder is None else BoostFile.of(folder, heater.mac_address)
    if file is None or not file.path.exists():
        yield
        return
    output = _NoteOutput(heater, running=True)
    booster = Booster(heater, file, context, on_end=output.on_end)
    task = asyncio.get_running_loop().create_task(_finish(booster), name="finish-boost")
    try:
        yield
    finally:
        # Cancelled once, as it restores then; a second Ctrl-C ends that too.
        task.cancel()
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task})
            raise


async def _finish(booster: Booster) -> None:
    try:
        await booster.finish()
    except (NaviLinkError, OSError) as error:
        print_note(f"navien-nwp500: {error}")


def next_time(context: CommandContext, wanted: time) -> datetime:
    """Return when it is this time of day next, within 24 hours."""
    now = context.now()
    today = now.replace(hour=wanted.hour, minute=wanted.minute, second=0, microsecond=0)
    found = today if today > now else today + timedelta(days=1)
    if context.simulated:
        return found
    # The clocks of this machine may be changed until then.
    shift = (found.astimezone().utcoffset() or _NONE) - (now.astimezone().utcoffset() or _NONE)
    return found - shift


_NONE = timedelta(0)


async def _setpoint(heater: NaviLinkDevice, typed: Degrees | None) -> HalfCelsius | None:
    if typed is None:
        return None
    unit = typed.unit or display_unit(await wait_response(heater.get_status()))
    convert = HalfCelsius.from_celsius if unit == "C" else HalfCelsius.from_fahrenheit
    return convert(typed.value)


class _TextOutput:
    """Sentences for people."""

    def __init__(self, heater: NaviLinkDevice, *, running: bool = False) -> None:
        self._heater = heater
        self._running = running

    def show_dry_run(self, plan: BoostPlan) -> None:
        settings = _words(plan.boosted, self._unit)
        print_result(
            _lines(f"Dry run, a boost {_end(plan)}: would change {settings}.", "Nothing was sent.")
        )

    def on_start(self, plan: BoostPlan, status: DeviceStatus) -> None:
        self._running = True
        lines = [f"Boost {_end(plan)}: {_words(plan.boosted, self._unit)}."]
        mode = plan.boosted.mode or plan.before.mode
        if mode != DHWMode.HEAT_PUMP:
            lines.append("In this mode an element may heat too, with about 5 kW.")
        lines.append("Ctrl-C, or navien-nwp500 set boost stop, ends it and restores the settings.")
        print_result(_lines(*lines, state_text(status)), done=True)

    def on_end(self, result: BoostResult) -> None:
        print_result(self._end_text(result), done=True)

    def show_stopped(self, *, was_running: bool) -> None:
        if was_running:
            print_result("The boost is over; the program that ran it restored the settings.")
        else:
            print_result(f"No boost of {self._heater.name} was started on this computer.")

    def _end_text(self, result: BoostResult) -> str:
        if result.reached and not self._running:
            return _lines(f"The tank gives {usable_text(result.status)}.", "Nothing was sent.")
        lines = [f"The boost is over; the tank gives {usable_text(result.status)}."]
        if result.restored:
            lines.append(f"Restored: {_words(result.restored, self._unit)}.")
        if result.kept:
            kept = _words(result.kept, self._unit)
            lines.append(f"Changed by somebody else meanwhile, and left: {kept}.")
        if result.status.held_mode is not None:
            mode = result.status.held_mode.text
            lines.append(f"The mode changes to {mode} when the time-of-use window ends.")
        return _lines(*lines, state_text(result.status))

    @property
    def _unit(self) -> str:
        status = self._heater.last_status
        return "F" if status is None else display_unit(status)


class _NoteOutput(_TextOutput):
    """The same on stderr, beside the output of another command."""

    def on_end(self, result: BoostResult) -> None:
        print_note(self._end_text(result))


class _JsonOutput(_TextOutput):
    """One JSON document at the end."""

    def show_dry_run(self, plan: BoostPlan) -> None:
        print_json(self._heater, boost=_json(plan))

    def on_start(self, plan: BoostPlan, status: DeviceStatus) -> None:
        """Print nothing before the end."""

    def on_end(self, result: BoostResult) -> None:
        boost = {
            **_json(result.plan),
            "reached": result.reached,
            "restored": result.restored.to_json(),
            "kept": result.kept.to_json(),
        }
        print_json(self._heater, done=True, boost=boost, **status_json(result.status))

    def show_stopped(self, *, was_running: bool) -> None:
        print_json(self._heater, done=was_running, boost=None)


def _lines(*sentences: str) -> str:
    return "\n".join(textwrap.fill(one, WIDTH) for one in sentences)


def _json(plan: BoostPlan) -> dict[str, Any]:
    return {
        "end": plan.end.isoformat(timespec="seconds"),
        "litres": plan.litres,
        "before": plan.before.to_json(),
        "boosted": plan.boosted.to_json(),
    }


def _end(plan: BoostPlan) -> str:
    if plan.litres is not None:
        return f"until the tank gives {plan.litres:g} L at 40 °C"
    return f"until {plan.end:%H:%M}"


def _words(settings: BoostSettings, unit: str) -> str:
    words = []
    if settings.mode is not None:
        words.append(f"mode {settings.mode.text}")
    if settings.temperature is not None:
        words.append(f"setpoint {both_units(settings.temperature, unit)}")
    if settings.tou is not None:
        words.append(f"time of use {'on' if settings.tou else 'off'}")
    return ", ".join(words) or "no setting, as the heater heats already"
