"""Servers on 127.0.0.1, for as long as a block lasts: gunicorn, granian and nginx, one worker each.

Each is ended by its own process id, also where the block is left by an exception.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench.archives import ROOT
from tests.bench.load import fetch

SYNC = ("--worker-class", "sync", "--threads", "1")  # overrules gunicorn.conf.py
_PATIENCE = 30.0  # seconds until a server that does not answer is given up
_POLL = 0.02


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers: where, and its own process."""

    port: int
    pid: int
    started_at: float

    def worker(self) -> int:
        """Return the process that answers: the largest below the server's own, else that."""
        below = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return max(map(int, below), key=proportional, default=self.pid)

    def memory(self) -> float:
        """Return the worker's proportional share of memory in MiB."""
        return proportional(self.worker())


Start = Callable[[Mapping[str, str]], AbstractContextManager[Server]]


def proportional(pid: int) -> float:
    """Return a process's proportional set size in MiB (proc(5), smaps_rollup)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


@contextmanager
def gunicorn(app: str, settings: Mapping[str, str], flags: tuple[str, ...] = ()) -> Iterator[Server]:
    """Run gunicorn with one worker, as `gunicorn.conf.py` has it."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "-w", "1", "--log-level", "error", *flags]
    with _running([*command, app], port, settings) as server:
        yield server


@contextmanager
def granian(app: str, settings: Mapping[str, str]) -> Iterator[Server]:
    """Run granian with one worker as `feedproxy serve` does; `app` is `wsgi:app`, or another in place of feedproxy."""
    bind = f"127.0.0.1:{(port := free_port())}"
    command = ["feedproxy", "serve", "--bind", bind] if app == "wsgi:app" else ["tests.bench.bare", app, bind]
    with _running([sys.executable, "-m", *command], port, settings, stderr=subprocess.DEVNULL) as server:
        yield server


# Both servers that feedproxy is described for, with the settings of each start still to come.
OURS: dict[str, Start] = {
    name: partial(start, "wsgi:app") for name, start in (("granian", granian), ("gunicorn", gunicorn))
}

_NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{}}
http {{
  access_log off; default_type "{media_type}"; keepalive_requests 100000000; gzip_static always;
  client_body_temp_path {folder}/t; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/t;
  uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t;
  server {{ listen 127.0.0.1:{port}; root {folder}; }}
}}
"""


@contextmanager
def nginx(folder: Path, media_type: str) -> Iterator[Server]:
    """Run nginx in one process; it serves the compressed files in `folder`."""
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, port=port, media_type=media_type))
    command = [needed("nginx", "apt-get install nginx"), "-e", str(folder / "nginx.log"), "-c", str(config)]
    with _running(command, port, {}) as server:
        yield server


def needed(program: str, remedy: str) -> str:
    """Return the path of `program`; raises RuntimeError that says what to do where there is none."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin"])
    found = shutil.which(program, path=places)
    if not found:
        raise RuntimeError(f"{program} is not installed: {remedy}")
    return found


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def _running(command: list[str], port: int, settings: Mapping[str, str], stderr: int | None = None) -> Iterator[Server]:
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, env=environment() | settings, stderr=stderr, start_new_session=True)
    try:
        until(lambda: _answers(process, port), f"{command[0]} does not answer")
        yield Server(port, process.pid, began)
    finally:
        _end(process)


def environment() -> dict[str, str]:
    """Return the environment without settings of feedproxy, and such that Python keeps what it compiled."""
    ours = {name: text for name, text in os.environ.items() if not name.startswith("FEEDPROXY_")}
    ours.pop("PYTHONDONTWRITEBYTECODE", None)
    return ours | {"PYTHONPATH": str(ROOT)}


def _answers(process: "subprocess.Popen[bytes]", port: int) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
    with suppress(OSError):
        return fetch(port, "/healthz", timeout=_PATIENCE).status > 0
    return False


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


def until(reached: Callable[[], object], failure: str, seconds: float = _PATIENCE) -> None:
    """Return once `reached` says so; raises RuntimeError with `failure` after `seconds`."""
    end = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > end:
            raise RuntimeError(failure)
        time.sleep(_POLL)
