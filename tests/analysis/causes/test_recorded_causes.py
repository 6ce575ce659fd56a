"""Causes told from the captures of real heaters, beside what their messages say themselves.

Message and row numbers count from 0, as in ``status_messages.jsonl`` and ``field_log.csv``.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from navien_nwp500.analysis.causes import CAUSE_FIELDS, RunCause, RunWatch, Sample, run_causes
from support import captures
from support.field_log import captured_statuses, log_numbers_by_time, log_time

if not captures.AVAILABLE:
    pytest.skip(captures.SKIP_REASON, allow_module_level=True)

POWER_OFF, POWER_ON, MODE, SETPOINT = 0x02000001, 0x02000002, 0x02000005, 0x02000020
DEMAND, OPERATION_MODE, LOAD = 0x04000004, 0x04000013, 0x0400001C
#: The first two messages stand again as 14 and 15.
FIRST = 2


def told() -> tuple[list[RunCause], dict[int, datetime]]:
    """Return the runs of the messages, and the time of each message."""
    watch, found = RunWatch(), []
    for when, status in captured_statuses()[FIRST:]:
        found += [one for one in watch.add(Sample.of(status, when)) if one.stopped is not None]
    times = {number: when for number, (when, _) in enumerate(captured_statuses())}
    return [*found, *watch.finish()], times


def codes(first: int, last: int) -> list[int]:
    return [int(status.command) for _, status in captured_statuses()[first : last + 1]]


def test_the_first_session_of_the_messages() -> None:
    (first, second, _, _), times = told()
    assert [when for when, _ in captured_statuses()[:2]] == [times[14], times[15]]
    assert (first.cause, first.start, first.start_after) == ("unknown", times[2], None)
    assert first.text == "it was already heating when the recording began"
    # 4 to 6: energy saver, which a client wrote, adds the element; 8 to 10: high demand does again.
    assert codes(4, 6) == [MODE, OPERATION_MODE, LOAD] and codes(8, 10) == codes(4, 6)
    for joined, number, mode in zip(first.elements, (4, 8), ("energy saver", "high demand")):
        assert (joined.start_after, joined.start) == (times[number - 1], times[number])
        reason = joined.reason
        assert (reason.kind, reason.by, reason.certainty) == ("mode", "client", "sure")
        assert reason.text.startswith(f"the mode was changed to {mode} by a client")
    assert len(first.elements) == 2
    # 11 to 13: off, and on again before the lock-out was over, during which no load runs.
    assert codes(11, 13) == [POWER_OFF, POWER_ON, OPERATION_MODE]
    assert first.stopped is not None and (first.end, second.start) == (times[11], times[12])
    assert (first.stopped.kind, first.stopped.by, first.stopped.also) == ("off", "client", ())
    assert (second.cause, second.started.by, second.certainty) == ("power", "client", "sure")
    assert not any(status.comp_use.active for _, status in captured_statuses()[12:16])


def test_the_second_session_begins_after_a_gap_of_which_nothing_is_told() -> None:
    (_, second, third, _), times = told()
    assert times[16] - times[15] > timedelta(hours=10)
    assert second.stopped is not None
    assert (second.stopped.kind, second.stopped.certainty) == ("gap", "unknown")
    # The tank is 4 K warmer after the gap: what left it before cannot be known.
    assert third.use is None or third.use.hot_water_share is None


def test_the_second_session_of_the_messages() -> None:
    (_, _, third, last), times = told()
    # 17 to 19: energy saver asks for heat pump and element.
    assert codes(17, 19) == [MODE, OPERATION_MODE, OPERATION_MODE]
    assert (third.cause, third.started.by, third.certainty) == ("mode", "client", "sure")
    assert (third.start_after, third.start) == (times[16], times[17])
    assert third.text.startswith("the mode was changed to energy saver by a client")
    # 20 to 22: electric mode removes that demand, and asks for the element 1 s later.
    assert codes(20, 22) == [MODE, DEMAND, LOAD]
    (electric,) = third.elements
    assert (electric.start_after, electric.start) == (times[20], times[21])
    assert (electric.reason.kind, electric.reason.by) == ("mode", "client")
    assert electric.reason.text.startswith("the mode was changed to electric by a client")
    # 27 and 28: the setpoint is lowered before the compressor runs; 29: raised again.
    assert codes(27, 29) == [DEMAND, OPERATION_MODE, OPERATION_MODE]
    assert third.stopped is not None and third.end == times[27]
    assert (third.stopped.kind, third.stopped.certainty) == ("setpoint", "sure")
    assert third.stopped.text.startswith(
        "the setpoint was lowered below the upper tank, to 137.3 °F (58.5 °C)"
    )
    assert (last.cause, last.certainty, last.end) == ("setpoint", "sure", None)
    assert (last.start_after, last.start) == (times[28], times[29])
    assert last.text.startswith(
        "the setpoint was raised from 137.3 °F (58.5 °C) to 140.9 °F (60.5 °C)"
    )
    # The answers to the setpoint requests were not kept, and no reservation program is on.
    assert SETPOINT not in codes(0, 29)
    assert third.stopped.by == last.started.by == ""
    assert "no reservation is on, so at the panel or by a client" in last.text


def test_electric_mode_alone_starts_a_run() -> None:
    """As a client sees it that polls between the demand it removes and the one it raises."""
    statuses = [captured_statuses()[number] for number in (16, 20, 21, 22)]
    watch = RunWatch()
    (run_begun,) = [one for when, status in statuses for one in watch.add(Sample.of(status, when))]
    assert (run_begun.cause, run_begun.started.by, run_begun.certainty) == (
        "mode",
        "client",
        "sure",
    )


def test_the_field_log_has_one_stop_and_no_start() -> None:
    rows = captures.field_log()
    pushed = [n for n, row in enumerate(rows) if int(row["command"]) in (DEMAND, OPERATION_MODE)]
    demand, operation = (pushed[n] for n in (-2, -1))
    assert [int(rows[n]["command"]) for n in (demand, operation)] == [DEMAND, OPERATION_MODE]
    assert operation == 218
    numbers = [
        (when, {name: values[name] for name in CAUSE_FIELDS})
        for when, values in log_numbers_by_time()
    ]
    (found,) = run_causes(numbers)
    assert found.cause == found.certainty == "unknown" and found.start_after is None
    assert found.end == log_time(rows[demand]) and found.elements == ()
    assert found.stopped is not None
    assert (found.stopped.kind, found.stopped.certainty) == ("reached", "sure")
    assert found.stopped.text == "the tank reached its setpoint of 140.9 °F (60.5 °C)"
