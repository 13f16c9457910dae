"""One request out through httpx, its whole answer in. Every failure is an UpstreamError.

Knows no pace and follows no redirect: that is for `http`, which imports this module when there is something to fetch.
"""

import socket
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx

from feedproxy.errors import UpstreamError
from feedproxy.ingest.environment import certificates, proxy_for
from feedproxy.text import one_line

_MAX_BYTES = 3 * 2**20  # five times the longest so far; hostile JSON takes up to sixty times as much memory
_CHUNK = 65_536  # bytes
Timeout = httpx.Timeout | tuple[float, float, float, float]  # seconds, in the order of httpx


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; the names in `headers` may be written in any case.

    `redirect` is the address it redirects to, and `next` that of the next page (RFC 8288), both on the same host.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes
    redirect: str | None
    next: str | None


def send(
    name: str,
    url: str,
    parameters: Mapping[str, str] | None,
    headers: Mapping[str, str],
    timeout: Timeout,
    deadline: float,
) -> Answer:
    """Get `url` over a connection of its own; give up after `deadline` seconds. Messages call the host `name`."""
    try:
        address = httpx.URL(url)
        whole = address if parameters is None else address.copy_merge_params(parameters)
        return _send(name, whole, headers, timeout, deadline)
    except TimeoutError as error:
        raise UpstreamError(f"{name} took more than {deadline:g} s to answer") from error
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, zlib.error, ValueError) as error:
        reason = one_line(str(error), 200) or type(error).__name__
        raise UpstreamError(f"cannot reach {_culprit(name, url, error)}: {reason}") from error


def _send(name: str, url: httpx.URL, headers: Mapping[str, str], timeout: Timeout, deadline: float) -> Answer:
    """Send the request; raises TimeoutError if the answer takes too long."""
    proxy, _ = proxy_for(url)
    tls = certificates() if url.scheme == "https" else False
    with (
        _deadline(deadline) as trace,
        httpx.Client(headers=headers, timeout=timeout, verify=tls, proxy=proxy, trust_env=False) as client,
        client.stream("GET", url, extensions={"trace": trace}) as response,
    ):
        body = bytearray()
        for chunk in () if response.has_redirect_location else _chunks(response):
            body += chunk
            if len(body) > _MAX_BYTES:
                raise UpstreamError(f"{name} sent more than {_MAX_BYTES} bytes")
    redirect = _redirect(name, response) if response.has_redirect_location else None
    status, reason = response.status_code, response.reason_phrase
    return Answer(status, reason, response.headers, bytes(body), redirect, _next_page(response))


def _culprit(name: str, url: str, error: Exception) -> str:
    """Return the host or the proxy that failed; strangers read this, so the proxy's address stays out."""
    _, variable = proxy_for(httpx.URL(url))
    if not variable:
        return name
    connecting = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError))
    proxy = f"the proxy of {variable}"
    return proxy if connecting and "SSL" not in str(error) else f"{name} through {proxy}"


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


def _redirect(name: str, response: httpx.Response) -> str:
    target = response.url.join(response.headers["Location"])
    if not _is_same_host(target, response.url):
        raise UpstreamError(f"{name} redirects elsewhere: {one_line(str(target), 100)}")
    return str(target)


def _next_page(response: httpx.Response) -> str | None:
    try:
        link = response.links.get("next", {}).get("url")
        target = response.url.join(link) if link else None
    except (httpx.InvalidURL, ValueError):
        return None
    return str(target) if target and _is_same_host(target, response.url) else None
