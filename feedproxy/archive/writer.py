"""Observations of one refresh in, rows out, within the caller's transaction.

Gives each date to one row only; the other rules of dates are in `dating`.
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
from feedproxy.archive.dating import Observation, RefreshTimes, entry_date, first_free_second, revise, same_content
from feedproxy.archive.index import Document, document
from feedproxy.archive.rows import LARGEST, mended_paper, paper_of, readable_part, seconds, unreadable_column
from feedproxy.model import Paper
from feedproxy.periods import midnight

_CHUNK = 500
_APART = 1_000_000  # microseconds
_BLOCK = 256  # seconds; one query reads the dates of a block

# Constants, as a refresh runs each many times.
_DATES = sa.select(schema.dates).where(schema.dates.c.date.between(sa.bindparam("first"), sa.bindparam("last")))
_WORDINGS = sa.select(schema.wordings).where(
    sa.or_(schema.wordings.c.paper == sa.bindparam("paper"), schema.wordings.c.since == sa.bindparam("wording"))
)
_UPDATE = sa.update(schema.papers).where(schema.papers.c.listed_at == sa.bindparam("key"))


@dataclass(frozen=True, slots=True)
class Changes:
    """The numbers of papers that are new, have another text, a new highest count, or only other counts."""

    new: int = 0
    revisions: int = 0
    rises: int = 0
    recounts: int = 0

    def __bool__(self) -> bool:
        return bool(self.new or self.revisions or self.rises or self.recounts)


@dataclass(frozen=True, slots=True)
class _PaperRow:
    """A paper in the archive: its keys, itself, its highest counts, and whether a part is unreadable.

    Its first AI summary came at `summary_at`; `listing_day` is None if it is unreadable.
    """

    listed_at: int
    wording: int
    paper: Paper
    listing_day: int | None
    summary_at: int | None
    tops: dict[str, int]
    is_damaged: bool = False


@dataclass(frozen=True, slots=True)
class _Change:
    """The effect of an observation: the paper from now on, and whether feeds see new counts or a new text."""

    observation: Observation
    row: _PaperRow | None
    paper: Paper
    is_rising: bool
    is_revised: bool


def _change(row: _PaperRow | None, new: Observation) -> _Change | None:
    """Return the effect of an observation on the paper in `row`, if any."""
    if row is None:
        return _Change(new, None, new.paper, is_rising=True, is_revised=True)
    is_history = new.backfilled and not row.is_damaged  # an old text revises nothing
    paper = row.paper if is_history else revise(row.paper, new.paper)
    is_rising = any(value > row.tops[measure] for measure, value in new.max_counts.items())
    is_revised = row.is_damaged or not same_content(row.paper, paper)
    return _Change(new, row, paper, is_rising, is_revised) if is_rising or is_revised or paper != row.paper else None


class Writer:
    """Writes the observations of one refresh.

    `newest` is the newest date in the archive, before and after `write`.
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

    def write(self, observations: Sequence[Observation]) -> Changes:
        """Write the changes of `observations`, which come in dating order."""
        rows = self._paper_rows([one.paper.id for one in observations])
        changes = [change for one in observations if (change := _change(rows.get(one.paper.id), one))]
        number = sum(self._entry_date(change) is None for change in changes if change.is_rising or change.is_revised)
        previous, latest = self.times.previous, self.times.latest
        self._first_free = first_free_second(latest, number=number, previous=previous, newest=self.newest)
        numbers: Counter[str] = Counter()
        for change in changes:
            numbers.update(self._update(change, change.row) if change.row else self._insert(change))
        self._flush()
        return Changes(**numbers)

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
        day, summary_at = seconds(midnight(change.observation.day)), date if change.paper.ai_summary else None
        keys = {"listed_at": date, "wording": date, "listing_day": day, "ai_summary_at": summary_at}
        self._rows[schema.papers].append(keys | _columns(change.paper))
        self._append_step(date, {}, change.observation, date)
        self._add_wording(date, date, change.paper)
        return ["new"]

    def _update(self, change: _Change, row: _PaperRow) -> list[str]:
        day = seconds(midnight(change.observation.day)) if row.listing_day is None else row.listing_day
        columns = _columns(change.paper) | {"key": row.listed_at, "listing_day": day, "ai_summary_at": row.summary_at}
        if change.is_rising or change.is_revised:
            date = self._allocate_date(change)
            self._append_step(row.listed_at, row.tops, change.observation, date)
        if change.is_revised:
            columns |= {"revised_at": date, "wording": self._reword(row, change.paper, date)}
            if row.summary_at is None and change.paper.ai_summary:
                columns["ai_summary_at"] = date
        self._updates[change.is_revised].append(columns)
        return ["rises"] * change.is_rising + ["revisions"] * change.is_revised or ["recounts"]

    def _entry_date(self, change: _Change) -> int | None:
        submitted_at = seconds(change.observation.paper.submitted_at)
        backfilled = change.observation.backfilled and change.row is None  # a date never changes
        return entry_date(submitted_at, now=self.times.latest, previous=self.times.previous, backfilled=backfilled)

    def _allocate_date(self, change: _Change) -> int:
        """Return the date by the rules, or the next free second after it."""
        base = self._entry_date(change) or self._first_free
        date = self._next.get(base, base)
        while date in (dates := self._dates_near(date)):
            date += 1
        dates.add(date)
        self._next[base] = date + 1
        self._give_out(date)
        return date

    def _give_out(self, date: int) -> None:
        self._rows[schema.dates].append({"date": date})
        self.backdated |= self.newest is not None and date < self.newest
        self.newest = max(self.newest or date, date)

    def _dates_near(self, date: int) -> set[int]:
        """Return the used dates in the block of `date`."""
        block = date // _BLOCK
        if block not in self._dates:
            ends = {"first": block * _BLOCK, "last": (block + 1) * _BLOCK - 1}
            self._dates[block] = set(self.db.scalars(_DATES, ends))
        return self._dates[block]

    def _append_step(self, paper: int, tops: dict[str, int], new: Observation, date: int) -> None:
        for measure, value in new.max_counts.items():
            if value > tops.get(measure, 0):
                step = {"paper": paper, "measure": measure, "value": value, "reached_at": date}
                self._rows[schema.ledger].append(step)

    def _reword(self, row: _PaperRow, paper: Paper, date: int) -> int:
        """Return the key of the wording of `paper`; write it under `date` unless the paper had it before.

        A damaged wording counts as the same if all its readable columns are, and is written again; so is the current
        one if it is missing and its key is a date in `dates`.
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
        rows = schema.PAPERS.add_columns(_top("upvotes"), _top("comments"))
        return {
            row.id: _paper_row(row)
            for at in range(0, len(ids), _CHUNK)
            for row in self.db.execute(rows.where(schema.papers.c.id.in_(ids[at : at + _CHUNK])))
        }


def _paper_row(row: sa.Row[Any]) -> _PaperRow:
    """Return a paper in the archive; a listing mends its unreadable parts later."""
    tops = {"upvotes": row.upvotes_top, "comments": row.comments_top}
    is_damaged = unreadable_column(schema.WORDED, row._mapping) is not None
    paper = mended_paper(row, row.listed_at) if is_damaged else paper_of(row)
    wording = row.wording if type(row.wording) is int else row.listed_at
    readable = readable_part(schema.WORDED, row._mapping) if is_damaged else row._mapping
    summary_at = readable.get("ai_summary_at")
    if summary_at is None and row.ai_summary is not None:  # it is lost
        summary_at = row.listed_at
    return _PaperRow(row.listed_at, wording, paper, readable.get("listing_day"), summary_at, tops, is_damaged)


def revision_after(before: int, now: datetime) -> int:
    """Return a revision after `before`: the time or, if the clock went back, a little more than the last."""
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
    """Return everything that the search index is made of."""
    organization = paper.organization and asdict(paper.organization)
    return {
        "title": paper.title,
        "summary": paper.summary,
        "authors": list(paper.authors),
        "organization": organization,
        "has": " ".join(paper.has),
    }
