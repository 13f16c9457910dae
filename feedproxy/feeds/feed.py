"""What one document shows, and what of it is alike in every format: its name, its addresses, its date."""

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from feedproxy.papers import Entry
from feedproxy.query import Query

TITLE = "Daily Papers"
NOTHING_YET = datetime(2023, 5, 4, tzinfo=UTC)  # the first Daily Papers: `updated` of an empty feed
LANGUAGE = "en"


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
