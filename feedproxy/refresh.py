"""Source in, archive out: gets what is due, stores what came, says what went wrong.

Knows nothing of HTTP requests; `web` and `cli` decide when.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from feedproxy.archive import Archive
from feedproxy.errors import FeedproxyError, ListingError, UpstreamError
from feedproxy.papers import Listing
from feedproxy.upstream import Ask, Source
from feedproxy.words import plural

log = logging.getLogger(__name__)
_PAUSE = 60.0  # seconds between two rounds a process starts
_LOOK = 0.05


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a round did: listings read, papers in them, papers new, what was skipped or failed, in words."""

    listings: int
    papers: int
    new: int
    problems: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{plural(self.listings, 'listing')} read, {plural(self.papers, 'paper')} in them, {self.new} new"


def utc_now() -> datetime:
    """Return the time as aware UTC."""
    return datetime.now(UTC)


class Refresher:
    """Refreshes `archive` from `source`, one round at a time within this process."""

    def __init__(
        self,
        source: Source,
        archive: Archive,
        clock: Callable[[], datetime] = utc_now,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.source, self.archive, self.clock, self._timer = source, archive, clock, timer
        self.error: FeedproxyError | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._not_before = -math.inf
        self._logged: set[str] = set()

    def round(self, *, force: bool = False) -> Outcome:
        """Get and store what is due, each batch in one transaction; with `force` the whole window.

        A listing that cannot be read is reported and costs no other. Raises UpstreamError where
        the source cannot be reached, after storing what came before, and ListingError where
        nothing could be read.
        """
        total = Outcome(0, 0, 0)
        for batch in self.source.due(self.archive.days(), self.clock(), force=force):
            total = self._joined(total, self.get(batch))
        return total

    @staticmethod
    def _joined(one: Outcome, other: Outcome) -> Outcome:
        return Outcome(
            one.listings + other.listings,
            one.papers + other.papers,
            one.new + other.new,
            one.problems + other.problems,
        )

    def get(self, batch: list[Ask]) -> Outcome:
        """Get and store one batch, as `round` does."""
        self.archive.asked([ask.day for ask in batch if ask.day], self.clock())
        listings: list[Listing] = []
        problems: list[FeedproxyError] = []
        for ask in batch:
            try:
                listings.append(self.source.get(ask, self.clock()))
            except ListingError as error:
                problems.append(error)
            except UpstreamError as error:
                problems.append(error)
                break
        new = self.archive.store(listings, self.clock()).new if listings else 0
        told = [*map(str, problems), *_skips(listings)]
        if problems and (not listings or isinstance(problems[-1], UpstreamError)):
            told.remove(str(problems[-1]))
            self._log(told)
            raise problems[-1]
        return Outcome(len(listings), sum(map(len, listings)), new, tuple(told))

    def _log(self, problems: Iterable[str]) -> None:
        """Log what was not logged before."""
        for problem in dict.fromkeys(problems):
            if problem not in self._logged:
                log.warning("%s", problem)
        self._logged.update(problems)

    def freshen(self) -> None:
        """Start a round in the background, unless one runs or the last began within the minute."""
        with self._lock:
            if self._timer() < self._not_before or (self._thread and self._thread.is_alive()):
                return
            self._not_before = self._timer() + _PAUSE
            self.error = None
            self._thread = threading.Thread(target=self._run, name="refresh", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            outcome = self.round()
            self._log(outcome.problems)
            if outcome.listings:
                log.info("%s: %s", self.source.name, outcome)
                self._check_filled()
        except FeedproxyError as error:
            self.error = error
            log.warning("refresh failed: %s", error)
        except Exception as error:  # the top of a thread
            self.error = UpstreamError(f"refresh failed: {type(error).__name__}")
            log.exception("refresh failed")

    def _check_filled(self) -> None:
        if self.archive.state().newest is None:
            raise UpstreamError(f"{self.source.name} lists no papers")

    def wait_until_filled(self, seconds: float) -> None:
        """Return once the archive holds a paper; raises UpstreamError after `seconds`, or once that is hopeless.

        Every waiting request shares the one round.
        """
        until = self._timer() + seconds
        while self.archive.state().newest is None:
            if self.error:
                wait = max(1, math.ceil(self._not_before - self._timer()))
                raise UpstreamError(f"there are no papers yet: {self.error}", self.error.retry_after or wait)
            if self._timer() > until:
                raise UpstreamError(f"there are no papers yet: {self.source.name} is still being read", 10)
            time.sleep(_LOOK)


def _skips(listings: list[Listing]) -> Iterator[str]:
    return (f"skipped {skip.name}: {skip.reason}" for listing in listings for skip in listing.skipped)


def backfill_days(since: date, until: date, archive: Archive) -> list[date]:
    """Return the days of `since`…`until` never read well since they were over, newest first."""
    good = {day: told.good_at.date() for day, told in archive.days().items() if told.good_at}
    days = (until - timedelta(days=age) for age in range((until - since).days + 1))
    return [day for day in days if good.get(day, day) <= day]
