"""What a page of any other site may read: feeds, OPML and status, and what is wrong with a request for one.

They are public and the same for all, so no site is named and no credentials count (Fetch standard, "CORS protocol").
"""

from flask import Flask, Response, request

from feedproxy.web.cache import Headers

_PATHS = ("/feed", "/f/", "/opml", "/status")
SHARED: Headers = (("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", "ETag, Retry-After"))
_PREFLIGHT: Headers = (
    *SHARED,
    ("Access-Control-Allow-Methods", "GET, HEAD"),
    ("Access-Control-Allow-Headers", "Cache-Control, If-Modified-Since, If-None-Match, Pragma, X-Requested-With"),
    ("Access-Control-Max-Age", "86400"),
)


def share(app: Flask) -> None:
    """Have `app`, whose other routes are there, say so with every answer, and answer what a browser asks before."""
    for rule in [rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith(_PATHS)]:
        app.add_url_rule(rule, "preflight", _preflight, methods=["OPTIONS"])
    app.after_request(lambda response: shared(response, request.path))


def _preflight(**_: str) -> Response:
    response = Response(status=204, headers=_PREFLIGHT)
    del response.headers["Content-Type"]  # of nothing
    return response


def shared(response: Response, path: str) -> Response:
    """Return the answer to a request for `path`, readable by pages of other sites if that is for them."""
    if path.startswith(_PATHS):
        response.headers.update(SHARED)
    return response
