"""Fields of an entry in; clean values, or the reason to skip the entry, out.

All forms of listing share these. The limits are far above anything the Hub has sent so far.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime

from feedproxy.model import Paper
from feedproxy.query.terms import size

MAX_TITLE, MAX_SUMMARY, MAX_NAME = 500, 10_000, 200  # characters; the longest so far: 200, 1,923 and 90
MAX_AI_SUMMARY = 5_000  # characters; the longest so far: 1,319
MAX_AUTHORS, MAX_KEYWORDS, MAX_MEDIA = 2000, 50, 10  # the most so far: 664, 12 and 2
MAX_PAPERS = MAX_SKIPPED = 2000  # of a listing; the most papers so far: 78
MAX_ENTRIES = 10_000  # of a listing; we look at no more
MAX_PAPER_BYTES, MAX_LISTING_BYTES = 2**16, 2**22  # of normalised text; the most so far: about 15 kB and 200 kB
_MAX_COUNT = 2**31 - 1
_MAX_TEXT = 2**18  # characters of a field before it is cleaned and cut
_EARLIEST = datetime(2007, 1, 1, tzinfo=UTC)  # arXiv identifiers of this form begin in 2007

# The entries of a listing: the name of each, and a function that returns its paper or raises InvalidEntry.
Entries = Iterator[tuple[str, Callable[[], Paper]]]


class InvalidEntry(Exception):  # noqa: N818 (a reason, not a failure)
    """The reason to skip an entry; never leaves this package."""


class EarlyEntry(InvalidEntry):
    """The reason is that an entry is from the future: it may be usable one day."""


def text_size(paper: Paper) -> int:
    """Return how many bytes of normalised text `paper` has; exact up to `MAX_PAPER_BYTES`."""
    names = (paper.organization.name, paper.organization.fullname) if paper.organization else ()
    texts = (paper.title, paper.summary, *paper.authors, *names, *paper.ai_keywords, paper.ai_summary or "")
    characters = sum(map(len, texts))
    return characters if characters > MAX_PAPER_BYTES else sum(map(size, texts))


def read_count(value: object, name: str) -> int:
    """Return `value` if it is a whole number in 0…2**31-1."""
    if (count := as_count(value)) is None:
        raise InvalidEntry(f"its {name} is not a count")
    return count


def as_count(value: object) -> int | None:
    """Return `value` if it is a whole number in 0…2**31-1, else None."""
    return value if type(value) is int and 0 <= value <= _MAX_COUNT else None


def read_time(value: object) -> datetime | None:
    """Return the time in `value` as aware UTC to the second; None if it is no time, or before arXiv."""
    try:
        time = datetime.fromisoformat(as_text(value))
        time = (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None
    return time if time >= _EARLIEST else None


def leading_day(text: str) -> date | None:
    """Return the day that `text` begins with, if any."""
    match = re.match(r"\d{4}-\d\d-\d\d", text, re.ASCII)
    start = read_time(match[0]) if match else None
    return start.date() if start else None


def as_text(value: object) -> str:
    """Return `value` if it is text, else an empty text; not more of it than can be cleaned in a moment."""
    return value[:_MAX_TEXT] if isinstance(value, str) else ""
