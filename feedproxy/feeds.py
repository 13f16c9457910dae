"""Entries and a query in, the bytes of an RSS 2.0, Atom 1.0 or JSON Feed 1.1 document out.

Has no clock and reads nothing: equal entries, query and address give equal bytes. What the
documents hold follows RFC 4287, RFC 5005, the RSS Advisory Board's profile and jsonfeed.org.
"""

import html
import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache, lru_cache
from typing import Any

import feedgen.entry
import feedgen.feed
from feedgen.entry import FeedEntry
from feedgen.ext.base import BaseEntryExtension, BaseExtension
from feedgen.feed import FeedGenerator
from feedgen.util import xml_elem
from jinja2 import Environment, PackageLoader, Template, select_autoescape

from feedproxy.papers import Entry, Paper, is_arxiv_id
from feedproxy.query import Query

# feedgen's own formats a date under a process-wide change of locale, which other threads see.
feedgen.feed.formatRFC2822 = feedgen.entry.formatRFC2822 = format_datetime

TITLE = "Daily Papers"
LANGUAGE = "en"
NOTHING_YET = datetime(2023, 5, 4, tzinfo=UTC)  # the first Daily Papers: `updated` of an empty feed
MAX_AUTHORS = 20
_REMEMBERED = 500  # papers whose HTML is kept, about three weeks of them
_TTL = 15  # minutes, as often as the newest listing is looked at
_ICON = "https://huggingface.co/favicon.ico"
_ATOM, _DC = "http://www.w3.org/2005/Atom", "http://purl.org/dc/elements/1.1/"
_MEDIA, _SLASH = "http://search.yahoo.com/mrss/", "http://purl.org/rss/1.0/modules/slash/"


@dataclass(frozen=True, slots=True)
class Feed:
    """What one document shows: `entries` newest first, `more` if older ones follow; `base` without a slash."""

    query: Query
    base: str
    entries: tuple[Entry, ...]
    more: bool = False

    @property
    def title(self) -> str:
        """The feed's name, with its filter in words."""
        return ": ".join(filter(None, (TITLE, self.query.in_words)))

    @property
    def description(self) -> str:
        """One sentence about what enters this feed."""
        return f"Papers from Hugging Face Daily Papers ({self.query.in_words or 'all of them'})"

    @property
    def id(self) -> str:
        """What this feed is known by on every server and page of it (RFC 4287, section 4.2.6)."""
        query = replace(self.query, page=1)
        return uuid.uuid5(uuid.NAMESPACE_URL, f"https://huggingface.co/papers?{query}").urn

    @property
    def updated(self) -> datetime:
        """The newest change in this feed, aware UTC."""
        return max((entry.updated_at for entry in self.entries), default=NOTHING_YET)

    @property
    def home(self) -> str:
        """The page with the same query."""
        return self.address()

    def address(self, name: str = "", page: int = 0) -> str:
        """Return this feed's address as the format `name`, or its page's; of another `page` of it if given."""
        path = f"{self.base}/feed.{name}" if name else f"{self.base}/"
        query = replace(self.query, page=page or self.query.page)
        return "?".join(filter(None, (path, str(query))))

    def pages(self, name: str = "") -> dict[str, str]:
        """Return the addresses of the pages beside this one by their relation (RFC 5005, section 3)."""
        page = self.query.page
        older = {"next": self.address(name, page + 1)} if self.more else {}
        return older | ({"previous": self.address(name, page - 1)} if page > 1 else {})


def shown_authors(paper: Paper) -> tuple[str, ...]:
    """Return the names to show: at most 20."""
    return paper.authors[:MAX_AUTHORS]


def byline(paper: Paper) -> str:
    """Return the authors on one line, saying how many are not named."""
    rest = paper.author_count - len(shown_authors(paper))
    if rest and not paper.authors:
        return f"{rest} author{'s' * (rest > 1)}"
    return ", ".join(shown_authors(paper)) + (f" and {rest} more" if rest > 0 else "")


def credit(paper: Paper) -> str:
    """Return the authors and the organization on one line."""
    organization = paper.organization.fullname if paper.organization else ""
    return " · ".join(filter(None, (byline(paper), organization)))


@cache
def _content_template() -> Template:
    loader = PackageLoader("feedproxy")
    return Environment(
        loader=loader, autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
    ).get_template("entry.html")


def content(paper: Paper) -> str:
    """Return what a reader shows of a paper, as HTML."""
    return _html(paper.thumbnail, credit(paper), paper.summary, paper.hub_url, _links(paper))


@lru_cache(_REMEMBERED)
def _html(thumbnail: str | None, credit: str, summary: str, hub_url: str, links: tuple[tuple[str, str], ...]) -> str:
    """Return the same of its parts; a paper is in many feeds, and this is a third of the time to render one."""
    values = {"thumbnail": thumbnail, "credit": credit, "paragraphs": summary.split("\n\n"), "hub_url": hub_url}
    return _content_template().render(values, links=links)


def _links(paper: Paper) -> tuple[tuple[str, str], ...]:
    """Return each address a paper leads to besides the Hub, and what it is called; without an id, some are one."""
    named = {paper.hub_url: "Hub"}
    for name, address in (
        ("arXiv", paper.arxiv_url),
        ("PDF", paper.pdf_url),
        ("Code", paper.github_repo),
        ("Project", paper.project_page),
        ("Discussion", paper.discussion_url),
    ):
        if address:
            named.setdefault(address, name)
    return tuple(named.items())[1:]


def link_of(paper: Paper, query: Query) -> str:
    """Return the address that the entry of `paper` leads to in a feed of `query`."""
    return {"hf": paper.hub_url, "arxiv": paper.arxiv_url, "pdf": paper.pdf_url}[query.link]


def _link_type(paper: Paper, query: Query) -> str:
    return "application/pdf" if query.link == "pdf" and is_arxiv_id(paper.id) else "text/html"


# RSS and Atom -----------------------------------------------------------------------------------


class _FeedElements(BaseExtension):  # type: ignore[misc]
    """What feedgen's feed lacks: the links to its other pages, the namespaces of the entries."""

    pages: Mapping[str, str]
    media_type: str

    def extend_ns(self) -> dict[str, str]:
        return {"dc": _DC, "media": _MEDIA, "slash": _SLASH}

    def extend_atom(self, feed: Any) -> Any:
        for relation, address in self.pages.items():
            xml_elem("link", feed, href=address, rel=relation, type=self.media_type)
        return feed

    def extend_rss(self, feed: Any) -> Any:
        for relation, address in self.pages.items():
            xml_elem(f"{{{_ATOM}}}link", feed[0], href=address, rel=relation, type=self.media_type)
        return feed


class _EntryElements(BaseEntryExtension):  # type: ignore[misc]
    """What feedgen's entry lacks or gets wrong."""

    paper: Paper
    query: Query

    def extend_atom(self, element: Any) -> Any:
        link = element.find("link")
        link.set("rel", "alternate")
        link.set("type", _link_type(self.paper, self.query))
        xml_elem("link", element, href=self.paper.discussion_url, rel="replies", type="text/html")
        if self.query.content == "none":  # RFC 4287, section 4.1.1.1, advises a summary that is not empty
            xml_elem("summary", element).text = credit(self.paper) or self.paper.title
        for text in (element.find("title"), element.find("summary")):
            if text is not None and re.search("[<>&]", text.text):
                text.text = html.escape(text.text, quote=False)
                text.set("type", "html")
        return self._shared(element)

    def extend_rss(self, element: Any) -> Any:
        if names := byline(self.paper) if self.paper.authors else "":
            xml_elem(f"{{{_DC}}}creator", element).text = names
        return self._shared(element)

    def _shared(self, element: Any) -> Any:
        if self.paper.thumbnail:
            xml_elem(f"{{{_MEDIA}}}thumbnail", element, url=self.paper.thumbnail)
        if self.query.counts:
            xml_elem(f"{{{_SLASH}}}comments", element).text = str(self.paper.comments)
        if self.query.counts and self.paper.upvotes is not None:
            community = xml_elem(f"{{{_MEDIA}}}community", element)
            xml_elem(f"{{{_MEDIA}}}statistics", community, favorites=str(self.paper.upvotes))
        return element


def _generator(feed: Feed, name: str) -> FeedGenerator:
    generator = FeedGenerator()
    generator.register_extension("paper", _FeedElements, _EntryElements)
    generator.id(feed.id)
    generator.title(feed.title)
    generator.subtitle(feed.description)
    generator.description(feed.description)
    media_type = FORMATS[name].media_type
    generator.link(href=feed.address(name), rel="self", type=media_type)
    generator.link(href=feed.home, rel="alternate", type="text/html")
    generator.paper.pages, generator.paper.media_type = feed.pages(name), media_type
    generator.author(name="Hugging Face Daily Papers", uri="https://huggingface.co/papers")
    generator.language(LANGUAGE)
    generator.generator("feedproxy")
    generator.icon(_ICON)
    generator.ttl(_TTL)
    generator.updated(feed.updated)
    for entry in feed.entries:
        _add(generator, entry, feed.query, name)
    return generator


def _add(generator: FeedGenerator, entry: Entry, query: Query, name: str) -> None:
    """Add an entry, telling feedgen what the format has a place for; the rest would cost time."""
    paper = entry.paper
    added = generator.add_entry(order="append")
    added.paper.paper, added.paper.query = paper, query
    added.guid(paper.hub_url, permalink=True)
    added.title(paper.title)
    added.link(href=link_of(paper, query))
    added.published(entry.entered_at)
    if paper.ai_keywords:
        added.category([{"term": keyword} for keyword in paper.ai_keywords])
    if name == "rss":
        added.comments(paper.discussion_url)
    else:
        added.updated(entry.updated_at)
        added.author([{"name": name} for name in shown_authors(paper)])
    if query.content == "full":
        _add_text(added, paper, name)


def _add_text(added: FeedEntry, paper: Paper, name: str) -> None:
    if name == "rss":
        added.description(html.escape(paper.summary, quote=False))
    added.content(content(paper), type="html")
    if name == "atom":
        added.summary(paper.summary or None)


_RSS_TEXT = re.compile(rb"<(title|category|dc:creator)>.*?</\1>", re.DOTALL)


def _rss(feed: Feed) -> bytes:
    """Return RSS 2.0; in its plain text `<` and `&` are numeric, for readers that decode names twice."""
    made: bytes = _generator(feed, "rss").rss_str(pretty=True)
    return _RSS_TEXT.sub(lambda text: text[0].replace(b"&lt;", b"&#x3C;").replace(b"&amp;", b"&#x26;"), made)


def _atom(feed: Feed) -> bytes:
    made: bytes = _generator(feed, "atom").atom_str(pretty=True)
    return made


# JSON Feed --------------------------------------------------------------------------------------


def _json(feed: Feed) -> bytes:
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": feed.home,
        "feed_url": feed.address("json"),
        "description": feed.description,
        "next_url": feed.pages("json").get("next"),
        "icon": _ICON,
        "language": LANGUAGE,
        "authors": [{"name": "Hugging Face Daily Papers", "url": "https://huggingface.co/papers"}],
        "items": [_item(entry, feed.query) for entry in feed.entries],
    }
    return json.dumps(_without_nothing(document), ensure_ascii=False, separators=(",", ":")).encode()


def _item(entry: Entry, query: Query) -> dict[str, object]:
    paper = entry.paper
    counts = {"upvotes": paper.upvotes, "comments": paper.comments}
    full = {"content_html": content(paper), "summary": paper.summary or None}
    item = {
        "id": paper.hub_url,
        "url": link_of(paper, query),
        "external_url": paper.arxiv_url,
        "title": paper.title,
        **(full if query.content == "full" else {"content_text": ""}),
        "image": paper.thumbnail,
        "date_published": entry.entered_at.isoformat(),
        "date_modified": entry.updated_at.isoformat(),
        "authors": [{"name": name} for name in shown_authors(paper)] or None,
        "tags": list(paper.ai_keywords) or None,
        "_feedproxy": _without_nothing(counts) if query.counts else None,
    }
    return _without_nothing(item)


def _without_nothing(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


# Formats ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Format:
    """One row: what people call it, its media type, the other types asked for that mean it, its charset, its maker."""

    title: str
    media_type: str
    accepted: tuple[str, ...]
    charset: str
    render: Callable[[Feed], bytes]

    @property
    def content_type(self) -> str:
        """The media type as sent."""
        return f"{self.media_type}{self.charset}"


FORMATS: dict[str, Format] = {
    "rss": Format("RSS", "application/rss+xml", ("application/xml", "text/xml"), "; charset=utf-8", _rss),
    "atom": Format("Atom", "application/atom+xml", (), "; charset=utf-8", _atom),
    "json": Format("JSON Feed", "application/feed+json", ("application/json",), "", _json),  # JSON is UTF-8 (RFC 8259)
}


def render(feed: Feed, name: str) -> bytes:
    """Return `feed` as a document of the format `name`, a key of `FORMATS`."""
    return FORMATS[name].render(feed)
