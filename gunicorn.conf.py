"""How gunicorn runs feedproxy: it reads this file where it is started, so `gunicorn wsgi:app` in a checkout is enough.

What is given on its command line, such as --bind, overrules this. Put a server in front that takes whole requests
from clients and whole answers from here, as nginx does: a client that sends a byte now and then holds a thread.
"""

import errno
import gc
import signal
import socket

from gunicorn.workers.gthread import ThreadWorker

from feedproxy.server import on_worker_exit, on_worker_start

PATIENCE = 8  # seconds that a client may send nothing of its request, or read nothing of the answer

workers = 1
threads = 40  # requests that are read, worked on and answered at a time; more than `web.fast_path` lets wait
preload_app = True  # once, before workers are forked, who then share most of its memory
limit_request_line = 8190  # a filter of 500 characters, percent-encoded
limit_request_fields = 50  # it parses heads in Python: large ones would take seconds from everybody
limit_request_field_size = 4094
# By default it believes whoever connects from this machine, and from a Unix socket always.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
graceful_timeout = 5  # seconds for what is under way when told to end
control_socket_disable = True  # one in the home folder, which all of a user's servers would share


class ImpatientSocket(socket.socket):
    """A client's connection, which is shut when it stands still, as if the client had hung up."""

    def setblocking(self, flag):
        """Wait for a client, where gunicorn would do so for ever, as long as PATIENCE."""
        super().settimeout(PATIENCE if flag else 0)

    def settimeout(self, seconds):
        """Wait no longer than a moment where gunicorn throws away what a client still sends: new ones wait for that."""
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
    """gunicorn's worker with threads, whose clients may not keep a thread by doing nothing."""

    def enqueue_req(self, conn):
        """Have a thread handle what comes from a client."""
        if not isinstance(conn.sock, ImpatientSocket):
            conn.sock = ImpatientSocket(fileno=conn.sock.detach())
        super().enqueue_req(conn)


worker_class = ImpatientWorker


def when_ready(_):
    """Set what there is aside, before workers are forked."""
    gc.collect()
    gc.freeze()  # or each worker's collector would touch, and so copy, all that is shared


def post_worker_init(worker):
    """Begin to refresh; leave Ctrl-C, which a terminal sends to all, to the parent, and end by flag alone.

    What gunicorn does in a worker at SIGINT and SIGQUIT takes locks that the interrupted code may hold.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    signal.signal(signal.SIGQUIT, worker.handle_exit)
    if service := service_of(worker):
        on_worker_start(service, first=worker.age == 1)


def worker_exit(_, worker):
    """Close the archive, so that one file is left of it."""
    if service := service_of(worker):
        on_worker_exit(service)


def service_of(worker):
    """Return what the application works with; None in a worker that ended before it began, or runs something else."""
    return getattr(worker.wsgi, "extensions", {}).get("feedproxy")
