"""What must hold of every archive after any history, as SQL: an oracle beside `feedproxy archive check`."""

import sqlalchemy as sa

from feedproxy.archive import schema
from feedproxy.archive.backend import Database

_papers, _wordings, _ledger, _dates, _state = (
    table.c for table in (schema.papers, schema.wordings, schema.ledger, schema.dates, schema.state)
)


def _since_listed() -> sa.Select[int]:
    first = sa.exists().where(_wordings.since == _papers.listed_at, _wordings.paper == _papers.listed_at)
    return sa.select(_papers.listed_at).where(~first)


def _present() -> sa.Select[int]:
    present = sa.exists().where(_wordings.since == _papers.wording, _wordings.paper == _papers.listed_at)
    return sa.select(_papers.listed_at).where(~present)


def _falling() -> sa.Select[int]:
    """Select the steps that were not reached after the one below, or before the paper was listed."""
    before = sa.func.lag(_ledger.reached_at)
    before_it = before.over(partition_by=(_ledger.measure, _ledger.paper), order_by=_ledger.value)
    below = sa.func.coalesce(before_it, _ledger.paper - 1)
    steps = sa.select(_ledger.reached_at, below.label("below")).subquery().c
    return sa.select(steps.reached_at).where(steps.reached_at <= steps.below)


def _unknown_dates() -> sa.Select[int]:
    used = sa.union(*map(sa.select, (_papers.listed_at, _papers.revised_at, _wordings.since, _ledger.reached_at)))
    date = used.subquery().c.listed_at
    return sa.select(date).where(date.not_in(sa.select(_dates.date)))


def _not_newest() -> sa.Select[int]:
    newest = sa.select(sa.func.max(_dates.date)).scalar_subquery()
    return sa.select(_state.only).where(_state.newest.is_distinct_from(newest))


_NEVER = {
    "a paper has no wording since it was listed": _since_listed(),
    "a paper's present wording is lost": _present(),
    "a ledger falls": _falling(),
    "a date in use was never handed out": _unknown_dates(),
    "the newest date is not the newest handed out": _not_newest(),
}


def violations(database: Database) -> list[str]:
    """Return what is wrong with an archive."""
    with database.transaction() as db:
        wrong = [about for about, rows in _NEVER.items() if db.execute(rows).first()]
        wrong += database.integrity_errors(db)
        texts = [str(row[1:]) for row in db.execute(sa.select(_wordings.since, *list(_wordings)[1:]))]
    wrong += ["a paper has the same wording twice"] * (len(texts) > len(set(texts)))
    return wrong + ["the index does not hold the words of every wording"] * (not database.index_is_consistent())
