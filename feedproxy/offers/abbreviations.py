"""A text in; the abbreviations that it defines, each with its long form, out. Pure.

The rules are those of Schwartz and Hearst ("A simple algorithm for identifying abbreviation definitions in biomedical
text", Pacific Symposium on Biocomputing 8, 2003): each letter of the short form stands in the long form, in this order,
and the first one begins a word. They take the shortest such text, which loses the first word of `proximal policy
optimization (PPO)`; so we look first for words with these initials.
"""

import re
from collections.abc import Iterator

_MAX_SHORT, _MAX_LONG = 10, 100  # characters
_IN_PARENTHESES = re.compile(rf"\s\(([^()]{{2,{_MAX_LONG}}})\)")
_SHORT = re.compile(rf"(?=\S*[A-Z])[^\W_][\w-]{{1,{_MAX_SHORT - 1}}}")
_WORD = re.compile(r"[^\W_]+")
_CLAUSE = re.compile(r"[()]|[.;:]\s")
_LAST_WORD = re.compile(r"\S+\Z")
_PLURAL = re.compile(r"(?<=[A-Z])s\Z")


def definitions(text: str) -> Iterator[tuple[str, str]]:
    """Yield each short form in `text` with its long form, which stands before it or behind it in parentheses."""
    for match in _IN_PARENTHESES.finditer(text):
        inside = re.split("[;,]", match[1])[0].strip()
        before = _CLAUSE.split(text[max(0, match.start() - _MAX_LONG) : match.start()])[-1]
        word = _LAST_WORD.search(before)
        if _SHORT.fullmatch(inside):
            short, candidate = inside, before
        elif word and _SHORT.fullmatch(word[0]):
            short, candidate = word[0], inside
        else:
            continue
        long = _long_form(_PLURAL.sub("", short), candidate)
        if long and (candidate is before or long == inside):
            yield short, long


def _long_form(short: str, text: str) -> str | None:
    """Return the end of `text` that `short` abbreviates, or None."""
    letters = [char for char in short.casefold() if char.isalnum()]
    words = list(_WORD.finditer(text))[-len(letters) :]
    if [word[0][0].casefold() for word in words] == letters and not text[: words[0].start()].endswith("-"):
        return text[words[0].start() :]
    start = _start(letters, text.casefold())
    if start is None or len(text.casefold()) != len(text):  # some capitals fold into two letters
        return None
    long = text[start:]
    most = min(len(letters) + 5, 2 * len(letters))  # words
    is_longer = len(long) > len(short) and short.casefold() not in long.casefold().split()
    return long if is_longer and len(long.split()) <= most else None


def _start(letters: list[str], text: str) -> int | None:
    """Return where the shortest end of `text` with all `letters` starts, at a word, or None."""
    at = len(text)
    for letter in reversed(letters[1:]):
        at = text.rfind(letter, 0, at)
        if at < 0:
            return None
    starts = [word.start() for word in re.finditer(rf"(?<!\S){re.escape(letters[0])}", text[:at])]
    return starts[-1] if starts else None
