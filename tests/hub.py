"""A fake Hub: a real HTTP server on 127.0.0.1 with scripted answers, which records what it was asked."""

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """A request as it arrived."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """An answer as it is sent."""

    status: int = 200
    body: bytes = b"[]"
    headers: dict[str, str] = field(default_factory=dict)


class Hub:
    """Answers `/api/daily_papers` from `days`, unless `script` holds answers to be given first, in order.

    `standing` overrules everything while it is set; `gate` holds every answer back while it is cleared.
    """

    def __init__(self) -> None:
        self.days: dict[date, list[dict[str, Any]]] = {}
        self.script: deque[Answer] = deque()
        self.standing: Answer | None = None
        self.requests: list[Request] = []
        self.gate = threading.Event()
        self.gate.set()
        self.url = ""

    def answer(self, request: Request) -> Answer:
        """Return the answer to `request`, as the real Hub would give it."""
        if self.standing:
            return self.standing
        if self.script:
            return self.script.popleft()
        if request.path != "/api/daily_papers":
            return Answer(404, b'{"error": "Not found"}')
        found = sorted(
            self.days.get(date.fromisoformat(request.query["date"]), []), key=lambda entry: -entry["paper"]["upvotes"]
        )
        limit, page = int(request.query.get("limit", 50)), int(request.query.get("p", 0))
        return Answer(body=json.dumps(found[page * limit : (page + 1) * limit]).encode())

    def asked(self) -> list[tuple[str, str]]:
        """Return the day and page of each request so far."""
        return [(request.query["date"], request.query["p"]) for request in self.requests]


@contextmanager
def running() -> Iterator[Hub]:
    """Run a fake Hub on a free port for as long as the block lasts."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer leaves in one piece, or Nagle's algorithm holds half of it back

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            request = Request(parts.path, query, dict(self.headers.items()))
            hub.requests.append(request)
            hub.gate.wait(20)
            answer = hub.answer(request)
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Say nothing of clients that hang up."""

    server = Server(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()
