"""The way of one feed request through feedproxy/: `python -m tests.trace` prints it, function by function.

The request goes through the WSGI application in this process, once cold and once answered from memory.
"""

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

from werkzeug.test import EnvironBuilder, run_wsgi_app

import feedproxy
from feedproxy.archive import Archive
from feedproxy.config import Config
from feedproxy.ingest.parse import parse
from feedproxy.web import create_app
from tests.factories import api, entries

ROOT = Path(feedproxy.__file__).parent
FEED = "/feed.rss?q=agents&min_upvotes=2"
Call = tuple[int, str, str]  # depth, file, function


@dataclass
class Trace:
    """The calls of functions in feedproxy/, in order; comprehensions, lambdas and templates are left out."""

    calls: list[Call] = field(default_factory=list)

    @property
    def files(self) -> list[str]:
        """The files passed, in order of their first call."""
        return list(dict.fromkeys(file for _, file, _ in self.calls))

    @property
    def changes(self) -> int:
        """How often a call was in another file than the one before."""
        return sum(before[1] != after[1] for before, after in zip(self.calls, self.calls[1:], strict=False))

    def __str__(self) -> str:
        lines = [f"{'  ' * depth}{file}:{function}" for depth, file, function in self.calls]
        return "\n".join([*lines, f"{len(self.files)} files, {self.changes} changes of file, {len(self.calls)} calls"])


def traced(call: Callable[[], Any]) -> Trace:
    """Return the trace of what `call` calls."""
    trace, depth = Trace(), 0

    def profile(frame: FrameType, event: str, _: object) -> None:
        nonlocal depth
        path = Path(frame.f_code.co_filename)
        if not path.is_relative_to(ROOT) or path.suffix != ".py" or frame.f_code.co_name.startswith("<"):
            return
        if event == "call":
            trace.calls.append((depth, str(path.relative_to(ROOT)), frame.f_code.co_qualname))
            depth += 1
        elif event == "return":
            depth -= 1

    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
    return trace


def request_traces() -> tuple[Trace, Trace]:
    """Return the traces of a cold and of a hot request for a feed of papers that are in the archive."""
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    with TemporaryDirectory() as folder:
        archive = Archive(f"{folder}/archive.sqlite")
        archive.store([parse(api(entries(1, upvotes=3, title="Agents")))], now)
        config = Config.load({"FEEDPROXY_LISTING": f"{folder}/none.json", "FEEDPROXY_ARCHIVE": archive.address})
        app = create_app(config, archive=archive, clock=lambda: now)

        def ask(path: str) -> None:
            body, status, _ = run_wsgi_app(app, EnvironBuilder(path).get_environ())
            assert status.startswith("200"), status
            assert "cold" in path or b"<item>" in b"".join(body)

        ask("/feed.rss?q=cold")  # starts the refresher, compiles templates and statements
        cold = traced(lambda: ask(FEED))
        ask(FEED)  # which notes that the answer is in use
        hot = traced(lambda: ask(FEED))
        app.extensions["feedproxy"].loop.stop()
        archive.close()
    return cold, hot


def main() -> None:
    """Print both ways."""
    logging.disable()  # there is nothing to refresh from
    for name, trace in zip(("cold", "hot"), request_traces(), strict=True):
        print(f"# {name}: {FEED}\n{trace}\n")


if __name__ == "__main__":
    main()
