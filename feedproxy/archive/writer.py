"""Sightings in, rows out: writes what one refresh saw, within the caller's transaction.

Decides nothing about dates beyond handing each out once; the rules are in `ledger`.
"""

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from feedproxy.archive import schema
from feedproxy.archive.backend import Database
from feedproxy.archive.dating import Observation, entry_date, first_free_second, revised, same_content
from feedproxy.archive.index import Document, document
from feedproxy.archive.rows import LARGEST, mended_paper, paper_of, readable_part, unreadable_column
from feedproxy.model import Paper

_CHUNK = 500
_APART = 1_000_000  # microseconds
_BLOCK = 256  # seconds whose dates are looked up at once

# Put together once: a refresh runs each many times.
_TAKEN = sa.select(schema.dates).where(schema.dates.c.date.between(sa.bindparam("first"), sa.bindparam("last")))
_WORDINGS = sa.select(schema.wordings).where(
    sa.or_(schema.wordings.c.paper == sa.bindparam("paper"), schema.wordings.c.since == sa.bindparam("wording"))
)
_BESIDE = (schema.papers.c.listed_at, schema.papers.c.wording, schema.papers.c.revised_at)
_CHANGE = sa.update(schema.papers).where(schema.papers.c.listed_at == sa.bindparam("key"))


@dataclass(frozen=True, slots=True)
class Written:
    """What a refresh changed: how many papers are new, revised, rising to a new count, or counted anew."""

    new: int = 0
    revised: int = 0
    rising: int = 0
    counted: int = 0

    def __bool__(self) -> bool:
        return bool(self.new or self.revised or self.rising or self.counted)


@dataclass(frozen=True, slots=True)
class _Known:
    """A paper as the archive holds it: its keys, itself, the top of its ledger, and whether a part cannot be read."""

    listed_at: int
    wording: int
    paper: Paper
    tops: dict[str, int]
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class _Change:
    """What a sighting changes: the paper as it is from now on, and whether its counts or its text do so for feeds."""

    seen: Observation
    held: _Known | None
    paper: Paper
    rising: bool
    revised: bool


def _change(held: _Known | None, seen: Observation) -> _Change | None:
    """Return what `seen` changes of the paper that is held, if anything."""
    if held is None:
        return _Change(seen, None, seen.paper, rising=True, revised=True)
    keeps = seen.backfilled and not held.damaged  # history revises nothing
    paper = held.paper if keeps else revised(held.paper, seen.paper)
    rising = any(value > held.tops[measure] for measure, value in seen.max_counts.items())
    anew = held.damaged or not same_content(held.paper, paper)
    return _Change(seen, held, paper, rising, anew) if rising or anew or paper != held.paper else None


class Writer:
    """Writes the sightings of one refresh at `now`; `previous` is the good one before it, epoch seconds.

    `newest` is the newest date handed out before, and after writing the newest there is.
    """

    def __init__(
        self, db: sa.Connection, database: Database, *, now: int, previous: int | None, newest: int | None
    ) -> None:
        self.db, self.database = db, database
        self.now, self.previous, self.newest = now, previous, newest
        self.backdated = False
        self._present = now
        self._next: dict[int, int] = {}
        self._taken: dict[int, set[int]] = {}
        self._changed: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
        self._rows: dict[sa.Table, list[dict[str, Any]]] = {}
        self._documents: list[Document] = []

    def write(self, seen: Sequence[Observation]) -> Written:
        """Write all that is new in `seen`, which comes in dating order."""
        known = self._known([sighting.paper.id for sighting in seen])
        changes = [change for sighting in seen if (change := _change(known.get(sighting.paper.id), sighting))]
        needed = sum(self._date(change) is None for change in changes if change.rising or change.revised)
        self._present = first_free_second(self.now, needed=needed, previous=self.previous, newest=self.newest)
        done: Counter[str] = Counter()
        for change in changes:
            done.update(self._update(change, change.held) if change.held else self._insert(change))
        self._flush()
        return Written(**done)

    def _flush(self) -> None:
        for rows in filter(None, self._changed.values()):
            self.db.execute(_CHANGE, rows)
        for table in schema.GROWING:
            if added := self._rows.get(table):
                self.db.execute(sa.insert(table), added)
        if self._documents:
            self.database.index(self.db, self._documents)

    def _insert(self, change: _Change) -> list[str]:
        date = self._allocate_date(change)
        self._add(schema.papers, listed_at=date, wording=date, **_columns(change.paper))
        self._append_step(date, {}, change.seen, date)
        self._add_wording(date, date, change.paper)
        return ["new"]

    def _update(self, change: _Change, held: _Known) -> list[str]:
        columns = _columns(change.paper)
        if change.rising or change.revised:
            date = self._allocate_date(change)
            self._append_step(held.listed_at, held.tops, change.seen, date)
        if change.revised:
            columns |= {"revised_at": date, "wording": self._reword(held, change.paper, date)}
        self._changed[change.revised].append(columns | {"key": held.listed_at})
        return [what for what in ("rising", "revised") if getattr(change, what)] or ["counted"]

    def _date(self, change: _Change) -> int | None:
        backfilled = change.seen.backfilled and change.held is None  # a date that was given never changes
        return entry_date(_listed(change.seen), now=self.now, previous=self.previous, backfilled=backfilled)

    def _allocate_date(self, change: _Change) -> int:
        """Return a date no other paper has: the rule's, or the next free second after it."""
        base = self._date(change) or self._present
        date = self._next.get(base, base)
        while date in (taken := self._taken_near(date)):
            date += 1
        taken.add(date)
        self._next[base] = date + 1
        self._add(schema.dates, date=date)
        self.backdated |= self.newest is not None and date < self.newest
        self.newest = max(self.newest or date, date)
        return date

    def _taken_near(self, date: int) -> set[int]:
        """Return the dates handed out in the block that `date` lies in."""
        block = date // _BLOCK
        if block not in self._taken:
            ends = {"first": block * _BLOCK, "last": (block + 1) * _BLOCK - 1}
            self._taken[block] = set(self.db.scalars(_TAKEN, ends))
        return self._taken[block]

    def _append_step(self, paper: int, tops: dict[str, int], seen: Observation, date: int) -> None:
        for measure, value in seen.max_counts.items():
            if value > tops.get(measure, 0):
                self._add(schema.ledger, paper=paper, measure=measure, value=value, reached_at=date)

    def _reword(self, held: _Known, paper: Paper, date: int) -> int:
        """Return the key of the wording of `paper`, writing it under `date` unless the paper had it before.

        One that cannot be read is taken for the same if all that can be read of it is; it is then written again, as is
        the present one where it is lost.
        """
        columns = _wording_columns(paper)
        rows = self.db.execute(_WORDINGS, {"paper": held.listed_at, "wording": held.wording}).mappings().all()
        for row in rows:
            readable = readable_part(schema.wordings, row)
            if all(readable.get(name, value) == value for name, value in columns.items()):
                if len(readable) < len(row):
                    self.db.execute(sa.delete(schema.wordings).where(schema.wordings.c.since == row["since"]))
                    self._add_wording(row["since"], held.listed_at, paper)
                return int(row["since"])
        since = date if any(row["since"] == held.wording for row in rows) else held.wording
        self._add_wording(since, held.listed_at, paper)
        return since

    def _add_wording(self, since: int, key: int, paper: Paper) -> None:
        row = {"since": since, "paper": key} | _wording_columns(paper)
        self._add(schema.wordings, **row)
        self._documents.append(document(row))

    def _add(self, table: sa.Table, **row: Any) -> None:
        self._rows.setdefault(table, []).append(row)

    def _known(self, ids: Sequence[str]) -> dict[str, _Known]:
        columns = (*schema.PAPER, *_BESIDE, _top("upvotes"), _top("comments"))
        return {
            row.id: _known(row)
            for chunk in _chunks(ids)
            for row in self.db.execute(
                sa.select(*columns).select_from(schema.WORDED).where(schema.papers.c.id.in_(chunk))
            )
        }


def _known(row: sa.Row[Any]) -> _Known:
    """Return what the archive holds of a paper; what cannot be read of it is put right by what a listing says now."""
    tops = {"upvotes": row.upvotes_top, "comments": row.comments_top}
    damaged = unreadable_column(schema.WORDED, row._mapping) is not None
    paper = mended_paper(row, row.listed_at) if damaged else paper_of(row)
    wording = row.wording if type(row.wording) is int else row.listed_at
    return _Known(row.listed_at, wording, paper, tops, damaged)


def revision_after(before: int, now: datetime) -> int:
    """Return a revision after `before`: the time; or, where the clock was set back, a little later than the last."""
    return max(before + 1 + secrets.randbelow(_APART), int(now.timestamp() * 1e6))


def _listed(seen: Observation) -> int:
    return schema.seconds(seen.paper.submitted_at)


def _top(measure: str) -> sa.Label[int]:
    steps = schema.ledger.c
    top = sa.select(sa.func.coalesce(sa.func.max(steps.value), 0))
    mine = top.where(steps.paper == schema.papers.c.listed_at, steps.measure == measure, steps.value <= LARGEST)
    return mine.scalar_subquery().label(f"{measure}_top")


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[at : at + _CHUNK] for at in range(0, len(ids), _CHUNK))


def _columns(paper: Paper) -> dict[str, Any]:
    """Return `paper` as a row of the table `papers`, without its wording."""
    row = {name: getattr(paper, name) for name in Paper.__dataclass_fields__ if name not in schema.WORDING}
    for name in ("submitted_at", "published_at"):
        row[name] = row[name] and schema.seconds(row[name])
    return row


def _wording_columns(paper: Paper) -> dict[str, Any]:
    organization = paper.organization and asdict(paper.organization)
    return {
        "title": paper.title,
        "summary": paper.summary,
        "authors": list(paper.authors),
        "organization": organization,
    }
