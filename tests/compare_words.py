"""Real papers and made-up filters in, every filter out on which the archive and a plain look at everything differ.

`python -m tests.compare_words CORPUS.jsonl.gz --filters 3000 --seed 1 [--postgresql]`. The corpus has a paper a line:
id, title, summary, organization. The filters are cut from its texts and spelled otherwise.
"""

import argparse
import gzip
import json
import random
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from feedproxy.archive import Archive
from feedproxy.errors import QueryError
from feedproxy.model import Listing, Organization, Paper
from feedproxy.query.grammar import Filter, Not, Or, Term, parse_filter
from feedproxy.query.parameters import Query
from tests.naive import is_exact, terms
from tests.naive_words import Text, satisfies
from tests.postgres import running

_NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
_FIELDS = ("", "", "", "", "", "title:", "abstract:", "org:", "author:")
_JOINTS = (" ", " ", " OR ", " AND ", " -", " NOT ")
_JOINED = re.compile(r"[-\s]+")


def read(path: Path) -> list[Paper]:
    """Return the papers of a corpus; their first word is the name of an author, as the corpus has none."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Paper(
            id=row["id"],
            title=row["title"],
            summary=row["summary"],
            submitted_at=_NOW - timedelta(hours=1),
            authors=(" ".join(row["title"].split()[:2]), " ".join(row["title"].split()[-2:])),
            organization=Organization(row["organization"].replace(" ", "-"), row["organization"])
            if row["organization"]
            else None,
        )
        for row in rows
    ]


# Filters ----------------------------------------------------------------------------------------


def _plural(text: str) -> str:
    return text[:-1] if text.endswith("s") else f"{text}s"


def _split(dice: random.Random, text: str) -> str:
    at = dice.randint(1, max(1, len(text) - 1))
    return f"{text[:at]}{dice.choice('- ')}{text[at:]}"


def _spelled(dice: random.Random, text: str) -> str:
    """Return `text` as somebody else would write it."""
    changes = (
        *(lambda: text, lambda: text, text.lower, text.upper, lambda: _plural(text)),
        *(lambda: _JOINED.sub("", text), lambda: _JOINED.sub("-", text), lambda: _JOINED.sub(" ", text)),
        *(lambda: _JOINED.sub("-", text, count=1), lambda: _JOINED.sub("", text, count=1)),
        *(lambda: re.sub(r"(?<=[a-zA-Z])(?=\d)", " ", text), lambda: _split(dice, text)),
    )
    return dice.choice(changes)()


def term_text(dice: random.Random, papers: list[Paper]) -> str:
    """Return a term cut from a text of a paper and spelled otherwise, or the beginning of one."""
    paper = dice.choice(papers)
    words = dice.choice((paper.title, paper.summary, paper.summary)).split()
    at, size = dice.randrange(len(words)), dice.choice((1, 1, 1, 2, 2, 3, 4))
    if dice.random() < 0.5:  # most words with something special are rare
        special = [at for at, word in enumerate(words) if re.search(r"[^\W_][^a-z][^\W_]|[A-Zs]$", word)]
        at = dice.choice(special or [at])
    text = " ".join(words[at : at + size]).strip('"“”*.,;:!?()[]{}').replace('"', "")
    for _ in range(dice.choice((0, 1, 1, 2))):
        text = _spelled(dice, text)
    if dice.random() < 0.15:
        return f'{dice.choice(_FIELDS)}"{text[: dice.randint(2, max(2, len(text)))]}"*'
    return f'{dice.choice(_FIELDS)}"{text}"'


def filters(papers: list[Paper], count: int, dice: random.Random) -> Iterator[tuple[str, Filter]]:
    """Yield `count` filters, as text and read; their phrases have no more words than the document speaks of."""
    while count:
        text = term_text(dice, papers)
        for _ in range(dice.choice((0, 0, 0, 1, 2))):
            text = f"{text}{dice.choice(_JOINTS)}{term_text(dice, papers)}"
        try:
            wanted = parse_filter(text)
        except QueryError:
            continue
        if is_exact(wanted):
            yield text, wanted
            count -= 1


# The two sides ----------------------------------------------------------------------------------


class Plain:
    """The papers with each word's places; what a term finds is looked for once."""

    def __init__(self, papers: list[Paper]) -> None:
        self.texts = {paper.id: texts(paper) for paper in papers}
        self.hits = dict[Term, frozenset[str]]()

    def search(self, wanted: Filter) -> frozenset[str]:
        """Return the ids of the papers that `wanted` matches."""
        if isinstance(wanted, Term):
            return self._hits(wanted)
        if isinstance(wanted, Not):
            return frozenset(self.texts) - self.search(wanted.part)
        sets = [self.search(part) for part in wanted.parts]
        return frozenset.union(*sets) if isinstance(wanted, Or) else frozenset.intersection(*sets)

    def _hits(self, term: Term) -> frozenset[str]:
        if term not in self.hits:
            self.hits[term] = frozenset(
                name
                for name, fields in self.texts.items()
                if any(satisfies(text, term) for field in term.fields for text in fields[field])
            )
        return self.hits[term]


def texts(paper: Paper) -> dict[str, list[Text]]:
    """Return the texts of a paper by the field they are searched as."""
    names = (paper.organization.name, paper.organization.fullname) if paper.organization else ()
    by_field = {"title": (paper.title,), "abstract": (paper.summary,), "author": paper.authors, "org": names}
    return {field: [Text(text) for text in held] for field, held in by_field.items()}


def search(archive: Archive, wanted: Filter) -> frozenset[str]:
    """Return the ids of the papers that the archive finds."""
    return frozenset(entry.paper.id for entry in archive.search(Query(q=wanted, days=3660, limit=100_000)).entries)


def differences(archive: Archive, plain: Plain, wanted: Filter) -> Iterator[tuple[Term, str, bool]]:
    """Yield the terms of `wanted` that are found differently, the paper, and whether the archive finds it."""
    for term in dict.fromkeys(terms(wanted)):
        here, there = search(archive, term), plain.search(term)
        yield from ((term, name, name in here) for name in sorted(here ^ there))


def excerpt(paper: Paper, term: Term) -> str:
    """Return the text of `paper` around the first letters of the words of `term`, as well as it can be told."""
    text = f"{paper.title} | {paper.summary} | {paper.authors} | {paper.organization}"
    loose = r"[\W_]*".join(re.escape(letter) for letter in "".join(term.words)[:-1])
    match = re.search(loose, text, re.IGNORECASE) or re.search(re.escape(term.words[0][:4]), text, re.IGNORECASE)
    start = match.start() if match else 0
    return " ".join(text[max(0, start - 20) : (match.end() if match else 0) + 30].split())


def compare(archive: Archive, plain: Plain, papers: list[Paper], asked: list[tuple[str, Filter]]) -> None:
    """Print how many filters agree, and each difference once."""
    by_id, told, apart, entries = {paper.id: paper for paper in papers}, set[tuple[Term, str]](), 0, 0
    for text, wanted in asked:
        here, there = search(archive, wanted), plain.search(wanted)
        entries += len(here)
        if here == there:
            continue
        apart += 1
        print(f"{text}   archive {len(here)}, plain {len(there)}")
        for term, name, is_archive in differences(archive, plain, wanted):
            if (term, name) not in told and len([one for one, _ in told if one == term]) < 3:
                told.add((term, name))
                side = "only the archive" if is_archive else "only the plain look"
                print(f"    {term}  {side}: {name} …{excerpt(by_id[name], term)}…")
    print(f"{len(asked):,} filters, {entries:,} entries, {apart} filters apart")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--filters", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgresql", action="store_true")
    options = parser.parse_args()
    papers = read(options.corpus)
    asked = list(filters(papers, options.filters, random.Random(options.seed)))  # noqa: S311
    print(Counter(type(wanted).__name__ for _, wanted in asked))
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        addresses = [f"{folder}/archive.sqlite"]
        if options.postgresql:
            addresses.append(stack.enter_context(running()).create())
        plain = Plain(papers)
        for address in addresses:
            archive = stack.enter_context(closing(Archive(address)))
            archive.store([Listing(tuple(papers))], _NOW)
            print(address.partition(":")[0] if "://" in address else "sqlite")
            compare(archive, plain, papers, asked)


if __name__ == "__main__":
    main()
