"""Before anything looks at a request: headers that no client sends are dropped, addresses that none asks for refused.

What parses headers may take time that grows with the square of their length.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_LONGEST_TARGET = 20_000  # characters of path and query; the longest filter takes 6,000, percent-encoded
_LONGEST = {  # characters of the headers that are parsed; browsers send a tenth of it
    "HTTP_ACCEPT": 1000,
    "HTTP_ACCEPT_ENCODING": 200,
    "HTTP_HOST": 300,
    "HTTP_IF_MATCH": 2000,
    "HTTP_IF_MODIFIED_SINCE": 100,
    "HTTP_IF_NONE_MATCH": 2000,
    "HTTP_IF_RANGE": 100,
    "HTTP_IF_UNMODIFIED_SINCE": 100,
    "HTTP_RANGE": 100,
    "HTTP_X_FORWARDED_FOR": 1000,
    "HTTP_X_FORWARDED_HOST": 1000,
    "HTTP_X_FORWARDED_PROTO": 1000,
}
_TOO_LONG = b"the address is too long\n"


class RequestLimits:
    """A WSGI application that hands `app` requests within the limits."""

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        if len(environ.get("PATH_INFO", "")) + len(environ.get("QUERY_STRING", "")) > _LONGEST_TARGET:
            kind, length = ("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(_TOO_LONG)))
            start_response("414 URI Too Long", [kind, length, ("Cache-Control", "no-store")])
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [_TOO_LONG]
        for name, longest in _LONGEST.items():
            if len(environ.get(name, "")) > longest:
                del environ[name]
        return self._app(environ, start_response)
