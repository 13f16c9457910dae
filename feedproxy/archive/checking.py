"""An archive in; what holds of it and what does not, out. Repairs the search index, and nothing else.

What only one database can say of itself it is asked through `Database.faults` and `Database.index_fits`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from feedproxy.archive import tables
from feedproxy.archive.database import Database
from feedproxy.archive.store import digest_of, paper_of, revision_after, wording
from feedproxy.filters import FIELDS

_INDEX = "the search index holds the words of every wording"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is to hold of an archive, and what is wrong with it, if anything."""

    about: str
    wrong: str = ""

    @property
    def reparable(self) -> bool:
        """Whether `repair` puts it right."""
        return self.about == _INDEX


def findings(database: Database) -> Iterator[Finding]:
    """Yield all that is to hold, the quickest first; raises ArchiveError where the archive cannot even be read."""
    with database.transaction() as db:
        yield Finding("the database is sound", "; ".join(database.faults(db)))
        for about, wrong in _INVARIANTS.items():
            yield _counted(about, db.execute(wrong).scalar_one())
        yield from _wordings(db)
    yield Finding(_INDEX, "" if database.index_fits() else "it does not; --repair makes it again")


def _counted(about: str, wrong: int) -> Finding:
    return Finding(about, f"not so in {wrong} {'case' if wrong == 1 else 'cases'}" if wrong else "")


# What SQL can say: how often something is not as it should be ---------------------------------------

_papers, _texts, _ledger, _dates, _state = (
    table.c for table in (tables.papers, tables.texts, tables.ledger, tables.dates, tables.state)
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


def _slow() -> sa.Select[int]:
    """Select what took longer after its listing than the archive says anything took."""
    taken = sa.union_all(
        sa.select((_ledger.reached_at - _ledger.paper).label("taken")), sa.select(_texts.since - _texts.paper)
    ).subquery()
    return sa.select(taken.c.taken).where(taken.c.taken > sa.select(_state.lag).scalar_subquery())


def _not_newest() -> sa.Select[int]:
    newest = sa.select(sa.func.max(_dates.date)).scalar_subquery()
    return sa.select(_state.only).where(_state.newest.is_distinct_from(newest))


_INVARIANTS = {
    "every paper is worded since it was listed": _count(_unworded()),
    "every ledger rises": _count(_fallen()),
    "every date in use was handed out": _count(_unknown_dates()),
    "the newest date is the newest handed out": _count(_not_newest()),
    "no step or wording came later than the longest lag": _count(_slow()),
}


# What only the words themselves say ----------------------------------------------------------------


def _wordings(db: sa.Connection) -> Iterator[Finding]:
    kept: set[tuple[int, str]] = set()
    damaged = 0
    for row in _read(db, sa.select(_texts.paper, _texts.digest, *(_texts[name] for name in FIELDS))):
        kept.add((row.paper, row.digest))
        damaged += row.digest != digest_of(row[2:])
    yield _counted("the words of every wording are whole", damaged)
    papers = _read(db, sa.select(*tables.PAPER, _papers.listed_at))
    strange = sum((row.listed_at, digest_of(wording(paper_of(row)).values())) not in kept for row in papers)
    yield _counted("the present wording of every paper is kept", strange)


def _read(db: sa.Connection, rows: sa.Select[Any]) -> sa.Result[Any]:
    return db.execute(rows, execution_options={"yield_per": 1000})


# Repair -------------------------------------------------------------------------------------------


def repair(database: Database, now: datetime) -> None:
    """Make the search index again, out of the words that are kept of every wording.

    Feeds may then show what they did not, so the revision moves.
    """
    with database.transaction(writing=True) as db:
        database.rebuild_index(db)
        before = db.execute(sa.select(_state.revision).with_for_update()).scalar_one()
        db.execute(sa.update(tables.state).values(revision=revision_after(before, now)))
