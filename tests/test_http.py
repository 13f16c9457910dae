"""How one host is asked: headers, pace, allowance, redirects, limits. Asserted at the wire."""

import gzip
import socket
import threading
from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace
from typing import Any

import pytest

from feedproxy import HOME, __version__
from feedproxy.errors import UpstreamError
from feedproxy.ingest.exchange import _deadline
from feedproxy.ingest.http import Fetcher, Response, StatusError
from tests import hub as fake
from tests.faults import drip, drip_bytes, drip_head, drip_tls, silence
from tests.hub import Answer, Timer

TOKEN = "hf_made_up"  # noqa: S105 (opens nothing)
TUESDAY = "Tue, 10 Mar 2026 12:00:00 GMT"


@pytest.fixture
def timer() -> Timer:
    return Timer()


def fetch(hub: fake.Hub, validator: str | None = None, **options: Any) -> Response:
    """Get `/x` from the fake Hub."""
    return Fetcher(hub.url, **{"interval": 0} | options).get("/x", {"a": "1"}, validator)


def fails(hub: fake.Hub, validator: str | None = None, **options: Any) -> UpstreamError:
    """Return the error with which that fails."""
    with pytest.raises(UpstreamError) as raised:
        fetch(hub, validator, **options)
    return raised.value


def gzip_answer(body: bytes) -> Answer:
    """Return an answer with `body` as it stands, said to be gzip."""
    return Answer(body=body, headers={"Content-Encoding": "gzip"})


@pytest.mark.parametrize(
    ("options", "agent", "token"),
    [
        ({}, f"feedproxy/{__version__} (+{HOME})", None),
        ({"token": TOKEN, "contact": "https://x.org"}, f"feedproxy/{__version__} (+https://x.org)", TOKEN),
    ],
)
def test_headers(hub: fake.Hub, options: dict[str, str], agent: str, token: str | None):
    """Requests say who asks, carry a token only if there is one, and take gzip."""
    hub.standing = Answer()
    fetch(hub, **options)
    (request,) = hub.requests

    assert ("/x", {"a": "1"}) == (request.path, request.query)
    assert (agent, token and f"Bearer {token}") == (request.headers["User-Agent"], request.headers.get("Authorization"))
    assert ("gzip", None) == (request.headers["Accept-Encoding"], request.headers.get("If-None-Match"))


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (Answer(body=b"plain"), b"plain"),
        (Answer(body=b"plain", headers={"Content-Encoding": "identity"}), b"plain"),
        (gzip_answer(gzip.compress(b"packed" * 90_000)), b"packed" * 90_000),
        (gzip_answer(b""), b""),
    ],
)
def test_body(hub: fake.Hub, answer: Answer, body: bytes):
    """A compressed answer is unpacked, an empty one is empty."""
    hub.standing = answer

    assert Response(body) == fetch(hub)


@pytest.mark.parametrize(
    ("etag", "validator"),
    [
        ('"made-up"', '"made-up"'),
        ('W/"made-up"', 'W/"made-up"'),
        ('""', '""'),
        ("made-up", None),
        ('"mäde up"', None),
        (f'"{"x" * 201}"', None),
    ],
)
def test_validator(hub: fake.Hub, etag: str, validator: str | None):
    """An ETag is kept if it can be sent back; then 304 means that nothing changed."""
    hub.standing = Answer(headers={"ETag": etag})
    assert Response(b"[]", validator=validator) == fetch(hub)

    hub.standing = Answer(304, b"")
    if validator:
        assert Response(unchanged=True, validator=validator) == fetch(hub, validator)
        assert validator == hub.requests[-1].headers["If-None-Match"]


def test_unasked_304(hub: fake.Hub):
    """A 304 nobody asked for is no answer."""
    hub.standing = Answer(304, b"")

    assert "127.0.0.1 answered 304 Not Modified" == str(fails(hub))


# Pace and allowance -----------------------------------------------------------------------------


def test_turns(hub: fake.Hub, timer: Timer):
    """Each request, redirects included, first takes a turn and waits for it."""
    fetcher = Fetcher(hub.url, interval=2.5, sleep=timer.sleep, timer=timer)
    waits, paces = iter((0.0, 1.5, 4.0)), list[float]()

    def turn(pace: float) -> float:
        paces.append(pace)
        return next(waits)

    fetcher.turn = turn
    hub.script += [Answer(302, b"", {"Location": "/y"}), *[Answer()] * 40]
    fetcher.get("/x")
    fetcher.get("/x")

    assert ([2.5] * 3, [1.5, 4.0], 3) == (paces, timer.slept, len(hub.requests))


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ('"api";r=4;t=41', 42),
        ('"api"; r=0; t=0', 1),
        ('"api";r=0;t=999999', 86_400),
        ('"api";r=5;t=41', None),
        ('"api";r=499;t=293', None),
        ('"api";r=0', None),
        ('"api";t=41', None),
        ('"api";r=-1;t=x', None),
    ],
)
def test_allowance(hub: fake.Hub, timer: Timer, header: str, wait: int | None):
    """The last requests the Hub would allow are left to others; then nobody is asked until it allows more."""
    fetcher = Fetcher(hub.url, interval=0, sleep=timer.sleep, timer=timer)
    hub.standing = Answer(headers={"RateLimit": header})
    fetcher.get("/x")

    if wait:
        timer.now += 0.5
        with pytest.raises(UpstreamError) as raised:
            fetcher.get("/x")
        assert f"127.0.0.1 allows no more requests for {wait} s" == str(raised.value)
        assert (wait, 1) == (raised.value.retry_after, len(hub.requests))
        timer.now += wait - 0.5
    assert Response(b"[]") == fetcher.get("/x")
    assert 2 == len(hub.requests)


# Redirects --------------------------------------------------------------------------------------


@pytest.mark.parametrize("location", ["/elsewhere", "?p=0", "http://{host}/api?date=2026-03-10", "//{host}/x"])
def test_redirect(hub: fake.Hub, location: str):
    """A redirect within the host is followed."""
    host = hub.url.removeprefix("http://")
    hub.script += [Answer(307, b"", {"Location": location.format(host=host)}), Answer(body=b"there")]

    assert Response(b"there") == fetch(hub, token=TOKEN)
    assert 2 == len(hub.requests)


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("http://localhost:{port}/api", "127.0.0.1 redirects elsewhere: http://localhost:{port}/api"),
        ("http://127.0.0.1:1/", "127.0.0.1 redirects elsewhere: http://127.0.0.1:1/"),
        ("https://127.0.0.1:{port}/", "127.0.0.1 redirects elsewhere: https://127.0.0.1:{port}/"),
        ("//example.org/", "127.0.0.1 redirects elsewhere: http://example.org/"),
        ("file:///etc/passwd", "127.0.0.1 redirects elsewhere: file:/"),
        ("http:////xn--]{{", "cannot reach 127.0.0.1: Invalid IPv6 URL"),
        ("http://a\tb/", "cannot reach 127.0.0.1: Invalid"),
        (None, "127.0.0.1 answered 302 Found"),
    ],
)
def test_redirect_elsewhere(hub: fake.Hub, location: str | None, message: str):
    """A redirect to another host, port or scheme is refused, and nobody else is asked."""
    port = hub.url.rpartition(":")[2]
    hub.standing = Answer(302, b"", {"Location": location.format(port=port)} if location else {})

    assert str(fails(hub, token=TOKEN)).startswith(message.format(port=port))
    assert 1 == len(hub.requests)


def test_redirect_in_circles(hub: fake.Hub):
    """Redirects in circles end after the fifth."""
    hub.standing = Answer(301, b"", {"Location": "/x"})

    assert "127.0.0.1 redirects in circles" == str(fails(hub))
    assert 6 == len(hub.requests)


# Refusals and limits ----------------------------------------------------------------------------

LIMITED = {"RateLimit": '"api";r=0;t=41'}


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (429, b"<html>Slow down</html>", "429 Too Many Requests"),
        (429, b'{"error": "Too  many\\nrequests"}', "429 Too many requests"),
        (503, b"[1]", "503 Service Unavailable"),
        (500, b'{"error": "\\ud800 oops"}', "500 oops"),
        (500, b'{"error": ["what", 1]}', "500 ['what', 1]"),
        (502, b"\xff\xfe", "502 Bad Gateway"),
        (403, b"[" * 100_000, "403 Forbidden"),
        (204, b"", "204 No Content"),
    ],
)
def test_refusal(hub: fake.Hub, status: int, body: bytes, message: str):
    """An error status is reported in the Hub's words, if they can be read."""
    hub.standing = Answer(status, body)
    error = fails(hub)

    assert isinstance(error, StatusError)
    assert (f"127.0.0.1 answered {message}", status) == (str(error), error.code)


def test_name_that_is_none():
    """A host name that IDNA forbids is one more host that cannot be reached."""
    with pytest.raises(UpstreamError, match=r"^cannot reach xn--a\.example: "):
        Fetcher("http://xn--a.example").get("/")


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {}, None),
        (429, LIMITED, 42),
        (429, LIMITED | {"Retry-After": "7"}, 7),
        (429, LIMITED | {"Retry-After": "soon"}, 42),
        (503, {"Retry-After": "120"}, 120),
        (500, LIMITED | {"Retry-After": "120"}, None),
        (401, LIMITED, None),
        (429, {"Retry-After": "0"}, 0),
        (429, {"Retry-After": "-7"}, None),
        (429, {"Retry-After": "99999999999"}, 86_400),
        (429, {"Retry-After": "9" * 5000}, None),
        (429, {"RateLimit": "r=0;t=999999"}, 86_400),
        (429, {"Date": TUESDAY, "Retry-After": "Tue, 10 Mar 2026 12:01:30 GMT"}, 90),
        (429, {"Date": TUESDAY, "Retry-After": "Tue, 10 Mar 2026 13:01:30 +0100"}, 90),
        (429, {"Date": TUESDAY, "Retry-After": "Tue, 10 Mar 2026 11:00:00 GMT"}, 0),
        (429, {"Date": TUESDAY, "Retry-After": "Sun, 10 Mar 2099 12:00:00 GMT"}, 86_400),
        (429, {"Date": TUESDAY, "Retry-After": "Tue, 10 Mar 99999 12:00:00 GMT"}, None),
        (429, {"Date": TUESDAY, "Retry-After": "Tue, 10 Mar 2026 12:00:00"}, 0),
        (429, {"Date": TUESDAY, "Retry-After": "Tue, 10 Mar 2026 12:00:00 +99999999999999999"}, None),
        (429, {"Date": "?", "Retry-After": "Tue, 10 Mar 2026 12:01:30 GMT"} | LIMITED, 42),
    ],
)
def test_retry_after(hub: fake.Hub, status: int, headers: dict[str, str], wait: int | None):
    """The wait a refusal asks for is understood in every way it may be put, and no wait exceeds a day."""
    hub.standing = Answer(status, b"", headers)

    assert wait == fails(hub).retry_after


@pytest.mark.parametrize("packing", [lambda body: Answer(body=body), lambda body: gzip_answer(gzip.compress(body, 1))])
@pytest.mark.parametrize(("spare", "fits"), [(0, True), (1, False)])
def test_size_cap(hub: fake.Hub, packing: Any, spare: int, fits: bool):
    """An answer may have 3 MiB, unpacked, and not a byte more."""
    hub.standing = packing(bytes(3 * 2**20 + spare))

    if fits:
        assert 3 * 2**20 == len(fetch(hub).body)
    else:
        assert "127.0.0.1 sent more than 3145728 bytes" == str(fails(hub))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"half", headers={"Content-Length": "5000", "Connection": "close"}),
        gzip_answer(gzip.compress(b"whole" * 999)[:-20]),
        gzip_answer(gzip.compress(b"whole")[:-1]),
        gzip_answer(b"no gzip at all"),
        Answer(headers={"Content-Length": "nonsense", "Connection": "close"}),
    ],
)
def test_half_an_answer(hub: fake.Hub, answer: Answer):
    """Half an answer is an error, however much of it could be read."""
    hub.standing = answer

    assert str(fails(hub)).startswith("cannot reach 127.0.0.1: ")


def drip_without_length(wire: BaseHTTPRequestHandler, answer: Answer) -> None:
    """Send a body one byte at a time that ends where the connection does."""
    wire.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    drip_bytes(wire, b"[" * 9000)


@pytest.mark.parametrize(
    ("scheme", "answer"),
    [
        ("https", Answer(send=drip_tls)),
        ("http", Answer(send=drip_head)),
        ("http", Answer(send=drip, body=b"[" * 9000)),
        ("http", Answer(send=drip_without_length)),
        ("http", Answer(send=drip, body=gzip.compress(bytes(9000)) * 99, headers={"Content-Encoding": "gzip"})),
        ("http", Answer(send=silence)),
    ],
)
def test_slow_answer(hub: fake.Hub, scheme: str, answer: Answer):
    """An answer that is not over in time is given up, however steadily it comes, TLS and headers included."""
    hub.standing = answer
    fetcher = Fetcher(hub.url.replace("http", scheme), interval=0, deadline=0.1)
    with pytest.raises(UpstreamError, match=r"^127\.0\.0\.1 took more than 0\.1 s to answer$"):
        fetcher.get("/x")


def test_connection_after_the_deadline():
    """A connection that is made only after the deadline is shut at once."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    received = list[bytes]()

    def connect_late() -> None:
        with _deadline(0.01) as trace:
            for timer in [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]:
                timer.join()
            trace("connect_tcp.complete", {"return_value": SimpleNamespace(get_extra_info=lambda _: ours)})
            received.append(theirs.recv(1))

    with ours, theirs, pytest.raises(TimeoutError):
        connect_late()
    assert [b""] == received


def test_deadline_is_of_one_answer(hub: fake.Hub):
    """One that came in time is whole, whatever came before it, and its watch ends with it."""
    hub.script += [Answer(send=drip_head), Answer(302, b"", {"Location": "/y"}), Answer(body=b"there")]
    fetcher = Fetcher(hub.url, interval=0, deadline=1)
    with pytest.raises(UpstreamError):
        fetcher.get("/x")

    assert Response(b"there") == fetcher.get("/x")
    watches = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    assert all(watch.finished.is_set() for watch in watches)


def test_validator_that_cannot_be_sent(hub: fake.Hub):
    """What cannot be put into a request is one error, like all else."""
    assert str(fails(hub, "é")).startswith("cannot reach 127.0.0.1: ")


def test_numbers_of_errors_are_left_out() -> None:
    """Visitors and operators read words, not the numbers of errors."""
    with pytest.raises(UpstreamError, match=r"^cannot reach 127\.0\.0\.1: Connection refused$"):
        Fetcher("http://127.0.0.1:9", interval=0).get("/x")
