"""A query in; its words that no paper has, each with the most similar word that papers have, out."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from feedproxy.archive import Archive
from feedproxy.archive.backend import time_limit
from feedproxy.errors import DeadlineError, QueryError
from feedproxy.offers import ALL_DAYS, positive_terms, with_replacement
from feedproxy.query.grammar import And, Filter, Term
from feedproxy.query.interests import interests
from feedproxy.query.parameters import Query

_PAGES, _PAGE = 5, 200  # the newest papers whose words we count
_SHORTEST, _LONGEST = 4, 40  # letters of a word that we correct
_WORD = re.compile(rf"[^\W\d_]{{{_SHORTEST - 1},{_LONGEST}}}")
_WITNESSES = 2  # papers that have a word before it is no typing mistake itself
_MOST = 5  # words in one answer
Vocabulary = Mapping[str, int]  # words, and how many papers have each


@dataclass(frozen=True, slots=True)
class Misspelling:
    """A word that no paper has, maybe a similar one that `papers` papers have, and the query with that one.

    Of a phrase with a number no word means much alone, so all of it stands there: `g 2rpo` for G^2RPO.
    """

    word: str
    similar: str | None = None
    papers: int = 0
    query: Query | None = None


def read_vocabulary(archive: Archive) -> Vocabulary:
    """Count the words in titles and abstracts of the newest thousand papers; takes a tenth of a second."""
    vocabulary: Counter[str] = Counter()
    for page in range(1, _PAGES + 1):
        result = archive.search(Query(days=ALL_DAYS, limit=_PAGE, page=page))
        for entry in result.entries:
            vocabulary.update(set(_WORD.findall(f"{entry.paper.title} {entry.paper.summary}".casefold())))
        if not result.more:
            break
    return {word: papers for word, papers in vocabulary.items() if papers >= _WITNESSES}


def misspellings(
    archive: Archive, query: Query, budget: float, read: Callable[[], Vocabulary]
) -> tuple[Misspelling, ...]:
    """Return the words that `query` looks for in titles and abstracts and that no paper has, in its order.

    Without those of a ready-made filter, which nobody typed. At most five, and as many as `budget` seconds allow.
    `read` returns the vocabulary if that is needed. Raises ArchiveError.
    """
    unknown: dict[str, tuple[Term, int]] = {}
    with suppress(DeadlineError), time_limit(budget):
        for term in _own_terms(query.q):
            for at, word in enumerate(term.words):
                is_prefix = term.prefix and at == len(term.words) - 1
                look = Query(q=Term((word,), is_prefix), days=ALL_DAYS, limit=1)
                if len(unknown) < _MOST and not archive.search(look).entries:
                    has_number = not "".join(term.words).isalpha()
                    unknown.setdefault(" ".join(term.words) if has_number else word, (term, at))
    return tuple(_misspelling(archive, query, name, *place, read) for name, place in unknown.items())


def _own_terms(tree: Filter | None) -> list[Term]:
    """Return the terms that somebody wrote: not those of a ready-made filter."""
    ready_made = {interest.query.q for interest in interests()}
    parts = tree.parts if isinstance(tree, And) and tree not in ready_made else (tree,)
    return [term for part in parts if part not in ready_made for term in positive_terms(part)]


def _misspelling(
    archive: Archive, query: Query, name: str, term: Term, at: int, read: Callable[[], Vocabulary]
) -> Misspelling:
    word = term.words[at]
    with suppress(DeadlineError, QueryError):  # time is up, or no address can say it
        if similar := most_similar(word, read()):
            corrected = replace(term, words=(*term.words[:at], similar, *term.words[at + 1 :]))
            correct = with_replacement(query, term, corrected)
            papers = archive.count(Query(q=Term((similar,)), days=ALL_DAYS))
            return Misspelling(name, similar, papers, correct)
    return Misspelling(name)


def most_similar(word: str, vocabulary: Vocabulary) -> str | None:
    """Return the word with the fewest typing mistakes between it and `word`, of those the most common, or None.

    A word of four or five letters may have one mistake, a longer one two. The first letter is rarely wrong, but for
    two that changed places; a number never is.
    """
    if not _SHORTEST <= len(word) <= _LONGEST or not word.isalpha():
        return None
    distance, letters = 1 if len(word) < 6 else 2, set(word)
    near = [
        (mistakes, -papers, other)
        for other, papers in vocabulary.items()
        if other[0] in word[:2] and abs(len(other) - len(word)) <= distance
        if len(letters.symmetric_difference(other)) <= 2 * distance  # a mistake changes two letters at most
        if 0 < (mistakes := _mistakes(word, other)) <= distance
    ]
    return min(near)[2] if near else None


def _mistakes(word: str, other: str) -> int:
    """Return how many letters are missing, added, wrong, or swapped with the next one, at least.

    The optimal string alignment distance, a Damerau-Levenshtein distance in which nothing changes twice.
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, letter in enumerate(word, 1):
        last_but_one, before, row = before, row, [at]
        for place, its in enumerate(other, 1):
            row.append(min(before[place] + 1, row[-1] + 1, before[place - 1] + (letter != its)))
            if at > 1 and place > 1 and (letter, its) == (other[place - 2], word[at - 2]):
                row[-1] = min(row[-1], last_but_one[place - 2] + 1)
    return row[-1]
