"""The page's route: a form's query in, the page with what its feed holds and would have delivered out."""

from dataclasses import replace
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from feedproxy.config import DEMO
from feedproxy.errors import FeedproxyError, QueryError, UpstreamError
from feedproxy.feeds import FORMATS, Feed, link_of
from feedproxy.filters import FIELDS
from feedproxy.papers import Paper
from feedproxy.preview import Preview, preview
from feedproxy.query import PARAMETERS, Query, parse_query, query_pairs
from feedproxy.web import replies
from feedproxy.web.errors import retry_after
from feedproxy.web.feed import feed_response, preferred
from feedproxy.web.service import base, query_string, service

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
    text = _filled_in(query_string())
    return feed_response(parse_query(text), name) if name else _page_response(text)


def _filled_in(text: str) -> str:
    """Return the query without the fields that a form sends empty."""
    return urlencode([(name, value) for name, value in query_pairs(text) if value or name not in PARAMETERS])


def _page_response(text: str) -> Response:
    query, shown, error = Query(), None, None
    try:
        query = parse_query(text)
        service().wait_until_filled()
        shown = preview(service().archive, query)
    except (QueryError, UpstreamError) as raised:
        error = raised
    values = _values(query, shown, error, dict(query_pairs(text)))
    if error:
        response = replies.html("page.html", error.status, **values)
        response.headers.extend(retry_after(error))
        response.vary.add("Accept")
        return response
    return replies.kept_html("page.html", request.environ, **values)


def _values(
    query: Query, shown: Preview | None, error: FeedproxyError | None, given: dict[str, str]
) -> dict[str, object]:
    found, more = (shown.entries, shown.more) if shown else ((), False)
    return {
        "feed": Feed(query, base(), found, more),
        "first": replace(query, page=1),
        "shown": shown,
        "error": error,
        "given": given,
        "further": any(name in PARAMETERS and name not in ("q", "min_upvotes", "page") for name in given),
        "formats": FORMATS,
        "parameters": PARAMETERS,
        "fields": FIELDS,
        "examples": _EXAMPLES,
        "readers": _READERS,
        "named": service().feeds,
        "link_of": link_of,
        "thumbnail": _has_thumbnail,
        "demo": service().config.listing == DEMO,
    }


def _has_thumbnail(paper: Paper) -> bool:
    """Say whether the page may load the picture of `paper`: only the Hub's, which its policy allows."""
    return bool(paper.thumbnail and replies.is_from_hub(paper.thumbnail))
