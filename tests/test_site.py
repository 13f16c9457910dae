"""The files of a published site: what the server answers, and an index that people can read."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import feedparser
import httpx
import lxml.html
import pytest
from lxml import etree

from feedproxy import HOME
from feedproxy.archive import Archive
from feedproxy.config import Config
from feedproxy.errors import NoPapersYet
from feedproxy.feeds import FORMATS
from feedproxy.ingest.parse import parse
from feedproxy.model import Listing, Paper
from feedproxy.query.interests import interests
from feedproxy.web import create_app
from feedproxy.web.site import site_files
from tests.conftest import Clock, serving
from tests.factories import DAY, api, difficult_papers, entry, paper
from tests.test_named_feeds import write_feeds

ARABIC = "\u200fأوراق عن الوكلاء"  # begins with a mark that it is written from right to left
BASE = "https://feeds.example.org/papers"
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
_HOSTILE = "</title><script>alert(1)</script> \"quoted\" & 'so' \u202e"
FEEDS = {
    "agents": ("Agents", "q=agents&min_upvotes=2"),
    "everything": (f"Every paper {_HOSTILE}", "limit=200"),
    "nothing": (ARABIC, "q=nonesuch"),
    "weekly": ("Best of the week", "digest=week&top=3"),
    "monthly": ("Best of the month", "digest=month&q=nonesuch"),
    "words": ("x" * 200, "q=" + " OR ".join(f"word{number}" for number in range(32))),
}


def toml(feeds: dict[str, tuple[str, str]]) -> str:
    """Return a file that names these feeds."""
    tables = (
        f"[[feed]]\nname = {json.dumps(name)}\ntitle = {json.dumps(title)}\nquery = {json.dumps(query)}\n"
        for name, (title, query) in feeds.items()
    )
    return "\n".join(tables)


def config(folder: Path, feeds: dict[str, tuple[str, str]] | None = None, **options: str) -> Config:
    """Return the settings of a site whose archive is in `folder`; its listing cannot be read."""
    chosen = {
        "archive": str(folder / "archive.sqlite"),
        "listing": str(folder / "none.json"),
        "feeds": write_feeds(folder, toml(feeds or FEEDS)),
        "public_url": BASE,
    }
    return Config.load({f"FEEDPROXY_{name.upper()}": text for name, text in (chosen | options).items()})


def store(folder: Path, papers: tuple[Paper, ...], at: datetime = NOON) -> None:
    """Store a listing of the day of `at`, and close what is over."""
    with closing(Archive(str(folder / "archive.sqlite"))) as archive:
        archive.store([Listing(papers, day=at.date())], at)
        archive.close_periods(at, None, has_all_days=True)


def fill(folder: Path) -> None:
    """Store a paper a day for a week and, the week after, papers that are difficult to show."""
    for age in range(8, 1, -1):
        at = NOON - timedelta(days=age)
        store(folder, (paper(20 + age, title=f"Tiny Agents {age}", upvotes=age, submitted_at=at),), at)
    store(folder, (*difficult_papers(), hostile_paper(upvotes=30)))


def hostile_paper(upvotes: int) -> Paper:
    """Return a paper on agents whose title would break a careless page, as the parser reads it."""
    return parse(api([entry(9, title=f"Agents {_HOSTILE} {ARABIC}", upvotes=upvotes)]), day=DAY).papers[0]


def make(settings: Config, error: str | None = None) -> dict[str, bytes]:
    """Return the files of the site."""
    with closing(Archive(settings.archive)) as archive:
        return site_files(create_app(settings, archive=archive), error)


@dataclass(frozen=True)
class Site:
    """The files of a site, and a server with the same settings."""

    files: dict[str, bytes]
    server: httpx.Client

    @property
    def index(self) -> lxml.html.HtmlElement:
        return lxml.html.fromstring(self.files["index.html"])

    @property
    def status(self) -> dict[str, object]:
        return json.loads(self.files["status.json"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    fill(folder)
    return folder


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[Site]:
    settings = config(folder)
    with serving(settings, Clock()) as server:
        yield Site(make(settings), server)


def test_files(site: Site) -> None:
    """A site has each feed in three formats, and nothing that needs a server or a script."""
    feeds = {f"f/{name}.{form}" for name in FEEDS for form in FORMATS}
    static = {"static/icon.png", "static/icon.svg", "static/style.css"}
    pages = {"index.html", "404.html", "status.json", "feeds.opml", ".nojekyll"}
    assert feeds | static | pages == set(site.files)
    assert b"" == site.files[".nojekyll"]


def test_bytes_are_those_of_the_server(site: Site) -> None:
    """Feeds, OPML, icons and style are what the server answers at the same path."""
    paths = [path for path in site.files if path.startswith(("f/", "static/", "feeds."))]
    assert len(FEEDS) * len(FORMATS) + 4 == len(paths)
    for path in paths:
        answer = site.server.get(f"/papers/{path}")
        assert (200, site.files[path]) == (answer.status_code, answer.content), path


def links(path: str, content: bytes) -> set[str]:
    """Return every address in a file, absolute."""
    if path.endswith(".json"):
        texts = re.findall(rb'https?://[^"\\ <>]+', content)
        return {text.decode() for text in texts}
    if path.endswith(".html"):
        root = lxml.html.fromstring(content)
        return {urljoin(f"{BASE}/", str(link)) for link in root.xpath("//@href | //@src")}
    root = etree.fromstring(content)
    inside = "".join(root.itertext())
    return {str(link) for link in root.xpath("//@*")} | set(re.findall(r'https?://[^"\s<>]+', inside))


def test_links_lead_to_files(site: Site) -> None:
    """What leads to the site itself leads to one of its files; a feed's home is the index."""
    checked = set()
    for path in site.files:
        if path.endswith((".html", ".rss", ".atom", ".json", ".opml")):
            for link in links(path, site.files[path]):
                if link.removeprefix("feed:").startswith(BASE):
                    target = unquote(urlsplit(link.removeprefix("feed:")).path).removeprefix("/papers/")
                    assert (target or "index.html") in site.files, f"{path} leads to {link}"
                    checked.add(target)
    assert {"", "feeds.opml", "status.json", "f/agents.rss", "f/weekly.json", "static/icon.png"} <= checked


def test_the_404_page_is_found_from_anywhere(site: Site) -> None:
    """The page for missing files is served at any depth, so all its addresses are absolute."""
    root = lxml.html.fromstring(site.files["404.html"])
    addresses = list(map(str, root.xpath("//@href | //@src")))
    assert f"{BASE}/" in addresses
    assert all(address.startswith(f"{BASE}/") for address in addresses)


@pytest.mark.parametrize("name", ["index.html", "404.html"])
def test_pages_are_safe(site: Site, name: str) -> None:
    """Static hosts send no headers: the pages themselves forbid scripts, other sites and the Referer."""
    root = lxml.html.fromstring(site.files[name])
    (policy,) = root.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy.startswith("default-src 'none'; style-src 'self'; img-src 'self';")
    assert "script-src" not in policy
    assert ["no-referrer"] == root.xpath("//meta[@name='referrer']/@content")
    assert [] == root.xpath(
        "//script | //style | //@style | //iframe | //form | //base | //@*[starts-with(name(), 'on')]"
    )
    assert all(urljoin(f"{BASE}/", source).startswith(f"{BASE}/static/") for source in root.xpath("//img/@src"))


def section(site: Site, name: str) -> lxml.html.HtmlElement:
    """Return what the index says about a feed."""
    (element,) = site.index.xpath(f"//section[@aria-labelledby='feed-{name}']")
    return element


def text(element: lxml.html.HtmlElement) -> str:
    return " ".join(element.text_content().split())


def test_a_feed_in_the_index(site: Site) -> None:
    """The index says what a feed holds, how much it brings, where it is, and which papers came last."""
    element = section(site, "agents")
    assert ["Agents", "Newest papers"] == [text(title) for title in element.xpath(".//h2 | .//h3")]
    assert "1.0 a day" == text(element.xpath("div[@class='title']/small")[0])
    assert "agents, at least 2 upvotes" == text(element.xpath("details/summary")[0])
    assert "Papers on each of the last 8 listing days, 2 Mar – 10 Mar 2026" == text(element.xpath(".//figcaption")[0])
    assert ["1"] * 8 == [text(day).partition(": ")[2] for day in element.xpath(".//svg/g")]
    assert [
        (f"{BASE}/f/agents.rss", f"{BASE}/f/agents.rss"),
        ("Open in an app", f"feed:{BASE}/f/agents.rss"),
        *((form.title, f"{BASE}/f/agents.{name}") for name, form in FORMATS.items() if name != "rss"),
    ] == addresses(element)
    feed = json.loads(site.files["f/agents.json"])["items"]
    newest = element.xpath(".//ul[@class='newest']/li")
    assert 5 == len(newest)
    assert [(item["url"], " ".join(item["title"].split())) for item in feed[:5]] == [
        (row.xpath("a/@href")[0], text(row.xpath("a")[0])) for row in newest
    ]
    assert ["10 Mar 2026", "8 Mar 2026", "7 Mar 2026"] == [text(row.xpath("small")[0]) for row in newest[:3]]


def addresses(element: lxml.html.HtmlElement) -> list[tuple[str, str]]:
    """Return the text and the target of each link to a feed."""
    return [(text(link), link.get("href")) for link in element.xpath(".//p[@class='address' or @class='formats']//a")]


def test_a_digest_in_the_index(site: Site) -> None:
    """Of digests the index tells the rhythm, and shows the best papers of the newest one."""
    element = section(site, "weekly")
    assert "3 best of each week" == text(element.xpath("details/summary")[0])
    assert "One entry a week, made on the Monday after it at 06:00 UTC" in text(element)
    (title,) = element.xpath(".//h3")
    assert "3 best of week 10, 2026 10 Mar 2026" == text(title)
    assert ["https://huggingface.co/papers/week/2026-W10"] == title.xpath("a/@href")
    first = json.loads(site.files["f/weekly.json"])["items"][0]["_feedproxy"]["papers"]
    assert 3 == len(first)
    assert [(item["url"], item["title"]) for item in first] == [
        (link.get("href"), text(link)) for link in element.xpath(".//ol/li/a")
    ]
    assert "more in the feed" not in text(element)


def test_a_long_digest_in_the_index(folder: Path) -> None:
    """Of a digest with more than five papers the index shows five, and says how many more there are."""
    files = make(config(folder, {"weekly": ("Best of the week", "digest=week")}))
    (element,) = lxml.html.fromstring(files["index.html"]).xpath("//section")
    papers = json.loads(files["f/weekly.json"])["items"][0]["_feedproxy"]["papers"]
    assert 5 == len(element.xpath(".//ol/li"))
    assert f"and {len(papers) - 5} more in the feed" == text(element.xpath(".//p")[-1])


def test_feeds_without_entries(site: Site) -> None:
    """A feed that has nothing yet says so; it has its addresses and no chart."""
    nothing, monthly = section(site, "nothing"), section(site, "monthly")
    assert "No paper has entered it so far." in text(nothing)
    assert "No month is closed yet, or none has papers that match." in text(monthly)
    for element in (nothing, monthly):
        assert [] == element.xpath(".//svg | .//h3")
        assert len(FORMATS) + 1 == len(addresses(element))


def test_a_long_filter_is_folded(site: Site) -> None:
    """The index shows the beginning of a long filter, and all of it when opened."""
    (details,) = section(site, "words").xpath("details")
    start, whole = (text(details.find(part)) for part in ("summary", "p"))
    assert whole == " OR ".join(f"word{number}" for number in range(32))
    assert start.endswith("…")
    assert whole.startswith(start.rstrip("…"))
    assert len(start) <= 60


def test_hostile_titles_are_text(site: Site) -> None:
    """Titles of feeds and papers are shown as they are: no markup, and nothing that reorders what is beside them."""
    title = "Every paper </title><script>alert(1)</script> \"quoted\" & 'so'"
    assert title == text(section(site, "everything").xpath(".//h2")[0])
    assert ARABIC == section(site, "nothing").xpath("string(.//h2/bdi)")
    paper_title = section(site, "agents").xpath("string(.//ul/li/a/bdi)")
    assert "Agents </title><script>alert(1)</script> \"quoted\" & 'so' " + ARABIC == paper_title
    assert "\u202e" not in site.files["index.html"].decode()
    assert title in site.index.xpath("//link[@rel='alternate']/@title")


def test_the_index_leads_on(site: Site) -> None:
    """Readers find each RSS feed in the index by themselves; people find the OPML file, the feeds and who made this."""
    root = site.index
    alternates = [(link.get("type"), link.get("href")) for link in root.xpath("/html/head/link[@rel='alternate']")]
    assert [("application/rss+xml", f"{BASE}/f/{name}.rss") for name in FEEDS] == alternates
    assert [f"feed-{name}" for name in FEEDS] == root.xpath("//h2/@id")
    assert {"feeds.opml", "status.json", HOME} <= set(root.xpath("//a/@href"))
    assert "Newest entry: 10 Mar 2026 Status as JSON made by feedproxy" in text(root.xpath("//footer")[0])


def test_ids_and_headings(site: Site) -> None:
    """Each id is there once, whatever a feed is called, and headings follow one another without a gap."""
    ids = site.index.xpath("//@id")
    assert len(ids) == len(set(ids))
    levels = [int(title.tag[1]) for title in site.index.xpath("//h1 | //h2 | //h3 | //h4")]
    assert 1 == levels[0]
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_status(site: Site) -> None:
    """The status lists the feeds, and the hash of every other file."""
    status = site.status
    assert ["newest_entry_at", "error", "feeds", "files"] == list(status)
    items = json.loads(site.files["f/agents.json"])["items"]
    assert status["error"] is None
    assert {
        "name": "agents",
        "title": "Agents",
        "query": "q=agents&min_upvotes=2",
        "entries": len(items),
        "updated": items[0]["date_modified"],
        "rss": f"{BASE}/f/agents.rss",
        "atom": f"{BASE}/f/agents.atom",
        "json": f"{BASE}/f/agents.json",
        "md": f"{BASE}/f/agents.md",
    } == status["feeds"][0]
    assert list(FEEDS) == [feed["name"] for feed in status["feeds"]]
    assert (0, None) == (status["feeds"][2]["entries"], status["feeds"][2]["updated"])
    hashes = {path: hashlib.sha256(content).hexdigest() for path, content in site.files.items()}
    del hashes["status.json"]
    assert sorted(hashes.items()) == list(status["files"].items())
    assert site.files["status.json"].startswith(b'{\n "newest_entry_at": "2026')
    assert site.files["status.json"].endswith(b"}\n")


def test_the_newest_entry_is_one_of_the_site(site: Site) -> None:
    """`newest_entry_at` is the date of the newest entry in any feed, be it a digest's."""
    dates = [item["date_published"] for name in FEEDS for item in json.loads(site.files[f"f/{name}.json"])["items"]]
    assert max(dates) == site.status["newest_entry_at"]


def test_readers_read_the_files(site: Site) -> None:
    """A reader reads each feed under its title and with its own address."""
    for name, (title, _) in FEEDS.items():
        feed = feedparser.parse(site.files[f"f/{name}.atom"])
        assert not feed.bozo
        assert f"{BASE}/f/{name}.atom" in [link.href for link in feed.feed.links if link.rel == "self"]
        assert [] == [link for link in feed.feed.links if link.rel in ("next", "previous")]
        assert name == "everything" or title in feed.feed.title


def test_equal_archives_make_equal_bytes(site: Site, folder: Path) -> None:
    """Made again, by another process at another time, every file is the same."""
    assert site.files == make(config(folder))


def change(tmp_path: Path, seen: Paper) -> set[str]:
    """Return the files that change when a refresh half an hour later sees this paper."""
    feeds = {
        "agents": ("Agents", "q=agents&min_upvotes=5"),
        "widely": ("Widely", "min_upvotes=50"),
        "weekly": ("Weekly", "digest=week"),
    }
    settings = config(tmp_path, feeds)
    fill(tmp_path)
    before = make(settings)
    store(tmp_path, (seen,), NOON + timedelta(minutes=30))
    after = make(settings)
    assert set(before) == set(after)
    return {path for path in after if before[path] != after[path]}


def test_a_vote_that_brings_no_entry_changes_nothing(tmp_path: Path) -> None:
    """Votes that cross no number of any feed change no file, though the archive has news."""
    assert set() == change(tmp_path, hostile_paper(upvotes=49))


def test_a_vote_that_crosses_changes_its_feeds(tmp_path: Path) -> None:
    """A vote that crosses the number of one feed changes that feed, the index and the status."""
    changed = change(tmp_path, hostile_paper(upvotes=50))
    assert {*(f"f/widely.{form}" for form in FORMATS), "index.html", "status.json"} == changed


def test_a_paper_of_no_feed_changes_nothing(tmp_path: Path) -> None:
    """A new paper that enters no feed changes no file either."""
    assert set() == change(tmp_path, paper(40, title="A survey", summary="", upvotes=1))


def test_an_error_is_told_on_one_line(folder: Path) -> None:
    """What went wrong is in the status, cleaned and cut, and in no other file."""
    well, ill = make(config(folder)), make(config(folder), "the Hub\nis \u202edown" + " again" * 200)
    told = json.loads(ill["status.json"])["error"]
    assert told.startswith("the Hub is down again again")
    assert len(told) <= 500
    assert {"status.json"} == {path for path in well if well[path] != ill[path]}


def test_an_empty_archive_makes_no_site(tmp_path: Path) -> None:
    """Before the first paper there is nothing to publish."""
    with pytest.raises(NoPapersYet):
        make(config(tmp_path))


def test_a_single_feed_and_a_single_day(tmp_path: Path) -> None:
    """A site of one feed says so; a single day makes no average."""
    store(tmp_path, difficult_papers())
    root = lxml.html.fromstring(make(config(tmp_path, {"all": ("All", "limit=3")}))["index.html"])
    assert "1 listing day so far, too few for an average" in text(root)
    assert [] == root.xpath("//div[@class='title']/small/text()")
    assert "The feed is also in feeds.opml" in text(root)


def test_the_readymade_feeds(folder: Path) -> None:
    """A site of every ready-made filter is complete, and its index is light."""
    feeds = {feed.name: (feed.title, str(feed.query)) for feed in interests()}
    files = make(config(folder, feeds))
    assert len(feeds) * len(FORMATS) + 8 == len(files)
    assert len(feeds) == len(lxml.html.fromstring(files["index.html"]).xpath("//section"))
    assert len(files["index.html"]) < 300_000
