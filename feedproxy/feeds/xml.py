"""A document in, its bytes as RSS 2.0 or Atom 1.0 out (RSS Advisory Board's profile, RFC 4287, RFC 5005)."""

import html
import re
from collections.abc import Mapping
from copy import deepcopy
from email.utils import format_datetime
from typing import Any

import feedgen.entry
import feedgen.feed
from feedgen.entry import FeedEntry
from feedgen.ext.base import BaseEntryExtension, BaseExtension
from feedgen.feed import FeedGenerator
from feedgen.util import xml_elem

from feedproxy import HUB
from feedproxy.feeds.entry import EntryView
from feedproxy.feeds.feed import LANGUAGE, SOURCE, Document

# feedgen's own function changes the locale of the whole process, which other threads see.
feedgen.feed.formatRFC2822 = feedgen.entry.formatRFC2822 = format_datetime

MEDIA_TYPES = {"rss": "application/rss+xml", "atom": "application/atom+xml"}
_ICON_SIDE = "144"  # pixels
_TTL = 15  # minutes between two reads of the newest listing
_ATOM, _DC = "http://www.w3.org/2005/Atom", "http://purl.org/dc/elements/1.1/"
_MEDIA, _SLASH = "http://search.yahoo.com/mrss/", "http://purl.org/rss/1.0/modules/slash/"


class _FeedElements(BaseExtension):  # type: ignore[misc]
    """Elements that feedgen's feed lacks: links to its other pages, namespaces of the entries."""

    pages: Mapping[str, str]
    media_type: str
    creator: str  # of the entries that have no author, as in Atom

    def extend_ns(self) -> dict[str, str]:
        return {"dc": _DC, "media": _MEDIA, "slash": _SLASH}

    def extend_atom(self, feed: Any) -> Any:
        _mark_as_html(feed.find("title"))
        for relation, address in self.pages.items():
            xml_elem("link", feed, href=address, rel=relation, type=self.media_type)
        return feed

    def extend_rss(self, feed: Any) -> Any:
        for relation, address in self.pages.items():
            xml_elem(f"{{{_ATOM}}}link", feed[0], href=address, rel=relation, type=self.media_type)
        if self.creator:  # else rss2email sends its mails from `<author>`
            xml_elem(f"{{{_DC}}}creator", feed[0]).text = self.creator
        return feed


class _EntryElements(BaseEntryExtension):  # type: ignore[misc]
    """Elements that feedgen's entry lacks or gets wrong."""

    view: EntryView

    def extend_atom(self, element: Any) -> Any:
        link = element.find("link")
        link.set("rel", "alternate")
        link.set("type", self.view.link_type)
        if self.view.discussion:
            xml_elem("link", element, href=self.view.discussion, rel="replies", type="text/html")
        if not self.view.html:  # RFC 4287, section 4.1.1.1, advises a summary that is not empty
            xml_elem("summary", element).text = self.view.credit or self.view.title
        for text in (element.find("title"), element.find("summary")):
            _mark_as_html(text)
        return self._shared(element)

    def extend_rss(self, element: Any) -> Any:
        if self.view.authors:
            xml_elem(f"{{{_DC}}}creator", element).text = ", ".join(self.view.authors)
        return self._shared(element)

    def _shared(self, element: Any) -> Any:
        if self.view.doi:
            xml_elem(f"{{{_DC}}}identifier", element).text = f"doi:{self.view.doi}"
        if self.view.image:
            xml_elem(f"{{{_MEDIA}}}thumbnail", element, url=self.view.image)
        if "comments" in self.view.counts:
            xml_elem(f"{{{_SLASH}}}comments", element).text = str(self.view.counts["comments"])
        if "upvotes" in self.view.counts:
            community = xml_elem(f"{{{_MEDIA}}}community", element)
            xml_elem(f"{{{_MEDIA}}}statistics", community, favorites=str(self.view.counts["upvotes"]))
        return element


def _mark_as_html(text: Any) -> None:
    """Escape a text with markup as HTML: some readers take every title for HTML."""
    if text is not None and re.search("[<>&]", text.text):
        text.text = html.escape(text.text, quote=False)
        text.set("type", "html")


def _generator(document: Document, form: str) -> FeedGenerator:
    feed, media_type, generator = document.feed, MEDIA_TYPES[form], FeedGenerator()
    generator.register_extension("paper", _FeedElements)
    generator.id(feed.id)
    generator.title(feed.title)
    generator.subtitle(feed.description)
    generator.description(feed.description)
    generator.link(href=feed.address(form), rel="self", type=media_type)
    generator.link(href=feed.address(), rel="alternate", type="text/html")
    generator.paper.pages, generator.paper.media_type = document.neighbours(form), media_type
    generator.paper.creator = SOURCE if feed.query.digest else ""
    generator.author(name=SOURCE, uri=HUB)
    generator.language(LANGUAGE)
    generator.generator("feedproxy")
    if form == "rss":  # in Atom feedgen makes a logo of it, which should be twice as wide as high
        generator.image(feed.icon, width=_ICON_SIDE, height=_ICON_SIDE)
    generator.icon(feed.icon)
    generator.ttl(_TTL)
    generator.updated(document.updated)
    for view in document.views:
        generator.add_entry(_Entry(view), order="append")
    return generator


class _Entry:
    """An entry of feedgen's, whose element is made once: the same papers appear in many feeds."""

    def __init__(self, view: EntryView) -> None:
        self.view = view

    def register_extension(self, *_: Any) -> None:
        """Do nothing: feedgen's own entry has its extension already."""

    def atom_entry(self) -> Any:
        return self._element("atom")

    def rss_entry(self) -> Any:
        return self._element("rss")

    def _element(self, form: str) -> Any:
        """Return a copy of the element, as a tree takes what is added to it."""
        elements = self.view.elements
        if form not in elements:
            entry = _feedgen_entry(self.view, form)
            elements[form] = entry.rss_entry() if form == "rss" else entry.atom_entry()
        return deepcopy(elements[form])


def _feedgen_entry(view: EntryView, form: str) -> FeedEntry:
    """Return an entry with only what this format shows: feedgen spends time on the rest too."""
    element = FeedEntry()
    element.register_extension("paper", _EntryElements)
    element.paper.view = view
    element.guid(view.id, permalink=view.is_permalink)
    element.title(view.title)
    element.link(href=view.link)
    element.published(view.published)
    if view.categories:
        element.category([{"term": category} for category in view.categories])
    if view.html:
        element.content(view.html, type="html")
    if form == "rss":
        if view.discussion:
            element.comments(view.discussion)
        if view.html:
            element.description(html.escape(view.summary, quote=False))
        return element
    element.updated(view.updated)
    element.author([{"name": name} for name in view.authors])
    if view.html:
        element.summary(view.summary or None)
    return element


_RSS_TEXT = re.compile(rb"<(?:title|category|dc:creator)>[^<&]*&[^<]*")


def rss(document: Document) -> bytes:
    """Return RSS 2.0, with numeric `<` and `&` in plain text, for readers that decode named ones twice."""
    body: bytes = _generator(document, "rss").rss_str(pretty=True)
    return _RSS_TEXT.sub(lambda text: text[0].replace(b"&lt;", b"&#x3C;").replace(b"&amp;", b"&#x26;"), body)


def atom(document: Document) -> bytes:
    """Return Atom 1.0."""
    return bytes(_generator(document, "atom").atom_str(pretty=True))
