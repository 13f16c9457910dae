"""Everything SQL: listings in, the entries of a query out. Never loses a paper.

Fetches nothing and renders nothing. A refresh is one transaction, and `revision` moves only if some feed could change.
"""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from feedproxy.archive import schema
from feedproxy.archive.admin import problems
from feedproxy.archive.backend import READ_SECONDS, Database, OpenMode, time_limit
from feedproxy.archive.closing import Progress, write_closings
from feedproxy.archive.dating import merge_listings, refresh_times
from feedproxy.archive.digests import read_digests, read_next_digest
from feedproxy.archive.lease import Coordination, demand_lease
from feedproxy.archive.listings import note_day, read_days, read_files, read_first_day, write_files
from feedproxy.archive.rows import (
    Unreadable,
    demand_readable,
    entries_of,
    moment,
    moment_or_none,
    seconds,
    state_of,
)
from feedproxy.archive.search import (
    DAY,
    LISTING_WINDOW,
    MOST_LATE,
    conditions,
    entry_dates,
    parameters,
    select_count,
    select_crossings,
    select_late,
    select_listing_days,
    select_oldest_late,
    select_page,
    select_steps,
    window_from,
    windows,
)
from feedproxy.archive.sqlite import SQLite, path_of
from feedproxy.archive.standings import Standings
from feedproxy.archive.state import SearchResult, State, Stats, Watcher
from feedproxy.archive.writer import Changes, Writer, revision_after
from feedproxy.errors import ArchiveError
from feedproxy.model import Digest, Entry, Listing, ListingDay, PaperHistory, SavedFile, Step
from feedproxy.query.parameters import Query
from feedproxy.query.terms import RULES

PATIENCE = 10.0  # seconds
_PROBLEMS = 60.0  # seconds
_MOST_DAYS = 400  # listing days that a refresh plans with; it fills in a gap of a year
_STATE = sa.select(schema.state)
_LOCKED = _STATE.with_for_update()  # one writer at a time, in databases that allow several


class Archive(Coordination):
    """The archive at a path or database URL; opens it at the first use, and creates it then if `opening` allows that.

    Safe to use from several threads and processes; waits `patience` seconds for another writer. Every method raises
    ArchiveError.
    """

    def __init__(
        self,
        address: str,
        patience: float = PATIENCE,
        timer: Callable[[], float] | None = None,
        read_seconds: float | None = READ_SECONDS,
        opening: OpenMode = OpenMode.USE,
    ) -> None:
        self.address, self._read_seconds = address, read_seconds
        self._database = open_database(address, patience, opening)
        self._watcher = Watcher(self.state, timer)
        # Every poll asks for the state of a second ago, which costs no read once `watch` has started its thread.
        self.watch, self.cached_state = self._watcher.watch, self._watcher.cached_state
        self._timer = timer or time.monotonic
        self._standings = Standings()
        self._problems: tuple[float, tuple[str, ...]] = -math.inf, ()

    def close(self) -> None:
        """Close the database."""
        self._watcher.close()
        self._database.close()

    def _transaction(self, *, writing: bool = False, searching: bool = False) -> AbstractContextManager[sa.Connection]:
        seconds = None if writing else self._read_seconds
        return self._database.transaction(writing=writing, seconds=seconds, searching=searching)

    def state(self) -> State:
        """Return the state of the archive."""
        with self._transaction() as db:
            return state_of(_read_state(db))

    def stats(self) -> Stats:
        """Return the size of the archive; reads one index from end to end."""
        key = schema.papers.c.listed_at
        with self._transaction() as db:
            count, last = db.execute(sa.select(sa.func.count(key), sa.func.max(key))).one()
        return Stats(count, moment_or_none(min(last, schema.LATEST) if last else last))

    def ends_at(self) -> datetime | None:
        """Return the last refresh or the newest date of an entry or digest, whichever is later; None while empty.

        After a clock was set back, the last refresh may be the earlier one.
        """
        date = schema.closings.c.entered_at
        with self._transaction() as db:
            state = state_of(_read_state(db))
            digest = db.scalar(sa.select(sa.func.max(date)).where(date <= schema.LATEST))
        return max(filter(None, (state.refreshed_at, state.newest_entry_at, moment_or_none(digest))), default=None)

    def problems(self) -> tuple[str, ...]:
        """Return problems with the newest papers and with searching, a line each; looks once a minute."""
        if self._timer() >= self._problems[0] + _PROBLEMS:
            with time_limit(self._read_seconds):
                lines = tuple(problems(self._database))
            self._problems = self._timer(), lines
        return self._problems[1]

    def days(self, limit: int | None = _MOST_DAYS) -> dict[date, ListingDay]:
        """Return the newest `limit` listing days that were ever requested; None for all."""
        with self._transaction() as db:
            return read_days(db, limit)

    def files(self) -> dict[str, SavedFile]:
        """Return the saved listings that were read, by the hashes of their paths."""
        with self._transaction() as db:
            return read_files(db)

    def first_day(self) -> date | None:
        """Return the first listing day that had papers; None for none."""
        with self._transaction() as db:
            return read_first_day(db)

    def mark_requested(self, days: Sequence[date], now: datetime) -> None:
        """Note requests for `days`, so that a failed one waits."""
        with self._transaction(writing=True) as db:
            db.execute(_LOCKED)
            for day in days:
                note_day(db, day, asked_at=seconds(now))

    def store(self, listings: Sequence[Listing], now: datetime, token: int | None = None) -> Changes:
        """Store the listings of one refresh, all or none, and date every change.

        Listings of one day come in the order they were taken. Raises LeaseError if another process has taken the lease
        of `token`.
        """
        with self._transaction(writing=True) as db:
            demand_lease(db, token)
            state = _read_state(db, _LOCKED)
            if state.rules != RULES:
                raise ArchiveError("another version of feedproxy has rebuilt the search index; restart this one")
            times = refresh_times(listings, seconds(now), state.refreshed_at, state.first_refreshed_at, state.closed_at)
            row, days = schema.listing_days.c, [listing.day for listing in listings if listing.day]
            read = set(db.scalars(sa.select(row.day).where(row.day.in_(days), row.good_at > 0)))
            writer = Writer(db, self._database, times, newest=state.newest)
            changes = writer.write(merge_listings(listings, read, times.first))
            for listing in listings:
                if listing.day:
                    news = {} if listing.unchanged else {"papers": len(listing.papers), "validator": listing.validator}
                    note_day(db, listing.day, asked_at=seconds(now), good_at=seconds(now), **news)
            write_files(db, [listing.file for listing in listings if listing.file])
            values = {
                "revision": revision_after(state.revision, now) if changes else state.revision,
                "first_refreshed_at": times.first,
                "refreshed_at": times.at,
                "newest": writer.newest,
                "backdated_at": times.at if writer.backdated else state.backdated_at,
            }
            db.execute(sa.update(schema.state).values(values))
        self._watcher.look_again()
        return changes

    def close_periods(
        self,
        now: datetime,
        previous: datetime | None,
        token: int | None = None,
        *,
        only_history: bool = False,
        has_all_days: bool = False,
    ) -> int:
        """Close each period whose time has come, after a good refresh (`previous` was the one before); return how many.

        `has_all_days` is as in `Progress`, `token` as in `store`.
        """
        with self._transaction(writing=True) as db:
            demand_lease(db, token)
            state = _read_state(db, _LOCKED)
            if state.first_refreshed_at is None or state.newest is None:
                return 0
            at = moment(max(seconds(now), state.refreshed_at or 0))
            has_history = only_history or has_all_days or state.closed_at is None
            days = read_days(db, None if has_history else _MOST_DAYS)
            progress = Progress(days, moment(state.first_refreshed_at), at, has_all_days)
            revision, after = revision_after(state.revision, now), seconds(previous) if previous else 0
            number = write_closings(db, progress, revision, state.newest, after, only_history=only_history)
        self._watcher.look_again()
        return number

    def search(self, query: Query) -> SearchResult[Entry]:
        """Return the page of entries that `query` asks for, newest first."""
        rows: Sequence[sa.Row[Any]] = []
        with self._transaction(searching=bool(query.q)) as db:
            state, late = _read_late(db, query.days)
            values = self._database.bind(parameters(query))
            # An empty archive is searched too: it compiles the statement while the first papers are on their way.
            for window in self._database.windows(db, query, state.newest or 0):
                bounds = _with_late(db, window, late)
                statement = select_page(conditions(query), late="late" in bounds)
                rows = db.execute(statement, values | bounds).all()
                if len(rows) > query.limit:
                    break
        more = len(rows) > query.limit
        return SearchResult(entries_of(rows[: query.limit]), more, self._watcher.offer(state_of(state)))

    def digests(self, query: Query) -> SearchResult[Digest]:
        """Return the page of digests that `query` asks for, newest first."""
        with self._transaction(searching=bool(query.q)) as db:
            state = _read_state(db)
            view = self._standings.at(db, state)
            entries, more = read_digests(view, self._database.bind, query, state.newest)
            closed_at = view.last_closing(query.digest)
        return SearchResult(entries, more, self._watcher.offer(state_of(state)), closed_at)

    def next_digest(self, query: Query) -> Digest | None:
        """Return the digest of the first period that is not closed yet and has papers, as it would be now."""
        with self._transaction(searching=bool(query.q)) as db:
            state = _read_state(db)
            if state.newest is None or state.first_refreshed_at is None:
                return None
            view = self._standings.at(db, state)
            return read_next_digest(view, self._database.bind, query, moment(state.newest))

    def count(self, query: Query) -> int:
        """Return the number of entries on all pages of `query`."""
        number = 0
        with self._transaction(searching=bool(query.q)) as db:
            state, late = _read_late(db, query.days)
            for window in windows(query, state.newest)[-1:]:
                bounds = _with_late(db, window, late)
                values = self._database.bind(parameters(query)) | bounds
                number = db.execute(select_count(conditions(query), late="late" in bounds), values).scalar_one()
        return number

    def entry_dates_by_threshold(
        self, query: Query, numbers: Sequence[int], last: int = 30
    ) -> tuple[tuple[date, ...], list[list[datetime]]]:
        """Return the `last` listing days, oldest first, and their entries' dates for each of `numbers` of upvotes.

        Dates are aware UTC. Looks for listing days in the last 90 days, and ignores upvotes, days, limit and page of
        `query`.
        """
        with self._transaction(searching=bool(query.q)) as db:
            state, late = _read_late(db, LISTING_WINDOW + 1)
            numbers_of_days = db.scalars(select_listing_days(), {"newest": state.newest or 0, "number": last})
            days = sorted(day for day in numbers_of_days if type(day) is int and day <= schema.LATEST // DAY)
            start = days[0] * DAY if days else 0
            bounds = _with_late(db, window_from(start), late)
            statement, thresholds = select_crossings(query, numbers, late="late" in bounds)
            values = self._database.bind(parameters(query)) | bounds | thresholds
            rows = db.execute(statement, values) if days else ()
            by_paper = [entry_dates(query, numbers, row) for row in rows]
        dates = zip(*by_paper, strict=True) if by_paper else [()] * len(numbers)
        moments = [[moment(at) for at in row if start <= at <= schema.LATEST] for row in dates]
        return tuple(moment(day * DAY).date() for day in days), moments

    def histories(self, ids: Sequence[str]) -> dict[str, PaperHistory]:
        """Return the history of each of these papers, by its id."""
        listed_at: dict[str, datetime] = {}
        steps: dict[str, list[Step]] = {}
        with self._transaction() as db:
            for row in db.execute(select_steps(), {"ids": ids}):
                listed_at[row.id] = moment(row.listed_at)
                own = steps.setdefault(row.id, [])
                with suppress(Unreadable):
                    if row.measure:
                        own.append(Step(row.measure, row.value, moment(row.reached_at)))
        return {name: PaperHistory(listed_at[name], tuple(own)) for name, own in steps.items()}


def open_database(address: str, patience: float = PATIENCE, opening: OpenMode = OpenMode.USE) -> Database:
    """Return the database at a path or URL; raises ArchiveError."""
    if address.startswith("postgresql"):
        from feedproxy.archive.postgres import Postgres

        return Postgres(address, patience, opening)
    return SQLite(path_of(address), patience, opening)


def _read_state(db: sa.Connection, statement: sa.Select[Any] = _STATE) -> sa.Row[Any]:
    return demand_readable(schema.state, db.execute(statement).one())


def _read_late(db: sa.Connection, days: int) -> tuple[sa.Row[Any], list[int]]:
    """Return the state, and the keys of papers with a late step or wording in the last `days`."""
    rows = db.execute(select_late(), {"days": days}).all()
    if not rows:
        raise Unreadable("state without its row")
    return demand_readable(schema.state, rows[0]), [row.late for row in rows if isinstance(row.late, int)]


def _with_late(db: sa.Connection, window: dict[str, Any], late: Sequence[int]) -> dict[str, Any]:
    """Return `window` with the keys of `late` papers before it, or with an earlier beginning if they are too many."""
    before = [paper for paper in late if paper < window["low"]]
    if len(late) > MOST_LATE:
        oldest = db.scalar(select_oldest_late(), window)
        return window if oldest is None else window | {"low": oldest}
    return window | {"late": before} if before else window
