"""Without JavaScript the page is a form: what it shows is the same, by submitting."""

from collections.abc import Callable
from functools import partial

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import Watch
from tests.browser.page_model import address, bars, count_told, digest_titles, fields, items, query, show_all, titles

Open = Callable[..., Page]


@pytest.fixture
def open_plain(open_page: Open) -> Open:
    return partial(open_page, java_script_enabled=False)


def test_the_form_is_submitted(open_plain: Open, service: httpx.Client) -> None:
    """A filter that is typed and submitted is shown, with its chart, entries and addresses."""
    page = open_plain()
    page.locator("#q").fill("agents")
    page.locator("#min_upvotes").fill("2")
    page.locator("#filter button[type=submit]").click()
    expect(page.locator("#in-words")).to_contain_text("agents, at least 2 upvotes")
    assert {"q": "agents", "min_upvotes": "2"} == fields(page)
    show_all(page)
    assert [item["title"] for item in items(service, address(page, "json"))] == titles(page)
    assert 0 < sum(bars(page).values()) <= count_told(page)


def test_digests_are_chosen(open_plain: Open, service: httpx.Client, watch: Watch) -> None:
    """Digests are chosen and submitted; a number that counts for nothing is told, an empty one is not sent on."""
    page = open_plain()
    expect(page.locator("#top")).to_be_hidden()
    page.get_by_label("Weekly best").check()
    page.locator("#top").fill("3")
    page.locator("#q").fill("agents")
    page.locator("#q").press("Enter")
    expect(page.locator("#in-words")).to_contain_text("1 entry a week, up to 3 papers: agents")
    assert {"q": "agents", "digest": "week", "top": "3"} == fields(page) == query(address(page, "rss"))
    assert [item["title"] for item in items(service, address(page, "json"))] == digest_titles(page) != []
    watch.expects("status of 400")
    page.get_by_label("All papers").check()
    page.locator("#q").press("Enter")
    expect(page.locator("#top-error")).to_contain_text("Needs digest=")
    page.locator("#top").fill("")
    page.locator("#q").press("Enter")
    expect(page.locator("#in-words")).to_contain_text("papers a day on average: agents")


def test_options_survive_a_submit(open_plain: Open) -> None:
    """What the further options say is still said after the next submit."""
    page = open_plain("?days=30&link=pdf&content=none&q=agents")
    page.locator("#q").fill("video")
    page.locator("#q").press("Enter")
    expect(page.locator("#in-words")).to_contain_text("video")
    assert {"q": "video", "days": "30", "link": "pdf", "content": "none"} == fields(page)
    assert {"q": "video", "days": "30", "link": "pdf", "content": "none"} == query(address(page, "rss"))


def test_links_do_what_they_do_with_script(open_plain: Open) -> None:
    """Examples and numbers of upvotes are links that lead to the filter."""
    page = open_plain()
    page.locator("#help summary").click()
    page.locator("#examples a").first.click()
    expect(page.locator("#q")).not_to_have_value("")
    words = page.locator("#q").input_value()
    page.locator('#thresholds a[data-min-upvotes="2"]').click()
    expect(page.locator("#in-words")).to_contain_text("at least 2 upvotes")
    assert {"q": words, "min_upvotes": "2"} == fields(page)


def test_a_wrong_filter_is_told(open_plain: Open, watch: Watch) -> None:
    """An error stands under its field, with what was typed."""
    watch.expects("status of 400")
    page = open_plain("?q=(agents")
    expect(page.locator("#q-error")).to_contain_text("At character 1")
    assert {"q": "(agents"} == fields(page)
    page.locator("#q").fill("agents")
    page.locator("#q").press("Enter")
    expect(page.locator("#in-words")).to_contain_text("agents")


def test_nothing_is_there_that_needs_script(open_plain: Open) -> None:
    """Buttons that need a script are not shown."""
    page = open_plain("?q=agents")
    assert ["submit"] == page.locator("button:visible").evaluate_all("found => found.map(button => button.type)")
    expect(page.locator("#saved")).to_be_hidden()
    page.locator("#ways summary").click()
    expect(page.locator("#how")).to_contain_text("Copy the address into your reader")


def test_nothing_found_is_a_way_on(open_plain: Open) -> None:
    """Where nothing is found, each way out that is offered finds as many as it says."""
    page = open_plain("?q=agents%20nonesuch&min_upvotes=3")
    assert 0 == count_told(page)
    offers = page.locator("#nothing a")
    hrefs = [link.get_attribute("href") for link in offers.all()]
    assert 0 < len(hrefs)
    for at, href in enumerate(hrefs):
        told = page.locator("#nothing li").nth(at).inner_text()
        offers.nth(at).click()
        expect(page.locator("#nothing")).to_have_count(0)
        assert query(href or "") == query(page.url)
        assert f"{count_told(page)} paper" in told
        page.go_back()
