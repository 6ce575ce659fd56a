"""The command ``plan``: what it proposes, writes and restores, against the simulated cloud."""

from __future__ import annotations

import json
import stat
import sys
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Iterator

import pytest

from apps.cli.test_reservations import TWO
from apps.cli.test_tou import PEAK_DAY, tou_status, write_plan
from navien_nwp500 import NaviLinkConfig
from navien_nwp500.apps.cli.saved_plans import (
    Backup,
    SavedPlan,
    load_backup,
    save_backup,
    save_plan,
)
from navien_nwp500.device import NaviLinkDevice
from navien_nwp500.exceptions import DeviceOfflineError, ValueOutOfRangeError
from navien_nwp500.protocol.calendar import EVERY_DAY, EVERY_MONTH
from navien_nwp500.protocol.schedules import Reservation, ReservationMode, ReservationProgram
from navien_nwp500.protocol.tou import TOUPeriod
from navien_nwp500.protocol.types import DHWMode, HalfCelsius
from support.background_simulator import BackgroundSimulator, Invoke, Output

TOP_UP = Reservation(EVERY_DAY, time(14), ReservationMode.HEAT_PUMP, HalfCelsius(121))
HOLD = Reservation(EVERY_DAY, time(17, 30), ReservationMode.HEAT_PUMP, HalfCelsius(101))


def day_periods(*spans: tuple[time, time, str]) -> tuple[TOUPeriod, ...]:
    return tuple(
        TOUPeriod(EVERY_MONTH, EVERY_DAY, start, end, Decimal(price), Decimal(price))
        for start, end, price in spans
    )


WINDOW = day_periods(
    (time(0), time(15, 59), "0.15"),
    (time(16), time(20, 59), "0.50"),
    (time(21), time(23, 59), "0.15"),
)


def write_heating_plan(folder: Path, *, windows: bool = True) -> None:
    """Write ``heating.json`` for ``plan apply``."""
    plan = SavedPlan(
        HalfCelsius(121),
        DHWMode.HEAT_PUMP,
        (TOP_UP, HOLD),
        ("heats now", "ends a run"),
        WINDOW if windows else (),
    )
    save_plan(folder / "heating.json", plan, verdict="This plan saves 40 a year.")


def write_backup(folder: Path) -> None:
    """Write ``before.json`` for ``plan undo``."""
    program = ReservationProgram(True, TWO)
    settings = (HalfCelsius(115), DHWMode.ENERGY_SAVER, False)
    save_backup(folder / "before.json", Backup("0", "2026-03-01 08:00", program, *settings, WINDOW))


@pytest.fixture
def data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, background: BackgroundSimulator
) -> Iterator[Path]:
    """A heater with two reservations, and a data folder of its own."""
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr("navien_nwp500.apps.cli.saved_plans.data_folder", lambda: tmp_path / "data")
    # The simulated heater takes commands as fast as they come.
    usual = NaviLinkConfig.from_environment
    quick = staticmethod(lambda **options: usual(**{"command_interval": 0.0, **options}))
    monkeypatch.setattr(NaviLinkConfig, "from_environment", quick)
    background.write_reservations(*TWO)
    yield tmp_path / "data"


def settings_of(output: Output) -> tuple[object, ...]:
    status = json.loads(output("status --json"))["status"]
    plan = json.loads(output("tou show --json"))
    return status["dhwTemperatureSetting"], status["dhwOperationSetting"], plan["periods"]


def test_apply_shows_writes_and_undo_restores_all_of_it(
    invoke: Invoke,
    output: Output,
    background: BackgroundSimulator,
    tmp_path: Path,
    data_folder: Path,
) -> None:
    write_heating_plan(tmp_path)
    before, followed = settings_of(output), tou_status(output)
    dry = output("plan apply heating.json --dry-run")
    assert dry.startswith("Dry run: NWP500 would change. Nothing was sent.\n")
    assert "- mon-fri        06:30  120.2 °F (49.0 °C)  energy saver" in dry
    assert "+ daily          14:00  140.9 °F (60.5 °C)  heat pump" in dry
    assert "+ time of use on, with the windows of the plan" in dry
    assert background.reservations == TWO and not data_folder.exists()

    code, out, err = invoke("plan apply heating.json --yes")
    assert code == 0 and out.startswith("NWP500 follows the plan:\n"), err
    assert set(background.reservations) == {TOP_UP, HOLD}
    assert tou_status(output) != 0
    assert settings_of(output)[2] != before[2], "the cloud has a copy"
    (kept,) = data_folder.iterdir()
    if sys.platform != "win32":
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "follows this plan already" in output("plan apply heating.json")

    code, out, err = invoke("plan undo --yes")
    assert code == 0 and out.startswith("NWP500 has again what it had on "), err
    assert set(background.reservations) == set(TWO)
    assert (settings_of(output), tou_status(output)) == (before, followed)
    assert not kept.exists()
    code, _, err = invoke("plan undo --yes")
    assert code == 2 and "there is nothing to undo" in err


def test_without_an_answer_nothing_is_written(
    invoke: Invoke, background: BackgroundSimulator, tmp_path: Path, data_folder: Path
) -> None:
    write_heating_plan(tmp_path)
    code, out, err = invoke("plan apply heating.json")
    assert (code, out) == (2, "") and "use --yes" in err
    assert "+ daily          14:00" in err, "it shows what it would do"
    assert background.reservations == TWO and not data_folder.exists()


def test_an_interrupted_apply_is_undone(
    invoke: Invoke,
    output: Output,
    background: BackgroundSimulator,
    tmp_path: Path,
    data_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_heating_plan(tmp_path)
    before, followed = settings_of(output), tou_status(output)

    async def interrupted(*_: object, **__: object) -> None:
        raise DeviceOfflineError("the heater did not respond")

    with monkeypatch.context() as patch:
        patch.setattr(NaviLinkDevice, "set_reservations", interrupted)
        code, _, err = invoke("plan apply heating.json --yes")
    assert code == 3 and "did not respond" in err
    assert tou_status(output) != 0, "the time-of-use plan was written already"
    assert background.reservations == TWO
    (kept,) = data_folder.iterdir()
    # A second plan does not replace the memory of what was before the first.
    assert invoke("plan apply heating.json --yes")[0] == 0
    assert set(load_backup(kept).program.reservations) == set(TWO)

    with monkeypatch.context() as patch:
        patch.setattr(NaviLinkDevice, "set_reservations", interrupted)
        assert invoke("plan undo --yes")[0] == 3
    assert kept.exists(), "an interrupted undo can be repeated"
    assert invoke("plan undo --yes")[0] == 0
    assert set(background.reservations) == set(TWO)
    assert (settings_of(output), tou_status(output)) == (before, followed)


def test_a_constant_setpoint_is_set_at_once(
    invoke: Invoke,
    output: Output,
    background: BackgroundSimulator,
    tmp_path: Path,
    data_folder: Path,
) -> None:
    save_plan(tmp_path / "heating.json", SavedPlan(HalfCelsius(110), DHWMode.HEAT_PUMP))
    before = settings_of(output)
    assert invoke("plan apply heating.json --yes")[0] == 0
    assert settings_of(output)[:2] == (110, 1) and background.reservations == ()
    assert invoke("plan undo --yes")[0] == 0
    assert settings_of(output) == before and set(background.reservations) == set(TWO)


def test_undo_restores_reservations_byte_for_byte_that_are_not_written_from_here(
    invoke: Invoke, background: BackgroundSimulator, tmp_path: Path, data_folder: Path
) -> None:
    """Hotter than the heater's limit, of an unknown mode, and off in another number than ours."""
    hot = {"enable": 0, "week": 0b1111101, "hour": 5, "min": 30, "mode": 7, "param": 150}
    stored = background.sim.units[0].heater.settings.reservations
    stored.entries = (Reservation.from_entry(hot), *TWO)
    before = entries_of(background)
    write_heating_plan(tmp_path)
    assert invoke("plan apply heating.json --yes")[0] == 0
    assert set(background.reservations) == {TOP_UP, HOLD}
    code, _, err = invoke("plan undo --yes")
    assert code == 0, err
    assert hot in before and entries_of(background) == before
    # As a new wish the same is refused.
    with pytest.raises(ValueOutOfRangeError):
        Reservation.from_entry(hot).check()


def entries_of(background: BackgroundSimulator) -> list[dict[str, int]]:
    return sorted((one.to_entry() for one in background.reservations), key=str)


def test_other_files_are_refused_with_a_sentence(
    invoke: Invoke, tmp_path: Path, data_folder: Path
) -> None:
    write_plan(tmp_path, PEAK_DAY)
    write_heating_plan(tmp_path)
    cut = (tmp_path / "heating.json").read_text()
    (tmp_path / "cut.json").write_text(cut[: len(cut) // 2])
    (tmp_path / "wrong.json").write_text(cut.replace('"14:00"', '"25:00"'))
    write_backup(tmp_path)
    for name, words in (
        ("plan.json", "is not a plan"),
        ("cut.json", "is not a plan"),
        ("before.json", "is not a plan"),
        ("wrong.json", "is damaged"),
    ):
        code, out, err = invoke(f"plan apply {name} --yes")
        assert (code, out) == (2, "") and words in err, name
    code, _, err = invoke("plan undo --backup heating.json --yes")
    assert code == 2 and "is not a backup" in err
    code, _, err = invoke("plan apply --yes")
    assert code == 2 and "there is no plan to apply" in err


def test_a_proposal_needs_history_and_prices(invoke: Invoke, tmp_path: Path) -> None:
    write_plan(tmp_path, PEAK_DAY)
    for command, words in (
        ("plan", "name --history FILE, or --database"),
        ("plan --history plan.json", "name the prices"),
        ("plan --tariff plan.json", "name --history FILE, or --database"),
    ):
        code, out, err = invoke(command)
        assert (code, out) == (2, "") and words in err
    code, _, err = invoke("plan --modes electric --history plan.json --tariff plan.json")
    assert code == 2 and "none of heat-pump, energy-saver, high-demand" in err
