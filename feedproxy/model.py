"""The values that all rooms share: papers, listings and entries."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar
from urllib.parse import quote_plus

from feedproxy import HUB
from feedproxy.periods import Period

FIRST_LISTING = date(2023, 5, 4)  # the first Daily Papers
COUNTS = ("upvotes", "comments")  # of a paper: the fields that a vote or a comment raises
HAS = {"code": "github_repo", "project": "project_page", "image": "image"}  # names in the filter, attributes of `Paper`
_HUB_FILE = re.compile(r"https://[a-z0-9-]+\.huggingface\.co/")
_ARXIV_ID = re.compile(r"\d{4}\.\d{4,5}", re.ASCII)


def is_arxiv_id(text: str) -> bool:
    """Say whether `text` is an arXiv identifier without a version, such as 2501.12273."""
    return _ARXIV_ID.fullmatch(text) is not None


def is_hub_file(address: str) -> bool:
    """Say whether a file is on the Hub's servers: a listing must not make readers contact others."""
    return _HUB_FILE.match(address) is not None


@dataclass(frozen=True, slots=True)
class Organization:
    """The organization behind a paper: its account on the Hub and the name to show."""

    name: str
    fullname: str


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses of a paper; `hub`, its page on the Hub, is its id in every feed.

    A paper without an arXiv identifier has neither `bibtex` nor `doi`, which is no address but the bare identifier.
    """

    hub: str
    discussion: str
    arxiv: str
    pdf: str
    html: str
    alphaxiv: str
    bibtex: str | None = None
    doi: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A paper, with the Hub's names for its fields; every string is clean, every time aware UTC.

    `id` is the arXiv identifier, or the words of the title with hyphens if the listing has no identifiers. The paper
    entered Daily Papers at `submitted_at` and arXiv at `published_at`. A text capture has no upvotes (None) and no
    names of authors, only `author_count`. `ai_summary` is the Hub's own, in a sentence or two. `media` are addresses of
    videos and the like on the Hub's servers, but not of images.
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
    ai_summary: str | None = None
    github_stars: int | None = None
    media: tuple[str, ...] = ()

    @property
    def effective_upvotes(self) -> int:
        """The number that `min_upvotes` compares: the upvotes, or the comments if the upvotes are unknown."""
        return self.comments if self.upvotes is None else self.upvotes

    @property
    def image(self) -> str | None:
        """The thumbnail, if it is on the Hub's servers."""
        return self.thumbnail if self.thumbnail and is_hub_file(self.thumbnail) else None

    @property
    def has(self) -> tuple[str, ...]:
        """The names in `HAS` of the links that it has, in that order."""
        return tuple(name for name, attribute in HAS.items() if getattr(self, attribute))

    @property
    def links(self) -> Links:
        """The paper's addresses; without an arXiv identifier, searches that find it."""
        if is_arxiv_id(self.id):
            hub, arxiv = f"{HUB}/{self.id}", "https://arxiv.org"
            return Links(
                hub=hub,
                discussion=f"{hub}#community",
                arxiv=f"{arxiv}/abs/{self.id}",
                pdf=f"{arxiv}/pdf/{self.id}",
                html=f"{arxiv}/html/{self.id}",
                alphaxiv=f"https://www.alphaxiv.org/abs/{self.id}",
                bibtex=f"{arxiv}/bibtex/{self.id}",
                doi=f"10.48550/arXiv.{self.id}",
            )
        hub = f"{HUB}?q={quote_plus(self.id.replace('-', ' '))}"
        arxiv = f"https://arxiv.org/search/?searchtype=title&query={quote_plus(self.title)}"
        return Links(hub, hub, arxiv, arxiv, arxiv, arxiv)


@dataclass(frozen=True, slots=True)
class Entry:
    """A paper in one feed: when it entered (never changes) and when it or its text last changed.

    `upvotes_at_entry` are the most upvotes that it had reached when it entered, which never change either; None if it
    had none, or if its upvotes are unknown.
    """

    paper: Paper
    entered_at: datetime
    updated_at: datetime
    upvotes_at_entry: int | None = None


@dataclass(frozen=True, slots=True)
class Digest:
    """The best papers of a closed period, best first; it never changes.

    The papers are as the archive knew them at the closing: their upvotes (or comments, where the upvotes are unknown),
    wording and links are those of that time. `late` are papers of the digest before, or of the time since, that have
    risen into its ranks since then. It entered its feed at `entered_at` (aware UTC).
    """

    period: Period
    entered_at: datetime
    papers: tuple[Paper, ...]
    late: tuple[Paper, ...] = ()

    @property
    def updated_at(self) -> datetime:
        """The time when it entered."""
        return self.entered_at


E = TypeVar("E", Entry, Digest)  # what a feed shows


@dataclass(frozen=True, slots=True)
class Step:
    """A new highest count of a paper, `upvotes` or `comments`, and when the paper reached it (aware UTC)."""

    measure: str
    value: int
    reached_at: datetime


@dataclass(frozen=True, slots=True)
class PaperHistory:
    """The time when a paper was listed (aware UTC), and the steps of its counts, lowest first."""

    listed_at: datetime
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """An entry that the parser left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class SavedFile:
    """What an archive remembers of a file that it has read: which it was, how to tell a change, and what it listed.

    `path` is a hash of its path in the folder. Its `stamp` changes with it, and `digest` with its content; an empty one
    matches no file. `day` is None for a file that is gone. `papers` are ids.
    """

    path: str
    stamp: str = ""
    digest: str = ""
    day: date | None = None
    papers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """The papers of one listing in its own order, the entries that were skipped, and the listing day.

    `validator` is its ETag; `unchanged` says that it need not be noted again. `size` counts the bytes of its
    normalised text. `is_early` says that entries were skipped because they are from the future. Somebody took a saved
    listing from the Hub before `taken_before` (aware); the archive is to remember its `file`.
    """

    papers: tuple[Paper, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    day: date | None = None
    validator: str | None = None
    unchanged: bool = False
    size: int = 0
    is_early: bool = False
    taken_before: datetime | None = None
    file: SavedFile | None = None


@dataclass(frozen=True, slots=True)
class ListingDay:
    """One day's listing: the last request, the last good answer (aware UTC), and how many papers that had."""

    day: date
    asked_at: datetime | None = None
    good_at: datetime | None = None
    count: int = 0
    validator: str | None = None
