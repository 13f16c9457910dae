"""A year of service in minutes: every poll of every reader, held to the promises, and what the polls cost.

FEEDPROXY_YEAR_DAYS says how many days (default 365).
"""

import hashlib
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from feedproxy.archive import Archive
from feedproxy.archive.compounds import search_words
from feedproxy.feeds import FORMATS, Document, Feed
from feedproxy.ingest.http import Turn
from feedproxy.ingest.loop import RefreshLoop
from feedproxy.ingest.refresher import Refresher
from feedproxy.ingest.schedule import due_days, next_due
from feedproxy.ingest.source import ListingDays, ListingRequest
from feedproxy.model import Entry, Listing, Paper
from feedproxy.query.parameters import Query, parse_query
from tests.conftest import Clock
from tests.simulation import MIDNIGHTS, TOPICS, World

_DAYS = int(os.environ.get("FEEDPROXY_YEAR_DAYS", "365"))
_FIRST = datetime(2026, 5, 4, 0, 7, tzinfo=UTC)  # ten days before listing times become midnights
_HOUR = timedelta(hours=1)
_BASE = "http://localhost:8000"
_SPREAD = timedelta(minutes=1)  # what one refresh brings is dated some seconds apart, up to its own time
_RENDER_ANYWAY = 0.01  # share of the polls whose entries are as they were
_SHOWN = "q=agent&min_upvotes=2"
_TOLD = 30  # days after which it says how it stands


@dataclass
class Seen:
    """What was ever seen of a paper."""

    wordings: set[frozenset[str]] = field(default_factory=set)
    upvotes: int = 0
    comments: int = 0

    def take(self, paper: Paper) -> bool:
        """Add what a listing says of it; return whether that is news."""
        before = (len(self.wordings), self.upvotes, self.comments)
        self.wordings.add(frozenset(search_words(f"{paper.title} {paper.summary}")))
        self.upvotes, self.comments = max(self.upvotes, paper.effective_upvotes), max(self.comments, paper.comments)
        return before != (len(self.wordings), self.upvotes, self.comments)


class MadeUp:
    """A source of made-up listings by the Hub's timetable, which counts, and notes what was news in them."""

    name, has_all_days = "made up", False

    def __init__(self, world: World) -> None:
        self.world, self.requests = world, 0
        self.seen: dict[str, Seen] = {}
        self.news: set[str] = set()

    def keep_pace(self, turn: Turn) -> None:
        """Ask nobody."""

    def due(self, days: ListingDays, now: datetime, *, force: bool = False) -> list[list[ListingRequest]]:
        return [[ListingRequest(day) for day in batch] for batch in due_days(days, now, force=force)]

    def next_due(self, days: ListingDays, now: datetime) -> datetime:
        return next_due(days, now)

    def get(self, request: ListingRequest, now: datetime) -> Listing:
        assert request.day
        self.requests += 1
        listing = self.world.listing(request.day, now)
        for paper in listing.papers:
            if self.seen.setdefault(paper.id, Seen()).take(paper):
                self.news.add(paper.id)
        return listing


@dataclass(frozen=True)
class Wanted:
    """A filter in plain Python: any of `words` and not `without`, and the counts."""

    words: tuple[str, ...] = ()
    without: str = ""
    upvotes: int = 0
    comments: int = 0
    or_upvotes: int = 10**9

    def admits(self, seen: Seen) -> bool:
        says = not self.words or any(
            wording & set(self.words) and self.without not in wording for wording in seen.wordings
        )
        counts = seen.upvotes >= self.upvotes and seen.comments >= self.comments
        return (says and counts) or seen.upvotes >= self.or_upvotes


def filters() -> dict[str, Wanted]:
    """Return fifty filters: twenty of a topic, twenty of a topic with votes, ten others."""
    found = {f"q={topic}": Wanted((topic,)) for topic in TOPICS}
    for rank, topic in enumerate(TOPICS):
        votes = (2, 5, 10, 50)[rank % 4]
        found[f"q={topic}&min_upvotes={votes}"] = Wanted((topic,), upvotes=votes)
    found |= {f"min_upvotes={votes}": Wanted(upvotes=votes) for votes in (2, 10, 50, 100)}
    return found | {
        "": Wanted(),
        "q=agent+OR+robot&limit=20": Wanted(("agent", "robot")),
        "q=video+-diffusion": Wanted(("video",), without="diffusion"),
        "q=code&or_upvotes=50": Wanted(("code",), or_upvotes=50),
        "q=vision&min_comments=3&days=30": Wanted(("vision",), comments=3),
        _SHOWN: Wanted(("agent",), upvotes=2),
        "min_comments=5&days=7&limit=200": Wanted(comments=5),
    }


@dataclass
class Reader:
    """Polls one feed every hour with the ETag it got, and holds it to the promises."""

    query: Query
    wanted: Wanted
    form: str
    expected: set[str] = field(default_factory=set)
    due: dict[str, datetime] = field(default_factory=dict)
    shown: dict[str, datetime] = field(default_factory=dict)
    ever: set[str] = field(default_factory=set)
    newest: datetime | None = None
    entries: list[tuple[object, ...]] = field(default_factory=list)
    etag: str = ""
    polls: Counter[str] = field(default_factory=Counter)

    def hear(self, name: str, seen: Seen, previous: datetime) -> None:
        """Expect a paper from the first refresh on after which it belongs here; `previous` is the one before it."""
        if name not in self.expected and self.wanted.admits(seen):
            self.expected.add(name)
            self.due[name] = previous

    def poll(self, archive: Archive, last: datetime | None, dice: random.Random) -> None:
        """Fetch the feed; `last` is when the poll before was."""
        found = archive.search(self.query)
        newest = found.state.newest_entry_at or _FIRST
        self.check(found.entries, last, datetime.combine(newest.date(), datetime.min.time(), UTC))
        alike = list(map(without_counts, found.entries))
        if alike != self.entries or not self.etag or dice.random() < _RENDER_ANYWAY:
            self.polls["rendered"] += 1
            document = FORMATS[self.form].render(Document(Feed(self.query, _BASE), found.entries, found.more))
            etag = hashlib.sha256(document).hexdigest()
            assert etag == self.etag or alike != self.entries, "equal entries made other bytes"
        else:
            etag = self.etag
        self.polls["304" if etag == self.etag else "200"] += 1
        self.entries, self.etag = alike, etag

    def check(self, entries: Iterable[Entry], last: datetime | None, today: datetime) -> None:
        """Assert that what belongs here came, once and dated rightly, and that only what is old has gone."""
        now = {entry.paper.id: entry.entered_at for entry in entries}
        new, gone = now.keys() - self.shown.keys(), self.shown.keys() - now.keys()
        assert now.keys() <= self.expected, "an entry does not belong here"
        assert {self.shown[name] for name in self.shown.keys() & now.keys()} == {
            now[name] for name in self.shown.keys() & now.keys()
        }, "the date of an entry has changed"
        assert len(now) == len(set(now.values()))
        if last is not None:
            assert new == self.due.keys(), (
                f"{self.query}: missed {self.due.keys() - new}, too many {new - self.due.keys()}"
            )
            assert not new & self.ever, "an entry came twice"
            for name in new:
                assert now[name] >= self.due[name], "an entry is dated before the refresh before it"
                assert self.newest is None or now[name] > self.newest, "a reader that looks at dates missed an entry"
                self.polls["entries"] += 1
                if now[name] < last - _SPREAD:  # it was submitted after the last refresh before that poll
                    self.polls["dated before the poll before"] += 1
                    assert now[name].date() < MIDNIGHTS, "an entry is dated before the poll before it"
                elif now[name] < last:
                    self.polls["seconds before it"] += 1
        self._check_gone(gone, now, today)
        self.due.clear()
        self.ever |= new
        self.shown, self.newest = now, max(now.values(), default=self.newest)

    def _check_gone(self, gone: Iterable[str], now: dict[str, datetime], today: datetime) -> None:
        full, oldest = len(now) == self.query.limit, min(now.values(), default=today)
        start = today - timedelta(days=self.query.days - 1)
        for name in gone:
            assert self.shown[name] < start or (full and self.shown[name] < oldest), "an entry vanished"


def without_counts(entry: Entry) -> tuple[object, ...]:
    """Return all of `entry` that its feed shows."""
    paper = entry.paper
    return (paper.id, paper.title, paper.summary, paper.organization, entry.entered_at, entry.updated_at)


def test_year(open_archive: Callable[..., Archive], tmp_path: Path, clock: Clock) -> None:
    """In every hour of a year each of fifty feeds holds what belongs in it, once, dated so that nobody misses it."""
    began, dice = time.monotonic(), random.Random(11)  # noqa: S311
    world = World(11, _FIRST.date() - timedelta(days=31), _DAYS + 33)
    source, archive = MadeUp(world), open_archive(tmp_path / "archive.sqlite")
    loop = RefreshLoop(Refresher(source, archive, clock))
    readers = [
        Reader(parse_query(text), wanted, list(FORMATS)[number % 3])
        for number, (text, wanted) in enumerate(filters().items())
    ]
    clock.now, last, revision = _FIRST, None, -1
    polls = Counter[str]()
    for hour in (_FIRST.replace(minute=0) + _HOUR * number for number in range(1, 24 * _DAYS + 1)):
        refresh_until(hour, loop, source, readers)
        clock.now = hour
        before, revision = revision, archive.state().revision
        moved = revision != before
        polls["hours in which the revision moved"] += moved
        for reader in readers:
            if moved:
                reader.poll(archive, last, dice)
            else:
                assert not reader.due
                reader.polls["304"] += 1
        last = hour
        if (hour - _FIRST).days % _TOLD == 0 and hour.hour == 0:
            report(readers, world, source, polls, (hour - _FIRST).days, time.monotonic() - began)
    report(readers, world, source, polls, _DAYS, time.monotonic() - began)
    topical = sum((reader.polls for reader in readers if reader.query.q), Counter[str]())
    assert share(topical) > 0.8


def refresh_until(hour: datetime, loop: RefreshLoop, source: MadeUp, readers: list[Reader]) -> None:
    """Refresh whenever it is due before `hour`, and tell the readers what to expect."""
    clock: Clock = loop.refresher.clock  # type: ignore[assignment]
    while (due := source.next_due(loop.refresher.archive.days(), clock.now)) < hour:
        clock.now = max(due, clock.now)
        previous = loop.refresher.archive.state().refreshed_at or datetime.min.replace(tzinfo=UTC)
        loop.tick()
        for name in source.news:
            for reader in readers:
                reader.hear(name, source.seen[name], previous)
        source.news.clear()


def share(polls: Counter[str]) -> float:
    return polls["304"] / (polls["304"] + polls["200"])


def report(readers: list[Reader], world: World, source: MadeUp, polls: Counter[str], days: int, seconds: float) -> None:
    sums = sum((reader.polls for reader in readers), Counter[str]())
    shares = sorted(share(reader.polls) for reader in readers)
    topical = sum((reader.polls for reader in readers if reader.query.q), Counter[str]())
    below = ", ".join(f"{value:.0%} of {count}" for count, value in world.shares_below().items())
    volume = sorted(len(listed) for day, listed in world.lives.items() if len(listed) > 5 and day.weekday() < 5)
    print(f"\n{days} days in {seconds:.0f} s: {sums['304'] + sums['200']:,} polls of {len(readers)} filters")
    print(f"made up: median {volume[len(volume) // 2]}, p90 {volume[len(volume) * 9 // 10]}; first seen below: {below}")
    print(f"listings read {source.requests:,}, papers {len(source.seen):,}; entries that entered {sums['entries']:,}")
    print(f"rendered {sums['rendered']:,}; revision moved in {polls['hours in which the revision moved']:,} hours")
    before = (sums["dated before the poll before"], sums["seconds before it"])
    print(
        f"dated before the poll before: {before[0]} (submitted before {MIDNIGHTS}), by less than a minute: {before[1]}"
    )
    print(f"304: all {share(sums):.1%}, topical {share(topical):.1%}, worst {shares[0]:.1%}, median {shares[25]:.1%}")
    for reader in readers:
        if str(reader.query) in ("", "min_upvotes=2", "min_upvotes=50", "q=agent", "q=agent&min_upvotes=2", "q=music"):
            print(f"304: {share(reader.polls):.1%} of {str(reader.query) or 'no filter'}")
