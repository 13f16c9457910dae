"""A thread that rests as long as it works: by its own processor time, and only where it is told to."""

import threading
import time

from feedproxy.rest import rest, resting

_WORK = 0.01  # seconds


def rested(work: float) -> float:
    """Return how long `rest` took after so much work."""
    until = time.thread_time() + work
    while time.thread_time() < until:
        pass
    began = time.monotonic()
    rest()
    return time.monotonic() - began


def test_rest() -> None:
    """It takes as long as the work since the last one; after hardly any it takes no time."""
    with resting(lambda: True):
        assert rested(_WORK) >= _WORK


def test_no_rest() -> None:
    """Nobody rests outside of the block, in another thread, or while there is no need."""
    needs: list[bool] = []
    with resting(lambda: bool(needs.append(True))):
        rested(_WORK)
        assert [True] == needs
        other = threading.Thread(target=rested, args=(_WORK,))
        other.start()
        other.join()
    rested(_WORK)
    assert [True] == needs
