"""The archive in one SQLite file: how to open it, and its search index in FTS5."""

import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.compiler import compiles

from feedproxy.archive.backend import Database, OpenMode, cause, remaining, without_limit
from feedproxy.archive.index import COLUMNS, Document, documents
from feedproxy.archive.rows import read_json, read_text
from feedproxy.archive.schema import SCHEMA
from feedproxy.archive.search import Greatest, Matches
from feedproxy.errors import ArchiveError
from feedproxy.query.grammar import And, Filter, Not, Or, Term
from feedproxy.query.terms import GAP, RULES

# The words come normalised, so `ascii` only splits them at spaces; the signs are those in c++, c#, .net and A*. Without
# an index of prefixes, `w*` would read all words. Only `wordings` has the texts themselves.
_PREFIXES = (1, 2, 3)  # characters
_CREATE_SEARCH = (
    f"CREATE VIRTUAL TABLE search USING fts5({', '.join(COLUMNS)}, "
    f"content='', columnsize=0, tokenize=\"ascii tokenchars '+#.*'\", prefix='{' '.join(map(str, _PREFIXES))}')"
)
_INSERT = f"INSERT INTO search (rowid, {', '.join(COLUMNS)}) VALUES (?{', ?' * len(COLUMNS)})"  # noqa: S608 (ours)
_CACHE_KIB = 256  # of each connection, of which there are several; the system caches the file anyway
_STEPS = 10_000  # of SQLite's virtual machine between two looks at the clock, about a millisecond


class SQLite(Database):
    """The archive at `path`; waits `patience` seconds for another writer."""

    timeout = "sqlite_errorcode", sqlite3.SQLITE_INTERRUPT

    def __init__(self, path: Path, patience: float, opening: OpenMode) -> None:
        self.path, self.label, self.opening, self.patience = path, str(path), opening, patience
        self._opening = threading.Lock()
        self._live: sa.Engine | None = None
        self._file = (0, 0, False)

    def connect(self, *, writing: bool) -> sa.Connection:
        """Return a connection to the current file at the path."""
        return self._engine(writing=writing).connect().execution_options(writing=writing)

    def begin(self, connection: sa.Connection, *, writing: bool, searching: bool) -> None:  # noqa: ARG002
        """Let SQLite check the time now and then (https://www.sqlite.org/c3ref/progress_handler.html)."""
        driver(connection).set_progress_handler(None if writing else lambda: remaining() < 0, _STEPS)

    def close(self) -> None:
        """Close the file."""
        with self._opening:
            self._drop()

    def _drop(self) -> None:
        """Close all connections, and those in use when they come back."""
        engine, self._live = self._live, None
        if engine:
            engine.dispose()

    def _engine(self, *, writing: bool) -> sa.Engine:
        with self._opening:
            self._drop_if_replaced()
            if self._live is None:
                try:
                    self._live = self._open()
                except ArchiveError:
                    frozen = None if writing else self._open_frozen()
                    if frozen is None:
                        raise
                    return frozen
                self._file = _file(self.path)
            return self._live

    def _drop_if_replaced(self) -> None:
        """Close a file that somebody deleted, replaced or truncated: some connections would lead to another file."""
        if self._live and self._file != (file := _file(self.path)):
            if file[:2] == self._file[:2]:  # truncated; to close it would write remains into it
                with suppress(OSError):
                    real_path(self.path).unlink()
            self._drop()

    def _open(self) -> sa.Engine:
        """Return an engine for the file, which it creates if necessary; raises ArchiveError."""
        address = sa.URL.create("sqlite", database=str(self.path))
        engine = sa.create_engine(address, connect_args={"timeout": self.patience}, json_deserializer=read_json)
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        # SQLAlchemy would leave connections in use to the garbage collector.
        event.listen(engine, "checkin", lambda _, entry: self._live is engine or entry.close())
        try:
            if self.opening is OpenMode.EXISTING and not self.path.exists():
                raise self.missing()
            if self.path.exists() and not self.path.is_file():  # SQLite would wait at a pipe forever
                raise ArchiveError(f"cannot open the archive {self.label}: it is not a file")
            if self.path.is_symlink() and not real_path(self.path).parent.exists():
                raise ArchiveError(f"cannot open the archive {self.label}: it is a link into a missing folder")
            self.path.absolute().parent.mkdir(parents=True, exist_ok=True)
            self._prepare(engine)
        except (sa.exc.SQLAlchemyError, OSError) as error:
            engine.dispose()
            raise ArchiveError(f"cannot open the archive {self.label}: {cause(error)}{_denial(self.path)}") from error
        except ArchiveError:
            engine.dispose()
            raise
        return engine

    def _open_frozen(self) -> sa.Engine | None:
        """Return an engine that reads a complete archive on a full or read-only disk, or None.

        SQLite creates files beside an archive even to read it (https://www.sqlite.org/wal.html#readonly). Use the
        engine only once: it assumes that nobody changes the archive.
        """
        ahead = Path(f"{real_path(self.path)}-wal")
        if not self.path.is_file() or (ahead.exists() and ahead.stat().st_size):
            return None
        address = sa.URL.create(
            "sqlite", database=self.path.absolute().as_uri(), query={"mode": "ro", "immutable": "1", "uri": "true"}
        )
        engine = sa.create_engine(address, poolclass=sa.NullPool, json_deserializer=read_json)
        event.listen(engine, "connect", _configure)
        with suppress(sa.exc.SQLAlchemyError), engine.connect() as db:
            if self.schema_version(db) == SCHEMA and self._rules(db) <= RULES:  # an index of older rules finds most
                return engine
        return None

    def _prepare(self, engine: sa.Engine) -> None:
        with engine.connect() as db:
            if self.is_ready(db) and self.opening is not OpenMode.COPY:
                return
        with closing(engine.raw_connection()) as raw:  # with a WAL, readers and the writer need not wait
            raw.cursor().execute("PRAGMA journal_mode=WAL")
        with without_limit(), engine.connect().execution_options(writing=True) as db, db.begin():
            self.prepare(db)

    def schema_version(self, db: sa.Connection) -> int:
        """Return the number in the file's head."""
        number: int = db.exec_driver_sql("PRAGMA user_version").scalar_one()
        return number

    def set_schema_version(self, db: sa.Connection, number: int) -> None:
        """Write the number into the file's head."""
        db.exec_driver_sql(f"PRAGMA user_version={number}")

    def index(self, db: sa.Connection, documents: Sequence[Document]) -> None:
        """Add `documents` to the virtual table; the later of two with one key counts."""
        db.exec_driver_sql(_INSERT, [(key, *words.values()) for key, words in documents])

    def rebuild_index(self, db: sa.Connection, pieces: Iterable[Sequence[Document]]) -> None:
        """Create the virtual table, or replace it, and fill it."""
        for statement in ("DROP TABLE IF EXISTS search", _CREATE_SEARCH):
            db.exec_driver_sql(statement)
        for piece in pieces:
            self.index(db, piece)

    def index_is_consistent(self) -> bool:
        """Compare the virtual table with the wordings, without a lock.

        A read of the table visits all leaves in turn, and notices neither a broken way to a leaf nor a wrong index of
        prefixes. So this looks up each word and prefix too.
        """
        with self.transaction() as db:
            try:
                db.exec_driver_sql("DROP TABLE IF EXISTS temp.words")
                db.exec_driver_sql("CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, search, instance)")
                return _is_consistent(db)
            except sa.exc.DatabaseError:
                return False

    def compile_filter(self, tree: Filter) -> str:
        """Return `tree` in FTS5's language."""
        return _expression(tree)

    def integrity_errors(self, db: sa.Connection) -> list[str]:
        """Return the damage that SQLite finds, and the tables that refer to missing rows."""
        lines = [line for line in db.exec_driver_sql("PRAGMA integrity_check(5)").scalars() if line != "ok"]
        tables = sorted(set(db.exec_driver_sql("PRAGMA foreign_key_check").scalars()))
        return lines + [f"{table} refers to missing papers" for table in tables]


def path_of(archive: str) -> Path:
    """Return the path in `archive`, a path or `sqlite:///PATH`; raises ArchiveError for anything else."""
    path = archive.removeprefix("sqlite:///")
    if "://" in path or path in ("", ":memory:"):
        raise ArchiveError("the archive must be a file: a path, or sqlite:///PATH")
    return Path(path)


def real_path(path: Path) -> Path:
    """Return the target of a link: we create and delete files there, and leave links alone."""
    return Path(os.path.realpath(path))


def _denial(path: Path) -> str:
    """Say which user may not write to the archive or to the folder it is in; nothing if that is not why."""
    file = real_path(path)
    folder = next(folder for folder in file.parents if folder.exists())
    obstacle = next((path for path in (folder, file) if path.exists() and not os.access(path, os.W_OK)), None)
    user = f"user {os.geteuid()}, group {os.getegid()}" if hasattr(os, "geteuid") else "this user"
    return f" ({user} may not write to {obstacle})" if obstacle else ""


def driver(db: sa.Connection) -> sqlite3.Connection:
    """Return the driver's own connection beneath `db`."""
    return cast("sqlite3.Connection", db.connection.driver_connection)


def _file(path: Path) -> tuple[int, int, bool]:
    """Return the identity of the file at `path`, and whether it holds anything."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0, False
    return status.st_dev, status.st_ino, status.st_size > 0


def _is_consistent(db: sa.Connection) -> bool:
    """Compare the sums of the hashes of all places of words, and of the keys under each word and prefix."""
    places, keys, numbers = 0, Counter[str](), Counter[str]()
    for key, words in (document for piece in documents(db) for document in piece):
        terms = {field: text.split() for field, text in words.items()}
        for field, row in terms.items():
            places += sum(hash((key, field, term, at)) for at, term in enumerate(row))
        distinct = set().union(*terms.values())
        prefixes = {f'"{term[:size]}" *' for term in distinct for size in _PREFIXES}
        for expression in prefixes.union(f'"{term}"' for term in distinct):
            numbers[expression] += 1
            keys[expression] += key
    for place in db.exec_driver_sql("SELECT doc, col, term, offset FROM temp.words"):
        places -= hash(tuple(place))
    look_up = "SELECT count(*), sum(rowid) FROM search WHERE search MATCH ?"
    return not places and all(
        db.exec_driver_sql(look_up, (expression,)).one() == (number, keys[expression])
        for expression, number in numbers.items()
    )


def _configure(connection: Any, _: object) -> None:
    """Leave transactions to SQLAlchemy, and read text that is not UTF-8 as bytes, so that the row stays readable."""
    connection.isolation_level = None
    connection.text_factory = read_text
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON", f"cache_size=-{_CACHE_KIB}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


# Search -----------------------------------------------------------------------------------------


@compiles(Greatest, "sqlite")
def _latest(element: Any, compiler: Any, **options: Any) -> str:
    return f"max({compiler.process(element.clauses, **options)})"


@compiles(Matches, "sqlite")
def _matches(element: Any, compiler: Any, **options: Any) -> str:
    return f"search MATCH {compiler.process(element.clauses, **options)}"


def _expression(tree: Filter) -> str:
    """Return `tree` in FTS5's language, whose NOT takes two sides."""
    if isinstance(tree, Term):
        phrases = (f'"{" ".join(words)}"{" *" * is_prefix}' for words, is_prefix in tree.phrases)
        return f"{{{' '.join(tree.fields)}}} : ({' OR '.join(phrases)})"
    if isinstance(tree, Or):
        return "(" + " OR ".join(map(_expression, tree.parts)) + ")"
    parts = tree.parts if isinstance(tree, And) else (tree,)
    exclude = [_expression(part.part) for part in parts if isinstance(part, Not)]
    include = [_expression(part) for part in parts if not isinstance(part, Not)] or [f'title : "{GAP}"']
    return "(" + " NOT ".join([" AND ".join(include), *exclude]) + ")"
