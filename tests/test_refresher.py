"""Refreshing from a fake Hub and saved files: requests, what is stored and reported, who waits, and for what."""

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, date, datetime, time, timedelta
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest

from feedproxy.archive import Archive
from feedproxy.archive.lease import CUT_OFF, Backoff, HeldLease, retry_pause
from feedproxy.errors import FeedproxyError, LeaseError, ListingError, UpstreamError
from feedproxy.ingest.http import Fetcher, Turn
from feedproxy.ingest.loop import RefreshLoop
from feedproxy.ingest.parse import parse
from feedproxy.ingest.refresher import Outcome, Refresher, utc_now
from feedproxy.ingest.schedule import missing_days
from feedproxy.ingest.source import Hub, ListingDays, ListingRequest, SavedListings
from feedproxy.model import Listing, ListingDay
from feedproxy.periods import Period
from feedproxy.query.parameters import Query, parse_query
from tests import hub as fake
from tests.conftest import Clock
from tests.factories import DAY, api, entries, entry, paper_id
from tests.hub import Answer

YESTERDAY = DAY - timedelta(days=1)
WAIT = 10.0
LEASE_LOST = "lost the refresh lease to another process; this batch was discarded"
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
forking = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def even() -> float:
    """Return the jitter that changes nothing."""
    return 0.5


class Disturbed(Hub):
    """A Hub that lets `happen` happen after the answer number `at` of each round."""

    def __init__(self, address: str, happen: Callable[[], object], at: int = 1) -> None:
        super().__init__(Fetcher(address, interval=0))
        self.happen, self.at, self.answers = happen, at, 0

    def get(self, request: ListingRequest, now: datetime) -> Listing:
        listing = super().get(request, now)
        self.answers += 1
        if self.answers == self.at:
            self.happen()
        return listing


class FixedSource:
    """A source that gives one listing of today again and again, or raises what it was made with."""

    name, has_all_days = "given", False

    def __init__(self, answer: Any, *, rest: timedelta = timedelta()) -> None:
        self.answer, self.rest, self.looks = answer, rest, 0
        self.rested = threading.Event()

    def keep_pace(self, turn: Turn) -> None:
        pass

    def due(self, days: ListingDays, now: datetime, *, force: bool = False) -> list[list[ListingRequest]]:
        return [[ListingRequest(DAY)]]

    def next_due(self, days: ListingDays, now: datetime) -> datetime:
        self.looks += 1
        self.rested.set()
        return now + self.rest

    def get(self, request: ListingRequest, now: datetime) -> Listing:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return parse(api(self.answer), day=DAY)


class Undecided(FixedSource):
    """A source that cannot even tell what is due."""

    def due(self, days: ListingDays, now: datetime, *, force: bool = False) -> list[list[ListingRequest]]:
        raise self.answer

    def next_due(self, days: ListingDays, now: datetime) -> datetime:
        raise self.answer


@pytest.fixture
def refresher(hub: fake.Hub, archive: Archive, clock: Clock) -> Refresher:
    """What refreshes from the fake Hub without pauses."""
    return Refresher(Hub(Fetcher(hub.url, interval=0)), archive, clock, even)


@pytest.fixture
def loop(hub: fake.Hub, refresher: Refresher) -> Iterator[RefreshLoop]:
    """The thread of that refresher."""
    loop = RefreshLoop(refresher)
    yield loop
    hub.gate.set()
    loop.stop()


@pytest.fixture
def another(hub: fake.Hub, open_archive: Callable[..., Archive], archive: Archive, clock: Clock) -> Refresher:
    """A refresher of the same archive, as in another process."""
    return Refresher(Hub(Fetcher(hub.url, interval=0)), open_archive(archive.address), clock, even)


def stored_ids(archive: Archive) -> list[str]:
    """Return the id of every paper in the archive, sorted."""
    return sorted(entry.paper.id for entry in archive.search(Query()).entries)


def entry_dates(archive: Archive) -> list[tuple[str, datetime]]:
    """Return the id of every paper in the archive and when it entered."""
    return sorted((entry.paper.id, entry.entered_at) for entry in archive.search(Query(limit=200)).entries)


def refusal(status: int, **headers: str) -> Answer:
    return Answer(status, json.dumps({"error": "not now"}).encode(), headers)


def refreshing() -> int:
    """Return how many threads of this process refresh."""
    return sum(thread.name == "refresh" for thread in threading.enumerate())


def in_a_fork(act: Callable[[], object]) -> int:
    """Do `act` in a fork of this process, and return how that ended; what `act` returns ends it, 1 if it raises."""
    child = os.fork()
    if not child:
        code = 1
        try:
            code = int(bool(act()))
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


# One round --------------------------------------------------------------------------------------


def test_first_round(hub: fake.Hub, refresher: Refresher, archive: Archive):
    """The first round asks for today and yesterday first, then for the 29 days before, oldest first."""
    hub.days = {DAY: entries(2), YESTERDAY: entries(3, first=11), DAY - timedelta(days=30): entries(1, first=21)}

    assert Outcome(31, 6, 6) == refresher.refresh_once()
    days = list(dict.fromkeys(day for day, _ in hub.asked()))
    assert [str(DAY - timedelta(days=age)) for age in (0, 1, *range(30, 1, -1))] == days
    assert [1, 2, 11, 12, 13, 21] == [int(name[-2:]) for name in stored_ids(archive)]


def test_second_round(hub: fake.Hub, refresher: Refresher, archive: Archive, clock: Clock):
    """The next round asks for nothing, after 15 minutes for what is alive, and when forced for all."""
    hub.days = {DAY: entries(2), YESTERDAY: entries(1, first=11)}
    refresher.refresh_once()
    hub.requests.clear()

    assert (Outcome(0, 0, 0), []) == (refresher.refresh_once(), hub.requests)
    clock.tick(minutes=15)
    hub.days[DAY] = entries(3)
    assert Outcome(2, 4, 1) == refresher.refresh_once()
    assert {str(DAY), str(YESTERDAY)} == {day for day, _ in hub.asked()}
    assert 31 == refresher.refresh_once(force=True).listings


def test_unchanged_listing(hub: fake.Hub, refresher: Refresher, archive: Archive, clock: Clock):
    """A listing that did not change is good again without being sent again."""
    hub.script.append(Answer(body=api(entries(2)), headers={"ETag": '"made-up"'}))
    refresher.fetch_and_store([ListingRequest(DAY)])
    hub.script.append(Answer(304, b"", {"ETag": '"made-up"'}))
    now = clock.tick(minutes=15)

    assert Outcome(1, 0, 0) == refresher.fetch_and_store([ListingRequest(DAY, '"made-up"')])
    assert ListingDay(DAY, now, now, 2, '"made-up"') == archive.days()[DAY]


def test_problems_told(hub: fake.Hub, refresher: Refresher, archive: Archive):
    """A bad entry and a listing that cannot be read are reported, and cost nothing else."""
    hub.days = {DAY: entries(2), YESTERDAY: entries(2, first=11)}
    hub.script += [
        Answer(400, b'{"error": "too early"}'),
        Answer(404),
        Answer(body=api([entry(11), entry(12, title="")])),
        Answer(),
    ]
    outcome = refresher.fetch_and_store([ListingRequest(DAY), ListingRequest(YESTERDAY)])

    problems = ("127.0.0.1 answered 400 too early for 2026-03-10", f"skipped {paper_id(12)}: has no title")
    assert Outcome(1, 1, 1, problems) == outcome
    assert "1 listing read, 1 paper in them, 1 new" == str(outcome)
    assert [paper_id(11)] == stored_ids(archive)


def test_nothing_readable(archive: Archive, clock: Clock, caplog: pytest.LogCaptureFixture):
    """Where no listing can be read, the round fails once all were tried; then all of it is asked for again."""

    class Unreadable(FixedSource):
        def due(self, days: ListingDays, now: datetime, *, force: bool = False) -> list[list[ListingRequest]]:
            return [[ListingRequest(DAY)], [ListingRequest(YESTERDAY), ListingRequest(YESTERDAY - timedelta(days=1))]]

        def get(self, request: ListingRequest, now: datetime) -> Listing:
            raise ListingError(f"nothing for {request.day}")

    with pytest.raises(ListingError, match=r"^nothing for 2026-03-08$"):
        Refresher(Unreadable([]), archive, clock).refresh_once()
    assert {"nothing for 2026-03-09", "nothing for 2026-03-10"} == set(caplog.messages)
    assert {} == archive.days()


def test_first_listing_unreadable(hub: fake.Hub, refresher: Refresher, archive: Archive):
    """A listing of today that cannot be read costs no other, in the first round neither."""
    hub.days = {YESTERDAY: entries(2)}
    hub.script += [Answer(400, b'{"error": "too early"}'), Answer(404)]
    outcome = refresher.refresh_once()

    assert outcome
    assert (30, ("127.0.0.1 answered 400 too early for 2026-03-10",)) == (outcome.listings, outcome.problems)
    assert [paper_id(1), paper_id(2)] == stored_ids(archive)


def test_failure_midway(hub: fake.Hub, refresher: Refresher, archive: Archive, caplog: pytest.LogCaptureFixture):
    """What came before a failure is stored, and its problems are logged."""
    hub.script += [Answer(body=api([entry(1), {"paper": {"id": "bad"}}])), Answer(), refusal(429)]

    with pytest.raises(UpstreamError, match=r"^127\.0\.0\.1 answered 429 not now$"):
        refresher.refresh_once()
    assert [paper_id(1)] == stored_ids(archive)
    assert ["skipped bad: its id is not an arXiv identifier"] == [record.message for record in caplog.records]
    assert 3 == len(hub.requests)


def test_failure_within_a_batch(hub: fake.Hub, refresher: Refresher, archive: Archive):
    """The listings of a batch that came before a failure are stored."""
    hub.script += [Answer(body=api(entries(1))), refusal(429)]

    with pytest.raises(UpstreamError, match=r"^127\.0\.0\.1 answered 429 not now$"):
        refresher.fetch_and_store([ListingRequest(DAY), ListingRequest(YESTERDAY)])
    assert [paper_id(1)] == stored_ids(archive)


def test_unread_day(hub: fake.Hub, refresher: Refresher, clock: Clock):
    """A day that cannot be read is asked for again after a minute, and not before."""
    hub.days = {YESTERDAY: entries(1)}
    hub.script += [Answer(400), Answer(404)]
    refresher.refresh_once()
    hub.requests.clear()

    clock.tick(seconds=59)
    assert (Outcome(), []) == (refresher.refresh_once(), hub.requests)
    clock.tick(seconds=1)
    assert Outcome(1) == refresher.refresh_once()


def test_saved_round(tmp_path: Path, archive: Archive, clock: Clock):
    """Saved listings are one batch, and read once."""
    folder = tmp_path / "saved"
    folder.mkdir()
    for number in (1, 2):
        (folder / f"2026-03-0{number}.json").write_bytes(api(entries(2, day=date(2026, 3, number), first=number * 10)))
    (folder / "README").write_text("Read me")
    refresher = Refresher(SavedListings(folder), archive, clock, even)
    outcome = refresher.refresh_once()

    assert (2, 4, 4, 1) == (outcome.listings, outcome.papers, outcome.new, len(outcome.problems))
    assert Outcome(0, 0, 0) == refresher.refresh_once()


# One at a time ----------------------------------------------------------------------------------


def test_together(hub: fake.Hub, another: Refresher, archive: Archive, clock: Clock):
    """Two that refresh one archive ask for each page once: while one is at it the other gets None."""
    hub.days = {DAY: entries(2), YESTERDAY: entries(1, first=11)}
    outcomes: list[Outcome | None] = []
    first = Refresher(Disturbed(hub.url, lambda: outcomes.append(another.refresh_once())), archive, clock)

    assert (Outcome(31, 3, 3), [None]) == (first.refresh_once(), outcomes)
    assert Outcome() == another.refresh_once()
    assert len(hub.asked()) == len(set(hub.asked()))


def test_beside_itself(hub: fake.Hub, archive: Archive, clock: Clock):
    """A round beside another of the same refresher, as from a second thread, gets None as well."""
    hub.days = {DAY: entries(1)}
    outcomes: list[Outcome | None] = []
    refresher = Refresher(Disturbed(hub.url, lambda: outcomes.append(refresher.refresh_once())), archive, clock)

    assert (Outcome(31, 1, 1), [None]) == (refresher.refresh_once(), outcomes)


@forking
def test_killed(hub: fake.Hub, another: Refresher, open_archive: Callable[..., Archive], tmp_path: Path, clock: Clock):
    """A holder that is killed costs one lease period, and nothing else."""
    hub.days = {DAY: entries(2), YESTERDAY: entries(1, first=11), DAY - timedelta(days=9): entries(1, first=21)}
    dying = Refresher(Disturbed(hub.url, lambda: os._exit(9), at=5), another.archive, clock)
    assert 9 == in_a_fork(dying.refresh_once)

    clock.tick(seconds=59)
    assert another.refresh_once() is None
    clock.tick(seconds=1)
    assert Outcome(27, 1, 1) == another.refresh_once()
    alone = Refresher(Hub(Fetcher(hub.url, interval=0)), open_archive(tmp_path / "alone.sqlite"), clock)
    alone.refresh_once()
    assert entry_dates(alone.archive) == entry_dates(another.archive)


def test_killed_after_a_long_rest(hub: fake.Hub, refresher: Refresher, archive: Archive, clock: Clock):
    """A holder killed after the machine slept for a day costs one lease period, not the patience of the plan."""
    hub.days = {DAY: entries(1)}
    refresher.refresh_once()
    archive.lease("killed", clock.tick(hours=25))

    assert refresher.refresh_once() is None
    clock.tick(seconds=60)
    assert Outcome(31, 1, 0) == refresher.refresh_once()


@pytest.mark.parametrize("at", [1, 5])
def test_frozen(
    hub: fake.Hub, another: Refresher, open_archive: Callable[..., Archive], tmp_path: Path, clock: Clock, at: int
):
    """A holder that wakes after its lease asks and stores nothing more, and keeps nobody out."""
    hub.days = {DAY: entries(2), YESTERDAY: entries(1, first=11), DAY - timedelta(days=4): entries(1, first=21)}

    requests = list[int]()

    def freeze() -> None:
        clock.tick(seconds=61)
        another.refresh_once()
        requests.append(len(hub.requests))

    frozen = Refresher(Disturbed(hub.url, freeze, at), open_archive(another.archive.address), clock)
    with pytest.raises(FeedproxyError, match=f"^{LEASE_LOST}$"):
        frozen.refresh_once()
    assert [len(hub.requests)] == requests
    assert Backoff(0, LEASE_LOST, clock()) == another.archive.backoff()
    assert Outcome() == another.refresh_once()
    assert Backoff() == another.archive.backoff()
    alone = Refresher(Hub(Fetcher(hub.url, interval=0)), open_archive(tmp_path / "alone.sqlite"), clock)
    alone.refresh_once()
    assert entry_dates(alone.archive) == entry_dates(another.archive)
    assert another.archive.state().revision > 0


def test_frozen_while_another_is_at_it(hub: fake.Hub, archive: Archive, clock: Clock):
    """A holder that wakes leaves the lease with the one who has it by then."""
    hub.days = {DAY: entries(1)}
    frozen = Refresher(Disturbed(hub.url, lambda: archive.lease("other", clock.tick(seconds=61)), 5), archive, clock)

    with pytest.raises(LeaseError):
        frozen.refresh_once()
    assert archive.lease("third", clock()) is None
    assert (1, CUT_OFF) == (archive.backoff().failures, archive.backoff().error)


def test_slow_source(hub: fake.Hub, archive: Archive, clock: Clock):
    """A round with an answer that takes longer than the lease is stored, where nobody else wanted it."""
    hub.days = {DAY: entries(1)}
    slow = Refresher(Disturbed(hub.url, lambda: clock.tick(seconds=90), at=5), archive, clock)

    assert Outcome(31, 1, 1) == slow.refresh_once()


def test_listing_that_takes_longer_than_a_lease(hub: fake.Hub, another: Refresher, archive: Archive, clock: Clock):
    """However long each listing takes, its holder keeps the lease while it works, and what it gets is stored."""
    hub.days = {DAY: entries(1), YESTERDAY: entries(1, first=11)}
    outcomes: list[Outcome | None] = []

    class Slow(Hub):
        """A Hub each of whose answers takes 100 seconds."""

        def get(self, request: ListingRequest, now: datetime) -> Listing:
            for _ in range(2):
                until = clock.tick(seconds=50) + timedelta(seconds=60)
                while lease_ends(archive) < until:
                    assert threading.active_count() > 1
                outcomes.append(another.refresh_once())
            return super().get(request, now)

    slow = Refresher(Slow(Fetcher(hub.url, interval=0)), archive, clock, prolong_every=0.001)
    assert Outcome(31, 2, 2) == slow.refresh_once()
    assert [None] * 62 == outcomes
    assert Backoff() == archive.backoff()


def lease_ends(archive: Archive) -> datetime:
    """Return when the lease of `archive` runs out."""
    with closing(sqlite3.connect(archive.address)) as db:
        return datetime.fromtimestamp(db.execute("SELECT until FROM lease").fetchone()[0], UTC)


def test_holder_that_hangs(archive: Archive, clock: Clock):
    """A lease is prolonged no more once its holder has done nothing for long."""
    token = archive.lease("hung", clock()) or 0
    with HeldLease(archive, token, clock, 0.001) as stored_ids:
        stored_ids._alive_until = 0
        stored_ids._thread.join(WAIT)
        assert not stored_ids._thread.is_alive()
        clock.tick(seconds=60)
        assert token + 1 == archive.lease("other", clock())
        with pytest.raises(LeaseError):
            stored_ids.check()


@pytest.mark.integration
@forking
def test_killed_again_and_again(hub: fake.Hub, another: Refresher, clock: Clock):
    """A refresh whose process is killed each time is tried ever more rarely, though none of them could say so."""
    hub.days = {DAY: entries(1)}
    dying = Refresher(Disturbed(hub.url, lambda: os._exit(9), at=5), another.archive, clock, even)
    tries, began = list[int](), clock()
    while clock() < began + timedelta(hours=1):
        before = len(hub.requests)
        in_a_fork(dying.refresh_once)
        tries += [int((clock() - began).total_seconds())] * (len(hub.requests) > before)
        clock.tick(seconds=30)

    assert [0, 60, 180, 360, 660, 1200, 2160, 3120] == tries
    clock.tick(hours=1)
    assert "was cut off" in (another.archive.backoff().error or "")
    assert Outcome(7, 1, 0) == another.refresh_once()  # the others were stored, each before a kill
    assert Backoff() == another.archive.backoff()


def test_stopped_in_the_middle(hub: fake.Hub, another: Refresher, archive: Archive, clock: Clock):
    """A server that ends in the middle of a refresh gives the lease back: the next need not wait for it."""
    hub.days = {DAY: entries(1)}
    reached, go_on = threading.Event(), threading.Event()

    def linger() -> None:
        reached.set()
        go_on.wait(WAIT)

    loop = RefreshLoop(Refresher(Disturbed(hub.url, linger, at=3), archive, clock))
    loop.start()
    assert reached.wait(WAIT)
    loop.stop(0)
    assert Outcome(29, 0, 0) == another.refresh_once()
    go_on.set()
    loop.stop()
    assert Backoff() == archive.backoff()


def test_one_pace_for_all(hub: fake.Hub, archive: Archive, open_archive: Callable[..., Archive], clock: Clock):
    """A refresh and a backfill beside it keep one pace together: ten requests at once, then one a second."""
    asked = list[datetime]()

    def sleep(seconds: float) -> None:
        clock.tick(seconds=seconds)

    hubs = [Hub(Fetcher(hub.url, interval=1, sleep=sleep)) for _ in range(2)]
    one, other = (Refresher(source, open_archive(archive.address), clock, prolong_every=9) for source in hubs)
    plain = hub.answer
    hub.answer = lambda request: asked.append(clock()) or plain(request)  # type: ignore[method-assign, func-returns-value]
    hub.days = {DAY: entries(1)}
    days = iter(missing_days({}, DAY - timedelta(days=90), DAY))
    original = hubs[0].get
    hubs[0].get = lambda ask, now: (other.fetch_and_store([ListingRequest(next(days))]), original(ask, now))[1]  # type: ignore[method-assign]
    one.refresh_once()

    assert 62 == len(asked)
    assert all(later - earlier >= SECOND for earlier, later in pairwise(asked[9:]))


@pytest.mark.integration
def test_round_of_long_listings(hub: fake.Hub, refresher: Refresher, archive: Archive):
    """What a first fill brings is stored day by day, while the round goes on with the days that are left."""
    stored_ids = list[int]()
    plain = hub.answer
    hub.answer = lambda request: stored_ids.append(archive.stats().papers) or plain(request)  # type: ignore[method-assign, func-returns-value]
    for age in range(9):
        day = DAY - timedelta(days=age)
        hub.days[day] = entries(100, first=200 * age + 1, day=day, summary="\ufdfa" * 800)

    assert Outcome(31, 900, 900) == refresher.refresh_once()
    assert list(range(0, 1000, 100)) == sorted({*stored_ids, archive.stats().papers})


@pytest.mark.integration
def test_folder_of_long_listings(tmp_path: Path, archive: Archive, clock: Clock):
    """A folder that holds more than is stored at once is read whole, and then not again until a file changes."""
    folder = tmp_path / "saved"
    folder.mkdir()
    for age in range(9):
        day = DAY - timedelta(days=age)
        listed = entries(100, first=200 * age + 1, day=day, summary="\ufdfa" * 800)
        (folder / f"{day}.json").write_bytes(api(listed))
    refresher = Refresher(SavedListings(folder), archive, clock)

    assert [Outcome(9, 900, 900), Outcome()] == [refresher.refresh_once(), refresher.refresh_once()]


# Saved listings and closings ----------------------------------------------------------------------


def test_files_that_do_not_change(tmp_path: Path, archive: Archive, clock: Clock) -> None:
    """A day is closed in time although its file was read at noon and nothing has changed since."""
    (tmp_path / f"{DAY}.json").write_bytes(api(entries(3)))
    clock.now = datetime.combine(DAY, time(12), UTC)
    loop, query = RefreshLoop(Refresher(SavedListings(tmp_path), archive, clock)), parse_query("digest=day")
    dates = []
    for _ in range(40):
        loop.tick()
        dates += [digest.entered_at for digest in archive.digests(query).entries if digest.entered_at not in dates]
        clock.tick(hours=1)

    closing = Period.of("day", DAY).closes_at
    assert [closing] == dates


# A clock that ran ahead ---------------------------------------------------------------------------


@pytest.mark.parametrize("changed", [False, True])
def test_saved_listing_read_by_a_clock_far_ahead(tmp_path: Path, archive: Archive, clock: Clock, changed: bool):
    """A saved listing that was read once by a clock ten years ahead dates nothing by it, then and later."""
    path, right = tmp_path / "listing.json", clock()
    path.write_bytes(api(entries(1)))
    Refresher(SavedListings(path), archive, clock).refresh_once()
    clock.tick(days=3652)
    if changed:
        path.write_bytes(api([entry(1, upvotes=9), entry(2)]))
    Refresher(SavedListings(path), archive, clock).refresh_once()
    clock.now = right + timedelta(days=1)
    path.write_bytes(api([entry(1, upvotes=10), entry(2), entry(3, day=DAY + timedelta(days=1))]))
    Refresher(SavedListings(path), archive, clock).refresh_once()

    listed = archive.search(Query(min_upvotes=10)).entries + archive.search(Query()).entries
    assert 4 == len(listed)
    assert max(entry.entered_at for entry in listed) <= right + timedelta(days=32)
    clock.tick(days=40)
    path.write_bytes(api([entry(4, day=clock().date())]))
    Refresher(SavedListings(path), archive, clock).refresh_once()
    assert clock() == archive.state().refreshed_at
    assert clock().replace(hour=0) == archive.search(Query()).entries[0].entered_at


def test_first_read_by_a_clock_far_ahead(tmp_path: Path, archive: Archive, clock: Clock):
    """Where the very first clock was ten years ahead, later papers are dated when they are seen."""
    path, right = tmp_path / "listing.json", clock()
    path.write_bytes(api(entries(1)))
    clock.tick(days=3652)
    Refresher(SavedListings(path), archive, clock).refresh_once()
    clock.now = right
    path.write_bytes(api([*entries(2), entry(3, day=YESTERDAY)]))
    Refresher(SavedListings(path), archive, clock).refresh_once()

    dates = dict(entry_dates(archive))
    assert right.replace(hour=0) == dates[paper_id(1)]
    assert [right, right + SECOND] == sorted(dates[paper_id(number)] for number in (2, 3))


def test_rest_of_years(tmp_path: Path, archive: Archive, clock: Clock):
    """After a rest of three years a saved listing of today is dated as ever; one of long ago by its listing."""
    path = tmp_path / "listing.json"
    path.write_bytes(api(entries(1)))
    Refresher(SavedListings(path), archive, clock).refresh_once()
    now = clock.tick(days=1100)
    path.write_bytes(api([entry(2, day=now.date())]))
    Refresher(SavedListings(path), archive, clock).refresh_once()

    assert now.replace(hour=0) == archive.search(Query()).entries[0].entered_at
    assert now == archive.state().refreshed_at


def test_first_round_beside_a_look(hub: fake.Hub, refresher: Refresher, archive: Archive):
    """The first papers are no failure while another thread still looks at the archive as it was before."""
    hub.days = {DAY: entries(1)}
    assert archive.cached_state().newest_entry_at is None
    with archive._watcher._looking:
        assert Outcome(31, 1, 1) == refresher.refresh_once()
    assert Backoff() == archive.backoff()


@pytest.mark.parametrize("how", [KeyboardInterrupt, SystemExit])
def test_interrupted(hub: fake.Hub, another: Refresher, archive: Archive, clock: Clock, how: type[BaseException]):
    """A round that is stopped gives the lease back at once, and is no failure."""
    hub.days = {DAY: entries(1)}
    with pytest.raises(how):
        Refresher(FixedSource(how()), archive, clock).refresh_once()

    assert Backoff() == archive.backoff()
    assert Outcome(31, 1, 1) == another.refresh_once()


def test_lease_cannot_be_given_back(open_archive: Callable[..., Archive], tmp_path: Path, clock: Clock):
    """The error is raised even if the archive can no longer note it."""

    def lose() -> None:
        archive.close()
        for path in tmp_path.glob("a.sqlite*"):
            path.unlink()
        (tmp_path / "a.sqlite").mkdir()

    class Losing(FixedSource):
        def get(self, request: ListingRequest, now: datetime) -> Listing:
            lose()
            return super().get(request, now)

    archive = open_archive(tmp_path / "a.sqlite")
    with pytest.raises(UpstreamError, match=r"^made up$"):
        Refresher(Losing(UpstreamError("made up")), archive, clock).refresh_once()


# Failures ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failures", "retry_after", "jitter", "seconds"),
    [
        (1, None, 0.5, 30),
        (2, None, 0.5, 60),
        (3, None, 0.5, 120),
        (5, None, 0.5, 480),
        (6, None, 0.5, 900),
        (10**9, None, 0.5, 900),
        (1, None, 0.0, 15),
        (1, None, 1.0, 45),
        (6, None, 1.0, 1350),
        (1, 14, 0.0, 15),
        (1, 16, 0.0, 16),
        (6, 100_000, 1.0, 100_000),
    ],
)
def test_retry_pause(failures: int, retry_after: int | None, jitter: float, seconds: float):
    """Each failure doubles the pause up to 15 minutes, jitter spreads it by half, Retry-After is never undercut."""
    assert timedelta(seconds=seconds) == retry_pause(failures, retry_after, jitter)


def test_failures_counted(hub: fake.Hub, refresher: Refresher, another: Refresher, archive: Archive, clock: Clock):
    """Failures in a row are counted whoever has them; success resets."""
    hub.standing = refusal(500)
    for failures, one in enumerate((refresher, another, refresher), 1):
        with pytest.raises(UpstreamError, match="answered 500 not now"):
            one.refresh_once()
        noted = clock()
        retry_at = noted + timedelta(seconds=15 * 2**failures)
        assert Backoff(failures, "127.0.0.1 answered 500 not now", noted, retry_at) == archive.backoff()
        clock.now = retry_at
    hub.standing, hub.days = None, {DAY: entries(1)}
    assert Outcome(31, 1, 1) == another.refresh_once()
    assert Backoff() == archive.backoff()


def test_retry_obeyed(hub: fake.Hub, refresher: Refresher, another: Refresher, clock: Clock):
    """After a failure nobody asks too early, except by force; until then `tick` looks every minute."""
    hub.standing = refusal(429, **{"Retry-After": "90"})
    clock.tick(seconds=0.9)
    with pytest.raises(UpstreamError):
        refresher.refresh_once()
    hub.requests.clear()

    assert MINUTE == RefreshLoop(another).tick()
    clock.tick(seconds=89.9)
    assert SECOND == RefreshLoop(another).tick()
    with pytest.raises(UpstreamError, match=r"^127\.0\.0\.1 answered 429 not now; the next try is in 1 s$") as raised:
        another.refresh_once()
    assert ([], 1) == (hub.requests, raised.value.retry_after)

    hub.standing, hub.days = None, {DAY: entries(1)}
    assert Outcome(31, 1, 1) == another.refresh_once(force=True)


def test_long_retry_after(archive: Archive, clock: Clock):
    """A wait of days is kept, where the source asks for one."""
    source = FixedSource(UpstreamError("made up", 200_000))
    loop = RefreshLoop(Refresher(source, archive, clock))
    loop.tick()
    clock.tick(seconds=199_999)
    loop.tick()
    assert 1 == source.looks
    clock.tick(seconds=1)
    loop.tick()
    assert (2, 2) == (source.looks, archive.backoff().failures)


def test_another_fails_first(archive: Archive, clock: Clock, caplog: pytest.LogCaptureFixture):
    """A process that finds another's failure, noted since it looked, logs nothing and waits as that one does."""
    other = Refresher(FixedSource(UpstreamError("made up", 30)), archive, clock)

    class Late(FixedSource):
        def next_due(self, days: ListingDays, now: datetime) -> datetime:
            with suppress(UpstreamError):
                other.refresh_once()
            return super().next_due(days, now)

    rest = RefreshLoop(Refresher(Late([]), archive, clock)).tick()
    assert (archive.backoff().retry_at, 1) == (clock() + rest, archive.backoff().failures)
    assert [] == caplog.messages


def test_too_soon_is_no_failure(refresher: Refresher, hub: fake.Hub, archive: Archive):
    """A round that comes too soon changes nothing of what was noted, and keeps nobody out."""
    hub.standing = refusal(500)
    messages = []
    for _ in range(3):
        with pytest.raises(UpstreamError) as raised:
            refresher.refresh_once()
        messages.append(str(raised.value))
    assert messages[1] == messages[2]
    assert 1 == archive.backoff().failures


# By itself --------------------------------------------------------------------------------------


def drive(loop: RefreshLoop, clock: Clock, duration: timedelta) -> int:
    """Let `loop` step for as long as that by its clock; return how many steps it took."""
    until, steps = clock() + duration, 0
    while clock() < until:
        rest = loop.tick()
        assert SECOND <= rest <= MINUTE
        clock.now += rest
        steps += 1
    return steps


def test_keeps_fresh(hub: fake.Hub, loop: RefreshLoop, archive: Archive, clock: Clock):
    """An hour of steady state: each living listing four times, another once, at most 11 requests, a look a minute."""
    hub.days = {DAY: entries(2), YESTERDAY: entries(1, first=11)}
    assert SECOND == loop.tick()
    hub.requests.clear()

    assert 60 <= drive(loop, clock, timedelta(hours=1, seconds=2)) <= 80
    assert {str(DAY), str(YESTERDAY), str(DAY - timedelta(days=12))} == {day for day, _ in hub.asked()}
    assert 9 == len(hub.requests)


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(days=1), timedelta(days=-2)])
def test_clock_jumps(hub: fake.Hub, loop: RefreshLoop, archive: Archive, clock: Clock, jump: timedelta):
    """A clock that jumps neither stops refreshing for more than a lease period or its plan, nor makes it busy.

    It jumps after a failure, and after another holder was killed.
    """
    days = [DAY + timedelta(days=age) for age in range(-40, 2)]
    hub.days = {day: entries(1, day=day, first=number) for number, day in enumerate(days)}
    loop.tick()
    clock.tick(minutes=15)
    hub.standing = refusal(429)
    loop.tick()
    hub.standing = None
    archive.lease("killed", clock())
    clock.now += jump
    hub.requests.clear()

    assert drive(loop, clock, timedelta(minutes=16, seconds=1)) <= 40
    assert str(clock.now.date()) in {day for day, _ in hub.asked()}
    assert len(hub.asked()) <= 31 * 2 + 8


def test_looks_again(loop: RefreshLoop, archive: Archive, clock: Clock):
    """While another is at it, `tick` looks every five seconds."""
    archive.lease("other", clock())
    assert timedelta(seconds=5) == loop.tick()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (FixedSource(UpstreamError("made up")), "made up"),
        (FixedSource(ListingError("made up")), "made up"),
        (FixedSource(ZeroDivisionError("secret")), "refresh failed: ZeroDivisionError"),
        (Undecided(UpstreamError("made up")), "made up"),
        (Undecided(ZeroDivisionError("secret")), None),
    ],
)
def test_step_raises_nothing(archive: Archive, clock: Clock, source: FixedSource, message: str | None):
    """Whatever goes wrong, `tick` rests and goes on; readers hear of it, in words for anybody."""
    loop = RefreshLoop(Refresher(source, archive, clock, even))
    assert timedelta(seconds=30) == loop.tick()
    assert message == archive.backoff().error


def test_unforeseen(archive: Archive, clock: Clock, caplog: pytest.LogCaptureFixture):
    """A defect is logged in full, and readers hear its kind."""
    loop = RefreshLoop(Refresher(FixedSource(ZeroDivisionError("secret")), archive, clock))
    loop.tick()

    with pytest.raises(UpstreamError, match=r"^there are no papers yet: refresh failed: ZeroDivisionError$"):
        loop.wait_for_papers(WAIT)
    assert "ZeroDivisionError: secret" in caplog.text


def test_archive_trouble(tmp_path: Path, hub: fake.Hub, clock: Clock, caplog: pytest.LogCaptureFixture):
    """An archive that cannot be opened is logged, and the Hub is not asked for what cannot be stored."""
    (tmp_path / "file").touch()
    loop = RefreshLoop(
        Refresher(Hub(Fetcher(hub.url)), Archive(str(tmp_path / "file" / "archive.sqlite")), clock, even)
    )

    assert timedelta(seconds=30) == loop.tick()
    assert [] == hub.requests
    assert [True] == [record.message.startswith("refresh failed: cannot open the archive") for record in caplog.records]


def test_logged_once(archive: Archive, clock: Clock, caplog: pytest.LogCaptureFixture):
    """What is wrong with a listing is logged once, not at every round; what was read each time."""
    caplog.set_level(logging.INFO, "feedproxy.ingest.loop")
    loop = RefreshLoop(Refresher(FixedSource([entry(1), None]), archive, clock))
    for _ in range(2):
        loop.tick()

    assert [
        "skipped an entry without a name: has no paper",
        "given: 1 listing read, 1 paper in them, 1 new, 1 left out",
        "given: 1 listing read, 1 paper in them, 0 new, 1 left out",
    ] == [record.message.partition(", in ")[0] for record in caplog.records]


def test_logged_memory(archive: Archive, clock: Clock, caplog: pytest.LogCaptureFixture):
    """What was logged is remembered until a thousand other problems were: no longer, or memory would run out."""
    source = FixedSource([])
    loop = RefreshLoop(Refresher(source, archive, clock))
    for first in (0, 0, *range(1, 1001, 10), 0):
        source.answer = [entry(99), *({"paper": {"id": f"bad {number}"}} for number in range(first, first + 10))]
        loop.tick()

    assert 2 == sum("skipped bad 0:" in record.message for record in caplog.records)


def test_logged_in_part(archive: Archive, clock: Clock, caplog: pytest.LogCaptureFixture):
    """Of 1,500 unusable entries the log names ten and the last, once, and counts the others."""
    listed = [entry(99), *({"paper": {"id": f"bad {number}"}} for number in range(1500))]
    loop = RefreshLoop(Refresher(FixedSource(listed), archive))
    for _ in range(2):
        loop.tick()

    expected = [f"skipped bad {number}: its id is not an arXiv identifier" for number in (*range(10), 1499)]
    assert [*expected[:10], "and 1,489 more", expected[10]] == caplog.messages


def test_start_twice(archive: Archive, clock: Clock):
    """However often it is started there is one thread; `stop` ends it, and it can be started again."""
    before = refreshing()
    source = FixedSource(entries(1), rest=MINUTE)
    loop = RefreshLoop(Refresher(source, archive, clock))
    loop.stop()
    for _ in range(2):
        loop.start()
        loop.start()
        assert before + 1 == refreshing()
        assert source.rested.wait(WAIT)
        loop.stop()
        assert before == refreshing()


def test_goes_on(archive: Archive, clock: Clock):
    """The thread takes step after step until it is stopped."""
    third = threading.Event()

    class Restless(RefreshLoop):
        steps = 0

        def tick(self) -> timedelta:
            self.steps += 1
            if self.steps == 3:
                third.set()
            return timedelta()

    loop = Restless(Refresher(FixedSource([]), archive, clock))
    loop.start()
    assert third.wait(WAIT)
    loop.stop()


def test_readers_come_first(archive: Archive, clock: Clock):
    """With papers in the archive, the thread rests before its first step."""
    archive.store([parse(api(entries(1)))], clock())
    source = FixedSource(entries(1), rest=MINUTE)
    loop = RefreshLoop(Refresher(source, archive, clock))
    loop.start()
    loop.stop()
    assert 0 == source.looks


def test_nothing_due(archive: Archive, clock: Clock, caplog: pytest.LogCaptureFixture):
    """A step that finds nothing to ask for rests a second and says nothing."""
    caplog.set_level(logging.INFO, "feedproxy.ingest.loop")

    class Idle(FixedSource):
        def due(self, days: ListingDays, now: datetime, *, force: bool = False) -> list[list[ListingRequest]]:
            return []

    assert (SECOND, []) == (RefreshLoop(Refresher(Idle([]), archive, clock)).tick(), caplog.records)


@forking
def test_start_after_a_fork(archive: Archive, clock: Clock):
    """A fork of a process that refreshes has a thread of its own once it is started there, and one only."""
    source = FixedSource(entries(1), rest=MINUTE)
    loop = RefreshLoop(Refresher(source, archive, clock))
    loop.start()
    assert source.rested.wait(WAIT)

    def started() -> bool:
        before = refreshing()
        for _ in range(2):
            loop.start()
        return (before, refreshing()) == (0, 1)

    assert 1 == in_a_fork(started)
    loop.stop()


# For readers ------------------------------------------------------------------------------------


def test_wait_for_first(hub: fake.Hub, archive: Archive, clock: Clock):
    """The first to ask waits for the newest listing with papers, and not for all the others."""
    hub.days = {DAY: entries(2), YESTERDAY: entries(1, first=3)}
    rest = threading.Event()
    loop = RefreshLoop(Refresher(Disturbed(hub.url, lambda: rest.wait(WAIT), at=2), archive, clock))
    loop.start()
    loop.wait_for_papers(WAIT)

    assert [paper_id(1), paper_id(2)] == stored_ids(archive)
    assert len(hub.requests) <= 2
    rest.set()
    loop.stop()


def test_progress(hub: fake.Hub, archive: Archive, clock: Clock):
    """From the first moment until the last 30 days have been read, the loop says how many have been."""
    hub.days = {DAY: entries(2), YESTERDAY: entries(1, first=3)}
    seen: list[int] = []

    def note() -> None:
        progress = loop.progress()
        assert progress == loop.status().progress
        seen.append(progress.read if progress else -1)

    class Watched(Disturbed):
        def get(self, request: ListingRequest, now: datetime) -> Listing:
            note()
            return super().get(request, now)

    loop = RefreshLoop(Refresher(Watched(hub.url, lambda: None), archive, clock))
    loop.start()
    while loop.progress():
        assert refreshing()
    loop.stop()

    assert [0, 0, *range(1, 30)] == seen
    assert (None, "fresh") == (loop.status().progress, loop.status().verdict)


@pytest.mark.parametrize("cuts", [[], [1], [5, 20], [2, 3, 29]])
def test_steps_do_not_matter(
    hub: fake.Hub, archive: Archive, open_archive: Callable[..., Archive], tmp_path: Path, clock: Clock, cuts: list[int]
):
    """However often the first fill is interrupted, entries get the dates that one transaction would have given them."""
    for age in range(2, 31):
        day = DAY - timedelta(days=age)
        evening = f"{day - timedelta(days=1)}T22:00:00.000Z"
        hub.days[day] = [*entries(2, first=10 * age, day=day), entry(10 * age + 5, submittedOnDailyAt=evening)]
    hub.days |= {DAY: entries(2), YESTERDAY: entries(2, first=3, day=YESTERDAY)}
    hub.days[DAY - timedelta(days=4)].append(hub.days[DAY - timedelta(days=20)][0])  # is listed twice
    at_once = open_archive(tmp_path / "at_once.sqlite")
    days = [[DAY], [YESTERDAY], [DAY - timedelta(days=age) for age in range(2, 31)]]
    for batch in days:
        at_once.store([parse(api(hub.days[day]), day=day) for day in batch], clock())
    for cut in [*cuts, 0]:
        with suppress(KeyboardInterrupt):
            Refresher(Disturbed(hub.url, _interrupt, at=cut), archive, clock).refresh_once()

    assert entry_dates(at_once) == entry_dates(archive)
    assert len(hub.days) <= len(hub.requests) <= len(hub.days) + 3 * len(cuts)


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_what_was_read_before_has_no_progress(hub: fake.Hub, archive: Archive, clock: Clock):
    """Where another command has read the last 30 days nothing is being read, though no period is closed yet."""
    loop = RefreshLoop(Refresher(Hub(Fetcher(hub.url, interval=0)), archive, clock))
    days = [DAY - timedelta(days=age) for age in range(31)]
    archive.store([parse(api(entries(1, first=day.day, day=day)), day=day) for day in days[:20]], clock())
    assert 19 == loop.progress().read
    archive.store([parse(api([]), day=day) for day in days[20:]], clock())
    assert (None, None) == (archive.state().closed_at, loop.progress())


def test_saved_listing_has_no_progress(tmp_path: Path, archive: Archive, clock: Clock):
    """A saved listing is read in one go: there is no progress to wait for."""
    assert RefreshLoop(Refresher(SavedListings(tmp_path / "none.json"), archive, clock)).progress() is None


def test_share_the_wait(hub: fake.Hub, loop: RefreshLoop, archive: Archive):
    """However many wait, there is one round."""
    hub.days = {DAY: entries(2)}
    hub.gate.clear()
    outcomes: list[int] = []

    def reader() -> None:
        loop.start()
        loop.wait_for_papers(WAIT)
        outcomes.append(len(stored_ids(archive)))

    readers = [threading.Thread(target=reader) for _ in range(5)]
    for waiting in readers:
        waiting.start()
    while not hub.requests:
        assert readers[0].is_alive()
    hub.gate.set()
    for waiting in readers:
        waiting.join()
    loop.stop()

    assert [2] * 5 == outcomes
    assert 31 == len(hub.requests)


def test_filled_needs_no_wait(hub: fake.Hub, loop: RefreshLoop):
    """Where there are papers nobody waits, whatever the Hub does."""
    hub.days = {DAY: entries(1)}
    loop.refresher.refresh_once()
    hub.standing = refusal(500)
    with pytest.raises(UpstreamError):
        loop.refresher.refresh_once(force=True)

    loop.wait_for_papers(0)


@pytest.mark.parametrize(
    ("answer", "message", "wait"),
    [
        (refusal(500), "127.0.0.1 answered 500 not now", 30),
        (refusal(429, **{"Retry-After": "47"}), "127.0.0.1 answered 429 not now", 47),
        (Answer(body=b"{}"), "127.0.0.1 sent no listing for 2026-", 30),
        (Answer(), "the listing has no papers", 30),
    ],
)
def test_hopeless_wait(
    hub: fake.Hub, loop: RefreshLoop, another: Refresher, clock: Clock, answer: Answer, message: str, wait: int
):
    """Once a refresh has failed no reader waits, in any process: each hears why, and when to come again."""
    hub.standing = answer
    loop.tick()
    for passed, reader in ((0, loop), (20.5, RefreshLoop(another))):
        clock.tick(seconds=passed)
        with pytest.raises(UpstreamError) as raised:
            reader.wait_for_papers(WAIT)
        assert str(raised.value).startswith(f"there are no papers yet: {message}")
        assert wait - int(passed) == raised.value.retry_after


def test_recovery(hub: fake.Hub, loop: RefreshLoop, archive: Archive, clock: Clock):
    """The round after a failure makes it forgotten."""
    hub.standing = refusal(500)
    loop.tick()
    assert "127.0.0.1 answered 500 not now" == archive.backoff().error

    hub.standing, hub.days = None, {DAY: entries(1)}
    clock.tick(seconds=30)
    loop.tick()
    loop.wait_for_papers(WAIT)
    assert (None, [paper_id(1)]) == (archive.backoff().error, stored_ids(archive))


def test_filled_before_it_failed(hub: fake.Hub, tmp_path: Path, clock: Clock):
    """Papers that came just before the failure count: the reader gets them."""

    class Raced(Archive):
        """An archive that is filled while its reader looks at what failed."""

        def backoff(self) -> Backoff:
            self.store([parse(api(entries(1)), day=DAY)], clock())
            return Backoff(1, "made up", clock(), clock() + MINUTE)

    raced = Raced(str(tmp_path / "raced.sqlite"))
    RefreshLoop(Refresher(Hub(Fetcher(hub.url)), raced, clock)).wait_for_papers(WAIT)
    raced.close()


def test_archive_that_cannot_be_written(hub: fake.Hub, tmp_path: Path, clock: Clock):
    """Where nothing can be kept, not even that it failed, nobody waits for it; once it can be, all is as ever."""
    archive = Archive(str(tmp_path / "archive.sqlite"), patience=0.01)
    loop = RefreshLoop(Refresher(Hub(Fetcher(hub.url, interval=0)), archive, clock, even))
    hub.days = {DAY: entries(1)}
    archive.state()
    with closing(sqlite3.connect(archive.address, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        loop.tick()
        with pytest.raises(
            UpstreamError, match=r"^there are no papers yet: the archive of this server cannot"
        ) as raised:
            loop.wait_for_papers(WAIT)
        assert 60 == raised.value.retry_after

    loop.tick()
    loop.wait_for_papers(0)
    archive.close()


def test_one_looks_for_all_who_wait(hub: fake.Hub, tmp_path: Path, clock: Clock):
    """However many wait for the first papers, one at a time looks whether they have come; all are let go together."""
    looking, most, waiting = set[int](), [0], threading.Event()

    class Watched(Archive):
        """An archive that notes how many look at it at once."""

        def backoff(self) -> Backoff:
            looking.add(threading.get_ident())
            most[0] = max(most[0], len(looking))
            waiting.set()
            backoff = super().backoff()
            looking.remove(threading.get_ident())
            return backoff

    archive = Watched(str(tmp_path / "archive.sqlite"))
    loop = RefreshLoop(Refresher(Hub(Fetcher(hub.url)), archive, clock))
    with ThreadPoolExecutor(8) as pool:
        readers = [pool.submit(loop.wait_for_papers, WAIT) for _ in range(8)]
        assert waiting.wait(WAIT)
        archive.store([parse(api(entries(1)), day=DAY)], clock())
        assert [None] * 8 == [reader.result(WAIT) for reader in readers]
    archive.close()
    assert 1 == most[0]


def test_who_waits_wakes_the_refresh(hub: fake.Hub, open_archive: Callable[..., Archive], tmp_path: Path, clock: Clock):
    """If the archive is gone while the loop rests, the first reader who waits wakes it."""

    class Resting(RefreshLoop):
        def tick(self) -> timedelta:
            super().tick()
            return MINUTE

    hub.days = {DAY: entries(1)}
    archive = open_archive(tmp_path / "archive.sqlite", timer=count(step=60).__next__)
    loop = Resting(Refresher(Hub(Fetcher(hub.url, interval=0)), archive, clock))
    loop.start()
    loop.wait_for_papers(WAIT)
    while archive.backoff() != Backoff() or not (token := archive.lease("looking", clock())):
        pass  # until the first round is over
    archive.release(token, Backoff())
    for path in Path(archive.address).parent.glob(f"{Path(archive.address).name}*"):
        path.unlink()
    loop.wait_for_papers(WAIT)
    loop.stop()
    assert [paper_id(1)] == stored_ids(archive)


def test_long_wait(loop: RefreshLoop):
    """A reader who has waited long enough hears that the listing is being read."""
    with pytest.raises(UpstreamError) as raised:
        loop.wait_for_papers(-1)
    assert "there are no papers yet: the first listing is being read" == str(raised.value)
    assert 30 == raised.value.retry_after


def test_when_to_come_again(hub: fake.Hub, loop: RefreshLoop, clock: Clock):
    """A reader comes again when the Hub must have answered or failed, as an answer takes half a minute at most."""
    hub.gate.clear()
    loop.start()
    while not hub.requests:
        pass
    waits = []
    for seconds in (0, 10, 12.5, 60):
        clock.tick(seconds=seconds)
        with pytest.raises(UpstreamError) as raised:
            loop.wait_for_papers(-1)
        waits.append(raised.value.retry_after)
    assert [30, 20, 8, 1] == waits
    hub.gate.set()
    loop.stop()


def test_first_fill_is_logged(hub: fake.Hub, loop: RefreshLoop, clock: Clock, caplog: pytest.LogCaptureFixture):
    """A line now and then says how far the first fill is; later refreshes say only what they read."""
    caplog.set_level("INFO", "feedproxy")
    hub.days = {DAY: entries(1)}
    loop.tick()
    steps = [f"127.0.0.1: {read} of the last 30 days read" for read in (4, 9, 14, 19, 24, 29)]
    assert ["127.0.0.1: reading the last 30 days", *steps] == caplog.messages[:-1]
    clock.tick(hours=1)
    loop.tick()
    assert 9 == len(caplog.messages)


def test_broken_file(tmp_path: Path, archive: Archive, clock: Clock, caplog: pytest.LogCaptureFixture):
    """A saved listing that cannot be read is named in the log and to no reader, until it can be."""
    path = tmp_path / "listing.json"
    loop = RefreshLoop(Refresher(SavedListings(path), archive, clock, even))
    for content, why in ((None, "No such file"), (b"[", "the listing is broken JSON")):
        if content:
            path.write_bytes(content)
        loop.tick()
        assert (str(path), True) == (caplog.messages[-1].split(": ")[1].split()[-1], why in caplog.messages[-1])
        with pytest.raises(UpstreamError, match="saved listing of this server cannot be used") as raised:
            loop.wait_for_papers(WAIT)
        assert str(tmp_path) not in str(raised.value)
        clock.tick(minutes=2)

    path.write_bytes(api(entries(1)))
    loop.tick()
    loop.wait_for_papers(WAIT)
    assert [paper_id(1)] == stored_ids(archive)


# Filling in the past ----------------------------------------------------------------------------


def test_missing_days(refresher: Refresher, hub: fake.Hub, archive: Archive, clock: Clock):
    """To fill in are the days never read well since they were over, oldest first."""
    first, until = date(2026, 3, 5), date(2026, 3, 10)
    assert [date(2026, 3, day) for day in (5, 6, 7, 8, 9, 10)] == missing_days(archive.days(None), first, until)

    refresher.fetch_and_store([ListingRequest(DAY), ListingRequest(YESTERDAY)])  # the one of today is not over
    hub.standing = refusal(429)
    with pytest.raises(UpstreamError):
        refresher.fetch_and_store([ListingRequest(date(2026, 3, 8))])
    assert [date(2026, 3, day) for day in (5, 6, 7, 8, 10)] == missing_days(archive.days(None), first, until)
    assert [] == missing_days(archive.days(None), YESTERDAY, YESTERDAY)
    assert [] == missing_days(archive.days(None), until, first)


def test_clock():
    """The time is aware UTC unless another clock is handed in."""
    assert UTC == utc_now().tzinfo
    assert abs(utc_now() - datetime.now(UTC)) < timedelta(minutes=1)
