"""The routes about the service itself: probes, status, metrics, robots.txt."""

from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, request

from feedproxy.archive.backend import time_limit
from feedproxy.errors import NoPapersYet
from feedproxy.query.parameters import PARAMETERS, Query
from feedproxy.web import responses
from feedproxy.web.context import context
from feedproxy.web.feeds import accepted_types

bp = Blueprint("health", __name__)
_PATIENCE = 3.0  # seconds of reading the archive; monitoring does not wait long for an answer
_STATUS_TYPES = ("text/html", "application/json")


@bp.get("/healthz")
def health() -> Response:
    """Answer at once, without touching anything."""
    return responses.text("ok")


@bp.get("/robots.txt")
def robots() -> Response:
    """Keep crawlers from pages with a query, which link to more such pages; they may read feeds.

    Crawlers ask at the root of a host, so these are whole paths; some take `/?` for `/`, so each parameter has a line.
    """
    if context().config.access_key:
        return responses.text("User-agent: *\nDisallow: /")
    path = urlsplit(context().config.public_url or "").path
    paths = (*(f"?{name}=" for name in PARAMETERS), "opml", "status", "metrics")
    return responses.text("\n".join(["User-agent: *", *(f"Disallow: {path}/{path_end}" for path_end in paths)]))


@bp.get("/readyz")
def ready() -> Response:
    """Answer whether the archive is readable and holds a paper.

    Starts the refresh too: a client that waits for this sends no other request.
    """
    context().loop.start()
    with time_limit(_PATIENCE):
        try:
            context().service.search(Query(limit=1))
        except NoPapersYet:
            context().loop.wait_for_papers(0)  # raises an error that says why, and how long it takes
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
    """Answer with Prometheus text, or 404 unless the settings ask for it."""
    ctx = context()
    if not ctx.metrics:
        abort(404)
    from feedproxy.metrics import CONTENT_TYPE

    text = ctx.metrics.exposition(ctx.loop.status(), ctx.loop.refresher.clock())
    return responses.no_store(text, CONTENT_TYPE)
