"""A query in; the SQL for its entries and their dates, and the SQL's parameters, out.

Executes nothing. An entry's date is the latest time of its conditions, or the time when the paper reached `or_upvotes`
if that is earlier. A statement depends only on the names of the conditions, so there are few, and we cache them.

A search for entries from `start` on looks at the papers listed from `low` on, 32 days earlier. An older paper can enter
at `start` or later only by a *late* step or wording: one that came more than 32 days after its listing. Such rows have
indexes of their own, and the search looks up their papers by key.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.functions import FunctionElement, GenericFunction

from feedproxy.archive.schema import LATE, PAPER, WORDED, is_late, ledger, papers, search, state, wordings
from feedproxy.model import COUNTS
from feedproxy.query.parameters import MEASURES, Query

DAY = 86_400
NEVER = 2**62  # seconds
MOST_LATE = 200  # papers in one search by key
_CONDITIONS = ("q", "min_upvotes", "min_comments", "or_upvotes")
_FEW = 14, 140  # days, which hold the newest fifty entries of a common word, and of a less common one
LISTING_WINDOW = 90  # days, in which we look for the last listing days
_low, _start = sa.bindparam("low", type_=sa.BigInteger), sa.bindparam("start", type_=sa.BigInteger)
_late = sa.bindparam("late", type_=sa.BigInteger, expanding=True)
_q = sa.bindparam("q", type_=sa.Text)
# The columns of a `Paper` with JSON as text: `rows` need not decode it for papers that it remembers.
_STORED_PAPER = [sa.cast(column, sa.Text) if isinstance(column.type, sa.JSON) else column for column in PAPER]


class Greatest(GenericFunction[int]):
    """The greatest of two or more times, none of them NULL."""

    name = "greatest"
    type = sa.BigInteger()
    inherit_cache = True


class Matches(FunctionElement[Any]):
    """SQL predicate: this row of the search index matches the compiled filter in a parameter."""

    inherit_cache = True


# Parameters ---------------------------------------------------------------------------------------


def parameters(query: Query) -> dict[str, Any]:
    """Return the parameters of a statement but for its window; `Database.bind` compiles the filter in `q`."""
    page = {"limit": query.limit + 1, "offset": (query.page - 1) * query.limit}
    return {name: getattr(query, name) for name in conditions(query)} | page


def windows(query: Query, newest: int | None) -> list[dict[str, Any]]:
    """Return the windows to search: a few days first, then ten times as many, then all days of `query`.

    If a window fills a page, that is complete. `newest` is the newest date in the archive (seconds), if any.
    """
    if newest is None:
        return []
    midnight = newest - newest % DAY
    return [
        window_from(midnight - (days - 1) * DAY)
        for days in sorted({min(few, query.days) for few in _FEW} | {query.days})
    ]


def window_from(start: int) -> dict[str, Any]:
    """Return the parameters of a window for all entries from `start` on."""
    return {"start": start, "low": start - LATE}


def conditions(query: Query) -> tuple[str, ...]:
    """Return the names of the conditions of a query, which decide its statements."""
    return tuple(name for name in _CONDITIONS if getattr(query, name))


# Statements ---------------------------------------------------------------------------------------


def select_crossings(query: Query, numbers: Sequence[int], *, late: bool) -> tuple[sa.Select[Any], dict[str, int]]:
    """Return the statement that selects the times of papers for each of `numbers` of upvotes, and its parameters.

    For each paper: the time of all other conditions, of `or_upvotes`, and of each number; NULL for never. Leaves out
    papers whose times are all before `start`.
    """
    others = tuple(name for name in conditions(query) if name != "min_upvotes")
    thresholds = {f"number{at}": number for at, number in enumerate((query.or_upvotes, *numbers))}
    return _crossings(others, tuple(thresholds), late), thresholds


def entry_dates(query: Query, numbers: Sequence[int], row: Sequence[int | None]) -> list[int]:
    """Return the entry's date in such a row for each of `numbers` of upvotes, or NEVER, also for damaged values."""
    since, or_at, *times = (at if isinstance(at, int) else NEVER for at in row)
    either = or_at if query.or_upvotes else NEVER
    return [min(max(since, at if number else 0), either) for number, at in zip(numbers, times, strict=True)]


@cache
def select_late() -> sa.Select[Any]:
    """Return the statement that selects the state with the key of each `late` paper of the last `days`, or NULL.

    At most `MOST_LATE` + 1 rows.
    """
    start = sa.select(state.c.newest - sa.bindparam("days", type_=sa.BigInteger) * DAY).scalar_subquery()
    late = late_papers(start).limit(MOST_LATE + 1).subquery()
    return sa.select(state, late.c.paper.label("late")).select_from(state.outerjoin(late, sa.true()))


@cache
def select_oldest_late() -> sa.Select[Any]:
    """Return the statement that selects the oldest paper before `low` that is late since `start`."""
    papers = late_papers(_start).subquery().c
    return sa.select(sa.func.min(papers.paper)).where(papers.paper < _low)


def late_papers(start: sa.ColumnElement[int]) -> sa.CompoundSelect[Any]:
    """Select papers with a late step or wording since `start`."""
    dates = (ledger.c.reached_at, ledger.c.paper), (wordings.c.since, wordings.c.paper)
    return sa.union(
        *(sa.select(paper.label("paper")).where(is_late(date, paper), date >= start) for date, paper in dates)
    )


@cache
def select_listing_days() -> sa.Select[Any]:
    """Return the statement that selects the last `number` days, since the epoch, with papers listed before `newest`."""
    row = papers.c
    earlier = sa.case((row.submitted_at > row.listed_at, row.listed_at), else_=row.submitted_at)
    day = (earlier // DAY).label("day")
    start = sa.bindparam("newest", type_=sa.BigInteger) - LISTING_WINDOW * DAY
    days = sa.select(day).where(row.listed_at > start, earlier > start)  # a paper may come long after its day
    return days.distinct().order_by(day.desc()).limit(sa.bindparam("number"))


@cache
def select_steps() -> sa.Select[Any]:
    """Return the statement that selects each of `ids` with its listing date and every step since."""
    row, step = papers.c, ledger.c
    measures = step.measure.in_(COUNTS)  # which the ledger's key begins with
    with_steps = papers.outerjoin(ledger, sa.and_(measures, step.paper == row.listed_at))
    columns = sa.select(row.id, row.listed_at, step.measure, step.value, step.reached_at).select_from(with_steps)
    return columns.where(row.id.in_(sa.bindparam("ids", expanding=True))).order_by(step.value, step.measure)


@cache
def select_page(conditions: tuple[str, ...], *, late: bool) -> sa.Select[Any]:
    """Return the statement that selects a page of papers, and one more, each with its entry's date."""
    entries = _entries(conditions, late).subquery()
    newest_first = sa.select(entries).order_by(entries.c.entered_at.desc())
    page = newest_first.limit(sa.bindparam("limit")).offset(sa.bindparam("offset")).subquery()
    dates = papers.c.revised_at, page.c.entered_at
    columns = sa.select(*_STORED_PAPER, *dates, _upvotes_at(page.c.entered_at, page.c.paper))
    rows = columns.select_from(WORDED.join(page, papers.c.listed_at == page.c.paper))
    return rows.order_by(page.c.entered_at.desc())


def _upvotes_at(date: sa.ColumnElement[int], paper: sa.ColumnElement[int]) -> sa.Label[int]:
    """Select the most upvotes that a paper had reached at `date`, NULL for none."""
    step = ledger.c
    then = step.measure == "upvotes", step.paper == paper, step.reached_at <= date
    return sa.select(sa.func.max(step.value)).where(*then).scalar_subquery().label("upvotes_at_entry")


@cache
def select_count(conditions: tuple[str, ...], *, late: bool) -> sa.Select[Any]:
    """Return the statement that counts the entries on all pages."""
    return sa.select(sa.func.count()).select_from(_entries(conditions, late).subquery())


@cache
def _crossings(conditions: tuple[str, ...], numbers: tuple[str, ...], late: bool) -> sa.Select[Any]:
    member, step = members(conditions, late=late, alternative_dates=False), ledger.c
    times = [sa.func.min(sa.case((step.value >= sa.bindparam(name), step.reached_at))) for name in numbers]
    last = Greatest(sa.func.coalesce(member.c.since, 0), sa.func.coalesce(sa.func.max(step.reached_at), 0))
    is_vote = sa.and_(step.measure == MEASURES["min_upvotes"], step.paper == member.c.paper)
    columns = sa.select(member.c.since, *times).select_from(member.outerjoin(ledger, is_vote))
    return columns.group_by(member.c.paper, member.c.since).having(last >= _start)


def _entries(conditions: tuple[str, ...], late: bool) -> sa.Select[Any]:
    """Select `paper` (its `listed_at`) and `entered_at` of everything in the window."""
    member = members(conditions, late=late)
    return sa.select(member.c.paper, member.c.since.label("entered_at")).where(member.c.since >= _start)


def members(conditions: tuple[str, ...], *, late: bool, alternative_dates: bool = True) -> sa.Subquery:
    """Select the papers that meet all conditions, or had `or_upvotes` (without `alternative_dates` dated NULL)."""
    parts: list[sa.Select[Any]] = []
    for among in (_Papers(), _LatePapers())[: 1 + late]:
        part = _meet_all(among, [name for name in conditions if name != "or_upvotes"])
        if "or_upvotes" in conditions:
            other = among.since_count("or_upvotes").c
            alternative = sa.select(other.paper, other.since if alternative_dates else sa.null())
            either = sa.union_all(sa.select(part.subquery()), alternative).subquery().c
            part = sa.select(either.paper, sa.func.min(either.since).label("since")).group_by(either.paper)
        parts.append(part)
    return (sa.union_all(*parts) if late else parts[0]).subquery()


def _meet_all(among: "_Papers", conditions: list[str]) -> sa.Select[Any]:
    """Select the papers that meet all conditions, and since when; the first condition drives the search."""
    if not conditions:
        return sa.select(among.since_listing())
    first, *others = conditions
    base: Any = among.since_match() if first == "q" else among.since_count(first)
    steps = [ledger.alias(name) for name in others]
    rows = base
    for name, step in zip(others, steps, strict=True):
        rows = rows.join(step, among.has(name, step, base.c.paper))
    times = [sa.func.min(base.c.since), *(sa.func.min(step.c.reached_at) for step in steps)]
    latest = Greatest(*times) if others else times[0]
    return sa.select(base.c.paper, latest.label("since")).select_from(rows).group_by(base.c.paper)


class _Papers:
    """The papers listed from `low` on."""

    def holds(self, paper: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        return paper >= _low

    def since_listing(self) -> sa.Subquery:
        key = papers.c.listed_at
        return sa.select(key.label("paper"), key.label("since")).where(self.holds(key)).subquery()

    def since_count(self, name: str) -> sa.Subquery:
        """Select the papers that reached the threshold `name`, and the time of the first such step."""
        steps = ledger.c
        return (
            sa.select(steps.paper, sa.func.min(steps.reached_at).label("since"))
            .where(steps.measure == MEASURES[name], self.holds(steps.paper), steps.value >= sa.bindparam(name))
            .group_by(steps.paper)
            .subquery()
        )

    def has(self, name: str, step: sa.FromClause, paper: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        """Say that `paper` had reached the threshold `name` with `step`."""
        enough = (step.c.measure == MEASURES[name], self.holds(step.c.paper), step.c.value >= sa.bindparam(name))
        return sa.and_(step.c.paper == paper, *enough)

    def since_match(self) -> sa.CTE:
        """Select the wordings that match, each with its paper and its date.

        PostgreSQL chooses whether to begin with the words or with the votes; SQLite has no statistics for that.
        """
        return (
            sa.select(wordings.c.paper, wordings.c.since)
            .join_from(search, wordings, wordings.c.since == search.c.rowid)
            .where(Matches(_q), search.c.rowid >= _low, self.holds(wordings.c.paper))
            .cte("matched")
            .prefix_with("MATERIALIZED", dialect="sqlite")
        )


class _LatePapers(_Papers):
    """The papers with the keys `late`."""

    def holds(self, paper: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        return paper.in_(_late)

    def since_match(self) -> sa.CTE:
        """Select the same, but look up each wording in the index."""
        match = sa.exists().where(Matches(_q), search.c.rowid == wordings.c.since).correlate(wordings)
        selected = sa.select(wordings.c.paper, wordings.c.since).where(self.holds(wordings.c.paper), match)
        return selected.cte("late_matched").prefix_with("MATERIALIZED", dialect="sqlite")
