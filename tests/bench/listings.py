"""A folder of saved listings: what a restart and a change cost, and what readers notice while it is read."""

import json
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, timedelta
from http.client import HTTPConnection
from itertools import chain
from pathlib import Path
from typing import Any

from feedproxy.archive import Archive
from feedproxy.ingest.refresher import Refresher
from feedproxy.ingest.source import SavedListings
from tests.bench import servers
from tests.bench.archives import copied
from tests.bench.figures import Figure, Goal, Run
from tests.bench.polls import FEED
from tests.bench.refreshing import full_listings
from tests.bench.servers import Start

_FEW, _MANY = 200, 1000  # files
_A_DAY = 27
_LARGE, _LARGEST = 4, 2**24 - 2**20  # files, and bytes of each
_PAUSE, _COLD_PAUSE = 0.005, 0.1  # seconds between two polls, and between two new queries
_QUIET = 40  # new queries
_FIRST = date(2020, 1, 1)


def changes(run: Run) -> Iterator[Figure]:
    """Show what it costs to look at a folder again: after a restart, and after a change of one file."""
    number, folder = _MANY if run.full else _FEW, run.folder / "saved"
    for at in range(number):
        _save(folder, at)
    with closing(Archive(str(run.folder / "archive.sqlite"))) as archive:
        whole = _cost(folder, archive)
        restarts = [_cost(folder, archive) for _ in range(run.rounds)]
        changed = []
        for votes in range(run.rounds):
            _save(folder, number // 2, upvotes=100 + votes)
            changed.append(_cost(folder, archive))
    for what, costs in (("a restart", restarts), ("a change of one file", changed)):
        cost = statistics.median(costs)
        told = f"{cost * 1000:.0f} ms of processor time against {whole:.1f} s"
        yield Figure(f"{what}, {number:,} saved files / reading all", told, cost / whole, Goal("≤", 0.05))


def _cost(folder: Path, archive: Archive) -> float:
    """Return the processor time of a refresh in a process that has just begun."""
    began = time.process_time()
    Refresher(SavedListings(folder), archive).refresh_once()
    return time.process_time() - began


def reading(run: Run) -> Iterator[Figure]:
    """Show how long polls and new queries take while the server reads saved files."""
    for name, start in servers.OURS.items():
        yield _polls(name, start, run.folder)
    yield _new_queries(run.folder)


def _polls(name: str, start: Start, folder: Path) -> Figure:
    """Poll one feed while a server reads files of 16 MB."""
    saved = folder / name
    for at in range(_LARGE):
        _save(saved, at, size=_LARGEST)
    archive = copied(1000, folder)
    with start(_settings(archive, saved)) as server:
        took = _timed(server.port, lambda _: FEED, _PAUSE, lambda: _files_read(archive) == _LARGE)
    told = f"p50 {statistics.median(took):.1f}, max {took[-1]:.0f} ms of {len(took):,} polls"
    p99 = took[len(took) * 99 // 100]
    return Figure(f"{name}: p99 of polls while it reads files of 16 MB", told, p99, Goal("≤", 50, "ms"), "ms")


def _new_queries(folder: Path) -> Figure:
    """Send queries that nobody has sent before, while a server of 100,000 papers reads a folder and afterwards."""
    saved, archive = folder / "many", copied(100_000, folder)
    for at in range(_FEW):
        _save(saved, at)
    with servers.granian("wsgi:app", _settings(archive, saved)) as server:
        address = "/feed.rss?q=agents+-stranger{}".format
        busy = _timed(server.port, address, _COLD_PAUSE, lambda: _files_read(archive) == _FEW)
        quiet = _timed(server.port, lambda at: address(at + 10**6), _COLD_PAUSE, _after(_QUIET))
    medians = statistics.median(busy), statistics.median(quiet)
    told = f"{medians[0]:.1f} against {medians[1]:.1f} ms; max {busy[-1]:.0f} ms of {len(busy):,}"
    what = "a new query while saved files are read / afterwards, 100,000 papers"
    return Figure(what, told, medians[0] / medians[1], Goal("≤", 2))


def _after(number: int) -> Callable[[], bool]:
    looks = iter(range(number))
    return lambda: next(looks, None) is None


def _timed(port: int, address: Callable[[int], str], pause: float, is_over: Callable[[], bool]) -> list[float]:
    """Send requests over one connection until it `is_over`; return how long each took in ms, in rising order."""
    took, end = list[float](), time.monotonic() + 300
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        while not is_over():
            if time.monotonic() > end:
                raise RuntimeError("the files are not read in five minutes")
            began = time.perf_counter()
            connection.request("GET", address(len(took)), headers={"Accept-Encoding": "gzip"})
            response = connection.getresponse()
            response.read()
            took.append((time.perf_counter() - began) * 1000)
            if response.status != 200:
                raise RuntimeError(f"{address(len(took))}: {response.status}")
            time.sleep(pause)
    return sorted(took[1:])


def _files_read(archive: Path) -> int:
    with closing(sqlite3.connect(archive)) as db:
        if db.execute("PRAGMA user_version").fetchone()[0] < 8:
            return 0
        number: int = db.execute("SELECT count(*) FROM files").fetchone()[0]
        return number


def _settings(archive: Path, listing: Path) -> dict[str, str]:
    return {"FEEDPROXY_ARCHIVE": str(archive), "FEEDPROXY_LISTING": str(listing)}


def _save(folder: Path, number: int, *, upvotes: int = 2, size: int = 0) -> None:
    """Write file `number` of a folder, with papers of its own day; so many of them that it has about `size` bytes."""
    day = _FIRST + timedelta(days=number)
    entries = [_renumbered(entry, 1000 * number + at, day, upvotes) for at, entry in enumerate(_pile())]
    texts = [json.dumps(entry) for entry in entries]
    copies = max(1, size // sum(map(len, texts)))
    folder.mkdir(exist_ok=True)
    folder.joinpath(f"{day}.json").write_text(f"[{', '.join(texts * copies)}]")


def _renumbered(entry: Any, number: int, day: date, upvotes: int) -> dict[str, Any]:
    own = {"id": f"97{number // 100_000:02d}.{number % 100_000:05d}", "submittedOnDailyAt": f"{day}T00:00:00Z"}
    return {**entry, "paper": {**entry["paper"], **own, "upvotes": upvotes}}


def _pile() -> list[Any]:
    return list(chain.from_iterable(full_listings().values()))[:_A_DAY]
