"""A PostgreSQL server of the tests' own, run from the binaries on the machine as a user without rights."""

import fcntl
import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

_DEBIAN = Path("/usr/lib/postgresql")
# Nothing has to survive a crash of the machine.
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "64MB",
    "max_connections": "200",
}


def binaries() -> Path | None:
    """Return the folder with the server's programs, the newest there is; those on PATH first."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return versions[-1].parent if versions else None


def _user() -> str | None:
    """Return whom to run the server as, which refuses to be root's; None for whoever runs the tests."""
    if os.getuid():
        return None
    known = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


class Server:
    """A server with its files and its socket in `folder`; `start` and `stop` it as often as needed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._user = folder, _user()
        self._name = self._user or getpass.getuser()

    def make(self) -> None:
        """Create its files."""
        if self._user:
            shutil.chown(self.folder, self._user)
        self._run("initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "-D", f"{self.folder}/files")

    def start(self) -> None:
        """Start it, and return once it can be reached."""
        settings = " ".join(f"-c {name}={value!r}" for name, value in _SETTINGS.items())
        log = f"{self.folder}/log"
        self._run(
            "pg_ctl", "-w", "-D", f"{self.folder}/files", "-l", log, "-o", f"{settings} -k {self.folder}", "start"
        )

    def follow(self, primary: "Server") -> None:
        """Create its files as those of a standby of `primary`, which runs."""
        if self._user:
            shutil.chown(self.folder, self._user)
        self._run("pg_basebackup", "-R", "-c", "fast", "-h", str(primary.folder), "-D", f"{self.folder}/files")

    def stop(self, how: str = "fast") -> None:
        """Stop it; `immediate` is as if it had crashed."""
        self._run("pg_ctl", "-w", "-D", f"{self.folder}/files", "-m", how, "stop")

    def url(self, database: str) -> str:
        """Return the address of one of its databases."""
        return f"postgresql+psycopg://{self._name}@/{database}?host={self.folder}"

    def create(self) -> str:
        """Create a database and return its address."""
        name = f"test_{uuid4().hex}"
        self.run(f"CREATE DATABASE {name} {self._strategy}")
        return self.url(name)

    @cached_property
    def _strategy(self) -> str:
        """Return how databases are created in half the time; before version 15 there was no other way."""
        with _connected(self.url("postgres")) as connection:
            version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
        return "STRATEGY file_copy" if version >= 150_000 else ""

    def run(self, *statements: str, database: str = "postgres") -> None:
        """Run statements outside of transactions."""
        run(self.url(database), *statements)

    def _run(self, program: str, *words: str) -> None:
        folder = binaries()
        assert folder, "there are no binaries"
        done = subprocess.run(
            [str(folder / program), *words],
            user=self._user,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # a pipe would be held open by the server
            stderr=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )
        assert 0 == done.returncode, f"{program} failed; its files are in {self.folder}"


def run(address: str, *statements: str) -> None:
    """Run statements in a database outside of transactions."""
    with _connected(address) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def _connected(address: str) -> sa.Connection:
    return sa.create_engine(address, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT").connect()


@contextmanager
def running() -> Iterator[Server]:
    """Run a server for as long as the block lasts; the test is skipped where none can be run."""
    server = _started()
    try:
        yield server
    finally:
        _ended(server)


@contextmanager
def standby(primary: Server) -> Iterator[Server]:
    """Run a standby of `primary` for as long as the block lasts."""
    server = Server(Path(tempfile.mkdtemp(prefix="feedproxy-postgres-")))
    server.follow(primary)
    server.start()
    try:
        yield server
    finally:
        _ended(server)


@contextmanager
def shared(folder: Path) -> Iterator[Server]:
    """Run one server for all processes that name `folder`; the last to leave ends it."""
    place = folder / "postgres.place"
    with (folder / "postgres.users").open("a") as users:
        with _door(folder):
            fcntl.flock(users, fcntl.LOCK_SH)  # let go of by the system, should this process die
            server = Server(Path(place.read_text())) if place.exists() else _started()
            place.write_text(str(server.folder))
        try:
            yield server
        finally:
            with _door(folder), suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                place.unlink()
                _ended(server)


@contextmanager
def _door(folder: Path) -> Iterator[None]:
    """Let one process in at a time."""
    with (folder / "postgres.door").open("a") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        yield


def _started() -> Server:
    if not binaries():
        pytest.skip("PostgreSQL's binaries are neither on PATH nor in /usr/lib/postgresql")
    server = Server(Path(tempfile.mkdtemp(prefix="feedproxy-postgres-")))  # the path of a socket has to be short
    server.make()
    server.start()
    return server


def _ended(server: Server) -> None:
    server.stop("immediate")
    shutil.rmtree(server.folder)
