"""How the page looks and what it weighs: narrow, dark, calm, and without a barrier that axe-core knows of."""

import gzip
from collections.abc import Callable
from itertools import pairwise
from urllib.parse import quote, urljoin

import httpx
import lxml.html
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from feedproxy.query.interests import interests
from tests.browser.chromium import Watch
from tests.browser.page_model import luminance, settled

Open = Callable[..., Page]
NARROW = {"width": 360, "height": 740}
WIDE = {"width": 1280, "height": 900}
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice")
# A few entries are as good as many: axe-core looks at each of them.
_PAGES = (
    "?limit=4",
    "?q=agents&min_upvotes=2&limit=4",
    "?q=rl&digest=week&top=3",
    "?q=%22agents",
    "?q=nonesuch",
    "?days=0",
    "status",
)


@pytest.mark.parametrize("path", _PAGES)
def test_axe_finds_nothing(path: str, open_page: Open, watch: Watch) -> None:
    """axe-core finds no violation, wide and narrow, light and dark, with all options open."""
    if path in ("?q=%22agents", "?days=0"):
        watch.expects("status of 400")
    page = open_page(path)
    page.locator("details").evaluate_all("found => found.forEach(details => { details.open = true })")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for size in (NARROW, WIDE):
            page.set_viewport_size(size)
            found = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
            assert 0 == found.violations_count, f"{scheme}, {size['width']} px: {found.generate_report()}"
            assert 20 < len(found.response["passes"])


@pytest.mark.parametrize("path", ["", "?q=agents&min_upvotes=2", "?digest=week", "?q=nonesuch", "status"])
def test_narrow_is_one_column(path: str, open_page: Open) -> None:
    """At 360 pixels nothing scrolls sideways, and what was side by side stands below one another."""
    page = open_page(path, viewport=NARROW)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    places = page.locator("main > :not(section):visible, main > section > :visible").all()
    boxes = sorted((place.bounding_box() for place in places), key=lambda box: box["y"])
    assert all(upper["y"] + upper["height"] <= lower["y"] + 1 for upper, lower in pairwise(boxes))
    assert all(0 <= box["x"] and box["x"] + box["width"] <= NARROW["width"] for box in boxes)


@pytest.mark.parametrize("size", [NARROW, WIDE])
def test_a_long_filter_is_short(size: dict[str, int], open_page: Open) -> None:
    """A ready-made filter is called by its title, and the addresses of a long filter take two lines each."""
    (feed,) = (feed for feed in interests() if feed.name == "image-generation")
    page = open_page(f"?{feed.query}", viewport=size)
    settled(page, feed.title)
    assert page.locator("#subscribe").bounding_box()["height"] < 200
    words = quote(" OR ".join(f"nonesuch{number}" for number in range(25)))
    page.goto(f"./?q=agents%20OR%20{words}")
    assert page.locator("#in-words").bounding_box()["height"] < 100


@pytest.mark.parametrize("path", ["", "?q=rl&min_upvotes=2", "?q=rl&digest=week&top=5", "?q=rag&min_upvotes=3"])
def test_what_matters_is_above_the_fold(path: str, open_page: Open) -> None:
    """At 1280 by 900 the filter, what it brings and the whole of Subscribe are in sight."""
    page = open_page(path, viewport=WIDE)
    expect(page.locator("#save")).to_be_visible()
    for place in ("#q", "#thresholds", "#digest", "#in-words", "#subscribe section"):
        box = page.locator(place).bounding_box()
        assert 0 <= box["y"] <= box["y"] + box["height"] <= WIDE["height"], place
    assert page.locator("#address a").bounding_box()["y"] < page.locator("#ways summary").bounding_box()["y"]


@pytest.mark.parametrize(
    "size", [{"width": 390, "height": 844}, {"width": 1366, "height": 768}, {"width": 1024, "height": 768}]
)
@pytest.mark.parametrize("path", ["", "?q=rl&min_upvotes=2", "?q=rl&digest=week&top=5"])
def test_small_screens_have_the_number_and_the_button(path: str, size: dict[str, int], open_page: Open) -> None:
    """On a phone and on small laptops how much it brings and Subscribe are in sight, on the phone in this order."""
    page = open_page(path, viewport=size)
    expect(page.locator("#save")).to_be_visible()
    number, button = (page.locator(place).bounding_box() for place in ("#in-words", "#ways summary"))
    assert max(number["y"] + number["height"], button["y"] + button["height"]) <= size["height"]
    assert (number["y"] < button["y"], number["x"] < 100) == (True, size["width"] == 390)


def test_what_is_chosen_keeps_its_place(open_page: Open) -> None:
    """What one points at stays there while results are replaced, wider filters come, and numbers go."""
    page = open_page("", viewport=WIDE)
    expect(page.locator("#save")).to_be_visible()
    place = page.locator("#digest").bounding_box()
    page.get_by_label("Weekly best").check()
    expect(page.locator("#rhythm")).to_be_visible()
    assert place == page.locator("#digest").bounding_box()
    for name in ("#help", "#choices .more"):
        summary = page.locator(f"{name} summary")
        before = summary.bounding_box()
        summary.click()
        assert before["x"] == summary.bounding_box()["x"]
        assert page.locator("#q").bounding_box()["y"] < summary.bounding_box()["y"] + 40 or name != "#help"


def test_forced_colours_show_what_is_chosen(open_page: Open) -> None:
    """Where the system sets the colours what is chosen differs from what is not, and Subscribe has a border."""
    page = open_page("?q=rl&min_upvotes=2", forced_colors="active")
    color = "element => getComputedStyle(element).backgroundColor"
    for chosen, other in (
        ("#thresholds [aria-current]", "#thresholds a"),
        ("label:has(:checked)", "#digest label >> nth=1"),
    ):
        assert page.locator(chosen).evaluate(color) != page.locator(other).first.evaluate(color)
    assert "2px" == page.locator("#ways summary").evaluate("element => getComputedStyle(element).borderTopWidth")


@pytest.mark.parametrize("path", ["", "?q=rl&min_upvotes=2", "?q=rl&digest=week", "?q=(rl&days=x", "status"])
def test_fingers_find_what_they_tap(path: str, open_page: Open, watch: Watch) -> None:
    """On a phone what one taps is 44 pixels high, but for links in running text."""
    if "(" in path:
        watch.expects("status of 400")
    page = open_page(path, viewport=NARROW)
    if page.locator("#save").count():
        page.locator("#save").click()
    page.locator("details:not(#days-table)").evaluate_all("all => all.forEach(details => { details.open = true })")
    small = """all => all.filter(one => one.checkVisibility({visibilityProperty: true}))
        .map(one => one.type === "radio" ? one.parentElement : one)
        .filter(one => one.getBoundingClientRect().height < 43.9)
        .map(one => `${one.outerHTML.slice(0, 80)} ${one.getBoundingClientRect().height}`)"""
    controls = (
        "button, input, select, summary, nav a, footer a, .chip, #choices li a, #thresholds a, #ways a, .formats a, "
        "#address a, #saved a, #mistakes a, #more, .why a, h3 a, .ranks a, .json a"
    )
    assert [] == page.locator(controls).evaluate_all(small)


@pytest.mark.parametrize("path", ["?q=rl&min_upvotes=2", "?q=rl&digest=week", "?q=(rl&days=x", "status"])
def test_no_text_is_small(path: str, open_page: Open, watch: Watch) -> None:
    """No text is under 14 pixels, in the chart neither."""
    if "(" in path:
        watch.expects("status of 400")
    page = open_page(path, viewport=NARROW)
    page.locator("details").evaluate_all("all => all.forEach(details => { details.open = true })")
    sizes = page.evaluate("""() => {
        const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), sizes = {};
        while (texts.nextNode()) {
            const text = texts.currentNode.textContent.trim(), place = texts.currentNode.parentElement;
            if (text && place.checkVisibility())
                sizes[text.slice(0, 40)] = parseFloat(getComputedStyle(place).fontSize);
        }
        return sizes;
    }""")
    assert len(sizes) > 20
    assert {} == {text: size for text, size in sizes.items() if size < 14}


@pytest.mark.parametrize("width", [320, 390])
@pytest.mark.parametrize("path", ["", "?q=rl&min_upvotes=3", "?q=rl&digest=week", "status"])
def test_a_phone_holds_the_page(width: int, path: str, open_page: Open) -> None:
    """The navigation is one line, the options stand in two columns, and nothing scrolls sideways."""
    page = open_page(path, viewport={"width": width, "height": 800})
    page.locator("details").evaluate_all("all => all.forEach(details => { details.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert 1 == len({round(link.bounding_box()["y"]) for link in page.locator("nav a:not(.brand):visible").all()})
    assert page.locator("header").bounding_box()["height"] < 60
    if fields := page.locator(".fields .field").all():
        assert {2} == {len({round(field.bounding_box()["x"]) for field in fields})}


def test_nothing_moves_while_it_loads(open_page: Open) -> None:
    """Buttons that need the script, pictures and the chart have their place from the beginning."""
    page = open_page("?q=agents&min_upvotes=2", viewport=WIDE)
    expect(page.locator("#save")).to_be_visible()
    moved = """() => new Promise(done => new PerformanceObserver(list => done(
        list.getEntries().reduce((sum, one) => sum + one.value, 0))).observe({type: "layout-shift", buffered: true})
        || setTimeout(done, 300, 0))"""
    assert 0 == page.evaluate(moved)


def _colors(page: Page) -> list[list[float]]:
    """Return background and text colour of the page, as the canvas reads them."""
    return page.evaluate("""() => {
        const context = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
        const read = color => {
            context.fillStyle = "#777"; context.fillStyle = color; context.fillRect(0, 0, 1, 1);
            return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
        };
        const style = [document.body, document.documentElement].map(element => getComputedStyle(element));
        const own = style.map(one => one.backgroundColor).find(color => !/, 0\\)$|^transparent$/.test(color));
        return [read(own ?? "canvas"), read(style[0].color)];
    }""")


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
@pytest.mark.parametrize("path", ["", "status"])
def test_dark_is_dark(path: str, scheme: str, is_dark: bool, open_page: Open) -> None:
    """The page is dark where the system asks for it, and light where not; text stands out from it."""
    background, text = (luminance(color) for color in _colors(open_page(path, color_scheme=scheme)))
    assert is_dark == (background < 0.05)
    assert 7 < (max(background, text) + 0.05) / (min(background, text) + 0.05)


def test_nothing_moves_for_those_who_mind(open_page: Open) -> None:
    """Where the system asks for less motion nothing on the page moves."""
    page = open_page("?q=agents", reduced_motion="reduce")
    moving = """found => found.map(element => getComputedStyle(element)).filter(
        style => parseFloat(style.transitionDuration) > 0.01 || style.animationName !== "none").length"""
    assert 0 == page.locator("*").evaluate_all(moving)
    page.locator("#q").fill("video")
    expect(page.locator("#in-words")).to_contain_text("video")
    assert 0 == page.evaluate("document.getAnimations().length")


def weights(client: httpx.Client, path: str = "") -> dict[str, tuple[int, int]]:
    """Return the bytes of the page and of each file it takes, as they are and compressed."""
    start = client.get(f"./{path}", headers={"Accept": "text/html"})
    root = lxml.html.fromstring(start.content)
    parts = root.xpath(
        "//link[@rel='stylesheet' or contains(@rel, 'icon')]/@href | //script/@src | //main//img[@id]/@src"
    )
    answers = {"page": start} | {part: client.get(urljoin(f"/{path}", part)) for part in parts}
    assert {200} == {answer.status_code for answer in answers.values()}
    return {name: (len(answer.content), len(gzip.compress(answer.content))) for name, answer in answers.items()}


def test_the_page_is_light(service: httpx.Client) -> None:
    """With ten entries the page, its style, script and icons take less than 30 kB on the wire."""
    found = weights(service)
    assert 10 == service.get("./").text.count('loading="lazy"')
    assert 2 < len(found)
    sent = {name: _sent(service, name) for name in found if name != "page"} | {"page": _sent(service, "")}
    assert 30_000 > sum(sent.values()), f"sent {sent}; raw and compressed {found}"


def test_a_page_of_digests_is_light(service: httpx.Client) -> None:
    """With as many digests and papers as it shows the page takes less than 30 kB on the wire."""
    assert {True} == {30_000 > _sent(service, f"?digest=day&top={top}") for top in (10, 50)}


def _sent(client: httpx.Client, path: str) -> int:
    """Return the bytes of the body that a browser, which takes gzip, is sent."""
    with client.stream("GET", f"./{path}", headers={"Accept": "text/html", "Accept-Encoding": "gzip"}) as answer:
        return sum(map(len, answer.iter_raw()))
