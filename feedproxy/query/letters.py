"""Text in, the same text in the letters that people type out: `lukasz` for Łukasz, `tau` for τ. Keeps capitals."""

import re
import unicodedata
from functools import lru_cache

_INVISIBLE = ("Mn", "Mc", "Me", "Cf")  # accents, and characters without a width, such as the soft hyphen
# Letters that no Unicode form decomposes, as people type them.
_LETTERS = {
    "Æ": "AE", "æ": "ae", "Œ": "OE", "œ": "oe", "Ð": "D", "ð": "d", "Þ": "TH", "þ": "th", "ı": "i", "Ŋ": "N", "ŋ": "n",
    "ĸ": "k", "ẞ": "SS", "ß": "ss", "ə": "e", "Ə": "E", "×": "x",
}  # fmt: skip
_STROKE = re.compile("LATIN (SMALL|CAPITAL) LETTER ([A-Z]) WITH ")  # ł, ø, đ, ħ
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_GREEK = "Α-ΡΣ-Ωα-ω"
_LONE_GREEK = re.compile(f"(?<![{_GREEK}])[{_GREEK}](?![{_GREEK}])")  # a symbol; other words may be Greek


def plain_text(text: str) -> str:
    """Return `text` compatibility-decomposed, in ASCII letters where there are some, without invisible characters."""
    return _LONE_GREEK.sub(_greek_name, _NOT_ASCII.sub(lambda char: _plain(char[0]), text))


def plain_text_with_places(text: str) -> tuple[str, list[int]]:
    """Return the plain `text`, and the place in `text` of each of its characters and of its end."""
    parts = [_plain(char) for char in text]
    places = [at for at, part in enumerate(parts) for _ in part]
    chars = list("".join(parts))
    for match in _LONE_GREEK.finditer("".join(parts)):
        chars[match.start()] = _greek_name(match)
    return "".join(chars), [at for at, char in zip(places, chars, strict=True) for _ in char] + [len(text)]


def _greek_name(match: re.Match[str]) -> str:
    return unicodedata.name(match[0]).rpartition(" ")[2].lower().replace("lamda", "lambda")


@lru_cache(4096)
def _plain(char: str) -> str:
    parts = (part for part in unicodedata.normalize("NFKD", char) if unicodedata.category(part) not in _INVISIBLE)
    return "".join(map(_plain_letter, parts))


def _plain_letter(char: str) -> str:
    if char.isascii() or char in _LETTERS:
        return _LETTERS.get(char, char)
    stroke = _STROKE.match(unicodedata.name(char, ""))
    if stroke:
        return stroke[2] if stroke[1] == "CAPITAL" else stroke[2].lower()
    small = char.casefold()
    return char if small == char or len(small) > 1 else _plain_letter(small).upper()  # names of capitals can differ
