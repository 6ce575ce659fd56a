"""The command ``reservations``."""

from __future__ import annotations

import json
from datetime import time

import pytest

from navien_nwp500.apps.cli.formatting import UNCHANGED
from navien_nwp500.protocol.calendar import WEEKDAYS, WEEKEND
from navien_nwp500.protocol.schedules import Reservation, ReservationMode
from navien_nwp500.protocol.types import HalfCelsius
from support.background_simulator import BackgroundSimulator, Invoke, Output

SUNDAY = "  1  05:00  weekend           heat pump     130.1 °F  off"
MORNING = "  2  06:30  mon-fri           energy saver  120.2 °F  on"
TWO = (
    Reservation(WEEKDAYS, time(6, 30), ReservationMode.ENERGY_SAVER, HalfCelsius(98)),
    Reservation(WEEKEND, time(5), ReservationMode.HEAT_PUMP, HalfCelsius(109), enabled=False),
)


@pytest.fixture
def two(background: BackgroundSimulator) -> None:
    """Store two reservations, not in the order of their numbers."""
    background.write_reservations(*TWO)


@pytest.mark.usefixtures("two")
class TestReservations:
    def test_add_keeps_the_others(self, output: Output) -> None:
        arguments = "--days daily --at 23:15 --mode power-off --temperature 120"
        lines = output(f"reservations add {arguments}").splitlines()
        added = "  3  23:15  daily             power off     120.2 °F  on"
        assert lines == ["NWP500 has 3 reservations:", SUNDAY, MORNING, added]

    def test_a_dry_run_shows_the_changed_list(
        self, output: Output, background: BackgroundSimulator
    ) -> None:
        arguments = "--days mon-fri --at 04:00 --mode energy-saver --temperature 120F"
        out = output(f"reservations add {arguments} --dry-run")
        assert out.startswith("Dry run: the schedule would become this. Nothing was sent.\n")
        assert "  1  04:00" in out
        assert SUNDAY not in output("reservations remove 1 --dry-run")
        found = json.loads(output("reservations off --dry-run --json"))
        assert (found["dry_run"], found["enabled"]) == (True, False)
        assert background.reservations == TWO

    def test_update_changes_only_the_given_options(self, output: Output) -> None:
        arguments = "2 --at 07:00 --days wed,sun --temperature 125 --off"
        out = output(f"reservations update {arguments}")
        changed = "  2  07:00  wed,sun           energy saver  124.7 °F  off"
        assert out.splitlines()[1:] == [SUNDAY, changed]
        out = output("reservations update 1 --on --mode power-off")
        assert "  1  05:00  weekend           power off     130.1 °F  on" in out

    def test_remove_keeps_the_others(self, output: Output) -> None:
        out = output("reservations remove 1")
        assert out.splitlines() == ["NWP500 has 1 reservation:", MORNING.replace("2", "1", 1)]
        assert output("reservations remove 1") == "NWP500 has no reservations.\n"

    def test_off_and_on(self, output: Output) -> None:
        assert "; the schedule is disabled:\n" in output("reservations off")
        assert UNCHANGED in output("reservations off")
        assert output("reservations on").splitlines()[0] == "NWP500 has 2 reservations:"

    @pytest.mark.parametrize(
        ("arguments", "code", "reason"),
        [
            ("remove 3", 1, "there is no reservation 3; NWP500 has 2"),
            ("update 9 --on", 1, "there is no reservation 9"),
            ("update 1 --temperature 180F", 1, "65.5 °C"),
            ("update 1", 2, "Name at least one option"),
            ("remove 0", 2, "N"),
            ("add --days someday --at 06:30 --mode electric --temperature 50C", 2, "someday"),
            ("add --days mon --at 24:00 --mode electric --temperature 50C", 2, "24:00"),
            ("add --days mon --at 06:30 --mode vacation --temperature 50C", 2, "vacation"),
        ],
    )
    def test_an_error_changes_nothing(
        self,
        invoke: Invoke,
        background: BackgroundSimulator,
        arguments: str,
        code: int,
        reason: str,
    ) -> None:
        found, out, err = invoke(f"reservations {arguments}")
        assert (found, out) == (code, "") and reason in err
        assert background.reservations == TWO


def test_an_empty_schedule_cannot_be_enabled(
    invoke: Invoke, background: BackgroundSimulator
) -> None:
    background.write_reservations()
    code, _, err = invoke("reservations on")
    assert code == 1 and "reservations add" in err
