"""Coordinates all processes that share an archive: who refreshes, the pace of requests, and failures."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from feedproxy.archive import schema
from feedproxy.archive.rows import moment_or_none, seconds, unreadable_column
from feedproxy.errors import ArchiveError, LeaseError

LEASE = timedelta(seconds=60)
PROLONG = 20.0  # seconds until a lease is prolonged
STUCK = 300.0  # seconds without a listing or a request after which a lease runs out
_FIRST_RETRY, _LAST_RETRY = timedelta(seconds=30), timedelta(minutes=15)
BURST = 10  # requests at once after a rest
_TOKEN = sa.select(schema.lease.c.token).with_for_update()
CUT_OFF = "the last refresh was cut off: its process was killed, as where memory runs out, or its machine stopped"


@dataclass(frozen=True, slots=True)
class Backoff:
    """Failures since the last success, the last one's message and time, and the time of the next try (aware UTC)."""

    failures: int = 0
    error: str | None = None
    failed_at: datetime | None = None
    retry_at: datetime | None = None


def retry_pause(failures: int, retry_after: int | None, jitter: float) -> timedelta:
    """Return the wait after `failures` in a row: twice as long each time, up to 15 minutes.

    `jitter` in 0…1 spreads machines over half to one and a half of that; the wait is never shorter than the Hub's
    `retry_after` (seconds).
    """
    pause = min(_LAST_RETRY, _FIRST_RETRY * (1 << min(failures - 1, 10)))
    return max(pause * (0.5 + jitter), timedelta(seconds=retry_after or 0))


def demand_lease(db: sa.Connection, token: int | None) -> None:
    """Hold the lease of `token` during this transaction; raises LeaseError if another process has taken it."""
    if token is not None and token != db.scalar(_TOKEN):
        raise LeaseError


class Coordination(ABC):
    """The coordination of all processes that refresh one archive."""

    @abstractmethod
    def _transaction(self, *, writing: bool = False) -> AbstractContextManager[sa.Connection]: ...

    def lease(self, holder: str, now: datetime, pause: timedelta = timedelta()) -> int | None:
        """Take or prolong the right to refresh for `LEASE`; return its token, or None while another has it.

        One statement. A lease without an end is void, and so is one that ends too far ahead, by a wrong clock. A lease
        that ran out means that its refresh was cut off: that counts as a failure, and all processes wait for `pause`.
        """
        row, at = schema.lease.c, seconds(now)
        until, latest = sa.func.coalesce(row.until, 0), seconds(now + 2 * LEASE)
        is_free = sa.or_(row.holder == holder, until <= at, until > latest)
        is_cut_off = sa.and_(row.holder != holder, row.until > 0)
        is_ours = sa.and_(row.holder == holder, row.until > 0)
        failure = {
            "failures": row.failures + 1,
            "error": sa.literal(CUT_OFF),
            "failed_at": sa.literal(at),
            "retry_at": sa.literal(seconds(now + pause)),
        }
        values = {name: sa.case((is_cut_off, value), else_=row[name]) for name, value in failure.items()}
        next_token = sa.case((is_ours, row.token), else_=sa.func.coalesce(row.token, 0) + 1)
        lease = {"holder": holder, "until": seconds(now + LEASE), "token": next_token}
        statement = sa.update(schema.lease).where(is_free).values(values | lease).returning(row.token)
        with self._transaction(writing=True) as db:
            token: int | None = db.scalar(statement)
        return token

    def prolong(self, token: int, now: datetime) -> bool:
        """Prolong a lease by its token, even late; return False if it was released or another process took it."""
        statement = sa.update(schema.lease).where(_is_held(token)).values(until=seconds(now + LEASE))
        with self._transaction(writing=True) as db:
            return bool(db.execute(statement).rowcount)

    def release(self, token: int, backoff: Backoff) -> None:
        """Release the lease of this token and note how the refresh went; does nothing if the lease is lost."""
        values = {
            "until": 0,
            "failures": backoff.failures,
            "error": backoff.error,
            "failed_at": backoff.failed_at and seconds(backoff.failed_at),
            "retry_at": backoff.retry_at and seconds(backoff.retry_at),
        }
        with self._transaction(writing=True) as db:
            db.execute(sa.update(schema.lease).where(_is_held(token)).values(values))

    def note_drop(self, error: str, now: datetime) -> None:
        """Note, until the next success, that a refresh lost its lease and was dropped; nobody waits for that."""
        statement = sa.update(schema.lease).where(schema.lease.c.error.is_(None))
        with self._transaction(writing=True) as db:
            db.execute(statement.values(error=error, failed_at=seconds(now)))

    def backoff(self) -> Backoff:
        """Return the failures of refreshing, whichever process does it."""
        with self._transaction() as db:
            row = db.execute(sa.select(schema.lease)).one()
        if unreadable_column(schema.lease, row._mapping):  # the next round overwrites it
            return Backoff()
        failed_at, retry_at = map(moment_or_none, (row.failed_at, row.retry_at))
        return Backoff(row.failures, row.error, failed_at, retry_at)

    def turn(self, now: datetime, pace: float) -> float:
        """Take the next turn to ask the source; return the seconds until then.

        Turns are `pace` seconds apart, but for `BURST` at once after a rest (a leaky bucket). A later turn than that
        comes from a wrong clock.
        """
        if not pace:
            return 0.0
        at = now.timestamp()
        with self._transaction(writing=True) as db:
            next_at = db.scalar(sa.select(schema.turns.c.next_at).with_for_update())
            turn = next_at if type(next_at) is float and next_at <= at + BURST * pace else at
            db.execute(sa.update(schema.turns).values(next_at=max(turn, at - (BURST - 1) * pace) + pace))
        return max(0.0, turn - at)


def _is_held(token: int) -> sa.ColumnElement[bool]:
    return sa.and_(schema.lease.c.token == token, schema.lease.c.until > 0)


class HeldLease:
    """Prolongs a lease while its block makes progress, however long an answer takes.

    A dead or frozen process prolongs nothing, and one that hangs stops after `STUCK`.
    """

    def __init__(self, archive: Coordination, token: int, clock: Callable[[], datetime], every: float) -> None:
        self.token, self._archive, self._clock, self._every = token, archive, clock, every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._prolong, name="lease", daemon=True)
        self.note_progress()

    def note_progress(self, silent: float = 0.0) -> None:
        """Note that the block makes progress; it may now be silent for `silent` more seconds."""
        self._alive_until = time.monotonic() + silent + STUCK

    def check(self) -> None:
        """Prolong the lease; raises LeaseError if it was released or another process took it."""
        self.note_progress()
        if not self._archive.prolong(self.token, self._clock()):
            raise LeaseError

    def __enter__(self) -> "HeldLease":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _prolong(self) -> None:
        while not self._over.wait(self._every) and time.monotonic() < self._alive_until:
            with suppress(ArchiveError):  # a locked archive is no reason to lose the lease
                self._archive.prolong(self.token, self._clock())
