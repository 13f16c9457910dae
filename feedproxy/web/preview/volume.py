"""Listing days and the dates of entries in; how many entries a day that makes out.

Pure. A listing day lasts until the next one begins: what enters at a weekend belongs to Friday.
"""

from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Volume:
    """How many entries each listing day brought, oldest first."""

    days: tuple[tuple[date, int], ...]

    @property
    def total(self) -> int:
        """The entries of all days."""
        return sum(count for _, count in self.days)

    @property
    def average(self) -> float:
        """Entries a listing day; 0 where there is none."""
        return self.total / len(self.days) if self.days else 0.0

    @property
    def most(self) -> int:
        """The entries of the fullest day."""
        return max((count for _, count in self.days), default=0)

    @property
    def empty(self) -> float:
        """The share of days without an entry, 0 to 1."""
        return sum(not count for _, count in self.days) / len(self.days) if self.days else 0.0


def volume(days: Sequence[date], entered: Iterable[datetime]) -> Volume:
    """Count entries by listing day; `days` ascend, and nothing in `entered` (aware UTC) is older than the first."""
    found = Counter(bisect(days, moment.date()) - 1 for moment in entered)
    return Volume(tuple((day, found[at]) for at, day in enumerate(days)))
