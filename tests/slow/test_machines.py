"""Three applications on one PostgreSQL behind nginx, as on three machines: frozen, killed, cut off, and never wrong."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from feedproxy.archive import Archive, schema
from feedproxy.archive.lease import LEASE
from tests import hub as fake
from tests import postgres
from tests.bench.servers import free_port
from tests.factories import entries
from tests.hub import Answer, Request

_CHECKOUT = Path(__file__).parents[2]
_PATHS = ("/feed.rss", "/feed.atom?q=agents", "/feed.json?min_upvotes=2", "/feed.rss?q=-retrieval&limit=100&days=3660")
_WORKERS, _A_DAY, _DELAY = 2, 5, 0.1
_READERS, _PAUSE = 3, 0.05  # seconds between two polls of one

_NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{}}
http {{
  access_log off; proxy_connect_timeout 1s; proxy_read_timeout 5s; proxy_next_upstream error timeout;
  client_body_temp_path {folder}/t; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/t;
  uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t;
  upstream applications {{ {servers} }}
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://applications; }} }}
}}
"""


@dataclass(frozen=True)
class Machine:
    """An application with its workers, reached at a port of 127.0.0.1."""

    port: int
    process: subprocess.Popen[bytes]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of it at once."""
        os.killpg(self.process.pid, number)

    @property
    def client(self) -> httpx.Client:
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30, verify=False)


@contextmanager
def running(command: list[str], port: int, **settings: str) -> Iterator[Machine]:
    """Run a server for as long as the block lasts."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("FEEDPROXY_")}
    given = {f"FEEDPROXY_{name.upper()}": text for name, text in settings.items()}
    process = subprocess.Popen(command, cwd=_CHECKOUT, env=clean | given, start_new_session=True)
    machine = Machine(port, process)
    try:
        yield machine
    finally:
        if process.poll() is None:
            machine.signal(signal.SIGCONT)
            process.terminate()
        process.wait(60)


@contextmanager
def application(archive: str, listing: str) -> Iterator[Machine]:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--preload", "-w", str(_WORKERS), "--threads", "8", "wsgi:app"]
    command += ["--timeout", "0"]  # or the parent of a worker that was frozen kills it before it can do harm
    settings = {"archive": archive, "listing": listing, "pace": "0", "public_url": "https://feeds.example.org"}
    with running([*command, "--log-level", "critical", "-b", f"127.0.0.1:{port}"], port, **settings) as machine:
        until(lambda: answers(machine, "/healthz"), "an application does not answer")
        yield machine


@contextmanager
def nginx(folder: Path, machines: list[Machine]) -> Iterator[Machine]:
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if not program:
        pytest.skip("nginx is not installed")
    port, config = free_port(), folder / "nginx.conf"
    servers = " ".join(f"server 127.0.0.1:{one.port} max_fails=0;" for one in machines)
    config.write_text(_NGINX.format(folder=folder, port=port, servers=servers))
    with running([program, "-e", str(folder / "nginx.log"), "-c", str(config)], port) as front:
        until(lambda: answers(front, "/healthz"), "nginx does not answer")
        yield front


def until(so: Callable[[], bool], otherwise: str, seconds: float = 120) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < end, otherwise
        time.sleep(0.05)


def answers(machine: Machine, path: str) -> bool:
    """Say whether a request over a connection of its own is answered with 200."""
    connection = HTTPConnection("127.0.0.1", machine.port, timeout=30)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@dataclass
class Load:
    """Readers that poll the same few feeds through `front`, with the ETag they were given last."""

    front: Machine
    statuses: Counter[int | str] = field(default_factory=Counter)
    longest: float = 0.0
    _done: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def polling(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._poll) for _ in range(_READERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._done.set()
            for thread in threads:
                thread.join()

    def _poll(self) -> None:
        etags: dict[str, str] = {}
        with self.front.client as client:
            while not self._done.is_set():
                for path in _PATHS:
                    began = time.monotonic()
                    headers = {"If-None-Match": etags[path]} if path in etags else {}
                    try:
                        answer = client.get(path, headers=headers)
                        etags[path] = answer.headers.get("ETag", "")
                        self.statuses[answer.status_code] += 1
                    except httpx.HTTPError as error:
                        self.statuses[type(error).__name__] += 1
                    self.longest = max(self.longest, time.monotonic() - began)
                    self._done.wait(_PAUSE)


def ask_every_worker(machines: list[Machine]) -> None:
    """Ask each feed so often, over connections of their own, that each worker has it in memory."""
    for machine in machines:
        for path in _PATHS * 8 * _WORKERS:
            assert answers(machine, path)


def thirty_days() -> dict[date, list[dict[str, object]]]:
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=age) for age in range(31)]
    return {day: entries(_A_DAY, day=day, first=1 + 100 * age, upvotes=1 + age % 4) for age, day in enumerate(days)}


def slowed(hub: fake.Hub) -> None:
    """Make `hub` take its time, so that a refresh can be caught in the middle."""
    at_once = hub.answer

    def answer(request: Request) -> Answer:
        time.sleep(_DELAY)
        return at_once(request)

    hub.answer = answer  # type: ignore[method-assign]


def caught(hub: fake.Hub, archive: Archive, holder: Machine) -> int:
    """Freeze `holder` while it waits for an answer, papers of the first ones stored; return the number of requests."""
    until(lambda: archive.state().newest_entry_at is not None and len(hub.requests) > 8, "nothing was stored")
    hub.gate.clear()
    asked = len(hub.requests)
    until(lambda: len(hub.requests) > asked, "nobody asks any more", 30)
    holder.signal(signal.SIGSTOP)
    hub.gate.set()
    return len(hub.requests)


def all_read(archive: Archive, hub: fake.Hub) -> bool:
    days = archive.days()
    return all(day in days and days[day].good_at for day in hub.days)


def alike(machines: list[Machine]) -> bool:
    """Say whether all answer with the same bytes under the same ETag."""
    for path in _PATHS:
        got = set()
        for machine in machines:
            with machine.client as client:
                answer = client.get(path)
                got.add((answer.status_code, answer.headers["ETag"], answer.content))
        if len(got) > 1:
            return False
    return True


def check_rows(archive: Archive, hub: fake.Hub) -> None:
    """Assert that every paper is there once, with its votes, its wording, and nothing else."""
    listed = {entry["paper"]["id"]: entry["paper"]["upvotes"] for found in hub.days.values() for entry in found}
    tops = sa.select(schema.papers.c.id, sa.func.max(schema.ledger.c.value)).join_from(schema.papers, schema.ledger)
    with archive._database.transaction() as db:
        votes = tops.where(schema.ledger.c.measure == "upvotes").group_by(schema.papers.c.id)
        assert listed == dict(map(tuple, db.execute(votes)))
        for table in (schema.papers, schema.wordings, schema.ledger, schema.dates, schema.search):
            assert len(listed) == db.scalar(sa.select(sa.func.count()).select_from(table)), table.name


def test_three_machines(tmp_path: Path) -> None:
    """Frozen past its lease and woken, killed, its database restarted: readers get 200 and 304, and nothing is lost."""
    with ExitStack() as stack:
        server = stack.enter_context(postgres.running())
        hub = stack.enter_context(fake.running())
        hub.days = thirty_days()
        slowed(hub)
        archive = stack.enter_context(closing(Archive(server.create())))
        first = stack.enter_context(application(archive.address, hub.url))
        with first.client as client:
            client.get("/feed.rss")
        before = caught(hub, archive, first)
        frozen_at, others = time.monotonic(), list[Machine]()
        others += [stack.enter_context(application(archive.address, hub.url)) for _ in range(2)]
        machines = [first, *others]
        load = Load(stack.enter_context(nginx(tmp_path, machines)))
        with load.polling():
            until(lambda: all_read(archive, hub), "nobody took over")
            took = time.monotonic() - frozen_at
            asked = Counter(hub.asked())
            first.signal(signal.SIGCONT)
            until(lambda: answers(first, _PATHS[0]), "the one that was frozen does not answer again")
            until(lambda: alike(machines), "they answer differently", 30)
            check_rows(archive, hub)
            tokens = archive.lease("test", datetime.now(UTC))
            ask_every_worker(machines)
            others[1].signal(signal.SIGKILL)
            polls = load.statuses.total()
            server.stop()
            until(lambda: load.statuses.total() > polls + 100, "no more polls")
            server.start()
            until(lambda: answers(load.front, "/feed.rss?q=never-asked-before"), "it does not come back")
            assert alike(machines[:2])
    print(f"\n{dict(load.statuses)}, the longest {load.longest:.1f} s; taken over {took:.0f} s after it was frozen")
    print(f"{asked.total()} requests, {before} of them by the one that was frozen; asked twice: {_twice(asked)}")
    assert load.statuses.keys() <= {200, 304}
    assert len(_twice(asked)) <= before
    assert took <= LEASE.total_seconds() + 30
    assert (tokens or 0) >= 3


def _twice(asked: Counter[tuple[str, str]]) -> list[tuple[str, str]]:
    return [key for key, times in asked.items() if times > 1]
