"""Text from outside in; text safe to keep, or the words a search compares, out.

Knows neither papers nor queries, so that both are normalised by the same code.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import quote, urlsplit

# What XML 1.0 section 2.2 forbids (C0 controls, surrogates, U+FFFE, U+FFFF), what it discourages
# (DEL, C1, the noncharacters), and the overrides that make text display in another order.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane + 0xFFFE) + chr(plane + 0xFFFF) for plane in range(0, 0x110000, 0x10000))
    + "]"
)
_WORD = re.compile(r"[^\W_]+")
_URL_SAFE = "!#$%&'()*+,/:;=?@[]~"

# Words of the field that the suffix rules would part from their plural.
_IRREGULAR = {"bias": "bias", "biases": "bias", "lens": "lens", "lenses": "lens"} | {
    f"{kind}pus": f"{kind}pu" for kind in "cdgntx"
}


def one_line(text: str, limit: int) -> str:
    """Return `text` without unsafe characters, on one line, at most `limit` characters long."""
    return _shortened(" ".join(_UNSAFE.sub("", text).split()), limit)


def paragraphs(text: str, limit: int) -> str:
    """Return `text` likewise, its paragraphs (set off by blank lines) joined by one blank line."""
    found = re.split(r"\n\s*\n", _UNSAFE.sub("", text.replace("\r\n", "\n")))
    return _shortened("\n\n".join(filter(None, (" ".join(part.split()) for part in found))), limit)


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def web_address(text: str) -> str | None:
    """Return the absolute http(s) address in `text` as a URI (RFC 3986), or None if it holds none.

    The Hub sends some with a leading space (UPSTREAM.md).
    """
    address = text.strip()
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return None
    hostile = len(address) > 2000 or re.search(r'[\s<>"\\^`{|}]', address) or _UNSAFE.search(address)
    if parts.scheme not in ("http", "https") or not host.isascii() or not host or hostile:
        return None
    return quote(address, safe=_URL_SAFE)


def words(text: str) -> list[str]:
    """Return the words of `text`: compatibility-decomposed, casefolded, without accents.

    Everything that is neither a letter nor a digit parts words.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
        text = "".join(char for char in text if unicodedata.category(char)[0] != "M")
    return _WORD.findall(text.casefold())


def singular(word: str) -> str:
    """Return `word` with its English plural folded; folding twice changes nothing.

    Harman's S-stemmer ("How effective is suffixing?", JASIS 42, 1991): the first rule whose
    suffix fits decides. Added: -sses, -xes, -ches, -shes, -zes, and the words in `_IRREGULAR`.
    """
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) < 3 or not word.endswith("s"):
        return word
    if word.endswith(("sses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        return word[:-1]
    return word if word.endswith(("us", "ss")) else word[:-1]


def search_words(text: str) -> list[str]:
    """Return the words of `text` as the search index holds them."""
    return [singular(word) for word in words(text)]


def similar(name: str, known: Iterable[str], suffix: str = "") -> str:
    """Return the end of a sentence that suggests the one of `known` most like a misspelt `name`, or nothing."""
    close = difflib.get_close_matches(name.casefold(), list(known), n=1)
    return f", did you mean {close[0]}{suffix}?" if close else ""
