"""One refresh: gets due listings from the source, stores them, and reports problems and the time of the next try.

Knows nothing of threads and requests: `loop` refreshes again and again, `cli` once.
"""

import logging
import math
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from pathlib import Path

from feedproxy.archive import Archive
from feedproxy.archive.lease import PROLONG, Backoff, HeldLease, retry_pause
from feedproxy.errors import ArchiveError, FeedproxyError, LeaseError, ListingError, TooEarlyError, UpstreamError
from feedproxy.ingest.schedule import CLOCK_TOLERANCE
from feedproxy.ingest.source import ListingRequest, SavedListings, Source
from feedproxy.model import Listing
from feedproxy.periods import next_closing
from feedproxy.text import plural

log = logging.getLogger(__name__)
_DICE = secrets.SystemRandom()
_LOG_MEMORY = 1000  # problems that we log only once
_TRANSACTION = 2**23  # bytes of normalised text in one transaction; 30 days have about 3 MB
_MOST_PROBLEMS = 10  # of one kind, each with a line of its own
Report = Callable[[int, int], None]
Listings = dict[ListingRequest, Listing]


def utc_now() -> datetime:
    """Return the time as aware UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The numbers of listings, papers and new papers of a refresh, and a line for each problem."""

    listings: int = 0
    papers: int = 0
    new: int = 0
    problems: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{plural(self.listings, 'listing')} read, {plural(self.papers, 'paper')} in them, {self.new} new"

    def __add__(self, other: "Outcome") -> "Outcome":
        problems = self.problems + other.problems
        return Outcome(self.listings + other.listings, self.papers + other.papers, self.new + other.new, problems)


class Refresher:
    """Refreshes `archive` from `source`; one refresh at a time, however many processes and machines share the archive.

    Calls `observe` with the name of each event and its seconds.
    """

    def __init__(
        self,
        source: Source,
        archive: Archive,
        clock: Callable[[], datetime] = utc_now,
        jitter: Callable[[], float] = _DICE.random,
        observe: Callable[[str, float], None] | None = None,
        prolong_every: float = PROLONG,
    ) -> None:
        self.source, self.archive, self.clock, self.jitter = source, archive, clock, jitter
        self.observe = observe or (lambda event, seconds: None)  # noqa: ARG005
        self._prolong_every = prolong_every
        self._lease: HeldLease | None = None  # of the current refresh
        self._log_once = lru_cache(_LOG_MEMORY)(partial(log.warning, "%s"))
        self._closing_at = datetime.max.replace(tzinfo=UTC)
        source.keep_pace(self._turn)
        self._saved_listings = source if isinstance(source, SavedListings) else None
        if self._saved_listings:
            self._saved_listings.recall = archive.files

    def refresh_once(self, *, force: bool = False, report: Report | None = None) -> Outcome | None:
        """Get and store due listings, with `force` the last 30 days; return None while another process refreshes.

        Calls `report` after each transaction with how many listings were asked for, and how many are due.
        Reports an unreadable listing and goes on. Raises UpstreamError if the source fails or has no papers at all, but
        stores earlier listings first; raises ListingError if every listing is unreadable. After a failure all processes
        wait: until the next try, without `force`, raises TooEarlyError and sends no request.
        """
        token = self.archive.lease(secrets.token_hex(8), self.clock(), self._pause_if_cut_off())
        if token is None:
            return None
        backoff = self.archive.backoff()  # `lease` counts a refresh that was cut off as a failure
        if not force and (seconds := seconds_to_wait(backoff, self.clock())):
            self.archive.release(token, backoff)
            raise TooEarlyError(f"{backoff.error}; the next try is in {seconds} s", seconds)
        try:
            with HeldLease(self.archive, token, self.clock, self._prolong_every) as lease:
                self._lease = lease
                previous = self.archive.state().refreshed_at
                due = self.source.due(self.archive.days(), self.clock(), force=force)
                outcome = self.fetch_and_store(*due, lease=lease, report=report)
                if outcome.listings and self.archive.state().newest_entry_at is None:
                    raise UpstreamError("the listing has no papers")
                if outcome.listings or self.source.has_all_days:
                    self._closing_at = next_closing(self.clock())
                    self.archive.close_periods(self.clock(), previous, token, has_all_days=self.source.has_all_days)
        except BaseException as error:
            with suppress(ArchiveError):  # the lease runs out by itself
                if isinstance(error, LeaseError) and self._lease:
                    self.archive.note_drop(str(error), self.clock())
                self.archive.release(token, self._backoff_after(error))
            raise
        finally:
            self._lease = None
        self.archive.release(token, Backoff())
        return outcome

    def may_close(self) -> bool:
        """Say whether a period may close now although nothing new can be read: all that the source has was read."""
        return self.source.has_all_days and self.clock() >= self._closing_at

    def give_back_lease(self) -> None:
        """Let others refresh; the current refresh of this process then ends with a LeaseError."""
        lease, self._lease = self._lease, None
        if lease:
            with suppress(ArchiveError):
                self.archive.release(lease.token, self.archive.backoff())

    def log_new(self, problems: Iterable[str]) -> None:
        """Log each problem that has not been logged before."""
        for problem in problems:
            self._log_once(problem)

    def fetch_and_store(
        self, *batches: list[ListingRequest], lease: HeldLease | None = None, report: Report | None = None
    ) -> Outcome:
        """Get and store these listings like `refresh_once`; without a lease even during a refresh."""
        total, unread, is_any_readable = Outcome(), dict[ListingRequest, ListingError](), False
        try:
            for batch in batches:
                for own, related in self._fetch(batch, lease, unread):
                    listings = [listing for _, listing in sorted((own | related).items(), key=_path)]
                    is_any_readable = True
                    result = self.archive.store(listings, self.clock(), lease.token if lease else None)
                    papers = sum(len(listing.papers) for listing in own.values())
                    skips = [
                        line
                        for listing in listings
                        for line in _abridge([f"skipped {skip.name}: {skip.reason}" for skip in listing.skipped])
                    ]
                    total += Outcome(len(own), papers, result.new, tuple(skips))
                    if report:
                        report(total.listings + len(unread), sum(map(len, batches)))
            if unread and not is_any_readable:
                raise list(unread.values())[-1]
        except FeedproxyError as error:
            self.log_new(problem for problem in (*map(str, unread.values()), *total.problems) if problem != str(error))
            raise
        if days := [request.day for request in unread if request.day]:
            self.archive.mark_requested(days, self.clock())  # only these wait; after a failure everything does
        return replace(total, problems=(*_abridge([str(error) for error in unread.values()]), *total.problems))

    def _fetch(
        self, batch: list[ListingRequest], lease: HeldLease | None, unread: dict[ListingRequest, ListingError]
    ) -> Iterator[tuple[Listings, Listings]]:
        """Yield the listings of `batch`, as many at a time as one transaction stores; add unreadable ones to `unread`.

        With them come related ones, of files that list the same papers and have not changed. If the source fails,
        yields the listings before the failure first.
        """
        piece: Listings = {}
        try:
            for request in batch:
                if sum(listing.size for listing in piece.values()) > _TRANSACTION:
                    yield piece, self._related(batch, piece, unread, lease)
                    piece = {}
                self._get(request, piece, lease, unread)
        except UpstreamError:
            if piece:
                yield piece, {}
            raise
        related = self._related(batch, piece, unread, lease)
        if piece or related:
            yield piece, related

    def _related(
        self,
        batch: list[ListingRequest],
        piece: Listings,
        unread: dict[ListingRequest, ListingError],
        lease: HeldLease | None,
    ) -> Listings:
        """Return what other files say of the papers of `piece`."""
        related: Listings = {}
        if self._saved_listings and batch:
            for request in self._saved_listings.related(batch, piece, unread):
                self._get(request, related, lease, {})  # it has not changed: nobody need be told again
        return related

    def _get(
        self,
        request: ListingRequest,
        piece: Listings,
        lease: HeldLease | None,
        unread: dict[ListingRequest, ListingError],
    ) -> None:
        """Get one listing, into `piece`; or, if it is unreadable, the reason into `unread`."""
        if lease:
            lease.check()
        began = time.monotonic()
        try:
            piece[request] = self.source.get(request, self.clock())
            self.observe("listing", time.monotonic() - began)
        except ListingError as error:
            unread[request] = error

    def _turn(self, pace: float) -> float:
        """Take the next turn to ask the source; all processes share the turns. Return the seconds until then."""
        wait = self.archive.turn(self.clock(), pace)
        if self._lease:
            self._lease.note_progress(wait)
        return wait

    def _pause_if_cut_off(self) -> timedelta:
        """Return the pause after a refresh that was cut off; the first time the lease has made all wait already."""
        failures = self.archive.backoff().failures
        return retry_pause(failures + 1, None, self.jitter()) if failures else timedelta()

    def _backoff_after(self, error: BaseException) -> Backoff:
        """Count `error`, in public words, unless the refresh was only stopped or lost its lease."""
        backoff, now = self.archive.backoff(), self.clock()
        if isinstance(error, LeaseError) or not isinstance(error, Exception):
            return backoff
        if not isinstance(error, FeedproxyError):
            error = UpstreamError(f"refresh failed: {type(error).__name__}")
        failures = backoff.failures + 1
        retry_at = now + retry_pause(failures, error.retry_after, self.jitter())
        whole = datetime.fromtimestamp(math.ceil(retry_at.timestamp()), UTC)  # the archive cuts off fractions
        return Backoff(failures, error.public, now, whole)


def seconds_to_wait(backoff: Backoff, now: datetime) -> int:
    """Return the seconds until the next try; 0 if a clock ahead of ours noted the failure."""
    if not backoff.failed_at or not backoff.retry_at or backoff.failed_at > now + CLOCK_TOLERANCE:
        return 0
    return max(0, math.ceil((backoff.retry_at - now).total_seconds()))


def _abridge(problems: list[str]) -> list[str]:
    """Return the first problems, the number of the others, and the last, which may stand for even more."""
    if len(problems) <= _MOST_PROBLEMS + 1:
        return problems
    return [*problems[:_MOST_PROBLEMS], f"and {len(problems) - _MOST_PROBLEMS - 1:,} more", problems[-1]]


def _path(item: tuple[ListingRequest, Listing]) -> Path:
    """Return by what the listings of one refresh are in order: the last one has the last word."""
    return item[0].path or Path()
