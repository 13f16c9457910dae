"""The routes of OPML files: several feeds for a reader to import at once (http://opml.org/spec2.opml)."""

from collections.abc import Iterable

from flask import Blueprint, Response, abort, render_template

from feedproxy.errors import QueryError
from feedproxy.feeds import FORMATS, Feed
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
    pairs = [(name, value) for name, value in query_pairs(query_string()) if not is_ignored(name)]
    if not pairs:
        raise QueryError("feed", f"is missing; {_HOW}")
    if others := [_no_parameter(name) for name, _ in pairs if name != "feed"]:
        raise QueryError.of(others)
    feeds: list[tuple[Feed, str]] = []
    mistakes: list[QueryError] = []
    for number, (_, address) in enumerate(pairs, 1):
        try:
            feeds.append(_read(number, address))
        except QueryError as error:
            mistakes += error.mistakes
    if mistakes:
        raise QueryError.of(mistakes)
    return _file(feeds)


@bp.get("/feeds.opml")
def named_feeds() -> Response:
    """Answer with the operator's feeds, or 404 if there are none: an OPML file needs at least one."""
    feeds = context().service.named_feeds
    if not feeds:
        abort(404)
    base = base_url()
    return _file((Feed(feed.query, base, feed), "rss") for feed in feeds)


def _no_parameter(name: str) -> QueryError:
    hint = did_you_mean(name, ["feed"]) or "; a & within a feed is written %26"
    return QueryError(quoted(name), f"there is no such parameter of an OPML file{hint}")


def _read(number: int, address: str) -> tuple[Feed, str]:
    """Return the feed and format that an address means; an error says which address it is."""
    if not address:
        raise QueryError(f"feed {number}", "is empty; feed.rss is the feed of every paper")
    try:
        base = base_url()
        feed, form = read_address(address, base, context().service.named_feeds, server=base)
        if not FORMATS[form].is_feed:
            rss = feed.address("rss").removeprefix(f"{base}/")
            raise QueryError(quoted(address), f"is {FORMATS[form].title}, not a feed, did you mean {rss}?")
        return feed, form
    except QueryError as error:
        where = "" if error.parameter == quoted(address) else f" {quoted(address)}"
        raise QueryError.of(QueryError(f"feed {number}{where}", line) for line in error.problems) from error


def _file(feeds: Iterable[tuple[Feed, str]]) -> Response:
    """Return the file of these feeds as a response, for a reader to save."""
    response = responses.no_store(text(feeds), "text/x-opml; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="feedproxy.opml"'
    return response


def text(feeds: Iterable[tuple[Feed, str]]) -> str:
    """Return an OPML file of these feeds in their formats, each address once."""
    outlines = {feed.at_page(1).address(form): (feed, form) for feed, form in feeds}
    return render_template("opml.xml", outlines=outlines) + "\n"
