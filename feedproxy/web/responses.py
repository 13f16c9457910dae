"""Text, pages, JSON and errors in, responses with safe headers out."""

import json
import logging
from urllib.parse import quote

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException

from feedproxy.errors import FeedproxyError, QueryError
from feedproxy.web.cache import NEGOTIATED, Headers, Variants, build_variants, choose_variant

log = logging.getLogger(__name__)
_HTML = "text/html; charset=utf-8"
_NO_SNIFFING = ("X-Content-Type-Options", "nosniff")
# A page loads nothing from other sites but the images that `Paper.image` allows, and sends no Referer.
_PAGE: Headers = (
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' https://*.huggingface.co; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("Referrer-Policy", "no-referrer"),
    _NO_SNIFFING,
)
# Every page links to a dozen more queries, and each is work. Search engines need only the page without a query.
_NO_ROBOTS = ("X-Robots-Tag", "noindex, nofollow")
# Pages of any other site may read these paths: they are public and the same for everybody (Fetch standard, "CORS
# protocol").
_SHARED_PATHS = ("/feed", "/f/", "/opml", "/status")
SHARED: Headers = (("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", "ETag, Retry-After"))
_PREFLIGHT: Headers = (
    *SHARED,
    ("Access-Control-Allow-Methods", "GET, HEAD"),
    ("Access-Control-Allow-Headers", "Cache-Control, If-Modified-Since, If-None-Match, Pragma, X-Requested-With"),
    ("Access-Control-Max-Age", "86400"),
)
_ERRORS = {
    404: "there is no such page here; the feeds are /feed.rss, /feed.atom and /feed.json, the page is /",
    405: "only GET and HEAD are answered here",
    414: "the address is too long",
}


def no_store(body: str | bytes, content_type: str, status: int = 200) -> Response:
    """Return a response that no cache keeps."""
    response = Response(body, status=status, content_type=content_type)
    response.headers.update((("Cache-Control", "no-store"), _NO_SNIFFING))
    return response


def text(lines: str, status: int = 200) -> Response:
    """Return lines of plain text."""
    return no_store(f"{lines}\n", "text/plain; charset=utf-8", status)


def html(template: str, code: int = 200, **values: object) -> Response:
    """Return a page that no cache keeps."""
    response = no_store(render_template(template, **values), _HTML, code)
    response.headers.update((*_PAGE, _NO_ROBOTS))
    return response


def page(template: str, *, robots: bool, **values: object) -> Variants:
    """Return a page for the cache; browsers may keep it too, but must ask each time whether it is current."""
    body = render_template(template, **values).encode()
    headers = (("Cache-Control", "no-cache"), *_PAGE, *(() if robots else (_NO_ROBOTS,)))
    return build_variants("other", body, _HTML, None, headers, NEGOTIATED)


def as_json(value: object) -> Response:
    """Return `value` as JSON that people can read too."""
    return no_store(json.dumps(value, indent=1) + "\n", "application/json")


def redirect(path: str, query_string: str) -> Response:
    """Send the client to `path`, relative, as only a server in front knows the public address."""
    response = no_store("", "text/plain; charset=utf-8", 301)
    response.headers["Location"] = f"./{quote(path.lstrip('/'))}{'?' * bool(query_string)}{query_string}"
    return response


def to_response(variants: Variants) -> Response:
    """Return the right variant for this request, or 304."""
    status, headers, body = choose_variant(variants, request.environ)
    return Response(body, status=status, headers=headers)


def handle_error(error: Exception) -> Response:
    """Answer with the one line of an error, or with a line for each mistake in a query."""
    if isinstance(error, FeedproxyError):
        if error.public != str(error):
            log.error("%s", error)
        response = text("\n".join(error.problems) if isinstance(error, QueryError) else error.public, error.status)
        response.headers.extend(retry_after(error))
        return response
    if isinstance(error, HTTPException):
        response = text(_ERRORS.get(error.code or 500, error.name), error.code or 500)
        response.headers.extend((name, value) for name, value in error.get_headers() if name == "Allow")
        return response
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return text("something is wrong with this server; its log says what", 500)


def retry_after(error: FeedproxyError | None) -> dict[str, str]:
    """Return the Retry-After header of an error that may pass (RFC 9110, section 10.2.3)."""
    return {"Retry-After": str(error.retry_after or 60)} if error and error.status in (429, 503) else {}


def share(response: Response, path: str = "") -> Response:
    """Let pages of other sites read the answer if `path`, by default that of this request, allows it."""
    if (path or request.path).startswith(_SHARED_PATHS):
        response.headers.update(SHARED)
    return response


def answer_preflights(app: Flask) -> None:
    """Answer the OPTIONS requests that browsers send before a page of another site may read the routes of `app`."""

    def preflight(**_: str) -> Response:
        response = Response(status=204, headers=_PREFLIGHT)
        del response.headers["Content-Type"]  # there is no content
        return response

    for rule in [rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith(_SHARED_PATHS)]:
        app.add_url_rule(rule, "preflight", preflight, methods=["OPTIONS"])
