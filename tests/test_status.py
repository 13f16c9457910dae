"""The verdict: fresh, quiet, filling, broken or empty, by time, weekday and what was read."""

import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import lxml.html
import pytest

from feedproxy.archive import Archive
from feedproxy.archive.lease import Backoff
from feedproxy.archive.state import State, Stats
from feedproxy.ingest.parse import parse
from feedproxy.ingest.status import VERDICTS, Status, assess
from feedproxy.model import ListingDay
from tests.conftest import Clock
from tests.factories import DAY, api, entries
from tests.hub import Answer, Hub

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)  # a Tuesday
HELD = Stats(600, NOW - timedelta(hours=3))
NO_TRIES = Backoff()
FAILED = Backoff(3, "cannot reach the Hub: refused", NOW - timedelta(minutes=4), NOW + timedelta(minutes=2))


def month(**counts: int) -> list[ListingDay]:
    """Return 31 days read an hour ago: 27 papers on weekdays, none on weekends, but for the days named by their age."""
    days = []
    for age in range(31):
        day = DAY - timedelta(days=age)
        usual = 27 if day.weekday() < 5 else 0
        days.append(ListingDay(day, NOW, NOW, counts.get(f"ago{age}", usual)))
    return days


def judge(
    now: datetime = NOW, refreshed: float | None = 5, tries: Backoff = NO_TRIES, due: float = 10, **counts: int
) -> Status:
    """Assess an archive that was refreshed `refreshed` minutes ago, or never, and is due in `due` minutes."""
    refreshed_at = None if refreshed is None else now - timedelta(minutes=refreshed)
    state = State(1, refreshed_at, refreshed_at and HELD.last_paper_at, None)
    holdings = HELD if refreshed_at else Stats(0, None)
    return assess(state, tries, holdings, month(**counts), now + timedelta(minutes=due), now)


@pytest.mark.parametrize(
    ("status", "verdict", "reason"),
    [
        (judge(), "fresh", "27 papers today; Tuesdays usually have 27"),
        (judge(ago0=1), "fresh", "1 paper today; Tuesdays usually have 27"),
        (judge(ago0=0), "quiet", "no papers today yet; Tuesdays usually have 27"),
        (judge(tries=FAILED), "fresh", "27 papers today; Tuesdays usually have 27"),
        (judge(refreshed=59, due=0, tries=FAILED), "fresh", "27 papers today; Tuesdays usually have 27"),
        (judge(refreshed=61, due=0, tries=FAILED), "broken", "cannot reach the Hub: refused"),
        (judge(refreshed=61), "fresh", "27 papers today; Tuesdays usually have 27"),
        (judge(refreshed=61, due=0), "broken", "nothing has refreshed the archive for over an hour"),
        (judge(refreshed=None), "empty", "the first listing is still to come"),
        (judge(refreshed=None, tries=FAILED), "empty", "cannot reach the Hub: refused"),
    ],
)
def test_verdict(status: Status, verdict: str, reason: str) -> None:
    """A refresh that is due and late is broken; where refreshing works the listing of today decides."""
    assert (verdict, reason) == (status.verdict, status.reason)


def at(moment: str, *empty: str, today: int | None = None, refreshed: str = "", **options: object) -> Status:
    """Assess at `moment` an archive in which each day before was read, those `empty` (such as 12-25) without papers.

    `today` is the number of papers in today's listing, None where it was not asked for.
    """
    now = datetime.fromisoformat(f"{moment}+00:00")
    past = [now.date() - timedelta(days=age) for age in range(1, 40)]
    counts = {day: 0 if f"{day:%m-%d}" in empty or day.weekday() > 4 else 27 for day in past}
    counts |= {} if today is None else {now.date(): today}
    days = [ListingDay(day, now, now, count) for day, count in counts.items()]
    refreshed_at = datetime.fromisoformat(f"{refreshed}+00:00") if refreshed else now - timedelta(minutes=5)
    due_at = now if refreshed else now + timedelta(minutes=10)
    state = State(1, refreshed_at, refreshed_at, None)
    return assess(state, options.pop("tries", NO_TRIES), HELD, days, due_at, now, **options)  # type: ignore[arg-type]


JUST_NOW = datetime(2026, 3, 10, 11, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "verdict", "reason"),
    [
        # Weekends, and hours in which the Hub's day has not begun or its listing is still empty.
        (at("2026-03-14 12:00", today=0), "quiet", "no papers today yet; Saturdays usually have none"),
        (at("2026-03-15 12:00", today=0), "quiet", "no papers today yet; Sundays usually have none"),
        (at("2026-03-14 12:00", today=3), "fresh", "3 papers today; Saturdays usually have none"),
        (at("2026-03-09 00:30"), "quiet", "no papers today yet; Mondays usually have 27"),
        (at("2026-03-09 04:00", today=0), "quiet", "no papers today yet; Mondays usually have 27"),
        (at("2026-03-09 23:50", today=0), "quiet", "no papers today yet; Mondays usually have 27"),
        # Holidays: New Year, Christmas, Thanksgiving and the day after.
        (at("2026-01-01 12:00", today=0), "quiet", "no papers today yet; Thursdays usually have 27"),
        (
            at("2026-01-02 00:30", "01-01"),
            "quiet",
            "no papers today yet; Fridays usually have 27; no papers since 2025-12-31",
        ),
        (
            at("2025-12-26 12:00", "12-25", today=0),
            "quiet",
            "no papers today yet; Fridays usually have 27; no papers since 2025-12-24",
        ),
        (
            at("2025-12-29 01:00", "12-24", "12-25", "12-26"),
            "quiet",
            "no papers today yet; Mondays usually have 27; no papers since 2025-12-23",
        ),
        (
            at("2025-12-29 12:00", "12-24", "12-25", "12-26", today=9),
            "fresh",
            "9 papers today; Mondays usually have 27",
        ),
        (
            at("2026-11-28 12:00", "11-26", "11-27", today=0),
            "quiet",
            "no papers today yet; Saturdays usually have none; no papers since 2026-11-25",
        ),
        # Emptier than any holiday.
        (
            at("2025-12-30 01:00", "12-24", "12-25", "12-26", "12-29"),
            "broken",
            "no papers since 2025-12-23: the listings of 4 weekdays are empty",
        ),
        (
            at("2026-03-13 12:00", *(f"03-{day:02}" for day in range(2, 14)), today=0),
            "broken",
            "no papers since 2026-02-27: the listings of 9 weekdays are empty",
        ),
        (
            at("2026-03-31 12:00", *(f"{month:02}-{day:02}" for month in (2, 3) for day in range(1, 32)), today=0),
            "broken",
            "no papers on any day read: the listings of 27 weekdays are empty",
        ),
        # After three days without the service.
        (
            at("2026-03-10 12:00", today=3, refreshed="2026-03-07 12:00"),
            "broken",
            "nothing has refreshed the archive for over an hour",
        ),
        (
            at("2026-03-10 12:00", today=3, refreshed="2026-03-07 12:00", began_at=JUST_NOW),
            "fresh",
            "3 papers today; Tuesdays usually have 27",
        ),
        (
            at("2026-03-10 12:00", refreshed="2026-03-07 12:00", began_at=JUST_NOW, tries=FAILED),
            "broken",
            "cannot reach the Hub: refused",
        ),
        # A saved listing, however old.
        (
            at("2026-03-10 12:00", is_live=False),
            "fresh",
            "the saved listing, read 2026-03-10 11:55 UTC; its newest papers are of 2026-03-09",
        ),
        (
            at("2026-03-10 12:00", refreshed="2026-03-10 10:59", is_live=False, tries=FAILED),
            "broken",
            "cannot reach the Hub: refused",
        ),
    ],
)
def test_situations(status: Status, verdict: str, reason: str) -> None:
    """Neither a weekend, an early hour nor a holiday is broken; what fails, has stopped or is never so empty is."""
    assert (verdict, reason) == (status.verdict, status.reason)


@pytest.mark.parametrize(
    ("days", "tries", "verdict", "reason"),
    [
        ([], NO_TRIES, "filling", "0 of the last 30 days read"),
        ([ListingDay(DAY, NOW, NOW, 0)], NO_TRIES, "filling", "0 of the last 30 days read"),
        ([], FAILED, "empty", "cannot reach the Hub: refused"),
        (month()[:1], NO_TRIES, "filling", "0 of the last 30 days read"),
        (month()[:2], NO_TRIES, "filling", "1 of the last 30 days read"),
        (
            month()[:2],
            FAILED,
            "filling",
            "1 of the last 30 days read; the last try failed: cannot reach the Hub: refused",
        ),
        (month(), NO_TRIES, "fresh", "27 papers today; Tuesdays usually have 27"),
        (
            [replace(entry, good_at=None) if age in (3, 9) else entry for age, entry in enumerate(month())],
            NO_TRIES,
            "fresh",
            "27 papers today; Tuesdays usually have 27; 2 days of the last 30 cannot be read",
        ),
    ],
)
def test_first_minute(days: list[ListingDay], tries: Backoff, verdict: str, reason: str) -> None:
    """Until the last 30 days were read the archive is empty or filling, and nothing is judged by them."""
    newest = NOW if any(status.count for status in days) else None
    status = assess(State(1, newest, newest, None), tries, HELD, days, NOW, NOW, began_at=JUST_NOW)
    assert (verdict, reason) == (status.verdict, status.reason)


def test_verdicts_are_documented() -> None:
    """docs/monitoring.md says of each verdict what it means."""
    text = (Path(__file__).parents[1] / "docs" / "monitoring.md").read_text()
    assert list(VERDICTS) == re.findall(r"^\| \*(\w+)\* \|", text, re.MULTILINE)


def test_first_days() -> None:
    """Where nothing is usual yet, an empty day is quiet."""
    state = State(1, NOW, NOW, None)
    days = [ListingDay(date(2026, 3, 10), NOW, NOW, 0)]
    status = assess(state, Backoff(), HELD, days, NOW + timedelta(minutes=9), NOW)
    assert ("quiet", "no papers today yet") == (status.verdict, status.reason)


@pytest.mark.parametrize(
    ("path", "reached"),
    [
        ("/readyz", lambda response: response.status_code == 200),
        ("/status.json", lambda response: response.json()["papers"] == 5),
    ],
)
def test_asking_for_readiness_is_enough(
    serve: Callable[..., httpx.Client], hub: Hub, path: str, reached: Callable[[httpx.Response], bool]
) -> None:
    """A service that is only ever asked how it stands gets its papers all the same."""
    hub.days[DAY] = entries(5)
    client = serve(listing=hub.url)
    assert any(reached(client.get(path)) for _ in range(10_000))


def test_saved_listing_that_stays_as_it_is(serve: Callable[..., httpx.Client], clock: Clock, tmp_path: Path) -> None:
    """A saved listing is read again when it changes, and is well until then."""
    (tmp_path / "saved.json").write_bytes(api(entries(3)))
    client = serve(listing=str(tmp_path / "saved.json"))
    assert 200 == client.get("/feed.rss").status_code
    clock.tick(hours=30 * 24)
    status = client.get("/status.json").json()
    expected = "the saved listing, read 2026-03-10 12:00 UTC; its newest papers are of 2026-03-10"
    assert ("fresh", expected) == (status["verdict"], status["reason"])


def test_next_refresh() -> None:
    """After a failure the next refresh is not before the pause is over."""
    assert NOW + timedelta(minutes=10) == judge().next_refresh_at
    later = Backoff(9, "no", NOW, NOW + timedelta(minutes=15))
    assert NOW + timedelta(minutes=15) == judge(tries=later).next_refresh_at


def test_at_the_wire(serve: Callable[..., httpx.Client], hub: Hub, clock: Clock) -> None:
    """`/status` is a page for people and JSON for programs; `/readyz` says whether there are papers."""
    hub.days[DAY] = entries(5)
    client = serve(listing=hub.url)
    assert 200 == client.get("/feed.rss").status_code
    answers = (client.get("/status.json").json() for _ in range(10_000))
    status = next(status for status in answers if status["verdict"] != "filling")
    assert ("fresh", 5, None) == (status["verdict"], status["papers"], status["error"])
    assert status.keys() == client.get("/status", headers={"Accept": "application/json"}).json().keys()
    page = client.get("/status", headers={"Accept": "text/html,*/*;q=0.8"})
    assert ("text/html; charset=utf-8", "no-store") == (page.headers["Content-Type"], page.headers["Cache-Control"])
    assert (
        "Fresh: 5 papers today; Tuesdays usually have none"
        == lxml.html.fromstring(page.text).find_class("verdict")[0].text_content()
    )
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert (200, "ready\n") == (client.get("/readyz").status_code, client.get("/readyz").text)


def test_listing_days_at_the_wire(serve: Callable[..., httpx.Client], clock: Clock, tmp_path: Path) -> None:
    """`/status` shows the last 14 listing days: how many papers each had, and when it was last read."""
    days = [DAY - timedelta(days=age) for age in range(20)]
    counts = [5, 0, 2] + [1] * 17
    bodies = [api(entries(n, first=10 * age, day=days[age])) for age, n in enumerate(counts)]
    with closing(Archive(str(tmp_path / "served.sqlite"))) as archive:
        archive.store([parse(listing, day=day) for listing, day in zip(bodies, days, strict=True)], clock())
    client = serve(listing=str(tmp_path / "none.json"))
    read_at = "2026-03-10T12:00:00+00:00"
    expected = [{"day": str(day), "papers": n, "read_at": read_at} for day, n in zip(days, counts, strict=True)][:14]
    assert expected == client.get("/status.json").json()["listings"]
    html = lxml.html.fromstring(client.get("/status", headers={"Accept": "text/html"}).text)
    assert [str(day) for day in days[:14]] == html.xpath("//table[@id='listings']//th/time/@datetime")
    assert [read_at] * 14 == [f"{at[:-1]}+00:00" for at in html.xpath("//table[@id='listings']//td/time/@datetime")]
    assert list(map(str, counts[:14])) == html.xpath("//table[@id='listings']//tr/td[1]/text()")
    assert 2 == len(html.xpath("//table/caption"))


def test_day_that_was_never_read() -> None:
    """A listing day that was asked for and never read has neither a count nor a time."""
    days = [ListingDay(DAY, NOW), ListingDay(DAY - timedelta(days=1), NOW, NOW, 3)]
    status = assess(State(1, NOW, NOW, None), NO_TRIES, HELD, days, NOW, NOW).as_json()
    assert [
        {"day": "2026-03-10", "papers": None, "read_at": None},
        {"day": "2026-03-09", "papers": 3, "read_at": NOW.isoformat()},
    ] == status["listings"]
    assert 1 == status["days"]


def test_trouble_at_the_wire(serve: Callable[..., httpx.Client], hub: Hub, clock: Clock) -> None:
    """While there is nothing, `/status` still answers and says why, and `/readyz` is 503."""
    hub.standing = Answer(429, b'{"error": "slow down"}')
    client = serve(listing=hub.url)
    assert 503 == client.get("/feed.rss").status_code
    status = client.get("/status.json").json()
    assert ("empty", "127.0.0.1 answered 429 slow down", 0) == (status["verdict"], status["reason"], status["papers"])
    ready = client.get("/readyz")
    reason = "there are no papers yet: 127.0.0.1 answered 429 slow down\n"
    assert (503, reason) == (ready.status_code, ready.text)
    assert client.get("/feed.rss").headers["Retry-After"] == ready.headers["Retry-After"]


def test_missing_listing_at_the_wire(serve: Callable[..., httpx.Client], tmp_path) -> None:  # type: ignore[no-untyped-def]
    """`/status` answers where a saved listing is gone, without naming its path."""
    client = serve(listing=str(tmp_path / "gone"))
    client.get("/feed.rss")
    page = client.get("/status")
    assert 200 == page.status_code
    assert "the saved listing of this server cannot be used" in page.text
    assert str(tmp_path) not in page.text
