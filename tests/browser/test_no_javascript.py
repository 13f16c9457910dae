"""What a person takes away from the page: addresses to copy, links to subscribe by, filters kept as OPML."""

import json
from collections.abc import Callable, Iterator
from urllib.parse import unquote, urljoin

import feedparser
import httpx
import listparser
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from feedproxy.config import Config
from feedproxy.feeds import FORMATS
from tests import month
from tests.browser.chromium import LAN
from tests.browser.conftest import opening
from tests.browser.page_model import address, digest_titles, items, query, settled, show_all, titles
from tests.conftest import serving

Open = Callable[..., Page]
_FORMATS = ("rss", "atom", "json")
_PUBLIC = "https://feeds.example.org"


@pytest.fixture
def clipboard(open_page: Open) -> Open:
    """Open a page that may use the clipboard."""

    def opened(path: str) -> Page:
        return open_page(path, permissions=["clipboard-read", "clipboard-write"])

    return opened


@pytest.mark.parametrize("place", ["#copy", "#ways summary"])
def test_an_address_is_copied(place: str, clipboard: Open, service: httpx.Client) -> None:
    """Copy and Subscribe copy the address and say so; exactly that address is the feed that was shown."""
    page = clipboard("?q=agents%20-survey&min_upvotes=2&limit=20&show=20")
    count = page.locator("#status").inner_text()
    page.locator(place).click()
    expect(page.locator("#copy")).to_have_text("Copied")
    expect(page.locator("#message")).to_have_text("The address is copied.")
    assert count == page.locator("#status").inner_text()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert address(page, "rss") == copied
    assert service.base_url.host in copied
    for name in _FORMATS:
        answer = service.get(address(page, name))
        found = json.loads(answer.text)["items"] if name == "json" else feedparser.parse(answer.content).entries
        assert [item["title"] for item in found] == titles(page) != []


def test_subscribe_says_what_to_do(clipboard: Open) -> None:
    """Subscribe opens below the address, says that it is copied, and is in sight."""
    page = clipboard("?q=agents")
    expect(page.locator("#how")).to_be_hidden()
    page.locator("#ways summary").press("Enter")
    expect(page.locator("#how")).to_have_text("Copied. Paste it into your reader, or use:")
    expect(page.locator("#ways p").last).to_be_in_viewport(ratio=1)


def test_the_address_of_digests_is_copied_and_saved(clipboard: Open, service: httpx.Client) -> None:
    """What is copied is the feed of the digests on the page; a saved filter of digests leads back to them."""
    page = clipboard("?q=agents&digest=week&top=3")
    page.locator("#copy").click()
    expect(page.locator("#copy")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert [item["title"] for item in items(service, address(page, "json"))] == digest_titles(page) != []
    page.locator("#save").click()
    page.get_by_label("All papers").check()
    settled(page, "papers a day on average: agents")
    page.locator("#saved li a").click()
    settled(page, "1 entry a week, up to 3 papers: agents")
    assert copied == address(page, "rss")


@pytest.fixture
def on_lan(service: httpx.Client, open_page: Open) -> Page:
    """Open a page of agents as another machine's on plain HTTP, where browsers have no clipboard."""
    page = open_page(str(service.base_url.copy_with(host=LAN, query=b"q=agents")))
    assert [False, "undefined"] == page.evaluate("[isSecureContext, typeof navigator.clipboard]")
    return page


def pasted(page: Page) -> str:
    """Return what the keyboard pastes."""
    page.evaluate("document.body.append(document.createElement('textarea'))")
    page.locator("textarea").press("Control+V")
    return page.locator("textarea").input_value()


def test_copying_without_a_clipboard(on_lan: Page) -> None:
    """Where the browser has no clipboard the address is copied all the same, and the button and the region say so."""
    button = on_lan.locator("#copy")
    button.click()
    expect(button).to_have_text("Copied")
    expect(on_lan.locator("#message")).to_have_text("The address is copied.")
    copied = address(on_lan, "rss")
    assert f"http://{LAN}:" in copied
    assert copied == pasted(on_lan)


def test_copying_that_fails_says_what_to_do(on_lan: Page) -> None:
    """Where the browser copies nothing the address is selected, and the button says that the keys named copy it."""
    on_lan.evaluate("document.execCommand = () => false")
    button = on_lan.locator("#copy")
    button.click()
    expect(button).to_have_text("Press Ctrl+C")
    expect(on_lan.locator("#message")).to_have_text("The address is selected: Ctrl+C copies it.")
    on_lan.keyboard.press("Control+C")
    assert address(on_lan, "rss") == pasted(on_lan)


def test_the_page_names_its_feeds(open_page: Open, service: httpx.Client) -> None:
    """A reader that is given the page's address finds the feeds of its query, also after the script changed it."""
    page = open_page("?q=agents")
    page.locator('#thresholds a[data-min-upvotes="5"]').click()
    settled(page, "at least 5 upvotes")
    read = "found => found.map(link => link.href)"
    live = page.locator("head link[rel=alternate]").evaluate_all(read)
    assert [address(page, name) for name in _FORMATS] == live
    page.reload()
    assert live == page.locator("head link[rel=alternate]").evaluate_all(read)
    show_all(page)
    assert [item["title"] for item in items(service, live[2])] == titles(page)


def test_readers_are_handed_the_address(open_public: Open) -> None:
    """The link to subscribe and those to readers in the web hold the whole address of the RSS feed."""
    page = open_public('?q="tool use" OR rag&min_upvotes=2')
    rss = address(page, "rss")
    assert f"feed:{rss}" == page.locator("a.subscribe").get_attribute("href")
    links = [link.get_attribute("href") or "" for link in page.locator("#readers a:not(.subscribe)").all()]
    assert {"feedly.com", "www.inoreader.com", "www.newsblur.com"} <= {httpx.URL(link).host for link in links}
    assert all(unquote(link).endswith(rss) or unquote(link).endswith(unquote(rss)) for link in links)
    assert all("&min_upvotes" not in link for link in links)


def test_filters_are_kept_and_read_back(open_page: Open, service: httpx.Client) -> None:
    """Two filters are kept over a reload, one is taken out again, and the OPML file holds the other."""
    page = open_page("?q=agents%20%22tool%20use%22&min_upvotes=2")
    first = address(page, "rss")
    page.locator("#save").click()
    page.locator("#q").fill("video")
    settled(page, "video")
    second = address(page, "rss")
    page.locator("#save").click()
    expect(page.locator("#saved li")).to_have_count(2)
    page.reload()
    expect(page.locator("#saved li")).to_have_count(2)
    expect(page.locator("#save")).to_have_text("Saved ✓")
    assert [first, second] == _subscriptions(service, page)
    page.locator("#saved li button").first.click()
    expect(page.locator("#saved li")).to_have_count(1)
    assert [second] == _subscriptions(service, page)
    page.reload()
    assert [second] == _subscriptions(service, page)
    page.locator("#saved li a").click()
    settled(page, "video")
    page.locator("#save").click()
    expect(page.locator("#save")).to_have_text("Save")
    expect(page.locator("#saved")).to_be_hidden()


def _subscriptions(service: httpx.Client, page: Page) -> list[str]:
    """Return the addresses in the OPML file that the page offers, as a reader reads it; each is a feed."""
    answer = service.get(urljoin(page.url, page.locator("a#opml").get_attribute("href")))
    assert 200 == answer.status_code, answer.text
    read = listparser.parse(answer.content)
    assert not read.bozo
    assert all(200 == service.get(feed.url).status_code for feed in read.feeds)
    return [feed.url for feed in read.feeds]


@pytest.mark.parametrize(
    "stored", ["{", "null", '[null, 1, {"query": 1}]', '[{"query": "q=\\ud800"}]', '"<img src=x onerror=pwned=1>"']
)
def test_a_spoilt_store_breaks_nothing(stored: str, open_page: Open) -> None:
    """What cannot be read in the browser's store is passed over, and keeping works."""
    page = open_page("?q=agents")
    page.evaluate("text => localStorage.setItem('feedproxy.filters', text)", stored)
    page.reload()
    page.locator("#save").click()
    expect(page.locator("#saved li")).to_have_count(1)
    assert {"q": "agents"} == query(page.locator("#saved li a").get_attribute("href") or "")
    assert page.evaluate("typeof pwned") == "undefined"


def test_nothing_is_said_to_be_kept_that_is_not(open_page: Open) -> None:
    """Where the browser refuses to store anything, the page says that, and does not claim to have kept the filter."""
    page = open_page("?q=agents")
    page.evaluate(
        "() => { Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }; }"
    )
    page.locator("#save").click()
    expect(page.locator("#message")).to_have_text("This browser does not let the page save anything.")
    expect(page.locator("#message")).to_be_in_viewport()
    expect(page.locator("#save")).to_have_text("Save")


def test_kept_filters_stand_before_the_entries(open_page: Open) -> None:
    """What is kept is listed where it can be seen, whole on a phone too, and not below the entries."""
    page = open_page("?q=agents", viewport={"width": 360, "height": 740})
    page.locator("#save").click()
    list_, results = page.locator("#saved").bounding_box(), page.locator("#results").bounding_box()
    assert list_["y"] + list_["height"] <= results["y"]
    button = page.locator("#saved button")
    assert 44 <= button.bounding_box()["height"] < 50
    expect(button).to_have_attribute("aria-label", "Remove agents")
    expect(page.locator("#saved [aria-current]")).to_have_text("agents")


def test_addresses_are_whole_on_a_phone(open_page: Open) -> None:
    """On a narrow page an address is shown to its end."""
    page = open_page("?q=agents&min_upvotes=2", viewport={"width": 360, "height": 740})
    hidden = "found => found.filter(link => link.scrollHeight > link.clientHeight).length"
    links = page.locator("#subscribe a[data-format]")
    assert (len(FORMATS), 0) == (links.count(), links.evaluate_all(hidden))


@pytest.fixture
def open_public(settings: dict[str, str], open_context: Callable[..., BrowserContext]) -> Iterator[Open]:
    """Open a page of the same papers, served under a public address."""
    chosen = settings | {"public_url": _PUBLIC}
    config = Config.load({f"FEEDPROXY_{name.upper()}": text for name, text in chosen.items()})
    with serving(config, lambda: month.NOW) as client:
        yield opening(client, open_context)


def test_filters_are_kept_for_one_browser(open_page: Open) -> None:
    """Nobody else sees what was kept."""
    open_page("?q=agents").locator("#save").click()
    expect(open_page("?q=agents").locator("#saved")).to_be_hidden()
