"""A cold feed of an archive in PostgreSQL against the same one in SQLite: wall-clock time, as a server is involved."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial

from feedproxy.archive import Archive, admin, open_database
from feedproxy.archive.backend import OpenMode
from tests import postgres
from tests.bench.archives import kept
from tests.bench.cold import KINDS, asked
from tests.bench.figures import Figure, Goal, Run, compared, elapsed, interleaved
from tests.prose import WORDS

_SIZES = (1000, 100_000)
_MS = "{:.1f} ms"
_FILTERS = KINDS | {
    "votes and comments": "min_upvotes=5&min_comments=2",
    "several words": "q=agent model language",
    "phrase": f'q="{WORDS[0]} {WORDS[1]}"',
    "phrase of no paper": 'q="language model"',
    "beginning of a word": "q=agen*",
    "beginning of no word": "q=zzz*",
    "author": f"q=author:{WORDS[20]}",
    "author called like a word in every paper": "q=author:about",
    "exclusion": "q=-model",
    "exclusion, many votes, ten years": "q=-model&days=3660&min_upvotes=100",
    "either of two words": "q=agent OR model",
    "common word or votes": "q=agent&or_upvotes=50",
    "with code": "q=has:code",
    "digests of weeks": "digest=week",
    "digests of weeks, common word": "digest=week&q=agent",
}


def cold(run: Run) -> Iterator[Figure]:
    """Compare a cold feed of an archive in PostgreSQL with one in SQLite, at 1,000 and at 100,000 papers."""
    with postgres.running() as server:
        for size in _SIZES:
            yield from _cold(server.create(), size, run)


def _cold(address: str, size: int, run: Run) -> Iterator[Figure]:
    copy(str(kept(size)), address)
    with closing(Archive(address)) as ours, closing(Archive(str(kept(size)))) as theirs:
        for kind, text in _FILTERS.items():
            measures = [partial(elapsed, partial(asked, archive, text)) for archive in (ours, theirs)]
            for measure in measures:
                measure()
            figures = interleaved(4 * run.rounds, *measures)
            what = f"cold feed of {size:,} papers, {kind}: PostgreSQL / SQLite"
            yield compared(what, *figures, Goal("≤", 2), _MS)


def copy(source: str, target: str) -> None:
    """Copy the archive, and have the database look after itself as it does within minutes."""
    with (
        closing(open_database(source, opening=OpenMode.EXISTING)) as here,
        closing(open_database(target, opening=OpenMode.COPY)) as there,
    ):
        admin.copy(here, there, lambda *_: None)
    postgres.run(target, "VACUUM ANALYZE")
