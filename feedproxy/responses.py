"""Finished answers: a feed's bytes, plain and compressed, with their validators; kept in memory.

Renders nothing and reads no archive: what to make an answer from is handed in.
"""

import hashlib
import threading
import zlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime

from cachetools import LRUCache


@dataclass(frozen=True, slots=True)
class Answer:
    """One representation of a feed and its compressed twin.

    `etag` (strong, unquoted) is the hash of `body`; `last_modified`, aware UTC, is None where the
    body can change without a date in it changing.
    """

    body: bytes
    compressed: bytes
    etag: str
    media_type: str
    last_modified: datetime | None


def answer(body: bytes, media_type: str, last_modified: datetime | None) -> Answer:
    """Return `body` as an answer; the same bytes make the same answer everywhere."""
    digest = hashlib.sha256(body).hexdigest()[:32]
    return Answer(body, zlib.compress(body, 6, wbits=31), digest, media_type, last_modified)


class Answers:
    """Answers by key, the least recently used dropped once they exceed `size` bytes in all."""

    def __init__(self, size: int) -> None:
        self._kept: LRUCache[Hashable, Answer] = LRUCache(size, getsizeof=_size)
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Answer]) -> Answer:
        """Return the answer kept under `key`, or keep and return what `make` makes."""
        with self._lock:
            if kept := self._kept.get(key):
                return kept
        made = make()
        with self._lock:
            if _size(made) <= self._kept.maxsize:
                self._kept[key] = made
        return made


def _size(answer: Answer) -> int:
    return len(answer.body) + len(answer.compressed) + 500
