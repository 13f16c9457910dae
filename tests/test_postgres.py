"""What is PostgreSQL's own: limits of its index, waits, lost connections; and that it answers as SQLite does."""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from feedproxy.archive import Archive
from feedproxy.archive.lease import LEASE
from feedproxy.errors import ArchiveError, QueryError
from feedproxy.ingest.parse import parse
from feedproxy.model import Listing
from feedproxy.query.grammar import parse_filter
from feedproxy.query.parameters import Query, parse_query
from tests import postgres
from tests.conftest import DATABASES, Clock, NewAddress, documents
from tests.factories import DAY, api, entries, paper
from tests.invariants import violations
from tests.naive import NaiveArchive, query_string
from tests.test_search import history

pytestmark = pytest.mark.integration

Opener = Callable[..., Archive]
ROOT = Path(__file__).parents[1]


@pytest.fixture
def address(new_address: NewAddress) -> str:
    return new_address("postgresql")


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    """Run a server that a test may stop and start."""
    with postgres.running() as running:
        yield running


# The same as SQLite -----------------------------------------------------------------------------


def readable(dice: random.Random) -> Iterator[Query]:
    while True:
        try:
            yield parse_query(query_string(dice))
        except QueryError:
            continue


@pytest.mark.parametrize("number", [30])
def test_same_bytes_as_sqlite(open_archive: Opener, new_address: NewAddress, number: int) -> None:
    """Generated queries give the same bytes from both databases in every format; `tests/slow` asks 500."""
    archives = [open_archive(new_address(kind)) for kind in DATABASES]
    for now, papers in history():
        for archive in archives:
            archive.store([Listing(tuple(papers))], now)
    queries = readable(random.Random(6))  # noqa: S311
    full = 0
    for query in (next(queries) for _ in range(number)):
        one, other = (documents(archive, query) for archive in archives)
        assert one == other, str(query)
        full += b"<item>" in one[0]
    assert full > number / 5


def test_connecting_logs_nothing(open_archive: Opener, address: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the driver nor the archive has anything to say of a connection that is as it should be."""
    for _ in range(2):
        open_archive(address).state()
    assert [] == caplog.messages


# What exceeds the index, and what is found of it. An `x` is a gap: no phrase goes across it.
CUT = {
    "tool " * 254 + "use": "tool " * 254 + "use",
    "tool " * 255 + "use": "tool " * 255 + "use",
    "tool " * 256 + "use": "tool " * 255 + "x use",
    "tool " * 5000 + "use": "tool " * 255 + "x use",
    "tool use " * 300 + "end": "tool use " * 255 + "x end",
    " ".join(map(str, range(16_380))) + " tool use": " ".join(map(str, range(16_380))) + " tool use",
    " ".join(map(str, range(16_381))) + " tool use": " ".join(map(str, range(16_381))) + " tool use",
    " ".join(map(str, range(16_382))) + " tool use": " ".join(map(str, range(16_382))) + " tool",
    " ".join(map(str, range(40_000))) + " tool use": "0 1 2",
    "y" * 499 + " tool use": "y" * 499 + " tool use",
    "y" * 501 + " tool use": "y" * 500 + " tool use",
    "𠀀" * 5000 + " tool use": "𠀀" * 500 + " tool use",
    " ".join(f"{number:0500}" for number in range(125)) + " tool use": "0000 tool use",
}
LIMITS = ("tool", '"tool use"', "-tool", "us*", '"tool us"*', "tool -use", "title:use", "-(title:use OR use)", "end")
LIMITS += ("𠀀𠀁 OR use", "𠀀" * 494, "𠀀𠀀*", "y" * 498, "y" * 499, "y" * 498 + "*", f"({'y' * 497}*)", "0000*")
NAMED = ("author:placeholder", 'author:"example 9999"', 'author:"placeholder ada"', "-author:placeholder", "author:ex*")
NAMED += ('author:"example 662"', "author:660", 'author:"ada example"', 'author:"ben placeholder"')


def test_what_exceeds_the_index_is_cut_alike(open_archive: Opener, either: str, clock: Clock) -> None:
    """Of words too long, too many or too often the same what the index holds is found, the same in both databases."""
    archive, naive = open_archive(either), NaiveArchive()
    names = [tuple(f"Ada Example {number}" for number in range(many)) for many in (664, 10_000)]
    names.append(("Ben Placeholder",) * 10_000)
    cut = [tuple(f"Ada Example {at}" if at < 255 else f"x {at}" for at in range(many)) for many in (664, 4096)]
    cut.append(("Ben Placeholder",) * 255)
    papers = [paper(number, summary=text) for number, text in enumerate(CUT, 1)]
    papers += [paper(number, authors=authors) for number, authors in enumerate(names, 100)]
    held = [paper(number, summary=text) for number, text in enumerate(CUT.values(), 1)]
    held += [paper(number, authors=authors) for number, authors in enumerate(cut, 100)]
    archive.store([Listing(tuple(papers))], clock())
    naive.store(held, clock())
    for text in LIMITS + NAMED:
        query = Query(q=parse_filter(text), limit=200)
        expected = [entry.paper.id for entry in naive.entries(query)]
        assert expected == [entry.paper.id for entry in archive.search(query).entries], text
    assert [] == violations(archive._database)


# Few trips --------------------------------------------------------------------------------------


def trips(archive: Archive, query: Query, file: Path) -> int:
    """Return the number of messages that a search sends; the first search of an archive has more."""
    archive.search(query)
    with archive._database.connect(writing=False) as db:
        driver: Any = db.connection.driver_connection
    with file.open("w") as trace:  # the pool has no other connection
        driver.pgconn.trace(trace.fileno())
        archive.search(query)
        driver.pgconn.untrace()
    return sum("\tF\t" in line for line in file.read_text().splitlines())


def test_few_trips(open_archive: Opener, address: str, tmp_path: Path, clock: Clock) -> None:
    """A search takes four trips: its beginning with the state, the page of each window, and the end.

    One for a word that PostgreSQL knows to be rare spares the narrow windows.
    """
    open_archive(address).store([Listing(tuple(paper(number) for number in range(1, 40)))], clock())
    for text, before, after in (("q=paper", 4, 4), ("q=zebra", 4, 3), ("q=zeb*", 4, 3), ("q=pap*", 4, 4), ("", 4, 4)):
        assert before == trips(open_archive(address), parse_query(text), tmp_path / "trace")
        postgres.run(address, "ANALYZE")
        assert after == trips(open_archive(address), parse_query(text), tmp_path / "trace")
        postgres.run(address, "DELETE FROM pg_statistic WHERE starelid = CAST('search' AS regclass)")


def test_settings_end_with_their_transaction(open_archive: Opener, address: str, clock: Clock) -> None:
    """A pooler may give the connection to another program between two transactions, so nothing is set on it."""
    archive = open_archive(address)
    archive.store([Listing((paper(1),))], clock())
    archive.search(parse_query("q=agents"))
    settings = sa.text("SELECT name FROM pg_settings WHERE source = 'session' AND name NOT IN ('client_encoding')")
    with archive._database.connect(writing=False) as db:
        assert [] == db.scalars(settings).all()


# Several at once --------------------------------------------------------------------------------


def test_created_by_many_at_once(open_archive: Opener, address: str) -> None:
    """However many open a new archive at the same moment, it is created once, and each can use it."""
    archives = [open_archive(address) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        states = list(pool.map(lambda archive: archive.state(), archives))
    assert {0} == {state.revision for state in states}


def test_written_by_several_at_once(open_archive: Opener, address: str, clock: Clock) -> None:
    """Whoever stores at the same time stores one after the other: nothing is lost, no date is given twice."""
    archives = [open_archive(address) for _ in range(4)]
    archives[0].store([], clock())
    now = clock.tick(hours=1)

    def store(number: int) -> int:
        found = entries(20, first=1 + 100 * number, upvotes=3) + entries(5, upvotes=number + 1)
        archive = archives[number % 4]
        archive.mark_requested([DAY], now)
        return archive.store([parse(api(found), day=DAY)], now).new

    with ThreadPoolExecutor(4) as pool:
        new = sum(pool.map(store, range(1, 9)))
    found = archives[0].search(Query(limit=200)).entries
    assert 8 * 20 + 5 == new == len({entry.paper.id for entry in found})
    assert len(found) == len({entry.entered_at for entry in found})
    assert 5 == archives[0].count(parse_query("min_upvotes=9"))  # whose votes may have been seen to fall again since


def test_nobody_takes_the_lease_from_whoever_stores(open_archive: Opener, address: str, clock: Clock) -> None:
    """Between the look at its token and the commit a holder keeps the lease; frozen there, it is cut off."""
    holder, other = open_archive(address), open_archive(address, patience=0.2)
    frozen = open_archive(address, patience=1)  # longer than `other` waits, also on a busy machine
    token = holder.lease("one", clock())
    clock.tick(seconds=LEASE.total_seconds())
    taken = []

    def freeze() -> None:
        with frozen._database.transaction(writing=True) as db:
            assert token == db.scalar(sa.text("SELECT token FROM lease FOR UPDATE"))
            with pytest.raises(ArchiveError, match="lock timeout"):
                other.lease("other", clock())
            taken.append(_until_taken(other, clock))
            db.execute(sa.text("UPDATE state SET revision = 99"))

    with pytest.raises(ArchiveError, match="cannot write to the archive"):
        freeze()
    assert [(token or 0) + 1] == taken
    assert 0 == holder.state().revision


def _until_taken(archive: Archive, clock: Clock) -> int:
    for _ in range(50):
        try:
            return archive.lease("other", clock()) or 0
        except ArchiveError:
            continue
    raise AssertionError("the lease was never free")


# Lost and found ---------------------------------------------------------------------------------


def test_restarted_server_costs_no_error(server: postgres.Server, open_archive: Opener, clock: Clock) -> None:
    """An archive whose server was restarted, or crashed, in the meantime reads and writes on."""
    archive = open_archive(server.create())
    for how, number in zip(("fast", "immediate"), count(1)):
        archive.store([parse(api(entries(number)), day=DAY)], clock.tick(minutes=15))
        server.stop(how)
        server.start()
        assert number == archive.count(Query())


def test_served_from_memory_meanwhile(
    server: postgres.Server, serve: Callable[..., httpx.Client], open_archive: Opener, clock: Clock
) -> None:
    """While the server is away a feed that was asked for before is answered as it was; others once it is back."""
    address = server.create()
    writing = open_archive(address)
    writing.store([parse(api(entries(9)), day=DAY)], clock())
    client = serve(archive=address, listing="http://127.0.0.1:9")
    before = client.get("/feed.atom?q=agents")
    assert 200 == before.status_code
    writing.store([parse(api(entries(10)), day=DAY)], clock.tick(minutes=1))
    assert 200 == client.get("/feed.atom?q=paper").status_code
    server.stop()
    try:
        held = client.get("/feed.atom?q=agents")
        assert (200, before.content) == (held.status_code, held.content)
        etag = {"If-None-Match": held.headers["ETag"]}
        assert 304 == client.get("/feed.atom?q=agents", headers=etag).status_code
        new = client.get("/feed.atom?q=policy")
        assert (503, "60") == (new.status_code, new.headers["Retry-After"])
    finally:
        server.start()
    assert 200 == client.get("/feed.atom?q=policy").status_code


def test_standby_is_told(
    server: postgres.Server, serve: Callable[..., httpx.Client], open_archive: Opener, clock: Clock
) -> None:
    """From a standby, which only reads, feeds are served, and the status has why nothing is refreshed."""
    address = server.create()
    open_archive(address).store([parse(api(entries(3)), day=DAY)], clock())
    with postgres.standby(server) as standby:
        client = serve(archive=standby.url(str(sa.make_url(address).database)), listing="http://127.0.0.1:9")
        assert 200 == client.get("/feed.rss").status_code
        clock.tick(hours=2)
        for _ in range(100):
            if error := client.get("/status.json").json()["error"]:
                break
            time.sleep(0.1)
        assert "the archive of this server cannot be used; its log says why" == error
        assert "cannot be used" in client.get("/status").text


def test_database_made_anew(server: postgres.Server, open_archive: Opener, clock: Clock) -> None:
    """A database that was dropped and created again under an open archive is filled with tables again."""
    address = server.create()
    archive = open_archive(address)
    archive.store([parse(api(entries(3)), day=DAY)], clock())
    name = sa.make_url(address).database
    server.run(f"DROP DATABASE {name} WITH (FORCE)", f"CREATE DATABASE {name}")
    assert archive.state().newest_entry_at is None


_FORKED = """
import os, sys
from feedproxy.archive import Archive
import sqlalchemy as sa
archive = Archive(sys.argv[1])
def server_process():
    with archive._database.transaction() as db:
        return db.scalar(sa.text("SELECT pg_backend_pid()"))
print(server_process(), flush=True)
if child := os.fork():
    os.waitpid(child, 0)
print(server_process(), flush=True)
archive.close()
"""


def test_no_connection_crosses_a_fork(address: str) -> None:
    """A forked process opens its own connection, and leaves its parent's alone."""
    forking = [sys.executable, "-c", _FORKED, address]
    told = subprocess.run(forking, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    first, of_child, again = told.stdout.split()
    assert "" == told.stderr
    assert first == again != of_child


# What cannot be used ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        (("CREATE TABLE recipes (name text)",), "is a database of another program"),
        (("CREATE TABLE feedproxy (schema integer)", "INSERT INTO feedproxy VALUES (99)"), "from a newer feedproxy"),
    ],
)
def test_what_is_no_archive_is_refused(
    statements: tuple[str, ...], reason: str, address: str, open_archive: Opener
) -> None:
    """A database that holds something else is one clear error, and gets no table."""
    postgres.run(address, *statements)
    with pytest.raises(ArchiveError, match=reason):
        open_archive(address).state()
    engine = sa.create_engine(address)
    assert 1 == len(sa.inspect(engine).get_table_names())
    engine.dispose()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "EUC_JP"])
def test_other_encodings_are_refused(server: postgres.Server, open_archive: Opener, encoding: str) -> None:
    """A database that could not keep every title is refused at the start, and the line says how to make one."""
    server.run(f"CREATE DATABASE in_{encoding} ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    with pytest.raises(ArchiveError, match=rf"is in {encoding}, not in UTF-8: .* createdb -E UTF8 -T template0 in_"):
        open_archive(server.url(f"in_{encoding.lower()}")).state()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_client_encoding_is_chosen_here(
    address: str, open_archive: Opener, clock: Clock, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    """Whatever the environment or the address say about how to write text, every title is kept."""
    monkeypatch.setenv("PGCLIENTENCODING", encoding)
    for place in (address, f"{address}&client_encoding={encoding}"):
        archive = open_archive(place)
        archive.store([Listing((paper(1, title="Größe 大模型"),))], clock())
        assert ["Größe 大模型"] == [entry.paper.title for entry in archive.search(Query()).entries]


@pytest.mark.parametrize(
    ("statement", "role", "reason"),
    [
        ("CREATE ROLE weak{} LOGIN", "weak{}", "permission denied for schema public$"),
        ("SELECT 1", "nobody_{}", 'role "nobody_.*" does not exist'),
        ("ALTER DATABASE {} SET search_path = nowhere", None, "no schema has been selected to create in$"),
        ("ALTER DATABASE {0} RENAME TO renamed_{0}", None, "does not exist"),
        ("ALTER DATABASE {0} CONNECTION LIMIT 0; CREATE ROLE limited{0} LOGIN", "limited{}", "too many connections"),
    ],
)
def test_what_cannot_be_opened_is_one_line(
    server: postgres.Server, open_archive: Opener, statement: str, role: str | None, reason: str
) -> None:
    """Missing rights, roles, schemas and databases are each one line that says so."""
    url = sa.make_url(server.create())
    server.run(*statement.format(url.database).split("; "))
    url = url.set(username=role.format(url.database)) if role else url
    with pytest.raises(ArchiveError, match=reason) as raised:
        open_archive(url.render_as_string(hide_password=False)).state()
    assert "\n" not in str(raised.value)


def test_missing_driver_is_told_in_one_line(tmp_path: Path) -> None:
    """Without psycopg the command says what to install."""
    without = "import sys; sys.modules['psycopg'] = None; from feedproxy.cli import main; main()"
    command = [sys.executable, "-c", without, "feed", "q=a", "--no-refresh", "--listing", "demo"]
    told = subprocess.run(
        [*command, "--archive", "postgresql+psycopg://ada:secret@localhost/papers"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (1, "feedproxy: PostgreSQL needs psycopg: pip install 'feedproxy[postgres]'\n") == (
        told.returncode,
        told.stderr,
    )
