"""A configuration and an address in, a running server out: granian, HTTP in Rust, Python only for answers.

Here is the parent's part: it listens, starts workers and replaces those that die or hang. Theirs is in `worker`.
"""

import logging
import multiprocessing
import re
import socket
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from feedproxy.config import Config
from feedproxy.errors import FeedproxyError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

log = logging.getLogger(__name__)

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 (only where the address says so)
_QUEUE = 2048  # connections that wait to be accepted
_CONNECTIONS = 900  # of one worker; each takes a file, of which a process may mostly open 1,024
_PATIENCE_MS = 10_000  # for a request's head, for the next request, and for a client that reads nothing
_HEAD_BYTES = (
    32_768  # granian's smallest unit of buffering: up to twice as much of a head is read, and of an answer queued
)
_LOG = {"formatters": {}, "handlers": {}, "loggers": {"_granian": {"propagate": True}}}
_LOOK = 2.0  # seconds between two looks at the workers
_LOOKS = 10  # without a sign of life until a worker is taken to hang

# Accepted connections inherit these. A system may lack one, as macOS does the second.
_TCP_OPTIONS = {
    "TCP_NODELAY": 1,
    "TCP_USER_TIMEOUT": _PATIENCE_MS,  # also ends a connection whose client's window stays shut (tcp(7))
    "TCP_NOTSENT_LOWAT": 16_384,  # bytes the kernel takes before the client reads; it would take megabytes
}


def listen(bind: str) -> tuple[str, socket.socket]:
    """Return the host in `bind` and a socket that listens there.

    Raises ValueError for what is not HOST:PORT, FeedproxyError where nobody can listen there.
    """
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*):([0-9]{1,5})", bind)
    if not found or int(found[2]) > 65_535:
        raise ValueError(f"{bind!r} is not HOST:PORT")
    host, port = found[1].strip("[]") or _EVERYWHERE[0], int(found[2])
    opened = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for name, value in _TCP_OPTIONS.items():
            with suppress(AttributeError, OSError):
                opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        opened.bind((host, port))
        opened.listen(_QUEUE)
    except OSError as error:
        opened.close()
        raise FeedproxyError(f"cannot listen at {bind}: {error.strerror}") from error
    opened.setblocking(False)
    return host, opened


def in_address(host: str) -> str:
    """Return `host` as it stands in an address."""
    return f"[{host}]" if ":" in host else host


def reachable(host: str) -> str:
    """Return the host name under which this machine reaches a server that listens at `host`."""
    return "localhost" if host in (*_EVERYWHERE, "127.0.0.1", "::1") else in_address(host)


def run(config: Config, listening: socket.socket, *, workers: int, greeting: str, log_json: bool) -> None:
    """Serve until a signal ends it; print `greeting` first.

    All workers accept from the one socket: what a worker that dies or hangs has not accepted, another does.
    """
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.log import LogLevels
    from granian.net import SocketHolder  # type: ignore[attr-defined]
    from granian.server.mp import MPServer

    from feedproxy.server.worker import load

    class Server(MPServer):
        def _init_shared_socket(self) -> None:
            """Share our socket, as granian does its own on macOS; elsewhere its workers listen each for themselves."""
            backlog = [] if sys.platform == "darwin" else [_QUEUE]
            self._ssp, self._sso = None, listening
            self._shd = SocketHolder(listening.fileno(), False, *backlog)  # type: ignore[assignment, call-arg]

    host, port = listening.getsockname()[:2]
    server = Server(
        "feedproxy",
        host,
        port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=_PATIENCE_MS, max_buffer_size=_HEAD_BYTES),
        workers=workers,
        # A thread for each connection, started when needed: no client that waits or reads slowly takes one from others.
        blocking_threads=_CONNECTIONS,
        backpressure=_CONNECTIONS,
        backlog=_QUEUE,
        respawn_failed_workers=True,
        workers_kill_timeout=30,
        log_level=LogLevels.error,  # it warns of any number of threads or workers above that of the processors
        log_dictconfig=_LOG,
    )
    signs, sign = multiprocessing.Pipe(duplex=False)
    first, claim = multiprocessing.Pipe(duplex=False)
    claim.send_bytes(b"")

    def started() -> None:
        print(greeting, file=sys.stderr, flush=True)
        threading.Thread(target=replace_hung_workers, args=(signs,), daemon=True).start()

    server.on_startup(started)
    server.serve(target_loader=partial(load, config, sign, first, log_json=log_json), wrap_loader=False)


def replace_hung_workers(signs: "Connection") -> None:
    """Kill each worker that has sent no sign of life in ten looks, for the server to start another in its place.

    Looks are counted, not seconds: when the whole machine stands still, no worker is to blame.
    """
    silent: dict[int | None, int] = {}
    while True:
        time.sleep(_LOOK)
        heard = set()
        while signs.poll():
            heard.add(signs.recv())
        workers = {child.pid: child for child in multiprocessing.active_children()}
        silent = {pid: 0 if pid in heard else silent.get(pid, 0) + 1 for pid in workers}
        for pid, looks in silent.items():
            if looks == _LOOKS:
                log.error("worker %s hangs: no sign of life for %g s; another takes its place", pid, _LOOK * looks)
                workers[pid].kill()
