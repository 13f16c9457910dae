"""A query in; the SQL for the papers of its digests, and what each digest holds, out. Executes nothing.

A paper may be in the digest of its period if it had met the query's conditions when the period was closed: if its date
in the plain feed with these conditions is not later. It ranks by the upvotes that it had then.

Who rose late is in the next digest: a paper that was not in the last one, and now has at least as many upvotes as that
one's last paper had then. Listings are read again for 30 days, so hardly anything rises later than that.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from heapq import nsmallest
from typing import Any, NamedTuple

import sqlalchemy as sa

from feedproxy.archive.rows import LARGEST, moment, readable_paper, seconds
from feedproxy.archive.schema import PAPER, closings, ledger, papers, wordings
from feedproxy.archive.search import DAY, NEVER, conditions, members, parameters
from feedproxy.model import HAS, Digest, Paper
from feedproxy.periods import Period, midnight
from feedproxy.query.parameters import Query

MOST_LATE = 5  # papers in the second part of a digest
MAX_GAP = 31 * 86_400  # seconds between a period and that of the digest before it
SPAN = {"day": 86_400, "week": 7 * 86_400, "month": 31 * 86_400}  # seconds; no period is longer
_UPVOTES = sa.and_(ledger.c.measure == "upvotes", ledger.c.value <= LARGEST)
_CHUNK = 500  # papers
_EARLY = 2 * DAY  # how long before its listing day a paper may be dated
_LINKS = HAS | {"image": "thumbnail"}  # the attributes of a paper by the names of its links


Columns = Any  # the columns of a table by their names
Bind = Callable[[Mapping[str, Any]], dict[str, Any]]


class Closing(NamedTuple):
    """A row of `closings`, without its kind; epoch seconds."""

    start: int
    until: int
    closed_at: int
    entered_at: int
    revision: int


@dataclass(frozen=True, slots=True)
class Contents:
    """The closing of a period, and its best candidates; `rivals` may have risen late: with at least `least` upvotes."""

    closing: Closing
    best: Sequence[sa.Row[Any]]
    rivals: Sequence[sa.Row[Any]] = ()
    least: int = 0


# Statements ---------------------------------------------------------------------------------------


@cache
def select_closings() -> sa.Select[Any]:
    """Return the statement that selects the closings of a `kind`, oldest period first."""
    columns = (closings.c[name] for name in Closing._fields)
    return sa.select(*columns).where(closings.c.kind == sa.bindparam("kind")).order_by(closings.c.start)


@cache
def select_candidates(conditions: tuple[str, ...], *, is_open: bool = False) -> sa.Select[Any]:
    """Return the statement that selects the papers that meet the conditions and may be in a digest of `top` papers.

    Looks at the periods of `kind` from `first` on. Rows: the start of the period, the paper's key, since when it meets
    the conditions, its upvotes when the period was closed (NULL if it did not meet them by then), its upvotes now, its
    listing time and id. Leaves out papers that even now have fewer upvotes than the last in their period's digest. With
    `is_open` there is one period, from `first` to `until`, not closed yet.
    """
    one = _met(conditions, _open_period() if is_open else closings.c, papers.c).cte("met")
    one = one.prefix_with("MATERIALIZED", dialect="sqlite")
    place = sa.func.rank().over(partition_by=one.c.start, order_by=one.c.votes.desc()).label("place")
    placed = sa.select(one.c.start, one.c.votes, place).where(one.c.votes.is_not(None)).subquery().c
    is_in = placed.place <= sa.bindparam("top", type_=sa.Integer)
    last = sa.select(placed.start, sa.func.min(placed.votes).label("votes")).where(is_in).group_by(placed.start)
    least = last.subquery().c
    table = one.outerjoin(least.start.table, least.start == one.c.start)
    table = table.join(papers, papers.c.listed_at == one.c.paper)
    rows = sa.select(one, papers.c.submitted_at, papers.c.id).select_from(table)
    return rows.where(one.c.top >= sa.func.coalesce(least.votes, 0))


def _met(conditions: tuple[str, ...], period: Columns, row: Columns) -> sa.Select[Any]:
    """Select the papers that meet the conditions, each in its `period`, with its upvotes at the closing and now."""
    member, step = members(conditions, late=False).c, ledger.c
    mine = sa.select(step.value).where(_UPVOTES, step.paper == member.paper).order_by(step.value.desc()).limit(1)
    then, now = mine.where(step.reached_at <= period.closed_at).scalar_subquery(), mine.scalar_subquery()
    votes = sa.case((member.since <= period.closed_at, sa.func.coalesce(then, 0))).label("votes")
    within = sa.and_(
        row.listing_day >= sa.bindparam("first", type_=sa.BigInteger),
        period.kind == sa.bindparam("kind"),
        period.start <= row.listing_day,
        period.start > row.listing_day - sa.bindparam("span", type_=sa.BigInteger),  # so that an index finds it
        period.until > row.listing_day,
    )
    table = member.paper.table.join(papers, row.listed_at == member.paper).join(period.start.table, within)
    columns = (period.start, member.paper, member.since, votes, sa.func.coalesce(now, 0).label("top"))
    return sa.select(*columns).select_from(table)


def _open_period() -> Columns:
    """Select the period between the parameters `first` and `until` as if it were closed at `closed_at`."""
    names = {"start": "first", "until": "until", "closed_at": "closed_at"}
    times = (sa.bindparam(name, type_=sa.BigInteger).label(column) for column, name in names.items())
    return sa.select(sa.bindparam("kind", type_=sa.Text).label("kind"), *times).subquery().c


@cache
def select_upvotes() -> sa.Select[Any]:
    """Return the statement that selects each step of the upvotes of the papers with these `keys`."""
    step = ledger.c
    return sa.select(step.paper, step.value, step.reached_at).where(_UPVOTES, _is_one_of(step.paper))


@cache
def select_papers() -> sa.Select[Any]:
    """Return the statement that selects every wording of the papers with these `keys`, each with its paper, by date."""
    columns = (papers.c.listed_at, papers.c.ai_summary_at, wordings.c.since, wordings.c.has)
    table = papers.join(wordings, wordings.c.paper == papers.c.listed_at)
    rows = sa.select(*PAPER, *columns).select_from(table).where(_is_one_of(papers.c.listed_at))
    return rows.order_by(wordings.c.since)


def _is_one_of(key: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    return key.in_(sa.bindparam("keys", expanding=True))


# Reading ------------------------------------------------------------------------------------------


def read_digests(db: sa.Connection, bind: Bind, query: Query, newest: int | None) -> tuple[tuple[Digest, ...], bool]:
    """Return the page of digests that `query` asks for, newest first, and whether there are more.

    Looks first at twice as many periods as that takes, then at all that `query` allows. `newest` is the newest date in
    the archive (epoch seconds), if any.
    """
    start = (newest or 0) - (newest or 0) % DAY - (query.days - 1) * DAY
    closed = [Closing(*row) for row in db.execute(select_closings(), {"kind": query.digest})]
    recent = sorted((one for one in closed if one.entered_at >= start), key=_entered_at, reverse=True)
    wanted = query.page * query.limit + 1
    digests: list[Contents] = []
    for some in (recent[: wanted * 3 // 2 if query.digest == "day" else wanted + 2], recent):  # days off have none
        first = min((one.start for one in some), default=NEVER)
        near = [one for one in closed if one.start >= first - MAX_GAP - SPAN[query.digest]]
        period = {"first": near[0].start, "until": NEVER} if near else {}
        candidates = _candidates(db, bind, query, period) if near else []
        digests = [one for one in rank(near, candidates, query.top) if one.closing in some]
        if len(digests) >= wanted:
            break
    digests.sort(key=lambda one: _entered_at(one.closing), reverse=True)
    page = digests[wanted - 1 - query.limit : wanted]
    return tuple(_digests(db, query.digest, page[: query.limit])), len(page) > query.limit


def read_next_digest(db: sa.Connection, bind: Bind, query: Query, now: datetime) -> Digest | None:
    """Return the digest of the first period after the closed ones that has papers, as it would be at `now`, if any."""
    current = Period.of(query.digest, now.date())
    *_, last = None, *db.execute(select_closings(), {"kind": query.digest})
    period = Period.of(query.digest, moment(last.start).date()).next if last else current
    while period <= current:
        start, until = (seconds(midnight(day)) for day in (period.start, period.end))
        closing = Closing(start, until, NEVER, seconds(period.closes_at), 0)
        candidates = _candidates(db, bind, query, {"first": start, "until": until, "closed_at": NEVER})
        for contents in rank([closing], candidates, query.top):
            return next(_digests(db, query.digest, [contents]), None)
        period = period.next
    return None


def _entered_at(closing: Closing) -> int:
    return closing.entered_at


def _candidates(db: sa.Connection, bind: Bind, query: Query, period: dict[str, int]) -> Sequence[sa.Row[Any]]:
    """Return the candidates of one open period, or of all closed ones from the `first` on."""
    window = {
        "low": period["first"] - _EARLY,
        "span": SPAN[query.digest],
        "kind": query.digest,
        "top": query.top,
    } | period
    statement = select_candidates(conditions(query), is_open="closed_at" in period)
    return db.execute(statement, bind(parameters(query)) | window).all()


def _digests(db: sa.Connection, kind: str, page: Sequence[Contents]) -> Iterator[Digest]:
    """Yield a digest for each of these contents; leaves out unreadable papers."""
    steps = defaultdict(list)
    for row in _rows(db, select_upvotes(), {row.paper for contents in page for row in contents.rivals}):
        steps[row.paper].append((row.value, row.reached_at))
    late = {id(contents): late_papers(contents, steps) for contents in page}
    keys = {row.paper for contents in page for row in contents.best} | {key for one in late.values() for key, _ in one}
    wordings = defaultdict(list)
    for row in _rows(db, select_papers(), keys):
        wordings[row.listed_at].append(row)
    for contents in page:
        closing, best = contents.closing, [(row.paper, row.votes) for row in contents.best]
        parts = (
            tuple(paper for key, votes in part if (paper := _paper_at(wordings[key], closing.closed_at, votes)))
            for part in (best, late[id(contents)])
        )
        digest = Digest(Period(kind, moment(closing.start).date()), moment(closing.entered_at), *parts)
        if digest.papers:
            yield digest


def _rows(db: sa.Connection, statement: sa.Select[Any], keys: Collection[int]) -> Iterator[sa.Row[Any]]:
    """Yield the rows of a statement about papers with these keys, some papers at a time."""
    ordered = sorted(keys)
    for at in range(0, len(ordered), _CHUNK):
        yield from db.execute(statement, {"keys": ordered[at : at + _CHUNK]})


# Ranking ------------------------------------------------------------------------------------------


def rank(closed: Iterable[Closing], candidates: Iterable[sa.Row[Any]], top: int) -> Iterator[Contents]:
    """Yield what the digest of each period holds, oldest first, without digests of no papers."""
    by_start = defaultdict(list)
    for row in candidates:
        by_start[row.start].append(row)
    earlier: list[tuple[Closing, Contents | None]] = []
    for closing in sorted(closed, key=lambda closing: closing.start):
        best = nsmallest(top, (row for row in by_start[closing.start] if row.votes is not None), key=_order)
        contents = Contents(closing, best, *_rivals(closing, earlier, by_start)) if best else None
        earlier.append((closing, contents))
        if contents:
            yield contents


def _order(row: sa.Row[Any]) -> tuple[int, int, str]:
    return -row.votes, row.submitted_at, row.id


def _rivals(
    closing: Closing, earlier: Sequence[tuple[Closing, Contents | None]], candidates: Mapping[int, list[sa.Row[Any]]]
) -> tuple[list[sa.Row[Any]], int]:
    """Return the papers that may have risen into the ranks of the digest before, and the upvotes that they need for it.

    They are papers of its period, and of those since, which had no digest. A period counts only if it was closed no
    later than this one: history that is filled in changes no digest.
    """
    rows: list[sa.Row[Any]] = []
    for before, contents in reversed(earlier):
        if closing.start - before.until > MAX_GAP:
            break
        if before.revision <= closing.revision:
            rows += candidates[before.start]
            if contents:
                best, least = {row.paper for row in contents.best}, contents.best[-1].votes
                rising = (row for row in rows if row.top >= least and row.since <= closing.closed_at)
                return [row for row in rising if row.paper not in best], least
    return [], 0


def late_papers(contents: Contents, steps: Mapping[int, Sequence[tuple[int, int]]]) -> list[tuple[int, int]]:
    """Return the keys of the papers that rose late, best first, with their upvotes at the closing.

    `steps` has the upvotes of each paper, and the times when it reached them.
    """
    at = contents.closing.closed_at
    ranked = [
        (-votes, row.submitted_at, row.id, row.paper)
        for row in contents.rivals
        if (votes := max((value for value, reached_at in steps[row.paper] if reached_at <= at), default=0))
        >= contents.least
    ]
    return [(paper, -votes) for votes, _, _, paper in nsmallest(MOST_LATE, ranked)]


def _paper_at(wordings: Sequence[sa.Row[Any]], closed_at: int, votes: int) -> Paper | None:
    """Return a paper as the archive knew it at `closed_at`, with its upvotes then; None if it is unreadable.

    `wordings` are its rows, oldest first. The addresses of its links have no dates: they are those of now.
    """
    *_, row = None, *(row for row in wordings if row.since <= closed_at)
    paper = readable_paper(row) if row else None
    if paper is None:
        return None
    changes: dict[str, Any] = {_LINKS[name]: None for name in HAS if name not in str(row.has).split()}
    if row.ai_summary_at is None or row.ai_summary_at > closed_at:
        changes["ai_summary"] = None
    changes |= {"comments": votes} if paper.upvotes is None else {"upvotes": votes, "comments": 0}
    return replace(paper, **changes)
