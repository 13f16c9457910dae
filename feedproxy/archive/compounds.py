"""A paper's text in, its words as the search index holds them out.

One word is one word however it is written, so a text has two readings:

    text          Multi-modal pre-training of LLMs in C++
    words         multi modal pre training of llm in c
    compounds     multimodal pretraining of llm in c++

The index holds all words in their order and, behind a gap, the compounds with the words around them.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from feedproxy.query.plurals import ALSO
from feedproxy.query.terms import (
    AROUND,
    FUNCTION_WORDS,
    GAP,
    MAX_COMPOUND,
    PAIR,
    RUN,
    SIGN,
    SIGNS,
    WORDS,
    digits_meet,
    initials,
    names_in,
    normalize,
    search_word,
)

_MAX_CACHED = 40  # characters; longer words are rare
_PLAIN_RUN = re.compile(rf"[^\W_]+(?:{SIGN}[^\W_]+)*")
_NAME = re.compile(r"""\.(?<![^\s("'/]\.)[^\W\d_]""")  # .net
_NUMBER = re.compile(r",(?<=\d,)\d{3}")  # 1,000
_SHOUTING = 4  # words in capitals only, from which on capitals mean nothing


class Run(NamedTuple):
    """Words held together by signs: as search words, and in their other spelling, if they have one.

    `others` are single words that find them too.
    """

    words: tuple[str, ...]
    compounds: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def search_words(text: str) -> list[str]:
    """Return the words of a paper's `text` as the index holds them: in their order, then compounds after gaps."""
    normal = without_shouting(normalize(text))
    runs = [
        _cached_run(run) if len(run) <= _MAX_CACHED else _read_run(run) for run in run_pattern(normal).findall(normal)
    ]  # a call less than read_run
    row: list[str] = []
    places: list[int] = []
    others: list[str] = []
    for at, (words, compounds, more) in enumerate(runs):
        row += words
        if compounds:
            places.append(at)
        others += more
    row += _around(places, runs)
    for word in dict.fromkeys(others):
        row += (GAP, word)
    return row


def run_pattern(text: str) -> re.Pattern[str]:
    """Return what finds the runs in normalised `text`; where nothing rare is, that takes half the time."""
    has_rare = "*" in text or "#" in text or "++" in text or _NAME.search(text) or _NUMBER.search(text)
    return RUN if has_rare else _PLAIN_RUN


def without_shouting(text: str) -> str:
    """Return `text` in small letters if it has only capitals, which mean nothing then."""
    return text.lower() if text.isupper() and len(text.split()) >= _SHOUTING else text


def read_run(text: str) -> Run:
    """Return a run of words, as RUN matches it."""
    return _cached_run(text) if len(text) <= _MAX_CACHED else _read_run(text)


def _read_run(text: str) -> Run:
    if text.isalnum():
        word, small = search_word(text), text.casefold()
        has_initials = len(text) == PAIR and text.isupper() and small in FUNCTION_WORDS  # US
        return Run((word,), (initials(small),) if has_initials else (), _others(word, small))
    names = names_in(text)
    plain = names if text[-1].isalnum() and text[0].isalnum() else [WORDS.findall(name)[0] for name in names]
    words = tuple(map(search_word, plain))
    others = [other for word, one in zip(words, plain, strict=True) for other in _others(word, one.casefold())]
    return Run(words, tuple(_compounds(text, names, plain)), tuple(others))


def _others(word: str, small: str) -> tuple[str, ...]:
    """Return what else finds the `small` word beside the search word that it became."""
    others = () if small.startswith(word) else (small,)  # `polici*` finds policies
    return (*others, ALSO[small]) if small in ALSO else others


def _compounds(text: str, names: list[str], plain: list[str]) -> list[str]:
    """Return the other spelling of a run, if it has one: `pretraining` for pre-training, `u.s` for US."""
    if names != plain:
        return [search_word(name) if name.isalnum() else name.casefold() for name in names]
    if len(plain) == 1:
        return []
    if "/" in text and len({*SIGNS.findall(text)}) > 1:  # alternatives
        words = [word for part in text.split("/") for word in _join(names_in(part))]
    else:
        words = _join(plain)
    return words if len(words) < len(plain) and len(max(words, key=len)) <= MAX_COMPOUND else []


def _join(parts: Sequence[str]) -> list[str]:
    """Return the word that `parts` make, folded, or several where digits meet."""
    groups = [parts[0]]
    for part in parts[1:]:
        if digits_meet(groups[-1], part):
            groups.append(part)
        else:
            groups[-1] += part
    return list(map(search_word, groups))


def _around(places: Sequence[int], runs: Sequence[Run]) -> list[str]:
    """Return the compounds at `places` in `runs` with a few words on each side; a gap before every piece.

    Where others are near, each compound comes a second time, among their words: a phrase may end within a compound.
    """
    row: list[str] = []
    near: list[int] = []
    end = -1
    for at, before, after in zip(places, (-AROUND - 1, *places), (*places[1:], len(runs) + AROUND), strict=False):
        first, last = max(at - AROUND, 0), at + AROUND + 1
        if first > end:
            row.append(GAP)
        for words, compounds, _ in runs[max(first, end) : last]:
            row += compounds or words
        end = last
        if at - before <= AROUND or after - at <= AROUND:
            near.append(at)
    for at in near:
        row.append(GAP)
        for run in runs[max(at - AROUND, 0) : at]:
            row += run.words
        row += runs[at].compounds
        for run in runs[at + 1 : at + AROUND + 1]:
            row += run.words
    return row


_cached_run = lru_cache(8192)(_read_run)  # holds nine of ten runs of a text
