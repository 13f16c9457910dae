"""What stands before Flask: answers from memory with one look-up, and admits a few other requests at a time.

Renders nothing.
"""

import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from feedproxy.errors import BusyError
from feedproxy.feeds import FORMATS
from feedproxy.web.admission import GATE, PATIENCE, Gate
from feedproxy.web.cache import ResponseCache, Variants
from feedproxy.web.errors import handle_error
from feedproxy.web.sharing import shared
from feedproxy.web.variants import choose_variant, request_key

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from feedproxy.metrics import Metrics

_SAFE = ("GET", "HEAD")
_FREE = ("/healthz", "/robots.txt", "/static/", "/favicon.ico")  # what costs no more than being refused
_PROBES = ("/readyz", "/status", "/status.json", "/metrics")  # for whoever looks after this server
_RENEWAL_PATIENCE = 1.0  # seconds to wait for a turn where there is an answer of a while ago


class CacheMiddleware:
    """A WSGI application that answers GET and HEAD of known targets, and hands `app` what gates admit of the rest."""

    def __init__(self, app: "WSGIApplication", answers: ResponseCache, metrics: "Metrics | None") -> None:
        self._app, self._answers, self._metrics = app, answers, metrics
        # Made once: a flood is refused thousands of times a second. Pages of other sites may read it, like any feed.
        self._busy = shared(handle_error(BusyError()), "/feed")
        self._gate, self._probe_gate = Gate(), Gate(running=1, waiting=5)
        self._renewal_gate = Gate(running=2, waiting=6)  # or, while new queries flood, no feed would become current

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        began = time.perf_counter()
        key, is_read = request_key(environ), environ["REQUEST_METHOD"] in _SAFE
        known = self._answers.lookup(key) if is_read else None
        if known:
            return self._answer_from_memory(known, environ, start_response, began)
        stale = self._answers.stale(key) if is_read else None
        try:
            with self._admitted(environ, is_renewal=stale is not None):
                answer = self._app(environ, start_response)
        except BusyError:
            if stale:
                return self._answer_from_memory(stale, environ, start_response, began)
            if self._metrics:
                self._metrics.refused("busy")
                self._metrics.answered("other", BusyError.status)
            return self._busy(environ, start_response)
        if self._metrics:
            self._metrics.took(time.perf_counter() - began, hit=False)
        return answer

    def _admitted(self, environ: "WSGIEnvironment", *, is_renewal: bool) -> AbstractContextManager[None]:
        path, gate = environ.get("PATH_INFO", ""), self._renewal_gate if is_renewal else self._gate
        if path.startswith(_FREE):
            return nullcontext()
        environ[GATE] = gate = self._probe_gate if path in _PROBES else gate
        return gate.admitted(_RENEWAL_PATIENCE if is_renewal else PATIENCE)

    def _answer_from_memory(
        self, answer: Variants, environ: "WSGIEnvironment", start_response: "StartResponse", began: float
    ) -> Iterable[bytes]:
        status, headers, body = choose_variant(answer, environ)
        if self._metrics:
            if answer.name in FORMATS:
                self._metrics.feed_served()
            self._metrics.answered(answer.name, int(status[:3]))
            self._metrics.took(time.perf_counter() - began, hit=True)
        start_response(status, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
