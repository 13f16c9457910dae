"""SQLite files in, SQLite files out: page by page as they are, or row by row what can be read of a damaged one.

Knows the tables by name, and nothing of what is in them.
"""

# ruff: noqa: S608 (the only names in statements are those below)

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from feedproxy.archive.schema import read_text

_MOST_DAYS = 5_000  # listing days: more than there were since 2023
_KEYS = {"papers": "listed_at", "texts": "since", "dates": "date"}
_STEPS = "measure IN ('upvotes', 'comments') AND paper"  # the key of `ledger` begins with the measure
_AFTERWARDS = (
    "DELETE FROM ledger WHERE paper NOT IN (SELECT listed_at FROM papers)",
    "DELETE FROM texts WHERE paper NOT IN (SELECT listed_at FROM papers)",
)


def salvage(damaged: Path, sound: Path) -> bool:
    """Copy what can be read of the archive `damaged` as it is at one moment into the new, empty archive `sound`.

    Return whether all could be. Values are taken as they are stored: a later refresh may mend them. For one that is
    missing and must not be, bytes stand, which no column can have, or its row would be refused. What belongs to a
    paper that is lost is left out, and the search index, which is made of `texts`. Raises sqlite3.Error.
    """
    with closing(_opened(damaged)) as source, closing(_opened(sound)) as target:
        source.text_factory = read_text
        for db in (source, target):
            db.execute("BEGIN")
        unread: list[str] = []
        dates = sorted({date for table, key in _KEYS.items() for date in _keys(source, table, key)})
        for table, key, values in (
            *((table, key, dates) for table, key in _KEYS.items()),
            ("ledger", _STEPS, dates),
            ("listing_days", "rowid", range(_MOST_DAYS)),
            ("state", "only", [1]),
            ("lease", "only", [1]),
        ):
            columns = target.execute(f"PRAGMA table_info({table})").fetchall()
            wanted = ", ".join(f"coalesce({name}, x'')" if needed else name for _, name, _, needed, *_ in columns)
            verb = "REPLACE" if key == "only" else "IGNORE"
            insert = f"INSERT OR {verb} INTO {table} VALUES (?{', ?' * (len(columns) - 1)})"
            target.executemany(insert, _rows(source, f"SELECT {wanted} FROM {table}", key, values, unread))
        for statement in _AFTERWARDS:
            target.execute(statement)
        target.execute("COMMIT")
    return not unread


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def _rows(
    db: sqlite3.Connection, select: str, key: str, values: Iterable[int], unread: list[str]
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table; where a part of it cannot be read, that goes into `unread`, and all are got by key."""
    try:
        yield from db.execute(select)
    except sqlite3.DatabaseError:
        unread.append(select)
        for value in values:
            with suppress(sqlite3.DatabaseError):
                yield from db.execute(f"{select} WHERE {key} = ?", (value,))


def _keys(db: sqlite3.Connection, table: str, key: str) -> Iterator[int]:
    """Yield the keys of `table` from its beginning and from its end, up to where it is damaged, if it is."""
    for order in ("ASC", "DESC"):
        with suppress(sqlite3.DatabaseError):
            yield from (found for (found,) in db.execute(f"SELECT {key} FROM {table} ORDER BY {key} {order}"))
            return


def copy_pages(
    one: sqlite3.Connection, other: sqlite3.Connection, patience: float, still: Callable[[], bool] | None = None
) -> None:
    """Write all pages of `one` to `other`, unless others keep writing to it for `patience` seconds.

    Or unless `still`, which is asked once nobody else can write to it, is false. Raises sqlite3.Error.
    """
    deadline = time.monotonic() + patience

    def go_on(status: int, *_: int) -> None:
        if status == sqlite3.SQLITE_BUSY and time.monotonic() > deadline:
            raise sqlite3.OperationalError("database is locked")
        if status == sqlite3.SQLITE_OK and still and not still():
            raise sqlite3.OperationalError("it was refreshed meanwhile; repeat the command")

    one.backup(other, pages=1 if still else -1, progress=go_on)


def state_of(db: sqlite3.Connection) -> object:
    """Return what every refresh changes, whoever stores it; None where it cannot be read: then nobody stores."""
    with suppress(sqlite3.DatabaseError):
        return db.execute("SELECT * FROM state").fetchone()
    return None


def real_path(path: Path) -> Path:
    """Return where `path` leads, if it is a link: files are made and deleted there, and links stay."""
    return Path(os.path.realpath(path))
