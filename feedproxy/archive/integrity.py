"""An archive in; what holds of it and what does not, out. Repairs what follows from the rest of it.

What only one database can say of itself it is asked through `Database.integrity_errors`,
`Database.index_is_consistent` and `Database.rebuild`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa

from feedproxy.archive import schema
from feedproxy.archive.backend import Database
from feedproxy.archive.rows import name_of, paper_of, readable_part, unreadable_column
from feedproxy.archive.search import select_count, spanning
from feedproxy.archive.writer import digest_of, revision_after, wording
from feedproxy.errors import ArchiveError, DeadlineError
from feedproxy.query.grammar import FIELDS, parse_filter
from feedproxy.query.parameters import Query
from feedproxy.text import plural

_SHOWN = 10  # rows that are named
_NEWEST = 2_000  # papers, which is more than feeds show unless they are asked for more than 90 days
_ANY = Query(q=parse_filter("-a"))  # finds nearly everything
_AS_STORED = sa.types.NullType()  # a junk key is no date to SQLAlchemy either


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is to hold of an archive, and what is wrong with it, if anything."""

    about: str
    wrong: str = ""


def findings(database: Database) -> Iterator[Finding]:
    """Yield all that is to hold, the quickest first; raises ArchiveError where there is no archive to open.

    Each is looked at by itself: one that cannot be is a finding, and the others go on.
    """
    with database.transaction():
        pass
    for about, find_wrong in _CHECKS.items():
        try:
            yield Finding(about, find_wrong(database))
        except ArchiveError as error:
            yield Finding(about, str(error))


def problems(database: Database) -> Iterator[str]:
    """Yield in words fit for anybody what a look at the newest papers and one search show to be wrong."""
    newest = sa.select(schema.papers).order_by(_papers.listed_at.desc()).limit(_NEWEST)
    try:
        with database.transaction() as db:
            bad = sum(bool(unreadable_column(schema.papers, row._mapping)) for row in db.execute(newest))
        if bad:
            yield f"{plural(bad, 'paper')} cannot be read: feedproxy archive check"
    except DeadlineError:
        return
    except ArchiveError:
        yield "papers cannot be read: feedproxy archive check --repair"
    try:
        with database.transaction() as db:
            db.execute(select_count(_ANY), database.bind(spanning(_ANY, 0, 0))).scalar_one()
    except DeadlineError:  # on a slow machine, which is no damage
        return
    except ArchiveError:
        yield "searching fails: feedproxy archive check --repair"


def _cases(number: int) -> str:
    return f"not so in {plural(number, 'case')}" if number else ""


def _faults(database: Database) -> str:
    with database.transaction() as db:
        return "; ".join(database.integrity_errors(db))


# What can be read ------------------------------------------------------------------------------------


def _unreadable(database: Database) -> str:
    """Say which rows cannot be read, and the first column of each that cannot."""
    with database.transaction() as db:
        bad = [
            name_of(table, row._mapping, column)
            for table in schema.metadata.sorted_tables
            for row in _read(db, sa.select(table))
            if (column := unreadable_column(table, row._mapping))
        ]
        bad += [f"{table.name} without its row" for table in schema.SINGLE if not db.execute(sa.select(table)).first()]
    return f"{_cases(len(bad))}: {shortened(bad)}" if bad else ""


def shortened(names: Sequence[str]) -> str:
    """Return the first of `names`, and how many there are beside them."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


# What SQL can say: how often something is not as it should be ---------------------------------------

_papers, _texts, _ledger, _dates, _state = (
    table.c for table in (schema.papers, schema.texts, schema.ledger, schema.dates, schema.state)
)


def _count(selected: sa.Select[int]) -> sa.Select[int]:
    return sa.select(sa.func.count()).select_from(selected.subquery())


def _unworded() -> sa.Select[int]:
    first = sa.exists().where(_texts.since == _papers.listed_at, _texts.paper == _papers.listed_at)
    return sa.select(_papers.listed_at).where(~first)


def _fallen() -> sa.Select[int]:
    """Select the steps that were not reached after the one below, or before the paper was listed."""
    before = sa.func.lag(_ledger.reached_at)
    before_it = before.over(partition_by=(_ledger.measure, _ledger.paper), order_by=_ledger.value)
    below = sa.func.coalesce(before_it, _ledger.paper - 1)
    steps = sa.select(_ledger.reached_at, below.label("below")).subquery().c
    return sa.select(steps.reached_at).where(steps.reached_at <= steps.below)


def _used() -> sa.CompoundSelect[int]:
    return sa.union(*map(sa.select, (_papers.listed_at, _papers.revised_at, _texts.since, _ledger.reached_at)))


def _unknown_dates() -> sa.Select[int]:
    used = _used().subquery().c
    return sa.select(used.listed_at).where(used.listed_at.not_in(sa.select(_dates.date)))


def _taken() -> sa.CompoundSelect[int]:
    """Select how long after its listing everything came."""
    later = (_ledger.reached_at - _ledger.paper).label("taken")
    return sa.union_all(sa.select(later), sa.select(_texts.since - _texts.paper))


def _slow() -> sa.Select[int]:
    """Select what took longer after its listing than the archive says anything took."""
    taken = _taken().subquery()
    return sa.select(taken.c.taken).where(taken.c.taken > sa.select(_state.lag).scalar_subquery())


def _not_newest() -> sa.Select[int]:
    newest = sa.select(sa.func.max(_dates.date)).scalar_subquery()
    return sa.select(_state.only).where(_state.newest.is_distinct_from(newest))


def _number(counted: sa.Select[int], database: Database) -> str:
    with database.transaction() as db:
        return _cases(db.execute(counted).scalar_one())


_INVARIANTS = {
    "every paper is worded since it was listed": _count(_unworded()),
    "every ledger rises": _count(_fallen()),
    "every date in use was handed out": _count(_unknown_dates()),
    "the newest date is the newest handed out": _count(_not_newest()),
    "no step or wording came later than the longest lag": _count(_slow()),
}


# What only the words themselves say ----------------------------------------------------------------


def _altered(database: Database) -> str:
    with database.transaction() as db:
        rows = _read(db, sa.select(_texts.digest, *(_texts[name] for name in FIELDS)))
        return _cases(sum(row.digest != _digest(row[1:]) for row in rows))


def _digest(words: Iterable[Any]) -> str:
    return digest_of(word if isinstance(word, str) else "" for word in words)


def _unkept(database: Database) -> str:
    with database.transaction() as db:
        kept = set(map(tuple, _read(db, sa.select(_texts.paper, _texts.digest))))
        rows = _read(db, sa.select(*schema.PAPER, _papers.listed_at))
        return _cases(
            sum(words is not None and (key, digest_of(words.values())) not in kept for key, words in map(_worded, rows))
        )


def _worded(row: sa.Row[Any]) -> tuple[int, dict[str, str] | None]:
    """Return the key of a paper and its words, if it can be read."""
    try:
        return row.listed_at, wording(paper_of(row))
    except schema.Unreadable:
        return row.listed_at, None


def _read(db: sa.Connection, rows: sa.Select[Any]) -> sa.Result[Any]:
    return db.execute(rows, execution_options={"yield_per": 1000})


_CHECKS: dict[str, Callable[[Database], str]] = {
    "the database is sound": _faults,
    "every row can be read": _unreadable,
    **{about: partial(_number, counted) for about, counted in _INVARIANTS.items()},
    "the words of every wording are whole": _altered,
    "the present wording of every paper is kept": _unkept,
    "the search index holds the words of every wording": lambda database: (
        "" if database.index_is_consistent() else "it does not"
    ),
}


# Repair -------------------------------------------------------------------------------------------


def repair(database: Database, now: datetime) -> str:
    """Make again what follows from the rest: the search index, the state, lost wordings; in SQLite the file itself.

    Feeds may then show what they did not, so the revision moves. Return where the archive is kept as it was, if it is.
    """
    return database.rebuild(partial(_complete, now=now))


def _complete(db: sa.Connection, now: datetime) -> None:
    """Leave out what cannot be read and fill in what is missing, before the search index is made.

    Papers stay: a refresh, or a backfill, mends them.
    """
    schema.metadata.create_all(db)  # what is lost of them
    for table in (schema.ledger, schema.texts, schema.dates, schema.listing_days, schema.lease, schema.turns):
        _drop_unreadable(db, table)
    _reword(db)
    used = sa.select(_used().subquery().c.listed_at.label("date")).subquery()
    lost = sa.select(used.c.date).where(
        used.c.date.between(0, schema.LATEST), used.c.date.not_in(sa.select(_dates.date))
    )
    db.execute(sa.insert(schema.dates).from_select(["date"], lost))
    _restate(db, now)
    schema.fill_single(db)


def _reword(db: sa.Connection) -> None:
    """Write the present wording of each paper that can be read where it is lost or altered."""
    held: dict[int, dict[int, tuple[str, bool]]] = {}  # by paper and date: the digest, and whether the words are its
    for row in _read(db, sa.select(_texts.paper, _texts.since, _texts.digest, *(_texts[name] for name in FIELDS))):
        held.setdefault(row.paper, {})[row.since] = row.digest, row.digest == _digest(row[3:])
    taken, lost = {since for dates in held.values() for since in dates}, list[dict[str, Any]]()
    for row in _read(db, sa.select(*schema.PAPER, _papers.listed_at, _papers.revised_at)):
        key, words = _worded(row)
        dates, digest = held.get(key, {}), words and digest_of(words.values())
        if words and (digest, True) not in dates.values():
            altered = [since for since, (kept, whole) in dates.items() if kept == digest or not whole]
            altered.sort(key=lambda since: dates[since][0] != digest)
            free = [at for at in (key, row.revised_at) if isinstance(at, int) and at not in taken]
            for since in [*altered, *free][:1]:
                taken.add(since)
                lost.append({"since": since, "paper": key, "digest": digest, **words})
    for text in lost:
        db.execute(sa.delete(schema.texts).where(_texts.since == text["since"]))
        db.execute(sa.insert(schema.texts).values(text))


def _drop_unreadable(db: sa.Connection, table: sa.Table) -> None:
    """Delete the rows of `table` that cannot be read."""
    for row in _read(db, sa.select(table)).mappings().all():
        if unreadable_column(table, row):
            key = table.primary_key or table.columns
            db.execute(sa.delete(table).where(*(_holds(column, row[column.name]) for column in key)))


def _holds(column: sa.Column[Any], value: Any) -> sa.ColumnElement[bool]:
    """Say that `column` holds `value`, of whatever type; bytes may be text that is no UTF-8."""
    stored = sa.type_coerce(column, _AS_STORED)
    return sa.or_(stored == value, stored == sa.cast(value, sa.Text)) if isinstance(value, bytes) else stored == value


def _restate(db: sa.Connection, now: datetime) -> None:
    """Write the state anew: what can be read of it, and what follows from the rest."""
    row = db.execute(sa.select(schema.state)).mappings().first()
    known = readable_part(schema.state, row) if row else {}
    newest = db.scalar(sa.select(sa.func.max(_dates.date)).where(_dates.date <= schema.LATEST))
    taken = _taken().subquery().c.taken
    lag = db.scalar(sa.select(sa.func.max(taken)).where(taken.between(0, schema.LATEST)))
    values = {"only": 1, "first_refreshed_at": newest, "refreshed_at": newest, "backdated_at": None} | known
    values |= {"newest": newest, "lag": lag or 0, "revision": revision_after(known.get("revision", 0), now)}
    db.execute(sa.delete(schema.state))
    db.execute(sa.insert(schema.state).values(values))
