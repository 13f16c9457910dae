"""A refresh killed at any moment, again and again, while others read: nothing is lost, and the next takes over."""

import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from feedproxy.archive import Archive
from feedproxy.archive.lease import LEASE
from feedproxy.ingest.http import Fetcher
from feedproxy.ingest.refresher import Refresher
from feedproxy.ingest.source import Hub
from feedproxy.query.parameters import parse_query
from tests import hub as fake
from tests.factories import DAY, entries
from tests.hub import Answer, Request

_CHECKOUT = Path(__file__).parents[2]
_ROUNDS = int(os.environ.get("FEEDPROXY_KILL_ROUNDS", "200"))
_FIRST = datetime(2026, 3, 10, 0, 10, tzinfo=UTC)  # 200 rounds of 5 minutes are over before the day is
_PAUSE = 0.002  # seconds the Hub takes
_A_DAY = 10  # papers
_QUERIES = [parse_query(f"q={topic}&limit=200&days=3660") for topic in ("agents", "diffusion", "retrieval", "gpus")]
_QUERIES += [parse_query("min_upvotes=90&limit=200&days=3660")]
_LOOK = timedelta(seconds=5)  # how often a service looks whether a lease is free
# forkserver: a real process each, without the time that imports take
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])

Facts = dict[str, set[tuple[Any, ...]]]

# What was committed; of a paper, what never changes.
_KEPT = {
    "papers": "SELECT id, listed_at, submitted_at FROM papers",
    "ledger": "SELECT measure, paper, value, reached_at FROM ledger",
    "wordings": "SELECT since, paper, title, summary, authors, organization, has FROM wordings",
    "dates": "SELECT date FROM dates",
    "search": "SELECT DISTINCT doc FROM temp.words",
}


# Other processes --------------------------------------------------------------------------------


def refresh(path: str, address: str, now: datetime, *, force: bool) -> None:
    """Refresh once, at a clock that stands still."""
    Refresher(Hub(Fetcher(address, interval=0)), Archive(path), lambda: now).refresh_once(force=force)


def read(path: str, stop: Any, told: Connection) -> None:
    """Poll all the time; report how often, what was wrong, and the longest time a poll took."""
    archive, polls, longest, wrong, before = Archive(path), 0, 0.0, [], {}
    revision = 0
    while not stop.is_set() and not wrong:
        began = time.monotonic()
        try:
            state, query = archive.state(), _QUERIES[polls % len(_QUERIES)]
            dates = {entry.paper.id: entry.entered_at for entry in archive.search(query).entries}
        except Exception as error:  # noqa: BLE001 (whatever it is, it is wrong)
            wrong.append(repr(error))
            break
        longest, polls = max(longest, time.monotonic() - began), polls + 1
        if state.revision < revision:
            wrong.append(f"the revision fell from {revision} to {state.revision}")
        if not before.get(str(query), {}).items() <= dates.items():
            wrong.append(f"{query}: an entry vanished or changed its date")
        revision, before[str(query)] = state.revision, dates
    told.send((polls, longest, wrong))


@contextmanager
def readers(path: str, number: int) -> Iterator[list[tuple[int, float, list[str]]]]:
    """Let `number` processes read; yield where their reports will be."""
    stop, reports, started = _processes.Event(), [], []
    for _ in range(number):
        ours, theirs = _processes.Pipe(duplex=False)
        process = _processes.Process(target=read, args=(path, stop, theirs))
        process.start()
        started.append((process, ours))
    yield reports
    stop.set()
    for process, ours in started:
        reports.append(ours.recv())
        process.join(30)


# The archive, looked at without feedproxy ---------------------------------------------------------


def facts(path: str) -> Facts:
    """Return everything that is to stay, after checking that the database is whole."""
    with closing(sqlite3.connect(path, timeout=30)) as db:
        assert [("ok",)] == db.execute("PRAGMA integrity_check").fetchall()
        assert [] == db.execute("PRAGMA foreign_key_check").fetchall()
        db.execute("CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, search, instance)")
        db.execute("BEGIN")
        found = {name: set(db.execute(select)) for name, select in _KEPT.items()}
        db.rollback()
        db.execute("INSERT INTO search (search) VALUES ('integrity-check')")
        db.rollback()
    return found


def check(before: Facts, after: Facts) -> None:
    """Assert that nothing of `before` is gone and that what belongs together came together."""
    for name in _KEPT:
        assert before[name] <= after[name], f"{name}: something that was committed is gone"
    assert {(since,) for since, *_ in after["wordings"]} == after["search"], "the search index is out of step"
    assert {listed for _, listed, _ in after["papers"]} == {paper for _, paper, *_ in after["wordings"]}
    given = {(listed,) for _, listed, _ in after["papers"]} | {(reached,) for *_, reached in after["ledger"]}
    assert given <= after["dates"], "a date was not handed out"


def lease(path: str) -> tuple[str, int, int]:
    with closing(sqlite3.connect(path, timeout=30)) as db:
        found: tuple[str, int, int] = db.execute("SELECT holder, token, until FROM lease").fetchone()
    return found


# 200 rounds -------------------------------------------------------------------------------------


@dataclass
class Rounds:
    """What is done to an archive, and what came of it."""

    path: str
    hub: fake.Hub
    dice: random.Random
    outcomes: Counter[str] = field(default_factory=Counter)
    number: int = 10_000
    killed: int = 0

    def change_listings(self) -> None:
        """Let a third of the papers rise, and list two more today."""
        today = self.hub.days[DAY]
        for listed in self.hub.days.values():
            for entry in self.dice.sample(listed, len(listed) // 3):
                entry["paper"]["upvotes"] += 1
        self.number += 2
        today += entries(2, first=self.number)

    def victim(self, now: datetime, alone: float) -> None:
        """Kill a refresh, which takes `alone` seconds, any time after its first request or its last; note when."""
        before, asked, whole = self._stored(), len(self.hub.requests), len(self.hub.days)
        after, last = self.dice.choice(((1, alone), (whole, 0.3 * alone)))
        process = _processes.Process(target=refresh, args=(self.path, self.hub.url, now), kwargs={"force": True})
        process.start()
        while len(self.hub.requests) < asked + after and process.is_alive():
            time.sleep(0.0005)
        time.sleep(self.dice.uniform(0, last))
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        requests, stored = len(self.hub.requests) - asked, self._stored() != before
        at = "while asking" if requests < whole else "while storing" if not stored else "after the commit"
        self.outcomes["too late" if process.exitcode == 0 else at] += 1
        self.killed += process.exitcode != 0

    def _stored(self) -> int:
        with closing(sqlite3.connect(self.path, timeout=30)) as db:
            revision: int = db.execute("SELECT revision FROM state").fetchone()[0]
        return revision

    def succession(self, now: datetime) -> None:
        """Assert that nobody refreshes until the dead one's lease is over, and somebody then."""
        _, token, until = lease(self.path)
        with closing(Archive(self.path)) as archive:
            clock = [now]
            refresher = Refresher(Hub(Fetcher(self.hub.url, interval=0)), archive, lambda: clock[0])
            if until:
                self.outcomes["left a lease"] += 1
                clock[0] = datetime.fromtimestamp(until, UTC) - timedelta(seconds=1)
                assert refresher.refresh_once() is None
                clock[0] += timedelta(seconds=1)
            assert clock[0] - now <= LEASE
            assert refresher.refresh_once() is not None
            assert (token + 1, 0) == lease(self.path)[1:]


def held_up(hub: fake.Hub, pause: float) -> None:
    """Make `hub` take its time."""
    at_once = hub.answer

    def answer(request: Request) -> Answer:
        time.sleep(pause)
        return at_once(request)

    hub.answer = answer  # type: ignore[method-assign]


def thirty_days() -> dict[date, list[Any]]:
    days = [DAY - timedelta(days=age) for age in range(31)]
    return {day: entries(_A_DAY, day=day, first=1 + 100 * number, upvotes=5) for number, day in enumerate(days)}


def test_killed_again_and_again(tmp_path: Path) -> None:
    """A refresh killed at any moment of 200 rounds loses nothing, and the next takes over when its lease is over."""
    path, dice, began = str(tmp_path / "archive.sqlite"), random.Random(5), time.monotonic()  # noqa: S311
    with fake.running() as hub:
        hub.days = thirty_days()
        held_up(hub, _PAUSE)
        rounds, now = Rounds(path, hub, dice), _FIRST
        refresh(path, hub.url, now, force=True)
        known = facts(path)
        with readers(path, 2) as reports:
            alone = time.monotonic()
            refresh(path, hub.url, now, force=True)
            alone = time.monotonic() - alone
            while rounds.killed < _ROUNDS:
                now += timedelta(minutes=5)
                rounds.change_listings()
                rounds.victim(now, alone)
                found = facts(path)
                check(known, found)
                rounds.succession(now)
                known = facts(path)
                check(found, known)
        refresh(path, hub.url, now + timedelta(minutes=2), force=True)
        check(known, facts(path))
    tops = {entry["paper"]["id"]: entry["paper"]["upvotes"] for listed in hub.days.values() for entry in listed}
    print(
        f"\n{rounds.killed} killed in {time.monotonic() - began:.0f} s, one undisturbed refresh {alone:.2f} s; killed:"
    )
    print(", ".join(f"{count} {what}" for what, count in rounds.outcomes.most_common()))
    print(f"papers {len(tops)}, steps {len(known['ledger'])}, wordings {len(known['wordings'])}")
    print("\n".join(f"reader: {polls:,} polls, the longest {longest:.2f} s" for polls, longest, _ in reports))
    with closing(sqlite3.connect(path)) as db:
        held = db.execute(
            "SELECT id, max(value) FROM ledger JOIN papers ON paper = listed_at WHERE measure = 'upvotes' GROUP BY id"
        )
        assert tops == dict(held.fetchall())
    assert [[], []] == [wrong for _, _, wrong in reports]
    assert all(polls for polls, _, _ in reports)


# The command, the server, the real lease ----------------------------------------------------------


@contextmanager
def command(*words: str, archive: str, listing: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command of feedproxy; what is still running at the end is stopped."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("FEEDPROXY_")}
    settings = {"FEEDPROXY_ARCHIVE": archive, "FEEDPROXY_LISTING": listing, "FEEDPROXY_PACE": "0"}
    process = subprocess.Popen(
        [sys.executable, "-m", "feedproxy", *words],
        cwd=_CHECKOUT,
        env=clean | settings | {"PYTHONPATH": str(_CHECKOUT)},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def until(number: int, hub: fake.Hub, seconds: float) -> None:
    """Wait until the Hub has had `number` requests."""
    end = time.monotonic() + seconds
    while len(hub.requests) < number:
        assert time.monotonic() < end, f"{len(hub.requests)} requests after {seconds:.0f} s"
        time.sleep(0.01)


def test_real_lease(tmp_path: Path) -> None:
    """A server takes over from a command that was killed in the middle within one lease period and one look."""
    path, today = str(tmp_path / "archive.sqlite"), datetime.now(UTC).date()
    with fake.running() as hub:
        hub.days = {
            day: entries(5, day=day, first=1 + 100 * age, upvotes=3)
            for age in range(31)
            if (day := today - timedelta(days=age))
        }
        held_up(hub, 0.05)
        with command("refresh", archive=path, listing=hub.url) as killed:
            until(10, hub, 30)
            hub.gate.clear()
            time.sleep(0.2)
            killed.kill()
            killed.wait(10)
        died, asked = time.monotonic(), len(hub.requests)
        hub.gate.set()
        known = facts(path)
        with command("serve", "--workers", "2", "--bind", "127.0.0.1:0", archive=path, listing=hub.url):
            until(asked + 1, hub, 90)
            taken = time.monotonic() - died
            until(asked + 25, hub, 60)
        check(known, facts(path))
    print(f"\nthe server took over {taken:.1f} s after the kill; {len(known['papers'])} papers were stored before it")
    assert taken <= (LEASE + _LOOK).total_seconds() + 5
