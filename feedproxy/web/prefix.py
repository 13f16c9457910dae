"""Takes the public path and the access key from the path of each request; refuses requests without the key."""

import hmac
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

from werkzeug.middleware.proxy_fix import ProxyFix

from feedproxy.config import Config
from feedproxy.errors import AccessError
from feedproxy.web.responses import handle_error

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from feedproxy.metrics import Metrics

_OPEN = ("/healthz", "/readyz", "/robots.txt")  # need no key: for monitoring and crawlers


def with_prefix(
    app: "WSGIApplication", config: Config, metrics: "Metrics | None", is_route: Callable[[str], bool]
) -> "WSGIApplication":
    """Return `app` behind the public path, the access key and the trusted proxies of `config`.

    The public path, if any, and the access key, which is required, move from PATH_INFO to SCRIPT_NAME.
    """
    path, access = unquote_to_bytes(urlsplit(config.public_url or "").path).decode("latin-1"), config.access_path
    needs_slash = is_route(path)  # without a slash it is the route of that name

    def prefix(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        requested_path = environ.get("PATH_INFO", "")
        if requested_path.startswith(f"{path}/") or (requested_path == path and not needs_slash):
            _move(environ, len(path))
        if _has_key(environ, access):
            _move(environ, len(access))
        elif environ.get("PATH_INFO", "") not in _OPEN:
            if metrics:
                metrics.count_answer("other", AccessError.status)
            return handle_error(AccessError())(environ, start_response)
        return app(environ, start_response)

    below = prefix if path or access else app
    trusted = config.trusted_proxies
    return ProxyFix(below, x_for=trusted, x_proto=trusted, x_host=trusted) if trusted else below


def _has_key(environ: "WSGIEnvironment", access: str) -> bool:
    """Say whether the path is `access` or below it, in a time that tells nothing about the key."""
    start = f"{environ.get('PATH_INFO', '')}/"[: len(access) + 1]
    return not access or hmac.compare_digest(start.encode("latin-1", "replace"), f"{access}/".encode())


def _move(environ: "WSGIEnvironment", length: int) -> None:
    path = environ["PATH_INFO"]
    environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + path[:length]
    environ["PATH_INFO"] = path[length:]
