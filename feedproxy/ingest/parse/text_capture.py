"""The page as text copied from a browser in; entries out.

Such a text has no ids, no names of authors and no upvotes; its number is that of the comments.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial

from feedproxy.errors import ListingError
from feedproxy.ingest.parse.fields import NAME, SUMMARY, TITLE, Entries, InvalidEntry, midnight
from feedproxy.model import Organization, Paper
from feedproxy.query.terms import words
from feedproxy.text import one_line, paragraphs

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HEADING = "Daily Papers"
_BYLINE = re.compile(r"\s*• (\d[\d,]{0,8}) authors?\s*")
_DATED = re.compile(r"\s*([A-Z][a-z]{2}) (\d{1,2}), (\d{4})(.*)")
_NUMBER = re.compile(r"\d[\d,]{0,8}")
_HEADER_DAY = re.compile(r"\s*([A-Z][a-z]{2}) (\d{1,2})\s*")


@dataclass(slots=True)
class _Block:
    """The lines of one paper in a text capture: what stands before its byline, and after."""

    lines: list[str]
    byline: str
    dated: re.Match[str] | None
    latest: datetime | None

    def published_at(self) -> datetime:
        if not self.dated:
            raise InvalidEntry("has no date")
        month, day, year, _ = self.dated.groups()
        try:
            published = datetime(int(year), _MONTHS.index(month) + 1, int(day), tzinfo=UTC)
        except ValueError:
            raise InvalidEntry(f"“{month} {day}, {year}” is no date") from None
        if self.latest and published > self.latest:
            raise InvalidEntry(f"published in the future ({published:%Y-%m-%d})")
        return published

    def comments(self) -> int:
        number = self.dated[4].strip() if self.dated else ""
        if number and not _NUMBER.fullmatch(number):
            raise InvalidEntry(f"“{one_line(number, 40)}” is no number of comments")
        return int(number.replace(",", "") or 0)


def read_text(text: str, day: date | None, latest: datetime | None) -> tuple[date | None, Entries]:
    """Read the page as copied from a browser: paper by paper, up to the `·` and its date.

    A header may stand before the first paper and name the day, without a year.
    """
    blocks = list(_text_blocks([line for line in text.splitlines() if line.strip()], latest))
    newest = _newest_published(blocks)
    header = _header_length(blocks[0].lines)
    named = _HEADER_DAY.fullmatch(blocks[0].lines[header - 1]) if header else None
    day = _header_day(named, newest) or day or newest
    del blocks[0].lines[:header]
    titles: dict[str, str] = {}
    return day, ((block.lines[0] if block.lines else "", partial(_text_paper, block, day, titles)) for block in blocks)


def _text_blocks(lines: list[str], latest: datetime | None) -> Iterator[_Block]:
    """Yield what ends in a `·` with a date below it, or at least a number of authors above it."""
    start = 0
    for at, line in enumerate(lines):
        dated = _DATED.fullmatch(lines[at + 1]) if at + 1 < len(lines) else None
        if line.strip() == "·" and at > start and (dated or _BYLINE.fullmatch(lines[at - 1])):
            yield _Block(lines[start : at - 1], lines[at - 1], dated, latest)
            start = at + 2 if dated else at + 1


def _header_length(lines: list[str]) -> int:
    """Return how many lines stand before the first paper: up to the last that is only a day.

    Where none is, there is no header, or one known by its heading: then all lines but the two
    (a title and an abstract) that a paper has at least.
    """
    days = [at for at, line in enumerate(lines) if _HEADER_DAY.fullmatch(line)]
    if days:
        return days[-1] + 1
    return max(0, len(lines) - 2) if _HEADING in map(str.strip, lines) else 0


def _newest_published(blocks: list[_Block]) -> date:
    times = []
    for block in blocks:
        try:
            times.append(block.published_at())
        except InvalidEntry:
            continue
    if not times:
        raise ListingError("this text is no listing: no paper of it ends in “·” and a date")
    return max(times).date()


def _header_day(named: re.Match[str] | None, newest: date) -> date | None:
    """Return the first day so named that is not before the newest paper (29 February included)."""
    if not named or named[1] not in _MONTHS:
        return None
    for year in range(newest.year, min(newest.year + 9, 10_000)):
        try:
            day = date(year, _MONTHS.index(named[1]) + 1, int(named[2]))
        except ValueError:
            continue
        if day >= newest:
            return day
    return None


def _text_paper(block: _Block, day: date, titles: dict[str, str]) -> Paper:
    """Return the paper in `block`; `titles` are those before it by id, which another title must not share."""
    if len(block.lines) < 2:
        raise InvalidEntry("has no abstract")
    title = one_line(block.lines[0], TITLE)
    if not words(title):
        raise InvalidEntry("its title holds no letter")
    key = "-".join(words(title))
    byline = _BYLINE.fullmatch(block.byline)
    paper = Paper(
        id=key,
        title=title,
        summary=paragraphs("\n\n".join(block.lines[1:]), SUMMARY),
        submitted_at=midnight(day),
        published_at=block.published_at(),
        author_count=int(byline[1].replace(",", "")) if byline else 0,
        comments=block.comments(),
        organization=None if byline else _credited(block.byline),
    )
    if (other := titles.setdefault(key, title)) != title:
        raise InvalidEntry(f"its title has the same words as “{one_line(other, 80)}”, and a text has no ids")
    return paper


def _credited(byline: str) -> Organization | None:
    """Return the organization in `byline`: its account, a space, the name it goes by."""
    account, _, fullname = one_line(byline, 2 * NAME).partition(" ")
    return Organization(account, fullname or account) if account else None
