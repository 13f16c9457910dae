"""A process takes on a little cold work at a time; what is in memory and what looks after it never wait for that."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from feedproxy.archive import Archive
from feedproxy.config import Config
from feedproxy.errors import BusyError
from feedproxy.ingest.parse import parse
from feedproxy.web import create_app
from feedproxy.web.fast_path import Gate
from tests.conftest import Clock
from tests.factories import DAY, api, entries, entry
from tests.hub import Timer

FEED, HTML = "/feed.rss?q=paper", {"Accept": "text/html"}


def test_one_at_a_time_and_one_that_waits() -> None:
    """One runs, one waits for its turn, a third is refused at once; when the first is done, the second runs."""
    gate, entered = Gate(running=1, waiting=1), threading.Event()

    def second() -> None:
        with gate.enter():
            entered.set()

    with gate.enter():
        waiting = threading.Thread(target=second)
        waiting.start()
        while gate._places._value:
            pass
        with pytest.raises(BusyError), gate.enter():
            pass
        assert not entered.is_set()
    waiting.join(10)
    assert entered.is_set()


def test_patience_ends() -> None:
    """Whoever waited long enough is refused, and leaves its place to another."""
    gate = Gate(running=1, waiting=1)
    with gate.enter():
        for _ in range(3):
            with pytest.raises(BusyError), gate.enter(patience=0.01):
                pass


def test_failed_work_leaves() -> None:
    """Work that fails makes room like work that succeeds."""
    gate = Gate(running=1, waiting=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), gate.enter():
            _ = 1 / 0
    with gate.enter():
        pass


def test_paused() -> None:
    """A request that only waits for papers lets others take its turn."""
    gate = Gate(running=1, waiting=1)
    with gate.enter(), gate.pause(), gate.enter(patience=0.01):
        pass


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    (tmp_path / "listing.json").write_bytes(api(entries(8, upvotes=3)))
    paths = {"LISTING": tmp_path / "listing.json", "ARCHIVE": tmp_path / "a.sqlite"}
    config = Config.load({f"FEEDPROXY_{name}": str(path) for name, path in paths.items()} | {"FEEDPROXY_METRICS": "1"})
    archive = Archive(config.archive, timer=(timer := Timer()))
    app = create_app(config, archive=archive, clock=Clock())
    app.extensions["timer"] = timer
    yield app.test_client()
    app.extensions["feedproxy"].loop.stop()
    archive.close()


@contextmanager
def crowded(client: FlaskClient, name: str = "_gate") -> Iterator[None]:
    """Fill a gate of the application within the block, as a client does that asks for too much."""
    gate: Gate = getattr(client.application.wsgi_app._app, name)  # behind the cache
    with ExitStack() as stack:
        while gate._turns._value:
            stack.enter_context(gate.enter())
        while gate._places.acquire(blocking=False):
            stack.callback(gate._places.release)
        yield


@pytest.mark.parametrize("path", ["/feed.rss?q=other", "/feed.json", "/?q=other", "/opml?feed=q%3Da", "/nowhere"])
def test_refused(client: FlaskClient, path: str) -> None:
    """Cold work beyond what a process takes on is refused at once, in one line that says when to come back."""
    client.get(FEED)
    with crowded(client):
        for method in ("GET", "HEAD", "POST"):
            refused = client.open(path, method=method, headers=HTML)
            told = refused.status_code, refused.headers["Retry-After"], refused.headers["Cache-Control"]
            assert (503, "5", "no-store") == told
        refused = client.get(path, headers=HTML)
        assert "this server is busy; ask again in a few seconds\n" == refused.text
        assert "*" == refused.headers["Access-Control-Allow-Origin"]
    assert 503 != client.get(path, headers=HTML).status_code


def test_not_refused(client: FlaskClient) -> None:
    """What is in memory, probes, the status and files are answered while no cold work is taken on."""
    client.get(FEED), client.get("/", headers=HTML)
    free = (FEED, "/", "/healthz", "/readyz", "/status", "/status.json")
    free += ("/static/style.css", "/favicon.ico", "/llms.txt")
    with crowded(client):
        assert dict.fromkeys(free, 200) == {path: client.get(path, headers=HTML).status_code for path in free}


def test_an_older_answer_instead_of_none(client: FlaskClient, tmp_path: Path) -> None:
    """A feed whose papers have changed is answered as it was, while it cannot be made anew; new queries hinder none."""
    before = client.get(FEED)
    other = Archive(str(tmp_path / "a.sqlite"))
    other.store([parse(api([entry(9, upvotes=3)]), day=DAY)], Clock().tick(minutes=15))
    other.close()
    client.application.extensions["timer"].sleep(2)
    with crowded(client, "_renewal_gate"):
        again = client.get(FEED)
        assert (200, before.data) == (again.status_code, again.data)
    with crowded(client):
        assert 9 == client.get(FEED).text.count("<item>")


def test_refusals_are_counted(client: FlaskClient) -> None:
    """The metrics say how many requests were refused, and count them among those answered."""
    client.get(FEED)
    with crowded(client):
        assert [503] * 3 == [client.get("/feed.rss?q=other").status_code for _ in range(3)]
        counted = client.get("/metrics").text.splitlines()
    assert 'feedproxy_refused_total{reason="busy"} 3.0' in counted
    assert 'feedproxy_requests_total{format="other",status="503"} 3.0' in counted


# What is not looked at -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Accept", "application/atom+xml" + " " * 1000),
        ("Accept-Encoding", "gzip" + " " * 200),
        ("If-None-Match", '"a", ' * 1000 + "{etag}"),
        ("If-Modified-Since", "Thu, 01 Jan 2099 00:00:00 GMT" + " " * 100),
        ("Range", "bytes=" + "0-1," * 100),
    ],
)
def test_headers_nobody_sends(client: FlaskClient, name: str, value: str) -> None:
    """A header far longer than any client's counts as not sent, for what is in memory and what is not."""
    plain = client.get("/feed")
    for path in ("/feed", "/feed?_=1"):
        odd = client.get(path, headers={name: value.format(etag=plain.headers["ETag"])})
        assert (plain.status_code, plain.headers["ETag"], plain.data) == (
            odd.status_code,
            odd.headers["ETag"],
            odd.data,
        )


@pytest.mark.parametrize("path", ["/feed.rss?_=" + "x" * 20_000, "/" + "x" * 20_000])
def test_addresses_nobody_asks_for(client: FlaskClient, path: str) -> None:
    """An address far longer than any filter makes it is refused in one line."""
    refused = client.get(path)
    assert (414, "the address is too long\n") == (refused.status_code, refused.text)
    assert (414, b"") == ((head := client.head(path)).status_code, head.data)
