"""The routes of the history: what is added to its JSON, and the recording as a file."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from typing import Any, Iterator

import pytest

pytest.importorskip("sqlalchemy")

from navien_nwp500.analysis.prices import FixedPrices, PriceInterval, PriceSeries
from navien_nwp500.history.csv_format import parse_recording
from navien_nwp500.history.schema import to_ms
from support.dashboard_bench import DAY, GAP, NOW, ZONE, DashboardBench, recorded_day, write_history

PRICE = 0.25


@pytest.fixture(name="bench", scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DashboardBench]:
    folder = tmp_path_factory.mktemp("history")
    write_history(folder / "history.db")
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    interval = PriceInterval(start, start + timedelta(days=365), PRICE)
    prices = FixedPrices(PriceSeries([interval], currency="USD"))
    with DashboardBench(folder, prices=prices) as bench:
        bench.refresh()
        yield bench


class Page:
    """A browser that has signed in."""

    def __init__(self, bench: DashboardBench) -> None:
        self._place = bench.address.rstrip("/")
        body = json.dumps({"token": bench.access.new_token()}).encode()
        request = urllib.request.Request(
            f"{self._place}/api/session", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            self._cookie = answer.headers["Set-Cookie"].partition(";")[0]

    def open(self, path: str, **headers: str) -> Any:
        url = f"{self._place}/api/heaters/1/{path}"
        request = urllib.request.Request(url, headers={"Cookie": self._cookie, **headers})
        return urllib.request.urlopen(request, timeout=60)

    def get(self, path: str) -> Any:
        with self.open(path) as answer:
            return json.load(answer)


@pytest.fixture(name="page", scope="module")
def signed_in(bench: DashboardBench) -> Page:
    return Page(bench)


DAY_RANGE = f"from={to_ms(DAY)}&to={to_ms(DAY + timedelta(days=1))}"


def test_runs_tell_why_and_what_they_cost(page: Page) -> None:
    runs = page.get(f"runs?{DAY_RANGE}")["runs"]
    assert len(runs) >= 2 and runs == sorted(runs, key=lambda run: -run["start"])
    for run in runs:
        assert run["cost"] == pytest.approx(run["energy_wh"] / 1000 * PRICE, abs=0.01)
        assert run["cause"] and run["certainty"] in ("sure", "likely", "unknown")
    assert all("the lower tank fell to its start point" in run["cause"] for run in runs[:2])
    assert any(run["stop"] for run in runs)


def test_periods_have_their_cost(page: Page) -> None:
    found = page.get(f"periods?span=day&at={to_ms(DAY)}")
    assert (found["by"], found["currency"], len(found["rows"])) == ("hour", "USD", 24)
    assert found["total"]["cost"] == pytest.approx(found["total"]["energy_wh"] / 1000 * PRICE, 0.01)


def test_the_present_has_a_forecast(page: Page) -> None:
    now = page.get("now")
    assert now["forecast"]["text"] and now["forecast"]["situation"]
    assert now["time"] == to_ms(NOW)


def test_the_present_is_that_of_the_heater(page: Page) -> None:
    """Its clock stands still in March; that of this machine does not."""
    assert page.get("series")["range"]["from"] == to_ms(NOW.replace(hour=0))
    assert page.get("periods?span=year")["total"]["label"] == "2026"


def test_gaps_are_gaps_and_events(page: Page) -> None:
    gap = [to_ms(GAP[0] - timedelta(minutes=5)), to_ms(GAP[1])]
    series = page.get(f"series?{DAY_RANGE}&points=288")
    assert len(series["gaps"]) == 1 and series["gaps"][0][1] == gap[1]
    (event,) = (one for one in page.get(f"events?{DAY_RANGE}")["events"] if one["kind"] == "gap")
    assert event["ended"] == gap[1] and gap[0] <= event["time"] < gap[1]


def test_a_day_as_a_recording_is_what_was_recorded(page: Page) -> None:
    with page.open(f"csv?{DAY_RANGE}") as answer:
        found, headers = answer.read(), answer.headers
    assert headers["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(
        r'attachment; filename="heater-1-[\d-]+-to-[\d-]+\.csv"', headers["Content-Disposition"]
    )
    (block,) = parse_recording(found).blocks
    expected = [when for when, _ in recorded_day() if when < DAY + timedelta(days=1)]
    assert len(block.rows) == len(expected)
    first = datetime.fromisoformat(block.rows[0].decode().split(",")[0])
    assert first == expected[0] and first.utcoffset() == expected[0].astimezone(ZONE).utcoffset()


def test_large_answers_are_compressed(page: Page) -> None:
    with page.open("series?span=month", **{"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        small = len(answer.read())
    assert small < len(json.dumps(page.get("series?span=month"))) / 4
    with page.open("now", **{"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] is None


@pytest.mark.parametrize(
    "path",
    [
        "series?span=decade", "series?span=day&at=x", "series?points=0", "series?points=2001",
        "series?from=1", "series?from=2&to=1", "series?span=day&at=999999999999999",
        "series?unit=K", "periods?span=", "periods?at=-5", "runs", "runs?from=1", "events?to=2",
        "runs?from=5&to=5", "csv?from=0&to=1e9", "csv?from=1", "csv?from=9&to=2530000000000000",
    ],
)  # fmt: skip
def test_a_range_that_is_none_is_told(page: Page, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as error, page.open(path):
        pass
    with error.value as answer:
        assert answer.status == 400
        assert json.load(answer)["error"]["code"] == "bad_request"
