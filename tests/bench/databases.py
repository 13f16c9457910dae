"""A cold feed of an archive in PostgreSQL against the same one in SQLite: wall-clock time, as a server is involved."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial

from feedproxy.archive import Archive, admin, open_database
from feedproxy.archive.backend import OpenMode
from tests import postgres
from tests.bench.archives import kept
from tests.bench.cold import KINDS, asked
from tests.bench.figures import Figure, Goal, Run, compared, interleaved

_PAPERS = 100_000
_MS = "{:.1f} ms"
_FILTERS = KINDS | {
    "beginning of a word": "q=agen*",
    "beginning of no word": "q=zzz*",
    "phrase": 'q="language model"',
    "exclusion": "q=-model",
    "exclusion, many votes, ten years": "q=-model&days=3660&min_upvotes=100",
    "author called like a word in every paper": "q=author:about",
    "votes and comments": "min_upvotes=5&min_comments=2",
}


def cold(run: Run) -> Iterator[Figure]:
    """Compare a cold feed of 100,000 papers in PostgreSQL with one in SQLite."""
    with ExitStack() as stack:
        server = stack.enter_context(postgres.running())
        addresses = server.create(), str(kept(_PAPERS))
        copy(*reversed(addresses))
        archives = [stack.enter_context(closing(Archive(address))) for address in addresses]
        for kind, text in _FILTERS.items():
            measures = [partial(_ms, partial(asked, archive, text)) for archive in archives]
            for measure in measures:
                measure()
            figures = interleaved(4 * run.rounds, *measures)
            yield compared(f"cold feed, {kind}: PostgreSQL / SQLite", *figures, Goal("≤", 2), _MS)


def copy(source: str, target: str) -> None:
    """Copy the archive, and have the database look after itself as it does within minutes."""
    with (
        closing(open_database(source, opening=OpenMode.EXISTING)) as here,
        closing(open_database(target, opening=OpenMode.COPY)) as there,
    ):
        admin.copy(here, there, lambda *_: None)
    postgres.run(target, "VACUUM ANALYZE")


def _ms(measured: Callable[[], object]) -> float:
    began = time.perf_counter()
    measured()
    return (time.perf_counter() - began) * 1000
