"""What the routes work with, and the address that feeds carry.

Answers nothing.
"""

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from flask import current_app, request

from feedproxy.archive import Archive
from feedproxy.config import Config
from feedproxy.errors import HostError
from feedproxy.named import Named
from feedproxy.refresh import Refresher
from feedproxy.responses import Answers
from feedproxy.web.admission import Gate

if TYPE_CHECKING:
    from feedproxy.metrics import Metrics

EXTENSION = "feedproxy"
_LONGEST_NAME = 253  # characters (RFC 1035, section 2.3.4)
_FIRST_WAIT = 10.0  # seconds a request waits for an empty archive to be filled
# One label that is no number in disguise, or a name under those set aside for local use.
_LOCAL_NAME = re.compile(r"(?!0x)[a-z0-9_-]*[a-z][a-z0-9_-]*|[a-z0-9_.-]+\.(localhost|local|internal|home\.arpa)")


@dataclass(frozen=True, slots=True)
class Service:
    """What the routes work with."""

    config: Config
    archive: Archive
    refresher: Refresher
    answers: Answers
    metrics: "Metrics | None"
    gate: Gate
    feeds: tuple[Named, ...] = ()

    def wait_until_filled(self) -> None:
        """See that somebody refreshes, and wait while there are no papers; raises UpstreamError."""
        self.refresher.start()
        if self.archive.recent().newest is None:
            with self.gate.paused():
                self.refresher.wait_until_filled(_FIRST_WAIT)


def open_metrics(config: Config) -> "Metrics | None":
    """Return what counts, if `config` says so."""
    if not config.metrics:
        return None
    if shared := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        Path(shared).mkdir(parents=True, exist_ok=True)
    from feedproxy.metrics import Metrics

    return Metrics()


def service() -> Service:
    """Return what the application at work works with."""
    found: Service = current_app.extensions[EXTENSION]
    return found


def query_string() -> str:
    """Return the query as it came, but for bare bytes, which are percent-encoded; they need not be UTF-8."""
    return re.sub("[\x80-\xff]", lambda found: f"%{ord(found[0]):02X}", request.query_string.decode("latin-1"))


def base() -> str:
    """Return the address feeds carry, without a slash; refuses a host this server was not told it has."""
    config = service().config
    host = _host(request.host)
    public = [_host(urlsplit(config.public_url).netloc)] if config.public_url else []
    if not _is_local(host) and host not in (*public, *config.hosts):
        known = f"this server does not go by “{host[:100]}”" if host else "the request names no host"
        raise HostError(f"{known}; FEEDPROXY_PUBLIC_URL or FEEDPROXY_HOSTS tells this server its names")
    if config.public_url:
        return config.public_url + config.access_path
    if request.scheme not in ("http", "https"):  # whoever stands in front passed on what a client made up
        raise HostError("X-Forwarded-Proto is neither http nor https")
    return f"{request.scheme}://{request.host.casefold()}{quote(request.root_path.rstrip('/'))}"


def _host(name: str) -> str:
    return re.sub(r":\d*$", "", name.casefold())


def _is_local(host: str) -> bool:
    """Say whether `host` is a name or address that only a local network can lead to."""
    if len(host) > _LONGEST_NAME:
        return False
    try:
        return ipaddress.ip_address(host.strip("[]")).is_private
    except ValueError:
        return bool(_LOCAL_NAME.fullmatch(host))
