"""One archive in, an equal one in another database out; interrupted at any moment, it goes on where it was.

Makes no search index by itself and speaks no database's dialect. What is half copied has the schema `HALF`, which
opens for nothing but going on; the number of an archive comes last, once all was read back and compared.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from feedproxy.archive import schema
from feedproxy.archive.backend import HALF, Database, wording_of
from feedproxy.archive.rows import demand_readable, name_of, unreadable_column
from feedproxy.errors import ArchiveError

log = logging.getLogger(__name__)
PIECE = 1000  # rows copied in one transaction
_SMALL = (schema.listing_days, schema.state)  # copied with the last transaction: they change between refreshes
_REVISION = sa.select(schema.state.c.revision)

# One row while a copy is under way: the revision of the archive it is of. What the large tables hold differs only
# between revisions, so a piece of the same revision, of whichever copy of an archive, is a piece of the same papers.
_copying = sa.Table("copying", sa.MetaData(), sa.Column("revision", sa.BigInteger, primary_key=True))
_MINE = sa.select(_copying.c.revision).with_for_update()

Row = Mapping[str, Any]
Keep = Callable[[sa.Table, Row], bool] | None


class Copy:
    """The archive `source` as `read` sees it at one moment, on its way into `target`, so many rows in a `piece`."""

    def __init__(self, source: Database, read: sa.Connection, target: Database, piece: int) -> None:
        self.source, self.read, self.target, self.piece = source, read, target, piece
        self.revision: int = demand_readable(schema.state, read.execute(sa.select(schema.state)).one()).revision
        self.rows = sum(_number(read, table) for table in schema.GROWING)
        self.left_out: dict[str, None] = {}  # rows that cannot be read; those of their papers go with them
        papers = read.execute(sa.select(schema.papers), execution_options={"yield_per": PIECE}).mappings()
        self._papers = {row["listed_at"] for row in papers if not unreadable_column(schema.papers, row)}
        self.whole = self._begin()

    def _is_readable(self, table: sa.Table, row: Row) -> bool:
        """Say whether `row` and its paper can be read; note it if it cannot."""
        if column := unreadable_column(table, row):
            self.left_out[name_of(table, row, column)] = None
        return not column and ("paper" not in row or row["paper"] in self._papers)

    def _begin(self) -> bool:
        """Make `target` one that holds a part of this archive, or nothing yet; say whether it holds all of it."""
        with self.target.transaction(writing=True) as db:
            if self.target.schema_version(db) != HALF:
                if db.scalar(_REVISION) == self.revision:
                    return True
                raise ArchiveError(f"{self.target.shown} holds another archive, which is not overwritten")
            _copying.create(db, checkfirst=True)
            before = db.scalar(_MINE)
            if before is not None and before != self.revision:
                log.info("what is copied has changed since it was begun: beginning anew")
                self._clear(db)
            if before != self.revision:
                db.execute(sa.insert(_copying).values(revision=self.revision))
        return False

    def _clear(self, db: sa.Connection) -> None:
        for table in (_copying, *reversed(schema.GROWING)):
            db.execute(sa.delete(table))
        self.target.rebuild_index(db)

    def pieces(self) -> Iterator[int]:
        """Copy what is not there yet; yield how many rows are there already, then how many each piece has."""
        with self.target.transaction() as db:
            yield sum(_number(db, table) for table in schema.GROWING)
        for table in schema.GROWING if not self.whole else ():
            while rows := self._piece(table):
                yield rows

    def _piece(self, table: sa.Table) -> int:
        with self.target.transaction(writing=True) as db:
            self._hold(db)
            after = _last(db, table)
            with self.source.errors_as("read"):
                rows = _rows(self.read, table, after=after, limit=self.piece, keep=self._is_readable)
            if rows:
                self.target.bulk_insert(db, table, rows)
            if rows and table is schema.texts:
                self.target.index(db, list(map(wording_of, rows)))
        return len(rows)

    def _hold(self, db: sa.Connection) -> None:
        """Keep other copiers out of this transaction; one into the same place helps along, of another archive fails."""
        if self.target.schema_version(db) != HALF or db.scalar(_MINE) != self.revision:
            raise ArchiveError(f"another process copies into {self.target.shown}")

    def compared(self) -> Iterator[int]:
        """Read both sides, yielding how many rows were read; raises ArchiveError where they differ."""
        self.rows = 0
        with self.target.transaction() as db:
            for table in schema.GROWING:
                ours, theirs = Checksum(), Checksum()
                with self.source.errors_as("read"):
                    yield from ours.read(self.read, table, self._is_readable)
                yield from theirs.read(db, table)
                self._demand(ours, theirs, table)
                self.rows += ours.rows

    def _demand(self, ours: "Checksum", theirs: "Checksum", table: sa.Table) -> None:
        if str(ours) != str(theirs):
            raise ArchiveError(
                f"{self.target.shown} differs from what was copied: {table.name} has {theirs}, not {ours}; "
                "delete it and copy again"
            )

    def finish(self) -> None:
        """Make an archive of the copy: until now it could not be opened as one."""
        if self.whole:
            return
        with self.target.transaction(writing=True) as db:
            self._hold(db)
            for table in _SMALL:
                db.execute(sa.delete(table))
                if rows := _rows(self.read, table, after=None, limit=None, keep=self._is_readable):
                    db.execute(sa.insert(table), rows)
                self._demand(checksum(self.read, table, self._is_readable), checksum(db, table), table)
            _copying.drop(db)
            self.target.set_schema_version(db, schema.SCHEMA)
        self.whole = True


@contextmanager
def copying(source: Database, target: Database, piece: int = PIECE) -> Iterator[Copy]:
    """Yield the copy of `source`, as it is at this moment however long it takes, into `target`; raises ArchiveError."""
    with source.transaction() as read:
        yield Copy(source, read, target, piece)


# Rows, and what tells whether they are equal -------------------------------------------------------


class Checksum:
    """How many rows there are and the hash of all, in the order of their keys; the same in every database."""

    def __init__(self) -> None:
        self.rows = 0
        self._hash = hashlib.sha256()

    def read(self, db: sa.Connection, table: sa.Table, keep: Keep = None) -> Iterator[int]:
        """Add the rows of `table` that are to be kept, yielding how many with each piece."""
        after = None
        while rows := _rows(db, table, after=after, keep=keep):
            for row in rows:  # one by one: pieces of what is left out of are shorter
                self._hash.update(json.dumps(list(row.values()), sort_keys=True, default=str).encode())
            after = [rows[-1][column.name] for column in table.primary_key]
            self.rows += len(rows)
            yield len(rows)

    def __str__(self) -> str:
        return f"{self.rows} rows of {self._hash.hexdigest()[:16]}"


def checksum(db: sa.Connection, table: sa.Table, keep: Keep = None) -> Checksum:
    """Return the checksum of `table`."""
    found = Checksum()
    for _ in found.read(db, table, keep):
        pass
    return found


def _rows(
    db: sa.Connection, table: sa.Table, *, after: Sequence[Any] | None, limit: int | None = PIECE, keep: Keep = None
) -> list[Row]:
    """Return the next rows of `table` to be kept, in the order of its key, after the one with the key `after`."""
    key = list(table.primary_key)
    while True:
        rows = sa.select(table).order_by(*key).limit(limit)
        if after is not None:
            rows = rows.where(
                sa.tuple_(*key)
                > sa.tuple_(*(sa.literal(value, column.type) for value, column in zip(after, key, strict=True)))
            )
        found = [row._asdict() for row in db.execute(rows)]
        kept: list[Row] = [row for row in found if not keep or keep(table, row)]
        if kept or limit is None or len(found) < limit:
            return kept
        after = [found[-1][column.name] for column in key]  # none of these, but there may be more


def _last(db: sa.Connection, table: sa.Table) -> Sequence[Any] | None:
    key = list(table.primary_key)
    return db.execute(sa.select(*key).order_by(*(column.desc() for column in key)).limit(1)).first()


def _number(db: sa.Connection, table: sa.Table) -> int:
    return db.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
