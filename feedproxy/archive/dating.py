"""Listings in; what was seen of each paper, and by which date it may enter a feed, out.

Pure: the dating rules that keep promise 1 (nothing is missed) stand here and nowhere else.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from datetime import date, datetime

from feedproxy.model import Listing, Paper

_COUNTS = ("upvotes", "comments")
_FAR = 86_400  # seconds


@dataclass(frozen=True, slots=True)
class Observation:
    """A paper as one refresh saw it: its last wording, first time, and highest counts.

    `backfilled`: it was listed before the archive's first refresh, on days of which none was read before.
    """

    paper: Paper
    max_counts: Mapping[str, int]
    backfilled: bool


def merge_listings(listings: Iterable[Listing], read: Set[date], first: datetime) -> list[Observation]:
    """Return what `listings` say of each paper, in dating order: by listing time, then id.

    `read` are the days that were read before, `first` is when the archive's first refresh was.
    Listings of one day come in the order they were taken.
    """
    found: dict[str, Observation] = {}
    for listing in sorted(listings, key=lambda listing: listing.day or date.min):
        past = listing.day is not None and listing.day not in read and listing.day < first.date()
        for paper in listing.papers:
            counts = {"upvotes": paper.effective_upvotes, "comments": paper.comments}
            seen = Observation(paper, counts, past and paper.submitted_at <= first)
            found[paper.id] = _joined(found[paper.id], seen) if paper.id in found else seen
    return sorted(found.values(), key=lambda seen: (seen.paper.submitted_at, seen.paper.id))


def _joined(before: Observation, after: Observation) -> Observation:
    return Observation(
        revised(before.paper, after.paper),
        {measure: max(value, after.max_counts[measure]) for measure, value in before.max_counts.items()},
        before.backfilled and after.backfilled,
    )


def revised(known: Paper, seen: Paper) -> Paper:
    """Return `known` as `seen` now tells it: first listing time kept, nothing optional forgotten."""
    told = {
        name: getattr(seen, name)
        for name in Paper.__dataclass_fields__
        if name not in ("id", "submitted_at") and (name in _COUNTS or getattr(seen, name))
    }
    if seen.upvotes is None:
        told["upvotes"] = known.upvotes
    return replace(known, **told)


def same_content(known: Paper, seen: Paper) -> bool:
    """Say whether a feed shows both alike but for their counts."""
    return replace(seen, upvotes=known.upvotes, comments=known.comments) == known


def entry_date(submitted_at: int, *, now: int, previous: int | None, backfilled: bool) -> int | None:
    """Return the date of what is seen `now` of a paper listed at `submitted_at`; epoch seconds.

    The listing time where no reader can have looked past it: if it is later than the `previous`
    good refresh, or the paper is `backfilled`. Else None, for the `first_free_second`. Never later than `now`.
    """
    listed = min(submitted_at, now)
    return listed if backfilled or previous is None or listed > previous else None


def plausible(noted: int | None, now: int) -> int | None:
    """Return when a refresh was, as `noted`; or `now` if that was by a clock more than a day ahead. Epoch seconds.

    What such a refresh handed out no date for is not dated by it: the newest date there is says what readers saw.
    """
    return now if noted is not None and noted > now + _FAR else noted


def first_free_second(now: int, *, needed: int, previous: int | None, newest: int | None) -> int:
    """Return the first of `needed` seconds that end `now`, where there are so many since the `previous` refresh.

    A date in the future would trouble readers, and one that is not after `newest`, the newest
    that was handed out, could be looked past.
    """
    return max(now - needed + 1, previous or 0, (newest or 0) + 1)
