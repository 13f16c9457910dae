"""The numbers of the page are those of the feeds."""

import json
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from playwright.sync_api import Page

from feedproxy.cli import main
from tests.browser.page_model import bars, count_told

_DAYS = 30


def feed(settings: dict[str, str], query: str) -> list[str]:
    """Return the day of each entry that `feedproxy feed` writes for `query`, page by page, however old."""
    days: list[str] = []
    for page in count(1):
        made = _written(settings, f"{query}&days=3660&limit=200&page={page}".lstrip("&"))
        days += [item["date_published"][:10] for item in made["items"]]
        if "next_url" not in made:
            return days
    raise AssertionError


def _written(settings: dict[str, str], query: str) -> dict[str, Any]:
    places = [part for name, value in settings.items() for part in (f"--{name}", value)]
    made = CliRunner().invoke(main, ["feed", query, "--format", "json", "--no-refresh", *places])
    found: dict[str, Any] = json.loads(made.stdout)
    return found


def by_listing_day(days: list[str], listed: list[str]) -> dict[str, int]:
    """Return how many of `days` each day of `listed` has; a day without a listing counts for the last before it."""
    counts = Counter(max(known for known in listed if known <= day) for day in days if day >= listed[0])
    return {day: counts[day] for day in listed}


@pytest.fixture(scope="module")
def listed(settings: dict[str, str]) -> list[str]:
    """Return the last listing days, oldest first: those on which anything came."""
    return sorted(set(feed(settings, "")))[-_DAYS:]


@pytest.mark.parametrize(
    "query",
    ["", "q=agents", "min_upvotes=10", "q=video&min_upvotes=5", "q=speech&or_upvotes=20", "q=survey&min_upvotes=50"],
)
def test_the_chart_is_the_feed(
    query: str, settings: dict[str, str], listed: list[str], service: httpx.Client, open_page: Callable[..., Page]
) -> None:
    """Each bar is as high as the command's feed has entries on that day, and average and empty days follow of them."""
    expected = by_listing_day(feed(settings, query), listed)
    page = open_page(f"?{query}")
    assert expected == bars(page)
    assert _DAYS == len(expected)
    average, empty = page.locator("[data-average]"), page.locator("[data-empty]")
    assert sum(expected.values()) / _DAYS == pytest.approx(
        float(average.get_attribute("data-average") or "nan"), abs=0.01
    )
    assert sum(not number for number in expected.values()) == int(empty.get_attribute("data-empty") or "-1")


def test_thresholds_tell_the_average_of_their_own(open_page: Callable[..., Page]) -> None:
    """The average at each number of upvotes is the one its own chart has, and falls as the number rises."""
    page = open_page("?q=agents")
    read = "found => found.map(link => [link.dataset.minUpvotes, link.getAttribute('href'), link.innerText])"
    choices = page.locator("#thresholds a").evaluate_all(read)
    assert {"1", "2", "5", "10", "20", "50"} <= {number for number, _, _ in choices}
    averages = []
    for number, href, told in choices:
        page.goto(href)
        average = page.locator("[data-average]")
        assert average.inner_text() in told, number
        averages.append(float(average.get_attribute("data-average") or "nan"))
    assert sorted(averages, reverse=True) == averages


def test_the_count_is_of_all_entries(settings: dict[str, str], open_page: Callable[..., Page]) -> None:
    """The number of entries told is that of all pages of the feed, not of the first."""
    page = open_page("?days=3660")
    assert len(feed(settings, "")) == count_told(page) > 200
