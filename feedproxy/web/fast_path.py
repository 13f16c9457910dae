"""The middleware before Flask: answers from memory with one look-up, and admits a few other requests at a time.

Every other request takes the interpreter's lock and the processor, so without a limit one greedy client would keep
everybody waiting. Renders nothing.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from werkzeug.exceptions import RequestURITooLarge

from feedproxy.errors import BusyError
from feedproxy.host import split_host
from feedproxy.web.cache import (
    NOT_MODIFIED,
    OK,
    REQUEST_KEY,
    RequestKey,
    ResponseCache,
    Variants,
    choose_variant,
    negotiated_key,
    prefers_gzip,
)
from feedproxy.web.context import GATE, IS_RENEWAL, NO_SLASH
from feedproxy.web.responses import handle_error, share

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from feedproxy.metrics import Metrics

_SAFE = ("GET", "HEAD")
_FREE = ("/healthz", "/robots.txt", "/llms.txt", "/static/", "/favicon.ico")  # cost no more than a refusal
_PROBES = ("/readyz", "/status", "/status.json", "/metrics")  # for the operator's monitoring
_RUNNING, _WAITING = 2, 22  # requests; together fewer than the threads of a server, which also answer from memory
_PATIENCE = 5.0  # seconds that a request waits for its turn
_RENEWAL_PATIENCE = 1.0  # the same if an older answer is in memory
_MAX_ADDRESS = 20_000  # characters of path and query; the longest filter takes 6,000, percent-encoded
_MAX_ENCODINGS = 200
# Characters of each header that we parse: parsing can take time that grows with the square of the length. Browsers send
# a tenth of these.
_MAX_HEADER = {
    "HTTP_ACCEPT": 1000,
    "HTTP_ACCEPT_ENCODING": _MAX_ENCODINGS,
    "HTTP_HOST": 300,
    "HTTP_IF_MODIFIED_SINCE": 100,
    "HTTP_IF_NONE_MATCH": 2000,
    "HTTP_X_FORWARDED_FOR": 1000,
    "HTTP_X_FORWARDED_HOST": 1000,
    "HTTP_X_FORWARDED_PROTO": 1000,
}


class CacheMiddleware:
    """A WSGI application that answers GET and HEAD from memory, and passes other requests to `app`.

    If `app` is too busy, it answers with what is in memory even if the archive has changed since.
    """

    def __init__(
        self, app: "WSGIApplication", cache: ResponseCache, metrics: "Metrics | None", *, is_proxied: bool = False
    ) -> None:
        self._app, self._cache, self._metrics = app, cache, metrics
        self._request_key = proxied_request_key if is_proxied else request_key
        # Made once, as a flood brings thousands a second. Pages of other sites may read it, like any feed.
        self._busy = share(handle_error(BusyError()), "/feed")

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request (PEP 3333).

        Nearly every request repeats an earlier one, with the ETag of its answer or without conditions. So these cases
        come first, and take nothing that they do not need.
        """
        key = environ[REQUEST_KEY] = self._request_key(environ)
        variants = self._cache.recent(key)
        encodings = environ.get("HTTP_ACCEPT_ENCODING", "")
        if variants is not None and environ["REQUEST_METHOD"] == "GET" and len(encodings) <= _MAX_ENCODINGS:
            variant = variants.gzip if prefers_gzip(encodings) else variants.plain
            etag = environ.get("HTTP_IF_NONE_MATCH")
            if etag == variant.etag:
                self._count(variants, 304)
                start_response(NOT_MODIFIED, [*variant.validators])
                return []
            if etag is None and "HTTP_IF_MODIFIED_SINCE" not in environ:
                self._count(variants, 200)
                start_response(OK, [*variant.headers])
                return [variant.body]
        return self._answer_others(environ, start_response)

    def _answer_others(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if len(environ.get("PATH_INFO", "")) + len(environ.get("QUERY_STRING", "")) > _MAX_ADDRESS:
            return handle_error(RequestURITooLarge())(environ, start_response)
        for name, longest in _MAX_HEADER.items():
            if len(environ.get(name, "")) > longest:
                del environ[name]
        keys = [environ[REQUEST_KEY], negotiated_key(environ)] if environ["REQUEST_METHOD"] in _SAFE else []
        if variants := self._cache.lookup(*keys):
            return self._answer_from_memory(variants, environ, start_response)
        stale = self._cache.stale(*keys)
        environ[IS_RENEWAL] = stale is not None
        try:
            return self._app(environ, start_response)
        except BusyError:
            if stale:
                return self._answer_from_memory(stale, environ, start_response)
            if self._metrics:
                self._metrics.count_refusal("busy")
                self._metrics.count_answer("other", BusyError.status)
            return self._busy(environ, start_response)

    def _answer_from_memory(
        self, variants: Variants, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        status, headers, body = choose_variant(variants, environ)
        self._count(variants, int(status[:3]))
        start_response(status, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _count(self, variants: Variants, status: int) -> None:
        if self._metrics:
            self._metrics.count_answer(variants.name, status)


def request_key(environ: "WSGIEnvironment") -> RequestKey:
    """Return every part of a request, as the server passed it on, that the choice of an answer depends on.

    But for `Accept`, which few answers depend on: see `negotiated_key`.
    """
    host = environ.get("HTTP_HOST")
    return (
        environ.get("PATH_INFO", ""),
        environ.get("QUERY_STRING", ""),
        f" {environ['SERVER_NAME']}:{environ['SERVER_PORT']}" if host is None else host,
        environ["wsgi.url_scheme"],
        environ.get("SCRIPT_NAME", ""),
    )


def proxied_request_key(environ: "WSGIEnvironment") -> RequestKey:
    """Return the same behind trusted proxies, which pass on parts of the request in headers."""
    forwarded = environ.get("HTTP_X_FORWARDED_HOST", ""), environ.get("HTTP_X_FORWARDED_PROTO", "")
    return (*request_key(environ), *forwarded)


class Gate:
    """Lets `running` blocks of code run at a time while `waiting` others wait; raises BusyError for any more."""

    def __init__(self, running: int = _RUNNING, waiting: int = _WAITING) -> None:
        self._places = threading.Semaphore(running + waiting)
        self._turns = threading.Semaphore(running)

    @contextmanager
    def enter(self, patience: float = _PATIENCE) -> Iterator[None]:
        """Run the block when its turn comes; raises BusyError at once, or after `patience` seconds of waiting."""
        if not self._places.acquire(blocking=False):
            raise BusyError
        try:
            if not self._turns.acquire(timeout=patience):
                raise BusyError
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._places.release()

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Give the turn to another while the block only waits; then take a turn again."""
        self._turns.release()
        try:
            yield
        finally:
            self._turns.acquire()


class Admission:
    """A WSGI application that passes requests to `app` through a gate; raises BusyError if there is no room."""

    def __init__(self, app: "WSGIApplication", metrics: "Metrics | None") -> None:
        self._app, self._metrics = app, metrics
        self._gate, self._probe_gate = Gate(), Gate(running=1, waiting=5)
        self._renewal_gate = Gate(running=2, waiting=6)  # a flood of new queries must not stop renewals

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        began = time.perf_counter()
        with self._admit(environ):
            _make_routable(environ)
            body = self._app(environ, start_response)
        if self._metrics:
            self._metrics.time_answer(time.perf_counter() - began)
        return body

    def _admit(self, environ: "WSGIEnvironment") -> AbstractContextManager[None]:
        path, is_renewal = environ.get("PATH_INFO", ""), environ[IS_RENEWAL]
        if path.startswith(_FREE):
            return nullcontext()
        gate = self._renewal_gate if is_renewal else self._gate
        environ[GATE] = gate = self._probe_gate if path in _PROBES else gate
        return gate.enter(_RENEWAL_PATIENCE if is_renewal else _PATIENCE)


def _make_routable(environ: "WSGIEnvironment") -> None:
    """Change a request that Werkzeug's routing would fail with, or redirect to whatever host the request names."""
    if "HTTP_HOST" in environ and not split_host(environ["HTTP_HOST"])[0]:
        environ["HTTP_HOST"] = ""
    if environ["wsgi.url_scheme"].casefold() not in ("http", "https"):
        environ["wsgi.url_scheme"] = ""
    if not environ.get("PATH_INFO"):
        environ["PATH_INFO"], environ[NO_SLASH] = "/", True
