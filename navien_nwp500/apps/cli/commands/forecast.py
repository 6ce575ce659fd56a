"""The command ``forecast``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Sequence

import click

from ...._util.extras import missing_extra
from ....analysis.forecast import Forecast, Situation, forecast
from ....analysis.forecast.forecast_result import time_text
from ....analysis.forecast.learned import Learned, MadeForecast
from ....analysis.hot_water import SHOWER_CELSIUS, SHOWER_LITRES
from ....device import NaviLinkDevice
from ....exceptions import CommunicationError, ConfigurationError, DeviceError
from ....protocol.schedules import ReservationProgram
from ....protocol.status import DeviceStatus
from ....protocol.tou import TOUPeriod
from ..context import CommandContext, open_device, wait_response
from ..database_option import DATABASE, open_store
from ..formatting import facts_table, print_json
from ..learned_file import LearnedFile
from ..options import COLD, INPUT_FILE, READ_OPTIONS, Number
from ..output import print_note, print_result
from ..runner import run_async


@click.command("forecast")
@READ_OPTIONS
@click.option(
    "--litres",
    metavar="N",
    type=Number(min=0, min_open=True, max=9999),
    help="Also tell when there will be this many litres of water at 40 degrees Celsius.",
)
@COLD
@click.option(
    "--history",
    "recordings",
    metavar="FILE",
    type=INPUT_FILE,
    multiple=True,
    help="Learn from a recording of monitor --csv; may be repeated.",
)
@DATABASE
@run_async
async def forecast_command(
    as_json: bool,
    litres: float | None,
    cold: float,
    recordings: Sequence[Path],
    database: str | None,
    **account: Any,
) -> None:
    """Tell when the water will be hot, and how sure that is.

    Each time has a band that holds in 8 of 10 cases. When nothing tells when heating starts, there
    is no time, but what is known. No history is needed. With --history or --database the figures of
    your heater are learned from past recoveries, which needs the extra "analysis"; they are kept
    for later forecasts, also those of status and monitor.

    Example: navien-nwp500 forecast --simulate --json
    """
    if recordings and database is not None:
        raise ConfigurationError("name recordings, or --database, and not both")
    async with open_device(**account) as (context, heater):
        status = await wait_response(heater.get_status())
        when = context.now()
        file = LearnedFile(None) if context.simulated else LearnedFile.of_user()
        learned = file.read(heater.mac_address)
        if recordings or database is not None:
            name = None if context.simulated else heater.mac_address
            learned = await asyncio.to_thread(_learn, learned, recordings, database, name)
        reservations, periods = await _schedules(heater, status)
        made = forecast(
            *(status, when),
            learned=learned,
            litres=litres,
            cold=cold,
            reservations=reservations,
            periods=periods,
        )
        _keep(context, file, heater, made, learned)
        if as_json:
            print_json(heater, forecast=made.to_json())
        else:
            print_result(_table(made))


def _learn(
    before: Learned, recordings: Sequence[Path], database: str | None, heater: str | None
) -> Learned:
    """Learn from recordings or the history database. Raises ConfigurationError and HistoryError."""
    try:
        from ....analysis.forecast.learning import learn
        from ....history.recordings import load, load_history
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            missing_extra("learning from a history", error.name, "analysis")
        ) from error
    if database is None:
        recording = load(recordings)
        if heater is not None and recording.heater is not None:
            recording = load(recordings, heater=heater)
    else:
        with open_store(database) as store:
            recording = load_history(store, heater=heater)
    learned = learn(recording, before=before)
    if learned is before:
        print_note(
            "The history holds no whole recovery of the heat pump: nothing was learned from it."
        )
    return learned


async def _schedules(
    heater: NaviLinkDevice, status: DeviceStatus
) -> tuple[ReservationProgram | None, Sequence[TOUPeriod]]:
    """Request what may start the heater; what is switched off is not requested."""
    reservations: ReservationProgram | None = ReservationProgram(False, ())
    periods: Sequence[TOUPeriod] = ()
    use = status.program_reservation_use
    try:
        if use is None or use.active:
            reservations = await heater.get_reservations()
        if status.tou_status:
            periods = (await heater.get_tou_info()).periods
    except (CommunicationError, DeviceError) as error:
        print_note(f"The schedule is not considered: {error}")
        return None, ()
    return reservations, periods


def _keep(
    context: CommandContext,
    file: LearnedFile,
    heater: NaviLinkDevice,
    made: Forecast,
    learned: Learned,
) -> None:
    """Keep what was learned, and the forecast of a run, which a later recording will score."""
    if context.simulated:
        return
    if made.situation is Situation.HEATING and made.times.end is not None and made.deviation:
        ms = int(made.when.timestamp() * 1000)
        learned = learned.with_forecast(MadeForecast(ms, made.quiet_minutes, made.deviation))
    if learned != Learned():
        file.write(heater.mac_address, learned)


def _table(made: Forecast) -> str:
    end, water, showers = made.times.end, made.water, made.showers
    facts: dict[str, str | None] = {
        "forecast": made.text,
        "heating": f"ends {time_text(made, end)}" if end is not None and end.most else None,
        "usable": None if water is None else f"{water.text} at {SHOWER_CELSIUS:.0f} °C",
        "showers": (
            None if showers is None else f"{showers[0]} to {showers[1]} of {SHOWER_LITRES:.0f} L"
        ),
        "learned": (
            f"from {made.runs} recoveries of this heater"
            if made.runs
            else "nothing yet; --history or --database makes the band fit this heater"
        ),
    }
    return facts_table(facts)
