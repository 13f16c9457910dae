"""Before anything looks at a request: headers that no client sends are dropped, addresses that none asks for refused.

What parses headers may take time that grows with the square of their length.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.exceptions import RequestURITooLarge

from feedproxy.web.errors import handle_error

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_LONGEST_TARGET = 20_000  # characters of path and query; the longest filter takes 6,000, percent-encoded
_LONGEST = {  # characters of the headers that are parsed; browsers send a tenth of it
    "HTTP_ACCEPT": 1000,
    "HTTP_ACCEPT_ENCODING": 200,
    "HTTP_HOST": 300,
    "HTTP_IF_MODIFIED_SINCE": 100,
    "HTTP_IF_NONE_MATCH": 2000,
    "HTTP_X_FORWARDED_FOR": 1000,
    "HTTP_X_FORWARDED_HOST": 1000,
    "HTTP_X_FORWARDED_PROTO": 1000,
}


def limited(app: "WSGIApplication") -> "WSGIApplication":
    """Return `app` behind these limits."""

    def call(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if len(environ.get("PATH_INFO", "")) + len(environ.get("QUERY_STRING", "")) > _LONGEST_TARGET:
            return handle_error(RequestURITooLarge())(environ, start_response)
        for name, longest in _LONGEST.items():
            if len(environ.get(name, "")) > longest:
                del environ[name]
        return app(environ, start_response)

    return call
