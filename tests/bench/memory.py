"""What a worker holds: proportional set sizes (PSS) of one worker, in MiB."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests import hub as fake
from tests.bench import servers
from tests.bench.archives import copied
from tests.bench.figures import Figure, Goal, Run
from tests.bench.load import GZIP, Load, fetch, wrk
from tests.bench.polls import asked, settings, settled
from tests.bench.servers import Server, Start

FEEDS = tuple(
    f"/feed.{form}{query}"
    for form in ("rss", "atom", "json")
    for query in ("", "?q=agents&min_upvotes=2", "?q=robots", "?min_upvotes=10")
)
_CACHE = 8 * 1024 * 1024
_SECONDS, _ALL = 7, 50_000
_AT_ONCE = 4
_LONG = tuple(f"/feed.json?q=agent+-warm{number}" for number in range(_AT_ONCE))

# Every request is for a query of its own; one in four for a long feed.
_SCRIPT = """
local asked = 0
request = function()
  asked = asked + 1
  return wrk.format("GET", "/feed.json?q=agent+-stranger" .. asked .. (asked % 4 == 0 and "" or "&limit=1"))
end
"""


def worker(run: Run) -> Iterator[Figure]:
    """Compare a worker with 100,000 papers with one with 1,000."""
    few, many = _served(1000, run.folder), _served(100_000, run.folder)
    yield _compared("memory of a worker, 100,000 papers / 1,000", many, few, 1.2)


def _compared(what: str, ours: float, theirs: float, bound: float) -> Figure:
    return Figure(what, f"{ours:.1f} MiB against {theirs:.1f} MiB", ours / theirs, Goal("≤", bound))


def _served(papers: int, folder: Path) -> float:
    with serving(papers, folder) as server:
        for path in FEEDS:
            asked(server.port, path, GZIP)
        return server.memory()


@contextmanager
def serving(papers: int, folder: Path, **further: str) -> Iterator[Server]:
    """Serve an archive of so many papers; the first round of refreshing, which finds nothing, is over."""
    with (
        fake.running() as hub,
        servers.gunicorn("wsgi:app", settings(copied(papers, folder), hub, **further)) as server,
    ):
        asked(server.port, FEEDS[0])
        settled(hub)
        yield server


def growth(run: Run) -> Iterator[Figure]:
    """Show what a worker with a cache of 8 MiB grows by under queries that are all different."""
    script = run.folder / "strangers.lua"
    script.write_text(_SCRIPT)
    with serving(1000, run.folder, cache_bytes=str(_CACHE)) as server:
        _warm(server)
        before, done, size, grown = server.memory(), 0, 0.0, list[float]()
        while done < _ALL and (run.full or len(grown) < 2):
            load = _strangers(server, script, done)
            done, size = done + load.requests, size + load.mebibytes
            grown.append(server.memory() - before)
    told = f"{grown[-1]:.1f} MiB after {done:,} queries and {size:,.0f} MiB ({grown[-2]:.1f} MiB {_SECONDS} s before)"
    share = grown[-1] * 1024 * 1024 / _CACHE
    yield Figure("growth by different queries / a cache of 8 MiB", told, share, Goal("≤", 1.2))


def _warm(server: Server) -> None:
    """Ask for long feeds at once, as often as strangers will, so that what it takes to make them is there already."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(partial(asked, server.port), _LONG * 4))


def _strangers(server: Server, script: Path, done: int) -> Load:
    """Ask different queries for some seconds, going on from those that are done."""
    script.write_text(_SCRIPT.replace("asked = 0", f"asked = {done}"))
    return wrk(server.port, "/", {}, ("-t1", f"-c{_AT_ONCE}", f"-d{_SECONDS}s", "--timeout", "30s"), script)


# Each needs a number, and so is for a query of its own: feeds in all formats, filters of many words, digests, pages,
# mistakes of words and of parameters.
_OWN = (
    "/feed.rss?q=agent+-stranger{}",
    "/feed.atom?q=robots+OR+stranger{}&min_upvotes=2",
    "/feed.json?q=agent+-stranger{}&limit=200&content=none",
    "/feed.md?q=str{}*+OR+diffusion",
    "/feed.rss?q=" + "+OR+".join(f"stranger{word}x{{0}}" for word in "abcdefghijklmnop") + "+OR+agents",
    "/feed.rss?q=author:ada+-stranger{}&days=365",
    "/feed.atom?digest=week&q=agent+-stranger{}",
    "/?q=agent+-stranger{}",
    "/?q=agnets{}",
    "/?digest=month&q=robots+-stranger{}",
    "/feed.rss?q=%22stranger{}",
    "/feed.rss?min_upvots={}",
)
_SOME = 3000


def queries(run: Run) -> Iterator[Figure]:
    """Show what a worker holds after different queries, with 1,000 and with 100,000 papers."""
    number = _ALL if run.full else _SOME
    for name, start in servers.OURS.items():
        few, many = (_after_queries(papers, start, number, run.folder) for papers in (1000, 100_000))
        for papers, (before, after) in (("1,000", few), ("100,000", many)):
            told = f"{before:.1f} MiB after its start"
            what = f"{name}: memory after {number:,} different queries, {papers} papers"
            yield Figure(what, told, after, Goal("≤", 100, "MiB"), "MiB")
        yield _compared(f"{name}: 100,000 papers / 1,000, after these queries", many[1], few[1], 1.2)


def _after_queries(papers: int, start: Start, number: int, folder: Path) -> tuple[float, float]:
    """Return the memory of a worker after its first answer, and after so many different queries."""
    with fake.running() as hub, start(settings(copied(papers, folder), hub)) as server:
        asked(server.port, FEEDS[0])
        settled(hub)
        before = server.memory()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for reply in pool.map(lambda at: fetch(server.port, _OWN[at % len(_OWN)].format(at), GZIP), range(number)):
                if reply.status not in (200, 400, 503):  # a busy machine runs out of time
                    raise RuntimeError(f"{reply.status} {reply.body[:200]!r}")
        return before, server.memory()
