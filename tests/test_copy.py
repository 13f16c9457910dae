"""Moving house: a copy is equal, goes on where it was interrupted, and is no archive until it is whole."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa

from feedproxy.archive import Archive, open_database, schema
from feedproxy.archive.backend import Database, OpenMode
from feedproxy.archive.copy import copying
from feedproxy.archive.schema import GROWING
from feedproxy.errors import ArchiveError
from feedproxy.feeds import FORMATS
from feedproxy.model import Listing
from feedproxy.query.parameters import parse_query
from tests.conftest import Clock, NewAddress, Run, documents, one_line
from tests.factories import difficult_papers, paper

Opened = Callable[[object, OpenMode], Database]
Opener = Callable[..., Archive]
QUERIES = ["", "min_upvotes=3", "q=zebra", "q=-zebra", "q=paper&min_upvotes=2", "q=org:lab", "counts=1&link=pdf"]
PIECE = 5


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
    """An archive of some days in which papers rose and were reworded."""
    path = new_address(kinds[0])
    archive = open_archive(path)
    for number in range(1, 5):
        papers = (*difficult_papers(), paper(20, title=f"Zebras {number}", upvotes=number), paper(20 + number))
        archive.store([Listing(papers, day=clock().date())], clock.tick(hours=9))
    archive.close()
    return path


def move(source: Database, target: Database, pieces: int = 10_000) -> int:
    """Copy at most so many pieces, and finish if those were all; return how many rows were there before."""
    with copying(source, target, piece=PIECE) as copy:
        done = copy.pieces()
        before = next(done)
        for _ in range(pieces):
            if next(done, None) is None:
                list(copy.compared())
                copy.finish()
                break
    return before


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
        move(opened(source, OpenMode.PRESENT), opened(target, OpenMode.COPY))
    held = [rows(opened(path, OpenMode.PRESENT)) for path in copies]
    assert [] == [name for name, found in held[0].items() if not found]
    assert held[0] == held[1] == held[2]
    made = [feeds(open_archive(path)) for path in copies]
    assert len(QUERIES) * len(FORMATS) == len(set(made[0]))
    assert made[0] == made[1] == made[2]


def test_copy_goes_on_after_each_piece(home: str, away: str, opened: Opened, open_archive: Opener) -> None:
    """A copy that is broken off after every piece goes on with the next, opens for nothing else, and ends equal."""
    source = opened(home, OpenMode.PRESENT)
    held = rows(source)
    large = sum(len(held[table.name]) for table in GROWING)
    there = [move(source, opened(away, OpenMode.COPY), pieces=1)]
    while there[-1] < large:
        with pytest.raises(ArchiveError, match="is half of a copy: repeat feedproxy archive copy"):
            open_archive(away).state()
        there.append(move(source, opened(away, OpenMode.COPY), pieces=1))
    assert there[:3] == [0, PIECE, 2 * PIECE]
    assert held == rows(opened(away, OpenMode.PRESENT))


def test_copy_begins_anew_where_the_archive_has_changed(
    home: str, away: str, opened: Opened, open_archive: Opener, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Half a copy of an archive that was refreshed meanwhile is not gone on with, and that is said."""
    caplog.set_level("INFO")
    move(opened(home, OpenMode.PRESENT), opened(away, OpenMode.COPY), pieces=12)
    open_archive(home).store([Listing((paper(20, title="Okapi", upvotes=90),))], clock.tick(hours=1))
    assert 0 == move(opened(home, OpenMode.PRESENT), opened(away, OpenMode.COPY))
    assert ["what is copied has changed since it was begun: beginning anew"] == caplog.messages
    assert rows(opened(home, OpenMode.PRESENT)) == rows(opened(away, OpenMode.PRESENT))
    assert 1 == open_archive(away).count(parse_query("q=okapi"))


def test_copy_is_of_one_moment(home: str, away: str, opened: Opened, open_archive: Opener, clock: Clock) -> None:
    """What is refreshed while it is copied is copied as it was at the start."""
    before = rows(opened(home, OpenMode.PRESENT))
    with copying(opened(home, OpenMode.PRESENT), opened(away, OpenMode.COPY), piece=PIECE) as copy:
        for _ in copy.pieces():
            open_archive(home).store([Listing((paper(21, upvotes=clock().hour),))], clock.tick(hours=1))
        list(copy.compared())
        copy.finish()
    assert before == rows(opened(away, OpenMode.PRESENT)) != rows(opened(home, OpenMode.PRESENT))


def test_two_copy_at_once(home: str, away: str, opened: Opened) -> None:
    """Of two that copy the same archive to the same place at the same time at least one ends well, with all of it."""
    with ThreadPoolExecutor(2) as pool:
        pairs = [(opened(home, OpenMode.PRESENT), opened(away, OpenMode.COPY)) for _ in range(2)]
        copying = [pool.submit(move, *pair) for pair in pairs]
        ended = [copy.exception() for copy in copying]
    assert None in ended
    assert rows(opened(home, OpenMode.PRESENT)) == rows(opened(away, OpenMode.PRESENT))


def test_what_differs_does_not_become_an_archive(home: str, away: str, opened: Opened) -> None:
    """Half a copy in which anything is not as in the archive it is of is never finished, and says what to do."""
    copied = opened(away, OpenMode.COPY)
    move(opened(home, OpenMode.PRESENT), copied, pieces=12)
    with copied.transaction(writing=True) as db:
        db.execute(sa.update(schema.papers).values(title="Another").where(schema.papers.c.upvotes == 4))
    with pytest.raises(ArchiveError, match=r"papers has .*, not .*; delete it and copy again"):
        move(opened(home, OpenMode.PRESENT), copied)
    with pytest.raises(ArchiveError, match="is half of a copy"), opened(away, OpenMode.USE).transaction():
        pass


def test_half_of_another_archive_is_told_apart(
    home: str, away: str, kinds: tuple[str, str], new_address: NewAddress, opened: Opened, open_archive: Opener
) -> None:
    """Even two archives that were refreshed in the same microsecond do not mix."""
    twin = new_address(kinds[0])
    revision = open_archive(home).state().revision
    open_archive(twin).store([Listing((paper(7), paper(8)))], datetime.fromtimestamp(revision / 1e6, UTC))
    assert revision == open_archive(twin).state().revision
    move(opened(home, OpenMode.PRESENT), opened(away, OpenMode.COPY), pieces=1)
    with pytest.raises(ArchiveError, match="delete it and copy again"):
        move(opened(twin, OpenMode.PRESENT), opened(away, OpenMode.COPY))


# The command ------------------------------------------------------------------------------------


def test_command_copies(run: Run, home: str, away: str, opened: Opened) -> None:
    """`archive copy` says how much is equal, and again when it is repeated."""
    for _ in range(2):
        result = run("archive", "copy", home, away)
        assert (0, 1) == (result.exit_code, result.stdout.count("rows, equal to those of"))
    assert rows(opened(home, OpenMode.PRESENT)) == rows(opened(away, OpenMode.PRESENT))


def test_half_a_copy_of_another_schema(run: Run, home: str, away: str, opened: Opened) -> None:
    """What an older feedproxy began to copy lacks tables that there are by now: it is not gone on with."""
    begun = opened(away, OpenMode.COPY)
    move(opened(home, OpenMode.PRESENT), begun, pieces=3)
    with begun.transaction(writing=True) as db:
        begun.set_schema_version(db, -1)
    for command in (["archive", "copy", home, away], ["archive", "check", "--archive", away]):
        assert "is half of a copy by another feedproxy" in one_line(run(*command))


def test_half_a_copy_is_not_served(run: Run, home: str, away: str, opened: Opened) -> None:
    """A server on half a copy does not start, and says what to do."""
    move(opened(home, OpenMode.PRESENT), opened(away, OpenMode.COPY), pieces=3)
    for command in (["serve"], ["refresh"], ["feed", "q=agents"], ["archive", "check"]):
        result = run(*command, "--archive", away, listing="demo")
        assert 1 == result.exit_code
        assert "is half of a copy: repeat feedproxy archive copy" in one_line(result)


def test_another_archive_is_not_overwritten(
    run: Run, home: str, away: str, opened: Opened, open_archive: Opener, clock: Clock
) -> None:
    """Where there is an archive already nothing is copied to."""
    open_archive(away).store([Listing((paper(1),))], clock.tick(hours=1))
    before = rows(opened(away, OpenMode.PRESENT))
    result = run("archive", "copy", home, away)
    assert (1, True) == (result.exit_code, "holds another archive, which is not overwritten" in one_line(result))
    assert before == rows(opened(away, OpenMode.PRESENT))


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
    assert "an archive wants a file, or postgresql+psycopg://" in result.stderr
