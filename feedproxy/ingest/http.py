"""A polite client of one host: paths in, whole bodies out, at a steady pace and within limits.

Knows nothing of listings, and leaves sending to `exchange`. Every failure is an UpstreamError.
"""

import json
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from feedproxy import HOME, __version__
from feedproxy.errors import UpstreamError
from feedproxy.text import one_line

if TYPE_CHECKING:
    from feedproxy.ingest.exchange import Answer, Timeout

_MAX_REDIRECTS = 5
_MAX_WAIT = 86_400  # seconds; a server that asks for more is mistaken
_RESERVE = 5  # requests of the Hub's allowance that we leave to others at the same IP address
DEADLINE = 30.0  # seconds for one answer, from the connection to its last byte
_TIMEOUT = (5.0, 10.0, 10.0, 5.0)  # seconds to connect, read, write, and wait for a connection
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
        timeout: "Timeout" = _TIMEOUT,
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
        answer = self._follow(path if "://" in path else f"{self._address}{path}", parameters or {}, headers)
        left, reset = _allowance(answer)
        if left is not None and reset is not None and left < _RESERVE:
            self._blocked_until = self._timer() + reset
        sent_at = _date(answer, "Date")
        if answer.status == 304 and validator:
            return Response(unchanged=True, validator=validator, sent_at=sent_at)
        if answer.status != 200:
            raise _status_error(self.name, answer)
        etag = answer.headers.get("ETag", "")
        return Response(answer.body, False, etag if _ETAG.fullmatch(etag) else None, sent_at, answer.next)

    def _follow(self, url: str, parameters: Mapping[str, str] | None, headers: Mapping[str, str]) -> "Answer":
        """Follow redirects, which `exchange` allows only within the host."""
        from feedproxy.ingest.exchange import send  # httpx takes long to import, and often there is nothing to fetch

        for _ in range(_MAX_REDIRECTS + 1):
            if (left := self._blocked_until - self._timer()) > 0:
                seconds = int(left) + 1
                raise UpstreamError(f"{self.name} allows no more requests for {seconds} s", seconds)
            if wait := self.turn(self._interval):
                self._sleep(wait)
            answer = send(self.name, url, parameters, headers, self._timeout, self._deadline)
            if not answer.redirect:
                return answer
            url, parameters = answer.redirect, None
        raise UpstreamError(f"{self.name} redirects in circles")


def _status_error(name: str, answer: "Answer") -> StatusError:
    """Return the error for this answer, in the server's words if it sent any."""
    try:
        message = json.loads(answer.body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        message = answer.reason
    wait = _retry_after(answer) if answer.status in (429, 503) else None
    return StatusError(answer.status, f"{name} answered {answer.status} {one_line(str(message), 200)}", wait)


def _retry_after(answer: "Answer") -> int | None:
    """Return the seconds in `Retry-After` (RFC 9110, section 10.2.3), else until there is a new allowance."""
    text = answer.headers.get("Retry-After", "")
    if re.fullmatch("[0-9]{1,15}", text):
        return min(int(text), _MAX_WAIT)
    sent_at, until = _date(answer, "Date"), _date(answer, "Retry-After")
    if sent_at and until:
        return max(0, min(int((until - sent_at).total_seconds()), _MAX_WAIT))
    return _allowance(answer)[1]


def _allowance(answer: "Answer") -> tuple[int | None, int | None]:
    """Return the remaining requests, and the seconds until there are more (`RateLimit: "api";r=LEFT;t=SECONDS`)."""
    text = answer.headers.get("RateLimit", "")
    left, reset = (re.search(rf"\b{key}=(\d{{1,6}})\b", text) for key in "rt")
    return (int(left[1]) if left else None), (min(int(reset[1]) + 1, _MAX_WAIT) if reset else None)


def _date(answer: "Answer", name: str) -> datetime | None:
    """Return the time in a header (RFC 9110, section 5.6.7) as aware UTC, if there is one."""
    try:
        time = parsedate_to_datetime(answer.headers.get(name, ""))
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
