"""A fake Hub: a real HTTP server on 127.0.0.1 with scripted answers, which records what it was asked."""

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.factories import page

API, PAGE = "/api/daily_papers", "/papers/date/"


@dataclass(frozen=True)
class Request:
    """A request as it arrived."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """An answer as it is sent: at once, unless `send` puts it on the wire in another way."""

    status: int = 200
    body: bytes = b"[]"
    headers: dict[str, str] = field(default_factory=dict)
    send: Callable[[BaseHTTPRequestHandler, "Answer"], None] | None = None


def send(wire: BaseHTTPRequestHandler, answer: Answer) -> None:
    """Send the whole of `answer`."""
    send_head(wire, answer)
    wire.wfile.write(answer.body)


def send_head(wire: BaseHTTPRequestHandler, answer: Answer) -> None:
    """Send all of `answer` but its body."""
    wire.send_response_only(answer.status)
    for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
        wire.send_header(name, value)
    wire.end_headers()


def send_after(event: threading.Event) -> Callable[[BaseHTTPRequestHandler, Answer], None]:
    """Return a function that sends an answer as soon as `event` is set."""

    def wait(wire: BaseHTTPRequestHandler, answer: Answer) -> None:
        event.wait(20)
        send(wire, answer)

    return wait


class Hub:
    """Answers its API and its page from `days`, unless `script` holds answers to be given first, in order.

    `standing` overrules everything while it is set, `api` what the API answers; without `page` there
    is no page, without `links` no page of a listing names the next. `gate` holds every answer back while it is cleared.
    """

    def __init__(self) -> None:
        self.days: dict[date, list[Any]] = {}
        self.script: deque[Answer] = deque()
        self.standing: Answer | None = None
        self.api: Answer | None = None
        self.page = True
        self.links = True
        self.requests: list[Request] = []
        self.delay = 0.0
        self.answered_at: list[float] = []
        self.gate = threading.Event()
        self.gate.set()
        self.url = ""

    def answer(self, request: Request) -> Answer:
        """Return the answer to `request`, as the real Hub would give it."""
        if self.standing:
            return self.standing
        if self.script:
            return self.script.popleft()
        if request.path == API:
            return self.api or self._listing(request)
        shown = self._shown(request.path) if self.page else None
        return Answer(body=page(self._sorted(shown), shown)) if shown else Answer(404, b'{"error": "Not found"}')

    def _listing(self, request: Request) -> Answer:
        found = self._sorted(date.fromisoformat(request.query["date"]))
        limit, number = int(request.query.get("limit", 50)), int(request.query.get("p", 0))
        headers = {}
        if self.links and len(found) > (number + 1) * limit:
            query = request.query | {"limit": str(limit), "p": str(number + 1)}
            headers["Link"] = f'<{self.url}{API}?{urlencode(query)}>; rel="next"'
        return Answer(body=json.dumps(found[number * limit : (number + 1) * limit]).encode(), headers=headers)

    def _shown(self, path: str) -> date | None:
        """Return the day that the page at `path` shows: the latest with papers where the one asked for has none."""
        if not path.startswith(PAGE):
            return None
        day = date.fromisoformat(path.removeprefix(PAGE))
        return day if self.days.get(day) else max(filter(self.days.get, self.days), default=None)

    def _sorted(self, day: date) -> list[Any]:
        return sorted(self.days.get(day, []), key=_upvotes, reverse=True)

    def asked(self) -> list[tuple[str, str]]:
        """Return the day and the page of the listing of each request so far; `html` where it was for the page."""
        return [
            (request.query.get("date", request.path.removeprefix(PAGE)), request.query.get("p", "html"))
            for request in self.requests
        ]


def _upvotes(entry: Any) -> int:
    """Return the upvotes of `entry`, 0 where it has none that are a number."""
    paper = entry.get("paper") if isinstance(entry, dict) else None
    found = paper.get("upvotes") if isinstance(paper, dict) else None
    return found if isinstance(found, int) else 0


@contextmanager
def running() -> Iterator[Hub]:
    """Run a fake Hub on a free port for as long as the block lasts."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer leaves in one piece, or Nagle's algorithm holds half of it back

        def handle(self) -> None:
            """Answer; where TLS is spoken, which begins with a 22, in plain text or in its own way."""
            if self.connection.recv(1, socket.MSG_PEEK) == b"\x16":
                self.connection.recv(65_536)
                answer = hub.standing or hub.api or Answer(400)
                (answer.send or send)(self, answer)
                self.wfile.flush()
            else:
                super().handle()

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            request = Request(parts.path, query, dict(self.headers.items()))
            hub.requests.append(request)
            hub.gate.wait(20)
            answer = hub.answer(request)
            time.sleep(hub.delay)
            if answer.body != b"[]":
                hub.answered_at.append(time.monotonic())
            (answer.send or send)(self, answer)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Say nothing of clients that hang up."""

    server = Server(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.002}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()


class Timer:
    """Seconds that pass only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
