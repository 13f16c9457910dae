"""What the archive asks of a database; all in which SQLite and PostgreSQL differ lies behind it.

Holds no SQL of either: that is in `sqlite` and `postgres`, and what both understand in the other modules.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from typing import Any

import sqlalchemy as sa

from feedproxy.archive import migrations, schema
from feedproxy.errors import ArchiveError, DeadlineError
from feedproxy.query.grammar import FIELDS, Filter

log = logging.getLogger(__name__)
HALF = -schema.SCHEMA  # the schema's number while an archive is copied here

Wording = tuple[int, Mapping[str, str]]  # the date it is indexed under, and its words by field, as `search.document`


class OpenMode(Enum):
    """What for a database is opened: to be used and created where missing, only if present, or to be copied into."""

    USE = auto()
    PRESENT = auto()
    COPY = auto()


class Database(ABC):
    """A database that holds an archive, opened at the first use, filled with empty tables or migrated where need be.

    `shown` names it in what people read, `timeout` the attribute of the driver's error, and its value, by which a read
    is known that was ended for taking too long. Safe to use from several threads.
    """

    shown: str
    opening: OpenMode
    timeout: tuple[str, object]

    @contextmanager
    def transaction(self, *, writing: bool = False) -> Iterator[sa.Connection]:
        """Run a block as one transaction; one that only reads sees the database as it is at one moment.

        Raises ArchiveError.
        """
        verb = "write to" if writing else "read"
        with self.errors_as(verb), self.connect(writing=writing) as connection, connection.begin():
            self.limit(connection, writing=writing)
            yield connection

    @contextmanager
    def errors_as(self, verb: str) -> Iterator[None]:
        """Raise ArchiveError, saying that this database could not be read or written to, for what its driver raises."""
        try:
            yield
        except (sa.exc.SQLAlchemyError, schema.Unreadable) as error:
            attribute, code = self.timeout
            is_timeout = getattr(getattr(error, "orig", None), attribute, None) == code
            kind = DeadlineError if is_timeout else ArchiveError
            raise kind(f"cannot {verb} the archive {self.shown}: {cause(error)}") from error

    @abstractmethod
    def connect(self, *, writing: bool) -> sa.Connection:
        """Return a connection whose next transaction writes or only reads."""

    @abstractmethod
    def limit(self, connection: sa.Connection, *, writing: bool) -> None:
        """Limit how long a statement may take in the transaction that was just begun (`deadline`)."""

    @abstractmethod
    def close(self) -> None:
        """Let go of every connection."""

    # The search index ---------------------------------------------------------------------------

    @abstractmethod
    def index(self, db: sa.Connection, wordings: Sequence[Wording]) -> None:
        """Add `wordings`, of which there is at least one, to the search index."""

    def bind(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a statement of `search` with the filter among them, if any, in its language."""
        return {**parameters, **self.compile_filter(parameters["q"])} if "q" in parameters else {**parameters}

    @abstractmethod
    def compile_filter(self, wanted: Filter) -> dict[str, str]:
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
    def create_index(self, db: sa.Connection) -> None:
        """Create the search index."""

    def is_ready(self, db: sa.Connection) -> bool:
        """Say whether there is an archive of this schema, or half of one to go on with; False where `prepare` can help.

        Raises ArchiveError where there is what cannot be opened.
        """
        strange, version = sa.inspect(db).get_table_names(), self.schema_version(db)
        if version > schema.SCHEMA:
            raise ArchiveError(f"{self.shown} was written by a newer feedproxy, and this one cannot read it")
        if strange and not version:
            raise ArchiveError(f"{self.shown} is a database of something else")
        if not version and self.opening is OpenMode.PRESENT:
            raise self.absent()
        if version == HALF and self.opening is not OpenMode.COPY:
            raise ArchiveError(f"{self.shown} is half of a copy: repeat feedproxy archive copy, or delete it")
        if version < 0 and version != HALF:
            raise ArchiveError(f"{self.shown} is half of a copy by another feedproxy: delete it and copy again")
        return version in (HALF, schema.SCHEMA)

    def prepare(self, db: sa.Connection) -> None:
        """Create all tables where there is nothing by now, or make an archive of this schema of an older one."""
        if self.is_ready(db):
            return
        if older := self.schema_version(db):
            log.info("%s is brought from schema %d to %d, which takes a while", self.shown, older, schema.SCHEMA)
            migrations.migrate(db, older)
        else:
            schema.create(db)
            self.create_index(db)
        self.set_schema_version(db, HALF if self.opening is OpenMode.COPY and not older else schema.SCHEMA)

    def absent(self) -> ArchiveError:
        """Return the error that there is no archive here."""
        return ArchiveError(f"there is no archive at {self.shown}")

    # Looking after it -----------------------------------------------------------------------------

    @abstractmethod
    def rebuild_index(self, db: sa.Connection) -> None:
        """Make the search index again, of the words in `texts`."""

    @abstractmethod
    def rebuild(self, complete: Callable[[sa.Connection], None]) -> str:
        """Make again, in one step, what can be of this archive; `complete` fills in what follows from its rows.

        Return where a copy of the archive as it was is kept, if it is. Raises ArchiveError.
        """

    @abstractmethod
    def index_is_consistent(self) -> bool:
        """Say whether the search index holds what is in `texts` and nothing else."""

    @abstractmethod
    def integrity_errors(self, db: sa.Connection) -> list[str]:
        """Return what the database itself finds wrong with what it holds."""


def wording_of(row: Mapping[str, Any]) -> Wording:
    """Return what the search index takes of a row of `texts`."""
    return row["since"], {field: row[field] for field in FIELDS}


def cause(error: Exception) -> str:
    """Return what the database itself said, but for PostgreSQL's quotation of the statement."""
    return str(getattr(error, "orig", None) or error).split("\nLINE ")[0]
