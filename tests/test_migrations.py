"""Archives of other schemas: brought to this one, or refused in one line."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from feedproxy.archive import Archive, open_database, schema
from feedproxy.archive.migrations import MIGRATIONS, migrate
from feedproxy.errors import ArchiveError
from feedproxy.ingest.refresher import Refresher
from feedproxy.ingest.source import SavedListings
from feedproxy.model import Listing
from feedproxy.query.parameters import Query
from tests.conftest import Clock, documents
from tests.factories import DAY, api, entries, paper

Opener = Callable[..., Archive]


def test_every_schema_has_a_way_here() -> None:
    """From each schema there was since the first release a migration leads on."""
    assert list(range(schema.FIRST + 1, schema.SCHEMA + 1)) == sorted(MIGRATIONS)


def test_migrations_run_in_order(either: str, open_archive: Opener) -> None:
    """Those after the archive's schema run, the oldest first, and each can tell in which database."""
    open_archive(either).state()
    ran = []

    def migration(number: int) -> Callable[[sa.Connection], None]:
        return lambda db: ran.append((number, db.dialect.name))

    with closing(open_database(either)) as database, database.transaction(writing=True) as db:
        migrate(db, 4, {number: migration(number) for number in (6, 4, 5)})
    dialect = "postgresql" if "postgresql" in either else "sqlite"
    assert [(5, dialect), (6, dialect)] == ran


def test_stars_and_media(either: str, open_archive: Opener, clock: Clock) -> None:
    """An archive from before them has the same feeds, and gets them with the next listing."""
    seen = paper(1, github_stars=3, media=("https://cdn-uploads.huggingface.co/made-up/1.mp4",))
    old = open_archive(either)
    old.store([Listing((replace(seen, github_stars=None, media=()),), day=DAY)], clock())
    before = documents(old, Query())
    with closing(open_database(either)) as database, database.transaction(writing=True) as db:
        for column in ("github_stars", "media"):
            db.execute(sa.text(f"ALTER TABLE papers DROP COLUMN {column}"))
        database.set_schema_version(db, 6)
    old.close()
    archive = open_archive(either)
    assert before == documents(archive, Query())
    archive.store([Listing((seen, paper(2)), day=DAY)], clock.tick(hours=1))
    assert [(), seen.media] == [entry.paper.media for entry in archive.search(Query()).entries]
    assert () == archive.problems()


def test_files(either: str, open_archive: Opener, clock: Clock, tmp_path: Path) -> None:
    """An archive from before it remembered files gets a table of them; each file is read once more."""
    (tmp_path / "listing.json").write_bytes(api(entries(2)))
    archive = open_archive(either)
    Refresher(SavedListings(tmp_path / "listing.json"), archive, clock).refresh_once()
    before = documents(archive, Query())
    with closing(open_database(either)) as database, database.transaction(writing=True) as db:
        db.execute(sa.text("DROP TABLE files"))
        database.set_schema_version(db, 7)
    archive.close()
    archive = open_archive(either)
    assert {} == archive.files()
    for number in (1, 0):
        outcome = Refresher(SavedListings(tmp_path / "listing.json"), archive, clock).refresh_once()
        assert outcome
        assert (number, 0) == (outcome.listings, outcome.new)
    assert before == documents(archive, Query())
    assert [DAY] == [file.day for file in archive.files().values()]


@pytest.mark.parametrize("number", [1, 3, -3])
def test_archive_from_before_the_first_release(either: str, open_archive: Opener, number: int) -> None:
    """No release ever wrote one: it is refused in one line that says what to do, and stays as it is."""
    open_archive(either).state()
    with closing(open_database(either)) as database, database.transaction(writing=True) as db:
        database.set_schema_version(db, number)
    with pytest.raises(ArchiveError, match="is from a feedproxy before its first release: delete it, and") as told:
        open_archive(either).state()
    assert "\n" not in str(told.value)
