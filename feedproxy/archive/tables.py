"""The tables of the archive, and opening the database that holds them.

Times are integer epoch seconds, UTC. A date that a feed can show is handed out once: that makes
`papers.listed_at` and `texts.since` keys, and rows lie in listing order.
"""

from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from feedproxy.errors import ArchiveError
from feedproxy.filters import FIELDS
from feedproxy.papers import Paper

SCHEMA = 1
metadata = sa.MetaData()
_Seconds = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def seconds(moment: datetime) -> int:
    """Return an aware time as the archive holds it."""
    return int(moment.timestamp())


def moment(seconds: int) -> datetime:
    """Return what the archive holds as aware UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def _date_key(name: str) -> sa.Column[int]:
    return sa.Column(name, _Seconds, primary_key=True, autoincrement=False)


papers = sa.Table(
    "papers",
    metadata,
    _date_key("listed_at"),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("submitted_at", _Seconds, nullable=False),
    sa.Column("published_at", _Seconds),
    sa.Column("authors", sa.JSON, nullable=False),
    sa.Column("author_count", sa.Integer, nullable=False),
    sa.Column("upvotes", sa.Integer),
    sa.Column("comments", sa.Integer, nullable=False),
    sa.Column("thumbnail", sa.Text),
    sa.Column("organization", sa.JSON(none_as_null=True)),
    sa.Column("github_repo", sa.Text),
    sa.Column("project_page", sa.Text),
    sa.Column("ai_keywords", sa.JSON, nullable=False),
    sa.Column("revised_at", _Seconds),
)

PAPER = [papers.c[name] for name in Paper.__dataclass_fields__]  # the columns that make a `Paper`, in its order

# The rising steps of each paper's highest counts.
ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("measure", sa.Text, primary_key=True),
    sa.Column("paper", _Seconds, sa.ForeignKey("papers.listed_at"), primary_key=True),
    sa.Column("value", sa.Integer, primary_key=True),
    sa.Column("reached_at", _Seconds, nullable=False),
    sqlite_with_rowid=False,
)

# Every wording a paper ever had, by when it was first seen; the search index has it under that date.
texts = sa.Table(
    "texts",
    metadata,
    _date_key("since"),
    sa.Column("paper", _Seconds, sa.ForeignKey("papers.listed_at"), nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.UniqueConstraint("paper", "digest"),
)

dates = sa.Table("dates", metadata, _date_key("date"))

listing_days = sa.Table(
    "listing_days",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("asked_at", _Seconds),
    sa.Column("good_at", _Seconds),
    sa.Column("papers", sa.Integer, nullable=False, server_default="0"),
    sa.Column("validator", sa.Text),
)

# One row. `lag` is the longest a paper took from its listing to a later step or wording.
state = sa.Table(
    "state",
    metadata,
    sa.Column("only", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("revision", _Seconds, nullable=False),
    sa.Column("first_refreshed_at", _Seconds),
    sa.Column("refreshed_at", _Seconds),
    sa.Column("newest", _Seconds),
    sa.Column("lag", _Seconds, nullable=False),
    sa.Column("backdated_at", _Seconds),
)

# One row: who refreshes until when, and what became of the last tries. `token` grows with every lease.
lease = sa.Table(
    "lease",
    metadata,
    sa.Column("only", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("holder", sa.Text),
    sa.Column("token", _Seconds, nullable=False),
    sa.Column("until", _Seconds, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("retry_at", _Seconds),
    sa.Column("error", sa.Text),
    sa.Column("failed_at", _Seconds),
)

# The words are normalised before they get here: `ascii` parts them at spaces and leaves the rest alone.
# Without an index of prefixes, `w*` would read every word there is.
search = sa.table("search", sa.column("rowid", sa.Integer), *map(sa.column, FIELDS))
_CREATE_SEARCH = (
    f"CREATE VIRTUAL TABLE IF NOT EXISTS search USING fts5({', '.join(FIELDS)}, "
    "content='', tokenize='ascii', prefix='1 2 3')"
)


def path_of(archive: str) -> Path:
    """Return the path in `archive`, a path or `sqlite:///PATH`; raises ArchiveError where there is none."""
    path = archive.removeprefix("sqlite:///")
    if "://" in path or path in ("", ":memory:"):
        raise ArchiveError("the archive is to be a file: a path, or sqlite:///PATH")
    return Path(path)


def open_engine(path: Path, patience: float) -> sa.Engine:
    """Return an engine for the archive at `path`, creating what is missing; it waits `patience` seconds for a writer.

    Raises ArchiveError if it cannot be opened, is no archive, or was written by another version.
    """
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), connect_args={"timeout": patience})
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        _create(engine)
    except (sa.exc.SQLAlchemyError, OSError) as error:
        engine.dispose()
        raise ArchiveError(f"cannot open the archive {path}: {cause(error)}") from error
    except ArchiveError:
        engine.dispose()
        raise
    return engine


def open_frozen(path: Path) -> sa.Engine | None:
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


def cause(error: Exception) -> str:
    """Return what the database itself said."""
    return str(getattr(error, "orig", None) or error)


def _configure(connection: Any, _: object) -> None:
    """Leave transactions to SQLAlchemy."""
    connection.isolation_level = None
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _create(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        schema = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        strange = not schema and sa.inspect(connection).get_table_names()
    if schema not in (0, SCHEMA):
        age = "a newer" if schema > SCHEMA else "an older"
        raise ArchiveError(f"{engine.url.database} was written by {age} feedproxy, and this one cannot read it")
    if strange:
        raise ArchiveError(f"{engine.url.database} is a database of something else")
    if schema == SCHEMA:
        return
    with closing(engine.raw_connection()) as raw:  # so that readers and the writer need not wait for each other
        raw.cursor().execute("PRAGMA journal_mode=WAL")
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        metadata.create_all(connection)
        connection.exec_driver_sql(_CREATE_SEARCH)
        connection.exec_driver_sql("INSERT OR IGNORE INTO state (only, revision, lag) VALUES (1, 0, 0)")
        connection.exec_driver_sql("INSERT OR IGNORE INTO lease (only, token, until, failures) VALUES (1, 0, 0, 0)")
        connection.exec_driver_sql(f"PRAGMA user_version={SCHEMA}")
