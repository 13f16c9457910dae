"""The archive in a PostgreSQL database that several machines share: connections, and the search index in tsvectors."""

import json
import math
import os
import selectors
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.compiler import compiles

from feedproxy.archive.backend import READ_SECONDS, Database, OpenMode, remaining, without_limit
from feedproxy.archive.index import COLUMNS, Document, documents
from feedproxy.archive.rows import read_json
from feedproxy.archive.schema import LATE_INDEXES, search
from feedproxy.archive.search import Matches
from feedproxy.errors import ArchiveError
from feedproxy.query.grammar import And, Filter, Not, Term
from feedproxy.query.parameters import Query
from feedproxy.query.terms import GAP, Phrase

_CONNECTIONS = 5  # of one process; it renders too slowly to use more
_LOCK = 0x66656564  # the number of the lock for creating tables
_MARK = sa.table("feedproxy", sa.column("schema", sa.Integer))
# A new table beside the old one, so that searches go on meanwhile. The index comes last: to fill a table with an index
# takes many times as long. A new table has no statistics yet.
_NEW = sa.table("new_search")
# Words lie in the row itself, as far as they fit into a page, and are never compressed: a search unpacks nothing.
_CREATE_SEARCH = (
    "CREATE TABLE new_search (rowid bigint PRIMARY KEY, words tsvector NOT NULL) WITH (toast_tuple_target = 8160)",
    "ALTER TABLE new_search ALTER words SET STORAGE EXTERNAL",
)
_REPLACE_SEARCH = (
    "CREATE INDEX new_search_words ON new_search USING gin (words) WITH (fastupdate = off)",
    "DROP TABLE IF EXISTS search",
    "ALTER TABLE new_search RENAME TO search",
    "ALTER INDEX new_search_pkey RENAME TO search_pkey",
    "ALTER INDEX new_search_words RENAME TO search_words",
    "ANALYZE papers, ledger, wordings, search",
)
_ROWS = "json_populate_recordset(CAST(NULL AS {table}), CAST(:rows AS json))"  # rows of a table, as JSON
_REPLACED = {search.name: "ON CONFLICT (rowid) DO UPDATE SET words = excluded.words"}
_EQUAL_ROWS = sa.text(
    f"SELECT count(*) FROM search JOIN {_ROWS.format(table=search.name)} AS new USING (rowid) "  # noqa: S608 (ours)
    "WHERE search.words = new.words"
)
# The words of at least a twentieth of all wordings; the newest two weeks have fewer than fifty wordings with any other.
_COMMON_WORDS = sa.text(
    "SELECT word FROM pg_stats, unnest(CAST(CAST(most_common_elems AS text) AS text[]), most_common_elem_freqs) "
    "AS words (word, share) WHERE schemaname = current_schema AND tablename = 'search' AND attname = 'words' "
    "AND word IS NOT NULL AND share >= 0.05"
)
_READ, _WRITE = "ISOLATION LEVEL REPEATABLE READ READ ONLY", "ISOLATION LEVEL READ COMMITTED READ WRITE"
for _index in LATE_INDEXES:
    _index.dialect_kwargs["postgresql_where"] = _index.dialect_kwargs["sqlite_where"]


class Postgres(Database):
    """The archive at a URL; waits `patience` seconds for a connection or a lock, and twice that for an answer."""

    timeout = "sqlstate", "57014"  # query_canceled

    def __init__(self, address: str, patience: float, opening: OpenMode) -> None:
        url = _url(address)
        self.opening = opening
        self.label = sa.URL.create("postgresql", None, None, url.host, url.port, url.database).render_as_string()
        self._patience, self._looked_at, self._process, self._closed = patience, False, os.getpid(), False
        self._common_words, self._read_words_at = frozenset[str](), -math.inf
        self._is_limited = opening is OpenMode.USE  # maintenance may take any time
        try:
            self._engine = sa.create_engine(
                url,
                pool_size=_CONNECTIONS,
                max_overflow=0,
                pool_timeout=min(patience, READ_SECONDS),
                isolation_level="AUTOCOMMIT",  # `_begin` begins transactions
                connect_args=_connecting(patience, url.query),
                json_deserializer=read_json,
            )
        except ImportError as error:
            raise ArchiveError("PostgreSQL needs psycopg: pip install 'feedproxy[postgres]'") from error
        event.listen(self._engine, "do_connect", self._connect)
        event.listen(self._engine, "connect", self._configure)
        event.listen(self._engine, "checkout", _demand_silence)
        event.listen(self._engine, "checkin", lambda _, entry: self._closed and entry.close())

    def connect(self, *, writing: bool) -> sa.Connection:  # noqa: ARG002
        """Return a connection of this process; prepares the database after each new connection."""
        if self._process != os.getpid():  # open connections belong to the parent process
            self._engine.dispose(close=False)
            self._process, self._looked_at = os.getpid(), False
        connection = self._engine.connect()
        try:
            if not self._looked_at:
                self._look(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _look(self, db: sa.Connection) -> None:
        """Prepare the database, once; raises ArchiveError if it cannot hold every text."""
        with db.begin():
            self._begin(db, _READ)  # a standby only reads
            encoding = db.exec_driver_sql("SHOW server_encoding").scalar_one()
            if encoding != "UTF8":
                make = f"createdb -E UTF8 -T template0 {db.engine.url.database}"
                raise ArchiveError(f"{self.label} is in {encoding}, not in UTF-8: create it again with {make}")
            ready = self.is_ready(db)
        if not ready:
            driver = _driver(db)
            seconds, driver.answer_seconds = driver.answer_seconds, math.inf  # this may take any time
            try:
                with without_limit(), db.begin():
                    self._begin(db, _WRITE)
                    db.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
                    self.prepare(db)
            finally:
                driver.answer_seconds = seconds
        self._looked_at = True

    def close(self) -> None:
        """Close every connection, and those in use when they come back."""
        self._closed = True
        self._engine.dispose(close=self._process == os.getpid())

    def _connect(self, _: object, __: object, words: Any, options: dict[str, Any]) -> Any:
        """Connect within the thread's time limit."""
        from feedproxy.archive.psycopg_limits import LimitedConnection

        if remaining() < options["connect_timeout"]:
            options["connect_timeout"] = max(2, math.ceil(remaining()))
        return LimitedConnection.connect(*words, **options)

    def _configure(self, connection: Any, _: object) -> None:
        """Note that the database behind a new connection may be another one."""
        self._looked_at = False
        connection.answer_seconds = 2 * self._patience if self._is_limited else math.inf

    def begin(self, connection: sa.Connection, *, writing: bool, searching: bool) -> None:
        """Let the server end a statement that takes too long; `LimitedConnection` covers a frozen server.

        A search locks the index before its snapshot begins: in a newer table the snapshot would see no rows
        (https://www.postgresql.org/docs/current/mvcc-caveats.html).
        """
        statements = []
        if self._is_limited:
            seconds = min(math.inf if writing else max(remaining(), 0.001), 2 * self._patience)
            statements.append(f"SET LOCAL statement_timeout = {math.ceil(1000 * seconds)}")
        if searching:
            statements.append("LOCK TABLE search IN ACCESS SHARE MODE")
        self._begin(connection, _WRITE if writing else _READ, *statements)

    def _begin(self, connection: sa.Connection, mode: str, *statements: str) -> None:
        """Let a transaction begin with its first statement, and limit every wait.

        PostgreSQL ends a transaction of a frozen or dead process, so that others can write. A pooler may give the next
        transaction another connection to the server, so all settings are those of this one.
        """
        wait = int(1000 * self._patience)
        settings = {
            "lock_timeout": wait,
            "idle_in_transaction_session_timeout": 3 * wait * self._is_limited,
            "jit": "off",  # it takes longer than any of our statements
            "random_page_cost": 1.1,  # an archive fits into memory; the default, for disks, avoids the index of words
        }
        lines = (f"SET LOCAL {name} = {value}" for name, value in settings.items())
        _driver(connection).beginning = "; ".join((f"BEGIN {mode}", *lines, *statements, ""))

    def schema_version(self, db: sa.Connection) -> int:
        """Return the number in the table that marks an archive."""
        return (db.scalar(sa.select(_MARK.c.schema)) or 0) if sa.inspect(db).has_table(_MARK.name) else 0

    def set_schema_version(self, db: sa.Connection, number: int) -> None:
        """Write the number into the table that marks an archive."""
        db.exec_driver_sql("CREATE TABLE IF NOT EXISTS feedproxy (schema integer NOT NULL)")
        db.execute(sa.delete(_MARK))
        db.execute(sa.insert(_MARK).values(schema=number))

    def index(self, db: sa.Connection, documents: Sequence[Document]) -> None:
        """Add `documents` to the table, or replace them there."""
        self.bulk_insert(db, search, _rows(documents))

    def rebuild_index(self, db: sa.Connection, pieces: Iterable[Sequence[Document]]) -> None:
        """Fill a new table, create the index of its words, and replace the old table."""
        for statement in _CREATE_SEARCH:
            db.exec_driver_sql(statement)
        for piece in pieces:
            self.bulk_insert(db, _NEW, _rows(piece))
        for statement in _REPLACE_SEARCH:
            db.exec_driver_sql(statement)

    def index_is_consistent(self) -> bool:
        """Compare each row with its wording, without a lock."""
        with self.transaction() as db:
            if not sa.inspect(db).has_table("search") or not sa.inspect(db).has_index("search", "search_words"):
                return False
            number = db.execute(sa.select(sa.func.count()).select_from(search)).scalar_one()
            total = equal = 0
            for piece in documents(db):
                total += len(piece)
                equal += db.execute(_EQUAL_ROWS, _as_json(_rows(piece))).scalar_one()
        return bool(number == total == equal)

    def bulk_insert(self, db: sa.Connection, table: sa.TableClause, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert all columns of `rows` with one statement, in a third of the time of one per row."""
        columns = ", ".join(f'"{name}"' for name in rows[0])
        insert = f"INSERT INTO {table.name} ({columns}) SELECT {columns}"
        statement = f"{insert} FROM {_ROWS.format(table=table.name)} {_REPLACED.get(table.name, '')}"
        db.execute(sa.text(statement), _as_json(rows))

    def compile_filter(self, tree: Filter) -> str:
        """Return `tree` as a tsquery."""
        return _query(tree)

    def windows(self, db: sa.Connection, query: Query, newest: int) -> list[dict[str, Any]]:
        """Return only the widest window if a word is rare: the others would not fill a page, and cost a trip each.

        Words are rare that are not among the common ones of PostgreSQL's own statistics, which we read once an hour.
        """
        some = super().windows(db, query, newest)
        if query.q and time.monotonic() >= self._read_words_at:
            self._common_words = frozenset(db.execute(_COMMON_WORDS).scalars())
            self._read_words_at = time.monotonic() + (3600 if self._common_words else 60)
        common = self._common_words  # none before the database's first ANALYZE
        return some[-1:] if query.q and common and _is_rare(query.q, common) else some

    def integrity_errors(self, db: sa.Connection) -> list[str]:
        """Return the invalid indexes; PostgreSQL checks everything else itself."""
        names = db.exec_driver_sql("SELECT CAST(indexrelid AS regclass) FROM pg_index WHERE NOT indisvalid").scalars()
        return [f"the index {name} is not valid" for name in names]


def _driver(db: sa.Connection) -> Any:
    return db.connection.driver_connection


def _demand_silence(connection: Any, *_: object) -> None:
    """Let the pool replace a connection that has something to read: its server has ended it, perhaps for a restart."""
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        if selector.select(0):
            raise sa.exc.DisconnectionError


def _url(address: str) -> sa.URL:
    try:
        url = sa.make_url(address)
    except (sa.exc.ArgumentError, ValueError):
        url = None
    if url and url.database and url.drivername in ("postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    raise ArchiveError("the archive must be postgresql+psycopg://USER:PASSWORD@HOST/DATABASE")


def _connecting(patience: float, query: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a connection that the URL does not set; they notice a dead machine in half a minute."""
    defaults = {
        "connect_timeout": max(2, int(patience)),  # seconds; libpq takes 1 for 2
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,  # milliseconds
        "application_name": "feedproxy",
    }
    options = {name: value for name, value in defaults.items() if name not in query}
    return options | {"client_encoding": "utf8"}  # whatever PGCLIENTENCODING says


# Search -----------------------------------------------------------------------------------------
#
# A wording is a tsvector of words, each after the mark of its field: with weights instead, PostgreSQL would unpack the
# tsvector of each paper that has the word in any field. A gap is a position without a lexeme, so no phrase crosses it.

_MARKS = dict(zip(COLUMNS, "ABCDE", strict=True))  # words have no capitals


@compiles(Matches, "postgresql")
def _matches(element: Any, compiler: Any, **options: Any) -> str:
    return f"search.words @@ CAST({compiler.process(element.clauses, **options)} AS tsquery)"


def _as_json(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {"rows": json.dumps(rows, default=str, ensure_ascii=False)}


def _rows(documents: Sequence[Document]) -> list[dict[str, Any]]:
    return [{"rowid": key, "words": _tsvector(words)} for key, words in documents]


def _tsvector(words: Mapping[str, str]) -> str:
    return " ".join(
        f"'{_MARKS[field]}{word}':{at}"
        for field, text in words.items()
        for at, word in enumerate(text.split(), 1)
        if word != GAP
    )


def _query(tree: Filter) -> str:
    if isinstance(tree, Term):
        phrases = (
            " <-> ".join(f"'{mark}{word}'" for word in words) + ":*" * is_prefix
            for mark in map(_MARKS.__getitem__, tree.fields)
            for words, is_prefix in tree.phrases
        )
        return f"({' | '.join(phrases)})"
    if isinstance(tree, Not):
        return f"!{_query(tree.part)}"
    return f"({(' & ' if isinstance(tree, And) else ' | ').join(map(_query, tree.parts))})"


def _is_rare(tree: Filter, common: frozenset[str]) -> bool:
    """Say whether `tree` demands a word that is not `common`."""
    if isinstance(tree, Term):
        marks = (_MARKS[field] for field in tree.fields)
        return all(_has_rare(mark, phrase, common) for mark in marks for phrase in tree.phrases)
    if isinstance(tree, Not):
        return False
    return (any if isinstance(tree, And) else all)(_is_rare(part, common) for part in tree.parts)


def _has_rare(mark: str, phrase: Phrase, common: frozenset[str]) -> bool:
    words, is_prefix = phrase
    *others, last = (mark + word for word in words)
    is_last_common = any(word.startswith(last) for word in common) if is_prefix else last in common
    return not (is_last_common and common.issuperset(others))
