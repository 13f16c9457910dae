"""Days, weeks and months: where they begin and end, what they are called, and when they are closed."""

from datetime import UTC, date, datetime, timedelta

import pytest

from feedproxy.periods import KINDS, Period, next_closing


@pytest.mark.parametrize(
    ("kind", "day", "start", "end", "code", "title", "closes_at"),
    [
        ("day", "2026-08-07", "2026-08-07", "2026-08-08", "2026-08-07", "Friday, 7 August 2026", "2026-08-09 03:00"),
        (
            "day",
            "2024-02-29",
            "2024-02-29",
            "2024-03-01",
            "2024-02-29",
            "Thursday, 29 February 2024",
            "2024-03-02 03:00",
        ),
        ("week", "2026-08-09", "2026-08-03", "2026-08-10", "2026-W32", "week 32, 2026", "2026-08-10 06:00"),
        ("week", "2027-01-03", "2026-12-28", "2027-01-04", "2026-W53", "week 53, 2026", "2027-01-04 06:00"),
        ("week", "2024-12-31", "2024-12-30", "2025-01-06", "2025-W01", "week 1, 2025", "2025-01-06 06:00"),
        ("month", "2026-02-28", "2026-02-01", "2026-03-01", "2026-02", "February 2026", "2026-03-02 03:00"),
        ("month", "2026-12-01", "2026-12-01", "2027-01-01", "2026-12", "December 2026", "2027-01-02 03:00"),
    ],
)
def test_period(kind: str, day: str, start: str, end: str, code: str, title: str, closes_at: str) -> None:
    """A day, an ISO week and a month have the first and last day, the names and the closing of the documents."""
    period = Period.of(kind, date.fromisoformat(day))
    assert (date.fromisoformat(start), date.fromisoformat(end)) == (period.start, period.end)
    assert (code, title) == (period.code, period.title)
    assert datetime.fromisoformat(closes_at).replace(tzinfo=UTC) == period.closes_at


@pytest.mark.parametrize("kind", KINDS)
def test_every_day_is_in_one_period(kind: str) -> None:
    """Periods follow each other without a gap, and each contains its days and no other."""
    period = Period.of(kind, date(2023, 5, 4))
    while period.start < date(2028, 3, 1):
        assert {period} == {Period.of(kind, day) for day in period.days}
        assert period.end == period.next.start
        assert period == period.next.previous
        period = period.next


def test_hub_pages() -> None:
    """The Hub has a page of every day, week and month, but none of a week 53."""
    day = date(2026, 8, 7)
    pages = {kind: Period.of(kind, day).hub_page for kind in KINDS}
    assert {
        "day": "https://huggingface.co/papers/date/2026-08-07",
        "week": "https://huggingface.co/papers/week/2026-W32",
        "month": "https://huggingface.co/papers/month/2026-08",
    } == pages
    assert Period.of("week", date(2026, 12, 31)).hub_page is None


def test_next_closing() -> None:
    """A day closes every morning, a week on Mondays, a month on the second of the next."""
    at, times = datetime(2026, 8, 30, 3, tzinfo=UTC), []
    for _ in range(4):
        at = next_closing(at)
        times.append(at)
    assert ["08-31 03:00", "08-31 06:00", "09-01 03:00", "09-02 03:00"] == [f"{time:%m-%d %H:%M}" for time in times]
    assert at == next_closing(at - timedelta(seconds=1))
