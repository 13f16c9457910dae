"""The values everything else passes on: a paper, the listing it came in, its entry in a feed.

Holds nothing of where they come from.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import quote_plus

FIRST_LISTING = date(2023, 5, 4)  # the first Daily Papers
_HUB_IMAGE = re.compile(r"https://[a-z0-9-]+\.huggingface\.co/")
_ARXIV_ID = re.compile(r"\d{4}\.\d{4,5}", re.ASCII)


def is_arxiv_id(text: str) -> bool:
    """Say whether `text` is an arXiv identifier without a version, such as 2501.12273."""
    return _ARXIV_ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Organization:
    """Who stands behind a paper: the account on the Hub and the name to show."""

    name: str
    fullname: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A paper, under the Hub's names for its fields; every string clean, every time aware UTC.

    `id` is the arXiv identifier; for a listing that carries none, the words of the title joined
    by hyphens. `submitted_at` is when it entered Daily Papers, `published_at` when it appeared on
    arXiv. `upvotes` is None where the listing does not tell; `author_count` can exceed
    `len(authors)` for the same reason.
    """

    id: str
    title: str
    summary: str
    submitted_at: datetime
    published_at: datetime | None = None
    authors: tuple[str, ...] = ()
    author_count: int = 0
    upvotes: int | None = None
    comments: int = 0
    thumbnail: str | None = None
    organization: Organization | None = None
    github_repo: str | None = None
    project_page: str | None = None
    ai_keywords: tuple[str, ...] = ()

    @property
    def effective_upvotes(self) -> int:
        """What `min_upvotes` looks at: the upvotes, or the comments where those are unknown."""
        return self.comments if self.upvotes is None else self.upvotes

    @property
    def image(self) -> str | None:
        """The thumbnail, if it is one of the Hub's own: a listing must not make readers ask other servers."""
        return self.thumbnail if self.thumbnail and _HUB_IMAGE.match(self.thumbnail) else None

    @property
    def hub_url(self) -> str:
        """The paper's page on the Hub, its identity in every feed; a search for it without an id."""
        if is_arxiv_id(self.id):
            return f"https://huggingface.co/papers/{self.id}"
        return f"https://huggingface.co/papers?q={quote_plus(self.id.replace('-', ' '))}"

    @property
    def discussion_url(self) -> str:
        """Where the paper is discussed."""
        return f"{self.hub_url}#community" if is_arxiv_id(self.id) else self.hub_url

    @property
    def arxiv_url(self) -> str:
        """The abstract on arXiv."""
        return self._arxiv("abs")

    @property
    def pdf_url(self) -> str:
        """The full text on arXiv."""
        return self._arxiv("pdf")

    def _arxiv(self, kind: str) -> str:
        if is_arxiv_id(self.id):
            return f"https://arxiv.org/{kind}/{self.id}"
        return f"https://arxiv.org/search/?searchtype=title&query={quote_plus(self.title)}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A paper in one feed: when it entered (never changes) and when it or its text last changed."""

    paper: Paper
    entered_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """A count of a paper, `upvotes` or `comments`, above all before, and when it was reached (aware UTC)."""

    measure: str
    value: int
    reached_at: datetime


@dataclass(frozen=True, slots=True)
class PaperHistory:
    """The date a paper was listed by (aware UTC), and the steps of its counts, lowest first."""

    listed_at: datetime
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """An entry that was left out: which one, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The papers of one listing in its own order, what was skipped, and the day it is of.

    `validator` is the ETag it came with; `unchanged` says the one asked with still holds. `size` is how many bytes of
    normalised text it has. `taken_before` (aware) is known of a listing that somebody saved: no clock that says it is
    later by then dates what is in it.
    """

    papers: tuple[Paper, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    day: date | None = None
    validator: str | None = None
    unchanged: bool = False
    size: int = 0
    taken_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class ListingDay:
    """What is known of one day's listing; times aware UTC, `count` papers when last read."""

    day: date
    asked_at: datetime | None = None
    good_at: datetime | None = None
    count: int = 0
    validator: str | None = None
