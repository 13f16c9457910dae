"""A value that is made from an archive, and made again when the archive has changed."""

from collections.abc import Callable
from typing import Generic, TypeVar

from feedproxy.archive import Archive

T = TypeVar("T")


class Memo(Generic[T]):
    """What `make` returns for the present papers of `archive`; safe to use from several threads."""

    def __init__(self, archive: Archive, make: Callable[[Archive], T]) -> None:
        self._archive, self._make = archive, make
        self._last: tuple[int, T] | None = None

    def get(self) -> T:
        """Return the value, made now if there is none for this revision; raises ArchiveError."""
        revision = self._archive.cached_state().revision
        if self._last is None or self._last[0] != revision:
            self._last = revision, self._make(self._archive)
        return self._last[1]
