"""Tests of the page in a browser: for keyboard, screen reader, phone, large text, and its weight."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable

import pytest

from support.browser_page import Page, expect

NewPage = Callable[..., Page]
PHONE = {"width": 390, "height": 844}


def violations(page: Any, within: str = "html") -> list[str]:
    """Return what axe finds wrong in a page, or in a part of it."""
    # Importing the package reads this file in the encoding of the machine.
    found = find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        pytest.skip("axe-playwright-python is not installed")
    page.evaluate(Path(found.origin).with_name("axe.min.js").read_text("utf-8"))
    results = page.evaluate("part => axe.run(part, {resultTypes: ['violations']})", within)
    return [
        f"{one['id']}: {node['html'][:120]}"
        for one in results["violations"]
        for node in one["nodes"]
    ]


def overflow(page: Any, width: int) -> list[str]:
    """Return the elements that reach beyond the right edge of their card, or of a window of this width."""
    found: list[str] = page.evaluate(
        """width => [...document.body.querySelectorAll('*')].filter(one => {
          const card = one.closest('.card');
          const edge = card ? card.getBoundingClientRect().right : width;
          return one.getBoundingClientRect().right > edge + 1 && !one.closest('.scroll, .unseen, svg');
        }).map(one => one.outerHTML.slice(0, 120))""",
        width,
    )
    # A phone shows a page that is too wide in a larger window.
    shown = page.evaluate("[innerWidth, document.documentElement.scrollWidth]")
    return found + ([] if shown == [width, width] else [f"the page is {shown} pixels wide"])


def test_axe_finds_nothing_in_light_and_dark(
    bench: Any, new_page: NewPage, browser_thread: Any
) -> None:
    opened = new_page()

    def check(within: str = "html") -> None:
        for colours in ("dark", "light"):
            opened.page.emulate_media(color_scheme=colours)
            assert violations(opened.page, within) == [], colours
            background = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (sum(map(int, re.findall(r"\d+", background))) < 200) == (colours == "dark")

    opened.page.goto(bench.address)
    expect(opened.page.locator("#secret")).to_be_focused()
    check()
    opened.page.goto("about:blank")
    page = opened.open(bench.new_address())
    # Values that change all the time are not read out.
    spoken = page.locator("[aria-live], [role=log], [role=status], [role=alert]")
    assert set(spoken.evaluate_all("found => found.map(one => one.id)")) == {
        "announcements",
        "command-status",
        "sign-in-error",
    }
    page.locator("#temperatures summary").click()
    expect(page.locator("#temperatures table")).to_be_visible()
    check()
    page.locator(".control.power").get_by_role("button", name="Off").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    check("#confirm")


def test_everything_is_reached_by_keyboard(
    open_bench: Any, same_page: Page, browser_thread: Any
) -> None:
    page = same_page.open(open_bench().new_address())

    def tab_to(target: Any) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if target.evaluate("one => one === document.activeElement"):
                outline = target.evaluate(
                    "one => getComputedStyle(one.nextElementSibling && one.type === 'radio'"
                    " ? one.nextElementSibling : one).outlineStyle"
                )
                assert outline == "solid"
                return
        raise AssertionError(f"{target} is not reached by Tab")

    tab_to(page.locator(".unit input:checked"))
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#facts")).to_contain_text("°C")
    tab_to(page.get_by_label("Temperature in °C"))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Set the temperature to 60 °C?")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#command-status")).to_have_class("confirmed")
    expect(page.locator("#facts")).to_contain_text("Set to60 °C")
    tab_to(page.locator(".spans input:checked"))
    page.keyboard.press("ArrowRight")
    expect(page.locator("#range")).to_have_text("9 to 15 March 2026")
    tab_to(page.locator("#power .reader"))
    page.keyboard.press("Home")
    expect(page.locator("#power .at")).to_have_text("Mon 9 Mar, 00:00")
    tab_to(page.locator("#power summary"))
    page.keyboard.press("Enter")
    expect(page.locator("#power table")).to_be_visible()
    tab_to(page.locator("#runs button").first)


def test_a_phone_with_large_text_has_no_overflow(
    bench: Any, new_page: NewPage, browser_thread: Any
) -> None:
    page = new_page(viewport=PHONE, has_touch=True, is_mobile=True).open(
        bench.new_address("&span=week")
    )
    assert overflow(page, 390) == []
    sizes = page.evaluate(
        """() => [...document.querySelectorAll('#content button, #content input:not([type=radio]), .choice label')]
          .filter(one => one.checkVisibility() && !one.classList.contains('link'))
          .map(one => one.getBoundingClientRect().height)"""
    )
    assert len(sizes) > 15 and min(sizes) >= 38
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    expect(page.locator("#power svg")).to_have_attribute("height", "320")
    assert overflow(page, 390) == []
    for width in (800, 1400):
        page.set_viewport_size({"width": width, "height": 900})
        # The charts follow the width of their place a frame later.
        page.wait_for_function("width => document.documentElement.scrollWidth === width", arg=width)
        assert overflow(page, width) == []


def test_nothing_moves_for_people_who_want_that(
    bench: Any, same_page: Page, browser_thread: Any
) -> None:
    moving = "getComputedStyle(document.querySelector('.tank .fan')).animationName"
    page = same_page.open(bench.new_address())
    page.locator("#tank").evaluate("tank => tank.classList.add('heat-pump')")
    for motion, name in (("no-preference", "turn"), ("reduce", "none")):
        page.emulate_media(reduced_motion=motion)
        assert page.evaluate(moving) == name


def test_the_page_is_light(bench: Any, new_page: NewPage, browser_thread: Any) -> None:
    opened = new_page()
    session = opened.context.new_cdp_session(opened.page)
    session.send("Network.enable")
    received: list[float] = []
    session.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    page = opened.open(bench.new_address())
    assert len(received) >= 20 and 20_000 < sum(received) < 100_000
    first = sum(received)
    with page.expect_response(lambda answer: "/events?" in answer.url):
        page.reload()
    # Its files are asked for again, and nothing new is sent.
    assert sum(received) - first < first / 2
    for span in ("Week", "Month", "Year", "Day") * 2:
        with page.expect_response(lambda answer: "/events?" in answer.url):
            page.locator(".spans").get_by_text(span).click()
    session.send("HeapProfiler.collectGarbage")
    assert session.send("Runtime.getHeapUsage")["usedSize"] < 10_000_000
    assert page.evaluate("document.querySelectorAll('*').length") < 2000
