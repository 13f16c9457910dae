"""The archive in one SQLite file: opening it, and its search index in FTS5.

Holds nothing of what the archive means.
"""

import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.compiler import compiles

from feedproxy.archive.database import Database, Wording, cause
from feedproxy.archive.search import GAP, Latest, Matches
from feedproxy.archive.tables import SCHEMA
from feedproxy.errors import ArchiveError
from feedproxy.filters import FIELDS, And, Filter, Not, Or, Term
from feedproxy.words import begun, singular

# The words are normalised before they get here: `ascii` parts them at spaces and leaves the rest alone.
# Without an index of prefixes, `w*` would read every word there is.
_CREATE_SEARCH = (
    f"CREATE VIRTUAL TABLE search USING fts5({', '.join(FIELDS)}, content='', tokenize='ascii', prefix='1 2 3')"
)
_SEARCH = sa.table("search", sa.column("rowid"), *map(sa.column, FIELDS))


class SQLite(Database):
    """The archive at `path`; waits `patience` seconds for another's writing to end."""

    def __init__(self, path: Path, patience: float) -> None:
        self.path, self.shown, self._patience = path, str(path), patience
        self._opening = threading.Lock()
        self._opened: sa.Engine | None = None
        self._file = (0, 0, False)

    def connect(self, *, writing: bool) -> sa.Connection:
        """Return a connection to the file that is at the path now."""
        return self._engine(writing=writing).connect().execution_options(writing=writing)

    def close(self) -> None:
        """Let go of the file."""
        with self._opening:
            if self._opened:
                self._opened.dispose()
            self._opened = None

    def _engine(self, *, writing: bool) -> sa.Engine:
        with self._opening:
            self._drop_if_replaced()
            if self._opened is None:
                try:
                    self._opened = self._open()
                except ArchiveError:
                    frozen = None if writing else _open_frozen(self.path)
                    if frozen is None:
                        raise
                    return frozen
                self._file = _file(self.path)
            return self._opened

    def _drop_if_replaced(self) -> None:
        """Let go of a file that is deleted, replaced or cut to nothing: some connections would lead elsewhere."""
        if self._opened and self._file != (found := _file(self.path)):
            if found[:2] == self._file[:2]:  # cut to nothing; letting go would write remains into it
                with suppress(OSError):
                    self.path.unlink()
            self._opened.dispose()
            self._opened = None

    def _open(self) -> sa.Engine:
        """Return an engine for the file, creating what is missing; raises ArchiveError."""
        address = sa.URL.create("sqlite", database=self.shown)
        engine = sa.create_engine(address, connect_args={"timeout": self._patience})
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        try:
            self.path.absolute().parent.mkdir(parents=True, exist_ok=True)
            self._prepare(engine)
        except (sa.exc.SQLAlchemyError, OSError) as error:
            engine.dispose()
            raise ArchiveError(f"cannot open the archive {self.shown}: {cause(error)}") from error
        except ArchiveError:
            engine.dispose()
            raise
        return engine

    def _prepare(self, engine: sa.Engine) -> None:
        with engine.connect() as db:
            if not self.is_new(db):
                return
        with closing(engine.raw_connection()) as raw:  # so that readers and the writer need not wait for each other
            raw.cursor().execute("PRAGMA journal_mode=WAL")
        with engine.connect().execution_options(writing=True) as db, db.begin():
            self.fill(db)

    def schema(self, db: sa.Connection) -> int:
        """Return the number in the file's head."""
        number: int = db.exec_driver_sql("PRAGMA user_version").scalar_one()
        return number

    def create_index(self, db: sa.Connection) -> None:
        """Create the virtual table."""
        db.exec_driver_sql(_CREATE_SEARCH)
        db.exec_driver_sql(f"PRAGMA user_version={SCHEMA}")

    def index(self, db: sa.Connection, wordings: Sequence[Wording]) -> None:
        """Add `wordings` to the virtual table."""
        if wordings:
            db.execute(sa.insert(_SEARCH), [{"rowid": date, **words} for date, words in wordings])

    def expressed(self, wanted: Filter) -> dict[str, str]:
        """Return `wanted` in FTS5's language."""
        return {"q": _expression(wanted)}


def path_of(archive: str) -> Path:
    """Return the path in `archive`, a path or `sqlite:///PATH`; raises ArchiveError where there is none."""
    path = archive.removeprefix("sqlite:///")
    if "://" in path or path in ("", ":memory:"):
        raise ArchiveError("the archive is to be a file: a path, or sqlite:///PATH")
    return Path(path)


def _file(path: Path) -> tuple[int, int, bool]:
    """Return what tells the file at `path` from any other that was or will be there, and whether it holds anything."""
    try:
        fact = path.stat()
    except OSError:
        return 0, 0, False
    return fact.st_dev, fact.st_ino, fact.st_size > 0


def _open_frozen(path: Path) -> sa.Engine | None:
    """Return an engine that only reads the archive at `path`, where no file can be made beside it, if it is whole.

    SQLite makes one even to read, and cannot where the disk is full or read-only
    (https://www.sqlite.org/wal.html#readonly). Not to be kept: it takes the archive for one that nobody changes.
    """
    ahead = Path(f"{path}-wal")
    if ahead.exists() and ahead.stat().st_size:
        return None
    address = sa.URL.create("sqlite", database=path.absolute().as_uri(), query={"immutable": "1", "uri": "true"})
    engine = sa.create_engine(address, poolclass=sa.NullPool)
    with suppress(sa.exc.SQLAlchemyError), engine.connect() as connection:
        if connection.exec_driver_sql("PRAGMA user_version").scalar_one() == SCHEMA:
            return engine
    return None


def _configure(connection: Any, _: object) -> None:
    """Leave transactions to SQLAlchemy."""
    connection.isolation_level = None
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


# Search -----------------------------------------------------------------------------------------


@compiles(Latest, "sqlite")
def _latest(element: Any, compiler: Any, **options: Any) -> str:
    return f"max({compiler.process(element.clauses, **options)})"


@compiles(Matches, "sqlite")
def _matches(element: Any, compiler: Any, **options: Any) -> str:
    expression, _ = element.clauses
    return f"search MATCH {compiler.process(expression, **options)}"


def _expression(wanted: Filter) -> str:
    """Return `wanted` in FTS5's language, whose NOT takes two sides."""
    if isinstance(wanted, Term):
        return _term(wanted)
    if isinstance(wanted, Or):
        return "(" + " OR ".join(map(_expression, wanted.parts)) + ")"
    parts = wanted.parts if isinstance(wanted, And) else (wanted,)
    without = [_expression(part.part) for part in parts if isinstance(part, Not)]
    demanded = [_expression(part) for part in parts if not isinstance(part, Not)] or [f'title : "{GAP}"']
    return "(" + " NOT ".join([" AND ".join(demanded), *without]) + ")"


def _term(term: Term) -> str:
    columns = term.field or "{title abstract}"
    *before, last = term.words
    folded = [singular(word) for word in before]
    if not term.prefix:
        return f'{columns} : "{" ".join([*folded, singular(last)])}"'
    either = [f'"{" ".join([*folded, last])}" *', *(f'"{" ".join([*folded, word])}"' for word in sorted(begun(last)))]
    return f"{columns} : ({' OR '.join(either)})"
