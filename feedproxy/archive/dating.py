"""Listings in; what was seen of each paper, and the date by which it enters a feed, out. Pure: all times are handed in.

How a date is chosen. A reader remembers the newest date it saw, and looks only at what is newer. So what enters a feed
must be dated after all that a reader may have seen: no earlier than the `previous` good refresh, and after the `newest`
date that was ever handed out. Within that, the listing time is the best date. An example, with refreshes at 12:00 (the
first of the archive), 12:15 and 12:30:

    listed         seen   what is new                        date    why
    00:00          12:00  paper A, with 3 upvotes            00:00   nobody has looked before the first refresh
    00:00          12:15  paper B                            12:15   a reader may have looked past 00:00 at 12:00
    12:05          12:15  paper C                            12:05   listed after the previous refresh
    00:00          12:30  A has 9 upvotes                    12:30   min_upvotes=9; min_upvotes=3 still says 00:00
    last week      12:30  paper D, of a day filled in late   that    `backfilled`: history, before the first refresh
    12:31          12:30  paper E, by a clock ahead of ours  12:30   no date lies in the future

No two dates are equal, to the second. Papers of one listing time get the seconds that follow it, in order of listing
time and id. What is dated by the refresh gets the seconds that end with it (`first_free_second`): 40 papers that rise
at 12:30:00 are dated 12:29:21 to 12:30:00. Entries older than the newest move `backdated_at`, for readers that ask by
date of change. The time of a refresh never goes back; one noted by a clock more than a day ahead of ours is not
believed. Listings that somebody saved were taken before a known time, and nothing in them is dated later.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from feedproxy.model import Listing, Paper

_COUNTS = ("upvotes", "comments")
_FAR = 86_400  # seconds


@dataclass(frozen=True, slots=True)
class RefreshTimes:
    """When a refresh is noted to be, the good one before it, the archive's first, and the latest date it may give.

    Epoch seconds; `previous` is None where this is the first.
    """

    at: int
    previous: int | None
    first: int
    latest: int


def refresh_times(listings: Sequence[Listing], now: int, previous: int | None, first: int | None) -> RefreshTimes:
    """Return the times of a refresh that brought `listings`, after the times that the archive has noted."""
    previous, first = _plausible(previous, now), _plausible(first, now)
    at = max(now, previous or 0)
    limits = [listing.taken_before for listing in listings]
    taken = max((int(limit.timestamp()) if limit else at for limit in limits), default=at)
    return RefreshTimes(at, previous, first or at, max(min(at, taken), previous or 0))


def _plausible(noted: int | None, now: int) -> int | None:
    """Return when a refresh was, or `now` if that was by a clock far ahead: the newest date says what readers saw."""
    return now if noted is not None and noted > now + _FAR else noted


def entry_date(submitted_at: int, *, now: int, previous: int | None, backfilled: bool) -> int | None:
    """Return the listing time where no reader can have looked past it, at most `now`; else None. Epoch seconds."""
    listed = min(submitted_at, now)
    return listed if backfilled or previous is None or listed > previous else None


def first_free_second(now: int, *, needed: int, previous: int | None, newest: int | None) -> int:
    """Return the first of `needed` seconds that end `now`, or a later one where readers may have looked past it."""
    return max(now - needed + 1, previous or 0, (newest or 0) + 1)


# What was seen --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Observation:
    """A paper as one refresh saw it: its last wording, first time, and highest counts.

    `backfilled`: it was listed before the archive's first refresh, on days of which none was read before.
    """

    paper: Paper
    max_counts: Mapping[str, int]
    backfilled: bool


def merge_listings(listings: Iterable[Listing], read: Set[date], first: int) -> list[Observation]:
    """Return what `listings` say of each paper, in dating order: by listing time, then id.

    `read` are the days that were read before, `first` is when the archive's first refresh was (epoch seconds).
    Listings of one day come in the order they were taken.
    """
    began = datetime.fromtimestamp(first, UTC)
    observations: dict[str, Observation] = {}
    for listing in sorted(listings, key=lambda listing: listing.day or date.min):
        is_past = listing.day is not None and listing.day not in read and listing.day < began.date()
        for paper in listing.papers:
            counts = {"upvotes": paper.effective_upvotes, "comments": paper.comments}
            after = Observation(paper, counts, is_past and paper.submitted_at <= began)
            if before := observations.get(paper.id):
                counts = {measure: max(value, counts[measure]) for measure, value in before.max_counts.items()}
                after = Observation(revised(before.paper, paper), counts, before.backfilled and after.backfilled)
            observations[paper.id] = after
    return sorted(observations.values(), key=lambda one: (one.paper.submitted_at, one.paper.id))


def revised(paper: Paper, seen: Paper) -> Paper:
    """Return `paper` with what `seen` says now: first listing time kept, nothing optional forgotten."""
    changes = {
        name: getattr(seen, name)
        for name in Paper.__dataclass_fields__
        if name not in ("id", "submitted_at") and (name in _COUNTS or getattr(seen, name))
    }
    if seen.upvotes is None:
        changes["upvotes"] = paper.upvotes
    return replace(paper, **changes)


def same_content(paper: Paper, other: Paper) -> bool:
    """Say whether a feed shows both alike but for their counts."""
    return replace(other, upvotes=paper.upvotes, comments=paper.comments) == paper
