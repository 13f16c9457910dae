"""Bytes of a listing in any known form in; papers, and what was skipped and why, out.

Opens no file and no socket, and has no clock. The rules about fields come from what the Hub was
seen to send. Adding a form is adding a row to `_FORMS`.
"""

from collections.abc import Callable
from datetime import date, datetime

from feedproxy.errors import ListingError
from feedproxy.ingest.parse.fields import (
    LISTING_SIZE,
    LOOKED_AT,
    PAPER_SIZE,
    PAPERS,
    SKIPS,
    Entries,
    InvalidEntry,
    size_of,
)
from feedproxy.ingest.parse.hub_json import read_html, read_json
from feedproxy.ingest.parse.text_capture import read_text
from feedproxy.model import Listing, Paper, Skipped
from feedproxy.text import one_line

# What reads a text, with the day asked for and the latest time to believe, into its day and its entries.
_Reader = Callable[[str, date | None, datetime | None], tuple[date | None, Entries]]

# What a form begins with, and its reader; the first that fits counts.
_FORMS: tuple[tuple[tuple[str, ...], _Reader], ...] = (
    (("[", "{"), read_json),
    (("<",), read_html),
    (("",), read_text),
)


def parse(body: bytes, *, day: date | None = None, latest: datetime | None = None) -> Listing:
    """Read a listing, recognising its form from the bytes.

    `day` is the listing day that was asked for, if any was; the page's own date overrules it, and
    where neither tells, it is the day of the newest paper. An entry listed after `latest` (aware)
    is skipped, as is each that cannot be read. What exceeds the bounds of a listing (`fields`) is left out, and
    counted in the last of what was skipped.
    Raises ListingError for bytes that are no listing.
    """
    text = _decoded(body).strip().removeprefix("\ufeff").lstrip()
    if not text:
        raise ListingError("the listing is empty")
    read = next(form for marks, form in _FORMS if text.startswith(marks))
    day, entries = read(text, day, latest)
    papers: list[Paper] = []
    skipped: list[Skipped] = []
    left_out = size = 0
    for number, (name, make) in enumerate(entries):
        if number >= LOOKED_AT or len(papers) >= PAPERS or size >= LISTING_SIZE:
            left_out += 1
            continue
        try:
            paper = make()
            if latest and paper.submitted_at > latest:
                raise InvalidEntry(f"listed in the future ({paper.submitted_at:%Y-%m-%d})")
            if (weight := size_of(paper)) > PAPER_SIZE:
                raise InvalidEntry(f"has more than {PAPER_SIZE:,} bytes of text")
            papers.append(paper)
            size += weight
        except InvalidEntry as reason:
            if len(skipped) < SKIPS:
                skipped.append(Skipped(one_line(name, 80) or "an entry without a name", str(reason)))
            else:
                left_out += 1
    skipped += [too_many(left_out)] * bool(left_out)
    newest = max((paper.submitted_at.date() for paper in papers), default=None)
    return Listing(tuple(papers), tuple(skipped), day or newest, size=size)


def too_many(count: int) -> Skipped:
    """Return what is told of `count` entries beyond what a listing may hold."""
    most = f"a listing may have {PAPERS:,} papers, {SKIPS:,} that cannot be used, and {LISTING_SIZE:,} bytes of text"
    return Skipped(f"{count:,} more", most)


def _decoded(body: bytes) -> str:
    if body.startswith(b"\x1f\x8b"):
        raise ListingError("the listing is compressed (gzip): unpack it first")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise ListingError(f"the listing is not UTF-8 (byte {error.start})") from error


def require_papers(listing: Listing, name: str) -> Listing:
    """Return `listing`, or raise ListingError where entries were skipped and none was left."""
    if listing.skipped and not listing.papers:
        reason = listing.skipped[0].reason
        raise ListingError(f"{name}: none of the {len(listing.skipped)} entries can be used: {reason}")
    return listing
