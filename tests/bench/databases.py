"""A cold feed of an archive in PostgreSQL against the same one in SQLite: wall-clock time, as a server is involved."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from typing import Any

import sqlalchemy as sa

from feedproxy.archive import Archive, tables
from feedproxy.archive.database import Wording
from feedproxy.archive.search import document
from feedproxy.archive.store import paper_of
from tests import postgres
from tests.bench.archives import kept
from tests.bench.cold import KINDS, asked
from tests.bench.figures import Figure, Goal, Run, compared, interleaved

_PAPERS = 100_000
_ROWS = 5_000  # copied at once
_MS = "{:.1f} ms"
_FILTERS = KINDS | {"beginning of a word": "q=agen*", "phrase": 'q="language model"', "exclusion": "q=-model"}


def cold(run: Run) -> Iterator[Figure]:
    """Compare a cold feed of 100,000 papers in PostgreSQL with one in SQLite."""
    with ExitStack() as stack:
        server = stack.enter_context(postgres.running())
        here = stack.enter_context(closing(Archive(str(kept(_PAPERS)))))
        there = stack.enter_context(closing(Archive(server.create())))
        copy(here, there)
        for kind, text in _FILTERS.items():
            measures = [partial(_ms, partial(asked, archive, text)) for archive in (there, here)]
            for measure in measures:
                measure()
            figures = interleaved(4 * run.rounds, *measures)
            yield compared(f"cold feed, {kind}: PostgreSQL / SQLite", *figures, Goal("≤", 2), _MS)


def copy(source: Archive, target: Archive) -> None:
    """Copy everything but the wordings that papers no longer have, which SQLite's index does not tell."""
    target.state()  # creates the tables
    postgres.run(target.address, "DROP INDEX search_words")
    engine = sa.create_engine(target.address, connect_args={"options": "-c session_replication_role=replica"})
    with source._database.transaction() as old, engine.begin() as new:
        for table in (tables.state, tables.lease):
            new.execute(sa.update(table).values(dict(old.execute(sa.select(table)).one()._mapping)))
        for table in (tables.dates, tables.papers, tables.ledger, tables.texts, tables.listing_days):
            for rows in old.execute(sa.select(table)).mappings().partitions(_ROWS):
                new.execute(sa.insert(table), [dict(row) for row in rows])
        wordings = sa.select(*tables.PAPER, tables.texts.c.since).join_from(tables.papers, tables.texts)
        for found in old.execute(wordings).partitions(_ROWS):
            target._database.index(new, [_wording(row) for row in found])
    engine.dispose()
    postgres.run(target.address, "CREATE INDEX search_words ON search USING gin (words)", "VACUUM ANALYZE")


def _wording(row: Sequence[Any]) -> Wording:
    paper = paper_of(row)
    names = (paper.organization.name, paper.organization.fullname) if paper.organization else ()
    return row[-1], document(paper.title, paper.summary, paper.authors, names)


def _ms(measured: Callable[[], object]) -> float:
    began = time.perf_counter()
    measured()
    return (time.perf_counter() - began) * 1000
