"""The page at the wire: what a person without a script gets to see; `tests/browser` has the rest."""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

import feedparser
import httpx
import lxml.html
import pytest

import feedproxy
from feedproxy.archive import Archive
from feedproxy.config import Config
from feedproxy.feeds import FORMATS
from feedproxy.ingest.parse import parse
from feedproxy.query.interests import interests
from feedproxy.query.parameters import PARAMETERS
from tests import hub as fake
from tests.conftest import Clock, serving
from tests.factories import DAY, api, entries, entry

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
MEDIA_TYPES = ("application/rss+xml", "application/atom+xml", "application/feed+json")
THUMBNAIL = "https://cdn-thumbnails.huggingface.co/made-up.png"
Serve = Callable[..., httpx.Client]
Page = lxml.html.HtmlElement


def page(client: httpx.Client, query: str = "") -> tuple[httpx.Response, Page]:
    response = client.get(f"/?{query}", headers={"Accept": BROWSER})
    return response, lxml.html.fromstring(response.text, base_url=str(response.url))


def base(client: httpx.Client) -> str:
    return str(client.base_url).rstrip("/")


def sent(html: Page) -> dict[str, str]:
    """Return what a browser sends of the form; lxml takes an empty choice for `on`."""
    pairs = html.forms[0].form_values()
    return {name: "" if (name, value) == ("digest", "on") else value or "" for name, value in pairs}


def words(element: Page) -> str:
    return " ".join(element.text_content().split())


def config(folder: Path) -> Config:
    return Config.load(
        {"FEEDPROXY_LISTING": str(folder / "listing.json"), "FEEDPROXY_ARCHIVE": str(folder / "archive.sqlite")}
    )


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The service with eight papers of one day, for the tests that only read."""
    folder = tmp_path_factory.mktemp("settled")
    (folder / "listing.json").write_bytes(api(entries(8, upvotes=3)))
    with serving(config(folder), Clock()) as client:
        yield client


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The service after six weeks: three papers each weekday, which get a vote a day for three days."""
    folder, clock = tmp_path_factory.mktemp("grown"), Clock()
    (folder / "listing.json").write_bytes(api([entry(900, day=date(2026, 1, 5))]))
    archive = Archive(str(folder / "archive.sqlite"))
    first = clock.now - timedelta(days=42)
    days = [first.date() + timedelta(days=age) for age in range(43)]
    for now in (first + timedelta(days=age) for age in range(43)):
        listed = [day for day in days if day.weekday() < 5 and day <= now.date()][-4:]
        archive.store([listing(day, (now.date() - day).days) for day in listed], now)
    archive.close()
    with serving(config(folder), clock) as client:
        yield client


@pytest.fixture(scope="module")
def digested(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The service with six papers on the Tuesday of each of thirteen weeks, the last of which is not closed yet."""
    folder, clock = tmp_path_factory.mktemp("digested"), Clock()
    days = [clock.now.date() - timedelta(days=7 * age) for age in reversed(range(13))]
    (folder / "listing.json").write_bytes(api([]))
    archive = Archive(str(folder / "archive.sqlite"))
    for week, day in enumerate(days):
        numbers = range(100 * week + 1, 100 * week + 7)
        found = [entry(number, day=day, title=f"Paper {number} <b>", upvotes=number % 100) for number in numbers]
        archive.store([parse(api(found), day=day)], clock.now)
    archive.close_periods(clock.now, None, has_all_days=True)
    archive.close()
    with serving(config(folder), clock) as client:
        yield client


def listing(day: date, age: int):  # type: ignore[no-untyped-def]
    number = 10 * (day - date(2026, 1, 1)).days
    return parse(api(entries(3, day=day, first=number, upvotes=min(age, 3))), day=day)


# The filter and its feeds -------------------------------------------------------------------------


def test_names_the_feeds(settled: httpx.Client) -> None:
    """The page names the three feeds of its query, for people and for readers that look for them."""
    _, html = page(settled, "min_upvotes=2&q=AGENTS&page=2")
    addresses = [f"{base(settled)}/feed.{name}?q=agents&min_upvotes=2" for name in ("rss", "atom", "json")]
    links = html.xpath("//link[@rel='alternate']")
    assert list(zip(addresses, MEDIA_TYPES, strict=True)) == [(link.get("href"), link.get("type")) for link in links]
    assert "Daily Papers: agents, at least 2 upvotes (RSS)" == links[0].get("title")
    every = [f"{base(settled)}/feed.{name}?q=agents&min_upvotes=2" for name in FORMATS]
    assert every == html.xpath("//div[@id='subscribe']//a[@data-format]/@href")
    assert [f"feed:{addresses[0]}"] == html.xpath("//a[@class='subscribe']/@href")
    for address in addresses:
        assert 200 == settled.get(address).status_code


def test_readers_get_the_address_whole(serve: Serve, demo: Path) -> None:
    """What stands in a reader's link behind its own address is the feed's, escaped so that nothing of it is lost."""
    client = serve(listing="demo", archive=str(demo), public_url="https://feeds.example.org")
    _, html = page(client, "q=%22tool+use%22+a%26b&min_upvotes=2")
    address = html.xpath("//p[@id='address']/a/@href")[0]
    links = [link for link in html.xpath("//ul[@id='readers']//a/@href") if not link.startswith("feed:")]
    assert 5 == len(links)
    assert {True} == {link.endswith(quote(address, safe="")) for link in links}


def test_readers_on_the_web_are_offered_only_what_they_can_reach(settled: httpx.Client) -> None:
    """An address of this machine or network is for an app on it; the page says so."""
    _, html = page(settled, "q=agents")
    assert [f"feed:{base(settled)}/feed.rss?q=agents"] == html.xpath("//ul[@id='readers']//a/@href")
    assert "only for this machine or network" in words(html.get_element_by_id("ways"))


def test_says_the_filter_in_words(settled: httpx.Client, grown: httpx.Client) -> None:
    """The filter stands there in words, and how much it brings: since the archive begins, or in the days asked for."""
    _, html = page(settled, "q=Agents&min_upvotes=2")
    assert "1 paper so far: agents, at least 2 upvotes" == words(html.get_element_by_id("in-words"))
    assert "1 paper since 10 Mar 2026" == words(html.get_element_by_id("status"))
    _, html = page(grown, "days=7")
    assert "3.0 papers a day on average: every paper" == words(html.get_element_by_id("in-words"))
    assert "15 papers in the last 7 days" == words(html.get_element_by_id("status"))


def test_every_parameter_has_a_field(settled: httpx.Client) -> None:
    """The form has a field for every parameter but the page, each with a label and a place for its mistake."""
    _, html = page(settled)
    fields = [field for field in html.forms[0].inputs if field.get("name")]
    assert set(PARAMETERS) - {"page"} == {field.name for field in fields}
    for field in fields:
        choice = field.xpath("ancestor::*[@role='radiogroup']")
        assert field.label is not None or words(field.getparent())
        assert html.get_element_by_id((*choice, field)[0].get("aria-describedby")).text is None


def test_answers_a_query_of_digests(settled: httpx.Client) -> None:
    """The page of a query of digests names its feeds and keeps its fields."""
    response, html = page(settled, "top=5&digest=week&days=&q=agents")
    assert 200 == response.status_code
    address = f"{base(settled)}/feed.rss?q=agents&digest=week&top=5"
    assert address == html.xpath("//link[@rel='alternate']/@href")[0]
    assert {"digest": "week", "top": "5"}.items() <= sent(html).items()
    response, html = page(settled, "q=agents&digest=weekly")
    assert 400 == response.status_code
    assert "did you mean week?" in words(html.get_element_by_id("digest-error"))
    _, html = page(settled, "q=agents&digest=week&counts=1")
    assert ["q=agents&digest=week"] == html.xpath("//p[@class='advice']/a/text()")


def test_lists_digests(digested: httpx.Client) -> None:
    """The next digest stands first with the time of its closing, then those that came, as they are in the feed."""
    _, html = page(digested, "digest=week&top=2")
    assert "1 entry a week, up to 2 papers: every paper" == words(html.get_element_by_id("in-words"))
    assert "12 digests since 16 Dec 2025" == words(html.get_element_by_id("status"))
    assert "One entry a week, made on the Monday after" in words(html.get_element_by_id("rhythm"))
    coming = html.get_element_by_id("next")
    assert "2 best of week 11, 2026" == words(coming.find("h3"))
    assert "Closes on Monday 16 Mar 2026, 06:00 UTC; these are ahead now" == words(coming.find_class("why")[0])
    assert ["Paper 1206 <b>", "Paper 1205 <b>"] == [words(link) for link in coming.xpath(".//li/a")]
    items = digested.get("/feed.json?digest=week&top=2").json()["items"]
    assert [item["title"] for item in items[:10]] == [words(title) for title in html.xpath("//ol[@id='digests']//h3")]
    assert [one["url"] for item in items[:10] for one in item["_feedproxy"]["papers"]] == html.xpath(
        "//ol[@id='digests']//ol//a/@href"
    )
    assert 2 == len(html.xpath("//ol[@id='digests']/li[not(details)]"))
    assert "The feed has 2 more here, back to week 51, 2025." == words(html.get_element_by_id("others"))
    assert [] == html.xpath("//figure | //div[@id='thresholds']//small")


def test_late_risers_and_a_digest_that_is_due(serve: Serve, tmp_path: Path, clock: Clock) -> None:
    """What rose late stands below its digest; a week that is over but waits for listings says so."""
    tuesday = clock.now.date() - timedelta(days=7)  # an archive that is a week old, and closed one week
    with closing(Archive(str(tmp_path / "archive.sqlite"))) as archive:
        for age, upvotes in ((7, 1), (1, 1), (0, 9)):
            now, found = clock.now - timedelta(days=age), entry(1, day=tuesday, upvotes=upvotes)
            archive.store([parse(api([found, *entries(2, first=2, day=tuesday, upvotes=5)]), day=tuesday)], now)
            archive.close_periods(now, None, has_all_days=True)
        today = clock.now.date()
        archive.store([parse(api(entries(2, first=11)), day=today)], clock.now)
        archive.store([], clock.now + timedelta(days=7))
        (tmp_path / "listing.json").write_bytes(api([]))
        client = serve(archive=str(tmp_path / "archive.sqlite"), listing=str(tmp_path / "listing.json"))
        _, html = page(client, "digest=week&top=2")
        why = words(html.get_element_by_id("next").find_class("why")[0])
        assert why.startswith("Due since Monday 16 Mar 2026, 06:00 UTC, closes when all its listings are read")
        archive.store([parse(api(entries(2, first=11)), day=today)], clock.now + timedelta(days=7))
        archive.close_periods(clock.now + timedelta(days=7), None, has_all_days=True)
        _, html = page(client, "digest=week&top=2")
        (late,) = html.xpath("//ol[@id='digests']/li/ul")
        assert "Paper 1 on Retrieval Ada Example 1, Ben Placeholder · 9 upvotes" == words(late)
        assert words(late.getprevious()).startswith("Older papers that are not in the last digest")


def test_pages_of_digests(digested: httpx.Client) -> None:
    """The older digests are on further pages; behind the last there is none."""
    _, html = page(digested, "digest=week&limit=5&page=2")
    assert "more than 10 digests since 16 Dec 2025" == words(html.get_element_by_id("status"))
    assert {"next", "prev"} == set(html.xpath("//p[@id='pages']/a/@rel"))
    assert [] == html.xpath("//article")
    _, html = page(digested, "digest=week&limit=5&page=9")
    assert "There is no page 9: the digests come before it." == words(html.get_element_by_id("nothing"))


def test_digests_that_are_not_there_say_why(digested: httpx.Client, settled: httpx.Client) -> None:
    """Without digests the page says whether no period is closed yet, or what would match."""
    _, html = page(digested, "q=zebrafish&digest=week")
    why = words(html.get_element_by_id("nothing"))
    assert "No closed week in these 366 days has papers that match. This would find something:" in why
    assert "every paper: 12 digests" in why
    _, html = page(settled, "digest=month")
    assert "No month is closed yet: there are no digests so far." == words(html.get_element_by_id("nothing"))
    assert "6 best" in words(html.get_element_by_id("next")) or "8 best" in words(html.get_element_by_id("next"))


def test_days_without_a_number_are_told(digested: httpx.Client) -> None:
    """The field of the days names the default of what is chosen, also beside a mistake; a digest has its number."""
    for query, days in (("", "90"), ("digest=day", "90"), ("digest=week", "366"), ("digest=month&top=x", "3660")):
        _, html = page(digested, query)
        assert (days, "10") == tuple(html.get_element_by_id(name).get("placeholder") for name in ("days", "top"))
        assert "open" not in html.get_element_by_id("options").attrib
    _, html = page(digested, "digest=&top=&q=")
    assert "6.0 papers a day on average: every paper" == words(html.get_element_by_id("in-words"))


def test_keeps_what_was_typed(settled: httpx.Client) -> None:
    """The form holds the query again, further parameters too, but not the page; what is hidden is shown if used."""
    _, html = page(settled, "q=%22tool+use%22&min_upvotes=2&link=pdf&page=2&utm_source=x&_=1")
    chosen = {name: value for name, value in sent(html).items() if value}
    assert {"q": '"tool use"', "min_upvotes": "2", "link": "pdf", "content": "full", "counts": "0"} == chosen
    assert "open" in html.get_element_by_id("options").attrib
    _, html = page(settled, "q=agents")
    assert "open" not in html.get_element_by_id("options").attrib


def test_form_leads_to_the_plain_query(settled: httpx.Client) -> None:
    """What a form sends, empty fields and defaults included, is the same query as without them."""
    _, html = page(settled, "q=agents")
    response, filled = page(settled, "&".join(f"{name}={quote(value)}" for name, value in sent(html).items()))
    assert 200 == response.status_code
    assert [f"{base(settled)}/feed.rss?q=agents"] == filled.xpath("//link[@rel='alternate']/@href")[:1]


@pytest.mark.parametrize(
    ("query", "field", "told", "kept"),
    [
        ("q=title%3A&min_upvotes=2", "q", "At character 1: title: needs", {"q": "title:", "min_upvotes": "2"}),
        ("q=a&min_upvotes=two", "min_upvotes", "“two” is not", {"q": "a", "min_upvotes": "two"}),
        ("q=a&days=x&link=pdf", "days", "“x” is not", {"q": "a", "days": "x", "link": "pdf"}),
        ("q=a&digest=year&top=5", "digest", "“year” is not", {"q": "a", "top": "5"}),
        ("q=a&top=10", "top", "Needs digest=", {"q": "a", "top": "10"}),
        ("q=a&link=ps", "link", "“ps” is not", {"q": "a"}),
        ("q=na%EFve&days=9", "q", "Is not UTF-8", {"q": "na%EFve", "days": "9"}),
        ("q=a&days=%FF&limit=", "days", "Is not UTF-8", {"q": "a", "days": "%FF", "limit": ""}),
    ],
)
def test_mistake_stands_at_its_field(
    settled: httpx.Client, query: str, field: str, told: str, kept: dict[str, str]
) -> None:
    """A mistake is 400 with its line at the field, where it can be mended, and there are no results."""
    response, html = page(settled, query)
    assert (400, "no-store") == (response.status_code, response.headers["Cache-Control"])
    wrong = html.xpath("//*[@aria-invalid='true']")
    assert [field] == [element.get("id") for element in wrong]
    assert html.get_element_by_id(wrong[0].get("aria-describedby")).text.startswith(told)
    assert kept.items() <= sent(html).items()
    assert [f"#{field}"] == html.xpath("//div[@id='results']//a/@href | //div[@id='subscribe']//a/@href")
    assert told in words(html.get_element_by_id("mistakes"))
    assert "This filter has a mistake" == html.get_element_by_id("status").text
    assert [] == html.xpath("//link[@rel='alternate']")


def test_every_mistake_is_told_and_marked(settled: httpx.Client) -> None:
    """All mistakes of a filter stand at its field, a line each, and each place is marked."""
    response, html = page(settled, "q=a,+titel:b+<x>+(c&days=0&foo=1&min_upvotes=2")
    assert 400 == response.status_code
    assert ["q", "days"] == [element.get("id") for element in html.xpath("//*[@aria-invalid='true']")]
    places = [line.split(":")[0] for line in html.get_element_by_id("q-error").text.splitlines()]
    assert [f"At character {place}" for place in (2, 4, 12, 14, 16)] == places
    assert [",", "t", "<", ">", "("] == html.xpath("//div[@id='q-advice']/p[@id='places']/mark/text()")
    assert "a, titel:b <x> (c" == html.get_element_by_id("places").text_content()
    assert html.get_element_by_id("days-error").text.startswith("“0” is not")
    assert html.get_element_by_id("error").text.startswith("“foo”: there is no such parameter")
    links = html.xpath("//ul[@id='mistakes']//a")
    assert ["#q"] * 5 + ["#days"] == [link.get("href") for link in links]
    assert {"Words", "Days back"} == {link.text for link in links}
    assert "This filter has 7 mistakes" == html.get_element_by_id("status").text


def test_missing_end_is_marked(settled: httpx.Client) -> None:
    """Where something is missing at the end of a filter, a space is marked; the invisible is encoded."""
    _, html = page(settled, "q=%00+agents+OR")
    assert ["%00", " "] == html.xpath("//p[@id='places']/mark/text()")


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("q=Agents,+%26+more:+a+%22Paper%22&min_upvotes=2", '"Agents, & more: a Paper"'),
        ("q=%2522tool%2520use%2522&min_upvotes=2", '"tool use"'),
        ("q=rl+c++&min_upvotes=2", "rl c++"),
        ("agents&min_upvotes=2", "agents"),
    ],
)
def test_what_may_be_meant_is_a_click_away(settled: httpx.Client, query: str, text: str) -> None:
    """A pasted title that is no filter, and an address that was mangled, are offered as they may be meant."""
    response, html = page(settled, query)
    (link,) = html.xpath("//p[@class='advice']/a")
    assert (400, text) == (response.status_code, link.text)
    response, html = page(settled, link.get("href").removeprefix("./?"))
    assert (200, "2", text) == (response.status_code, *(html.forms[0].fields[name] for name in ("min_upvotes", "q")))


def test_a_small_operator_in_a_text_is_told(settled: httpx.Client) -> None:
    """A pasted title with a small `not` is read as a filter; the page says so, and the phrase is a click away."""
    _, html = page(settled, "q=why+attention+is+not+enough&min_upvotes=2")
    (note,) = html.find_class("advice")
    assert "“not” excludes “enough” here; put the text in quotation marks" in words(note)
    (link,) = note.findall("a")
    response, html = page(settled, link.get("href").removeprefix("./?"))
    assert (200, "2") == (response.status_code, html.forms[0].fields["min_upvotes"])
    assert '"why attention is not enough"' == html.forms[0].fields["q"] == link.text
    assert [] == html.find_class("advice")


def test_mistake_without_a_field(settled: httpx.Client) -> None:
    """A mistake that is about no field stands where the results would."""
    response, html = page(settled, "min_upvote=2")
    assert 400 == response.status_code
    assert "“min_upvote”: there is no such parameter, did you mean min_upvotes?" == html.get_element_by_id("error").text
    for query in ("%FF=1", "&".join(f"a{number}=1" for number in range(101))):
        response, html = page(settled, f"{query}&min_upvotes=2")
        assert (400, "2") == (response.status_code, html.forms[0].fields["min_upvotes"])
        assert html.get_element_by_id("error").text.startswith("query: ")
    response, html = page(settled, "page=0")
    assert html.get_element_by_id("error").text.startswith("page: “0” is not")


def test_examples_find_what_they_say(settled: httpx.Client) -> None:
    """Every example can be read."""
    _, html = page(settled)
    links = html.xpath("//p[@id='examples']/a/@href")
    assert 6 == len(links)
    for link in links:
        assert 200 == page(settled, link.removeprefix("./?"))[0].status_code


# What it delivers ---------------------------------------------------------------------------------


def bars(html: Page) -> dict[date, int]:
    """Return the entries of each day in the chart, as its bars are high, and as they say."""
    found = {}
    top, bottom = (float(html.xpath(f"//svg/line[{number}]/@y1")[0]) for number in (3, 1))
    scale = int(html.xpath("//svg/text[@class='scale']/text()")[2])
    for day in html.xpath("//*[@id='chart']//g"):
        name, _, number = words(day).partition(": ")
        bar = day.xpath("rect[contains(@class, 'bar')]")[0]
        height = float(bar.get("height"))
        assert height == pytest.approx((bottom - top) * int(number) / scale if int(number) else 2, 1e-3)
        assert float(bar.get("y")) + height == pytest.approx(bottom, 1e-3)
        found[datetime.strptime(name, "%a %d %b %Y").date()] = int(number)  # noqa: DTZ007
    assert max(found.values()) <= scale
    return found


def fed(client: httpx.Client, query: str, days: list[date]) -> Counter[date]:
    """Count the entries of a feed by the last of `days` before each."""
    dates: list[date] = []
    for number in (1, 2):
        items = client.get(f"/feed.json?{query}&days=3660&limit=200&page={number}").json()["items"]
        dates += [date.fromisoformat(item["date_published"][:10]) for item in items]
    return Counter(max(day for day in days if day <= entered) for entered in dates if entered >= days[0])


@pytest.mark.parametrize("query", ["", "min_upvotes=2", "q=agents&min_upvotes=1", "q=agents&days=1&limit=1"])
def test_chart_shows_what_the_feed_brought(grown: httpx.Client, query: str) -> None:
    """The chart counts the feed's entries over the last 30 listing days; those of a weekend are Friday's."""
    _, html = page(grown, query)
    shown = bars(html)
    assert 30 == len(shown)
    assert {0, 1, 2, 3, 4} == {day.weekday() for day in shown}
    conditions = "&".join(part for part in query.split("&") if not part.startswith(("days", "limit")))
    found = fed(grown, conditions, sorted(shown))
    assert {day: found[day] for day in shown} == shown
    assert f"{sum(shown.values()) / 30}" == html.xpath("//@data-average")[0]
    assert f"{sum(not count for count in shown.values())}" == html.xpath("//@data-empty")[0]
    rows = [" ".join(row.itertext("td")) for row in html.xpath("//div[@id='results']//tr[td]")]
    assert [f"{day:%-d %b %Y} {shown[day]}" for day in sorted(shown, reverse=True)] == rows


def test_chart_tells_the_threshold_apart(grown: httpx.Client) -> None:
    """Each neighbouring threshold has the average of its own chart, leads there, and the one in use is marked."""
    _, html = page(grown, "q=paper&min_upvotes=2&limit=7")
    choices = html.xpath("//div[@id='thresholds']//a")
    assert ["0", "1", "2", "5", "10", "20", "50"] == [choice.get("data-min-upvotes") for choice in choices]
    assert ["2"] == html.xpath("//div[@id='thresholds']//a[@aria-current='true']/@data-min-upvotes")
    for choice in choices:
        _, chosen = page(grown, choice.get("href").removeprefix("./?"))
        average = float(next(iter(chosen.xpath("//@data-average")), 0))
        assert f"{average:.1f} a day".replace("0.0", "0") == words(choice.find("small"))
        assert (choice.get("data-min-upvotes"), "7") == (
            chosen.forms[0].fields["min_upvotes"] or "0",
            chosen.forms[0].fields["limit"],
        )


def test_entries_are_those_of_the_feed(settled: httpx.Client) -> None:
    """The entries are the feed's, in its order, with what a reader shows of them; the rest is a page away."""
    _, html = page(settled, "limit=3")
    feed = feedparser.parse(settled.get("/feed.rss?limit=3").content)
    assert [entry.title for entry in feed.entries] == [words(title) for title in html.xpath("//ol//h3")]
    assert [entry.link for entry in feed.entries] == html.xpath("//ol//h3/a/@href")
    assert "Ada Example 8, Ben Placeholder" == words(html.find_class("byline")[0])
    assert "▲ 3 upvotes now listed on 10 Mar 2026 arXiv" == words(html.find_class("why")[0])
    assert [f"{base(settled)}/?limit=3&page=2"] == html.xpath("//a[@rel='next']/@href")
    _, second = page(settled, "limit=3&page=2")
    assert ["Older", "Newer"] == second.xpath("//p[@id='pages']/a/text()")
    assert "4" == second.get_element_by_id("entries").get("start")
    assert "limit=3" == second.get_element_by_id("save").get("data-query")
    _, beyond = page(settled, "limit=3&page=9")
    assert "There is no page 9: all 8 papers come before it." == words(beyond.get_element_by_id("nothing"))


def test_more_entries_are_a_link_away(grown: httpx.Client) -> None:
    """The page shows ten entries at first, and all of its feed's page by a parameter that no feed knows."""
    _, html = page(grown, "min_upvotes=1")
    (more,) = html.xpath("//a[@id='more']")
    assert (10, "Show 40 more") == (len(html.xpath("//ol[@id='entries']/li")), words(more))
    assert [] == html.xpath("//p[@id='pages']")
    _, html = page(grown, more.get("href").removeprefix("./?"))
    assert (50, []) == (len(html.xpath("//ol[@id='entries']/li")), html.xpath("//a[@id='more']"))
    assert [f"{base(grown)}/?min_upvotes=1&page=2"] == html.xpath("//p[@id='pages']/a/@href")
    assert f"{base(grown)}/feed.rss?min_upvotes=1" == html.xpath("//p[@id='address']/a/@href")[0]
    for number in ("x", "0", "500", ""):
        assert 10 == len(page(grown, f"show={number}")[1].xpath("//ol[@id='entries']/li"))
    assert 400 == grown.get("/feed.rss?show=50").status_code


def test_an_author_who_is_looked_for_is_shown(serve: Serve, tmp_path: Path) -> None:
    """An entry names three authors, or as many as it takes to show who is looked for."""
    found = [entry(1, authors=[{"name": f"Ada Example {number}"} for number in ("one", "two", "three", "four")])]
    (tmp_path / "listing.json").write_bytes(api(found))
    client = serve(listing=str(tmp_path / "listing.json"))
    for query, end in (("", "Ada Example three and 1 more"), ("q=author:four", "Ada Example four")):
        assert words(page(client, query)[1].find_class("byline")[0]).endswith(end)


def test_entries_follow_the_options(settled: httpx.Client) -> None:
    """Where titles lead and whether there is an abstract is as in the feed."""
    _, html = page(settled, "limit=1&link=pdf&content=none")
    assert ["https://arxiv.org/pdf/9913.00008"] == html.xpath("//ol//h3/a/@href")
    assert [] == html.find_class("excerpt")


def test_entries_say_why_they_entered(grown: httpx.Client) -> None:
    """An entry says which count it reached when it entered, and what it has now."""
    _, html = page(grown, "min_upvotes=2")
    assert re.fullmatch(
        r"▲ [23] upvotes now reached [23] upvotes on \d+ Mar 2026 arXiv", words(html.find_class("why")[0])
    )


def test_matched_words_are_marked(serve: Serve, tmp_path: Path) -> None:
    """What the filter looks for is marked in title, abstract, authors and organization."""
    found = entry(1, title="Agents Plan", summary="An agent plans.", organization={"name": "x", "fullname": "Made Up"})
    (tmp_path / "listing.json").write_bytes(api([found]))
    _, html = page(serve(listing=str(tmp_path / "listing.json")), "q=agent+org:made+author:%22ada+example%22")
    assert ["Agents", "Ada Example", "Made", "agent"] == html.xpath("//ol//mark/text()")


def test_thumbnails_come_from_the_hub_alone(serve: Serve, tmp_path: Path) -> None:
    """A thumbnail is loaded late, without a referrer as all of the page, and only where the page's policy allows it."""
    found = [
        entry(1, thumbnail=THUMBNAIL),
        entry(2, thumbnail="https://huggingface.co.example.org/a.png"),
        entry(3, thumbnail=None),
    ]
    (tmp_path / "listing.json").write_bytes(api(found))
    response, html = page(serve(listing=str(tmp_path / "listing.json")))
    (image,) = html.xpath("//main//img")
    assert (THUMBNAIL, "lazy", "") == tuple(image.get(name) for name in ("src", "loading", "alt"))
    assert ("120", "65", 2) == (image.get("width"), image.get("height"), len(html.find_class("picture")))
    assert "no-referrer" == response.headers["Referrer-Policy"]
    assert "img-src 'self' https://*.huggingface.co;" in response.headers["Content-Security-Policy"]


def test_nothing_found(settled: httpx.Client) -> None:
    """Nothing found says what would find something, with how much, and each of that leads there."""
    _, html = page(settled, "q=agents+zebrafish&min_upvotes=2")
    links = {words(item): item.find("a").get("href") for item in html.xpath("//div[@id='nothing']//li")}
    assert {"with the words agents: 1 paper", "every paper: 8 papers"} == set(links)
    _, found = page(settled, links["with the words agents: 1 paper"].removeprefix("./?"))
    assert "1 paper since 10 Mar 2026" == words(found.get_element_by_id("status"))


def test_wider_filters_are_offered(serve: Serve, tmp_path: Path) -> None:
    """Below the filter stand wider ones with what they add, and words that no paper has; each link leads there."""
    texts = ["Zebra folding (ZF).", "On zebra folding (ZF).", *["Zebra folding."] * 3, *["Something else."] * 15]
    found = [entry(number, summary=text, upvotes=2) for number, text in enumerate(texts)]
    (tmp_path / "listing.json").write_bytes(api(found))
    client = serve(listing=str(tmp_path / "listing.json"))
    _, html = page(client, "q=zf+OR+zebar&min_upvotes=2")
    assert '"zebra folding" +3 papers' == words(html.get_element_by_id("offers"))
    assert "No paper here has “zebar”. Did you mean zebra (5 papers in all)?" == words(
        html.find_class("misspelling")[0]
    )
    (offer,) = html.xpath("//div[@id='offers']//a/@href")
    assert "./?q=zf%20OR%20%22zebra%20folding%22%20OR%20zebar&min_upvotes=2" == offer
    assert ["./?q=zf%20OR%20zebra&min_upvotes=2"] == html.xpath("//p[contains(@class, 'misspelling')]/a/@href")
    _, wider = page(client, offer.removeprefix("./?"))
    assert "5 papers since 10 Mar 2026" == words(wider.get_element_by_id("status"))
    assert [] == wider.xpath("//div[@id='offers']")


def test_a_ready_made_filter_is_offered_apart(serve: Serve, tmp_path: Path) -> None:
    """The ready-made filter of a word stands before single words to add, each with what it adds."""
    texts = ["Embodiment.", "A robot.", "Robots.", "A humanoid.", *["Something else."] * 9]
    (tmp_path / "listing.json").write_bytes(api([entry(number, summary=text) for number, text in enumerate(texts)]))
    _, html = page(serve(listing=str(tmp_path / "listing.json")), "q=embodiment")
    links = [words(link) for link in html.xpath("//div[@id='offers']//a")]
    assert ["all of Robotics and embodied AI +3 papers", "robot* +2 papers", "humanoid +1 paper"] == links
    assert ["humanoid"] == [link.text.strip() for link in html.xpath("//div[@id='offers']/details/a")]


def test_words_that_no_paper_has_are_told_in_one_line(settled: httpx.Client) -> None:
    """What nobody could mean instead is told together, but not of a ready-made filter, whose words nobody typed."""
    _, html = page(settled, "q=zzyzx+OR+qqfoo+OR+wwbar+OR+vvbaz+OR+paper")
    assert ["No paper here has “zzyzx”, “qqfoo” or 2 more words."] == [
        words(note) for note in html.find_class("misspelling")
    ]
    _, html = page(settled, "q=zzyzx+OR+qqfoo+OR+paper")
    assert "No paper here has “zzyzx” or “qqfoo”." == words(html.find_class("misspelling")[0])
    for interest in interests()[:5]:
        _, html = page(settled, f"q=({quote(str(interest.query.q))})")
        assert [] == html.find_class("misspelling"), interest.title
    _, html = page(settled, f"q=({quote(str(interests()[2].query.q))})+zzyzx")
    assert ["No paper here has “zzyzx”."] == [words(note) for note in html.find_class("misspelling")]


def test_a_misspelt_filter_has_no_feed(settled: httpx.Client) -> None:
    """Where a wrong word finds nothing, the page offers the right one, and neither addresses nor every paper."""
    _, html = page(settled, "q=papre")
    assert "Did you mean" in words(html.find_class("misspelling")[0])
    assert [] == html.xpath("//div[@id='subscribe']//a")
    assert "0 papers match: papre" == words(html.get_element_by_id("in-words"))
    assert words(html.get_element_by_id("nothing")).startswith("Did you mean paper (")


def test_ready_made_filters(serve: Serve, demo: Path) -> None:
    """Every page has the ready-made filters with how much they bring a day; each leads to its page."""
    client = serve(listing="demo", archive=str(demo))
    _, html = page(client, "q=agents")
    links = html.xpath("//div[@id='choices']//li/a")
    assert ["Agents", "Reasoning", "RL", "RAG"] == html.xpath("//div[@id='chips']/a/text()")[:4]
    assert [feed.title for feed in interests()] == [link.text.strip() for link in links]
    for link in links[:5]:
        _, chosen = page(client, link.get("href").removeprefix("./?"))
        averages = chosen.xpath("//strong[@data-average]/text()") or ["0.0"]
        assert float(averages[0]) == float(link.find("small").text)
    _, wrong = page(client, "q=%22agents")
    assert len(links) == len(wrong.xpath("//div[@id='choices']//li/a"))
    assert [] == wrong.xpath("//div[@id='choices']//small")


def test_ready_made_filters_keep_the_rest(settled: httpx.Client) -> None:
    """A ready-made filter replaces the words alone, stands in brackets so that words may follow, and is marked."""
    for query in ("q=paper&min_upvotes=3&page=2&utm_source=x", "q=paper&min_upvotes=3&days=x"):
        _, html = page(settled, query)
        link = html.xpath("//div[@id='choices']//li/a")[0]
        assert [] == html.xpath("//div[@id='choices']//li/a[@aria-current]")
        _, chosen = page(settled, link.get("href").removeprefix("./?"))
        values = {name: value for name, value in sent(chosen).items() if value.isdigit()}
        assert {"min_upvotes": "3", "counts": "0"} == values
        assert re.fullmatch(r"\(.+ OR .+\)", chosen.forms[0].fields["q"])
        (marked,) = chosen.xpath("//div[@id='choices']//li/a[@aria-current='true']")
        assert link.text.strip() == marked.text.strip()


def test_named_feeds_are_offered(serve: Serve, tmp_path: Path, demo: Path, settled: httpx.Client) -> None:
    """Feeds that the operator gave names lead to the page of their query and to themselves; without any, none are."""
    (tmp_path / "feeds.toml").write_text(
        '[[feed]]\nname = "tools"\ntitle = "<b>Tools</b>"\nquery = "q=tool&link=pdf"\n'
    )
    client = serve(listing="demo", archive=str(demo), feeds=str(tmp_path / "feeds.toml"))
    _, html = page(client)
    links = html.xpath("//section[@id='named-feeds']//a")
    assert ["<b>Tools</b>", "RSS", "Atom", "JSON Feed", "Markdown"] == [link.text for link in links[:-1]]
    targets = [link.get("href") for link in links]
    assert ["./?q=tool&link=pdf", "f/tools.rss", "f/tools.atom", "f/tools.json", "f/tools.md", "feeds.opml"] == targets
    assert {200} == {client.get(f"/{target.removeprefix('./')}").status_code for target in targets}
    assert [] == page(settled)[1].xpath("//section[@id='named-feeds']")


def test_the_first_fill_is_told(serve: Serve, hub: fake.Hub) -> None:
    """While the last 30 days are being read the page says how far that is, and no number that needs them all."""
    go_on = threading.Event()
    listings = (entries(3), entries(1, first=9, day=DAY - timedelta(days=1)))
    answers = (fake.Answer(body=api(found)) for found in listings)
    hub.script.extend([*answers, fake.Answer(send=fake.send_after(go_on))])
    client = serve(listing=hub.url)
    while len(hub.requests) < 3:
        _, html = page(client)
    _, html = page(client)
    assert "Reading the last 30 days: 1 of 30: every paper" == words(html.get_element_by_id("in-words"))
    assert "4 papers so far" == words(html.get_element_by_id("status"))
    assert ("1", "30") == tuple(html.xpath("//progress")[0].get(name) for name in ("value", "max"))
    assert [] == html.xpath("//figure | //div[@id='thresholds']//small | //div[@id='choices']//small")
    assert 4 == len(html.xpath("//ol[@id='entries']/li"))
    go_on.set()
    while html.xpath("//*[@id='filling']"):  # the other days are empty: no feed changes
        _, html = page(client)
    assert "4 papers so far: every paper" == words(html.get_element_by_id("in-words"))
    assert "2 listing days so far, too few for an average No listing" in words(html.find(".//figcaption"))


def test_an_unreachable_hub_at_the_first_start_is_no_fill(serve: Serve) -> None:
    """Where the Hub cannot be reached the page says that, and not that papers come in a few seconds."""
    response, html = page(serve(listing="http://127.0.0.1:9"))
    assert 503 == response.status_code
    assert "cannot reach 127.0.0.1" in words(html.get_element_by_id("error"))
    assert "There are no papers to show" == words(html.get_element_by_id("status"))
    assert "This server keeps trying" in words(html.get_element_by_id("filling"))
    assert [] == html.xpath("//progress")
    assert "seconds" not in words(html.get_element_by_id("results"))


def test_a_fill_that_stops_says_why(serve: Serve, hub: fake.Hub) -> None:
    """When the Hub fails in the middle of the first fill, the page says that, and promises no minute."""
    down = fake.Answer(503, b"down")
    hub.script.extend([fake.Answer(body=api(entries(3))), *[down] * 40])
    client = serve(listing=hub.url)
    _, html = page(client)
    while "The last try failed" not in (told := words(html.get_element_by_id("filling"))):
        _, html = page(client)
    assert "127.0.0.1 answered 503" in told
    assert "about a minute" not in told
    assert 3 == len(html.xpath("//ol[@id='entries']/li"))


# How it is sent -----------------------------------------------------------------------------------


def test_demo_says_so(serve: Serve, demo: Path, settled: httpx.Client) -> None:
    """The page of made-up papers says that they are made up; no other does."""
    _, html = page(serve(listing="demo", archive=str(demo)))
    assert "made-up papers" in html.find_class("note")[0].text
    _, html = page(settled)
    assert [] == html.find_class("note")


def test_policy(settled: httpx.Client) -> None:
    """The page allows its own script and style and nothing inline, and holds nothing inline."""
    response, html = page(settled, "q=agents")
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " in policy
    assert "unsafe" not in policy
    assert ("nosniff", "no-referrer", "no-cache") == tuple(
        response.headers[name] for name in ("X-Content-Type-Options", "Referrer-Policy", "Cache-Control")
    )
    assert [] == html.xpath("//script[not(@src)] | //script/text() | //style | //@style")
    assert [] == html.xpath("//@*[starts-with(name(), 'on')]")
    types = {
        "script/@src": "text/javascript; charset=utf-8",
        "link[@rel='stylesheet']/@href": "text/css; charset=utf-8",
    }
    for path, kind in types.items():
        found = settled.get(str(response.url.join(html.xpath(f"//{path}")[0])))
        assert (200, kind) == (found.status_code, found.headers["Content-Type"])


def test_not_sent_twice(settled: httpx.Client) -> None:
    """A page is compressed for who takes that, and not sent again to who has it."""
    headers = {"Accept": BROWSER, "Accept-Encoding": "gzip"}
    first = settled.get("/?q=agents", headers=headers)
    assert ("gzip", {"Accept", "Accept-Encoding"}) == (
        first.headers["Content-Encoding"], set(first.headers["Vary"].split(", "))
    )  # fmt: skip
    again = settled.get("/?q=agents", headers=headers | {"If-None-Match": first.headers["ETag"]})
    assert (304, b"") == (again.status_code, again.content)
    assert 304 != settled.get("/?q=tool", headers=headers | {"If-None-Match": first.headers["ETag"]}).status_code


def scripts(html: Page) -> list[str]:
    return [address.partition("?")[0] for address in html.xpath("//script/@src")]


HOSTILE = "<script>alert(1)</script> \"'><img src=x onerror=alert(1)> & &lt;b&gt; {{ 7*7 }}"


def test_hostile_text_stays_text(serve: Serve, tmp_path: Path) -> None:
    """Markup in every field of a paper and in queries is text on the page, and no address leads to a script."""
    strange = "javascript:alert(1)//https://a.huggingface.co/"
    found = entry(
        1,
        title=HOSTILE,
        summary=HOSTILE,
        thumbnail=strange,
        githubRepo=strange,
        projectPage=strange,
        authors=[{"name": HOSTILE, "hidden": False}],
        organization={"name": HOSTILE, "fullname": HOSTILE},
        ai_keywords=[HOSTILE],
    )
    (tmp_path / "listing.json").write_bytes(api([found]))
    client = serve(listing=str(tmp_path / "listing.json"))
    for query in ("q=script&link=pdf", f"q={quote('script title:img author:b org:onerror')}"):
        _, html = page(client, query)
        assert HOSTILE == html.xpath("string(//ol/li/h3)")
        assert f"{HOSTILE} · {HOSTILE}" == words(html.find_class("byline")[0])
        assert HOSTILE == words(html.find_class("excerpt")[0])
        assert ["static/page.js"] == scripts(html)
        assert [] == html.xpath("//main//img | //main//b[not(ancestor::div[@id='thresholds'] or ancestor::h2)]")
        assert [] == [link for link in html.xpath("//@href | //@src") if link.lower().startswith("javascript")]
    response, html = page(client, f"q={quote(HOSTILE)}&{quote(HOSTILE)}=1")
    assert 400 == response.status_code
    assert HOSTILE == html.forms[0].fields["q"]
    assert ["static/page.js"] == scripts(html)
    assert [] == html.xpath("//main//img")


def files(html: Page) -> list[str]:
    return html.xpath("//link[@rel='stylesheet' or @rel='icon']/@href | //script/@src")


def test_a_page_is_light(grown: httpx.Client) -> None:
    """With ten entries the page, its style, script and icons are less than 30 kB as sent, of which 16 kB are kept."""
    _, html = page(grown)
    assert 10 == len(html.xpath("//ol/li"))
    headers = {"Accept": BROWSER, "Accept-Encoding": "gzip"}
    sizes = {path: int(grown.get(f"/{path}", headers=headers).headers["Content-Length"]) for path in ("", *files(html))}
    assert 5 == len(sizes)
    assert sum(sizes.values()) < 30_000, sizes
    assert sum(sizes.values()) - sizes[""] < 16_000, sizes


def test_what_a_page_takes_is_kept_for_good(settled: httpx.Client) -> None:
    """A file is at an address of its bytes, where browsers keep it for good, whichever page names it."""
    _, html = page(settled)
    for path in files(html):
        found = settled.get(f"/{path}", headers={"Accept-Encoding": "gzip"})
        assert "public, max-age=31536000, immutable" == found.headers["Cache-Control"]
        assert "nosniff" == found.headers["X-Content-Type-Options"]
        assert "Accept-Encoding" == found.headers["Vary"]
        assert ("/icon.png" in path) == ("Content-Encoding" not in found.headers)
        assert f"v={found.headers['ETag'][1:9]}" == path.partition("?")[2]
        asked = {"Accept-Encoding": "gzip", "If-None-Match": found.headers["ETag"]}
        assert 304 == settled.get(f"/{path}", headers=asked).status_code
    assert set(files(lxml.html.fromstring(settled.get("/status").text))) <= set(files(html))


def test_a_file_of_another_version_is_not_kept(settled: httpx.Client) -> None:
    """A file under a version that it does not have is not kept; under none, as feeds name it, it is for a day."""
    for path, kept in (("style.css?v=0", "no-cache"), ("icon.png", "public, max-age=86400")):
        assert kept == settled.get(f"/static/{path}").headers["Cache-Control"]


def test_every_file_is_there(settled: httpx.Client) -> None:
    """Each file beside the templates can be asked for, and nothing else, whatever its path."""
    held = {path.name for path in (Path(feedproxy.__file__).parent / "static").iterdir()}
    assert held == {urlsplit(path).path.removeprefix("static/") for path in files(page(settled)[1])}
    for path in ("", "x.css", "../web/page.py", "%2e%2e/templates/page.html", "style.css/"):
        assert 404 == settled.get(f"/static/{path}").status_code
