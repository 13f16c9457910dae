"""A configuration and an address in, a running server out.

Here is what precedes every worker: which server, its address, its folder. `worker` says what each
worker does; a module for each server says how it is told.
"""

import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import mkdtemp

from feedproxy.config import Config
from feedproxy.errors import ConfigError, FeedproxyError

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 (only where the address says so)
_QUEUE = 2048  # connections that wait to be accepted


# Each has a module of its name, whose `run` starts it. Whether its workers listen each for itself, instead of all at
# one socket opened before them:
SERVERS = {"gunicorn": False, "granian": True}


@dataclass(frozen=True, slots=True)
class Start:
    """What a server is to do: serve `config` by so many processes, and print `greeting` once it can be reached.

    `folder` is its own for as long as it runs.
    """

    config: Config
    workers: int
    greeting: str
    folder: Path
    log_json: bool


Run = Callable[[Start, socket.socket], None]


def runner(name: str) -> Run:
    """Return what runs the server of that name, until a signal ends it; raises ConfigError if it is not installed."""
    try:
        run: Run = import_module(f"{__name__}.{name}").run
    except ModuleNotFoundError as error:
        if error.name != name:
            raise ConfigError(f"{name} does not run here: {error}") from error
        raise ConfigError(f"{name} is not installed: pip install 'feedproxy[{name}]'") from error
    return run


def listen(bind: str, *, workers_listen: bool = False) -> tuple[str, socket.socket]:
    """Return the host in `bind` and a socket bound there, which listens unless workers do.

    Raises ValueError for what is not HOST:PORT, FeedproxyError where nobody can listen there.
    """
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*):([0-9]{1,5})", bind)
    if not found or int(found[2]) > 65_535:
        raise ValueError(f"{bind!r} is not HOST:PORT")
    host, port = found[1].strip("[]") or _EVERYWHERE[0], int(found[2])
    opened = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
        if not workers_listen:
            opened.listen(_QUEUE)
    except OSError as error:
        opened.close()
        raise FeedproxyError(f"cannot listen at {bind}: {error.strerror}") from error
    return host, opened


def in_address(host: str) -> str:
    """Return `host` as it stands in an address."""
    return f"[{host}]" if ":" in host else host


def reachable(host: str) -> str:
    """Return the host name under which this machine reaches a server that listens at `host`."""
    return "localhost" if host in (*_EVERYWHERE, "127.0.0.1", "::1") else in_address(host)


@contextmanager
def own_folder() -> Iterator[Path]:
    """Yield a folder that goes with this process; a worker forked from it leaves by the same way and takes nothing."""
    folder, owner = Path(mkdtemp(prefix="feedproxy-")), os.getpid()
    try:
        yield folder
    finally:
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)
