"""How often a steady reader finds its feed in memory while strangers ask for something new all the time."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count

from tests.bench.figures import Figure, Goal, Run
from tests.bench.load import GZIP
from tests.bench.memory import serving
from tests.bench.polls import asked
from tests.bench.servers import Server
from tests.simulation import TOPICS

STEADY = tuple(f"/feed.json?q={topic}&limit=10" for topic in TOPICS)
_CACHE = 4 * 1024 * 1024
_RATE, _SECONDS = 50, 10
_PAUSES = 2
_GOAL = Goal("≥", 99, "%")


def steady(run: Run) -> Iterator[Figure]:
    """Show the hit share of 20 feeds polled every second, and of the same after more than the cache has passed by."""
    with serving(1000, run.folder, cache_bytes=str(_CACHE), metrics="1") as server:
        for _ in range(5):  # known as steady before strangers come
            _poll(server)
        yield _every_second(server)
        yield _after_pauses(server)


def _every_second(server: Server) -> Figure:
    over = threading.Event()
    new: list[str] = []
    threads = [threading.Thread(target=_stranger, args=(server, over, new, at), daemon=True) for at in range(4)]
    before, polls = _renderings(server), 0
    for thread in threads:
        thread.start()
    for _ in _paced(1, _SECONDS):
        polls += _poll(server)
    over.set()
    for thread in threads:
        thread.join()
    missed = _renderings(server) - before - len(new)
    told = f"{polls} polls, {len(new) / _SECONDS:.0f} strangers a second"
    return Figure("hits of 20 feeds polled every second, cache of 4 MiB", told, _share(missed, polls), _GOAL, "%")


def _stranger(server: Server, over: threading.Event, new: list[str], at: int) -> None:
    """Ask for something new a quarter of 50 times a second, as far as answers come so fast."""
    for number in _paced(4 / _RATE, 2 * _SECONDS):
        if over.is_set():
            return
        asked(server.port, f"/feed.json?q=agent+-new{at}x{number}&limit=3", GZIP)
        new.append("")


def _after_pauses(server: Server) -> Figure:
    """Poll after strangers have brought one and a half times the cache; twice each time, as readers who come back."""
    polls = missed = passed = 0
    numbers = count()
    for _ in range(_PAUSES):
        size = 0
        while size < 1.5 * _CACHE:
            reply = asked(server.port, f"/feed.json?q=agent+-passing{next(numbers)}&limit=50")
            size += len(reply.body)
        before = _renderings(server)
        polls += _poll(server)
        missed += _renderings(server) - before
        passed += size
    told = f"{polls} polls, {passed / _PAUSES / 1024 / 1024:.1f} MiB passed by before each"
    return Figure("hits of 20 feeds polled after long pauses, cache of 4 MiB", told, _share(missed, polls), _GOAL, "%")


def _poll(server: Server) -> int:
    for path in STEADY:
        asked(server.port, path, GZIP)
    return len(STEADY)


def _renderings(server: Server) -> int:
    text = asked(server.port, "/metrics").body.decode()
    found = re.search(r"^feedproxy_renderings_total (\S+)", text, re.MULTILINE)
    if not found:
        raise RuntimeError("/metrics has no feedproxy_renderings_total")
    return round(float(found[1]))


def _share(missed: int, polls: int) -> float:
    return 100 * (1 - missed / polls)


def _paced(pause: float, seconds: float, clock: Callable[[], float] = time.monotonic) -> Iterator[int]:
    """Yield numbers, `pause` seconds apart or as soon after that as the caller is ready."""
    began = clock()
    for number in count():
        if number * pause >= seconds:
            return
        time.sleep(max(0, began + number * pause - clock()))
        yield number
