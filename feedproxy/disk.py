"""Writes a file in one step, so that nobody ever reads half of it."""

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

from feedproxy.errors import FeedproxyError


def replace_file(path: Path, body: bytes) -> bool:
    """Make `path` hold `body`, and return whether it did not before; then its time changes too.

    Follows a symbolic link, keeps the permissions of a file, and writes into a pipe or device. Raises FeedproxyError.
    """
    target = Path(os.path.realpath(path))  # unlike Path.resolve of Python 3.12, it accepts links in a circle
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if target.exists() and not target.is_file():  # a pipe or a device
            target.write_bytes(body)
        elif target.exists() and target.read_bytes() == body:
            return False
        else:
            beside.write_bytes(body)
            if target.exists():
                shutil.copymode(target, beside)
            beside.replace(target)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise FeedproxyError(f"cannot write {path}: {error.strerror}") from error
    return True


def remove_unfinished(path: Path) -> None:
    """Remove what a killed process left beside `path`; only where no other process writes it now."""
    for unfinished in path.parent.glob(f".{path.name}.[0-9]*"):
        if re.fullmatch("[.][0-9]{1,7}", unfinished.suffix) and not unfinished.is_dir():  # a process id, and no date
            unfinished.unlink(missing_ok=True)
