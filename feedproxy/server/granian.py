"""granian: HTTP in Rust, Python only for answers; each of its worker processes listens for itself.

A worker is forked or, from Python 3.14 on and on macOS, spawned: what it is handed can be pickled.
"""

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

from feedproxy.logs import start_log
from feedproxy.server import Start
from feedproxy.server.worker import begin, end
from feedproxy.web import create_app

Address = tuple[str, int]
_POLL = 0.02  # seconds between two looks whether the server listens
_LOG = {"formatters": {}, "handlers": {}, "loggers": {"_granian": {"propagate": True}}}


def run(start: Start, bound: socket.socket) -> None:
    """Serve until a signal ends it.

    `bound` keeps the address without listening: workers join it by SO_REUSEPORT, which is set only now,
    after it has shown that the address was free.
    """
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    host, port = bound.getsockname()[:2]
    server = Granian(
        "feedproxy",
        host,
        port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        workers=start.workers,
        # Threads that run Python: as many readers may wait for the first listing without blocking others.
        blocking_threads=32,
        # Connections, idle ones included: granian accepts no more, so a few readers that keep theirs must not fill it.
        backpressure=1000,
        backlog=2048,
        respawn_failed_workers=True,
        workers_kill_timeout=30,
        log_level=LogLevels.error,  # it warns of any number of threads or workers above that of the processors
        log_dictconfig=_LOG,
    )
    server.serve(target_loader=partial(_load, start, (host, port)), wrap_loader=False)


def _load(start: Start, address: Address) -> Any:
    """Return what a worker serves; runs in that worker, before it listens."""
    _take_signals()
    start_log(as_json=start.log_json)
    app = create_app(start.config)
    service = app.extensions["feedproxy"]
    threading.Thread(target=_begin, args=(service, start, address), daemon=True).start()
    threading.Thread(target=_follow_parent, daemon=True).start()
    threading.Thread(target=_end, args=(service,)).start()
    return app


def _take_signals() -> None:
    """Keep signals from this worker's threads, all of which inherit that, but for one that waits for SIGTERM.

    granian waits for one to interrupt its main thread, which a signal that another thread gets does not;
    a second one can lock it up. Ctrl-C, which a terminal sends to all, is for the parent to heed.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # until granian sets its own; the parent's, forked, is deaf here
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    threading.Thread(target=_end_when_told, daemon=True).start()


def _end_when_told() -> None:
    signal.sigwait({signal.SIGTERM})
    heed = signal.getsignal(signal.SIGTERM)
    if not callable(heed):  # granian is not that far yet
        os._exit(0)
    heed(signal.SIGTERM, None)


def _begin(service: Any, start: Start, address: Address) -> None:
    _wait_until_listening(address)
    first = _is_first(start.folder / "first")
    if first:
        print(start.greeting, file=sys.stderr, flush=True)
    begin(service, first=first)


def _wait_until_listening(address: Address) -> None:
    while True:
        with suppress(OSError), socket.create_connection(address):
            return
        time.sleep(_POLL)


def _is_first(claim: Path) -> bool:
    """Say whether no worker was here before, as none has a number."""
    try:
        claim.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _follow_parent() -> None:
    """End when the parent is killed, which granian's workers survive by themselves."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _end(service: Any) -> None:
    """Wait for the main thread, which serves: there is no hook for a worker's end."""
    threading.main_thread().join()
    end(service)
