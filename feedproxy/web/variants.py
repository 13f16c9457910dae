"""A finished answer and a request in; which of its variants the client gets, or that it has it, out.

Here stands what of a request decides about the answer: its target, and its headers of negotiation and condition.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

from werkzeug.datastructures import Accept
from werkzeug.http import is_resource_modified, parse_accept_header

from feedproxy.web.cache import RequestKey, Variants

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

_EXACT = ("/feed.", "/f/", "/static/", "/favicon.ico")  # how paths begin whose answer does not depend on `Accept`


def request_key(environ: "WSGIEnvironment") -> RequestKey:
    """Return all of a request that decides which feed or page it gets and at which address."""
    path = environ.get("PATH_INFO", "")
    named = environ.get("HTTP_HOST")
    return (
        environ["wsgi.url_scheme"].casefold(),  # of a server in front, which may write it in capitals
        f" {environ['SERVER_NAME']}:{environ['SERVER_PORT']}" if named is None else named,
        environ.get("SCRIPT_NAME", ""),
        path,
        environ.get("QUERY_STRING", ""),
        "" if path.startswith(_EXACT) else environ.get("HTTP_ACCEPT", ""),
    )


def choose_variant(made: Variants, environ: "WSGIEnvironment") -> tuple[str, list[tuple[str, str]], bytes]:
    """Return status, headers and body of what the client takes of `made`, or of a 304 (RFC 9110, section 13.2.2)."""
    chosen = made.gzip if _takes_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")) else made.plain
    vary = "Accept-Encoding" if environ.get("PATH_INFO", "").startswith(_EXACT) else "Accept-Encoding, Accept"
    if _unmodified(environ, chosen.etag, made.last_modified):
        return "304 NOT MODIFIED", [*chosen.validators, ("Vary", vary)], b""
    return "200 OK", [*chosen.headers, ("Vary", vary)], chosen.body


def _unmodified(environ: "WSGIEnvironment", etag: str, last_modified: str | None) -> bool:
    """Say whether the client has it; the two plainest cases, nearly all polls, are told by a look."""
    held = environ.get("HTTP_IF_NONE_MATCH")
    if held == etag:
        return True
    if held is None and "HTTP_IF_MODIFIED_SINCE" not in environ:
        return False
    asked = {name: value for name, value in environ.items() if name != "HTTP_IF_MATCH"}  # that is for changes
    try:
        return not is_resource_modified(asked, etag=etag, last_modified=last_modified)
    except OverflowError:  # a date in a time zone that cannot be, which Werkzeug lets through
        return False


@lru_cache(256)
def _takes_gzip(accept_encoding: str) -> bool:
    """Say whether the client takes and prefers gzip; what readers send is weighed once (`limits` bounds its length)."""
    accepted = parse_accept_header(accept_encoding, Accept)
    return 0 < accepted.quality("gzip") >= accepted.quality("identity")
