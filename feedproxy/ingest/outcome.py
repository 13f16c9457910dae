"""What a refresh did, and what went wrong in it, in lines for people. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from feedproxy.model import Listing
from feedproxy.text import plural

_TOLD = 10  # problems of one kind that are told one by one


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a round did: listings read, papers in them, papers new, what was skipped or failed, in words."""

    listings: int = 0
    papers: int = 0
    new: int = 0
    problems: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{plural(self.listings, 'listing')} read, {plural(self.papers, 'paper')} in them, {self.new} new"

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(
            self.listings + other.listings,
            self.papers + other.papers,
            self.new + other.new,
            self.problems + other.problems,
        )


def skips(listings: list[Listing]) -> Iterator[str]:
    """Yield what was left out of `listings` and why, a line each; of many of one listing the first and a number."""
    for listing in listings:
        yield from first_of([f"skipped {skip.name}: {skip.reason}" for skip in listing.skipped])


def first_of(problems: list[str]) -> list[str]:
    """Return the first of `problems` and the last, which tells what was not even counted, and how many are between."""
    if len(problems) <= _TOLD + 1:
        return problems
    return [*problems[:_TOLD], f"and {len(problems) - _TOLD - 1:,} more", problems[-1]]
