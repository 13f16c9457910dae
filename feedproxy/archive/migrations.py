"""An archive of an older schema in; the same archive in this version's schema out, with equal feeds.

`MIGRATIONS` holds a function for each schema after the first: it makes an archive of that schema out of one of the
schema before. `db.dialect.name` says in which database. Once it is released it stays as it is, with its own SQL: what
`schema` says is true of the newest schema only.
"""

from collections.abc import Callable, Mapping

import sqlalchemy as sa

Migrations = Mapping[int, Callable[[sa.Connection], None]]
MIGRATIONS: Migrations = {}


def migrate(db: sa.Connection, schema: int, migrations: Migrations = MIGRATIONS) -> None:
    """Bring an archive of an older `schema` to the newest, within the caller's transaction."""
    for number in sorted(migrations):
        if number > schema:
            migrations[number](db)
