"""Where the application is mounted: a request's path in, the same without the public path and the access key out.

Refuses a request without the key, before anything that was answered before is looked up.
"""

import hmac
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

from werkzeug.middleware.proxy_fix import ProxyFix

from feedproxy.config import Config
from feedproxy.errors import AccessError
from feedproxy.web.errors import handle_error
from feedproxy.web.host import split_host

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from feedproxy.metrics import Metrics

NO_SLASH = "feedproxy.no_slash"  # in the environment of a request for where the application is mounted, without a slash
_OPEN = ("/healthz", "/readyz", "/robots.txt")  # who looks after the process needs no key, nor does who crawls


def with_prefix(
    app: "WSGIApplication", config: Config, metrics: "Metrics | None", is_route: Callable[[str], bool]
) -> "WSGIApplication":
    """Return `app`, which has a route of its own where `is_route` says so, behind what `config` asks for.

    The path of the public address, if it came, and the access key, which must, go from PATH_INFO to SCRIPT_NAME.
    """
    path, access = unquote_to_bytes(urlsplit(config.public_url or "").path).decode("latin-1"), config.access_path
    needs_slash = is_route(path)  # alone the path means that route

    def call(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        requested_path = environ.get("PATH_INFO", "")
        if requested_path.startswith(f"{path}/") or (requested_path == path and not needs_slash):
            _move(environ, len(path))
        if _is_below(environ, access):
            _move(environ, len(access))
        elif environ.get("PATH_INFO", "") not in _OPEN:
            if metrics:
                metrics.answered("other", AccessError.status)
            return handle_error(AccessError())(environ, start_response)
        return app(environ, start_response)

    below = call if path or access else app
    trusted = config.trusted_proxies
    return ProxyFix(below, x_for=trusted, x_proto=trusted, x_host=trusted) if trusted else below


def _is_below(environ: "WSGIEnvironment", access: str) -> bool:
    """Say whether the path is `access` or lies below it, in a time that tells nothing of how nearly it does."""
    begins = f"{environ.get('PATH_INFO', '')}/"[: len(access) + 1]
    return not access or hmac.compare_digest(begins.encode("latin-1", "replace"), f"{access}/".encode())


def _move(environ: "WSGIEnvironment", length: int) -> None:
    path = environ["PATH_INFO"]
    environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + path[:length]
    environ["PATH_INFO"] = path[length:]


def routable(app: "WSGIApplication") -> "WSGIApplication":
    """Return `app` behind what its routing needs: a path, and neither a host nor a scheme that it fails with.

    Where the path is empty Werkzeug would redirect to the host that the request seems to have come in at.
    """

    def call(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if "HTTP_HOST" in environ and not split_host(environ["HTTP_HOST"])[0]:
            environ["HTTP_HOST"] = ""
        if environ["wsgi.url_scheme"].casefold() not in ("http", "https"):
            environ["wsgi.url_scheme"] = ""
        if not environ.get("PATH_INFO"):
            environ["PATH_INFO"], environ[NO_SLASH] = "/", True
        return app(environ, start_response)

    return call
