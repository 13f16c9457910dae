"""The rules of words from `docs/filter.md` alone: a text and a term in, whether the text satisfies the term out.

Plain code to hold the real search against. It shares with that only the table of plurals and how a filter is read.
The numbers are those of the rules in the document; a comment says where the document leaves something open.
"""

import re
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from feedproxy.query.grammar import Term
from feedproxy.query.plurals import ALSO, LATIN
from feedproxy.query.terms import singular

EXACT = 4  # words of a phrase; of a longer one the document promises only what is written as typed

# 1. Letters that are no plain ones with an accent, and the names of the Greek ones.
_SMALL = {
    "ł": "l",
    "ø": "o",
    "đ": "d",
    "ı": "i",
    "æ": "ae",
    "œ": "oe",
    "ħ": "h",
    "ð": "d",
    "þ": "th",
    "ŧ": "t",
    "×": "x",
}
_LETTERS = str.maketrans(_SMALL | {letter.upper(): plain.upper() for letter, plain in _SMALL.items() if letter != "ı"})
_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi"
    " psi omega sigma"
)
_GREEK = dict(zip("αβγδεζηθικλμνξοπρστυφχψως", re.findall(r"\w+", _NAMES), strict=True))
_LONE_GREEK = re.compile("(?<![α-ωΑ-Ω])[α-ωΑ-Ω](?![α-ωΑ-Ω])")

# 2. Words.
_L = r"[^\W_]"  # a letter or digit
_THOUSANDS = re.compile(r"(?<!\d)(?<!\d,)\d{1,3}(?:,\d{3})+(?!,?\d)")
_ENDINGS = re.compile(rf"(?<={_L})['’ʼ](?:s|re|ve|ll|d|m)(?!{_L})", re.IGNORECASE)
_WORD = re.compile(rf"(?<!{_L})(?:c\+\+|(?:c\#|a\*|\.net)(?!{_L}))|{_L}+", re.IGNORECASE)  # open: C++11 is found by c++

# 3. Compounds.
_SIGNS = "-^_./&'’ʼ−·"  # and every dash
_COMMON = set(
    re.findall(
        r"\w+",
        "a all am an and are as at be by can could did do for from had has have he her him his how i if in is it its"
        " may me more my no nor not of on or our s she so some t than that the their them then there they this to us"
        " was we were what when which who will with would you your",
    )
)
_PARTICLES = {"after", "before", "down", "during", "off", "one", "over", "through", "under"}

Span = tuple[int, int]  # the place of a word in a text: from which of the text's words to before which


# A text -----------------------------------------------------------------------------------------


class Text:
    """A text as the places of its words, compounds among them, by what finds them; and of acronyms such as US."""

    def __init__(self, text: str) -> None:
        self.places, self.acronyms = defaultdict[str, set[Span]](set), defaultdict[str, set[Span]](set)
        at = 0
        for run in _runs(text):
            if len(run) == 1 and re.fullmatch("[A-Z]{2}", run[0]):
                self.acronyms[run[0].casefold()].add((at, at + 1))
            for start, end in _compounds(run):
                self._add(_compound(run[start:end:2]), (at + start // 2, at + (end + 1) // 2))
            for raw in run[::2]:
                self._add(_read(raw), (at, at + 1))
                at += 1
        self._sorted = sorted(self.places)

    def _add(self, forms: set[str], place: Span) -> None:
        for form in forms:
            self.places[form].add(place)

    def find(self, forms: frozenset[str]) -> set[Span]:
        """Return the places of the words that one of `forms` finds."""
        return set[Span]().union(*(self.places[form] for form in forms if form in self.places))

    def find_prefix(self, prefix: str) -> set[Span]:
        """Return the places of the words that are written so at the beginning (open: or their singulars)."""
        places = set[Span]()
        for form in self._sorted[bisect_left(self._sorted, prefix) :]:
            if not form.startswith(prefix):
                break
            places |= self.places[form]
        return places


def _runs(text: str) -> Iterator[list[str]]:
    """Yield the words that signs hold together, each with its capitals and the sign behind it: word, sign, word."""
    normal, end, run = _plain(text), 0, list[str]()
    for match in _WORD.finditer(normal):
        gap = normal[end : match.start()]
        if run and len(gap) == 1 and (gap in _SIGNS or unicodedata.category(gap) == "Pd"):
            run += [gap, match[0]]
        else:
            yield run
            run = [match[0]]
        end = match.end()
    yield run


def _compounds(run: list[str]) -> Iterator[Span]:
    """Yield where the compounds of a run are: all of it, but no two digits meet in one.

    Open: the document says that no numbers meet. And a slash parts compounds, except where there is no other sign.
    """
    has_others, start = bool({*run[1::2]} - {"/"}), 0
    for at in range(1, len(run) + 1, 2):
        is_end = at >= len(run) or (run[at] == "/" and has_others) or not _may_join((run[at - 1], run[at + 1]))
        if is_end:
            if at - start > 1:
                yield start, at
            start = at + 1


def _plain(text: str) -> str:
    """Return `text` with plain letters, numbers without commas, and nothing that belongs to no word."""
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in decomposed if unicodedata.category(letter) != "Mn").translate(_LETTERS)
    plain = _LONE_GREEK.sub(_greek_name, plain)
    plain = _THOUSANDS.sub(lambda match: match[0].replace(",", ""), plain)
    return _ENDINGS.sub("", plain)


def _greek_name(match: re.Match[str]) -> str:
    name = _GREEK[match[0].lower()]
    return name.upper() if match[0].isupper() else name


def _read(raw: str) -> set[str]:
    """Return what finds a word of a text, where capitals decide about plurals."""
    word = raw.casefold()
    if raw[-1] == "s" and len(raw) > 2 and raw[-2].isupper():  # GPs, LLMs, ReLUs
        return {word[:-1]} if len(raw) == 3 else {word, word[:-1]}  # open: `gps*` does not find GPs either
    if raw[-1] == "S":  # GPS, CMOS, iOS
        return {word}
    return {word, singular(word), word if raw.isalnum() else word.strip(".+#*")}  # open: C++ is found by `c` as well


def _compound(parts: Sequence[str]) -> set[str]:
    """Return what finds the words of a text as one word; only the last of them may be a plural."""
    head = "".join(parts[:-1]).casefold()
    last = {singular(head + parts[-1].casefold())} if parts[-1][-1] != "S" else set()
    return {head + form for form in _read(parts[-1])} | last


def _may_join(parts: Sequence[str]) -> bool:
    """Say whether no two digits meet where `parts` are joined."""
    return not any(one[-1].isdecimal() and other[0].isdecimal() for one, other in pairwise(parts))


# A term -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """One word of a filter, or several of a phrase joined; the two words that spell it; whether it is only begun."""

    word: str
    forms: frozenset[str]
    halves: tuple[tuple["Wanted", "Wanted"], ...] = ()
    is_begun: bool = False
    is_acronym: bool = False

    def find(self, text: Text) -> set[Span]:
        """Return its places in `text`, however it is written there."""
        if self.is_acronym:
            return text.acronyms[self.word]
        places = text.find(self.forms) | (text.find_prefix(self.word) if self.is_begun else set())
        for one, other in self.halves:
            if starts := one.find(text):
                ends = other.find(text)
                places |= {(start, end) for start, at in starts for middle, end in ends if at == middle}
        return places


def satisfies(text: Text, term: Term) -> bool:
    """Say whether `text` holds the words of `term` in a row, each however it is written.

    Of a phrase of more than four words none is joined with the next: there the document leaves it open.
    """
    return any(_in_a_row(text, spelling) for spelling in _spellings(term))


def _in_a_row(text: Text, spelling: Sequence[Wanted]) -> bool:
    """Say whether the words of `spelling` stand in `text`, each where the one before ends."""
    ends: set[int] | None = None
    for wanted in spelling:
        ends = {end for start, end in wanted.find(text) if ends is None or start in ends}
        if not ends:
            return False
    return True


@cache
def _spellings(term: Term) -> list[list[Wanted]]:
    """Return the words of `term` in every way that neighbours among them may be joined.

    Open: a word in a phrase is not found in two words that no sign holds together.
    """
    if len(term.words) == 1:
        return [[_alone(term.words[0], is_begun=term.prefix)]]
    groupings = _groupings(term.words) if len(term.words) <= EXACT else [[(word,) for word in term.words]]
    allowed = [groups for groups in groupings if all(map(_may_join, groups)) and not any(map(_has_common, groups))]
    allowed += [[(word,) for word in words] for words in _parted(term.words)]
    return [[*map(_joined, groups[:-1]), _joined(groups[-1], is_begun=term.prefix)] for groups in allowed]


def _parted(words: tuple[str, ...]) -> Iterator[list[str]]:
    """Yield `words` with one of the first four parted before its number: llama3.1 is *Llama 3.1* too."""
    for at, word in enumerate(words[:EXACT]):
        if parts := re.fullmatch("([a-z]+)([0-9].*)", word):
            yield [*words[:at], *parts.groups(), *words[at + 1 :]]


def _has_common(group: tuple[str, ...]) -> bool:
    """Say whether a very common word keeps `group` from being joined; it does not in Q&A and U.S."""
    return len(group) == 2 and not _COMMON.isdisjoint(group) and any(len(word) > 1 for word in group)


def _groupings(words: tuple[str, ...]) -> Iterator[list[tuple[str, ...]]]:
    """Yield every way to cut `words` in groups of neighbours."""
    if not words:
        yield []
    for size in range(1, len(words) + 1):
        for rest in _groupings(words[size:]):
            yield [words[:size], *rest]


def _joined(group: tuple[str, ...], *, is_begun: bool = False) -> Wanted:
    """Return the word that `group`, a word of a phrase or several, spells.

    Open: `u.s.` finds *US* only where that is no part of a compound.
    """
    word = "".join(group)
    if len(group) > 1 and word in _COMMON:
        return Wanted(word, frozenset(), (), is_begun, is_acronym=True)
    return _wanted(word, is_begun=is_begun)


def _wanted(word: str, *, is_begun: bool = False) -> Wanted:
    """Return a word as typed; a begun one finds its singular too (open: and `indice*` finds *index*)."""
    forms = frozenset({singular(word), singular(f"{word}s")}) if is_begun else _forms(word)
    return Wanted(word, forms, (), is_begun)


def _alone(word: str, *, is_begun: bool) -> Wanted:
    """Return a word that is all of a term, with the pairs of words that spell it if it is whole."""
    wanted = _wanted(word, is_begun=is_begun)
    pairs = [(word[:at], word[at:]) for at in range(1, 0 if is_begun else len(word))]
    halves = tuple(
        (_wanted(one), _wanted(other))
        for one, other in pairs
        if _is_half(one) and _is_half(other) and _may_join((one, other))
    )
    return Wanted(word, wanted.forms, halves, is_begun)


def _is_half(word: str) -> bool:
    return word.isdecimal() or (len(word) > 1 and word not in _COMMON | _PARTICLES)


def _forms(word: str) -> frozenset[str]:
    """Return what a word of a filter is found as; it has no capitals, so that relus may be ReLUs."""
    relu = {word[:-1]} if re.fullmatch("..?.?us", word) and word not in LATIN else set()
    return frozenset({word, singular(word), ALSO.get(word, word)} | relu)
