"""The Hub as a source: one listing per day, from the API, or from the page if the API fails."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from feedproxy.errors import FeedproxyError, ListingError, UpstreamError
from feedproxy.ingest.http import Fetcher, StatusError, Turn
from feedproxy.ingest.parse import parse, require_papers, surplus
from feedproxy.ingest.parse.fields import MAX_LISTING_BYTES, MAX_PAPERS
from feedproxy.ingest.schedule import MAX_LEAD, ListingDays, ListingRequest, due_days, next_due
from feedproxy.model import Listing, Paper, Skipped

log = logging.getLogger(__name__)
_MAX_PAGES = 20
_PAGE_SIZE = 100  # papers; the Hub sends no more
_MAX_FAILURES = 3  # days in a row
_CLOCK_ERROR = timedelta(minutes=30)


class Hub:
    """The Hub, or a mirror of it, behind `fetcher`."""

    has_all_days = False

    def __init__(self, fetcher: Fetcher) -> None:
        self.name = fetcher.name
        self._fetcher = fetcher
        self._failures = 0  # days in a row

    def keep_pace(self, turn: Turn) -> None:
        """Wait for a turn before each request."""
        self._fetcher.turn = turn

    def due(self, days: ListingDays, now: datetime, *, force: bool = False) -> list[list[ListingRequest]]:
        """Return the listings to get now, in batches for one transaction each."""
        batches = due_days(days, now, force=force)
        return [
            [ListingRequest(day, days[day].validator if day in days else None) for day in batch] for batch in batches
        ]

    def next_due(self, days: ListingDays, now: datetime) -> datetime:
        """Return when the next day is due."""
        return next_due(days, now)

    def get(self, request: ListingRequest, now: datetime) -> Listing:
        """Get a day's listing from the API, or from the page if the API fails.

        Raises ListingError if one day fails, so that others go on, and UpstreamError after several days in a row.
        """
        pages: list[Listing] = []
        try:
            listing = self._from_api(request, now, pages)
        except (ListingError, StatusError) as error:
            if isinstance(error, StatusError) and error.code == 429:
                raise
            listing = self._from_page(request, now, error) or self._first_pages(pages, request, error)
        self._failures = 0
        return listing

    def _from_api(self, request: ListingRequest, now: datetime, pages: list[Listing]) -> Listing:
        """Get a listing page by page, and add each to `pages`, until one brings nothing new.

        A page links to the next one. A mirror may have no links: then the next number follows a full page.
        """
        entries: set[str | Skipped] = set()
        link: str | None = None
        for number in range(_MAX_PAGES):
            page, link = self._page(request, number, link, now)
            if page.unchanged:
                return page
            new: set[str | Skipped] = {*(paper.id for paper in page.papers), *page.skipped}
            if new <= entries:
                return _merge(pages, request.day)
            entries |= new
            pages.append(page)
            if not link and len(page.papers) + len(page.skipped) < _PAGE_SIZE:
                return _merge(pages, request.day)
            if len(entries) >= MAX_PAPERS or sum(page.size for page in pages) >= MAX_LISTING_BYTES:
                break
        rest = Skipped("the rest", f"no more is read after {len(pages)} pages and {len(entries):,} entries")
        return _merge([*pages, Listing(skipped=(rest,))], request.day)

    def _page(
        self, request: ListingRequest, number: int, link: str | None, now: datetime
    ) -> tuple[Listing, str | None]:
        """Return page `number`, at `link` if the page before had a link, and the link to the next."""
        if link:
            response = self._fetcher.get(link)
        else:
            parameters = {"date": str(request.day), "limit": str(_PAGE_SIZE), "p": str(number)}
            response = self._fetcher.get("/api/daily_papers", parameters, None if number else request.validator)
        sent_at = response.sent_at
        if sent_at and abs(sent_at - now) > _CLOCK_ERROR:
            raise UpstreamError(
                f"this machine's clock says {now:%Y-%m-%d %H:%M}, {self.name} {sent_at:%Y-%m-%d %H:%M} (UTC)"
            )
        if response.unchanged:
            return Listing(day=request.day, validator=response.validator, unchanged=True), None
        try:
            listing = parse(response.body, day=request.day, latest=now + MAX_LEAD)
        except ListingError as error:
            raise ListingError(f"{self.name} sent no listing for {request.day}: {error}") from error
        return replace(listing, day=request.day, validator=response.validator), response.next

    def _from_page(self, request: ListingRequest, now: datetime, api_error: FeedproxyError) -> Listing | None:
        """Get a listing from the page, None if that fails too; raises UpstreamError if the page asks for a pause.

        Without a listing for this day, the page shows another day.
        """
        try:
            body = self._fetcher.get(f"/papers/date/{request.day}").body
            listing = require_papers(parse(body, latest=now + MAX_LEAD))
        except (ListingError, UpstreamError) as error:
            if error.retry_after:
                raise
            return None
        log.warning("%s; read its page instead", api_error)
        return listing if listing.day == request.day else Listing(day=request.day)

    def _first_pages(self, pages: list[Listing], request: ListingRequest, api_error: FeedproxyError) -> Listing:
        """Return the pages that the API sent before it failed, or raise its failure.

        400 and 404 do not count as failures of the Hub: its day may not have begun yet.
        """
        if any(page.papers for page in pages):
            return replace(_merge(pages, request.day), validator=None)
        code = api_error.code if isinstance(api_error, StatusError) else None
        if code not in (400, 404):
            self._failures += 1
        if self._failures >= _MAX_FAILURES:
            raise UpstreamError(str(api_error)) from api_error
        raise ListingError(f"{api_error} for {request.day}" if code else str(api_error)) from api_error


def _merge(pages: Sequence[Listing], day: date | None) -> Listing:
    papers: dict[str, Paper] = {}
    for paper in (paper for page in pages for paper in page.papers):
        papers.setdefault(paper.id, paper)
    skipped = tuple(dict.fromkeys(skip for page in pages for skip in page.skipped))
    validator = pages[0].validator if len(pages) == 1 and not skipped else None  # read skipped entries again
    skipped += surplus(len(papers) - MAX_PAPERS)
    size = sum(page.size for page in pages)
    return require_papers(Listing(tuple(papers.values())[:MAX_PAPERS], skipped, day, validator, size=size), f"{day}: ")
