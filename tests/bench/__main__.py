"""Run benchmarks and print one table: `python -m tests.bench [NAME …]`.

It reports and does not judge: the exit code is 1 only where something could not be run.
"""

import argparse
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from tests.bench import cold, databases, late, listings, memory, pages, polls, refreshing, starting, strangers
from tests.bench.archives import kept
from tests.bench.figures import Benchmark, Figure, Run, markdown, table
from tests.bench.load import WRK
from tests.bench.servers import needed

BENCHMARKS: dict[str, Benchmark] = {
    "polls": polls.gunicorn,
    "polls-sync": polls.sync,
    "polls-granian": polls.granian,
    "first": refreshing.first,
    "during": refreshing.during,
    "listings": listings.changes,
    "reading": listings.reading,
    "memory": memory.worker,
    "growth": memory.growth,
    "queries": memory.queries,
    "strangers": strangers.steady,
    "cold": cold.queries,
    "digests": cold.digests,
    "pages": pages.pages,
    "postgres": databases.cold,
    "late": late.cold,
    "refresh": cold.refreshes,
    "starting": starting.starting,
}
_ONLY_NAMED = ("polls-sync",)  # take their time, and no goal is about them
_ARCHIVES = (1000, 100_000)
_HEAD = ("what", "figure (medians)", "value", "rounds", "goal", "")


def main() -> int:
    """Run what the command line asks for; return the exit code."""
    options = _options()
    if options.list:
        print(*(f"{name:14} {made.__doc__}" for name, made in BENCHMARKS.items()), sep="\n")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for count in _ARCHIVES:
        kept(count)
    print(*_conditions(), sep="\n", flush=True)
    began, figures, failed = time.monotonic(), list[Figure](), 0
    for name in options.names or [name for name in BENCHMARKS if name not in _ONLY_NAMED]:
        found, error = _ran(name, options)
        figures, failed = figures + found, failed + bool(error)
    rows = [_HEAD, *(figure.cells() for figure in figures)]
    print(f"\n{(markdown if options.markdown else table)(rows)}" if figures else "")
    print(f"\n{time.monotonic() - began:.0f} s, load average {_load()}")
    return int(failed > 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="run these only")
    parser.add_argument("--list", action="store_true", help="name the benchmarks")
    parser.add_argument("--rounds", type=int, default=5, help="measure each so many times (default 5)")
    parser.add_argument("--full", action="store_true", help="ask 50,000 different queries; minutes")
    parser.add_argument("--markdown", action="store_true", help="print the table as docs/performance.md has it")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark is named {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    return options


def _ran(name: str, options: argparse.Namespace) -> tuple[list[Figure], Exception | None]:
    """Run one benchmark; return what it found, and what kept it from finding more."""
    began, found, error = time.monotonic(), list[Figure](), None
    try:
        with tempfile.TemporaryDirectory(prefix="feedproxy-bench-") as folder:
            found.extend(BENCHMARKS[name](Run(options.rounds, options.full, Path(folder))))
    except Exception as raised:  # noqa: BLE001 (the others are still to run)
        error = raised
        print(f"{name} could not be run: {raised}", file=sys.stderr)
    print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return found, error


def _conditions() -> Iterator[str]:
    """Yield what the figures depend on."""
    yield f"Python {platform.python_version()}, " + ", ".join(
        f"{name} {version(name)}" for name in ("gunicorn", "granian", "flask", "feedgen", "sqlalchemy")
    )
    yield f"{_first([needed('nginx', 'apt-get install nginx'), '-v'])}; {' '.join(WRK)}"
    yield f"{os.cpu_count()} cores, {_processor()}; load average {_load()}"


def _first(command: Sequence[str]) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    return (ran.stdout + ran.stderr).splitlines()[0]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _load() -> str:
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # the servers are ended by now
        sys.exit(130)
