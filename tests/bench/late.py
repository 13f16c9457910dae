"""What a paper that is listed again a year later costs cold feeds: wall-clock time, in either database."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path

from feedproxy.archive import Archive
from feedproxy.model import Listing
from feedproxy.query.parameters import parse_query
from tests import postgres
from tests.bench.archives import LAST, evening, kept
from tests.bench.cold import KINDS, asked
from tests.bench.databases import copy
from tests.bench.figures import Figure, Goal, Run, compared, elapsed, interleaved

_PAPERS = 12_000
_FILTERS = KINDS | {"exclusion": "q=-model", "second page": "q=agent&page=2&limit=200"}


def cold(run: Run) -> Iterator[Figure]:
    """Compare cold feeds of an archive in which a paper was listed again a year later with those of before."""
    with ExitStack() as stack:
        server = stack.enter_context(postgres.running())
        before, after = (shutil.copy(kept(_PAPERS), run.folder / name) for name in ("before", "after"))
        list_again(before, days=5)
        list_again(after, days=365)
        shared = [server.create() for _ in range(2)]
        for source, target in zip((before, after), shared, strict=True):
            copy(str(source), target)
        for database, addresses in (("SQLite", (str(before), str(after))), ("PostgreSQL", shared)):
            archives = [stack.enter_context(closing(Archive(address))) for address in addresses]
            for kind, text in _FILTERS.items():
                measures = [partial(elapsed, partial(asked, archive, text)) for archive in archives]
                for measure in measures:
                    measure()
                without, late = interleaved(10 * run.rounds, *measures)
                what = f"cold feed, {kind}, {database}: a paper listed again a year later / none"
                yield compared(what, late, without, Goal("≤", 1.2), "{:.2f} ms")


def list_again(path: Path, days: int) -> None:
    """List a paper that entered that many days ago again, with more votes."""
    wanted = evening(LAST) - timedelta(days=days)
    with closing(Archive(str(path))) as archive:
        pages = (archive.search(parse_query(f"days=3660&limit=200&page={page}")) for page in count(1))
        paper = next(entry.paper for page in pages for entry in page.entries if entry.entered_at < wanted)
        votes = 10 + (paper.upvotes or 0)
        archive.store([Listing((replace(paper, upvotes=votes),))], evening(LAST) + timedelta(minutes=5))
