"""How long it takes until there is something: to import feedproxy, to run a command, to serve from a filled archive."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from tests import hub as fake
from tests.bench import servers
from tests.bench.archives import ROOT, copied
from tests.bench.figures import Figure, Goal, Run, interleaved
from tests.bench.polls import FEED, asked, settings
from tests.bench.servers import Server, environment

# What a process does anyway that makes one feed, or serves it: Python starts, and imports these libraries.
_FEED = "import click, feedgen.feed, jinja2, platformdirs, sqlalchemy"
_SERVE = f"{_FEED}, cachetools, flask, isal, granian.server.mp"


def starting(run: Run) -> Iterator[Figure]:
    """Show how long imports, a command and the way to the first feed take, beside what the libraries take alone."""
    archive = copied(1000, run.folder)
    with fake.running() as hub:
        own = settings(archive, hub)
        rows: list[tuple[str, Callable[[], float], float | None]] = [
            ('python -c ""', partial(_python, ["-c", ""], own), None),
            ('python -c "import feedproxy"', partial(_python, ["-c", "import feedproxy"], own), 0.1),
            ("feedproxy --version", partial(_command, ["--version"], own), None),
            ("feedproxy config", partial(_command, ["config"], own), None),
            ("the libraries of a feed", partial(_python, ["-c", _FEED], own), None),
            ("feedproxy feed, nothing is due", partial(_command, ["feed", "q=agents"], own), 0.6),
            ("feedproxy check", partial(_command, ["check", "q=agents"], own), None),
            ("the libraries of a server", partial(_python, ["-c", _SERVE], own), None),
            ("feedproxy serve to the first feed", partial(_first_feed, servers.feedproxy, own), 1),
            ("gunicorn to the first feed", partial(_first_feed, partial(servers.gunicorn, "wsgi:app"), own), 1),
        ]
        _command(["refresh"], own)
        for _, measure, _ in rows:
            measure()  # so that all is compiled
        times = interleaved(run.rounds, *(measure for _, measure, _ in rows))
    for (what, _, bound), took in zip(rows, times, strict=True):
        goal = None if bound is None else Goal("≤", bound, "s")
        yield Figure(what, f"{min(took):.2f} to {max(took):.2f} s", statistics.median(took), goal, "s")


def _command(words: list[str], own: dict[str, str]) -> float:
    return _python(["-m", "feedproxy", *words], own)


def _python(words: list[str], own: dict[str, str]) -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, *words], cwd=ROOT, env=environment() | own, check=True, timeout=60, stdout=-3)
    return time.monotonic() - began
