"""Digests in plain Python that looks at everything, to hold the real ones against.

It is told what was read when, forgets nothing, and works out each digest when its period is closed. Nothing is ever
worked out again, so a digest cannot change here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from feedproxy.model import Listing, Paper
from feedproxy.periods import KINDS, Period
from feedproxy.query.parameters import Query
from tests.naive import Wording, matched

Row = tuple[Any, ...]  # what a digest shows of a paper
_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)
_PATIENCE = timedelta(days=7)  # with a day that the Hub keeps failing to give
_REACH = timedelta(days=31)  # how long before a period the one of the digest before it may end
_MOST_LATE = 5


def row(paper: Paper) -> Row:
    """Return what a digest shows of `paper`, without what the archive keeps no times of."""
    text = (paper.title, paper.summary, paper.authors, paper.organization, paper.ai_summary, paper.has)
    return (paper.id, paper.upvotes, paper.comments if paper.upvotes is None else None, *text)


@dataclass(frozen=True)
class Sight:
    """A paper as it was known after the transaction `number`, its counts the highest so far; dated `at`."""

    number: int
    at: datetime
    paper: Paper
    upvotes: int
    comments: int


@dataclass(frozen=True)
class Closing:
    """A period that is closed: what was dated by `at` and stored by transaction `number` counts."""

    period: Period
    at: datetime
    number: int
    entered_at: datetime


@dataclass(frozen=True)
class NaiveDigest:
    """A digest, its papers and those that rose late, best first."""

    closing: Closing
    papers: tuple[Row, ...]
    late: tuple[Row, ...]
    fewest: int  # upvotes of its last paper

    @property
    def shown(self) -> tuple[str, datetime, tuple[Row, ...], tuple[Row, ...]]:
        return (self.closing.period.code, self.closing.entered_at, self.papers, self.late)


class NaiveDigests:
    """Everything that was ever read, and the periods that are closed. With `all_days` no day is missing."""

    def __init__(self, *, all_days: bool = False) -> None:
        self.all_days = all_days
        self.sights: dict[str, list[Sight]] = {}
        self.homes: dict[str, date] = {}  # the day that each paper belongs to
        self.read_at: dict[date, datetime] = {}
        self.failed: set[date] = set()
        self.first: datetime | None = None
        self.stored_at: datetime | None = None
        self.good_at: datetime | None = None  # the last refresh that was good as a whole
        self.closings: dict[str, list[Closing]] = {kind: [] for kind in KINDS}
        self._wordings: dict[Paper, Wording] = {}
        self._number = 0

    # What is read ------------------------------------------------------------------------------

    def read(self, listings: Iterable[Listing], now: datetime) -> None:
        """Take the listings of one transaction."""
        listings = sorted(listings, key=lambda listing: listing.day or date.min)
        self._number += 1
        self.first = self.first or now
        seen: dict[str, tuple[Paper, int, int, bool]] = {}
        homes: dict[str, date] = {}
        for listing in listings:
            is_past = listing.day is not None and listing.day < self.first.date() and listing.day not in self.read_at
            for paper in listing.papers:
                counts = (paper.effective_upvotes, paper.comments)
                one = (paper, *counts, is_past and paper.submitted_at <= self.first)
                if before := seen.get(paper.id):
                    best = (max(before[1], counts[0]), max(before[2], counts[1]))
                    one = (_merged(before[0], paper), *best, before[3] and one[3])
                seen[paper.id] = one
                homes.setdefault(paper.id, _home(paper, listing.day))
        for paper, upvotes, comments, is_history in seen.values():
            self._see(paper, (upvotes, comments), now, is_history=is_history)
        self.homes = homes | self.homes
        for listing in listings:
            if listing.day:
                self.read_at[listing.day] = now
        self.stored_at = now

    def _see(self, paper: Paper, counts: tuple[int, int], now: datetime, *, is_history: bool) -> None:
        past = self.sights.setdefault(paper.id, [])
        listed = min(paper.submitted_at, now)
        keeps_its_time = self.stored_at is None or listed > self.stored_at or (is_history and not past)
        if past:
            last = past[-1]
            paper = last.paper if is_history else _merged(last.paper, paper)
            counts = (max(last.upvotes, counts[0]), max(last.comments, counts[1]))
        sight = Sight(self._number, listed if keeps_its_time else now, paper, *counts)
        if not past or replace(sight, number=last.number, at=last.at) != last:
            past.append(sight)

    # What is closed ----------------------------------------------------------------------------

    def close(self, now: datetime) -> None:
        """Close what can be closed at the end of a good refresh."""
        for kind in KINDS:
            due = [period for period in self._open(kind, now) if self._is_complete(period, now)]
            history = [period for period in due if self.first and period.closes_at <= self.first]
            present = due[len(history) :]
            start = max(now - _SECOND * (len(present) - 1), self.good_at or now - _DAY)
            start = max([start, *(one.entered_at + _SECOND for one in self.closings[kind])]) if present else start
            for period in history:
                self._add(Closing(period, period.closes_at, self._number, period.closes_at))
            for rank, period in enumerate(present):
                self._add(Closing(period, datetime.max.replace(tzinfo=UTC), self._number, start + _SECOND * rank))
        self.good_at = now

    def _add(self, closing: Closing) -> None:
        self.closings[closing.period.kind].append(closing)

    def _open(self, kind: str, now: datetime) -> Iterator[Period]:
        days = [*self.read_at, *self.failed, *self.homes.values()]
        closed = {closing.period for closing in self.closings[kind]}
        period = Period.of(kind, min(days, default=now.date()))
        while period.closes_at <= now:
            if period not in closed:
                yield period
            period = period.next

    def _is_complete(self, period: Period, now: datetime) -> bool:
        return self.all_days or all(self._is_over(day, period, now) for day in period.days)

    def _is_over(self, day: date, period: Period, now: datetime) -> bool:
        """Say whether `day` was read after its end, or has been waited for long enough."""
        if day in self.read_at and self.read_at[day].date() > day:
            return True
        is_present = self.first is not None and day >= self.first.date()
        return is_present and day in self.failed and now >= period.closes_at + _PATIENCE

    # What is shown -----------------------------------------------------------------------------

    def digests(self, query: Query) -> list[NaiveDigest]:
        """Return every digest of a query, whatever its `days`, `limit` and `page`, newest first."""
        made: list[NaiveDigest] = []
        for closing in self.closings[query.digest]:
            best = self._ranked([closing.period], closing, query)[: query.top]
            if best:
                late = self._late(closing, query, made)[:_MOST_LATE]
                rows = [tuple(map(self._row, sights)) for sights in (best, late)]
                made.append(NaiveDigest(closing, *rows, best[-1].upvotes))
        return sorted(made, key=lambda digest: digest.closing.entered_at, reverse=True)

    def _late(self, closing: Closing, query: Query, made: list[NaiveDigest]) -> list[Sight]:
        """Return the papers of the digest before, and of the time since, that have risen to its level."""
        earlier = [digest for digest in made if digest.closing.period < closing.period]
        if not earlier:
            return []
        last = max(earlier, key=lambda digest: digest.closing.period)
        if closing.period.start - last.closing.period.end > _REACH:
            return []
        closings = self.closings[closing.period.kind]
        by_then = [
            one.period for one in closings[: closings.index(closing)]
        ]  # the others will have digests of their own
        periods = [period for period in by_then if last.closing.period <= period < closing.period]
        shown = {paper[0] for paper in last.papers}
        ranked = self._ranked(periods, closing, query)
        return [sight for sight in ranked if sight.paper.id not in shown and sight.upvotes >= last.fewest]

    def _ranked(self, periods: list[Period], closing: Closing, query: Query) -> list[Sight]:
        """Return the papers of `periods` that met the conditions by a closing, as they were known then, best first."""
        meeting = []
        for name, past in self.sights.items():
            if any(period.start <= self.homes[name] < period.end for period in periods):
                by_then = [sight for sight in past if sight.number <= closing.number and sight.at <= closing.at]
                if by_then and self._meets(by_then, query):
                    meeting.append(by_then[-1])
        return sorted(meeting, key=lambda sight: (-sight.upvotes, sight.paper.submitted_at, sight.paper.id))

    def _meets(self, past: list[Sight], query: Query) -> bool:
        now = past[-1]
        if query.or_upvotes and now.upvotes >= query.or_upvotes:
            return True
        wordings = {self._wording(sight) for sight in past}
        says = not query.q or matched(query.q, wordings)
        return bool(says) and now.upvotes >= query.min_upvotes and now.comments >= query.min_comments

    def _wording(self, sight: Sight) -> Wording:
        text = replace(sight.paper, upvotes=None, comments=0)
        if text not in self._wordings:
            self._wordings[text] = Wording(sight.at, text)
        return self._wordings[text]

    def _row(self, sight: Sight) -> Row:
        upvotes = None if sight.paper.upvotes is None else sight.upvotes
        return row(replace(sight.paper, upvotes=upvotes, comments=sight.upvotes))


def _merged(paper: Paper, new: Paper) -> Paper:
    """Return `new` as a later wording of `paper`: what it lacks stays, and so do the time and the first AI summary."""
    lasting = {name: getattr(new, name) or getattr(paper, name) for name in Paper.__dataclass_fields__}
    upvotes = paper.upvotes if new.upvotes is None else new.upvotes
    summary = paper.ai_summary or new.ai_summary
    own = {"submitted_at": paper.submitted_at, "upvotes": upvotes, "comments": new.comments, "ai_summary": summary}
    return Paper(**lasting | own)


def _home(paper: Paper, listing_day: date | None) -> date:
    """Return the day that a new paper belongs to: that of its listing, unless its own time says something else."""
    own = paper.submitted_at.date()
    return listing_day if listing_day and abs(listing_day - own) <= _DAY else own
