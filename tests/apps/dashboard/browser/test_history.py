"""Tests of the page in a browser: each chart, sum and list against the recorded statuses."""

from __future__ import annotations

import csv
import json
import re
from datetime import datetime, timedelta
from functools import lru_cache
from statistics import mean
from typing import Any, Callable
from urllib.parse import parse_qs, urlsplit

from navien_nwp500.history.database import Database
from navien_nwp500.history.schema import to_ms
from navien_nwp500.history.store import HistoryStore
from navien_nwp500.protocol.status import DeviceStatus
from support.browser_page import Page, expect, late_answers
from support.dashboard_bench import DAY, GAP, NOW, POLL, recorded_day

NewPage = Callable[..., Page]
DAY_MS = 86_400_000
YESTERDAY = f"&span=day&at={to_ms(DAY) + DAY_MS // 2}"
VALUES: dict[str, list[Callable[[DeviceStatus], float]]] = {
    "power": [lambda status: int(status.current_inst_power)],
    "temperatures": [
        lambda status: status.tank_upper_temperature.celsius,
        lambda status: status.tank_lower_temperature.celsius,
    ],
    "charge": [lambda status: int(status.dhw_charge_percent)],
}


@lru_cache(maxsize=None)
def statuses_of_day() -> dict[datetime, DeviceStatus]:
    end = DAY + timedelta(days=1)
    return {when: status for when, status in recorded_day() if DAY <= when < end}


def open_day(bench: Any, opened: Page) -> Any:
    """Return the page with the day before, in Celsius."""
    # Chosen before, as the page asks for everything again when the unit changes.
    opened.page.goto(f"{bench.address}none")
    opened.page.evaluate("localStorage.setItem('unit', 'C')")
    page = opened.open(bench.new_address(YESTERDAY))
    expect(page.locator("#range")).to_have_text("Wednesday, 11 March 2026")
    expect(page.locator("#runs button").first).to_be_visible()
    return page


def number(text: str) -> float | None:
    return None if text == "–" else float(re.sub(r"[^\d.\-]", "", text))


def table_rows(details: Any) -> list[list[str]]:
    """Open a table, and return the cells of its rows."""
    if details.get_attribute("open") is None:
        details.locator("summary").click()
    expect(details.locator("tbody tr").first).to_be_visible()
    return details.locator("tbody").evaluate(
        "body => [...body.rows].map(row => [...row.cells].map(cell => cell.textContent))"
    )


def within(start: datetime, length: timedelta) -> list[DeviceStatus]:
    return [status for when, status in statuses_of_day().items() if start <= when < start + length]


def path_points(path: str) -> list[list[tuple[float, float]]]:
    """Return the points of each piece of a line."""
    pieces = [piece for piece in path.split("M") if piece]
    return [[tuple(map(float, pair.split())) for pair in piece.split("L")] for piece in pieces]


def value_at(chart: Any, y: float) -> float:
    """Return the value of a height in a chart, by the labels of its axis."""
    steps = chart.locator(".step text").evaluate_all(
        "texts => texts.map(text => [Number(text.getAttribute('y')), text.textContent])"
    )
    (y0, low), (y1, high) = steps[0], steps[-1]
    first, last = float(low.replace(",", "")), float(high.replace(",", ""))
    return first + (y - y0) / (y1 - y0) * (last - first)


def asked(page: Any, act: Callable[[], object]) -> dict[str, str]:
    """Return the values of the request for a series that an act causes, when its answer is shown."""
    with page.expect_request(lambda request: "/series?" in request.url) as request:
        act()
    page.wait_for_selector("#history:not([aria-busy])")
    values = parse_qs(urlsplit(request.value.url).query)
    return {name: texts[0] for name, texts in values.items()}


def test_each_chart_shows_what_was_recorded(
    bench: Any, same_page: Page, browser_thread: Any
) -> None:
    page = open_day(bench, same_page)
    half_hour = timedelta(minutes=30)
    starts = [DAY + half_hour * index for index in range(48)]
    known = [start for start in starts if within(start, half_hour)]
    for chart, values in VALUES.items():
        rows = table_rows(page.locator(f"#{chart} details"))
        cells = {row[0][-5:]: row for row in rows}
        # The last status before the gap is valid for a quarter of an hour.
        assert [*cells] == [f"{one:%H:%M}" for one in sorted([*known, GAP[0]])]
        for start in known:
            row = cells[f"{start:%H:%M}"]
            for column, value in enumerate(values):
                found = [value(status) for status in within(start, half_hour)]
                shown = [number(cell) for cell in row[1 + 3 * column : 4 + 3 * column]]
                expected = [mean(found), min(found), max(found)]
                assert all(abs(a - b) <= 0.51 for a, b in zip(shown, expected)), (
                    chart,
                    row,
                    expected,
                )


def test_lines_have_the_right_height_and_break_at_a_gap(
    bench: Any, same_page: Page, browser_thread: Any
) -> None:
    page = open_day(bench, same_page)
    chart = page.locator("#power")
    pieces = path_points(chart.locator(".line").get_attribute("d"))
    before = [status for when, status in statuses_of_day().items() if when < GAP[0]]
    after = [status for when, status in statuses_of_day().items() if when >= GAP[1]]
    valid = 15 * 60 // POLL.seconds - 1  # buckets after the last status before the gap
    assert [len(piece) for piece in pieces] == [len(before) + valid, len(after)]
    for piece, statuses in zip(pieces, (before, after)):
        for (_, y), status in zip(piece, statuses):
            assert abs(value_at(chart, y) - int(status.current_inst_power)) < 1.5
    gap = chart.locator(".gap")
    expect(gap).to_have_count(1)
    left, right = pieces[0][-1][0], pieces[1][0][0]
    x, width = (float(gap.get_attribute(name)) for name in ("x", "width"))
    assert left <= x and x + width <= right and width > 0.9 * (right - left)
    setpoint = page.locator("#temperatures .line.setpoint_c").get_attribute("d")
    assert setpoint.count("M") == 2


def test_energy_runs_and_events_are_those_of_the_history(
    bench: Any, same_page: Page, browser_thread: Any
) -> None:
    page = open_day(bench, same_page)
    rows = table_rows(page.locator("#bars-table"))
    hour = timedelta(hours=1)
    assert len(rows) == 24
    for index, row in enumerate(rows):
        statuses = within(DAY + hour * index, hour)
        if len(statuses) == 12:
            wh = sum(int(status.current_inst_power) for status in statuses) * POLL.seconds / 3600
            shown = number(row[1]) * (1 if row[1].endswith(" Wh") else 1000)
            assert abs(shown - wh) <= 5.1, row
            assert row[-1] == "100 %"
    assert rows[14][1:] == ["–", "0 %"]
    expect(page.locator("#totals dt").first).to_have_text("Wednesday, 11 March 2026")
    expect(page.locator("#runs")).to_contain_text("up to")
    expect(page.locator("#events")).to_contain_text("Nothing was recorded for 2 h 50 min")
    # The hour of a bar is a zoom, and back.
    page.get_by_role("button", name="10:00").click()
    expect(page.locator("#zoomed")).to_be_visible()
    page.get_by_role("button", name="Back to the day").click()
    expect(page.locator("#range")).to_have_text("Wednesday, 11 March 2026")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    lines = list(csv.DictReader(download.value.path().read_text("utf-8").splitlines()))
    assert len(lines) == len(statuses_of_day())


def test_zoom_and_steps_ask_the_server_again(
    bench: Any, same_page: Page, browser_thread: Any
) -> None:
    page = open_day(bench, same_page)
    label, plot = page.locator("#range"), page.locator("#power .reader")

    def button(name: str) -> Callable[[], object]:
        return page.get_by_role("button", name=name).click

    def drag() -> None:
        plot.scroll_into_view_if_needed()
        box = plot.bounding_box()
        middle = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + box["width"] * 0.4, middle)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.6, middle, steps=3)
        page.mouse.up()

    def span(values: dict[str, str]) -> tuple[int, int]:
        return int(values["from"]), int(values["to"])

    start, end = span(asked(page, drag))
    assert 4.5 * 3600 < (end - start) / 1000 < 5.5 * 3600
    expect(page.locator("#zoomed")).to_be_visible()
    address = page.url
    closer = span(asked(page, button("Zoom in")))
    assert abs(2 * (closer[1] - closer[0]) - (end - start)) < 5
    later = span(asked(page, button("Next")))
    assert abs(later[0] - closer[1]) < 5
    plot.focus()
    wider = span(asked(page, lambda: page.keyboard.press("-")))
    assert abs(wider[1] - wider[0] - (end - start)) < 5
    assert asked(page, lambda: page.keyboard.press("Escape"))["span"] == "day"
    expect(label).to_have_text("Wednesday, 11 March 2026")
    # The address holds what is shown.
    assert span(asked(page, lambda: page.goto(address))) == (start, end)
    assert span(asked(page, page.reload)) == (start, end)
    assert "at" not in asked(page, button("Today"))
    expect(label).to_have_text("Thursday, 12 March 2026")
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    button("Previous")()
    expect(label).to_have_text("Wednesday, 11 March 2026")
    page.go_back()
    expect(label).to_have_text("Thursday, 12 March 2026")


def test_quick_clicks_count_from_what_was_asked_for_last(
    bench: Any, same_page: Page, browser_thread: Any
) -> None:
    page = open_day(bench, same_page)
    label = page.locator("#range")
    page.goto(f"{bench.address}#span=day&at={to_ms(DAY) - DAY_MS}")
    expect(label).to_have_text("Tuesday, 10 March 2026")

    def click_while_waiting(*names: str) -> None:
        """Click without an answer in between."""
        with late_answers(page, "**/series?**"):
            for name in names:
                page.locator(".toolbar, .unit").get_by_text(name, exact=True).click()

    click_while_waiting("›", "›")
    expect(label).to_have_text("Thursday, 12 March 2026")
    click_while_waiting("‹", "Month", "Year", "Week")
    expect(label).to_have_text("9 to 15 March 2026")
    expect(page.locator(".spans input:checked")).to_have_value("week")
    expect(page.locator("#power .at")).to_have_text(re.compile("^newest, Thu 12 Mar, 0[78]:"))
    click_while_waiting("Day", "+", "+")
    expect(label).to_have_text("12 March 2026, 09:00 to 15:00")
    click_while_waiting("°F", "Today")
    expect(label).to_have_text("Thursday, 12 March 2026")
    expect(page.locator("#temperatures .summary")).to_contain_text("°F")
    click_while_waiting("°C", "°F", "°C")
    expect(page.locator("#temperatures .summary")).to_contain_text("°C")


def test_one_cursor_reads_all_charts(bench: Any, same_page: Page, browser_thread: Any) -> None:
    page = open_day(bench, same_page)
    newest = statuses_of_day()[max(statuses_of_day())]
    legend = page.locator("#power .legend b")
    expect(legend).to_have_text(f"{int(newest.current_inst_power)} W")
    power = page.get_by_role("slider", name="Power at a time")
    power.focus()
    for key in ("Home", "ArrowRight", "ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    when = DAY + 12 * POLL
    status = statuses_of_day()[when]
    expect(legend).to_have_text(f"{int(status.current_inst_power)} W")
    expect(power).to_have_attribute(
        "aria-valuetext", re.compile(rf"01:00: Power {int(status.current_inst_power)} W")
    )
    upper = f"{status.tank_upper_temperature.celsius:.1f} °C"
    expect(page.locator("#temperatures .legend b").first).to_have_text(upper)
    expect(page.locator("#charge .legend b")).to_have_text(f"{int(status.dhw_charge_percent)} %")
    expect(page.locator(".mark path")).to_have_count(3)
    at = page.locator("#power .at")
    page.keyboard.press("Escape")
    expect(at).to_have_text("newest, 23:55")

    # A finger that scrolls the page reads nothing; a tap does, and another one at its place ends that.
    def place() -> dict[str, float]:
        box = page.locator("#charge .reader").bounding_box()
        return {"x": box["x"] + box["width"] * 0.75, "y": box["y"] + box["height"] / 2}

    start, session = place(), page.context.new_cdp_session(page)
    for kind, up in (("Start", 0), ("Move", 20), ("Move", 60), ("Move", 150), ("Cancel", 150)):
        points = [] if kind == "Cancel" else [{**start, "y": start["y"] - up}]
        session.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
    page.wait_for_function("() => scrollY > 50")
    expect(at).to_have_text("newest, 23:55")
    page.touchscreen.tap(**place())
    expect(at).to_contain_text(re.compile("1[78]:"))
    page.touchscreen.tap(**place())
    expect(at).to_have_text("newest, 23:55")


def test_new_values_are_added_unless_the_past_is_read(
    open_bench: Any, new_page: NewPage, browser_thread: Any
) -> None:
    bench = open_bench()
    with Database(bench.folder / "history.db") as database:
        HistoryStore(database).prune(to_ms(NOW - timedelta(hours=2)))
    opened = new_page()
    opened.page.clock.install()
    sockets: list[Any] = []
    opened.page.on("websocket", lambda socket: sockets.append(socket))
    page = opened.open(bench.new_address())
    newest = page.locator("#power .at")
    expect(newest).to_have_text(re.compile("newest, 0[78]:"))
    expect(page.locator("#runs")).to_contain_text("known from Thu 12 Mar 2026, 06:00 on")

    def store() -> None:
        stored = lambda text: '"type":"history"' in text  # noqa: E731
        with sockets[0].expect_event("framereceived", stored):
            bench.advance(minutes=10)
            bench.refresh()
        page.clock.fast_forward("00:10")

    store()
    expect(newest).to_have_text("newest, 08:10")
    asked(page, page.get_by_role("button", name="Zoom in").click)
    expect(page.locator("#zoomed")).to_be_visible()
    count = len(opened.asked_for("series"))
    store()
    expect(newest).not_to_contain_text("08:20")
    assert len(opened.asked_for("series")) == count
    page.get_by_role("button", name="Today").click()
    expect(newest).to_have_text("newest, 08:20")


def test_a_year_is_one_request_of_bounded_size(
    bench: Any, same_page: Page, browser_thread: Any
) -> None:
    page = same_page.open(bench.new_address())
    kinds = ("series", "periods", "runs", "events")
    before = [len(same_page.asked_for(kind)) for kind in kinds]
    with page.expect_response(lambda answer: "/series?" in answer.url) as answer:
        page.locator(".spans").get_by_text("Year").click()
    series = json.loads(answer.value.text())
    expect(page.locator("#range")).to_have_text("2026")
    expect(page.locator("#totals dt").first).to_have_text("2026")
    assert series["bucket_ms"] == DAY_MS and len(series["times"]) == 365
    assert [len(same_page.asked_for(kind)) for kind in kinds] == [count + 1 for count in before]
    assert page.locator("#charts").evaluate("one => one.querySelectorAll('*').length") < 400
