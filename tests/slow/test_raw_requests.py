"""Raw requests nobody should send, and filters nobody would type, to real servers: no error but 503, nothing logged.

pytest -n0 -s tests/slow/test_raw_requests.py
"""

import os
import random
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.slow.test_rude import SERVERS, get, running

REQUESTS = int(os.environ.get("FEEDPROXY_RAW_REQUESTS", "10000"))
FILTERS = int(os.environ.get("FEEDPROXY_RAW_FILTERS", "5000"))
_PATIENCE = 2.0  # seconds; a request that is cut short is waited for
_OWN = {"501"}  # gunicorn's own, for a Transfer-Encoding it does not know (RFC 9112, section 6.1)
METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"OPTIONS", b"TRACE", b"DELETE", b"PROPFIND", b"get", b"G\x00T", b"")
PATHS = (
    *(b"/", b"/feed.rss", b"/feed.atom", b"/feed.json", b"/feed", b"/f/x.rss", b"/status", b"/status.json", b"/opml"),
    *(b"/feeds.opml", b"/healthz", b"/readyz", b"/metrics", b"/robots.txt", b"/favicon.ico", b"/static/page.js"),
    *(b"/feed.md", b"/llms.txt"),
    *(b"/static/../wsgi.py", b"//evil.example/feed.rss", b"/feed.rss/", b"*", b"http://evil.example/feed.rss", b"/%00"),
    *(
        b"/%2e%2e/",
        b"/feed.%ff",
        b"/\xc3\xa9",
        b"/k/x/feed.rss",
        b"",
        b"?q=a",
        b"/feed.rss#x",
        b"/;",
        b"/feed.rss%0d%0aX: y",
    ),
)
NAMES = (
    *(b"q", b"min_upvotes", b"min_comments", b"or_upvotes", b"days", b"limit", b"page", b"link", b"content", b"counts"),
    *(b"feed", b"utm_source", b"_", b"", b"Q", b"limit[]", b"\xff", b"%ff", b"v"),
)
VALUES = (
    *(
        b"agents",
        b"1",
        b"0",
        b"-1",
        b"99999999999999999999",
        b"1e3",
        b"%00",
        b"%0a",
        b"%ff",
        b"\xe2\x80\xae",
        b"",
        b"(",
    ),
    *(
        b"%22",
        b"a*",
        b"hf",
        b"none",
        b"200",
        b"3660",
        b"title:a",
        b"NOT",
        b"%F0%9F%98%80",
        b"a" * 600,
        b"feed.rss%3Fq=a",
    ),
)
HEADERS = (
    *(
        b"Accept",
        b"Accept-Encoding",
        b"If-None-Match",
        b"If-Modified-Since",
        b"Range",
        b"If-Range",
        b"Cookie",
        b"Expect",
    ),
    *(b"X-Forwarded-Host", b"X-Forwarded-Proto", b"Origin", b"Access-Control-Request-Method", b"Content-Length"),
    *(
        b"Transfer-Encoding",
        b"Connection",
        b"Upgrade",
        b"Content-Type",
        b"Authorization",
        b"Host",
        b"Script_Name",
        b"\xff",
    ),
)
CONTENTS = (
    *(
        b"*",
        b"*/*;q=nan",
        b"application/atom+xml;q=0.5, text/html",
        b"gzip;q=0, identity;q=0",
        b'W/"x", "y"',
        b'"',
        b",",
    ),
    *(b"Thu, 01 Jan 1970 00:00:00 GMT", b"Thu, 99 Foo 9999 99:99:99 +99999", b"bytes=0-1", b"100-continue", b"chunked"),
    *(
        b"close",
        b"keep-alive",
        b"-1",
        b"0",
        b"5",
        b"\x00",
        b"\xff\xfe",
        b"a" * 3000,
        b"q=1;" * 500,
        b"h2c",
        b"evil.example",
        b"",
    ),
)


def raw_request(dice: random.Random) -> bytes:
    """Return one request, of parts that are each right or wrong; sometimes cut short or with bytes exchanged."""
    target = dice.choice(PATHS)
    if dice.random() < 0.7:
        pairs = (dice.choice(NAMES) + b"=" + dice.choice(VALUES) for _ in range(dice.randrange(5)))
        target += b"?" + b"&".join(pairs)
    lines = [
        b" ".join(
            (
                dice.choice(METHODS[:2] * 4 + METHODS),
                target,
                dice.choice((b"HTTP/1.1",) * 8 + (b"HTTP/1.0", b"HTTP/9", b"")),
            )
        )
    ]
    lines += [b"Host: 127.0.0.1"] * dice.choice((1, 1, 1, 1, 0, 2))
    lines += [dice.choice(HEADERS) + b": " + dice.choice(CONTENTS) for _ in range(dice.randrange(5))]
    text = (
        dice.choice((b"\r\n",) * 9 + (b"\n",)).join(lines)
        + b"\r\n\r\n"
        + dice.choice((b"",) * 6 + (b"x", b"5\r\nabcde\r\n0\r\n\r\n"))
    )
    if dice.random() < 0.2:
        at = dice.randrange(len(text))
        text = text[:at] + bytes([dice.randrange(256)]) + text[at + 1 :]
    return text[: dice.randrange(len(text))] if dice.random() < 0.05 else text


WORDS = (
    "agents",
    "model",
    "the",
    '"tool use"',
    "-rl",
    "a*",
    "title:m*",
    "author:ada",
    "(a OR b)",
    "NOT survey",
    "大模型",
    "é",
)
TOKENS = (
    *(
        "agents",
        "model",
        "the",
        '"tool use"',
        '"',
        "(",
        ")",
        "-",
        "NOT",
        "OR",
        "AND",
        "*",
        "a*",
        "title:",
        "author:",
        "org:",
    ),
    *(
        "abstract:x",
        "title:title:",
        "C++",
        "c#",
        "é",
        "大模型",
        "\u202e",
        "😀",
        "ﷺ",
        "'",
        "“x”",
        "--",
        "- -",
        ":",
        "x:y",
        "|",
        ",",
    ),
    *("\\", "%", "\x00", "\n", "1,000", "G^2", "U.S.", "zz" * 100, "((((((", "))))))", "a" * 400),
)


def filter_request(dice: random.Random) -> bytes:
    """Return a request with a filter of words and signs in any order, as a feed or a page."""
    strange = dice.choice((0, 0, 0.1, 0.5))
    tokens = (dice.choice(TOKENS if dice.random() < strange else WORDS) for _ in range(dice.randrange(1, 25)))
    text = dice.choice(("", " ", " ", " ")).join(tokens)
    path = dice.choice(("/feed.rss", "/feed.atom", "/feed.json", "/", "/feed"))
    more = dice.choice(("", "&min_upvotes=1", "&days=3660&limit=200", "&or_upvotes=5", "&page=9999", "&counts=1"))
    return f"GET {path}?q={quote(text[:2000])}{more} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()


def status(port: int, request: bytes) -> str:
    """Send a request and return the status of the answer, or what came instead of one."""
    try:
        with socket.create_connection(("127.0.0.1", port), _PATIENCE) as connection:
            connection.sendall(request)
            head = connection.recv(65_536)
    except OSError as error:
        return type(error).__name__
    if not head:
        return "closed"
    return head.split()[1].decode() if head.startswith(b"HTTP/") else "no HTTP"


def requests(make: Callable[[random.Random], bytes], number: int) -> Iterator[bytes]:
    dice = random.Random(11)  # noqa: S311
    return (make(dice) for _ in range(number))


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(("make", "number"), [(raw_request, REQUESTS), (filter_request, FILTERS)])
def test_no_server_error(tmp_path: Path, server: str, make: Callable[[random.Random], bytes], number: int) -> None:
    """Whatever is asked, the answer is no 5xx but 503, and the server goes on."""
    with running(server, str(tmp_path / "a.sqlite"), LISTING="demo") as port, ThreadPoolExecutor(8) as pool:
        seen = Counter(pool.map(lambda request: status(port, request), requests(make, number)))
        print(f"\n{server}, {number} × {make.__name__}: {dict(seen.most_common())}")
        assert [] == [code for code in seen if code.startswith("5") and code not in {"503"} | _OWN]
        assert "200" == get(port, "/feed.rss")[0]
