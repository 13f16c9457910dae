"""Measure how quickly pages show and settle in Chromium, on a desktop and on a slow phone.

    python -m tests.vitals [ADDRESS ...]

Each ADDRESS is a page of a service on this machine (http://127.0.0.1:8000/?q=rl); without one, a made-up month is
served. Every figure is the median of five loads with an empty cache:

- LCP: milliseconds until the largest text or image is painted (https://web.dev/articles/lcp)
- CLS: how far things move that nobody touched (https://web.dev/articles/cls); each move counts
- TBT: milliseconds by which tasks after the first paint are longer than 50 (https://web.dev/articles/tbt)
- bytes of page, style and script, as sent and as they are; requests, thumbnails included
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Browser

from feedproxy.config import Config
from tests import month
from tests.browser import chromium

Figures = dict[str, float]

_LOADS = 5
_QUIET = 1_000  # milliseconds after the last request, for tasks and moves that come late
_PAGES = ("", "?q=rl&min_upvotes=2", "?q=rl&digest=week", "status")
# Each window: its size, and how many times slower than this machine its processor is.
_WINDOWS = {"1280×900": (1280, 900, 1), "390×844, CPU ÷4": (390, 844, 4)}
_OBSERVE = """
window.vitals = {moves: [], paints: [], tasks: []};
const watch = (type, list) => new PerformanceObserver(entries => window.vitals[list].push(...entries.getEntries()))
  .observe({type, buffered: true});
watch("layout-shift", "moves"); watch("largest-contentful-paint", "paints"); watch("longtask", "tasks");
"""
_REPORT = """() => {
  const {moves, paints, tasks} = window.vitals, sum = numbers => numbers.reduce((a, b) => a + b, 0);
  const painted = performance.getEntriesByName("first-contentful-paint")[0].startTime;
  const sent = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  const of = ending => sent.filter(entry => ending ? new URL(entry.name).pathname.endsWith(ending)
    : entry.entryType == "navigation");
  const figures = {
    LCP: Math.max(...paints.map(paint => paint.startTime)),
    CLS: sum(moves.filter(move => !move.hadRecentInput).map(move => move.value)),
    TBT: sum(tasks.filter(task => task.startTime + task.duration > painted).map(task => task.duration - 50)),
  };
  for (const [kind, ending] of [["html", ""], ["css", ".css"], ["js", ".js"]]) {
    figures[`${kind} sent`] = sum(of(ending).map(entry => entry.encodedBodySize));
    figures[`${kind} raw`] = sum(of(ending).map(entry => entry.decodedBodySize));
  }
  return {...figures, requests: sent.length};
}"""


def main(addresses: Sequence[str]) -> None:
    """Print the figures of each of `addresses`, or of our own pages, in each window."""
    with chromium.running() as browser:
        if addresses:
            _print(browser, addresses)
        else:
            with _served() as base:
                _print(browser, [f"{base}/{page}" for page in _PAGES])


@contextmanager
def _served() -> Iterator[str]:
    """Serve the made-up month; yield the address of the service."""
    with (
        TemporaryDirectory() as scratch,
        month.running(Config.load({}, month.write(Path(scratch)))) as client,
    ):
        yield str(client.base_url).rstrip("/")


def _print(browser: Browser, addresses: Sequence[str]) -> None:
    for address in addresses:
        print(f"\n{address}")
        for name, (width, height, slowness) in _WINDOWS.items():
            loads = [figures(browser, address, width, height, slowness) for _ in range(_LOADS)]
            medians = {name: median(load[name] for load in loads) for name in loads[0]}
            print(f"  {name:<16}", "  ".join(f"{name} {_written(name, value)}" for name, value in medians.items()))


def _written(name: str, value: float) -> str:
    return f"{value:.3f}" if name == "CLS" else f"{value:,.0f}"


def figures(browser: Browser, address: str, width: int, height: int, slowness: float) -> Figures:
    """Return the figures of one load of `address` in a window of that size (pixels), with an empty cache."""
    options: dict[str, Any] = {"viewport": {"width": width, "height": height}, "is_mobile": slowness > 1}
    with chromium.context(browser, chromium.Watch(), **options) as context:
        page = context.new_page()
        page.add_init_script(_OBSERVE)
        context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slowness})
        page.goto(address, wait_until="networkidle")
        page.wait_for_timeout(_QUIET)
        return page.evaluate(_REPORT)


if __name__ == "__main__":
    main(sys.argv[1:])
