"""A headless Chromium for the tests of the page, in a thread of its own.

Playwright runs an event loop in the thread that uses it, where coroutine tests could not run then. So
the tests of this folder run in that thread; their fixtures do not.
"""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from support.browser_page import BROWSERS, LIMIT, WORDS, Page


@pytest.fixture(scope="session")
def browser_thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1, "browser") as executor:
        yield executor


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: Any) -> bool | None:
    """Run a test in the thread of the browser."""
    thread = pyfuncitem.funcargs.get("browser_thread")
    if thread is None:
        return None
    names = pyfuncitem._fixtureinfo.argnames
    values = {name: pyfuncitem.funcargs[name] for name in names}
    thread.submit(pyfuncitem.obj, **values).result()
    return True


@pytest.fixture(scope="session")
def browser(browser_thread: ThreadPoolExecutor, find_program: Callable[..., str]) -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = os.environ.get("CHROMIUM") or find_program(*BROWSERS)
    words = WORDS + ["--no-sandbox"] * (hasattr(os, "geteuid") and os.geteuid() == 0)

    def start() -> tuple[Any, Any]:
        api.expect.set_options(timeout=LIMIT)
        playwright = api.sync_playwright().start()
        return playwright, playwright.chromium.launch(
            executable_path=program, args=words, timeout=2 * LIMIT
        )

    playwright, browser = browser_thread.submit(start).result()
    yield browser
    browser_thread.submit(browser.close).result()
    browser_thread.submit(playwright.stop).result()


@pytest.fixture
def new_page(browser: Any, browser_thread: ThreadPoolExecutor) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a page; its arguments are those of a browser context."""
    pages: list[Page] = []

    def open_page(**options: Any) -> Page:
        pages.append(Page(browser, **options))
        return pages[-1]

    yield open_page
    for page in pages:
        browser_thread.submit(page.close).result()


@pytest.fixture(scope="session")
def only_page(browser: Any, browser_thread: ThreadPoolExecutor) -> Iterator[Page]:
    page = browser_thread.submit(partial(Page, browser, has_touch=True)).result()
    yield page
    browser_thread.submit(page.close).result()


@pytest.fixture
def same_page(only_page: Page, browser_thread: ThreadPoolExecutor) -> Iterator[Page]:
    """A page that tests share, as a new one costs a second of the processor.

    It has neither cookies nor settings. Name it after the fixture of the dashboard.
    """
    yield only_page
    browser_thread.submit(only_page.forget).result()


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history of a day, for the first simulated heater."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    from support.dashboard_bench import write_history

    path = tmp_path_factory.mktemp("history") / "history.db"
    write_history(path)
    return path


@pytest.fixture
def open_bench(history: Path, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Return a function that starts a dashboard with this history."""
    from support.dashboard_bench import DashboardBench

    opened: list[Any] = []

    def open_one(**settings: Any) -> Any:
        shutil.copy(history, tmp_path / "history.db")
        opened.append(DashboardBench(tmp_path, **settings).__enter__())
        return opened[-1]

    yield open_one
    for bench in opened:
        bench.__exit__()


@pytest.fixture(scope="session")
def bench(history: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A dashboard that the tests which change nothing share."""
    from support.dashboard_bench import DashboardBench

    folder = tmp_path_factory.mktemp("shared")
    shutil.copy(history, folder / "history.db")
    with DashboardBench(folder) as running:
        yield running
