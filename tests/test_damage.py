"""Damaged archives: what cannot be read is told and left out, the rest is served, and what can be is mended."""

import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from feedproxy.archive import Archive, files
from feedproxy.archive.lease import Backoff
from feedproxy.archive.schema import WORDING
from feedproxy.archive.sqlite import SQLite
from feedproxy.errors import ArchiveError
from feedproxy.model import Listing
from feedproxy.query.parameters import parse_query
from tests.conftest import Clock, NewAddress, Run, one_line
from tests.factories import paper
from tests.invariants import violations
from tests.test_integrity import close_days, damage, titles

Opener = Callable[..., Archive]
NOWHERE = "http://127.0.0.1:9"
PATHS = ("/feed.rss", "/feed.atom?q=paper", "/feed.json?q=-zebra&min_upvotes=1", "/", "/?q=paper", "/readyz", "/status")
OTHERS = {f"Paper {number}" for number in range(1, 8)}


def fill(archive: Archive, clock: Clock) -> None:
    """Store eight papers of which the newest, *Damaged*, rose since, and close two days."""
    papers = [*(paper(number, title=f"Paper {number}") for number in range(1, 8)), paper(8, title="Paper Damaged")]
    papers[-1] = replace(papers[-1], ai_summary="It was whole.")
    archive.store([Listing(tuple(papers), day=clock().date())], clock())
    archive.store([Listing((paper(7, title="Paper Renamed"),))], clock.tick(hours=1))
    archive.store([Listing((papers[6], paper(8, title="Paper Damaged", upvotes=5)))], clock.tick(hours=1))
    archive.close()
    close_days(archive.address, 2, clock)


@pytest.fixture
def path(open_archive: Opener, tmp_path: Path, clock: Clock) -> Path:
    path = tmp_path / "archive.sqlite"
    fill(open_archive(path), clock)
    return path


# One row ------------------------------------------------------------------------------------------

# What is written into a column of a paper.
VALUES = [
    ("authors", "'[\"Ada'"),
    ("authors", '\'{"name": "Ada"}\''),
    ("authors", "'[1, 2]'"),
    ("authors", "'null'"),
    ("authors", "'" + "[" * 50_000 + "'"),
    ("authors", "'[\"\\ud800\"]'"),
    ("ai_keywords", "x'00ff'"),
    ("ai_summary", "x'41'"),
    ("github_stars", "'many'"),
    ("media", "'[1]'"),
    ("ai_summary", "CAST(x'ff41' AS TEXT)"),
    ("organization", "'Example Lab'"),
    ("organization", '\'{"name": "example-lab"}\''),
    ("organization", "'[1]'"),
    ("title", "x'00ff'"),
    ("title", "CAST(x'ff41' AS TEXT)"),
    ("title", "CAST(x'0041' AS TEXT)"),
    ("github_repo", "CAST(x'41ff' AS TEXT)"),
    ("thumbnail", "x'41'"),
    ("upvotes", "'many'"),
    ("comments", "-1"),
    ("author_count", "1e300"),
    ("submitted_at", "'soon'"),
    ("submitted_at", "1 << 60"),
    ("published_at", "-1 << 60"),
    ("revised_at", "'never'"),
    ("wording", "'x'"),
]
DAMAGED = {
    "wordings": "WHERE title = 'Paper Damaged'",
    "papers": "WHERE wording IN (SELECT since FROM wordings WHERE title = 'Paper Damaged')",
}


def table_of(column: str) -> str:
    return "wordings" if column in WORDING else "papers"


def damage_paper(archive: Path | str, column: str, value: str) -> None:
    """Write `value` into that column of the paper that is to be damaged."""
    damage(archive, f"UPDATE {table_of(column)} SET {column} = {value} {DAMAGED[table_of(column)]}")


@pytest.mark.integration
@pytest.mark.parametrize(("column", "value"), VALUES, ids=lambda text: text[:30])
def test_row_that_cannot_be_read(
    run: Run,
    path: Path,
    tmp_path: Path,
    serve: Callable[..., httpx.Client],
    open_archive: Opener,
    clock: Clock,
    column: str,
    value: str,
) -> None:
    """It is left out of feeds, pages and copies, told by name, counted in the status, and mended by a refresh."""
    damage_paper(path, column, value)
    client = serve(archive=str(path), listing=NOWHERE)
    assert {200} == {client.get(address).status_code for address in PATHS}
    assert 7 == client.get("/feed.rss").text.count("<item>")
    assert ["1 paper cannot be read: feedproxy archive check"] == client.get("/status.json").json()["problems"]

    checked = run("archive", "check", "--archive", path)
    assert 1 == checked.exit_code
    assert f"NOT OK  every row can be read: not so in 1 case: papers 9913.00008 ({column})" in checked.stdout
    copied = run("archive", "copy", path, tmp_path / "copy.sqlite")
    assert (0, True) == (copied.exit_code, f"as they cannot be read: papers 9913.00008 ({column})\n" in copied.stderr)
    assert OTHERS == titles(open_archive(tmp_path / "copy.sqlite"))
    assert 0 == run("archive", "check", "--archive", tmp_path / "copy.sqlite").exit_code

    archive = open_archive(path)
    assert OTHERS == titles(archive) == titles(archive, "q=paper")
    archive.store([Listing((paper(8, title="Paper Damaged", upvotes=5),))], clock.tick(hours=1))
    assert {*OTHERS, "Paper Damaged"} == titles(archive)
    assert 0 == run("archive", "check", "--archive", path).exit_code


def test_row_is_logged_once(path: Path, open_archive: Opener, caplog: pytest.LogCaptureFixture) -> None:
    """However often its feeds are asked for, a row that cannot be read is one line of the log."""
    damage_paper(path, "project_page", "x'00'")
    archive = open_archive(path)
    for query in ("", "q=paper", "min_upvotes=1"):
        titles(archive, query)
    [line] = caplog.messages
    assert "paper 9913.00008 is left out of feeds: its project_page cannot be read (feedproxy archive check)" == line


@pytest.mark.integration
def test_row_of_another_shape_in_postgresql(
    run: Run, new_address: NewAddress, tmp_path: Path, open_archive: Opener, clock: Clock
) -> None:
    """In PostgreSQL JSON of another shape, or nested too deep, costs no more."""
    shared = new_address("postgresql")
    fill(open_archive(shared), clock)
    for value in ('{"a": 1}', "[" * 2000 + "]" * 2000):
        damage_paper(shared, "authors", f"'{value}'")
        assert OTHERS == titles(open_archive(shared))
        assert "papers 9913.00008 (authors)" in run("archive", "check", "--archive", shared).stdout
    copied = run("archive", "copy", shared, tmp_path / "copy.sqlite")
    assert (0, True) == (copied.exit_code, "papers 9913.00008 (authors)" in copied.stderr)
    assert OTHERS == titles(open_archive(tmp_path / "copy.sqlite"))


@pytest.mark.integration
@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE ledger SET reached_at = 'x' WHERE value = 5", "(reached_at)"),
        ("UPDATE ledger SET reached_at = 1 << 60 WHERE value = 5", "(reached_at)"),
        ("UPDATE ledger SET value = 'x' WHERE value = 5", "upvotes"),
        ("UPDATE wordings SET summary = x'ff' WHERE title = 'Paper Renamed'", "(summary)"),
        ("UPDATE wordings SET authors = CAST(x'ff' AS TEXT) WHERE title = 'Paper Renamed'", "(authors)"),
        ("UPDATE wordings SET paper = 'x' WHERE title = 'Paper Renamed'", "(paper)"),
        ("UPDATE wordings SET paper = 12345 WHERE title = 'Paper Renamed'", "wordings refers to missing papers"),
        ("UPDATE ledger SET paper = 12345 WHERE value = 5", "ledger refers to missing papers"),
        ("UPDATE dates SET date = 1 << 60 WHERE date = (SELECT max(date) FROM dates)", "dates 1152921504606846976"),
        ("UPDATE listing_days SET day = 'soon'", "listing_days soon (day)"),
        ("UPDATE listing_days SET day = CAST(x'ff' AS TEXT)", "(day)"),
        ("UPDATE listing_days SET good_at = 'x'", "(good_at)"),
        ("UPDATE closings SET kind = CAST(x'ff' AS TEXT)", "(kind)"),
        (
            "UPDATE closings SET start = 'soon' WHERE start = (SELECT min(start) FROM closings)",
            "closings day soon (start)",
        ),
        ("UPDATE closings SET until = -1", "(until)"),
        ("UPDATE closings SET closed_at = x'00'", "2 cases: closings day "),
        ("UPDATE closings SET entered_at = 1 << 60", "(entered_at)"),
        ("UPDATE closings SET revision = 'x'", "(revision)"),
    ],
)
def test_row_of_another_table(
    run: Run,
    path: Path,
    tmp_path: Path,
    serve: Callable[..., httpx.Client],
    open_archive: Opener,
    clock: Clock,
    statement: str,
    told: str,
) -> None:
    """Nothing but that row is lost: all is served and refreshed, and a copy or a repair is sound without it."""
    damage(path, statement)
    client = serve(archive=str(path), listing=NOWHERE)
    assert {200} == {client.get(address).status_code for address in PATHS}
    checked = run("archive", "check", "--archive", path)
    assert (1, True) == (checked.exit_code, told in checked.stdout)
    assert 0 == run("archive", "copy", path, tmp_path / "copy.sqlite").exit_code
    assert {*OTHERS, "Paper Damaged"} == titles(open_archive(tmp_path / "copy.sqlite"))
    archive = open_archive(path)
    token = archive.lease("me", clock.tick(hours=1))
    archive.store([Listing((paper(8, title="Paper Damaged", upvotes=9), paper(9, title="Paper 9")))], clock(), token)
    assert {*OTHERS, "Paper Damaged", "Paper 9"} == titles(archive)
    assert 0 == run("archive", "check", "--repair", "--archive", path).exit_code
    assert {*OTHERS, "Paper Damaged", "Paper 9"} == titles(archive) == titles(archive, "q=paper")


@pytest.mark.parametrize(
    "statement",
    [
        *(
            f"UPDATE state SET {column} = 'x'"
            for column in (
                "revision",
                "newest",
                "rules",
                "refreshed_at",
                "first_refreshed_at",
                "backdated_at",
                "closed_at",
            )
        ),
        "UPDATE state SET newest = 1 << 60",
        "DELETE FROM state",
    ],
)
def test_state_that_cannot_be_read(
    run: Run, path: Path, serve: Callable[..., httpx.Client], open_archive: Opener, clock: Clock, statement: str
) -> None:
    """Without it nothing can be served: 503, one line everywhere; --repair makes it again of what there is."""
    before = open_archive(path).search(parse_query("")).entries
    closed_at = rows_of(path, "SELECT closed_at FROM state")
    damage(path, statement)
    client = serve(archive=str(path), listing=NOWHERE)
    assert {503} == {client.get(address).status_code for address in PATHS if "/status" not in address}
    assert "cannot read" in one_line(run("archive", "copy", path, "copy.sqlite"))
    with pytest.raises(ArchiveError):
        open_archive(path).store([Listing((paper(9),))], clock())
    repaired = run("archive", "check", "--repair", "--archive", path)
    assert (0, True) == (repaired.exit_code, "every row can be read: not so in 1 case: state" in repaired.stdout)
    assert before == open_archive(path).search(parse_query("")).entries
    assert closed_at == rows_of(path, "SELECT closed_at FROM state")
    assert 200 == client.get("/feed.rss").status_code


@pytest.mark.parametrize("column", ["failures", "error", "failed_at", "retry_at", "until", "token"])
def test_lease_that_cannot_be_read(run: Run, path: Path, open_archive: Opener, clock: Clock, column: str) -> None:
    """It is as if nothing were known of the last tries; whoever refreshes next puts it right."""
    damage(path, f"UPDATE lease SET {column} = x'00'")
    assert "lease 1" in run("archive", "check", "--archive", path).stdout
    archive = open_archive(path)
    assert Backoff() == archive.backoff()
    token = archive.lease("me", clock.tick(hours=1))
    archive.store([], clock(), token)
    archive.release(token, Backoff())
    assert 0 == run("archive", "check", "--archive", path).exit_code


def blank(path: Path, table: str, column: str, where: str = "") -> None:
    """Take a value away that has to be there, as a damaged head of a row does."""
    schema = f"UPDATE sqlite_master SET sql = replace(sql, '{column} {{}}', '{column} {{}}') WHERE name = '{table}'"
    kind = "INTEGER" if table == "lease" else "JSON" if column == "authors" else "TEXT"
    for old, new in ((f"{kind} NOT NULL", kind), (kind, f"{kind} NOT NULL")):
        with closing(sqlite3.connect(path)) as file:
            file.execute("PRAGMA writable_schema = ON")
            file.execute(schema.format(old, new))
            file.commit()
        if old != kind:
            damage(path, f"UPDATE {table} SET {column} = NULL {where}")


@pytest.mark.parametrize("column", ["title", "authors"])
def test_value_that_is_missing(run: Run, path: Path, open_archive: Opener, clock: Clock, column: str) -> None:
    """--repair keeps its paper, so that a refresh mends it and does not date it anew."""
    before = [entry.entered_at for entry in open_archive(path).search(parse_query("")).entries]
    blank(path, "wordings", column, DAMAGED["wordings"])
    assert f"9913.00008 ({column})" in run("archive", "check", "--repair", "--archive", path).stdout
    archive = open_archive(path)
    assert OTHERS == titles(archive)
    written = archive.store([Listing((paper(8, title="Paper Damaged", upvotes=5),))], clock.tick(hours=1))
    assert 0 == written.new
    assert before == [entry.entered_at for entry in archive.search(parse_query("")).entries]
    assert 0 == run("archive", "check", "--archive", path).exit_code


def test_links_that_cannot_be_read(run: Run, path: Path, open_archive: Opener, clock: Clock) -> None:
    """The paper is in feeds without words; check names it, and a refresh mends it under its date."""
    before = open_archive(path).search(parse_query("q=has:image")).entries
    damage(path, f"UPDATE wordings SET has = x'ff' {DAMAGED['wordings']}")
    assert "9913.00008 (has)" in run("archive", "check", "--repair", "--archive", path).stdout
    archive = open_archive(path)
    assert {*OTHERS, "Paper Damaged"} == titles(archive)
    assert OTHERS == titles(archive, "q=has:image") == titles(archive, "q=paper")
    archive.store([Listing((paper(8, title="Paper Damaged", upvotes=5),))], clock.tick(hours=1))
    dates = [entry.entered_at for entry in archive.search(parse_query("q=has:image")).entries]
    assert dates == [entry.entered_at for entry in before]
    assert 0 == run("archive", "check", "--archive", path).exit_code


def test_listing_day_that_cannot_be_read(run: Run, path: Path, open_archive: Opener, clock: Clock) -> None:
    """Feeds do without it, and the next listing of its paper mends it, once."""
    day = rows_of(path, "SELECT listing_day FROM papers")
    damage_paper(path, "listing_day", "'today'")
    assert "papers 9913.00008 (listing_day)" in run("archive", "check", "--archive", path).stdout
    archive = open_archive(path)
    assert {*OTHERS, "Paper Damaged"} == titles(archive)
    seen = Listing((paper(8, title="Paper Damaged", upvotes=5),), day=paper(8).submitted_at.date())
    assert [1, 0] == [archive.store([seen], clock.tick(hours=1)).revisions for _ in range(2)]
    assert day == rows_of(path, "SELECT listing_day FROM papers")


SUMMARY = f"SELECT ai_summary, ai_summary_at FROM papers {DAMAGED['papers']}"


@pytest.mark.parametrize("value", ["'soon'", "x'00'", "-1", "1 << 60", "NULL"])
@pytest.mark.parametrize("repairs", [0, 1])
def test_time_of_an_ai_summary(
    run: Run, path: Path, open_archive: Opener, clock: Clock, value: str, repairs: int
) -> None:
    """Feeds do without it; a refresh writes that the summary came when its paper was listed."""
    damage_paper(path, "ai_summary_at", value)
    checked = run("archive", "check", *["--repair"] * repairs, "--archive", path)
    assert (value != "NULL") == ("papers 9913.00008 (ai_summary_at)" in checked.stdout)
    archive = open_archive(path)
    assert {*OTHERS, "Paper Damaged"} == titles(archive) == titles(archive, "q=paper")
    archive.store([Listing((paper(8, title="Paper Damaged", ai_summary="Late.", upvotes=9),))], clock.tick(hours=1))
    assert rows_of(path, f"SELECT 'It was whole.', listed_at FROM papers {DAMAGED['papers']}") == rows_of(path, SUMMARY)
    assert 0 == run("archive", "check", "--archive", path).exit_code


@pytest.mark.parametrize("value", ["x'41'", "NULL"])
def test_ai_summary_that_is_lost(path: Path, open_archive: Opener, clock: Clock, value: str) -> None:
    """The next one takes its place and its time."""
    [(_, came_at)] = rows_of(path, SUMMARY)
    damage_paper(path, "ai_summary", value)
    archive = open_archive(path)
    for text in (None, "It is whole again.", "It never changes."):
        archive.store([Listing((paper(8, title="Paper Damaged", ai_summary=text),))], clock.tick(hours=1))
    assert [("It is whole again.", came_at)] == rows_of(path, SUMMARY)


def test_closing_that_cannot_be_read(run: Run, path: Path, tmp_path: Path) -> None:
    """A copy and --repair leave it out, and no other."""
    closings = "SELECT * FROM closings"
    damage(path, "UPDATE closings SET closed_at = 'x' WHERE start = (SELECT min(start) FROM closings)")
    *_, whole = rows_of(path, closings)
    copied = run("archive", "copy", path, tmp_path / "copy.sqlite")
    assert (0, True) == (copied.exit_code, "as they cannot be read: closings day" in copied.stderr)
    assert 0 == run("archive", "check", "--repair", "--archive", path).exit_code
    assert [whole] == rows_of(path, closings) == rows_of(tmp_path / "copy.sqlite", closings)


@pytest.mark.parametrize("column", ["closed_at", "entered_at"])
def test_closing_that_is_to_come(run: Run, path: Path, column: str) -> None:
    """A time that became one of centuries later is none any more after --repair, in the state neither."""
    [(_, *row), last] = rows_of(path, "SELECT * FROM closings ORDER BY start")
    for table in ("state", "closings") if column == "closed_at" else ("closings",):
        where = f"WHERE start = {last[1]}" if table == "closings" else ""
        damage(path, f"UPDATE {table} SET {column} = 1 << 36 {where}")
    damage(path, "UPDATE search_data SET block = x'00'")
    assert 0 == run("archive", "check", "--repair", "--archive", path).exit_code
    assert [("day", *row)] == rows_of(path, "SELECT * FROM closings")
    assert [(row[2],)] == rows_of(path, "SELECT closed_at FROM state")


@pytest.mark.parametrize("column", ["until", "token"])
def test_lease_that_lost_a_value(run: Run, path: Path, open_archive: Opener, clock: Clock, column: str) -> None:
    """It is free, and --repair mends it."""
    blank(path, "lease", column)
    archive = open_archive(path)
    token = archive.lease("me", clock.tick(hours=1))
    archive.store([], clock(), token)
    archive.close()
    blank(path, "lease", column)
    assert 0 == run("archive", "check", "--repair", "--archive", path).exit_code


@pytest.mark.parametrize(
    "statement", ["UPDATE wordings SET paper = {} {wordings}", "UPDATE papers SET wording = {} {papers}"]
)
@pytest.mark.parametrize("value", ["'x'", "12345", "1 << 36"])
def test_key_that_is_lost_is_in_the_other_row(
    run: Run, path: Path, open_archive: Opener, statement: str, value: str
) -> None:
    """--repair joins a paper and its present wording again, which lost a key but no text."""
    everything = [parse_query(text) for text in ("", "q=damaged", "q=paper")]
    before = [open_archive(path).search(query).entries for query in everything]
    damage(path, statement.format(value, **DAMAGED))
    assert 0 == run("archive", "check", "--repair", "--archive", path).exit_code
    assert before == [open_archive(path).search(query).entries for query in everything]


@pytest.mark.parametrize(
    ("statement", "lost"),
    [
        ("INSERT INTO dates VALUES (1 << 36)", set()),
        ("UPDATE ledger SET reached_at = 1 << 36 WHERE value = 5", set()),
        ("UPDATE wordings SET since = 1 << 36 WHERE title = 'Paper Renamed'", set()),
        ("UPDATE papers SET revised_at = 1 << 36 {papers}", set()),
        ("UPDATE papers SET ai_summary_at = 1 << 36 {papers}", set()),
        ("UPDATE papers SET listed_at = 1 << 36 {papers}", {"Paper Damaged"}),
    ],
)
def test_dates_that_are_to_come(
    run: Run, path: Path, open_archive: Opener, clock: Clock, statement: str, lost: set[str]
) -> None:
    """A date that became one of centuries later is no date any more after --repair, or every feed would be empty."""
    clock.tick(days=-800)  # of the machine that repairs, too
    newest = open_archive(path).state().newest_entry_at
    damage(path, statement.format(**DAMAGED))
    damage(path, "UPDATE search_data SET block = x'00'")
    assert 0 == run("archive", "check", "--repair", "--archive", path).exit_code
    archive = open_archive(path)
    assert newest == archive.state().newest_entry_at
    assert {*OTHERS, "Paper Damaged"} - lost == titles(archive) == titles(archive, "q=paper")
    assert newest
    assert newest >= max(entry.updated_at for entry in archive.search(parse_query("")).entries)
    archive.store([Listing((paper(8, title="Paper Damaged", upvotes=9),))], clock.tick(days=801))
    assert {*OTHERS, "Paper Damaged"} == titles(archive)
    assert [] == violations(archive._database)
    assert [] == rows_of(path, "SELECT id FROM papers WHERE ai_summary_at <> listed_at")


@pytest.mark.parametrize("value", ["12345", "1 << 36"])
def test_key_of_a_wording_that_never_was(path: Path, open_archive: Opener, clock: Clock, value: str) -> None:
    """A refresh that finds a paper reworded dates its new wording by its own time, whatever was in that key."""
    damage_paper(path, "wording", value)
    archive = open_archive(path)
    now = clock.tick(hours=1)
    archive.store([Listing((paper(8, title="Paper Reworded", upvotes=5),))], now)
    assert [now] == [entry.entered_at for entry in archive.search(parse_query("q=reworded")).entries]
    assert [] == violations(archive._database)


# The search index -----------------------------------------------------------------------------------


def history(path: Path, clock: Clock, papers: int) -> None:
    """Make an archive of so many papers in which some rose and were reworded, and of as many closed days."""
    with closing(Archive(str(path))) as archive:
        for first in range(1, papers, 50):
            numbers = range(first, first + 50)
            listed = tuple(paper(number, upvotes=number % 7) for number in numbers)
            archive.store([Listing(listed, day=clock().date())], clock())
            later = tuple(paper(number, upvotes=9, title=f"Okapi {number}") for number in numbers[::3])
            archive.store([Listing(later, day=clock().date())], clock.tick(hours=3))
            clock.tick(hours=20)
    close_days(path, papers, clock)
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def damage_index(path: Path, dice: random.Random) -> str:
    """Damage one of the tables that FTS5 keeps its index in, in one of many ways, and return how."""
    table = dice.choice(("data", "data", "data", "idx", "config"))
    how = dice.choice(("flip", "cut", "delete one", "delete all", "drop", "page"))
    with closing(sqlite3.connect(path)) as file:
        rows = file.execute(f"SELECT * FROM search_{table}").fetchall()
        root = file.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (f"search_{table}",)).fetchone()[0]
        key, block = dice.choice([(row[0], row[-1]) for row in rows])
        column = {"data": "id", "idx": "segid", "config": "k"}[table]
        if how in ("flip", "cut") and table == "data":
            changed = bytearray(block if how == "flip" else block[: len(block) // 2])
            for _ in range(dice.choice((1, 5, 50)) if changed else 0):
                changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
            file.execute("UPDATE search_data SET block = ? WHERE id = ?", (bytes(changed), key))
        elif how == "delete one":
            file.execute(f"DELETE FROM search_{table} WHERE {column} = ?", (key,))
        elif how == "drop":
            file.execute(f"DROP TABLE search_{table}")
        else:
            file.execute(f"DELETE FROM search_{table}")
        file.commit()
    if how == "page":
        with path.open("r+b") as pages:
            pages.seek((root - 1) * 4096)
            pages.write(dice.randbytes(4096))
    return f"{how} {table}"


QUERIES = (
    "q=paper",
    "q=okapi&min_upvotes=9",
    "q=-okapi",
    "q=author:ada",
    "q=diffus*",
    "q=title:agents",
    "q=9913 OR 17",
)


def counts(archive: Archive) -> list[int]:
    return [archive.count(parse_query(query)) for query in QUERIES]


def indexes(path: Path, clock: Clock, papers: int, number: int) -> Iterator[tuple[str, list[int]]]:
    """Yield so many damages that were done to the index of a fresh archive at `path`, and what it held before."""
    whole = path.with_name("whole.sqlite")
    history(whole, clock, papers)
    with closing(Archive(str(whole))) as archive:
        before = counts(archive)
    dice = random.Random(11)  # noqa: S311
    for _ in range(number):
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()
        shutil.copy(whole, path)
        yield damage_index(path, dice), before


@pytest.mark.integration
def test_damaged_index_is_found_told_and_mended(run: Run, tmp_path: Path, clock: Clock) -> None:
    """Whatever is damaged of it, searches are right or the check says so, the status tells, and --repair mends it."""
    index_is_mended(run, tmp_path / "archive.sqlite", clock, papers=150, number=8)


def index_is_mended(run: Run, path: Path, clock: Clock, papers: int, number: int) -> None:
    for how, before in indexes(path, clock, papers, number):
        with closing(Archive(str(path))) as archive:
            try:
                found = counts(archive)
            except ArchiveError:
                found = []
            problems = archive.problems()
        checked = run("archive", "check", "--archive", path)
        assert "the search index holds" in checked.stdout, how
        assert (0 == checked.exit_code) <= (before == found), how
        assert found or problems == ("searching fails: feedproxy archive check --repair",), how
        assert 0 == run("archive", "check", "--repair", "--archive", path).exit_code, how
        with closing(Archive(str(path))) as archive:
            assert (before, ()) == (counts(archive), archive.problems()), how


@pytest.mark.integration
@pytest.mark.parametrize("statement", ["DROP INDEX search_words", "DROP TABLE search CASCADE", "TRUNCATE search"])
def test_damaged_index_in_postgresql(
    run: Run, new_address: NewAddress, open_archive: Opener, clock: Clock, statement: str
) -> None:
    """In PostgreSQL too, an index without which searches are only slow included."""
    shared = new_address("postgresql")
    fill(open_archive(shared), clock)
    damage(shared, statement)
    assert "NOT OK  the search index" in run("archive", "check", "--archive", shared).stdout
    assert 0 == run("archive", "check", "--repair", "--archive", shared).exit_code
    assert {*OTHERS, "Paper Damaged"} == titles(open_archive(shared), "q=paper")


@pytest.mark.integration
@pytest.mark.parametrize("table", ["turns", "closings"])
def test_lost_table_in_postgresql(
    run: Run, new_address: NewAddress, open_archive: Opener, clock: Clock, table: str
) -> None:
    """A table that no feed of papers needs is made again by --repair."""
    shared = new_address("postgresql")
    fill(open_archive(shared), clock)
    damage(shared, f"DROP TABLE {table}")
    assert f'relation "{table}" does not exist' in run("archive", "check", "--archive", shared).stdout
    assert 0 == run("archive", "check", "--repair", "--archive", shared).exit_code
    assert 0 == open_archive(shared).turn(clock(), 1)


# The file -------------------------------------------------------------------------------------------


def rows_of(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as file:
        return file.execute(statement).fetchall()


def junk_leaves(path: Path, table: str) -> int:
    """Make junk of the first and the eighth leaf of a table, and return how many rows they had.

    See https://www.sqlite.org/fileformat.html.
    """
    rows = 0
    [(root,)] = rows_of(path, f"SELECT rootpage FROM sqlite_master WHERE name = '{table}'")
    with path.open("r+b") as pages:
        pages.seek((root - 1) * 4096)
        interior = pages.read(4096)
        for at in (12, 12 + 2 * 7):
            cell = int.from_bytes(interior[at : at + 2], "big")
            leaf = (int.from_bytes(interior[cell : cell + 4], "big") - 1) * 4096
            pages.seek(leaf + 3)
            rows += int.from_bytes(pages.read(2), "big")
            pages.seek(leaf)
            pages.write(b"junk" * 1024)
    return rows


@pytest.mark.integration
def test_wordings_are_found_by_their_papers(run: Run, tmp_path: Path, clock: Clock) -> None:
    """Where pages of the wordings are junk and all dates are lost, a paper keeps one on another page, if it has any."""
    path = tmp_path / "archive.sqlite"
    history(path, clock, 300)
    present = "SELECT papers.id, title FROM papers JOIN wordings ON since = wording"
    before = set(rows_of(path, present))
    ever = set(rows_of(path, "SELECT id, title FROM papers JOIN wordings ON paper = listed_at"))
    damage(path, "DELETE FROM dates")
    damage(path, "UPDATE papers SET wording = 'x' WHERE id = '9913.00002'")
    junk_leaves(path, "wordings")
    assert (
        f"the damaged archive is kept as {path}.damaged"
        in run("archive", "check", "--repair", "--archive", path).stdout
    )
    after = set(rows_of(path, present))
    assert after <= ever
    assert len(before) - 50 < len(after) < len(before)


@pytest.mark.integration
def test_closings_of_other_pages_stay(run: Run, path: Path, clock: Clock) -> None:
    """Where pages of the closings are junk, --repair keeps those of the other pages, and all papers."""
    clock.tick(days=30)
    damage(path, "DELETE FROM closings")
    close_days(path, 1000, clock)
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = set(rows_of(path, "SELECT * FROM closings"))
    junk_leaves(path, "closings")
    assert 0 == run("archive", "check", "--repair", "--archive", path).exit_code
    after = set(rows_of(path, "SELECT * FROM closings"))
    assert after < before
    assert len(before) // 2 < len(after)
    assert [(8,)] == rows_of(path, "SELECT count(*) FROM papers")


@pytest.mark.integration
def test_damaged_page_costs_what_is_on_it(
    run: Run, tmp_path: Path, clock: Clock, open_archive: Opener, serve: Callable[..., httpx.Client]
) -> None:
    """Where pages of the papers are junk no check breaks off, and --repair keeps all papers of the other pages."""
    path = tmp_path / "archive.sqlite"
    history(path, clock, 300)
    before = rows_of(path, "SELECT listed_at FROM papers")
    lost = junk_leaves(path, "papers")
    client = serve(archive=str(path), listing=NOWHERE)
    assert {200, 503} >= {client.get(address).status_code for address in PATHS}
    told = client.get("/status.json").json()["problems"]
    assert "papers cannot be read: feedproxy archive check --repair" in told
    checked = run("archive", "check", "--archive", path)
    assert (1, 4) == (checked.exit_code, len(checked.stdout.splitlines()))
    assert "malformed" in one_line(run("archive", "copy", path, tmp_path / "copy.sqlite"))
    repaired = run("archive", "check", "--repair", "--archive", path)
    archive = open_archive(path)
    kept = archive.stats().papers
    assert (0, len(before) - lost) == (repaired.exit_code, kept)
    assert f"the damaged archive is kept as {path}.damaged" in repaired.stdout
    assert 1 < run("archive", "check", "--archive", f"{path}.damaged").stdout.count("NOT OK")
    assert kept == archive.count(parse_query("days=3660"))
    assert {200} == {client.get(address).status_code for address in PATHS}


def test_repair_gives_way_to_a_refresh(run: Run, path: Path, open_archive: Opener, clock: Clock) -> None:
    """An archive that was written to while it was mended stays as it is, so that nothing that came is lost."""
    archive = open_archive(path)
    with closing(sqlite3.connect(path)) as file:
        file.execute("DELETE FROM search_data")
        file.commit()
    database = archive._database
    assert isinstance(database, SQLite)

    def refresh(_: object) -> None:
        with closing(sqlite3.connect(path)) as other:
            other.execute("UPDATE state SET revision = revision + 1")
            other.commit()

    before = archive.state().revision
    with pytest.raises(ArchiveError, match="a refresh came in between; repeat the command"):
        files.rebuild(database, refresh)
    assert before + 1 == archive.state().revision
    assert {path.name, f"{path.name}-wal", f"{path.name}-shm"} == {file.name for file in path.parent.iterdir()}
    assert 0 == run("archive", "check", "--repair", "--archive", path).exit_code
    archive.store([Listing((paper(9, title="Paper 9"),))], clock.tick(hours=1))
    assert {"Paper 9"} == titles(archive, "q=9")


# Links ----------------------------------------------------------------------------------------------


def test_link_stays_a_link(run: Run, path: Path, tmp_path: Path, open_archive: Opener, clock: Clock) -> None:
    """An archive behind a link that is cut to nothing or deleted is begun anew where the link leads."""
    link = tmp_path / "link.sqlite"
    link.symlink_to(path)
    archive = open_archive(link)
    for lose in (lambda: os.truncate(path, 0), path.unlink):
        archive.store([Listing((paper(9, title="Paper 9"),), day=clock().date())], clock.tick(hours=1))
        lose()
        assert archive.state().newest_entry_at is None
        archive.store([Listing((paper(1, title="Paper 1"),), day=clock().date())], clock())
        assert (path, {"Paper 1"}) == (link.readlink(), titles(open_archive(path)))


def test_dangling_link_is_an_archive_to_be(tmp_path: Path, open_archive: Opener) -> None:
    """A link to a file that is not there makes it; one into a folder that is not there is one line, and makes none."""
    (tmp_path / "link").symlink_to(tmp_path / "new.sqlite")
    assert open_archive(tmp_path / "link").state().newest_entry_at is None
    assert ((tmp_path / "link").is_symlink(), (tmp_path / "new.sqlite").is_file()) == (True, True)
    (tmp_path / "astray").symlink_to(tmp_path / "unmounted" / "archive.sqlite")
    with pytest.raises(ArchiveError, match="astray: it is a link into a missing folder"):
        open_archive(tmp_path / "astray").state()
    assert not (tmp_path / "unmounted").exists()


def test_backup_and_restore_follow_links(run: Run, path: Path, tmp_path: Path, open_archive: Opener) -> None:
    """A backup written to a link lies where that leads, and is restored from there; the archive may be one itself."""
    away = tmp_path / "away"
    away.mkdir()
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "backup").symlink_to(away / "backup.sqlite")
    for words in ([], ["--force"]):
        assert 0 == run("archive", "backup", tmp_path / "backup", *words, "--archive", tmp_path / "link").exit_code
        assert (away / "backup.sqlite").is_file()
    damage(path, "DELETE FROM ledger")
    assert 0 == run("archive", "restore", tmp_path / "backup", "--yes", "--archive", tmp_path / "link").exit_code
    assert {"Paper Damaged"} == titles(open_archive(path), "min_upvotes=5")
    assert all((tmp_path / name).is_symlink() for name in ("link", "backup"))
    refused = run("archive", "backup", "/dev/null", "--force", "--archive", path)
    assert (1, True) == (refused.exit_code, Path("/dev/null").is_char_device())
