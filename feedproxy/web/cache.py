"""Finished answers: a feed or page plain and compressed, the choice between the two, and the memory for them.

Renders nothing and reads no archive: callers pass in functions for both.
"""

import hashlib
import math
import threading
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from cachetools import LRUCache
from isal import isal_zlib
from werkzeug.datastructures import Accept
from werkzeug.http import is_resource_modified, parse_accept_header

from feedproxy.errors import ArchiveError

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from feedproxy.archive.state import State

Headers = tuple[tuple[str, str], ...]
OK, NOT_MODIFIED = "200 OK", "304 NOT MODIFIED"
ENCODED, NEGOTIATED = "Accept-Encoding", "Accept-Encoding, Accept"  # values of `Vary`
RequestKey = tuple[str, ...]
REQUEST_KEY = "feedproxy.request_key"  # in the environment of a request, whose other parts may change on their way
_OVERHEAD = 4_000  # bytes an answer takes besides its two bodies, about
_REQUEST_KEYS = 4_000  # characters of the last request keys that an answer remembers; others are a little slower
_PROBATION = 4  # a quarter of the bytes is for answers that were used once
_USE_BYTES = 250  # bytes that the count of a key's uses takes, out of every `_USE_SHARE`
_USE_SHARE = 1_000
_PERIOD, _HALF_LIFE = 300.0, 86_400.0  # seconds
_RECENT = 10.0  # seconds after a use during which further uses of the same answer are not noted
_NEVER = (0.0, -math.inf)


# One answer -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Representation:
    """A feed or page in one encoding; `etag` is quoted, `headers` are for a 200 and `validators` for a 304."""

    body: bytes
    etag: str
    headers: Headers
    validators: Headers


@dataclass(frozen=True, slots=True)
class Variants:
    """A feed or page, plain and compressed, each with its own ETag.

    `name` is its format. `last_modified` is an HTTP date, or None if the body can change without it.
    """

    name: str
    plain: Representation
    gzip: Representation
    last_modified: str | None


def build_variants(
    name: str,
    body: bytes,
    content_type: str,
    last_modified: datetime | None,
    headers: Headers = (),
    vary: str = ENCODED,
) -> Variants:
    """Return `body`, of the format `name`, as an answer with `headers` on every 200 and 304.

    The ETag is a hash, so equal bytes have equal ETags (RFC 9110, section 8.8.3). `last_modified` is aware UTC.
    """
    digest = hashlib.sha256(body).hexdigest()[:32]
    modified = format_datetime(last_modified, usegmt=True) if last_modified else None
    description = (("Content-Type", content_type), *((("Last-Modified", modified),) if modified else ()))

    def representation(body: bytes, etag: str, *encoding: tuple[str, str]) -> Representation:
        validators = (("ETag", etag), *headers, ("Vary", vary))
        length = ("Content-Length", str(len(body)))
        return Representation(body, etag, (*description, *encoding, length, *validators), validators)

    gzip = isal_zlib.compress(body, 2, wbits=31)
    return Variants(
        name,
        representation(body, f'"{digest}"'),
        representation(gzip, f'"{digest}-gzip"', ("Content-Encoding", "gzip")),
        modified,
    )


def choose_variant(variants: Variants, environ: "WSGIEnvironment") -> tuple[str, list[tuple[str, str]], bytes]:
    """Return status, headers and body for a client: a 200, or a 304 (RFC 9110, section 13.2.2)."""
    variant = variants.gzip if prefers_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")) else variants.plain
    if _is_unmodified(environ, variant.etag, variants.last_modified):
        return NOT_MODIFIED, [*variant.validators], b""
    return OK, [*variant.headers], variant.body


def _is_unmodified(environ: "WSGIEnvironment", etag: str, last_modified: str | None) -> bool:
    """Say whether the client has this already."""
    if "HTTP_IF_NONE_MATCH" not in environ and "HTTP_IF_MODIFIED_SINCE" not in environ:
        return False
    conditions = {name: value for name, value in environ.items() if name != "HTTP_IF_MATCH"}  # which is for PUT
    try:
        return not is_resource_modified(conditions, etag=etag, last_modified=last_modified)
    except OverflowError:  # a date in an impossible time zone, which Werkzeug lets through
        return False


@lru_cache(256)
def prefers_gzip(accept_encoding: str) -> bool:
    """Say whether a client with this `Accept-Encoding` gets the compressed variant (RFC 9110, section 12.5.3)."""
    accepted = parse_accept_header(accept_encoding, Accept)
    return 0 < accepted.quality("gzip") >= accepted.quality("identity")


def negotiated_key(environ: "WSGIEnvironment") -> RequestKey:
    """Return the key of a request whose answer depends on `Accept` too; see `fast_path.request_key`."""
    return (*environ[REQUEST_KEY], environ.get("HTTP_ACCEPT", ""))


# All of them ------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class _Record:
    """An answer under its key, its revision of the archive, and the keys of requests for it.

    Its last use is noted; uses before `recent_until` (of the cache's timer) need not be.
    """

    key: Hashable
    variants: Variants
    revision: int
    request_keys: tuple[RequestKey, ...] = ()
    recent_until: float = -math.inf

    @property
    def size(self) -> int:
        return len(self.variants.plain.body) + len(self.variants.gzip.body) + _OVERHEAD + _REQUEST_KEYS


class _Segment(LRUCache[Hashable, _Record]):
    """Answers by key, at most `size` bytes; forgets the request keys of an answer that it drops."""

    def __init__(self, size: int, by_request: dict[RequestKey, _Record]) -> None:
        super().__init__(size, getsizeof=lambda record: record.size)
        self._by_request = by_request

    def popitem(self) -> tuple[Hashable, _Record]:
        key, record = super().popitem()
        self.forget(record)
        return key, record

    def forget(self, record: _Record) -> None:
        """Forget the request keys of an answer."""
        for request_key in record.request_keys:
            self._by_request.pop(request_key, None)

    def set_aside(self) -> tuple[Hashable, _Record]:
        """Remove the least recently used answer, but not its request keys: it may come back."""
        return super().popitem()


class ResponseCache:
    """Answers by key in about `size` bytes, each valid until the archive's revision changes.

    Once the bytes are used up, a new answer waits in a quarter of them, which drops the least recently used first. An
    answer with a second use moves to the protected part, in place of answers with fewer uses. One use in five minutes
    counts, and half after a day. So neither a flood of new queries nor one that repeats them drops the answers that
    readers poll. This is 2Q (Johnson and Shasha, VLDB 1994) with the admission of TinyLFU. `timer` is in seconds. Safe
    to use from several threads.
    """

    def __init__(self, size: int, state: "Callable[[], State]", timer: Callable[[], float] = time.monotonic) -> None:
        self._state, self._timer = state, timer
        self._lock = threading.Lock()
        self._locks = WeakValueDictionary[Hashable, threading.Lock]()  # gone once nobody makes the answer or waits
        self._by_request: dict[RequestKey, _Record] = {}
        self._uses: LRUCache[int, tuple[float, float]] = LRUCache(size // _USE_SHARE)  # score, and its time
        self._probation = _Segment(size // _PROBATION, self._by_request)
        self._protected = _Segment(size - size // _PROBATION - size // _USE_SHARE * _USE_BYTES, self._by_request)

    def recent(self, request_key: RequestKey) -> Variants | None:
        """Return the answer to `request_key` if it is current and was used in the last seconds; raises nothing.

        Takes no lock and notes no use, so it costs little more than a look into a dictionary. If the revision changes
        right after that look, the answer was still the right one when the request came.
        """
        record = self._by_request.get(request_key)
        if record is None or record.revision != self._state().revision or self._timer() >= record.recent_until:
            return None
        return record.variants

    def lookup(self, *request_keys: RequestKey) -> Variants | None:
        """Return the answer to one of `request_keys` if it is there and current, and note its use; raises nothing."""
        record = self._record(request_keys)
        record = record and self._current(record.key)
        return record.variants if record else None

    def stale(self, *request_keys: RequestKey) -> Variants | None:
        """Return the answer to one of `request_keys` if it is there, even if the archive has changed since."""
        record = self._record(request_keys)
        return record.variants if record else None

    def _record(self, request_keys: Iterable[RequestKey]) -> _Record | None:
        return next(filter(None, map(self._by_request.get, request_keys)), None)

    def get(self, key: Hashable, make: Callable[[], tuple[Variants, int]], request_key: RequestKey) -> Variants:
        """Return the answer under `key`, or let `make` make it, with its revision, and keep it for `request_key` too.

        One thread makes an answer while others wait. While the archive cannot be read, the last answer stays valid.
        """
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            record = self._current(key) or self._make(key, make)
        self._remember(request_key, key, record)
        return record.variants

    def _make(self, key: Hashable, make: Callable[[], tuple[Variants, int]]) -> _Record:
        try:
            record = _Record(key, *make())
        except ArchiveError:
            with self._lock:
                before = self._find(key)
            if before is None:
                raise
            return before
        with self._lock:
            is_repeated = self._count_use(key) and self._score(key) > 1
            if before := self._find(key):
                record.request_keys = before.request_keys
                self._by_request.update(dict.fromkeys(record.request_keys, record))
                self._probation.pop(key, None)
            self._place(key, record, is_repeated=is_repeated)
        return record

    def _find(self, key: Hashable) -> _Record | None:
        return self._protected.get(key) or self._probation.get(key)

    def _current(self, key: Hashable) -> _Record | None:
        revision = self._state().revision
        with self._lock:
            record = self._find(key)
            if record and (self._count_use(key) or self._has_room(record.size)) and key not in self._protected:
                del self._probation[key]
                self._place(key, record, is_repeated=True)
            if record:
                record.recent_until = self._timer() + _RECENT
        return record if record and record.revision == revision else None

    def _place(self, key: Hashable, record: _Record, *, is_repeated: bool) -> None:
        """Keep an answer, in the protected part if there is room; if it `is_repeated`, others may make room for it."""
        has_place = key in self._protected or self._has_room(record.size)
        is_protected = has_place or (is_repeated and self._make_room(key, record.size))
        segment = self._protected if is_protected else self._probation
        if record.size <= segment.maxsize:
            segment[key] = record
        else:
            segment.forget(record)

    def _make_room(self, key: Hashable, size: int) -> bool:
        """Drop protected answers with fewer uses than `key` until `size` bytes are free; drop none if that fails.

        If it fails, the answers it looked at count as recently used.
        """
        score, victims = self._score(key), list[tuple[Hashable, _Record]]()
        while size <= self._protected.maxsize and not self._has_room(size):
            victims.append(self._protected.set_aside())
            if self._score(victims[-1][0]) >= score:
                self._protected.update(victims)
                return False
        for _, record in victims:
            self._protected.forget(record)
        return size <= self._protected.maxsize

    def _has_room(self, size: int) -> bool:
        return self._protected.currsize + size <= self._protected.maxsize

    def _count_use(self, key: Hashable) -> bool:
        """Count a use of `key`, at most one in five minutes; return whether it counted."""
        now = self._timer()
        if now - self._uses.get(hash(key), _NEVER)[1] < _PERIOD:
            return False
        if self._uses.maxsize:
            self._uses[hash(key)] = (self._score(key) + 1, now)
        return True

    def _score(self, key: Hashable) -> float:
        """Return the number of uses of `key`; a use a day ago counts half."""
        score, at = self._uses.get(hash(key), _NEVER)
        return score and score * 2.0 ** ((at - self._timer()) / _HALF_LIFE)

    def _remember(self, request_key: RequestKey, key: Hashable, record: _Record) -> None:
        with self._lock:
            if self._find(key) is not record or request_key in self._by_request:
                return
            request_keys = [*record.request_keys, request_key]
            # A string takes 50 bytes besides its characters.
            while sum(len(text) + 50 for parts in request_keys for text in parts) > _REQUEST_KEYS:
                self._by_request.pop(request_keys.pop(0), None)
            self._by_request.update(dict.fromkeys(request_keys, record))
            record.request_keys = tuple(request_keys)
