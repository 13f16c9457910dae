"""A page that nobody asked for, beside the feed of the same query: processor time of the whole request."""

from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

from flask import Flask
from werkzeug.test import EnvironBuilder, run_wsgi_app

from feedproxy.config import Config
from feedproxy.web import create_app
from tests.bench.archives import copied
from tests.bench.cold import milliseconds
from tests.bench.figures import Figure, Goal, Run, compared, interleaved

QUERIES = {"a common word": "agent", "two words": "agent+robots", "a word no paper has": "agnets"}
_PAPERS = 100_000
_unasked = count()


def pages(run: Run) -> Iterator[Figure]:
    """Compare a cold page, with all its advice, with a cold feed of the same query."""
    app = _application(run.folder)
    for kind, words in QUERIES.items():
        measures = [partial(_asked, app, path, words) for path in ("/", "/feed.rss")]
        for measure in measures * 2:
            measure()
        page, feed = interleaved(2 * run.rounds, *(partial(milliseconds, measure) for measure in measures))
        yield compared(f"cold page, {kind} / its feed, {_PAPERS:,} papers", page, feed, Goal("≤", 4), "{:.1f} ms")
    app.extensions["feedproxy"].loop.stop()
    app.extensions["feedproxy"].service.archive.close()


def _application(folder: Path) -> Flask:
    """Return the application on a copy of an archive, whose listing is a folder where nothing changes."""
    saved = folder / "saved"
    saved.mkdir()
    saved.joinpath("2020-01-01.json").write_text("[]")
    settings = {"FEEDPROXY_ARCHIVE": str(copied(_PAPERS, folder)), "FEEDPROXY_LISTING": str(saved)}
    return create_app(Config.load(settings))


def _asked(app: Flask, path: str, words: str) -> None:
    builder = EnvironBuilder(f"{path}?q={words}+-unasked{next(_unasked)}", headers={"Accept": "text/html"})
    body, status, _ = run_wsgi_app(app, builder.get_environ())
    if not status.startswith("200") or not b"".join(body):
        raise RuntimeError(f"{path}: {status}")
