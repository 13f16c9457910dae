"""A text and a filter in; the text in pieces, those that the filter looks for marked, out.

Pure. Finds what the archive's search finds, by the same words; drops nothing of the text.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, repeat, takewhile

from feedproxy.query.grammar import And, Filter, Not, Or, Term
from feedproxy.query.terms import word_spans

Segments = tuple[tuple[str, bool], ...]
_Place = tuple[int, int]  # where what is marked begins and ends
_Word = tuple[str, int, int]
_NO_WORD: _Word = ("", 0, 0)
_EXCERPT = 240  # characters
_BEFORE, _LONG_WORD = 80, 20  # characters


@dataclass(frozen=True, slots=True)
class _Ends:
    """What a word may be, or begin with."""

    words: frozenset[str]
    beginnings: tuple[str, ...]

    def hold(self, word: str) -> bool:
        return word in self.words or word.startswith(self.beginnings)


@dataclass(frozen=True, slots=True)
class Highlighter:
    """What a filter looks for in one field: words that stand alone, and by their first word phrases with their last.

    A text is passed over once, however many there are.
    """

    alone: _Ends
    phrases: dict[str, list[tuple[tuple[str, ...], _Ends]]]
    longest: int

    def places(self, text: str) -> Iterator[_Place]:
        """Yield where it stands in `text`; the beginnings ascend, and no two are equal."""
        for window in _windows(word_spans(text), self.longest):
            word, start, end = window[0]
            last = self._phrase_from(window) if self.phrases else 0
            if self.alone.hold(word):
                yield start, max(end, last)
            elif last:
                yield start, last

    def _phrase_from(self, window: deque[_Word]) -> int:
        """Return where the longest phrase that begins a window ends; 0 if there is none."""
        found = self.phrases.get(window[0][0], ())
        return max((window[len(before)][2] for before, last in found if _begins(window, before, last)), default=0)


def compile_highlighter(wanted: Filter | None, field: str) -> Highlighter | None:
    """Return what `wanted` looks for in a paper's `field`; None if nothing."""
    terms = [term for term in _terms(wanted) if field in term.fields]
    phrases: dict[str, list[tuple[tuple[str, ...], _Ends]]] = {}
    for term in dict.fromkeys(terms):
        if before := tuple(term.phrases[0][0]):
            phrases.setdefault(before[0], []).append((before, _ends([term])))
    alone = _ends(term for term in terms if len(term.words) == 1)
    return Highlighter(alone, phrases, max(len(term.words) for term in terms)) if terms else None


def highlight(text: str, looked_for: Highlighter | None) -> Segments:
    """Return `text` in pieces, each with whether it is looked for."""
    return tuple(_pieces(text, looked_for.places(text) if looked_for else (), 0, len(text)))


def excerpt(text: str, looked_for: Highlighter | None) -> Segments:
    """Return about 240 characters of `text` in pieces, from shortly before the first that is looked for."""
    places = looked_for.places(text) if looked_for else iter(())
    first = next(places, (0, 0))
    start = _start(text, first[0])
    end = start + _EXCERPT
    near = takewhile(lambda place: place[0] < end, chain([first], places))
    return (*_omitted(start > 0), *_pieces(text, near, start, min(end, len(text))), *_omitted(end < len(text)))


def _start(text: str, first: int) -> int:
    """Return where an excerpt begins: shortly before its first mark, and with a word unless that is very long."""
    if first <= _EXCERPT - _BEFORE:
        return 0
    start = first - _BEFORE
    return max(start, text.find(" ", start - 1, start + _LONG_WORD) + 1)


def _omitted(is_so: bool) -> Segments:
    return (("…", False),) if is_so else ()


def _terms(wanted: Filter | None) -> Iterator[Term]:
    """Yield the terms that a match can hold: none of what is excluded."""
    if isinstance(wanted, Term):
        yield wanted
    elif isinstance(wanted, And | Or):
        for part in wanted.parts:
            if not isinstance(part, Not):
                yield from _terms(part)


def _ends(terms: Iterable[Term]) -> _Ends:
    """Return what the last word of any of `terms` may be."""
    lasts = [(last, begins) for term in terms for _, last, begins in term.phrases]
    whole = frozenset(last for last, begins in lasts if not begins)
    return _Ends(whole, tuple(last for last, begins in lasts if begins))


def _windows(words: Iterator[_Word], size: int) -> Iterator[deque[_Word]]:
    """Yield each word with those that follow it, `size` in all: behind the last word comes none."""
    padded = chain(words, repeat(_NO_WORD, size - 1))
    window = deque(islice(padded, size - 1), size)
    for word in padded:
        window.append(word)
        yield window


def _begins(window: deque[_Word], before: tuple[str, ...], last: _Ends) -> bool:
    return all(word == found[0] for word, found in zip(before, window, strict=False)) and last.hold(
        window[len(before)][0]
    )


def _pieces(text: str, places: Iterable[_Place], at: int, end: int) -> Iterator[tuple[str, bool]]:
    """Yield `text` from `at` to `end` in pieces by the places to mark, whose beginnings ascend; they may overlap."""
    for first, last in places:
        if first > at:
            yield text[at:first], False
        if last > at:
            yield text[max(first, at) : min(last, end)], True
            at = last
    if at < end:
        yield text[at:end], False
