"""A text and a filter in; the text in pieces, those that the filter looks for marked, out.

Pure. Finds what the archive's search finds, by the same words; drops nothing of the text.
"""

from collections.abc import Iterator
from itertools import accumulate

from feedproxy.filters import And, Filter, Not, Or, Term
from feedproxy.words import begun, singular, word_spans

Pieces = tuple[tuple[str, bool], ...]
_EXCERPT = 240  # characters
_BEFORE = 80  # characters before the first mark


def marked(text: str, wanted: Filter | None, *fields: str) -> Pieces:
    """Return `text` in pieces, each with whether `wanted` looks for it in one of `fields`."""
    found = list(word_spans(text))
    inside = [False] * len(text)
    for term in _sought(wanted):
        if term.field in fields or (term.field is None and {"title", "abstract"} & set(fields)):
            for start, end in _places(term, found):
                inside[start:end] = [True] * (end - start)
    return tuple(_pieces(text, inside))


def excerpt(pieces: Pieces) -> Pieces:
    """Return about 240 characters of a text in pieces, from shortly before the first that is marked."""
    ends = list(accumulate(len(text) for text, _ in pieces))
    first = next((end - len(text) for (text, mark), end in zip(pieces, ends, strict=True) if mark), 0)
    start = first - _BEFORE if first > _EXCERPT - _BEFORE else 0
    return tuple(_cut(pieces, start, start + _EXCERPT))


def _cut(pieces: Pieces, start: int, end: int) -> Iterator[tuple[str, bool]]:
    if start:
        yield "…", False
    at = 0
    for text, mark in pieces:
        if part := text[max(0, start - at) : max(0, end - at)]:
            yield part, mark
        at += len(text)
    if at > end:
        yield "…", False


def _sought(wanted: Filter | None) -> Iterator[Term]:
    """Yield the terms that a match can hold: none of what is excluded."""
    if isinstance(wanted, Term):
        yield wanted
    elif isinstance(wanted, And | Or):
        for part in wanted.parts:
            if not isinstance(part, Not):
                yield from _sought(part)


def _places(term: Term, found: list[tuple[str, int, int]]) -> Iterator[tuple[int, int]]:
    """Yield where `term` stands among words with their places."""
    length = len(term.words)
    for at in range(len(found) - length + 1):
        window = found[at : at + length]
        if _reads(term, [word for word, _, _ in window]):
            yield window[0][1], window[-1][2]


def _reads(term: Term, folded: list[str]) -> bool:
    *before, last = term.words
    if [singular(word) for word in before] != folded[:-1]:
        return False
    if term.prefix:
        return folded[-1].startswith(last) or folded[-1] in begun(last)
    return folded[-1] == singular(last)


def _pieces(text: str, inside: list[bool]) -> Iterator[tuple[str, bool]]:
    start = 0
    for at in range(1, len(text) + 1):
        if at == len(text) or inside[at] != inside[start]:
            yield text[start:at], inside[start]
            start = at
