"""Fields of an entry in; clean values, or the reason why it cannot be used, out.

What every form of listing shares; the limits are far above anything the Hub was seen to send.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time

from feedproxy.model import Paper
from feedproxy.query.terms import size

TITLE, SUMMARY, NAME = 500, 10_000, 200  # characters; the longest seen: 200, 1,923 and 90
AUTHORS, KEYWORDS = 2000, 50  # the most seen: 664 and 12
PAPERS = SKIPS = 2000  # of one listing; the most papers seen: 78
LOOKED_AT = 10_000  # entries of one listing
PAPER_SIZE, LISTING_SIZE = 2**16, 2**22  # bytes of normalised text; the most seen: about 15 kB and 200 kB
_COUNT = 2**31 - 1
_EARLIEST = datetime(2007, 1, 1, tzinfo=UTC)  # arXiv identifiers of this form begin in 2007


class InvalidEntry(Exception):  # noqa: N818 (a reason, not a failure)
    """Why one entry cannot be used; never leaves this package."""


def size_of(paper: Paper) -> int:
    """Return the bytes of normalised text of `paper`, at least, and no less than `PAPER_SIZE` if there are more."""
    names = (paper.organization.name, paper.organization.fullname) if paper.organization else ()
    texts = (paper.title, paper.summary, *paper.authors, *names, *paper.ai_keywords)
    plain = sum(map(len, texts))
    return plain if plain > PAPER_SIZE else sum(map(size, texts))


# A listing's entries one by one: what to call it, and what makes a paper of it or raises Unusable.
Entries = Iterator[tuple[str, Callable[[], Paper]]]


def count(value: object, name: str) -> int:
    """Return `value` if it is a count of something, in 0…2**31-1."""
    if type(value) is not int or not 0 <= value <= _COUNT:
        raise InvalidEntry(f"its {name} is no count")
    return value


def moment(value: object) -> datetime | None:
    """Return the time in `value` as aware UTC to the second; None if it is none, or one no listing can have."""
    try:
        found = datetime.fromisoformat(text_of(value))
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None
    return found if found >= _EARLIEST else None


def day_of(text: str) -> date | None:
    """Return the day that `text` begins with, if there is one and no listing is older."""
    found = re.match(r"\d{4}-\d\d-\d\d", text, re.ASCII)
    begins = moment(found[0]) if found else None
    return begins.date() if begins else None


def midnight(day: date) -> datetime:
    """Return the first moment of `day`, UTC."""
    return datetime.combine(day, time(), UTC)


def text_of(value: object) -> str:
    """Return `value` if it is text, else nothing."""
    return value if isinstance(value, str) else ""
