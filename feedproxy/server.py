"""A configuration and an address in, a running server out: granian does HTTP in Rust, Python only the answers.

The parent listens, starts workers, and replaces those that die or hang; each worker runs `load`. A worker is forked or,
from Python 3.14 on and on macOS, spawned, so its arguments must survive pickling. gunicorn.conf.py uses
`on_worker_start` and `on_worker_exit` too.
"""

import errno
import logging
import multiprocessing
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from feedproxy.config import Config
from feedproxy.errors import FeedproxyError
from feedproxy.host import is_local
from feedproxy.imports import import_without_gc
from feedproxy.ingest.source import Hub
from feedproxy.logs import start_log

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.synchronize import Semaphore
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from feedproxy.web.context import Context

log = logging.getLogger(__name__)

_ANY_HOST = ("0.0.0.0", "::")  # noqa: S104 (only if the operator asks for it)
_ELSEWHERE = ("192.0.2.1", 9)  # an address for examples (RFC 5737)
_QUEUE = 2048  # new connections
_CONNECTIONS = 900  # of one worker; each takes a file, and most systems allow a process 1,024
_PATIENCE_MS = 10_000  # for a request's head, for the next request, and for a client that reads nothing
_HEAD_BYTES = (
    32_768  # granian's smallest buffer: it reads up to twice as much of a head, and queues as much of an answer
)
_PIECE = 16_384  # bytes
_SMALL = 262_144  # bytes of an answer that granian gets whole: about as much as a thread and its pieces take
_LOG = {"formatters": {}, "handlers": {}, "loggers": {"_granian": {"propagate": True}}}
_BEAT = 1.0  # seconds between two signs of life of a worker
_LOOK = 2.0  # seconds between two looks at the workers
_LOOKS = 10  # without a sign of life until a worker counts as hung
_FIRST_PAPERS = 60.0  # seconds until a server without papers says so on the terminal
_GRACE = 1.0  # seconds for a refresh to end by itself
_M_ARENA_MAX = -8  # of malloc.h

# New connections inherit these. Some systems lack one: macOS has no TCP_USER_TIMEOUT.
_TCP_OPTIONS = {
    "TCP_NODELAY": 1,
    "TCP_USER_TIMEOUT": _PATIENCE_MS,  # also ends a connection whose client's window stays shut (tcp(7))
    "TCP_NOTSENT_LOWAT": 16_384,  # bytes the kernel takes before the client reads; it would take megabytes
}


# The parent -------------------------------------------------------------------------------------


def listen(bind: str) -> tuple[str, socket.socket]:
    """Return the host in `bind` and a listening socket; raises ValueError unless it is HOST:PORT, or FeedproxyError."""
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*):([0-9]{1,5})", bind)
    if not match or int(match[2]) > 65_535:
        raise ValueError(f"{bind!r} is not HOST:PORT")
    host, port = match[1].strip("[]") or _ANY_HOST[0], int(match[2])
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for name, value in _TCP_OPTIONS.items():
            with suppress(AttributeError, OSError):
                listening.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        listening.bind((host, port))
        listening.listen(_QUEUE)
    except OSError as error:
        listening.close()
        raise FeedproxyError(f"cannot listen at {bind}: {error.strerror}{_other_port(error, host, port)}") from error
    listening.setblocking(False)
    return host, listening


def _other_port(error: OSError, host: str, port: int) -> str:
    """Return the end of a sentence that says which port may do instead; nothing if the port is not to blame."""
    if error.errno == errno.EADDRINUSE:
        return f"; try another port: --bind {in_address(host)}:{port + 1 if port < 65_535 else 8000}"
    if error.errno == errno.EACCES:
        return f"; ports below 1024 are for root, others are not: --bind {in_address(host)}:8000"
    return ""


def in_address(host: str) -> str:
    """Return `host` as a URL spells it."""
    return f"[{host}]" if ":" in host else host


def reachable(host: str) -> str:
    """Return the name by which this machine reaches a server at `host`."""
    return "localhost" if host in (*_ANY_HOST, "127.0.0.1", "::1") else in_address(host)


def address_in_network(host: str) -> str:
    """Return this machine's IPv4 address for others in the local network, if a server at `host` listens there.

    Empty if it listens elsewhere, if there is no network, and where `container` is set, as in our image and by Podman:
    others cannot reach the address of a container.
    """
    if host not in _ANY_HOST or "container" in os.environ:
        return ""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(_ELSEWHERE)  # sends nothing: the system only chooses the address to send from
        address = str(probe.getsockname()[0])
        return address if is_local(address) else ""
    return ""


@dataclass(frozen=True)
class Worker:
    """The arguments of each worker; only the first worker gets the `turn`, and speaks for all."""

    config: Config
    log_json: bool
    signs: "Connection"
    turn: "Semaphore"


def run(config: Config, listening: socket.socket, *, workers: int, greeting: str, log_json: bool) -> None:
    """Print `greeting` and serve until a signal ends it.

    All workers accept from one socket, so the others take over if one dies or hangs.
    """
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.log import LogLevels
    from granian.net import SocketHolder  # type: ignore[attr-defined]
    from granian.server.mp import MPServer

    if multiprocessing.get_start_method() == "fork":  # workers share what is imported now; others import it themselves
        import_without_gc("feedproxy.web")

    class Server(MPServer):
        def _init_shared_socket(self) -> None:
            """Share our socket as granian does its own on macOS; elsewhere each of its workers would listen alone."""
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
        # A thread for each connection, started on demand, so that a slow client takes none from others.
        blocking_threads=_CONNECTIONS,
        backpressure=_CONNECTIONS,
        backlog=_QUEUE,
        respawn_failed_workers=True,
        workers_kill_timeout=30,
        log_level=LogLevels.error,  # it warns of more threads or workers than processors
        log_dictconfig=_LOG,
    )
    received, signs = multiprocessing.Pipe(duplex=False)
    worker = Worker(config, log_json, signs, multiprocessing.Semaphore())

    def on_startup() -> None:
        print(greeting, file=sys.stderr, flush=True)
        threading.Thread(target=_replace_hung_workers, args=(received,), daemon=True).start()

    # A new worker inherits the parent's handler, which would swallow a SIGTERM. So a worker starts with the signal
    # blocked, and takes it in `load`.
    sigterm = {signal.SIGTERM}
    os.register_at_fork(
        before=partial(signal.pthread_sigmask, signal.SIG_BLOCK, sigterm),
        after_in_parent=partial(signal.pthread_sigmask, signal.SIG_UNBLOCK, sigterm),
    )
    server.on_startup(on_startup)
    server.serve(target_loader=partial(load, worker), wrap_loader=False)


def _replace_hung_workers(signs: "Connection") -> None:
    """Kill each worker without a sign of life in ten looks; granian starts another.

    We count looks, not seconds: when the whole machine stands still, no worker is to blame.
    """
    silent: dict[int | None, int] = {}
    while True:
        time.sleep(_LOOK)
        alive = set()
        while signs.poll():
            alive.add(signs.recv())
        workers = {child.pid: child for child in multiprocessing.active_children()}
        silent = {pid: 0 if pid in alive else silent.get(pid, 0) + 1 for pid in workers}
        for pid, looks in silent.items():
            if looks == _LOOKS:
                log.error("worker %s hangs: no sign of life for %g s; another takes its place", pid, _LOOK * looks)
                workers[pid].kill()


# A worker ---------------------------------------------------------------------------------------


def load(worker: Worker) -> "WSGIApplication":  # pragma: no cover (coverage does not follow a fork of granian)
    """Return the application of a worker; runs in that worker."""
    _take_signals()
    _start_thread(_give_signs_of_life, worker.signs)
    _start_thread(_follow_parent)
    import_without_gc("feedproxy.web")
    from feedproxy.web import create_app
    from feedproxy.web.context import EXTENSION

    start_log(as_json=worker.log_json)
    app = create_app(worker.config)
    context = app.extensions[EXTENSION]
    on_worker_start(context, first=worker.turn.acquire(block=False))
    threading.Thread(target=_wait_for_end, args=(context,)).start()
    return in_pieces(app)


def on_worker_start(context: "Context", *, first: bool) -> None:
    """Start to refresh; the first worker complains on the terminal if no papers come."""
    _limit_arenas()
    context.loop.start()
    if first:
        _start_thread(_complain_without_papers, context)


def _limit_arenas() -> None:
    """Let all threads share two heaps: glibc would keep what each has freed for itself (mallopt(3))."""
    with suppress(ImportError, AttributeError, OSError):  # another C library
        import ctypes

        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def on_worker_exit(context: "Context") -> None:
    """Close the archive, so that only one file is left.

    This cuts off a long refresh, which gives its lease back and leaves no half of a transaction.
    """
    context.loop.stop(_GRACE)
    context.service.archive.close()


def in_pieces(app: "WSGIApplication") -> "WSGIApplication":
    """Return `app` with large answers in pieces: granian keeps a copy of each until the client has it."""

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        body = app(environ, start_response)
        is_small = isinstance(body, list) and sum(map(len, body)) <= _SMALL
        return body if is_small else _pieces(body)

    return answer


def _pieces(body: Iterable[bytes]) -> Iterator[bytes]:
    try:
        for part in body:
            for start in range(0, len(part), _PIECE):
                yield part[start : start + _PIECE]
    finally:
        if close := getattr(body, "close", None):
            close()


def _start_thread(target: Any, *args: Any) -> None:
    threading.Thread(target=target, args=args, daemon=True).start()


def _complain_without_papers(context: "Context") -> None:
    try:
        context.loop.wait_for_papers(_FIRST_PAPERS)
    except FeedproxyError as error:
        hint = "; to try feedproxy without a network: feedproxy serve --demo"
        print(f"feedproxy: {error}{hint if isinstance(context.loop.refresher.source, Hub) else ''}", file=sys.stderr)


def _give_signs_of_life(signs: "Connection") -> None:  # pragma: no cover
    """Send the parent signs of life; a process that is frozen or stuck in C code sends none."""
    while True:
        signs.send(os.getpid())
        time.sleep(_BEAT)


def _take_signals() -> None:  # pragma: no cover
    """Block signals in all threads of this worker but one, which waits for SIGTERM.

    granian waits for a signal to interrupt its main thread; a signal to another thread does not, and a second one can
    lock it up. A terminal sends Ctrl-C to all processes, and only the parent acts on it.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # until granian sets its own; the parent's, forked, does nothing here
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    _start_thread(_end_on_sigterm)


def _end_on_sigterm() -> None:  # pragma: no cover
    signal.sigwait({signal.SIGTERM})
    handler = signal.getsignal(signal.SIGTERM)
    if not callable(handler):  # granian has not set its own yet
        os._exit(0)
    handler(signal.SIGTERM, None)


def _follow_parent() -> None:  # pragma: no cover
    """End when the parent is killed; granian's workers would go on."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _wait_for_end(context: "Context") -> None:  # pragma: no cover
    """Wait for the main thread, which serves: granian has no hook for a worker's end."""
    threading.main_thread().join()
    on_worker_exit(context)
