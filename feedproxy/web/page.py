"""The page's route: a form's query in, the page with what the feed would hold out."""

from urllib.parse import urlencode

from flask import Blueprint, Response

from feedproxy.config import DEMO
from feedproxy.errors import QueryError, UpstreamError
from feedproxy.feeds import FORMATS, Feed, credit
from feedproxy.filters import FIELDS
from feedproxy.query import PARAMETERS, Query, parse_query, query_pairs
from feedproxy.web import replies
from feedproxy.web.errors import retry_after
from feedproxy.web.feed import feed_response, preferred
from feedproxy.web.service import base, query_string, service

bp = Blueprint("page", __name__)


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
    address, served = base(), service()
    query, found, error = None, None, None
    try:
        query = parse_query(text)
        served.wait_until_filled()
        found = served.archive.search(query)
    except (QueryError, UpstreamError) as raised:
        error = raised
    entries, more = (found.entries, found.more) if found else ((), False)
    response = replies.html(
        "page.html",
        error.status if error else 200,
        feed=Feed(query or Query(), address, entries, more),
        readable=query is not None,
        error=error,
        given=dict(query_pairs(text)),
        formats=FORMATS,
        parameters=PARAMETERS,
        fields=FIELDS,
        credit=credit,
        demo=served.config.listing == DEMO,
    )
    response.headers["Cache-Control"] = "no-store" if error else "no-cache"
    response.headers.extend(retry_after(error))
    response.vary.add("Accept")
    return response
