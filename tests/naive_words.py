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
from feedproxy.query.terms import singular

EXACT = 4  # words of a phrase; of a longer one the document promises only what is written as typed

# 1. Letters that are no plain ones with an accent, and the names of the Greek ones.
_SMALL = {"ł": "l", "ø": "o", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "ħ": "h", "ð": "d", "þ": "th", "ŧ": "t"}
_LETTERS = str.maketrans(_SMALL | {letter.upper(): plain.upper() for letter, plain in _SMALL.items() if letter != "ı"})
_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξοπρστυφχψως",
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi"
        " chi psi omega sigma".split(),
        strict=True,
    )
)
_LONE_GREEK = re.compile("(?<![α-ωΑ-Ω])[α-ωΑ-Ω](?![α-ωΑ-Ω])")

# 2. Words.
_L = r"[^\W_]"  # a letter or digit
_THOUSANDS = re.compile(r"(?<!\d)(?<!\d,)\d{1,3}(?:,\d{3})+(?!,?\d)")
_ENDINGS = re.compile(rf"(?<={_L})['’ʼ](?:s|re|ve|ll|d|m)(?!{_L})", re.IGNORECASE)
_WORD = re.compile(rf"(?<!{_L})(?:c\+\+|(?:c\#|a\*|\.net)(?!{_L}))|{_L}+", re.IGNORECASE)  # open: C++11 is found by c++

# 3. Compounds.
_SIGNS = "-^_./&'’ʼ−"  # and every dash
_SHORTEST_BEGUN = 3  # characters of a second half that is only begun, as in `datas*` (open)
_COMMON = set(
    "all am an and are as at be by can could did do for from had has have he her him his how in is it its may me more"
    " my no not of on or our she so some than that the their them then there they this to us we what when which will"
    " with would you your".split()
)  # open: the document does not name them

Span = tuple[int, int]  # the place of a word in a text: from which of the text's words to before which


# A text -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Word:
    """A word of a text as it is written, in small letters, and what it is found by."""

    written: str
    forms: frozenset[str]


class Text:
    """A text as the places of its words: by what they are found by, as they are written, and acronyms of two letters.

    A compound is a word with the place of all its parts.
    """

    def __init__(self, text: str) -> None:
        self.places, self.written, self.acronyms = (defaultdict[str, set[Span]](set) for _ in range(3))
        words = list(_words(text))
        for at, (raw, _) in enumerate(words):
            self._add(_read(raw), (at, at + 1))
            if len(raw) == 2 and raw.isupper():
                self.acronyms[raw.casefold()].add((at, at + 1))
        starts = [at for at, (_, is_held) in enumerate(words) if not is_held] + [len(words)]
        for start, end in pairwise(starts):
            if end - start > 1 and _may_join([raw for raw, _ in words[start:end]]):
                self._add(_compound([raw for raw, _ in words[start:end]]), (start, end))
        self._sorted = sorted(self.written)

    def _add(self, word: Word, place: Span) -> None:
        self.written[word.written].add(place)
        for form in word.forms:
            self.places[form].add(place)

    def find(self, forms: frozenset[str]) -> set[Span]:
        """Return the places of the words that one of `forms` finds."""
        return set[Span]().union(*(self.places[form] for form in forms if form in self.places))

    def find_prefix(self, prefix: str) -> set[Span]:
        """Return the places of the words that are written so at the beginning."""
        places = set[Span]()
        for written in self._sorted[bisect_left(self._sorted, prefix) :]:
            if not written.startswith(prefix):
                break
            places |= self.written[written]
        return places


def _words(text: str) -> Iterator[tuple[str, bool]]:
    """Yield each word of `text` with its capitals, and whether one sign holds it to the word before."""
    normal, end = _plain(text), 0
    for match in _WORD.finditer(normal):
        gap = normal[end : match.start()]
        yield match[0], bool(end) and len(gap) == 1 and (gap in _SIGNS or unicodedata.category(gap) == "Pd")
        end = match.end()


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


def _read(raw: str) -> Word:
    """Return a word of a text, where capitals decide about plurals."""
    written = raw.casefold()
    forms = {written, singular(written)}
    if raw[-1] == "s" and len(raw) > 2 and raw[-2].isupper():
        if len(raw) == 3:  # GPs
            return Word(written[:-1], frozenset({written[:-1]}))  # open: `gps*` does not find it either
        forms = {written, written[:-1]}  # LLMs, ReLUs
    elif raw[-1] == "S" and raw[-2:-1].isupper():  # GPS, CMOS, iOS
        forms = {written}
    elif not raw.isalnum():
        forms.add(written.strip(".+#*"))  # open: C++ is found by `c` as well
    return Word(written, frozenset(forms))


def _compound(parts: Sequence[str]) -> Word:
    """Return the one word that the words of a text spell; only the last of them may be a plural."""
    head, last = "".join(parts[:-1]).casefold(), _read(parts[-1])
    return Word(head + last.written, frozenset(head + form for form in last.forms))


def _may_join(parts: Sequence[str]) -> bool:
    """Say whether words may be joined: no two digits meet (open: the document says, no two numbers)."""
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
    """Return the words of `term` in every way that neighbours among them may be joined."""
    if len(term.words) == 1:
        return [[_wanted(term.words[0], is_begun=term.prefix, halves=_halves(term.words[0], is_begun=term.prefix))]]
    groupings = _groupings(term.words) if len(term.words) <= EXACT else [[(word,) for word in term.words]]
    allowed = [groups for groups in groupings if all(map(_may_join, groups))]
    return [
        [*map(_joined, groups[:-1]), _joined(groups[-1], is_begun=term.prefix)] for groups in allowed
    ]


def _groupings(words: tuple[str, ...]) -> Iterator[list[tuple[str, ...]]]:
    """Yield every way to cut `words` in groups of neighbours."""
    if not words:
        yield []
    for size in range(1, len(words) + 1):
        for rest in _groupings(words[size:]):
            yield [words[:size], *rest]


def _joined(group: tuple[str, ...], *, is_begun: bool = False) -> Wanted:
    """Return the word that `group` spells.

    Open: a very common word is not found by its halves, but `u.s.` finds *US*. The singular of joined words is not
    looked for with `*`. A word in a phrase is not found in two words that no sign holds together.
    """
    if len(group) == 1:
        return _wanted(group[0], is_begun=is_begun)
    word = "".join(group)
    return Wanted(word, frozenset() if is_begun else _forms(word), (), is_begun, is_acronym=word in _COMMON)


def _wanted(word: str, *, is_begun: bool = False, halves: tuple[tuple[Wanted, Wanted], ...] = ()) -> Wanted:
    """Return a word as typed; one that is begun is also found in its singular, if what is typed is a plural."""
    forms = {singular(word), singular(f"{word}s")} - {word} if is_begun else _forms(word)  # open: `indice*`
    return Wanted(word, frozenset(forms), halves, is_begun)


def _halves(word: str, *, is_begun: bool) -> tuple[tuple[Wanted, Wanted], ...]:
    """Return the pairs of words that spell `word`."""
    pairs = [(word[:at], word[at:]) for at in range(1, len(word))]
    return tuple(
        (_wanted(one), Wanted(other, frozenset() if is_begun else _forms(other), (), is_begun))
        for one, other in pairs
        if _is_half(one) and _is_half(other) and _may_join((one, other))
        if not is_begun or len(other) >= _SHORTEST_BEGUN
    )


def _is_half(word: str) -> bool:
    return word.isdecimal() or (len(word) > 1 and word not in _COMMON)


def _forms(word: str) -> frozenset[str]:
    """Return what a word of a filter finds."""
    forms = {word, singular(word)}
    if word.endswith("us") and len(word) > 3:  # a filter has no capitals: relus may be ReLUs
        forms.add(word[:-1])
    if word.endswith("u") and len(word) > 2:  # open
        forms.add(f"{word}s")
    return frozenset(forms)
