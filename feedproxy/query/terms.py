"""Text in, the words that a search compares out.

Papers and filters pass through the same functions. Text is normalised and split into words, and plurals are folded.
One word is one word however it is written, so a paper's text has two readings:

    text          Multi-modal pre-training of LLMs in C++
    words         multi modal pre training of llm in c
    compounds     multimodal pretraining of llm in c++

The index holds all words in their order and, behind a gap, the compounds with the words around them.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice, pairwise, product
from typing import NamedTuple

from feedproxy.query.letters import plain_text
from feedproxy.query.plurals import ALSO, SINGULARS, SUFFIXES

# The version of the rules. Raise it whenever they make other words of any text: an archive with an index by older rules
# is indexed again when somebody opens it.
RULES = 1
GAP = "¶"  # between words that are no neighbours; no query contains it
_AROUND = 3  # words in the index on each side of a compound, so a phrase of four words can hold one anywhere
_MAX_CACHED = 40  # characters; longer words are rare
_MAX_COMPOUND = 60  # characters
_ALL_JOINS, _ONE_JOIN = 4, 8  # words: of a term up to so long we join any neighbours, or one pair of them
_SHORTEST = 4  # letters; shorter words stay (gas, his, gps), but for those in the table
_SHORT_ENDINGS = {"oes": 5, "ies": 4}  # letters; up to this length the singular ends in -e: toes, MoEs, ties
_MEN = 6  # letters; longer words in -men are plurals: salesmen
Phrase = tuple[tuple[str, ...], bool]  # search words in a row, and whether the last is only a beginning

# Words that are too frequent to be half of a compound: "in formal" is not informal, nor "a long" along.
_FREQUENT = """
a all am an and are as at be by can could did do for from had has have he her him his how i if in is it its may me more
my no nor not of on or our s she so some t than that the their them then there they this to us was we were what when
which who will with would you your
"""
_FUNCTION_WORDS = frozenset(_FREQUENT.split())


def _normalize(text: str) -> str:
    return text if text.isascii() else plain_text(text)


def size(text: str) -> int:
    """Return how many bytes the normalised `text` has: one character can become eighteen."""
    return len(text) if text.isascii() else len(plain_text(text).casefold().encode())


# Words as they are written ---------------------------------------------------------------------------

_WORD = r"(?:(?<!\d)\d{1,3}(?:,\d{3})+(?!\d)|[^\W_]+)"  # 1,000 is one word
_SIGN = "[-^_./&'’ʼ‐–−]"  # one of them holds two words together
RUN = re.compile(
    rf"""(?:(?<![^\s("'/])\.(?=[^\W\d_]) | \*)?                 # .net; *emphasis*
         {_WORD}(?:{_SIGN}{_WORD})*
         (?:\+\+ | \#(?!\w) | (?<![^\W_]{{5}})\*(?![\w*]))?    # c++, c#, A*""",
    re.VERBOSE,
)
WORDS, _SIGNS = re.compile(_WORD), re.compile(_SIGN)
_PLAIN_RUN = re.compile(rf"[^\W_]+(?:{_SIGN}[^\W_]+)*")
_NAME = re.compile(r"""\.(?<![^\s("'/]\.)[^\W\d_]""")  # .net
_NUMBER = re.compile(r",(?<=\d,)\d{3}")  # 1,000
_CLITIC = re.compile(r"['’ʼ](?:s|re|ve|ll|d|m)$", re.IGNORECASE)  # LLM's, we're
_PAIR = 2  # letters: US; AI in AIs
_SHOUTING = 4  # words in capitals only, from which on capitals mean nothing


class Run(NamedTuple):
    """Words held together by signs: as search words, and in their other spelling, if they have one.

    `others` are single words that find them too.
    """

    words: tuple[str, ...]
    compounds: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def words(text: str) -> list[str]:
    """Return the words of a filter's `text`, in small letters; plurals stay."""
    return [_lower(name) for run in RUN.findall(_normalize(text)) for name in _names(run)]


def _lower(word: str) -> str:
    """Return `word` in small letters, and without its plural s if only the capitals tell that it is one (GPs, IMUs)."""
    small = word.casefold()
    folded = _search_word(word)
    return folded if word[-1] == "s" and folded == small[:-1] != singular(small) else small


def _names(run: str) -> list[str]:
    """Return the words of a run; with the signs that belong to a word: c++, .net."""
    if run.replace("-", "").isalnum():
        return run.split("-")
    inner = run[1:].removesuffix("*") if run[0] == "*" else run
    core = inner.lstrip(".").rstrip("+#*")
    names = [word.replace(",", "") for word in WORDS.findall(_CLITIC.sub("", core))]
    if len(core) < len(inner):
        names[0] = inner[: inner.index(core)] + names[0]
        names[-1] += inner[inner.index(core) + len(core) :]
    return names


def search_words(text: str) -> list[str]:
    """Return the words of a paper's `text` as the index holds them: in their order, then compounds after gaps."""
    written = _find_runs(without_shouting(_normalize(text)))
    runs = [_cached_run(run) if len(run) <= _MAX_CACHED else _read_run(run) for run in written]
    found: list[str] = []
    places: list[int] = []
    others: list[str] = []
    for at, (words, compounds, more) in enumerate(runs):
        found += words
        if compounds:
            places.append(at)
        others += more
    found += _around(places, runs)
    for word in dict.fromkeys(others):
        found += (GAP, word)
    return found


def _find_runs(text: str) -> list[str]:
    """Return the runs in normalised `text`; where nothing rare is, with an expression that takes half the time."""
    has_rare = "*" in text or "#" in text or "++" in text or _NAME.search(text) or _NUMBER.search(text)
    return (RUN if has_rare else _PLAIN_RUN).findall(text)


def without_shouting(text: str) -> str:
    """Return `text` in small letters if it has only capitals, which mean nothing then."""
    return text.lower() if text.isupper() and len(text.split()) >= _SHOUTING else text


def read_run(text: str) -> Run:
    """Return a run of words, as RUN matches it."""
    return _cached_run(text) if len(text) <= _MAX_CACHED else _read_run(text)


def _read_run(text: str) -> Run:
    if text.isalnum():
        word, small = _search_word(text), text.casefold()
        is_pronoun = len(text) == _PAIR and text.isupper() and small in _FUNCTION_WORDS  # US
        return Run((word,), tuple(small) if is_pronoun else (), _others(word, small))
    names = _names(text)
    written = names if text[-1].isalnum() and text[0].isalnum() else [WORDS.findall(name)[0] for name in names]
    words = tuple(map(_search_word, written))
    others = [other for word, one in zip(words, written, strict=True) for other in _others(word, one.casefold())]
    return Run(words, tuple(_compounds(text, names, written)), tuple(others))


def _others(word: str, small: str) -> tuple[str, ...]:
    """Return what else finds the `small` word beside the search word that it became."""
    if small in ALSO:
        return (ALSO[small],)
    return () if small.startswith(word) else (small,)  # `polici*` finds policies


def _search_word(word: str) -> str:
    """Return a `word` of a paper as the index holds it."""
    small = word.casefold()
    if word[-1] == "S":
        return small  # GPS, iOS
    return small[:-1] if word[-1] == "s" and len(word) > _PAIR and word[-2].isupper() else singular(small)  # LLMs


def _compounds(text: str, names: list[str], written: list[str]) -> list[str]:
    """Return the other spelling of a run, if it has one: `pretraining` for pre-training, `u s` for US."""
    if names != written:
        return [_search_word(name) if name.isalnum() else name.casefold() for name in names]
    if len(written) == 1:
        return []
    if "/" in text and len({*_SIGNS.findall(text)}) > 1:  # alternatives
        words = [word for part in text.split("/") for word in _joined(_names(part))]
    else:
        words = _joined(written)
    return words if len(words) < len(written) and len(max(words, key=len)) <= _MAX_COMPOUND else []


def _joined(parts: Sequence[str]) -> list[str]:
    """Return the word that `parts` make, folded, or several: 3.5 is not 35, so a number never joins a number."""
    groups = [parts[0]]
    for part in parts[1:]:
        if part[0].isdigit() and groups[-1][-1].isdigit():
            groups.append(part)
        else:
            groups[-1] += part
    return [_search_word(word) if word in parts else singular(word.casefold()) for word in groups]


def _around(places: Sequence[int], runs: Sequence[Run]) -> list[str]:
    """Return the compounds at `places` in `runs` with a few words on each side; a gap before every piece."""
    found: list[str] = []
    end = -1
    for at in places:
        first = max(at - _AROUND, 0)
        if first > end:
            found.append(GAP)
        for words, compounds, _ in runs[max(first, end) : at + _AROUND + 1]:
            found += compounds or words
        end = at + _AROUND + 1
    return found


_cached_run = lru_cache(8192)(_read_run)  # holds nine of ten runs of a text


# Singulars -------------------------------------------------------------------------------------------


def singular(word: str) -> str:
    """Return the singular of a normalised English `word`; a second call changes nothing."""
    if word in SINGULARS:
        return SINGULARS[word]
    if len(word) < _SHORTEST:
        return word
    if word[-1] == "s":
        return _without_ending(word)
    return f"{word[:-2]}an" if word[-3:] == "men" and len(word) >= _MEN and word.isascii() else word


def _without_ending(word: str) -> str:
    if len(word) <= _SHORT_ENDINGS.get(word[-3:], 0):
        return word[:-1]
    for ending, cut, new in SUFFIXES.get(word[-2:], ()):
        if word.endswith(ending):
            return word[: len(word) - cut] + new
    return word[:-1]


# Phrases that find a term ----------------------------------------------------------------------------
#
# However a paper writes a compound, a filter finds it. So a term searches for its own words, for the words that its
# neighbours make when joined (`pretraining` for pre training), and for the two words that it spells (`pre training` for
# pretraining). The index has the compounds of papers that write them with a sign.


def _fold(word: str) -> str:
    return singular(word) if word.isalnum() else word  # c++


def phrases(words: Sequence[str], *, is_prefix: bool) -> list[Phrase]:
    """Return the phrases that find the `words` of a term, however a paper writes them.

    A long row is found only in the order of the text, where c++ is c.
    """
    if len(words) > _AROUND + 1:
        words = [WORDS.findall(word)[0] for word in words]
    rows = [*_joins(words), *(_halves(words[0], is_prefix=is_prefix) if len(words) == 1 else ())]
    if is_prefix:
        found = [((*map(_fold, before), last), True) for *before, last in rows]
        found += [((*map(_fold, words[:-1]), word), False) for word in sorted(plural_prefix_matches(words[-1]))]
    else:
        found = [(tuple(map(_fold, row)), False) for row in rows]
        found += [
            ((*map(_fold, row[:at]), other, *map(_fold, row[at + 1 :])), False)
            for row in rows
            for at, word in enumerate(row)
            for other in _unfolded(word)
        ]
    return list(dict.fromkeys(found))


def _joins(words: Sequence[str]) -> Iterator[list[str]]:
    """Yield `words` themselves, and with neighbours joined."""
    yield list(words)
    gaps = len(words) - 1
    choices: Iterable[tuple[bool, ...]] = ()
    if len(words) <= _ALL_JOINS:
        choices = islice(product((False, True), repeat=gaps), 1, None)
    elif len(words) <= _ONE_JOIN:
        choices = (tuple(at == one for at in range(gaps)) for one in range(gaps))
    for joins in choices:
        groups = [[words[0]]]
        for word, is_joined in zip(words[1:], joins, strict=True):
            if is_joined:
                groups[-1].append(word)
            else:
                groups.append([word])
        if all(len(group) == 1 or _is_compound(group) for group in groups):
            yield ["".join(group) for group in groups]


def _is_compound(parts: Sequence[str]) -> bool:
    joined = "".join(parts)
    has_numbers = any(one[-1].isdigit() and other[0].isdigit() for one, other in pairwise(parts))
    return joined.isalnum() and not has_numbers and len(joined) <= _MAX_COMPOUND and joined not in _FUNCTION_WORDS


def _halves(word: str, *, is_prefix: bool) -> Iterator[list[str]]:
    """Yield the pairs of words that spell `word`: `pre training`, `gpt 4`."""
    if not word.isascii() or not word.isalnum() or len(word) > _MAX_COMPOUND:
        return
    for at in range(1, len(word)):
        first, second = word[:at], word[at:]
        is_number = first[-1].isdigit() and second[0].isdigit()
        if not is_number and _is_half(first) and _is_half(second) and len(second) > 2 * is_prefix:
            yield [first, second]


def _is_half(word: str) -> bool:
    return (len(word) > 1 or word.isdigit()) and word not in _FUNCTION_WORDS


def _unfolded(word: str) -> list[str]:
    """Return what else `word` may be: an acronym in S (LAMPS), or the plural of one in U (imus)."""
    if len(word) < _SHORTEST or word[-1] != "s":
        return []
    if word.endswith("us"):
        return [] if word.endswith("ous") else [word[:-1]]
    return [ALSO.get(word, word)] if singular(word) != word else []


def plural_prefix_matches(prefix: str) -> set[str]:
    """Return the folded words whose plural begins with `prefix` while they do not: policy for `policie`."""
    plurals = {_fold(prefix), _fold(f"{prefix}s") if prefix.endswith("e") else prefix}
    return {word for word in plurals if not word.startswith(prefix)}
