"""A feed's identity (its addresses, id and title), and one document of it: a page of its entries."""

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time

from feedproxy.model import FIRST_LISTING, Entry
from feedproxy.query.named_feeds import NamedFeed
from feedproxy.query.parameters import Query

TITLE = "Daily Papers"
NOTHING_YET = datetime.combine(FIRST_LISTING, time(), UTC)  # `updated` of an empty document
LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class Feed:
    """The feed of `query`, whose page decides the page of its documents; `base` is without a slash at its end.

    `name` is the operator's, if there is one: it decides title, address and id.
    """

    query: Query
    base: str
    name: NamedFeed | None = None

    @property
    def title(self) -> str:
        """The feed's name, with its filter in words."""
        return self.name.title if self.name else ": ".join(filter(None, (TITLE, self.query.describe)))

    @property
    def description(self) -> str:
        """One sentence about what enters this feed."""
        return f"Papers from Hugging Face Daily Papers ({self.query.describe or 'all of them'})"

    @property
    def id(self) -> str:
        """The same on every page of the feed; that of a query is the same on every server."""
        query = replace(self.query, page=1)
        seed = f"{self.base}/{self.name.path('')}" if self.name else f"https://huggingface.co/papers?{query}"
        return uuid.uuid5(uuid.NAMESPACE_URL, seed).urn

    @property
    def home(self) -> str:
        """The page with the same query."""
        return self.address()

    @property
    def icon(self) -> str:
        """A square PNG, as wide as RSS allows."""
        return f"{self.base}/static/icon.png"

    def address(self, form: str = "", page: int = 0) -> str:
        """Return the address of this feed in the format `form`, or of the page about it; `page` overrides its own."""
        query = replace(self.query, page=page or self.query.page)
        path = f"feed.{form}" if form else ""
        if self.name and form:
            path, query = self.name.path(form), Query(page=query.page)
        return "?".join(filter(None, (f"{self.base}/{path}", str(query))))


@dataclass(frozen=True, slots=True)
class Document:
    """One page of a feed: `entries` newest first, and whether older ones follow."""

    feed: Feed
    entries: tuple[Entry, ...] = ()
    has_more: bool = False

    @property
    def updated(self) -> datetime:
        """The newest change of an entry, aware UTC."""
        return max((entry.updated_at for entry in self.entries), default=NOTHING_YET)

    def neighbours(self, form: str = "") -> dict[str, str]:
        """Return the addresses of the pages beside this one by their relation (RFC 5005, section 3)."""
        page = self.feed.query.page
        older = {"next": self.feed.address(form, page + 1)} if self.has_more else {}
        return older | ({"previous": self.feed.address(form, page - 1)} if page > 1 else {})
