"""Text from outside in, text that is safe to store and show out; and small helpers for sentences."""

import difflib
import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote, urlsplit, urlunsplit

# XML 1.0, section 2.2, forbids C0 controls, surrogates, U+FFFE and U+FFFF, and discourages DEL, C1 and the
# noncharacters; the overrides reorder text on screen. Form feed and the like are white space and may stay.
_UNSAFE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane + 0xFFFE) + chr(plane + 0xFFFF) for plane in range(0, 0x110000, 0x10000))
    + "]"
)
_AUTHORITY = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.ASCII | re.IGNORECASE)
_URL_SAFE = "!$%&'()*+,/:;=?@~"


def one_line(text: str, limit: int) -> str:
    """Return `text` without unsafe characters, on one line, at most `limit` characters long."""
    return _shorten(" ".join(_UNSAFE.sub("", text).split()), limit)


def visible(text: str, limit: int | None = None, also: str = "") -> str:
    """Return `text` with invisible characters, and those in `also`, percent-encoded; cut at `limit` characters."""
    characters = (
        char if char.isprintable() and char not in also else quote(char, "", errors="surrogateescape") for char in text
    )
    line = "".join(characters)
    return _shorten(line, limit) if limit else line


def paragraphs(text: str, limit: int) -> str:
    """Return `text` without unsafe characters: paragraphs on one line each, separated by blank lines."""
    parts = re.split(r"\n\s*\n", _UNSAFE.sub("", text.replace("\r\n", "\n")))
    return _shorten("\n\n".join(filter(None, (" ".join(part.split()) for part in parts))), limit)


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def safe_url(text: str) -> str | None:
    """Return the absolute http(s) address in `text` as a URI (RFC 3986), or None.

    The Hub sends some with a leading space and one with a line feed, which browsers drop
    (https://url.spec.whatwg.org/#concept-basic-url-parser). An address with a user most likely imitates another site
    (RFC 9110, section 4.2.4), so the answer is None.
    """
    address = re.sub(r"[\t\n\r]", "", text.strip())
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    is_hostile = len(address) > 2000 or re.search(r'[\s<>"\\^`{|}]', address) or _UNSAFE.search(address)
    if is_hostile or parts.scheme not in ("http", "https") or not _AUTHORITY.fullmatch(parts.netloc):
        return None
    escaped = (re.sub("%(?![0-9A-Fa-f]{2})", "%25", part) for part in parts[2:])
    return urlunsplit((*parts[:2], *(quote(part, safe=_URL_SAFE) for part in escaped)))


def whole_number(text: str, low: int, high: int) -> int | None:
    """Return the number in `text` if it is ASCII digits and in `low`…`high`."""
    return int(text) if re.fullmatch("[0-9]{1,15}", text) and low <= int(text) <= high else None


def most_similar(name: str, names: Iterable[str]) -> str | None:
    """Return the most similar of `names`, or None."""
    folded = {other.casefold(): other for other in names}
    return next((folded[near] for near in difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.7)), None)


def did_you_mean(name: str, names: Iterable[str], suffix: str = "", prefix: str = "") -> str:
    """Return the end of a sentence that suggests the most similar of `names`, or an empty text."""
    near = most_similar(name, names)
    return f", did you mean {prefix}{near}{suffix}?" if near else ""


def first_ten(names: Sequence[str]) -> str:
    """Return the first ten of `names`, and the number of the others."""
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more


def plural(count: int, noun: str) -> str:
    """Return `count` and `noun`, with an s unless the count is 1."""
    return f"{count} {noun}{'s' * (count != 1)}"
