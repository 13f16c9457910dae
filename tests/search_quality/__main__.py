"""Print how well the search finds what a person means: `python -m tests.search_quality CORPUS [--table]`.

CORPUS is a gzipped file of papers, as `corpus.read_listings` reads it. Pairs of words are in `plurals.tsv` and
`apart.tsv` beside it, if they are there.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.search_quality.corpus import opened, read_listings
from tests.search_quality.report import compound_lines, document_lines, interest_lines, plural_lines, title_lines
from tests.search_quality.words import failures, read_pairs


def lines(path: Path, *, postgresql: bool = False, is_document: bool = False) -> Iterator[str]:
    """Yield the report on the corpus at `path`, or the table and the filters of docs/interests.md."""
    listings = read_listings(path)
    with opened(listings, postgresql=postgresql) as corpus, TemporaryDirectory() as folder:
        if is_document:
            yield from document_lines(corpus)
            return
        yield f"{len(corpus.papers):,} papers of {len(corpus.days)} days, {min(corpus.days)} to {max(corpus.days)}.\n"
        yield from interest_lines(corpus)
        yield from compound_lines(corpus)
        pairs = [
            *read_pairs(path.with_name("plurals.tsv"), is_one=True),
            *read_pairs(path.with_name("apart.tsv"), is_one=False),
        ]
        yield from plural_lines(pairs, failures(pairs, Path(folder)))
        yield from title_lines(corpus)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.search_quality", description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--table", action="store_true", help="only the table and the filters of docs/interests.md")
    parser.add_argument("--postgresql", action="store_true", help="search in PostgreSQL instead of SQLite")
    options = parser.parse_args()
    start = time.monotonic()
    for line in lines(options.corpus, postgresql=options.postgresql, is_document=options.table):
        print(line, flush=True)
    if not options.table:
        print(f"This took {time.monotonic() - start:.0f} seconds.")


if __name__ == "__main__":
    main()
