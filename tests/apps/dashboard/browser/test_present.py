"""Tests of the page in a browser: the present state, the connection, the sign-in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Callable

import pytest

from navien_nwp500.apps.dashboard import api
from navien_nwp500.apps.dashboard.password_file import read_password_hash, write_password
from navien_nwp500.protocol.types import HalfCelsius
from navien_nwp500.simulator.faults import DropMessages
from support.browser_page import Page, expect, late_answers

NewPage = Callable[..., Page]
HIDE = """state => {
  Object.defineProperty(document, 'visibilityState', {get: () => state, configurable: true});
  document.dispatchEvent(new Event('visibilitychange'));
}"""


def test_it_shows_the_present_status_and_follows_it(
    open_bench: Any, same_page: Page, browser_thread: Any
) -> None:
    bench = open_bench()
    page = same_page.open(bench.new_address())
    assert "token" not in page.url
    status = bench.do(bench.heater().status)
    facts = page.locator("#facts")
    expect(facts).to_contain_text(f"Set to{status.dhw_temperature_setting.fahrenheit:.0f} °F")
    expect(page.locator("#tank .charge")).to_have_text(f"{int(status.dhw_charge_percent)} %")
    upper, lower = status.tank_upper_temperature, status.tank_lower_temperature
    shown = [f"{one.fahrenheit:.0f} °F" for one in (upper, lower)]
    expect(page.locator("#tank .degrees")).to_have_text(shown)
    expect(page.locator("#water-unit")).to_have_text("gallons of hot water left")
    expect(page.locator("#activity")).to_contain_text(f"{int(status.current_inst_power)} W")
    expect(page.locator("#age")).to_have_text("Status from just now.")
    bench.do(bench.heater().set_setpoint, HalfCelsius(100))
    bench.refresh()
    expect(facts).to_contain_text("Set to122 °F")
    bench.do(bench.heater().set_error_code, 799)
    bench.refresh()
    expect(page.locator("#alerts")).to_contain_text("799")
    expect(page.locator("#announcements")).to_contain_text("799")


def test_an_old_status_is_grey_and_called_old(
    open_bench: Any, new_page: NewPage, browser_thread: Any
) -> None:
    bench = open_bench()
    opened = new_page()
    opened.page.clock.install()
    page = opened.open(bench.new_address())
    expect(page.locator("#old")).to_be_hidden()
    bench.do(bench.faults.inject, DropMessages())
    page.clock.fast_forward("20:00")
    expect(page.locator("#age")).to_have_text(re.compile(r"^Status from \d+ minutes ago\.$"))
    expect(page.locator("#old")).to_contain_text("may no longer be true")
    expect(page.locator("#now")).to_have_class(re.compile("old"))
    bench.do(bench.faults.clear)
    bench.refresh()
    expect(page.locator("#age")).to_have_text("Status from just now.")
    expect(page.locator("#old")).to_be_hidden()


def test_a_stopped_server_is_named_and_found_again(
    open_bench: Any, new_page: NewPage, browser_thread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_bench()
    page = new_page().open(bench.new_address())
    page.get_by_label("Days of vacation").fill("33")
    bench.stop()
    expect(page.locator("#link")).to_have_text(re.compile("No connection, trying again in"))
    expect(page.locator("#old")).to_contain_text("The dashboard cannot be reached")
    expect(page.locator("#announcements")).to_contain_text(
        "The connection to the dashboard is lost."
    )
    monkeypatch.setattr(api, "__version__", "99.0")
    bench.do(bench.heater().set_setpoint, HalfCelsius(100))
    bench.start()
    expect(page.locator("#link")).to_have_text("Live")
    expect(page.locator("#announcements")).to_contain_text("Connected again.")
    expect(page.locator("#facts")).to_contain_text("Set to122 °F")
    expect(page.locator("#old")).to_be_hidden()
    expect(page.get_by_label("Days of vacation")).to_have_value("33")
    expect(page.locator("#outdated")).to_contain_text("updated")
    page.get_by_role("button", name="Reload the page").click()
    expect(page.locator("#outdated")).to_be_hidden()
    expect(page.locator("#link")).to_have_text("Live")


def test_a_hidden_page_has_no_connection(
    bench: Any, new_page: NewPage, browser_thread: Any
) -> None:
    opened = new_page()
    sockets: list[Any] = []
    opened.page.on("websocket", lambda socket: sockets.append(socket))
    page = opened.open(bench.new_address())
    link = page.locator("#link")
    with sockets[0].expect_event("close"):
        page.evaluate(HIDE, "hidden")
    # The title of a tab is read while another one is seen: it must hold nothing of the past.
    expect(link).to_have_text("Connecting …")
    expect(page).to_have_title(re.compile("^Hot water · "))
    page.evaluate(HIDE, "visible")
    expect(link).to_have_text("Live")
    expect(page).to_have_title(re.compile("^[0-9]+ % hot water · "))
    # Kept by the browser while another page was shown.
    with sockets[1].expect_event("close"):
        page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    expect(link).to_have_text("Connecting …")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    expect(link).to_have_text("Live")
    assert len(sockets) == 3
    expect(page.locator("#announcements")).to_be_empty()
    expect(page.locator("#old")).to_be_hidden()


def test_a_silent_connection_is_given_up_and_a_blocked_one_is_named(
    bench: Any, new_page: NewPage, browser_thread: Any
) -> None:
    opened = new_page()
    opened.page.clock.install()
    network = "passes"

    def connect(socket: Any) -> None:
        if network == "blocks":
            socket.close()
            return
        server = socket.connect_to_server()
        server.on_message(lambda text: socket.send(text) if network == "passes" else None)

    opened.page.route_web_socket("**/api/live", connect)
    page = opened.open(bench.new_address())
    link = page.locator("#link")
    # Cut without a word, as while a machine sleeps: the socket stays open.
    network = "swallows"
    page.clock.fast_forward("00:50")
    expect(link).to_have_text(re.compile("No connection"))
    network = "passes"
    page.clock.fast_forward("00:50")
    expect(link).to_have_text("Live")
    network = "blocks"
    page.clock.fast_forward("00:50")
    expect(page.locator("#old")).to_contain_text("must pass WebSockets")
    network = "passes"
    page.clock.fast_forward("00:15")
    expect(link).to_have_text("Live")
    expect(page.locator("#old")).to_be_hidden()


def test_seven_tabs_are_live(open_bench: Any, new_page: NewPage, browser_thread: Any) -> None:
    """Show that tabs need no lasting HTTP request: a browser has six connections to a server."""
    bench = open_bench()
    opened = new_page(viewport={"width": 390, "height": 600})
    tabs = [opened.open(bench.new_address()), *(opened.new_tab() for _ in range(6))]
    for tab in tabs[1:]:
        tab.goto(bench.address, wait_until="commit")
    for tab in tabs:
        expect(tab.locator("#link")).to_have_text("Live")
    bench.do(bench.heater().set_setpoint, HalfCelsius(100))
    bench.refresh()
    for tab in tabs:
        expect(tab.locator("#facts")).to_contain_text("Set to122 °F")


def test_one_signs_in_with_an_address_that_serves_once(
    bench: Any, new_page: NewPage, browser_thread: Any
) -> None:
    used = bench.new_address()
    new_page().open(used)
    page = new_page().page
    page.goto(used)
    expect(page.locator("#sign-in-error")).to_contain_text("already used")
    expect(page.get_by_label("Address or token")).to_be_focused()
    page.get_by_label("Address or token").fill(bench.new_address())
    page.keyboard.press("Enter")
    expect(page.locator("#link")).to_have_text("Live")
    expect(page.locator("#sign-in")).to_be_hidden()
    assert "token" not in page.url and page.evaluate("history.length") <= 2


def test_an_ended_session_has_a_way_back_in(
    open_bench: Any, same_page: Page, browser_thread: Any, tmp_path: Path
) -> None:
    write_password(tmp_path / "password", "correct horse")
    bench = open_bench(password_hash=read_password_hash(tmp_path / "password"))
    page = same_page.page
    page.goto(bench.address)
    expect(page.locator("#content")).to_be_hidden()
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("password")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#link")).to_have_text("Live")
    for path in (bench.folder / "access").glob("session-*"):
        path.unlink()
    page.get_by_role("button", name="Week").or_(page.get_by_text("Week")).first.click()
    expect(page.get_by_role("heading", name="Your sign-in has ended")).to_be_visible()
    expect(page.locator("#old")).to_be_visible()
    page.get_by_label("Password").fill("correct horse")
    page.keyboard.press("Enter")
    expect(page.locator("#sign-in")).to_be_hidden()
    expect(page.locator("#old")).to_be_hidden()
    expect(page.locator("#history-error")).to_be_hidden()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_heater_and_unit_are_chosen_and_remembered(
    open_bench: Any, same_page: Page, browser_thread: Any
) -> None:
    bench = open_bench(heaters=2)
    page = same_page.open(bench.new_address())
    bench.do(bench.heater(1).set_setpoint, HalfCelsius(101))
    bench.refresh(1)
    choice = page.get_by_label("Heater", exact=True)
    choice.select_option(index=1)
    expect(page.locator("#facts")).to_contain_text("Set to123 °F")
    page.locator(".unit").get_by_text("°C").click()
    expect(page.locator("#facts")).to_contain_text("Set to50.5 °C")
    expect(page.locator("#water-unit")).to_have_text("litres of hot water left")
    # What is said of a command names its heater where another one is shown.
    result = page.locator("#command-status")
    with late_answers(page, "**/commands"):
        page.locator(".control.power").get_by_role("button", name="Off").click()
        page.locator("#confirm-yes").click()
        expect(result).to_have_text(re.compile("^Switch the heater off: waiting"))
        choice.select_option(index=0)
        expect(result).to_have_text(re.compile("^NWP500 2: Switch the heater off: waiting"))
    expect(result).to_have_class("confirmed")
    expect(result).to_have_text(re.compile("^NWP500 2: "))
    # The charts are those of the last choice; until then no heater has those of another one.
    charts = page.locator("#power .reader")
    expect(charts).to_be_visible()
    with late_answers(page, "**/series?**"):
        for index in (1, 0, 1):
            choice.select_option(index=index)
        expect(charts).to_be_hidden()
        expect(page.locator("#runs")).to_be_hidden()
    expect(charts).to_be_visible()
    assert "heaters/2/" in page.locator("#csv").get_attribute("href")
    expect(page.locator("#runs")).to_be_visible()
    expect(result).to_be_empty()
    page.reload()
    expect(page.locator("#facts")).to_contain_text("Set to50.5 °C")
    assert choice.input_value() == "2"
