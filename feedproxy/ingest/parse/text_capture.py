"""The text of the page, copied from a browser, in; entries out.

Such a text has no ids, no author names and no upvotes; its number counts the comments. A paper in it:

    Title
    Abstract, in one or more lines
    • 3 authors                 or: account Full Name of the organization
    ·
    Mar 8, 2026 4               the date, and the number of comments if there are any
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial

from feedproxy.errors import ListingError
from feedproxy.ingest.parse import fields
from feedproxy.ingest.parse.fields import EarlyEntry, Entries, InvalidEntry
from feedproxy.model import Organization, Paper
from feedproxy.periods import midnight
from feedproxy.text import one_line, paragraphs

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HEADING = "Daily Papers"
_AUTHOR_COUNT = re.compile(r"\s*• (\d[\d,]{0,8}) authors?\s*")
_DATE_LINE = re.compile(r"\s*([A-Z][a-z]{2}) (\d{1,2}), (\d{4})(.*)")
_NUMBER = re.compile(r"\d[\d,]{0,8}")
_HEADER_DAY = re.compile(r"\s*([A-Z][a-z]{2}) (\d{1,2})\s*")


@dataclass(slots=True)
class _Block:
    """One paper: the lines before its byline, the byline, and its date line if that is readable."""

    lines: list[str]
    byline: str
    date_line: re.Match[str] | None
    latest: datetime | None

    def published_at(self) -> datetime:
        if not self.date_line:
            raise InvalidEntry("has no date")
        month, day, year, _ = self.date_line.groups()
        try:
            published = datetime(int(year), _MONTHS.index(month) + 1, int(day), tzinfo=UTC)
        except ValueError:
            raise InvalidEntry(f"“{month} {day}, {year}” is not a date") from None
        if self.latest and published > self.latest:
            raise EarlyEntry(f"published in the future ({published:%Y-%m-%d})")
        return published

    def comments(self) -> int:
        number = self.date_line[4].strip() if self.date_line else ""
        if number and not _NUMBER.fullmatch(number):
            raise InvalidEntry(f"“{one_line(number, 40)}” is not a number of comments")
        return int(number.replace(",", "") or 0)


def read_text(text: str, day: date | None, latest: datetime | None) -> tuple[date | None, Entries]:
    """Read the text of the page; a header before the first paper may name the day, without a year."""
    blocks = list(_blocks([line for line in text.splitlines() if line.strip()], latest))
    newest = _newest_published(blocks)
    header = _header_length(blocks[0].lines)
    header_day = _HEADER_DAY.fullmatch(blocks[0].lines[header - 1]) if header else None
    day = (_first_such_day(header_day, newest) if header_day else None) or day or newest
    del blocks[0].lines[:header]
    titles: dict[str, str] = {}
    return day, ((block.lines[0] if block.lines else "", partial(_paper, block, day, titles)) for block in blocks)


def _blocks(lines: list[str], latest: datetime | None) -> Iterator[_Block]:
    """Yield a block for each `·` with a date below it, or with a number of authors above it."""
    start = 0
    for at, line in enumerate(lines):
        date_line = _DATE_LINE.fullmatch(lines[at + 1]) if at + 1 < len(lines) else None
        if line.strip() == "·" and at > start and (date_line or _AUTHOR_COUNT.fullmatch(lines[at - 1])):
            yield _Block(lines[start : at - 1], lines[at - 1], date_line, latest)
            start = at + 2 if date_line else at + 1


def _newest_published(blocks: list[_Block]) -> date:
    times = []
    for block in blocks:
        try:
            times.append(block.published_at())
        except InvalidEntry:
            continue
    if not times:
        raise ListingError("this text is not a listing: no paper in it ends in “·” and a date")
    return max(times).date()


def _header_length(lines: list[str]) -> int:
    """Return the number of lines before the first paper: up to the last line that is only a day.

    Without such a line, if there is the heading: all but the last two lines, as a paper has a title and an abstract.
    """
    days = [at for at, line in enumerate(lines) if _HEADER_DAY.fullmatch(line)]
    if days:
        return days[-1] + 1
    return max(0, len(lines) - 2) if _HEADING in map(str.strip, lines) else 0


def _first_such_day(month_and_day: re.Match[str], newest: date) -> date | None:
    """Return the first such day on or after `newest`; 29 February may be years later."""
    month, day = month_and_day.groups()
    for year in range(newest.year, min(newest.year + 9, 10_000)):
        try:
            candidate = date(year, _MONTHS.index(month) + 1, int(day))
        except ValueError:
            continue
        if candidate >= newest:
            return candidate
    return None


def _paper(block: _Block, day: date, titles: dict[str, str]) -> Paper:
    """Return the paper in `block`; `titles` maps ids to earlier titles, as two titles must not share an id."""
    if len(block.lines) < 2:
        raise InvalidEntry("has no abstract")
    title = one_line(block.lines[0], fields.MAX_TITLE)
    if not (id_ := _id_of(title)):
        raise InvalidEntry("its title has no letter or digit")
    author_count = _AUTHOR_COUNT.fullmatch(block.byline)
    paper = Paper(
        id=id_,
        title=title,
        summary=paragraphs("\n\n".join(block.lines[1:]), fields.MAX_SUMMARY),
        submitted_at=midnight(day),
        published_at=block.published_at(),
        author_count=int(author_count[1].replace(",", "")) if author_count else 0,
        comments=block.comments(),
        organization=None if author_count else _organization(block.byline),
    )
    if (other := titles.setdefault(id_, title)) != title:
        raise InvalidEntry(f"its title has the same words as “{one_line(other, 80)}”, and a text has no ids")
    return paper


def _id_of(title: str) -> str:
    """Return the words of `title` with hyphens. An id must never change, so these are not the words of a search."""
    letters = "".join(char for char in unicodedata.normalize("NFKD", title) if not unicodedata.combining(char))
    return "-".join(re.findall(r"[^\W_]+", letters.replace("\N{SOFT HYPHEN}", "").casefold()))


def _organization(byline: str) -> Organization | None:
    account, _, fullname = one_line(byline, 2 * fields.MAX_NAME).partition(" ")
    return Organization(account, fullname or account) if account else None
