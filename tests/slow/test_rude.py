"""One client that asks for as much as it can, and what another client notices: the figures are printed.

The rude client runs in a process of its own, over 50 connections that ask again as soon as they are answered. Beside it
twenty feeds that are in memory are polled, and `/healthz` is asked, for some seconds. What must hold is that
no poll goes unanswered; how long polls take depends on the machine and is printed.

    pytest -n0 -s tests/slow/test_rude.py
"""

import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread

import httpx
import pytest

from tests import postgres
from tests.bench.archives import copied
from tests.bench.servers import free_port

BIN, CHECKOUT = Path(sys.executable).parent, Path(__file__).parents[2]
SECONDS = float(os.environ.get("FEEDPROXY_RUDE_SECONDS", "8"))
FEEDS = [f"/feed.{form}?min_upvotes={number}" for form in ("rss", "atom") for number in range(1, 11)]
# Nineteen phrases and words that every made-up abstract holds, so that each of them is looked at whole.
EVERYWHERE = (
    '"we made" "made up" "up paper" "we made up" "made up paper" "we made up paper" "which is" "is about" '
    '"which is about" we made up paper which is about w* ma* p*'
)
NOWHERE = '"is made" "up we"'  # common words that never follow one another
SERVERS = {
    "serve": [str(BIN / "feedproxy"), "serve", "--bind", "127.0.0.1:{port}"],
    "gunicorn": [str(BIN / "gunicorn"), "--bind", "127.0.0.1:{port}", "wsgi:app"],
}


@dataclass
class Polls:
    """How long polls took (seconds), by path, and the statuses of all."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)

    def percentile(self, name: str, share: float) -> float:
        """Return the milliseconds within which `share` of the polls of `name` were answered; NaN if there were none."""
        taken = sorted(self.seconds.get(name, [])) or [math.nan]
        return 1000 * taken[min(len(taken) - 1, int(share * len(taken)))]


@contextmanager
def running(server: str, archive: str, **settings: str) -> Iterator[int]:
    """Serve `archive`, without anything to refresh from, and yield the port."""
    port = free_port()
    clean = {name: text for name, text in os.environ.items() if not name.startswith("FEEDPROXY_")}
    chosen = {"LISTING": "http://127.0.0.1:9", "ARCHIVE": archive} | settings
    process = subprocess.Popen(
        [word.format(port=port) for word in SERVERS[server]],
        cwd=CHECKOUT,
        env=clean | {f"FEEDPROXY_{name}": text for name, text in chosen.items()},
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_ready(port)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def wait_until_ready(port: int) -> None:
    for _ in range(600):
        with suppress(OSError):
            if get(port, "/readyz")[0] == "200":
                return
        time.sleep(0.05)
    raise TimeoutError


def get(port: int, path: str, timeout: float = 20) -> tuple[str, int]:
    """Return the status and the length of one answer; the name of what went wrong where there is none."""
    connection = HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
        response = connection.getresponse()
        return str(response.status), len(response.read())
    except OSError as error:
        return type(error).__name__, 0
    finally:
        connection.close()


def poll(port: int, seconds: float) -> Polls:
    """Poll the feeds in memory and `/healthz`, one after the other, for so long."""
    polls, until, number = Polls(), time.monotonic() + seconds, 0
    while time.monotonic() < until:
        name, path = ("healthz", "/healthz") if number % 5 == 4 else ("hot", FEEDS[number % len(FEEDS)])
        began = time.monotonic()
        status, _ = get(port, path)
        polls.seconds.setdefault(name, []).append(time.monotonic() - began)
        polls.statuses[status] += 1
        number += 1
        time.sleep(0.02)
    return polls


# The rude client, in a process of its own ------------------------------------------------------------


def rude_pages(number: int) -> bytes:
    return request(f"/?q={EVERYWHERE} -zz{number}&days=3659&min_upvotes=1")


def rude_advice(number: int) -> bytes:
    return request(f"/?q={EVERYWHERE} {NOWHERE} -zz{number}&days=3659&min_upvotes=1")


def rude_feeds(number: int) -> bytes:
    return request(f"/feed.rss?q={EVERYWHERE} {NOWHERE} -zz{number}&days=3659&min_upvotes=1")


def rude_large(number: int) -> bytes:
    return request(f"/feed.rss?q={EVERYWHERE} -zz{number}&days=3659&limit=200")


def rude_accept(_: int) -> bytes:
    return request("/feed", f"Accept: a{' ' * 8000}b\r\n")


def rude_accepts(_: int) -> bytes:
    return request("/feed", f"Accept: a{' ' * 8000}b\r\n" * 90)


def rude_mistakes(number: int) -> bytes:
    return request(f"/?q=(zz{number}")


def rude_status(_: int) -> bytes:
    return request("/status")


def rude_opml(number: int) -> bytes:
    return request("/opml?" + "&".join(f"feed=q%3Dzz{number}{at}" for at in range(100)))


def rude_files(_: int) -> bytes:
    return request("/static/page.js")


def rude_polls(number: int) -> bytes:
    return request(FEEDS[number % len(FEEDS)])


def request(target: str, headers: str = "") -> bytes:
    quoted = target.replace(" ", "%20").replace('"', "%22")
    return f"GET {quoted} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip\r\n{headers}\r\n".encode()


REQUESTS: dict[str, Callable[[int], bytes]] = {
    made.__name__: made
    for made in (
        *(rude_pages, rude_advice, rude_feeds, rude_large, rude_accept, rude_accepts),
        *(rude_mistakes, rude_status, rude_opml, rude_files, rude_polls),
    )
}


def attack(port: int, name: str, connections: int, seconds: float) -> Counter[str]:
    """Ask `name` over so many connections for so long; return how often which status came."""
    seen: Counter[str] = Counter()
    until = time.monotonic() + seconds

    def ask(first: int) -> None:
        number = first
        while time.monotonic() < until:
            try:
                with socket.create_connection(("127.0.0.1", port), 30) as connection:
                    while time.monotonic() < until:
                        connection.sendall(REQUESTS[name](number))
                        seen[answer(connection)] += 1
                        number += connections
            except (OSError, EOFError) as error:
                seen[type(error).__name__] += 1
                time.sleep(0.01)

    threads = [Thread(target=ask, args=(at,), daemon=True) for at in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, until + 35 - time.monotonic()))
    return seen


def answer(connection: socket.socket) -> str:
    """Read one answer and return its status."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(65_536)
        if not piece:
            raise EOFError
        head += piece
    head, _, body = head.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    left = (int(lengths[0].partition(b":")[2]) if lengths else 0) - len(body)
    while left > 0:
        piece = connection.recv(min(left, 65_536))
        if not piece:
            raise EOFError
        left -= len(piece)
    return head.split()[1].decode()


@contextmanager
def rude(port: int, name: str, connections: int, seconds: float) -> Iterator[Callable[[], Counter[str]]]:
    """Attack from another process within the block; yield what waits for its end and returns what it saw."""
    words = [sys.executable, "-m", "tests.slow.test_rude", str(port), name, str(connections), str(seconds)]
    process = subprocess.Popen(words, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    try:
        yield lambda: Counter(json.loads(process.communicate(timeout=seconds + 60)[0]))
    finally:
        process.kill()
        process.wait()


# What another client notices ---------------------------------------------------------------------------


def measure(server: str, archive: str, name: str, connections: int, *, port: int) -> Polls:
    """Attack and poll, print the figures, and return the polls."""
    for path in FEEDS:
        get(port, path)
    quiet = poll(port, 1)
    with rude(port, name, connections, SECONDS + 1) as ended:
        time.sleep(1)
        polls = poll(port, SECONDS)
        seen = ended()
    print(
        f"\n{server:9} {archive:14} {connections:3} × {name:13} hot p50 {polls.percentile('hot', 0.5):6.1f} "
        f"p99 {polls.percentile('hot', 0.99):6.1f} max {polls.percentile('hot', 1):6.1f} ms"
        f" (quiet p50 {quiet.percentile('hot', 0.5):.1f}), healthz max {polls.percentile('healthz', 1):6.1f} ms; "
        f"polls {dict(polls.statuses)}; rude client {dict(seen)}",
        flush=True,
    )
    return polls


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], str]:
    folder = tmp_path_factory.mktemp("archives")
    made: dict[int, str] = {}
    return lambda count: made.get(count) or made.setdefault(count, str(copied(count, folder)))


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("papers", [10_000, 100_000])
def test_cold_work(archives: Callable[[int], str], server: str, papers: int) -> None:
    """While one client asks for all the cold work it can, every poll of what is in memory is answered."""
    with running(server, archives(papers)) as port:
        for name in REQUESTS:
            polls = measure(server, f"SQLite {papers}", name, 50, port=port)
            assert {"200"} == polls.statuses.keys()


def test_cold_work_in_postgresql(archives: Callable[[int], str]) -> None:
    """The same with an archive of 100,000 papers in PostgreSQL."""
    with postgres.running() as database:
        address = database.create()
        copy = [str(BIN / "feedproxy"), "archive", "copy", archives(100_000), address]
        subprocess.run(copy, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with running("serve", address) as port:
            for name in ("rude_pages", "rude_advice", "rude_feeds", "rude_large"):
                polls = measure("serve", "PostgreSQL 10⁵", name, 50, port=port)
                assert {"200"} == polls.statuses.keys()


def test_large_answers_asked_for_twice(archives: Callable[[int], str]) -> None:
    """Forty-five feeds of 200 entries, each asked for twice, push none of twenty that are polled out of memory."""
    with running("serve", archives(10_000), METRICS="1") as port:
        for path in FEEDS * 2:
            get(port, path)
        for days in range(3000, 3045):
            for _ in range(2):
                get(port, f"/feed.rss?limit=200&days={days}")
        before = renderings(port)
        assert {"200"} == {get(port, path)[0] for path in FEEDS}
        assert before == renderings(port)


def renderings(port: int) -> str:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    return next(line for line in text.splitlines() if line.startswith("feedproxy_renderings_total"))


if __name__ == "__main__":
    print(json.dumps(attack(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))))
