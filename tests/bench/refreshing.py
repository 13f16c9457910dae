"""What readers notice of a refresh: how long the first one takes them, and how slow answers get while one runs."""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from feedproxy.model import Paper
from tests import hub as fake
from tests.bench import servers
from tests.bench.archives import copied
from tests.bench.figures import Figure, Goal, Run
from tests.bench.load import GZIP, Load, wrk
from tests.bench.memory import FEEDS
from tests.bench.polls import FEED, asked, settings
from tests.factories import entry, paper
from tests.prose import dressed

_A_DAY = 27
_DELAY = 0.5  # seconds
_IDLE, _BUSY = 4, 12  # seconds

# Readers who poll feeds that are in memory, in turn; each connection pauses before a poll, up to so many milliseconds.
_SCRIPT = """
local feeds, asked, pause = {%s}, 0, %d
request = function()
  asked = asked + 1
  return wrk.format("GET", feeds[1 + asked %% #feeds])
end
if pause > 0 then
  delay = function() return math.random(0, pause) end
end
"""
_READERS = 100  # connections


def first(run: Run) -> Iterator[Figure]:
    """Show how long after the Hub's first papers the first reader of an empty archive is answered."""
    at_once = [_first(run.folder / f"empty-{number}.sqlite", 0) for number in range(run.rounds)]
    yield _waited("first answer of an empty archive, the Hub answers at once", at_once, Goal("≤", 50, "ms"))
    slowly = [_first(run.folder / f"slow-{number}.sqlite", 0.1) for number in range(min(3, run.rounds))]
    yield _waited("the same, the Hub takes 100 ms an answer", slowly, None)


def _waited(what: str, took: list[float], goal: Goal | None) -> Figure:
    told = f"{min(took):.0f} to {max(took):.0f} ms after the Hub's first papers"
    return Figure(what, told, statistics.median(took), goal, "ms")


def _first(archive: Path, delay: float) -> float:
    """Return the milliseconds from the Hub's first listing with papers to the reader's answer."""
    with fake.running() as hub, ThreadPoolExecutor(1) as pool:
        hub.days, hub.delay = full_listings(), delay
        hub.gate.clear()
        with servers.gunicorn("wsgi:app", settings(archive, hub)) as server:
            reader = pool.submit(_timed, server.port)
            servers.until(lambda: hub.requests, "the service asks for no listing")
            time.sleep(0.3)  # for the reader, who may come after the refresh
            hub.gate.set()
            return (reader.result(30) - hub.answered_at[0]) * 1000


def _timed(port: int) -> float:
    asked(port, FEED)
    return time.monotonic()


def during(run: Run) -> Iterator[Figure]:
    """Show how long polls take at half the maximal rate while 30 days are read from a Hub that takes 500 ms each."""
    with fake.running() as hub:
        hub.days = full_listings()
        hub.gate.clear()
        with servers.granian("wsgi:app", settings(copied(1000, run.folder), hub)) as server:
            for path in FEEDS * 2:
                asked(server.port, path)
            most = _polls(run.folder, server.port, _IDLE).rate
            pause = round(2 * 1000 * _READERS / (most / 2))  # on average half of that
            idle = _polls(run.folder, server.port, _IDLE, pause)
            hub.delay = _DELAY
            hub.gate.set()
            busy = _polls(run.folder, server.port, _BUSY, pause)
            days = len({day for day, _ in hub.asked()})
    if days < 3:
        raise RuntimeError(f"only {days} days were read: no refresh ran to speak of")
    told = f"{busy.rate:,.0f}/s of {most:,.0f}/s, {days} days read: {_shown(busy)}; idle: {_shown(idle)}"
    yield Figure("p99 of polls while a refresh runs", told, busy.p99, Goal("≤", 10, "ms"), "ms")


def _shown(load: Load) -> str:
    return f"p50 {load.median:.1f}, p99 {load.p99:.1f}, max {load.slowest:.0f} ms"


def _polls(folder: Path, port: int, seconds: int, pause: int = 0) -> Load:
    """Poll the feeds for some seconds, from many connections that pause for up to `pause` ms before each poll."""
    script = folder / "feeds.lua"
    script.write_text(_SCRIPT % (", ".join(f'"{path}"' for path in FEEDS), pause))
    flags = ("-t1", f"-c{_READERS if pause else 16}", f"-d{seconds}s", "--timeout", "30s")
    return wrk(port, "/", GZIP, flags, script)


def full_listings() -> dict[date, list[Any]]:
    """Return listings of today and the weekdays of the 30 days before, as the Hub has them."""
    today = datetime.now(UTC).date()
    days = [day for age in range(31) if (day := today - timedelta(days=age)).weekday() < 5 or age == 0]
    return {day: [_entry(number, at, day) for at in range(_A_DAY)] for number, day in enumerate(days)}


def _entry(number: int, at: int, day: date) -> dict[str, Any]:
    made = dressed(paper(1 + number * 100 + at))
    return entry(1 + number * 100 + at, day=day, upvotes=2 + at, **_fields(made))


def _fields(made: Paper) -> dict[str, Any]:
    """Return what the Hub says of a paper, under its names."""
    organization = made.organization and {"name": made.organization.name, "fullname": made.organization.fullname}
    return {
        "title": made.title,
        "summary": made.summary,
        "authors": [{"name": name, "hidden": False} for name in made.authors],
        "thumbnail": made.thumbnail,
        "organization": organization,
        "githubRepo": made.github_repo,
        "projectPage": made.project_page,
        "ai_keywords": list(made.ai_keywords) or None,
        "ai_summary": made.ai_summary,
    }
