"""A polite client of one host: paths in, whole bodies out, at a steady pace and within limits.

Knows nothing of listings. Every failure is an UpstreamError.
"""

import json
import math
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from feedproxy import HOME, __version__
from feedproxy.errors import UpstreamError
from feedproxy.ingest.environment import certificates, proxy_for
from feedproxy.text import one_line

_MAX_BYTES = 3 * 2**20  # five times the longest so far; hostile JSON takes up to sixty times as much memory
_MAX_REDIRECTS = 5
_MAX_WAIT = 86_400  # seconds; a server that asks for more is mistaken
_RESERVE = 5  # requests of the Hub's allowance that we leave to others at the same IP address
_CHUNK = 65_536  # bytes
DEADLINE = 30.0  # seconds for one answer, from the connection to its last byte
_TIMEOUT = httpx.Timeout(connect=5.0, read=10.0, write=10.0, pool=5.0)
_ETAG = re.compile(r'(W/)?"[!#-~]{0,200}"')  # RFC 9110, section 8.8.3
Turn = Callable[[float], float]  # takes the interval between requests, returns how many seconds to wait


class StatusError(UpstreamError):
    """The server answered with an error status."""

    def __init__(self, code: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message, retry_after)
        self.code = code


@dataclass(frozen=True, slots=True)
class Response:
    """A good answer: a body, or `unchanged` if the ETag in the request still holds.

    `next` is the address of the next page, if a `Link` header names one on the same host (RFC 8288).
    """

    body: bytes = b""
    unchanged: bool = False
    validator: str | None = None
    sent_at: datetime | None = None
    next: str | None = None


class Fetcher:
    """Gets pages from the host at `address`, on average every `interval` seconds: `turn` says how long to wait."""

    def __init__(
        self,
        address: str,
        *,
        token: str | None = None,
        interval: float = 1.0,
        contact: str = HOME,
        timeout: httpx.Timeout = _TIMEOUT,
        deadline: float = DEADLINE,
        sleep: Callable[[float], None] = time.sleep,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = urlsplit(address).hostname or address
        self.turn: Turn = lambda interval: 0.0  # noqa: ARG005
        self._address, self._interval, self._timeout, self._deadline = address, interval, timeout, deadline
        self._sleep, self._timer = sleep, timer
        self._blocked_until = -math.inf
        self._headers = {"User-Agent": f"feedproxy/{__version__} (+{contact})", "Accept-Encoding": "gzip"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, parameters: Mapping[str, str] | None = None, validator: str | None = None) -> Response:
        """Get `path`, or the `next` address of an answer, unless `validator` still holds.

        Raises StatusError for any status but 200 and 304, UpstreamError for every other failure.
        """
        headers = self._headers | ({"If-None-Match": validator} if validator else {})
        try:
            url = httpx.URL(path if "://" in path else f"{self._address}{path}")
            response, body = self._follow(url.copy_merge_params(parameters or {}), headers)
        except TimeoutError as error:
            raise UpstreamError(f"{self.name} took more than {self._deadline:g} s to answer") from error
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, zlib.error, ValueError) as error:
            reason = one_line(str(error), 200) or type(error).__name__
            raise UpstreamError(f"cannot reach {self._culprit(error)}: {reason}") from error
        left, reset = _allowance(response)
        if left is not None and reset is not None and left < _RESERVE:
            self._blocked_until = self._timer() + reset
        sent_at = _date(response, "Date")
        if response.status_code == 304 and validator:
            return Response(unchanged=True, validator=validator, sent_at=sent_at)
        if response.status_code != 200:
            raise _status_error(self.name, response, body)
        etag = response.headers.get("ETag", "")
        return Response(body, False, etag if _ETAG.fullmatch(etag) else None, sent_at, _next_page(response))

    def _culprit(self, error: Exception) -> str:
        """Return the host or the proxy that failed; strangers read this, so the proxy's address stays out."""
        _, variable = proxy_for(httpx.URL(self._address))
        if not variable:
            return self.name
        connecting = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError))
        proxy = f"the proxy of {variable}"
        return proxy if connecting and "SSL" not in str(error) else f"{self.name} through {proxy}"

    def _follow(self, url: httpx.URL, headers: Mapping[str, str]) -> tuple[httpx.Response, bytes]:
        """Follow redirects within the host."""
        for _ in range(_MAX_REDIRECTS + 1):
            if (left := self._blocked_until - self._timer()) > 0:
                seconds = int(left) + 1
                raise UpstreamError(f"{self.name} allows no more requests for {seconds} s", seconds)
            if wait := self.turn(self._interval):
                self._sleep(wait)
            response, body = self._send(url, headers)
            if not response.has_redirect_location:
                return response, body
            target = url.join(response.headers["Location"])
            if not _is_same_host(target, url):
                raise UpstreamError(f"{self.name} redirects elsewhere: {one_line(str(target), 100)}")
            url = target
        raise UpstreamError(f"{self.name} redirects in circles")

    def _send(self, url: httpx.URL, headers: Mapping[str, str]) -> tuple[httpx.Response, bytes]:
        """Send one request over its own connection; raises TimeoutError if the answer takes too long."""
        proxy, _ = proxy_for(url)
        tls = certificates() if url.scheme == "https" else False
        with (
            _deadline(self._deadline) as trace,
            httpx.Client(headers=headers, timeout=self._timeout, verify=tls, proxy=proxy, trust_env=False) as client,
            client.stream("GET", url, extensions={"trace": trace}) as response,
        ):
            body = bytearray()
            for chunk in () if response.has_redirect_location else _chunks(response):
                body += chunk
                if len(body) > _MAX_BYTES:
                    raise UpstreamError(f"{self.name} sent more than {_MAX_BYTES} bytes")
            return response, bytes(body)


@contextmanager
def _deadline(seconds: float) -> Iterator[Callable[[str, Mapping[str, Any]], None]]:
    """Shut down the connections of the block after `seconds`, and then raise TimeoutError.

    httpx limits only each read: a server that sends a byte at a time, of its headers or of TLS, could go on for days.
    Yields a "trace" for the request (an extension of httpcore) that collects its connections. Name resolution and
    connecting have their own timeouts.
    """
    expired, sockets = threading.Event(), list[socket.socket]()

    def shut() -> None:
        expired.set()
        for connection in sockets:
            with suppress(OSError):  # the other side has closed it
                connection.shutdown(socket.SHUT_RDWR)

    def trace(event: str, info: Mapping[str, Any]) -> None:
        if event.endswith("connect_tcp.complete"):
            sockets.append(info["return_value"].get_extra_info("socket").dup())  # TLS takes over the original
            if expired.is_set():
                shut()

    timer = threading.Timer(seconds, shut)
    timer.daemon = True
    timer.start()
    try:
        yield trace
    finally:
        timer.cancel()
        for connection in sockets:
            connection.close()
        if expired.is_set():
            raise TimeoutError


def _chunks(response: httpx.Response) -> Iterator[bytes]:
    """Yield the decompressed body in chunks of at most `_CHUNK` bytes; httpx would turn 64 kB into 66 MB at once."""
    if response.headers.get("Content-Encoding", "").strip().lower() not in ("gzip", "x-gzip"):
        yield from response.iter_raw()
        return
    inflate = zlib.decompressobj(wbits=31)
    for raw in response.iter_raw():
        rest = raw
        while rest:
            yield inflate.decompress(rest, _CHUNK)
            rest = inflate.unconsumed_tail
    if response.num_bytes_downloaded and not inflate.eof:
        raise zlib.error("the answer is cut short")


def _is_same_host(one: httpx.URL, other: httpx.URL) -> bool:
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def _next_page(response: httpx.Response) -> str | None:
    try:
        link = response.links.get("next", {}).get("url")
        target = response.url.join(link) if link else None
    except (httpx.InvalidURL, ValueError):
        return None
    return str(target) if target and _is_same_host(target, response.url) else None


def _status_error(name: str, response: httpx.Response, body: bytes) -> StatusError:
    """Return the error for this answer, in the server's words if it sent any."""
    try:
        message = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        message = response.reason_phrase
    code = response.status_code
    wait = _retry_after(response) if code in (429, 503) else None
    return StatusError(code, f"{name} answered {code} {one_line(str(message), 200)}", wait)


def _retry_after(response: httpx.Response) -> int | None:
    """Return the seconds in `Retry-After` (RFC 9110, section 10.2.3), else until there is a new allowance."""
    text = response.headers.get("Retry-After", "")
    if re.fullmatch("[0-9]{1,15}", text):
        return min(int(text), _MAX_WAIT)
    sent_at, until = _date(response, "Date"), _date(response, "Retry-After")
    if sent_at and until:
        return max(0, min(int((until - sent_at).total_seconds()), _MAX_WAIT))
    return _allowance(response)[1]


def _allowance(response: httpx.Response) -> tuple[int | None, int | None]:
    """Return the remaining requests, and the seconds until there are more (`RateLimit: "api";r=LEFT;t=SECONDS`)."""
    text = response.headers.get("RateLimit", "")
    left, reset = (re.search(rf"\b{key}=(\d{{1,6}})\b", text) for key in "rt")
    return (int(left[1]) if left else None), (min(int(reset[1]) + 1, _MAX_WAIT) if reset else None)


def _date(response: httpx.Response, name: str) -> datetime | None:
    """Return the time in a header (RFC 9110, section 5.6.7) as aware UTC, if there is one."""
    try:
        time = parsedate_to_datetime(response.headers.get(name, ""))
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
