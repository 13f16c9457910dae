"""What is known of refreshing in; whether all is well, and why not, out. Pure: the clock is handed in."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from statistics import median

from feedproxy.archive import Stats
from feedproxy.archive.lease import Backoff
from feedproxy.archive.state import State
from feedproxy.model import ListingDay
from feedproxy.text import plural

_LATE = timedelta(hours=1)  # without a good refresh; four times as long as the newest listing is good for
_MEMORY = timedelta(days=30)
_SHOWN = 14  # listing days
_LONGEST_HOLIDAY = 3  # weekdays in a row without papers: Christmas at its longest
VERDICTS = ("fresh", "quiet", "filling", "broken", "empty")


@dataclass(frozen=True, slots=True)
class Status:
    """How things stand. Times aware UTC; `verdict` is one of `VERDICTS`, and `reason` says why in words.

    `failures` are those since the last good refresh; `listings` are the newest days asked for, newest first; `problems`
    what is wrong with the archive, in words.
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
    problems: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return the fields with times as RFC 3339 text."""
        listings = [
            {"day": str(told.day), "papers": told.count if told.good_at else None, "read_at": _text(told.good_at)}
            for told in self.listings
        ]
        return {name: _text(value) for name, value in asdict(self).items()} | {"listings": listings}


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def assess(
    state: State,
    tries: Backoff,
    holdings: Stats,
    days: Iterable[ListingDay],
    due_at: datetime,
    now: datetime,
    *,
    is_live: bool = True,
    began_at: datetime | None = None,
) -> Status:
    """Tell fresh from quiet from broken; `due_at` is when the next listing is due by plan.

    `is_live` is false for a saved listing, which brings nothing new. `began_at` is when this process began to refresh:
    what was missed while nothing ran is no trouble yet.
    """
    known = {told.day: told for told in sorted(days, key=lambda told: told.day, reverse=True)}
    held = {day: told.count for day, told in known.items() if told.good_at}
    refreshed_at = state.refreshed_at
    resting_since = max(filter(None, (refreshed_at, None if tries.failures else began_at)), default=None)
    late = due_at <= now and (resting_since is None or now - resting_since > _LATE)
    missing = [day for day in _back(now.date()) if day not in known] if due_at <= now else []
    if state.newest_entry_at is None:
        begun = "being read" if began_at else "still to come"
        verdict, reason = "empty", tries.error or f"the first listing is {begun}"
    elif late:
        verdict, reason = "broken", tries.error or "nothing has refreshed the archive for over an hour"
    elif not is_live:
        verdict, reason = "fresh", _saved(held, refreshed_at)
    elif missing:
        read, error = _MEMORY.days - len(missing), f"; the last try failed: {tries.error}" if tries.error else ""
        verdict, reason = "filling", f"{read} of the last {plural(_MEMORY.days, 'listing day')} read so far{error}"
    else:
        over = {day for day, told in known.items() if told.good_at and told.good_at.date() > day}
        verdict, reason = _volume(held, over, now.date())
    return Status(
        verdict,
        reason,
        refreshed_at=refreshed_at,
        last_paper_at=holdings.last_paper_at,
        next_refresh_at=max(due_at, tries.retry_at) if tries.retry_at else due_at,
        error=tries.error,
        failed_at=tries.failed_at,
        failures=tries.failures,
        papers=holdings.papers,
        days=len(held),
        listings=tuple(known.values())[:_SHOWN],
    )


def _saved(held: Mapping[date, int], read_at: datetime | None) -> str:
    last = _last(held)
    when = f", read {read_at:%Y-%m-%d %H:%M} UTC" if read_at else ""
    return f"the saved listing{when}{f'; its newest papers are of {last}' if last else ''}"


def _volume(held: Mapping[date, int], over: Collection[date], today: date) -> tuple[str, str]:
    """Judge by the papers of each day read, of which those in `over` were read when they were over.

    Weekends and holidays are empty, and a listing fills in the course of its day; no holiday lasts for days.
    """
    usual = _usual(held, today)
    name = "" if usual is None else f"; {today:%A}s usually have {usual or 'none'}"
    if count := held.get(today):
        return "fresh", f"{plural(count, 'paper')} today{name}"
    last = _last(held)
    empty = [day for day in held if day in over and day < today and day.weekday() < 5 and (not last or day > last)]
    since = f"no papers since {last}" if last else "no papers on any day read"
    if len(empty) > _LONGEST_HOLIDAY:
        return "broken", f"{since}: the listings of {len(empty)} weekdays are empty"
    return "quiet", f"no papers today yet{name}{f'; {since}' if empty else ''}"


def _last(held: Mapping[date, int]) -> date | None:
    return max((day for day, count in held.items() if count), default=None)


def _usual(held: Mapping[date, int], day: date) -> int | None:
    """Return the median count of the same weekday in the month before `day`, None where none is held."""
    counts = [held[past] for past in _back(day) if past in held and past.weekday() == day.weekday()]
    return round(median(counts)) if counts else None


def _back(day: date) -> Iterable[date]:
    return (day - timedelta(days=age) for age in range(1, _MEMORY.days + 1))
