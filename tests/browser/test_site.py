"""A published site in a browser, from a plain file server under a path: how it looks, and that it needs no script."""

from collections.abc import Callable, Iterator
from itertools import combinations, pairwise

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from feedproxy.config import Config
from tests import static_host
from tests.browser.test_looks import NARROW, RULES, WIDE
from tests.test_named_feeds import write_feeds
from tests.test_site import ARABIC, make, toml

Open = Callable[..., Page]

_FEEDS = {
    "agents": ("Agents", "q=agents&min_upvotes=2"),
    "weekly": ("Best of the week", "digest=week"),
    "nothing": ('<script>alert(1)</script> & "quotes"', "q=nonesuch"),
    "words": ("Averylongword" * 15, "q=" + " OR ".join(f"rl{number}*" for number in range(32))),
    "arabic": (ARABIC * 8, "min_upvotes=50"),
    "monthly": ("Best of the month", "digest=month&q=nonesuch"),
}


@pytest.fixture(scope="module")
def address(service: httpx.Client, settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Publish the archive of `service`; the 404 page is also what a deep path without a file answers."""
    folder = tmp_path_factory.mktemp("published")
    with static_host.running(folder) as server:
        base = f"{server}/papers"
        chosen = settings | {"feeds": write_feeds(folder, toml(_FEEDS)), "public_url": base}
        files = make(Config.load({f"FEEDPROXY_{name.upper()}": text for name, text in chosen.items()}))
        static_host.write(folder / "papers", files | {"no/such/index.html": files["404.html"]})
        yield f"{base}/"


@pytest.fixture
def open_site(address: str, open_context: Callable[..., BrowserContext]) -> Open:
    """Open a page of the site without JavaScript, unless a test asks for it."""

    def opened(path: str = "", **options: object) -> Page:
        page = open_context(**({"java_script_enabled": False} | options)).new_page()
        page.goto(address + path)
        return page

    return opened


@pytest.mark.parametrize("path", ["", "no/such/"])
def test_axe_finds_nothing(path: str, open_site: Open) -> None:
    """axe-core finds no violation, wide and narrow, light and dark; style and icons load wherever the page is."""
    page = open_site(path, java_script_enabled=True, bypass_csp=True)  # axe-core is a script
    page.locator("details").evaluate_all("found => found.forEach(details => { details.open = true })")
    assert "864px" == page.locator("main").evaluate("main => getComputedStyle(main).maxWidth")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for size in (NARROW, WIDE):
            page.set_viewport_size(size)
            result = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
            assert 0 == result.violations_count, f"{scheme}, {size['width']} px: {result.generate_report()}"


@pytest.mark.parametrize("size", [NARROW, WIDE])
def test_nothing_overlaps_or_scrolls_sideways(size: dict[str, int], open_site: Open) -> None:
    """Long titles and addresses fit the page, and no line lies on another."""
    page = open_site(viewport=size, java_script_enabled=True)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    boxes = [place.bounding_box() for place in page.locator("main > *").all()]
    assert all(upper["y"] + upper["height"] <= lower["y"] + 1 for upper, lower in pairwise(boxes))
    cards = [card.bounding_box() for card in page.locator(".feed").all()]
    for one, other in combinations(cards, 2):
        beside = one["x"] + one["width"] <= other["x"] + 1 or other["x"] + other["width"] <= one["x"] + 1
        above = one["y"] + one["height"] <= other["y"] + 1 or other["y"] + other["height"] <= one["y"] + 1
        assert beside or above


def test_a_feed_opens(open_site: Open) -> None:
    """A card shows how much its feed brings and where it is; opened, its days and its newest papers."""
    page = open_site()
    card = page.locator("section:has(#feed-agents)")
    assert card.bounding_box()["height"] < 160
    expect(card.locator("small").first).to_contain_text("a day")
    card.locator("summary").click()
    expect(card.locator("svg")).to_be_visible()
    first = card.locator(".newest a").first
    assert (first.get_attribute("href") or "").startswith("https://huggingface.co/papers/")


def test_the_404_page_leads_home(open_site: Open, address: str) -> None:
    """From a page that is not there, at any depth, one click leads to the feeds."""
    page = open_site("no/such/")
    page.get_by_role("link", name="All feeds of this site").click()
    assert address == page.url


def test_the_files_are_read_over_http(address: str) -> None:
    """What the index links to is there under the path it is published at."""
    with httpx.Client(base_url=address) as client:
        for path in ("f/agents.rss", "f/weekly.atom", "f/words.json", "feeds.opml", "status.json", "static/style.css"):
            assert 200 == client.get(path).status_code
        assert address.rstrip("/") in client.get("feeds.opml").text
