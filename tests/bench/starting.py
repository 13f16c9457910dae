"""How long it takes until there is something: to import feedproxy, to run a command, to serve from a filled archive."""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

from tests import hub as fake
from tests.bench import servers
from tests.bench.archives import ROOT, copied
from tests.bench.figures import Figure, Goal, Run, compared, interleaved
from tests.bench.polls import FEED, asked, settings
from tests.bench.servers import Start, environment

# What a process does in any case that makes one feed, or serves it: Python starts, and imports these libraries.
_FEED = "import click, feedgen.feed, platformdirs, sqlalchemy"
_SERVE = f"{_FEED}, cachetools, flask, isal, granian.server.mp"


def starting(run: Run) -> Iterator[Figure]:
    """Show how long imports, commands and the way to the first feed take, beside what the libraries take alone."""
    archive = copied(1000, run.folder)
    with fake.running() as hub:
        own = settings(archive, hub)
        rows: list[tuple[str, Callable[[], float], float | None]] = [
            ('python -c ""', partial(_python, own, "-c", ""), None),
            ('python -c "import feedproxy"', partial(_python, own, "-c", "import feedproxy"), 0.1),
            ("feedproxy --version", partial(_python, own, "-m", "feedproxy", "--version"), None),
            ("the libraries of a feed, imported", partial(_python, own, "-c", _FEED), None),
            ("feedproxy feed, nothing is due", partial(_python, own, "-m", "feedproxy", "feed", "q=agents"), 0.6),
            ("feedproxy check", partial(_python, own, "-m", "feedproxy", "check", "q=agents"), None),
            ("the libraries of a server, imported", partial(_python, own, "-c", _SERVE), None),
            ("start of feedproxy serve to the first feed", partial(_first_feed, servers.OURS["granian"], own), 1),
            ("start of gunicorn to the first feed", partial(_first_feed, servers.OURS["gunicorn"], own), 1),
        ]
        _python(own, "-m", "feedproxy", "refresh")
        for _, measure, _ in rows:
            measure()  # so that all is compiled
        times = interleaved(run.rounds, *(measure for _, measure, _ in rows))
        commands = ["-c", _FEED], ["-m", "feedproxy", "feed", "q=agents"]
        libraries, feed = interleaved(2 * run.rounds, *(partial(_processor, own, *words) for words in commands))
    for (what, _, bound), took in zip(rows, times, strict=True):
        goal = None if bound is None else Goal("≤", bound, "s")
        yield Figure(what, f"{min(took):.2f} to {max(took):.2f} s", statistics.median(took), goal, "s")
    yield compared("processor time of feedproxy feed / of the libraries of a feed", feed, libraries, None, "{:.2f} s")


def _python(own: dict[str, str], *words: str) -> float:
    began = time.monotonic()
    command = [sys.executable, *words]
    subprocess.run(command, cwd=ROOT, env=environment() | own, check=True, timeout=60, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def _processor(own: dict[str, str], *words: str) -> float:
    """Return the seconds of processor time of a command, which others on the machine hardly add to."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _python(own, *words)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _first_feed(start: Start, own: dict[str, str]) -> float:
    with start(own) as server:
        asked(server.port, FEED)
        return time.monotonic() - server.started_at
