"""An archive of an older schema in; the same archive in this version's schema out, with equal feeds.

`MIGRATIONS` has a function for each schema after the first, which migrates an archive from the schema before.
`db.dialect.name` names the database. After its release a function never changes, so it has its own SQL: `schema`
describes only the newest schema.
"""

from collections.abc import Callable, Mapping

import sqlalchemy as sa

Migrations = Mapping[int, Callable[[sa.Connection], None]]


def _add_stars_and_media(db: sa.Connection) -> None:
    for column in ("github_stars INTEGER", "media JSON DEFAULT '[]' NOT NULL"):
        db.execute(sa.text(f"ALTER TABLE papers ADD COLUMN {column}"))


def _add_files(db: sa.Connection) -> None:
    columns = "path TEXT NOT NULL PRIMARY KEY, stamp TEXT NOT NULL, digest TEXT NOT NULL, day DATE NOT NULL"
    db.execute(sa.text(f"CREATE TABLE IF NOT EXISTS files ({columns}, papers JSON NOT NULL)"))


MIGRATIONS: Migrations = {7: _add_stars_and_media, 8: _add_files}


def migrate(db: sa.Connection, schema: int, migrations: Migrations = MIGRATIONS) -> None:
    """Bring an archive of an older `schema` to the newest, within the caller's transaction."""
    for number in sorted(migrations):
        if number > schema:
            migrations[number](db)
