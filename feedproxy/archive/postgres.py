"""The archive in a PostgreSQL database that several machines share: reaching it, and its search index in tsvectors.

Holds nothing of what the archive means.
"""

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.compiler import compiles

from feedproxy.archive.backend import READ_SECONDS, Database, OpenMode, remaining, time_out
from feedproxy.archive.index import GAP, Document, documents
from feedproxy.archive.rows import read_json
from feedproxy.archive.schema import search
from feedproxy.archive.search import Matches
from feedproxy.errors import ArchiveError
from feedproxy.query.grammar import FIELDS, And, Filter, Not, Term

_CONNECTIONS = 5  # of one process at most; rendering leaves no use for more
_LOCK = 0x66656564  # what processes that create the tables at the same time wait for
_MARK = sa.table("feedproxy", sa.column("schema", sa.Integer))
# Made beside the one there is, so that searches go on meanwhile. The index comes last: to fill a table that has one
# takes many times as long. What was just filled has no statistics yet.
_NEW = sa.table("new_search")
_CREATE_SEARCH = "CREATE TABLE new_search (rowid bigint PRIMARY KEY, words tsvector NOT NULL)"
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
_ALIKE = sa.text(
    f"SELECT count(*) FROM search JOIN {_ROWS.format(table=search.name)} AS expected USING (rowid) "  # noqa: S608 (ours)
    "WHERE search.words = expected.words"
)
_READING = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
_WRITING = {"isolation_level": "READ COMMITTED", "postgresql_readonly": False}


class Postgres(Database):
    """The archive at a URL; waits `patience` seconds for a connection or a lock, twice that for an answer."""

    timeout = "sqlstate", "57014"  # query_canceled

    def __init__(self, address: str, patience: float, opening: OpenMode) -> None:
        url = _url(address)
        self.opening = opening
        self.label = sa.URL.create("postgresql", None, None, url.host, url.port, url.database).render_as_string()
        self._patience, self._looked_at, self._process = patience, False, os.getpid()
        self._closed = False
        self._is_limited = opening is OpenMode.USE  # to look after an archive takes the time it takes
        try:
            self._engine = sa.create_engine(
                url,
                pool_size=_CONNECTIONS,
                max_overflow=0,
                pool_timeout=min(patience, READ_SECONDS),
                pool_pre_ping=True,  # a server that was restarted costs no error
                connect_args=_connecting(patience, url.query),
                json_deserializer=read_json,
            )
        except ImportError as error:
            raise ArchiveError("PostgreSQL wants psycopg: pip install 'feedproxy[postgres]'") from error
        event.listen(self._engine, "do_connect", self._connect)
        event.listen(self._engine, "connect", self._configure)
        event.listen(self._engine, "checkin", lambda _, entry: self._closed and entry.close())

    def connect(self, *, writing: bool) -> sa.Connection:
        """Return a connection of this process, to a database that was looked at since it was last reached anew."""
        if self._process != os.getpid():  # what is open belongs to the process this one was forked from
            self._engine.dispose(close=False)
            self._process, self._looked_at = os.getpid(), False
        connection = self._engine.connect()
        try:
            if not self._looked_at:
                self._look(connection)
        except BaseException:
            connection.close()
            raise
        return connection.execution_options(**(_WRITING if writing else _READING))

    def _look(self, db: sa.Connection) -> None:
        """Prepare what is there, once; raises ArchiveError where not every text could be kept."""
        with db.execution_options(**_READING).begin():  # a standby refuses all else
            encoding = db.exec_driver_sql("SHOW server_encoding").scalar_one()
            if encoding != "UTF8":
                make = f"createdb -E UTF8 -T template0 {db.engine.url.database}"
                raise ArchiveError(f"{self.label} is in {encoding}, not in UTF-8: make it anew by {make}")
            ready = self.is_ready(db)
        if not ready:
            driver: Any = db.connection.driver_connection
            seconds, driver.answer_seconds = driver.answer_seconds, math.inf  # it takes the time it takes
            try:
                with time_out(), db.execution_options(**_WRITING).begin():
                    db.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
                    self.prepare(db)
            finally:
                driver.answer_seconds = seconds
        self._looked_at = True

    def close(self) -> None:
        """Let go of every connection; those in use are closed when they come back."""
        self._closed = True
        self._engine.dispose(close=self._process == os.getpid())

    def _connect(self, _: object, __: object, words: Any, options: dict[str, Any]) -> Any:
        """Connect within the time that is left."""
        from feedproxy.archive.psycopg_limits import LimitedConnection

        if remaining() < options["connect_timeout"]:
            options["connect_timeout"] = max(2, math.ceil(remaining()))
        return LimitedConnection.connect(*words, **options)

    def _configure(self, connection: Any, _: object) -> None:
        """Bound every wait; a transaction whose process is frozen or gone ends, or nobody else could write."""
        self._looked_at = False
        connection.answer_seconds = 2 * self._patience if self._is_limited else math.inf
        wait = int(1000 * self._patience)
        with connection.cursor() as cursor:
            cursor.execute(
                f"SET lock_timeout = {wait}; SET jit = off;"
                f"SET idle_in_transaction_session_timeout = {3 * wait * self._is_limited}"
            )
        connection.commit()

    def begin(self, connection: sa.Connection, *, writing: bool, searching: bool) -> None:
        """Let the server end a statement that takes too long.

        A server that is frozen ends nothing: how long it is waited for, `LimitedConnection` decides.

        The index is locked before the transaction sees anything, which locking does not begin: in a table that was made
        since then it would see no rows (https://www.postgresql.org/docs/current/mvcc-caveats.html).
        """
        if self._is_limited:
            allowed = min(math.inf if writing else max(remaining(), 0.001), 2 * self._patience)
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {math.ceil(1000 * allowed)}")
        if searching:
            connection.exec_driver_sql("LOCK TABLE search IN ACCESS SHARE MODE")

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
        """Fill a new table, create the index of its words, and put it in the place of the one there is."""
        db.exec_driver_sql(_CREATE_SEARCH)
        for piece in pieces:
            self.bulk_insert(db, _NEW, _rows(piece))
        for statement in _REPLACE_SEARCH:
            db.exec_driver_sql(statement)

    def index_is_consistent(self) -> bool:
        """Compare each row with what would be written, without keeping anybody waiting."""
        with self.transaction() as db:
            if not sa.inspect(db).has_table("search") or not sa.inspect(db).has_index("search", "search_words"):
                return False
            number = db.execute(sa.select(sa.func.count()).select_from(search)).scalar_one()
            expected = alike = 0
            for piece in documents(db):
                expected += len(piece)
                alike += db.execute(_ALIKE, _as_json(_rows(piece))).scalar_one()
        return bool(number == expected == alike)

    def bulk_insert(self, db: sa.Connection, table: sa.TableClause, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert all columns of `rows` with one statement, which takes a third of the time that one a row takes."""
        columns = ", ".join(f'"{name}"' for name in rows[0])
        insert = f"INSERT INTO {table.name} ({columns}) SELECT {columns}"
        statement = f"{insert} FROM {_ROWS.format(table=table.name)} {_REPLACED.get(table.name, '')}"
        db.execute(sa.text(statement), _as_json(rows))

    def compile_filter(self, wanted: Filter) -> str:
        """Return `wanted` as a tsquery."""
        return _query(wanted)

    def integrity_errors(self, db: sa.Connection) -> list[str]:
        """Return which indexes are not valid; what else PostgreSQL holds it looks after itself."""
        names = db.exec_driver_sql("SELECT CAST(indexrelid AS regclass) FROM pg_index WHERE NOT indisvalid").scalars()
        return [f"the index {name} is not valid" for name in names]


def _url(address: str) -> sa.URL:
    try:
        url = sa.make_url(address)
    except (sa.exc.ArgumentError, ValueError):
        url = None
    if not url or url.drivername not in ("postgresql", "postgresql+psycopg") or not url.database:
        raise ArchiveError("the archive is to be postgresql+psycopg://USER:PASSWORD@HOST/DATABASE")
    return url.set(drivername="postgresql+psycopg")


def _connecting(patience: float, query: Mapping[str, Any]) -> dict[str, Any]:
    """Return how to connect, where the URL does not say; a machine that vanishes is noticed in half a minute."""
    defaults = {
        "connect_timeout": max(2, int(patience)),  # seconds; libpq takes 1 for 2
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,  # milliseconds
        "application_name": "feedproxy",
    }
    # Not prepared: a plan for whatever a filter may hold is a bad one, and PgBouncer knows no prepared statements.
    always = {"prepare_threshold": None, "client_encoding": "utf8"}  # whatever PGCLIENTENCODING says
    return {name: value for name, value in defaults.items() if name not in query} | always


# Search -----------------------------------------------------------------------------------------
#
# A wording is a tsvector whose lexemes are words behind the mark of their field: one with weights for fields is read
# and unpacked for each paper that has the word anywhere. A gap takes a position and has no lexeme, so that no phrase
# runs on.

_MARKS = dict(zip(FIELDS, "ABCD", strict=True))  # words have no capitals


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


def _query(wanted: Filter) -> str:
    if isinstance(wanted, Term):
        phrases = (
            " <-> ".join([*(f"'{mark}{word}'" for word in before), f"'{mark}{last}'{':*' * begins}"])
            for mark in map(_MARKS.__getitem__, wanted.fields)
            for before, last, begins in wanted.phrases
        )
        return f"({' | '.join(phrases)})"
    if isinstance(wanted, Not):
        return f"!{_query(wanted.part)}"
    return f"({(' & ' if isinstance(wanted, And) else ' | ').join(map(_query, wanted.parts))})"
