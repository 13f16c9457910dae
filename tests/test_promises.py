"""The promises of the README, shown at every step of listings that grow, shrink, empty and come back."""

import json
import random
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedproxy.archive import Archive
from feedproxy.ingest.parse import parse
from feedproxy.model import Listing
from feedproxy.query.parameters import Query, parse_query
from tests.conftest import documents
from tests.factories import api, entries, entry, paper_id

THRESHOLDS = (1, 2, 5, 10, 50)
LINKED = "q=has:code"
CODE = "https://git.example.org/a/b"


@pytest.fixture
def address(either: str) -> str:
    return either


@dataclass
class Reader:
    """Follows `min_upvotes=N` for some N, or `has:code`, and holds the archive to its promises at every poll."""

    query: str
    seen: dict[str, datetime] = field(default_factory=dict)
    upvotes: dict[str, int | None] = field(default_factory=dict)
    history: set[str] = field(default_factory=set)
    newest: datetime | None = None

    def poll(self, archive: Archive, reached: set[str], previous: datetime | None, historic: set[str]) -> None:
        """Fetch the feed after a refresh that read the past of `historic`; `previous` is when the one before it was."""
        found = archive.search(parse_query(f"{self.query}&limit=200&days=3660")).entries
        now = {entry.paper.id: entry.entered_at for entry in found}
        assert len(found) == len(now), "an entry is there twice"
        assert reached == set(now), "an entry is missing, or has vanished, or never reached the threshold"
        upvotes = {entry.paper.id: entry.upvotes_at_entry for entry in found}
        assert self.seen.items() <= now.items(), "the date of an entry has changed"
        assert self.upvotes.items() <= upvotes.items(), "the upvotes that an entry entered with have changed"
        assert len(now) == len(set(now.values())), "two entries share a date"
        assert sorted(now.values(), reverse=True) == [entry.entered_at for entry in found], "not newest first"
        for name in now.keys() - self.seen.keys() - historic:
            assert previous is None or now[name] >= previous, "an entry is dated before the refresh before it"
            assert self.newest is None or now[name] > self.newest, "a reader that looks at dates missed an entry"
        self.history |= (now.keys() - self.seen.keys()) & historic
        self.seen, self.upvotes = now, upvotes
        self.newest = max((when for name, when in now.items() if name not in self.history), default=self.newest)


@dataclass
class Watch:
    """Readers of five thresholds and of papers with code, and what they ought to see."""

    archive: Archive
    readers: list[Reader] = field(
        default_factory=lambda: [Reader(LINKED), *(Reader(f"min_upvotes={number}") for number in THRESHOLDS)]
    )
    peaks: dict[str, int] = field(default_factory=dict)
    linked: set[str] = field(default_factory=set)
    first: datetime | None = None
    read: set[date] = field(default_factory=set)

    def refresh(self, listings: Iterable[Listing], now: datetime) -> None:
        """Store one refresh, then let every reader poll."""
        listings = list(listings)
        previous = self.archive.state().refreshed_at
        self.first = self.first or now
        historic, current = set[str](), set[str]()
        with_code = {paper.id for listing in listings for paper in listing.papers if paper.github_repo}
        new = {paper.id for listing in listings for paper in listing.papers} - self.peaks.keys()
        for listing in listings:
            if listing.day and listing.day not in self.read and (previous is None or listing.day < self.first.date()):
                historic |= {paper.id for paper in listing.papers if paper.id not in self.peaks}
            else:
                current |= {paper.id for paper in listing.papers}
        for listing in listings:
            if listing.day and (listing.day in self.read or listing.day > self.first.date()):
                historic -= {paper.id for paper in listing.papers}
            for paper in listing.papers:
                self.peaks[paper.id] = max(self.peaks.get(paper.id, 0), paper.effective_upvotes)
        self.read |= {listing.day for listing in listings if listing.day}
        self.linked |= with_code & (new | current)  # history adds no link to a paper that is there
        self.archive.store(listings, now)
        for threshold, reader in zip((None, *THRESHOLDS), self.readers, strict=True):
            above = {name for name, peak in self.peaks.items() if threshold and peak >= threshold}
            reader.poll(self.archive, above if threshold else self.linked, previous, historic)


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def test_made_up_week(archive: Archive) -> None:
    """A day that goes 1, 13, 0, 15 papers, votes up and down, and a paper listed again keep promises 1 and 2."""
    watch = Watch(archive)
    monday, tuesday, friday = date(2026, 3, 9), date(2026, 3, 10), date(2026, 3, 13)

    def listed(*found: dict, day: date = tuesday) -> Listing:
        return parse(api(found), day=day)

    watch.refresh([listed(*entries(20, day=monday, first=100, upvotes=4), day=monday)], at(9))
    watch.refresh([listed(entry(1, upvotes=1))], at(10, 4))
    watch.refresh([listed(*entries(13, upvotes=2))], at(10, 6))
    watch.refresh([listed()], at(10, 7))
    watch.refresh([listed(*entries(15, upvotes=1))], at(10, 8))
    watch.refresh([listed(*entries(7, upvotes=60), *entries(8, first=8, upvotes=0))], at(11))
    watch.refresh([listed(entry(2, upvotes=3), *entries(5, first=20, upvotes=10))], at(11, 13))
    watch.refresh([listed(entry(9, day=friday, upvotes=75), day=friday)], at(13))
    watch.refresh([listed(*entries(20, day=monday, first=100, upvotes=9), day=monday)], at(14))
    assert {40} == {len(watch.peaks)}
    assert {paper_id(number) for number in (1, 2, 3, 4, 5, 6, 7, 9)} == set(watch.readers[-1].seen)


def test_real_days_as_they_grew(archive: Archive, captures: Path) -> None:
    """Two real days, replayed at the times they were captured, keep promises 1 and 2."""
    watch = Watch(archive)
    for path in sorted((captures / "series").glob("*.json"), key=lambda path: path.name.partition("__")[2]):
        day, _, taken = path.stem.partition("__captured_")
        now = datetime.strptime(taken, "%Y-%m-%dT%H%MZ").replace(tzinfo=UTC)
        watch.refresh([parse(path.read_bytes(), day=date.fromisoformat(day))], now)
    assert 28 == len(watch.peaks)


# Any listings -----------------------------------------------------------------------------------


def history(dice: random.Random) -> Iterator[tuple[datetime, list[Listing]]]:
    """Yield made-up refreshes: what they list, and when they are.

    Papers come one by one or many at once, shortly before a refresh that sees them or long before it; votes rise and
    fall; links come and go; listings shrink, empty and come back; papers are listed again on another day; the clock is
    set back now and then. In some histories every listing time is the midnight of its day, as it is since May 2026.
    """
    now, is_midnight = at(10), dice.random() < 0.3
    days: dict[date, dict[int, datetime]] = {}  # what each day lists, and since when
    votes: dict[int, int] = {}
    linked: dict[int, bool] = {}
    for _ in range(dice.randint(2, 9)):
        pauses = (dice.randint(0, 40), dice.randint(60, 3600), dice.randint(3600, 100_000), -dice.randint(0, 5400))
        now += timedelta(seconds=dice.choice(pauses))
        for _ in range(dice.choice((0, 1, 3, dice.randint(4, 50)))):
            number = dice.randint(1, 9) if dice.random() < 0.1 else len(votes) + 1
            day = now.date() - timedelta(days=dice.choice((0, 0, 0, 1, 2, 3)))
            hours = (
                timedelta() if is_midnight else now - timedelta(seconds=dice.randint(-600, 7200)) - midnight(now.date())
            )
            days.setdefault(day, {}).setdefault(number, midnight(day) + hours)
            votes.setdefault(number, dice.choice((0, 1, 2, 12)))
            linked.setdefault(number, dice.random() < 0.5)
        votes = {number: max(0, count + dice.choice((-1, 0, 0, 0, 1, 4, 40))) for number, count in votes.items()}
        linked = {number: has_code != (dice.random() < 0.1) for number, has_code in linked.items()}
        listings = []
        for day in dice.sample(sorted(days), dice.randint(0, len(days))):
            numbers = sorted(days[day])
            listed = numbers if dice.random() < 0.7 else dice.sample(numbers, dice.randint(0, len(numbers)))
            rows = [
                entry(
                    number,
                    day=day,
                    upvotes=votes[number],
                    submittedOnDailyAt=days[day][number].isoformat(),
                    githubRepo=CODE if linked[number] else None,
                )
                for number in listed
            ]
            listings.append(parse(api(rows), day=day))
        yield now, listings


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def keep_promises(folder: Path, seed: int) -> None:
    with closing(Archive(str(folder / "archive.sqlite"))) as archive:
        watch = Watch(archive)
        for now, listings in history(random.Random(seed)):  # noqa: S311
            watch.refresh(listings, now)


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32))
def test_any_sequence_of_listings(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """Whatever is listed when, on one day or several, promises 1 and 2 hold at every step."""
    keep_promises(tmp_path_factory.mktemp("any"), seed)


@pytest.mark.once
@settings(max_examples=500)
@given(seed=st.integers(0, 2**32))
def test_many_sequences_of_listings(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """So they do in five hundred more."""
    keep_promises(tmp_path_factory.mktemp("many"), seed)


def test_equal_listings_make_equal_bytes(tmp_path: Path) -> None:
    """Two archives filled from the same listings, at different times, give the same bytes in every format."""
    made = []
    for name, now in (("one", at(10)), ("other", at(30))):
        archive = Archive(str(tmp_path / name))
        archive.store([parse(api(entries(40)), day=date(2026, 3, 10))], now)
        made.append(documents(archive, Query(), parse_query("q=agents&page=2&limit=2")))
        archive.close()
    assert made[0] == made[1]


def test_real_listings_make_equal_bytes(tmp_path: Path, captures: Path) -> None:
    """Two archives filled from the same real captures give the same bytes in every format."""
    made = []
    for name, now in (("one", datetime(2026, 9, 1, tzinfo=UTC)), ("other", datetime(2026, 10, 1, tzinfo=UTC))):
        archive = Archive(str(tmp_path / name))
        archive.store(
            [
                parse(path.read_bytes(), day=date.fromisoformat(path.name[:10]))
                for path in sorted((captures / "api").iterdir())
            ],
            now,
        )
        made.append(documents(archive, parse_query("days=3660&limit=200")))
        archive.close()
    assert made[0] == made[1]


def test_vote_comment_or_stranger_changes_no_byte(archive: Archive) -> None:
    """A vote, a comment, and a paper that does not match leave a feed as it was; one that matches does not."""
    day = date(2026, 3, 10)
    query = "q=agents&min_upvotes=2"

    def listed(**fields: int) -> list[Listing]:
        return [parse(api([entry(8, upvotes=fields.pop("upvotes", 3), **fields), entry(1)]), day=day)]

    archive.store(listed(), at(10))
    before = documents(archive, parse_query(query))
    assert json.loads(before[2])["items"]
    archive.store(listed(upvotes=4), at(10, 13))
    archive.store(listed(upvotes=4, numComments=6), at(10, 14))
    archive.store([parse(api([entry(2, upvotes=90)]), day=day)], at(10, 15))
    assert before == documents(archive, parse_query(query))
    archive.store([parse(api([entry(16, upvotes=2)]), day=day)], at(10, 16))
    assert before != documents(archive, parse_query(query))
