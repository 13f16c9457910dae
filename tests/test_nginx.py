"""nginx in front, as `deploy/` configures it: what its cache takes off the application, and what it bridges."""

import http.client
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from feedproxy.config import Config
from tests.conftest import Clock, serving
from tests.factories import api, entries

DEPLOY = Path(__file__).parents[1] / "deploy"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)  # by which a test ticks nginx's clock
KEY = "made-up-key-0123456789"
FEEDS = [f"/feed.{name}?q=paper&limit={limit}" for limit in range(1, 11) for name in ("atom", "json")]
ENCODINGS = ("gzip", "gzip, deflate, br", "identity", "gzip;q=0", "br, gzip;q=0.5")

pytestmark = [pytest.mark.once, pytest.mark.skipif(not NGINX, reason="nginx is not installed")]
ticking = pytest.mark.skipif(not FAKETIME, reason="libfaketime, which ticks nginx's clock, is not installed")
Start = Callable[..., tuple["Cached", httpx.Client]]


class Cached:
    """The application with nginx in front; `application` can be stopped and started again."""

    def __init__(self, folder: Path, name: str = "127.0.0.1", names: str = "upstream.conf", **options: str) -> None:
        self.folder, self.name, self.names, self.running = folder, name, names, ExitStack()
        (folder / "listing.json").write_bytes(api(entries(12, upvotes=3)))
        chosen = {"listing": folder / "listing.json", "archive": folder / "a.sqlite", "metrics": 1, "pace": 0} | options
        self.config = Config.load({f"FEEDPROXY_{name.upper()}": str(text) for name, text in chosen.items()})
        self.clock, self.ahead = Clock(), 0
        self.tick(0)
        self.application = self.start()

    def start(self) -> httpx.Client:
        return self.running.enter_context(serving(self.config, self.clock))

    def configured(self, port: int) -> str:
        """Return a configuration of nginx around the one in `deploy/`, at ports and in a folder of the test's own."""
        text = (DEPLOY / self.names).read_text() + (DEPLOY / "nginx.conf").read_text()
        text = text.replace("feeds.example.org", self.name)
        text = re.sub(r"server application-\d:8000;", "server 127.0.0.1:8000;", text)
        text = text.replace("127.0.0.1:8000", f"127.0.0.1:{self.application.base_url.port}")
        text = text.replace("listen 80;", f"listen 127.0.0.1:{port};")
        text = text.replace("/var/cache/nginx", str(self.folder)).replace("/var/log/nginx", str(self.folder))
        paths = "".join(
            f"{kind}_temp_path {self.folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;\n" if os.geteuid() == 0 else ""
        kept = "".join(f"env {name};\n" for name in self.environment())
        return f"{user}{kept}daemon off; pid {self.folder}/pid; events {{}}\nhttp {{\n{paths}{text}\n}}\n"

    def tick(self, seconds: int) -> None:
        """Let nginx's clock go on."""
        self.ahead += seconds
        (self.folder / "ahead").write_text(f"+{self.ahead}s\n")

    def environment(self) -> dict[str, str]:
        """Return the environment in which nginx has a clock that a test ticks."""
        clock = {
            "FAKETIME_TIMESTAMP_FILE": f"{self.folder}/ahead",
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        return clock | {"LD_PRELOAD": str(FAKETIME)} if FAKETIME else {}

    def reached(self) -> int:
        """Return how many requests for feeds have reached the application."""
        told = self.application.get(f"{self.config.access_path}/metrics").text
        counted = re.findall(r'^feedproxy_requests_total{format="(?:rss|atom|json)",.*} (.*)$', told, re.MULTILINE)
        return int(sum(map(float, counted)))

    def log(self) -> list[str]:
        return (self.folder / "access.log").read_text().splitlines()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the application and nginx; yields both."""
    with ExitStack() as stack:

        def starting(**options: str) -> tuple[Cached, httpx.Client]:
            cached = Cached(tmp_path, **options)
            stack.callback(cached.running.close)
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            path = tmp_path / "nginx.conf"
            path.write_text(cached.configured(port))
            command = [str(NGINX), "-e", str(tmp_path / "start.log"), "-c", str(path)]
            process = stack.enter_context(subprocess.Popen(command, stderr=subprocess.PIPE, env=cached.environment()))
            stack.callback(process.terminate)
            client = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30))
            assert any(listening(port) or process.poll() is not None for _ in range(100_000))
            assert process.poll() is None, process.stderr and process.stderr.read()
            return cached, client

        yield starting


def listening(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def polls(port: int, first: int, count: int) -> set[int]:
    """Poll the feeds in turn, in every encoding, mostly as somebody who has them; return the statuses that came."""
    connection, etags, found = http.client.HTTPConnection("127.0.0.1", port, timeout=30), dict[str, str](), set[int]()
    for at in range(first, first + count):
        path = FEEDS[at % 20]
        held = {"If-None-Match": etags[path]} if path in etags and at % 3 else {}
        connection.request("GET", path, headers={"Accept-Encoding": ENCODINGS[at % 5]} | held)
        with connection.getresponse() as response:
            response.read()
            etags[path] = str(response.headers["ETag"])
            found.add(response.status)
    connection.close()
    return found


@ticking
def test_ten_thousand_polls(start: Start) -> None:
    """10,000 polls of 20 feeds from four sides reach the application once a feed and lifetime, of which four go by."""
    cached, client = start()
    port = client.base_url.port or 0
    with ThreadPoolExecutor(4) as pool:
        for lifetime in range(1, 5):
            assert {200, 304} == set[int]().union(*pool.map(polls, [port] * 4, range(4), [625] * 4))
            assert 20 * lifetime == cached.reached()
            cached.tick(301)


@ticking
def test_down_for_an_hour(start: Start) -> None:
    """Nobody who polls notices that the application is down, for an hour or for six days."""
    cached, client = start()
    known = {path: client.get(path).headers["ETag"] for path in FEEDS}
    cached.running.close()
    for minutes in (6, 60, 6 * 24 * 60):
        cached.tick(minutes * 60)
        answers = [client.get(path) for path in FEEDS]
        assert known == {path: answer.headers["ETag"] for path, answer in zip(FEEDS, answers, strict=True)}
        assert {200} == {answer.status_code for answer in answers}
        assert {304} == {client.get(path, headers={"If-None-Match": known[path]}).status_code for path in FEEDS}


def test_same_as_without(start: Start) -> None:
    """What the cache answers is what the application would, for each format, encoding and kind of client."""
    cached, client = start(max_age="3600", public_url="https://feeds.example.org/daily")
    client.get("/feed.rss")
    for path in ("/feed.rss", "/feed", "/", "/feed.rss?q=%22", "/feed.rss?q=ag%65nts", "/status.json", "/nowhere"):
        for accept in ("text/html", "application/atom+xml", "application/feed+json"):
            for encoding in (*ENCODINGS, *ENCODINGS):
                headers = {"Accept": accept, "Accept-Encoding": encoding}
                expected, got = (who.get(path, headers=headers) for who in (cached.application, client))
                assert (expected.status_code, expected.content) == (got.status_code, got.content)
                assert expected.headers["Cache-Control"] == got.headers["Cache-Control"]
                assert "gzip" != got.headers.get("Content-Encoding") or encoding in ("gzip", ENCODINGS[1], ENCODINGS[4])


@ticking
def test_expired_copy(start: Start) -> None:
    """A copy that is too old is asked about once and, if nothing has changed, kept; in no log is the access key."""
    cached, client = start(access_key=KEY)
    path = f"/k/{KEY}{FEEDS[0]}"
    etag = client.get(path).headers["ETag"]
    cached.tick(301)
    assert [etag] * 2 == [client.get(path).headers["ETag"] for _ in range(2)]
    assert 2 == cached.reached()
    cached.running.close()
    cached.tick(301)
    assert etag == client.get(path).headers["ETag"]
    unknown = client.get(f"/k/{KEY}/feed.rss?q=new")
    assert (503, "60") == (unknown.status_code, unknown.headers["Retry-After"])
    assert "feedproxy does not answer; try again in a minute\n" == unknown.text
    client.get(f"/k/{KEY}/opml", params={"feed": f"{client.base_url}/k/{KEY}/feed.rss"})
    encoded = f"http:%252f%252fx%252fk%252f{KEY}%252f"
    for odd in (
        f"/k/{KEY}/opml?feed=k/{KEY}/feed.rss",
        f"/k/{KEY}/opml?feed={encoded}",
        f"/k/{KEY}/a%0Ab",
        f"/k/k/{KEY}/",
    ):
        assert 503 == client.get(odd).status_code
    found = [re.findall(r" (/k/\S*) \d+ \d+ (\S+) ", line) for line in cached.log()]
    shown = f"/k/***{FEEDS[0]}"
    assert [[(shown, word)] for word in ("MISS", "REVALIDATED", "HIT", "STALE")] == found[:4]
    assert not [path for path in cached.folder.glob("*.log") if KEY.encode() in path.read_bytes()]


def test_port_is_kept(start: Start) -> None:
    """Without a public address feeds carry that of nginx, its port included, whatever port a client says."""
    _, client = start(trusted_proxies="1")
    for port in (client.base_url.port, 81):
        told = client.get("/feed.json", headers={"Host": f"127.0.0.1:{port}"}).json()["feed_url"]
        assert f"{client.base_url}/feed.json" == told


def test_made_up_names(start: Start) -> None:
    """Other names than nginx was told are refused, and leave nothing in its cache."""
    cached, client = start(name="feeds.example.org", public_url="https://feeds.example.org", max_age="3600")
    paths = ("/feed.rss", "/", "/healthz", "/status", "/static/style.css")
    assert {421} == {
        client.get(path, headers={"Host": f"name{number}"}).status_code for path in paths for number in range(20)
    }
    assert [] == copies(cached)
    assert [200] * 5 == [client.get(path, headers={"Host": "feeds.example.org"}).status_code for path in paths]


def test_made_up_names_in_compose(start: Start) -> None:
    """Where nginx knows no name, the application refuses all but local ones, and no name makes a copy of its own."""
    cached, client = start(names="upstream.compose.conf", public_url="https://feeds.example.org", max_age="3600")
    paths = ("/feed.rss", "/healthz", "/status", "/static/style.css")
    refused = client.get("/feed.rss", headers={"Host": "evil.example"})
    assert (421, []) == (refused.status_code, copies(cached))
    for number in range(20):
        for path in paths:
            assert 200 == client.get(path, headers={"Host": f"name{number}"}).status_code
            assert client.get(path, headers={"Host": f"name{number}.example"}).status_code in (200, 421)
    assert len(copies(cached)) <= len(paths)
    assert "name0" not in client.get("/feed.rss").text


def copies(cached: Cached) -> list[Path]:
    """Return the files of nginx's cache."""
    return [path for path in (cached.folder / "feedproxy").rglob("*") if path.is_file()]


def test_strangers(start: Start) -> None:
    """Neither the key nor the host's name can be done without, nor is a refusal kept."""
    _, client = start(name="feeds.example.org", max_age="3600", access_key=KEY, public_url="https://feeds.example.org")
    client.headers["Host"] = "feeds.example.org"
    assert 200 == client.get(f"/k/{KEY}/feed.rss").status_code
    assert [404] * 2 == [client.get(path).status_code for path in ("/metrics", f"/k/{KEY}/metrics")]
    for _ in range(2):
        assert 403 == client.get("/feed.rss").status_code
        assert 403 == client.get(f"/k/{KEY[:-1]}/feed.rss").status_code
        refused = client.get(f"/k/{KEY}/feed.rss", headers={"Host": "evil.example", "X-Forwarded-Host": "localhost"})
        assert 421 == refused.status_code
        assert 200 == client.get(f"/k/{KEY}/feed.rss", headers={"Host": "feeds.example.org"}).status_code
