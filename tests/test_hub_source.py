"""How the Hub's listing of a day is asked for, page by page, and from its page where the API fails."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from feedproxy.errors import FeedproxyError, ListingError, UpstreamError
from feedproxy.papers import Listing, ListingDay
from feedproxy.upstream import Ask, Hub
from tests import hub as fake
from tests.hub import Answer
from tests.made_up import DAY, api, entries, entry, page, paper_id

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
YESTERDAY = DAY - timedelta(days=1)
BROKEN = Answer(body=b"{}")


def get(hub: fake.Hub, validator: str | None = None, **options: Any) -> Listing:
    """Get the listing of DAY from the fake Hub."""
    return Hub(hub.url, **{"pace": 0} | options).get(Ask(DAY, validator), NOW)


def told(hub: fake.Hub, kind: type[FeedproxyError]) -> str:
    """Return the error with which that fails."""
    with pytest.raises(kind) as raised:
        get(hub)
    return str(raised.value)


def ids(listing: Listing) -> list[str]:
    """Return the papers of `listing` by id."""
    return [paper.id for paper in listing.papers]


def test_due():
    """What is due is asked for with the ETag the day's listing had, if any; and not again before it is."""
    source, then = Hub("https://hub.example.org"), NOW - timedelta(minutes=15)
    days = [DAY - timedelta(days=age) for age in range(31)]
    known = {day: ListingDay(day, NOW, NOW) for day in days}
    known |= {DAY: ListingDay(DAY, then, then, 5, '"made-up"'), YESTERDAY: ListingDay(YESTERDAY, then, then, 5)}

    assert [[Ask(DAY, '"made-up"'), Ask(YESTERDAY)]] == source.due(known, NOW)
    assert ([Ask(DAY)], 31) == (source.due({}, NOW)[0], sum(map(len, source.due(known, NOW, force=True))))
    assert then + timedelta(minutes=15) == source.next_due(known, NOW)


@pytest.mark.parametrize(
    ("count", "pages"), [(0, ["0"]), (1, ["0", "1"]), (100, ["0", "1"]), (101, ["0", "1", "2"]), (250, [*"0123"])]
)
def test_pages(hub: fake.Hub, count: int, pages: list[str]):
    """A day is asked for a hundred at a time, until a page is empty."""
    hub.days[DAY] = entries(count)
    listing = get(hub)

    assert ([paper_id(number) for number in range(1, count + 1)], DAY) == (ids(listing), listing.day)
    assert [(str(DAY), number) for number in pages] == hub.asked()
    assert {("/api/daily_papers", "100")} == {(request.path, request.query["limit"]) for request in hub.requests}


def test_short_pages(hub: fake.Hub):
    """A page that holds fewer than it may is not the last; what two pages share counts once, as first seen."""
    again = [entry(2, upvotes=9), {"paper": {"id": "junk"}}, entry(3)]
    hub.script += [Answer(body=api([*entries(2), {"paper": {"id": "junk"}}])), Answer(body=api(again)), Answer()]
    listing = get(hub)

    assert [paper_id(1), paper_id(2), paper_id(3)] == ids(listing)
    assert ([1, 1, 1], ["junk"]) == ([p.upvotes for p in listing.papers], [skip.name for skip in listing.skipped])
    assert [("2026-03-10", number) for number in "012"] == hub.asked()


@pytest.mark.parametrize("body", [api(entries(3)), api([*entries(3), {"bad": "entry"}, None])])
def test_pages_ignored(hub: fake.Hub, body: bytes):
    """A server that sends the same whatever the page is asked twice, not for ever."""
    hub.standing = Answer(body=body)

    assert [paper_id(1), paper_id(2), paper_id(3)] == ids(get(hub))
    assert 2 == len(hub.requests)


def test_endless_pages(hub: fake.Hub):
    """A server whose pages never end is left after the twentieth."""
    hub.script += [Answer(body=api([entry(number)])) for number in range(30)]

    assert 20 == len(get(hub).papers)
    assert 20 == len(hub.requests)


def test_validator(hub: fake.Hub):
    """The ETag of a listing is sent back next time, and 304 means it is the same."""
    hub.script += [Answer(body=api(entries(2)), headers={"ETag": 'W/"made-up"'}), Answer()]
    validator = get(hub).validator
    hub.standing = Answer(304, b"", {"ETag": 'W/"made-up"', "Content-Encoding": "gzip"})

    assert Listing(day=DAY, validator='W/"made-up"', unchanged=True) == get(hub, validator)
    assert [None, None, 'W/"made-up"'] == [request.headers.get("If-None-Match") for request in hub.requests]


def test_validator_changed(hub: fake.Hub):
    """Only the first page is asked for with the ETag, and a changed one replaces it."""
    hub.script += [Answer(body=api(entries(2)), headers={"ETag": '"new"'}), Answer()]
    listing = get(hub, '"old"')

    assert (2, '"new"', False) == (len(listing.papers), listing.validator, listing.unchanged)
    assert ['"old"', None] == [request.headers.get("If-None-Match") for request in hub.requests]


def test_validator_of_pages(hub: fake.Hub):
    """A listing of several pages has no ETag: that of the first says nothing about the second."""
    hub.script += [*(Answer(body=api([entry(number)]), headers={"ETag": f'"{number}"'}) for number in (1, 2)), Answer()]
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
    hub.script += [Answer(body=api(entries(100, upvotes=3))), Answer(500)]
    listing = get(hub)

    assert (150, {7}) == (len(listing.papers), {paper.upvotes for paper in listing.papers})
    assert [("2026-03-10", number) for number in ("0", "1", "html")] == hub.asked()


def test_api_again(hub: fake.Hub):
    """Every day is asked of the API first, so that it is used again as soon as it can be."""
    hub.days = {DAY: entries(3), YESTERDAY: entries(2, day=YESTERDAY)}
    hub.script.append(Answer(502))
    source = Hub(hub.url, pace=0)
    counts = [len(source.get(Ask(day), NOW).papers) for day in (DAY, YESTERDAY)]

    assert [3, 2] == counts
    assert ["0", "html", "0", "1"] == [number for _, number in hub.asked()]


def test_page_of_another_day(hub: fake.Hub):
    """The page shows another day where there is nothing for the one asked for: then there is nothing."""
    hub.days[YESTERDAY] = entries(3, day=YESTERDAY)
    hub.api = Answer(400, b'{"error": "date must not be in the future"}')

    assert Listing(day=DAY) == get(hub)


def test_page_of_junk(hub: fake.Hub):
    """A page none of whose entries can be used is as good as none."""
    hub.days[DAY], hub.api = [None, {"paper": {"id": "x"}}], Answer(500)

    assert "127.0.0.1 answered 500 Internal Server Error for 2026-03-10" == told(hub, ListingError)


def test_refusals_in_a_row(hub: fake.Hub):
    """A refusal costs its day and no other; the third in a row is trouble with the Hub."""
    hub.standing = Answer(500)
    source = Hub(hub.url, pace=0)
    for expected in (ListingError, ListingError, UpstreamError):
        with pytest.raises(expected):
            source.get(Ask(DAY), NOW)
    hub.standing, hub.days[DAY] = None, entries(1)
    source.get(Ask(DAY), NOW)
    hub.standing = Answer(500)
    with pytest.raises(ListingError):
        source.get(Ask(DAY), NOW)


def test_refusal_of_a_later_page(hub: fake.Hub):
    """Where a mirror refuses the page past the end, and has no page for people, what came before will do."""
    hub.script.extend([Answer(body=api(entries(2)), headers={"ETag": 'W/"a"'}), Answer(404), Answer(404)])
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
        assert told(hub, UpstreamError).startswith("this machine's clock says 2026-03-10 12:00, 127.0.0.1 2026-03-10 1")


def test_page_skips(hub: fake.Hub):
    """An entry of the page that cannot be used is skipped, as one of the API is."""
    hub.days[DAY], hub.api = [entry(1), None], BROKEN
    listing = get(hub)

    assert ([paper_id(1)], ["holds no paper"]) == (ids(listing), [skip.reason for skip in listing.skipped])


@pytest.mark.parametrize("status", [400, 404])
def test_day_refused(hub: fake.Hub, status: int):
    """A refusal of this one day is no trouble with the Hub."""
    hub.api, hub.page = Answer(status, b'{"error": "date must not be in the future"}'), False

    assert f"127.0.0.1 answered {status} date must not be in the future for 2026-03-10" == told(hub, ListingError)


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

    assert "127.0.0.1 answered 429 Too Many Requests" == told(hub, UpstreamError)
    assert [("2026-03-10", "0")] == hub.asked()


@pytest.mark.parametrize("found", [page(entries(2), date="soon"), page([], DAY)])
def test_page_without_a_day(hub: fake.Hub, found: bytes):
    """A page whose date cannot be read is of the day its papers are of; an empty one is of the day it says."""
    hub.script += [BROKEN, Answer(body=found)]
    listing = get(hub)

    assert (DAY, len(ids(listing)) in (0, 2)) == (listing.day, True)
