"""What stands before Flask: a repeated poll is one look-up, and is answered just as the first was."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from flask import request, template_rendered
from flask.testing import FlaskClient

from feedproxy.archive import Archive
from feedproxy.config import Config
from feedproxy.ingest.parse import parse
from feedproxy.web import create_app
from feedproxy.web.fast_path import request_key
from tests.conftest import Clock
from tests.factories import DAY, api, entries, entry
from tests.hub import Timer

FEED = "/feed.rss?q=paper&min_upvotes=1"
ENVIRON = {"wsgi.url_scheme": "http", "PATH_INFO": "/feed.rss", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8000"}
GZIP = {"Accept-Encoding": "gzip"}
HTML = {"Accept": "text/html"}


class Service:
    """The application without a network, which notes what reached Flask."""

    def __init__(self, path: Path, **options: str) -> None:
        settings = {"archive": str(path / "archive.sqlite"), "listing": str(path / "listing.json")} | options
        config = Config.load({f"FEEDPROXY_{name.upper()}": text for name, text in settings.items()})
        self.clock, self.timer, self.flask = Clock(), Timer(), list[str]()
        self.archive = Archive(config.archive, timer=self.timer)
        self.app = create_app(config, archive=self.archive, clock=self.clock)
        self.app.before_request(lambda: self.flask.append(request.full_path))
        self.client: FlaskClient = self.app.test_client()

    def reached_flask(self, *ask: object, **options: object) -> bool:
        """Ask, and say whether that reached Flask."""
        self.flask.clear()
        self.client.open(*ask, **options)
        return bool(self.flask)

    def store(self, *found: dict[str, object]) -> None:
        """Store a later listing, as another process does."""
        with closing(Archive(self.archive.address)) as other:
            other.store([parse(api(found), day=DAY)], self.clock.tick(minutes=15))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    (tmp_path / "listing.json").write_bytes(api(entries(8, upvotes=3)))
    started: list[Service] = []

    def starting(**options: str) -> Service:
        started.append(Service(tmp_path, **options))
        return started[-1]

    yield starting
    for service in started:
        service.app.extensions["feedproxy"].loop.stop()
        service.archive.close()


@pytest.fixture
def service(start: Callable[..., Service]) -> Service:
    return start()


@pytest.mark.parametrize("accept", [None, "application/atom+xml"])
@pytest.mark.parametrize("path", ["/feed.json?q=paper", "/feed?q=paper", "/?q=paper", "/feed.rss"])
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_answers_as_flask_did(service: Service, method: str, path: str, accept: str | None, encoding: str) -> None:
    """Status, headers and body of a repeated poll are those of the first; every answer has a validator."""
    asked = {"Accept-Encoding": encoding} | ({"Accept": accept} if accept else {})
    first = service.client.open(path, method=method, headers=asked)
    again = service.client.open(path, method=method, headers=asked)
    assert (first.status, dict(first.headers), first.data) == (again.status, dict(again.headers), again.data)
    held = asked | {"If-None-Match": first.headers["ETag"]}
    known = service.client.open(path, method=method, headers=held)
    cold = service.client.open(f"{path}{'&' if '?' in path else '?'}utm_source=x", method=method, headers=held)
    assert 304 == cold.status_code
    assert (cold.status, dict(cold.headers), cold.data) == (known.status, dict(known.headers), known.data)


def test_repeated_poll_does_not_reach_flask(service: Service) -> None:
    """The first poll reaches Flask, later ones do not, whatever their validators, encoding and method."""
    assert service.reached_flask(FEED)
    etag = service.client.get(FEED).headers["ETag"]
    for headers in ({}, GZIP, {"If-None-Match": etag}, {"If-None-Match": 'W/"other", *'}, {"User-Agent": "reader"}):
        assert not service.reached_flask(FEED, headers=headers)
        assert not service.reached_flask(FEED, method="HEAD", headers=headers)


def test_recent_poll_takes_no_lock(service: Service) -> None:
    """A poll like one of the last seconds only looks into a dictionary, without conditions and with the known ETag."""
    cache = service.app.extensions["feedproxy"].cache
    for headers in ({}, GZIP):
        first = [service.client.get(FEED, headers=headers) for _ in range(2)][1]
        for held in (None, first.headers["ETag"]):
            poll = headers | ({"If-None-Match": held} if held else {})
            cache._lock, lock = None, cache._lock
            again = service.client.get(FEED, headers=poll)
            cache._lock = lock
            assert ((304, b"") if held else (200, first.data)) == (again.status_code, again.data)
            expected = service.client.get(FEED + "&_=1", headers=poll)
            assert (expected.status, expected.headers) == (again.status, again.headers)


def test_headers_that_nobody_trusts_lead_nobody_astray(service: Service) -> None:
    """However many spellings and forwarded hosts strangers make up, a reader's next polls are answered from memory."""
    service.client.get(FEED)
    for number in range(100):
        service.client.get(f"{FEED}&_={number}")
        service.client.get(FEED, headers={"X-Forwarded-Host": f"{number:0600}", "X-Forwarded-Proto": "gopher"})
    service.client.get(FEED)
    assert not service.reached_flask(FEED)
    assert not service.reached_flask(FEED, headers={"X-Forwarded-Host": "another"})


def test_forwarded_host_decides_behind_proxies(start: Callable[..., Service]) -> None:
    """Behind a trusted proxy the feeds of two hosts are told apart, also from memory."""
    service = start(trusted_proxies="1", hosts="a.example, b.example")
    for host in ("a.example", "b.example") * 3:
        found = service.client.get(FEED, headers={"X-Forwarded-Host": host, "X-Forwarded-Proto": "https"})
        assert f"https://{host}/feed.rss" in found.text


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/feed.rss?q=paper&min_upvotes=2", {}),
        ("/feed.atom?q=paper&min_upvotes=1", {}),
        ("/feed.rss?min_upvotes=1&q=paper", {}),
        (FEED, {"headers": {"Host": "127.0.0.1"}}),
        (FEED, {"headers": {"Host": "stranger.example.org"}}),
        (FEED, {"base_url": "https://localhost"}),
        (FEED, {"base_url": "http://localhost/below"}),
        (FEED, {"method": "POST"}),
        ("/?q=paper&min_upvotes=1", {}),
    ],
)
def test_anything_else_reaches_flask(service: Service, path: str, options: dict[str, object]) -> None:
    """Another query, spelling, format, host, scheme, prefix or method is looked at whole."""
    service.client.get(FEED)
    assert service.reached_flask(path, **options)


def test_negotiated_by_accept(service: Service) -> None:
    """Where `Accept` decides, an answer is known for the `Accept` it was given for."""
    service.client.get("/feed", headers={"Accept": "application/atom+xml"})
    assert not service.reached_flask("/feed", headers={"Accept": "application/atom+xml"})
    assert service.reached_flask("/feed", headers={"Accept": "application/feed+json"})
    found = service.client.get("/feed", headers={"Accept": "application/feed+json"})
    assert ("application/feed+json", "Accept-Encoding, Accept") == (found.content_type, found.headers["Vary"])


def test_named_feed_from_memory(start: Callable[..., Service], tmp_path: Path) -> None:
    """A feed with a name is known like any other, apart from the feed of its query, whatever `Accept` says."""
    (tmp_path / "feeds.toml").write_text('[[feed]]\nname = "p"\ntitle = "P"\nquery = "q=paper"\n')
    service = start(feeds=str(tmp_path / "feeds.toml"))
    plain = service.client.get("/feed.rss?q=paper")
    named = service.client.get("/f/p.rss")
    for path, first in (("/f/p.rss", named), ("/feed.rss?q=paper", plain)):
        assert not service.reached_flask(path, headers={"Accept": "application/feed+json"})
        assert first.data == service.client.get(path).data
    assert plain.headers["ETag"] != named.headers["ETag"]


@pytest.mark.parametrize(
    "path", ["/feed.rss?limit=0", "/feed.rss?q=(", "/nowhere", "/healthz", "/status.json", "/?q=("]
)
def test_never_kept(service: Service, path: str) -> None:
    """A mistake and what the service says of itself are answered anew each time."""
    assert service.reached_flask(path, headers=HTML)
    assert service.reached_flask(path, headers=HTML)


def test_page_from_memory(service: Service) -> None:
    """A page that was asked for before is answered as it was, without Flask; what means nothing makes no other page."""
    first = service.client.get("/?q=Paper&days=", headers=HTML)
    again = service.client.get("/?q=Paper&days=", headers=HTML)
    assert (first.status, dict(first.headers), first.data) == (again.status, dict(again.headers), again.data)
    assert not service.reached_flask("/?q=Paper&days=", headers=HTML | {"If-None-Match": first.headers["ETag"]})
    rendered: list[str] = []
    with template_rendered.connected_to(lambda *_, template, **__: rendered.append(template.name), service.app):
        assert first.data == service.client.get("/?q=Paper&utm_source=x", headers=HTML).data
        assert [] == rendered
    assert first.data != service.client.get("/?q=paper", headers=HTML).data  # the form says what was typed


def test_page_is_of_its_host(service: Service) -> None:
    """The page names the addresses of the host it was asked at, also from memory."""
    for host in ("localhost", "127.0.0.1") * 2:
        assert f"http://{host}/feed.rss" in service.client.get("/", headers=HTML | {"Host": host}).text


def test_page_shows_a_change(service: Service) -> None:
    """What another process stored is on the page within five seconds; time alone changes nothing of it."""
    before = service.client.get("/", headers=HTML)
    service.clock.tick(days=3)
    assert before.data == service.client.get("/?_=1", headers=HTML).data
    service.store(entry(9, upvotes=3))
    service.timer.sleep(4.9)
    after = service.client.get("/", headers=HTML | {"If-None-Match": before.headers["ETag"]})
    assert (200, True) == (after.status_code, "9 papers since" in after.text)


def test_flood_of_pages_pushes_no_feed_out(start: Callable[..., Service]) -> None:
    """Of many pages that are each asked for once none takes the place of a feed that is polled."""
    service = start(cache_bytes="1000000")
    for spelled in ("", "&_=1"):
        service.client.get(FEED + spelled)
    sent = sum(len(service.client.get(f"/?q=paper&limit={number}", headers=HTML).data) for number in range(1, 101))
    assert sent > 1_000_000
    assert service.reached_flask("/?q=paper&limit=50", headers=HTML)
    assert not service.reached_flask(FEED)


def test_failure_is_not_kept(start: Callable[..., Service], tmp_path: Path) -> None:
    """A 503 is gone with its reason."""
    (tmp_path / "archive.sqlite").write_bytes(b"junk" * 1000)
    service = start()
    assert 503 == service.client.get(FEED).status_code
    (tmp_path / "archive.sqlite").unlink()
    service.store(entry(1, upvotes=3))
    assert 200 == service.client.get(FEED).status_code


def test_change_shows_within_five_seconds(service: Service) -> None:
    """What another process stored is in every feed, asked for in whatever way, within five seconds."""
    before = service.client.get(FEED).headers["ETag"]
    service.store(entry(9, upvotes=3))
    service.timer.sleep(4.9)
    assert service.reached_flask(FEED)
    after = service.client.get(FEED, headers={"If-None-Match": before})
    assert (200, 9) == (after.status_code, after.text.count("<item>"))


def test_same_answer_in_every_spelling(start: Callable[..., Service]) -> None:
    """One feed is rendered once, in however many spellings its query comes, before a change and after."""
    service = start(metrics="1")
    assert 200 == service.client.get("/feed.rss?q=else").status_code  # the first refresh is over
    spellings = [FEED, "/feed.rss?min_upvotes=1&q=paper", "/feed.rss?q=PAPER&min_upvotes=1&days=90", f"{FEED}&_=1"]
    for seen in (entry(9, upvotes=3), entry(10, upvotes=3)):
        service.store(seen)
        service.timer.sleep(1)
        assert 1 == len({service.client.get(path).headers["ETag"] for path in spellings * 2})
    assert "feedproxy_renderings_total 3.0" in service.client.get("/metrics").text


def test_emptied_archive_is_no_empty_feed(service: Service) -> None:
    """A feed asked for just after the archive was emptied is 503, not one without entries, and is not kept."""
    service.client.get(FEED)
    for path in Path(service.archive.address).parent.glob("archive.sqlite*"):
        path.unlink()
    assert 503 == service.client.get("/feed.rss?q=other").status_code
    service.store(entry(1, title="Other"))
    service.timer.sleep(1)
    assert 1 == service.client.get("/feed.rss?q=other").text.count("<item>")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Modified-Since": "Thu, 01 Jan 2024 00:00:00 +99999999999999999999"}, 200),
        ({"If-Match": '"x"', "If-None-Match": '"y"'}, 200),
        ({"If-Match": '"x"', "If-None-Match": "{etag}"}, 304),
        ({"Accept-Encoding": "gzip, " * 1000}, 200),
    ],
)
def test_odd_headers(service: Service, headers: dict[str, str], status: int) -> None:
    """Headers nobody sends in good faith are answered alike by Flask and before it, and fail nothing."""
    etag = service.client.get(FEED).headers["ETag"]
    sent = {name: text.replace("{etag}", etag) for name, text in headers.items()}
    for path in (FEED, f"{FEED}&_=1"):
        assert status == service.client.get(path, headers=sent).status_code


def test_no_host_is_not_an_empty_one() -> None:
    """A request without a Host, as HTTP/1.0 has it, says nothing about one whose Host is empty, or at another port."""
    assert request_key({**ENVIRON, "HTTP_HOST": ""}) != request_key(ENVIRON)
    assert request_key({**ENVIRON, "SERVER_PORT": "8001"}) != request_key(ENVIRON)


def test_junk_in_the_place_of_the_archive(service: Service) -> None:
    """While the archive cannot be read, feeds that were asked for are answered from memory, others are 503."""
    before = service.client.get(FEED)
    path = Path(service.archive.address)
    service.app.extensions["feedproxy"].loop.stop()  # which would open the archive again
    service.archive.close()
    kept = path.read_bytes()
    path.write_bytes(b"junk" * 1000)
    service.timer.sleep(60)
    for _ in range(2):
        known = service.client.get(FEED)
        assert (200, before.data) == (known.status_code, known.data)
    assert 304 == service.client.get(FEED, headers={"If-None-Match": before.headers["ETag"]}).status_code
    assert before.data == service.client.get(f"{FEED}&_=1").data
    assert 503 == service.client.get("/feed.rss?q=other").status_code
    path.write_bytes(kept)
    service.timer.sleep(60)
    assert 200 == service.client.get("/feed.rss?q=other").status_code


def test_public_address(start: Callable[..., Service]) -> None:
    """With a public address equal feeds are equal under whichever host they are asked for."""
    service = start(public_url="https://feeds.example.org", hosts="a.example, b.example")
    hosts = ("localhost", "a.example", "b.example") * 2
    assert 1 == len({service.client.get(FEED, headers={"Host": host}).data for host in hosts})


def test_counted(start: Callable[..., Service]) -> None:
    """What does not reach Flask is counted all the same, under its format, negotiated or not."""
    service = start(metrics="1")
    for path in (FEED, FEED, "/feed", "/feed"):
        service.client.get(path)
    told = service.client.get("/metrics").text
    assert 'feedproxy_requests_total{format="rss",status="200"} 4.0' in told
    assert "feedproxy_renderings_total 2.0" in told


def test_bytes_agree_over_a_wire(serve: Callable[..., httpx.Client], tmp_path: Path) -> None:
    """A body on the wire is as long as it says, known or not, and a HEAD and a 304 have none."""
    (tmp_path / "listing.json").write_bytes(api(entries(8, upvotes=3)))
    client = serve(listing=str(tmp_path / "listing.json"))
    for _ in range(3):
        response = client.get(FEED, headers=GZIP)
        assert 8 == response.text.count("<item>")
        assert int(response.headers["Content-Length"]) < len(response.content)
        assert b"" == client.head(FEED, headers=GZIP).content
        assert b"" == client.get(FEED, headers=GZIP | {"If-None-Match": response.headers["ETag"]}).content
