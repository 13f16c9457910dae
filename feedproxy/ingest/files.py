"""Saved listings as a source: files of any age in, their papers out.

What has not changed is not read. The archive remembers each file that it has read: by its time and size, and by a hash
of its content, as a copy has another time. A paper may be in several files, and the last one has the last word. So if
one of them changes, the others are asked for that paper again: as if all files had been read.
"""

import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from feedproxy import __version__
from feedproxy.errors import ListingError, SavedListingError
from feedproxy.ingest.http import Turn
from feedproxy.ingest.parse import parse, require_papers
from feedproxy.ingest.parse.fields import leading_day
from feedproxy.ingest.schedule import MAX_LEAD, ListingDays, ListingRequest
from feedproxy.model import Listing, SavedFile
from feedproxy.periods import midnight

_PAUSE = timedelta(seconds=10)  # between two looks at the files
_HUB_WINDOW = timedelta(days=32)  # after a day begins, during which we would read its listing at the Hub
_MAX_BYTES = 2**24
_IGNORED = ("Thumbs.db", "desktop.ini")
_IGNORED_ENDS = ("~", ".bak", ".swp", ".tmp")  # editors leave such copies


class SavedListings:
    """A saved listing, or all in a folder and its folders; reads them again after a change.

    Ignores hidden files, and the files that editors and file managers leave behind.
    """

    has_all_days = True

    def __init__(self, path: Path, name: str = "") -> None:
        self.name = name or str(path)
        self.recall: Callable[[], Mapping[str, SavedFile]] = dict  # what the archive remembers, by `SavedFile.path`
        self._path = path
        self._stamps: dict[Path, str] = {}  # of the files that this process has read, or need not read
        self._unfinished: set[Path] = set()  # those of them that could not be read, or only in part
        self._read_at = datetime.min.replace(tzinfo=UTC)

    def keep_pace(self, turn: Turn) -> None:
        """Do nothing: files may be read at any pace."""

    def due(self, days: ListingDays, now: datetime, *, force: bool = False) -> list[list[ListingRequest]]:  # noqa: ARG002
        """Return, in one batch, requests for the changed and the missing files; with `force` for all files.

        A file that cannot be read, or that has entries from the future, is tried again with the next changed one.
        """
        is_stored = any(day.good_at and day.good_at >= self._read_at for day in days.values())
        stamps, files = self._stamps if is_stored else {}, self._files()
        if not force and all(stamps.get(path) == stamp for path, stamp in files.items()):
            return []
        memory = self.recall() if days else {}
        rows = {path: memory.get(self._key(path)) for path in files}
        stamps |= {path: files[path] for path, row in rows.items() if row and row.stamp == files[path]}
        if not force and all(stamps.get(path) == stamp for path, stamp in files.items()):
            return []
        missing = memory.keys() - {row.path for row in rows.values() if row}
        requests = [
            ListingRequest(leading_day(path.name), path=path, file=None if force else row)
            for path, row in rows.items()
            if force or stamps.get(path) != files[path] or path in self._unfinished
        ]
        return [[*requests, *(ListingRequest(file=memory[key]) for key in sorted(missing))]]

    def related(
        self,
        batch: Sequence[ListingRequest],
        piece: Mapping[ListingRequest, Listing],
        unread: Collection[ListingRequest],
    ) -> Iterator[ListingRequest]:
        """Yield requests for what other files say of the papers of `piece`, which is a part of `batch`.

        The last of these files is always among them, as its day bounds the dates of a refresh (`refresh_times`). What
        cannot be read now is `unread`.
        """
        changes = {request.path: listing for request, listing in piece.items() if not listing.unchanged}
        same = [request for request in batch if request.path not in changes and request not in unread]
        rows = {request.path: request.file for request in same}
        if others := self._files().keys() - {request.path for request in batch}:
            memory = self.recall()
            rows |= {path: memory.get(self._key(path)) for path in others}
        papers = {paper.id for listing in changes.values() for paper in listing.papers}
        papers.update(*(request.file.papers for request in piece if request.file and request.path in changes))
        files = sorted((row.day, path, row) for path, row in rows.items() if path and row and row.day)
        for number, (_, path, row) in enumerate(files, 1):
            if (shared := papers.intersection(row.papers)) or number == len(files):
                yield ListingRequest(leading_day(path.name), path=path, file=row, papers=frozenset(shared))

    def next_due(self, days: ListingDays, now: datetime) -> datetime:
        """Return when to look for changes."""
        return now if self.due(days, now) else now + _PAUSE

    def get(self, request: ListingRequest, now: datetime) -> Listing:
        """Read one file; a day at the beginning of its name is its listing day."""
        path, row = request.path, request.file
        if path is None and row:
            return Listing(file=replace(row, day=None))
        if row and request.papers == frozenset():
            return _unchanged(row)
        path = path or self._path
        try:
            return self._read(path, request, now)
        except OSError as error:
            raise SavedListingError(f"cannot read {path}: {error.strerror}") from error
        except ListingError as error:
            raise SavedListingError(f"{path}: {error}") from error

    def _read(self, path: Path, request: ListingRequest, now: datetime) -> Listing:
        stamp = _stamp(path)
        if request.papers is None:
            self._stamps[path], self._read_at = stamp, now.replace(microsecond=0)
            self._unfinished.add(path)
        with path.open("rb") as file:
            body = file.read(_MAX_BYTES + 1)
        if len(body) > _MAX_BYTES:
            raise ListingError(f"has more than {_MAX_BYTES:,} bytes")
        content = hashlib.sha256(__version__.encode())
        content.update(body)
        digest = content.hexdigest()
        if request.file and request.papers is None and request.file.digest == digest:
            self._unfinished.discard(path)
            return replace(_unchanged(request.file), file=replace(request.file, stamp=stamp))
        listing = require_papers(parse(body, day=request.day, latest=now + MAX_LEAD))
        if listing.day is None:
            raise ListingError("lists no papers")
        listing = replace(listing, taken_before=_taken_before(listing.day))
        if request.papers is not None:
            papers = tuple(paper for paper in listing.papers if paper.id in request.papers)
            return replace(listing, papers=papers, skipped=(), unchanged=True)
        if listing.is_early:
            stamp = digest = ""
        else:
            self._unfinished.discard(path)
        ids = tuple(paper.id for paper in listing.papers)
        return replace(listing, file=SavedFile(self._key(path), stamp, digest, listing.day, ids))

    def _files(self) -> dict[Path, str]:
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

    def _key(self, path: Path) -> str:
        """Return a hash of the path in the folder: databases take neither every name nor any length."""
        return hashlib.sha256(os.fsencode(path.relative_to(self._path).as_posix())).hexdigest()


def _stamp(path: Path) -> str:
    """Return what changes with a file, or with the rules by which this version reads it.

    A copy may keep the time of its content, but never the time of the last change to the file itself.
    """
    status = path.stat()
    return f"{__version__} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def _unchanged(row: SavedFile) -> Listing:
    return Listing(day=row.day, unchanged=True, taken_before=_taken_before(row.day) if row.day else None)


def _taken_before(day: date) -> datetime:
    return midnight(day) + _HUB_WINDOW
