"""What was read before in and out of the archive: the listing days, and the files of saved listings."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date

import sqlalchemy as sa

from feedproxy.archive import schema
from feedproxy.archive.rows import days_of, files_of
from feedproxy.model import ListingDay, SavedFile

_FORGET = sa.delete(schema.files).where(schema.files.c.path == sa.bindparam("old"))


def read_days(db: sa.Connection, limit: int | None) -> dict[date, ListingDay]:
    """Return the newest `limit` listing days, or all."""
    days = sa.select(schema.listing_days).order_by(schema.listing_days.c.day.desc()).limit(limit)
    return days_of(db.execute(days).all())


def read_first_day(db: sa.Connection) -> date | None:
    """Return the first listing day that had papers, if any of the first ten can be read."""
    row = schema.listing_days.c
    days = sa.select(schema.listing_days).where(row.papers > 0).order_by(row.day).limit(10)
    return min(days_of(db.execute(days)), default=None)


def note_day(db: sa.Connection, day: date, **columns: object) -> None:
    """Write these columns of `day`; the transaction must hold the lock of the state."""
    days = schema.listing_days
    if not db.execute(sa.update(days).where(days.c.day == day).values(columns)).rowcount:
        db.execute(sa.insert(days).values(day=day, **columns))


def read_files(db: sa.Connection) -> dict[str, SavedFile]:
    """Return the files that were read, by `SavedFile.path`."""
    return files_of(db.execute(sa.select(schema.files)).all())


def write_files(db: sa.Connection, files: Sequence[SavedFile]) -> None:
    """Remember `files`, and forget those that are gone; the transaction must hold the lock of the state."""
    if files:
        db.execute(_FORGET, [{"old": file.path} for file in files])
    if rows := [asdict(file) for file in files if file.day]:
        db.execute(sa.insert(schema.files), rows)
