"""A folder of saved listings of which only changes are read: feeds are those of reading all files each time."""

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from feedproxy.archive import Archive
from feedproxy.errors import ListingError
from feedproxy.ingest.files import SavedListings
from feedproxy.ingest.refresher import Refresher
from feedproxy.query.parameters import Query, parse_query
from tests.conftest import Clock, documents
from tests.factories import DAY, api, entries, entry

QUERIES = [
    parse_query(text)
    for text in ("", "min_upvotes=3", "q=agents&min_upvotes=2", "q=has:code", "counts=1", "digest=day", "digest=week")
]
_NAMES = ("%s.json", "%s-second.json", "beside/%s.json", "%s-third.json")
_PAPERS = 9


class Folder:
    """A folder whose files change at random; papers are in several files, and their fields come and go.

    With `only_grows` there are files of days before the first one, but no file and no entry ever goes: the first read
    of such a day is history, which revises nothing, and a second one would do so after all.
    """

    def __init__(self, path: Path, seed: int, *, only_grows: bool) -> None:
        self.path, self.only_grows = path, only_grows
        self.random = Random(seed)  # noqa: S311 (no secret)
        (path / "beside").mkdir(parents=True)
        self.files: dict[Path, set[int]] = {}  # and the numbers of their papers

    def change(self, today: date) -> None:
        """Do one thing to one file."""
        chance = self.random.random()
        if not self.files or chance < 0.4:
            self._write(self.path / self._name(today), today)
        elif chance < 0.75:
            self._write(self._any(), today)
        elif chance < 0.85:
            os.utime(self._any(), (at := self.random.randrange(2**30), at))
        elif chance < 0.93 and len(self.files) > 1 and not self.only_grows:
            file = self._any()
            file.unlink()
            del self.files[file]
        else:
            file, name = self._any(), self.path / self._name(today)
            if file != name and not (self.only_grows and name in self.files):
                shutil.copy2(file, name)
                self.files[name] = self.files[file]

    def _any(self) -> Path:
        return self.random.choice(sorted(self.files))

    def _day(self, today: date, days: int) -> date:
        day = today - timedelta(days=self.random.randrange(days))
        return day if self.only_grows else max(day, DAY)

    def _name(self, today: date) -> str:
        return self.random.choice([*(name % self._day(today, 5) for name in _NAMES), "undated.json"])

    def _write(self, file: Path, today: date) -> None:
        numbers = set(self.random.sample(range(_PAPERS), self.random.randint(1, 4)))
        self.files[file] = numbers | self.files.get(file, set()) if self.only_grows else numbers
        file.write_bytes(api([self._entry(number, today) for number in sorted(self.files[file])]))

    def _entry(self, number: int, today: date) -> dict[str, object]:
        some = self.random.choice
        fields = {"githubRepo": some((None, "https://code.example.org/x")), "ai_summary": some((None, "Short."))}
        title = f"Paper {number} on {some(('Agents', 'Robots'))}"
        return entry(number, day=self._day(today, 3), title=title, upvotes=some(range(6)), **fields)


def read_all(folder: Path, archive: Archive, now: datetime) -> None:
    """Store the listings of all files as if none had been read before."""
    source = SavedListings(folder)
    archive.store([source.get(request, now) for request in source.due({}, now)[0]], now)


@pytest.mark.parametrize("only_grows", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_changes(
    seed: int, only_grows: bool, tmp_path: Path, open_archive: Callable[..., Archive], clock: Clock
) -> None:
    """Files that come, change, go, are copied, and get other times; processes that end and begin."""
    folder = Folder(tmp_path / "saved", seed, only_grows=only_grows)
    archive, whole = (open_archive(tmp_path / name) for name in ("changes.sqlite", "whole.sqlite"))
    refresher = Refresher(SavedListings(folder.path), archive, clock)
    for _ in range(20):
        for _ in range(folder.random.randint(1, 3)):
            folder.change(clock().date())
        if folder.random.random() < 0.3:
            refresher = Refresher(SavedListings(folder.path), archive, clock)
        previous = whole.state().refreshed_at
        if refresher.source.due(archive.days(), clock()):
            read_all(folder.path, whole, clock())
        whole.close_periods(clock(), previous, has_all_days=True)
        refresher.refresh_once()
        assert documents(whole, *QUERIES) == documents(archive, *QUERIES)
        clock.tick(hours=folder.random.choice((1, 1, 5, 20)))


# What is read --------------------------------------------------------------------------------------

DAYS = [DAY - timedelta(days=age) for age in range(3)]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder of three files, a day each."""
    folder = tmp_path / "saved"
    folder.mkdir()
    for at, day in enumerate(DAYS):
        folder.joinpath(f"{day}.json").write_bytes(api([entry(at, day=day), entry(at + 10, day=day)]))
    return folder


def due(folder: Path, archive: Archive, clock: Clock, *, force: bool = False) -> list[str]:
    """Return the names of the files that are due in a process that has just begun, and refresh."""
    source = SavedListings(folder)
    refresher = Refresher(source, archive, clock)
    requests = [request for batch in source.due(archive.days(), clock(), force=force) for request in batch]
    refresher.refresh_once(force=force)
    return [request.path.name if request.path else "gone" for request in requests]


def test_restart(saved: Path, archive: Archive, clock: Clock) -> None:
    """After a restart only files that are new or have changed are due; with `force` all are."""
    first, *_, last = names = [f"{day}.json" for day in sorted(DAYS)]

    assert (names, []) == (due(saved, archive, clock), due(saved, archive, clock))
    (saved / last).write_bytes(api([entry(3)]))
    assert ([last], []) == (due(saved, archive, clock), due(saved, archive, clock))
    assert (names, []) == (due(saved, archive, clock, force=True), due(saved, archive, clock))
    (saved / first).unlink()
    assert [] == due(saved, archive, clock)
    (saved / "new.json").write_bytes(api([entry(4)]))
    assert (["new.json", "gone"], []) == (due(saved, archive, clock), due(saved, archive, clock))


def test_another_time(saved: Path, archive: Archive, clock: Clock) -> None:
    """A file with another time and the same content is hashed once, and not parsed."""
    due(saved, archive, clock)
    file = saved / f"{DAY}.json"
    os.utime(file, (0, 0))
    source = SavedListings(saved)
    Refresher(source, archive, clock)
    ((request,),) = source.due(archive.days(), clock())

    assert ((), True) == ((listing := source.get(request, clock())).papers, listing.unchanged)
    assert ([file.name], []) == (due(saved, archive, clock), due(saved, archive, clock))


def test_same_time_and_size(saved: Path, archive: Archive, clock: Clock) -> None:
    """A change that keeps a file's time and size, as some copies do, is one."""
    due(saved, archive, clock)
    file = saved / f"{DAY}.json"
    before, body = file.stat(), file.read_bytes()
    file.write_bytes(body.replace(b'"upvotes": 1', b'"upvotes": 9', 1))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert [file.name] == due(saved, archive, clock)
    assert 1 == len(archive.search(parse_query("min_upvotes=9")).entries)


def test_unreadable_beside_others(saved: Path, archive: Archive, clock: Clock) -> None:
    """A file that breaks is a problem, not a failure, and due after a restart; once it is whole nothing is new."""
    due(saved, archive, clock)
    file, refresher = saved / f"{DAY}.json", Refresher(SavedListings(saved), archive, clock)
    body = file.read_bytes()
    file.write_bytes(body[:-9])
    outcome = refresher.refresh_once()

    assert outcome
    assert (1, None) == (len(outcome.problems), archive.backoff().error)
    assert [] == refresher.source.due(archive.days(), clock())
    assert [file.name] == due(saved, archive, clock)
    file.write_bytes(body)
    assert ([file.name], []) == (due(saved, archive, clock), due(saved, archive, clock))


def test_entries_from_the_future(saved: Path, archive: Archive, clock: Clock) -> None:
    """A file with an entry from the future is due again after a restart, until that has come."""
    far = DAY + timedelta(days=3)
    (saved / "far.json").write_bytes(api([entry(5), entry(6, day=far)]))

    assert 4 == len(due(saved, archive, clock))
    assert ["far.json"] == due(saved, archive, clock)
    clock.tick(days=3)
    assert (["far.json"], []) == (due(saved, archive, clock), due(saved, archive, clock))
    assert 8 == len(archive.search(Query()).entries)


def test_restored_archive(saved: Path, tmp_path: Path, open_archive: Callable[..., Archive], clock: Clock) -> None:
    """With an older archive in its place a running process reads what that has not read."""
    older, path = tmp_path / "older.sqlite", tmp_path / "archive.sqlite"
    with closing(Archive(str(older))) as archive:
        due(saved, archive, clock)
    archive = open_archive(path)
    due(saved, archive, clock)
    clock.tick(hours=1)
    (saved / "new.json").write_bytes(api([entry(4)]))
    refresher = Refresher(SavedListings(saved), archive, clock)
    refresher.refresh_once()
    assert [] == refresher.source.due(archive.days(), clock())

    shutil.copy(older, tmp_path / "copy")
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    (tmp_path / "copy").replace(path)
    (batch,) = refresher.source.due(archive.days(), clock())
    assert [saved / "new.json"] == [request.path for request in batch]


def test_names_of_any_bytes(saved: Path, archive: Archive, clock: Clock) -> None:
    """A file may have a name that is no text, or hundreds of bytes long."""
    for name in (b"\xff\xfe.json", b"x" * 250 + b".json"):
        (saved / os.fsdecode(name)).write_bytes(api([entry(7)]))

    assert (5, []) == (len(due(saved, archive, clock)), due(saved, archive, clock))


def test_a_file_that_breaks_is_a_failure(tmp_path: Path, archive: Archive, clock: Clock) -> None:
    """A listing that was read once and cannot be read any more is reported; what the archive knows of it helps not."""
    listing = tmp_path / "listing.json"
    listing.write_bytes(api(entries(2)))
    refresher = Refresher(SavedListings(listing), archive, clock)
    refresher.refresh_once()
    good = archive.state().refreshed_at
    clock.tick(hours=1)
    listing.write_bytes(b"[")
    with pytest.raises(ListingError, match="broken JSON"):
        refresher.refresh_once()
    assert (good, 1) == (archive.state().refreshed_at, archive.backoff().failures)


def test_papers_from_the_future_are_read_in_time(tmp_path: Path, archive: Archive, clock: Clock) -> None:
    """A file whose papers are all from the future is tried again when another file changes."""
    clock.now, folder = datetime(2026, 3, 20, tzinfo=UTC), tmp_path / "folder"
    folder.mkdir()
    (folder / "a.json").write_bytes(api([entry(1, day=date(2026, 3, 18))]))
    (folder / "b.json").write_bytes(api([entry(2, day=date(2026, 3, 25))]))
    refresher = Refresher(SavedListings(folder), archive, clock)
    refresher.refresh_once()
    clock.tick(days=10)
    (folder / "a.json").write_bytes(api([entry(1, day=date(2026, 3, 18), upvotes=9)]))
    refresher.refresh_once()
    assert 2 == archive.stats().papers


def test_counts_only_what_has_changed(tmp_path: Path, archive: Archive, clock: Clock) -> None:
    """What other files say of the same papers is not counted as read, nor reported as progress."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in "abcdef":
        (folder / f"{name}.json").write_bytes(api([entry(1)]))
    refresher, progress = Refresher(SavedListings(folder), archive, clock), list[tuple[int, int]]()
    refresher.refresh_once()
    clock.tick(hours=1)
    (folder / "c.json").write_bytes(api([entry(1), entry(2)]))
    outcome = refresher.refresh_once(report=lambda listings, total: progress.append((listings, total)))
    assert ("1 listing read, 2 papers in them, 1 new", [(1, 1)]) == (str(outcome), progress)
