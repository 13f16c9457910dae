"""Entries become documents that validators and readers have nothing to say against."""

import copy
import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from feedproxy.feeds import FORMATS, Document, Feed
from feedproxy.feeds.entry import byline, credit, entry_view
from feedproxy.feeds.feed import NOTHING_YET
from feedproxy.feeds.tex import readable
from feedproxy.model import Entry, Organization, Paper
from feedproxy.query.named_feeds import NamedFeed
from feedproxy.query.parameters import Query, parse_query
from feedproxy.query.terms import words
from feedproxy.text import one_line, paragraphs
from tests import factories

BASE = "https://feeds.example.org"
ENTRIES = factories.entered(factories.difficult_papers())
DIGESTS = factories.digests()
GRAMMAR = etree.RelaxNG(etree.parse(Path(__file__).with_name("atom.rng")))
NS = {
    "a": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "media": "http://search.yahoo.com/mrss/",
    "slash": "http://purl.org/rss/1.0/modules/slash/",
}


NAMED = NamedFeed("agents", "Agents <worth> a look & more", parse_query("q=agents&limit=2"))


def document(name: str, query: str = "", entries: tuple[Entry, ...] = ENTRIES, *, more: bool = False) -> bytes:
    """Return the feed of `entries` in the format `name`."""
    return FORMATS[name].render(Document(Feed(parse_query(query), BASE), entries, more))


def tree(name: str, query: str = "", *papers: Paper, more: bool = False) -> Callable[[str], list[Any]]:
    """Return what finds an XPath in the RSS or Atom feed of `papers`, by default all the difficult ones."""
    made = document(name, query, factories.entered(papers) if papers else ENTRIES, more=more)
    root = etree.fromstring(made)
    return lambda path: root.xpath(path, namespaces=NS)


def json_feed(query: str = "", *papers: Paper, more: bool = False) -> dict[str, Any]:
    """Return the JSON Feed of `papers`, by default all the difficult ones."""
    return json.loads(document("json", query, factories.entered(papers) if papers else ENTRIES, more=more))


# Byte for byte ----------------------------------------------------------------------------------

GOLDEN: dict[str, Callable[[], Document]] = {
    "full": lambda: Document(Feed(Query(), BASE), ENTRIES),
    "counts": lambda: Document(Feed(parse_query("counts=1"), BASE), ENTRIES),
    "none": lambda: Document(Feed(parse_query("content=none"), BASE), ENTRIES),
    "brief": lambda: Document(Feed(parse_query("content=brief"), BASE), ENTRIES),
    "pdf": lambda: Document(Feed(parse_query("link=pdf"), BASE), ENTRIES),
    "page": lambda: Document(
        Feed(parse_query('q="tool use" OR -agents&min_upvotes=2&limit=2&page=2'), BASE), ENTRIES[2:4], True
    ),
    "named": lambda: Document(Feed(parse_query("q=agents&limit=2"), BASE, NAMED), ENTRIES[:2], True),
    "empty": lambda: Document(Feed(parse_query("q=agents"), BASE)),
    "digest": lambda: Document(Feed(parse_query("q=agents&digest=week"), BASE), DIGESTS),
    "digest-brief": lambda: Document(Feed(parse_query("digest=week&link=alphaxiv&content=brief"), BASE), DIGESTS),
    "digest-none": lambda: Document(Feed(parse_query("digest=week&top=8&link=pdf&content=none"), BASE), DIGESTS),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("case", GOLDEN)
def test_golden(case: str, name: str, request: pytest.FixtureRequest) -> None:
    """Every feed is the golden one, byte for byte."""
    path = Path(__file__).parent / "golden" / f"{case}.{name}"
    made = FORMATS[name].render(GOLDEN[case]())
    if request.config.getoption("--rewrite-golden"):
        path.write_bytes(made)
    assert path.read_bytes() == made


@pytest.mark.parametrize("case", GOLDEN)
def test_golden_atom_is_valid(case: str) -> None:
    """Every golden Atom feed follows the grammar and the rules of RFC 4287."""
    check_atom(etree.fromstring(FORMATS["atom"].render(GOLDEN[case]())))


def check_atom(root: etree._Element) -> None:
    """Hold `root` to the grammar of RFC 4287 and the three rules in it that RELAX NG cannot say."""
    GRAMMAR.assertValid(root)
    for rule in (
        "a:author or not(a:entry[not(a:author)])",
        "not(a:entry[not(a:link[@rel='alternate'] or a:link[not(@rel)] or a:content)])",
        "not(.//a:link[@rel='alternate'][@type=preceding-sibling::a:link[@rel='alternate']/@type])",
    ):
        assert root.xpath(rule, namespaces=NS), rule


WRONG = {
    "an entry without an id": "<entry><title/><updated>2026-03-10T00:00:00Z</updated></entry>",
    "two titles": "<entry><id/><title/><title/><updated>2026-03-10T00:00:00Z</updated></entry>",
    "a date that is none": "<entry><id/><title/><updated>now</updated></entry>",
    "an element of Atom's own that there is not": (
        "<entry><id/><title/><updated>2026-03-10T00:00:00Z</updated><pubDate/></entry>"
    ),
    "an unknown attribute": '<entry><id color="red"/><title/><updated>2026-03-10T00:00:00Z</updated></entry>',
    "a type of text that is none": ('<entry><id/><title type="CDATA"/><updated>2026-03-10T00:00:00Z</updated></entry>'),
}


@pytest.mark.parametrize("entry", WRONG.values(), ids=WRONG)
def test_grammar_rejects(entry: str) -> None:
    """The grammar that the tests hold Atom feeds to rejects what RFC 4287 does."""
    right = '<entry xmlns="http://www.w3.org/2005/Atom"><id/><title/><updated>2026-03-10T00:00:00Z</updated></entry>'
    assert GRAMMAR.validate(etree.fromstring(right))
    wrong = entry.replace("<entry>", '<entry xmlns="http://www.w3.org/2005/Atom">')
    assert not GRAMMAR.validate(etree.fromstring(wrong))


# Any papers -------------------------------------------------------------------------------------

HOSTILE = st.sampled_from(
    ("<think>", "</title>", "&", "&amp;", "\\&", "]]>", "<![CDATA[", '"', "'", "p < 0.05", "\n\n")
)
TEXT = st.lists(HOSTILE | st.text(max_size=20), max_size=6).map("".join)
LINE = TEXT.map(lambda text: one_line(text, 200))
NAME = LINE.filter(bool)
ADDRESS = st.none() | st.sampled_from(("https://cdn.huggingface.co/a.png?b='1'&c=%3C", "http://[::1]:80/]]/"))


@st.composite
def papers(draw: st.DrawFn) -> Paper:
    """Draw a paper as clean as a listing makes it."""
    title = draw(NAME)
    number = draw(st.integers(0, 99_999))
    authors = tuple(draw(st.lists(NAME, max_size=25, unique=True)))
    return Paper(
        id=draw(st.sampled_from((factories.paper_id(number), "-".join([*words(title), str(number)])))),
        title=title,
        summary=paragraphs(draw(TEXT), 500),
        submitted_at=datetime(2026, 3, 10, tzinfo=UTC),
        authors=authors,
        author_count=len(authors) or draw(st.integers(0, 700)),
        upvotes=draw(st.none() | st.integers(0, 2**31 - 1)),
        comments=draw(st.integers(0, 2**31 - 1)),
        thumbnail=draw(ADDRESS),
        organization=draw(st.none() | st.builds(Organization, NAME, NAME)),
        github_repo=draw(ADDRESS),
        project_page=draw(ADDRESS),
        ai_keywords=tuple(draw(st.lists(NAME, max_size=3, unique=True))),
        ai_summary=draw(st.none() | NAME),
        github_stars=draw(st.none() | st.integers(0, 2**31 - 1)),
        media=draw(st.sampled_from(((), ("https://cdn.huggingface.co/a.mp4?b='1'&c=%3C",)))),
    )


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Draw a document whose entries have dates of their own, as the archive hands them out."""
    found = draw(st.lists(papers(), max_size=4, unique_by=lambda paper: paper.links.hub))
    seconds = draw(
        st.lists(st.integers(0, 10**9), min_size=2 * len(found), max_size=2 * len(found), unique=True).map(sorted)
    )
    dates = [datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=second) for second in reversed(seconds)]
    entries = tuple(
        Entry(paper, dates[2 * rank + 1], dates[2 * rank + draw(st.integers(0, 1))], draw(st.none() | st.just(7)))
        for rank, paper in enumerate(found)
    )
    query = st.builds(
        Query,
        page=st.integers(1, 3),
        link=st.sampled_from(("hf", "arxiv", "pdf", "html", "alphaxiv")),
        content=st.sampled_from(("full", "brief", "none")),
        counts=st.integers(0, 1),
    )
    named = st.none() | st.builds(NamedFeed, st.just("a-1"), NAME, st.just(Query()))
    return Document(Feed(draw(query), BASE, draw(named)), entries, draw(st.booleans()))


def read_rss(body: bytes) -> list[tuple[str, str, datetime]]:
    return [
        (item.findtext("guid"), item.findtext("title"), parsedate_to_datetime(item.findtext("pubDate")))
        for item in etree.fromstring(body).iterfind("channel/item")
    ]


def read_atom(body: bytes) -> list[tuple[str, str, datetime]]:
    root = etree.fromstring(body)
    check_atom(root)
    updated = [element.text for element in root.iterfind("a:entry/a:updated", NS)]
    assert len(updated) == len(set(updated))
    return [
        (entry.findtext("a:id", None, NS), _text(entry.find("a:title", NS)), _time(entry.find("a:published", NS).text))
        for entry in root.iterfind("a:entry", NS)
    ]


def _text(element: etree._Element) -> str:
    return html.unescape(element.text) if element.get("type") == "html" else element.text


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def read_json(body: bytes) -> list[tuple[str, str, datetime]]:
    items = json.loads(body)["items"]
    return [(item["id"], item["title"], _time(item["date_published"])) for item in items]


TITLE: dict[str, Callable[[bytes], str]] = {
    "rss": lambda body: etree.fromstring(body).findtext("channel/title"),
    "atom": lambda body: _text(etree.fromstring(body).find("a:title", NS)),
    "json": lambda body: json.loads(body)["title"],
}
READ = {"rss": read_rss, "atom": read_atom, "json": read_json}


def content(paper: Paper, query: str = "", upvotes: int | None = None) -> str:
    """Return the HTML of an entry that entered with `upvotes`."""
    return entry_view(Entry(paper, paper.submitted_at, paper.submitted_at, upvotes), parse_query(query)).html


def lines(text: str) -> list[str]:
    """Return the text of each paragraph of some HTML."""
    return ["".join(row.itertext()) for row in etree.fromstring(text, etree.HTMLParser()).iterfind(".//p")]


@given(document=documents())
@settings(max_examples=25)
def test_any_papers(document: Document) -> None:
    """Any papers and titles make a well-formed document that reads back with the same ids, titles, dates and order."""
    expected = [(entry.paper.links.hub, readable(entry.paper.title), entry.entered_at) for entry in document.entries]
    for name, read in READ.items():
        body = FORMATS[name].render(document)
        assert expected == read(body), name
        assert document.feed.title == TITLE[name](body)
        assert body == FORMATS[name].render(copy.deepcopy(document)), "equal documents, equal bytes"


@given(text=TEXT)
def test_html_shows_any_text(text: str) -> None:
    """The HTML of an entry shows an abstract and its names as the text they are, whatever they hold."""
    clean = paragraphs(text, 500)
    paper = factories.paper(summary=clean, authors=(one_line(text, 200) or "Ada",), thumbnail=None)
    first, *abstract, _ = lines(content(paper))
    assert [credit(paper), *filter(None, readable(clean).split("\n\n"))] == [first, *abstract]


# The feed itself --------------------------------------------------------------------------------


def test_rss_channel_comes_first() -> None:
    """RSS says everything about the channel before the first item."""
    names = [child.tag.rpartition("}")[2] for child in tree("rss", "limit=2&page=2", more=True)("/rss/channel/*")]
    told = ["title", "link", "description", "link", "docs", "generator", "image", "language", "lastBuildDate", "ttl"]
    assert told + ["link", "link"] + ["item"] * len(ENTRIES) == names


CHANNEL = {
    "docs": "http://www.rssboard.org/rss-specification",
    "generator": "feedproxy",
    "language": "en",
    "link": f"{BASE}/?q=agents&min_upvotes=2",
    "title": "Daily Papers: agents, at least 2 upvotes",
    "description": "Papers from Hugging Face Daily Papers (agents, at least 2 upvotes)",
    "ttl": "15",
}


@pytest.mark.parametrize(("name", "expected"), CHANNEL.items(), ids=CHANNEL)
def test_rss_channel(name: str, expected: str) -> None:
    """RSS names the page of the same query and how often to ask, and no version of anything."""
    assert [expected] == tree("rss", "min_upvotes=2&q=Agents")(f"string(/rss/channel/{name})").split("\n")


def test_rss_image() -> None:
    """RSS names its icon with the title and the page of the feed, in the size it has."""
    (image,) = tree("rss", "q=agents")("/rss/channel/image")
    assert {
        "url": f"{BASE}/static/icon.png",
        "title": "Daily Papers: agents",
        "link": f"{BASE}/?q=agents",
        "width": "144",
        "height": "144",
    } == {child.tag: child.text for child in image}


@pytest.mark.parametrize("query", ["", "limit=50&days=90", "q=B OR a&min_upvotes=02", "content=none&limit=7&page=2"])
def test_self_is_the_canonical_address(query: str) -> None:
    """Every format names its own canonical address, however the query was written."""
    told = {
        "rss": tree("rss", query)("/rss/channel/a:link[@rel='self']/@href"),
        "atom": tree("atom", query)("/a:feed/a:link[@rel='self']/@href"),
        "json": [json_feed(query)["feed_url"]],
    }
    canonical = str(parse_query(query))
    for name, found in told.items():
        assert [f"{BASE}/feed.{name}{'?' * bool(canonical)}{canonical}"] == found


def test_atom_feed_links() -> None:
    """Atom names itself and the page, each with its media type."""
    found = [dict(link.attrib) for link in tree("atom", "q=agents")("/a:feed/a:link")]
    assert [
        {"href": f"{BASE}/feed.atom?q=agents", "rel": "self", "type": "application/atom+xml"},
        {"href": f"{BASE}/?q=agents", "rel": "alternate", "type": "text/html"},
    ] == found


def test_atom_feed_describes_itself() -> None:
    """Atom says its language, its author, an icon and what makes it, without a version."""
    found = tree("atom")
    assert ["en"] == found("/a:feed/@xml:lang")
    assert ["Hugging Face Daily Papers"] == found("/a:feed/a:author/a:name/text()")
    assert [f"{BASE}/static/icon.png"] == found("/a:feed/a:icon/text()")
    assert [] == found("/a:feed/a:logo")
    assert [("feedproxy", {})] == [(made.text, made.attrib) for made in found("/a:feed/a:generator")]


def test_pages_are_linked() -> None:
    """A page in the middle names the one before and the one after it, in each format (RFC 5005)."""
    query = "q=agents&limit=2&page=2"
    for name, path in (("rss", "/rss/channel/a:link"), ("atom", "/a:feed/a:link")):
        found = {link.get("rel"): link for link in tree(name, query, more=True)(path)}
        assert f"{BASE}/feed.{name}?q=agents&limit=2&page=3" == found["next"].get("href")
        assert f"{BASE}/feed.{name}?q=agents&limit=2" == found["previous"].get("href")
        assert found["self"].get("type") == found["next"].get("type") == found["previous"].get("type")
    assert f"{BASE}/feed.json?q=agents&limit=2&page=3" == json_feed(query, more=True)["next_url"]


def test_the_only_page_links_to_no_other() -> None:
    """A feed of one page names no other page."""
    assert [] == tree("rss")("//a:link[@rel!='self']")
    assert [] == tree("atom")("/a:feed/a:link[@rel='next' or @rel='previous']")
    assert "next_url" not in json_feed()


@pytest.mark.parametrize("entries", [ENTRIES, ()], ids=["some", "none"])
def test_dates_come_from_the_entries(entries: tuple[Entry, ...]) -> None:
    """The feed's date is its newest change, a fixed one if it is empty; no document holds any other."""
    newest = max((entry.updated_at for entry in entries), default=NOTHING_YET)
    known = {moment for entry in entries for moment in (entry.entered_at, entry.updated_at)} | {newest}
    rss = etree.fromstring(document("rss", entries=entries))
    assert newest == parsedate_to_datetime(rss.findtext("channel/lastBuildDate"))
    assert newest == _time(etree.fromstring(document("atom", entries=entries)).findtext("a:updated", None, NS))
    for name in FORMATS:
        body = document(name, entries=entries).decode()
        told = map(_time, re.findall(r"\d{4}-\d\d-\d\dT[\d:.+Z]+", body))
        mailed = map(parsedate_to_datetime, re.findall(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000", body))
        assert {*told, *mailed} <= known


@pytest.mark.parametrize("name", READ)
def test_empty_feed_is_complete(name: str) -> None:
    """Nothing found is a complete feed without entries."""
    body = document(name, "q=agents", ())
    assert [] == READ[name](body)
    assert b"Daily Papers: agents" in body


# RSS items --------------------------------------------------------------------------------------


def test_rss_guid() -> None:
    """The guid is the Hub's page of the paper, and a permalink only where the item's link leads there too."""
    paper = factories.paper(1)
    for query, is_permalink in (("", "true"), ("link=pdf", "false"), ("q=agents&min_upvotes=1", "true")):
        (guid,) = tree("rss", query, paper)("//item/guid")
        assert (paper.links.hub, {"isPermaLink": is_permalink}) == (guid.text, guid.attrib)


def test_rss_creator() -> None:
    """RSS joins the names in one dc:creator and has no author, which would have to be an e-mail address."""
    found = tree("rss", "", factories.paper(1, authors=("Ada & Co", "Ben <b>")))
    assert ["Ada & Co, Ben <b>"] == found("//item/dc:creator/text()")
    assert [] == found("//author")


def test_rss_description_is_escaped_twice() -> None:
    """The abstract is text in HTML in XML, so that no reader takes `<think>` or `p < 0.05` for markup."""
    body = document("rss", entries=factories.entered([factories.paper(1, summary="<think> p < 0.05 & \\<")]))
    assert b"<description>&amp;lt;think&amp;gt; p &amp;lt; 0.05 &amp;amp; \\&amp;lt;</description>" in body


def test_rss_content() -> None:
    """The whole entry follows as HTML, after the description."""
    paper = factories.paper(1)
    found = tree("rss", "", paper)
    assert [content(paper)] == found("//item/description/following-sibling::content:encoded/text()")


def test_rss_plain_text_is_numeric() -> None:
    """In RSS titles, names and topics `<` and `&` are numeric references, for readers that decode named ones twice."""
    text, written = "A & B: p < 0.05 &lt;", "A &#x26; B: p &#x3C; 0.05 &#x26;lt;"
    paper = factories.paper(1, title=text, authors=(text,), ai_keywords=(text,))
    body = document("rss", entries=factories.entered([paper])).decode()
    for name in ("title", "dc:creator", "category"):
        assert f"<{name}>{written}</{name}>" in body


def test_rss_dates() -> None:
    """An item's date is the one it entered at, as e-mail writes it, with a year of four digits."""
    assert ["Tue, 10 Mar 2026 12:00:00 +0000"] == tree("rss", "", factories.paper(1))("//item/pubDate/text()")


def test_rss_comments() -> None:
    """An item names the discussion."""
    paper = factories.paper(1)
    assert [paper.links.discussion] == tree("rss", "", paper)("//item/comments/text()")


def test_no_enclosure() -> None:
    """A PDF is a link and no enclosure, which podcast clients would download."""
    assert [] == tree("rss", "link=pdf")("//enclosure")
    assert [] == tree("atom", "link=pdf")("//a:link[@rel='enclosure']")


# Atom entries -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("link", "address", "media_type"),
    [
        ("hf", "https://huggingface.co/papers/9913.00001", "text/html"),
        ("arxiv", "https://arxiv.org/abs/9913.00001", "text/html"),
        ("pdf", "https://arxiv.org/pdf/9913.00001", "application/pdf"),
        ("html", "https://arxiv.org/html/9913.00001", "text/html"),
        ("alphaxiv", "https://www.alphaxiv.org/abs/9913.00001", "text/html"),
    ],
)
def test_links(link: str, address: str, media_type: str) -> None:
    """An entry's link leads where it was asked to, and says to what; the discussion stands beside it in Atom."""
    paper, query = factories.paper(1), f"link={link}"
    found = [dict(element.attrib) for element in tree("atom", query, paper)("/a:feed/a:entry/a:link")]
    assert [
        {"href": address, "rel": "alternate", "type": media_type},
        {"href": paper.links.discussion, "rel": "replies", "type": "text/html"},
    ] == found
    assert [address] == tree("rss", query, paper)("//item/link/text()")
    assert address == json_feed(query, paper)["items"][0]["url"]
    assert paper.links.arxiv == json_feed(query, paper)["items"][0]["external_url"]


@pytest.mark.parametrize("link", ["arxiv", "pdf", "html", "alphaxiv"])
def test_link_of_a_paper_without_an_id(link: str) -> None:
    """Where only a search can find the paper, the link is that search and promises no PDF."""
    paper = factories.paper(id="from-a-text", title="From a Text")
    (found,) = tree("atom", f"link={link}", paper)("//a:entry/a:link[@rel='alternate']")
    assert (paper.links.arxiv, "text/html") == (found.get("href"), found.get("type"))


@pytest.mark.parametrize(
    ("text", "written", "kind"),
    [
        ("Plain, “quoted” and 'so' \"on\"", "Plain, “quoted” and 'so' \"on\"", None),
        ("p < 0.05", "p &lt; 0.05", "html"),
        ("R&D", "R&amp;D", "html"),
        ("LMK > CLS", "LMK &gt; CLS", "html"),
    ],
)
def test_atom_text_is_html_only_when_needed(text: str, written: str, kind: str | None) -> None:
    """A title or an abstract with characters of markup is HTML in Atom, any other plain text."""
    found = tree("atom", "", factories.paper(1, title=text, summary=text))
    for (element,) in (found("//a:entry/a:title"), found("//a:entry/a:summary")):
        assert (written, kind) == (element.text, element.get("type"))


def test_atom_content_and_summary() -> None:
    """Atom carries the entry as HTML and the abstract beside it."""
    paper = factories.paper(1)
    (element,) = tree("atom", "", paper)("//a:entry/a:content")
    assert (content(paper), "html") == (element.text, element.get("type"))
    assert [paper.summary] == tree("atom", "", paper)("//a:entry/a:summary/text()")


def test_atom_dates() -> None:
    """Atom tells when a paper entered and when it last changed; JSON Feed does too."""
    paper = factories.paper(1)
    entry = factories.entered([paper])[0]
    revised = replace(entry, updated_at=entry.entered_at + timedelta(days=2))
    found = etree.fromstring(document("atom", entries=(revised,))).find("a:entry", NS)
    assert "2026-03-10T12:00:00+00:00" == found.findtext("a:published", None, NS)
    assert "2026-03-12T12:00:00+00:00" == found.findtext("a:updated", None, NS)
    (item,) = json.loads(document("json", entries=(revised,)))["items"]
    assert ("2026-03-10T12:00:00+00:00", "2026-03-12T12:00:00+00:00") == (item["date_published"], item["date_modified"])


def test_atom_authors() -> None:
    """Atom names each author on its own."""
    found = tree("atom", "", factories.paper(1, authors=("Ada & Co", "Ben <b>")))
    assert ["Ada & Co", "Ben <b>"] == found("//a:entry/a:author/a:name/text()")


# In all formats ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "more"), [(20, ""), (21, " and 1 more"), (100, " and 80 more"), (664, " and 644 more")]
)
def test_long_lists_of_authors_are_cut(count: int, more: str) -> None:
    """The text has twenty names and the number of the others, programs get a hundred names and nothing else."""
    paper = factories.paper(1, authors=tuple(f"Author {number}" for number in range(count)))
    names = paper.authors[:100]
    assert [", ".join(names)] == tree("rss", "", paper)("//item/dc:creator/text()")
    assert list(names) == tree("atom", "", paper)("//a:entry/a:author/a:name/text()")
    (item,) = json_feed("", paper)["items"]
    assert [{"name": name} for name in names] == item["authors"]
    assert (list(paper.authors), count) == (item["_feedproxy"]["authors"], item["_feedproxy"]["author_count"])
    assert f"<p>{', '.join(paper.authors[:20])}{more}</p>" in item["content_html"]


@pytest.mark.parametrize(("count", "shown"), [(0, ""), (1, "1 author"), (7, "7 authors")])
def test_unnamed_authors_are_counted(count: int, shown: str) -> None:
    """A paper whose authors are not named says how many there are, and names none to machines."""
    paper = factories.paper(1, authors=(), author_count=count)
    assert shown == byline(paper)
    assert [] == tree("rss", "", paper)("//dc:creator")
    assert [] == tree("atom", "", paper)("//a:entry/a:author")
    assert "authors" not in json_feed("", paper)["items"][0]


def test_thumbnail() -> None:
    """A thumbnail stands directly in the item or entry; a paper without one has none."""
    paper = factories.paper(1)
    assert [paper.thumbnail] == tree("rss", "", paper)("/rss/channel/item/media:thumbnail/@url")
    assert [paper.thumbnail] == tree("atom", "", paper)("/a:feed/a:entry/media:thumbnail/@url")
    assert paper.thumbnail == json_feed("", paper)["items"][0]["image"]
    assert f'<img src="{paper.thumbnail}"' in content(paper)


@pytest.mark.parametrize(
    "address",
    [
        None,
        "https://example.org/track.png",
        "http://cdn.huggingface.co/a.png",
        "https://cdn.huggingface.co.example.org/a.png",
        "https://cdn.huggingface.co:8443/a.png",
        "https://huggingface.co/a.png",
    ],
)
def test_no_image_from_elsewhere(address: str | None) -> None:
    """A feed has no image of another server than the Hub's, which would learn who reads it."""
    paper = factories.paper(1, thumbnail=address)
    assert [] == tree("rss", "", paper)("//media:thumbnail") + tree("atom", "", paper)("//media:thumbnail")
    assert "image" not in json_feed("", paper)["items"][0]
    assert "<img" not in content(paper)


def test_topics() -> None:
    """A paper's keywords are its categories and tags, each once."""
    paper = factories.paper(1, ai_keywords=("agents", "R&D"))
    assert ["agents", "R&D"] == tree("rss", "", paper)("//item/category/text()")
    assert ["agents", "R&D"] == tree("atom", "", paper)("//a:entry/a:category/@term")
    assert ["agents", "R&D"] == json_feed("", paper)["items"][0]["tags"]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("query", ["", "content=brief", "content=none"])
def test_counts_are_left_out(query: str, name: str) -> None:
    """Unless asked for, no document tells votes, comments or stars of now, so that a vote changes no byte."""
    paper = factories.paper(1, upvotes=5, comments=3, github_stars=7)
    voted = replace(paper, upvotes=6, comments=4, github_stars=8)
    before, after = (document(name, query, factories.entered([some])) for some in (paper, voted))
    assert before == after


@pytest.mark.parametrize(
    ("fields", "favorites", "line"),
    [
        ({"upvotes": 5}, ["5"], "5 upvotes · 3 comments"),
        ({"upvotes": 0}, ["0"], "0 upvotes · 3 comments"),
        ({"upvotes": None}, [], "3 comments"),
        ({"upvotes": 1, "comments": 1, "github_stars": 240}, ["1"], "1 upvote · 1 comment · 240 GitHub stars"),
        ({"upvotes": 1, "comments": 0, "github_stars": 1}, ["1"], "1 upvote · 0 comments · 1 GitHub star"),
    ],
)
def test_counts(fields: dict[str, int | None], favorites: list[str], line: str) -> None:
    """With `counts` a feed tells votes, comments and stars, to programs and in a line; none that are unknown."""
    paper = factories.paper(1, **({"comments": 3} | fields))
    for name in ("rss", "atom"):
        found = tree(name, "counts=1", paper)
        assert [str(paper.comments)] == found("//slash:comments/text()")
        assert favorites == found("//media:community/media:statistics/@favorites")
    told = json_feed("counts=1", paper)["items"][0]["_feedproxy"]
    counts = {"upvotes": paper.upvotes, "comments": paper.comments, "github_stars": paper.github_stars}
    for name, number in counts.items():
        assert number == told.get(name)
    for query in ("counts=1", "counts=1&content=brief"):
        assert line == lines(content(paper, query, 2))[-3 if "brief" in query else 2]


@pytest.mark.parametrize(("upvotes", "shown"), [(10, ["Entered with 10 upvotes"]), (1, ["Entered with 1 upvote"])])
def test_votes_at_the_entry(upvotes: int, shown: list[str]) -> None:
    """Without `counts` the text says with how many upvotes the paper entered."""
    for query in ("", "content=brief"):
        assert shown == [line for line in lines(content(factories.paper(1), query, upvotes)) if "vote" in line]


def test_no_votes_at_the_entry() -> None:
    """Of a paper without upvotes, or with unknown ones, the text says nothing about them."""
    assert "vote" not in content(factories.paper(1, upvotes=9))


# What the Hub adds ------------------------------------------------------------------------------

SUMMARY = "It is 2times as short. It is made up."


def test_ai_summary() -> None:
    """The Hub's own summary stands before the abstract, says whose it is, and is no part of the feed's summary."""
    paper = factories.paper(1, ai_summary=SUMMARY, summary="One.\n\nTwo.")
    shown = ["AI summary by Hugging Face: It is 2× as short. It is made up.", "One.", "Two."]
    assert shown == lines(content(paper))[2:-1]
    assert ["One.\n\nTwo."] == tree("atom", "", paper)("//a:entry/a:summary/text()")


MEDIA = "https://cdn-uploads.huggingface.co/made-up"


def test_media_are_links() -> None:
    """A video is a link; nothing makes a reader load it."""
    paper = factories.paper(1, thumbnail=None, media=(f"{MEDIA}/1.MP4?x=1", f"{MEDIA}/2"))
    html = content(paper)
    assert {"Video": f"{MEDIA}/1.MP4?x=1", "Media": f"{MEDIA}/2"}.items() <= links(paper).items()
    assert "src=" not in html
    for name in ("rss", "atom"):
        assert [] == tree(name, "", paper)("//media:* | //enclosure | //a:link[@rel='enclosure']")


# For programs -----------------------------------------------------------------------------------


def test_identifier() -> None:
    """A paper's DOI is its `dc:identifier`, which Zotero reads; a paper without an arXiv id has none."""
    for name in ("rss", "atom"):
        doi = ["doi:10.48550/arXiv.9913.00001"]
        assert doi == tree(name, "content=none", factories.paper(1))("//dc:identifier/text()")
        assert [] == tree(name, "", factories.paper(id="from-a-text"))("//dc:identifier")


def test_extension() -> None:
    """JSON Feed has the identifiers, links, organization and authors of a paper, and nothing that is unknown."""
    paper = factories.paper(
        1,
        github_repo="https://code.example.org/a",
        project_page="https://project.example.org/",
        organization=Organization("lab", "The Lab"),
    )
    for query in ("", "content=brief", "content=none"):
        assert {
            "arxiv_id": "9913.00001",
            "doi": "10.48550/arXiv.9913.00001",
            "code": "https://code.example.org/a",
            "project": "https://project.example.org/",
            "organization": "The Lab",
            "authors": ["Ada Example 1", "Ben Placeholder"],
            "author_count": 2,
        } == json_feed(query, paper)["items"][0]["_feedproxy"]
    assert "_feedproxy" not in json_feed("", factories.paper(id="from-a-text", authors=()))["items"][0]


def test_content_none() -> None:
    """Without content an entry is its title and link, with no abstract, no HTML and no empty element."""
    paper = factories.paper(1)
    assert [] == tree("rss", "content=none", paper)("//item/description | //content:encoded")
    assert [] == tree("atom", "content=none", paper)("//a:content")
    (item,) = json_feed("content=none", paper)["items"]
    assert "" == item["content_text"]
    assert not {"content_html", "summary"} & set(item)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"summary": "We made up one. And another! And a third."}, "We made up one. And another!"),
        ({"summary": f"We made up one. And {'another, ' * 50}."}, "We made up one."),
        ({"ai_summary": SUMMARY}, "It is 2× as short. It is made up. (AI summary)"),
    ],
)
def test_content_brief(fields: dict[str, Any], text: str) -> None:
    """A brief entry has three authors, a sentence or two of the Hub's summary or the abstract, and the links."""
    paper = factories.paper(1, authors=tuple("ABCDE"), organization=Organization("lab", "The Lab"), **fields)
    names = "Hub · arXiv · PDF · BibTeX · Discussion"
    html = content(paper, "content=brief")
    assert ["A, B, C and 2 more · The Lab", text, names] == lines(html)
    assert "<img" not in html
    rss, atom = (tree(name, "content=brief", paper) for name in ("rss", "atom"))
    (item,) = json_feed("content=brief", paper)["items"]
    assert html == rss("string(//content:encoded)") == atom("string(//a:entry/a:content)") == item["content_html"]
    assert text == rss("string(//item/description)") == atom("string(//a:entry/a:summary)") == item["summary"]


def test_content_brief_without_an_abstract() -> None:
    """Of a paper without an abstract a brief entry has the authors and the links."""
    assert 2 == len(lines(content(factories.paper(1, summary=""), "content=brief")))


@pytest.mark.parametrize(
    ("fields", "summary"),
    [
        ({"authors": ("Ada", "Ben"), "organization": Organization("lab", "The Lab")}, "Ada, Ben · The Lab"),
        ({"authors": ("Ada & Co",)}, "Ada &amp; Co"),
        ({"authors": (), "title": "Paper 1"}, "Paper 1"),
    ],
)
def test_atom_summary_without_content(fields: dict[str, Any], summary: str) -> None:
    """Without content the summary that Atom wants says who wrote the paper, or its title where that is unknown."""
    found = tree("atom", "content=none", factories.paper(1, **fields))
    assert [summary] == found("//a:entry/a:summary/text()")


@pytest.mark.parametrize("name", READ)
def test_paper_without_an_abstract(name: str) -> None:
    """A paper without an abstract is a complete entry."""
    paper = factories.paper(1, summary="")
    body = document(name, entries=factories.entered([paper]))
    assert [paper.links.hub] == [found for found, _, _ in READ[name](body)]
    assert b"<summary" not in body
    assert b'"summary"' not in body


# HTML -------------------------------------------------------------------------------------------


def links(paper: Paper) -> dict[str, str]:
    """Return the links in the HTML of `paper`, by name."""
    shown = etree.fromstring(content(paper), etree.HTMLParser())
    return {link.text: link.get("href") for link in shown.iterfind(".//a")}


def test_html_links() -> None:
    """The HTML ends in links to everything there is about a paper."""
    paper = factories.paper(1, github_repo="https://code.example.org/?a&b", project_page="https://project.example.org/")
    assert {
        "Hub": paper.links.hub,
        "arXiv": paper.links.arxiv,
        "PDF": paper.links.pdf,
        "Code": paper.github_repo,
        "Project": paper.project_page,
        "BibTeX": "https://arxiv.org/bibtex/9913.00001",
        "Discussion": paper.links.discussion,
    } == links(paper)


def test_html_links_each_address_once() -> None:
    """Of a paper without an id only searches are known; each is linked once."""
    assert ["Hub", "arXiv"] == list(links(factories.paper(id="from-a-text", title="From a Text")))


@pytest.mark.parametrize(
    ("authors", "organization", "line"),
    [
        (("Ada",), Organization("lab", "The Lab"), "<p>Ada · The Lab</p>"),
        ((), Organization("lab", "R&D"), "<p>R&amp;D</p>"),
        (("Ada", "Ben"), None, "<p>Ada, Ben</p>"),
    ],
)
def test_html_names(authors: tuple[str, ...], organization: Organization | None, line: str) -> None:
    """The HTML names the authors and the organization, whichever is known."""
    assert line in content(factories.paper(1, authors=authors, organization=organization)).splitlines()


def test_html_has_no_empty_paragraph() -> None:
    """Of a paper of which nothing is known the HTML is its links alone."""
    assert 1 == content(factories.paper(1, summary="", authors=(), thumbnail=None)).count("<p>")


# JSON Feed --------------------------------------------------------------------------------------


def test_json_version_comes_first() -> None:
    """JSON Feed begins with its version, by which it is recognised."""
    assert document("json").startswith(b'{"version":"https://jsonfeed.org/version/1.1",')


def test_json_feed_describes_itself() -> None:
    """JSON Feed names the page, its icon, its language and its author."""
    made = json_feed("q=agents")
    assert f"{BASE}/?q=agents" == made["home_page_url"]
    assert [f"{BASE}/static/icon.png"] * 2 == [made["icon"], made["favicon"]]
    assert "en" == made["language"]
    assert [{"name": "Hugging Face Daily Papers", "url": "https://huggingface.co/papers"}] == made["authors"]


@pytest.mark.parametrize("case", GOLDEN)
def test_json_holds_no_null(case: str) -> None:
    """JSON Feed leaves out what is not known; ids are text, tags unique, dates have an offset."""

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        assert None not in [value for _, value in pairs], pairs
        return dict(pairs)

    made = json.loads(FORMATS["json"].render(GOLDEN[case]()), object_pairs_hook=members)
    for item in made["items"]:
        assert isinstance(item["id"], str)
        assert len(set(item.get("tags", []))) == len(item.get("tags", []))
        assert _time(item["date_published"]).tzinfo


def test_json_content() -> None:
    """JSON Feed carries the same HTML as the others, and the abstract as text."""
    paper = factories.paper(1, summary="p < 0.05\n\n<think>")
    (item,) = json_feed("", paper)["items"]
    assert (content(paper), "p < 0.05\n\n<think>") == (item["content_html"], item["summary"])
