"""Text, pages and JSON in, responses out that no browser takes for anything else."""

import json
from urllib.parse import quote

from flask import Response, render_template, request

from feedproxy.web.cache import Variants, build_variants
from feedproxy.web.variants import choose_variant

_HTML = "text/html; charset=utf-8"
# The images it allows are those that `Paper.image` lets through.
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' https://*.huggingface.co; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# What goes with every page: it loads nothing from elsewhere but thumbnails, and tells nobody where it was.
_PAGE = (
    ("Content-Security-Policy", _PAGE_POLICY),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)
# Every page leads to a dozen more queries, each of which is work: one without a query is all that search engines need.
_NO_ROBOTS = ("X-Robots-Tag", "noindex, nofollow")


def text(line: str, status: int = 200) -> Response:
    """Return one line of plain text."""
    return no_store(f"{line}\n", "text/plain; charset=utf-8", status)


def redirect(path: str, query_string: str) -> Response:
    """Send the client to `path`, which is relative: only the server in front knows where it was asked."""
    response = no_store("", "text/plain; charset=utf-8", 301)
    response.headers["Location"] = f"./{quote(path.lstrip('/'))}{'?' * bool(query_string)}{query_string}"
    return response


def as_json(value: object) -> Response:
    """Return `value` as JSON for people to read too."""
    return no_store(json.dumps(value, indent=1) + "\n", "application/json")


def html(template: str, code: int = 200, **values: object) -> Response:
    """Return a page that no cache keeps."""
    response = no_store(render_template(template, **values), _HTML, code)
    response.headers.update((*_PAGE, _NO_ROBOTS))
    return response


def page(template: str, *, robots: bool, **values: object) -> Variants:
    """Return a page as an answer to keep: browsers may too, and ask each time whether it still holds."""
    body = render_template(template, **values).encode()
    headers = (("Cache-Control", "no-cache"), *_PAGE, *(() if robots else (_NO_ROBOTS,)))
    return build_variants("other", body, _HTML, None, headers)


def to_response(no_store: Variants) -> Response:
    """Return what the client at hand gets of a finished answer, which may be that it has it."""
    status, headers, body = choose_variant(no_store, request.environ)
    return Response(body, status=status, headers=headers)


def no_store(body: str | bytes, content_type: str, status: int = 200) -> Response:
    """Return a response of exactly this type, which is not to be kept."""
    response = Response(body, status=status, content_type=content_type)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
