"""A text that is no filter in; the filter that its writer may mean, out. Pure."""

import re

from feedproxy.query.grammar import FIELDS, MAX_CHARACTERS, in_quotation_marks, is_filter
from feedproxy.query.terms import words
from feedproxy.query.tokens import to_ascii
from feedproxy.text import most_similar

_FEW = 3  # words; a longer text is rather a title
_QUOTED = re.compile('("[^"]*")')
# What other languages write, and what it is here; a sign between letters or digits, such as `q&a` or `1,000`, stays.
_SIGNS = (
    (re.compile(r"\|+"), " OR "),
    (re.compile(r"(?<!\S)[!¬]+(?=\w)"), "-"),
    (re.compile(r"&&+|(?<!\S)&(?!\S)|;+|(?<!\d),+|,+(?!\d)"), " "),
)
_FIELD = re.compile(r"\b([^\W\d_]+):(?=\S)")


def meant_filter(text: str) -> str | None:
    """Return what `text`, which is no filter, may mean: a short one without its mistakes, or a phrase; or None."""
    if len(text) > MAX_CHARACTERS:
        return None
    repaired, phrase = _repaired(text), in_quotation_marks(text)
    is_short = len(words(text)) <= _FEW or _with_fields(text) != text
    return (repaired or phrase) if is_short else (phrase or repaired)


def _repaired(text: str) -> str | None:
    pieces = _QUOTED.split(to_ascii(text))
    pieces[::2] = map(_without_signs, pieces[::2])
    repaired = _with_fields(" ".join("".join(pieces).split()))
    return repaired if is_filter(repaired) else None


def _without_signs(text: str) -> str:
    for sign, ours in _SIGNS:
        text = sign.sub(ours, text)
    return text


def _with_fields(text: str) -> str:
    """Return `text` with the field that may be meant in place of one that does not exist: title for titel."""
    return _FIELD.sub(lambda match: f"{most_similar(match[1], (*FIELDS, 'has')) or match[1]}:", text)
