"""The archive in one SQLite file: opening it, and its search index in FTS5.

Holds nothing of what the archive means.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.compiler import compiles

from feedproxy.archive.backend import Database, OpenMode, Wording, cause
from feedproxy.archive.deadline import remaining
from feedproxy.archive.salvage import copy_pages, real_path, salvage, state_of
from feedproxy.archive.schema import SCHEMA, read_json, read_text
from feedproxy.archive.search import GAP, Greatest, Matches
from feedproxy.errors import ArchiveError
from feedproxy.query.grammar import FIELDS, And, Filter, Not, Or, Term

# The words are normalised before they get here: `ascii` parts them at spaces and leaves the rest alone.
# Without an index of prefixes, `w*` would read every word there is. The words themselves are kept in `texts` alone.
_CREATE_SEARCH = (
    f"CREATE VIRTUAL TABLE search USING fts5({', '.join(FIELDS)}, "
    "content='texts', content_rowid='since', tokenize='ascii', prefix='1 2 3')"
)
_STEPS = 10_000  # of SQLite's virtual machine, about a millisecond, between two looks at the time
_LOST_WORDS = """SELECT count(*) FROM (
    SELECT DISTINCT '"' || substr(term, 1, n) || '" *' AS word
    FROM temp.words, (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3)
    UNION ALL SELECT '"' || term || '"' FROM temp.words
) WHERE NOT EXISTS (SELECT 1 FROM search WHERE search MATCH word)"""
_SEARCH = sa.table("search", sa.column("rowid"), *map(sa.column, FIELDS))


class SQLite(Database):
    """The archive at `path`; waits `patience` seconds for another's writing to end."""

    timeout = "sqlite_errorcode", sqlite3.SQLITE_INTERRUPT

    def __init__(self, path: Path, patience: float, opening: OpenMode) -> None:
        self.path, self.shown, self.opening, self._patience = path, str(path), opening, patience
        self._opening = threading.Lock()
        self._opened: sa.Engine | None = None
        self._file = (0, 0, False)

    def connect(self, *, writing: bool) -> sa.Connection:
        """Return a connection to the file that is at the path now."""
        return self._engine(writing=writing).connect().execution_options(writing=writing)

    def limit(self, connection: sa.Connection, *, writing: bool) -> None:
        """Let SQLite ask now and then whether time is up (https://www.sqlite.org/c3ref/progress_handler.html)."""
        _driver(connection).set_progress_handler(None if writing else lambda: remaining() < 0, _STEPS)

    def close(self) -> None:
        """Let go of the file."""
        with self._opening:
            self._drop()

    def _drop(self) -> None:
        """Let go of what is open; connections in use are closed when they come back."""
        opened, self._opened = self._opened, None
        if opened:
            opened.dispose()

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
                    real_path(self.path).unlink()
            self._drop()

    def _open(self) -> sa.Engine:
        """Return an engine for the file, creating what is missing; raises ArchiveError."""
        address = sa.URL.create("sqlite", database=str(self.path))
        engine = sa.create_engine(address, connect_args={"timeout": self._patience}, json_deserializer=read_json)
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        # SQLAlchemy would leave connections that are in use at the end to the garbage collector.
        event.listen(engine, "checkin", lambda _, entry: self._opened is engine or entry.close())
        try:
            if self.opening is OpenMode.PRESENT and not self.path.exists():
                raise self.absent()
            if self.path.exists() and not self.path.is_file():  # SQLite would wait at a pipe for good
                raise ArchiveError(f"cannot open the archive {self.shown}: it is no file")
            if self.path.is_symlink() and not real_path(self.path).parent.exists():
                raise ArchiveError(
                    f"cannot open the archive {self.shown}: it is a link into a folder that is not there"
                )
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
            if self.is_ready(db):
                return
        with closing(engine.raw_connection()) as raw:  # so that readers and the writer need not wait for each other
            raw.cursor().execute("PRAGMA journal_mode=WAL")
        with engine.connect().execution_options(writing=True) as db, db.begin():
            self.prepare(db)

    def schema_version(self, db: sa.Connection) -> int:
        """Return the number in the file's head."""
        number: int = db.exec_driver_sql("PRAGMA user_version").scalar_one()
        return number

    def set_schema_version(self, db: sa.Connection, number: int) -> None:
        """Write the number into the file's head."""
        db.exec_driver_sql(f"PRAGMA user_version={number}")

    def create_index(self, db: sa.Connection) -> None:
        """Create the virtual table."""
        db.exec_driver_sql(_CREATE_SEARCH)

    def index(self, db: sa.Connection, wordings: Sequence[Wording]) -> None:
        """Add `wordings` to the virtual table."""
        db.execute(sa.insert(_SEARCH), [{"rowid": date, **words} for date, words in wordings])

    def compile_filter(self, wanted: Filter) -> dict[str, str]:
        """Return `wanted` in FTS5's language."""
        return {"q": _expression(wanted)}

    # Looking after it -----------------------------------------------------------------------------

    def rebuild_index(self, db: sa.Connection) -> None:
        """Create the virtual table again and let FTS5 fill it."""
        db.exec_driver_sql("DROP TABLE IF EXISTS search")
        self.create_index(db)
        db.exec_driver_sql("INSERT INTO search (search) VALUES ('rebuild')")

    def rebuild(self, complete: Callable[[sa.Connection], None]) -> str:
        """Write all that can be read of it into a new file, and that over all pages of this one.

        Where that is not all, a copy of this one as it was is kept beside it, and its name returned.

        No page that is damaged is then used, nor the shadow tables of the index, without which it cannot be dropped.
        """
        with self._scratch("mend") as scratch, closing(sqlite3.connect(self.path)) as watching:
            before = state_of(watching)
            whole = SQLite(scratch, self._patience, OpenMode.USE)
            whole.shown = self.shown
            with closing(whole):
                with whole.transaction(writing=True):
                    pass  # creates it
                kept = "" if salvage(self.path, scratch) else f"{real_path(self.path)}.damaged"
                if kept:
                    self.backup(Path(kept), replacing=False)
                with whole.transaction(writing=True) as db:
                    complete(db)
                    whole.rebuild_index(db)
                self._replace_all(whole, lambda: state_of(watching) == before)
        return kept

    def index_is_consistent(self) -> bool:
        """Let FTS5 compare, which keeps writers waiting; https://www.sqlite.org/fts5.html#the_integrity_check_command.

        That reads all leaves in turn and does not notice that the way to one is lost, so each word is looked up too.
        """
        with self.transaction(writing=True) as db:
            try:
                db.exec_driver_sql("INSERT INTO search (search, rank) VALUES ('integrity-check', 1)")
                db.exec_driver_sql("CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, search, row)")
                lost: int = db.exec_driver_sql(_LOST_WORDS).scalar_one()
                db.exec_driver_sql("DROP TABLE temp.words")
            except sa.exc.DatabaseError:
                return False
        return not lost

    def integrity_errors(self, db: sa.Connection) -> list[str]:
        """Return what is damaged in the file, and which tables refer to rows that are not there."""
        damaged = [line for line in db.exec_driver_sql("PRAGMA integrity_check(5)").scalars() if line != "ok"]
        astray = set(db.exec_driver_sql("PRAGMA foreign_key_check").scalars())
        return damaged + [f"{table} refers to papers that are not there" for table in sorted(astray)]

    def backup(self, file: Path, *, replacing: bool) -> None:
        """Write the archive as it is at one moment to `file`, which appears when it is whole; raises ArchiveError."""
        file = real_path(file)
        if file.exists() and not (replacing and file.is_file()):
            raise ArchiveError(f"{file} is there already; --force replaces it, if it is a file")
        unfinished = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            with self.transaction() as db, closing(sqlite3.connect(unfinished)) as copy:
                if Path(f"{file}-wal").exists():  # it would be taken for that of the new file
                    raise ArchiveError(f"{file} is an archive in use, or was left by one")
                copy_pages(_driver(db), copy, self._patience)
            unfinished.replace(file)
        except (sqlite3.Error, OSError) as error:
            raise ArchiveError(f"cannot write {file}: {error}") from error
        finally:
            unfinished.unlink(missing_ok=True)

    def restore(self, file: Path) -> None:
        """Put the backup `file` in the place of all that the archive holds, at once; raises ArchiveError.

        A copy of it, migrated if need be, is written over all pages in one transaction of SQLite's. So whoever has the
        archive open goes on, and what stands in its `-wal` is not mixed with other pages.
        """
        if not file.is_file():
            raise ArchiveError(f"cannot restore {file}: there is no such file")
        with self.transaction():  # opens it; what is no archive is not overwritten
            pass
        with self._scratch("restore", file) as scratch:
            there = f"{file.absolute().as_uri()}?mode=rw"
            with closing(sqlite3.connect(there, uri=True)) as backup, closing(sqlite3.connect(scratch)) as copy:
                copy_pages(backup, copy, self._patience)
            whole = SQLite(scratch, self._patience, OpenMode.PRESENT)
            whole.shown = str(file)
            with closing(whole):
                self._replace_all(whole)

    @contextmanager
    def _scratch(self, verb: str, file: Path | None = None) -> Iterator[Path]:
        """Yield where a new archive may be made beside this one, to be written over it; raises ArchiveError."""
        try:
            with TemporaryDirectory(prefix=f".{verb}-", dir=real_path(self.path).parent) as folder:
                yield Path(folder) / "archive.sqlite"
        except (sqlite3.Error, OSError) as error:
            raise ArchiveError(f"cannot {verb} {file or self.shown}: {error}") from error

    def _replace_all(self, whole: "SQLite", still: Callable[[], bool] | None = None) -> None:
        """Write all pages of `whole` over those of this archive, if `still` once nobody else can write to it."""
        with whole.transaction() as db, closing(sqlite3.connect(self.path)) as archive:
            copy_pages(_driver(db), archive, self._patience, still)


def path_of(archive: str) -> Path:
    """Return the path in `archive`, a path or `sqlite:///PATH`; raises ArchiveError where there is none."""
    path = archive.removeprefix("sqlite:///")
    if "://" in path or path in ("", ":memory:"):
        raise ArchiveError("the archive is to be a file: a path, or sqlite:///PATH")
    return Path(path)


def _driver(db: sa.Connection) -> sqlite3.Connection:
    """Return the driver's own connection beneath `db`."""
    return cast("sqlite3.Connection", db.connection.driver_connection)


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
    ahead = Path(f"{real_path(path)}-wal")
    if not path.is_file() or (ahead.exists() and ahead.stat().st_size):
        return None
    address = sa.URL.create(
        "sqlite", database=path.absolute().as_uri(), query={"mode": "ro", "immutable": "1", "uri": "true"}
    )
    engine = sa.create_engine(address, poolclass=sa.NullPool, json_deserializer=read_json)
    event.listen(engine, "connect", _configure)
    with suppress(sa.exc.SQLAlchemyError), engine.connect() as connection:
        if connection.exec_driver_sql("PRAGMA user_version").scalar_one() == SCHEMA:
            return engine
    return None


def _configure(connection: Any, _: object) -> None:
    """Leave transactions to SQLAlchemy, and have text that is no UTF-8 read as bytes, or no row beside it could be."""
    connection.isolation_level = None
    connection.text_factory = read_text
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
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
    either = (f'"{" ".join([*before, last])}"{" *" * begins}' for before, last, begins in term.phrases)
    return f"{{{' '.join(term.fields)}}} : ({' OR '.join(either)})"
