"""Text in, the words that a search compares out; the words of a term in, the phrases that find them out.

Papers and filters are read by the same rules: text is normalised and split into words, and plurals are folded.
`archive.compounds` makes the words of a paper with them.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise, product, starmap

from feedproxy.query.letters import plain_text
from feedproxy.query.plurals import ALSO, LATIN, SINGULARS, SUFFIXES

# The version of the rules. Raise it whenever they make other words of any text: an archive with an index by older rules
# is indexed again when somebody opens it.
RULES = 1
GAP = "¶"  # between words that are no neighbours; no query contains it
AROUND = 3  # words in the index on each side of a compound, so a phrase of four words can hold one anywhere
MAX_COMPOUND = 60  # characters
_ALL_JOINS, _ONE_JOIN = 4, 8  # words: of a term up to so long we join any neighbours, or one pair of them
_SHORTEST = 4  # letters; shorter words stay (gas, his, gps), but for those in the table
_SHORT_ENDINGS = {"oes": 5, "ies": 4}  # letters; up to this length the singular ends in -e: toes, MoEs, ties
_MEN = 6  # letters; longer words in -men are plurals: salesmen
Phrase = tuple[tuple[str, ...], bool]  # search words in a row, and whether the last is only a beginning

# Words that are too common to be part of a compound: "in formal" is not informal, nor "a long" along.
_COMMON = """
a all am an and are as at be by can could did do for from had has have he her him his how i if in is it its may me more
my no nor not of on or our s she so some t than that the their them then there they this to us was we were what when
which who will with would you your
"""
FUNCTION_WORDS = frozenset(_COMMON.split())
# Words that are parts of compounds only where a sign or nothing holds them: "over time" is not overtime.
PARTICLES = frozenset(("after", "before", "down", "during", "off", "one", "over", "through", "under"))
_NO_HALVES = FUNCTION_WORDS | PARTICLES


def normalize(text: str) -> str:
    """Return `text` in the letters that people type."""
    return text if text.isascii() else plain_text(text)


def size(text: str) -> int:
    """Return how many bytes the normalised `text` has: one character can become eighteen."""
    return len(text) if text.isascii() else len(plain_text(text).casefold().encode())


# Words as they are written ---------------------------------------------------------------------------

_WORD = r"(?:(?<!\d)\d{1,3}(?:,\d{3})+(?!\d)|[^\W_]+)"  # 1,000 is one word
SIGN = "[-^_./&'’ʼ‐–−·]"  # one of them holds two words together
RUN = re.compile(
    rf"""(?:(?<![^\s("'/])\.(?=[^\W\d_]) | \*)?                 # .net; *emphasis*
         {_WORD}(?:{SIGN}{_WORD})*
         (?:\+\+ | \#(?!\w) | (?<![^\W_]{{5}})\*(?![\w*]))?    # c++, c#, A*""",
    re.VERBOSE,
)
_NUMBERED = re.compile(r"([a-z]+)(\d[^\W_]*)")
WORDS, SIGNS = re.compile(_WORD), re.compile(SIGN)
_CLITIC = re.compile(r"['’ʼ](?:s|re|ve|ll|d|m)(?![^\W_])", re.IGNORECASE)  # LLM's, we're
_TWO = 2  # words
PAIR = 2  # letters: US; AI in AIs


def words(text: str, *, is_quoted: bool = True) -> list[str]:
    """Return the words of a filter's `text`, in small letters; plurals stay.

    Of a text that is not quoted, a compound with a very common word is one word: on-policy is not "on policy".
    """
    row: list[str] = []
    for run in RUN.findall(normalize(text)):
        names = [_lower(name) for name in names_in(run)]
        whole = "".join(names)
        is_one = not is_quoted and _TWO == len(names) < len(whole) and not _NO_HALVES.isdisjoint(names)
        is_one &= names[-1] != "s"  # Agent-S has a name, and is no agents
        row += [whole] if is_one and whole.isalnum() and whole not in FUNCTION_WORDS else names
    return row


def _lower(word: str) -> str:
    """Return `word` in small letters, and without its plural s if only the capitals tell that it is one (GPs, IMUs)."""
    small = word.casefold()
    folded = search_word(word)
    return folded if word[-1] == "s" and folded == small[:-1] != singular(small) else small


def names_in(run: str) -> list[str]:
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


def search_word(word: str) -> str:
    """Return a `word` of a paper as the index holds it."""
    small = word.casefold()
    if word[-1] == "S":
        return small  # GPS, iOS
    return small[:-1] if word[-1] == "s" and len(word) > PAIR and word[-2].isupper() else singular(small)  # LLMs


def digits_meet(first: str, second: str) -> bool:
    """Say whether two digits would stand side by side if the words were joined: 3.5 is not 35."""
    return first[-1].isdigit() and second[0].isdigit()


def initials(letters: Iterable[str]) -> str:
    """Return the word for U.S. and US, which is not the word us."""
    return ".".join(letters)


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
    if len(words) > AROUND + 1:
        words = [WORDS.findall(word)[0] for word in words]
    rows = [*_joins(words), *(_halves(words[0]) if len(words) == 1 and not is_prefix else _with_numbers(words))]
    return list(dict.fromkeys(phrase for row in rows for phrase in _spellings(row, is_prefix=is_prefix)))


def _spellings(row: Sequence[str], *, is_prefix: bool) -> Iterator[Phrase]:
    """Yield the folded words of `row`, then with one of them, or all, as they are if they are no plurals."""
    *before, last = row
    if is_prefix:
        ends = [(last, True), *((word, False) for word in sorted(plural_prefix_matches(last)))]
    else:
        ends = [(word, False) for word in (_fold(last), *_unfolded(last))]
    folded = tuple(map(_fold, before))
    yield from (((*folded, word), is_beginning) for word, is_beginning in ends)
    others = [(at, other) for at, word in enumerate(before) for other in _unfolded(word)]
    end, is_beginning = ends[0]
    yield from (((*folded[:at], other, *folded[at + 1 :], end), is_beginning) for at, other in others)
    if others and len(others) + len(ends) > _TWO:  # more than one word may be no plural
        yield (*(next(iter(_unfolded(word)), _fold(word)) for word in before), ends[-1][0]), ends[-1][1]


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
        if all(row := [_compound(group) for group in groups]):
            yield row


def _compound(parts: Sequence[str]) -> str:
    """Return the word that `parts` make, or an empty text if they make none."""
    whole = "".join(parts)
    if len(parts) == 1:
        return whole
    if whole in FUNCTION_WORDS:
        return initials(parts) if len(whole) == len(parts) else ""  # U.S. is not us
    if _TWO == len(parts) < len(whole) and not FUNCTION_WORDS.isdisjoint(parts):  # but Q&A
        return ""
    is_word = whole.isalnum() and not any(starmap(digits_meet, pairwise(parts))) and len(whole) <= MAX_COMPOUND
    return whole if is_word else ""


def _halves(word: str) -> Iterator[list[str]]:
    """Yield the pairs of words that spell `word`: `pre training`, `gpt 4`."""
    if not word.isascii() or not word.isalnum() or len(word) > MAX_COMPOUND:
        return
    for at in range(1, len(word)):
        first, second = word[:at], word[at:]
        if not digits_meet(first, second) and _is_half(first) and _is_half(second):
            yield [first, second]


def _with_numbers(words: Sequence[str]) -> Iterator[list[str]]:
    """Yield `words` with one of them parted before its number: `llama 3 1` for llama3.1."""
    for at, word in enumerate(words[:_ALL_JOINS] if len(words) > 1 else ()):
        if parts := _NUMBERED.fullmatch(word):
            yield [*words[:at], *parts.groups(), *words[at + 1 :]]


def _is_half(word: str) -> bool:
    return (len(word) > 1 or word.isdigit()) and word not in _NO_HALVES


def _unfolded(word: str) -> list[str]:
    """Return what else `word` may be: an acronym in S (LAMPS), or the plural of one in U (imus)."""
    if len(word) < _SHORTEST or word[-1] != "s":
        return []
    if word.endswith("us"):
        return [word[:-1]] if len(word) < _MEN and word not in LATIN else []
    return [ALSO.get(word, word)] if singular(word) != word else []


def plural_prefix_matches(prefix: str) -> set[str]:
    """Return the folded words whose plural begins with `prefix` while they do not: policy for `policie`."""
    plurals = {_fold(prefix), _fold(f"{prefix}s") if prefix.endswith("e") else prefix}
    return {word for word in plurals if not word.startswith(prefix)}
