"""A text and a filter in; the text in pieces, those that the filter looks for marked, out.

Pure. Finds what the archive's search finds, by the same words; drops nothing of the text.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate, islice, takewhile

from feedproxy.filters import And, Filter, Not, Or, Term
from feedproxy.words import begun, singular, word_spans

Pieces = tuple[tuple[str, bool], ...]
_EXCERPT = 240  # characters
_BEFORE = 80  # characters before the first mark


def marked(text: str, wanted: Filter | None, field: str) -> Pieces:
    """Return `text`, which is a paper's `field`, in pieces, each with whether `wanted` looks for it there."""
    sought = [
        term
        for term in dict.fromkeys(_sought(wanted))
        if field in ((term.field,) if term.field else ("title", "abstract"))
    ]
    words = list(word_spans(text)) if sought else []
    numbers: dict[str, set[int]] = {}
    for number, (word, _, _) in enumerate(words):
        numbers.setdefault(word, set()).add(number)
    spelled = sorted(numbers)
    runs = (run for term in sought for run in _runs(term, numbers, spelled))
    return tuple(_pieces(text, sorted((words[first][1], words[last][2]) for first, last in runs)))


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


def _runs(term: Term, numbers: dict[str, set[int]], spelled: list[str]) -> Iterator[tuple[int, int]]:
    """Yield the first and last number of the words that `term` finds, given the numbers of each and all in order."""
    *before, last = term.words
    ends = [*_beginning(last, spelled), *begun(last)] if term.prefix else [singular(last)]
    earlier = [numbers.get(singular(word), set()) for word in before]
    for last_one in (number for word in ends for number in numbers.get(word, ())):
        first = last_one - len(before)
        if all(first + at in found for at, found in enumerate(earlier)):
            yield first, last_one


def _beginning(prefix: str, spelled: list[str]) -> Iterator[str]:
    """Yield those of the words `spelled`, in order, that begin with `prefix`."""
    return takewhile(lambda word: word.startswith(prefix), islice(spelled, bisect_left(spelled, prefix), None))


def _pieces(text: str, places: list[tuple[int, int]]) -> Iterator[tuple[str, bool]]:
    """Yield `text` in pieces by the places to mark, which ascend and may overlap."""
    at = 0
    for start, end in places:
        if start > at:
            yield text[at:start], False
        if end > at:
            yield text[max(start, at) : end], True
            at = end
    if at < len(text):
        yield text[at:], False
