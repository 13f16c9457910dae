"""gunicorn: pure Python, so it is always there; its workers are forked and share one listening socket."""

import gc
import signal
import socket
import sys
from typing import Any

from gunicorn.app.base import BaseApplication

from feedproxy.server import Start
from feedproxy.server.worker import begin, end
from feedproxy.web import create_app


def run(start: Start, listening: socket.socket) -> None:
    """Serve until a signal ends it."""

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            for name, value in _settings(start, listening).items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            return create_app(start.config)

    Server().run()


def _settings(start: Start, listening: socket.socket) -> dict[str, Any]:
    def greet(arbiter: Any) -> None:
        arbiter.log.error_log.propagate = True  # its lines then have the form of all others
        gc.collect()
        gc.freeze()  # or each worker's collector would touch, and so copy, all that is shared
        print(start.greeting, file=sys.stderr)

    return {
        "bind": f"fd://{listening.detach()}",
        "workers": start.workers,
        "preload_app": True,  # once, before workers are forked, who then share most of its memory
        "threads": 16,  # as many readers may wait for the first listing without blocking others
        "limit_request_line": 8190,  # a filter of 500 characters, percent-encoded
        # By default it believes whoever connects from this machine, and from a Unix socket always.
        "forwarded_allow_ips": "",
        "secure_scheme_headers": {},
        "forwarder_headers": "",
        "graceful_timeout": 5,  # seconds for what is under way when told to end
        "control_socket_disable": True,  # one in the home folder, which all of a user's servers would share
        "loglevel": "warning",
        "errorlog": None,
        "when_ready": greet,
        "post_worker_init": _began,
        "worker_exit": _ended,
    }


def _began(worker: Any) -> None:
    """Leave Ctrl-C, which a terminal sends to all, to the parent, and end by flag alone.

    What gunicorn does in a worker at SIGINT and SIGQUIT takes locks that the interrupted code may hold.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    signal.signal(signal.SIGQUIT, worker.handle_exit)
    begin(worker.wsgi.extensions["feedproxy"], first=worker.age == 1)


def _ended(_: Any, worker: Any) -> None:
    if worker.wsgi:  # None in a worker that ended before it began
        end(worker.wsgi.extensions["feedproxy"])
