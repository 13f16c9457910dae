"""A query in, everything that the page shows of its feed out. Knows no HTML."""

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta

from feedproxy.archive import Archive
from feedproxy.archive.backend import time_limit
from feedproxy.archive.state import SearchResult
from feedproxy.errors import DeadlineError
from feedproxy.feeds.entry import FEW_AUTHORS, MAX_AUTHORS, byline, count_in_words, gist
from feedproxy.feeds.tex import readable
from feedproxy.model import Digest, Entry, Paper, PaperHistory
from feedproxy.offers import Offer, offers
from feedproxy.offers.spelling import Misspelling, misspellings
from feedproxy.query.grammar import FIELDS
from feedproxy.query.parameters import MEASURES, Query
from feedproxy.service import Service
from feedproxy.text import plural
from feedproxy.web.chart import Volume, volume
from feedproxy.web.preview.digests import DigestPreview, count_digests, digest_preview
from feedproxy.web.preview.highlight import Highlighter, Segments, compile_highlighter, excerpt, highlight
from feedproxy.web.preview.suggestions import relaxations, thresholds

_SUGGESTIONS = 5
_MAX_ABSTRACT = 2_000  # characters of an abstract where we look for words to mark; the longest so far: 1,923

_NOTHING = Volume(())


@dataclass(frozen=True, slots=True)
class PreviewEntry:
    """An entry as the page shows it: its texts in segments, and the reason why it entered."""

    entry: Entry
    title: Segments
    authors: Segments
    organization: Segments
    excerpt: Segments
    reason: str


@dataclass(frozen=True, slots=True)
class Threshold:
    """The query with another number of upvotes, and its entries per listing day; None for digests or too few days."""

    query: Query
    average: float | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A looser query, the change in words, and the number of its entries; there are `more` digests than that."""

    text: str
    query: Query
    count: int
    more: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """One page of a query's entries, their number on all pages, and their volume or their `digests`.

    Of digests, the number on all pages so far. A query without entries has `suggestions` that have some. `offers` are
    wider queries, `misspellings` words that no paper has. The archive begins on the day `since`, if that lies within
    the query's days.
    """

    result: SearchResult[Entry] | SearchResult[Digest]
    count: int
    entries: tuple[PreviewEntry, ...] = ()
    volume: Volume = _NOTHING
    thresholds: tuple[Threshold, ...] = ()
    digests: DigestPreview | None = None
    suggestions: tuple[Suggestion, ...] = ()
    offers: tuple[Offer, ...] = ()
    misspellings: tuple[Misspelling, ...] = ()
    since: date | None = None


def preview(service: Service, query: Query, entries: int = 200) -> Preview:
    """Return the preview of `query` with its first few `entries`; raises ArchiveError and NoPapersYet."""
    began, archive = time.monotonic(), service.archive
    base = _digests(service, query) if query.digest else _papers(service, query, entries)
    budget = max(time.monotonic() - began, service.advice_seconds)  # as long as the search took, if that is more
    return replace(
        base,
        suggestions=() if base.count else suggest(archive, query, budget),
        offers=offers(archive, query, budget),
        misspellings=misspellings(archive, query, budget, service.vocabulary.get),
        since=_since(archive, base, query.days),
    )


def _since(archive: Archive, base: Preview, days: int) -> date | None:
    """Return the first listing day, if the archive holds fewer days than these."""
    newest = base.result.state.newest_entry_at
    first = archive.first_day()
    return first if first and newest and first > newest.date() - timedelta(days=days) else None


def _papers(service: Service, query: Query, number: int) -> Preview:
    """Return the preview of a feed of papers, with the first `number` of this page's entries, without advice."""
    archive, result = service.archive, service.search(query)
    entries = result.entries[:number]
    histories = archive.histories([entry.paper.id for entry in entries])
    others = thresholds(query)
    days, dates_by_threshold = archive.entry_dates_by_threshold(query, [other.min_upvotes for other in others])
    volumes = {other.min_upvotes: volume(days, dates) for other, dates in zip(others, dates_by_threshold, strict=True)}
    return Preview(
        result,
        archive.count(query) if result.more or query.page > 1 else len(result.entries),
        _entries(entries, histories, query),
        volumes[query.min_upvotes],
        tuple(Threshold(other, _average(volumes[other.min_upvotes])) for other in others),
    )


def _average(bars: Volume) -> float | None:
    return bars.average if bars.has_average else None


def _digests(service: Service, query: Query) -> Preview:
    """Return the preview of a feed of digests, without advice."""
    archive, result = service.archive, service.digests(query)
    count = count_digests(archive, query, result)
    others = tuple(map(Threshold, thresholds(query)))
    return Preview(result, count, thresholds=others, digests=digest_preview(archive, query, result))


def suggest(archive: Archive, query: Query, budget: float) -> tuple[Suggestion, ...]:
    """Return the first few looser queries that have entries, as many as `budget` seconds allow."""
    suggestions: list[Suggestion] = []
    with suppress(DeadlineError), time_limit(budget):
        for text, relaxed in relaxations(query):
            result = archive.digests(relaxed) if relaxed.digest else None
            if count := len(result.entries) if result else archive.count(relaxed):
                suggestions.append(Suggestion(text, relaxed, count, bool(result and result.more)))
            if len(suggestions) == _SUGGESTIONS:
                break
    return tuple(suggestions)


def _entries(entries: tuple[Entry, ...], histories: dict[str, PaperHistory], query: Query) -> tuple[PreviewEntry, ...]:
    title, abstract, author, org = (compile_highlighter(query.q, field) for field in FIELDS)
    return tuple(
        PreviewEntry(
            entry,
            highlight(readable(entry.paper.title), title),
            _authors(entry.paper, author),
            highlight(entry.paper.organization.fullname if entry.paper.organization else "", org),
            _excerpt(entry.paper, query.content, abstract),
            reason(entry, histories.get(entry.paper.id, PaperHistory(entry.entered_at)), query),
        )
        for entry in entries
    )


def _excerpt(paper: Paper, content: str, abstract: Highlighter | None) -> Segments:
    """Return the beginning of the text that a reader gets, or where it has the first mark."""
    if content == "none":
        return ()
    return excerpt(gist(paper, 2) if content == "brief" else readable(paper.summary)[:_MAX_ABSTRACT], abstract)


def _authors(paper: Paper, author: Highlighter | None) -> Segments:
    """Return the first authors of `paper`; more of them if that brings more marks."""
    few, many = (highlight(byline(paper, limit), author) for limit in (FEW_AUTHORS, MAX_AUTHORS))
    return many if sum(mark for _, mark in many) > sum(mark for _, mark in few) else few


def reason(entry: Entry, history: PaperHistory, query: Query) -> str:
    """Return the event on the entry's date, such as `reached 5 upvotes`."""
    conditions = [(measure, limit) for name, measure in MEASURES.items() if (limit := getattr(query, name))]
    counts = []
    for measure, limit in conditions:
        step = next((step for step in history.steps if step.measure == measure and step.value >= limit), None)
        if step and step.reached_at == entry.entered_at:
            # Without upvotes in the listing, comments count instead.
            is_comments = measure == "comments" or entry.paper.upvotes is None
            counts.append(plural(step.value, "comment" if is_comments else "upvote"))
    text = " and ".join(dict.fromkeys(counts))
    if history.listed_at == entry.entered_at:
        return f"listed with {text}" if text and text != count_in_words(entry.paper) else "listed"
    return f"reached {text}" if text else "came to match"
