"""A page in a headless Chromium, which notes what it requests and what goes wrong."""

from __future__ import annotations

import re
from contextlib import contextmanager
from threading import Event
from typing import Any, Iterator
from urllib.parse import urljoin, urlsplit

#: Milliseconds for anything that takes a moment, on a busy machine.
LIMIT = 60_000
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WORDS = [
    # No name is looked up: every request off this machine fails, and is seen.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
]
#: What a browser says of answers that a test wants: an error, or no answer.
WANTED = re.compile("Failed to load resource|WebSocket connection to")


class Page:
    """A page in a context of its own, and what it did: requests, errors."""

    def __init__(self, browser: Any, **options: Any) -> None:
        # Without motion: drawing costs much where there is no graphics card.
        usual = {
            "viewport": {"width": 1400, "height": 900},
            "reduced_motion": "reduce",
            # Elsewhere than the heater, whose days are shown.
            "timezone_id": "Asia/Kolkata",
        }
        self.context = browser.new_context(**{**usual, **options})
        self.context.set_default_timeout(LIMIT)
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.page = self.new_tab()

    def new_tab(self) -> Any:
        """Open a further tab, and return it."""
        page = self.context.new_page()
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._note)
        return page

    def _note(self, message: Any) -> None:
        if message.type == "error" and not WANTED.match(message.text):
            self.errors.append(message.text)

    def open(self, address: str) -> Any:
        """Open an address, and return the page when it shows a status and its history."""
        self.page.goto(address)
        expect(self.page.locator("#link")).to_have_text("Live")
        expect(self.page.locator("#tank")).to_have_accessible_name(re.compile("% hot"))
        expect(self.page.locator("#charge .legend b")).to_have_text(re.compile("%$"))
        expect(self.page.locator("#history")).not_to_have_attribute("aria-busy", "true")
        return self.page

    def asked_for(self, what: str) -> list[str]:
        """Return the requests so far for one kind of the API, such as series."""
        return [url for url in self.requests if f"/{what}" in urlsplit(url).path]

    def check(self) -> None:
        """Check that nothing was wrong, and nothing was requested from elsewhere; forget it."""
        errors, requests = self.errors[:], self.requests[:]
        self.errors.clear()
        self.requests.clear()
        assert errors == []
        assert [url for url in requests if not url.startswith(("http://127.0.0.1:", "blob:"))] == []

    def forget(self) -> None:
        """Leave the dashboard, which still runs, without cookies and settings; check what was done."""
        self.page.unroute_all()
        # A page of the same server: for another one the browser starts another process.
        self.page.goto(urljoin(self.page.url, "/none"))
        self.page.evaluate("localStorage.clear()")
        self.context.clear_cookies()
        self.check()

    def close(self) -> None:
        """Close it, and check what it did."""
        self.context.close()
        self.check()


@contextmanager
def late_answers(page: Any, addresses: str) -> Iterator[None]:
    """Hold the answers to what is requested meanwhile; then all come, the first one last."""
    hold, held = Event(), []
    hold.set()
    page.route(addresses, lambda route: held.append(route) if hold.is_set() else route.continue_())
    yield
    hold.clear()
    while held:
        held.pop().continue_()


def expect(found: Any) -> Any:
    """Return assertions of Playwright, which wait until they hold."""
    from playwright.sync_api import expect as expectation

    return expectation(found)
