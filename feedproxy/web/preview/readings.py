"""A text in, its words out, each with its place in the text: what a search compares, for marking what it found."""

from functools import lru_cache

from feedproxy.archive.compounds import read_run, run_pattern, without_shouting
from feedproxy.query.letters import plain_text_with_places
from feedproxy.query.terms import GAP, WORDS

Place = tuple[str, int, int]  # a word, and its start and end in a text
_CACHE, _LONGEST = 4096, 40  # runs of words, and the most characters of one: nearly all runs of a text are common words


def readings(text: str) -> list[list[Place]]:
    """Return the three readings of `text`: its search words, its compounds, and its single other words after gaps.

    Invisible characters belong to the word before.
    """
    normal, places = (text, range(len(text) + 1)) if text.isascii() else plain_text_with_places(text)
    rows: tuple[list[Place], list[Place], list[Place]] = [], [], []
    small = without_shouting(normal)
    for match in run_pattern(small).finditer(small):
        run, at = match[0], match.start()
        for row, words in zip(rows, _places(run) if len(run) <= _LONGEST else _read_places(run), strict=True):
            row.extend([(word, at + start, at + end) for word, start, end in words])
    if text.isascii():
        return list(rows)
    return [[(word, places[start], max(places[end], places[end - 1] + 1)) for word, start, end in row] for row in rows]


def _read_places(text: str) -> tuple[list[Place], list[Place], list[Place]]:
    """Return the words of a run in each reading, with their places in it."""
    run = read_run(text)
    spans = [word.span() for word in WORDS.finditer(text)][: len(run.words)]  # without 's
    whole = (0, len(text)) if len(spans) == 1 else (spans[0][0], spans[-1][1])
    words = [(word, *span) for word, span in zip(run.words, spans, strict=True)]
    if len(run.compounds) == len(spans) > 1:
        compounds = [(word, *span) for word, span in zip(run.compounds, spans, strict=True)]
    else:
        compounds = [(word, *whole) for word in run.compounds] or words
    others = [
        (other, start, end)
        for start, end in spans
        for single in read_run(text[start:end]).others
        for other in (GAP, single)
    ]
    return words, compounds, others


_places = lru_cache(_CACHE)(_read_places)
