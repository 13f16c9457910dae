"""A crowd at a cold archive: four workers, two hundred readers, one refresh."""

import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path

from tests import hub as fake
from tests.factories import entries

_CHECKOUT = Path(__file__).parents[2]
_READERS = 200
_DELAY = 0.5  # seconds
_TOPICS = ("agents", "retrieval", "diffusion", "tool", "policy", "context", "surveys", "gpus", "paper", "made")
_QUIET = 5.0  # seconds without a request, after which the refresh is over


@dataclass(frozen=True)
class Visit:
    """What one reader got, and when."""

    status: int
    size: int
    at: float


@contextmanager
def workers(archive: Path, listing: str, *, threads: int = 16, number: int = 4) -> Iterator[int]:
    """Serve from a checkout under gunicorn and yield the port."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        clean = {name: text for name, text in os.environ.items() if not name.startswith("FEEDPROXY_")}
        command = [sys.executable, "-m", "gunicorn", "-b", f"fd://{listening.fileno()}", "--log-level", "warning"]
        process = subprocess.Popen(
            [*command, "-w", str(number), "--threads", str(threads), "wsgi:app"],
            cwd=_CHECKOUT,
            pass_fds=[listening.fileno()],
            env=clean | {"PYTHONPATH": str(_CHECKOUT), "FEEDPROXY_LISTING": listing, "FEEDPROXY_ARCHIVE": str(archive)},
        )
        try:
            yield listening.getsockname()[1]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def get(port: int, path: str) -> Visit:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers={"Connection": "close"})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return Visit(response.status, len(body), time.monotonic())


def paths() -> list[str]:
    """Return the addresses of 200 different feeds, in the three formats."""
    formats = ("rss", "atom", "json")
    return [
        f"/feed.{formats[number % 3]}?q={_TOPICS[number % 10]}&min_upvotes={1 + number // 10}"
        for number in range(_READERS)
    ]


def last_days(today: date) -> Iterator[date]:
    """Yield today and the weekdays of the 30 days before."""
    yield today
    yield from (day for age in range(1, 31) if (day := today - timedelta(days=age)).weekday() < 5)


def wait_for_quiet(hub: fake.Hub) -> None:
    count, since = -1, time.monotonic()
    while time.monotonic() - since < _QUIET:
        if len(hub.requests) != count:
            count, since = len(hub.requests), time.monotonic()
        time.sleep(0.1)


def visits(port: int) -> tuple[float, list[Visit]]:
    """Send all readers at once; return when, and what they got."""
    together = threading.Barrier(_READERS + 1)

    def visit(path: str) -> Visit:
        together.wait()
        return get(port, path)

    with ThreadPoolExecutor(_READERS) as pool:
        waiting = [pool.submit(visit, path) for path in paths()]
        together.wait()
        started = time.monotonic()
        return started, [future.result() for future in waiting]


def test_cold_crowd(tmp_path: Path) -> None:
    """200 readers of 200 feeds at 4 cold workers cost one refresh; all are served; tells how soon."""
    with ExitStack() as stack:
        hub = stack.enter_context(fake.running())
        hub.days = {
            day: entries(30, day=day, first=1 + 100 * number, upvotes=40)
            for number, day in enumerate(last_days(datetime.now(UTC).date()))
        }
        hub.delay = _DELAY
        port = stack.enter_context(workers(tmp_path / "archive.sqlite", hub.url))
        while get(port, "/healthz").status != 200:
            time.sleep(0.1)
        time.sleep(2)  # for the last of the workers
        started, got = visits(port)
        wait_for_quiet(hub)
        asked = Counter(hub.asked())
    after = sorted(visit.at - hub.answered_at[0] for visit in got)
    report(got, after, hub.answered_at[0] - started, asked)
    expected = Counter({(str(day), "0"): 1 for day in window()})
    assert {200} == {visit.status for visit in got}
    assert expected == asked


def window() -> list[date]:
    today = datetime.now(UTC).date()
    return [today - timedelta(days=age) for age in range(31)]


def report(got: list[Visit], after: list[float], first: float, asked: Counter[tuple[str, str]]) -> None:
    tenths = statistics.quantiles(after, n=10)
    shown = " ".join(f"{value:.2f}" for value in (after[0], *tenths, after[-1]))
    print(f"\nstatus: {dict(Counter(visit.status for visit in got))}; bytes sent: {sum(visit.size for visit in got):,}")
    print(f"the Hub's first papers: {first:.2f} s after the crowd came; upstream requests: {asked.total()}")
    print(f"answers, seconds after that (first, tenths, last): {shown}")
    print(f"asked more than once: {[key for key, count in asked.items() if count > 1]}")
