"""The routes of OPML files: feeds to be taken into a reader all at once (http://opml.org/spec2.opml)."""

from collections.abc import Iterable

from flask import Blueprint, Response, abort, render_template

from feedproxy.errors import QueryError
from feedproxy.feeds import Feed
from feedproxy.feeds.feed_url import read_address
from feedproxy.query.parameters import is_ignored, query_pairs, quoted
from feedproxy.text import did_you_mean
from feedproxy.web import responses
from feedproxy.web.context import base_url, context, query_string

bp = Blueprint("opml", __name__)
_HOW = "/opml?feed=q%3Dagents%26min_upvotes%3D2&feed=feed.atom%3Fq%3Drag makes a file of two feeds"


@bp.get("/opml")
def opml() -> Response:
    """Answer with the feeds that the query names."""
    texts = _asked(query_string())
    return _file(_read(number, text) for number, text in enumerate(texts, 1))


@bp.get("/feeds.opml")
def named() -> Response:
    """Answer with the feeds that have names; 404 where none has, as a file of none is no OPML."""
    if not context().service.named_feeds:
        abort(404)
    address = base_url()
    return _file((Feed(named.query, address, named), "rss") for named in context().service.named_feeds)


def _asked(text: str) -> list[str]:
    """Return what is given for `feed`, each time."""
    pairs = [(name, value) for name, value in query_pairs(text) if not is_ignored(name)]
    for name, _ in pairs:
        if name != "feed":
            hint = did_you_mean(name, ["feed"]) or "; a & within a feed is written %26"
            raise QueryError(quoted(name), f"there is no such parameter of an OPML file{hint}")
    if not pairs:
        raise QueryError("feed", f"is missing; {_HOW}")
    return [value for _, value in pairs]


def _read(number: int, text: str) -> tuple[Feed, str]:
    """Return one feed and its format; what is wrong with it is told with its number."""
    if not text:
        raise QueryError(f"feed {number}", "is empty; feed.rss is the feed of every paper")
    try:
        return read_address(text, base_url(), context().service.named_feeds)
    except QueryError as error:
        about = "" if error.parameter == quoted(text) else f" {quoted(text)}"
        raise QueryError(f"feed {number}{about}", str(error)) from error


def _file(feeds: Iterable[tuple[Feed, str]]) -> Response:
    """Return an OPML file of `feeds`, each address once, in their order."""
    outlines = {feed.at_page(1).address(form): (feed, form) for feed, form in feeds}
    response = responses.no_store(render_template("opml.xml", outlines=outlines) + "\n", "text/x-opml; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="feedproxy.opml"'
    return response
