"""Reading has a limit: a search that takes too long ends, and so does waiting for a database that does not answer."""

import math
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from feedproxy.archive import Archive
from feedproxy.archive.admin import problems
from feedproxy.archive.backend import remaining, time_limit, without_limit
from feedproxy.archive.state import SearchResult
from feedproxy.config import Config
from feedproxy.errors import ArchiveError, DeadlineError
from feedproxy.model import Listing
from feedproxy.query.parameters import Query, parse_query
from feedproxy.web import create_app
from feedproxy.web.preview import suggest
from tests import postgres
from tests.conftest import Clock
from tests.factories import api, entries, paper

Opener = Callable[..., Archive]
ENDLESS = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT count(*) FROM n"


def test_limits_nest() -> None:
    """A limit within a limit shortens it, never extends it; without one there is time without end."""
    assert float("inf") == remaining()
    with time_limit(100):
        with time_limit(1000):
            assert 99 < remaining() <= 100
        with time_limit(None):
            assert 99 < remaining() <= 100
        with time_limit(10):
            assert 9 < remaining() <= 10
    assert float("inf") == remaining()


def test_endless_read_ends(open_archive: Opener, either: str) -> None:
    """In each database a read without end is ended after its time, and the next one works."""
    archive = open_archive(either, read_seconds=0.2)
    archive.store([Listing((paper(1),))], Clock().now)
    with pytest.raises(DeadlineError), archive._transaction() as db:
        db.exec_driver_sql(ENDLESS).scalar_one()
    assert 1 == len(archive.search(parse_query("")).entries)


def test_endless_write_is_not_a_read(open_archive: Opener, tmp_path: Path) -> None:
    """What a refresh writes has no such limit."""
    archive = open_archive(tmp_path / "a.sqlite", read_seconds=0)
    with pytest.raises(DeadlineError):
        archive.search(parse_query(""))
    assert 1 == archive.store([Listing((paper(1),))], Clock().now).new


def test_what_does_not_count() -> None:
    """What takes the time it takes, such as indexing anew, leaves the limit around it as it was."""
    with time_limit(60):
        with without_limit():
            assert math.inf == remaining()
        assert 50 < remaining() <= 60


def test_all_reads_of_a_request_share_a_limit(open_archive: Opener, either: str) -> None:
    """When the time of a request is over, its next read does not begin."""
    archive = open_archive(either)
    archive.state()
    with time_limit(0), pytest.raises(DeadlineError):
        archive.state()


@pytest.mark.integration
def test_slow_search_is_no_damage(open_archive: Opener, server: postgres.Server) -> None:
    """A search that takes too long is no reason to have an archive repaired; one that fails is."""
    address = server.create()
    open_archive(address).store([Listing((paper(1),))], Clock().now)
    endless = ENDLESS.replace("count(*)", "n AS rowid, CAST('' AS tsvector) AS words, CAST(NULL AS jsonb) AS long")
    view = f"CREATE VIEW search AS {endless.replace('SELECT 1', 'SELECT CAST(1 AS bigint)')}"
    postgres.run(address, "DROP TABLE search", view)
    assert () == open_archive(address, read_seconds=0.5).problems()
    postgres.run(address, "DROP VIEW search")
    assert ("searching fails: feedproxy archive check --repair",) == open_archive(address).problems()


def test_advice_ends_with_its_budget(open_archive: Opener, either: str) -> None:
    """A page that finds nothing gets as much advice as there was time for, which may be none."""
    archive = open_archive(either)
    archive.store([Listing(tuple(paper(number) for number in range(1, 9)))], Clock().now)
    query = parse_query("q=paper zz&min_upvotes=1")
    assert ["with the words paper"] == [advice.text for advice in suggest(archive, query, 60)][:1]
    assert () == suggest(archive, query, 0)


class Endless(Archive):
    """An archive in which a search for words takes forever."""

    def search(self, query: Query) -> SearchResult:
        if query.q and not self.is_quick:
            with self._transaction() as db:
                db.exec_driver_sql(ENDLESS).scalar_one()
        return super().search(query)

    is_quick = False


@pytest.mark.parametrize("path", ["/feed.rss?q=paper", "/feed.json?q=paper", "/?q=paper"])
def test_too_expensive(tmp_path: Path, path: str) -> None:
    """What takes too long is 503 with one line, not to be kept; what was answered before is answered as it was."""
    config = Config.load({"FEEDPROXY_LISTING": "http://127.0.0.1:9", "FEEDPROXY_ARCHIVE": str(tmp_path / "a.sqlite")})
    archive = Endless(config.archive, timer=count(step=60).__next__, read_seconds=0.2)
    app = create_app(config, archive=archive)
    archive.store([Listing((paper(1),))], Clock().now)
    try:
        refused = app.test_client().get(path, headers={"Accept": "text/html"})
        assert (503, "no-store", "60") == (
            refused.status_code,
            refused.headers["Cache-Control"],
            refused.headers["Retry-After"],
        )
        assert "this query is too expensive for this server: ask for fewer words, days or entries" in refused.text
        archive.is_quick = True
        before = app.test_client().get(path, headers={"Accept": "text/html"})
        archive.store([Listing((paper(2),))], Clock().tick(hours=1))
        archive.is_quick = False
        after = app.test_client().get(path, headers={"Accept": "text/html"})
        assert (200, 200, before.data) == (before.status_code, after.status_code, after.data)
    finally:
        app.extensions["feedproxy"].loop.stop()
        archive.close()


# PostgreSQL that does not answer --------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    with postgres.running() as running:
        yield running


@contextmanager
def frozen(server: postgres.Server) -> Iterator[None]:
    """Stop all processes of a server within the block, as a machine does that is out of memory or of its mind."""
    parent = int((server.folder / "files" / "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    processes = [parent, *map(int, children)]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


@pytest.mark.integration
def test_frozen_server(open_archive: Opener, server: postgres.Server) -> None:
    """Reading from a server that is frozen fails soon, what was known last is known at once, and it is found again."""
    archive = open_archive(server.create(), read_seconds=0.3)
    archive.store([Listing((paper(1),))], Clock().now)
    archive.watch()
    before = archive.cached_state()
    with frozen(server):
        for _ in range(3):
            with pytest.raises(ArchiveError, match=r"did not answer|timeout") as failed:
                archive.search(parse_query("q=paper"))
            assert not isinstance(failed.value, DeadlineError)
        assert before == archive.cached_state()
    assert 1 == len(archive.search(parse_query("q=paper")).entries)


@pytest.mark.integration
def test_frozen_server_at_the_wire(server: postgres.Server, tmp_path: Path) -> None:
    """While the server is frozen, feeds that are in memory are answered, and the process says that it is alive."""
    (tmp_path / "listing.json").write_bytes(api(entries(3)))
    config = Config.load({"FEEDPROXY_LISTING": str(tmp_path / "listing.json"), "FEEDPROXY_ARCHIVE": server.create()})
    archive = Archive(config.archive, read_seconds=0.3)
    app = create_app(config, archive=archive)
    client = app.test_client()
    try:
        before = client.get("/feed.rss")
        with frozen(server):
            assert (200, before.data) == ((again := client.get("/feed.rss")).status_code, again.data)
            assert (200, "ok\n") == ((alive := client.get("/healthz")).status_code, alive.text)
            assert 503 == client.get("/feed.rss?q=other").status_code
        assert 200 == client.get("/feed.rss?q=other").status_code
    finally:
        app.extensions["feedproxy"].loop.stop()
        archive.close()


def test_slowness_is_no_damage(open_archive: Opener, either: str) -> None:
    """A look at the archive that takes too long finds nothing wrong with it."""
    archive = open_archive(either)
    archive.store([Listing((paper(1),))], Clock().now)
    with time_limit(0):
        assert () == tuple(problems(archive._database))
