"""How much cold work one process takes on: a few requests at a time, a few that wait, and no more.

A request is cold unless it is answered from memory. Cold work takes the interpreter's lock and the processor, so
without a bound one client that asks for much keeps everybody waiting.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from feedproxy.errors import BusyError

RUNNING, WAITING = 2, 22  # requests; together less than the threads of a server, which also answer from memory
GATE = "feedproxy.gate"  # in the environment of a request: the one that admitted it
PATIENCE = 5.0  # seconds that a request waits for its turn


class Gate:
    """Lets `running` blocks of code run at a time while `waiting` others wait; raises BusyError for all beyond."""

    def __init__(self, running: int = RUNNING, waiting: int = WAITING) -> None:
        self._places = threading.Semaphore(running + waiting)
        self._turns = threading.Semaphore(running)

    @contextmanager
    def admitted(self, patience: float = PATIENCE) -> Iterator[None]:
        """Run the block when it is its turn; raises BusyError at once, or after `patience` seconds of waiting."""
        if not self._places.acquire(blocking=False):
            raise BusyError
        try:
            if not self._turns.acquire(timeout=patience):
                raise BusyError
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._places.release()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let another have the turn within the block, in which this request only waits; then take a turn again."""
        self._turns.release()
        try:
            yield
        finally:
            self._turns.acquire()
