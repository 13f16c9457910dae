"""A text and a filter in; the text in segments, with the filter's matches marked, out.

Pure. Marks the words that the archive's search finds; keeps all of the text.
"""

import re
from bisect import bisect
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import accumulate, chain, takewhile

from feedproxy.query.grammar import And, Filter, Not, Or, Term
from feedproxy.web.preview.readings import readings

Segments = tuple[tuple[str, bool], ...]
Highlighter = re.Pattern[str]
_Span = tuple[int, int]  # where a mark begins and ends
_EXCERPT = 240  # characters
_BEFORE, _LONG_WORD = 80, 20  # characters


def compile_highlighter(tree: Filter | None, field: str) -> Highlighter | None:
    """Return a pattern for `tree` in the folded words of a paper's `field`; None if `tree` does not search that field.

    It matches at every word where a phrase begins, and there the longest phrase.
    """
    phrases = {
        re.escape(" ".join(words)) + (r"\S*" if is_prefix else "")
        for term in _terms(tree)
        if field in term.fields
        for words, is_prefix in term.phrases
    }
    longest_first = sorted(phrases, key=lambda phrase: (-phrase.count(" "), phrase))
    return re.compile(rf"(?<!\S)(?=((?:{'|'.join(longest_first)})(?!\S)))") if phrases else None


def _terms(tree: Filter | None) -> Iterator[Term]:
    """Yield the terms of `tree` but those it excludes."""
    if isinstance(tree, Term):
        yield tree
    elif isinstance(tree, And | Or):
        for part in tree.parts:
            if not isinstance(part, Not):
                yield from _terms(part)


def highlight(text: str, highlighter: Highlighter | None) -> Segments:
    """Return `text` in segments, each with a mark or without."""
    return tuple(_segments(text, _spans(text, highlighter), 0, len(text)))


def excerpt(text: str, highlighter: Highlighter | None) -> Segments:
    """Return about 240 characters of `text` in segments, from shortly before the first mark."""
    spans = _spans(text, highlighter)
    first = next(spans, (0, 0))
    start = _start(text, first[0])
    end = min(start + _EXCERPT, len(text))
    near = takewhile(lambda span: span[0] < end, chain([first], spans))
    before, after = (("…", False),) * (start > 0), (("…", False),) * (end < len(text))
    return (*before, *_segments(text, near, start, end), *after)


def _spans(text: str, highlighter: Highlighter | None) -> Iterator[_Span]:
    """Yield the spans to mark in `text`, in ascending order; they may overlap."""
    if highlighter:
        yield from merge(*(_spans_in(words, highlighter) for words in readings(text)))


def _spans_in(words: list[tuple[str, int, int]], highlighter: Highlighter) -> Iterator[_Span]:
    """Yield the spans of one reading of a text."""
    folded = " ".join(word for word, _, _ in words)
    starts = list(accumulate((len(word) + 1 for word, _, _ in words[:-1]), initial=0))
    for match in highlighter.finditer(folded):
        first, last = (bisect(starts, at) - 1 for at in (match.start(1), match.end(1) - 1))
        yield words[first][1], words[last][2]


def _start(text: str, mark: int) -> int:
    """Return the start of an excerpt: shortly before its first mark, at a word unless that is very long."""
    if mark <= _EXCERPT - _BEFORE:
        return 0
    start = mark - _BEFORE
    return max(start, text.find(" ", start - 1, start + _LONG_WORD) + 1)


def _segments(text: str, spans: Iterable[_Span], at: int, end: int) -> Iterator[tuple[str, bool]]:
    """Yield `text` from `at` to `end` in segments."""
    for first, last in spans:
        if first > at:
            yield text[at:first], False
        if last > at:
            yield text[max(first, at) : min(last, end)], True
            at = last
    if at < end:
        yield text[at:end], False
