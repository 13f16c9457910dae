"""What one document shows, and what of it is alike in every format: its name, its addresses, its date."""

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time

from feedproxy.model import FIRST_LISTING, Entry
from feedproxy.query.named_feeds import NamedFeed
from feedproxy.query.parameters import Query

TITLE = "Daily Papers"
NOTHING_YET = datetime.combine(FIRST_LISTING, time(), UTC)  # `updated` of an empty feed
LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class Feed:
    """What one document shows: `entries` newest first, `more` if older ones follow; `base` without a slash.

    `named` if it is one the operator gave a name: that decides its title, its address and what it is known by.
    """

    query: Query
    base: str
    entries: tuple[Entry, ...]
    more: bool = False
    named: NamedFeed | None = None

    @property
    def title(self) -> str:
        """The feed's name, with its filter in words."""
        return self.named.title if self.named else ": ".join(filter(None, (TITLE, self.query.describe)))

    @property
    def description(self) -> str:
        """One sentence about what enters this feed."""
        return f"Papers from Hugging Face Daily Papers ({self.query.describe or 'all of them'})"

    @property
    def id(self) -> str:
        """What this feed is known by on each page of it: its name on this server, else its query on every server."""
        query = replace(self.query, page=1)
        seed = f"{self.base}/{self.named.path('')}" if self.named else f"https://huggingface.co/papers?{query}"
        return uuid.uuid5(uuid.NAMESPACE_URL, seed).urn

    @property
    def updated(self) -> datetime:
        """The newest change in this feed, aware UTC."""
        return max((entry.updated_at for entry in self.entries), default=NOTHING_YET)

    @property
    def home(self) -> str:
        """The page with the same query."""
        return self.address()

    @property
    def icon(self) -> str:
        """A square PNG, as wide as RSS allows."""
        return f"{self.base}/static/icon.png"

    def address(self, name: str = "", page: int = 0) -> str:
        """Return this feed's address as the format `name`, or its page's; of another `page` of it if given."""
        query = replace(self.query, page=page or self.query.page)
        path = f"feed.{name}" if name else ""
        if self.named and name:
            path, query = self.named.path(name), Query(page=query.page)
        return "?".join(filter(None, (f"{self.base}/{path}", str(query))))

    def pages(self, name: str = "") -> dict[str, str]:
        """Return the addresses of the pages beside this one by their relation (RFC 5005, section 3)."""
        page = self.query.page
        older = {"next": self.address(name, page + 1)} if self.more else {}
        return older | ({"previous": self.address(name, page - 1)} if page > 1 else {})
