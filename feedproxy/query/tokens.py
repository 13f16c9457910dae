"""The text of a filter in, its tokens out, each with its place; and the signs in a word that it could mean.

Knows no fields and no order: `feedproxy.query.grammar` makes a filter of the tokens.
"""

import re
import unicodedata
from dataclasses import dataclass

from feedproxy.text import visible

OPERATORS = ("and", "or", "not")

# Keyboards and other scripts put these in place of ASCII; one character each, so that positions stay the same.
_TYPOGRAPHIC = str.maketrans(
    dict.fromkeys("“”„‟«»″〝〞「」『』", '"') | dict.fromkeys("‐‑‒–—―−⁻", "-") | dict.fromkeys("‘’‚′", "'") | {"∗": "*"}
)
_DASH = re.compile(r"(?<=\w)[—―](?=\w)")  # a break in a sentence: they see—or guess
# A colon at the end of a word, phrase or group is punctuation; `label` may still be a field.
_TOKEN = re.compile(
    r"""(?P<space>\s+|(?<=[^\s(:-]):(?=\s|\Z)) | (?P<open>\() | (?P<close>\)) | (?P<minus>-)
      | (?P<quoted>"[^"]*"\*?) | (?P<unclosed>".*)
      | (?P<label>[^\W\d_]+:(?=\s|\Z)) | (?P<field>[^\W\d_]+:) | (?P<word>[^\s"():]+) | (?P<colon>:)""",
    re.VERBOSE | re.DOTALL,
)

# Signs that mean something in other languages, and what to write instead. To ignore them would be a guess; an error can
# become a feature later. Not among them: one sign between letters or digits (`R^2`), `1,000`, `c++`, `c#`.
_MISTAKES = (
    (r"\*+", "“{}” stands only at the end of a word or behind a phrase"),
    (r"^[!¬]+", "“{}” means nothing here; to exclude, write -"),
    (r"^'+", "“{}” means nothing here; for a phrase, use double quotation marks"),
    (r"\|+|&&+|;+|(?<!\d),+|,+(?!\d)", "“{}” means nothing here; for both leave a space, for either write OR"),
    (
        r"[~<>={}\[\]\\]+|\^{2,}|(?<!\w)\^|\^(?!\w)|\?(?=\w)|\+{3,}|#{2,}|\+#|#\+|(?<=\w)#(?=\w)|[\x00-\x1f\x7f-\x9f]+",
        "“{}” means nothing here",
    ),
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a filter: its kind is an operator or a name in `_TOKEN`, or `end`."""

    kind: str
    text: str
    at: int


def read_tokens(text: str) -> list[Token]:
    """Return the tokens of `text`; the last one is the end."""
    tokens = []
    for match in _TOKEN.finditer(to_ascii(text)):
        kind, word = str(match.lastgroup), match[0].casefold()
        if kind != "space":
            tokens.append(Token(word if kind == "word" and word in OPERATORS else kind, match[0], match.start()))
    return [*tokens, Token("end", "", len(text))]


def to_ascii(text: str) -> str:
    """Return `text` with ASCII in place of typographic and full-width characters, at the same positions."""
    text = _DASH.sub(" ", text)
    single = (unicodedata.normalize("NFKC", char) for char in text.translate(_TYPOGRAPHIC))
    return "".join(new if len(new) == 1 and new.isascii() else char for new, char in zip(single, text, strict=True))


def misplaced_signs(word: str) -> list[tuple[int, str]]:
    """Return the place in `word`, and the advice, for each sign that means nothing there."""
    return [
        (match.start(), advice.format(visible(match[0], 20)))
        for pattern, advice in _MISTAKES
        for match in re.finditer(pattern, word)
    ]
