"""What each worker does: make the application, begin to refresh, give signs of life, and leave the archive whole.

`begin` and `end` hold under any server. A worker of granian is forked or, from Python 3.14 on and on macOS, spawned:
what it is handed can be pickled.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from feedproxy.config import Config
from feedproxy.errors import FeedproxyError
from feedproxy.ingest.loop import RefreshLoop
from feedproxy.ingest.source import Hub
from feedproxy.logs import start_log
from feedproxy.web import create_app

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_PATIENCE = 60.0  # seconds until a server without papers says so on the terminal
_GRACE = 1.0  # seconds in which a refresh may still end by itself
_BEAT = 1.0  # seconds between two signs of life
_PIECE = 16_384  # bytes
_SMALL = 262_144  # bytes of an answer that is handed over whole: about as much as a thread and its pieces take


def begin(service: Any, *, first: bool) -> None:
    """Refresh before a reader asks; the first worker says so where that leads nowhere."""
    service.loop.start()
    if first:
        threading.Thread(target=_tell_if_hopeless, args=(service.loop,), daemon=True).start()


def end(service: Any) -> None:
    """Let go of the archive, so that one file is left of it.

    A refresh that takes longer is cut off, and gives its lease back: whatever it stores is one transaction.
    """
    service.loop.stop(_GRACE)
    service.service.archive.close()


def _tell_if_hopeless(loop: RefreshLoop) -> None:
    try:
        loop.wait_for_papers(_PATIENCE)
    except FeedproxyError as error:
        hint = "; to try feedproxy without a network: feedproxy serve --demo"
        print(f"feedproxy: {error}{hint if isinstance(loop.refresher.source, Hub) else ''}", file=sys.stderr)


# granian ----------------------------------------------------------------------------------------


def load(config: Config, signs: Connection, first: Connection, *, log_json: bool) -> "WSGIApplication":
    """Return what a worker serves; runs in that worker, which sends its signs of life to `signs`.

    The one that receives something from `first` is the first.
    """
    _take_signals()
    threading.Thread(target=_give_signs_of_life, args=(signs,), daemon=True).start()
    threading.Thread(target=_follow_parent, daemon=True).start()
    start_log(as_json=log_json)
    app = create_app(config)
    service = app.extensions["feedproxy"]
    begin(service, first=False)
    threading.Thread(target=_tell_if_first, args=(first, service.loop), daemon=True).start()
    threading.Thread(target=_end, args=(service,)).start()
    return in_pieces(app)


def in_pieces(app: "WSGIApplication") -> "WSGIApplication":
    """Return `app` with large answers handed over piece by piece, as the client takes them.

    granian copies what it is handed, and keeps it until the client has it.
    """

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        body = app(environ, start_response)
        small = isinstance(body, list) and sum(map(len, body)) <= _SMALL
        return body if small else _pieces(body)

    return answer


def _pieces(body: Iterable[bytes]) -> Iterator[bytes]:
    try:
        for part in body:
            for begin in range(0, len(part), _PIECE):
                yield part[begin : begin + _PIECE]
    finally:
        if close := getattr(body, "close", None):
            close()


def _tell_if_first(first: Connection, loop: RefreshLoop) -> None:
    first.recv_bytes()  # which in every worker but one lasts for ever
    _tell_if_hopeless(loop)


def _give_signs_of_life(signs: Connection) -> None:
    """Tell the parent again and again that this process runs; a frozen one, or one stuck in C code, does not."""
    while True:
        signs.send(os.getpid())
        time.sleep(_BEAT)


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


def _follow_parent() -> None:
    """End when the parent is killed, which granian's workers survive by themselves."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _end(service: Any) -> None:
    """Wait for the main thread, which serves: there is no hook for a worker's end."""
    threading.main_thread().join()
    end(service)
