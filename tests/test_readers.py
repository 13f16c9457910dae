"""Real readers find in every feed what the archive holds: how many entries, their ids, dates and authors."""

import calendar
import json
import re
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from time import struct_time
from typing import Any

import feedparser
import httpx
import jsonfeed
import pytest
from lxml import etree
from reader import make_reader
from werkzeug.serving import make_server

from feedproxy.archive import Archive
from feedproxy.feeds import FORMATS, Document, Feed
from feedproxy.feeds.entry import MAX_NAMES
from feedproxy.ingest.source import SavedListings
from feedproxy.model import Entry, Listing, Paper
from feedproxy.query.parameters import PARAMETERS, parse_query
from tests import factories
from tests.conftest import CAPTURES, Clock

EVERYTHING = "limit=200&days=3660"
NOW = datetime(2026, 11, 1, tzinfo=UTC)  # later than every capture
NAMES = [
    str(path.relative_to(CAPTURES)) for kind in ("api", "page", "text") for path in sorted(CAPTURES.glob(f"{kind}/*"))
] or ["any"]  # which is skipped, with the reason, where there are none

# An entry as a reader shows it: id, when it was published, when updated, by whom.
Seen = tuple[str, datetime, datetime | None, str]


def expected(entry: Entry, name: str, which: slice = slice(None)) -> Seen:
    """Return what a reader of the format `name` is to show; RSS has no second date, and all names in one."""
    names = entry.paper.authors[:MAX_NAMES]
    if name == "rss":
        return entry.paper.links.hub, entry.entered_at, None, ", ".join(names)
    return entry.paper.links.hub, entry.entered_at, entry.updated_at, ", ".join(names[which])


def seen_by_feedparser(client: httpx.Client, path: str) -> Iterable[Seen]:
    found = feedparser.parse(client.get(path).content, sanitize_html=False, resolve_relative_uris=False)
    assert not found.bozo
    for entry in found.entries:
        names = ", ".join(author.name for author in entry.get("authors", []) if author)
        yield entry.id, _time(entry.published_parsed), _time(dict.get(entry, "updated_parsed")), names


def _time(parsed: struct_time | None) -> datetime | None:
    return parsed and datetime.fromtimestamp(calendar.timegm(parsed), UTC)


def seen_by_reader(client: httpx.Client, path: str) -> Iterable[Seen]:
    url = str(client.base_url.join(path))
    with closing(make_reader(":memory:")) as reader:
        reader.add_feed(url)
        reader.update_feed(url)
        for entry in reader.get_entries():
            yield entry.id, entry.published, entry.updated, ", ".join(author.name for author in entry.authors)


def seen_by_jsonfeed(client: httpx.Client, path: str) -> Iterable[Seen]:
    for item in jsonfeed.Feed.parse_string(client.get(path).text).items:
        dates = map(datetime.fromisoformat, (item.date_published, item.date_modified))
        yield item.id, *dates, ", ".join(author.name for author in item.authors or ())


# What opens when a person clicks on an entry -------------------------------------------------------

LINKS = {
    "hf": "https://huggingface.co/papers/9913.00001",
    "arxiv": "https://arxiv.org/abs/9913.00001",
    "pdf": "https://arxiv.org/pdf/9913.00001",
    "html": "https://arxiv.org/html/9913.00001",
    "alphaxiv": "https://www.alphaxiv.org/abs/9913.00001",
}
_ATOM = "{http://www.w3.org/2005/Atom}"


def opened_by_netnewswire(form: str, body: bytes) -> str | None:
    """Return what NetNewsWire opens: the permalink if there is one, else the link.

    In RSS the permalink is a guid that does not say `isPermaLink="false"` and looks like an address; in Atom the first
    alternate link; in JSON Feed `url`. (NetNewsWire: `handleGuid` in RSSParser.swift, `handleArticleLink` in
    AtomParser.swift, `parseItem` in JSONFeedParser.swift, `preferredLink` in ArticleUtilities.swift.)
    """
    if form == "json":
        (item,) = json.loads(body)["items"]
        return item.get("url") or item.get("external_url")
    if form == "atom":
        return _first_alternate(body)
    item, guid = _rss_item(body)
    text = (guid.text or "").strip()
    is_address = "/" in text and " " not in text and not text.lower().startswith("tag:")
    names = {name.lower(): value.lower() for name, value in guid.attrib.items()}
    return text if is_address and names.get("ispermalink") != "false" else item.findtext("link")


def opened_by_thunderbird(form: str, body: bytes) -> str | None:
    """Return what Thunderbird opens: a guid that is a permalink and an address, else the link.

    A guid is a permalink if its `isPermaLink` is missing or exactly `true`. (Thunderbird: `parseAsRSS2` and
    `parseAsAtomIETF` in mailnews/extensions/newsblog/FeedParser.sys.mjs, which does not read JSON Feed.)
    """
    if form == "atom":
        return _first_alternate(body)
    item, guid = _rss_item(body)
    is_address = re.match(r"(?:https?|ftp)://|magnet:", guid.text or "")
    return guid.text if is_address and guid.get("isPermaLink", "true") == "true" else item.findtext("link")


def _rss_item(body: bytes) -> tuple[Any, Any]:
    (item,) = etree.fromstring(body).iterfind("channel/item")
    return item, item.find("guid")


def _first_alternate(body: bytes) -> str | None:
    links = etree.fromstring(body).iterfind(f"{_ATOM}entry/{_ATOM}link")
    return next(link.get("href") for link in links if link.get("rel", "alternate") == "alternate")


@pytest.mark.parametrize(
    ("opened", "form"),
    [
        (opened_by_netnewswire, "rss"),
        (opened_by_netnewswire, "atom"),
        (opened_by_netnewswire, "json"),
        (opened_by_thunderbird, "rss"),
        (opened_by_thunderbird, "atom"),
    ],
)
@pytest.mark.parametrize("link", LINKS)
def test_link_opens(link: str, opened: Callable[[str, bytes], str | None], form: str) -> None:
    """What opens is what `link` says, by the rules of two readers that prefer a guid to a link."""
    paper = factories.paper(1)
    assert LINKS[link] == opened(form, _document(form, f"link={link}", paper))
    search = factories.paper(id="from-a-text", title="From a Text")
    wanted = search.links.hub if link == "hf" else search.links.arxiv
    assert wanted == opened(form, _document(form, f"link={link}", search))


def test_every_link_is_known() -> None:
    """The readers are asked about every value of `link`."""
    assert f"one of {', '.join(LINKS)}" == PARAMETERS["link"].values


def _document(form: str, query: str, *papers: Paper) -> bytes:
    feed = Feed(parse_query(query), "https://feeds.example.org")
    return FORMATS[form].render(Document(feed, factories.entered(papers)))


# Zotero -----------------------------------------------------------------------------------------


def authors_in_zotero(creator: str) -> list[str]:
    """Return the authors that Zotero makes of the only creator of an item.

    It is one person if it has no `;`, `and` or `&`, and at most one comma with one word before it (last name, first
    name); else it is split at all of these. (Zotero: `_processCreators` in feedReader.js.)
    """
    before, *others = creator.split(",")
    is_list = re.search(r"\s(?:and|&)\s|;", creator) or len(others) > 1 or (others and " " in before.strip())
    return re.split(r"\s(?:and|&)\s|\s*[,;]\s*", creator) if is_list else [creator]


@pytest.mark.parametrize("count", [1, 2, 3, 20, 21, 100, 664])
def test_authors_in_zotero(count: int) -> None:
    """Zotero finds the first hundred authors, each on their own, and nobody called "17 more"."""
    names = tuple(f"Ada Example {number}" for number in range(count))
    (creator,) = etree.fromstring(_document("rss", "", factories.paper(1, authors=names))).xpath(
        "//item/*[local-name() = 'creator']/text()"
    )
    assert [*names[:MAX_NAMES]] == authors_in_zotero(creator)


# Every reader -----------------------------------------------------------------------------------

ALL, LAST = slice(None), slice(-1, None)

# A reader, what it reads, by which function, and which of the authors it shows.
READERS: tuple[tuple[str, str, Callable[[httpx.Client, str], Iterable[Seen]], slice], ...] = (
    ("feedparser", "rss", seen_by_feedparser, ALL),
    ("feedparser", "atom", seen_by_feedparser, ALL),
    ("reader", "rss", seen_by_reader, ALL),
    ("reader", "atom", seen_by_reader, LAST),
    ("reader", "json", seen_by_reader, ALL),
    ("jsonfeed-util", "json", seen_by_jsonfeed, ALL),
)


def check(client: httpx.Client, entries: Iterable[Entry]) -> None:
    """Hold what every reader sees at `client` against `entries`."""
    for reader, name, seen, which in READERS:
        found = sorted(seen(client, f"/feed.{name}?{EVERYTHING}"))
        assert sorted(expected(entry, name, which) for entry in entries) == found, f"{reader}, {name}"


Filled = Callable[[Listing], tuple[httpx.Client, tuple[Entry, ...]]]


@pytest.fixture
def filled(serve: Callable[..., httpx.Client], clock: Clock, tmp_path: Path) -> Filled:
    """Serve an archive of nothing but the given listing; return a client and the entries held."""
    clock.now = NOW

    def fill(listing: Listing) -> tuple[httpx.Client, tuple[Entry, ...]]:
        path = str(tmp_path / f"{listing.day}.sqlite")
        with closing(Archive(path)) as archive:
            archive.store([listing], clock())
            entries = archive.search(parse_query(EVERYTHING)).entries
        assert len(listing.papers) == len(entries)
        return serve(archive=path, listing=str(tmp_path / "none.json")), entries

    return fill


def capture(path: Path) -> Listing:
    """Return the listing in the file at `path`."""
    source = SavedListings(path)
    ((ask,),) = source.due({}, NOW)
    return source.get(ask, NOW)


DIFFICULT = Listing(factories.difficult_papers(), day=factories.DAY)


@pytest.mark.integration
@pytest.mark.parametrize("name", NAMES)
def test_captures(name: str, captures: Path, filled: Filled) -> None:
    """Every feed of every real capture reads back alike in every reader."""
    check(*filled(capture(captures / name)))


def test_difficult_papers(filled: Filled) -> None:
    """Names and titles with markup in them, or without a name or an abstract, read back alike in every reader."""
    check(*filled(DIFFICULT))


# Digests ----------------------------------------------------------------------------------------

DIGESTS = Document(Feed(parse_query("digest=week"), "https://feeds.example.org"), factories.digests())


def answer_with_digests(environ: dict[str, str], start_response: Callable[..., object]) -> list[bytes]:
    """Answer a request (WSGI) with the digests in the format of its path."""
    form = environ["PATH_INFO"].removeprefix("/feed.")
    start_response("200 OK", [("Content-Type", FORMATS[form].content_type)])
    return [FORMATS[form].render(DIGESTS)]


@pytest.fixture
def digests() -> Iterator[httpx.Client]:
    """Serve the digests and yield a client."""
    server = make_server("127.0.0.1", 0, answer_with_digests, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}") as client:
        yield client
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(("reader", "name", "seen", "which"), READERS, ids=[f"{row[0]}, {row[1]}" for row in READERS])
def test_digests(
    reader: str, name: str, seen: Callable[[httpx.Client, str], Iterable[Seen]], which: slice, digests: httpx.Client
) -> None:
    """Every reader shows each digest once, with its id and date, and no author."""
    expected = [(view.id, view.published, None if name == "rss" else view.updated, "") for view in DIGESTS.views]
    assert sorted(expected) == sorted(seen(digests, f"/feed.{name}")), reader


# newsboat ---------------------------------------------------------------------------------------

NEWSBOAT = shutil.which("newsboat")


@pytest.mark.once
@pytest.mark.skipif(NEWSBOAT is None, reason="newsboat is not installed (apt-get install newsboat)")
@pytest.mark.parametrize("name", ["rss", "atom"])
def test_newsboat(name: str, captures: Path, filled: Filled, tmp_path: Path) -> None:
    """In newsboat every entry of a made-up and of a real listing arrives, with its id, date and authors."""
    served = [filled(DIFFICULT), filled(capture(captures / "api/2025-04-11__captured_2025-04-11T0749Z.json"))]
    urls = [str(client.base_url.join(f"/feed.{name}?{EVERYTHING}")) for client, _ in served]
    found = newsboat(tmp_path, urls)
    for url, (_, entries) in zip(urls, served, strict=True):
        wanted = [expected(entry, name) for entry in entries]
        assert sorted((guid, date.timestamp(), names) for guid, date, _, names in wanted) == found[url]


@pytest.mark.once
@pytest.mark.skipif(NEWSBOAT is None, reason="newsboat is not installed (apt-get install newsboat)")
@pytest.mark.parametrize("name", ["rss", "atom"])
def test_digests_in_newsboat(name: str, digests: httpx.Client, tmp_path: Path) -> None:
    """In newsboat every digest arrives, with its id and date."""
    url = str(digests.base_url.join(f"/feed.{name}"))
    wanted = sorted((view.id, view.published.timestamp(), "") for view in DIGESTS.views)
    assert wanted == newsboat(tmp_path, [url])[url]


def newsboat(home: Path, urls: list[str]) -> dict[str, list[tuple[str, int, str]]]:
    """Have newsboat fetch `urls`; return what its cache then holds of each: guid, date, author, sorted."""
    files = {f"--{name}-file": str(home / name) for name in ("url", "config", "cache")}
    (home / "url").write_text("\n".join(urls))
    (home / "config").touch()
    subprocess.run(
        [str(NEWSBOAT), *chain.from_iterable(files.items()), "-x", "reload"],
        env={"HOME": str(home), "LC_ALL": "C.UTF-8"},
        check=True,
        timeout=30,
    )
    with closing(sqlite3.connect(home / "cache")) as cache:
        rows = cache.execute("SELECT feedurl, guid, pubDate, author FROM rss_item ORDER BY guid").fetchall()
    return {url: [tuple(told) for feed, *told in rows if feed == url] for url in urls}
