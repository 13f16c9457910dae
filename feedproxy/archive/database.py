"""What the archive asks of a database; all in which SQLite and PostgreSQL differ lies behind it.

Holds no SQL of either: that is in `sqlite` and `postgres`, and what both understand in the other modules.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from feedproxy.archive import tables
from feedproxy.errors import ArchiveError
from feedproxy.filters import Filter

Wording = tuple[int, Mapping[str, str]]  # the date it is indexed under, and its words by field, as `search.document`


class Database(ABC):
    """A database that holds an archive, opened and filled with empty tables at the first use.

    `shown` names it in what people read. Safe to use from several threads.
    """

    shown: str

    @contextmanager
    def transaction(self, *, writing: bool = False) -> Iterator[sa.Connection]:
        """Run a block as one transaction; one that only reads sees the database as it is at one moment.

        Raises ArchiveError.
        """
        try:
            with self.connect(writing=writing) as connection, connection.begin():
                yield connection
        except sa.exc.SQLAlchemyError as error:
            verb = "write to" if writing else "read"
            raise ArchiveError(f"cannot {verb} the archive {self.shown}: {cause(error)}") from error

    @abstractmethod
    def connect(self, *, writing: bool) -> sa.Connection:
        """Return a connection whose next transaction writes or only reads."""

    @abstractmethod
    def close(self) -> None:
        """Let go of every connection."""

    # The search index ---------------------------------------------------------------------------

    @abstractmethod
    def index(self, db: sa.Connection, wordings: Sequence[Wording]) -> None:
        """Add `wordings` to the search index."""

    def spelled(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a statement of `search` with the filter among them, if any, in its language."""
        return {**parameters, **self.expressed(parameters["q"])} if "q" in parameters else {**parameters}

    @abstractmethod
    def expressed(self, wanted: Filter) -> dict[str, str]:
        """Return what `search.Matches` needs to find what `wanted` matches."""

    # Its tables ---------------------------------------------------------------------------------

    @abstractmethod
    def schema(self, db: sa.Connection) -> int:
        """Return the number of the schema there is; 0 where there is none."""

    @abstractmethod
    def create_index(self, db: sa.Connection) -> None:
        """Create the search index and note the schema's number."""

    def is_new(self, db: sa.Connection) -> bool:
        """Say whether there is nothing; raises ArchiveError where there is anything but an archive of this version."""
        strange, schema = sa.inspect(db).get_table_names(), self.schema(db)
        if schema not in (0, tables.SCHEMA):
            age = "a newer" if schema > tables.SCHEMA else "an older"
            raise ArchiveError(f"{self.shown} was written by {age} feedproxy, and this one cannot read it")
        if strange and not schema:
            raise ArchiveError(f"{self.shown} is a database of something else")
        return not schema

    def fill(self, db: sa.Connection) -> None:
        """Create all tables, where there is nothing by now."""
        if self.is_new(db):
            tables.create(db)
            self.create_index(db)


def cause(error: Exception) -> str:
    """Return what the database itself said."""
    return str(getattr(error, "orig", None) or error)
