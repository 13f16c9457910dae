"""Saved listings as a source: reads all files, whatever their dates."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from feedproxy.errors import ListingError, SavedListingError
from feedproxy.ingest.http import Turn
from feedproxy.ingest.parse import parse, require_papers
from feedproxy.ingest.parse.fields import leading_day
from feedproxy.ingest.schedule import MAX_LEAD, ListingDays, ListingRequest
from feedproxy.model import Listing
from feedproxy.periods import midnight

_PAUSE = timedelta(seconds=10)  # between two looks at the files
_HUB_WINDOW = timedelta(days=32)  # after a day begins, during which we would read its listing at the Hub
_MAX_BYTES = 2**24
_IGNORED = ("Thumbs.db", "desktop.ini")
_IGNORED_ENDS = ("~", ".bak", ".swp", ".tmp")  # editors leave such copies

_Stamp = tuple[int, int]  # a file's time and size, which change with its content


class SavedListings:
    """A saved listing, or all in a folder and its folders; reads them again after a change.

    Ignores hidden files, and the files that editors and file managers leave behind.
    """

    has_all_days = True

    def __init__(self, path: Path, name: str = "") -> None:
        self.name = name or str(path)
        self._path = path
        self._stamps: dict[Path, _Stamp] = {}  # of the files read
        self._read_at = datetime.min.replace(tzinfo=UTC)

    def keep_pace(self, turn: Turn) -> None:
        """Do nothing: files may be read at any pace."""

    def due(self, days: ListingDays, now: datetime, *, force: bool = False) -> list[list[ListingRequest]]:  # noqa: ARG002
        """Return all files in one batch, if one has changed or the last read was not stored."""
        is_stored = any(day.good_at and day.good_at >= self._read_at for day in days.values())
        files = self._files()
        if is_stored and not force and all(self._stamps.get(path) == stamp for path, stamp in files.items()):
            return []
        return [[ListingRequest(leading_day(path.name), path=path) for path in files]]

    def next_due(self, days: ListingDays, now: datetime) -> datetime:
        """Return when to look for changes."""
        return now if self.due(days, now) else now + _PAUSE

    def get(self, request: ListingRequest, now: datetime) -> Listing:
        """Read one file; a day at the beginning of its name is its listing day."""
        path = request.path or self._path
        try:
            self._stamps[path], self._read_at = _stamp(path), now.replace(microsecond=0)
            with path.open("rb") as file:
                body = file.read(_MAX_BYTES + 1)
            if len(body) > _MAX_BYTES:
                raise ListingError(f"has more than {_MAX_BYTES:,} bytes")
            listing = require_papers(parse(body, day=request.day, latest=now + MAX_LEAD))
        except OSError as error:
            raise SavedListingError(f"cannot read {path}: {error.strerror}") from error
        except ListingError as error:
            raise SavedListingError(f"{path}: {error}") from error
        if listing.day is None:
            raise SavedListingError(f"{path}: lists no papers")
        return replace(listing, taken_before=midnight(listing.day) + _HUB_WINDOW)

    def _files(self) -> dict[Path, _Stamp]:
        try:
            paths = [self._path]
            if self._path.is_dir():
                next(self._path.iterdir(), None)  # raises for an unreadable folder, unlike rglob
                paths = sorted(path for path in self._path.rglob("*") if self._may_be_listing(path))
            stamps = {path: _stamp(path) for path in paths}
        except OSError as error:
            raise SavedListingError(f"cannot read {self._path}: {error.strerror}") from error
        if not stamps:
            raise SavedListingError(f"cannot read {self._path}: the folder is empty")
        return stamps

    def _may_be_listing(self, path: Path) -> bool:
        is_hidden = any(part.startswith(".") for part in path.relative_to(self._path).parts)
        return not is_hidden and path.name not in _IGNORED and not path.name.endswith(_IGNORED_ENDS) and path.is_file()


def _stamp(path: Path) -> _Stamp:
    status = path.stat()
    return status.st_mtime_ns, status.st_size
