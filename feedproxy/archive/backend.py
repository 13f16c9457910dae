"""The interface of a database, behind which SQLite and PostgreSQL differ.

Their own SQL is in `sqlite` and `postgres`; the SQL that both understand is in the other modules.
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
from feedproxy.archive.search import windows
from feedproxy.errors import ArchiveError, DeadlineError
from feedproxy.query.grammar import Filter
from feedproxy.query.parameters import Query
from feedproxy.query.terms import RULES

log = logging.getLogger(__name__)
READ_SECONDS = 5.0  # for one read of the archive, and for all of one request

_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Let every read of this thread in the block end `seconds` after the block's beginning, or earlier.

    None sets no further limit, and a limit within a limit never extends it.
    """
    until = math.inf if seconds is None else time.monotonic() + seconds
    token = _deadline.set(min(until, _deadline.get()))
    try:
        yield
    finally:
        _deadline.reset(token)


@contextmanager
def without_limit() -> Iterator[None]:
    """Suspend the time limit of this thread within the block, whose time does not count."""
    until, began = _deadline.get(), time.monotonic()
    _deadline.set(math.inf)
    try:
        yield
    finally:
        _deadline.set(until + time.monotonic() - began)


def remaining() -> float:
    """Return the seconds left for reads in this thread: infinite without a limit, negative when time is up."""
    return _deadline.get() - time.monotonic()


class OpenMode(Enum):
    """The purpose of opening a database."""

    USE = auto()  # creates a missing one
    EXISTING = auto()
    COPY = auto()  # wants an empty one, to copy an archive into it


class Database(ABC):
    """A database with an archive; opens, creates or migrates it at the first use. Safe to use from several threads.

    `label` is its name for people. `timeout` is an attribute of the driver's error, and its value after a timeout.
    """

    label: str
    opening: OpenMode
    timeout: tuple[str, object]

    @contextmanager
    def transaction(
        self, *, writing: bool = False, seconds: float | None = None, searching: bool = False
    ) -> Iterator[sa.Connection]:
        """Run a block as one transaction; one that only reads sees a snapshot of the database.

        One that is `searching` first waits for a new index to be in place. A read takes at most `seconds`, and no
        longer than a `time_limit` around it allows. Raises ArchiveError, or DeadlineError when time is up.
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
        """Turn the driver's errors into an ArchiveError which says that we cannot `verb` this archive."""
        try:
            yield
        except (sa.exc.SQLAlchemyError, Unreadable) as error:
            attribute, code = self.timeout
            is_timeout = getattr(getattr(error, "orig", None), attribute, None) == code
            kind = DeadlineError if is_timeout else ArchiveError
            raise kind(f"cannot {verb} the archive {self.label}: {cause(error)}") from error

    @abstractmethod
    def connect(self, *, writing: bool) -> sa.Connection:
        """Return a connection for a transaction that writes or only reads."""

    @abstractmethod
    def begin(self, connection: sa.Connection, *, writing: bool, searching: bool) -> None:
        """Apply the thread's time limit to the new transaction of `connection`, and hold the index if it searches."""

    @abstractmethod
    def close(self) -> None:
        """Close every connection."""

    # The search index ---------------------------------------------------------------------------

    @abstractmethod
    def index(self, db: sa.Connection, documents: Sequence[Document]) -> None:
        """Add `documents`, at least one, to the search index, or replace them there."""

    @abstractmethod
    def rebuild_index(self, db: sa.Connection, pieces: Iterable[Sequence[Document]]) -> None:
        """Create the search index, or replace it, and fill it."""

    @abstractmethod
    def index_is_consistent(self) -> bool:
        """Say whether the search index holds exactly the words of every wording."""

    def reindex(self, db: sa.Connection) -> None:
        """Rebuild the search index from the wordings by the rules of this version."""
        began, number = time.monotonic(), 0

        def pieces() -> Iterator[list[Document]]:
            nonlocal number
            for piece in filter(None, documents(db)):
                number += len(piece)
                yield piece

        db.execute(sa.update(schema.state).values(rules=RULES))  # first: until this ends nobody stores
        self.rebuild_index(db, pieces())
        log.info("%s: indexed %d wordings in %.1f s", self.label, number, time.monotonic() - began)

    def bind(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a statement of `search`, with the filter, if any, in this database's language."""
        return {**parameters} | ({"q": self.compile_filter(parameters["q"])} if "q" in parameters else {})

    @abstractmethod
    def compile_filter(self, tree: Filter) -> str:
        """Return `tree` in this database's language, for `search.Matches`."""

    def windows(self, db: sa.Connection, query: Query, newest: int) -> list[dict[str, Any]]:  # noqa: ARG002
        """Return the windows that a search tries in turn; see `search.windows`."""
        return windows(query, newest)

    # Its tables ---------------------------------------------------------------------------------

    def bulk_insert(self, db: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert many `rows`, each with every column."""
        db.execute(sa.insert(table), rows)

    @abstractmethod
    def schema_version(self, db: sa.Connection) -> int:
        """Return the version of the schema; 0 if there is none."""

    @abstractmethod
    def set_schema_version(self, db: sa.Connection, number: int) -> None:
        """Set the version of the schema."""

    @abstractmethod
    def integrity_errors(self, db: sa.Connection) -> list[str]:
        """Return the problems that the database itself finds in its data."""

    def is_ready(self, db: sa.Connection) -> bool:
        """Say whether the database is ready for its `OpenMode`; raises ArchiveError unless `prepare` can make it so."""
        has_tables, version = bool(sa.inspect(db).get_table_names()), self.schema_version(db)
        if self.opening is OpenMode.COPY and (has_tables or version):
            raise ArchiveError(f"{self.label} is not empty, and a copy overwrites nothing")
        if self.opening is OpenMode.COPY:
            return True
        if not version and has_tables:
            raise ArchiveError(f"{self.label} is a database of another program")
        if not version and self.opening is OpenMode.EXISTING:
            raise self.missing()
        if version and version < schema.FIRST:
            reason = "is from a feedproxy before its first release: delete it, and feedproxy fills a new one"
            raise ArchiveError(f"{self.label} {reason}")
        rules = self._rules(db) if version == schema.SCHEMA else RULES
        if version > schema.SCHEMA or rules > RULES:
            raise ArchiveError(f"{self.label} is from a newer feedproxy, and this one cannot read it")
        return version == schema.SCHEMA and rules == RULES

    def missing(self) -> ArchiveError:
        """Return the error of a command that finds no archive and may make none."""
        return ArchiveError(f"there is no archive at {self.label}: feedproxy refresh makes one")

    def _rules(self, db: sa.Connection) -> int:
        """Return the version of the rules of its index, or ours if damage makes it unreadable."""
        try:
            rules = db.scalar(sa.select(schema.state.c.rules))
        except sa.exc.DatabaseError:
            rules = None
        return rules if type(rules) is int else RULES

    def prepare(self, db: sa.Connection) -> None:
        """Create all tables in an empty database, or bring an older archive to this schema and these rules."""
        if self.is_ready(db):
            return
        version = self.schema_version(db)
        if not version:
            schema.metadata.create_all(db)
            schema.fill_single(db)
            self.rebuild_index(db, ())
        elif version < schema.SCHEMA:
            log.info("%s: migrating from schema %d to %d, which takes a while", self.label, version, schema.SCHEMA)
            migrations.migrate(db, version)
        if version and self._rules(db) != RULES:
            self.reindex(db)
        self.set_schema_version(db, schema.SCHEMA)


def cause(error: Exception) -> str:
    """Return the database's own message, but not PostgreSQL's quotation of the statement."""
    return str(getattr(error, "orig", None) or error).split("\nLINE ")[0]
