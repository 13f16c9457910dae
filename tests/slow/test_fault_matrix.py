"""The fault matrix: what a reader gets during each fault with an archive that is empty, fresh or stale.

Holds the table in docs/faults.md to it, and shows that after each fault nothing is lost or dated wrongly.
"""

import fcntl
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from werkzeug.serving import BaseWSGIServer, make_server

from feedproxy.archive import Archive
from feedproxy.config import Config
from feedproxy.errors import ArchiveError
from feedproxy.ingest.loop import RefreshLoop
from feedproxy.ingest.parse import parse
from feedproxy.ingest.refresher import Refresher
from feedproxy.ingest.source import Hub, ListingDays, ListingRequest
from feedproxy.model import Listing
from feedproxy.query.parameters import Query
from feedproxy.web import create_app
from tests import hub as fake
from tests.conftest import Clock
from tests.factories import DAY, api, entries, entry
from tests.faults import FAULTS, UNUSABLE, Fault, broken, source
from tests.hub import Timer

MATRIX = Path(__file__).parents[2] / "docs" / "faults.md"
MARK = "<!-- fault matrix -->\n"
FEED = "/feed.json?limit=200&days=3660"
MONDAY = date(2026, 3, 9)
ALL = Query(limit=200, days=3660)
HEALTHY = Fault("none")

# What is listed on DAY, and what was before, when the fresh archive was refreshed and the stale one.
NOW = [entry(1, upvotes=7, summary="We made this up anew."), entry(2), entry(3, upvotes=5)]
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
STALE = (NOON - timedelta(days=1), MONDAY, entries(2, day=MONDAY, first=11))
JUST_NOW = (NOON - timedelta(minutes=15), DAY, [entry(1, summary="We made this up before.")])
STATES = {"empty": (), "fresh": (STALE, JUST_NOW), "stale": (STALE,)}


class Brief(Hub):
    """A Hub that is asked for DAY only."""

    def due(self, days: ListingDays, now: datetime, *, force: bool = False) -> list[list[ListingRequest]]:
        batches = [[ask for ask in batch if ask.day == DAY] for batch in super().due(days, now, force=force)]
        return [batch for batch in batches if batch]


class Driven(RefreshLoop):
    """Refreshes when it is told to, and lets nobody wait."""

    def start(self) -> None:
        pass

    def wait_for_papers(self, seconds: float) -> None:
        super().wait_for_papers(0)


class Stage:
    """The service with one archive, before a fake Hub, and a reader that forgets nothing."""

    def __init__(self, path: Path, hub: fake.Hub, server: BaseWSGIServer, client: httpx.Client) -> None:
        self.path, self.hub, self.server, self.client = path, hub, server, client
        self.clock, self.timer = Clock(), Timer()
        self.seen: dict[str, datetime] = {}
        self.etag = ""

    def start(self) -> None:
        """Start the service, with whatever archive there is."""
        config = Config.load({"FEEDPROXY_ARCHIVE": str(self.path), "FEEDPROXY_CACHE_BYTES": "0"})
        self.archive = Archive(config.archive, patience=0.01, timer=count(step=60).__next__)
        hub = source(self.hub, HEALTHY, self.timer, Brief)
        app = create_app(config, source=hub, archive=self.archive, clock=self.clock)
        made = app.extensions["feedproxy"]
        self.refresher = Refresher(made.loop.refresher.source, self.archive, self.clock, lambda: 0.5)
        self.loop = Driven(self.refresher)
        app.extensions["feedproxy"] = replace(made, loop=self.loop)
        self.app = app

    def stop(self) -> None:
        """Stop the service."""
        self.archive.close()

    def reset(self, archive: Path) -> None:
        """Let the service have what `archive` holds, at noon, and read it."""
        with closing(sqlite3.connect(archive)) as from_it, closing(sqlite3.connect(self.path)) as to:
            from_it.backup(to)
        self.clock.now, self.etag = NOON, ""
        self.refresher.source = source(self.hub, HEALTHY, self.timer, Brief)
        self.seen = self.entered()
        assert not self.seen or self.poll() == "updated"

    def refresh(self) -> None:
        """Let the service refresh, and see that no entry is gone or dated otherwise than it may be."""
        before = None
        with suppress(ArchiveError):
            before = self.archive.state().refreshed_at
        self.loop.tick()
        with suppress(ArchiveError):
            self._see(self.entered(), before)

    def _see(self, found: dict[str, datetime], before: datetime | None) -> None:
        new = [found[name] for name in found.keys() - self.seen.keys()]
        assert self.seen.items() <= found.items(), "an entry has vanished, or its date has changed"
        assert [] == [when for when in new if when > self.clock()], "an entry is dated in the future"
        assert [] == [when for when in new if before and when < before], "dated before the refresh before it"
        self.seen = found

    def poll(self) -> str:
        """Ask for the feed as one who has what there was before, and return what comes of it."""
        self.server.app = self.app
        answer = self.client.get(FEED, headers={"If-None-Match": self.etag})
        if answer.status_code == 503:
            assert int(answer.headers["Retry-After"]) > 0
            assert "no-store" == answer.headers["Cache-Control"]
            assert (1, False) == (len(answer.text.splitlines()), str(self.path.parent) in answer.text)
            return "503"
        if answer.status_code == 304:
            return "as before"
        found = {it["id"]: datetime.fromisoformat(it["date_published"]) for it in answer.json()["items"]}
        assert (200, self.seen) == (answer.status_code, found)
        self.etag = answer.headers["ETag"]
        return "updated"

    def entered(self) -> dict[str, datetime]:
        """Return when each paper entered, by the id it has in feeds."""
        return {found.paper.links.hub: found.entered_at for found in self.archive.search(ALL).entries}

    def held(self) -> list[Any]:
        """Return the papers in the feeds of some thresholds."""
        queries = [replace(ALL, min_upvotes=least) for least in (0, 5)]
        return [{found.paper.id: found.paper for found in self.archive.search(query).entries} for query in queries]


# What goes wrong --------------------------------------------------------------------------------

Strike = Callable[[Stage], AbstractContextManager[None]]


@contextmanager
def _hub(fault: Fault, stage: Stage, *, page: bool = False) -> Iterator[None]:
    """Let the Hub have `fault`; with `page` its page is alive."""
    healthy = stage.refresher.source
    stage.refresher.source = source(stage.hub, fault, stage.timer, Brief)
    with broken(stage.hub, fault, stage.timer, page=page):
        yield
    if fault.lasting:
        stage.refresher.source = healthy


@contextmanager
def _clock(jump: timedelta, stage: Stage) -> Iterator[None]:
    """Let the machine's clock jump and come back; the Hub tells the time, as it does."""
    right, plain = stage.clock.now, stage.hub.answer

    def telling(request: fake.Request) -> fake.Answer:
        answer = plain(request)
        return replace(answer, headers=answer.headers | {"Date": format_datetime(right, usegmt=True)})

    stage.hub.answer, stage.clock.now = telling, right + jump
    yield
    stage.hub.answer, stage.clock.now = plain, right


@contextmanager
def _full_disk(stage: Stage) -> Iterator[None]:
    filling = stage.path.with_name("filling")
    with filling.open("wb", buffering=0) as full, suppress(OSError):
        while True:
            full.write(bytes(4096))
    yield
    filling.unlink()


@contextmanager
def _restarted(strike: Strike, stage: Stage) -> Iterator[None]:
    """Let the service be started when it has gone wrong already."""
    stage.stop()
    with strike(stage):
        stage.start()
        yield
        stage.stop()
    stage.start()


@contextmanager
def _read_only_disk(stage: Stage) -> Iterator[None]:
    _run("mount", "-o", "remount,ro", stage.path.parent)
    yield
    _run("mount", "-o", "remount,rw", stage.path.parent)


@contextmanager
def _locked(stage: Stage) -> Iterator[None]:
    """Let another process write without end."""
    script = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('BEGIN IMMEDIATE'); print(flush=True)"
    command = [sys.executable, "-S", "-E", "-c", f"{script}; sys.stdin.read()", stage.path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        yield
        holder.stdin.close()


@contextmanager
def _junk(stage: Stage) -> Iterator[None]:
    """Let the archive be junk, until the file of before is put back."""
    kept = stage.path.exists() and stage.path.read_bytes()
    _replace(stage.path, b"junk" * 10_000)
    yield
    if kept:
        _replace(stage.path, kept)
    else:
        stage.path.unlink()


@contextmanager
def _gone(lose: Callable[[Path], object], stage: Stage) -> Iterator[None]:
    """Let the archive be lost for good."""
    if stage.path.exists():
        lose(stage.path)
    stage.seen = {}
    yield


@contextmanager
def _killed(stage: Stage) -> Iterator[None]:
    """Let another process be killed in the middle of what it writes."""

    class Deadly(list[Listing]):
        """Listings that can be read once."""

        read = 0

        def __iter__(self) -> Iterator[Listing]:
            self.read += 1
            if self.read == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().__iter__()

    child = os.fork()
    if not child:
        try:
            archive = Archive(str(stage.path))
            token = archive.lease("killed", stage.clock())
            archive.store(Deadly([parse(api(NOW), day=DAY)]), stage.clock(), token)
        finally:
            os._exit(1)
    assert -signal.SIGKILL == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    yield


def _replace(path: Path, content: bytes) -> None:
    """Put a file of that content in the place of the archive, as somebody does who knows how."""
    for beside in path.parent.glob(f"{path.name}-*"):
        beside.unlink()
    made = path.with_name("made")
    made.write_bytes(content)
    made.replace(path)


def _delete(path: Path) -> None:
    for found in path.parent.glob(f"{path.name}*"):
        found.unlink()


def _run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


# The table --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trouble:
    """One fault: what it does, whether that takes a small disk, and whether the archive is lost by it."""

    name: str
    strike: Strike
    disk: bool = False
    lost: bool = False

    def __str__(self) -> str:
        return self.name


HUB_TROUBLES = (
    *(Trouble(fault.name, partial(_hub, fault)) for fault in FAULTS),
    *(Trouble(f"{fault}, the page alive", partial(_hub, fault, page=True)) for fault in UNUSABLE),
    Trouble("clock back", partial(_clock, timedelta(hours=-1))),
    Trouble("clock ahead", partial(_clock, timedelta(days=1))),
)
ARCHIVE_TROUBLES = (
    Trouble("full disk", _full_disk, disk=True),
    Trouble("full disk at the start", partial(_restarted, _full_disk), disk=True),
    Trouble("read-only disk at the start", partial(_restarted, _read_only_disk), disk=True),
    Trouble("locked", _locked),
    Trouble("killed", partial(_restarted, _killed)),
    Trouble("deleted", partial(_gone, _delete), lost=True),
    Trouble("only the file deleted", partial(_gone, Path.unlink), lost=True),
    Trouble("cut to nothing", partial(_gone, partial(os.truncate, length=0)), lost=True),
    Trouble("zero bytes at the start", partial(_restarted, partial(_gone, partial(_replace, content=b""))), lost=True),
    Trouble("junk", _junk),
    Trouble("junk at the start", partial(_restarted, _junk)),
)

# The rows of docs/faults.md, and the faults that each stands for.
ROWS = {
    "connection refused, DNS failure, TLS failure": ("connection refused", "DNS failure", "TLS failure"),
    "no reply at connect, before or during the answer": (
        "timeout at connect",
        "timeout before the headers",
        "timeout in the body",
    ),
    "TLS, headers or body one byte at a time": (
        "TLS a byte at a time",
        "headers a byte at a time",
        "a byte at a time",
    ),
    "the connection reset or closed half-way": ("reset half-way", "closed half-way"),
    "redirects in circles, or to another host": ("redirects in circles", "redirect to another host"),
    "429 with or without `Retry-After`, or as a page": ("429", "429 with Retry-After", "429 as a page"),
    "gzip that is truncated, invalid or a bomb": ("truncated gzip", "no gzip", "gzip bomb"),
    "400, 401, 403, 404, 500, 502, 503": ("400", "401", "403", "404", "500", "502", "503"),
    "an HTML page, `{}`, `null`, nothing or an error instead of a listing": (
        "an HTML page",
        "{}",
        "null",
        "nothing",
        "an error as a listing",
    ),
    "half a JSON document, one nested too deep, NUL bytes, UTF-16, Latin-1": (
        "half a JSON",
        "a deep JSON",
        "NUL bytes",
        "only NUL bytes",
        "UTF-16",
        "Latin-1",
    ),
    "only entries that cannot be used": ("only junk",),
    "any of the last four, while the Hub's page works": tuple(f"{fault}, the page alive" for fault in UNUSABLE),
    "an empty listing (`[]`), for today or for every day": ("[]", "no paper"),
    "a listing of one paper": ("one paper",),
    "the same id twice": ("the same id twice",),
    "ids that are paths, markup, numbers": ("an id that is a path", "an id that is markup", "an id that is a number"),
    "upvotes that are null, negative, text or 10^30": (
        "upvotes null",
        "upvotes negative",
        "upvotes as text",
        "upvotes of 10^30",
    ),
    "dates in 1970 or 2099, null or missing": (
        "a date in 1970",
        "a date in 2099",
        "a date that is null",
        "no date",
    ),
    "a title of 100 kB, 10,000 authors": ("a title of 100 kB", "10,000 authors"),
    "characters that XML forbids, lone surrogates, `]]>`": ("characters XML forbids", "lone surrogates", "]]>"),
    "a wrong charset in the header": ("a wrong charset in the header",),
    "an entry that is `null`": ("an entry that is null",),
    "this machine's clock an hour behind or a day ahead": ("clock back", "clock ahead"),
    "a full disk, before or after the start": ("full disk", "full disk at the start"),
    "a read-only disk at the start": ("read-only disk at the start",),
    "the archive locked by another process": ("locked",),
    "a process killed while it writes": ("killed",),
    "the archive deleted, truncated or empty (zero bytes)": (
        "deleted",
        "only the file deleted",
        "cut to nothing",
        "zero bytes at the start",
    ),
    "the archive replaced by junk": ("junk", "junk at the start"),
}
_HEAD = ["| fault | empty | fresh | stale |", "|---|---|---|---|"]


@pytest.fixture(scope="module")
def server() -> Iterator[BaseWSGIServer]:
    """A server at a port of its own, for one application after the other."""
    made = make_server("127.0.0.1", 0, lambda *_: [], threaded=True)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture(scope="module")
def client(server: BaseWSGIServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}", verify=False) as made:
        yield made


@pytest.fixture(scope="module")
def hub() -> Iterator[fake.Hub]:
    with fake.running() as running:
        running.days = {DAY: NOW}
        yield running


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The archive of each state."""
    folder = tmp_path_factory.mktemp("archives")
    for state, refreshes in STATES.items():
        with closing(Archive(str(folder / state))) as archive:
            archive.state()
            for now, day, listed in refreshes:
                archive.store([parse(api(listed), day=day)], now)
    return {state: folder / state for state in STATES}


@pytest.fixture(scope="module")
def stages(
    archives: dict[str, Path],
    hub: fake.Hub,
    server: BaseWSGIServer,
    client: httpx.Client,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Stage]]:
    """The service with the archive of each state, started."""
    made = {state: Stage(tmp_path_factory.mktemp(state) / "archive.sqlite", hub, server, client) for state in STATES}
    for state, stage in made.items():
        shutil.copy(archives[state], stage.path)
        stage.start()
    yield made
    for stage in made.values():
        stage.stop()


@pytest.fixture(scope="module")
def undisturbed(archives: dict[str, Path], stages: dict[str, Stage]) -> dict[str, list[Any]]:
    """What each archive holds once the service has refreshed, where nothing goes wrong."""
    found = {}
    for state, stage in stages.items():
        stage.reset(archives[state])
        stage.refresh()
        found[state] = stage.held()
    return found


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Put a disk of 1 MB at `folder`, where that is possible and allowed."""
    try:
        _run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    try:
        yield
    finally:
        _run("umount", "-l", folder)


@pytest.mark.parametrize("trouble", HUB_TROUBLES, ids=str)
def test_trouble_outside(
    trouble: Trouble,
    archives: dict[str, Path],
    stages: dict[str, Stage],
    undisturbed: dict[str, list[Any]],
    pytestconfig: pytest.Config,
) -> None:
    """Whatever is wrong with the Hub or the clock, a reader gets what docs/faults.md says, and once healed all."""
    cells = []
    for state, stage in stages.items():
        stage.reset(archives[state])
        cells.append(outcome(trouble, stage))
        heal(stage, undisturbed[state])
    check(trouble, cells, pytestconfig)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("trouble", ARCHIVE_TROUBLES, ids=str)
def test_trouble_inside(
    trouble: Trouble,
    archives: dict[str, Path],
    undisturbed: dict[str, list[Any]],
    hub: fake.Hub,
    server: BaseWSGIServer,
    client: httpx.Client,
    tmp_path: Path,
    pytestconfig: pytest.Config,
) -> None:
    """Whatever is wrong with the archive, a reader gets what docs/faults.md says, and once healed all."""
    cells = []
    for state in STATES:
        (folder := tmp_path / state).mkdir()
        with small_disk(folder) if trouble.disk else nullcontext():
            stage = Stage(folder / "archive.sqlite", hub, server, client)
            shutil.copy(archives[state], stage.path)
            stage.start()
            stage.reset(archives[state])
            cells.append(outcome(trouble, stage))
            heal(stage, undisturbed["empty" if trouble.lost else state])
            stage.stop()
    check(trouble, cells, pytestconfig)


def outcome(trouble: Trouble, stage: Stage) -> str:
    """Return what the reader gets while `trouble` lasts."""
    known = bool(stage.seen)
    with trouble.strike(stage):
        stage.refresh()
        came = stage.poll()
    return "started over" if trouble.lost and known and came == "updated" else came


def check(trouble: Trouble, cells: list[str], config: pytest.Config) -> None:
    """See that docs/faults.md says so, or write it there."""
    (row,) = (row for row, names in ROWS.items() if trouble.name in names)
    if config.getoption("--rewrite-golden"):
        rewrite(row, cells)
    assert cells == table().get(row)


def heal(stage: Stage, expected: list[Any]) -> None:
    """Let up to a day pass until the archive holds what is expected; nothing of before may be gone."""
    for pause in (timedelta(minutes=16), timedelta(hours=1), timedelta(hours=22)):
        stage.clock.now += pause
        stage.refresh()
        if (held := stage.held()) == expected:
            break
    assert expected == held
    assert stage.poll() in ("as before", "updated")


def test_rows() -> None:
    """Every fault is in one row, and docs/faults.md has these rows."""
    troubles = (*HUB_TROUBLES, *ARCHIVE_TROUBLES)
    assert sorted(trouble.name for trouble in troubles) == sorted(name for names in ROWS.values() for name in names)
    assert list(ROWS) == list(table())


def test_promise() -> None:
    """Whoever has papers gives them, unless the archive itself cannot be read."""
    assert ["the archive replaced by junk"] == [row for row, cells in table().items() if "503" in cells[1:]]


def table() -> dict[str, list[str]]:
    """Return the cells of each row in docs/faults.md."""
    lines = MATRIX.read_text().partition(MARK)[2].partition("<!-- end -->")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {fault: cells for fault, *cells in rows}


def rewrite(row: str, cells: list[str]) -> None:
    """Write one row of docs/faults.md again, while others do the same."""
    with MATRIX.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = file.read()
        rows = table() | {row: cells}
        lines = [*_HEAD, *(f"| {' | '.join([name, *rows[name]])} |" for name in ROWS if name in rows), ""]
        start = text.index(MARK) + len(MARK)
        file.seek(0)
        file.write(text[:start] + "\n".join(lines) + text[text.index("<!-- end -->", start) :])
        file.truncate()
