"""A text in, its words out, each with its place in the text: what a search compares, for marking what it found."""

import re

from feedproxy.archive.compounds import read_run, without_shouting
from feedproxy.query.letters import plain_text_with_places
from feedproxy.query.terms import GAP, RUN, WORDS

Place = tuple[str, int, int]  # a word, and its start and end in a text


def readings(text: str) -> list[list[Place]]:
    """Return the three readings of `text`: its search words, its compounds, and its single other words after gaps.

    Invisible characters belong to the word before.
    """
    normal, places = (text, range(len(text) + 1)) if text.isascii() else plain_text_with_places(text)
    rows: tuple[list[Place], list[Place], list[Place]] = [], [], []
    for match in RUN.finditer(without_shouting(normal)):
        for row, words in zip(rows, _places(match), strict=True):
            row.extend(words)
    ends = [0, *(max(places[end], places[end - 1] + 1) for end in range(1, len(places)))]
    return [[(word, places[start], ends[end]) for word, start, end in row] for row in rows]


def _places(match: re.Match[str]) -> tuple[list[Place], list[Place], list[Place]]:
    """Return the words of a run in each reading."""
    run = read_run(match[0])
    spans = [(match.start() + word.start(), match.start() + word.end()) for word in WORDS.finditer(match[0])]
    spans = spans[: len(run.words)]  # without 's
    whole = match.span() if len(spans) == 1 else (spans[0][0], spans[-1][1])
    words = [(word, *span) for word, span in zip(run.words, spans, strict=True)]
    if len(run.compounds) == len(spans) > 1:
        compounds = [(word, *span) for word, span in zip(run.compounds, spans, strict=True)]
    else:
        compounds = [(word, *whole) for word in run.compounds] or words
    others = [
        (other, start, end)
        for start, end in spans
        for single in read_run(match.string[start:end]).others
        for other in (GAP, single)
    ]
    return words, compounds, others
