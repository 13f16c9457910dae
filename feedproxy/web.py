"""Requests in, answers out: routes, negotiation, conditional requests, errors.

Decides nothing about papers: a request becomes a `Query`, the rest is the layers above.
"""

import ipaddress
import json
import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, abort, current_app, render_template, request
from werkzeug.exceptions import HTTPException

from feedproxy.archive import Archive, Found
from feedproxy.config import DEMO, Config
from feedproxy.errors import FeedproxyError, HostError, QueryError, UpstreamError
from feedproxy.feeds import FORMATS, Feed, credit, render
from feedproxy.filters import FIELDS
from feedproxy.query import PARAMETERS, Query, parse_query, query_pairs
from feedproxy.refresh import Refresher, utc_now
from feedproxy.responses import Answer, Answers, answer
from feedproxy.upstream import Source, open_source

if TYPE_CHECKING:
    from feedproxy.metrics import Metrics

log = logging.getLogger(__name__)
bp = Blueprint("feedproxy", __name__)
_FIRST_WAIT = 10.0  # seconds a request waits for an empty archive to be filled
_EXTENSION = "feedproxy"
_STATUS_TYPES = ("text/html", "application/json")
_PAGE_POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
# One label that is no number in disguise, or a name under those set aside for local use.
_LOCAL_NAME = re.compile(r"(?!0x)[a-z0-9_-]*[a-z][a-z0-9_-]*|[a-z0-9_.-]+\.(localhost|local|internal|home\.arpa)")


@dataclass(frozen=True, slots=True)
class _Service:
    """What the routes work with."""

    config: Config
    archive: Archive
    refresher: Refresher
    answers: Answers
    metrics: "Metrics | None"


def create_app(
    config: Config | None = None, *, source: Source | None = None, clock: Callable[[], datetime] = utc_now
) -> Flask:
    """Return the WSGI application; by default everything is as the environment says.

    Opens nothing yet, so that it may be created before a server forks. Raises ConfigError.
    """
    config = config or _environment()
    archive = Archive(config.archive)
    metrics = _metrics(config)
    observe = metrics.observe if metrics else None
    refresher = Refresher(source or open_source(config), archive, clock, observe=observe)
    app = Flask("feedproxy")
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.extensions[_EXTENSION] = _Service(config, archive, refresher, Answers(config.cache_bytes), metrics)
    if metrics:
        app.after_request(partial(_count, metrics))
    app.register_blueprint(bp)
    app.register_error_handler(Exception, _failed)
    return app


def _metrics(config: Config) -> "Metrics | None":
    if not config.metrics:
        return None
    from feedproxy.metrics import Metrics

    return Metrics()


def _count(metrics: "Metrics", response: Response) -> Response:
    metrics.answered((request.view_args or {}).get("name", "other"), response.status_code)
    return response


def _environment() -> Config:
    config = Config.load(os.environ)
    for line in config.unknown:
        log.warning("%s", line)
    return config


def _service() -> _Service:
    service: _Service = current_app.extensions[_EXTENSION]
    return service


# Routes -----------------------------------------------------------------------------------------


@bp.get("/feed.<any(rss, atom, json):name>")
def feed(name: str) -> Response:
    """Answer with the feed in one format."""
    return _feed_response(parse_query(_query_string()), name)


@bp.get("/feed")
def negotiated() -> Response:
    """Answer with the feed in the format the client likes best, else RSS."""
    response = _feed_response(parse_query(_query_string()), _preferred() or "rss")
    response.vary.add("Accept")
    return response


@bp.get("/")
def page() -> Response:
    """Answer with the page for people; with the feed for a client that prefers one."""
    name = _preferred(over="text/html")
    text = _filled_in(_query_string())
    response = _feed_response(parse_query(text), name) if name else _page_response(text)
    response.vary.add("Accept")
    return response


@bp.get("/healthz")
def health() -> Response:
    """Answer that the process does; touches nothing."""
    return _text("ok", 200)


@bp.get("/metrics")
def measured() -> Response:
    """Answer with Prometheus text, where that is configured."""
    service = _service()
    if not service.metrics:
        abort(404)
    from feedproxy.metrics import CONTENT_TYPE

    text = service.metrics.exposition(service.refresher.status(), service.refresher.clock())
    response = Response(text, content_type=CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.get("/readyz")
def ready() -> Response:
    """Answer whether feeds can be served: whether the archive can be read and holds anything."""
    if _service().archive.state().newest is None:
        raise UpstreamError("there are no papers yet")
    return _text("ready", 200)


@bp.get("/status")
@bp.get("/status.json")
def status() -> Response:
    """Answer how things stand, for people or as JSON."""
    stands = _service().refresher.status()
    as_json = request.path.endswith(".json") or request.accept_mimetypes.best_match(_STATUS_TYPES) == _STATUS_TYPES[1]
    response = _json(stands.as_json()) if as_json else _html("status.html", status=stands)
    response.headers["Cache-Control"] = "no-store"
    if not request.path.endswith(".json"):
        response.vary.add("Accept")
    return response


def _json(value: object) -> Response:
    response = Response(json.dumps(value, indent=1) + "\n", content_type="application/json")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _query_string() -> str:
    """Return the query as it came; what is not UTF-8 is told, not replaced."""
    try:
        return request.query_string.decode()
    except UnicodeDecodeError as error:
        raise QueryError("query", "is not UTF-8") from error


def _filled_in(query_string: str) -> str:
    """Return the query without the fields that a form sends empty."""
    return urlencode([(name, value) for name, value in query_pairs(query_string) if value or name not in PARAMETERS])


def _preferred(over: str | None = None) -> str | None:
    """Return the format that `Accept` ranks highest, if it ranks above the media type `over`."""
    accept = request.accept_mimetypes
    ranks = {
        name: max(accept.quality(kind) for kind in (form.media_type, *form.accepted)) for name, form in FORMATS.items()
    }
    best = max(ranks, key=lambda name: ranks[name])
    floor = accept.quality(over) if over else 0
    return best if request.headers.get("Accept") and ranks[best] > floor else None


# Feeds ------------------------------------------------------------------------------------------


def _feed_response(query: Query, name: str) -> Response:
    base = _base()
    service = _service()
    service.refresher.start()
    service.refresher.wait_until_filled(_FIRST_WAIT)
    state = service.archive.state()
    key = (str(query), name, base, state.revision)
    made = service.answers.get(key, lambda: _rendered(query, name, base, state.backdated_at))
    if service.metrics:
        service.metrics.fed()
    return _conditional(made)


def _rendered(query: Query, name: str, base: str, backdated_at: datetime | None) -> Answer:
    service = _service()
    if service.metrics:
        service.metrics.rendered()
    found = service.archive.search(query)
    made = Feed(query, base, found.entries, found.more)
    # A vote changes the body of a feed with counts, but no date in it; older entries none that is newest.
    changed = max(filter(None, (made.updated, backdated_at)))
    last_modified = None if query.counts else changed
    return answer(render(made, name), FORMATS[name].content_type, last_modified)


def _conditional(made: Answer) -> Response:
    """Answer with the representation the client takes, or 304 (RFC 9110, section 13.2.2)."""
    accepted = request.accept_encodings
    compress = 0 < accepted.quality("gzip") >= accepted.quality("identity")
    config = _service().config
    response = Response(made.compressed if compress else made.body)
    response.headers["Content-Type"] = made.media_type
    if compress:
        response.headers["Content-Encoding"] = "gzip"
    if made.media_type.endswith("json"):
        response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = (
        f"public, max-age={config.max_age}, stale-while-revalidate={config.stale_while_revalidate}, "
        f"stale-if-error={config.stale_if_error}"
    )
    response.vary.add("Accept-Encoding")
    response.set_etag(f"{made.etag}-gzip" if compress else made.etag)
    if made.last_modified:
        response.last_modified = made.last_modified
    response.make_conditional(request)
    del response.headers["Date"]  # werkzeug sets one, and so does every server
    return response


def _base() -> str:
    """Return the address feeds carry, without a slash; refuses a host this server was not told it has."""
    config = _service().config
    if config.public_url:
        return config.public_url
    host = re.sub(r":\d*$", "", request.host.casefold())
    if not _is_local(host) and host not in config.hosts:
        known = f"this server does not go by “{host[:100]}”" if host else "the request names no host"
        raise HostError(f"{known}; FEEDPROXY_PUBLIC_URL or FEEDPROXY_HOSTS tells this server its names")
    return request.root_url.rstrip("/")


def _is_local(host: str) -> bool:
    """Say whether `host` is a name or address that only a local network can lead to."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_private
    except ValueError:
        return bool(_LOCAL_NAME.fullmatch(host))


# The page ---------------------------------------------------------------------------------------


def _page_response(query_string: str) -> Response:
    base, service = _base(), _service()
    service.refresher.start()
    query, found, error = None, Found((), more=False), None
    try:
        query = parse_query(query_string)
        service.refresher.wait_until_filled(_FIRST_WAIT)
        found = service.archive.search(query)
    except (QueryError, UpstreamError) as raised:
        error = raised
    shown = Feed(query or Query(), base, found.entries, found.more)
    response = _html(
        "page.html",
        feed=shown,
        readable=query is not None,
        error=error,
        given=dict(query_pairs(query_string)),
        formats=FORMATS,
        parameters=PARAMETERS,
        fields=FIELDS,
        credit=credit,
        demo=service.config.listing == DEMO,
    )
    response.status_code = error.status if error else 200
    response.headers["Cache-Control"] = "no-store" if error else "no-cache"
    response.headers.extend(_retry_after(error))
    return response


def _html(template: str, **values: object) -> Response:
    """Return a page that loads nothing from elsewhere and tells nobody where it was."""
    response = Response(render_template(template, **values), mimetype="text/html")
    response.headers["Content-Security-Policy"] = _PAGE_POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


# Errors -----------------------------------------------------------------------------------------


def _failed(error: Exception) -> Response:
    """Answer an error with its one line."""
    if isinstance(error, FeedproxyError):
        if error.public != str(error):
            log.error("%s", error)
        response = _text(error.public, error.status)
        response.headers.extend(_retry_after(error))
        return response
    if isinstance(error, HTTPException):
        response = _text(_HTTP_LINES.get(error.code or 500, error.name), error.code or 500)
        response.headers.extend((name, value) for name, value in error.get_headers() if name in ("Allow", "Location"))
        return response
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return _text("something is wrong with this server; its log says what", 500)


def _retry_after(error: FeedproxyError | None) -> dict[str, str]:
    return {"Retry-After": str(error.retry_after or 60)} if error and error.status in (429, 503) else {}


_HTTP_LINES = {
    404: "there is no such page here; the feeds are /feed.rss, /feed.atom and /feed.json, the page is /",
    405: "only GET and HEAD are answered here",
}


def _text(line: str, status: int) -> Response:
    response = Response(f"{line}\n", status=status, content_type="text/plain; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
