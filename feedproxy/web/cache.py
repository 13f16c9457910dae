"""Finished answers: the bytes of a feed or page, plain and compressed, with their headers; kept in memory.

Renders nothing and reads no archive: what to make an answer from, and of which revision, is handed in.
"""

import hashlib
import math
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from weakref import WeakValueDictionary

from cachetools import LRUCache
from isal import isal_zlib

from feedproxy.errors import ArchiveError

Headers = tuple[tuple[str, str], ...]
RequestKey = tuple[str, ...]
_OWN = 4_000  # bytes an answer takes besides its two bodies, about
_TARGETS = (
    4_000  # characters of the targets remembered with one answer; one spelled otherwise is served a little slower
)
_TRIED = 4  # a quarter of the bytes is for what was asked for once
_SEEN, _TRACE = 1_000, 250  # the uses of a key in so many bytes are known, and take so many
_PERIOD, _HALF_LIFE = 300.0, 86_400.0  # seconds
_NEVER = (0.0, -math.inf)


@dataclass(frozen=True, slots=True)
class Representation:
    """A feed or page in one encoding: its bytes, its `etag` (quoted), the headers of a 200 and those of a 304 to it."""

    body: bytes
    etag: str
    headers: Headers
    validators: Headers


@dataclass(frozen=True, slots=True)
class Variants:
    """A feed or page as it is sent, and its compressed twin under an ETag of its own.

    `name` is that of its format; `last_modified`, an HTTP date, is None where the body can change
    without a date in it changing.
    """

    name: str
    plain: Representation
    gzip: Representation
    last_modified: str | None


def build_variants(
    name: str, body: bytes, content_type: str, last_modified: datetime | None, headers: Headers = ()
) -> Variants:
    """Return `body`, of the format `name`, as an answer with `headers` on every 200 and 304.

    Equal bytes make equal answers everywhere: the ETag is their hash (RFC 9110, section 8.8.3).
    `last_modified` is aware UTC.
    """
    digest = hashlib.sha256(body).hexdigest()[:32]
    modified = format_datetime(last_modified, usegmt=True) if last_modified else None
    described = (("Content-Type", content_type), *((("Last-Modified", modified),) if modified else ()))
    packed = (*described, ("Content-Encoding", "gzip"))
    return Variants(
        name,
        _representation(body, f'"{digest}"', headers, described),
        _representation(isal_zlib.compress(body, 2, wbits=31), f'"{digest}-gzip"', headers, packed),
        modified,
    )


def _representation(body: bytes, etag: str, headers: Headers, described: Headers) -> Representation:
    validators = (("ETag", etag), *headers)
    return Representation(body, etag, (*described, ("Content-Length", str(len(body))), *validators), validators)


@dataclass(slots=True, eq=False)
class _Kept:
    """An answer, the revision of the archive it is of, and the targets that are remembered to lead to it."""

    answer: Variants
    revision: int
    targets: tuple[RequestKey, ...] = ()

    @property
    def size(self) -> int:
        return len(self.answer.plain.body) + len(self.answer.gzip.body) + _OWN + _TARGETS


class _Segment(LRUCache[Hashable, _Kept]):
    """Answers by key in a part of the bytes; with one that is dropped its targets are forgotten."""

    def __init__(self, size: int, targets: dict[RequestKey, Hashable]) -> None:
        super().__init__(size, getsizeof=lambda kept: kept.size)
        self._targets = targets

    def popitem(self) -> tuple[Hashable, _Kept]:
        key, kept = super().popitem()
        self.forget(kept)
        return key, kept

    def forget(self, kept: _Kept) -> None:
        """Forget what leads to an answer that is not kept any more."""
        for target in kept.targets:
            self._targets.pop(target, None)

    def set_aside(self) -> tuple[Hashable, _Kept]:
        """Remove the least recently used answer without forgetting its targets, to be put back or dropped."""
        return super().popitem()


class ResponseCache:
    """Answers by key in about `size` bytes, each for as long as `revision` tells what it was made of.

    A new key waits in a quarter of the bytes, where the least recently used is dropped first. One that is asked for
    again moves to the larger part, for answers that are polled: if that is full, only in the place of answers
    that are asked for less often. One use in five minutes counts, and after a day for half. So what is polled is
    dropped neither by a flood of new queries nor by one that repeats them. This is 2Q (Johnson and Shasha, VLDB
    1994) with the admission of TinyLFU. `timer` is in seconds. Safe to use from several threads.
    """

    def __init__(self, size: int, revision: Callable[[], int], timer: Callable[[], float] = time.monotonic) -> None:
        self._revision, self._timer = revision, timer
        self._lock = threading.Lock()
        self._making = WeakValueDictionary[Hashable, threading.Lock]()  # forgotten once nobody makes or waits
        self._targets: dict[RequestKey, Hashable] = {}
        self._uses: LRUCache[int, tuple[float, float]] = LRUCache(size // _SEEN)  # score, and when it was counted
        self._probation = _Segment(size // _TRIED, self._targets)
        self._protected = _Segment(size - size // _TRIED - size // _SEEN * _TRACE, self._targets)

    def lookup(self, target: RequestKey) -> Variants | None:
        """Return the answer `target` is remembered to lead to, if it still holds; raises nothing."""
        key = self._targets.get(target)
        kept = None if key is None else self._current(key)
        return kept.answer if kept else None

    def stale(self, target: RequestKey) -> Variants | None:
        """Return the answer `target` is remembered to lead to, even if the archive has changed since."""
        with self._lock:
            kept = self._held(self._targets.get(target))
        return kept.answer if kept else None

    def get(self, key: Hashable, make: Callable[[], tuple[Variants, int]], target: RequestKey) -> Variants:
        """Return the answer kept under `key`, or keep and return what `make` makes, and of which revision.

        One at a time makes what others wait for. From then on `target` is remembered to lead there.
        """
        kept = self._current(key)
        if not kept:
            with self._lock:
                making = self._making.setdefault(key, threading.Lock())
            with making:
                kept = self._current(key) or self._made(key, make)
        self._remember(target, key, kept)
        return kept.answer

    def _made(self, key: Hashable, make: Callable[[], tuple[Variants, int]]) -> _Kept:
        """Make an answer and keep it; while the archive cannot be read, return the last one that could be made."""
        try:
            return self._keep(key, _Kept(*make()))
        except ArchiveError:
            with self._lock:
                before = self._held(key)
            if before is None:
                raise
            return before

    def _held(self, key: Hashable) -> _Kept | None:
        return self._protected.get(key) or self._probation.get(key)

    def _current(self, key: Hashable) -> _Kept | None:
        revision = self._revision()
        with self._lock:
            kept = self._held(key)
            if kept and (self._count_use(key) or self._has_room(kept.size)) and key not in self._protected:
                del self._probation[key]
                self._place(key, kept, again=True)
        return kept if kept and kept.revision == revision else None

    def _keep(self, key: Hashable, kept: _Kept) -> _Kept:
        with self._lock:
            again = self._count_use(key) and self._score(key) > 1
            if before := self._held(key):
                kept.targets = before.targets
                self._probation.pop(key, None)
            self._place(key, kept, again=again)
        return kept

    def _place(self, key: Hashable, kept: _Kept, *, again: bool) -> None:
        """Keep an answer, among those that are polled if it was asked for `again` and there is room."""
        is_polled = key in self._protected or (again and self._make_room(key, kept.size))
        segment = self._protected if is_polled else self._probation
        if kept.size <= segment.maxsize:
            segment[key] = kept
        else:
            segment.forget(kept)

    def _make_room(self, key: Hashable, size: int) -> bool:
        """Drop answers that are asked for less often than `key` until `size` bytes are free; drop none if that fails.

        Answers that prove to be asked for more often count as recently used.
        """
        score, dropped = self._score(key), list[tuple[Hashable, _Kept]]()
        while size <= self._protected.maxsize and not self._has_room(size):
            dropped.append(self._protected.set_aside())
            if self._score(dropped[-1][0]) >= score:
                self._protected.update(dropped)
                return False
        for _, kept in dropped:
            self._protected.forget(kept)
        return size <= self._protected.maxsize

    def _has_room(self, size: int) -> bool:
        return self._protected.currsize + size <= self._protected.maxsize

    def _count_use(self, key: Hashable) -> bool:
        """Count a use of `key`, unless one was counted shortly before; say whether it did."""
        now = self._timer()
        if now - self._uses.get(hash(key), _NEVER)[1] < _PERIOD:
            return False
        if self._uses.maxsize:
            self._uses[hash(key)] = (self._score(key) + 1, now)
        return True

    def _score(self, key: Hashable) -> float:
        """Return how often `key` was used, every use counted for half after a day."""
        score, at = self._uses.get(hash(key), _NEVER)
        return score and score * 2.0 ** ((at - self._timer()) / _HALF_LIFE)

    def _remember(self, target: RequestKey, key: Hashable, kept: _Kept) -> None:
        with self._lock:
            held = (self._protected if key in self._protected else self._probation).get(key)
            if held is kept and target not in self._targets and _room(targets := (*kept.targets, target)) >= 0:
                kept.targets, self._targets[target] = targets, key


def _room(targets: tuple[RequestKey, ...]) -> int:
    """Return how many characters are left for further targets of an answer; a string takes 50 besides its own."""
    return _TARGETS - sum(len(text) + 50 for target in targets for text in target)
