"""A large archive copied and interrupted again and again: nothing is there before all is, and then it is equal."""

import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from feedproxy.archive import Archive, open_database, schema
from feedproxy.archive.backend import OpenMode
from feedproxy.errors import ArchiveError
from feedproxy.query.parameters import parse_query
from tests.bench.archives import kept
from tests.conftest import documents
from tests.invariants import violations

_CHECKOUT = Path(__file__).parents[2]
_PAPERS = 100_000
_INTERRUPTIONS = 5
_QUERIES = [f"q={word}&min_upvotes={votes}" for word in ("agents", "-diffusion", "polici*") for votes in (0, 5, 50)]


def copy(source: Path, target: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "feedproxy", "archive", "copy", str(source), target]
    return subprocess.Popen(command, cwd=_CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def checksum(db: sa.Connection, table: sa.Table) -> str:
    """Return the hash of all rows of `table` in the order of their keys, the same in every database."""
    found = hashlib.sha256()
    rows = sa.select(table).order_by(*table.primary_key)
    for row in db.execute(rows, execution_options={"yield_per": 1000}):
        found.update(json.dumps(list(row), sort_keys=True, default=str).encode())
    return found.hexdigest()


def facts(address: str) -> list[object]:
    """Return what tells one archive from another: every table, and the bytes of feeds."""
    with closing(open_database(address, opening=OpenMode.EXISTING)) as database, database.transaction() as db:
        held = [checksum(db, table) for table in (*schema.GROWING, schema.listing_days, schema.closings, schema.state)]
    with closing(Archive(address)) as archive:
        return [*held, *documents(archive, *map(parse_query, _QUERIES))]


def test_copy_interrupted(either: str) -> None:
    """Killed or stopped by Ctrl-C at any moment a copy leaves nothing; one that is left alone is equal."""
    source, dice = kept(_PAPERS), random.Random(8)  # noqa: S311
    for by in [signal.SIGINT, signal.SIGKILL] * _INTERRUPTIONS:
        process = copy(source, either)
        with suppress(subprocess.TimeoutExpired):
            process.wait(dice.uniform(0.5, 15))
        process.send_signal(by)
        process.communicate(timeout=60)
        assert process.returncode == (1 if by is signal.SIGINT else -by)
        with (
            closing(open_database(either, opening=OpenMode.EXISTING)) as database,
            pytest.raises(ArchiveError, match="there is no archive at"),
            database.transaction(),
        ):
            pass
    began = time.monotonic()
    whole = copy(source, either)
    told, complaint = whole.communicate(timeout=900)
    assert (0, True) == (whole.returncode, " rows, as in " in told), complaint
    print(f"{_PAPERS:,} papers in {time.monotonic() - began:.0f} s")
    assert facts(str(source)) == facts(either)
    with closing(open_database(either, opening=OpenMode.EXISTING)) as database:
        assert [] == violations(database)
