"""`archive check`, `backup` and `restore`: what is damaged is told, what is put back is whole."""

import re
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from feedproxy.archive import Archive, open_database
from feedproxy.archive.search import DAY
from feedproxy.ingest.schedule import missing_days
from feedproxy.model import Listing
from feedproxy.query.parameters import Query, parse_query
from tests.conftest import DATABASES, Clock, NewAddress, Run, one_line
from tests.factories import paper

Opener = Callable[..., Archive]


@pytest.fixture
def path(open_archive: Opener, tmp_path: Path, clock: Clock) -> Path:
    """An archive in which a paper rose and was reworded."""
    path = tmp_path / "archive.sqlite"
    fill(open_archive(path), clock)
    return path


@pytest.fixture
def shared(new_address: NewAddress, open_archive: Opener, clock: Clock) -> str:
    """The same archive in PostgreSQL."""
    address = new_address("postgresql")
    fill(open_archive(address), clock)
    return address


def fill(archive: Archive, clock: Clock) -> None:
    for title in ("Zebras", "Okapi"):
        archive.store([Listing((paper(1, title=title, upvotes=len(title)), paper(2)), clock().date())], clock())
        clock.tick(hours=1)
    archive.store([Listing((paper(1, title="Okapi", upvotes=9),))], clock.tick(hours=1))
    archive.close()


def damage(archive: Path | str, statement: str) -> None:
    """Run `statement` without what keeps an archive whole."""
    if isinstance(archive, Path):
        with closing(sqlite3.connect(archive)) as file:
            file.execute(statement)
            file.commit()
    else:
        with closing(open_database(archive)) as database, database.transaction(writing=True) as db:
            db.exec_driver_sql(statement)


def close_days(archive: Path | str, number: int, clock: Clock) -> None:
    """Write into `archive` that so many days were closed, the last one now."""
    last = int(clock().timestamp())
    ends = {closed_at: closed_at - closed_at % DAY - DAY for closed_at in range(last, last - DAY * number, -DAY)}
    rows = [f"('day', {end - DAY}, {end}, {closed_at}, {closed_at}, 1)" for closed_at, end in ends.items()]
    damage(archive, f"INSERT INTO closings VALUES {', '.join(rows)}")
    damage(archive, f"UPDATE state SET closed_at = {last}")


def titles(archive: Archive, query: str = "") -> set[str]:
    return {entry.paper.title for entry in archive.search(parse_query(query)).entries}


# check ------------------------------------------------------------------------------------------


def test_sound_archive(run: Run, path: Path, clock: Clock) -> None:
    """Of an archive in which all is right nothing else is said, but which one it is and what it holds."""
    result = run("archive", "check", "--archive", path)
    assert (0, "") == (result.exit_code, result.stderr)
    *rows, last = result.stdout.splitlines()
    assert {"ok"} == {row.split("  ")[0] for row in rows}
    assert f"{path} is in order: 2 papers up to {clock().date()}" == last


def test_empty_archive_is_sound(run: Run, open_archive: Opener, tmp_path: Path) -> None:
    """An archive that holds nothing yet is in order; one that is not there is not made."""
    open_archive(tmp_path / "empty.sqlite").state()
    assert 0 == run("archive", "check", "--archive", tmp_path / "empty.sqlite").exit_code
    assert "there is no archive at" in one_line(run("archive", "check", "--archive", tmp_path / "none.sqlite"))
    assert not (tmp_path / "none.sqlite").exists()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "DELETE FROM papers WHERE wording IN (SELECT since FROM wordings WHERE title = 'Okapi')",
            "the database is sound",
        ),
        (
            "DELETE FROM wordings WHERE title = 'Okapi'",
            "every row can be read: not so in 1 case: papers 9913.00001 (title)",
        ),
        ("UPDATE wordings SET title = 'Renamed'", "the search index holds the words of every wording"),
        ("INSERT INTO search (search) VALUES ('delete-all')", "the search index holds the words of every wording"),
        ("DROP TABLE search", "the search index holds the words of every wording"),
    ],
)
def test_damage_is_told(run: Run, path: Path, statement: str, told: str) -> None:
    """Whatever is not as it should be has its line, and the exit code says so."""
    damage(path, statement)
    result = run("archive", "check", "--archive", path)
    assert (1, f"feedproxy: {path} is not in order") == (result.exit_code, one_line(result))
    assert f"NOT OK  {told}" in result.stdout


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO search (search) VALUES ('delete-all')", "DROP TABLE search", "UPDATE search_data SET block = x'00'"],
)
def test_index_is_repaired(run: Run, path: Path, open_archive: Opener, statement: str) -> None:
    """A search index that is emptied, gone or damaged is made again, old wordings included; feeds are made anew."""
    before = open_archive(path).state().revision
    damage(path, statement)
    result = run("archive", "check", "--repair", "--archive", path)
    assert (0, 1) == (result.exit_code, result.stdout.count("rebuilt the search index"))
    assert ({"Okapi"}, {"Okapi"}) == tuple(titles(open_archive(path), f"q={word}") for word in ("zebra", "okapi"))
    assert before < open_archive(path).state().revision


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM wordings WHERE title = 'Zebras'",
        "UPDATE wordings SET summary = 'other words' WHERE title = 'Zebras'",
        "DELETE FROM papers WHERE wording IN (SELECT since FROM wordings WHERE title = 'Okapi')",
    ],
)
def test_what_follows_from_the_rest_is_repaired(run: Run, path: Path, statement: str) -> None:
    """What the rest of an archive says is made again too."""
    damage(path, statement)
    assert 1 == run("archive", "check", "--archive", path).exit_code
    result = run("archive", "check", "--repair", "--archive", path)
    assert (0, 1) == (result.exit_code, result.stdout.count("rebuilt the"))


@pytest.mark.parametrize("repairs", [0, 1])
def test_lost_wording_is_mended_by_a_refresh(
    run: Run, path: Path, open_archive: Opener, clock: Clock, repairs: int
) -> None:
    """A paper whose present wording is lost gets it back under its date, with or without --repair before."""
    archive = open_archive(path)
    before = archive.search(parse_query("q=okapi")).entries
    damage(path, "DELETE FROM wordings WHERE title = 'Okapi'")
    for _ in range(repairs):
        assert "NOT OK  every row" in run("archive", "check", "--repair", "--archive", path).stdout
    assert {"Paper 2 on Diffusion"} == titles(archive)
    archive.store([Listing((paper(1, title="Okapi", upvotes=9),))], clock.tick(hours=1))
    assert [entry.entered_at for entry in before] == [
        entry.entered_at for entry in archive.search(parse_query("q=okapi")).entries
    ]
    assert 0 == run("archive", "check", "--archive", path).exit_code


def test_damaged_file_is_told(run: Run, path: Path) -> None:
    """A file of which a part is junk is a finding; whatever can be looked at is."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"junk" * 4096)
    result = run("archive", "check", "--archive", path)
    assert (1, True) == (result.exit_code, "malformed" in result.stdout)
    assert 4 == len(result.stdout.splitlines())
    assert 1 == result.stderr.count("\n")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM search WHERE rowid = (SELECT min(rowid) FROM search)",
        "UPDATE search SET words = ''",
        "INSERT INTO search SELECT 1, words FROM search LIMIT 1",
        "DROP TABLE search",
    ],
)
@pytest.mark.integration
def test_index_in_postgresql_is_repaired(run: Run, shared: str, open_archive: Opener, statement: str) -> None:
    """The search index in PostgreSQL is compared row by row, and made again."""
    assert 0 == run("archive", "check", "--archive", shared).exit_code
    damage(shared, statement)
    assert "NOT OK  the search index" in run("archive", "check", "--archive", shared).stdout
    assert 0 == run("archive", "check", "--repair", "--archive", shared).exit_code
    assert ({"Okapi"}, {"Okapi"}) == tuple(titles(open_archive(shared), f"q={word}") for word in ("zebra", "okapi"))


@pytest.mark.integration
def test_postgresql_is_backed_up_by_its_own_command(run: Run, shared: str, tmp_path: Path) -> None:
    """For an archive in PostgreSQL `backup` and `restore` say what does it instead."""
    for words in (["backup", "file"], ["restore", "file", "--yes"]):
        result = run("archive", *words, "--archive", shared)
        assert (1, True) == (result.exit_code, "is not a file: back it up with pg_dump" in one_line(result))
    assert [] == list(tmp_path.iterdir())


# backup and restore -----------------------------------------------------------------------------


def test_backup_while_it_is_written_to(run: Run, path: Path, open_archive: Opener, clock: Clock) -> None:
    """Backups of an archive that is being refreshed all the time are each whole, and of one moment."""
    done = threading.Event()

    def refresh() -> None:
        archive = open_archive(path)
        while not done.is_set():
            archive.store(
                [Listing(tuple(paper(n, upvotes=clock().minute) for n in range(1, 30)))], clock.tick(minutes=7)
            )

    with ThreadPoolExecutor(1) as pool:
        refreshing = pool.submit(refresh)
        codes = [run("archive", "backup", f"{number}.sqlite", "--archive", path).exit_code for number in range(5)]
        done.set()
        refreshing.result()
    assert [0] * 5 == codes
    assert [0] * 5 == [run("archive", "check", "--archive", f"{number}.sqlite").exit_code for number in range(5)]


def test_backup_is_not_overwritten_by_mistake(run: Run, path: Path, tmp_path: Path, open_archive: Opener) -> None:
    """A file that is there stays as it is, unless --force is given; an archive in use stays in any case."""
    kept = tmp_path / "kept.sqlite"
    kept.write_bytes(b"keep me")
    refused = run("archive", "backup", kept, "--archive", path)
    assert (1, b"keep me") == (refused.exit_code, kept.read_bytes())
    assert f"feedproxy: {kept} exists already; --force replaces it, if it is a file" == one_line(refused)
    assert 0 == run("archive", "backup", kept, "--force", "--archive", path).exit_code
    assert {"Okapi", "Paper 2 on Diffusion"} == titles(open_archive(kept))
    refused = run("archive", "backup", kept, "--force", "--archive", path)
    assert (1, True) == (refused.exit_code, "is an archive in use" in one_line(refused))
    assert 1 == run("archive", "backup", path, "--force", "--archive", path).exit_code


def test_backup_that_cannot_be_written(run: Run, path: Path, tmp_path: Path) -> None:
    """A place that cannot be written to is one line, and nothing is left there."""
    refused = run("archive", "backup", tmp_path / "nowhere" / "backup.sqlite", "--archive", path)
    assert (1, True) == (refused.exit_code, "cannot write" in one_line(refused))


def test_restore_while_it_is_served(run: Run, path: Path, open_archive: Opener, clock: Clock) -> None:
    """Whoever has the archive open goes on with what was restored; what was written after the backup is gone."""
    live = open_archive(path)
    assert 0 == run("archive", "backup", "backup.sqlite", "--archive", path).exit_code
    before = live.search(Query())
    live.store([Listing((paper(3, title="Written Later"),))], clock.tick(hours=1))
    assert Path(f"{path}-wal").stat().st_size > 0
    restored = run("archive", "restore", "backup.sqlite", "--yes", "--archive", path)
    assert (0, "") == (restored.exit_code, restored.stderr)
    assert before == live.search(Query()) == open_archive(path).search(Query())
    live.store([Listing((paper(4, title="Written Last"),))], clock.tick(hours=1))
    assert {"Written Last"} == titles(open_archive(path), "q=written")
    assert 0 == run("archive", "check", "--archive", path).exit_code
    assert {path.name, f"{path.name}-wal", f"{path.name}-shm", "backup.sqlite"} == {
        file.name for file in path.parent.iterdir()
    }


def test_backup_and_restore_say_what_they_hold(run: Run, path: Path, clock: Clock) -> None:
    """Both name the archive, the number of its papers and the day of the newest."""
    papers = f"2 papers up to {clock().date()}"
    backup = run("archive", "backup", "backup.sqlite", "--archive", path).stdout
    assert re.fullmatch(rf"backup.sqlite: \d+ bytes from {path}, {papers}\n", backup)
    restored = run("archive", "restore", "backup.sqlite", "--yes", "--archive", path).stdout
    assert f"{path}: {papers}, as in backup.sqlite\n" == restored


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize("is_demo", [True, False])
def test_made_up_papers_do_not_mix_with_real_ones(run: Run, path: Path, open_archive: Opener, is_demo: bool) -> None:
    """A backup of the demo is restored with `--demo` only, another one only without; an empty one may be either."""
    demo = ["--demo"] if is_demo else []
    run("archive", "backup", "backup.sqlite", *(demo or ["--archive", path]))
    papers, option = ("the demo's made-up papers", "with") if is_demo else ("papers not of the demo", "without")
    refused = run("archive", "restore", "backup.sqlite", "--yes", *([] if is_demo else ["--demo"]))
    assert (1, f"feedproxy: backup.sqlite holds {papers}: restore it {option} --demo") == (
        refused.exit_code,
        one_line(refused),
    )
    assert 0 == run("archive", "restore", "backup.sqlite", "--yes", *demo).exit_code
    open_archive("empty.sqlite").state()
    for words in ([], ["--demo"]):
        assert "0 papers, as in" in run("archive", "restore", "empty.sqlite", "--yes", *words).stdout


def test_restore_asks_first(run: Run, path: Path, open_archive: Opener) -> None:
    """Without --yes it is asked, and without an answer nothing is replaced."""
    run("archive", "backup", "backup.sqlite", "--archive", path)
    damage(path, "UPDATE wordings SET title = 'Still Here'")
    assert 1 == run("archive", "restore", "backup.sqlite", "--archive", path).exit_code
    assert {"Still Here"} == titles(open_archive(path))


def test_restore_where_there_is_nothing(run: Run, path: Path, tmp_path: Path, open_archive: Opener) -> None:
    """A backup makes an archive where there is none, and is left as it was."""
    before = path.read_bytes()
    assert 0 == run("archive", "restore", path, "--yes", "--archive", tmp_path / "new.sqlite").exit_code
    assert before == path.read_bytes()
    assert titles(open_archive(path)) == titles(open_archive(tmp_path / "new.sqlite"))


@pytest.mark.parametrize("content", [b"", b"junk" * 5000, None])
def test_what_is_no_backup_is_not_restored(run: Run, path: Path, tmp_path: Path, content: bytes | None) -> None:
    """A file that is empty, junk or not there leaves the archive as it was."""
    if content is not None:
        (tmp_path / "backup").write_bytes(content)
    before = path.read_bytes()
    refused = run("archive", "restore", "backup", "--yes", "--archive", path)
    assert (1, True) == (refused.exit_code, "backup" in one_line(refused))
    assert before == path.read_bytes()


@pytest.mark.parametrize("kind", DATABASES)
def test_lost_votes_are_restored(
    run: Run, new_address: NewAddress, open_archive: Opener, clock: Clock, kind: str
) -> None:
    """Steps of votes that are lost are noticed, and made again from the counts that the papers have."""
    address = new_address(kind)
    fill(open_archive(address), clock)
    damage(Path(address) if kind == "sqlite" else address, "DELETE FROM ledger WHERE value > 1")
    told = run("archive", "check", "--archive", address).stdout
    assert "NOT OK  the votes of every paper have their dates: not so of 1 paper" in told
    assert set() == titles(open_archive(address), "min_upvotes=9")
    assert 0 == run("archive", "check", "--repair", "--archive", address).exit_code
    assert {"Okapi"} == titles(open_archive(address), "min_upvotes=9")


def test_days_of_unreadable_papers_are_read_again(run: Run, path: Path, open_archive: Opener, clock: Clock) -> None:
    """After a repair, a backfill reads the day of a paper that cannot be read, which mends the paper."""
    day, papers = paper(1).submitted_at.date(), (paper(1, title="Okapi", upvotes=9), paper(2))
    archive = open_archive(path)
    archive.store([Listing(papers, day=day)], clock.tick(days=2))
    assert [] == missing_days(archive.days(None), day, day)
    damage(path, "UPDATE wordings SET title = x'ff' WHERE since = (SELECT wording FROM papers WHERE id LIKE '%1')")
    assert "Okapi" not in titles(archive)
    archive.close()
    run("archive", "check", "--repair", "--archive", path)
    archive = open_archive(path)
    assert [day] == missing_days(archive.days(None), day, day)
    archive.store([Listing(papers, day=day)], clock.tick(days=90))
    assert "Okapi" in titles(archive, "days=3660")
    assert [] == missing_days(archive.days(None), day, day)
