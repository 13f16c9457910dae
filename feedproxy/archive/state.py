"""The state and size of an archive, what it finds, and a thread that reads it, so that a poll reads nothing."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Generic

from feedproxy.errors import ArchiveError
from feedproxy.model import E

_PAUSE, _PAUSE_WHILE_EMPTY = 1.0, 0.05  # seconds between two looks
_LATE = 2.0  # seconds that the thread may be late


@dataclass(frozen=True, slots=True)
class State:
    """The state of the archive; all times are aware UTC.

    `revision` is the time, in microseconds, of the last change of any feed, so a restored backup never repeats a
    revision with other papers. `backdated_at` is the last refresh that brought entries older than existing ones.
    `closed_at` is None until the first fill is complete: a period was last closed when this was the newest date.
    """

    revision: int
    refreshed_at: datetime | None
    newest_entry_at: datetime | None
    backdated_at: datetime | None
    closed_at: datetime | None = None

    @property
    def is_backdating_over(self) -> bool:
        """Say whether no more can come with the date `backdated_at`: a fill may store several listings in a second."""
        return self.backdated_at is None or self.revision >= (self.backdated_at.timestamp() + 1) * 1e6

    def has_refreshed_since(self, moment: datetime) -> bool:
        """Say whether there was a good refresh at `moment` (aware) or later."""
        return self.refreshed_at is not None and self.refreshed_at >= moment


@dataclass(frozen=True, slots=True)
class Stats:
    """The number of papers, and the date of the last new one (aware UTC)."""

    papers: int
    last_paper_at: datetime | None


@dataclass(frozen=True, slots=True)
class SearchResult(Generic[E]):
    """One page of a feed's entries, newest first; whether there are `more`; and the state of their archive."""

    entries: tuple[E, ...]
    more: bool
    state: State
    closed_at: datetime | None = None  # when the last of digests was made (aware UTC)


class Watcher:
    """Knows the state of a second ago, from `read`; safe to use from several threads.

    Reads in a thread of its own after `watch`; without that thread, or with a `timer`, when somebody asks. The same if
    the thread has not looked for some seconds: a fork does not copy it.
    """

    def __init__(self, read: Callable[[], State], timer: Callable[[], float] | None) -> None:
        self._read, self._timer, self._has_thread = read, timer or time.monotonic, timer is None
        self._looking, self._starting = threading.Lock(), threading.Lock()
        self._state: State | None = None
        self._look_at = 0.0
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def cached_state(self) -> State:
        """Return the state of a second ago or later; while the archive is unreadable, the last one."""
        if self._state is None or self._timer() >= self._look_at:
            self._look()
        return self._state or self._read()

    def watch(self) -> None:
        """Look every second in a thread until `close`; call it again after a fork."""
        with self._starting:
            if self._has_thread and not self._is_watching():
                self._closed = threading.Event()
                self._thread = threading.Thread(target=self._watch, args=(self._closed,), name="watch", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join(_PAUSE)

    def look_again(self) -> None:
        """Look at once, after a write to the archive."""
        self._look_at = 0.0
        with suppress(ArchiveError):
            self._look()

    def offer(self, state: State) -> State:
        """Keep `state`, which somebody has just read, if it is newer; return it."""
        if self._state and state.revision > self._state.revision:
            self._state = state
        return state

    def _is_watching(self) -> bool:
        return self._thread is not None and self._thread.is_alive()  # after a fork it is not

    def _watch(self, closed: threading.Event) -> None:
        while not closed.is_set():
            with suppress(ArchiveError):
                self._look(_LATE)
            closed.wait(self._pause() or _PAUSE_WHILE_EMPTY)

    def _pause(self) -> float:
        return _PAUSE if self._state and self._state.newest_entry_at else 0

    def _look(self, further: float = 0) -> None:
        """Read the state, unless another thread does; if the archive is unreadable, keep the last.

        Then somebody who asks need not look for a pause and `further` seconds.
        """
        if self._looking.acquire(blocking=False):
            try:
                self._state = self._read()
            except ArchiveError:
                if self._state is None:
                    raise
            finally:
                self._look_at = self._timer() + self._pause() + further
                self._looking.release()
