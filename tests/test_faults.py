"""What each fault of the Hub makes of one day's listing: its error, its page instead, or what is left of it."""

import tracemalloc

import pytest

from feedproxy.errors import FeedproxyError
from feedproxy.ingest.source import ListingRequest
from tests import hub as fake
from tests.conftest import Clock
from tests.factories import DAY, entries, paper_id
from tests.faults import FAULTS, ODD, UNREACHABLE, UNUSABLE, Fault, broken, remaining_ids, source
from tests.hub import Timer

FORTY = [paper_id(number) for number in range(1, 41)]


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture(autouse=True)
def forty(hub: fake.Hub) -> None:
    """Forty papers are listed where nothing is wrong."""
    hub.days[DAY] = entries(40)


def failure(hub: fake.Hub, fault: Fault, timer: Timer, clock: Clock, *, page: bool = False) -> str:
    """Return as much of the error that `fault` leads to as its row tells, once it is seen to be one short line."""
    with broken(hub, fault, timer, page=page), pytest.raises(FeedproxyError) as raised:
        source(hub, fault, timer).get(ListingRequest(DAY), clock())
    (line,) = str(raised.value).splitlines()
    assert len(line) < 300
    return line[: len(fault.error)]


@pytest.mark.parametrize("fault", UNREACHABLE, ids=str)
def test_unreachable(hub: fake.Hub, timer: Timer, clock: Clock, fault: Fault):
    """A Hub that cannot be reached, or wants to be left alone, is not asked for its page as well."""
    assert fault.error == failure(hub, fault, timer, clock, page=True)
    assert "html" not in [number for _, number in hub.asked()]
    assert len(hub.requests) <= 6


@pytest.mark.parametrize("fault", UNUSABLE, ids=str)
def test_unusable(hub: fake.Hub, timer: Timer, clock: Clock, fault: Fault):
    """If the page is broken too, the error is the API's."""
    assert fault.error == failure(hub, fault, timer, clock)
    assert (str(DAY), "html") == hub.asked()[-1]
    assert len(hub.requests) <= 3


@pytest.mark.parametrize("fault", UNUSABLE, ids=str)
def test_page_instead(hub: fake.Hub, timer: Timer, clock: Clock, fault: Fault, caplog: pytest.LogCaptureFixture):
    """Where only the API is broken, the page gives the listing, and the log says so."""
    with broken(hub, fault, timer, page=True):
        listing = source(hub, fault, timer).get(ListingRequest(DAY), clock())

    assert FORTY == [paper.id for paper in listing.papers]
    assert (DAY, None, False) == (listing.day, listing.validator, listing.unchanged)
    (line,) = caplog.messages
    assert line.endswith("; read its page instead")


@pytest.mark.parametrize("page", [False, True])
@pytest.mark.parametrize("fault", ODD, ids=str)
def test_odd_listing(hub: fake.Hub, timer: Timer, clock: Clock, fault: Fault, page: bool):
    """An odd entry costs itself at most, an odd listing nothing."""
    with broken(hub, fault, timer, page=page):
        listing = source(hub, fault, timer).get(ListingRequest(DAY), clock())

    assert remaining_ids(fault) == [paper.id for paper in listing.papers]
    assert fault.skipped == tuple(skip.reason for skip in listing.skipped)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_healed(hub: fake.Hub, timer: Timer, clock: Clock, fault: Fault):
    """While a fault lasts it takes little memory; once it has healed, all is as before."""
    asking = source(hub, fault, timer)
    tracemalloc.start()
    with broken(hub, fault, timer):
        try:
            asking.get(ListingRequest(DAY), clock())
        except FeedproxyError:
            assert fault.error
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    healed = source(hub, Fault("none"), timer) if fault.lasting else asking

    assert peak < 40 * 2**20
    assert FORTY == [paper.id for paper in healed.get(ListingRequest(DAY), clock()).papers]


def test_names():
    """Every fault has a name of its own, and is a row of one of the three tables."""
    assert len(FAULTS) == len({fault.name for fault in FAULTS})
    assert [*UNREACHABLE, *UNUSABLE, *ODD] == list(FAULTS)
