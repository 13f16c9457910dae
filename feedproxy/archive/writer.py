"""Observations in, rows out: writes what one refresh saw, within the caller's transaction.

Decides nothing about dates beyond handing each out once; the rules are in `dating`.
"""

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from feedproxy.archive import schema
from feedproxy.archive.backend import Database
from feedproxy.archive.dating import Observation, RefreshTimes, entry_date, first_free_second, revised, same_content
from feedproxy.archive.index import Document, document
from feedproxy.archive.rows import LARGEST, mended_paper, paper_of, readable_part, seconds, unreadable_column
from feedproxy.model import Paper

_CHUNK = 500
_APART = 1_000_000  # microseconds
_BLOCK = 256  # seconds whose dates are looked up at once

# Put together once: a refresh runs each many times.
_DATES = sa.select(schema.dates).where(schema.dates.c.date.between(sa.bindparam("first"), sa.bindparam("last")))
_WORDINGS = sa.select(schema.wordings).where(
    sa.or_(schema.wordings.c.paper == sa.bindparam("paper"), schema.wordings.c.since == sa.bindparam("wording"))
)
_UPDATE = sa.update(schema.papers).where(schema.papers.c.listed_at == sa.bindparam("key"))


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
class _PaperRow:
    """A paper as the archive holds it: its keys, itself, the top of its ledger, and whether a part cannot be read."""

    listed_at: int
    wording: int
    paper: Paper
    tops: dict[str, int]
    is_damaged: bool = False


@dataclass(frozen=True, slots=True)
class _Change:
    """What an observation changes: the paper as it is from now on, and whether its counts or its text do for feeds."""

    seen: Observation
    row: _PaperRow | None
    paper: Paper
    is_rising: bool
    is_revised: bool


def _change(row: _PaperRow | None, seen: Observation) -> _Change | None:
    """Return what `seen` changes of the paper in `row`, if anything."""
    if row is None:
        return _Change(seen, None, seen.paper, is_rising=True, is_revised=True)
    is_history = seen.backfilled and not row.is_damaged  # which revises nothing
    paper = row.paper if is_history else revised(row.paper, seen.paper)
    is_rising = any(value > row.tops[measure] for measure, value in seen.max_counts.items())
    is_revised = row.is_damaged or not same_content(row.paper, paper)
    return _Change(seen, row, paper, is_rising, is_revised) if is_rising or is_revised or paper != row.paper else None


class Writer:
    """Writes the observations of one refresh.

    `newest` is the newest date handed out before, and after writing the newest there is.
    """

    def __init__(self, db: sa.Connection, database: Database, times: RefreshTimes, *, newest: int | None) -> None:
        self.db, self.database, self.times, self.newest = db, database, times, newest
        self.backdated = False
        self._first_free = times.latest
        self._next: dict[int, int] = {}
        self._dates: dict[int, set[int]] = {}
        self._updates: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
        self._rows: dict[sa.Table, list[dict[str, Any]]] = {table: [] for table in schema.GROWING}
        self._documents: list[Document] = []

    def write(self, seen: Sequence[Observation]) -> Written:
        """Write all that is new in `seen`, which comes in dating order."""
        rows = self._paper_rows([one.paper.id for one in seen])
        changes = [change for one in seen if (change := _change(rows.get(one.paper.id), one))]
        needed = sum(self._entry_date(change) is None for change in changes if change.is_rising or change.is_revised)
        previous, latest = self.times.previous, self.times.latest
        self._first_free = first_free_second(latest, needed=needed, previous=previous, newest=self.newest)
        numbers: Counter[str] = Counter()
        for change in changes:
            numbers.update(self._update(change, change.row) if change.row else self._insert(change))
        self._flush()
        return Written(**numbers)

    def _flush(self) -> None:
        for updates in filter(None, self._updates.values()):
            self.db.execute(_UPDATE, updates)
        for table, rows in self._rows.items():
            if rows:
                self.db.execute(sa.insert(table), rows)
        if self._documents:
            self.database.index(self.db, self._documents)

    def _insert(self, change: _Change) -> list[str]:
        date = self._allocate_date(change)
        self._rows[schema.papers].append({"listed_at": date, "wording": date} | _columns(change.paper))
        self._append_step(date, {}, change.seen, date)
        self._add_wording(date, date, change.paper)
        return ["new"]

    def _update(self, change: _Change, row: _PaperRow) -> list[str]:
        columns = _columns(change.paper) | {"key": row.listed_at}
        if change.is_rising or change.is_revised:
            date = self._allocate_date(change)
            self._append_step(row.listed_at, row.tops, change.seen, date)
        if change.is_revised:
            columns |= {"revised_at": date, "wording": self._reword(row, change.paper, date)}
        self._updates[change.is_revised].append(columns)
        return ["rising"] * change.is_rising + ["revised"] * change.is_revised or ["counted"]

    def _entry_date(self, change: _Change) -> int | None:
        submitted_at = seconds(change.seen.paper.submitted_at)
        backfilled = change.seen.backfilled and change.row is None  # a date that was given never changes
        return entry_date(submitted_at, now=self.times.latest, previous=self.times.previous, backfilled=backfilled)

    def _allocate_date(self, change: _Change) -> int:
        """Return a date no other paper has: the rule's, or the next free second after it."""
        base = self._entry_date(change) or self._first_free
        date = self._next.get(base, base)
        while date in (dates := self._dates_near(date)):
            date += 1
        dates.add(date)
        self._next[base] = date + 1
        self._rows[schema.dates].append({"date": date})
        self.backdated |= self.newest is not None and date < self.newest
        self.newest = max(self.newest or date, date)
        return date

    def _dates_near(self, date: int) -> set[int]:
        """Return the dates handed out in the block that `date` lies in."""
        block = date // _BLOCK
        if block not in self._dates:
            ends = {"first": block * _BLOCK, "last": (block + 1) * _BLOCK - 1}
            self._dates[block] = set(self.db.scalars(_DATES, ends))
        return self._dates[block]

    def _append_step(self, paper: int, tops: dict[str, int], seen: Observation, date: int) -> None:
        for measure, value in seen.max_counts.items():
            if value > tops.get(measure, 0):
                step = {"paper": paper, "measure": measure, "value": value, "reached_at": date}
                self._rows[schema.ledger].append(step)

    def _reword(self, row: _PaperRow, paper: Paper, date: int) -> int:
        """Return the key of the wording of `paper`, writing it under `date` unless the paper had it before.

        A damaged wording is taken for the same if all that can be read of it is, and written again; so is the present
        one where it is lost, if its key is a date that was handed out.
        """
        columns = _wording_columns(paper)
        wordings = self.db.execute(_WORDINGS, {"paper": row.listed_at, "wording": row.wording}).mappings().all()
        for wording in wordings:
            readable = readable_part(schema.wordings, wording)
            if all(readable.get(name, value) == value for name, value in columns.items()):
                if len(readable) < len(wording):
                    self.db.execute(sa.delete(schema.wordings).where(schema.wordings.c.since == wording["since"]))
                    self._add_wording(wording["since"], row.listed_at, paper)
                return int(wording["since"])
        is_lost = all(wording["since"] != row.wording for wording in wordings)
        since = row.wording if is_lost and row.wording in self._dates_near(row.wording) else date
        self._add_wording(since, row.listed_at, paper)
        return since

    def _add_wording(self, since: int, key: int, paper: Paper) -> None:
        wording = {"since": since, "paper": key} | _wording_columns(paper)
        self._rows[schema.wordings].append(wording)
        self._documents.append(document(wording))

    def _paper_rows(self, ids: Sequence[str]) -> dict[str, _PaperRow]:
        beside = (schema.papers.c.listed_at, schema.papers.c.wording, schema.papers.c.revised_at)
        rows: sa.Select[Any] = sa.select(*schema.PAPER, *beside, _top("upvotes"), _top("comments")).select_from(
            schema.WORDED
        )
        return {
            row.id: _paper_row(row)
            for at in range(0, len(ids), _CHUNK)
            for row in self.db.execute(rows.where(schema.papers.c.id.in_(ids[at : at + _CHUNK])))
        }


def _paper_row(row: sa.Row[Any]) -> _PaperRow:
    """Return what the archive holds of a paper; what cannot be read of it is put right by what a listing says now."""
    tops = {"upvotes": row.upvotes_top, "comments": row.comments_top}
    is_damaged = unreadable_column(schema.WORDED, row._mapping) is not None
    paper = mended_paper(row, row.listed_at) if is_damaged else paper_of(row)
    wording = row.wording if type(row.wording) is int else row.listed_at
    return _PaperRow(row.listed_at, wording, paper, tops, is_damaged)


def revision_after(before: int, now: datetime) -> int:
    """Return a revision after `before`: the time; or, where the clock was set back, a little later than the last."""
    return max(before + 1 + secrets.randbelow(_APART), int(now.timestamp() * 1e6))


def _top(measure: str) -> sa.Label[int]:
    steps = schema.ledger.c
    top = sa.select(sa.func.coalesce(sa.func.max(steps.value), 0))
    mine = top.where(steps.paper == schema.papers.c.listed_at, steps.measure == measure, steps.value <= LARGEST)
    return mine.scalar_subquery().label(f"{measure}_top")


def _columns(paper: Paper) -> dict[str, Any]:
    """Return `paper` as a row of the table `papers`, without its wording."""
    row = {name: getattr(paper, name) for name in Paper.__dataclass_fields__ if name not in schema.WORDING}
    for name in ("submitted_at", "published_at"):
        row[name] = row[name] and seconds(row[name])
    return row


def _wording_columns(paper: Paper) -> dict[str, Any]:
    organization = paper.organization and asdict(paper.organization)
    return {
        "title": paper.title,
        "summary": paper.summary,
        "authors": list(paper.authors),
        "organization": organization,
    }
