"""What every test may ask for: a clock to tick, an archive, a fake Hub, and the service at a real port."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import count
from pathlib import Path
from shutil import copyfile
from types import CodeType

import httpx
import pytest
from click.testing import CliRunner, Result
from flask import Flask
from flask.templating import Environment
from hypothesis import HealthCheck, settings
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.serving import make_server

from feedproxy.archive import Archive
from feedproxy.cli import main
from feedproxy.config import DEMO, Config
from feedproxy.feeds import FORMATS, Feed
from feedproxy.ingest.demo import MadeUpListings
from feedproxy.ingest.refresher import Refresher
from feedproxy.query.parameters import Query
from feedproxy.service import Service
from feedproxy.web import create_app
from tests import hub as fake
from tests import postgres

CAPTURES = Path(__file__).parents[2] / "shared" / "listings"

# A busy machine is no failure: examples that are slow to make do not end a test, and a page has all its advice.
_PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
# New examples in every run; `HYPOTHESIS_PROFILE=thorough` tries many more of them.
settings.register_profile("fast", max_examples=40, print_blob=True, **_PATIENT)
settings.register_profile("thorough", max_examples=1000, print_blob=True, **_PATIENT)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))
Service.advice_seconds = 1
logging.getLogger("werkzeug").setLevel(logging.ERROR)


class _Templates(BytecodeCache):
    """Templates, compiled once for all applications of a process: compiling them takes longer than most tests."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key, bucket.checksum] = bucket.code


Flask.jinja_environment = staticmethod(partial(Environment, bytecode_cache=_Templates()))  # type: ignore[assignment]


class Clock:
    """A clock that stands still until told to tick; aware UTC."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 10, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def tick(self, **duration: float) -> datetime:
        self.now += timedelta(**duration)
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hub() -> Iterator[fake.Hub]:
    with fake.running() as running:
        yield running


@pytest.fixture
def open_archive() -> Iterator[Callable[..., Archive]]:
    """Open an archive that is closed when the test ends."""
    with ExitStack() as stack:
        yield lambda address, **options: stack.enter_context(closing(Archive(str(address), **options)))


@pytest.fixture
def address(tmp_path: Path) -> str:
    """Return where the test's archive is; a module overrides this to have its tests hold in every database."""
    return str(tmp_path / "archive.sqlite")


@pytest.fixture(scope="session")
def empty_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive without papers, to be copied: creating one takes longer than most of what tests do with it."""
    path = tmp_path_factory.mktemp("empty") / "empty.sqlite"
    with closing(Archive(str(path))) as archive:
        archive.state()
    return path


@pytest.fixture
def archive(open_archive: Callable[..., Archive], address: str, empty_archive: Path) -> Archive:
    if not address.startswith("postgresql"):
        copyfile(empty_archive, address)
    return open_archive(address)


@pytest.fixture(scope="session")
def demo_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of the demo when every test's clock starts, to be copied: filling one takes a second."""
    path = tmp_path_factory.mktemp("demo") / "demo.sqlite"
    with closing(Archive(str(path))) as archive:
        Refresher(MadeUpListings(), archive, Clock()).refresh_once()
    return path


NewAddress = Callable[[str], str]
DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def new_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewAddress]:
    """Return a place for one more archive in a database of the given kind."""
    base = tmp_path_factory.getbasetemp()
    common = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with ExitStack() as stack:
        server = cache(lambda: stack.enter_context(postgres.shared(common)))
        yield (
            lambda kind: (
                str(tmp_path_factory.mktemp("archive") / "archive.sqlite") if kind == "sqlite" else server().create()
            )
        )


@pytest.fixture(params=DATABASES)
def either(new_address: NewAddress, request: pytest.FixtureRequest) -> str:
    """Return a place for an archive, in one database after the other."""
    return new_address(request.param)


def documents(archive: Archive, *queries: Query) -> list[bytes]:
    """Return the feed of each of `queries` in every format."""
    service = Service(archive)
    return [service.render(Feed(query, "https://example.org"), form).body for query in queries for form in FORMATS]


@pytest.fixture
def captures() -> Path:
    """The folder with real captures of the listing, which the project does not hold."""
    if not CAPTURES.is_dir():
        pytest.skip(f"no real captures at {CAPTURES}")
    return CAPTURES


@contextmanager
def serving(config: Config, clock: Callable[[], datetime]) -> Iterator[httpx.Client]:
    """Serve the application at a free port of 127.0.0.1 and yield a client of it."""
    archive = Archive(config.archive, timer=count(step=60).__next__)  # every request sees what others wrote
    app = create_app(config, archive=archive, clock=clock)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = False  # so that closing it waits for requests, which may hold a connection to the archive
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    headers = {"Accept-Encoding": "identity"}
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{server.server_port}", headers=headers, timeout=30, verify=False
        ) as client:
            yield client
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        app.extensions["feedproxy"].loop.stop()
        archive.close()


@pytest.fixture
def serve(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., httpx.Client]]:
    """Start the service with the given settings; the archive lies in the test's own folder unless told otherwise."""
    with ExitStack() as stack:

        def start(**options: str) -> httpx.Client:
            chosen = {"archive": str(tmp_path / "served.sqlite"), "pace": "0"} | options
            config = Config.load({f"FEEDPROXY_{name.upper()}": text for name, text in chosen.items()})
            return stack.enter_context(serving(config, clock))

        yield start


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Run:
    """Run a command with its data in the test's own folder; whatever happens, there is no traceback."""
    for name in [name for name in os.environ if name.startswith("FEEDPROXY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.chdir(tmp_path)

    def invoke(*words: object, **settings: str) -> Result:
        environment = {f"FEEDPROXY_{name.upper()}": text for name, text in ({"pace": "0"} | settings).items()}
        result = CliRunner().invoke(main, [str(word) for word in words], env=environment, obj=clock)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return invoke


@pytest.fixture
def demo(run: Run, demo_archive: Path, tmp_path: Path) -> Path:
    """Fill the archive that `run` uses with the demo, and return its path."""
    path = Path(Config.load({"FEEDPROXY_LISTING": DEMO}).archive)
    assert path.is_relative_to(tmp_path)
    path.parent.mkdir(parents=True)
    return copyfile(demo_archive, path)


def one_line(result: Result) -> str:
    """Return the line a command complains with."""
    assert result.stderr.endswith("\n")
    assert 1 == result.stderr.count("\n"), result.stderr
    return result.stderr.rstrip()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as integration tests those that run once, among them a test of both databases when it runs in PostgreSQL.

    What is in `tests/slow` runs only when it is named, and then all of it.
    """
    for item in items:
        if "slow" in item.path.parts:
            continue
        callspec = getattr(item, "callspec", None)
        if callspec and any("postgresql" in str(value) for value in callspec.params.values()):
            item.add_marker(pytest.mark.once)
        if item.get_closest_marker("once"):
            item.add_marker(pytest.mark.integration)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-golden", action="store_true", help="write the golden feeds anew instead of comparing")
