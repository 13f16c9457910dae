"""The application of a published site in, the content of its files out. Writes no files.

Feeds, OPML, style and icons are what the server answers at the same paths. Equal papers, named feeds and address make
equal bytes: nothing depends on the clock, or on a vote that brings no entry.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import Flask, render_template

from feedproxy import HOME
from feedproxy.feeds import FORMATS, Feed
from feedproxy.feeds.digest import digest_title
from feedproxy.feeds.entry import link_of
from feedproxy.feeds.feed import Document
from feedproxy.feeds.sentence import cut
from feedproxy.feeds.tex import readable
from feedproxy.model import Digest, Entry
from feedproxy.query.named_feeds import NamedFeed
from feedproxy.service import Service
from feedproxy.text import one_line
from feedproxy.web import opml, static
from feedproxy.web.chart import Volume, volume
from feedproxy.web.context import context

STATUS = "status.json"
_STATIC = ("icon.png", "icon.svg", "style.css")
# A static host sends no headers, so the pages carry their policy (https://www.w3.org/TR/CSP3/#meta-element).
_POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'"
_NEWEST = 5  # entries of a feed, or papers of a digest, in the overview
_MAX_ERROR = 500  # characters


@dataclass(frozen=True, slots=True)
class _Overview:
    """A feed in the index: its document, and how many papers it brings a day (not of digests)."""

    named_feed: NamedFeed
    document: Document
    volume: Volume

    @property
    def feed(self) -> Feed:
        """The feed of the document."""
        return self.document.feed

    @property
    def entries(self) -> tuple[Entry | Digest, ...]:
        """The entries of the document, newest first."""
        return self.document.entries

    @property
    def digest(self) -> Digest | None:
        """The newest digest, if any."""
        return next((entry for entry in self.entries if isinstance(entry, Digest)), None)


def site_files(app: Flask, error: str | None) -> dict[str, bytes]:
    """Return the content of every file by its path: feeds, OPML, style, icons, index, 404 page and status.

    `app` has a public URL and named feeds; `error` is what went wrong in its last refresh. Raises NoPapersYet and
    ArchiveError.
    """
    with app.app_context():
        service, base = context().service, context().config.public_url or ""
        overviews = [_overview(service, named_feed, base) for named_feed in service.named_feeds]
        newest = max((entry.entered_at for overview in overviews for entry in overview.entries), default=None)
        pages = {
            "feeds.opml": opml.text((overview.feed, "rss") for overview in overviews),
            "index.html": _page("site.html", overviews=overviews, newest=newest),
            "404.html": _page("404.html", root=f"{base}/"),
            ".nojekyll": "",  # or GitHub Pages leaves out files by Jekyll's rules
        }
    files = {
        overview.named_feed.path(name): form.render(overview.document)
        for overview in overviews
        for name, form in FORMATS.items()
    }
    files |= {f"static/{name}": static.content(name) for name in _STATIC}
    files |= {path: text.encode() for path, text in pages.items()}
    return files | {STATUS: _status(overviews, newest, error, files).encode()}


def _overview(service: Service, named_feed: NamedFeed, base: str) -> _Overview:
    query, feed = named_feed.query, Feed(named_feed.query, base, named_feed)
    result = service.result(feed)
    document = Document(feed, result.entries, result.more)
    if query.digest:
        return _Overview(named_feed, document, Volume(()))
    days, (dates,) = service.archive.entry_dates_by_threshold(query, [query.min_upvotes])
    return _Overview(named_feed, document, volume(days, dates))


def _page(template: str, **values: object) -> str:
    """Return a page, which loads nothing from other sites and runs no script."""
    functions = {"link_of": link_of, "readable": readable, "digest_title": digest_title, "cut": cut}
    is_demo = context().config.is_demo
    return render_template(
        template, policy=_POLICY, formats=FORMATS, home=HOME, number=_NEWEST, is_demo=is_demo, **functions, **values
    )


def _status(
    overviews: Iterable[_Overview], newest: datetime | None, error: str | None, files: Mapping[str, bytes]
) -> str:
    """Return what the files hold, with the hash of each, as JSON.

    `newest_entry_at` is the date of the newest entry in any feed. A digest may be dated later than the newest paper in
    the archive, but no entry later than its last refresh.
    """
    status = {
        "newest_entry_at": newest and newest.isoformat(),
        "error": error and one_line(error, _MAX_ERROR),
        "feeds": [_summary(overview) for overview in overviews],
        "files": {path: hashlib.sha256(files[path]).hexdigest() for path in sorted(files)},
    }
    return json.dumps(status, indent=1) + "\n"


def _summary(overview: _Overview) -> dict[str, object]:
    feed = overview.feed
    return {
        "name": overview.named_feed.name,
        "title": feed.title,
        "query": str(feed.query),
        "entries": len(overview.entries),
        "updated": overview.document.updated.isoformat() if overview.entries else None,
        **{form: feed.address(form) for form in FORMATS},
    }
