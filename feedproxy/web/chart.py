"""The entries of each listing day in; averages, and a chart of calendar days with its scale, out. Knows no SVG."""

from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from feedproxy.offers.choices import ENOUGH

_SHORTEST = 30  # days on the axis
_UNITS = ((5, 1), (10, 2), (50, 5), (100, 10), (500, 50), (1000, 100))  # up to the first number, count in the second
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Bar:
    """A listing day at its place on the axis, and the number of its entries."""

    at: int
    day: date
    number: int


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars on an axis of `size` calendar days, oldest first, the newest at its end.

    `gaps` are the places of days in a row without a listing, and how many they are; nothing stands before the first
    bar. `mondays` have their places. The scale goes from 0 to twice `step`. `peak` is the newest of the highest bars.
    """

    size: int
    bars: tuple[Bar, ...]
    gaps: tuple[tuple[int, int], ...]
    mondays: tuple[tuple[int, date], ...]
    step: int
    peak: Bar


@dataclass(frozen=True, slots=True)
class Volume:
    """The number of entries of each listing day, oldest first."""

    days: tuple[tuple[date, int], ...]

    @property
    def total(self) -> int:
        """Entries on all days."""
        return sum(count for _, count in self.days)

    @property
    def average(self) -> float:
        """Entries per listing day; 0 without any day."""
        return self.total / len(self.days) if self.days else 0.0

    @property
    def has_average(self) -> bool:
        """Say whether there are enough days for an average."""
        return len(self.days) >= ENOUGH

    @property
    def most(self) -> int:
        """Entries on the fullest day."""
        return max((count for _, count in self.days), default=0)

    @property
    def empty(self) -> int:
        """The number of days without an entry."""
        return sum(not count for _, count in self.days)

    @property
    def chart(self) -> Chart:
        """The chart of these days; there must be one."""
        last = self.days[-1][0]
        first = min(self.days[0][0], last - (_SHORTEST - 1) * _DAY)
        bars = tuple(Bar((day - first).days, day, number) for day, number in self.days)
        size = (last - first).days + 1
        monday = -first.weekday() % 7
        return Chart(
            size,
            bars,
            tuple(
                (before.at + 1, after.at - before.at - 1)
                for before, after in pairwise(bars)
                if after.at > before.at + 1
            ),
            tuple((at, first + at * _DAY) for at in range(monday, size, 7)),
            _step(self.most),
            max(bars, key=lambda bar: (bar.number, bar.at)),
        )


def volume(days: Sequence[date], dates: Iterable[datetime]) -> Volume:
    """Count entries by listing day; `days` ascend, and no entry's date (aware UTC) is before the first.

    A listing day lasts until the next one begins: an entry of Sunday belongs to Friday.
    """
    counts = Counter(bisect(days, moment.date()) - 1 for moment in dates)
    return Volume(tuple((day, counts[at]) for at, day in enumerate(days)))


def _step(most: int) -> int:
    """Return half of the scale's end: a round number of which two are at least `most`."""
    half = max(-(-most // 2), 1)
    unit = next((unit for limit, unit in _UNITS if half <= limit), 500)
    return -(-half // unit) * unit
