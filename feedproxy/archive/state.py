"""Where an archive stands, and what looks at that, so that a poll need not read anything."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from feedproxy.errors import ArchiveError

_PAUSE, _PAUSE_WHILE_EMPTY = 1.0, 0.05  # seconds between two looks


@dataclass(frozen=True, slots=True)
class State:
    """Where the archive stands: its revision, its last good refresh, the newest date in it.

    `revision` is the time in microseconds at which what feeds show last changed, so that a copy that is put
    back never comes to a revision again with other papers. `backdated_at` is the last refresh that
    brought entries older than others there were.
    """

    revision: int
    refreshed_at: datetime | None
    newest_entry_at: datetime | None
    backdated_at: datetime | None


class Watcher:
    """Knows where an archive stood a second ago, by looking with `read`; safe to use from several threads.

    Looks in a thread of its own after `watch`, else, or where a `timer` is handed in, when it is asked.
    """

    def __init__(self, read: Callable[[], State], timer: Callable[[], float] | None) -> None:
        self._read, self._timer, self._has_thread = read, timer or time.monotonic, timer is None
        self._looking, self._starting = threading.Lock(), threading.Lock()
        self._state: State | None = None
        self._look_at = 0.0
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def cached_state(self) -> State:
        """Return where the archive stood a second ago or later; while it cannot be read, where it last stood."""
        if self._state is None or (not self._is_watching() and self._timer() >= self._look_at):
            self._look()
        return self._state or self._read()

    def watch(self) -> None:
        """Look every second in a thread, until closed; may be called again, as after a fork."""
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
        """Look at once: the archive has just been written to."""
        self._look_at = 0.0
        with suppress(ArchiveError):
            self._look()

    def offer(self, state: State) -> State:
        """Take `state`, which somebody has just read, for the recent one if it is newer; return it."""
        if self._state and state.revision > self._state.revision:
            self._state = state
        return state

    def _is_watching(self) -> bool:
        return self._thread is not None and self._thread.is_alive()  # after a fork it is not

    def _watch(self, closed: threading.Event) -> None:
        while not closed.is_set():
            with suppress(ArchiveError):
                self._look()
            closed.wait(self._pause() or _PAUSE_WHILE_EMPTY)

    def _pause(self) -> float:
        return _PAUSE if self._state and self._state.newest_entry_at else 0

    def _look(self) -> None:
        """Look where the archive stands, unless another thread does; where it cannot be read, nothing changes."""
        if self._looking.acquire(blocking=False):
            try:
                self._state = self._read()
            except ArchiveError:
                if self._state is None:
                    raise
            finally:
                self._look_at = self._timer() + self._pause()
                self._looking.release()
