"""Which days are asked for and when: the younger a day, the sooner it is due again."""

from datetime import UTC, date, datetime, timedelta

import pytest

from feedproxy.papers import ListingDay
from feedproxy.upstream.plan import due_days, next_due
from tests.made_up import DAY

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)  # a Tuesday


def known(*rows: tuple[int, timedelta, timedelta | None, int]) -> dict[date, ListingDay]:
    """Return what is known of days: so many before NOW, asked so long ago, last good so long ago, its papers."""
    return {
        (day := NOW.date() - timedelta(days=age)): ListingDay(
            day, NOW - asked, None if good is None else NOW - good, count
        )
        for age, asked, good, count in rows
    }


MINUTES = [timedelta(minutes=count) for count in range(60)]
HOURS = [timedelta(hours=count) for count in range(26)]
NOTHING, SECONDS_59 = timedelta(0), timedelta(seconds=59)
FRESH = [(age, NOTHING, NOTHING, 0) for age in range(31)]
EVERY = list(range(31))


def but(*rows: tuple[int, timedelta, timedelta | None, int]) -> dict[date, ListingDay]:
    """Return 31 days that were read just now, but for `rows`."""
    return known(*FRESH) | known(*rows)


@pytest.mark.parametrize(
    ("told", "force", "expected"),
    [
        # Nothing known: today and yesterday first, each alone.
        ({}, False, [[0], [1], EVERY[2:]]),
        # Asked for and never read: the same, once a minute has passed.
        (known(*[(age, MINUTES[1], None, 0) for age in EVERY]), False, [[0], [1], EVERY[2:]]),
        (known(*[(age, SECONDS_59, None, 0) for age in EVERY]), False, []),
        (known((0, NOTHING, None, 0)), False, [[1], EVERY[2:]]),
        (known((0, NOTHING, None, 0), (1, NOTHING, None, 0)), False, [EVERY[2:]]),
        # One day read: the others in one batch.
        (known((0, NOTHING, NOTHING, 5)), False, [EVERY[1:]]),
        # All read.
        (but(), False, []),
        (but(), True, [EVERY]),
        # Today and the last listing day, every 15 minutes.
        (but((0, MINUTES[14], MINUTES[14], 0), (1, MINUTES[14], MINUTES[14], 5)), False, []),
        (but((0, MINUTES[15], MINUTES[15], 0), (1, MINUTES[15], MINUTES[15], 5)), False, [[0, 1]]),
        (but((1, MINUTES[15], MINUTES[15], 0), (4, MINUTES[15], MINUTES[15], 5)), False, [[4]]),
        (but((2, MINUTES[15], MINUTES[15], 5), (4, MINUTES[15], MINUTES[15], 5)), False, [[2]]),
        # The last week every 6 hours, 30 days once a day, older never.
        (but((7, HOURS[5], HOURS[5], 0), (1, HOURS[6], HOURS[6], 0)), False, [[1]]),
        (but((7, HOURS[6], HOURS[6], 0), (8, HOURS[6], HOURS[6], 0)), False, [[7]]),
        (but((8, HOURS[23], HOURS[23], 0), (30, HOURS[24], HOURS[24], 0)), False, [[30]]),
        (but((31, NOW - datetime(2020, 1, 1, tzinfo=UTC), None, 9)), False, []),
        (but((31, HOURS[24] * 9, HOURS[24] * 9, 9)), True, [EVERY]),
        # A failed try, again after a minute, and then after as long as it has been failing.
        (but((20, SECONDS_59, HOURS[24] + SECONDS_59, 0)), False, []),
        (but((20, MINUTES[1], HOURS[24] + MINUTES[1], 0)), False, [[20]]),
        (but((0, MINUTES[2], MINUTES[19], 5)), False, [[0]]),
        (but((0, MINUTES[2], MINUTES[20], 5)), False, []),
        (but((0, MINUTES[3], MINUTES[21], 5)), False, [[0]]),
        # … but never longer than it waits after a good one.
        (but((0, MINUTES[14], HOURS[9], 5)), False, []),
        (but((0, MINUTES[15], HOURS[9], 5)), False, [[0]]),
        (but((20, HOURS[23], HOURS[24] * 9, 0)), False, []),
        (but((20, HOURS[24], HOURS[24] * 9, 0)), False, [[20]]),
        # One that failed before it was due, by force, is due when it was.
        (but((20, HOURS[4], HOURS[23], 0)), False, []),
        (but((20, HOURS[4], HOURS[24], 0)), False, [[20]]),
        # Never read: again after a minute.
        (but((20, SECONDS_59, None, 0)), False, []),
        (but((20, MINUTES[1], None, 0)), False, [[20]]),
        # A clock that was ahead: soon right again, or wrong by years.
        (but((0, timedelta(seconds=-60), timedelta(seconds=-60), 0)), False, []),
        (but((0, timedelta(seconds=-61), timedelta(seconds=-61), 0)), False, [[0]]),
        (but(*[(age, timedelta(days=-900), timedelta(days=-900), 5) for age in (3, 5)]), False, [[3, 5]]),
        # … and read well by that clock, then in vain by the right one.
        (but((0, SECONDS_59, timedelta(days=-1), 5)), False, []),
        (but((0, MINUTES[1], timedelta(days=-1), 5)), False, [[0]]),
        # Noted without ever having been asked for.
        ({DAY: ListingDay(DAY)} | known(*FRESH[1:]), False, [[0]]),
    ],
)
def test_due(told: dict[date, ListingDay], force: bool, expected: list[list[int]]):
    """The younger a day, the sooner it is due again."""
    batches = due_days(told, NOW, force=force)

    assert expected == [[(NOW.date() - day).days for day in batch] for batch in batches]


@pytest.mark.parametrize(
    ("now", "first"),
    [
        ("2026-03-10", ["2026-03-10", "2026-03-09"]),
        ("2026-03-09", ["2026-03-09", "2026-03-06"]),
        ("2026-03-08", ["2026-03-08", "2026-03-06"]),
        ("2026-03-07", ["2026-03-07", "2026-03-06"]),
    ],
)
def test_first_days(now: str, first: list[str]):
    """The first round begins with today and the weekday before it: weekends have no listing."""
    batches = due_days({}, datetime.fromisoformat(now).replace(tzinfo=UTC))

    assert [[day] for day in first] == [[str(day) for day in batch] for batch in batches[:2]]
    assert (3, 31) == (len(batches), len({day for batch in batches for day in batch}))


def test_last_listing_day_on_monday():
    """On a Monday the listing of Friday is still alive."""
    monday = NOW - timedelta(days=1)
    then = monday - MINUTES[20]
    days = [monday.date() - timedelta(days=age) for age in EVERY]
    told = {day: ListingDay(day, then, then, 9 if day.weekday() < 5 else 0) for day in days}

    assert [[date(2026, 3, 9), date(2026, 3, 6)]] == due_days(told, monday)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, NOTHING),
        (but(), MINUTES[15]),
        (but((0, MINUTES[5], MINUTES[5], 0)), MINUTES[10]),
        (but((7, HOURS[5] + MINUTES[59], HOURS[5] + MINUTES[59], 0)), MINUTES[1]),
        (but((9, HOURS[1], HOURS[25], 0)), MINUTES[1] - HOURS[1]),
        (but((9, NOTHING, HOURS[24] + MINUTES[9], 0)), MINUTES[9]),
        (but((9, NOTHING, None, 0)), MINUTES[1]),
    ],
)
def test_next_due(told: dict[date, ListingDay], expected: timedelta):
    """The next look is when the first day is due, which may have passed."""
    assert NOW + expected == next_due(told, NOW)


def test_next_due_at_midnight():
    """A new day is due when it begins."""
    late = datetime(2026, 3, 10, 23, 52, tzinfo=UTC)
    days = [late.date() - timedelta(days=age) for age in EVERY]
    told = {day: ListingDay(day, late, late, 0) for day in days}

    assert datetime(2026, 3, 11, tzinfo=UTC) == next_due(told, late)
    assert [[date(2026, 3, 11)]] == due_days(told, datetime(2026, 3, 11, tzinfo=UTC))
