"""The files of a site in, a folder that any static host serves out.

`status.json` in the folder says which files are ours. No others are overwritten or removed.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from feedproxy.disk import remove_unfinished, replace_file
from feedproxy.errors import PublishError
from feedproxy.text import first_ten
from feedproxy.web.site import STATUS

_MAX_STATUS = 2**24  # bytes: ten thousand feeds
_PATH = re.compile(r"(?=.{1,200}$)(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*\.?[A-Za-z0-9_-][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Folder:
    """What `status.json` says of the folder at `path`.

    `newest_entry_at` (aware UTC) is the date of the newest entry in its feeds; `hashes` has the SHA-256 of each of our
    files, in hexadecimal digits, by its path.
    """

    path: Path
    newest_entry_at: datetime | None = None
    hashes: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def open_folder(path: Path) -> Iterator[Folder]:
    """Make the folder if it is missing, and keep other processes from publishing to it; raises PublishError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise PublishError(f"cannot publish to {path}: {error.strerror}") from error
    try:
        _lock(path, descriptor)
        yield _read(path)
    finally:
        os.close(descriptor)


def _lock(path: Path, descriptor: int) -> None:
    """Lock the folder until `descriptor` is closed, on systems and disks that can."""
    with suppress(ImportError):  # on Windows
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PublishError(f"another process is publishing to {path}") from error
        except OSError:  # some network disks have no locks
            return


def _read(path: Path) -> Folder:
    """Read `status.json`, if there is one; raises PublishError if it is not ours."""
    status = path / STATUS
    try:
        if not status.exists():
            return Folder(path)
        values = json.loads(_content(status))
        newest, files = values["newest_entry_at"], values["files"]
        newest = datetime.fromisoformat(newest).astimezone(UTC) if newest else None
        hashes = {name: sha256 for name, sha256 in files.items() if _PATH.fullmatch(name) and isinstance(sha256, str)}
        return Folder(path, newest, hashes)
    except OSError as error:
        raise PublishError(f"cannot read {status}: {error.strerror}") from error
    except (ValueError, OverflowError, KeyError, TypeError, AttributeError, RecursionError):
        raise PublishError(
            f"{status} is not a file that feedproxy wrote: publish to another folder, or move it away"
        ) from None


def _content(status: Path) -> bytes:
    """Return the content; of a pipe or device none, which would make us wait or never end."""
    if not status.is_file():
        return b""
    with status.open("rb") as file:
        return file.read(_MAX_STATUS)


def refuse_older_archive(folder: Folder, archive_ends_at: datetime | None) -> None:
    """Raise PublishError if `folder` has newer entries than the archive, which ends at `archive_ends_at`.

    They come from an archive that was lost or is another one; this one would date them anew.
    """
    newest = folder.newest_entry_at
    if newest is None or (archive_ends_at and archive_ends_at >= newest):
        return
    state = f"ends at {archive_ends_at:%Y-%m-%d %H:%M}" if archive_ends_at else "is empty"
    raise PublishError(
        f"{folder.path} has an entry of {newest:%Y-%m-%d %H:%M} UTC, but the archive {state}: restore the archive that "
        f"it was published from, or empty {folder.path} to start over, with new dates for all entries"
    )


def write(folder: Folder, files: Mapping[str, bytes]) -> list[str]:
    """Make `folder` hold `files`, by path, and none of ours besides; return a line for each change.

    A file that stays the same keeps its time. Raises PublishError before it changes anything if a file is not ours.
    """
    try:
        return _write(folder, files)
    except OSError as error:
        raise PublishError(f"cannot publish to {folder.path}: {error.filename}: {error.strerror}") from error


def _write(folder: Folder, files: Mapping[str, bytes]) -> list[str]:
    if others := [*_in_the_way(folder, files), *(name for name in files if not _is_ours(folder, name, files[name]))]:
        raise PublishError(
            f"{first_ten(others)} in {folder.path} {'is' if len(others) == 1 else 'are'} not from feedproxy publish: "
            "publish to another folder, or move what is there away"
        )
    changes = [f"removed {name}" for name in sorted(folder.hashes.keys() - files.keys()) if _remove(folder, name)]
    # The status goes first: whatever a killed process has written is then known as ours.
    for name in sorted(files, key=lambda name: (name != STATUS, name)):
        path = folder.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_unfinished(path)
        verb = "changed" if path.exists() else "new"
        if replace_file(path, files[name]):
            changes.append(f"{verb} {name}")
    return changes


def _in_the_way(folder: Folder, names: Iterable[str]) -> list[str]:
    """Return the paths at which our files need a folder, and something else is."""
    parents = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    return sorted(name for name in parents if os.path.lexists(folder.path / name) and not (folder.path / name).is_dir())


def _is_ours(folder: Folder, name: str, body: bytes) -> bool:
    """Say whether there is a file that we wrote or would write the same, or nothing."""
    path = folder.path / name
    if not os.path.lexists(path):
        return True
    return path.is_file() and (name in (*folder.hashes, STATUS) or path.read_bytes() == body)


def _remove(folder: Folder, name: str) -> bool:
    """Remove a file unless somebody has changed it since; return whether it was there."""
    path = folder.path / name
    remove_unfinished(path)
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != folder.hashes[name]:
        return False
    path.unlink()
    return True
