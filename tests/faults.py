"""Everything that can go wrong with the Hub: one table, a row a fault, to parametrize tests over.

`source(hub, fault, timer)` makes what asks the fake Hub, `broken(hub, fault, timer)` makes the fault last.
"""

import gzip
import os
import select
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx

from feedproxy.ingest.http import Fetcher
from feedproxy.ingest.source import Hub
from tests import hub as fake
from tests.factories import DAY, api, entries, entry, paper_id
from tests.hub import API, Answer, Timer, send_head

_SHORT = 0.1  # seconds
_LISTING = api(entries(40))


@dataclass(frozen=True)
class Fault:
    """One row: what goes wrong, and what `Hub.get` of DAY makes of it.

    Wrong is the `answer` to every request, or what DAY lists (`listed`), or where the Hub is asked
    for: `address` makes that of the fake Hub's. `timeout` is how long the source waits for a sign of life,
    `deadline` for all of an answer.
    `error` is how the error begins; where there is none, `remaining` are the papers still to be had, by
    number, and `skipped` the reasons why others are not. `page` says whether the page, where it is
    alive, helps.
    """

    name: str
    error: str = ""
    answer: Answer | None = None
    listed: list[Any] | None = None
    address: Callable[[str], str] = str
    timeout: float = 10.0
    deadline: float = 30.0
    remaining: tuple[int, ...] = ()
    skipped: tuple[str, ...] = ()
    page: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def lasting(self) -> bool:
        """Whether it lies in the source, so that it takes another one to find the Hub healed."""
        return self.address is not str or _SHORT in (self.timeout, self.deadline)


def source(hub: fake.Hub, fault: Fault, timer: Timer, kind: type[Hub] = Hub, **options: Any) -> Hub:
    """Return what asks `hub`, without pauses, where `fault` has it asked for; of that `kind`."""
    patience = {"timeout": httpx.Timeout(fault.timeout), "deadline": fault.deadline}
    settings = {"interval": 0, "timer": timer, "sleep": timer.sleep} | patience | options
    return kind(Fetcher(fault.address(hub.url), **settings))


@contextmanager
def broken(hub: fake.Hub, fault: Fault, timer: Timer, *, page: bool = False) -> Iterator[None]:
    """Let `fault` last as long as the block; with `page` the page is alive. At its end a day has passed.

    The days that are listed are those from before. A source whose address is wrong stays as it is.
    """
    days = dict(hub.days)
    if fault.listed is not None:
        hub.days[DAY] = fault.listed
    hub.standing, hub.api = (None, fault.answer) if page else (fault.answer, None)
    try:
        yield
    finally:
        hub.days, hub.standing, hub.api = days, None, None
        timer.now += 86_400


# Ways of putting an answer on the wire ----------------------------------------------------------


def silence(wire: BaseHTTPRequestHandler, answer: Answer) -> None:
    """Send nothing, until the client hangs up."""
    wire.connection.recv(1)
    wire.close_connection = True


def half(wire: BaseHTTPRequestHandler, answer: Answer) -> None:
    """Send the head and half of the body."""
    send_head(wire, answer)
    wire.wfile.write(answer.body[: len(answer.body) // 2])
    wire.wfile.flush()


def half_then_silence(wire: BaseHTTPRequestHandler, answer: Answer) -> None:
    half(wire, answer)
    silence(wire, answer)


def half_then_close(wire: BaseHTTPRequestHandler, answer: Answer) -> None:
    half(wire, answer)
    wire.close_connection = True


def half_then_reset(wire: BaseHTTPRequestHandler, answer: Answer) -> None:
    """Break the connection in the middle of the body, as a machine does that crashes."""
    half(wire, answer)
    wire.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(wire.connection.detach())
    wire.close_connection = True


def drip_bytes(wire: BaseHTTPRequestHandler, content: bytes) -> None:
    """Send `content` one byte at a time, until the client hangs up."""
    wire.close_connection = True
    for byte in content:
        wire.wfile.write(bytes([byte]))
        wire.wfile.flush()
        if select.select([wire.connection], [], [], _SHORT / 10)[0]:
            break


def drip(wire: BaseHTTPRequestHandler, answer: Answer) -> None:
    """Send the body one byte at a time."""
    send_head(wire, answer)
    drip_bytes(wire, answer.body)


def drip_head(wire: BaseHTTPRequestHandler, answer: Answer) -> None:
    drip_bytes(wire, b"HTTP/1.1 200 OK\r\nX-Made-Up: " + b"x" * 90_000)


def drip_tls(wire: BaseHTTPRequestHandler, answer: Answer) -> None:
    """Send one record of a TLS handshake, of the greatest length there is."""
    drip_bytes(wire, b"\x16\x03\x03\x40\x00" + bytes(2**14))


def bomb(wire: BaseHTTPRequestHandler, answer: Answer) -> None:
    """Send a body that unpacks to 1 GiB of zeros, 4 MiB a block; no more than one block is ever held."""
    packer = zlib.compressobj(9, wbits=31)
    send_head(wire, answer)
    wire.wfile.write(packer.compress(bytes(2**22)) + packer.flush(zlib.Z_FULL_FLUSH))
    block = packer.compress(bytes(2**22)) + packer.flush(zlib.Z_FULL_FLUSH)
    for _ in range(255):
        wire.wfile.write(block)


# The table --------------------------------------------------------------------------------------


def _closed_port(_: str) -> str:
    """Return an address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@cache
def _full_port(_: str) -> str:
    """Return an address at which nobody takes up what connects, and no more can wait."""
    _open_sockets.append(socket.create_server(("127.0.0.1", 0), backlog=0))
    address = _open_sockets[0].getsockname()
    for _number in range(4):
        _open_sockets.append(socket.socket())
        _open_sockets[-1].setblocking(False)
        _open_sockets[-1].connect_ex(address)
    return f"http://127.0.0.1:{address[1]}"


def _https(url: str) -> str:
    return url.replace("http:", "https:")


def _refusal(status: int, body: bytes = b'{"error": "not now"}', **headers: str) -> Answer:
    return Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def _odd(name: str, field: str, value: object, reason: str = "") -> Fault:
    """Return the fault that paper 2 of three has `value` in `field`; it is skipped if there is a `reason`."""
    listed = [entry(1), entry(2), entry(3)]
    listed[1]["paper"][field] = value
    return Fault(name, listed=listed, remaining=(1, 3) if reason else (1, 2, 3), skipped=(reason,) if reason else ())


_ELSEWHERE = Answer(302, b"", {"Location": "http://elsewhere.invalid/"})
_PACKED = {"Content-Encoding": "gzip"}
_HTML = b"<!doctype html><title>429</title>" + b"<p>Too many requests</p>" * 2_080
_LIMITED = {"RateLimit": '"api";r=0;t=41'}
_open_sockets: list[socket.socket] = []
_REACH = "cannot reach 127.0.0.1: "
_TOOK = f"127.0.0.1 took more than {_SHORT} s to answer"
_ANSWERED = "127.0.0.1 answered "
_SENT = f"127.0.0.1 sent no listing for {DAY}: "

# There is no answer, or one after which nothing more is to be asked.
UNREACHABLE = (
    Fault("connection refused", _REACH + "Connection refused", address=_closed_port),
    Fault("DNS failure", "cannot reach hub.invalid: ", address=lambda _: "http://hub.invalid"),
    Fault("TLS failure", _REACH + "[SSL", address=_https),
    Fault("timeout at connect", _REACH + "timed out", address=_full_port, timeout=_SHORT),
    Fault("timeout before the headers", _REACH + "timed out", Answer(send=silence), timeout=_SHORT),
    Fault("timeout in the body", _REACH + "timed out", Answer(body=_LISTING, send=half_then_silence), timeout=_SHORT),
    Fault("a byte at a time", _TOOK, Answer(body=_LISTING, send=drip), deadline=_SHORT),
    Fault("headers a byte at a time", _TOOK, Answer(send=drip_head), deadline=_SHORT),
    Fault("TLS a byte at a time", _TOOK, Answer(send=drip_tls), address=_https, deadline=_SHORT),
    Fault("reset half-way", _REACH + "Connection reset", Answer(body=_LISTING, send=half_then_reset)),
    Fault("closed half-way", _REACH + "peer closed connection", Answer(body=_LISTING, send=half_then_close)),
    Fault(
        "redirects in circles",
        "127.0.0.1 redirects in circles",
        Answer(301, b"", {"Location": f"{API}?date={DAY}&p=0"}),
    ),
    Fault("redirect to another host", "127.0.0.1 redirects elsewhere: http://elsewhere.invalid/", _ELSEWHERE),
    Fault("429", _ANSWERED + "429 not now", _refusal(429)),
    Fault("429 with Retry-After", _ANSWERED + "429 not now", _refusal(429, Retry_After="7")),
    Fault("429 as a page", _ANSWERED + "429 Too Many Requests", _refusal(429, _HTML, **_LIMITED)),
    Fault(
        "truncated gzip",
        _REACH + "the answer is cut short",
        Answer(body=gzip.compress(_LISTING)[:-20], headers=_PACKED),
    ),
    Fault("no gzip", _REACH + "Error -3", Answer(body=_LISTING, headers=_PACKED)),
    Fault(
        "gzip bomb",
        "127.0.0.1 sent more than 3145728 bytes",
        Answer(headers=_PACKED | {"Content-Length": "1000000000"}, send=bomb),
    ),
)

# There is an answer, and it is not a listing.
UNUSABLE = tuple(
    Fault(name, error, answer, page=True)
    for name, error, answer in (
        ("400", _ANSWERED + f"400 not now for {DAY}", _refusal(400)),
        ("401", _ANSWERED + "401 not now", _refusal(401)),
        ("403", _ANSWERED + "403 not now", _refusal(403)),
        ("404", _ANSWERED + f"404 not now for {DAY}", _refusal(404)),
        ("500", _ANSWERED + "500 not now", _refusal(500)),
        ("502", _ANSWERED + "502 Bad Gateway", _refusal(502, b"<html>Bad gateway</html>")),
        ("503", _ANSWERED + "503 not now", _refusal(503)),
        (
            "an HTML page",
            _SENT + "this HTML page is not a listing",
            Answer(body=b"<html>Log in to this network</html>"),
        ),
        ("{}", _SENT + "this JSON is not a listing", Answer(body=b"{}")),
        ("null", _SENT + "this text is not a listing", Answer(body=b"null")),
        ("nothing", _SENT + "the listing is empty", Answer(body=b"")),
        ("an error as a listing", _SENT + "the Hub answered: not now", Answer(body=b'{"error": "not now"}')),
        ("half a JSON", _SENT + "the listing is broken JSON", Answer(body=_LISTING[: len(_LISTING) // 2])),
        ("a deep JSON", _SENT + "the listing is broken JSON", Answer(body=b"[" * 100_000)),
        ("UTF-16", _SENT + "the listing is not UTF-8 (byte 0)", Answer(body=_LISTING.decode().encode("utf-16"))),
        ("Latin-1", _SENT + "the listing is not UTF-8 (byte 12)", Answer(body='[{"title": "é"}]'.encode("latin-1"))),
        ("NUL bytes", _SENT + "the listing is broken JSON", Answer(body=_LISTING.replace(b" ", b"\0"))),
        ("only NUL bytes", _SENT + "this text is not a listing", Answer(body=bytes(4096))),
        ("only junk", f"{DAY}: none of the 2 entries can be used", Answer(body=b'[null, {"paper": {"id": "x"}}]')),
    )
)

# There is a listing, and it is an odd one.
_ID, _UPVOTES = "its id is not an arXiv identifier", "its upvotes is not a count"
ODD = (
    Fault("one paper", listed=entries(1), remaining=(1,)),
    Fault("no paper", listed=[]),
    Fault("[]", answer=Answer()),
    Fault("the same id twice", listed=[entry(1), entry(2), entry(1, title="Again")], remaining=(1, 2)),
    _odd("an id that is a path", "id", "../../etc/passwd", _ID),
    _odd("an id that is markup", "id", "<script>alert(1)</script>", _ID),
    _odd("an id that is a number", "id", 2603.00002, _ID),
    _odd("upvotes null", "upvotes", None, _UPVOTES),
    _odd("upvotes negative", "upvotes", -1, _UPVOTES),
    _odd("upvotes as text", "upvotes", "12", _UPVOTES),
    _odd("upvotes of 10^30", "upvotes", 10**30, _UPVOTES),
    _odd(
        "a date in 1970",
        "submittedOnDailyAt",
        "1970-01-01T00:00:00.000Z",
        "its submittedOnDailyAt is not a usable time",
    ),
    _odd("a date in 2099", "submittedOnDailyAt", "2099-01-01T00:00:00.000Z", "listed in the future (2099-01-01)"),
    _odd("a date that is null", "submittedOnDailyAt", None, "its submittedOnDailyAt is not a usable time"),
    Fault("no date", listed=[entry(1, submittedOnDailyAt=None)], remaining=(1,)),
    _odd("a title of 100 kB", "title", "long " * 20_000),
    _odd("10,000 authors", "authors", [{"name": f"Author {number}"} for number in range(10_000)]),
    _odd("characters XML forbids", "summary", "a\x00b\x0bc\x1fd\ufffee\uffff"),
    _odd("lone surrogates", "title", "Half \ud83d of a pair \udc00"),
    _odd("]]>", "title", "]]> <![CDATA[ --> &amp; <b>"),
    Fault(
        "a wrong charset in the header",
        answer=Answer(body=api([entry(1, title="Naïve")]), headers={"Content-Type": "application/json; charset=utf-7"}),
        remaining=(1,),
    ),
    Fault("an entry that is null", listed=[entry(1), None, entry(3)], remaining=(1, 3), skipped=("has no paper",)),
)

FAULTS = (*UNREACHABLE, *UNUSABLE, *ODD)


def remaining_ids(fault: Fault) -> list[str]:
    """Return the ids of the papers still to be had."""
    return [paper_id(number) for number in fault.remaining]
