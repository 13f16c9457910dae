"""Text in, the words that a search compares out.

Knows neither papers nor queries, so that both are normalised by the same code.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

# The version of the rules below. Raise it whenever any text parts or folds into other words than before: an archive
# whose search index was made by older rules is then indexed anew when it is opened.
RULES = 1
_UNSEEN = ("Mn", "Mc", "Me", "Cf")  # accents, and what has no width such as the soft hyphen
_USUAL = 40  # characters; a longer word is not kept
_WORD = re.compile(r"[^\W_]+")

# Words of the field that the suffix rules would part from their plural, or fold into another word.
_SINGULARS = {
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
} | {f"{kind}pus": f"{kind}pu" for kind in "cdgntx"}
_IRREGULAR = _SINGULARS | {word: word for word in _SINGULARS.values()}


def words(text: str) -> list[str]:
    """Return the words of `text`: compatibility-decomposed, without accents and what has no width, casefolded.

    Everything that is neither a letter nor a digit parts words.
    """
    return _WORD.findall(_plain(text))


def size(text: str) -> int:
    """Return how many bytes `text` has once it is normalised: one character can become eighteen."""
    return len(text) if text.isascii() else len(_plain(text).encode())


def _plain(text: str) -> str:
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(char for char in decomposed if unicodedata.category(char) not in _UNSEEN)
    return text.casefold()


def word_spans(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each of `search_words` with where it begins and ends in `text`, what has no width behind it included."""
    if text.isascii():
        yield from ((singular(found[0]), *found.span()) for found in _WORD.finditer(text.casefold()))
        return
    parts = [_plain_character(char) for char in text]  # normalisation moves nothing but accents, which are dropped
    places = [at for at, part in enumerate(parts) for _ in part] + [len(text)]
    for found in _WORD.finditer("".join(parts)):
        start, last, behind = (places[at] for at in (found.start(), found.end() - 1, found.end()))
        yield singular(found[0]), start, max(behind, last + 1)


@lru_cache(4096)
def _plain_character(char: str) -> str:
    return _plain(char)


def singular(word: str) -> str:
    """Return `word` with its English plural folded; folding twice changes nothing.

    Harman's S-stemmer ("How effective is suffixing?", JASIS 42, 1991): the first rule whose
    suffix fits decides. Added: -sses, -xes, -ches, -shes, and the words in `_SINGULARS`.
    """
    return _singular(word) if len(word) <= _USUAL else _singular.__wrapped__(word)


@lru_cache(4096)  # nine of ten words of a text are among so many
def _singular(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) < 3 or not word.endswith("s"):
        return word
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    return word if word.endswith(("us", "ss")) else word[:-1]


def plural_prefix_matches(prefix: str) -> set[str]:
    """Return the folded words that do not begin with `prefix` while their plural does: policy for `policie`."""
    plurals = (singular(prefix + ending) for ending in ("", "s", "es"))
    return {word for word in plurals if not word.startswith(prefix)}


def search_words(text: str) -> list[str]:
    """Return the words of `text` as the search index holds them."""
    return [singular(word) for word in words(text)]
