"""The routes about the service itself: is it alive, ready and well, what was counted, what crawlers may read."""

from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, request

from feedproxy.archive.backend import time_limit
from feedproxy.query.parameters import PARAMETERS, Query
from feedproxy.web import responses
from feedproxy.web.context import context
from feedproxy.web.feeds import accepted_types

bp = Blueprint("health", __name__)
_PATIENCE = 3.0  # seconds of reading the archive; monitoring does not wait long for an answer
_STATUS_TYPES = ("text/html", "application/json")


@bp.get("/healthz")
def health() -> Response:
    """Answer that the process answers; touches nothing."""
    return responses.text("ok")


@bp.get("/robots.txt")
def robots() -> Response:
    """Keep crawlers from pages with a query, each of which links to more of them; they may read feeds.

    They ask at the root of a host, so these are whole paths; and some take `/?` for `/`, hence each parameter.
    A server with an access key is not for them.
    """
    if context().config.access_key:
        return responses.text("User-agent: *\nDisallow: /")
    path = urlsplit(context().config.public_url or "").path
    paths = (*(f"?{name}=" for name in PARAMETERS), "opml", "status", "metrics")
    return responses.text("\n".join(["User-agent: *", *(f"Disallow: {path}/{closed}" for closed in paths)]))


@bp.get("/readyz")
def ready() -> Response:
    """Answer whether feeds can be served: whether the archive can be read and holds a paper.

    A client that waits for this sends no other request, so it too starts the refresh.
    """
    context().loop.start()
    with time_limit(_PATIENCE):
        context().service.search(Query(limit=1))
    return responses.text("ready")


@bp.get("/status")
@bp.get("/status.json")
def status() -> Response:
    """Answer how the service is doing, as a page or as JSON."""
    context().loop.start()
    with time_limit(_PATIENCE):
        report = context().loop.status()
    by_path = request.path.endswith(".json")
    if by_path or accepted_types().best_match(_STATUS_TYPES) == _STATUS_TYPES[1]:
        response = responses.as_json(report.as_json())
    else:
        response = responses.html("status.html", status=report)
    if not by_path:
        response.vary.add("Accept")
    return response


@bp.get("/metrics")
def metrics() -> Response:
    """Answer with Prometheus text, where that is configured."""
    ctx = context()
    if not ctx.metrics:
        abort(404)
    from feedproxy.metrics import CONTENT_TYPE

    text = ctx.metrics.exposition(ctx.loop.status(), ctx.loop.refresher.clock())
    return responses.no_store(text, CONTENT_TYPE)
