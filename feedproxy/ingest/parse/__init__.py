"""Bytes of a listing in any form in; papers, and skipped entries with their reasons, out.

Opens no file or socket and has no clock. To add a form, add a row to `_FORMS`.
"""

from collections.abc import Callable
from datetime import date, datetime

from feedproxy.errors import ListingError
from feedproxy.ingest.parse import fields
from feedproxy.ingest.parse.fields import EarlyEntry, Entries, InvalidEntry, text_size
from feedproxy.ingest.parse.hub_json import read_html, read_json
from feedproxy.ingest.parse.text_capture import read_text
from feedproxy.model import Listing, Paper, Skipped
from feedproxy.rest import rest
from feedproxy.text import one_line

# Takes a text, its expected day and the latest plausible time; returns its day and its entries.
_Reader = Callable[[str, date | None, datetime | None], tuple[date | None, Entries]]

# The first characters of a form, and its reader; the first row that fits counts.
_FORMS: tuple[tuple[tuple[str, ...], _Reader], ...] = (
    (("[", "{"), read_json),
    (("<",), read_html),
    (("",), read_text),
)


def parse(body: bytes, *, day: date | None = None, latest: datetime | None = None) -> Listing:
    """Read a listing in any form; raises ListingError for bytes that are not a listing.

    A date in the listing overrides `day`; without either, the day of the newest paper counts. Skips unreadable entries,
    and those listed after `latest` (aware). Leaves out entries beyond the limits in `fields`; the last skip says how
    many.
    """
    text = _decode(body).strip().removeprefix("\ufeff").lstrip()
    if not text:
        raise ListingError("the listing is empty")
    read = next(reader for marks, reader in _FORMS if text.startswith(marks))
    day, entries = read(text, day, latest)
    papers: list[Paper] = []
    skipped: list[Skipped] = []
    left_out = size = 0
    is_early = False
    for number, (name, read_paper) in enumerate(entries):
        rest()
        if number >= fields.MAX_ENTRIES or len(papers) >= fields.MAX_PAPERS or size >= fields.MAX_LISTING_BYTES:
            left_out += 1
            continue
        try:
            paper = read_paper()
            paper_size = _check(paper, latest)
            papers.append(paper)
            size += paper_size
        except InvalidEntry as reason:
            is_early |= isinstance(reason, EarlyEntry)
            if len(skipped) < fields.MAX_SKIPPED:
                skipped.append(Skipped(one_line(name, 80) or "an entry without a name", str(reason)))
            else:
                left_out += 1
    newest = max((paper.submitted_at.date() for paper in papers), default=None)
    return Listing(tuple(papers), (*skipped, *surplus(left_out)), day or newest, size=size, is_early=is_early)


def surplus(count: int) -> tuple[Skipped, ...]:
    """Return a note that `count` entries exceed the limits of a listing; nothing for 0."""
    if count <= 0:
        return ()
    papers, skipped, size = fields.MAX_PAPERS, fields.MAX_SKIPPED, fields.MAX_LISTING_BYTES
    limits = f"{papers:,} papers, {skipped:,} unusable entries and {size:,} bytes of text"
    return (Skipped(f"{count:,} more", f"a listing may have {limits}"),)


def require_papers(listing: Listing, prefix: str = "") -> Listing:
    """Return `listing`; raises ListingError if it has entries but none is usable."""
    if listing.skipped and not listing.papers:
        count, reason = len(listing.skipped), listing.skipped[0].reason
        raise ListingError(f"{prefix}none of the {count} entries can be used: {reason}")
    return listing


def _check(paper: Paper, latest: datetime | None) -> int:
    """Return the size of `paper`; raises InvalidEntry if it is too large, or from the future."""
    if latest and paper.submitted_at > latest:
        raise EarlyEntry(f"listed in the future ({paper.submitted_at:%Y-%m-%d})")
    if (size := text_size(paper)) > fields.MAX_PAPER_BYTES:
        raise InvalidEntry(f"has more than {fields.MAX_PAPER_BYTES:,} bytes of text")
    return size


def _decode(body: bytes) -> str:
    if body.startswith(b"\x1f\x8b"):
        raise ListingError("the listing is compressed (gzip): unpack it first")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise ListingError(f"the listing is not UTF-8 (byte {error.start})") from error
