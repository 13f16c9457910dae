"""The service at the wire: what a reader, a cache and a browser get to see."""

import random
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.robotparser import RobotFileParser

import feedparser
import httpx
import lxml.html
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedproxy.archive import Archive
from feedproxy.config import Config
from feedproxy.errors import ConfigError
from feedproxy.host import origin, split_host
from feedproxy.ingest.parse import parse
from feedproxy.query.grammar import FIELDS
from feedproxy.query.parameters import PARAMETERS
from feedproxy.server import on_worker_exit
from feedproxy.web import create_app
from tests.conftest import Clock, serving
from tests.factories import DAY, api, entries, entry
from tests.hub import Answer, Hub

MEDIA_TYPES = {
    "rss": "application/rss+xml; charset=utf-8",
    "atom": "application/atom+xml; charset=utf-8",
    "json": "application/feed+json",
    "md": "text/markdown; charset=utf-8",
}
CACHED = "public, max-age=300, stale-while-revalidate=900, stale-if-error=86400"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
PAPERS = entries(8, upvotes=3)
Serve = Callable[..., httpx.Client]


def settings(folder: Path, **options: str) -> Config:
    """Return settings under which the listing and the archive lie in `folder`."""
    chosen = {"listing": str(folder / "listing.json"), "archive": str(folder / "archive.sqlite")} | options
    return Config.load({f"FEEDPROXY_{name.upper()}": text for name, text in chosen.items()})


@pytest.fixture
def listing(tmp_path: Path) -> Path:
    path = tmp_path / "listing.json"
    path.write_bytes(api(PAPERS))
    return path


@pytest.fixture
def client(serve: Serve, listing: Path) -> httpx.Client:
    return serve(listing=str(listing))


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """One server for all tests that only read."""
    folder = tmp_path_factory.mktemp("settled")
    (folder / "listing.json").write_bytes(api(PAPERS))
    with serving(settings(folder, hosts="other.example, Feeds.Example.org, my_feeds.example."), Clock()) as client:
        assert 200 == client.get("/feed.rss").status_code  # which waits for the first papers; /readyz does not
        yield client


def see(tmp_path: Path, clock: Clock, *found: dict[str, object]) -> None:
    """Store what a later refresh sees, in the archive the served application reads."""
    archive = Archive(str(tmp_path / "served.sqlite"))
    archive.store([parse(api(found), day=DAY)], clock.tick(hours=1))
    archive.close()


def ask(client: httpx.Client, target: str, host: str | None = "localhost") -> HTTPResponse:
    """Ask for exactly `target`, which httpx would tidy up."""
    named = "" if host is None else f"Host: {host}\r\n"
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=20) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\n{named}Connection: close\r\n\r\n".encode("latin-1"))
        response = HTTPResponse(connection)
        response.begin()
        response.text = response.read().decode(errors="replace")  # type: ignore[attr-defined]
        response.close()
    return response


# What a feed comes with -------------------------------------------------------------------------


@pytest.mark.parametrize("name", MEDIA_TYPES)
def test_feed_headers(settled: httpx.Client, name: str) -> None:
    """A feed says its type, its length, how long it keeps, and that nobody should guess."""
    response = settled.get(f"/feed.{name}")
    assert 200 == response.status_code
    assert MEDIA_TYPES[name] == response.headers["Content-Type"]
    assert CACHED == response.headers["Cache-Control"]
    assert "Accept-Encoding" == response.headers["Vary"]
    assert "nosniff" == response.headers["X-Content-Type-Options"]
    assert str(len(response.content)) == response.headers["Content-Length"]
    assert re.fullmatch(r'"[0-9a-f]{32}"', response.headers["ETag"])
    assert "Tue, 10 Mar 2026 00:00:07 GMT" == response.headers["Last-Modified"]
    assert "*" == response.headers["Access-Control-Allow-Origin"]
    assert 1 == len(response.headers.get_list("Date"))
    assert {"Set-Cookie", "Expires", "Location", "Content-Encoding"}.isdisjoint(response.headers.keys())


def test_cache_settings(serve: Serve, listing: Path) -> None:
    """The times in Cache-Control are settings."""
    client = serve(listing=str(listing), max_age="0", stale_while_revalidate="1", stale_if_error="2")
    told = client.get("/feed.rss").headers["Cache-Control"]
    assert "public, max-age=0, stale-while-revalidate=1, stale-if-error=2" == told


@pytest.mark.parametrize("path", ["/feed.rss", "/feed.json?q=agents", "/", "/healthz", "/feed.rss?q=(", "/nowhere"])
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_head(settled: httpx.Client, path: str, encoding: str) -> None:
    """HEAD answers with GET's headers and no body."""
    head = settled.head(path, headers={"Accept-Encoding": encoding})
    with settled.stream("GET", path, headers={"Accept-Encoding": encoding}) as get:
        assert get.status_code == head.status_code
        assert _undated(get) == _undated(head)
        assert int(get.headers["Content-Length"]) == len(b"".join(get.iter_raw())) > 0
    assert b"" == head.content


def _undated(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name != "date"}


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("br", None),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("gzip, deflate, br, zstd", "gzip"),
        ("gzip;q=0.1", "gzip"),
        ("*", "gzip"),
        ("br, *;q=0.1", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0.0, *", None),
        ("*;q=0", None),
        ("identity;q=1, gzip;q=0.5", None),
        ("identity;q=0.5, gzip", "gzip"),
        ("identity;q=0, gzip", "gzip"),
    ],
)
def test_content_encoding(settled: httpx.Client, accepted: str | None, encoding: str | None) -> None:
    """A feed is compressed exactly where the client takes and prefers it, under an ETag of its own."""
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    request = settled.build_request("GET", "/feed.atom", headers=headers)
    if accepted is None:
        del request.headers["Accept-Encoding"]
    response, plain = settled.send(request), settled.get("/feed.atom")
    assert encoding == response.headers.get("Content-Encoding")
    assert plain.content == response.content
    assert (encoding is None) == (plain.headers["ETag"] == response.headers["ETag"])
    assert (encoding is None) == (plain.headers["Content-Length"] == response.headers["Content-Length"])
    assert "Accept-Encoding" == response.headers["Vary"]


# Conditional requests ---------------------------------------------------------------------------

OTHER = '"0123456789abcdef0123456789abcdef"'


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("{etag}", 304),
        ("W/{etag}", 304),
        (f"{OTHER}, {{etag}}", 304),
        (f"{OTHER},W/{{etag}} , {OTHER}", 304),
        ("*", 304),
        (OTHER, 200),
        (f"W/{OTHER}", 200),
        ("{other_encoding}", 200),
    ],
)
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_if_none_match(settled: httpx.Client, sent: str, status: int, encoding: str) -> None:
    """If-None-Match compares weakly, in lists, and per encoding (RFC 9110, section 13.1.2)."""
    other = settled.get("/feed.rss", headers={"Accept-Encoding": "gzip" if encoding == "identity" else "identity"})
    fresh = settled.get("/feed.rss", headers={"Accept-Encoding": encoding})
    value = sent.format(etag=fresh.headers["ETag"], other_encoding=other.headers["ETag"])
    response = settled.get("/feed.rss", headers={"Accept-Encoding": encoding, "If-None-Match": value})
    assert status == response.status_code


@pytest.mark.parametrize("name", MEDIA_TYPES)
def test_not_modified(settled: httpx.Client, name: str) -> None:
    """A 304 repeats ETag, Cache-Control and Vary, and says nothing about a body it does not have."""
    fresh = settled.get(f"/feed.{name}")
    response = settled.get(f"/feed.{name}", headers={"If-None-Match": fresh.headers["ETag"]})
    assert 304 == response.status_code
    assert b"" == response.content
    for header in ("ETag", "Cache-Control", "Vary", "Access-Control-Allow-Origin"):
        assert fresh.headers.get(header) == response.headers.get(header)
    assert {"Content-Type", "Content-Length", "Content-Encoding"}.isdisjoint(map(str.title, response.headers))
    head = settled.head(f"/feed.{name}", headers={"If-None-Match": fresh.headers["ETag"]})
    assert 304 == head.status_code


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Modified-Since": "{modified}"}, 304),
        ({"If-Modified-Since": "Tue, 10 Mar 2026 00:00:06 GMT"}, 200),
        ({"If-Modified-Since": "yesterday"}, 200),
        ({"If-Modified-Since": "{modified}", "If-None-Match": OTHER}, 200),
        ({"If-Modified-Since": "Mon, 01 Jan 2024 00:00:00 GMT", "If-None-Match": "{etag}"}, 304),
    ],
)
def test_if_modified_since(settled: httpx.Client, headers: dict[str, str], status: int) -> None:
    """If-Modified-Since counts only where there is no If-None-Match."""
    fresh = settled.get("/feed.rss").headers
    sent = {name: text.format(modified=fresh["Last-Modified"], etag=fresh["ETag"]) for name, text in headers.items()}
    assert status == settled.get("/feed.rss", headers=sent).status_code


def test_counts_have_no_date(settled: httpx.Client) -> None:
    """A feed with counts changes without any date in it changing: it has an ETag only."""
    headers = settled.get("/feed.rss?counts=1").headers
    assert "ETag" in headers
    assert "Last-Modified" not in headers


def test_same_bytes_everywhere(serve: Serve, listing: Path, clock: Clock, tmp_path: Path) -> None:
    """Equal papers and queries give equal bytes and ETags: after a restart, later, and in any spelling."""
    first = serve(listing=str(listing), public_url="https://feeds.example.org")
    restarted = serve(listing=str(listing), public_url="https://feeds.example.org")
    elsewhere = serve(listing=str(listing), public_url="https://feeds.example.org", archive=str(tmp_path / "b.sqlite"))
    spellings = [
        (first, "q=agent+OR+survey&min_upvotes=2"),
        (first, "min_upvotes=2&q=agent+OR+survey"),
        (first, "min_upvotes=02&q=%20AGENT%20%20or%20Survey&days=90&limit=50&page=1&link=hf&content=full&counts=0"),
        (first, "utm_source=x&q=agent+OR+survey&fbclid=1&min_upvotes=2&_=3"),
        (restarted, "q=agent+OR+survey&min_upvotes=2"),
        (elsewhere, "q=agent+OR+survey&min_upvotes=2"),
    ]
    for name in MEDIA_TYPES:
        answers = [client.get(f"/feed.{name}?{spelling}") for client, spelling in spellings]
        clock.tick(days=3)
        answers.append(first.get(f"/feed.{name}?{spellings[0][1]}"))
        assert 1 == len({answer.headers["ETag"] for answer in answers})
        assert 1 == len({answer.content for answer in answers})


@pytest.mark.parametrize(
    ("seen", "status"),
    [
        (entry(8, upvotes=30), 304),
        (entry(8, upvotes=1, numComments=4), 304),
        (entry(20, title="A Paper on Bread", summary="Of flour.", upvotes=9), 304),
        (entry(20, title="More Agents", upvotes=1), 304),
        (entry(20, title="More Agents", upvotes=2), 200),
        (entry(8, upvotes=3, title="Paper 8 on Agents, Revised"), 200),
    ],
)
def test_what_changes_a_feed(
    client: httpx.Client, clock: Clock, tmp_path: Path, seen: dict[str, object], status: int
) -> None:
    """A vote, a comment or a paper that does not match leaves a feed as it is; a matching paper does not."""
    path = "/feed.rss?q=title:agents&min_upvotes=2"
    fresh = client.get(path)
    assert 1 == len(feedparser.parse(fresh.content).entries)
    see(tmp_path, clock, seen)
    assert status == client.get(path, headers={"If-None-Match": fresh.headers["ETag"]}).status_code


def test_link_that_comes_later(client: httpx.Client, clock: Clock, tmp_path: Path) -> None:
    """A feed of papers with code is unchanged until a paper has code, then has it with the time of the refresh."""
    path = "/feed.json?q=has:code"
    fresh = client.get(path)
    assert (200, []) == (fresh.status_code, fresh.json()["items"])
    see(tmp_path, clock, entry(8, upvotes=30))
    assert 304 == client.get(path, headers={"If-None-Match": fresh.headers["ETag"]}).status_code
    see(tmp_path, clock, entry(8, githubRepo="https://git.example.org/a/b"))
    linked = client.get(path, headers={"If-None-Match": fresh.headers["ETag"]})
    assert [clock.now.isoformat()] == [item["date_published"] for item in linked.json()["items"]]
    see(tmp_path, clock, entry(8))
    assert 304 == client.get(path, headers={"If-None-Match": linked.headers["ETag"]}).status_code
    page = client.get("/?q=HAS:Code", headers={"Accept": BROWSER}).text
    assert "</span>has:code</b>" in page
    assert "came to match on <time" in page


# Choosing a format ------------------------------------------------------------------------------

FEEDPARSER = feedparser.http.ACCEPT_HEADER
NETNEWSWIRE = "application/rss+xml, application/rdf+xml;q=0.8, application/atom+xml;q=0.6, application/xml;q=0.4"
FRESHRSS = "application/atom+xml, application/rss+xml, application/rdf+xml, application/xml;q=0.8, */*;q=0.7"


@pytest.mark.parametrize(
    ("accept", "feed", "page"),
    [
        (None, "rss", "html"),
        ("*/*", "rss", "html"),  # curl, newsboat
        (BROWSER, "rss", "html"),
        ("text/html", "rss", "html"),
        (FEEDPARSER, "rss", "rss"),
        (NETNEWSWIRE, "rss", "rss"),
        (FRESHRSS, "rss", "rss"),
        ("application/atom+xml", "atom", "atom"),
        ("application/atom+xml, application/rss+xml;q=0.9, text/html;q=0.8", "atom", "atom"),
        ("application/atom+xml;q=0.5, text/html;q=0.8", "atom", "html"),
        ("application/feed+json", "json", "json"),
        ("application/json, */*;q=0.5", "json", "json"),
        ("text/xml", "rss", "rss"),
        ("text/*", "rss", "html"),
        ("text/markdown", "md", "html"),
        ("text/markdown, text/html;q=0.9, */*;q=0.8", "md", "html"),
        ("text/markdown, application/atom+xml;q=0.9", "md", "atom"),
        ("application/rss+xml;q=0, application/atom+xml;q=0.1", "atom", "atom"),
        ("application/atom+xml;type=feed", "atom", "atom"),
        ("application/atom+xml; charset=utf-8", "atom", "atom"),
        ("application/atom+xml;type=entry;q=0.2, application/feed+json; charset=utf-8; q=0.3", "json", "json"),
        ("application/rss+xml;q=0.2, application/atom+xml;type=feed;q=0.5, text/html;level=1;q=0.7", "atom", "html"),
        ("application/atom+xml;type=feed;q=0, application/rss+xml;q=0.1", "rss", "rss"),
        ('application/atom+xml;profile="a;b,c", text/html;q=0.9', "atom", "atom"),
        ("image/png", "rss", "html"),
        ("nonsense", "rss", "html"),
    ],
)
def test_negotiation(settled: httpx.Client, accept: str | None, feed: str, page: str) -> None:
    """`/feed` gives the format the client likes best, else RSS; `/` gives one only if it is liked more than HTML."""
    for path, name in (("/feed?q=agents", feed), ("/?q=agents", page)):
        request = settled.build_request("GET", path)
        del request.headers["Accept"]
        if accept is not None:
            request.headers["Accept"] = accept
        response = settled.send(request)
        assert (MEDIA_TYPES | {"html": "text/html; charset=utf-8"})[name] == response.headers["Content-Type"]
        assert "Accept" in re.split(", *", response.headers["Vary"])


def test_negotiated_feed_is_the_feed(settled: httpx.Client) -> None:
    """A feed had by negotiation is the one at its own address, byte for byte, and can be asked for anew."""
    direct = settled.get("/feed.atom?q=agents")
    chosen = settled.get("/?q=agents&min_upvotes=", headers={"Accept": "application/atom+xml"})
    assert direct.content == chosen.content
    again = {"Accept": "application/atom+xml", "If-None-Match": chosen.headers["ETag"]}
    response = settled.get("/?q=agents", headers=again)
    assert 304 == response.status_code
    assert "Accept-Encoding, Accept" == response.headers["Vary"]


# Errors -----------------------------------------------------------------------------------------


def one_line(response: httpx.Response) -> str:
    """Return the only line of an error."""
    (line,) = lines(response)
    return line


def lines(response: httpx.Response) -> list[str]:
    """Return the lines of an error, which is plain text and kept by no cache."""
    assert "text/plain; charset=utf-8" == response.headers["Content-Type"]
    assert "no-store" == response.headers["Cache-Control"]
    assert "nosniff" == response.headers["X-Content-Type-Options"]
    assert str(len(response.content)) == response.headers["Content-Length"]
    assert "ETag" not in response.headers
    *lines, rest = response.text.split("\n")
    assert "" == rest
    assert all(line and line.isprintable() for line in lines)
    return lines


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("min_upvotes=abc", "min_upvotes: “abc” is not a whole number from 0 to 1000000"),
        ("min_upvotes=-1", "min_upvotes: “-1” is not a whole number"),
        ("min_upvotes=1e9", "min_upvotes: “1e9” is not a whole number"),
        ("min_upvotes=%D9%A3", "min_upvotes: “٣” is not a whole number"),
        ("min_upvotes=9999999999", "min_upvotes: “9999999999” is not a whole number"),
        ("min_upvotes=%202", "min_upvotes: “%202” is not a whole number"),
        ("min_upvotes=2+", "min_upvotes: “2%20” is not a whole number"),
        ("min_upvotes=2%00", "min_upvotes: “2%00” is not a whole number"),
        ("link=hf%20", "link: “hf%20” is not one of hf, arxiv, pdf, html, alphaxiv, did you mean hf?"),
        ("min_upvotes=", "min_upvotes: is empty; leave it out instead"),
        ("min_upvotes=1&min_upvotes=1", "min_upvotes: given more than once"),
        ("min_upvote=2", "“min_upvote”: there is no such parameter, did you mean min_upvotes?"),
        ("xyzzy=2", "“xyzzy”: there is no such parameter (parameters: q, min_upvotes,"),
        ("limit=0", "limit: “0” is not a whole number from 1 to 200"),
        ("link=arxv", "link: “arxv” is not one of hf, arxiv, pdf, html, alphaxiv, did you mean arxiv?"),
        ("or_upvotes=9", "or_upvotes: widens other conditions and there are none"),
        ("q=", "q: is empty; leave it out instead"),
        ("q=" + "x" * 10_000, "q: 10000 characters, at most 500"),
        ("q=title:", "q at character 1: title: needs a word or a quoted phrase directly behind it"),
        ("q=%22open", "q at character 1: this quotation mark is never closed"),
        ("q=((a)", "q at character 1: this ( is never closed"),
        ("q=xyzzy:a", "q at character 1: there is no field xyzzy: "),
        ("q=has:github", "q at character 5: there is no has:github, did you mean has:code? (links: has:code, has:"),
        ("q=%FF", "q: is not UTF-8"),
        ("&".join(f"a{n}=1" for n in range(101)), "query: holds more than 100 parameters"),
    ],
)
@pytest.mark.parametrize("path", ["/feed.rss", "/feed"])
def test_bad_query(settled: httpx.Client, path: str, query: str, told: str) -> None:
    """A mistake in a query is 400 and one line that says what is wrong and what would be right."""
    response = settled.get(f"{path}?{query}")
    assert 400 == response.status_code
    assert one_line(response).startswith(told)


def test_raw_bytes_in_query(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are told, not replaced."""
    client = create_app(settings(tmp_path)).test_client()
    response = client.get("/feed.rss", environ_overrides={"QUERY_STRING": "q=\xff"})
    assert (400, "q: is not UTF-8\n") == (response.status_code, response.text)


@pytest.mark.parametrize(
    "query",
    [
        "q=%0D%0AX-Evil:%201%0D%0A%0D%0A%3Cscript%3E",
        "%0D%0AX-Evil=1",
        "min_upvotes=%0D%0AX-Evil:1",
        "q=%1B%5B31m(&min_upvotes=1",
        "%E2%80%AElink=%00",
        "link=%3Cscript%3Ealert(1)%3C/script%3E",
    ],
)
def test_hostile_query(settled: httpx.Client, query: str) -> None:
    """A hostile query is repeated only as clean text in the body of the error."""
    response = settled.get(f"/feed.rss?{query}")
    assert 400 == response.status_code
    assert lines(response)
    assert "X-Evil" not in response.headers


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (
            "q=a,+b+foo:c&limit=x&min_upvote=2",
            [
                "q at character 2: “,” means nothing here; for both leave a space, for either write OR",
                "q at character 6: there is no field foo: (fields: title:, abstract:, author:, org:, has:)",
                "limit: “x” is not a whole number from 1 to 200",
                "“min_upvote”: there is no such parameter, did you mean min_upvotes?",
            ],
        ),
        (
            "q=%2522tool%2520use%2522&min_upvotes=2",
            ["q: is percent-encoded twice", "did you mean q=%22tool%20use%22&min_upvotes=2?"],
        ),
        ("q=c++", ["q: in an address + means a space: write c%2B%2B", "did you mean q=c%2B%2B?"]),
        ("&".join(f"a{number}=1" for number in range(50)), ["“a"] * 10),
    ],
)
def test_all_mistakes_are_told_at_once(settled: httpx.Client, query: str, told: list[str]) -> None:
    """Each mistake has a line, ten at most, and the last line is the query that may be meant."""
    response = settled.get(f"/feed.rss?{query}")
    assert 400 == response.status_code
    assert len(told) == len(lines(response))
    assert all(line.startswith(start) for start, line in zip(told, lines(response), strict=True))


def test_what_an_error_offers_is_a_feed(settled: httpx.Client) -> None:
    """The query at the end of an error can be asked for as it stands there."""
    for query in ("q=Agents,+%26+more&limit=3", "q=%2522agents%2522", "q=rl+c++", "agents", "q%3Dagents%26limit%3D3"):
        offer = lines(settled.get(f"/feed.rss?{query}"))[-1].removeprefix("did you mean ").removesuffix("?")
        assert 200 == settled.get(f"/feed.rss?{offer}").status_code


@pytest.mark.parametrize("path", ["/nowhere", "/feed.xml", "/feed/", "/feed.rss/", "/static/../web.py", "/%3Cb%3E"])
def test_not_found(settled: httpx.Client, path: str) -> None:
    """What is not there is 404, with a line that says where the feeds are."""
    response = settled.get(path)
    assert 404 == response.status_code
    assert one_line(response).endswith("the feeds are /feed.rss, /feed.atom and /feed.json, the page is /")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/feed.rss", "/feed", "/", "/healthz"])
def test_methods(settled: httpx.Client, method: str, path: str) -> None:
    """Anything but GET and HEAD is 405 and told what would be allowed; OPTIONS is where other sites may read."""
    response = settled.request(method, path)
    if method == "OPTIONS" and path.startswith("/feed"):
        assert 204 == response.status_code
        return
    assert 405 == response.status_code
    allowed = {"GET", "HEAD", "OPTIONS"} if path.startswith("/feed") else {"GET", "HEAD"}
    assert allowed == set(response.headers["Allow"].split(", "))
    assert "only GET and HEAD are answered here" == one_line(response)


def test_no_papers_yet(serve: Serve, hub: Hub) -> None:
    """With an empty archive a failing Hub is 503, in its own words, with no less than the wait it asked for."""
    hub.standing = Answer(429, b'{"error": "slow down"}', {"Retry-After": "17"})
    client = serve(listing=hub.url)
    response = client.get("/feed.rss")
    assert 503 == response.status_code
    assert 17 <= int(response.headers["Retry-After"]) <= 45
    assert "there are no papers yet: 127.0.0.1 answered 429 slow down" == one_line(response)
    page = client.get("/", headers={"Accept": BROWSER})
    assert (503, "no-store") == (page.status_code, page.headers["Cache-Control"])
    assert 17 <= int(page.headers["Retry-After"]) <= 45
    assert "answered 429 slow down" in lxml.html.fromstring(page.text).get_element_by_id("error").text


def test_unreachable_hub(serve: Serve) -> None:
    """An unreachable Hub is said plainly, with a time to come back."""
    response = serve(listing="http://127.0.0.1:9").get("/feed.json")
    assert 503 == response.status_code
    assert 0 < int(response.headers["Retry-After"]) <= 60
    assert one_line(response).startswith("there are no papers yet: cannot reach 127.0.0.1")


def test_upstream_trouble_is_not_the_readers(serve: Serve, listing: Path) -> None:
    """With anything in the archive a feed is 200, whatever became of the listing."""
    fresh = serve(listing=str(listing)).get("/feed.rss")
    listing.unlink()
    response = serve(listing=str(listing)).get("/feed.rss", headers={"Host": str(fresh.url.netloc, "ascii")})
    assert (200, fresh.content) == (response.status_code, response.content)


def test_unusable_archive(serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An archive that cannot be opened is 503; where it lies is for the log only."""
    (tmp_path / "junk").write_bytes(b"not a database" * 100)
    response = serve(listing="demo", archive=str(tmp_path / "junk")).get("/feed.rss")
    assert (503, "60") == (response.status_code, response.headers["Retry-After"])
    assert "the archive of this server cannot be used; its log says why" == one_line(response)
    assert f"cannot open the archive {tmp_path}/junk: file is not a database" in caplog.text


class Broken:
    """Memory for finished answers that fails in a way nobody expects."""

    def get(self, *_: object) -> None:
        raise RuntimeError("a secret")


def test_unexpected_failure(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """A failure nobody expected is 500 without its details, which the log has."""
    app = create_app(settings(tmp_path, listing="demo"))
    app.extensions["feedproxy"] = replace(app.extensions["feedproxy"], cache=Broken())
    response = app.test_client().get("/feed.rss")
    on_worker_exit(app.extensions["feedproxy"])
    assert (500, "something is wrong with this server; its log says what\n") == (response.status_code, response.text)
    assert "GET /feed.rss failed" in caplog.text


def test_health_touches_nothing(serve: Serve, hub: Hub, tmp_path: Path) -> None:
    """/healthz answers for any host without asking the Hub or opening the archive."""
    response = serve(listing=hub.url).get("/healthz", headers={"Host": "anything.example"})
    assert (200, "ok") == (response.status_code, one_line(response))
    assert [] == hub.requests
    assert not (tmp_path / "served.sqlite").exists()


def test_generated_queries(tmp_path: Path) -> None:
    """Of 1,000 queries made of the language's own parts and junk, each is 200, or 400 with a few lines of text."""
    (tmp_path / "listing.json").write_bytes(api(PAPERS))
    app = create_app(settings(tmp_path))
    client, dice = app.test_client(), random.Random(5)  # noqa: S311
    statuses = []
    for _ in range(1000):
        response = client.get(f"/feed.json?{made_up_query(dice)}")
        statuses.append(response.status_code)
        if response.status_code != 200:
            assert 400 == response.status_code
            assert "text/plain; charset=utf-8" == response.content_type
            assert re.fullmatch(r"([^\n]+\n){1,11}", response.text)
    on_worker_exit(app.extensions["feedproxy"])
    assert 200 < statuses.count(200) < 800


TOKENS = [
    "agents",
    "tool-use",
    '"long context"',
    "diffus*",
    "-",
    "NOT ",
    "OR",
    "AND",
    "(",
    ")",
    '"',
    ":",
    "*",
    "é",
    "日本",
]
TOKENS += [f"{field}:" for field in FIELDS] + [
    "has:",
    "has:code",
    " ",
    " ",
    " ",
    "\x00",
    "\x1b",
    "\r\n",
    "<b>",
    "ﬁ",
    "🦜",
    "\u202e",
    "'",
    ";--",
]
NUMBERS = ["0", "1", "2", "50", "007", "-1", "1e9", "٣", "", " 1", "99999999999999"]
JUNK = ["%", "%zz", "%FF", "%00", "&", "&&", "=", "==", "+", "a=b", "_=1", "utm_x=1", ";", "#", "?", "q"]


def made_up_query(dice: random.Random) -> str:
    """Return a query string: mostly parameters with values that suit them, sometimes junk."""
    pairs = []
    for name in dice.sample(sorted(PARAMETERS), dice.choice([1, 1, 1, 2, 3])):
        tokens = "".join(dice.choices(TOKENS, k=dice.choice([1, 1, 2, 3, 8, 60])))
        wild = dice.choice([*NUMBERS, tokens, "hf", "none"])
        words = {"q": tokens, "digest": "week", "link": "pdf", "content": "none"}
        fitting = words.get(name, dice.choice(["1", "2", "9"]))
        pairs.append(f"{name}={quote(wild if dice.random() < 0.2 else fitting)}")
    if dice.random() < 0.1:
        pairs.insert(0, dice.choice(JUNK))
    return "&".join(pairs)


# Hosts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("localhost", "http://localhost"),
        ("localhost:8000", "http://localhost:8000"),
        ("LocalHost:8000", "http://localhost:8000"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("[fd00::5]", "http://[fd00::5]"),
        ("192.168.1.7", "http://192.168.1.7"),
        ("nas", "http://nas"),
        ("nas.local:81", "http://nas.local:81"),
        ("papers.localhost", "http://papers.localhost"),
        ("nas.lan", "http://nas.lan"),  # as many routers call it
        ("nas.attic.home:8000", "http://nas.attic.home:8000"),
        ("nas.localdomain.", "http://nas.localdomain"),
        ("xn--a.local", "http://xn--a.local"),  # not what any name becomes in ASCII
        ("xn--bcher-kva.local", "http://xn--bcher-kva.local"),
        ("feed_proxy:8000", "http://feed_proxy:8000"),
        ("my_feeds.example", "http://my_feeds.example"),
        ("100.64.1.2:8000", "http://100.64.1.2:8000"),  # Tailscale, and whoever shares one address among many
        ("169.254.1.2", "http://169.254.1.2"),
        ("[fe80::1]", "http://[fe80::1]"),
        ("[::ffff:192.168.1.7]", "http://[::ffff:192.168.1.7]"),
        ("localhost.", "http://localhost"),
        ("nas.local.:81", "http://nas.local:81"),
        ("localhost:", "http://localhost"),
        ("localhost:80", "http://localhost"),
        ("localhost:443", "http://localhost:443"),
        ("feeds.example.org", "http://feeds.example.org"),
        ("feeds.example.org.", "http://feeds.example.org"),
        ("FEEDS.example.org:8443", "http://feeds.example.org:8443"),
    ],
)
def test_known_host(settled: httpx.Client, host: str, base: str) -> None:
    """A feed carries the address it was asked for under, if that is local or configured."""
    response = ask(settled, "/feed.json?q=agents", host)
    assert 200 == response.status
    assert f'"feed_url":"{base}/feed.json?q=agents"' in response.text


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("evil.example", "this server does not go by “evil.example”; "),
        ("evil.example:80", "this server does not go by “evil.example”; "),
        ("localhost.evil.example", "this server does not go by “localhost.evil.example”; "),
        ("nas.fritz.box", "this server does not go by “nas.fritz.box”; "),  # anybody can register in .box
        ("nas.lan.evil.example", "this server does not go by “nas.lan.evil.example”; "),
        ("evil.mylan.example", "this server does not go by “evil.mylan.example”; "),
        ("nas.xlan", "this server does not go by “nas.xlan”; "),
        ("8.8.8.8", "this server does not go by “8.8.8.8”; "),
        ("[2001:4860:4860::8888]:80", "this server does not go by “[2001:4860:4860::8888]”; "),
        ("100.128.0.1", "this server does not go by “100.128.0.1”; "),
        ("[::ffff:8.8.8.8]", "this server does not go by “[::ffff:8.8.8.8]”; "),
        ("fe80::1%@evil.example", "the request names no host; "),
        ("[fe80::1%25eth0]", "the request names no host; "),
        ("[fe80::1%@evil.example]", "the request names no host; "),
        ("[1::2::3]", "the request names no host; "),
        ("localhost..", "the request names no host; "),
        ("evil..example", "the request names no host; "),
        (f"{'x' * 64}.local", "the request names no host; "),
        ("localhost:0", "the request names no host; "),
        ("localhost, evil.example", "the request names no host; "),
        ("localhost evil.example", "the request names no host; "),
        ("paß", "the request names no host; "),  # which would casefold to “pass”
        ("locälhost", "the request names no host; "),
        ("localhost@evil.example", "the request names no host; "),
        ("localhost/evil", "the request names no host; "),
        ('"><script>', "the request names no host; "),
        ("localhost:99999", "the request names no host; "),
        ("", "the request names no host; "),
    ],
)
def test_unknown_host(settled: httpx.Client, host: str, told: str) -> None:
    """An unknown host is refused with 421 and a line that says how to make it known."""
    for path in ("/feed.rss", "/feed", "/"):
        response = ask(settled, path, host)
        assert 421 == response.status
        assert "no-store" == response.getheader("Cache-Control")
        assert f"{told}FEEDPROXY_PUBLIC_URL or FEEDPROXY_HOSTS tells this server its names\n" == response.text


def test_any_host(tmp_path: Path) -> None:
    """With `*` the server answers to every name, and feeds carry it; what is no name is refused all the same."""
    (tmp_path / "listing.json").write_bytes(api(PAPERS))
    with serving(settings(tmp_path, hosts="*"), Clock()) as client:
        for host in ("nas.tail1234.ts.net", "8.8.8.8:8000", "localhost"):
            assert f'"feed_url":"http://{host}/feed.json"' in ask(client, "/feed.json", host).text
        assert [421] * 3 == [ask(client, "/feed.json", host).status for host in ("", "*", "evil..example")]


HOSTILE = ["evil.example", "fe80::1%@evil.example", "evil..example", "evil.example:x", "[evil", f"evil.{'x' * 64}"]


@pytest.mark.parametrize("host", HOSTILE)
def test_no_host_in_what_answers_under_any(settled: httpx.Client, host: str) -> None:
    """What answers under any host name does so under a made-up one too, and repeats it nowhere."""
    statuses = {
        "/healthz": 200,
        "/readyz": 200,
        "/status": 200,
        "/status.json": 200,
        "/static/style.css": 200,
        "/favicon.ico": 200,
    }
    for path, status in (statuses | {"/static/evil.css": 404, "/static//x": 404, "/nowhere": 404}).items():
        response = ask(settled, path, host)
        assert (path, status) == (path, response.status)
        assert "evil" not in response.text + str(response.headers)


@given(st.text("aZ1.-_:[]%@/\\?# ß,", max_size=20) | st.from_regex(r"(nas|\[[0-9a-f:.%]*\]|[1-9.]+)\.?(:[0-9]*)?.?"))
def test_a_host_is_one_name(text: str) -> None:
    """What is taken for a host makes an address that everybody reads as that name and port, and as nothing else."""
    name, port = split_host(text)
    if name:
        parts = urlsplit(origin("http", name, port))
        assert (name.strip("[]"), None, "") == (parts.hostname, parts.username, parts.path)
        assert (int(port) if port not in ("", "80") else None) == parts.port
    else:
        assert "" == port


def test_public_url(serve: Serve, listing: Path) -> None:
    """FEEDPROXY_PUBLIC_URL is the address in every feed, by whichever of its names the server was asked."""
    client = serve(listing=str(listing), public_url="https://Feeds.example.org:8443/papers/", hosts="origin.example")
    names = ("localhost", "127.0.0.1:1", "feeds.example.org", "FEEDS.example.org:81", "origin.example", None)
    answers = {ask(client, "/feed.json", host).text for host in names}
    assert 1 == len(answers)
    assert '"feed_url":"https://Feeds.example.org:8443/papers/feed.json"' in answers.pop()
    assert {421} == {ask(client, "/feed.json", host).status for host in ("evil.example", "example.org", "")}


def test_hosts_do_not_mix(settled: httpx.Client) -> None:
    """No answer depends on the host of another request."""
    for host in ("nas", "localhost:1", "nas"):
        response = ask(settled, "/feed.json?q=tool", host)
        assert {f"http://{host}"} == set(re.findall(r'_url":"(http://[^/]+)', response.text))


# Icons ------------------------------------------------------------------------------------------


def test_icons(settled: httpx.Client) -> None:
    """The icon that feeds and pages name is there, small, and as large as it is said to be; so is /favicon.ico."""
    feed = settled.get("/feed.json").json()
    page = lxml.html.fromstring(settled.get("/status", headers={"Accept": BROWSER}).text)
    named = [feed["icon"], *page.xpath("//link[@rel='icon']/@href"), "/favicon.ico"]
    found = [settled.get(address) for address in named]
    kinds = ["image/png", "image/png", "image/svg+xml; charset=utf-8", "image/png"]
    assert kinds == [response.headers["Content-Type"] for response in found]
    assert {200} == {response.status_code for response in found}
    assert found[0].content == found[1].content == found[-1].content
    assert found[0].content.startswith(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0\0\0\x90" * 2)
    assert all(len(response.content) < 4096 for response in found)
    assert "public, max-age=86400" == found[-1].headers["Cache-Control"]
    again = settled.get("/favicon.ico", headers={"If-None-Match": found[-1].headers["ETag"]})
    assert 304 == again.status_code


# Pages of other sites ---------------------------------------------------------------------------

ORIGIN = {"Origin": "https://elsewhere.example"}
SHARED = [
    "/feed.rss?q=agents",
    "/feed.atom",
    "/feed.json?page=2",
    "/feed",
    "/opml?feed=q%3Da",
    "/status",
    "/status.json",
]


@pytest.mark.parametrize("path", [*SHARED, "/feed.rss?q=(", "/feed?x=1", "/opml", "/f/nowhere.rss", "/feeds.opml"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_other_sites_may_read(settled: httpx.Client, path: str, method: str) -> None:
    """A page of any site may read a feed, OPML or status, or what is wrong with its request, and the ETag."""
    for _ in range(2):  # made, and from memory
        found = settled.request(method, path, headers=ORIGIN)
        assert ["*"] == found.headers.get_list("Access-Control-Allow-Origin")
        assert ["ETag, Retry-After"] == found.headers.get_list("Access-Control-Expose-Headers")
        assert "Access-Control-Allow-Credentials" not in found.headers
    if "ETag" in found.headers:
        again = settled.get(path, headers=ORIGIN | {"If-None-Match": found.headers["ETag"]})
        assert (304, "*") == (again.status_code, again.headers["Access-Control-Allow-Origin"])


@pytest.mark.parametrize("path", [*SHARED, "/f/nowhere.rss", "/feeds.opml"])
def test_preflight(settled: httpx.Client, path: str) -> None:
    """A browser that asks whether a page may send If-None-Match is told so, for a day, also where the feed is known."""
    settled.get(path)
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "if-none-match"}
    answer = settled.options(path, headers=ORIGIN | asked)
    assert (204, b"") == (answer.status_code, answer.content)
    assert "Content-Type" not in answer.headers
    told = {name.removeprefix("access-control-"): text for name, text in answer.headers.items()}
    assert ("*", "GET, HEAD", "86400") == (told["allow-origin"], told["allow-methods"], told["max-age"])
    assert {"if-none-match", "if-modified-since"} <= set(told["allow-headers"].lower().split(", "))


@pytest.mark.parametrize(
    "path", ["/", "/?q=agents", "/healthz", "/readyz", "/robots.txt", "/static/style.css", "/nowhere"]
)
def test_other_sites_may_not_read(settled: httpx.Client, path: str) -> None:
    """All else is for nobody else's pages, and has no OPTIONS."""
    assert "Access-Control-Allow-Origin" not in settled.get(path, headers=ORIGIN).headers
    answer = settled.options(path, headers=ORIGIN | {"Access-Control-Request-Method": "GET"})
    assert answer.status_code in (404, 405)
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_page_that_is_a_feed_may_be_read(settled: httpx.Client) -> None:
    """A feed had from the page's address, by `Accept`, is as public as at its own."""
    found = settled.get("/?q=agents", headers=ORIGIN | {"Accept": "application/atom+xml"})
    assert "*" == found.headers["Access-Control-Allow-Origin"]


# Crawlers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("public", ["", "https://feeds.example.org/papers"])
def test_robots(serve: Serve, listing: Path, public: str) -> None:
    """A crawler may have the page and every feed, but no page with a query: each leads to a dozen more."""
    client = serve(listing=str(listing), public_url=public)
    answer = client.get("/robots.txt", headers={"Host": "evil.example"})
    assert (200, "text/plain; charset=utf-8") == (answer.status_code, answer.headers["Content-Type"])
    base = public or "https://localhost"
    rules = RobotFileParser()
    rules.parse(answer.text.splitlines())
    closed = (
        "/?q=agents",
        "/?min_upvotes=50",
        "/?limit=9&q=a",
        "/opml?feed=q%3Dagents",
        "/status",
        "/status.json",
        "/metrics",
    )
    allowed = (
        "/",
        "/feed.rss",
        "/feed.atom?q=agents",
        "/feed?q=agents",
        "/f/agents.rss",
        "/feeds.opml",
        "/static/x.css",
    )
    assert [False] * len(closed) == [rules.can_fetch("any", base + path) for path in closed]
    assert [True] * len(allowed) == [rules.can_fetch("any", base + path) for path in allowed]


def test_pages_for_crawlers(settled: httpx.Client) -> None:
    """The page without a query may be listed by search engines; one with a query, an error or the status may not."""
    pages = {"/": None, "/?utm_source=x": None, "/?q=agents": "noindex, nofollow", "/?q=%22": "noindex, nofollow"}
    for path, told in (pages | {"/status": "noindex, nofollow", "/feed.rss?q=agents": None}).items():
        for _ in range(2):  # made, and from memory
            answer = settled.get(path, headers={"Accept": BROWSER})
            assert (path, told) == (path, answer.headers.get("X-Robots-Tag"))


# Where the application comes from ---------------------------------------------------------------


def test_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """By default the application is as the environment says; what is no setting there is told once."""
    monkeypatch.setenv("FEEDPROXY_LISTING", "demo")
    monkeypatch.setenv("FEEDPROXY_ARCHIVE", str(tmp_path / "archive.sqlite"))
    monkeypatch.setenv("FEEDPROXY_MAXAGE", "1")
    app = create_app()
    assert ["FEEDPROXY_MAXAGE is not a setting, did you mean FEEDPROXY_MAX_AGE?"] == caplog.messages
    assert not (tmp_path / "archive.sqlite").exists()
    response = app.test_client().get("/feed.atom")
    on_worker_exit(app.extensions["feedproxy"])
    assert 50 == len(feedparser.parse(response.data).entries)
    assert "localhost" == urlsplit(feedparser.parse(response.data).feed.link).netloc


def test_environment_with_mistakes(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """What is wrong in the environment is logged, a line each, under whichever server."""
    monkeypatch.setenv("FEEDPROXY_PACE", "x")
    monkeypatch.setenv("FEEDPROXY_MAX_AGE", "y")
    with pytest.raises(ConfigError):
        create_app()
    assert ["FEEDPROXY_PACE", "FEEDPROXY_MAX_AGE"] == [line.partition(" ")[0] for line in caplog.messages]


def test_older_entries_move_last_modified(serve: Serve, listing: Path, tmp_path: Path, clock: Clock) -> None:
    """A reader that asks by date alone gets older entries that were filled in, though none of them is newest.

    A fill may store several listings in one second, so feeds carry no date until the next change after that.
    """
    client = serve(listing=str(listing))
    asked_by_date = {"If-Modified-Since": client.get("/feed.rss").headers["Last-Modified"]}
    assert 304 == client.get("/feed.rss", headers=asked_by_date).status_code
    day = DAY - timedelta(days=9)
    with closing(Archive(str(tmp_path / "served.sqlite"))) as archive:
        clock.tick(hours=1)
        for number in (70, 71):
            archive.store([parse(api([entry(number, day=day)]), day=day)], clock())
            answer = client.get("/feed.rss", headers=asked_by_date)
            assert (200, None) == (answer.status_code, answer.headers.get("Last-Modified"))
            assert f"Paper {number} on" in answer.text
        archive.store([parse(api([entry(70, day=day, upvotes=900)]), day=day)], clock.tick(seconds=1))
    after = client.get("/feed.rss", headers=asked_by_date)
    assert (200, "Tue, 10 Mar 2026 13:00:00 GMT") == (after.status_code, after.headers["Last-Modified"])
    assert 304 == client.get("/feed.rss", headers={"If-Modified-Since": after.headers["Last-Modified"]}).status_code


def test_requests_share_the_first_refresh(serve: Serve, hub: Hub, clock: Clock) -> None:
    """Different queries to an empty archive wait for one and the same refresh."""
    hub.days[clock.now.date()] = PAPERS
    hub.days[clock.now.date() - timedelta(days=1)] = entries(2, first=50, day=clock.now.date() - timedelta(days=1))
    client = serve(listing=hub.url)
    found = [len(client.get(f"/feed.json?q={word}").json()["items"]) for word in ("agents", "surveys", "agents")]
    assert [1, 1, 1] == found
    assert len(hub.asked()) == len(set(hub.asked()))
