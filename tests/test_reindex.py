"""Rules of words that change: an archive of older rules is indexed anew when it is opened, at once or not at all.

The newer feedproxy is a copy of this one with another version of the rules, which knows one plural more.
"""

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

import feedproxy
from feedproxy.archive import Archive, open_database, schema
from feedproxy.archive.index import Document, documents
from feedproxy.errors import ArchiveError
from feedproxy.model import Listing
from feedproxy.query.parameters import Query, parse_query
from feedproxy.query.terms import RULES
from tests import postgres
from tests.conftest import Clock
from tests.factories import paper
from tests.invariants import violations

Opener = Callable[..., Archive]
PAPERS = 400
_COUNT = """
import logging, sys
from feedproxy.archive import Archive
from feedproxy.archive.index import Document, documents
from feedproxy.errors import ArchiveError
from feedproxy.query.parameters import parse_query
logging.basicConfig(level=logging.INFO, format="%(message)s")
archive = Archive(sys.argv[1], patience=2)
print("opening", flush=True)
try:
    print(*(archive.count(parse_query(text)) for text in sys.argv[2:]), file=sys.stderr)
except ArchiveError as error:
    print(error, file=sys.stderr)
archive.close()
"""


class Newer:
    """A feedproxy of the next version of the rules, in processes of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(Path(feedproxy.__file__).parent, folder / "feedproxy")
        for name, before, after in (
            ("terms", f"RULES = {RULES}", f"RULES = {RULES + 1}"),
            ("plurals", "\naddenda:", "\nsphinges:sphinx addenda:"),
        ):
            module = folder / "feedproxy" / "query" / f"{name}.py"
            text = module.read_text()
            assert 1 == text.count(before)
            module.write_text(text.replace(before, after))

    def start(self, address: str, *queries: str) -> subprocess.Popen[str]:
        """Start to count what each query finds."""
        command = [sys.executable, "-c", _COUNT, address, *queries]
        process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout
        assert "opening\n" == process.stdout.readline()
        return process

    def counts(self, address: str, *queries: str) -> tuple[str, str]:
        """Return what each query finds, and what was logged."""
        _, lines = self.start(address, *queries).communicate(timeout=60)
        logged, _, counts = lines.rstrip().rpartition("\n")
        return counts, logged


@pytest.fixture
def newer(tmp_path: Path) -> Newer:
    return Newer(tmp_path / "newer")


def fill(archive: Archive, clock: Clock, number: int = 3) -> None:
    """Store papers of which the first was about sphinges once."""
    rest = [paper(at, title=f"Paper {at}", summary=f"Some words {at}. " * 20) for at in range(2, number + 1)]
    archive.store([Listing((paper(1, title="Sphinges"), *rest))], clock())
    archive.store([Listing((paper(1, title="Zebras"),))], clock.tick(hours=1))


def test_plural_that_became_known(newer: Newer, either: str, open_archive: Opener, clock: Clock) -> None:
    """Papers of before are found by a plural that the rules know since, old wordings too; one line is logged."""
    fill(open_archive(either), clock)
    assert (0, 1) == tuple(open_archive(either).count(parse_query(text)) for text in ("q=sphinx", "q=sphinges"))
    counts, logged = newer.counts(either, "q=sphinx", "q=sphinges", "q=zebra", "q=paper", "")
    assert "1 1 1 3 3" == counts
    assert "indexed 4 wordings in" in logged
    assert 1 == logged.count("\n") + 1
    assert ("1 1", "") == newer.counts(either, "q=sphinx", "q=sphinges")


def test_older_process_goes_on_reading_only(newer: Newer, either: str, open_archive: Opener, clock: Clock) -> None:
    """Once the index is of newer rules, what still runs of the older version reads, and is refused what it stores."""
    archive = open_archive(either)
    fill(archive, clock)
    before = archive.search(Query())
    newer.counts(either, "q=sphinx")
    assert before.entries == archive.search(Query()).entries
    with pytest.raises(ArchiveError, match="another version of feedproxy has rebuilt the search index; restart"):
        archive.store([Listing((paper(9),))], clock.tick(hours=1))
    assert before.entries == archive.search(Query()).entries


def test_newer_rules_are_refused(newer: Newer, either: str, open_archive: Opener, clock: Clock) -> None:
    """An archive whose index is of newer rules does not open, as one of a newer schema does not."""
    with closing(open_archive(either)) as archive:
        fill(archive, clock)
    newer.counts(either, "q=sphinx")
    with pytest.raises(ArchiveError, match="is from a newer feedproxy, and this one cannot read it"):
        open_archive(either).state()


def test_searches_go_on_meanwhile(either: str, open_archive: Opener, clock: Clock) -> None:
    """While an index is made others find what they did before."""
    archive = open_archive(either)
    fill(archive, clock)
    with closing(open_database(either)) as database, database.transaction(writing=True) as db:

        def pieces() -> Iterator[list[Document]]:
            yield from documents(db)
            assert (1, 1) == tuple(archive.count(parse_query(text)) for text in ("q=zebra", "q=sphinges"))

        database.rebuild_index(db, pieces())
    assert (1, 1) == tuple(archive.count(parse_query(text)) for text in ("q=zebra", "q=sphinges"))
    assert [] == violations(archive._database)


def test_search_that_waits_for_the_new_index(either: str, open_archive: Opener, clock: Clock) -> None:
    """Who searches while the new index takes the place of the old one finds in one of the two what there is."""
    archive = open_archive(either)
    fill(archive, clock)
    queries = [parse_query(text) for text in ("q=zebra", "q=sphinges", "q=-zebra")]
    with closing(open_database(either)) as database, ThreadPoolExecutor(2 * len(queries)) as pool:
        with database.transaction(writing=True) as db:
            database.reindex(db)
            counts = [pool.submit(archive.count, query) for query in queries]
            pages = [pool.submit(archive.search, query) for query in queries[:2]]
            dates = pool.submit(archive.entry_dates_by_threshold, queries[0], [0])
            time.sleep(0.3)
        assert [1, 1, 3] == [count.result() for count in counts]
        assert [1, 1] == [len(page.result().entries) for page in pages]
        assert 1 == len(dates.result()[1][0])


@pytest.mark.integration
def test_whoever_cannot_open_it_yet_says_so(newer: Newer, tmp_path: Path, open_archive: Opener, clock: Clock) -> None:
    """While another process writes, which indexing is, an archive of older rules is an error, and opens later."""
    path = tmp_path / "archive.sqlite"
    fill(open_archive(path), clock)
    with closing(open_database(str(path))) as database, database.transaction(writing=True):
        told, _ = newer.counts(str(path), "q=sphinx")
    assert f"cannot open the archive {path}: database is locked" in told
    assert "1" == newer.counts(str(path), "q=sphinx")[0]


def make_older(address: str) -> None:
    """Index an archive anew by the rules of this version."""
    note_rules(address, RULES)
    with closing(open_database(address)) as database, database.transaction(writing=True) as db:
        database.reindex(db)


def note_rules(address: str, version: int) -> None:
    """Have an archive say that its index is by other rules."""
    statement = f"UPDATE state SET rules = {version}"
    if address.startswith("postgresql"):
        postgres.run(address, statement)
    else:
        with closing(sqlite3.connect(address)) as file:
            file.execute(statement)
            file.commit()


@pytest.mark.integration
@pytest.mark.parametrize("rounds", [3])
def test_killed_while_it_indexes(newer: Newer, either: str, open_archive: Opener, clock: Clock, rounds: int) -> None:
    """Killed at any moment the archive opens again, as it was or indexed anew, and is right; more often in slow."""
    fill(open_archive(either), clock, PAPERS)
    undisturbed, began = newer.start(either, "q=sphinx"), time.monotonic()
    undisturbed.communicate(timeout=60)
    took = time.monotonic() - began
    dice, outcomes = random.Random(4), Counter[str]()  # noqa: S311
    for delay in [0, *(dice.uniform(0, took) for _ in range(rounds - 1))]:
        make_older(either)
        with ExitStack() as stack:
            if not delay:  # the first is kept from writing until it is killed
                holder = stack.enter_context(closing(open_database(either)))
                held = stack.enter_context(holder.transaction(writing=True))
                held.execute(sa.select(schema.state).with_for_update())
            process = newer.start(either, "q=sphinx")
            with suppress(subprocess.TimeoutExpired):
                process.wait(delay)
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=60)
        with closing(open_database(either)) as database:
            try:
                wrong, outcome = violations(database), "as it was"
            except ArchiveError as error:
                wrong, outcome = [], str(error).removeprefix(database.label)
        assert [] == wrong
        outcomes[outcome] += 1
        assert f"1 1 {PAPERS - 1}" == newer.counts(either, "q=sphinx", "q=zebra", "q=some")[0]
    assert outcomes.keys() <= {"as it was", " is from a newer feedproxy, and this one cannot read it"}
    assert outcomes["as it was"]
    print(dict(outcomes))


@pytest.mark.integration
def test_indexing_anew_is_no_reading(open_archive: Opener, either: str, clock: Clock) -> None:
    """However short reading may take, the index is made anew, and then the archive is read."""
    fill(open_archive(either), clock, 3000)
    note_rules(either, RULES - 1)
    archive = open_archive(either, read_seconds=0.3)
    assert archive.state().newest_entry_at
    assert archive.search(parse_query("q=paper")).entries
