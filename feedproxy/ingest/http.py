"""One polite client of one host: paths in, whole bodies out, at a pace it likes and within limits.

Knows nothing of listings. Whatever goes wrong is one UpstreamError.
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

_MAX_BYTES = 3 * 2**20  # five times the longest seen; hostile JSON becomes up to sixty times as much in memory
_MAX_REDIRECTS = 5
_DEADLINE = 30.0  # seconds for one answer, from connecting to its last byte
_LONGEST_WAIT = 86_400  # seconds; an answer that asks for more is mistaken
_RESERVE = 5  # requests of the Hub's allowance that are left to others behind the same address
_PIECE = 65_536
_ETAG = re.compile(r'(W/)?"[!#-~]{0,200}"')  # what can be sent back (RFC 9110, section 8.8.3)
Turn = Callable[[float], float]  # takes the pace in seconds, gives the seconds to wait for one's turn
_TIMEOUT = httpx.Timeout(connect=5.0, read=10.0, write=10.0, pool=5.0)


class StatusError(UpstreamError):
    """An answer that is none; `code` is its HTTP status."""

    def __init__(self, code: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message, retry_after)
        self.code = code


@dataclass(frozen=True, slots=True)
class Response:
    """A good answer: its body, or that the validator sent along still holds; its own validator, and its `Date`.

    `next` is the address of the page after it, where a `Link` header names one on the same host (RFC 8288).
    """

    body: bytes = b""
    unchanged: bool = False
    validator: str | None = None
    sent_at: datetime | None = None
    next: str | None = None


class Fetcher:
    """Asks the host at `address`, each time when it is its `turn`, which is to come every `pace` seconds."""

    def __init__(
        self,
        address: str,
        *,
        token: str | None = None,
        pace: float = 1.0,
        contact: str = HOME,
        timeout: httpx.Timeout = _TIMEOUT,
        deadline: float = _DEADLINE,
        sleep: Callable[[float], None] = time.sleep,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = urlsplit(address).hostname or address
        self._address, self._pace, self._timeout, self._deadline = address, pace, timeout, deadline
        self._sleep, self._timer = sleep, timer
        self.turn: Turn = lambda pace: 0.0  # noqa: ARG005
        self._blocked_until = -math.inf
        self._headers = {"User-Agent": f"feedproxy/{__version__} (+{contact})", "Accept-Encoding": "gzip"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, parameters: Mapping[str, str] | None = None, validator: str | None = None) -> Response:
        """Get `path`, unless `validator` still holds; raises Refused for any other status than 200 and 304.

        In place of a path there may be an address that an answer gave as its `next`.
        """
        headers = self._headers | ({"If-None-Match": validator} if validator else {})
        try:
            address = httpx.URL(path if "://" in path else f"{self._address}{path}")
            response, body = self._follow(address.copy_merge_params(parameters or {}), headers)
        except TimeoutError as error:
            raise UpstreamError(f"{self.name} took more than {self._deadline:g} s to answer") from error
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, zlib.error, ValueError) as error:
            reason = one_line(str(error), 200) or type(error).__name__
            raise UpstreamError(f"cannot reach {self._culprit(error)}: {reason}") from error
        self._note_allowance(response)
        if response.status_code == 304 and validator:
            return Response(unchanged=True, validator=validator, sent_at=_date(response, "Date"))
        if response.status_code != 200:
            raise _refusal(self.name, response, body)
        etag = response.headers.get("ETag", "")
        validator = etag if _ETAG.fullmatch(etag) else None
        return Response(body, validator=validator, sent_at=_date(response, "Date"), next=_next(response))

    def _culprit(self, error: Exception) -> str:
        """Return who could not be reached: the proxy, if there is one, or the host through it.

        The proxy's own address is the operator's business, and this may be told to anybody.
        """
        _, variable = proxy_for(httpx.URL(self._address))
        connecting = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError))
        if variable and connecting and "SSL" not in str(error):
            return f"the proxy of {variable}"
        return f"{self.name} through the proxy of {variable}" if variable else self.name

    def _follow(self, address: httpx.URL, headers: Mapping[str, str]) -> tuple[httpx.Response, bytes]:
        for _ in range(_MAX_REDIRECTS + 1):
            self._wait()
            response, body = self._ask(address, headers)
            if not response.has_redirect_location:
                return response, body
            target = address.join(response.headers["Location"])
            if not _same_host(target, address):
                raise UpstreamError(f"{self.name} redirects elsewhere: {one_line(str(target), 100)}")
            address = target
        raise UpstreamError(f"{self.name} redirects in circles")

    def _ask(self, address: httpx.URL, headers: Mapping[str, str]) -> tuple[httpx.Response, bytes]:
        """Send one request, over a connection of its own; raises TimeoutError where the answer takes too long."""
        proxy, _ = proxy_for(address)
        secure = certificates() if address.scheme == "https" else False
        with (
            _deadline(self._deadline) as trace,
            httpx.Client(headers=headers, timeout=self._timeout, verify=secure, proxy=proxy, trust_env=False) as client,
            client.stream("GET", address, extensions={"trace": trace}) as response,
        ):
            return response, b"" if response.has_redirect_location else self._body(response)

    def _body(self, response: httpx.Response) -> bytes:
        body = bytearray()
        for piece in _pieces(response):
            body += piece
            if len(body) > _MAX_BYTES:
                raise UpstreamError(f"{self.name} sent more than {_MAX_BYTES} bytes")
        return bytes(body)

    def _wait(self) -> None:
        """Keep the pace, and the allowance."""
        now = self._timer()
        if now < self._blocked_until:
            left = int(self._blocked_until - now) + 1
            raise UpstreamError(f"{self.name} allows no more requests for {left} s", left)
        if wait := self.turn(self._pace):
            self._sleep(wait)

    def _note_allowance(self, response: httpx.Response) -> None:
        """Stop before the allowance of `RateLimit: "api";r=LEFT;t=SECONDS` is used up (UPSTREAM.md)."""
        told = response.headers.get("RateLimit", "")
        left, reset = re.search(r"\br=(\d{1,6})\b", told), _reset(response)
        if left and reset is not None and int(left[1]) < _RESERVE:
            self._blocked_until = self._timer() + reset


@contextmanager
def _deadline(seconds: float) -> Iterator[Callable[[str, Mapping[str, Any]], None]]:
    """Shut what connects within the block once `seconds` are over; then raises TimeoutError.

    httpx bounds each read alone, and a byte at a time, of the head or of TLS, can go on for days.
    Yields a "trace" for a request (httpcore's extension), to which the connection is shown. Only the
    names' look-up, and the connecting to each address, are left to the time they have themselves.
    """
    over, connected = threading.Event(), list[socket.socket]()

    def shut() -> None:
        over.set()
        for connection in connected:
            with suppress(OSError):  # it has ended by itself
                connection.shutdown(socket.SHUT_RDWR)

    def trace(event: str, info: Mapping[str, Any]) -> None:
        if event.endswith("connect_tcp.complete"):
            connected.append(info["return_value"].get_extra_info("socket").dup())  # TLS takes over the original
            if over.is_set():
                shut()

    timer = threading.Timer(seconds, shut)
    timer.daemon = True
    timer.start()
    try:
        yield trace
    finally:
        timer.cancel()
        for connection in connected:
            connection.close()
        if over.is_set():
            raise TimeoutError


def _pieces(response: httpx.Response) -> Iterator[bytes]:
    """Yield the body as it arrives, unpacked, never more than `_PIECE` from one packed byte.

    httpx would unpack all that has arrived at once: 64 kB may hold 66 MB.
    """
    if response.headers.get("Content-Encoding", "").strip().lower() not in ("gzip", "x-gzip"):
        yield from response.iter_raw()
        return
    inflate = zlib.decompressobj(wbits=31)
    for arrived in response.iter_raw():
        packed = arrived
        while packed:
            yield inflate.decompress(packed, _PIECE)
            packed = inflate.unconsumed_tail
    if response.num_bytes_downloaded and not inflate.eof:
        raise zlib.error("the answer is cut short")


def _same_host(one: httpx.URL, other: httpx.URL) -> bool:
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def _next(response: httpx.Response) -> str | None:
    """Return the address of the page after this one, if the answer names one on the same host."""
    try:
        named = response.links.get("next", {}).get("url")
        target = response.url.join(named) if named else None
    except (httpx.InvalidURL, ValueError):
        return None
    return str(target) if target and _same_host(target, response.url) else None


def _refusal(name: str, response: httpx.Response, body: bytes) -> StatusError:
    """Put an answer that is none into words, with the wait it asks for."""
    try:
        told = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        told = response.reason_phrase
    code = response.status_code
    wait = _retry_after(response) if code in (429, 503) else None
    return StatusError(code, f"{name} answered {code} {one_line(str(told), 200)}", wait)


def _retry_after(response: httpx.Response) -> int | None:
    """Return the seconds to wait by `Retry-After` (RFC 9110, section 10.2.3), else until the allowance is renewed."""
    asked = response.headers.get("Retry-After", "")
    if re.fullmatch("[0-9]{1,15}", asked):
        return min(int(asked), _LONGEST_WAIT)
    sent, until = _date(response, "Date"), _date(response, "Retry-After")
    return max(0, min(int((until - sent).total_seconds()), _LONGEST_WAIT)) if sent and until else _reset(response)


def _date(response: httpx.Response, name: str) -> datetime | None:
    """Return the time in a header (RFC 9110, section 5.6.7) as aware UTC, if there is one."""
    try:
        found = parsedate_to_datetime(response.headers.get(name, ""))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def _reset(response: httpx.Response) -> int | None:
    found = re.search(r"\bt=(\d{1,6})\b", response.headers.get("RateLimit", ""))
    return min(int(found[1]) + 1, _LONGEST_WAIT) if found else None
