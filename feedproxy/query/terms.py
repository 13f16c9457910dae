"""Text in, the words that a search compares out.

Papers and filters pass through the same functions here: first a text is normalised and split (`words`), then each word
is folded into its singular (`singular`).
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

# The version of the rules below. Raise it whenever any text parts or folds into other words than before: an archive
# whose search index was made by older rules is then indexed anew when it is opened.
RULES = 1
_INVISIBLE = ("Mn", "Mc", "Me", "Cf")  # accents, and what has no width such as the soft hyphen
_WORD = re.compile(r"[^\W_]+")
_MAX_CACHED = 40  # characters; longer words are rare

# Plurals of the field that the rules below would miss or fold into another word. Singulars fold into themselves.
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
# longer endings that are none, and what replaces how many of its last letters. The first row that fits counts.
_SUFFIXES: tuple[tuple[tuple[str, ...], tuple[str, ...], int, str], ...] = (
    (("sses", "xes", "ches", "shes"), (), 2, ""),
    (("ies",), ("eies", "aies"), 3, "y"),
    (("s",), ("us", "ss"), 1, ""),
)


def search_words(text: str) -> list[str]:
    """Return the words of `text` as the search index holds them."""
    return [singular(word) for word in words(text)]


def words(text: str) -> list[str]:
    """Return the normalised words of `text`; everything that is neither a letter nor a digit separates them."""
    return _WORD.findall(_normalize(text))


def word_spans(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each of `search_words`, and where it begins and ends in `text`, with the invisible characters after it."""
    if text.isascii():
        yield from ((singular(match[0]), *match.span()) for match in _WORD.finditer(text.casefold()))
        return
    parts = [_normalize_character(char) for char in text]  # normalising moves only accents, which are dropped
    places = [at for at, part in enumerate(parts) for _ in part] + [len(text)]
    for match in _WORD.finditer("".join(parts)):
        start, last, end = (places[at] for at in (match.start(), match.end() - 1, match.end()))
        yield singular(match[0]), start, max(end, last + 1)


def size(text: str) -> int:
    """Return how many bytes `text` has once it is normalised: one character can become eighteen."""
    return len(text) if text.isascii() else len(_normalize(text).encode())


def _normalize(text: str) -> str:
    """Return `text` compatibility-decomposed and casefolded, without accents and invisible characters."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(char for char in decomposed if unicodedata.category(char) not in _INVISIBLE)
    return text.casefold()


_normalize_character = lru_cache(4096)(_normalize)


def singular(word: str) -> str:
    """Return a normalised `word` with its English plural folded; folding twice changes nothing."""
    return _cached_singular(word) if len(word) <= _MAX_CACHED else _singular(word)


def _singular(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    for endings, exceptions, cut, new in _SUFFIXES:
        if len(word) > 2 and word.endswith(endings) and not word.endswith(exceptions):
            return word[:-cut] + new
    return word


_cached_singular = lru_cache(4096)(_singular)  # finds nine of ten words of a text


def plural_prefix_matches(prefix: str) -> set[str]:
    """Return the folded words that do not begin with `prefix` while their plural does: policy for `policie`."""
    plurals = (singular(prefix + ending) for ending in ("", "s", "es"))
    return {word for word in plurals if not word.startswith(prefix)}
