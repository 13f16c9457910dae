"""Checks, repairs and copies archives; `files` has the parts that are about SQLite's files."""

from collections.abc import Callable, Generator, Iterator, Set
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa

from feedproxy.archive import files, schema
from feedproxy.archive.backend import Database
from feedproxy.archive.rows import LARGEST, demand_readable, moment, name_of, readable_part, seconds, unreadable_column
from feedproxy.archive.search import DAY, conditions, parameters, select_count, window_from
from feedproxy.archive.sqlite import SQLite
from feedproxy.archive.writer import revision_after
from feedproxy.errors import ArchiveError, DeadlineError
from feedproxy.model import COUNTS
from feedproxy.query.grammar import parse_filter
from feedproxy.query.parameters import Query
from feedproxy.text import first_ten, plural

PIECE = 1000  # rows
_NEWEST = 2_000  # papers, more than feeds of 90 days show
_ANY = Query(q=parse_filter("-a"))  # finds nearly everything
_AS_STORED = sa.types.NullType()  # SQLAlchemy cannot convert a junk key to a date
_papers, _wordings, _ledger, _dates, _closings = (
    table.c for table in (schema.papers, schema.wordings, schema.ledger, schema.dates, schema.closings)
)

# Check --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition of a sound archive, and what is wrong, if anything."""

    about: str
    wrong: str = ""


def findings(database: Database) -> Iterator[Finding]:
    """Yield a finding for each check, the quickest first; raises ArchiveError if there is no archive to open.

    A check that fails with an error is a finding too, and the others go on.
    """
    with database.transaction():
        pass
    for about, find_wrong in _CHECKS.items():
        try:
            yield Finding(about, find_wrong(database))
        except ArchiveError as error:
            yield Finding(about, str(error))


def _integrity_errors(database: Database) -> str:
    with database.transaction() as db:
        return "; ".join(database.integrity_errors(db))


def _unreadable(database: Database) -> str:
    with database.transaction() as db:
        papers = list(_unreadable_papers(db))
        current = {row["wording"] for row, _ in papers}
        names = [name_of(schema.papers, row, column) for row, column in papers]
        for table in schema.metadata.sorted_tables:
            for row in _rows(db, sa.select(table)) if table is not schema.papers else ():
                column = unreadable_column(table, row)
                if column and not (table is schema.wordings and row["since"] in current):
                    names.append(name_of(table, row, column))
        names += [
            f"{table.name} without its row" for table in schema.SINGLE if not db.execute(sa.select(table)).first()
        ]
    return f"not so in {plural(len(names), 'case')}: {first_ten(names)}" if names else ""


def _unreadable_papers(db: sa.Connection) -> Iterator[tuple[sa.RowMapping, str]]:
    """Yield the papers with an unreadable column, also of the current wording, and that column."""
    for row in _rows(db, schema.PAPERS):
        if column := unreadable_column(schema.WORDED, row):
            yield row, column


def _rows(db: sa.Connection, rows: sa.Select[Any]) -> sa.MappingResult:
    return db.execute(rows, execution_options={"yield_per": PIECE}).mappings()


def _lost_steps(measure: str) -> sa.Select[Any]:
    """Select each paper with a count above all its steps: the paper, its count, and the top step."""
    # Without upvotes, comments count instead (`Paper.effective_upvotes`).
    value = _papers.comments if measure == "comments" else sa.func.coalesce(_papers.upvotes, _papers.comments)
    top = sa.select(sa.func.max(_ledger.value)).where(_ledger.paper == _papers.listed_at, _ledger.measure == measure)
    columns = _papers.listed_at.label("paper"), value.label("count"), top.scalar_subquery().label("top")
    row = sa.select(*columns).where(value.between(1, LARGEST)).subquery()
    return sa.select(row).where(row.c.count > sa.func.coalesce(row.c.top, 0))


def _votes_without_steps(database: Database) -> str:
    with database.transaction() as db:
        rows = [row for measure in COUNTS for row in db.execute(_lost_steps(measure))]
    return f"not so of {plural(len({row.paper for row in rows}), 'paper')}" if rows else ""


_CHECKS: dict[str, Callable[[Database], str]] = {
    "the database is sound": _integrity_errors,
    "every row can be read": _unreadable,
    "the votes of every paper have their dates": _votes_without_steps,
    "the search index holds the words of every wording": lambda database: (
        "" if database.index_is_consistent() else "it does not"
    ),
}


def problems(database: Database) -> Iterator[str]:
    """Yield, in public words, the problems with the newest papers and with searching."""
    newest = schema.PAPERS.order_by(_papers.listed_at.desc()).limit(_NEWEST)
    try:
        with database.transaction() as db:
            bad = sum(bool(unreadable_column(schema.WORDED, row)) for row in db.execute(newest).mappings())
        if bad:
            yield f"{plural(bad, 'paper')} cannot be read: feedproxy archive check"
    except DeadlineError:
        return
    except ArchiveError:
        yield "papers cannot be read: feedproxy archive check --repair"
    try:
        with database.transaction() as db:
            db.execute(
                select_count(conditions(_ANY), late=False), database.bind(parameters(_ANY)) | window_from(0)
            ).scalar_one()
    except DeadlineError:  # a slow machine is no damage
        return
    except ArchiveError:
        yield "searching fails: feedproxy archive check --repair"


def contents(database: Database) -> str:
    """Return how many papers there are and the day of the newest, in words."""
    newest = sa.func.max(_papers.listed_at).filter(_papers.listed_at <= schema.LATEST)
    try:
        with database.transaction() as db:
            number, listed_at = db.execute(sa.select(sa.func.count(), newest).select_from(schema.papers)).one()
    except ArchiveError:
        return "papers that cannot be counted"
    return f"{number:,} paper{'s' * (number != 1)}" + (f" up to {moment(listed_at).date()}" if listed_at else "")


def paper_ids(database: Database) -> list[str]:
    """Return the ids of all papers."""
    with database.transaction() as db:
        return list(map(str, db.scalars(sa.select(_papers.id))))


# Repair -------------------------------------------------------------------------------------------


def repair(database: Database, now: datetime) -> str:
    """Rebuild the search index, the state and, in SQLite, the file itself.

    Feeds may change, so the revision moves. Return the path of a copy of the damaged archive, if there is one.
    """
    complete = partial(_complete, now=now)
    if isinstance(database, SQLite):
        return files.rebuild(database, complete)
    with database.transaction(writing=True) as db:
        complete(db)
        database.reindex(db)
    return ""


def _complete(db: sa.Connection, now: datetime) -> None:
    """Drop unreadable rows and fill in missing ones, before the search index.

    Papers stay, with their current wording: a refresh or a backfill reads their days again and mends them.
    """
    schema.metadata.create_all(db)  # only the missing tables
    for table in schema.metadata.sorted_tables:
        if table not in (schema.papers, schema.state):
            _drop_unreadable(db, table)
    _drop_future(db, now)
    _restore_steps(db)
    _forget_days(db)
    columns = (_papers.listed_at, _papers.revised_at, _wordings.since, _ledger.reached_at)
    date = sa.union(*map(sa.select, columns)).subquery().c.listed_at
    missing = sa.select(date).where(date.between(0, schema.LATEST), date.not_in(sa.select(_dates.date)))
    db.execute(sa.insert(schema.dates).from_select(["date"], missing))
    _restate(db, now)
    schema.fill_single(db)


def _drop_unreadable(db: sa.Connection, table: sa.Table) -> None:
    current = set(db.scalars(sa.select(_papers.wording))) if table is schema.wordings else ()
    for row in _rows(db, sa.select(table)).all():
        if unreadable_column(table, row) and not (current and row["since"] in current):
            key = table.primary_key or table.columns
            db.execute(sa.delete(table).where(*(_holds(column, row[column.name]) for column in key)))


def _drop_future(db: sa.Connection, now: datetime) -> None:
    """Drop dates that no refresh has given: those after both `now` and the newest in the state.

    Feeds count their days from the newest date, so such a date would leave them empty for good.
    """
    newest = db.scalar(sa.select(schema.state.c.newest))
    if type(newest) is not int:
        return
    last = max(newest, seconds(now) + DAY)
    for table, *dates in (
        (schema.ledger, _ledger.reached_at, _ledger.paper),
        (schema.wordings, _wordings.since, _wordings.paper),
        (schema.papers, _papers.listed_at),
        (schema.dates, _dates.date),
        (schema.closings, _closings.closed_at, _closings.entered_at),
    ):
        db.execute(sa.delete(table).where(sa.or_(*(date > last for date in dates))))
    is_future = _papers.revised_at.between(last + 1, schema.LATEST)
    db.execute(sa.update(schema.papers).where(is_future).values(revised_at=None))
    is_future = _papers.ai_summary_at.between(last + 1, schema.LATEST)
    db.execute(sa.update(schema.papers).where(is_future).values(ai_summary_at=_papers.listed_at))


def _restore_steps(db: sa.Connection) -> None:
    """Raise the ledger to the count of every paper, at its last step, or at its listing if it has none."""
    for measure in COUNTS:
        for paper, count, top in db.execute(_lost_steps(measure)).all():
            step = {"measure": measure, "paper": paper, "value": count}
            if top:
                last = sa.and_(_ledger.measure == measure, _ledger.paper == paper, _ledger.value == top)
                db.execute(sa.update(schema.ledger).where(last).values(step))
            else:
                db.execute(sa.insert(schema.ledger).values(step | {"reached_at": paper}))


def _forget_days(db: sa.Connection) -> None:
    """Let a refresh read the days of unreadable papers again."""
    days = {moment(row["listed_at"]).date() for row, _ in _unreadable_papers(db)}
    for day in days:
        db.execute(sa.update(schema.listing_days).where(schema.listing_days.c.day == day).values(good_at=None))


def _holds(column: sa.Column[Any], value: Any) -> sa.ColumnElement[bool]:
    """Say that `column` holds `value` of any type; bytes may be text that is not UTF-8."""
    raw = sa.type_coerce(column, _AS_STORED)
    return sa.or_(raw == value, raw == sa.cast(value, sa.Text)) if isinstance(value, bytes) else raw == value


def _restate(db: sa.Connection, now: datetime) -> None:
    """Write the state again, from its readable part and from the other tables."""
    row = db.execute(sa.select(schema.state)).mappings().first()
    readable = readable_part(schema.state, row) if row else {}
    newest = db.scalar(sa.select(sa.func.max(_dates.date)).where(_dates.date <= schema.LATEST))
    values = schema.SINGLE[schema.state] | {"first_refreshed_at": newest, "refreshed_at": newest} | readable
    closed_at = db.scalar(sa.select(sa.func.max(_closings.closed_at)))
    revision = revision_after(readable.get("revision", 0), now)
    values |= {"newest": newest, "closed_at": closed_at, "revision": revision}
    db.execute(sa.delete(schema.state))
    db.execute(sa.insert(schema.state).values(values))


# Copy ---------------------------------------------------------------------------------------------

Progress = Callable[[str, int, int], None]  # the stage, its finished rows, all its rows


def copy(source: Database, target: Database, progress: Progress) -> tuple[int, list[str]]:
    """Copy a snapshot of the archive `source` into the empty `target`; raises ArchiveError.

    One transaction: if it is interrupted, nothing is left. Leaves out unreadable rows, and all rows of unreadable
    papers. Return the number of rows, and the names of the unreadable ones.
    """
    with source.transaction() as read, target.transaction(writing=True) as db:
        target.is_ready(db)  # still
        schema.metadata.create_all(db)
        with source.errors_as("read"):
            demand_readable(schema.state, read.execute(sa.select(schema.state)).one())
            unreadable = {row["listed_at"]: name_of(schema.papers, row, at) for row, at in _unreadable_papers(read)}
            keys = set(read.scalars(sa.select(_papers.listed_at)))
        rows, left_out = 0, list(unreadable.values())
        for table in (*schema.GROWING, schema.listing_days, schema.files, schema.closings, schema.state):
            number, length = 0, _number(read, table)
            with closing(_pieces(source, read, table, keys, unreadable.keys(), left_out)) as pieces:
                for piece in pieces:
                    target.bulk_insert(db, table, piece)
                    number += len(piece)
                    progress(f"copying {table.name}", number, length)
            if number != _number(db, table):
                raise ArchiveError(f"{target.label} took {_number(db, table)} of {number} rows of {table.name}")
            rows += number
        schema.fill_single(db)
        progress("making the search index", 0, 1)
        target.reindex(db)
        target.set_schema_version(db, schema.SCHEMA)
    return rows, left_out


def _pieces(
    source: Database, db: sa.Connection, table: sa.Table, keys: Set[int], unreadable: Set[int], left_out: list[str]
) -> Generator[list[dict[str, Any]]]:
    """Yield the readable rows of `table`, but not those of `unreadable` papers; add unreadable ones to `left_out`.

    Leaves out rows of papers that are not among `keys` too: the target would refuse them.
    """
    with source.errors_as("read"), closing(_rows(db, sa.select(table))) as rows:
        for piece in rows.partitions():
            readable = []
            for row in piece:
                if row.get("paper", row.get("listed_at")) in unreadable:
                    continue
                is_lost = "paper" in row and row["paper"] not in keys
                if column := unreadable_column(table, row) or ("paper" if is_lost else None):
                    left_out.append(name_of(table, row, column))
                else:
                    readable.append({column.name: row[column.name] for column in table.columns})
            if readable:
                yield readable


def _number(db: sa.Connection, table: sa.Table) -> int:
    return db.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
