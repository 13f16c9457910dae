"""The thread that refreshes whenever something is due; and, for requests, the status and the wait for first papers.

Leaves fetching and storing to `refresher`.
"""

import logging
import math
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta

from feedproxy.archive.lease import retry_pause
from feedproxy.errors import ArchiveError, FeedproxyError, ListingError, NoPapersYet, TooEarlyError, UpstreamError
from feedproxy.ingest.http import DEADLINE
from feedproxy.ingest.hub import Hub
from feedproxy.ingest.refresher import Refresher, seconds_to_wait
from feedproxy.ingest.status import Progress, Status, assess, read_so_far
from feedproxy.rest import resting

log = logging.getLogger(__name__)
_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(minutes=1)  # rest between two ticks: clocks jump
_BUSY = timedelta(seconds=5)  # rest while another process refreshes
_LINE = 5  # listings of the first fill until a line of the log says how far it is
_POLL = 0.05  # seconds between two looks for first papers, which another process may store
_COURTESY = 0.2  # seconds in which those who waited for first papers are answered, before the next listing is read


class RefreshLoop:
    """Runs `refresher` in a thread of this process from `start` to `stop`."""

    def __init__(self, refresher: Refresher) -> None:
        self.refresher = refresher
        self._archive, self._clock = refresher.archive, refresher.clock
        self._starting, self._polling = threading.Lock(), threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping, self._wake = threading.Event(), threading.Event()
        self._news = threading.Condition()  # of the first papers, or that none come
        self._began_at: datetime | None = None
        self._tried_at: datetime | None = None  # the beginning of the last refresh of this process
        self._store_error: ArchiveError | None = None  # of the last tick, which the archive could not note

    def start(self) -> None:
        """Start the threads that refresh and watch the archive, unless they run already."""
        self._archive.watch()
        with self._starting:
            if self._thread is None or not self._thread.is_alive():  # after a fork it is not
                self._stopping, self._wake = threading.Event(), threading.Event()
                self._began_at = self._clock()
                events = (self._stopping, self._wake)
                self._thread = threading.Thread(target=self._run, args=events, name="refresh", daemon=True)
                self._thread.start()

    def stop(self, seconds: float | None = None) -> None:
        """End the thread after the current refresh; if that takes longer than `seconds`, let others refresh."""
        self._stopping.set()
        self._wake.set()
        if self._thread:
            self._thread.join(seconds)
            if self._thread.is_alive():
                self.refresher.give_back_lease()

    def _run(self, stopping: threading.Event, wake: threading.Event) -> None:
        if not self._may_be_empty():  # then the first readers of this process come before a refresh
            wake.wait(_SHORTEST.total_seconds())
        while not stopping.is_set():
            rest = self.tick()
            self._spread_news()
            wake.wait(rest.total_seconds())
            wake.clear()

    def tick(self) -> timedelta:
        """Refresh if anything is due, and return how long to rest, a second to a minute; raises nothing."""
        rest, store_error = retry_pause(1, None, self.refresher.jitter()), None
        try:
            rest = self._until_due() or self._refresh()
        except TooEarlyError as error:  # another process has failed between our two looks, and has logged it
            rest = timedelta(seconds=error.retry_after or 0)
        except FeedproxyError as error:
            store_error = error if isinstance(error, ArchiveError) else None
            self.refresher.observe("failed", 0)
            log.warning("refresh failed: %s", error)
        except Exception:  # the top of a thread
            self.refresher.observe("failed", 0)
            log.exception("refresh failed")
        self._store_error = store_error
        return min(max(rest, _SHORTEST), _LONGEST)

    def _until_due(self) -> timedelta:
        """Return the time until something is due; a source that fails is due now, so that a refresh notes its error.

        The end of a period is due too, if no listing is.
        """
        now = self._clock()
        if seconds := seconds_to_wait(self._archive.backoff(), now):
            return timedelta(seconds=seconds)
        if self.refresher.may_close():
            return timedelta()
        try:
            return max(self.refresher.source.next_due(self._archive.days(), now) - now, timedelta())
        except (ListingError, UpstreamError):
            return timedelta()

    def _refresh(self) -> timedelta:
        began, self._tried_at = time.monotonic(), self._clock()
        with resting(lambda: not self._may_be_empty()):
            outcome = self.refresher.refresh_once(report=self._report)
        seconds = time.monotonic() - began
        self.refresher.observe("left" if outcome is None else "good", seconds)
        if outcome is None:
            return _BUSY
        self.refresher.log_new(outcome.problems)
        if outcome.listings:
            left_out = f", {len(outcome.problems)} left out" if outcome.problems else ""
            log.info("%s: %s%s, in %.1f s", self.refresher.source.name, outcome, left_out, seconds)
        return _SHORTEST

    def _report(self, listings: int, total: int) -> None:  # noqa: ARG002
        """Let those who wait for the first papers look, and log how far the first fill is, now and then."""
        if self._polling.locked() and not self._may_be_empty():
            self._spread_news()
            self._stopping.wait(_COURTESY)
        if (listings == 1 or listings % _LINE == 0) and (progress := self.progress()):
            log.info("%s: %s", self.refresher.source.name, progress if listings > 1 else "reading the last 30 days")

    def _spread_news(self) -> None:
        with self._news:
            self._news.notify_all()

    def status(self) -> Status:
        """Return the status of refreshing, whichever process does it."""
        archive, source, now = self._archive, self.refresher.source, self._clock()
        days, backoff = archive.days(None), archive.backoff()
        if self._store_error:
            backoff = replace(backoff, error=self._store_error.public)
        try:
            due_at = max(now, source.next_due(days, now))
        except FeedproxyError:  # a saved listing that is not there
            due_at = now
        facts = (archive.state(), backoff, archive.stats(), days.values())
        status = assess(*facts, due_at, now, is_live=not source.has_all_days, began_at=self._began_at)
        return replace(status, problems=archive.problems())

    def progress(self) -> Progress | None:
        """Return the progress of the first fill; None unless it is under way at the Hub, in whichever process."""
        if self._archive.cached_state().closed_at or not isinstance(self.refresher.source, Hub):
            return None
        if self._is_empty() and self.failure():
            return None
        progress = read_so_far(self._archive.days(), self._clock())
        return progress if progress.read < progress.total else None

    def failure(self) -> str | None:
        """Return what went wrong in the last refresh, of whichever process; None after a good one."""
        return self._store_error.public if self._store_error else self._archive.backoff().error

    def wait_for_papers(self, seconds: float) -> None:
        """Return once the archive holds a paper; raises UpstreamError after `seconds`, or when waiting is useless.

        All requests, in every process, wait for the same refresh; one thread of each process polls for the others.
        """
        until = time.monotonic() + seconds
        if self._may_be_empty():
            self._wake.set()  # the thread may still rest, unaware that the archive is gone
        is_polling = self._polling.acquire(timeout=max(seconds, 0))
        try:
            while self._is_empty():
                error = self._reason_to_give_up(until)
                if error and self._is_empty():  # a failure may follow the first papers
                    raise error
                with self._news:
                    self._news.wait(_POLL)
        finally:
            if is_polling:
                self._polling.release()

    def _is_empty(self) -> bool:
        return self._archive.cached_state().newest_entry_at is None

    def _may_be_empty(self) -> bool:
        try:
            return self._is_empty()
        except FeedproxyError:
            return True

    def _reason_to_give_up(self, until: float) -> UpstreamError | None:
        backoff = self._archive.backoff()
        if wait := seconds_to_wait(backoff, self._clock()):
            return NoPapersYet(backoff.error or "", wait)
        if self._store_error:
            return NoPapersYet(self._store_error.public, self._store_error.retry_after)
        if time.monotonic() > until:
            return NoPapersYet("the first listing is being read", self._seconds_to_first_listing())
        return None

    def _seconds_to_first_listing(self) -> int:
        """Return the seconds until the listing that is being read has come or failed: no answer takes longer."""
        waiting = (self._clock() - self._tried_at).total_seconds() if self._tried_at else 0
        return math.ceil(min(max(DEADLINE - waiting, 1), DEADLINE))
