"""How gunicorn runs feedproxy: it reads this file in the current folder, so `gunicorn wsgi:app` in a checkout will do.

Options on its command line, such as --bind, override this. Put a server in front that buffers requests and answers,
as nginx does: a client that sends a byte now and then keeps a thread busy.
"""

import errno
import gc
import signal
import socket

from gunicorn.workers.gthread import ThreadWorker

from feedproxy.server import on_worker_exit, on_worker_start

PATIENCE = 8  # seconds for which a client may send nothing of its request, or read nothing of the answer

workers = 1
threads = 40  # requests at a time; more than `web.fast_path` lets wait
preload_app = True  # before workers are forked, so that they share most of its memory
limit_request_line = 8190  # a filter of 500 characters, percent-encoded
limit_request_fields = 50  # it parses heads in Python: a large one would stop everybody for seconds
limit_request_field_size = 4094
# By default it trusts whoever connects from this machine, and a Unix socket always.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
graceful_timeout = 5  # seconds for requests that are under way when it is stopped
control_socket_disable = True  # it would be in the home folder, shared by all servers of a user


class ImpatientSocket(socket.socket):
    """A client's connection; when nothing moves, it is closed as if the client had hung up."""

    def setblocking(self, flag):
        """Wait for a client as long as PATIENCE, where gunicorn would wait for ever."""
        super().settimeout(PATIENCE if flag else 0)

    def settimeout(self, seconds):
        """Wait only a moment where gunicorn discards what a client still sends: new clients wait for that."""
        super().settimeout(seconds if seconds >= PATIENCE else min(seconds, 0.1))

    def recv(self, size):
        """Receive; a client that sends nothing has hung up."""
        try:
            return super().recv(size)
        except TimeoutError:
            self.shutdown(socket.SHUT_RDWR)
            return b""

    def sendall(self, data):
        """Send, each piece in time; a client that reads less has hung up."""
        try:
            for begin in range(0, len(data), 65_536):
                super().sendall(data[begin : begin + 65_536])
        except TimeoutError as error:
            self.shutdown(socket.SHUT_RDWR)
            raise BrokenPipeError(errno.EPIPE, "the client does not read") from error


class ImpatientWorker(ThreadWorker):
    """gunicorn's worker with threads; a client that does nothing loses its thread."""

    def enqueue_req(self, conn):
        """Let a thread handle a client."""
        if not isinstance(conn.sock, ImpatientSocket):
            conn.sock = ImpatientSocket(fileno=conn.sock.detach())
        super().enqueue_req(conn)


worker_class = ImpatientWorker


def when_ready(_):
    """Freeze all objects before workers are forked."""
    gc.collect()
    gc.freeze()  # or each worker's garbage collector would touch, and so copy, the shared memory


def post_worker_init(worker):
    """Start refreshing; leave Ctrl-C, which a terminal sends to all processes, to the parent.

    gunicorn's own handlers of SIGINT and SIGQUIT in a worker take locks that the interrupted code may hold.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    signal.signal(signal.SIGQUIT, worker.handle_exit)
    if context := context_of(worker):
        on_worker_start(context, first=worker.age == 1)


def worker_exit(_, worker):
    """Close the archive, so that one file is left of it."""
    if context := context_of(worker):
        on_worker_exit(context)


def context_of(worker):
    """Return the context of the application; None in a worker that ended before it loaded one, or runs another."""
    return getattr(worker.wsgi, "extensions", {}).get("feedproxy")
