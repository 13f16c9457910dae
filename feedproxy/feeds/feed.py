"""A feed's identity (its addresses, id and title), and one document of it: a page of its entries."""

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from functools import cached_property
from typing import Self

from feedproxy import HUB
from feedproxy.feeds.digest import digest_view
from feedproxy.feeds.entry import EntryView, entry_view
from feedproxy.model import FIRST_LISTING, Digest, Entry
from feedproxy.query.interests import describe
from feedproxy.query.named_feeds import NamedFeed
from feedproxy.query.parameters import Query
from feedproxy.text import plural

TITLE = "Daily Papers"
SOURCE = "Hugging Face Daily Papers"
NOTHING_YET = datetime.combine(FIRST_LISTING, time(), UTC)  # `updated` of an empty document
LANGUAGE = "en"


@dataclass(frozen=True)
class Feed:
    """The feed of `query`, at the page of the query; `base` has no slash at its end.

    A named feed takes title, address and id from `name`.
    """

    query: Query
    base: str
    name: NamedFeed | None = None

    @cached_property
    def _query_string(self) -> str:
        return str(self.query)

    @cached_property
    def conditions(self) -> str:
        """What papers must fulfil, in words; empty for all papers."""
        return describe(self.query)

    @property
    def title(self) -> str:
        """The operator's title, or ours with the filter in words."""
        if self.name:
            return self.name.title
        title = f"{TITLE}, {self.query.selection}" if self.query.digest else TITLE
        return ": ".join(filter(None, (title, self.conditions)))

    @property
    def description(self) -> str:
        """One sentence about what enters this feed."""
        if not self.query.digest:
            return f"Papers from {SOURCE} ({self.conditions or 'all of them'})"
        number = plural(self.query.top, "paper") if self.query.top > 1 else "paper"
        conditions = f" ({self.conditions})" if self.conditions else ""
        best = f"The {number} of each {self.query.digest} with the most upvotes"
        return f"{best}, from {SOURCE}{conditions}"

    @property
    def id(self) -> str:
        """A URN, the same on every page of the feed; without a name also the same on every server."""
        first = self.at_page(1)
        seed = f"{first.base}/{first.name.path('')}" if first.name else f"{HUB}?{first._query_string}"
        return uuid.uuid5(uuid.NAMESPACE_URL, seed).urn

    @property
    def icon(self) -> str:
        """A square PNG, as wide as RSS allows."""
        return f"{self.base}/static/icon.png"

    def at_page(self, number: int) -> Self:
        """Return the same feed at another of its pages."""
        return self if number == self.query.page else replace(self, query=replace(self.query, page=number))

    def address(self, form: str = "") -> str:
        """Return the address of this feed in the format `form`, or of the web page about it."""
        if self.name and form:
            return f"{self.base}/{self.name.path(form)}"
        path = f"feed.{form}" if form else ""
        return "?".join(filter(None, (f"{self.base}/{path}", self._query_string)))


@dataclass(frozen=True, slots=True)
class Document:
    """One page of a feed: `entries` newest first, and whether older ones follow."""

    feed: Feed
    entries: tuple[Entry | Digest, ...] = ()
    has_more: bool = False

    @property
    def views(self) -> list[EntryView]:
        """The entries as every format shows them."""
        return [self._view(entry) for entry in self.entries]

    def _view(self, entry: Entry | Digest) -> EntryView:
        feed = self.feed
        if isinstance(entry, Entry):
            return entry_view(entry, feed.query)
        topic = feed.name.title if feed.name else feed.conditions
        return digest_view(entry, feed.query, topic, feed.at_page(1).address())

    @property
    def updated(self) -> datetime:
        """The newest change of an entry, aware UTC."""
        return max((entry.updated_at for entry in self.entries), default=NOTHING_YET)

    def neighbours(self, form: str = "") -> dict[str, str]:
        """Return the addresses of the pages beside this one by their relation (RFC 5005, section 3).

        A named feed has one page, which a static host can serve too.
        """
        if self.feed.name:
            return {}
        page = self.feed.query.page
        older = {"next": self.feed.at_page(page + 1).address(form)} if self.has_more else {}
        return older | ({"previous": self.feed.at_page(page - 1).address(form)} if page > 1 else {})
