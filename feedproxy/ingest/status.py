"""The state of the archive and of refreshing in; a verdict and its reason out. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from statistics import median

from feedproxy.archive.lease import Backoff
from feedproxy.archive.state import State, Stats
from feedproxy.model import ListingDay
from feedproxy.text import plural

_LATE = timedelta(hours=1)  # without a good refresh; four intervals of the newest listing
_MONTH = timedelta(days=30)
_MAX_LISTINGS = 14  # days in a status
_LONGEST_HOLIDAY = 3  # weekdays in a row without papers: Christmas at its longest
VERDICTS = ("fresh", "quiet", "filling", "broken", "empty")


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of the first fill: how many of the last `total` days have been read."""

    read: int
    total: int

    def __str__(self) -> str:
        return f"{self.read} of the last {plural(self.total, 'day')} read"


@dataclass(frozen=True, slots=True)
class Status:
    """The status of refreshing. Times aware UTC; `verdict` is one of `VERDICTS`, and `reason` explains it.

    `failures` counts since the last good refresh; `listings` are the newest days, newest first; `problems` are those of
    the archive. There is `progress` while the verdict is `filling`.
    """

    verdict: str
    reason: str
    refreshed_at: datetime | None
    last_paper_at: datetime | None
    next_refresh_at: datetime | None
    error: str | None
    failed_at: datetime | None
    failures: int
    papers: int
    days: int
    listings: tuple[ListingDay, ...]
    progress: Progress | None = None
    problems: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return the fields with times as RFC 3339 text."""
        listings = [
            {"day": str(entry.day), "papers": entry.count if entry.good_at else None, "read_at": _text(entry.good_at)}
            for entry in self.listings
        ]
        return {name: _text(value) for name, value in asdict(self).items()} | {"listings": listings}


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def assess(
    state: State,
    backoff: Backoff,
    stats: Stats,
    days: Iterable[ListingDay],
    due_at: datetime,
    now: datetime,
    *,
    is_live: bool = True,
    began_at: datetime | None = None,
) -> Status:
    """Return the status; the next listing is due at `due_at`, and this process has refreshed since `began_at`.

    `is_live` is false for a saved listing, which brings nothing new. A gap from before `began_at` is not a failure yet.
    """
    entries = {entry.day: entry for entry in sorted(days, key=lambda entry: entry.day, reverse=True)}
    read = {day: entry for day, entry in entries.items() if entry.good_at}
    waiting_since = max(filter(None, (state.refreshed_at, None if backoff.failures else began_at)), default=None)
    is_due = due_at <= now
    progress = read_so_far(entries, now)
    is_filling = is_live and is_due and progress.read < progress.total
    if state.newest_entry_at is None and (backoff.error or not began_at or not is_filling):
        verdict = "empty", backoff.error or f"the first listing is {'being read' if began_at else 'still to come'}"
    elif is_due and (waiting_since is None or now - waiting_since > _LATE):
        verdict = "broken", backoff.error or "nothing has refreshed the archive for over an hour"
    elif not is_live:
        verdict = "fresh", _describe_saved(read, state.refreshed_at)
    elif is_filling:
        verdict = "filling", f"{progress}; the last try failed: {backoff.error}" if backoff.error else str(progress)
    else:
        verdict = _judge_counts(read, now.date())
        if unread := sum(day in entries and day not in read for day in _month_before(now.date())):
            verdict = verdict[0], f"{verdict[1]}; {plural(unread, 'day')} of the last {_MONTH.days} cannot be read"
    return Status(
        *verdict,
        refreshed_at=state.refreshed_at,
        last_paper_at=stats.last_paper_at,
        next_refresh_at=max(due_at, backoff.retry_at) if backoff.retry_at else due_at,
        error=backoff.error,
        failed_at=backoff.failed_at,
        failures=backoff.failures,
        papers=stats.papers,
        days=len(read),
        listings=tuple(entries.values())[:_MAX_LISTINGS],
        progress=progress if verdict[0] == "filling" else None,
    )


def read_so_far(days: Collection[date], now: datetime) -> Progress:
    """Return how many of the days before the one of `now` (aware UTC) are among `days`, which were asked for."""
    month = list(_month_before(now.date()))
    return Progress(sum(day in days for day in month), len(month))


def _describe_saved(read: Mapping[date, ListingDay], read_at: datetime | None) -> str:
    last = _last_with_papers(read)
    when = f", read {read_at:%Y-%m-%d %H:%M} UTC" if read_at else ""
    return f"the saved listing{when}{f'; its newest papers are of {last}' if last else ''}"


def _judge_counts(read: Mapping[date, ListingDay], today: date) -> tuple[str, str]:
    """Return verdict and reason by the number of papers of each day that was read.

    Weekends and holidays are empty, and a listing fills in the course of its day; no holiday lasts long.
    """
    counts = [read[day].count for day in _month_before(today) if day in read and day.weekday() == today.weekday()]
    usual = f"; {today:%A}s usually have {round(median(counts)) or 'none'}" if counts else ""
    if today in read and read[today].count:
        return "fresh", f"{plural(read[today].count, 'paper')} today{usual}"
    last = _last_with_papers(read)
    since = f"no papers since {last}" if last else "no papers on any day read"
    empty = sum(
        day < today and day.weekday() < 5 and (not last or day > last)
        for day, entry in read.items()
        if entry.good_at and entry.good_at.date() > day  # read after it was over
    )
    if empty > _LONGEST_HOLIDAY:
        return "broken", f"{since}: the listings of {empty} weekdays are empty"
    return "quiet", f"no papers today yet{usual}{f'; {since}' if empty else ''}"


def _last_with_papers(read: Mapping[date, ListingDay]) -> date | None:
    return max((day for day, entry in read.items() if entry.count), default=None)


def _month_before(day: date) -> Iterable[date]:
    return (day - timedelta(days=age) for age in range(1, _MONTH.days + 1))
