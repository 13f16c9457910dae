"""A query in; the SQL that finds its entries and their dates, and what fills its parameters, out.

Executes nothing. An entry's date is the latest of its conditions' times; with `or_upvotes` it is the
earlier of that and when the paper reached those. A statement depends on which conditions a query
has, not on what they are, so each of the few there are is put together once.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.functions import FunctionElement, GenericFunction

from feedproxy.archive.schema import PAPER, WORDED, ledger, papers, search, wordings
from feedproxy.query.parameters import MEASURES, Query

DAY = 86_400
NEVER = 2**62  # seconds
_CONDITIONS = ("q", "min_upvotes", "min_comments", "or_upvotes")
_NARROW = 14  # days, which hold the newest fifty entries of a common word
_LISTING_WINDOW = 90 * DAY  # in which the last listing days are looked for
_low, _start = sa.bindparam("low", type_=sa.BigInteger), sa.bindparam("start", type_=sa.BigInteger)


class Greatest(GenericFunction[int]):
    """The greatest of two or more times, none of them NULL."""

    name = "greatest"
    type = sa.BigInteger()
    inherit_cache = True


class Matches(FunctionElement[Any]):
    """SQL predicate: this row of the search index matches the compiled filter in a parameter."""

    inherit_cache = True


def select_page(query: Query) -> sa.Select[Any]:
    """Return the statement that selects a page of papers, and one more if there is one, each with its entry's date."""
    return _page(_conditions(query))


def select_count(query: Query) -> sa.Select[Any]:
    """Return the statement that counts the entries on all pages."""
    return _number(_conditions(query))


def select_crossings(query: Query, numbers: Sequence[int]) -> tuple[sa.Select[Any], dict[str, int]]:
    """Return the statement that selects what dates papers at each of `numbers` of upvotes, and its own parameters.

    Of each paper: since when everything else is met, when it had `or_upvotes`, and when each number; NULL for never.
    So one search tells all of them. Papers of which none of that is later than `start` are left out.
    """
    others = tuple(name for name in _conditions(query) if name != "min_upvotes")
    asked = {f"number{at}": number for at, number in enumerate((query.or_upvotes, *numbers))}
    return _crossings(others, tuple(asked)), asked


def entry_dates(query: Query, numbers: Sequence[int], row: Sequence[int | None]) -> list[int]:
    """Return when the paper of such a row entered the feed at each of `numbers` of upvotes, or NEVER.

    What is no number in a damaged archive was never, as what is NULL.
    """
    since, had_or, *had = (at if isinstance(at, int) else NEVER for at in row)
    either = had_or if query.or_upvotes else NEVER
    return [min(max(since, at if number else 0), either) for number, at in zip(numbers, had, strict=True)]


def windows(query: Query, newest: int, lag: int) -> Iterator[dict[str, Any]]:
    """Yield the parameters of its statements, for a few days and then for all that `query` spans.

    A page that the few days fill is right: who enters later than `start` was listed later than `low`,
    as `lag` is how long after its listing a paper may still meet a condition. `newest` is the newest
    date in the archive; both in seconds.
    """
    page = {"limit": query.limit + 1, "offset": (query.page - 1) * query.limit}
    for days in sorted({min(_NARROW, query.days), query.days}):
        start = newest - newest % DAY - (days - 1) * DAY
        yield spanning(query, start, lag) | page


def spanning(query: Query, start: int, lag: int) -> dict[str, Any]:
    """Return the parameters of its statements for all that entered from `start` on, whatever its `days`.

    The filter in `q` is yet to be compiled (`Database.bind`).
    """
    return {name: getattr(query, name) for name in _conditions(query)} | {"start": start, "low": start - lag}


def _conditions(query: Query) -> tuple[str, ...]:
    return tuple(name for name in _CONDITIONS if getattr(query, name))


@cache
def _page(conditions: tuple[str, ...]) -> sa.Select[Any]:
    found = _entries(conditions).order_by(sa.desc("entered_at"))
    chosen = found.limit(sa.bindparam("limit")).offset(sa.bindparam("offset")).subquery()
    columns = sa.select(*PAPER, papers.c.revised_at, chosen.c.entered_at)
    joined = columns.select_from(WORDED.join(chosen, papers.c.listed_at == chosen.c.paper))
    return joined.order_by(chosen.c.entered_at.desc())


@cache
def _number(conditions: tuple[str, ...]) -> sa.Select[Any]:
    return sa.select(sa.func.count()).select_from(_entries(conditions).subquery())


@cache
def _crossings(conditions: tuple[str, ...], numbers: tuple[str, ...]) -> sa.Select[Any]:
    found, step = _others_met(conditions), ledger.c
    had = [sa.func.min(sa.case((step.value >= sa.bindparam(name), step.reached_at))) for name in numbers]
    last = Greatest(sa.func.coalesce(found.c.since, 0), sa.func.coalesce(sa.func.max(step.reached_at), 0))
    voted = sa.and_(step.measure == MEASURES["min_upvotes"], step.paper == found.c.paper)
    columns = sa.select(found.c.since, *had).select_from(found.outerjoin(ledger, voted))
    return columns.group_by(found.c.paper, found.c.since).having(last >= _start)


def _others_met(conditions: tuple[str, ...]) -> sa.Subquery:
    """Select the papers that meet all but `or_upvotes`, and since when; with it those that had so many too, NULL."""
    met = sa.select(_all_met([name for name in conditions if name != "or_upvotes"]).subquery())
    if "or_upvotes" not in conditions:
        return met.subquery()
    either = sa.union_all(met, sa.select(_reached("or_upvotes").c.paper, sa.null())).subquery()
    return sa.select(either.c.paper, sa.func.min(either.c.since).label("since")).group_by(either.c.paper).subquery()


@cache
def listed_days() -> sa.Select[Any]:
    """Return the statement that selects the last `number` days, since the epoch, with papers listed before `newest`."""
    row = papers.c
    listed = sa.case((row.submitted_at > row.listed_at, row.listed_at), else_=row.submitted_at)
    day = (listed // DAY).label("day")
    start = sa.bindparam("newest", type_=sa.BigInteger) - _LISTING_WINDOW
    held = sa.select(day).where(row.listed_at > start, listed > start)  # a paper may come long after its day
    return held.distinct().order_by(day.desc()).limit(sa.bindparam("number"))


@cache
def select_steps() -> sa.Select[Any]:
    """Return the statement that selects `ids` with the date each was listed by, and every step it took since."""
    row, step = papers.c, ledger.c
    measures = step.measure.in_(sorted(set(MEASURES.values())))  # which the ledger's key begins with
    joined = papers.outerjoin(ledger, sa.and_(measures, step.paper == row.listed_at))
    columns = sa.select(row.id, row.listed_at, step.measure, step.value, step.reached_at).select_from(joined)
    return columns.where(row.id.in_(sa.bindparam("ids", expanding=True))).order_by(step.value, step.measure)


def _entries(conditions: tuple[str, ...]) -> sa.Select[Any]:
    """Select `paper` (its `listed_at`) and `entered_at` of everything in the window."""
    found = _all_met([name for name in conditions if name != "or_upvotes"]).subquery()
    if "or_upvotes" in conditions:
        either = sa.union_all(sa.select(found), sa.select(_reached("or_upvotes"))).subquery()
        earliest = sa.func.min(either.c.since).label("since")
        found = sa.select(either.c.paper, earliest).group_by(either.c.paper).subquery()
    return sa.select(found.c.paper, found.c.since.label("entered_at")).where(found.c.since >= _start)


def _all_met(conditions: list[str]) -> sa.Select[Any]:
    """Select the papers that meet all conditions, and since when; the first finds them, the others look each up."""
    if not conditions:
        return sa.select(_listed())
    first, *others = conditions
    found: Any = _matched() if first == "q" else _reached(first)
    steps = [ledger.alias(name) for name in others]
    joined = found
    for name, step in zip(others, steps, strict=True):
        joined = joined.join(step, _has(name, step, found.c.paper))
    times = [sa.func.min(found.c.since), *(sa.func.min(step.c.reached_at) for step in steps)]
    latest = Greatest(*times) if others else times[0]
    return sa.select(found.c.paper, latest.label("since")).select_from(joined).group_by(found.c.paper)


def _listed() -> sa.Subquery:
    key = papers.c.listed_at
    return sa.select(key.label("paper"), key.label("since")).where(key >= _low).subquery()


def _reached(name: str) -> sa.Subquery:
    """Select the papers that had so many of a measure, and when they first did: steps only rise."""
    steps = ledger.c
    return (
        sa.select(steps.paper, sa.func.min(steps.reached_at).label("since"))
        .where(steps.measure == MEASURES[name], steps.paper >= _low, steps.value >= sa.bindparam(name))
        .group_by(steps.paper)
        .subquery()
    )


def _has(name: str, step: sa.FromClause, paper: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """Say that `step` is one by which `paper` had so many of a measure, or more: the first of them is when it did."""
    enough = (step.c.measure == MEASURES[name], step.c.paper >= _low, step.c.value >= sa.bindparam(name))
    return sa.and_(step.c.paper == paper, *enough)


def _matched() -> sa.CTE:
    """Select the wordings that match, each with its paper and since when it has it.

    PostgreSQL chooses whether to begin with the words or with the votes; SQLite knows too little of either.
    """
    return (
        sa.select(wordings.c.paper, wordings.c.since)
        .join_from(search, wordings, wordings.c.since == search.c.rowid)
        .where(Matches(sa.bindparam("q", type_=sa.Text)), search.c.rowid >= _low, wordings.c.paper >= _low)
        .cte("matched")
        .prefix_with("MATERIALIZED", dialect="sqlite")
    )
