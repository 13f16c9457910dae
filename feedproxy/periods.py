"""Days, ISO weeks and months: their days, their names, and the time when each is closed. Pure; all times are UTC."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self

from feedproxy import HUB

KINDS = ("day", "week", "month")
_DAY = timedelta(days=1)


def midnight(day: date) -> datetime:
    """Return the beginning of `day`, UTC."""
    return datetime.combine(day, time(), UTC)


def next_closing(after: datetime) -> datetime:
    """Return the first time after `after` (aware UTC) at which a period closes."""
    recent = (Period.of(kind, after.date() - number * _DAY) for kind in KINDS for number in range(3))
    return min(period.closes_at for period in recent if period.closes_at > after)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A listing day, an ISO week (Monday to Sunday) or a month; `start` is its first day."""

    kind: str
    start: date

    @classmethod
    def of(cls, kind: str, day: date) -> Self:
        """Return the period of this kind that contains `day`."""
        start = {"day": day, "week": day - day.weekday() * _DAY, "month": day.replace(day=1)}[kind]
        return cls(kind, start)

    @property
    def end(self) -> date:
        """The first day after it."""
        if self.kind == "month":
            return (self.start.replace(day=28) + 4 * _DAY).replace(day=1)
        return self.start + {"day": 1, "week": 7}[self.kind] * _DAY

    @property
    def days(self) -> Iterator[date]:
        """Its days, oldest first."""
        return (self.start + number * _DAY for number in range((self.end - self.start).days))

    @property
    def closes_at(self) -> datetime:
        """The time from which on a refresh closes it (aware UTC).

        By then most of its votes are cast: a day's ten best are 91 % settled a day after it, a week's 92 % on Monday.
        """
        wait = {"day": timedelta(days=1, hours=3), "week": timedelta(hours=6), "month": timedelta(days=1, hours=3)}
        return midnight(self.end) + wait[self.kind]

    @property
    def next(self) -> Self:
        """The period after it."""
        return self.of(self.kind, self.end)

    @property
    def previous(self) -> Self:
        """The period before it."""
        return self.of(self.kind, self.start - _DAY)

    @property
    def code(self) -> str:
        """Its name in ISO 8601, such as 2026-08-07, 2026-W32 or 2026-08."""
        if self.kind == "week":
            year, week, _ = self.start.isocalendar()
            return f"{year}-W{week:02}"
        return str(self.start)[: 7 if self.kind == "month" else None]

    @property
    def title(self) -> str:
        """Its name in words, such as `Friday, 7 August 2026`, `week 32, 2026` or `August 2026`."""
        if self.kind == "week":
            year, week, _ = self.start.isocalendar()
            return f"week {week}, {year}"
        month = f"{_MONTHS[self.start.month - 1]} {self.start.year}"
        return month if self.kind == "month" else f"{_WEEKDAYS[self.start.weekday()]}, {self.start.day} {month}"

    @property
    def hub_page(self) -> str | None:
        """Its page on the Hub, which has none for a week 53."""
        if self.kind == "week" and self.code.endswith("W53"):
            return None
        return f"{HUB}/{'date' if self.kind == 'day' else self.kind}/{self.code}"


# Not strftime's, whose names depend on the locale.
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
