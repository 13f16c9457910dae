"""The tables of the archive, the same in every database.

Times are integer epoch seconds, UTC. Each date in a feed belongs to one row only, so `papers.listed_at` and
`wordings.since` are keys, and rows lie in listing order.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from feedproxy.model import Paper
from feedproxy.query.terms import RULES

FIRST = 6  # the schema of the first release
SCHEMA = 8  # `migrations` leads here from older ones
metadata = sa.MetaData()
LATE = 32 * 86_400  # seconds; we read listings again for 30 days, so nearly everything comes sooner
LATEST = 253_402_300_799  # seconds: the end of the year 9999, Python's last
SECONDS = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_BIG = SECONDS.copy()  # as large, but no time


class _Day(sa.TypeDecorator[Any]):
    """A date, or the stored value if that is not a date."""

    impl = sa.Date
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """Return a function that makes a date of a stored value."""
        decode = super().result_processor(dialect, coltype)

        def read(value: Any) -> Any:
            try:
                return decode(value) if decode else value
            except (TypeError, ValueError):
                return value

        return read


def _date_key(name: str) -> sa.Column[int]:
    return sa.Column(name, SECONDS, primary_key=True, autoincrement=False)


# `wording` is the key of the current one, `listing_day` the beginning of the day on whose listing the paper came. The
# first `ai_summary` stays; it came at `ai_summary_at`.
papers = sa.Table(
    "papers",
    metadata,
    _date_key("listed_at"),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("wording", SECONDS, nullable=False),
    sa.Column("submitted_at", SECONDS, nullable=False),
    sa.Column("listing_day", SECONDS, nullable=False),
    sa.Column("published_at", SECONDS),
    sa.Column("author_count", sa.Integer, nullable=False),
    sa.Column("upvotes", sa.Integer),
    sa.Column("comments", sa.Integer, nullable=False),
    sa.Column("thumbnail", sa.Text),
    sa.Column("github_repo", sa.Text),
    sa.Column("project_page", sa.Text),
    sa.Column("ai_keywords", sa.JSON, nullable=False),
    sa.Column("ai_summary", sa.Text),
    sa.Column("ai_summary_at", SECONDS),
    sa.Column("github_stars", sa.Integer),
    sa.Column("media", sa.JSON, nullable=False),
    sa.Column("revised_at", SECONDS),
)


# Every wording that a paper ever had, by its date; the search index contains their words. `has` is `Paper.has`, the
# names with spaces between them: a paper whose first link to code comes later has a new wording then.
wordings = sa.Table(
    "wordings",
    metadata,
    _date_key("since"),
    sa.Column("paper", SECONDS, sa.ForeignKey("papers.listed_at"), nullable=False, index=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("authors", sa.JSON, nullable=False),
    sa.Column("organization", sa.JSON(none_as_null=True)),
    sa.Column("has", sa.Text, nullable=False),
)
WORDING = ("title", "summary", "authors", "organization")

# The columns of a `Paper`, in its order, and their tables.
PAPER = [(wordings if name in WORDING else papers).c[name] for name in Paper.__dataclass_fields__]
WORDED = papers.outerjoin(wordings, wordings.c.since == papers.c.wording)
_BESIDE = [papers.c[name] for name in ("listed_at", "wording", "listing_day", "revised_at", "ai_summary_at")]
PAPERS: sa.Select[Any] = sa.select(*PAPER, *_BESIDE, wordings.c.has).select_from(WORDED)

# The rising steps of each paper's highest counts.
ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("measure", sa.Text, primary_key=True),
    sa.Column("paper", SECONDS, sa.ForeignKey("papers.listed_at"), primary_key=True),
    sa.Column("value", sa.Integer, primary_key=True),
    sa.Column("reached_at", SECONDS, nullable=False),
    sqlite_with_rowid=False,
)


def is_late(date: sa.ColumnElement[int], paper: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """Say that a row came long after the listing of its paper; two indexes have this condition."""
    return date - paper > sa.literal_column(str(LATE))


# `postgres` adds the same condition for its database, as SQLAlchemy imports a dialect to check its options.
LATE_INDEXES = [
    sa.Index(name, date, paper, sqlite_where=is_late(date, paper))
    for name, date, paper in (
        ("late_steps", ledger.c.reached_at, ledger.c.paper),
        ("late_wordings", wordings.c.since, wordings.c.paper),
    )
]

dates = sa.Table("dates", metadata, _date_key("date"))

listing_days = sa.Table(
    "listing_days",
    metadata,
    sa.Column("day", _Day, primary_key=True),
    sa.Column("asked_at", SECONDS),
    sa.Column("good_at", SECONDS),
    sa.Column("papers", sa.Integer, nullable=False, server_default="0"),
    sa.Column("validator", sa.Text),
)

# The saved listings that were read (`SavedFile`), so that a file is read again only after a change.
files = sa.Table(
    "files",
    metadata,
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("stamp", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("day", _Day, nullable=False),
    sa.Column("papers", sa.JSON, nullable=False),
)

# The closed periods of each kind in `periods`, with the times when they begin and end. A digest shows what the archive
# knew at `closed_at`, its newest date then, and enters its feed at `entered_at`, which no other of its kind has.
# `revision` is that of the archive since the row was written.
closings = sa.Table(
    "closings",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("start", SECONDS, primary_key=True, autoincrement=False),
    sa.Column("until", SECONDS, nullable=False),
    sa.Column("closed_at", SECONDS, nullable=False),
    sa.Column("entered_at", SECONDS, nullable=False),
    sa.Column("revision", _BIG, nullable=False),
    sqlite_with_rowid=False,
)

# One row. `rules` is the version of the search index's rules for words, `closed_at` the newest date when a
# period was last closed.
state = sa.Table(
    "state",
    metadata,
    sa.Column("only", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("revision", _BIG, nullable=False),
    sa.Column("first_refreshed_at", SECONDS),
    sa.Column("refreshed_at", SECONDS),
    sa.Column("newest", SECONDS),
    sa.Column("backdated_at", SECONDS),
    sa.Column("closed_at", SECONDS),
    sa.Column("rules", sa.Integer, nullable=False),
)

# One row: who refreshes, until when, and how the last tries went. `token` grows with every lease.
lease = sa.Table(
    "lease",
    metadata,
    sa.Column("only", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("holder", sa.Text),
    sa.Column("token", _BIG, nullable=False),
    sa.Column("until", SECONDS, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("retry_at", SECONDS),
    sa.Column("error", sa.Text),
    sa.Column("failed_at", SECONDS),
)

# One row: the first free turn to ask the source; epoch seconds with a fraction.
turns = sa.Table("turns", metadata, sa.Column("next_at", sa.Float, nullable=False))

SINGLE: dict[sa.Table, dict[str, int]] = {  # tables with one row, and its first values
    state: {"only": 1, "revision": 0, "rules": RULES},
    lease: {"only": 1, "token": 0, "until": 0, "failures": 0},
    turns: {"next_at": 0},
}
GROWING = (dates, papers, ledger, wordings)  # tables with many rows; each refers only to those before it

# The search index, whose other columns are the database's own.
search = sa.table("search", sa.column("rowid", sa.BigInteger))


def fill_single(db: sa.Connection) -> None:
    """Insert the missing rows of the tables with one row."""
    for table, row in SINGLE.items():
        if not db.execute(sa.select(table)).first():
            db.execute(sa.insert(table).values(row))
