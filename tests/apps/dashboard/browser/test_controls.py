"""Tests of the page in a browser: what is set, and what the heater says to it."""

from __future__ import annotations

import json
import re
from typing import Any, Callable

from navien_nwp500.protocol.types import DHWMode, HalfCelsius
from navien_nwp500.simulator.faults import DelayMessages, DropMessages, RefuseWrites
from support.browser_page import Page, expect

NewPage = Callable[..., Page]


def posts(opened: Page) -> list[dict[str, Any]]:
    """Note the commands that a page sends."""
    found: list[dict[str, Any]] = []
    opened.page.on(
        "request",
        lambda one: (
            found.append(json.loads(one.post_data))
            if one.method == "POST" and "/commands" in one.url
            else None
        ),
    )
    return found


def confirm(page: Any, question: str | re.Pattern[str]) -> None:
    """Answer yes to a question, whose safe answer has the focus."""
    dialog = page.get_by_role("dialog", name=question)
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    dialog.locator(".primary").click()
    expect(dialog).to_be_hidden()


def set_temperature(page: Any, degrees: int) -> None:
    field = page.get_by_label("Temperature in °F")
    field.fill(str(degrees))
    page.locator(".control.temperature .primary").click()
    confirm(page, f"Set the temperature to {degrees} °F?")


def test_what_is_asked_for_is_confirmed_by_the_heater(
    open_bench: Any, same_page: Page, browser_thread: Any
) -> None:
    bench = open_bench()
    sent = posts(same_page)
    page = same_page.open(bench.new_address())
    result = page.locator("#command-status")
    set_temperature(page, 123)
    expect(result).to_have_class("confirmed")
    expect(result).to_contain_text("50.5")
    expect(page.locator("#facts")).to_contain_text("Set to123 °F")
    page.locator(".control.mode").get_by_role("button", name="High demand").click()
    confirm(page, "Change the mode to high demand?")
    expect(page.locator("#facts")).to_contain_text("High demand")
    pressed = page.locator(".control.mode [aria-pressed=true]")
    expect(pressed).to_have_text("High demand")
    page.get_by_label("Days of vacation").fill("9")
    page.locator(".control.vacation .primary").click()
    confirm(page, "Start a vacation of 9 days?")
    expect(page.locator("#facts")).to_contain_text("Vacation9 days")
    page.locator(".control.vacation").get_by_role("button", name="End").click()
    confirm(page, "End the vacation?")
    expect(page.locator("#facts")).not_to_contain_text("9 days")
    page.locator(".control.tou").get_by_role("button", name="On").click()
    confirm(page, "Follow the time-of-use plan?")
    expect(page.locator("#facts")).to_contain_text("Time of useOn")
    page.locator(".control.power").get_by_role("button", name="Off").click()
    confirm(page, "Switch the heater off?")
    expect(page.locator("#facts")).to_contain_text("ModeOff")
    expect(page.locator("#activity")).to_contain_text("Switched off")
    names = [one["command"] for one in sent]
    assert names == ["temperature", "mode", "vacation", "vacation", "tou", "power"]
    assert len({one["id"] for one in sent}) == len(sent)
    assert bench.do(bench.heater().status).dhw_operation_setting == DHWMode.POWER_OFF


def test_cancel_sends_nothing_and_a_wrong_number_is_not_asked_for(
    bench: Any, same_page: Page, browser_thread: Any
) -> None:
    sent = posts(same_page)
    page = same_page.open(bench.new_address())
    page.locator(".control.power").get_by_role("button", name="Off").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    page.locator(".control.power").get_by_role("button", name="Off").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator(".control.power").get_by_role("button", name="Off")).to_be_focused()
    page.get_by_label("Temperature in °F").fill("300")
    page.locator(".control.temperature .primary").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert page.get_by_label("Temperature in °F").evaluate("one => one.validity.rangeOverflow")
    assert sent == []


def test_a_refusal_is_said_in_words(open_bench: Any, same_page: Page, browser_thread: Any) -> None:
    bench = open_bench()
    page = same_page.open(bench.new_address())
    bench.do(bench.faults.inject, RefuseWrites(fail_code=5))
    set_temperature(page, 123)
    expect(page.locator("#command-status")).to_have_class("refused")
    expect(page.get_by_role("status")).to_contain_text("NWP500 refused")


def test_no_answer_is_said_in_words(open_bench: Any, same_page: Page, browser_thread: Any) -> None:
    bench = open_bench(answer_timeout=1.5)
    page = same_page.open(bench.new_address())
    result = page.locator("#command-status")
    bench.do(bench.faults.inject, DropMessages())
    set_temperature(page, 123)
    expect(result).to_have_class("running")
    expect(result).to_contain_text("waiting for the heater's answer")
    expect(result).to_have_class("unanswered")
    expect(result).to_contain_text(re.compile("not answer|no answer|no response", re.I))


def test_a_double_click_and_a_reload_send_once(
    open_bench: Any, same_page: Page, browser_thread: Any
) -> None:
    bench = open_bench()
    sent = posts(same_page)
    page = same_page.open(bench.new_address())
    result = page.locator("#command-status")
    bench.do(bench.faults.inject, DelayMessages())
    page.get_by_label("Temperature in °F").fill("123")
    page.locator(".control.temperature .primary").dblclick()
    page.get_by_role("dialog").locator(".primary").dblclick(force=True, no_wait_after=True)
    expect(result).to_have_class("running")
    # Nothing else is sent until the answer is known.
    expect(page.locator(".control.power").get_by_role("button", name="Off")).to_be_disabled()
    page.locator(".control.power").get_by_role("button", name="Off").click(force=True)
    expect(page.get_by_role("dialog")).to_be_hidden()
    with page.expect_request(lambda one: sent[0]["id"] in one.url):
        page.reload()
    expect(result).to_have_class("running")
    bench.do(bench.faults.clear)
    expect(result).to_have_class("confirmed")
    assert len(sent) == 1
    assert bench.do(bench.heater().status).dhw_temperature_setting == HalfCelsius(101)
    page.reload()
    expect(page.locator("#facts")).to_contain_text("Set to123 °F")
    expect(result).to_be_empty()


def test_a_command_that_a_restarted_server_does_not_know_is_not_sent_again(
    open_bench: Any, same_page: Page, browser_thread: Any
) -> None:
    bench = open_bench()
    sent = posts(same_page)
    page = same_page.open(bench.new_address())
    page.route("**/commands", lambda route: route.abort())
    set_temperature(page, 123)
    expect(page.locator("#command-status")).to_contain_text("does not know this command")
    assert len(sent) == 1


def test_a_dashboard_that_only_shows_has_no_controls(
    open_bench: Any, same_page: Page, browser_thread: Any
) -> None:
    bench = open_bench(read_only=True)
    page = same_page.open(bench.new_address())
    expect(page.get_by_text("Read only")).to_be_visible()
    expect(page.locator("#controls")).to_be_hidden()
    assert page.locator("#controls-list").evaluate("one => one.childElementCount") == 0
