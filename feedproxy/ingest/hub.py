"""The Hub, asked by day: its API first, its page where the API fails."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from feedproxy.errors import FeedproxyError, ListingError, UpstreamError
from feedproxy.ingest.http import Fetcher, StatusError, Turn
from feedproxy.ingest.parse import parse, require_papers, too_many
from feedproxy.ingest.parse.fields import LISTING_SIZE, PAPERS
from feedproxy.ingest.schedule import MAX_LEAD, ListingDays, ListingRequest, due_days, next_due
from feedproxy.model import Listing, Paper, Skipped

log = logging.getLogger(__name__)
_MAX_PAGES = 20
_LIMIT = 100  # papers of a page; the Hub sends no more
_TOO_MANY_REQUESTS = 429
_MAX_FAILURES = 3  # days in a row that cannot be had
_CLOCK_ERROR = timedelta(minutes=30)


class Hub:
    """The Hub at `address`, or a mirror of it; `options` are those of `Fetcher`."""

    def __init__(self, address: str, **options: Any) -> None:
        self._fetcher = Fetcher(address, **options)
        self.name = self._fetcher.name
        self._failures = 0  # days in a row that could not be had

    def keep_pace(self, turn: Turn) -> None:
        """Take a turn before each request."""
        self._fetcher.turn = turn

    def due(self, known: ListingDays, now: datetime, *, force: bool = False) -> list[list[ListingRequest]]:
        """Return what to get now, in batches to be stored one by one."""
        batches = due_days(known, now, force=force)
        return [
            [ListingRequest(day, known[day].validator if day in known else None) for day in batch] for batch in batches
        ]

    def next_due(self, known: ListingDays, now: datetime) -> datetime:
        """Return when to look again whether anything is due."""
        return next_due(known, now)

    def get(self, request: ListingRequest, now: datetime) -> Listing:
        """Get a day's listing from the API, or from the page where the API fails.

        A day that cannot be had is a ListingError and costs no other; several in a row are an UpstreamError.
        """
        pages: list[Listing] = []
        try:
            listing = self._from_api(request, now, pages)
        except (ListingError, StatusError) as error:
            if isinstance(error, StatusError) and error.code == _TOO_MANY_REQUESTS:
                raise
            listing = self._from_page(request, now, error) or self._first_pages(pages, request, error)
        self._failures = 0
        return listing

    def _from_api(self, ask: ListingRequest, now: datetime, pages: list[Listing]) -> Listing:
        """Get a listing page by page, adding to `pages`, until one brings nothing that was not there before.

        The next page is the one that a page links to. Where a server links to none, as mirrors may not, a full page
        is followed by the one with the next number.
        """
        found: set[str | Skipped] = set()
        further: str | None = None
        for number in range(_MAX_PAGES):
            page, further = self._page(ask, number, further, now)
            if page.unchanged:
                return page
            brought: set[str | Skipped] = {*(paper.id for paper in page.papers), *page.skipped}
            if brought <= found:
                return _joined(pages, ask.day)
            found |= brought
            pages.append(page)
            if not further and len(page.papers) + len(page.skipped) < _LIMIT:
                return _joined(pages, ask.day)
            if len(found) >= PAPERS or sum(page.size for page in pages) >= LISTING_SIZE:
                break
        rest = Skipped("what follows", f"after {len(pages)} pages and {len(found):,} entries no more are asked for")
        return _joined([*pages, Listing(skipped=(rest,))], ask.day)

    def _page(self, ask: ListingRequest, number: int, further: str | None, now: datetime) -> tuple[Listing, str | None]:
        """Return page `number` of a listing, which is at `further` if the one before told, and where the next is."""
        if further:
            reply = self._fetcher.get(further)
        else:
            parameters = {"date": str(ask.day), "limit": str(_LIMIT), "p": str(number)}
            reply = self._fetcher.get("/api/daily_papers", parameters, None if number else ask.validator)
        if reply.sent_at and abs(reply.sent_at - now) > _CLOCK_ERROR:
            raise UpstreamError(
                f"this machine's clock says {now:%Y-%m-%d %H:%M}, {self.name} {reply.sent_at:%Y-%m-%d %H:%M} (UTC)"
            )
        if reply.unchanged:
            return Listing(day=ask.day, validator=reply.validator, unchanged=True), None
        try:
            listing = parse(reply.body, day=ask.day, latest=now + MAX_LEAD)
        except ListingError as error:
            raise ListingError(f"{self.name} sent no listing for {ask.day}: {error}") from error
        return replace(listing, day=ask.day, validator=reply.validator), reply.next

    def _from_page(self, request: ListingRequest, now: datetime, api_error: FeedproxyError) -> Listing | None:
        """Get a listing from the page, None if that fails too; raises UpstreamError if the page asks for a pause.

        Where there is none for the day, the page shows another day.
        """
        try:
            page = parse(self._fetcher.get(f"/papers/date/{request.day}").body, latest=now + MAX_LEAD)
            require_papers(page, str(request.day))
        except (ListingError, UpstreamError) as error:
            if error.retry_after:
                raise
            return None
        log.warning("%s; its page is read instead", api_error)
        return page if page.day == request.day else Listing(day=request.day)

    def _first_pages(self, pages: list[Listing], request: ListingRequest, api_error: FeedproxyError) -> Listing:
        """Return what the API sent before it failed, or raise its failure.

        400 and 404 are never counted as trouble with the Hub: its day may not have begun yet.
        """
        if any(page.papers for page in pages):
            return replace(_joined(pages, request.day), validator=None)
        code = api_error.code if isinstance(api_error, StatusError) else None
        if code not in (400, 404):
            self._failures += 1
        if self._failures >= _MAX_FAILURES:
            raise UpstreamError(str(api_error)) from api_error
        raise ListingError(f"{api_error} for {request.day}" if code else str(api_error)) from api_error


def _joined(pages: Sequence[Listing], day: date | None) -> Listing:
    papers: dict[str, Paper] = {}
    for paper in (paper for page in pages for paper in page.papers):
        papers.setdefault(paper.id, paper)
    skipped = tuple(dict.fromkeys(skip for page in pages for skip in page.skipped))
    validator = pages[0].validator if len(pages) == 1 and not skipped else None  # what was skipped is to be seen again
    beyond = len(papers) - PAPERS
    skipped += (too_many(beyond),) * (beyond > 0)
    size = sum(page.size for page in pages)
    return require_papers(Listing(tuple(papers.values())[:PAPERS], skipped, day, validator, size=size), str(day))
