"""Listings in; an observation of each paper, and the dates of entries, out. Pure: callers pass in all times.

How we choose a date. A reader remembers the newest date it has seen, and looks only at newer entries. So a new entry
needs a date after all that a reader may have seen: no earlier than the `previous` good refresh, and after the `newest`
date in the archive. Within that, the listing time is the best date. An example, with refreshes at 12:00 (the first of
the archive), 12:15 and 12:30:

    listed         seen   news                               date    why
    00:00          12:00  paper A, with 3 upvotes            00:00   nobody has looked before the first refresh
    00:00          12:15  paper B                            12:15   a reader may have looked past 00:00 at 12:00
    12:05          12:15  paper C                            12:05   listed after the previous refresh
    00:00          12:30  A has 9 upvotes                    12:30   min_upvotes=9; min_upvotes=3 still says 00:00
    last week      12:30  paper D, of a day filled in late   that    `backfilled`: history, before the first refresh
    12:31          12:30  paper E, by a clock ahead of ours  12:30   no date lies in the future

No two dates are equal, to the second. Papers of one listing time get the seconds that follow it, in order of listing
time and id. Entries with the date of the refresh get the seconds that end with it (`first_free_second`): 40 papers that
rise at 12:30:00 get 12:29:21 to 12:30:00. Entries older than the newest move `backdated_at`, for readers that ask by
date of change. The time of a refresh never goes back; we ignore one from a clock more than a day ahead of ours. For a
saved listing we know a time before which somebody took it, and date nothing in it later.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from feedproxy.model import COUNTS, Listing, Paper

_COUNTS = (*COUNTS, "github_stars")
_FAR = 86_400  # seconds
_NEAR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RefreshTimes:
    """The times of this refresh, of the good one before it (None for the first) and of the archive's first.

    Epoch seconds; `latest` is the latest date that this refresh may give.
    """

    at: int
    previous: int | None
    first: int
    latest: int


def refresh_times(
    listings: Sequence[Listing], now: int, previous: int | None, first: int | None, closed_at: int | None = None
) -> RefreshTimes:
    """Return the times of a refresh with `listings`; `previous`, `first` and `closed_at` come from the archive.

    Nothing may be dated before `closed_at`, the newest date when a period was last closed: its digest did not know it.
    """
    previous, first = _plausible(previous, now), _plausible(first, now)
    at = max(now, previous or 0)
    if closed_at is not None:
        previous = max(previous or 0, closed_at)
    limits = [listing.taken_before for listing in listings]
    latest = max((int(limit.timestamp()) if limit else at for limit in limits), default=at)
    return RefreshTimes(at, previous, first or at, max(min(at, latest), previous or 0))


def _plausible(at: int | None, now: int) -> int | None:
    """Return the time of a refresh, or `now` if a clock far ahead noted it: the newest date protects readers then."""
    return now if at is not None and at > now + _FAR else at


def entry_date(submitted_at: int, *, now: int, previous: int | None, backfilled: bool) -> int | None:
    """Return the listing time, at most `now`, or None if a reader may have looked past it. Epoch seconds."""
    listing_time = min(submitted_at, now)
    return listing_time if backfilled or previous is None or listing_time > previous else None


def first_free_second(now: int, *, number: int, previous: int | None, newest: int | None) -> int:
    """Return the first of `number` seconds that end `now`, or a later one if readers may have looked past it."""
    return max(now - number + 1, previous or 0, (newest or 0) + 1)


# Observations ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Observation:
    """A paper as one refresh saw it: its last wording, first time and listing day, and highest counts.

    `backfilled`: all its listings are from before the archive's first refresh, and read for the first time.
    """

    paper: Paper
    day: date
    max_counts: Mapping[str, int]
    backfilled: bool


def merge_listings(listings: Iterable[Listing], read: Set[date], first: int) -> list[Observation]:
    """Return one observation of each paper in `listings`, in dating order: by listing time, then id.

    `read` are the days of earlier refreshes, `first` is the time of the archive's first refresh (epoch seconds).
    Listings of one day come in the order they were taken.
    """
    began = datetime.fromtimestamp(first, UTC)
    observations: dict[str, Observation] = {}
    for listing in sorted(listings, key=lambda listing: listing.day or date.min):
        is_past = listing.day is not None and listing.day not in read and listing.day < began.date()
        for paper in listing.papers:
            counts = {"upvotes": paper.effective_upvotes, "comments": paper.comments}
            day = listing_day(listing, paper)
            after = Observation(paper, day, counts, is_past and paper.submitted_at <= began)
            if before := observations.get(paper.id):
                counts = {measure: max(value, counts[measure]) for measure, value in before.max_counts.items()}
                is_past_too = before.backfilled and after.backfilled
                after = Observation(revise(before.paper, paper), before.day, counts, is_past_too)
            observations[paper.id] = after
    return sorted(observations.values(), key=lambda one: (one.paper.submitted_at, one.paper.id))


def listing_day(listing: Listing, paper: Paper) -> date:
    """Return the day on which the paper was listed: that of `listing`, if the listing time is near it.

    Until May 2026 a listing had papers from the evening before, UTC.
    """
    day = paper.submitted_at.date()
    return listing.day if listing.day and abs(listing.day - day) <= _NEAR else day


def revise(paper: Paper, new: Paper) -> Paper:
    """Return `paper` with its own id, listing time and AI summary, and the fields of `new` that have a value.

    A count of 0 is a value too.
    """
    lasting = ("id", "submitted_at", *["ai_summary"] * bool(paper.ai_summary))
    values = {name: getattr(new, name) for name in Paper.__dataclass_fields__ if name not in lasting}
    has_value = {name: value is not None if name in _COUNTS else bool(value) for name, value in values.items()}
    return replace(paper, **{name: value for name, value in values.items() if has_value[name]})


def same_content(paper: Paper, other: Paper) -> bool:
    """Say whether two papers differ at most in what feeds do not show: their date at arXiv, and counts unless asked."""
    unseen = (*_COUNTS, "published_at")
    return replace(other, **{name: getattr(paper, name) for name in unseen}) == paper
