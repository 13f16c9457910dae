"""A round of refreshing, against a fake Hub and saved files: what is asked, stored, told and waited for."""

import json
import logging
import math
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from feedproxy.archive import Archive
from feedproxy.errors import ArchiveError, ListingError, UpstreamError
from feedproxy.listing import parse
from feedproxy.papers import Listing, ListingDay
from feedproxy.query import Query
from feedproxy.refresh import Outcome, Refresher, backfill_days, utc_now
from feedproxy.upstream import Ask, Hub, Known, Saved
from tests import hub as fake
from tests.conftest import Clock
from tests.hub import Answer
from tests.made_up import DAY, api, entries, entry, paper_id

YESTERDAY = DAY - timedelta(days=1)
WAIT = 10.0


class Timer:
    """Seconds that stand still until told to pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def refresher(hub: fake.Hub, archive: Archive, clock: Clock, timer: Timer) -> Iterator[Refresher]:
    """A refresher that asks the fake Hub without pauses."""
    made = Refresher(Hub(hub.url, pace=0), archive, clock, timer)
    yield made
    hub.gate.set()
    finish()


def finish() -> None:
    """Wait until no round runs in the background."""
    for thread in threading.enumerate():
        if thread.name == "refresh":
            thread.join()


def held(archive: Archive) -> list[str]:
    """Return the id of every paper in the archive, sorted."""
    return sorted(found.paper.id for found in archive.search(Query()).entries)


def refused(status: int, **headers: str) -> Answer:
    return Answer(status, json.dumps({"error": "not now"}).encode(), headers)


# One round --------------------------------------------------------------------------------------


def test_first_round(hub: fake.Hub, refresher: Refresher, archive: Archive):
    """The first round asks for today and yesterday first, then for 30 days back."""
    hub.days = {DAY: entries(2), YESTERDAY: entries(3, first=11), DAY - timedelta(days=30): entries(1, first=21)}

    assert Outcome(31, 6, 6) == refresher.round()
    days = list(dict.fromkeys(day for day, _ in hub.asked()))
    assert [str(DAY - timedelta(days=age)) for age in range(31)] == days
    assert [1, 2, 11, 12, 13, 21] == [int(found[-2:]) for found in held(archive)]


def test_second_round(hub: fake.Hub, refresher: Refresher, archive: Archive, clock: Clock):
    """The next round asks for nothing, after 15 minutes for what is alive, and when forced for all."""
    hub.days = {DAY: entries(2), YESTERDAY: entries(1, first=11)}
    refresher.round()
    hub.requests.clear()

    assert (Outcome(0, 0, 0), []) == (refresher.round(), hub.requests)
    clock.tick(minutes=15)
    hub.days[DAY] = entries(3)
    assert Outcome(2, 4, 1) == refresher.round()
    assert {str(DAY), str(YESTERDAY)} == {day for day, _ in hub.asked()}
    assert 31 == refresher.round(force=True).listings


def test_unchanged_listing(hub: fake.Hub, refresher: Refresher, archive: Archive, clock: Clock):
    """A listing that did not change is good again without being sent again."""
    hub.script.append(Answer(body=api(entries(2)), headers={"ETag": '"made-up"'}))
    refresher.get([Ask(DAY)])
    hub.script.append(Answer(304, b"", {"ETag": '"made-up"'}))
    now = clock.tick(minutes=15)

    assert Outcome(1, 0, 0) == refresher.get([Ask(DAY, '"made-up"')])
    assert ListingDay(DAY, now, now, 2, '"made-up"') == archive.days()[DAY]


def test_problems_told(hub: fake.Hub, refresher: Refresher, archive: Archive):
    """A bad entry and a listing that cannot be read are told, and cost nothing else."""
    hub.days = {DAY: entries(2), YESTERDAY: entries(2, first=11)}
    hub.script += [Answer(400, b'{"error": "too early"}'), Answer(body=api([entry(11), entry(12, title="")])), Answer()]
    outcome = refresher.get([Ask(DAY), Ask(YESTERDAY)])

    told = ("127.0.0.1 answered 400 too early for 2026-03-10", f"skipped {paper_id(12)}: has no title")
    assert Outcome(1, 2, 1, told) == outcome
    assert "1 listing read, 2 papers in them, 1 new" == str(outcome)
    assert [paper_id(11)] == held(archive)


def test_nothing_readable(hub: fake.Hub, refresher: Refresher, archive: Archive, clock: Clock):
    """Where no listing can be read, the round fails; the days count as asked for and not as read."""
    hub.standing = Answer(body=b"{}")

    with pytest.raises(ListingError, match=r"^127\.0\.0\.1 sent no listing for 2026-03-09: this JSON is no listing"):
        refresher.round()
    assert {day: ListingDay(day, clock.now) for day in (DAY, YESTERDAY)} == archive.days()


def test_failure_midway(hub: fake.Hub, refresher: Refresher, archive: Archive, caplog: pytest.LogCaptureFixture):
    """What came before a failure is stored, and what was wrong with it is told."""
    hub.script += [Answer(body=api([entry(1), {"paper": {"id": "bad"}}])), Answer(), refused(500)]

    with pytest.raises(UpstreamError, match=r"^127\.0\.0\.1 answered 500 not now$"):
        refresher.round()
    assert [paper_id(1)] == held(archive)
    assert ["skipped bad: its id is no arXiv identifier"] == [record.message for record in caplog.records]
    assert 3 == len(hub.requests)


def test_retry_after_failure(hub: fake.Hub, refresher: Refresher, archive: Archive, clock: Clock):
    """What failed is asked for again after a minute, and not before."""
    hub.standing = refused(500)
    with pytest.raises(UpstreamError):
        refresher.get([Ask(DAY - timedelta(days=age)) for age in range(31)])
    hub.requests.clear()
    hub.standing = None

    clock.tick(seconds=59)
    assert (0, []) == (refresher.round().listings, hub.requests)
    clock.tick(seconds=1)
    assert 31 == refresher.round().listings


def test_saved_round(tmp_path: Path, archive: Archive, clock: Clock):
    """Saved listings are one batch, and read once."""
    folder = tmp_path / "saved"
    folder.mkdir()
    for number in (1, 2):
        (folder / f"2026-03-0{number}.json").write_bytes(api(entries(2, day=date(2026, 3, number), first=number * 10)))
    (folder / "README").write_text("Read me")
    refresher = Refresher(Saved(folder), archive, clock)
    outcome = refresher.round()

    assert (2, 4, 4, 1) == (outcome.listings, outcome.papers, outcome.new, len(outcome.problems))
    assert Outcome(0, 0, 0) == refresher.round()


# In the background ------------------------------------------------------------------------------


def test_wait_for_first(hub: fake.Hub, archive: Archive, clock: Clock):
    """The first to ask waits for the two newest listings, and not for the other 29."""
    hub.days = {DAY: entries(2), YESTERDAY: entries(1, first=3)}
    rest = threading.Event()

    def sleep(_: float) -> None:
        if len(hub.requests) == 4:  # two listings, of two pages each
            rest.wait(WAIT)

    refresher = Refresher(Hub(hub.url, pace=WAIT, sleep=sleep), archive, clock)
    refresher.freshen()
    refresher.wait_until_filled(WAIT)

    assert [paper_id(1), paper_id(2), paper_id(3)] == held(archive)
    assert 4 == len(hub.requests)
    rest.set()
    finish()


def test_share_the_wait(hub: fake.Hub, refresher: Refresher, archive: Archive):
    """However many wait, there is one round."""
    hub.days = {DAY: entries(2)}
    hub.gate.clear()
    seen: list[int] = []

    def reader() -> None:
        refresher.freshen()
        refresher.wait_until_filled(WAIT)
        seen.append(len(held(archive)))

    readers = [threading.Thread(target=reader) for _ in range(5)]
    for waiting in readers:
        waiting.start()
    while not hub.requests:
        assert readers[0].is_alive()
    hub.gate.set()
    for waiting in readers:
        waiting.join()
    finish()

    assert [2] * 5 == seen
    assert 32 == len(hub.requests)


def test_filled_needs_no_wait(hub: fake.Hub, refresher: Refresher):
    """Where there are papers nobody waits, whatever the Hub does."""
    hub.days = {DAY: entries(1)}
    refresher.round()
    hub.standing = refused(500)

    refresher.wait_until_filled(0)


def test_pause_between_rounds(hub: fake.Hub, refresher: Refresher, timer: Timer, clock: Clock):
    """A round starts at most once a minute, and never while another runs."""
    hub.days = {DAY: entries(1)}
    refresher.freshen()
    finish()
    hub.requests.clear()
    clock.tick(days=1)

    timer.now = 59.9
    refresher.freshen()
    finish()
    assert [] == hub.requests

    timer.now = 60
    hub.gate.clear()
    refresher.freshen()
    timer.now = 600
    refresher.freshen()
    hub.gate.set()
    finish()
    assert 1 == sum(("2026-03-11", "0") == asked for asked in hub.asked())


@pytest.mark.parametrize(
    ("answer", "message", "wait"),
    [
        (refused(500), "127.0.0.1 answered 500 not now", 60),
        (refused(429, **{"Retry-After": "7"}), "127.0.0.1 answered 429 not now", 7),
        (
            Answer(body=b"{}"),
            "127.0.0.1 sent no listing for 2026-03-09: this JSON is no listing: it holds no array",
            60,
        ),
        (Answer(), "127.0.0.1 lists no papers", 60),
    ],
)
def test_hopeless_wait(hub: fake.Hub, refresher: Refresher, timer: Timer, answer: Answer, message: str, wait: int):
    """Once the round has failed nobody waits on; all are told why, and when to come again."""
    hub.standing = answer
    refresher.freshen()
    for passed in (0, 20.5):
        timer.now = passed
        refresher.freshen()
        with pytest.raises(UpstreamError) as raised:
            refresher.wait_until_filled(WAIT)
        assert str(raised.value).startswith(f"there are no papers yet: {message}")
        assert (wait if wait == 7 else math.ceil(wait - passed)) == raised.value.retry_after


def test_recovery(hub: fake.Hub, refresher: Refresher, archive: Archive, timer: Timer, clock: Clock):
    """The round after a failure makes it forgotten."""
    hub.standing = refused(500)
    refresher.freshen()
    finish()
    assert "127.0.0.1 answered 500 not now" == str(refresher.error)

    hub.standing, hub.days = None, {DAY: entries(1)}
    timer.now, _ = 60, clock.tick(seconds=60)
    refresher.freshen()
    refresher.wait_until_filled(WAIT)
    finish()
    assert (None, [paper_id(1)]) == (refresher.error, held(archive))


def test_long_wait(hub: fake.Hub, refresher: Refresher):
    """Who has waited long enough is told that the listing is still being read."""
    hub.gate.clear()
    refresher.freshen()

    with pytest.raises(UpstreamError) as raised:
        refresher.wait_until_filled(-1)
    assert "there are no papers yet: 127.0.0.1 is still being read" == str(raised.value)
    assert 10 == raised.value.retry_after


def test_waiting_for_another(refresher: Refresher, hub: fake.Hub, archive: Archive, clock: Clock):
    """Where another process has just asked for everything, its papers end the wait."""
    archive.asked([DAY - timedelta(days=age) for age in range(31)], clock.now)
    refresher.freshen()
    finish()

    with pytest.raises(UpstreamError, match=r"is still being read$"):
        refresher.wait_until_filled(-1)
    archive.store([parse(api(entries(1)), day=DAY)], clock.now)
    refresher.wait_until_filled(-1)
    assert [] == hub.requests


def test_broken_file_said_again(tmp_path: Path, archive: Archive, clock: Clock, timer: Timer):
    """A saved listing that cannot be read is named at every request, until it can be."""
    path = tmp_path / "listing.json"
    path.write_bytes(b"[")
    refresher = Refresher(Saved(path), archive, clock, timer)
    for timer.now in (0.0, 1.0, 61.0, 122.0):
        refresher.freshen()
        with pytest.raises(UpstreamError, match="the listing is broken JSON"):
            refresher.wait_until_filled(WAIT)

    path.write_bytes(api(entries(1)))
    timer.now = 200.0
    refresher.freshen()
    refresher.wait_until_filled(WAIT)
    finish()
    assert [paper_id(1)] == held(archive)


class _Given:
    """A source that gives one listing of today again and again, or raises what it was made with."""

    name = "given"

    def __init__(self, given: Any) -> None:
        self.given = given

    def due(self, known: Known, now: datetime, *, force: bool = False) -> list[list[Ask]]:
        return [[Ask(DAY)]]

    def get(self, ask: Ask, now: datetime) -> Listing:
        if isinstance(self.given, Exception):
            raise self.given
        return parse(api(self.given), day=DAY)


def test_logged_once(archive: Archive, clock: Clock, timer: Timer, caplog: pytest.LogCaptureFixture):
    """What is wrong with a listing is logged once, not at every round; what was read each time."""
    caplog.set_level(logging.INFO, "feedproxy.refresh")
    refresher = Refresher(_Given([entry(1), None]), archive, clock, timer)
    for timer.now in (0.0, 60.0):
        refresher.freshen()
        finish()

    assert [
        "skipped an entry without a name: holds no paper",
        "given: 1 listing read, 2 papers in them, 1 new",
        "given: 1 listing read, 2 papers in them, 0 new",
    ] == [record.message for record in caplog.records]


def test_unforeseen(archive: Archive, clock: Clock, caplog: pytest.LogCaptureFixture):
    """A defect ends a round, not the service: it is logged in full, and readers hear its kind."""
    refresher = Refresher(_Given(ZeroDivisionError("secret")), archive, clock)
    refresher.freshen()

    with pytest.raises(UpstreamError, match=r"^there are no papers yet: refresh failed: ZeroDivisionError$"):
        refresher.wait_until_filled(WAIT)
    finish()
    assert "ZeroDivisionError: secret" in caplog.text


def test_archive_trouble(tmp_path: Path, hub: fake.Hub, clock: Clock, caplog: pytest.LogCaptureFixture):
    """An archive that cannot be opened ends a round with its own words."""
    (tmp_path / "file").touch()
    refresher = Refresher(Hub(hub.url), Archive(str(tmp_path / "file" / "archive.sqlite")), clock)
    refresher.freshen()
    finish()

    assert isinstance(refresher.error, ArchiveError)
    assert [f"refresh failed: {refresher.error}"] == [record.message for record in caplog.records]
    with pytest.raises(ArchiveError):
        refresher.wait_until_filled(WAIT)


# Filling in the past ----------------------------------------------------------------------------


def test_backfill_days(refresher: Refresher, hub: fake.Hub, archive: Archive, clock: Clock):
    """To fill in are the days never read well since they were over, newest first."""
    first, until = date(2026, 3, 5), date(2026, 3, 10)
    assert [date(2026, 3, day) for day in (10, 9, 8, 7, 6, 5)] == backfill_days(first, until, archive)

    refresher.get([Ask(DAY), Ask(YESTERDAY)])  # the one of today is not over
    hub.standing = refused(500)
    with pytest.raises(UpstreamError):
        refresher.get([Ask(date(2026, 3, 8))])
    assert [date(2026, 3, day) for day in (10, 8, 7, 6, 5)] == backfill_days(first, until, archive)
    assert [] == backfill_days(YESTERDAY, YESTERDAY, archive)
    assert [] == backfill_days(until, first, archive)


def test_clock():
    """The time is aware UTC unless another clock is handed in."""
    assert UTC == utc_now().tzinfo
    assert utc_now() - datetime.now(UTC) < timedelta(minutes=1)
