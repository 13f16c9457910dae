"""Archives of other schemas: brought to this one, or refused in one line."""

from collections.abc import Callable
from contextlib import closing

import pytest
import sqlalchemy as sa

from feedproxy.archive import Archive, open_database, schema
from feedproxy.archive.migrations import MIGRATIONS, migrate
from feedproxy.errors import ArchiveError

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


@pytest.mark.parametrize("number", [1, 3, -3])
def test_archive_from_before_the_first_release(either: str, open_archive: Opener, number: int) -> None:
    """No release ever wrote one: it is refused in one line that says what to do, and stays as it is."""
    open_archive(either).state()
    with closing(open_database(either)) as database, database.transaction(writing=True) as db:
        database.set_schema_version(db, number)
    with pytest.raises(ArchiveError, match="is from a feedproxy before its first release: delete it, and") as told:
        open_archive(either).state()
    assert "\n" not in str(told.value)
