"""How long reading may take: a limit on the reads of one thread, which the databases ask for while they read.

Knows no database. A limit within a limit never extends it.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

READ_SECONDS = 5.0  # for one read of the archive, and for all of one request

_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Let every read within the block end at most `seconds` after its beginning; None sets no further limit."""
    until = math.inf if seconds is None else time.monotonic() + seconds
    token = _deadline.set(min(until, _deadline.get()))
    try:
        yield
    finally:
        _deadline.reset(token)


def remaining() -> float:
    """Return the seconds that reads in this thread have left: infinite without a limit, negative when they are over."""
    return _deadline.get() - time.monotonic()
