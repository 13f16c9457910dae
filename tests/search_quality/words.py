"""Words in several spellings in; whether the search finds each by the others, out."""

import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path

from feedproxy.archive import Archive
from feedproxy.errors import QueryError
from feedproxy.model import Listing, Paper
from tests import factories
from tests.search_quality.corpus import Corpus

# Compounds --------------------------------------------------------------------------------------

_SIGNS = "-‐‑‒–—−"
_RUN = re.compile(rf"(?<![a-z0-9.,^_])[a-z0-9]+(?:[{_SIGNS}][a-z0-9]+)*(?![a-z0-9^_]|[.,][0-9])")


@dataclass(frozen=True, slots=True)
class Compound:
    """Two parts that papers write with a sign (`a-b`) or a space between them, and also as one word."""

    parts: tuple[str, str]
    has_sign: bool
    hits: tuple[frozenset[str], frozenset[str], frozenset[str]]  # of `a-b`, `ab` and `"a b"`

    @property
    def is_one(self) -> bool:
        """Whether all spellings find the same papers."""
        return len(set(self.hits)) == 1


def compounds(corpus: Corpus) -> Iterator[Compound]:
    """Yield the compounds of a corpus, those with a sign first, and what each spelling finds."""
    hyphenated, spaced, joined = spellings(corpus.papers.values())
    for has_sign, pairs in ((True, hyphenated), (False, spaced - hyphenated)):
        for first, last in sorted(pair for pair in pairs if "".join(pair) in joined):
            texts = (f'"{first}-{last}"', first + last, f'"{first} {last}"')
            hits = [corpus.ids(text) for text in texts]
            yield Compound((first, last), has_sign, (hits[0], hits[1], hits[2]))


def spellings(papers: Iterable[Paper]) -> tuple[set[tuple[str, str]], set[tuple[str, str]], set[str]]:
    """Return the pairs that stand with a sign between them, those with a space, and the words that stand alone."""
    hyphenated, spaced, joined = set[tuple[str, str]](), set[tuple[str, str]](), set[str]()
    for text in (f"{paper.title}\n{paper.summary}".casefold() for paper in papers):
        runs = list(_RUN.finditer(text))
        for run in runs:
            parts = re.split(f"[{_SIGNS}]", run[0])
            if len(parts) == 2 and re.search("[a-z]", run[0]):
                hyphenated.add((parts[0], parts[1]))
            elif len(parts) == 1:
                joined.add(run[0])
        for first, last in pairwise(runs):
            if text[first.end() : last.start()] == " " and {first[0], last[0]} <= joined:
                spaced.add((first[0], last[0]))
    return hyphenated, spaced, joined


# Plurals ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pair:
    """Two spellings, such as a word and its plural, and whether they are meant to be one word."""

    word: str
    other: str
    kind: str
    is_one: bool


def read_pairs(path: Path, *, is_one: bool) -> list[Pair]:
    """Read a file of two spellings and their kind a line, parted by tabs; none if it is missing."""
    lines = path.read_text().splitlines() if path.exists() else []
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [Pair(word, other, kind, is_one) for word, other, kind in rows]


def failures(pairs: list[Pair], folder: Path) -> list[str]:
    """Return a line for every pair that the search treats otherwise; each has two papers in an archive of its own."""
    texts = [text for pair in pairs for text in (pair.word, pair.other)]
    papers = [factories.paper(at, title="Zzq", summary=f"Zzq {text.rstrip('*')} zzq.") for at, text in enumerate(texts)]
    with closing(Archive(str(folder / "pairs.sqlite"))) as archive:
        corpus = Corpus([Listing(tuple(papers), day=factories.DAY)], archive)
        ids = (factories.paper_id(number) for number in count())
        wrong = [(pair, _mistake(pair, corpus, next(ids), next(ids))) for pair in pairs]
    return [f"`{pair.word}` `{pair.other}` ({pair.kind}): {mistake}" for pair, mistake in wrong if mistake]


def _mistake(pair: Pair, corpus: Corpus, first: str, second: str) -> str:
    """Return what is wrong with a pair whose papers are `first` and `second`; a beginning has no paper of its own."""
    searches = [(pair.other, first)] if pair.other.endswith("*") else [(pair.word, second), (pair.other, first)]
    try:
        wrong = [text for text, paper in searches if (paper in corpus.ids(text)) is not pair.is_one]
    except QueryError as error:
        return str(error)
    return " and ".join(f"`{text}` {'misses' if pair.is_one else 'finds'} the other" for text in wrong)
