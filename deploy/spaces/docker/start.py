"""Serves feedproxy where every restart loses the disk, and copies the archive to a folder that stays.

SQLite never works in that folder, which may be a mounted bucket: only whole files go there and come back.
"""

import argparse
import logging
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

FEEDPROXY = [sys.executable, "-m", "feedproxy"]
LOOK = 10.0  # seconds between two looks at the archive
log = logging.getLogger(__name__)


class Backup:
    """The copy of `archive` in the folder `store`."""

    def __init__(self, archive: Path, store: Path) -> None:
        self.archive, self.store, self.file = archive, store, store / "archive.sqlite"
        self.is_first = False  # the store had no copy at the start, and has none from here yet
        self.revision = 0  # of the archive when it was last copied

    def restore(self) -> None:
        """Bring the archive back, if there is a copy; a copy that cannot be read ends the program."""
        if self.archive.exists():  # the container kept its disk, which is newer than the copy
            return
        if not self.store.is_dir():
            sys.exit(f"start: there is no folder {self.store}; attach a storage bucket to the Space, mounted there")
        self.archive.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self.archive.parent) as folder:
            restored = Path(folder) / "archive.sqlite"
            try:
                shutil.copyfile(self.file, restored)
                self.revision = read_revision(restored, is_checking=True)
            except FileNotFoundError:
                self.is_first = True
                log.info("no copy in %s yet: beginning with an empty archive", self.store)
                return
            except (OSError, sqlite3.Error) as error:
                sys.exit(
                    f"start: cannot restore {self.file} ({error}), and without it every entry would get a new date; "
                    "put a good copy there, or delete it to begin anew"
                )
            restored.replace(self.archive)
        log.info("restored %s", self.file)

    def update(self) -> bool:
        """Replace the copy and return True, if the archive has changed; log a line if that fails."""
        try:
            if read_revision(self.archive) == self.revision:
                return False
            self._replace()
            log.info("backed up to %s", self.file)
        except (OSError, sqlite3.Error) as error:
            log.error("cannot back up to %s, will try again: %s", self.store, error)
        return True

    def _replace(self) -> None:
        if self.is_first and self.file.exists():
            raise OSError(f"{self.file} was not there at the start; restart to restore it")
        unfinished = self.store / "archive.sqlite.unfinished"
        with TemporaryDirectory(dir=self.archive.parent) as folder:
            snapshot = Path(folder) / "archive.sqlite"
            back_up(snapshot)
            shutil.copyfile(snapshot, unfinished)
            unfinished.replace(self.file)
            self.is_first, self.revision = False, read_revision(snapshot)


def read_revision(archive: Path, *, is_checking: bool = False) -> int:
    """Return the revision, which moves if a feed may have changed; 0 without an archive or a paper.

    Raises sqlite3.Error for what is no archive; with `is_checking`, also for one that is damaged.
    """
    if not archive.exists():
        return 0
    with closing(sqlite3.connect(f"{archive.as_uri()}?mode=ro", uri=True)) as db:
        if is_checking and (problem := db.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(problem)
        return int(db.execute("SELECT max(revision) FROM state").fetchone()[0] or 0)


def back_up(file: Path) -> None:
    """Write the archive as it is now to `file`; raises OSError with the line that feedproxy printed."""
    command = [*FEEDPROXY, "archive", "backup", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (no strangers' words)
    if result.returncode:
        raise OSError((result.stderr.strip() or f"exit code {result.returncode}").splitlines()[-1])


def serve(backup: Backup, bind: str, pause: float) -> int:
    """Serve until a signal comes; back up at most every `pause` seconds, and at the end. Return the exit code."""
    server = subprocess.Popen([*FEEDPROXY, "serve", "--bind", bind])  # noqa: S603
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.terminate())
    next_at = time.monotonic()
    while (code := wait(server, min(LOOK, pause))) is None:
        if time.monotonic() >= next_at and backup.update():
            next_at = time.monotonic() + pause
    backup.update()
    return code if code >= 0 else 128 - code


def wait(server: subprocess.Popen[bytes], seconds: float) -> int | None:
    """Return the exit code of `server`, or None if it still runs after `seconds`."""
    try:
        return server.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def main() -> None:
    """Read options and environment, restore, serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path, help="folder of the copy")
    parser.add_argument("--bind", default="0.0.0.0:7860", metavar="HOST:PORT")
    parser.add_argument("--pause", type=float, default=300, metavar="SECONDS", help="least time between two backups")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if host := os.environ.get("SPACE_HOST"):
        os.environ.setdefault("FEEDPROXY_PUBLIC_URL", f"https://{host}")
        os.environ.setdefault("FEEDPROXY_HOSTS", host)  # beside a domain of one's own
    feeds = Path(__file__).with_name("feeds.toml")
    if feeds.exists():
        os.environ.setdefault("FEEDPROXY_FEEDS", str(feeds))
    backup = Backup(Path(os.environ["FEEDPROXY_ARCHIVE"]).absolute(), options.store)
    backup.restore()
    sys.exit(serve(backup, options.bind, options.pause))


if __name__ == "__main__":
    main()
