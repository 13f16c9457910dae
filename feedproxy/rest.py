"""A thread that works beside others: it rests as long as it has worked, so that they need not wait for it.

Python runs one thread at a time. A thread that computes gives way once in a millisecond, and one that reads from a
database, as a request does, at every row: so beside one another the request would hardly move.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SLICE, _LONGEST = 0.0003, 0.05  # seconds


class _Pace(threading.local):
    is_needed: Callable[[], bool] | None = None
    last_rest_at = 0.0  # in seconds of processor time of this thread


_pace = _Pace()


@contextmanager
def resting(is_needed: Callable[[], bool]) -> Iterator[None]:
    """Let `rest` rest within the block, in this thread, whenever `is_needed`."""
    _pace.is_needed, _pace.last_rest_at = is_needed, time.thread_time()
    try:
        yield
    finally:
        _pace.is_needed = None


def rest() -> None:
    """Rest as long as this thread has worked since its last rest; do nothing outside of `resting`."""
    if _pace.is_needed and (seconds := time.thread_time() - _pace.last_rest_at) > _SLICE:
        if _pace.is_needed():
            time.sleep(min(seconds, _LONGEST))
        _pace.last_rest_at = time.thread_time()
