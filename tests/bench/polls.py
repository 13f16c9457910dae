"""A repeated poll, which costs a look-up: requests a second against servers that only send the same bytes."""

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Protocol

from tests import hub as fake
from tests.bench import bare, servers
from tests.bench.archives import copied
from tests.bench.figures import Figure, Goal, Run, compared, interleaved
from tests.bench.load import GZIP, Reply, fetch, rate
from tests.bench.servers import Server

FEED = "/feed.rss?q=agents&min_upvotes=2"
_PER_HOP = ("date", "server", "connection", "transfer-encoding", "keep-alive")
_BARE = "tests.bench.bare:app"


class Runner(Protocol):
    """What starts a server."""

    def __call__(self, app: str, settings: Mapping[str, str]) -> AbstractContextManager[Server]: ...


def settings(archive: Path, hub: fake.Hub, **further: str) -> dict[str, str]:
    """Return the environment of a service on `archive` whose Hub is `hub`."""
    told = {"archive": str(archive), "listing": hub.url, "pace": "0"} | further
    return {f"FEEDPROXY_{name.upper()}": text for name, text in told.items()}


def asked(port: int, path: str, headers: Mapping[str, str] | None = None, status: int = 200) -> Reply:
    """Ask once; raises RuntimeError for another status."""
    reply = fetch(port, path, headers)
    if reply.status != status:
        raise RuntimeError(f"{path}: {reply.status} {reply.body[:200]!r}")
    return reply


def settled(hub: fake.Hub) -> None:
    """Return once the round of refreshing that a server began is over: the Hub lists nothing, so it soon is."""
    servers.until(lambda: len({day for day, _ in hub.asked()}) >= 31, "the service asks for no listings")
    before = 0
    while len(hub.requests) > before:  # so is that of the days before
        before = len(hub.requests)
        time.sleep(1)


def gunicorn(run: Run) -> Iterator[Figure]:
    """Compare under gunicorn as `gunicorn.conf.py` has it."""
    yield from _under("gunicorn", servers.gunicorn, (Goal("≥", 0.95), Goal("≥", 0.95)), run)


def sync(run: Run) -> Iterator[Figure]:
    """Compare under gunicorn's plainest worker, which answers one request at a time."""
    yield from _under("gunicorn, sync", partial(servers.gunicorn, flags=servers.SYNC), (None, None), run)


def granian(run: Run) -> Iterator[Figure]:
    """Compare under granian, and with nginx."""
    yield from _under("granian", servers.granian, (Goal("≥", 0.9), Goal("≥", 0.8)), run, with_nginx=True)


Goals = tuple[Goal | None, Goal | None]  # for a 200 and for a 304


def _under(name: str, start: Runner, goals: Goals, run: Run, *, with_nginx: bool = False) -> Iterator[Figure]:
    with ExitStack() as stack:
        hub = stack.enter_context(fake.running())
        ours = stack.enter_context(start("wsgi:app", settings(copied(1000, run.folder), hub)))
        asked(ours.port, FEED)
        settled(hub)
        found = asked(ours.port, FEED, GZIP)
        known = GZIP | {"If-None-Match": found.header("ETag")}
        unchanged = asked(ours.port, FEED, known, 304)
        _save(run.folder / "answers.json", found, unchanged)
        theirs = stack.enter_context(start(_BARE, {"ANSWERS": str(run.folder / "answers.json")}))
        pairs = [
            (ours.port, FEED, GZIP),
            (theirs.port, FEED, GZIP),
            (ours.port, FEED, known),
            (theirs.port, FEED, known),
        ]
        if with_nginx:
            files = stack.enter_context(_files(run.folder, found))
            pairs += [(files.port, FEED, GZIP), (files.port, FEED, GZIP | {"If-None-Match": _etag(files)})]
        measured = interleaved(run.rounds, *(partial(rate, *pair) for pair in pairs))
    size = f"{len(found.body):,} bytes"
    yield _compared(f"{name}: 200 gzip ({size}) / bare callable", measured[0], measured[1], goals[0])
    yield _compared(f"{name}: 304 / bare callable", measured[2], measured[3], goals[1])
    if with_nginx:
        yield _compared(f"{name}: 200 gzip / nginx, a file", measured[0], measured[4], Goal("≥", 0.6))
        yield _compared(f"{name}: 304 / nginx, a file", measured[2], measured[5], None)


def _compared(what: str, ours: list[float], theirs: list[float], goal: Goal | None) -> Figure:
    return compared(what, ours, theirs, goal, "{:,.0f}/s")


def _save(path: Path, found: Reply, unchanged: Reply) -> None:
    answers = {
        name: (
            f"{reply.status} {reply.reason}",
            [(key, value) for key, value in reply.headers if key.casefold() not in _PER_HOP],
            reply.body,
        )
        for name, reply in (("found", found), ("unchanged", unchanged))
    }
    bare.save(path, **answers)


def _files(folder: Path, found: Reply) -> AbstractContextManager[Server]:
    folder.joinpath("feed.rss.gz").write_bytes(found.body)
    return servers.nginx(folder, found.header("Content-Type"))


def _etag(files: Server) -> str:
    return asked(files.port, FEED, GZIP).header("ETag")
