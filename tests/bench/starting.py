"""How long it takes until there is something: to import feedproxy, and to answer from an archive that is filled."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests import hub as fake
from tests.bench import servers
from tests.bench.archives import ROOT, copied
from tests.bench.figures import Figure, Goal, Run, interleaved
from tests.bench.polls import FEED, asked, settings
from tests.bench.servers import environment

_MODULES = ("feedproxy", "feedproxy.web")


def starting(run: Run) -> Iterator[Figure]:
    """Show how long imports take, and the way from a start to the first answer."""
    for name in _MODULES:
        _imported(name)  # so that all is compiled
    times = interleaved(run.rounds, *(partial(_imported, name) for name in _MODULES))
    for name, took in zip(_MODULES, times, strict=True):
        yield _figure(f'python -c "import {name}"', took, 0.4)
    archive = copied(1000, run.folder)
    yield _figure("start of gunicorn to the first feed", [_answered(archive) for _ in range(run.rounds)], 1)


def _figure(what: str, took: list[float], bound: float) -> Figure:
    told = f"{min(took):.2f} to {max(took):.2f} s"
    return Figure(what, told, statistics.median(took), Goal("≤", bound, "s", aim=True), "s")


def _imported(name: str) -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", f"import {name}"], cwd=ROOT, env=environment(), check=True, timeout=60)
    return time.monotonic() - began


def _answered(archive: Path) -> float:
    with fake.running() as hub, servers.gunicorn("wsgi:app", settings(archive, hub)) as server:
        asked(server.port, FEED)
        return time.monotonic() - server.started_at
