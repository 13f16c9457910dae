"""The objects that the routes share, and the parts of a request that they read: query string and base URL."""

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from flask import current_app, request

from feedproxy.config import Config
from feedproxy.errors import HostError, NoPapersYet
from feedproxy.feeds import Feed
from feedproxy.host import is_local, origin, split_host
from feedproxy.ingest.loop import RefreshLoop
from feedproxy.service import Service
from feedproxy.web.cache import REQUEST_KEY, ResponseCache, Variants, negotiated_key

if TYPE_CHECKING:
    from feedproxy.metrics import Metrics

EXTENSION = "feedproxy"
# In the environment of a request: the `Gate` that admitted it, whether an older answer to it is in memory, and whether
# it came without the slash of the root.
GATE, IS_RENEWAL, NO_SLASH = "feedproxy.gate", "feedproxy.is_renewal", "feedproxy.no_slash"
_FIRST_WAIT = 10.0  # seconds a request waits for an empty archive to be filled


@dataclass(frozen=True, slots=True)
class Context:
    """The objects of one application."""

    config: Config
    service: Service
    loop: RefreshLoop
    cache: ResponseCache
    metrics: "Metrics | None"

    def answer(
        self, key: Hashable, make: Callable[[], tuple[Variants, int]], *, is_negotiated: bool = False
    ) -> Variants:
        """Return the answer in the cache under `key`, or let `make` make it; `make` also returns its revision.

        The answer `is_negotiated` if it depends on `Accept` too. Starts refreshing, and waits for the first papers;
        raises NoPapersYet if they do not come.
        """
        self.loop.start()
        request_key = negotiated_key(request.environ) if is_negotiated else request.environ[REQUEST_KEY]
        get = partial(self.cache.get, (key, is_negotiated), make, request_key)
        try:
            return get()
        except NoPapersYet:
            with request.environ[GATE].pause():
                self.loop.wait_for_papers(_FIRST_WAIT)
        return get()


def context() -> Context:
    """Return the objects of the current application."""
    ctx: Context = current_app.extensions[EXTENSION]
    return ctx


def requested_feed(name: str | None = None) -> Feed:
    """Return the feed that this request asks for, or the page it asks for of the feed `name`."""
    return context().service.feed(query_string(), base_url(), name)


def query_string() -> str:
    """Return the raw query string with bytes beyond ASCII percent-encoded; they need not be UTF-8."""
    return re.sub("[\x80-\xff]", lambda byte: f"%{ord(byte[0]):02X}", request.query_string.decode("latin-1"))


def base_url() -> str:
    """Return the address that feeds carry, without a slash at its end; raises HostError for an unknown host."""
    config, environ = context().config, request.environ
    own = environ["SERVER_NAME"].strip("[]")
    own_host = f"{f'[{own}]' if ':' in own else own}:{environ['SERVER_PORT']}"  # HTTP/1.0 may send no Host
    name, port = split_host(environ.get("HTTP_HOST", own_host))
    if not name or not (is_local(name) or {name, "*"} & config.host_names):
        problem = f"this server does not go by “{name[:100]}”" if name else "the request names no host"
        raise HostError(f"{problem}; FEEDPROXY_PUBLIC_URL or FEEDPROXY_HOSTS tells this server its names")
    if config.public_url:
        return config.public_url + config.access_path
    scheme = request.scheme.casefold()  # RFC 3986, section 3.1; a server in front may write it in capitals
    if scheme not in ("http", "https"):  # the server in front passed on a header that the client made up
        raise HostError("X-Forwarded-Proto is neither http nor https")
    return origin(scheme, name, port) + quote(request.root_path.rstrip("/"))
