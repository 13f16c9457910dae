"""How the Hub's listing of a day is asked for, page by page, and from its page where the API fails."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from feedproxy.errors import FeedproxyError, ListingError, UpstreamError
from feedproxy.ingest.http import Fetcher
from feedproxy.ingest.source import Hub, ListingRequest
from feedproxy.model import Listing, ListingDay
from tests import hub as fake
from tests.factories import DAY, api, entries, entry, page, paper_id
from tests.hub import Answer

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
YESTERDAY = DAY - timedelta(days=1)
BROKEN = Answer(body=b"{}")


def get(hub: fake.Hub, validator: str | None = None, **options: Any) -> Listing:
    """Get the listing of DAY from the fake Hub."""
    return Hub(Fetcher(hub.url, **{"interval": 0} | options)).get(ListingRequest(DAY, validator), NOW)


def failure(hub: fake.Hub, kind: type[FeedproxyError]) -> str:
    """Return the error with which that fails."""
    with pytest.raises(kind) as raised:
        get(hub)
    return str(raised.value)


def ids(listing: Listing) -> list[str]:
    """Return the papers of `listing` by id."""
    return [paper.id for paper in listing.papers]


def test_due():
    """What is due is asked for with the ETag the day's listing had, if any; and not again before it is."""
    source, then = Hub(Fetcher("https://hub.example.org")), NOW - timedelta(minutes=15)
    days = [DAY - timedelta(days=age) for age in range(31)]
    entries_by_day = {day: ListingDay(day, NOW, NOW) for day in days}
    entries_by_day |= {
        DAY: ListingDay(DAY, then, then, 5, '"made-up"'),
        YESTERDAY: ListingDay(YESTERDAY, then, then, 5),
    }

    assert [[ListingRequest(DAY, '"made-up"'), ListingRequest(YESTERDAY)]] == source.due(entries_by_day, NOW)
    assert ([ListingRequest(DAY)], 31) == (
        source.due({}, NOW)[0],
        sum(map(len, source.due(entries_by_day, NOW, force=True))),
    )
    assert then + timedelta(minutes=15) == source.next_due(entries_by_day, NOW)


@pytest.mark.parametrize(
    ("links", "count", "pages"),
    [
        *((True, 0, "0"), (True, 1, "0"), (True, 99, "0"), (True, 101, "01"), (True, 250, "012")),
        *((False, 0, "0"), (False, 99, "0"), (False, 100, "01"), (False, 101, "01"), (False, 200, "012")),
    ],
)
def test_pages(hub: fake.Hub, links: bool, count: int, pages: str):
    """A day is asked for a hundred at a time, as long as a page links to the next; without links, while one is full."""
    hub.days[DAY], hub.links = entries(count), links
    listing = get(hub)

    assert ([paper_id(number) for number in range(1, count + 1)], DAY) == (ids(listing), listing.day)
    assert [(str(DAY), number) for number in pages] == hub.asked()
    assert {("/api/daily_papers", "100")} == {(request.path, request.query["limit"]) for request in hub.requests}


def linking(listed: Iterable[Any], target: str = "/api/daily_papers?date={day}&p={number}", **headers: str) -> Answer:
    """Return a page of `found` that links to another."""
    link = f'<{target.format(day=DAY, number="{number}")}>; rel="next"'
    return Answer(body=api(listed), headers={"Link": link} | headers)


def numbered(*pages: Answer) -> list[Answer]:
    """Return `pages`, each of which links to the one with the next number."""
    return [
        replace(page, headers={name: text.format(number=at) for name, text in page.headers.items()})
        for at, page in enumerate(pages, 1)
    ]


def test_short_pages(hub: fake.Hub):
    """A page with fewer papers than it may have links to the next; what two share counts once, as first seen."""
    again = [entry(2, upvotes=9), {"paper": {"id": "junk"}}, entry(3)]
    hub.script += numbered(linking([*entries(2), {"paper": {"id": "junk"}}]), linking(again), Answer())
    listing = get(hub)

    assert [paper_id(1), paper_id(2), paper_id(3)] == ids(listing)
    assert ([1, 1, 1], ["junk"]) == ([p.upvotes for p in listing.papers], [skip.name for skip in listing.skipped])
    assert [("2026-03-10", number) for number in "012"] == hub.asked()


@pytest.mark.parametrize("body", [api(entries(3)), api([*entries(3), {"bad": "entry"}, None])])
def test_pages_ignored(hub: fake.Hub, body: bytes):
    """A server that sends the same whatever the page is asked twice, not for ever."""
    (hub.standing,) = numbered(replace(linking([]), body=body))

    assert [paper_id(1), paper_id(2), paper_id(3)] == ids(get(hub))
    assert 2 == len(hub.requests)


def test_endless_pages(hub: fake.Hub):
    """A server whose pages never end is left after the twentieth, and the skip says so."""
    hub.script += numbered(*(linking([entry(number)]) for number in range(30)))
    listing = get(hub)

    assert (20, 20) == (len(listing.papers), len(hub.requests))
    assert [("the rest", "no more is read after 20 pages and 20 entries")] == [
        (skip.name, skip.reason) for skip in listing.skipped
    ]


def test_listing_of_ten_thousand(hub: fake.Hub):
    """Of a listing of 10,000 papers 2,000 are read, and the skip says that there are more."""
    hub.days[DAY] = entries(10_000)
    listing = get(hub)

    assert (2000, 20, None) == (len(listing.papers), len(hub.requests), listing.validator)
    assert ["no more is read after 20 pages and 2,000 entries"] == [skip.reason for skip in listing.skipped]


def test_page_of_too_many(hub: fake.Hub):
    """However many papers the pages hold, a listing has 2,000, and no page after that is asked for."""
    hub.script += numbered(
        linking(entries(1500)), linking(entries(1500, first=1501)), linking(entries(1500, first=3001))
    )
    listing = get(hub)

    assert (2000, 2) == (len(listing.papers), len(hub.requests))
    assert ["the rest", "1,000 more"] == [skip.name for skip in listing.skipped]


@pytest.mark.parametrize(
    ("target", "asked"),
    [
        ("?date={day}&p={number}", 2),
        ("/api/daily_papers?cursor=x", 2),
        ("https://elsewhere.invalid/api/daily_papers?p=1", 1),
        ("//elsewhere.invalid/", 1),
        ("http://[", 1),
        ("file:///etc/passwd", 1),
        ("", 1),
    ],
)
def test_link(hub: fake.Hub, target: str, asked: int):
    """A link to the next page is followed wherever it leads on the same host, and to no other."""
    hub.script += [*numbered(linking([entry(1)], target)), Answer(body=api([entry(2)]))]

    assert asked == len(get(hub).papers) == len(hub.requests)


def test_validator(hub: fake.Hub):
    """The ETag of a listing is sent back next time, and 304 means it is the same."""
    hub.script += [Answer(body=api(entries(2)), headers={"ETag": 'W/"made-up"'})]
    validator = get(hub).validator
    hub.standing = Answer(304, b"", {"ETag": 'W/"made-up"', "Content-Encoding": "gzip"})

    assert Listing(day=DAY, validator='W/"made-up"', unchanged=True) == get(hub, validator)
    assert [None, 'W/"made-up"'] == [request.headers.get("If-None-Match") for request in hub.requests]


def test_validator_changed(hub: fake.Hub):
    """Only the first page is asked for with the ETag, and a changed one replaces it."""
    hub.script += [*numbered(linking(entries(2), ETag='"new"')), Answer()]
    listing = get(hub, '"old"')

    assert (2, '"new"', False) == (len(listing.papers), listing.validator, listing.unchanged)
    assert ['"old"', None] == [request.headers.get("If-None-Match") for request in hub.requests]


def test_validator_of_pages(hub: fake.Hub):
    """A listing of several pages has no ETag: that of the first says nothing about the second."""
    hub.script += numbered(*(linking([entry(number)], ETag=f'"{number}"') for number in (1, 2)), Answer())
    listing = get(hub)

    assert (2, None) == (len(listing.papers), listing.validator)


def test_future_paper(hub: fake.Hub):
    """A paper listed in the future is left out; one of tomorrow may be this machine's clock."""
    hub.days[DAY] = [entry(1, day=date(2026, 3, 11)), entry(2, day=date(2026, 3, 12))]
    listing = get(hub)

    assert ([paper_id(1)], ["listed in the future (2026-03-12)"]) == (ids(listing), [s.reason for s in listing.skipped])


# The page instead -------------------------------------------------------------------------------


def test_page_is_whole(hub: fake.Hub):
    """A listing comes from the API or from the page, never half from each."""
    hub.days[DAY] = entries(150, upvotes=7)
    hub.script += [*numbered(linking(entries(100, upvotes=3))), Answer(500)]
    listing = get(hub)

    assert (150, {7}) == (len(listing.papers), {paper.upvotes for paper in listing.papers})
    assert [("2026-03-10", number) for number in ("0", "1", "html")] == hub.asked()


def test_api_again(hub: fake.Hub):
    """Every day is asked of the API first, so that it is used again as soon as it can be."""
    hub.days = {DAY: entries(3), YESTERDAY: entries(2, day=YESTERDAY)}
    hub.script.append(Answer(502))
    source = Hub(Fetcher(hub.url, interval=0))
    counts = [len(source.get(ListingRequest(day), NOW).papers) for day in (DAY, YESTERDAY)]

    assert [3, 2] == counts
    assert ["0", "html", "0"] == [number for _, number in hub.asked()]


def test_page_of_another_day(hub: fake.Hub):
    """The page shows another day where there is nothing for the one asked for: then there is nothing."""
    hub.days[YESTERDAY] = entries(3, day=YESTERDAY)
    hub.api = Answer(400, b'{"error": "date must not be in the future"}')

    assert Listing(day=DAY) == get(hub)


def test_page_of_junk(hub: fake.Hub):
    """A page none of whose entries can be used is as good as none."""
    hub.days[DAY], hub.api = [None, {"paper": {"id": "x"}}], Answer(500)

    assert "127.0.0.1 answered 500 Internal Server Error for 2026-03-10" == failure(hub, ListingError)


def test_refusals_in_a_row(hub: fake.Hub):
    """A refusal costs its day and no other; the third in a row is trouble with the Hub."""
    hub.standing = Answer(500)
    source = Hub(Fetcher(hub.url, interval=0))
    for expected in (ListingError, ListingError, UpstreamError):
        with pytest.raises(expected):
            source.get(ListingRequest(DAY), NOW)
    hub.standing, hub.days[DAY] = None, entries(1)
    source.get(ListingRequest(DAY), NOW)
    hub.standing = Answer(500)
    with pytest.raises(ListingError):
        source.get(ListingRequest(DAY), NOW)


@pytest.mark.parametrize("status", [400, 404])
def test_days_not_begun_in_a_row(hub: fake.Hub, status: int):
    """Days that the Hub does not list yet are no trouble with the Hub, however many there are."""
    hub.standing = Answer(status)
    source = Hub(Fetcher(hub.url, interval=0))
    for _ in range(4):
        with pytest.raises(ListingError):
            source.get(ListingRequest(DAY), NOW)


def test_junk_in_a_row(hub: fake.Hub):
    """A listing of nothing but junk costs its day; the third in a row is trouble with the Hub, which is left alone."""
    hub.standing = Answer(body=b"[null, {}]")
    source = Hub(Fetcher(hub.url, interval=0))
    for expected in (ListingError, ListingError, UpstreamError):
        with pytest.raises(expected, match="none of the 1 entries can be used"):
            source.get(ListingRequest(DAY), NOW)


def test_refusal_of_a_later_page(hub: fake.Hub):
    """Where a mirror refuses the page past the end, and has no page for people, what came before will do."""
    hub.script.extend([*numbered(linking(entries(2), ETag='W/"a"')), Answer(404), Answer(404)])
    listing = get(hub)

    assert ([paper_id(1), paper_id(2)], None) == (ids(listing), listing.validator)


def test_skipped_entry_is_seen_again(hub: fake.Hub):
    """A listing of which an entry was skipped is asked for anew, not only if it has changed."""
    hub.script.append(Answer(body=api([entry(1), None]), headers={"ETag": 'W/"a"'}))
    hub.script.append(Answer())

    assert get(hub).validator is None


@pytest.mark.parametrize(
    ("sent", "fine"), [("11:40:00", True), ("12:29:00", True), ("11:00:00", False), ("13:00:00", False)]
)
def test_clock_that_is_off(hub: fake.Hub, sent: str, fine: bool):
    """Nothing is believed while this machine's clock and the Hub's differ by more than half an hour."""
    hub.script.append(Answer(body=api(entries(1)), headers={"Date": f"Tue, 10 Mar 2026 {sent} GMT"}))
    if fine:
        assert [paper_id(1)] == ids(get(hub))
    else:
        assert failure(hub, UpstreamError).startswith(
            "this machine's clock says 2026-03-10 12:00, 127.0.0.1 2026-03-10 1"
        )


def test_page_skips(hub: fake.Hub):
    """An entry of the page that cannot be used is skipped, as one of the API is."""
    hub.days[DAY], hub.api = [entry(1), None], BROKEN
    listing = get(hub)

    assert ([paper_id(1)], ["has no paper"]) == (ids(listing), [skip.reason for skip in listing.skipped])


@pytest.mark.parametrize("status", [400, 404])
def test_day_refused(hub: fake.Hub, status: int):
    """A refusal of this one day is no trouble with the Hub."""
    hub.api, hub.page = Answer(status, b'{"error": "date must not be in the future"}'), False

    assert f"127.0.0.1 answered {status} date must not be in the future for 2026-03-10" == failure(hub, ListingError)


@pytest.mark.parametrize("answer", [Answer(500), BROKEN])
@pytest.mark.parametrize(
    ("status", "headers"),
    [(429, {"Retry-After": "77"}), (503, {"Retry-After": "77"}), (429, {"RateLimit": "r=9;t=76"})],
)
def test_page_wants_a_rest(hub: fake.Hub, answer: Answer, status: int, headers: dict[str, str]):
    """Where the page asks for a rest, that is what counts: the other days wait as well."""
    hub.script += [answer, Answer(status, b"", headers)]

    with pytest.raises(UpstreamError, match=f"answered {status}") as raised:
        get(hub)
    assert 77 == raised.value.retry_after


def test_rate_limit_of_api(hub: fake.Hub):
    """An API that is asked too often is not gone round by way of the page."""
    hub.days[DAY], hub.api = entries(3), Answer(429)

    assert "127.0.0.1 answered 429 Too Many Requests" == failure(hub, UpstreamError)
    assert [("2026-03-10", "0")] == hub.asked()


@pytest.mark.parametrize("listed", [page(entries(2), date="soon"), page([], DAY)])
def test_page_without_a_day(hub: fake.Hub, listed: bytes):
    """A page whose date cannot be read is of the day its papers are of; an empty one is of the day it says."""
    hub.script += [BROKEN, Answer(body=listed)]
    listing = get(hub)

    assert (DAY, len(ids(listing)) in (0, 2)) == (listing.day, True)
