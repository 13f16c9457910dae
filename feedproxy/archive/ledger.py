"""Listings in; what was seen of each paper, and by which date it may enter a feed, out.

Pure: the dating rules that keep promise 1 (nothing is missed) stand here and nowhere else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from feedproxy.papers import Listing, Paper

_COUNTS = ("upvotes", "comments")


@dataclass(frozen=True, slots=True)
class Sighting:
    """A paper as one refresh saw it: its last wording, first time, and highest counts.

    `historic`: only days before the archive's first refresh listed it, none of them read before.
    """

    paper: Paper
    peaks: Mapping[str, int]
    historic: bool


def sightings(listings: Iterable[tuple[Listing, bool]]) -> list[Sighting]:
    """Return what `listings`, each with whether its day is historic, say of each paper, in dating order.

    That order is by listing time, then id. Listings of one day come in the order they were taken.
    """
    found: dict[str, Sighting] = {}
    for listing, historic in sorted(listings, key=lambda pair: pair[0].day or date.min):
        for paper in listing.papers:
            seen = Sighting(paper, {"upvotes": paper.attention, "comments": paper.comments}, historic)
            found[paper.id] = _joined(found[paper.id], seen) if paper.id in found else seen
    return sorted(found.values(), key=lambda seen: (seen.paper.submitted_at, seen.paper.id))


def _joined(before: Sighting, after: Sighting) -> Sighting:
    return Sighting(
        revised(before.paper, after.paper),
        {measure: max(value, after.peaks[measure]) for measure, value in before.peaks.items()},
        before.historic and after.historic,
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


def reads_alike(known: Paper, seen: Paper) -> bool:
    """Say whether a feed shows both alike but for their counts."""
    return replace(seen, upvotes=known.upvotes, comments=known.comments) == known


def dated(submitted_at: int, *, now: int, previous: int | None, historic: bool) -> int:
    """Return the earliest date for what is seen now of a paper listed at `submitted_at`.

    The listing time where no reader can have looked past it: if it is later than the `previous`
    good refresh, or the paper is `historic`. Else `now`. Never later than `now`. Epoch seconds.
    """
    listed = min(submitted_at, now)
    return listed if historic or previous is None or listed > previous else now
