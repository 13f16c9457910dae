"""Which days are asked for and when: the younger a day, the sooner it is due again."""

import os
import subprocess
import sys
from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from feedproxy.ingest.schedule import begins, due_days, hub_day, next_due
from feedproxy.model import ListingDay
from tests.factories import DAY

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)  # a Tuesday


def read_before(*rows: tuple[int, timedelta, timedelta | None, int]) -> dict[date, ListingDay]:
    """Return the entries of days, from rows of age in days, time since it was asked for and read well, and papers."""
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
EACH = [[age] for age in EVERY]


def but(*rows: tuple[int, timedelta, timedelta | None, int]) -> dict[date, ListingDay]:
    """Return 31 days that were read just now, but for `rows`."""
    return read_before(*FRESH) | read_before(*rows)


@pytest.mark.parametrize(
    ("days_read", "force", "expected"),
    [
        # Nothing known: today and yesterday first, then the oldest, each alone.
        ({}, False, [[0], [1], *EACH[:1:-1]]),
        # Asked for and never read: the same, once a minute has passed.
        (read_before(*[(age, MINUTES[1], None, 0) for age in EVERY]), False, [[0], [1], *EACH[:1:-1]]),
        (read_before(*[(age, SECONDS_59, None, 0) for age in EVERY]), False, []),
        (read_before((0, NOTHING, None, 0)), False, [[1], *EACH[:1:-1]]),
        (read_before((0, NOTHING, None, 0), (1, NOTHING, None, 0)), False, EACH[:1:-1]),
        # A fill that was interrupted goes on.
        (read_before((0, NOTHING, NOTHING, 5)), False, [[1], *EACH[:1:-1]]),
        (read_before(*FRESH[:2], *FRESH[20:]), False, EACH[19:1:-1]),
        # … and one interrupted days ago; what was missed since then is no history, and stored with what is new.
        (
            read_before(*[(age, HOURS[20] * 4, HOURS[20] * 4, 5) for age in (3, 4, *EVERY[20:])]),
            False,
            [[0, 1, 2, 3, 4, *EVERY[20:]], *EACH[19:4:-1]],
        ),
        # All read.
        (but(), False, []),
        (but(), True, [EVERY]),
        # Today and the last listing day, every 15 minutes.
        (but((0, MINUTES[14], MINUTES[14], 0), (1, MINUTES[14], MINUTES[14], 5)), False, []),
        (but((0, MINUTES[15], MINUTES[15], 0), (1, MINUTES[15], MINUTES[15], 5)), False, [[0, 1]]),
        (but((1, MINUTES[15], MINUTES[15], 0), (4, MINUTES[15], MINUTES[15], 5)), False, [[4]]),
        (but((2, MINUTES[15], MINUTES[15], 5), (4, MINUTES[15], MINUTES[15], 5)), False, [[2]]),
        # The last week every 6 hours: Mondays at 0:20, Tuesdays at 1:20 and so on.
        (but((7, HOURS[4] + MINUTES[40], HOURS[4] + MINUTES[40], 0)), False, []),
        (but((7, HOURS[4] + MINUTES[41], HOURS[4] + MINUTES[41], 0)), False, [[7]]),
        (but((1, HOURS[5] + MINUTES[41], HOURS[5] + MINUTES[41], 0)), False, [[1]]),
        # 30 days every 25 hours: at 8:50 after 8 days, at 9:50 after 9; older never.
        (but((8, HOURS[3] + MINUTES[10], HOURS[3] + MINUTES[10], 0)), False, []),
        (but((8, HOURS[3] + MINUTES[11], HOURS[3] + MINUTES[11], 0)), False, [[8]]),
        (but((20, HOURS[16], HOURS[16], 0), (9, HOURS[3], HOURS[3], 0)), False, [[9]]),
        (but((31, NOW - datetime(2020, 1, 1, tzinfo=UTC), None, 9)), False, []),
        (but((31, HOURS[24] * 9, HOURS[24] * 9, 9)), True, [EVERY]),
        # After a rest all at once.
        (read_before(*[(age, HOURS[25], HOURS[25], 5) for age in EVERY]), False, [EVERY]),
        # A failed try, again after a minute, and then after as long as it has been failing.
        (but((0, SECONDS_59, MINUTES[15] + SECONDS_59, 5)), False, []),
        (but((0, MINUTES[1], MINUTES[16], 5)), False, [[0]]),
        (but((0, MINUTES[2], MINUTES[19], 5)), False, [[0]]),
        (but((0, MINUTES[2], MINUTES[20], 5)), False, []),
        (but((0, MINUTES[3], MINUTES[21], 5)), False, [[0]]),
        (but((8, HOURS[1] + MINUTES[34], HOURS[4], 0)), False, []),
        (but((8, HOURS[1] + MINUTES[35], HOURS[4], 0)), False, [[8]]),
        # … but never longer than it waits after a good one.
        (but((0, MINUTES[14], HOURS[9], 5)), False, []),
        (but((0, MINUTES[15], HOURS[9], 5)), False, [[0]]),
        (but((20, HOURS[24], HOURS[24] * 9, 0)), False, []),
        (but((20, HOURS[25], HOURS[24] * 9, 0)), False, [[20]]),
        # One that failed before it was due, by force, is due when it was.
        (but((20, HOURS[4], HOURS[16], 0)), False, []),
        (but((8, HOURS[4], HOURS[5], 0)), False, [[8]]),
        # Never read: again after a minute, and then after as long as others have been read or it has lasted itself.
        (but((20, SECONDS_59, None, 0)), False, []),
        (but((20, MINUTES[1], None, 0)), False, [[20]]),
        (but((19, HOURS[3], HOURS[3], 0), (20, HOURS[1] + MINUTES[29], None, 0)), False, []),
        (but((19, HOURS[3], HOURS[3], 0), (20, HOURS[1] + MINUTES[30], None, 0)), False, [[20]]),
        (but((19, HOURS[16], HOURS[16], 0), (5, HOURS[6] - MINUTES[1], None, 0)), False, []),
        (but((19, HOURS[16], HOURS[16], 0), (5, HOURS[6], None, 0)), False, [[5]]),
        (but((19, HOURS[16], HOURS[16], 0), (0, MINUTES[14], None, 0)), False, []),
        (but((19, HOURS[16], HOURS[16], 0), (0, MINUTES[15], None, 0)), False, [[0]]),
        # A clock that was ahead: soon right again, or wrong by years.
        (but((0, timedelta(seconds=-60), timedelta(seconds=-60), 0)), False, []),
        (but((0, timedelta(seconds=-61), timedelta(seconds=-61), 0)), False, [[0]]),
        (but(*[(age, timedelta(days=-900), timedelta(days=-900), 5) for age in (3, 5)]), False, [[3, 5]]),
        # … and read well by that clock, then in vain by the right one.
        (but((0, SECONDS_59, timedelta(days=-1), 5)), False, []),
        (but((0, MINUTES[1], timedelta(days=-1), 5)), False, [[0]]),
        # Noted without ever having been asked for.
        ({DAY: ListingDay(DAY)} | read_before(*FRESH[1:]), False, [[0]]),
    ],
)
def test_due(days_read: dict[date, ListingDay], force: bool, expected: list[list[int]]):
    """The younger a day, the sooner it is due again."""
    batches = due_days(days_read, NOW, force=force)

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
    batches = due_days({}, datetime.fromisoformat(now).replace(hour=12, tzinfo=UTC))

    assert [[day] for day in first] == [[str(day) for day in batch] for batch in batches[:2]]
    assert (31, 31) == (len(batches), len({day for batch in batches for day in batch}))


def test_last_listing_day_on_monday():
    """On a Monday the listing of Friday is still alive."""
    monday = NOW - timedelta(days=1) + MINUTES[15]
    then = monday - MINUTES[20]
    days = [monday.date() - timedelta(days=age) for age in EVERY]
    days_read = {day: ListingDay(day, then, then, 9 if day.weekday() < 5 else 0) for day in days}

    assert [[date(2026, 3, 9), date(2026, 3, 6)]] == due_days(days_read, monday)


@pytest.mark.parametrize(
    ("days_read", "expected"),
    [
        ({}, NOTHING),
        (but(), MINUTES[15]),
        (but((0, MINUTES[5], MINUTES[5], 0)), MINUTES[10]),
        (but((7, HOURS[5], HOURS[5], 0)), -HOURS[4] - MINUTES[40]),
        (but((9, HOURS[1], HOURS[3], 0)), MINUTES[10]),
        (but((0, NOTHING, MINUTES[24], 0)), MINUTES[9]),
        (but((9, NOTHING, None, 0)), MINUTES[1]),
    ],
)
def test_next_due(days_read: dict[date, ListingDay], expected: timedelta):
    """The next look is when the first day is due, which may have passed."""
    assert NOW + expected == next_due(days_read, NOW)


@pytest.mark.parametrize(
    ("day", "beginning"),
    [
        ("2026-07-15", "2026-07-15T01:30"),
        ("2026-01-15", "2026-01-15T02:30"),
        ("2026-03-08", "2026-03-08T02:30"),  # clocks go forward at 2:00, after the day has begun
        ("2026-03-09", "2026-03-09T01:30"),
        ("2026-11-01", "2026-11-01T01:30"),
        ("2026-11-02", "2026-11-02T02:30"),
    ],
)
def test_beginning(day: str, beginning: str):
    """The Hub's day begins at 21:30 in New York on the evening before, in summer and in winter."""
    begin = datetime.fromisoformat(beginning).replace(tzinfo=UTC)

    assert begin == begins(date.fromisoformat(day))
    assert (date.fromisoformat(day), timedelta(days=1)) == (
        hub_day(begin),
        hub_day(begin) - hub_day(begin - timedelta(seconds=1)),
    )


def test_beginning_without_zones():
    """A machine that knows no zones waits for a new day until it has begun in winter too."""
    script = "from datetime import date; from feedproxy.ingest.schedule import begins; print(begins(date(2026, 7, 15)))"
    environment = os.environ | {"PYTHONTZPATH": "", "PYTHONPATH": os.pathsep.join([*sys.path, str(Path.cwd())])}
    command = [sys.executable, "-c", f"import sys; sys.modules['tzdata'] = None; {script}"]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    assert "2026-07-15 02:30:00+00:00\n" == process.stdout


@pytest.mark.parametrize("now", ["2026-03-11T00:00", "2026-03-11T01:29"])
@pytest.mark.parametrize("force", [False, True])
def test_day_not_begun(now: str, force: bool):
    """A day that the Hub has not begun is not asked for, not even by force; the one before is alive until then."""
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    days = [DAY - timedelta(days=age) for age in EVERY]
    days_read = {day: ListingDay(day, moment - MINUTES[15], moment - MINUTES[15], 5) for day in days}

    for read_before in ({}, days_read):
        assert DAY == due_days(read_before, moment, force=force)[0][0]


def test_turn_of_the_day():
    """A new day is first asked for when the day before would have been, and at once where that was long ago."""
    late, turn = datetime(2026, 3, 11, 1, 22, tzinfo=UTC), datetime(2026, 3, 11, 1, 30, tzinfo=UTC)
    days = [DAY - timedelta(days=age) for age in EVERY]
    days_read = {day: ListingDay(day, late, late, 0) for day in days}
    asleep = days_read | {DAY: ListingDay(DAY, late - HOURS[2], late - HOURS[2], 0)}

    assert late + MINUTES[15] == next_due(days_read, late) == next_due(days_read, turn)
    assert [] == due_days(days_read, turn)
    assert [[turn.date()]] == due_days(days_read, late + MINUTES[15])
    assert [[turn.date(), DAY]] == due_days(asleep, turn)


def test_new_day_in_vain():
    """A day that cannot be read from its beginning on is tried ever more rarely, every 15 minutes in the end."""
    now = turn = datetime(2026, 3, 11, 1, 30, tzinfo=UTC)
    days = [turn.date() - timedelta(days=age) for age in EVERY]
    days_read = {day: ListingDay(day, turn, turn, 0) for day in days} | {days[0]: ListingDay(days[0], turn)}
    tries = []
    while now < turn + HOURS[1]:
        now = next_due(days_read, now)
        due = [day for batch in due_days(days_read, now) for day in batch]
        tries += [(now - turn) // MINUTES[1]] * (days[0] in due)
        days_read |= {day: ListingDay(day, now, None if day == days[0] else now) for day in due}

    assert [1, 2, 4, 8, 16, 31, 46, 61] == tries


def steady(filled: datetime, holidays: list[date]) -> list[datetime]:
    """Return when requests are made in the week after the first fill: one a listing.

    Every day fills at five, Saturdays, Sundays and `holidays` never.
    """
    days_read, now, requests = dict[date, ListingDay](), filled, list[datetime]()
    while now < filled + timedelta(days=7):
        for day in [day for batch in due_days(days_read, now) for day in batch]:
            full = day.weekday() < 5 and day not in holidays and now >= datetime(*day.timetuple()[:3], 5, tzinfo=UTC)
            requests.append(now)
            days_read[day] = ListingDay(day, now, now, 27 * full)
        now = max(next_due(days_read, now), now + timedelta(seconds=1))
    return [moment for moment in requests if moment > filled]


@pytest.mark.parametrize(
    ("filled", "holidays"),
    [(NOW, []), (NOW + timedelta(days=4, hours=11, minutes=53), [date(2026, 3, 16), date(2026, 3, 20)])],
)
def test_steady(filled: datetime, holidays: list[date]):
    """What falls due is spread: in no hour, whenever it begins, are there more than 11 requests."""
    requests = steady(filled, holidays)
    hours = [bisect_left(requests, moment + HOURS[1]) - number for number, moment in enumerate(requests)]

    assert 11 == max(hours)
    assert 8 < len(requests) / (24 * 7) < 10
