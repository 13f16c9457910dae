"""The page as text copied from a browser in; entries out.

Such a text has no ids, no names of authors and no upvotes; its number is that of the comments.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from feedproxy.errors import ListingError
from feedproxy.listing.fields import NAME, SUMMARY, TITLE, Entries, Unusable, midnight
from feedproxy.papers import Organization, Paper
from feedproxy.words import one_line, paragraphs, words

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_BYLINE = re.compile(r"\s*• ([\d,]{1,9}) authors?")
_DATED = re.compile(r"([A-Z][a-z]{2}) (\d{1,2}), (\d{4})(?: ([\d,]{1,9}))?")
_HEADER_DAY = re.compile(r"([A-Z][a-z]{2}) (\d{1,2})")


@dataclass(slots=True)
class _Block:
    """The lines of one paper in a text capture: what stands before its byline, and after."""

    lines: list[str]
    byline: str
    dated: re.Match[str]

    def published_at(self) -> datetime:
        month, day, year, _ = self.dated.groups()
        try:
            return datetime(int(year), _MONTHS.index(month) + 1, int(day), tzinfo=UTC)
        except ValueError:
            raise Unusable(f"“{self.dated[0]}” is no date") from None


def read_text(text: str, day: date | None) -> tuple[date | None, Entries]:
    """Read the page as copied from a browser: paper by paper, up to the `·` and its date.

    A header may stand before the first paper and name the day, without a year.
    """
    blocks = list(_text_blocks([line for line in text.splitlines() if line.strip()]))
    if not blocks:
        raise ListingError("this text is no listing: no paper of it ends in “·” and a date")
    header = _header_length(blocks[0].lines)
    named = _HEADER_DAY.fullmatch(blocks[0].lines[header - 1]) if header else None
    day = _header_day(named, blocks) or day or _newest_published(blocks)
    del blocks[0].lines[:header]
    return day, _text_entries(blocks, day)


def _text_entries(blocks: list[_Block], day: date) -> Entries:
    for block in blocks:
        yield block.lines[0] if block.lines else "", lambda block=block: _text_paper(block, day)  # type: ignore[misc]


def _text_blocks(lines: list[str]) -> Iterator[_Block]:
    start = 0
    for at, line in enumerate(lines[:-1]):
        dated = _DATED.fullmatch(lines[at + 1].strip())
        if line.strip() == "·" and dated and at > start:
            yield _Block(lines[start : at - 1], lines[at - 1], dated)
            start = at + 2


def _header_length(lines: list[str]) -> int:
    """Return how many lines stand before the first paper: up to the last that is only a day.

    Where none is, all but the two (a title and an abstract) that a paper has at least.
    """
    days = [at for at, line in enumerate(lines) if _HEADER_DAY.fullmatch(line)]
    return days[-1] + 1 if days else max(0, len(lines) - 2)


def _newest_published(blocks: list[_Block]) -> date:
    times = []
    for block in blocks:
        try:
            times.append(block.published_at())
        except Unusable:
            continue
    if not times:
        raise ListingError("this text is no listing: no paper of it has a date")
    return max(times).date()


def _header_day(named: re.Match[str] | None, blocks: list[_Block]) -> date | None:
    """Return the first day so named that is not before the newest paper (29 February included)."""
    if not named or named[1] not in _MONTHS:
        return None
    newest = _newest_published(blocks)
    for year in range(newest.year, min(newest.year + 9, 10_000)):
        try:
            day = date(year, _MONTHS.index(named[1]) + 1, int(named[2]))
        except ValueError:
            continue
        if day >= newest:
            return day
    return None


def _text_paper(block: _Block, day: date) -> Paper:
    if len(block.lines) < 2:
        raise Unusable("has no abstract")
    title = one_line(block.lines[0], TITLE)
    if not words(title):
        raise Unusable("its title holds no letter")
    byline = _BYLINE.fullmatch(block.byline.rstrip())
    comments = int((block.dated[4] or "0").replace(",", ""))
    return Paper(
        id="-".join(words(title)),
        title=title,
        summary=paragraphs("\n\n".join(block.lines[1:]), SUMMARY),
        submitted_at=midnight(day),
        published_at=block.published_at(),
        author_count=int(byline[1].replace(",", "") or 0) if byline else 0,
        comments=comments,
        organization=None if byline else _credited(block.byline),
    )


def _credited(byline: str) -> Organization | None:
    """Return the organization in `byline`: its account, a space, the name it goes by."""
    account, _, fullname = one_line(byline, 2 * NAME).partition(" ")
    return Organization(account, fullname or account) if account else None
