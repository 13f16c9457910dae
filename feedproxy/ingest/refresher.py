"""Source in, archive out: gets what is due, stores what came, says what went wrong, and when to try again.

Knows nothing of HTTP requests; `web` and `cli` decide whether it runs by itself.
"""

import logging
import math
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial

from feedproxy.archive import Archive
from feedproxy.archive.lease import PROLONG, Backoff, HeldLease, retry_pause
from feedproxy.errors import ArchiveError, FeedproxyError, LeaseError, ListingError, UpstreamError
from feedproxy.ingest.outcome import Outcome, first_of, skips
from feedproxy.ingest.schedule import CLOCK_TOLERANCE
from feedproxy.ingest.source import Hub, ListingRequest, Source
from feedproxy.ingest.status import Status, assess
from feedproxy.model import Listing

log = logging.getLogger(__name__)
_LOOK = timedelta(seconds=5)  # between two looks at the archive while another process refreshes it
_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(minutes=1)  # rest between two looks: clocks jump
_POLL = 0.02  # seconds
_REMEMBERED = 1000  # problems that are not logged again
_ROUND = 2**23  # bytes of normalised text that one transaction stores; 30 days have about 3 MB


def utc_now() -> datetime:
    """Return the time as aware UTC."""
    return datetime.now(UTC)


class BackoffActive(UpstreamError):  # noqa: N818 (nothing failed)
    """It is not this round's turn: all wait after a failure."""


class Refresher:
    """Refreshes `archive` from `source`: once (`refresh_once`), or by itself from `start` on.

    One round at a time, however many threads, processes and machines share the archive.
    """

    def __init__(
        self,
        source: Source,
        archive: Archive,
        clock: Callable[[], datetime] = utc_now,
        jitter: Callable[[], float] = random.random,
        observe: Callable[[str, float], None] | None = None,
        prolong_every: float = PROLONG,
    ) -> None:
        self.source, self.archive, self.clock, self._jitter = source, archive, clock, jitter
        self._prolong_every = prolong_every
        self._lease: HeldLease | None = None  # of the round under way
        source.keep_pace(self._turn)
        self._observe = observe or (lambda event, seconds: None)  # noqa: ARG005
        self._log_once = lru_cache(_REMEMBERED)(partial(log.warning, "%s"))
        self._starting, self._looking = threading.Lock(), threading.Lock()
        self._thread: threading.Thread | None = None
        self._began_at: datetime | None = None
        self._stopping, self._awake = threading.Event(), threading.Event()
        self._store_error: ArchiveError | None = (
            None  # why not even the failure of this process's last step can be noted
        )

    # One round ----------------------------------------------------------------------------------

    def refresh_once(self, *, force: bool = False) -> Outcome | None:
        """Get and store what is due, with `force` the whole window; None where another round is at it.

        A listing that cannot be read is reported and costs no other. Raises UpstreamError where
        the source cannot be reached or lists nothing at all, after storing what came before, and
        ListingError where nothing could be read. All then wait before they try again; a round
        that comes sooner, and without `force`, raises UpstreamError and asks nobody.
        """
        holder = secrets.token_hex(8)
        token = self.archive.lease(holder, self.clock(), self._pause_after_a_cut())
        if token is None:
            return None
        try:
            with HeldLease(self.archive, token, self.clock, self._prolong_every) as self._lease:
                outcome = self._get_due(self._lease, force=force)
        except BaseException as error:
            with suppress(ArchiveError):  # the lease then runs out by itself
                if isinstance(error, LeaseError) and not self._stopping.is_set():
                    self.archive.note_drop(str(error), self.clock())
                self.archive.release(token, self._tries_after(error))
            raise
        finally:
            self._lease = None
        self.archive.release(token, Backoff())
        return outcome

    def _pause_after_a_cut(self) -> timedelta:
        """Return how long to wait if the round before was cut off; the first of them has cost a lease period."""
        failures = self.archive.backoff().failures
        return retry_pause(failures + 1, None, self._jitter()) if failures else timedelta()

    def _turn(self, pace: float) -> float:
        """Take the next turn to ask, of all who share the archive; return how many seconds it is away."""
        wait = self.archive.turn(self.clock(), pace)
        if self._lease:
            self._lease.get_on(wait)
        return wait

    def _tries_after(self, error: BaseException) -> Backoff:
        """Count `error`, in words fit for anybody, unless the round was only stopped."""
        tries, now = self.archive.backoff(), self.clock()
        if isinstance(error, (BackoffActive, LeaseError)) or not isinstance(error, Exception):
            return tries
        known = error if isinstance(error, FeedproxyError) else UpstreamError(f"refresh failed: {type(error).__name__}")
        failures = tries.failures + 1
        retry_at = now + retry_pause(failures, known.retry_after, self._jitter())
        whole = datetime.fromtimestamp(math.ceil(retry_at.timestamp()), UTC)  # the archive cuts off fractions
        return Backoff(failures, known.public, now, whole)

    def _get_due(self, lease: HeldLease, *, force: bool) -> Outcome:
        tries, now = self.archive.backoff(), self.clock()
        if not force and (pause := _pause(tries, now)):
            raise BackoffActive(f"{tries.error}; the next try is in {_seconds(pause)} s", _seconds(pause))
        total = self._get(self.source.due(self.archive.days(), now, force=force), lease)
        if total.listings and self.archive.state().newest_entry_at is None:  # `cached_state` may be what it was before
            raise UpstreamError("the listing has no papers")
        return total

    def get(self, batch: list[ListingRequest]) -> Outcome:
        """Get and store one batch, as `refresh_once` does, but beside whoever has the lease."""
        return self._get([batch], None)

    def _get(self, batches: list[list[ListingRequest]], lease: HeldLease | None) -> Outcome:
        """Get and store batch by batch; where nothing can be read, or it breaks off, raises why and logs the rest."""
        total, unread = Outcome(), dict[ListingRequest, ListingError]()
        try:
            for batch in batches:
                left = batch
                while left:
                    listings, missing, failure = self._read(left, lease)
                    unread |= missing
                    total += Outcome(problems=(*first_of(list(map(str, missing.values()))), *skips(listings)))
                    total += self._stored(listings, lease)
                    if failure:
                        raise failure
                    left = left[len(listings) + len(missing) :]
            if unread and not total.listings:
                raise list(unread.values())[-1]
        except FeedproxyError as error:
            self._log(problem for problem in total.problems if problem != str(error))
            raise
        self._note(unread)
        return total

    def _stored(self, listings: list[Listing], lease: HeldLease | None) -> Outcome:
        if not listings:
            return Outcome()
        new = self.archive.store(listings, self.clock(), lease.token if lease else None).new
        return Outcome(len(listings), sum(len(listing.papers) for listing in listings), new)

    def _read(
        self, batch: list[ListingRequest], lease: HeldLease | None
    ) -> tuple[list[Listing], dict[ListingRequest, ListingError], FeedproxyError | None]:
        """Return the listings, what could not be read, and what broke it off; no more listings than `_ROUND` holds."""
        listings: list[Listing] = []
        unread: dict[ListingRequest, ListingError] = {}
        for ask in batch:
            if sum(listing.size for listing in listings) > _ROUND:
                break
            if lease:
                lease.check()
            began = time.monotonic()
            try:
                listings.append(self.source.get(ask, self.clock()))
                self._observe("listing", time.monotonic() - began)
            except ListingError as error:
                unread[ask] = error
            except UpstreamError as error:
                return listings, unread, error
        return listings, unread, None

    def _note(self, unread: Iterable[ListingRequest]) -> None:
        """Note the days that have to wait, where others could be read; after a failure everything waits."""
        if days := [ask.day for ask in unread if ask.day]:
            self.archive.mark_requested(days, self.clock())

    # By itself ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Refresh and watch the archive from now on in threads of this process, unless they run already."""
        self.archive.watch()
        with self._starting:
            if self._thread is None or not self._thread.is_alive():  # after a fork it is not
                self._stopping, self._awake = threading.Event(), threading.Event()
                events = (self._stopping, self._awake)
                self._began_at = self.clock()
                self._thread = threading.Thread(target=self._run, args=events, name="refresh", daemon=True)
                self._thread.start()

    def stop(self, seconds: float | None = None) -> None:
        """End the thread, after the round it is in; one that takes longer than `seconds` gives its lease back."""
        self._stopping.set()
        self._awake.set()
        if not self._thread:
            return
        self._thread.join(seconds)
        if self._thread.is_alive() and (lease := self._lease):
            with suppress(ArchiveError):
                self.archive.release(lease.token, self.archive.backoff())

    def _run(self, stopping: threading.Event, awake: threading.Event) -> None:
        while not stopping.is_set():
            rest = self.tick()
            awake.wait(rest.total_seconds())
            awake.clear()

    def tick(self) -> timedelta:
        """Refresh if anything is due, and return how long to rest, a second to a minute; raises nothing."""
        rest, unnoted = retry_pause(1, None, self._jitter()), None
        try:
            rest = self._until_due() or self._logged_round()
        except FeedproxyError as error:
            unnoted = error if isinstance(error, ArchiveError) else None
            self._observe("failed", 0)
            log.warning("refresh failed: %s", error)
        except Exception:  # the top of a thread
            self._observe("failed", 0)
            log.exception("refresh failed")
        self._store_error = unnoted
        return min(max(rest, _SHORTEST), _LONGEST)

    def _until_due(self) -> timedelta:
        """Return how long to ask for nothing; a source that cannot tell is due, so that its trouble is noted."""
        now, tries = self.clock(), self.archive.backoff()
        if pause := _pause(tries, now):
            return pause
        try:
            return max(self.source.next_due(self.archive.days(), now) - now, timedelta())
        except (ListingError, UpstreamError):
            return timedelta()

    def _logged_round(self) -> timedelta:
        began = time.monotonic()
        outcome = self.refresh_once()
        took = time.monotonic() - began
        self._observe("left" if outcome is None else "good", took)
        if outcome is None:
            return _LOOK
        self._log(outcome.problems)
        if outcome.listings:
            left_out = f", {len(outcome.problems)} left out" if outcome.problems else ""
            log.info("%s: %s%s, in %.1f s", self.source.name, outcome, left_out, took)
        return _SHORTEST

    def _log(self, problems: Iterable[str]) -> None:
        """Log what was not logged before."""
        for problem in problems:
            self._log_once(problem)

    # For readers --------------------------------------------------------------------------------

    def status(self) -> Status:
        """Return how things stand, whoever refreshes."""
        archive, now = self.archive, self.clock()
        days = archive.days(None)
        try:
            due_at = max(now, self.source.next_due(days, now))
        except FeedproxyError:  # a saved listing that is not there
            due_at = now
        live = isinstance(self.source, Hub)
        known = (archive.state(), self._noted(), archive.stats(), days.values())
        stands = assess(*known, due_at, now, live=live, began_at=self._began_at)
        return replace(stands, problems=archive.problems())

    def _noted(self) -> Backoff:
        """Return how refreshing fares; what this process could not even note is the last error."""
        tries = self.archive.backoff()
        return replace(tries, error=self._store_error.public) if self._store_error else tries

    def wait_for_papers(self, seconds: float) -> None:
        """Return once the archive holds a paper; raises UpstreamError after `seconds`, or once that is hopeless.

        All that wait, in every process, wait for the same refresh; one in each looks for the others.
        """
        until = time.monotonic() + seconds
        self._awake.set()  # it may rest, not knowing that the archive is gone
        looking = self._looking.acquire(timeout=max(seconds, 0))
        try:
            while self._empty():
                error = self._hopeless(until)
                if error and self._empty():  # by now: a failure may follow the first papers
                    raise error
                time.sleep(_POLL)
        finally:
            if looking:
                self._looking.release()

    def _empty(self) -> bool:
        return self.archive.cached_state().newest_entry_at is None

    def _hopeless(self, until: float) -> UpstreamError | None:
        tries = self.archive.backoff()
        if pause := _pause(tries, self.clock()):
            return UpstreamError(f"there are no papers yet: {tries.error}", _seconds(pause))
        if self._store_error:
            return UpstreamError(f"there are no papers yet: {self._store_error.public}", self._store_error.retry_after)
        if time.monotonic() > until:
            return UpstreamError("there are no papers yet: the listing is still being read", 10)
        return None


def _pause(tries: Backoff, now: datetime) -> timedelta:
    """Return how long to wait after a failure; not at all after one noted by a clock that ran ahead."""
    if not tries.failed_at or not tries.retry_at or tries.failed_at > now + CLOCK_TOLERANCE:
        return timedelta()
    return max(tries.retry_at - now, timedelta())


def _seconds(pause: timedelta) -> int:
    return math.ceil(pause.total_seconds())
