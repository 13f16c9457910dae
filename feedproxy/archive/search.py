"""A query in; the SQL that finds its entries and their dates, and what fills its parameters, out.

Executes nothing. An entry's date is the latest of its conditions' times; with `or_upvotes` it is the
earlier of that and when the paper reached those. A statement depends on which conditions a query
has, not on what they are, so each of the few there are is put together once.

A search wants the entries from `start` on, and looks at the papers listed from `low` on, which is 32 days before that.
A paper listed earlier can enter at `start` or later only by a *late* step or wording: one that came more than 32 days
after its listing. Such rows have indexes of their own; their papers are searched by their keys beside the others.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.functions import FunctionElement, GenericFunction

from feedproxy.archive.schema import LATE, PAPER, WORDED, is_late, ledger, papers, search, state, wordings
from feedproxy.query.parameters import MEASURES, Query

DAY = 86_400
NEVER = 2**62  # seconds
MOST_LATE = 200  # papers that are searched by their keys
_CONDITIONS = ("q", "min_upvotes", "min_comments", "or_upvotes")
_NARROW = 14  # days, which hold the newest fifty entries of a common word
LISTING_WINDOW = 90  # days, in which the last listing days are looked for
_low, _start = sa.bindparam("low", type_=sa.BigInteger), sa.bindparam("start", type_=sa.BigInteger)
_late = sa.bindparam("late", type_=sa.BigInteger, expanding=True)
_q = sa.bindparam("q", type_=sa.Text)


class Greatest(GenericFunction[int]):
    """The greatest of two or more times, none of them NULL."""

    name = "greatest"
    type = sa.BigInteger()
    inherit_cache = True


class Matches(FunctionElement[Any]):
    """SQL predicate: this row of the search index matches the compiled filter in a parameter."""

    inherit_cache = True


# What a search is asked with ----------------------------------------------------------------------


def parameters(query: Query) -> dict[str, Any]:
    """Return the parameters of a statement but for its window; `Database.bind` compiles the filter in `q`."""
    page = {"limit": query.limit + 1, "offset": (query.page - 1) * query.limit}
    return {name: getattr(query, name) for name in _conditions(query)} | page


def windows(query: Query, newest: int | None) -> list[dict[str, Any]]:
    """Return the windows in which to search: a few days, and then all that `query` spans.

    A page that the few days fill is right. `newest` is the newest date in the archive (seconds), if it has any.
    """
    if newest is None:
        return []
    midnight = newest - newest % DAY
    return [window_from(midnight - (days - 1) * DAY) for days in sorted({min(_NARROW, query.days), query.days})]


def window_from(start: int) -> dict[str, Any]:
    """Return the parameters of a window for all that entered from `start` on."""
    return {"start": start, "low": start - LATE}


def _conditions(query: Query) -> tuple[str, ...]:
    return tuple(name for name in _CONDITIONS if getattr(query, name))


# Statements ---------------------------------------------------------------------------------------


def select_page(query: Query, *, late: bool) -> sa.Select[Any]:
    """Return the statement that selects a page of papers, and one more if there is one, each with its entry's date."""
    return _page(_conditions(query), late)


def select_count(query: Query, *, late: bool) -> sa.Select[Any]:
    """Return the statement that counts the entries on all pages."""
    return _number(_conditions(query), late)


def select_crossings(query: Query, numbers: Sequence[int], *, late: bool) -> tuple[sa.Select[Any], dict[str, int]]:
    """Return the statement that selects what dates papers at each of `numbers` of upvotes, and its own parameters.

    Of each paper: since when everything else is met, when it had `or_upvotes`, and when each number; NULL for never.
    So one search tells all of them. Papers of which none of that is later than `start` are left out.
    """
    others = tuple(name for name in _conditions(query) if name != "min_upvotes")
    thresholds = {f"number{at}": number for at, number in enumerate((query.or_upvotes, *numbers))}
    return _crossings(others, tuple(thresholds), late), thresholds


def entry_dates(query: Query, numbers: Sequence[int], row: Sequence[int | None]) -> list[int]:
    """Return when the paper of such a row entered the feed at each of `numbers` of upvotes, or NEVER.

    What is no number in a damaged archive was never, as what is NULL.
    """
    since, had_or, *had = (at if isinstance(at, int) else NEVER for at in row)
    either = had_or if query.or_upvotes else NEVER
    return [min(max(since, at if number else 0), either) for number, at in zip(numbers, had, strict=True)]


@cache
def select_late() -> sa.Select[Any]:
    """Return the statement that selects the state, a row for each paper that is `late` in the last `days`, or NULL.

    At most one row more than there are papers that are searched by their keys.
    """
    start = sa.select(state.c.newest - sa.bindparam("days", type_=sa.BigInteger) * DAY).scalar_subquery()
    late = late_papers(start).limit(MOST_LATE + 1).subquery()
    return sa.select(state, late.c.paper.label("late")).select_from(state.outerjoin(late, sa.true()))


@cache
def select_oldest_late() -> sa.Select[Any]:
    """Return the statement that selects the oldest paper listed before `low` that is late since `start`."""
    papers = late_papers(_start).subquery().c
    return sa.select(sa.func.min(papers.paper)).where(papers.paper < _low)


def late_papers(start: sa.ColumnElement[int]) -> sa.CompoundSelect[Any]:
    """Select the papers with a late step or wording since `start`."""
    dates = (ledger.c.reached_at, ledger.c.paper), (wordings.c.since, wordings.c.paper)
    return sa.union(
        *(sa.select(paper.label("paper")).where(is_late(date, paper), date >= start) for date, paper in dates)
    )


@cache
def listed_days() -> sa.Select[Any]:
    """Return the statement that selects the last `number` days, since the epoch, with papers listed before `newest`."""
    row = papers.c
    listed = sa.case((row.submitted_at > row.listed_at, row.listed_at), else_=row.submitted_at)
    day = (listed // DAY).label("day")
    start = sa.bindparam("newest", type_=sa.BigInteger) - LISTING_WINDOW * DAY
    days = sa.select(day).where(row.listed_at > start, listed > start)  # a paper may come long after its day
    return days.distinct().order_by(day.desc()).limit(sa.bindparam("number"))


@cache
def select_steps() -> sa.Select[Any]:
    """Return the statement that selects `ids` with the date each was listed by, and every step it took since."""
    row, step = papers.c, ledger.c
    measures = step.measure.in_(sorted(set(MEASURES.values())))  # which the ledger's key begins with
    joined = papers.outerjoin(ledger, sa.and_(measures, step.paper == row.listed_at))
    columns = sa.select(row.id, row.listed_at, step.measure, step.value, step.reached_at).select_from(joined)
    return columns.where(row.id.in_(sa.bindparam("ids", expanding=True))).order_by(step.value, step.measure)


@cache
def _page(conditions: tuple[str, ...], late: bool) -> sa.Select[Any]:
    entries = _entries(conditions, late).subquery()
    newest_first = sa.select(entries).order_by(entries.c.entered_at.desc())
    page = newest_first.limit(sa.bindparam("limit")).offset(sa.bindparam("offset")).subquery()
    columns = sa.select(*PAPER, papers.c.revised_at, page.c.entered_at)
    joined = columns.select_from(WORDED.join(page, papers.c.listed_at == page.c.paper))
    return joined.order_by(page.c.entered_at.desc())


@cache
def _number(conditions: tuple[str, ...], late: bool) -> sa.Select[Any]:
    return sa.select(sa.func.count()).select_from(_entries(conditions, late).subquery())


@cache
def _crossings(conditions: tuple[str, ...], numbers: tuple[str, ...], late: bool) -> sa.Select[Any]:
    met, step = _met(conditions, late, alternative_dates=False), ledger.c
    had = [sa.func.min(sa.case((step.value >= sa.bindparam(name), step.reached_at))) for name in numbers]
    last = Greatest(sa.func.coalesce(met.c.since, 0), sa.func.coalesce(sa.func.max(step.reached_at), 0))
    voted = sa.and_(step.measure == MEASURES["min_upvotes"], step.paper == met.c.paper)
    columns = sa.select(met.c.since, *had).select_from(met.outerjoin(ledger, voted))
    return columns.group_by(met.c.paper, met.c.since).having(last >= _start)


def _entries(conditions: tuple[str, ...], late: bool) -> sa.Select[Any]:
    """Select `paper` (its `listed_at`) and `entered_at` of everything in the window."""
    met = _met(conditions, late)
    return sa.select(met.c.paper, met.c.since.label("entered_at")).where(met.c.since >= _start)


def _met(conditions: tuple[str, ...], late: bool, *, alternative_dates: bool = True) -> sa.Subquery:
    """Select the papers that meet all conditions, or had `or_upvotes`, and since when, or NULL for the latter."""
    parts: list[sa.Select[Any]] = []
    for among in (_Papers(), _LatePapers())[: 1 + late]:
        part = _all_met(among, [name for name in conditions if name != "or_upvotes"])
        if "or_upvotes" in conditions:
            other = among.reached("or_upvotes").c
            alternative = sa.select(other.paper, other.since if alternative_dates else sa.null())
            either = sa.union_all(sa.select(part.subquery()), alternative).subquery().c
            part = sa.select(either.paper, sa.func.min(either.since).label("since")).group_by(either.paper)
        parts.append(part)
    return (sa.union_all(*parts) if late else parts[0]).subquery()


def _all_met(among: "_Papers", conditions: list[str]) -> sa.Select[Any]:
    """Select the papers that meet all conditions, and since when; the first finds them, the others look each up."""
    if not conditions:
        return sa.select(among.listed())
    first, *others = conditions
    base: Any = among.matched() if first == "q" else among.reached(first)
    steps = [ledger.alias(name) for name in others]
    joined = base
    for name, step in zip(others, steps, strict=True):
        joined = joined.join(step, among.has(name, step, base.c.paper))
    times = [sa.func.min(base.c.since), *(sa.func.min(step.c.reached_at) for step in steps)]
    latest = Greatest(*times) if others else times[0]
    return sa.select(base.c.paper, latest.label("since")).select_from(joined).group_by(base.c.paper)


class _Papers:
    """The papers listed from `low` on."""

    def holds(self, paper: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        return paper >= _low

    def listed(self) -> sa.Subquery:
        key = papers.c.listed_at
        return sa.select(key.label("paper"), key.label("since")).where(self.holds(key)).subquery()

    def reached(self, name: str) -> sa.Subquery:
        """Select the papers that had so many of a measure, and when they first did: steps only rise."""
        steps = ledger.c
        return (
            sa.select(steps.paper, sa.func.min(steps.reached_at).label("since"))
            .where(steps.measure == MEASURES[name], self.holds(steps.paper), steps.value >= sa.bindparam(name))
            .group_by(steps.paper)
            .subquery()
        )

    def has(self, name: str, step: sa.FromClause, paper: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        """Say that `step` is one by which `paper` had so many of a measure, or more; the first of them is when."""
        enough = (step.c.measure == MEASURES[name], self.holds(step.c.paper), step.c.value >= sa.bindparam(name))
        return sa.and_(step.c.paper == paper, *enough)

    def matched(self) -> sa.CTE:
        """Select the wordings that match, each with its paper and since when it has it.

        PostgreSQL chooses whether to begin with the words or with the votes; SQLite knows too little of either.
        """
        return (
            sa.select(wordings.c.paper, wordings.c.since)
            .join_from(search, wordings, wordings.c.since == search.c.rowid)
            .where(Matches(_q), search.c.rowid >= _low, self.holds(wordings.c.paper))
            .cte("matched")
            .prefix_with("MATERIALIZED", dialect="sqlite")
        )


class _LatePapers(_Papers):
    """The papers of the keys `late`."""

    def holds(self, paper: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        return paper.in_(_late)

    def matched(self) -> sa.CTE:
        """Select the same, looking each wording up in the index."""
        match = sa.exists().where(Matches(_q), search.c.rowid == wordings.c.since).correlate(wordings)
        selected = sa.select(wordings.c.paper, wordings.c.since).where(self.holds(wordings.c.paper), match)
        return selected.cte("late_matched").prefix_with("MATERIALIZED", dialect="sqlite")
