"""Saved listings, taken whole whatever their dates."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from feedproxy.errors import ListingError, SavedListingError
from feedproxy.ingest.http import Turn
from feedproxy.ingest.parse import parse, require_papers
from feedproxy.ingest.parse.fields import day_of, midnight
from feedproxy.ingest.schedule import MAX_LEAD, ListingDays, ListingRequest
from feedproxy.model import Listing

_LOOK = timedelta(seconds=10)
_LOOKED_AT = timedelta(days=32)  # for as long, from its beginning on, a listing is looked at where it is not saved
_LARGEST = 2**24  # bytes
_NOT_LISTINGS = ("Thumbs.db", "desktop.ini")  # and what is hidden, or a copy that an editor kept


class Saved:
    """A saved listing, or every one in a folder and the folders in it; read again when changed.

    Files that are hidden, or that editors and file managers leave, are passed over.
    """

    def __init__(self, path: Path, name: str = "") -> None:
        self.name = name or str(path)
        self._path = path
        self._read: dict[Path, tuple[int, int]] = {}
        self._read_at = datetime.min.replace(tzinfo=UTC)

    def keep_pace(self, turn: Turn) -> None:
        """Ask nobody."""

    def due(self, known: ListingDays, now: datetime, *, force: bool = False) -> list[list[ListingRequest]]:  # noqa: ARG002
        """Return every file in one batch, if any has changed since it was read, or what was read was not stored."""
        stored = any(told.good_at and told.good_at >= self._read_at for told in known.values())
        files = self._files()
        if stored and not force and all(self._read.get(path) == fact for path, fact in files.items()):
            return []
        return [[ListingRequest(day_of(path.name), path=path) for path in files]]

    def next_due(self, known: ListingDays, now: datetime) -> datetime:
        """Return when to look again whether a file has changed."""
        return now if self.due(known, now) else now + _LOOK

    def get(self, ask: ListingRequest, now: datetime) -> Listing:
        """Read one file; the day its name begins with is the one it was asked for by."""
        path = ask.path or self._path
        try:
            self._read[path], self._read_at = _fact(path), now.replace(microsecond=0)
            with path.open("rb") as file:
                body = file.read(_LARGEST + 1)
            if len(body) > _LARGEST:
                raise ListingError(f"has more than {_LARGEST:,} bytes")
            listing = require_papers(parse(body, day=ask.day, latest=now + MAX_LEAD), str(path))
        except OSError as error:
            raise SavedListingError(f"cannot read {path}: {error.strerror}") from error
        except ListingError as error:
            raise SavedListingError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error
        if listing.day is None:
            raise SavedListingError(f"{path}: lists no papers")
        return replace(listing, taken_before=midnight(listing.day) + _LOOKED_AT)

    def _may_list(self, path: Path) -> bool:
        """Say whether a file in the folder may be a listing, and not what machines and editors leave beside one."""
        hidden = any(part.startswith(".") for part in path.relative_to(self._path).parts)
        return not hidden and not path.name.endswith(("~", ".bak", ".swp", ".tmp")) and path.name not in _NOT_LISTINGS

    def _files(self) -> dict[Path, tuple[int, int]]:
        try:
            found = [self._path]
            if self._path.is_dir():
                next(self._path.iterdir(), None)  # rglob passes over a folder that may not be read
                found = sorted(path for path in self._path.rglob("*") if self._may_list(path) and path.is_file())
            facts = {path: _fact(path) for path in found}
        except OSError as error:
            raise SavedListingError(f"cannot read {self._path}: {error.strerror}") from error
        if not facts:
            raise SavedListingError(f"cannot read {self._path}: the folder is empty")
        return facts


def _fact(path: Path) -> tuple[int, int]:
    """Return what changes with a file."""
    fact = path.stat()
    return fact.st_mtime_ns, fact.st_size
