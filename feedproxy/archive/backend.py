"""What the archive asks of a database; all in which SQLite and PostgreSQL differ lies behind it.

Holds no SQL of either: that is in `sqlite` and `postgres`, and what both understand in the other modules.
"""

import logging
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum, auto
from typing import Any

import sqlalchemy as sa

from feedproxy.archive import migrations, schema
from feedproxy.archive.index import Document, documents
from feedproxy.archive.rows import Unreadable
from feedproxy.errors import ArchiveError, DeadlineError
from feedproxy.query.grammar import Filter
from feedproxy.query.terms import RULES

log = logging.getLogger(__name__)
READ_SECONDS = 5.0  # for one read of the archive, and for all of one request

_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Let every read of this thread within the block end at most `seconds` after its beginning.

    None sets no further limit, and a limit within a limit never extends it.
    """
    until = math.inf if seconds is None else time.monotonic() + seconds
    token = _deadline.set(min(until, _deadline.get()))
    try:
        yield
    finally:
        _deadline.reset(token)


@contextmanager
def time_out() -> Iterator[None]:
    """Let the block take the time it takes, which does not count for the limit around it."""
    until, began = _deadline.get(), time.monotonic()
    _deadline.set(math.inf)
    try:
        yield
    finally:
        _deadline.set(until + time.monotonic() - began)


def remaining() -> float:
    """Return the seconds that reads in this thread have left: infinite without a limit, negative when they are over."""
    return _deadline.get() - time.monotonic()


class OpenMode(Enum):
    """What a database is opened for."""

    USE = auto()  # created where it is missing
    EXISTING = auto()
    COPY = auto()  # an empty one, to copy an archive into


class Database(ABC):
    """A database that holds an archive; opened, created or migrated at the first use. Safe to use from several threads.

    `label` names it in what people read. `timeout` is the attribute of the driver's error, and its value, that says
    that a read took too long.
    """

    label: str
    opening: OpenMode
    timeout: tuple[str, object]

    @contextmanager
    def transaction(
        self, *, writing: bool = False, seconds: float | None = None, searching: bool = False
    ) -> Iterator[sa.Connection]:
        """Run a block as one transaction; one that only reads sees the database as it is at one moment.

        One that is `searching` waits for an index that is being put in place, before that moment.
        Reading takes at most `seconds`, and no longer than a `time_limit` around it allows. Raises ArchiveError,
        DeadlineError where it takes too long.
        """
        verb = "write to" if writing else "read"
        with time_limit(seconds), self.errors_as(verb):
            if not writing and remaining() <= 0:
                raise DeadlineError("the time for this request is over")
            with self.connect(writing=writing) as connection, connection.begin():
                self.begin(connection, writing=writing, searching=searching)
                yield connection

    @contextmanager
    def errors_as(self, verb: str) -> Iterator[None]:
        """Raise ArchiveError, saying that this database could not be read or written to, for what its driver raises."""
        try:
            yield
        except (sa.exc.SQLAlchemyError, Unreadable) as error:
            attribute, code = self.timeout
            is_timeout = getattr(getattr(error, "orig", None), attribute, None) == code
            kind = DeadlineError if is_timeout else ArchiveError
            raise kind(f"cannot {verb} the archive {self.label}: {cause(error)}") from error

    @abstractmethod
    def connect(self, *, writing: bool) -> sa.Connection:
        """Return a connection whose next transaction writes or only reads."""

    @abstractmethod
    def begin(self, connection: sa.Connection, *, writing: bool, searching: bool) -> None:
        """Limit how long a statement of the transaction that was just begun may take; hold the index it searches."""

    @abstractmethod
    def close(self) -> None:
        """Let go of every connection."""

    # The search index ---------------------------------------------------------------------------

    @abstractmethod
    def index(self, db: sa.Connection, documents: Sequence[Document]) -> None:
        """Add `documents`, of which there is at least one, to the search index, or replace them there."""

    @abstractmethod
    def rebuild_index(self, db: sa.Connection, pieces: Iterable[Sequence[Document]]) -> None:
        """Create the search index, in the place of the one there is, and fill it."""

    @abstractmethod
    def index_is_consistent(self) -> bool:
        """Say whether the search index holds the words of every wording and nothing else."""

    def reindex(self, db: sa.Connection) -> None:
        """Make the search index of the wordings by the rules of this version."""
        began, number = time.monotonic(), 0

        def pieces() -> Iterator[list[Document]]:
            nonlocal number
            for piece in filter(None, documents(db)):
                number += len(piece)
                yield piece

        db.execute(sa.update(schema.state).values(rules=RULES))  # first: until this ends nobody stores
        self.rebuild_index(db, pieces())
        log.info("%s: the search index of %d wordings was made in %.1f s", self.label, number, time.monotonic() - began)

    def bind(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a statement of `search` with the filter among them, if any, in its language."""
        return {**parameters} | ({"q": self.compile_filter(parameters["q"])} if "q" in parameters else {})

    @abstractmethod
    def compile_filter(self, wanted: Filter) -> str:
        """Return what `search.Matches` needs to find what `wanted` matches."""

    # Its tables ---------------------------------------------------------------------------------

    def bulk_insert(self, db: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert `rows`, of which there are many, each with every column."""
        db.execute(sa.insert(table), rows)

    @abstractmethod
    def schema_version(self, db: sa.Connection) -> int:
        """Return the number of the schema there is; 0 where there is none."""

    @abstractmethod
    def set_schema_version(self, db: sa.Connection, number: int) -> None:
        """Write down the number of the schema."""

    @abstractmethod
    def integrity_errors(self, db: sa.Connection) -> list[str]:
        """Return what the database itself finds wrong with what it holds."""

    def is_ready(self, db: sa.Connection) -> bool:
        """Say whether there is what it is opened for; False where `prepare` can make it.

        Raises ArchiveError where it cannot.
        """
        has_tables, version = bool(sa.inspect(db).get_table_names()), self.schema_version(db)
        if self.opening is OpenMode.COPY and (has_tables or version):
            raise ArchiveError(f"{self.label} holds something already, which is not overwritten")
        if self.opening is OpenMode.COPY:
            return True
        if not version and has_tables:
            raise ArchiveError(f"{self.label} is a database of something else")
        if not version and self.opening is OpenMode.EXISTING:
            raise self.absent()
        if version and version < schema.FIRST:
            reason = "was written by a feedproxy before its first release: delete it, and it is filled anew"
            raise ArchiveError(f"{self.label} {reason}")
        rules = self._rules(db) if version == schema.SCHEMA else RULES
        if version > schema.SCHEMA or rules > RULES:
            raise ArchiveError(f"{self.label} was written by a newer feedproxy, and this one cannot read it")
        return version == schema.SCHEMA and rules == RULES

    def _rules(self, db: sa.Connection) -> int:
        """Return the version of the rules its index was made by; ours where damage leaves none to read."""
        try:
            rules = db.scalar(sa.select(schema.state.c.rules))
        except sa.exc.DatabaseError:
            rules = None
        return rules if type(rules) is int else RULES

    def prepare(self, db: sa.Connection) -> None:
        """Create all tables where there is nothing, or bring an older archive to this schema and these rules."""
        if self.is_ready(db):
            return
        version = self.schema_version(db)
        if not version:
            schema.create(db)
            self.rebuild_index(db, ())
        elif version < schema.SCHEMA:
            log.info("%s is brought from schema %d to %d, which takes a while", self.label, version, schema.SCHEMA)
            migrations.migrate(db, version)
        if version and self._rules(db) != RULES:
            self.reindex(db)
        self.set_schema_version(db, schema.SCHEMA)

    def absent(self) -> ArchiveError:
        """Return the error that there is no archive here."""
        return ArchiveError(f"there is no archive at {self.label}")


def cause(error: Exception) -> str:
    """Return what the database itself said, but for PostgreSQL's quotation of the statement."""
    return str(getattr(error, "orig", None) or error).split("\nLINE ")[0]
