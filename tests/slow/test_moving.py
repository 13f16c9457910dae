"""A large archive copied with one interruption after the other: equal at the end, in either database."""

import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import sqlalchemy as sa

from feedproxy.archive import Archive, open_database, schema
from feedproxy.archive.backend import OpenMode
from feedproxy.archive.copy import checksum
from feedproxy.archive.integrity import findings
from feedproxy.archive.schema import GROWING
from feedproxy.query.parameters import parse_query
from tests.bench.archives import kept
from tests.conftest import documents

_CHECKOUT = Path(__file__).parents[2]
_PAPERS = 100_000
_INTERRUPTIONS = 10
_QUERIES = [f"q={word}&min_upvotes={votes}" for word in ("agents", "-diffusion", "polici*") for votes in (0, 5, 50)]


def rows(address: str) -> int:
    """Return how many rows there are of an archive, or of a copy that is under way."""
    with closing(open_database(address, opening=OpenMode.COPY)) as database, database.transaction() as db:
        return sum(db.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for table in GROWING)


def copy(source: Path, target: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "feedproxy", "archive", "copy", str(source), target]
    return subprocess.Popen(command, cwd=_CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def interrupted(source: Path, target: str, wanted: int, stage: str, by: signal.Signals) -> int:
    """Copy until that stage has begun and so many rows are there, then interrupt; return how many there are."""
    process = copy(source, target)
    told = next((line for line in process.stderr or () if line.startswith(stage)), "")
    assert told, "it ended before it could be interrupted"
    while process.poll() is None and rows(target) < wanted:
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)  # to count takes its time too
    process.send_signal(by)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == (1 if by is signal.SIGINT else -by), rest
    assert ("the same command goes on" in rest) == (by is signal.SIGINT), rest
    return rows(target)


def facts(address: str) -> list[object]:
    """Return what tells one archive from another: every table, and the bytes of feeds."""
    with closing(open_database(address, opening=OpenMode.PRESENT)) as database, database.transaction() as db:
        held = [str(checksum(db, table)) for table in (*GROWING, schema.listing_days, schema.state)]
    with closing(Archive(address)) as archive:
        return [*held, *documents(archive, *map(parse_query, _QUERIES))]


def test_copy_interrupted_ten_times(either: str) -> None:
    """Killed or stopped by Ctrl-C ten times on the way, the last time while it compares, a copy is equal at the end."""
    source, began = kept(_PAPERS), time.monotonic()
    total = rows(str(source))
    there = [0]
    for number in range(1, _INTERRUPTIONS + 1):
        by = (signal.SIGINT, signal.SIGKILL)[number % 2]
        stage = "comparing" if number == _INTERRUPTIONS else "copying"
        there.append(interrupted(source, either, total * number // _INTERRUPTIONS, stage, by))
        print(f"{by.name} after {there[-1]:,} of {total:,} rows")
    assert there == sorted(there)
    assert total == there[-1]
    ended = copy(source, either)
    told, complaint = ended.communicate(timeout=900)
    assert (0, True) == (ended.returncode, f"{total} rows, equal to those of" in told), complaint
    print(f"{_PAPERS:,} papers in {time.monotonic() - began:.0f} s, interruptions included")
    assert facts(str(source)) == facts(either)
    with closing(open_database(either, opening=OpenMode.PRESENT)) as database:
        assert [] == [finding for finding in findings(database) if finding.wrong]
