"""Digests for long: a made year, an hourly poller, kills and crowds at the closing, real days.

FEEDPROXY_YEAR_DAYS says how many days the year has (default 365), FEEDPROXY_KILL_ROUNDS how many kills (default 60).
"""

import json
import multiprocessing
import os
import random
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from feedproxy.archive import Archive, schema
from feedproxy.archive.lease import LEASE
from feedproxy.config import Config
from feedproxy.ingest.http import Fetcher
from feedproxy.ingest.refresher import Refresher
from feedproxy.ingest.source import Hub
from feedproxy.model import Listing
from feedproxy.query.parameters import parse_query
from feedproxy.web import create_app
from tests import hub as fake
from tests.conftest import Clock, NewAddress, documents
from tests.factories import entries
from tests.naive_digests import NaiveDigests
from tests.replay import Replay, TapedFiles, TapedHub, TapedListed, captured, shown, shown_digest
from tests.simulation import World
from tests.test_digests import ALL, QUERIES, agree, entries_of

_DAYS = int(os.environ.get("FEEDPROXY_YEAR_DAYS", "365"))
_ROUNDS = int(os.environ.get("FEEDPROXY_KILL_ROUNDS", "60"))
_FIRST = datetime(2026, 5, 4, 0, 7, tzinfo=UTC)  # ten days before listing times become midnights
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_SEPTEMBER = date(2026, 9, 1)
_YEAR = [
    parse_query(text + "&days=3660&limit=50")
    for text in (
        *("digest=day&top=5", "digest=week&top=10", "digest=month&top=20", "digest=week&top=10&q=agent"),
        *("digest=week&top=3&q=robot+OR+speech&min_upvotes=10", "digest=day&top=3&q=vision+-policy"),
        *("digest=week&top=1&q=quantum&or_upvotes=100", "digest=month&top=50&min_comments=3&q=code"),
    )
]
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])


@pytest.fixture
def address(either: str) -> str:
    return either


# A year -----------------------------------------------------------------------------------------


def test_year(archive: Archive, clock: Clock) -> None:
    """Each digest of a made year is the naive program's, and 30 more days of votes change no byte of any."""
    began = time.monotonic()
    world = World(11, _FIRST.date() - timedelta(days=31), _DAYS + 33)
    replay = Replay(archive, clock, TapedListed(world.listing), _YEAR)
    clock.now, refreshes = _FIRST, 0
    assert replay.refresh()
    earlier: list[tuple[datetime, list[list[str]]]] = []
    while clock.now < _FIRST + _DAYS * _DAY:
        clock.tick(hours=random.Random(refreshes).choice((1, 2, 5, 8)))  # noqa: S311
        refreshes += replay.refresh()
        if clock.now > _FIRST + 30 * _DAY * (len(earlier) + 1):
            replay.check()
            now = [entries_of(body) for body in documents(archive, *_YEAR)]
            for _, before in earlier[-1:]:
                assert all(unchanged(old, new) for old, new in zip(before, now, strict=True))
            earlier.append((clock.now, now))
    replay.check()
    numbers = {str(query): len(replay.naive.digests(query)) for query in _YEAR}
    late = {str(query): sum(len(one.late) for one in replay.naive.digests(query)) for query in _YEAR}
    print(f"\n{_DAYS} days, {refreshes:,} refreshes in {time.monotonic() - began:.0f} s")
    print("\n".join(f"{number:4} digests, {late[query]:4} rose late: {query}" for query, number in numbers.items()))


def unchanged(old: list[str], new: list[str]) -> bool:
    """Say whether what is old in a list of the newest is as it was; each list may be cut off."""
    kept = [entry for entry in new if entry in set(old)]
    return kept == old[: len(kept)] and new[len(new) - len(kept) :] == kept


def test_hourly_poller(tmp_path: Path, clock: Clock) -> None:
    """Of the hourly polls of a weekly digest in ten weeks, 99 % are answered with 304."""
    world = World(5, date(2026, 7, 1), 125)
    clock.now = datetime(2026, 8, 1, 0, 7, tzinfo=UTC)
    config = Config.load({"FEEDPROXY_ARCHIVE": str(tmp_path / "archive.sqlite"), "FEEDPROXY_LISTING": "/nowhere"})
    with closing(Archive(config.archive)) as archive:
        replay = Replay(archive, clock, TapedListed(world.listing), QUERIES)
        assert replay.refresh()
        client = create_app(config, archive=archive, source=Still(), clock=clock).test_client()
        texts = ("digest=week", "digest=week&top=5&q=agent&min_upvotes=2", "digest=day&top=3", "digest=month")
        polls = {text: Counter[int]() for text in texts}
        etags = dict.fromkeys(texts, "")
        for _ in range(10 * 7 * 24):
            clock.tick(hours=1)
            assert replay.refresh()
            for text in texts:
                headers = {"If-None-Match": etags[text]} if etags[text] else {}
                answer = client.get(f"/feed.rss?{text}", headers=headers)
                etags[text] = answer.headers["ETag"]
                polls[text][answer.status_code] += 1
        replay.check()
    for text, statuses in polls.items():
        print(f"304: {statuses[304] / statuses.total():.2%} of {statuses.total():,} polls of {text}")
        assert statuses.keys() <= {200, 304}
    assert all(polls[text][304] / polls[text].total() >= 0.99 for text in texts if "week" in text)


class Still(TapedListed):
    """A source of which nothing is ever due, so that only the test refreshes."""

    def __init__(self) -> None:
        super().__init__(lambda day, _: Listing(day=day))

    def due(self, *_: object, **__: object) -> list[list[Any]]:
        return []

    def next_due(self, days: object, now: datetime) -> datetime:
        return now + _DAY


# Real days --------------------------------------------------------------------------------------


def test_real_days(archive: Archive, clock: Clock, captures: Path) -> None:
    """Real listings, each from when it was captured on, between days without papers: as the naive program says."""
    times, listing = captured([*(captures / "api").glob("*.json"), *(captures / "series").glob("*.json")])
    replay = Replay(archive, clock, TapedListed(listing), QUERIES)
    for now, end in zip(times, [*times[1:], times[-1] + 40 * _DAY], strict=True):
        clock.now = now
        replay.refresh()
        replay.until(min(end - _HOUR, now + 45 * _DAY), timedelta(hours=11))
        replay.check()
    assert any(replay.naive.digests(query) for query in QUERIES)


def test_saved_files(archive: Archive, clock: Clock, captures: Path) -> None:
    """A folder of real listings is history: each period is closed at its own time."""
    clock.now = datetime(2026, 9, 20, tzinfo=UTC)
    replay = Replay(archive, clock, TapedFiles(captures / "api"), QUERIES, NaiveDigests(all_days=True))
    assert replay.refresh()
    replay.check()
    assert all(one.closing.entered_at == one.closing.period.closes_at for one in replay.naive.digests(QUERIES[0]))


# The Hub, at the wire ---------------------------------------------------------------------------


def test_fake_hub(archive: Archive, clock: Clock) -> None:
    """What came over the wire, as JSON Feed shows it, is what the naive program says; also while the Hub is broken."""
    with fake.running() as hub:
        replay = hub_replay(hub, archive, clock)
        dice = random.Random(8)  # noqa: S311
        while clock.now < datetime(2026, 10, 8, tzinfo=UTC):
            clock.tick(hours=6)
            hub.standing = fake.Answer(500, b"") if dice.random() < 0.2 else None
            for listed in hub.days.values():
                for entry in dice.sample(listed, 2):
                    entry["paper"]["upvotes"] = max(0, entry["paper"]["upvotes"] + dice.choice((-1, 1, 2, 5)))
            replay.refresh()
            replay.check()
        for query, body in zip(QUERIES, replay.bytes()[2::3], strict=True):
            items = [(item["date_published"], item["_feedproxy"]["papers"]) for item in json.loads(body)["items"]]
            real = [(date, [(one["id"], one["title"], one["upvotes"]) for one in papers]) for date, papers in items]
            expected = [
                (when.isoformat(), [(paper[0], paper[3], paper[1]) for paper in papers])
                for _, when, papers, _ in shown(replay.naive, query)
            ]
            assert expected == real


def hub_replay(hub: fake.Hub, archive: Archive, clock: Clock, days: int = 40) -> Replay:
    """Give the Hub so many days from 1 September on, and refresh for the first time at noon of that day."""
    hub.days = {_SEPTEMBER + number * _DAY: some(number) for number in range(days)}
    clock.now = datetime(2026, 9, 1, 12, tzinfo=UTC)
    replay = Replay(archive, clock, TapedHub(Fetcher(hub.url, interval=0)), QUERIES)
    assert replay.refresh()
    return replay


def some(number: int) -> list[Any]:
    return entries(5, day=_SEPTEMBER + number * _DAY, first=1 + 10 * number, upvotes=number % 4)


# Several processes ------------------------------------------------------------------------------


def refresh_at(address: str, hub: str, now: datetime, barrier: Any) -> None:
    """Refresh once, when all are there."""
    with closing(Archive(address)) as archive:
        refresher = Refresher(Hub(Fetcher(hub, interval=0)), archive, lambda: now)
        if barrier:
            barrier.wait(60)
        refresher.refresh_once()


def rows(archive: Archive) -> list[tuple[Any, ...]]:
    with archive._database.transaction() as db:
        return [tuple(row) for row in db.execute(sa.select(schema.closings).order_by("kind", "start"))]


def test_crowd_at_the_closing(archive: Archive, clock: Clock) -> None:
    """Of four processes that refresh at the time of a closing, one closes, and all give the same bytes."""
    with fake.running() as hub:
        replay = hub_replay(hub, archive, clock)
        seen: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        while clock.now < datetime(2026, 9, 16, 12, tzinfo=UTC):
            clock.tick(hours=9)
            barrier = _processes.Barrier(4)
            arguments = (archive.address, hub.url, clock.now, barrier)
            crowd = [_processes.Process(target=refresh_at, args=arguments) for _ in range(4)]
            for process in crowd:
                process.start()
            for process in crowd:
                process.join(60)
            assert [0] * 4 == [process.exitcode for process in crowd]
            found = {row[:2]: row for row in rows(archive)}
            assert seen.items() <= found.items(), "a closing has changed"
            seen = found
        with closing(Archive(archive.address)) as other:
            assert replay.bytes() == documents(other, *QUERIES)
        kinds = Counter(kind for kind, _ in seen)
        assert {("week", 2), ("day", 14)} <= {(kind, in_time(archive, kind)) for kind in kinds}


def in_time(archive: Archive, kind: str) -> int:
    """Return how many digests were closed after the first refresh."""
    return len(archive.digests(parse_query(f"digest={kind}{ALL}")).entries)


def test_killed_at_the_closing(archive: Archive, clock: Clock) -> None:
    """A refresh that is killed while it closes leaves a period closed for good, or to the next refresh."""
    dice, outcomes = random.Random(6), Counter[str]()  # noqa: S311
    with fake.running() as hub:
        hub_replay(hub, archive, clock, days=_ROUNDS + 9)
        alone = 0.3
        before: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        shown_before: dict[tuple[int, str], object] = {}
        for number in range(_ROUNDS):
            clock.now = datetime(2026, 9, 3, 3, tzinfo=UTC) + number * _DAY
            for listed in hub.days.values():
                dice.choice(listed)["paper"]["upvotes"] += 1
            asked = len(hub.requests)
            process = _processes.Process(target=refresh_at, args=(archive.address, hub.url, clock.now, None))
            process.start()
            while len(hub.requests) == asked and process.is_alive():
                time.sleep(0.0005)
            time.sleep(dice.uniform(0, alone))
            process.kill()
            process.join()
            found = {row[:2]: row for row in rows(archive)}
            outcomes["killed after it had closed" if len(found) > len(before) else "killed before it closed"] += 1
            assert before.items() <= found.items()
            clock.tick(seconds=LEASE.total_seconds() + 5)
            began = time.monotonic()
            Refresher(Hub(Fetcher(hub.url, interval=0)), archive, clock).refresh_once()
            alone = 1.3 * (time.monotonic() - began)
            before = {row[:2]: row for row in rows(archive)}
            assert found.items() <= before.items()
            for rank, query in enumerate(QUERIES):
                now = {(rank, one.period.code): shown_digest(one) for one in archive.digests(query).entries}
                assert all(shown_before.get(key, value) == value for key, value in now.items()), "a digest has changed"
                shown_before |= now
        print(f"\n{dict(outcomes)}")
        days = {one.period.start for one in archive.digests(parse_query("digest=day&limit=200&days=3660")).entries}
        assert {_SEPTEMBER + number * _DAY for number in range(_ROUNDS)} <= days


# Any listings, in every database ----------------------------------------------------------------


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32))
def test_many_histories_in_postgresql(new_address: NewAddress, seed: int) -> None:
    """Whatever is listed and read when, PostgreSQL has the digests of the naive program."""
    agree(new_address("postgresql"), seed)
