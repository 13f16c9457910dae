"""Moving house: a copy is equal, and appears all at once or not at all."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa

from feedproxy.archive import Archive, admin, open_database, schema
from feedproxy.archive.backend import Database, OpenMode
from feedproxy.errors import ArchiveError
from feedproxy.feeds import FORMATS
from feedproxy.model import Listing, SavedFile
from feedproxy.query.parameters import parse_query
from tests.conftest import Clock, NewAddress, Run, documents, one_line
from tests.factories import difficult_papers, paper
from tests.invariants import violations
from tests.test_integrity import close_days

Opened = Callable[[object, OpenMode], Database]
Opener = Callable[..., Archive]
COPIED = (*schema.GROWING, schema.listing_days, schema.files, schema.closings, schema.state)
QUERIES = [
    "",
    "min_upvotes=3",
    "q=zebra",
    "q=-zebra",
    "q=paper&min_upvotes=2",
    "q=org:lab",
    "q=has:image",
    "counts=1&link=pdf",
]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Open a database that is closed when the test ends."""
    with ExitStack() as stack:
        yield lambda address, opening: stack.enter_context(closing(open_database(str(address), opening=opening)))


@pytest.fixture(params=[("sqlite", "sqlite"), ("sqlite", "postgresql"), ("postgresql", "sqlite")], ids="-".join)
def kinds(request: pytest.FixtureRequest) -> tuple[str, str]:
    """In which databases the archive is and is to be."""
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def away(kinds: tuple[str, str], new_address: NewAddress) -> str:
    """A place for a copy."""
    return new_address(kinds[1])


@pytest.fixture
def home(kinds: tuple[str, str], new_address: NewAddress, open_archive: Opener, clock: Clock) -> str:
    """An archive of some days in which papers rose and were reworded, and one day was closed."""
    path = new_address(kinds[0])
    archive = open_archive(path)
    for number in range(1, 5):
        papers = (
            *difficult_papers(),
            paper(20, title=f"Zebras {number}", upvotes=number),
            paper(20 + number, ai_summary="…"),
        )
        file = SavedFile("a hash", "a stamp", "another hash", clock().date(), ("9913.00020",))
        archive.store([Listing(papers, day=clock().date(), file=file)], clock.tick(hours=9))
    archive.close()
    close_days(path, 1, clock)
    return path


def move(source: Database, target: Database, progress: admin.Progress = lambda *_: None) -> int:
    """Copy, and return how many rows that were."""
    rows, left_out = admin.copy(source, target, progress)
    assert [] == left_out
    return rows


def feeds(archive: Archive) -> list[bytes]:
    """Return every feed there is."""
    return documents(archive, *map(parse_query, QUERIES))


def rows(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Return all that an archive holds but for who refreshes."""
    held = [table for table in schema.metadata.sorted_tables if table is not schema.lease]
    with database.transaction() as db:
        return {table.name: sorted(map(tuple, db.execute(sa.select(table))), key=repr) for table in held}


def test_copy_is_equal(
    home: str, away: str, kinds: tuple[str, str], new_address: NewAddress, opened: Opened, open_archive: Opener
) -> None:
    """A copy holds the same rows, and makes the same bytes of every feed; so does a copy of the copy."""
    copies = [home, away, new_address(kinds[0])]
    for source, target in pairwise(copies):
        move(opened(source, OpenMode.EXISTING), opened(target, OpenMode.COPY))
    held = [rows(opened(path, OpenMode.EXISTING)) for path in copies]
    assert [] == [name for name, found in held[0].items() if not found]
    assert held[0] == held[1] == held[2]
    made = [feeds(open_archive(path)) for path in copies]
    assert len(QUERIES) * len(FORMATS) == len(set(made[0]))
    assert made[0] == made[1] == made[2]


@pytest.mark.parametrize("stage", ["papers", "wordings", "state", "search index"])
def test_interrupted_copy_leaves_nothing(home: str, away: str, opened: Opened, stage: str) -> None:
    """A copy that ends early leaves nothing, and the same command begins again."""

    def interrupt(at: str, *_: int) -> None:
        if stage in at:
            raise KeyboardInterrupt

    source = opened(home, OpenMode.EXISTING)
    with pytest.raises(KeyboardInterrupt):
        move(source, opened(away, OpenMode.COPY), interrupt)
    with pytest.raises(ArchiveError, match="there is no archive at"), opened(away, OpenMode.EXISTING).transaction():
        pass
    held = rows(source)
    assert sum(len(held[table.name]) for table in COPIED) == move(source, opened(away, OpenMode.COPY))
    assert held == rows(opened(away, OpenMode.EXISTING))


def test_copy_is_of_one_moment(home: str, away: str, opened: Opened, open_archive: Opener, clock: Clock) -> None:
    """What is refreshed while it is copied is copied as it was at the start."""
    before = rows(opened(home, OpenMode.EXISTING))
    refreshing = open_archive(home)

    def refresh(*_: object) -> None:
        refreshing.store([Listing((paper(21, upvotes=clock().hour),))], clock.tick(hours=1))

    move(opened(home, OpenMode.EXISTING), opened(away, OpenMode.COPY), refresh)
    assert before == rows(opened(away, OpenMode.EXISTING)) != rows(opened(home, OpenMode.EXISTING))
    assert [] == violations(opened(away, OpenMode.EXISTING))


def test_two_copy_at_once(home: str, away: str, opened: Opened) -> None:
    """Of two that copy to the same place the second is refused."""
    source, targets = opened(home, OpenMode.EXISTING), [opened(away, OpenMode.COPY) for _ in range(2)]
    for target in targets:
        with target.transaction():
            pass
    move(source, targets[0])
    with pytest.raises(ArchiveError, match="is not empty"):
        move(source, targets[1])
    assert rows(source) == rows(opened(away, OpenMode.EXISTING))


# The command ------------------------------------------------------------------------------------


def test_command_copies(run: Run, home: str, away: str, opened: Opened) -> None:
    """`archive copy` says how much was copied."""
    result = run("archive", "copy", home, away)
    assert (0, 1) == (result.exit_code, result.stdout.count(" rows, as in "))
    assert rows(opened(home, OpenMode.EXISTING)) == rows(opened(away, OpenMode.EXISTING))


def test_another_archive_is_not_overwritten(
    run: Run, home: str, away: str, opened: Opened, open_archive: Opener, clock: Clock
) -> None:
    """Where there is an archive already nothing is copied to."""
    open_archive(away).store([Listing((paper(1),))], clock.tick(hours=1))
    before = rows(opened(away, OpenMode.EXISTING))
    result = run("archive", "copy", home, away)
    assert (1, True) == (result.exit_code, "is not empty, and a copy overwrites nothing" in one_line(result))
    assert before == rows(opened(away, OpenMode.EXISTING))


def test_what_is_no_archive_is_not_overwritten(run: Run, tmp_path: Path, open_archive: Opener) -> None:
    """Where there is something else it stays."""
    open_archive(tmp_path / "home.sqlite").state()
    (tmp_path / "junk").write_bytes(b"keep me" * 200)
    result = run("archive", "copy", "home.sqlite", "junk")
    assert (1, True) == (result.exit_code, "file is not a database" in one_line(result))
    assert b"keep me" * 200 == (tmp_path / "junk").read_bytes()


def test_nothing_is_not_copied(
    run: Run, tmp_path: Path, home: str, away: str, new_address: NewAddress, kinds: tuple[str, str]
) -> None:
    """An archive that is not there is not made by copying it; nor is one copied to itself."""
    nowhere = new_address(kinds[0])
    for _ in range(2):
        result = run("archive", "copy", nowhere, away)
        assert (1, True) == (result.exit_code, "there is no archive at" in one_line(result))
    assert [] == list(tmp_path.iterdir())
    result = run("archive", "copy", home, home)
    assert (2, True) == (result.exit_code, "are the same archive" in result.stderr)


def test_address_that_is_none(run: Run) -> None:
    """What cannot be an archive is named, without a password in it."""
    result = run("archive", "copy", "mysql://someone:secret@localhost/feeds", "away.sqlite")
    assert (2, False) == (result.exit_code, "secret" in result.stderr)
    assert "an archive must be a file, or postgresql+psycopg://" in result.stderr
