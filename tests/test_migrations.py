"""Archives of older schemas: opened, they are of this one, and every feed has the bytes it had."""

import logging
import re
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from feedproxy.archive import Archive, open_database
from feedproxy.archive.migrations import MIGRATIONS
from feedproxy.archive.schema import SCHEMA
from feedproxy.model import Listing, Organization
from feedproxy.query.parameters import parse_query
from tests.conftest import Clock, documents
from tests.factories import paper

Opener = Callable[..., Archive]
QUERIES = ["", "min_upvotes=3", "q=zebra", "q=-zebra", "q=paper&min_upvotes=2", "q=author:ada", "q=org:lab", "q=zeb*"]
ODD: dict[str, Any] = {
    "title": "???",
    "authors": ("!", "Ada", "?", "Ben", "…"),
    "organization": Organization("!", "The Lab"),
}

SCHEMA_1 = """
CREATE TABLE papers (listed_at INTEGER NOT NULL, id TEXT NOT NULL, title TEXT NOT NULL, summary TEXT NOT NULL,
    submitted_at INTEGER NOT NULL, published_at INTEGER, authors JSON NOT NULL, author_count INTEGER NOT NULL,
    upvotes INTEGER, comments INTEGER NOT NULL, thumbnail TEXT, organization JSON, github_repo TEXT, project_page TEXT,
    ai_keywords JSON NOT NULL, revised_at INTEGER, PRIMARY KEY (listed_at), UNIQUE (id));
CREATE TABLE dates (date INTEGER NOT NULL, PRIMARY KEY (date));
CREATE TABLE listing_days (day DATE NOT NULL, asked_at INTEGER, good_at INTEGER, papers INTEGER DEFAULT '0' NOT NULL,
    validator TEXT, PRIMARY KEY (day));
CREATE TABLE state (only INTEGER NOT NULL, revision INTEGER NOT NULL, first_refreshed_at INTEGER, refreshed_at INTEGER,
    newest INTEGER, lag INTEGER NOT NULL, backdated_at INTEGER, PRIMARY KEY (only));
CREATE TABLE lease (only INTEGER NOT NULL, holder TEXT, token INTEGER NOT NULL, until INTEGER NOT NULL,
    failures INTEGER NOT NULL, retry_at INTEGER, error TEXT, failed_at INTEGER, PRIMARY KEY (only));
CREATE TABLE ledger (measure TEXT NOT NULL, paper INTEGER NOT NULL, value INTEGER NOT NULL, reached_at INTEGER NOT NULL,
    PRIMARY KEY (measure, paper, value), FOREIGN KEY(paper) REFERENCES papers (listed_at)) WITHOUT ROWID;
CREATE TABLE texts (since INTEGER NOT NULL, paper INTEGER NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (since), UNIQUE (paper, digest), FOREIGN KEY(paper) REFERENCES papers (listed_at));
CREATE VIRTUAL TABLE search USING fts5(title, abstract, author, org, content='', tokenize='ascii', prefix='1 2 3');
PRAGMA journal_mode=WAL;
PRAGMA user_version=1;
ATTACH '{newest}' AS newest;
INSERT INTO papers SELECT * FROM newest.papers;
INSERT INTO dates SELECT * FROM newest.dates;
INSERT INTO listing_days SELECT * FROM newest.listing_days;
INSERT INTO state SELECT * FROM newest.state;
INSERT INTO lease SELECT * FROM newest.lease;
INSERT INTO ledger SELECT * FROM newest.ledger;
INSERT INTO texts SELECT since, paper, digest FROM newest.texts;
INSERT INTO search (rowid, title, abstract, author, org) SELECT since, title, abstract, author, org FROM newest.texts;
"""


@pytest.fixture
def newest(open_archive: Opener, tmp_path: Path, clock: Clock) -> Path:
    """An archive of the newest schema, whose papers were renamed and had authors and titles without a word in them."""
    path = tmp_path / "newest.sqlite"
    archive = open_archive(path)
    for number, changed in enumerate([{}, {"title": "Zebras", "authors": ()}, ODD, {"summary": ""}, {}], 1):
        papers = (paper(1, **changed, upvotes=number), paper(2, **changed), paper(3, upvotes=number))
        archive.store([Listing(papers)], clock.tick(hours=1))
    archive.close()
    return path


@pytest.fixture
def older(newest: Path, tmp_path: Path) -> Path:
    """The same archive in schema 1."""
    path = tmp_path / "older.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(SCHEMA_1.replace("{newest}", str(newest)))
    return path


def rows(path: Path, select: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(select).fetchall()


def feeds(archive: Archive) -> list[bytes]:
    """Return every feed there is."""
    return documents(archive, *map(parse_query, QUERIES))


def test_every_schema_has_a_way_here() -> None:
    """From each schema there was a migration leads on."""
    assert list(range(2, SCHEMA + 1)) == sorted(MIGRATIONS)


def test_feeds_of_an_older_archive_stay_as_they_were(newest: Path, older: Path, open_archive: Opener) -> None:
    """All feeds of an archive that is migrated have the same bytes as before."""
    expected = feeds(open_archive(newest))
    assert len(expected) == len(set(expected))
    assert expected == feeds(open_archive(older))


@pytest.mark.parametrize("damage", ["authors = '{'", "authors = '7'", "organization = '[]'", "title = x'ff'"])
def test_damaged_value_of_an_older_archive(newest: Path, older: Path, open_archive: Opener, damage: str) -> None:
    """It stops no migration, and the words of its paper are read out of the search index."""
    with closing(sqlite3.connect(older)) as db:
        db.execute(f"UPDATE papers SET {damage}")
        db.commit()
    open_archive(older).state()
    assert rows(newest, "SELECT * FROM texts ORDER BY since") == rows(older, "SELECT * FROM texts ORDER BY since")


def test_migrated_archive_is_as_a_new_one(newest: Path, older: Path, open_archive: Opener) -> None:
    """Its tables and the words of every wording, old ones too, are those of an archive that began in this schema."""
    open_archive(older).state()
    for select in ("SELECT * FROM texts ORDER BY since", "PRAGMA user_version", "PRAGMA journal_mode"):
        assert rows(newest, select) == rows(older, select)
    made = "SELECT name, sql FROM sqlite_master WHERE sql NOT NULL ORDER BY name"
    plain = [[(name, re.sub(r"[\s']+", "", str(sql))) for name, sql in rows(path, made)] for path in (newest, older)]
    assert plain[0] == plain[1]


def test_migrated_archive_goes_on(older: Path, open_archive: Opener, clock: Clock) -> None:
    """A wording that a paper had in the older schema is known again, a new one is found."""
    archive = open_archive(older)
    before = rows(older, "SELECT count(*) FROM texts")
    archive.store([Listing((paper(1, **ODD),))], clock.tick(days=1))
    assert before == rows(older, "SELECT count(*) FROM texts")
    archive.store([Listing((paper(1, title="Okapi"),))], clock.tick(days=1))
    assert 1 == archive.count(parse_query("q=okapi"))


def test_wording_that_the_index_has_lost_is_no_obstacle(older: Path, open_archive: Opener) -> None:
    """An older index that is damaged costs its old wordings, which nobody could find any more, and nothing else."""
    with closing(sqlite3.connect(older)) as db:
        db.execute("INSERT INTO search (search) VALUES ('delete-all')")
        db.commit()
    archive = open_archive(older)
    assert (3, 0) == (archive.count(parse_query("q=paper")), archive.count(parse_query("q=zebra")))


def test_archive_of_schema_2(either: str, open_archive: Opener, clock: Clock) -> None:
    """An archive without the table of turns gets it, in either database, and keeps all else."""
    archive = open_archive(either)
    archive.store([Listing((paper(1),))], clock())
    expected = feeds(archive)
    archive.close()
    with closing(open_database(either)) as database, database.transaction(writing=True) as db:
        db.exec_driver_sql("DROP TABLE turns")
        db.exec_driver_sql(
            "PRAGMA user_version=2" if db.dialect.name == "sqlite" else "UPDATE feedproxy SET schema = 2"
        )
    migrated = open_archive(either)
    assert [0] * 10 + [1] == [migrated.turn(clock(), 1) for _ in range(11)]
    assert expected == feeds(migrated)


def test_many_open_an_older_archive_at_once(
    newest: Path, older: Path, open_archive: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever comes first migrates it and says so, the others wait."""
    caplog.set_level(logging.INFO)
    opened = [open_archive(older) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(feeds, opened))
    assert [feeds(open_archive(newest))] * 4 == found
    assert [f"{older} is brought from schema 1 to {SCHEMA}, which takes a while"] == caplog.messages
