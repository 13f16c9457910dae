"""What is known of each listing day in; which days to ask for now, and when next, out. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from feedproxy.ingest.parse.fields import midnight
from feedproxy.model import ListingDay

WINDOW = timedelta(days=30)
LIVE = timedelta(minutes=15)
MAX_LEAD = timedelta(days=1)  # how far a listing may run ahead of this machine's clock
_RETRY = timedelta(minutes=1)
CLOCK_TOLERANCE = timedelta(minutes=1)  # what is noted later than that from now was noted by a clock that ran ahead

# How often a day is looked at once it is not live, by its age, and from when after its midnight (UTC) on; the first row
# that fits counts. A listing costs one request, and a second one where it has more than 100 papers, which none was ever
# seen to have; the two that are live cost 8 an hour. So that all cost 11 at most, no two days but those of a weekend
# share an hour: in the last week each weekday has its own, and before that each day has, as every 25 hours is an hour
# later each day.
_PLAN: tuple[tuple[timedelta, timedelta, Callable[[date], timedelta]], ...] = (
    (timedelta(days=7), timedelta(hours=6), lambda day: timedelta(hours=min(day.weekday(), 5), minutes=20)),
    (WINDOW, timedelta(hours=25), lambda _: timedelta(minutes=50)),
)

_TURNS_AT = time(21, 30)  # in New York, on the evening before (UPSTREAM.md)
_TURNED_BY = time(2, 30)  # UTC, in winter; in summer it is an hour earlier

ListingDays = Mapping[date, ListingDay]


@dataclass(frozen=True, slots=True)
class ListingRequest:
    """One listing to get: the Hub's of a day, unless `validator` still holds; or the saved one at `path`."""

    day: date | None = None
    validator: str | None = None
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class _Cadence:
    """How often a day is looked at, and the first of the times for it; None where any time will do."""

    every: timedelta
    first: datetime | None = None

    def after(self, read: datetime) -> datetime:
        """Return the next look at what was read well at `read`: the first time for it that passed since."""
        if self.first is None:
            return read + self.every
        return self.first + self.every * max(0, (read - self.first) // self.every + 1)


def begins(day: date) -> datetime:
    """Return when the Hub begins `day`, aware UTC; before that it refuses to list it.

    Where this machine does not know the zones of the world, as slim containers do not, that is the latest it can be.
    """
    try:
        evening = datetime.combine(day - timedelta(days=1), _TURNS_AT, ZoneInfo("America/New_York"))
    except ZoneInfoNotFoundError:
        return datetime.combine(day, _TURNED_BY, UTC)
    return evening.astimezone(UTC)


def hub_day(now: datetime) -> date:
    """Return the newest day that the Hub has begun; `now` aware UTC."""
    today = now.date()
    return today if begins(today) <= now else today - timedelta(days=1)


def due_days(known: ListingDays, now: datetime, *, force: bool = False) -> list[list[date]]:
    """Return the days to ask for, newest first, in batches to be stored one by one; `now` aware UTC.

    Today is the newest day the Hub has begun.

    Today and the last listing day every 15 minutes, the last week every 6 hours, 30 days back
    every 25, each in its own hour, and at once what has missed it; with `force` all of them.
    Where nothing was ever read, the newest two come first and each alone, so that there is a feed
    after one answer.
    """
    due = [day for day, at in _due(known, now) if force or at <= now]
    if any(told.good_at for told in known.values()):
        return [due] if due else []
    first = [day for day in due if day in (hub_day(now), _weekday_before(hub_day(now)))]
    return [*([day] for day in first), *filter(None, [[day for day in due if day not in first]])]


def next_due(known: ListingDays, now: datetime) -> datetime:
    """Return when the first of them is due."""
    return min(at for _, at in _due(known, now))


def missing_days(known: ListingDays, since: date, until: date) -> list[date]:
    """Return the days of `since`…`until` never read well since they were over, oldest first.

    So a paper that was listed twice is dated by its first listing: a date that readers may have seen never changes.
    """
    good = {day: told.good_at.date() for day, told in known.items() if told.good_at}
    days = (since + timedelta(days=number) for number in range((until - since).days + 1))
    return [day for day in days if good.get(day, day) <= day]


def _due(known: ListingDays, now: datetime) -> list[tuple[date, datetime]]:
    """Return each day of the window, newest first, and when it is due."""
    today = hub_day(now)
    last = max((day for day, told in known.items() if told.count and day < today), default=None)
    window = [today - timedelta(days=age) for age in range(_reach(known, today).days + 1)]
    begun = {today: known.get(today - timedelta(days=1)), **known}  # a new day takes the turn of the one before
    since = min(filter(None, (_read_at(begun.get(day), now) for day in window)), default=now)
    return [(day, _due_at(begun.get(day), _rhythm(day, today, last), since, now)) for day in window]


def _reach(known: ListingDays, today: date) -> timedelta:
    """Return how far back to look: 30 days; or to where reading stopped, if longer ago, but at most a year."""
    read = [told.good_at.date() for told in known.values() if told.good_at]
    return min(max(WINDOW, today - max(read, default=today)), timedelta(days=366))


def _rhythm(day: date, today: date, last: date | None) -> _Cadence:
    if day in (today, last):
        return _Cadence(LIVE)
    rows = (_Cadence(every, midnight(day) + first(day)) for age, every, first in _PLAN if today - day <= age)
    return next(rows, _Cadence(WINDOW))


def _due_at(told: ListingDay | None, rhythm: _Cadence, since: datetime, now: datetime) -> datetime:
    """Return when a day is due; one tried in vain again after as long as that has been going on.

    One never read well has been tried since it began, or `since` others were read.
    """
    if told is None or told.asked_at is None or told.asked_at - now > CLOCK_TOLERANCE:
        return now
    read = _read_at(told, now)
    due_at = rhythm.after(read) if read else min(told.asked_at, max(since, begins(told.day)))
    if told.asked_at < due_at:
        return due_at
    return told.asked_at + max(_RETRY, min(told.asked_at - due_at, rhythm.every))


def _read_at(told: ListingDay | None, now: datetime) -> datetime | None:
    """Return when a day was read well, unless that was by a clock that ran ahead."""
    return told.good_at if told and told.good_at and told.good_at - now <= CLOCK_TOLERANCE else None


def _weekday_before(day: date) -> date:
    before = day - timedelta(days=1)
    while before.weekday() > 4:
        before -= timedelta(days=1)
    return before
