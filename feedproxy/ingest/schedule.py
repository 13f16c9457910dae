"""The last reads of each listing day in; the days to ask for now, and the time of the next, out. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from feedproxy.model import ListingDay, SavedFile
from feedproxy.periods import midnight

WINDOW = timedelta(days=30)
LIVE = timedelta(minutes=15)
MAX_LEAD = timedelta(days=1)  # how far a listing may be ahead of this machine's clock
CLOCK_TOLERANCE = timedelta(minutes=1)  # a note from further in the future comes from a wrong clock
_DAY = timedelta(days=1)
_RETRY = timedelta(minutes=1)
_MAX_REACH = timedelta(days=366)

# The age of a day that is no longer live, the interval between reads, and the first time after its midnight (UTC). The
# first row that fits counts. A listing costs one request (two with more than 100 papers, which never happened); the two
# live ones cost 8 an hour. To keep the total at 11, only the days of a weekend share an hour: in the last week each
# weekday has its own hour, and earlier each day has, as an interval of 25 hours moves it by one hour a day.
_PLAN: tuple[tuple[timedelta, timedelta, Callable[[date], timedelta]], ...] = (
    (timedelta(days=7), timedelta(hours=6), lambda day: timedelta(hours=min(day.weekday(), 5), minutes=20)),
    (WINDOW, timedelta(hours=25), lambda _: timedelta(minutes=50)),
)

_DAY_BEGINS = time(21, 30)  # in New York, on the evening before, by observation
_DAY_HAS_BEGUN = time(2, 30)  # UTC, in winter; in summer it begins an hour earlier

ListingDays = Mapping[date, ListingDay]


@dataclass(frozen=True, slots=True)
class ListingRequest:
    """A request for one listing: the Hub's of a day, unless `validator` still holds, or the saved one at `path`.

    `file` is what the archive remembers of that; with `papers` only these are asked for, as nothing there has changed.
    """

    day: date | None = None
    validator: str | None = None
    path: Path | None = None
    file: SavedFile | None = None
    papers: frozenset[str] | None = None


def begins(day: date) -> datetime:
    """Return the time when the Hub begins `day`, aware UTC; earlier it refuses to list it.

    On a machine without time zones, such as a slim container, this is the latest possible time.
    """
    try:
        evening = datetime.combine(day - _DAY, _DAY_BEGINS, ZoneInfo("America/New_York"))
    except ZoneInfoNotFoundError:
        return datetime.combine(day, _DAY_HAS_BEGUN, UTC)
    return evening.astimezone(UTC)


def hub_day(now: datetime) -> date:
    """Return the Hub's current day; `now` aware UTC."""
    today = now.date()
    return today if begins(today) <= now else today - _DAY


def due_days(days: ListingDays, now: datetime, *, force: bool = False) -> list[list[date]]:
    """Return the days to ask for, newest first, in batches for one transaction each; `now` aware UTC.

    Today (the Hub's current day) and the last listing day are due every 15 minutes, the last week every 6 hours, 30
    days back every 25, each in its own hour; missed days are due at once. With `force` all are due. In an empty archive
    the two newest come first, each alone, so that there is a feed after one answer.

    Days that were never read, before one that was, come last: each alone, so that a fill shows its progress and loses
    little if it is interrupted; and oldest first, for the same reason as in `missing_days`. But the last weekday comes
    before them, so that a fill that was interrupted on a weekend soon has papers.
    """
    due = [day for day, at in _due_times(days, now) if force or at <= now]
    read = {day for day, entry in days.items() if entry.good_at}
    today = hub_day(now)
    weekday = next(day for age in range(1, 4) if (day := today - age * _DAY).weekday() < 5)
    if not read:
        read = {today, weekday} & set(due)
        batches = [[day] for day in due if day in read]
    else:
        batches = [[day for day in due if day in read or day > max(read)]]
    unread = [day for day in reversed(due) if day not in read and day < max(read, default=date.max)]
    unread.sort(key=lambda day: day != weekday)
    return [batch for batch in (*batches, *([day] for day in unread)) if batch]


def next_due(days: ListingDays, now: datetime) -> datetime:
    """Return the time when the next day is due."""
    return min(at for _, at in _due_times(days, now))


def missing_days(days: ListingDays, since: date, until: date) -> list[date]:
    """Return the days from `since` to `until` without a good read after their end, oldest first.

    In this order a paper in two listings gets its date from the first, for good.
    """
    read = {day: entry.good_at.date() for day, entry in days.items() if entry.good_at}
    days_between = (since + timedelta(days=number) for number in range((until - since).days + 1))
    return [day for day in days_between if read.get(day, day) <= day]


def _due_times(days: ListingDays, now: datetime) -> list[tuple[date, datetime]]:
    """Return each day of the window, newest first, with the time when it is due."""
    today = hub_day(now)
    last = max((day for day, entry in days.items() if entry.count and day < today), default=None)
    read = [entry.good_at.date() for entry in days.values() if entry.good_at]
    reach = min(max(WINDOW, today - max(read, default=today)), _MAX_REACH)  # further back after a long rest
    window = [today - timedelta(days=age) for age in range(reach.days + 1)]
    entries = {today: days.get(today - _DAY), **days}  # a new day inherits the due time of the day before
    since = min(filter(None, (_read_at(entries.get(day), now) for day in window)), default=now)
    return [
        (day, _due_at(entries.get(day), *_cadence(day, is_live=day in (today, last), today=today), since, now))
        for day in window
    ]


def _cadence(day: date, *, is_live: bool, today: date) -> tuple[timedelta, datetime | None]:
    """Return the interval between reads of a day, and the first time; None for any time."""
    if not is_live:
        for age, every, offset in _PLAN:
            if today - day <= age:
                return every, midnight(day) + offset(day)
    return LIVE if is_live else WINDOW, None


def _due_at(
    entry: ListingDay | None, every: timedelta, first: datetime | None, since: datetime, now: datetime
) -> datetime:
    """Return the time when a day is due; after failures, the wait is as long as they have lasted.

    A day without any read has failed since it began, or since `since`, the first read of the others.
    """
    if entry is None or entry.asked_at is None or entry.asked_at - now > CLOCK_TOLERANCE:
        return now
    read_at = _read_at(entry, now)
    if read_at is None:
        due_at = min(entry.asked_at, max(since, begins(entry.day)))
    elif first is None:
        due_at = read_at + every
    else:
        due_at = first + every * max(0, (read_at - first) // every + 1)
    if entry.asked_at < due_at:
        return due_at
    return entry.asked_at + max(_RETRY, min(entry.asked_at - due_at, every))


def _read_at(entry: ListingDay | None, now: datetime) -> datetime | None:
    """Return the time of a day's last good read, unless a clock ahead of ours noted it."""
    return entry.good_at if entry and entry.good_at and entry.good_at - now <= CLOCK_TOLERANCE else None
