"""The values that all rooms share: a paper, the listing it came in, its entry in a feed."""

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
    """The organization behind a paper: its account on the Hub and the name to show."""

    name: str
    fullname: str


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses of a paper: its page on the Hub, which is its identity in every feed, the discussion, and arXiv."""

    hub: str
    discussion: str
    arxiv: str
    pdf: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A paper, under the Hub's names for its fields; every string clean, every time aware UTC.

    `id` is the arXiv identifier; for a listing that carries none, the words of the title joined
    by hyphens. `submitted_at` is when it entered Daily Papers, `published_at` when it appeared on
    arXiv. A text capture has no upvotes (None) and no names of authors, only `author_count`.
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
        """What `min_upvotes` compares: the upvotes, or the comments if those are unknown."""
        return self.comments if self.upvotes is None else self.upvotes

    @property
    def image(self) -> str | None:
        """The thumbnail, if it is on the Hub's servers: a listing must not make readers contact others."""
        return self.thumbnail if self.thumbnail and _HUB_IMAGE.match(self.thumbnail) else None

    @property
    def links(self) -> Links:
        """Where the paper is; without an arXiv identifier, searches that find it."""
        if is_arxiv_id(self.id):
            hub, arxiv = f"https://huggingface.co/papers/{self.id}", "https://arxiv.org"
            return Links(hub, f"{hub}#community", f"{arxiv}/abs/{self.id}", f"{arxiv}/pdf/{self.id}")
        hub = f"https://huggingface.co/papers?q={quote_plus(self.id.replace('-', ' '))}"
        arxiv = f"https://arxiv.org/search/?searchtype=title&query={quote_plus(self.title)}"
        return Links(hub, hub, arxiv, arxiv)


@dataclass(frozen=True, slots=True)
class Entry:
    """A paper in one feed: when it entered (never changes) and when it or its text last changed."""

    paper: Paper
    entered_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """A new highest count of a paper, `upvotes` or `comments`, and when it was reached (aware UTC)."""

    measure: str
    value: int
    reached_at: datetime


@dataclass(frozen=True, slots=True)
class PaperHistory:
    """When a paper was listed (aware UTC), and the steps of its counts, lowest first."""

    listed_at: datetime
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """An entry that was left out: which one, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The papers of one listing in its own order, what was skipped, and the listing day.

    `validator` is the ETag it came with; `unchanged` says that the one sent along still holds. `size` is its normalised
    text in bytes. A saved listing was read from the Hub before `taken_before` (aware), whatever the clock says now.
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
    """When one day's listing was asked for and read well (aware UTC), and how many papers it had then."""

    day: date
    asked_at: datetime | None = None
    good_at: datetime | None = None
    count: int = 0
    validator: str | None = None
