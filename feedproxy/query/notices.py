"""A filter in, as it was typed; out, what it means and its writer may not mean. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from feedproxy.query.grammar import in_quotation_marks
from feedproxy.query.parameters import encoded
from feedproxy.query.tokens import Token, read_tokens
from feedproxy.text import visible

_MIN_WORDS = 3  # beside the operators; in fewer the operator is meant
_MAX_NOTICES = 3


@dataclass(frozen=True, slots=True)
class Notice:
    """What a part of a filter means, and the filter `suggestion` that means the other thing."""

    message: str
    suggestion: str

    def __str__(self) -> str:
        return f"{self.message}: q={encoded(self.suggestion)}"


def notices(text: str) -> list[Notice]:
    """Return what to tell the writer of a filter without mistakes."""
    tokens = read_tokens(text)
    return [*_small_operators(text, tokens), *_quoted_stars(text, tokens)][:_MAX_NOTICES]


def _small_operators(text: str, tokens: list[Token]) -> Iterator[Notice]:
    """Yield a notice for each small `not` and `or` in what looks like a text rather than a filter."""
    phrase = in_quotation_marks(text)
    words = [token for token in tokens if token.kind in ("word", "quoted", "label")]
    kinds = {token.kind for token in tokens}
    is_filter = kinds & {"minus", "field"} or {"and", "or"} <= kinds  # `rl and agents or tools`
    if not phrase or is_filter or len(words) < _MIN_WORDS:
        return
    advice = "put the text in quotation marks to search for it as it is"
    for token, after in pairwise(tokens):
        if token.kind == "not":
            part = "the group behind it" if after.kind == "open" else "“{}”".format(visible(after.text.strip('":'), 40))
            yield Notice(f"“{token.text}” excludes {part} here; {advice}", phrase)
        elif token.kind == "or":
            yield Notice(f"“{token.text}” finds what matches either side of it here; {advice}", phrase)


def _quoted_stars(text: str, tokens: list[Token]) -> Iterator[Notice]:
    """Yield a notice for each phrase that ends in a star, where prefixes of other languages have it."""
    for token in tokens:
        if token.kind == "quoted" and re.search(r'\w\*"$', token.text):
            advice = f'{text[: token.at]}{token.text[:-2]}"*{text[token.at + len(token.text) :]}'
            yield Notice("“*” in quotation marks is a sign like others; for words that begin so, put it behind", advice)
