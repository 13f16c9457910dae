"""Backs up, restores and salvages the files of SQLite archives.

Builds a new archive beside the old one, and overwrites all pages of the old one in one transaction of SQLite's. So
processes that have the archive open go on, and its `-wal` never mixes with other pages.
"""

# ruff: noqa: S608 (the only names in statements are those below)

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from feedproxy.archive.backend import OpenMode
from feedproxy.archive.rows import read_text
from feedproxy.archive.sqlite import SQLite, driver, real_path
from feedproxy.errors import ArchiveError
from feedproxy.model import COUNTS
from feedproxy.periods import KINDS

_MOST_DAYS = 5_000  # listing days: more than there were since 2023
_KEYS = {"papers": "listed_at", "wordings": "since", "dates": "date"}
_STEPS = f"measure IN {COUNTS} AND paper"  # the key of `ledger` begins with the measure
_PERIODS = f"kind IN {KINDS} AND start"
_FIRST = int(datetime(2023, 5, 1, tzinfo=UTC).timestamp())  # the Monday before the first listing
_STARTS = range(_FIRST, _FIRST + _MOST_DAYS * 86_400, 86_400)  # of periods: seconds
# A paper and its current wording name each other, so each row can restore a key in the other. A key in `dates` belongs
# to a lost wording: a refresh writes that again under the same key.
_AFTERWARDS = (
    "UPDATE wordings SET paper = (SELECT listed_at FROM papers WHERE wording = since) "
    "WHERE paper NOT IN (SELECT listed_at FROM papers) AND since IN (SELECT wording FROM papers)",
    "UPDATE papers SET wording = (SELECT max(since) FROM wordings WHERE paper = listed_at) "
    "WHERE wording NOT IN (SELECT since FROM wordings UNION SELECT date FROM dates) "
    "AND listed_at IN (SELECT paper FROM wordings)",
    "DELETE FROM ledger WHERE paper NOT IN (SELECT listed_at FROM papers)",
    "DELETE FROM wordings WHERE paper NOT IN (SELECT listed_at FROM papers)",
)


def backup(archive: SQLite, file: Path, *, replace: bool) -> None:
    """Write a snapshot of the archive to `file`, which appears when it is complete; raises ArchiveError."""
    file = real_path(file)
    if file.exists() and not (replace and file.is_file()):
        raise ArchiveError(f"{file} exists already; --force replaces it, if it is a file")
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with archive.transaction() as db, closing(sqlite3.connect(unfinished)) as copy:
            if Path(f"{file}-wal").exists():  # SQLite would apply it to the new file
                raise ArchiveError(f"{file} is an archive in use, or a crash left its -wal")
            _copy_pages(driver(db), copy, archive.patience)
        unfinished.replace(file)
    except (sqlite3.Error, OSError) as error:
        raise ArchiveError(f"cannot write {file}: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def restore(archive: SQLite, file: Path, check: Callable[[SQLite], None]) -> None:
    """Replace the archive with the backup `file`, migrated to this version; raises ArchiveError.

    `check` may refuse it: it gets a copy of the backup, and raises ArchiveError.
    """
    if not file.is_file():
        raise ArchiveError(f"cannot restore {file}: there is no such file")
    with archive.transaction():  # raises if it is not an archive
        pass
    with _scratch(archive, "restore", file) as scratch:
        source = f"{file.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(source, uri=True)) as original, closing(sqlite3.connect(scratch)) as copy:
            _copy_pages(original, copy, archive.patience)
        whole = SQLite(scratch, archive.patience, OpenMode.EXISTING)
        whole.label = str(file)
        with closing(whole):
            check(whole)
            _replace_all(archive, whole)


def rebuild(archive: SQLite, complete: Callable[[sa.Connection], None]) -> str:
    """Write the readable rows of `archive` into a new file, let `complete` fill in the rest, and replace the archive.

    If some rows are unreadable, keep a copy of the damaged archive beside it, and return the copy's name. This reuses
    no damaged page, nor the index's shadow tables, without which SQLite cannot drop it.
    """
    with _scratch(archive, "mend") as scratch, closing(sqlite3.connect(archive.path)) as watching:
        before = _state_of(watching)
        whole = SQLite(scratch, archive.patience, OpenMode.USE)
        whole.label = archive.label
        with closing(whole):
            with whole.transaction(writing=True):
                pass  # creates it
            remains = "" if _salvage(archive.path, scratch) else f"{real_path(archive.path)}.damaged"
            if remains:
                backup(archive, Path(remains), replace=False)
            with whole.transaction(writing=True) as db:
                complete(db)
                whole.reindex(db)
            _replace_all(archive, whole, lambda: _state_of(watching) == before)
    return remains


@contextmanager
def _scratch(archive: SQLite, verb: str, file: Path | None = None) -> Iterator[Path]:
    """Yield a path for a new archive beside this one; raises ArchiveError."""
    try:
        with TemporaryDirectory(prefix=f".{verb}-", dir=real_path(archive.path).parent) as folder:
            yield Path(folder) / "archive.sqlite"
    except (sqlite3.Error, OSError) as error:
        raise ArchiveError(f"cannot {verb} {file or archive.label}: {error}") from error


def _replace_all(archive: SQLite, whole: SQLite, still: Callable[[], bool] | None = None) -> None:
    with whole.transaction() as db, closing(sqlite3.connect(archive.path)) as target:
        _copy_pages(driver(db), target, archive.patience, still)


def _copy_pages(
    one: sqlite3.Connection, other: sqlite3.Connection, patience: float, still: Callable[[], bool] | None = None
) -> None:
    """Write all pages of `one` to `other`, unless others write to it for `patience` seconds.

    Or unless `still` is false, once nobody else can write to it. Raises sqlite3.Error.
    """
    deadline = time.monotonic() + patience

    def go_on(status: int, *_: int) -> None:
        if status == sqlite3.SQLITE_BUSY and time.monotonic() > deadline:
            raise sqlite3.OperationalError("database is locked")
        if status == sqlite3.SQLITE_OK and still and not still():
            raise sqlite3.OperationalError("a refresh came in between; repeat the command")

    one.backup(other, pages=1 if still else -1, progress=go_on)


def _state_of(db: sqlite3.Connection) -> object:
    """Return a value that every refresh changes; None if it is unreadable, as then no refresh stores anything."""
    with suppress(sqlite3.DatabaseError):
        return db.execute("SELECT * FROM state").fetchone()
    return None


# Row by row -----------------------------------------------------------------------------------------


def _salvage(damaged: Path, sound: Path) -> bool:
    """Copy the readable rows of a snapshot of `damaged` into the new, empty archive `sound`; return whether all were.

    Copies raw values, as a later refresh may mend them. Puts bytes, which no column allows, in place of a missing
    required value, or SQLite would refuse the row. Leaves out the rows of lost papers, and the search index. Raises
    sqlite3.Error.
    """
    with (
        closing(sqlite3.connect(damaged, isolation_level=None)) as source,
        closing(sqlite3.connect(sound, isolation_level=None)) as target,
    ):
        source.text_factory = read_text
        for db in (source, target):
            db.execute("BEGIN")
        failures: list[str] = []
        keys = (*_KEYS.items(), ("papers", "wording"))
        dates = sorted({date for table, key in keys for date in _keys(source, table, key)})
        for table, key, values in (
            *((table, key, dates) for table, key in _KEYS.items()),
            ("ledger", _STEPS, dates),
            ("listing_days", "rowid", range(_MOST_DAYS)),
            ("closings", _PERIODS, _STARTS),
            ("state", "only", [1]),
            ("lease", "only", [1]),
        ):
            columns = target.execute(f"PRAGMA table_info({table})").fetchall()
            select = ", ".join(f"coalesce({name}, x'')" if required else name for _, name, _, required, *_ in columns)
            verb = "REPLACE" if key == "only" else "IGNORE"
            insert = f"INSERT OR {verb} INTO {table} VALUES (?{', ?' * (len(columns) - 1)})"
            target.executemany(insert, _rows(source, f"SELECT {select} FROM {table}", key, values, failures))
        for statement in _AFTERWARDS:
            target.execute(statement)
        target.execute("COMMIT")
    return not failures


def _rows(
    db: sqlite3.Connection, select: str, key: str, values: Iterable[int], failures: list[str]
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table; if a part is unreadable, note it in `failures` and look up each row by key."""
    try:
        yield from db.execute(select)
    except sqlite3.DatabaseError:
        failures.append(select)
        for value in values:
            with suppress(sqlite3.DatabaseError):
                yield from db.execute(f"{select} WHERE {key} = ?", (value,))


def _keys(db: sqlite3.Connection, table: str, key: str) -> Iterator[int]:
    """Yield the keys of `table` from its beginning and its end, up to any damage."""
    for order in ("ASC", "DESC"):
        with suppress(sqlite3.DatabaseError):
            rows = db.execute(f"SELECT {key} FROM {table} ORDER BY {key} {order}")
            yield from (number for (number,) in rows if isinstance(number, int))
            return
