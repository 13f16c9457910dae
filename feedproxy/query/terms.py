"""Text in, the words that a search compares out.

Papers and filters pass through the same functions: `words` normalises and splits, `singular` folds plurals.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

# The version of the rules below. Raise it whenever they make other words of any text: an archive with an index by older
# rules is indexed again when somebody opens it.
RULES = 1
_INVISIBLE = ("Mn", "Mc", "Me", "Cf")  # accents, and characters without a width, such as the soft hyphen
_WORD = re.compile(r"[^\W_]+")
_MAX_CACHED = 40  # characters; longer words are rare

# Plurals of the field that the rules below would miss or get wrong. Singulars fold into themselves.
_IRREGULAR = {
    "analyses": "analysis",
    "axes": "axis",
    "biases": "bias",
    "caches": "cache",
    "focuses": "focus",
    "hypotheses": "hypothesis",
    "indices": "index",
    "lenses": "lens",
    "matrices": "matrix",
    "movies": "movie",
    "news": "news",
    "niches": "niche",
    "vertices": "vertex",
} | {f"{letter}pus": f"{letter}pu" for letter in "cdgntx"}
_IRREGULAR |= {word: word for word in _IRREGULAR.values()}

# Harman's S-stemmer ("How effective is suffixing?", JASIS 42, 1991) and -sses, -xes, -ches, -shes: endings of a plural,
# longer endings that are not plurals, how many letters to cut, and what to append. The first row that fits counts.
_SUFFIXES: tuple[tuple[tuple[str, ...], tuple[str, ...], int, str], ...] = (
    (("sses", "xes", "ches", "shes"), (), 2, ""),
    (("ies",), ("eies", "aies"), 3, "y"),
    (("s",), ("us", "ss"), 1, ""),
)


def search_words(text: str) -> list[str]:
    """Return the words of `text` as the search index holds them."""
    return [singular(word) for word in words(text)]


def words(text: str) -> list[str]:
    """Return the normalised words of `text`: runs of letters and digits."""
    return _WORD.findall(_normalize(text))


def word_spans(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each of `search_words` with its start and end in `text`; invisible characters belong to the word before."""
    if text.isascii():
        yield from ((singular(match[0]), *match.span()) for match in _WORD.finditer(text.casefold()))
        return
    parts = [_normalize_character(char) for char in text]  # normalising a whole text only reorders accents
    places = [at for at, part in enumerate(parts) for _ in part] + [len(text)]
    for match in _WORD.finditer("".join(parts)):
        start, last, end = (places[at] for at in (match.start(), match.end() - 1, match.end()))
        yield singular(match[0]), start, max(end, last + 1)


def size(text: str) -> int:
    """Return how many bytes the normalised `text` has: one character can become eighteen."""
    return len(text) if text.isascii() else len(_normalize(text).encode())


def _normalize(text: str) -> str:
    """Return `text` compatibility-decomposed and casefolded, without accents and invisible characters."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(char for char in decomposed if unicodedata.category(char) not in _INVISIBLE)
    return text.casefold()


_normalize_character = lru_cache(4096)(_normalize)


def singular(word: str) -> str:
    """Return the singular of a normalised English `word`; a second call changes nothing."""
    return _cached_singular(word) if len(word) <= _MAX_CACHED else _singular(word)


def _singular(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    for endings, exceptions, cut, new in _SUFFIXES:
        if len(word) > 2 and word.endswith(endings) and not word.endswith(exceptions):
            return word[:-cut] + new
    return word


_cached_singular = lru_cache(4096)(_singular)  # holds nine of ten words of a text


def plural_prefix_matches(prefix: str) -> set[str]:
    """Return the folded words whose plural begins with `prefix` while they do not: policy for `policie`."""
    plurals = (singular(prefix + ending) for ending in ("", "s", "es"))
    return {word for word in plurals if not word.startswith(prefix)}
