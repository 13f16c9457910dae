"""What a page shows, as values; and what a feed holds, to compare with."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from playwright.sync_api import Locator, Page, expect


def show_all(page: Page) -> None:
    """Show all entries of this page of the feed, not only the first ten."""
    if page.locator("#more").count():
        page.locator("#more").click()
        expect(page.locator("#more")).to_have_count(0)


def titles(page: Page) -> list[str]:
    """Return the titles of the entries in their order."""
    return page.locator("#entries > li h3").all_inner_texts()


def digest_titles(page: Page) -> list[str]:
    """Return the titles of the digests that came, in their order."""
    return page.locator("#digests > li h3").all_text_contents()


def bars(page: Page) -> dict[str, int]:
    """Return the entries of each listing day in the chart, oldest first."""
    return dict(map(told, page.locator("#chart .day text").all_text_contents()))


def told(title: str) -> tuple[str, int]:
    """Return what a bar says, such as `Tue 10 Mar 2026: 4`, as a day and a number."""
    day, _, number = title.partition(": ")
    return datetime.strptime(day, "%a %d %b %Y").date().isoformat(), int(number)  # noqa: DTZ007


def fields(page: Page) -> dict[str, str]:
    """Return what is in the fields of the form, but for empty ones and choices that are the first."""
    read = """found => found
        .filter(field => field.name && (field.type !== "radio" || field.checked))
        .filter(field => field.tagName === "SELECT" ? field.selectedIndex : field.value)
        .map(field => [field.name, field.value])"""
    return dict(page.locator("#filter :is(input, select)").evaluate_all(read))


def query(address: str) -> dict[str, str]:
    """Return the parameters of an address."""
    return dict(parse_qsl(urlsplit(address).query, keep_blank_values=True))


def count_told(page: Page) -> int:
    """Return the number of papers that the live region tells."""
    told = re.match(r"([\d,]+) papers?\b", page.locator("#status").inner_text())
    assert told, page.locator("#status").inner_text()
    return int(told[1].replace(",", ""))


def address(page: Page, name: str) -> str:
    """Return the feed's address in the format `name`."""
    return page.locator(f"#subscribe a[data-format={name}]").get_attribute("href") or ""


def items(client: httpx.Client, address: str) -> list[dict[str, Any]]:
    """Return the items of the JSON feed at `address`, which is fetched as it stands."""
    answer = client.get(address)
    assert 200 == answer.status_code, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def settled(page: Page, words: str | re.Pattern[str]) -> None:
    """Wait until the results are those of a filter that is called `words`."""
    expect(page.locator("#in-words")).to_contain_text(words)


def has_focus(place: Locator) -> bool:
    """Say whether `place` has the focus of the keyboard."""
    found: bool = place.evaluate("element => element === document.activeElement")
    return found


def luminance(color: Sequence[float]) -> float:
    """Return the relative luminance of sRGB values from 0 to 255 (WCAG 2.2)."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (c / 255 for c in color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
