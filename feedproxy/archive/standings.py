"""The standings of closed periods, kept in memory: all papers by their upvotes at the closing, and their rises since.

Standings are the same for every query and never change, but where history is filled in; so they are read once. Rises
and papers are kept as long as nothing changes in the archive.
"""

from array import array
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from feedproxy.archive.rows import LARGEST, moment_or_none, readable_paper, state_of
from feedproxy.archive.schema import LATEST, PAPER, closings, ledger, papers, wordings
from feedproxy.archive.search import DAY
from feedproxy.model import HAS, Paper

SPAN = {"day": DAY, "week": 7 * DAY, "month": 31 * DAY}  # seconds; no period is longer
EARLY = 2 * DAY  # how long before its listing day a paper may be dated
_CHUNK = 500  # papers
_MICRO = 1_000_000  # a revision is in microseconds
_STRETCH = 366 * DAY  # periods to read at a time
_MOST_PAPERS = 5_000  # in memory
_UPVOTES = sa.and_(ledger.c.measure == "upvotes", ledger.c.value <= LARGEST)
_LINKS = HAS | {"image": "thumbnail"}  # the attributes of a paper by the names of its links


class Closing(NamedTuple):
    """A row of `closings`, epoch seconds; `closed_at` may be in the future."""

    kind: str
    start: int
    until: int
    closed_at: int
    entered_at: int
    revision: int


def is_readable(closing: Closing) -> bool:
    """Say whether the row of a closing has times that can be; a damaged file may return anything."""
    if {*map(type, closing[1:])} != {int}:
        return False
    times = (*closing[1:5], closing.revision // _MICRO)
    return (
        all(0 <= time <= LATEST for time in times)
        and closing.start < closing.until <= closing.start + SPAN[closing.kind]
    )


# The keys of papers, each with its upvotes, best first; and the keys, upvotes and times of rises.
Standing = tuple[Sequence[int], Sequence[int]]
Rises = tuple[Sequence[int], Sequence[int], Sequence[int]]
NO_RISES: Rises = (), (), ()


@cache
def select_closings() -> sa.Select[Any]:
    """Return the statement that selects the closings of a `kind`, oldest period first."""
    columns = (closings.c[name] for name in Closing._fields)
    return sa.select(*columns).where(closings.c.kind == sa.bindparam("kind")).order_by(closings.c.start)


@cache
def select_standings() -> sa.Select[Any]:
    """Return the statement that selects the papers of each period of `kind` from `first` to `until`.

    Rows: the start of the period, the paper's key, and its upvotes when the period was closed; the best paper first.
    """
    step, row, period = ledger.c, papers.c, closings.c
    then = sa.select(step.value).where(_UPVOTES, step.paper == row.listed_at, step.reached_at <= period.closed_at)
    votes = sa.func.coalesce(then.order_by(step.value.desc()).limit(1).scalar_subquery(), 0).label("votes")
    columns = (period.start, row.listed_at, votes, row.submitted_at, row.id)
    is_early = period.closed_at - row.listed_at >= 0  # so that no index finds all papers before a closing
    table = papers.join(closings, sa.and_(*_is_within(row, period), is_early))
    return sa.select(*columns).select_from(table).where(row.listing_day < _number("until"))


@cache
def select_open_standing() -> sa.Select[Any]:
    """Return the statement that selects the papers listed from `first` to `until`, with their upvotes now."""
    step, row = ledger.c, papers.c
    now = sa.select(sa.func.max(step.value)).where(_UPVOTES, step.paper == row.listed_at).scalar_subquery()
    columns = (_number("first").label("start"), row.listed_at, sa.func.coalesce(now, 0).label("votes"))
    rows = sa.select(*columns, row.submitted_at, row.id).where(row.listed_at >= _number("low"))
    return rows.where(row.listing_day >= _number("first"), row.listing_day < _number("until"))


@cache
def select_rises() -> sa.Select[Any]:
    """Return the statement that selects what happened after the closing, of periods of `kind` from `first` on.

    Rows: the start of the period, the paper's key, its upvotes, when it reached them, and whether it came only after
    the closing; then it has a row even if it has no upvotes.
    """
    step, row, period = ledger.c, papers.c, closings.c
    rise = sa.and_(_UPVOTES, step.paper == row.listed_at, step.reached_at > period.closed_at)
    table = papers.join(closings, sa.and_(*_is_within(row, period))).outerjoin(ledger, rise)
    is_new = row.listed_at > period.closed_at
    since = sa.func.coalesce(step.reached_at, row.listed_at).label("since")
    votes = sa.func.coalesce(step.value, 0).label("votes")
    rows = sa.select(period.start, row.listed_at, votes, since, is_new.label("is_new")).select_from(table)
    return rows.where(sa.or_(step.value.is_not(None), is_new))


@cache
def select_papers() -> sa.Select[Any]:
    """Return the statement that selects every wording of the papers with these `keys`, each with its paper, by date."""
    columns = (papers.c.listed_at, papers.c.ai_summary_at, wordings.c.since, wordings.c.has)
    table = papers.join(wordings, wordings.c.paper == papers.c.listed_at)
    has_key = papers.c.listed_at.in_(sa.bindparam("keys", expanding=True))
    return sa.select(*PAPER, *columns).select_from(table).where(has_key).order_by(wordings.c.since)


def _number(name: str) -> sa.BindParameter[int]:
    return sa.bindparam(name, type_=sa.BigInteger)


def _is_within(row: Any, period: Any) -> Iterator[sa.ColumnElement[bool]]:
    """Say that a paper was listed in the period; the parameters say which papers and periods to look at."""
    yield row.listed_at >= _number("low")
    yield row.listing_day >= _number("first")
    yield period.kind == sa.bindparam("kind")
    yield period.start <= row.listing_day
    yield period.start > row.listing_day - _number("span")  # so that an index finds the period
    yield period.until > row.listing_day


def _window(kind: str, first: int) -> dict[str, Any]:
    return {"kind": kind, "first": first, "low": first - EARLY, "span": SPAN[kind]}


class Standings:
    """The memory of one archive; threads may share it."""

    def __init__(self) -> None:
        self._closed: tuple[Hashable, dict[Closing, Standing]] = None, {}  # with what tells that history was filled in
        self._current = _Current(0)

    def at(self, db: sa.Connection, state: sa.Row[Any]) -> "View":
        """Return the view of a transaction of `db`, which has read `state`; another thread may read another state."""
        closed, current = self._closed, self._current
        history = state.backdated_at, None if state_of(state).is_backdating_over else state.revision
        if history != closed[0]:
            self._closed = closed = history, {}
        if state.revision != current.revision:
            self._current = current = _Current(state.revision)
        return View(db, closed[1], current)


@dataclass(slots=True)
class _Current:
    """What is valid for one revision of the archive."""

    revision: int
    closings: dict[str, Sequence[Closing]] = field(default_factory=dict)
    rises: dict[str, tuple[int, Mapping[int, Rises]]] = field(default_factory=dict)  # by kind, with the first period
    papers: dict[tuple[int, int, int], Paper | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class View:
    """What one transaction reads, from memory if it is there."""

    db: sa.Connection
    _standings: dict[Closing, Standing]
    _current: _Current

    def closings(self, kind: str) -> Sequence[Closing]:
        """Return the readable closings of this kind, oldest period first."""
        if kind not in self._current.closings:
            closed = (Closing(*row) for row in self.db.execute(select_closings(), {"kind": kind}))
            self._current.closings[kind] = tuple(filter(is_readable, closed))
        return self._current.closings[kind]

    def last_closing(self, kind: str) -> datetime | None:
        """Return the time of the last refresh that closed a period of this kind, which may be long past; aware UTC."""
        revisions = (closing.revision for closing in self.closings(kind))
        return moment_or_none(max(revisions, default=0) // _MICRO or None)

    def standings(self, closed: Sequence[Closing]) -> dict[int, Standing]:
        """Return the standing of each of these periods of one kind, oldest first, by its start."""
        missing = [closing for closing in closed if closing not in self._standings]
        while missing:  # a read that is cut off leaves some in memory
            first = missing[0].start
            some = [one for one in missing if one.start < first + _STRETCH]
            window = _window(some[0].kind, first) | {"until": max(one.until for one in some)}
            by_start = _standings_of(self.db.execute(select_standings(), window))
            self._standings.update({one: by_start.get(one.start, ((), ())) for one in some})
            missing = missing[len(some) :]
        return {closing.start: self._standings[closing] for closing in closed}

    def open_standing(self, start: int, until: int) -> Standing:
        """Return the present standing of a period that is not closed yet."""
        window = {"first": start, "until": until, "low": start - EARLY}
        return _standings_of(self.db.execute(select_open_standing(), window)).get(start, ((), ()))

    def rises(self, kind: str, first: int) -> Mapping[int, Rises]:
        """Return what happened after the closing of each period of `kind`, at least from `first` on, by its start."""
        since, rises = self._current.rises.get(kind, (first + 1, {}))
        if since > first:
            rows = self.db.execute(select_rises(), _window(kind, first))
            by_start: dict[int, list[Sequence[int]]] = defaultdict(list)
            for row in rows:
                by_start[row.start] += [row[1:4], *[(row.listed_at, 0, row.listed_at)] * row.is_new]
            rises = {start: _columns(some) for start, some in by_start.items()}
            self._current.rises[kind] = first, rises
        return rises

    def papers(self, keys: Collection[tuple[int, int, int]]) -> Mapping[tuple[int, int, int], Paper | None]:
        """Return papers as they were: each by its key, a time when a period was closed, and its upvotes then.

        An unreadable one is None.
        """
        memory = self._current.papers
        missing = {key for key in keys if key not in memory}
        if len(memory) + len(missing) > _MOST_PAPERS:
            memory = {key: memory[key] for key in keys if key in memory}
        listed_at = sorted({key[0] for key in missing})
        rows = defaultdict(list)
        for at in range(0, len(listed_at), _CHUNK):
            for row in self.db.execute(select_papers(), {"keys": listed_at[at : at + _CHUNK]}):
                rows[row.listed_at].append(row)
        memory |= {key: _paper_at(rows[key[0]], *key[1:]) for key in missing}
        self._current.papers = memory
        return memory


def _standings_of(rows: Iterable[Any]) -> dict[int, Standing]:
    """Return the standing of each period in rows of its start, the paper, its upvotes, listing time and id."""
    by_start = defaultdict(list)
    for start, paper, votes, submitted_at, name in rows:  # a year has ten thousand
        by_start[start].append((-votes, submitted_at, name, paper))
    return {
        start: _columns([(paper, -votes) for votes, _, _, paper in sorted(places)])
        for start, places in by_start.items()
    }


def _columns(rows: Iterable[Sequence[int]]) -> Any:
    """Return rows of numbers, at least one, as columns, each of which takes eight bytes a number."""
    return tuple(array("q", column) for column in zip(*rows, strict=True))


def _paper_at(rows: Sequence[sa.Row[Any]], closed_at: int, votes: int) -> Paper | None:
    """Return the paper in `rows`, its wordings, as the archive knew it at `closed_at`; None if it is unreadable.

    The addresses of its links have no dates: they are those of now.
    """
    *_, row = None, *(row for row in rows if row.since <= closed_at)
    paper = readable_paper(row) if row else None
    if row is None or paper is None:
        return None
    changes: dict[str, Any] = {_LINKS[name]: None for name in HAS if name not in str(row.has).split()}
    if row.ai_summary_at is None or row.ai_summary_at > closed_at:
        changes["ai_summary"] = None
    changes |= {"comments": votes} if paper.upvotes is None else {"upvotes": votes, "comments": 0}
    changes["github_stars"] = None
    return replace(paper, **changes)
