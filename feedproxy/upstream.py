"""Where listings come from: the Hub, asked by day and politely; or saved files, taken whole.

Keeps nothing and dates nothing. Whatever goes wrong is one UpstreamError or ListingError.
"""

import json
import re
import ssl
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Protocol

import httpx

from feedproxy import HOME, __version__
from feedproxy.config import DEMO, Config, is_address
from feedproxy.errors import ListingError, UpstreamError
from feedproxy.listing import parse
from feedproxy.papers import Listing, ListingDay, Skipped
from feedproxy.words import one_line

WINDOW = timedelta(days=30)
_MAX_BYTES = 16 * 2**20
_MAX_PAGES = 20
_MAX_REDIRECTS = 5
_DEADLINE = 30.0  # seconds for one answer
_PIECE = 65_536
_TIMEOUT = httpx.Timeout(connect=5.0, read=10.0, write=10.0, pool=5.0)
_RETRY = timedelta(minutes=1)
_AHEAD = timedelta(days=1)  # how far a listing may run ahead of this machine's clock

Known = Mapping[date, ListingDay]


@dataclass(frozen=True, slots=True)
class Ask:
    """One listing to get: the Hub's of a day, unless `validator` still holds; or the saved one at `path`."""

    day: date | None = None
    validator: str | None = None
    path: Path | None = None


class Source(Protocol):
    """What a refresh needs of a place listings come from."""

    name: str

    def due(self, known: Known, now: datetime, *, force: bool = False) -> list[list[Ask]]:
        """Return what to get now, in batches to be stored one by one."""

    def get(self, ask: Ask, now: datetime) -> Listing:
        """Get one listing; raises UpstreamError or ListingError."""


def open_source(config: Config) -> Source:
    """Return the source that `config.listing` names."""
    if is_address(config.listing):
        return Hub(config.listing, token=config.hf_token, pace=config.pace, contact=config.public_url or HOME)
    if config.listing == DEMO:
        return Saved(Path(__file__).with_name("demo.json"))
    return Saved(Path(config.listing))


# The Hub ----------------------------------------------------------------------------------------

# How long a good answer is good, by the age of its day; the first row that fits counts.
_INTERVALS = ((timedelta(days=7), timedelta(hours=6)), (WINDOW, timedelta(days=1)))
_LIVE = timedelta(minutes=15)


def due_days(known: Known, now: datetime, *, force: bool = False) -> list[list[date]]:
    """Return the days to ask for, newest first, in batches to be stored one by one; `now` aware UTC.

    Today and the last listing day every 15 minutes, the last week every 6 hours, 30 days back
    once a day; with `force` all of them. Where nothing was ever read, the newest two come alone
    and first, so that there is a feed after two answers.
    """
    today = now.date()
    window = [today - timedelta(days=age) for age in range(WINDOW.days + 1)]
    last = max((day for day, told in known.items() if told.count and day < today), default=None)
    due = [day for day in window if force or _is_due(known.get(day), day, day in (today, last), now)]
    if any(told.good_at for told in known.values()):
        return [due] if due else []
    first = [day for day in due if day in (today, _weekday_before(today))]
    return [batch for batch in (first, [day for day in due if day not in first]) if batch]


def _is_due(told: ListingDay | None, day: date, live: bool, now: datetime) -> bool:
    if told is None or told.asked_at is None or told.asked_at - now > _RETRY:  # asked by a clock that ran ahead
        return True
    if told.good_at is None or told.asked_at > told.good_at:  # the last try failed
        return now - told.asked_at >= _RETRY
    interval = _LIVE if live else next(every for age, every in _INTERVALS if now.date() - day <= age)
    return now - told.good_at >= interval


def _weekday_before(day: date) -> date:
    before = day - timedelta(days=1)
    while before.weekday() > 4:
        before -= timedelta(days=1)
    return before


@cache
def _tls() -> ssl.SSLContext:
    """Return what checks certificates; loading those takes longer than an answer of the Hub."""
    return httpx.create_ssl_context()


class Hub:
    """The Hub's API at `address`, or a mirror's, at most one request every `pace` seconds."""

    def __init__(
        self,
        address: str,
        *,
        token: str | None = None,
        pace: float = 1.0,
        contact: str = HOME,
        timeout: httpx.Timeout = _TIMEOUT,
        sleep: Callable[[float], None] = time.sleep,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = httpx.URL(address).host
        self._address, self._pace, self._timeout = address, pace, timeout
        self._sleep, self._timer = sleep, timer
        self._next = 0.0
        self._headers = {"User-Agent": f"feedproxy/{__version__} (+{contact})", "Accept-Encoding": "gzip"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def due(self, known: Known, now: datetime, *, force: bool = False) -> list[list[Ask]]:
        """Return what to get now, in batches to be stored one by one."""
        batches = due_days(known, now, force=force)
        return [[Ask(day, known[day].validator if day in known else None) for day in batch] for batch in batches]

    def get(self, ask: Ask, now: datetime) -> Listing:
        """Get a day's listing, page by page until one brings nothing that was not there before."""
        pages: list[Listing] = []
        found: set[str | Skipped] = set()
        with httpx.Client(headers=self._headers, timeout=self._timeout, verify=_tls()) as client:
            for number in range(_MAX_PAGES):
                validator = ask.validator if number == 0 else None
                page = self._page(client, ask, number, validator, now)
                if page.unchanged:
                    return page
                brought: set[str | Skipped] = {*(paper.id for paper in page.papers), *page.skipped}
                if brought <= found:
                    break
                found |= brought
                pages.append(page)
        return _joined(pages, ask.day)

    def _page(self, client: httpx.Client, ask: Ask, number: int, validator: str | None, now: datetime) -> Listing:
        parameters = {"date": str(ask.day), "limit": "100", "p": str(number)}
        address = httpx.URL(f"{self._address}/api/daily_papers", params=parameters)
        headers = {"If-None-Match": validator} if validator else {}
        try:
            response, body = self._request(client, address, headers)
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, zlib.error, ValueError) as error:
            reason = one_line(str(error), 200) or type(error).__name__
            raise UpstreamError(f"cannot reach {self.name}: {reason}") from error
        if response.status_code == 304 and validator:
            return Listing(day=ask.day, validator=validator, unchanged=True)
        if response.status_code != 200:
            raise _refusal(self.name, ask.day, response, body)
        try:
            listing = parse(body, day=ask.day, latest=now + _AHEAD)
        except ListingError as error:
            raise ListingError(f"{self.name} sent no listing for {ask.day}: {error}") from error
        return replace(listing, day=ask.day, validator=response.headers.get("ETag"))

    def _request(
        self, client: httpx.Client, address: httpx.URL, headers: dict[str, str]
    ) -> tuple[httpx.Response, bytes]:
        for _ in range(_MAX_REDIRECTS + 1):
            self._wait()
            deadline = self._timer() + _DEADLINE
            with client.stream("GET", address, headers=headers) as response:
                if not response.has_redirect_location:
                    return response, self._body(response, deadline)
                target = address.join(response.headers["Location"])
            if (target.host, target.port) != (address.host, address.port) or target.scheme != address.scheme:
                raise UpstreamError(f"{self.name} redirects elsewhere: {one_line(str(target), 100)}")
            address = target
        raise UpstreamError(f"{self.name} redirects in circles")

    def _body(self, response: httpx.Response, deadline: float) -> bytes:
        body = bytearray()
        for piece in _pieces(response):
            body += piece
            if len(body) > _MAX_BYTES:
                raise UpstreamError(f"{self.name} sent more than {_MAX_BYTES} bytes")
            if self._timer() > deadline:
                raise UpstreamError(f"{self.name} took more than {_DEADLINE:.0f} s to answer")
        return bytes(body)

    def _wait(self) -> None:
        pause = self._next - self._timer()
        if pause > 0:
            self._sleep(pause)
        self._next = self._timer() + self._pace


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


def _joined(pages: Sequence[Listing], day: date | None) -> Listing:
    papers = {paper.id: paper for page in reversed(pages) for paper in page.papers}
    order = dict.fromkeys(paper.id for page in pages for paper in page.papers)
    skipped = tuple(dict.fromkeys(skip for page in pages for skip in page.skipped))
    validator = pages[0].validator if len(pages) == 1 else None
    return _usable(Listing(tuple(papers[key] for key in order), skipped, day, validator), str(day))


def _usable(listing: Listing, name: str) -> Listing:
    if listing.skipped and not listing.papers:
        reason = listing.skipped[0].reason
        raise ListingError(f"{name}: none of the {len(listing.skipped)} entries can be used: {reason}")
    return listing


def _refusal(name: str, day: date | None, response: httpx.Response, body: bytes) -> UpstreamError | ListingError:
    """Put an answer that is none into words, with the wait it asks for (UPSTREAM.md, "Rate limit").

    400 and 404 are about the day: one that has not begun by the Hub's clock must not cost the others.
    """
    try:
        told = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        told = response.reason_phrase
    reset = re.search(r"\bt=(\d{1,6})\b", response.headers.get("RateLimit", ""))
    asked = response.headers.get("Retry-After", "")
    wait = int(asked) if re.fullmatch("[0-9]{1,6}", asked) else int(reset[1]) + 1 if reset else None
    reason = f"{name} answered {response.status_code} {one_line(str(told), 200)}"
    if response.status_code in (400, 404):
        return ListingError(f"{reason} for {day}")
    return UpstreamError(reason, wait if response.status_code in (429, 503) else None)


# Saved files ------------------------------------------------------------------------------------


class Saved:
    """A saved listing, or every one in a folder and the folders in it; read again when changed."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._read: list[tuple[Path, int, int]] = []

    def due(self, known: Known, now: datetime, *, force: bool = False) -> list[list[Ask]]:  # noqa: ARG002
        """Return every file in one batch, if it is the first time, any has changed since, or none was ever stored."""
        files = list(self._files())
        stored = any(told.good_at for told in known.values())
        if files == self._read and stored and not force:
            return []
        self._read = files
        return [[Ask(_day_in_name(path), path=path) for path, _, _ in files]]

    def get(self, ask: Ask, now: datetime) -> Listing:
        """Read one file; the day its name begins with is the one it was asked for by."""
        path = ask.path or self._path
        try:
            listing = parse(path.read_bytes(), day=ask.day, latest=now + _AHEAD)
        except OSError as error:
            raise ListingError(f"cannot read {path}: {error.strerror}") from error
        except ListingError as error:
            raise ListingError(f"{path}: {error}") from error
        return _usable(listing, str(path))

    def _files(self) -> Iterator[tuple[Path, int, int]]:
        try:
            found = [self._path]
            if self._path.is_dir():
                next(self._path.iterdir(), None)  # rglob passes over a folder that may not be read
                found = sorted(path for path in self._path.rglob("*") if path.is_file())
            facts = [(path, path.stat()) for path in found]
        except OSError as error:
            raise UpstreamError(f"cannot read {self._path}: {error.strerror}") from error
        if not facts:
            raise UpstreamError(f"cannot read {self._path}: the folder is empty")
        return ((path, fact.st_mtime_ns, fact.st_size) for path, fact in facts)


def _day_in_name(path: Path) -> date | None:
    found = re.match(r"\d{4}-\d\d-\d\d", path.name)
    try:
        return date.fromisoformat(found[0]) if found else None
    except ValueError:
        return None
