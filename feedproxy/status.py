"""What is known of refreshing in; whether all is well, and why not, out. Pure: the clock is handed in."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from statistics import median

from feedproxy.archive import Holdings, State, Tries
from feedproxy.papers import ListingDay
from feedproxy.text import plural

_LATE = timedelta(hours=1)  # without a good refresh; four times as long as the newest listing is good for
_MEMORY = timedelta(days=30)
_SHOWN = 14  # listing days
VERDICTS = ("fresh", "quiet", "broken", "empty")


@dataclass(frozen=True, slots=True)
class Status:
    """How things stand. Times aware UTC; `verdict` is one of `VERDICTS`, and `reason` says why in words.

    `failures` are those since the last good refresh; `listings` are the newest days asked for, newest first.
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
    state: State, tries: Tries, holdings: Holdings, days: Iterable[ListingDay], due_at: datetime, now: datetime
) -> Status:
    """Tell fresh from quiet from broken; `due_at` is when the next listing is due by plan."""
    known = sorted(days, key=lambda told: told.day, reverse=True)
    held = {told.day: told for told in known if told.good_at}
    verdict, reason = _verdict(state, tries, held, now, overdue=due_at <= now)
    return Status(
        verdict,
        reason,
        refreshed_at=state.refreshed_at,
        last_paper_at=holdings.last_paper_at,
        next_refresh_at=max(due_at, tries.retry_at) if tries.retry_at else due_at,
        error=tries.error,
        failed_at=tries.failed_at,
        failures=tries.failures,
        papers=holdings.papers,
        days=len(held),
        listings=tuple(known[:_SHOWN]),
    )


def _verdict(
    state: State, tries: Tries, held: dict[date, ListingDay], now: datetime, *, overdue: bool
) -> tuple[str, str]:
    late = overdue and (state.refreshed_at is None or now - state.refreshed_at > _LATE)
    if state.newest is None:
        return "empty", tries.error or "the first listing is still to come"
    if late:
        return "broken", tries.error or "nothing has refreshed the archive for over an hour"
    return _volume(held, now.date())


def _volume(held: dict[date, ListingDay], today: date) -> tuple[str, str]:
    """Judge by the usual: weekends are empty, and a listing fills in the course of its day."""
    usual = _usual(held, today)
    count = held[today].count if today in held else 0
    name = "" if usual is None else f"; {today:%A}s usually have {usual or 'none'}"
    if count:
        return "fresh", f"{plural(count, 'paper')} today{name}"
    before = next((day for day in _back(today) if _usual(held, day)), None)
    if before and not (held[before].count if before in held else 0):
        usually = plural(_usual(held, before) or 0, "paper")
        return "broken", f"the listing of {before} is empty, and {before:%A}s usually have {usually}"
    if not before and (last := max((day for day, told in held.items() if told.count), default=None)):
        return "quiet", f"no papers since {last}"
    return "quiet", f"no papers today yet{name}"


def _usual(held: dict[date, ListingDay], day: date) -> int | None:
    """Return the median count of the same weekday in the month before `day`, None where none is held."""
    counts = [held[past].count for past in _back(day) if past in held and past.weekday() == day.weekday()]
    return round(median(counts)) if counts else None


def _back(day: date) -> Iterable[date]:
    return (day - timedelta(days=age) for age in range(1, _MEMORY.days + 1))
