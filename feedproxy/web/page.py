"""The page's route: a form's query in, the page with what its feed holds and would have delivered out."""

from collections.abc import Mapping
from functools import partial
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from feedproxy.archive.deadline import READ_SECONDS, time_limit
from feedproxy.config import DEMO
from feedproxy.errors import FeedproxyError, QueryError, UpstreamError
from feedproxy.feeds import FORMATS, Document, Feed, link_of
from feedproxy.query.grammar import FIELDS
from feedproxy.query.parameters import PARAMETERS, Query, is_ignored, query_pairs
from feedproxy.web import responses
from feedproxy.web.cache import Variants, request_key
from feedproxy.web.context import NO_SLASH, base_url, context, query_string
from feedproxy.web.feeds import feed_response, preferred
from feedproxy.web.preview import Preview, preview

bp = Blueprint("page", __name__)

_EXAMPLES = (
    ("agents", "q=agents"),
    ('"tool use"', "q=%22tool%20use%22"),
    ("rl -survey", "q=rl%20-survey"),
    ("org:nvidia", "q=org:nvidia"),
    ("50 upvotes and more", "min_upvotes=50"),
    ("robot*, or 100 upvotes", "q=robot*&or_upvotes=100"),
)
# Readers that take a feed's address at the end of theirs.
_READERS = (
    ("Feedly", "https://feedly.com/i/subscription/feed/"),
    ("Inoreader", "https://www.inoreader.com/?add_feed="),
    ("NewsBlur", "https://www.newsblur.com/?url="),
    ("Feedbin", "https://feedbin.com/?subscribe="),
    ("The Old Reader", "https://theoldreader.com/feeds/subscribe?url="),
)


@bp.get("/")
def page() -> Response:
    """Answer with the page for people; with the feed for a client that prefers one."""
    name = preferred(over="text/html")
    if NO_SLASH in request.environ and not name:
        return responses.redirect(f"{request.root_path.rpartition('/')[2]}/", query_string())
    try:
        text = _filled_in(query_string())
        feed = context().service.feed(text, base_url())
        return feed_response(feed, name) if name else _page_response(feed, text)
    except (QueryError, UpstreamError) as error:
        if name:
            raise
        return _error_response(error)


def _filled_in(text: str) -> str:
    """Return the query without the fields that a form sends empty, and without what means nothing here."""
    pairs = [(name, value) for name, value in query_pairs(text) if not is_ignored(name)]
    return urlencode([(name, value) for name, value in pairs if value or name not in PARAMETERS])


def _page_response(feed: Feed, text: str) -> Response:
    """Answer with the page of `feed`, which was asked for by `text`, from memory if it is there."""
    served = context()
    served.wait_for_papers()
    key = ("page", feed.base, text)
    return responses.to_response(served.cache.get(key, partial(_rendered, feed, text), request_key(request.environ)))


def _rendered(feed: Feed, text: str) -> tuple[Variants, int]:
    """Return the page and the revision of the archive its entries were found in, and all else then or later."""
    with time_limit(READ_SECONDS):
        shown = preview(context().service, feed.query)
    document = Document(feed, shown.result.entries, shown.result.more)
    values = _values(document, dict(query_pairs(text)), shown=shown)
    robots = not (text or context().config.access_key)
    return responses.page("page.html", robots=robots, **values), shown.result.state.revision


def _error_response(error: FeedproxyError) -> Response:
    """Answer with the page without results, and what is wrong at the field it is about; a form shows what it can."""
    given = {name: text for name, text in request.args.items() if text}
    values = _values(Document(Feed(Query(), base_url())), given, error=error)
    response = responses.html("page.html", error.status, **values)
    response.headers.extend(responses.retry_after(error))
    response.vary.add("Accept")
    return response


def _values(
    document: Document, given: Mapping[str, str], *, shown: Preview | None = None, error: FeedproxyError | None = None
) -> dict[str, object]:
    return {
        "document": document,
        "feed": document.feed,
        "first": document.feed.at_page(1),
        "preview": shown,
        "error": error,
        "given": given,
        "further": any(name in PARAMETERS and name not in ("q", "min_upvotes", "page") for name in given),
        "formats": FORMATS,
        "parameters": PARAMETERS,
        "fields": FIELDS,
        "examples": _EXAMPLES,
        "readers": _READERS,
        "named": context().service.named_feeds,
        "link_of": link_of,
        "demo": context().config.listing == DEMO,
    }
