"""A query in, its digests out.

A paper may be in the digest of its period if it had met the query's conditions when the period was closed: if its date
in the plain feed with these conditions is not later. It ranks by the upvotes that it had then.

Who rose late is in the next digest: a paper that was not in the last one, and now has at least as many upvotes as that
one's last paper had then. Listings are read again for 30 days, so hardly anything rises later than that.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any

import sqlalchemy as sa

from feedproxy.archive.rows import moment, seconds
from feedproxy.archive.search import DAY, NEVER, conditions, members, parameters
from feedproxy.archive.standings import EARLY, NO_RISES, SPAN, Closing, Rises, Standing, View
from feedproxy.model import Digest, Paper
from feedproxy.periods import Period, midnight
from feedproxy.query.parameters import Query

MOST_LATE = 5  # papers in the second part of a digest
MAX_GAP = 31 * DAY  # between a period and that of the digest before it
Bind = Callable[[Mapping[str, Any]], dict[str, Any]]
Place = tuple[int, int]  # the key of a paper, and its upvotes at a closing


@dataclass(frozen=True, slots=True)
class Contents:
    """The closing of a period, its best papers, and some among which are those that rose late."""

    closing: Closing
    best: Sequence[Place]
    late: Sequence[Place] = ()

    def paper_keys(self) -> list[tuple[int, int, int]]:
        """Return the keys of its papers for `View.papers`."""
        return [(paper, self.closing.closed_at, votes) for paper, votes in (*self.best, *self.late)]


@dataclass(frozen=True, slots=True)
class _Membership:
    """The papers that meet the conditions of a query, and since when; None if there are no conditions."""

    since: Mapping[int, int] | None

    def has(self, paper: int, at: int) -> bool:
        """Say whether a paper met the conditions at this time."""
        return (paper if self.since is None else self.since.get(paper, NEVER)) <= at


@cache
def select_members(conditions: tuple[str, ...]) -> sa.Select[Any]:
    """Return the statement that selects the papers that meet the conditions, listed from `low` on, and since when."""
    member = members(conditions, late=False).c
    return sa.select(member.paper, member.since)


def read_digests(view: View, bind: Bind, query: Query, newest: int | None) -> tuple[tuple[Digest, ...], bool]:
    """Return the page of digests that `query` asks for, newest first, and whether there are more.

    Looks first at about as many periods as that takes, then at all that `query` allows. `newest` is the newest date in
    the archive (epoch seconds), if any.
    """
    start = (newest or 0) - (newest or 0) % DAY - (query.days - 1) * DAY
    closed = view.closings(query.digest)
    recent = sorted((one for one in closed if one.entered_at >= start), key=_entered_at, reverse=True)
    number = query.page * query.limit + 1
    digests: list[Contents] = []
    for some in (recent[: number * 3 // 2 if query.digest == "day" else number + 2], recent):  # weekends have none
        first = min((one.start for one in some), default=NEVER) - MAX_GAP - SPAN[query.digest]
        near = [one for one in closed if one.start >= first]
        window = set(some)
        digests = [one for one in _contents(view, bind, query, near) if one.closing in window]
        if len(digests) >= number or len(some) == len(recent):
            break
    digests.sort(key=lambda one: _entered_at(one.closing), reverse=True)
    page = digests[number - 1 - query.limit : number]
    return _digests(view, page[: query.limit]), len(page) > query.limit


def read_next_digest(view: View, bind: Bind, query: Query, now: datetime) -> Digest | None:
    """Return the digest of the first period after the closed ones that has papers, as it would be at `now`, if any."""
    current = Period.of(query.digest, now.date())
    closed = view.closings(query.digest)
    period = Period.of(query.digest, moment(closed[-1].start).date()).next if closed else current
    while period <= current:
        start, until = (seconds(midnight(day)) for day in (period.start, period.end))
        closing = Closing(period.kind, start, until, NEVER - 1, seconds(period.closes_at), 0)
        standing = view.open_standing(start, until)
        best = _best(standing, _membership(view, bind, query, start), closing, query.top)
        if digests := _digests(view, [Contents(closing, best)]):
            return digests[0]
        period = period.next
    return None


def _entered_at(closing: Closing) -> int:
    return closing.entered_at


def _membership(view: View, bind: Bind, query: Query, first: int) -> _Membership:
    """Return the papers that meet the conditions of `query`, in periods from `first` on."""
    if not conditions(query):
        return _Membership(None)
    rows = view.db.execute(select_members(conditions(query)), bind(parameters(query)) | {"low": first - EARLY})
    return _Membership(dict(rows.all()))


def _contents(view: View, bind: Bind, query: Query, closed: Sequence[Closing]) -> list[Contents]:
    """Return what the digest of each period holds, oldest first, without digests of no papers."""
    if not closed:
        return []
    first = closed[0].start
    standings, rises = view.standings(closed), view.rises(query.digest, first)
    membership = _membership(view, bind, query, first)
    digests: list[Contents] = []
    earlier: list[tuple[Closing, Contents | None]] = []
    for closing in closed:
        contents = None
        if best := _best(standings[closing.start], membership, closing, query.top):
            contents = Contents(closing, best, _late(closing, earlier, standings, rises, membership))
            digests.append(contents)
        earlier.append((closing, contents))
    return digests


def _best(standing: Standing, membership: _Membership, closing: Closing, top: int) -> list[Place]:
    places = zip(*standing, strict=True)
    return list(islice((place for place in places if membership.has(place[0], closing.closed_at)), top))


def _late(
    closing: Closing,
    earlier: Sequence[tuple[Closing, Contents | None]],
    standings: Mapping[int, Standing],
    rises: Mapping[int, Rises],
    membership: _Membership,
) -> list[Place]:
    """Return the papers that rose into the ranks of the last digest, at least the first few, best first.

    They are papers of its period, and of those since, which had no digest. A period counts only if it was closed no
    later than this one: history that is filled in changes no digest.
    """
    periods: list[int] = []
    for before, contents in reversed(earlier):
        if closing.start - before.until > MAX_GAP:
            break
        if before.revision <= closing.revision:
            periods.append(before.start)
            if contents:
                least, best = contents.best[-1][1], {paper for paper, _ in contents.best}
                votes = _votes_at(closing.closed_at, least, periods, standings, rises)
                places = [(paper, number) for paper, number in votes.items() if paper not in best]
                return _first_few([place for place in places if membership.has(place[0], closing.closed_at)])
    return []


def _votes_at(
    at: int, least: int, periods: Sequence[int], standings: Mapping[int, Standing], rises: Mapping[int, Rises]
) -> dict[int, int]:
    """Return the papers of these periods that had at least `least` upvotes at that time, with their upvotes."""
    votes: dict[int, int] = {}
    for start in periods:
        for paper, number in zip(*standings[start], strict=True):
            if number < least:
                break
            votes[paper] = number
        for paper, number, since in zip(*rises.get(start, NO_RISES), strict=True):
            if since <= at and number >= votes.get(paper, least):
                votes[paper] = number
    return votes


def _first_few(places: list[Place]) -> list[Place]:
    """Return the best places, at least as many as a digest shows, and all that are equal to the last of them."""
    places.sort(key=lambda place: place[1], reverse=True)
    least = places[:MOST_LATE][-1][1] if places else 0
    return [place for place in places if place[1] >= least]


def _digests(view: View, page: Sequence[Contents]) -> tuple[Digest, ...]:
    """Return a digest for each of these contents that has readable papers."""
    papers = view.papers([key for contents in page for key in contents.paper_keys()])
    digests = []
    for contents in page:
        its_papers = [papers[key] for key in contents.paper_keys()]
        number, closing = len(contents.best), contents.closing
        late = sorted((paper for paper in its_papers[number:] if paper), key=_rank)
        period, entered_at = Period(closing.kind, moment(closing.start).date()), moment(closing.entered_at)
        digests.append(Digest(period, entered_at, tuple(filter(None, its_papers[:number])), tuple(late[:MOST_LATE])))
    return tuple(digest for digest in digests if digest.papers)


def _rank(paper: Paper) -> tuple[int, datetime, str]:
    return -paper.effective_upvotes, paper.submitted_at, paper.id
