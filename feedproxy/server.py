"""A configuration and an address in, a running server out: gunicorn, its workers, and what they say at the start."""

import re
import socket
import sys
import threading
from typing import Any

from gunicorn.app.base import BaseApplication

from feedproxy.config import Config
from feedproxy.errors import FeedproxyError
from feedproxy.refresh import Refresher
from feedproxy.upstream import Hub
from feedproxy.web import create_app

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 (only where the address says so)
_PATIENCE = 60.0  # seconds until a server without papers says so on the terminal


def listen(bind: str) -> tuple[str, int, int]:
    """Return the host in `bind`, the descriptor of a socket that listens there, and its port.

    Raises ValueError for what is not HOST:PORT, FeedproxyError where nobody can listen there.
    """
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*):([0-9]{1,5})", bind)
    if not found or int(found[2]) > 65_535:
        raise ValueError(f"{bind!r} is not HOST:PORT")
    host, port = found[1].strip("[]") or _EVERYWHERE[0], int(found[2])
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as opened:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind((host, port))
            opened.listen(2048)
            port = opened.getsockname()[1]
            return host, opened.detach(), port
    except OSError as error:
        raise FeedproxyError(f"cannot listen at {bind}: {error.strerror}") from error


def in_address(host: str) -> str:
    """Return `host` as it stands in an address."""
    return f"[{host}]" if ":" in host else host


def reachable(host: str) -> str:
    """Return the host name under which this machine reaches a server that listens at `host`."""
    return "localhost" if host in (*_EVERYWHERE, "127.0.0.1", "::1") else in_address(host)


def run(config: Config, socket_number: int, workers: int) -> None:
    """Serve under gunicorn until a signal ends it."""

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            settings = {"bind": f"fd://{socket_number}", "workers": workers, "threads": 16, "loglevel": "warning"}
            settings["limit_request_line"] = 8190  # a filter of 500 characters, percent-encoded
            for name, value in settings.items():
                self.cfg.set(name, value)
            self.cfg.set("post_worker_init", _started)

        def load(self) -> Any:
            return create_app(config)

    Server().run()


def _started(worker: Any) -> None:
    """Refresh before the first reader asks; the first worker says so where that leads nowhere."""
    refresher = worker.wsgi.extensions["feedproxy"].refresher
    refresher.start()
    if worker.age == 1:
        threading.Thread(target=_tell_if_hopeless, args=(refresher,), daemon=True).start()


def _tell_if_hopeless(refresher: Refresher) -> None:
    try:
        refresher.wait_until_filled(_PATIENCE)
    except FeedproxyError as error:
        hint = "; to try feedproxy without a network: feedproxy serve --demo"
        print(f"feedproxy: {error}{hint if isinstance(refresher.source, Hub) else ''}", file=sys.stderr)
