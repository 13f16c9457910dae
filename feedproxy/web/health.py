"""The routes about the service itself: is it alive, ready and well, what was counted, what may be crawled."""

from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, request

from feedproxy.archive.deadline import time_limit
from feedproxy.query.parameters import PARAMETERS, Query
from feedproxy.web import responses
from feedproxy.web.context import context
from feedproxy.web.feeds import accepted_types

bp = Blueprint("standing", __name__)
_PATIENCE = 3.0  # seconds of reading the archive; whoever looks after this server does not wait long for an answer
_STATUS_TYPES = ("text/html", "application/json")


@bp.get("/healthz")
def health() -> Response:
    """Answer that the process does; touches nothing."""
    return responses.text("ok")


@bp.get("/robots.txt")
def robots() -> Response:
    """Keep crawlers from pages with a query, each of which leads to more of them; feeds they may have.

    They ask at the root of a host, so paths here are whole ones; and some take `/?` for `/`, hence each parameter.
    A server with an access key is not for them at all.
    """
    if context().config.access_key:
        return responses.text("User-agent: *\nDisallow: /")
    path = urlsplit(context().config.public_url or "").path
    queries = (f"?{name}=" for name in PARAMETERS)
    closed = [f"Disallow: {path}/{place}" for place in (*queries, "opml", "status", "metrics")]
    return responses.text("\n".join(["User-agent: *", *closed]))


@bp.get("/readyz")
def ready() -> Response:
    """Answer whether feeds can be served: whether the archive can be read and holds anything.

    Whoever waits for that sends no other request, so this one too sees that somebody refreshes.
    """
    context().loop.start()
    with time_limit(_PATIENCE):
        context().service.search(Query(limit=1))
    return responses.text("ready")


@bp.get("/status")
@bp.get("/status.json")
def status() -> Response:
    """Answer how things stand, for people or as JSON."""
    context().loop.start()
    with time_limit(_PATIENCE):
        stands = context().loop.status()
    by_path = request.path.endswith(".json")
    if by_path or accepted_types().best_match(_STATUS_TYPES) == _STATUS_TYPES[1]:
        response = responses.as_json(stands.as_json())
    else:
        response = responses.html("status.html", status=stands)
    if not by_path:
        response.vary.add("Accept")
    return response


@bp.get("/metrics")
def measured() -> Response:
    """Answer with Prometheus text, where that is configured."""
    served = context()
    if not served.metrics:
        abort(404)
    from feedproxy.metrics import CONTENT_TYPE

    text = served.metrics.exposition(served.loop.status(), served.loop.refresher.clock())
    return responses.no_store(text, CONTENT_TYPE)
