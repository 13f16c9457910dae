"""The listing days that were read, and the periods that are closed, in; the periods to close now, with dates, out.

A digest shows what the archive knew when its period was closed, so it must not be closed too early. A period of the
archive's own time is closed by the first good refresh at or after `Period.closes_at`. A period that was over before the
archive's first refresh is history: it is closed at `closes_at` itself, as its papers are dated by their listing.

Either waits until each of its days has been read after it was over, so that no paper is missing and, for history, no
later read adds papers with dates before the closing. Only a day of the archive's own time that the source fails to give
is waited for no longer than a week: papers that come later are dated later, and change nothing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count

import sqlalchemy as sa

from feedproxy.archive.rows import moment, readable_part, seconds
from feedproxy.archive.schema import closings, state
from feedproxy.archive.standings import SPAN
from feedproxy.model import ListingDay
from feedproxy.periods import KINDS, Period, midnight

_PATIENCE = timedelta(days=7)  # with a day that cannot be read


@dataclass(frozen=True, slots=True)
class Progress:
    """What the archive has read by `now`, since its `first` refresh (aware UTC).

    With `has_all_days` the source gives all it has, and again what has changed: a day that was never asked for has no
    listing, and one that was read has not changed since.
    """

    days: Mapping[date, ListingDay]
    first: datetime
    now: datetime
    has_all_days: bool = False

    def is_history(self, period: Period) -> bool:
        """Say whether the period was over before the archive's first refresh."""
        return period.closes_at <= self.first

    def may_close(self, period: Period) -> bool:
        """Say whether it is time to close the period, and its days have been read."""
        is_late = not self.is_history(period) and self.now >= period.closes_at + _PATIENCE
        return period.closes_at <= self.now and all(self._is_read(day, is_late=is_late) for day in period.days)

    def _is_read(self, day: date, *, is_late: bool) -> bool:
        entry = self.days.get(day)
        if entry is None:
            return self.has_all_days
        has_failed = is_late and day >= self.first.date() and entry.asked_at is not None
        end = midnight(day) if self.has_all_days else midnight(day + timedelta(days=1))
        return has_failed or (entry.good_at is not None and entry.good_at >= end)


def periods_to_close(progress: Progress, closed: Set[Period]) -> Iterator[Period]:
    """Yield the periods that may be closed now, and are not in `closed`; of each kind the oldest first."""
    read = [day for day, entry in progress.days.items() if entry.good_at]
    for kind in KINDS if read else ():
        period = Period.of(kind, min(read))
        while period.closes_at <= progress.now:
            if period not in closed and progress.may_close(period):
                yield period
            period = period.next


def write_closings(
    db: sa.Connection, progress: Progress, revision: int, closed_at: int, earliest: int, *, only_history: bool
) -> int:
    """Close all periods that may be closed now, and return their number; the caller has the lock of the state.

    No digest is dated before `earliest`. `closed_at` is the newest date in the archive: whatever it knows counts, and
    nothing that it learns later, as that gets later dates (epoch seconds).
    """
    closed, newest = _read_closings(db, since=min(progress.days, default=date.min))
    periods = [one for one in periods_to_close(progress, closed) if progress.is_history(one) or not only_history]
    dates = {kind: max(earliest, date + 1) for kind, date in newest.items()}
    rows = [row | {"revision": revision} for row in closing_rows(periods, progress, closed_at, dates)]
    if rows:
        db.execute(sa.insert(closings), rows)
        db.execute(sa.update(state).values(revision=revision, closed_at=closed_at))
    return len(rows)


def closing_rows(
    periods: Sequence[Period], progress: Progress, closed_at: int, earliest: Mapping[str, int]
) -> Iterator[dict[str, object]]:
    """Yield a row of `closings` for each of `periods`, without its revision.

    History is closed, and dated, at `Period.closes_at`. The others are closed at `closed_at`, and have dates of their
    own: the seconds that end with now, but none before `earliest` of their kind. Epoch seconds.
    """
    number = Counter(period.kind for period in periods if not progress.is_history(period))
    now = seconds(progress.now)
    dates = {kind: count(max(now - number[kind] + 1, earliest[kind])) for kind in KINDS}
    for period in periods:
        nominal = seconds(period.closes_at)
        times = (nominal, nominal) if progress.is_history(period) else (closed_at, next(dates[period.kind]))
        start, until = (seconds(midnight(day)) for day in (period.start, period.end))
        names = ("kind", "start", "until", "closed_at", "entered_at")
        yield dict(zip(names, (period.kind, start, until, *times), strict=True))


def _read_closings(db: sa.Connection, since: date) -> tuple[set[Period], dict[str, int]]:
    """Return the closed periods that end after `since`, and the newest date of each kind (epoch seconds).

    A period whose row has only other parts that are unreadable is closed too: `repair` opens it again.
    """
    closed, newest = set[Period](), dict.fromkeys(KINDS, 0)
    begin = seconds(midnight(since)) - SPAN["month"]
    for row in db.execute(sa.select(closings).where(closings.c.start > begin)):
        readable = readable_part(closings, row._mapping)
        if {"kind", "start"} <= readable.keys() and row.kind in KINDS:
            closed.add(Period(row.kind, moment(row.start).date()))
            newest[row.kind] = max(newest[row.kind], readable.get("entered_at", 0))
    return closed, newest
