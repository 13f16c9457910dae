"""The archive and a query in; all that the page shows of its feed out.

Knows no HTML: how it looks is up to the page.
"""

import time
from contextlib import suppress
from dataclasses import dataclass

from feedproxy.archive import Archive, SearchResult
from feedproxy.archive.deadline import time_limit
from feedproxy.errors import DeadlineError
from feedproxy.feeds import byline
from feedproxy.model import Entry, PaperHistory
from feedproxy.query.grammar import FIELDS
from feedproxy.query.parameters import Query
from feedproxy.service import Service
from feedproxy.web.preview.highlight import Segments, compile_highlighter, excerpt, highlight
from feedproxy.web.preview.reasons import reason
from feedproxy.web.preview.suggestions import relaxations, thresholds
from feedproxy.web.preview.volume import Volume, volume

_ADVICE = 5
_LEAST_BUDGET = 0.1  # seconds for advice, about what the rest of a page takes; or as long as the search took
_READ = 2_000  # characters of an abstract in which marks are looked for; the longest seen: 1,923


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry as the page shows it: its texts in pieces, and why it entered."""

    entry: Entry
    title: Segments
    authors: Segments
    organization: Segments
    excerpt: Segments
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A query with another number of upvotes, and the entries a listing day that it would have brought."""

    query: Query
    average: float


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do to find something: in words, as a query, and how many entries that has."""

    told: str
    query: Query
    count: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What was found of a query, how many entries there are in all, and what came when.

    `choices` are other numbers of upvotes; `advice`, for a query that finds nothing, what would find something.
    """

    found: SearchResult
    count: int
    shown: tuple[Shown, ...]
    volume: Volume
    choices: tuple[Choice, ...]
    advice: tuple[Advice, ...]


def preview(service: Service, query: Query) -> Preview:
    """Return what the page shows of `query`; raises ArchiveError and NoPapersYet."""
    began, archive = time.monotonic(), service.archive
    found = service.search(query)
    pasts = archive.histories([entry.paper.id for entry in found.entries])
    choices = thresholds(query)
    days, entered = archive.entry_dates_by_threshold(query, [choice.min_upvotes for choice in choices])
    volumes = {choice.min_upvotes: volume(days, dates) for choice, dates in zip(choices, entered, strict=True)}
    count = archive.count(query) if found.more or query.page > 1 else len(found.entries)
    took = time.monotonic() - began
    return Preview(
        found,
        count,
        _shown(found.entries, pasts, query),
        volumes[query.min_upvotes],
        tuple(Choice(choice, volumes[choice.min_upvotes].average) for choice in choices),
        () if count else advise(archive, query, max(took, _LEAST_BUDGET)),
    )


def advise(archive: Archive, query: Query, budget: float) -> tuple[Advice, ...]:
    """Return the first few queries that ask for less and find something, as many as `budget` seconds allow."""
    advice: list[Advice] = []
    with suppress(DeadlineError), time_limit(budget):
        for told, less in relaxations(query):
            if count := archive.count(less):
                advice.append(Advice(told, less, count))
            if len(advice) == _ADVICE:
                break
    return tuple(advice)


def _shown(entries: tuple[Entry, ...], pasts: dict[str, PaperHistory], query: Query) -> tuple[Shown, ...]:
    title, abstract, author, org = (compile_highlighter(query.q, field) for field in FIELDS)
    return tuple(
        Shown(
            entry,
            highlight(entry.paper.title, title),
            highlight(byline(entry.paper), author),
            highlight(entry.paper.organization.fullname if entry.paper.organization else "", org),
            excerpt(entry.paper.summary[:_READ], abstract) if query.content == "full" else (),
            reason(entry, pasts.get(entry.paper.id, PaperHistory(entry.entered_at)), query),
        )
        for entry in entries
    )
