"""What the Hub is asked in a week of service, however many serve and read."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from feedproxy.archive import Archive
from feedproxy.query import parse_query
from feedproxy.refresh import Refresher
from feedproxy.upstream import Hub
from tests import hub as fake
from tests.conftest import Clock
from tests.made_year import Live, World

_SERVERS, _READERS, _DAYS = 4, 20, 7
_AT_MOST = 20  # requests an hour


def test_requests_in_steady_state(hub: fake.Hub, open_archive: Callable[..., Archive], tmp_path: Path) -> None:
    """In the week after the first fill the Hub is asked at most 20 times an hour, by four servers and their readers."""
    clock = Clock()
    clock.now = filled = datetime(2026, 6, 8, 0, 7, tzinfo=UTC)  # a Monday
    world = World(7, date(2026, 5, 1), 60)
    hub.days = Live(world, clock)  # type: ignore[assignment]
    servers = [
        Refresher(Hub(hub.url, pace=0), open_archive(tmp_path / "archive.sqlite"), clock) for _ in range(_SERVERS)
    ]
    servers[0].step()
    first, hours = len(hub.requests), Counter[int]()
    wakes = [clock.now + timedelta(seconds=number) for number in range(_SERVERS)]
    queries = [parse_query(f"q=made&min_upvotes={number + 1}") for number in range(_READERS)]
    while (now := min(wakes)) < filled + timedelta(days=_DAYS):
        server, clock.now, before = wakes.index(now), now, len(hub.requests)
        wakes[server] = now + servers[server].step()
        hours[(now - filled) // timedelta(hours=1)] += len(hub.requests) - before
        servers[server].wait_until_filled(0)
        servers[server].archive.search(queries[now.minute % _READERS])
    report(hours, first)
    assert hours.total() / (24 * _DAYS) <= _AT_MOST


def report(hours: Counter[int], first: int) -> None:
    days = [sum(hours[24 * day + hour] for hour in range(24)) / 24 for day in range(_DAYS)]
    print(f"\nthe first fill: {first} requests; then a week of {_SERVERS} servers: {hours.total()}")
    print(f"an hour: {hours.total() / (24 * _DAYS):.1f} on average, at most {max(hours.values())}")
    print(f"an hour, Monday to Sunday: {' '.join(f'{day:.1f}' for day in days)}")
    print(f"hours with more than {_AT_MOST}: {sum(count > _AT_MOST for count in hours.values())} of {24 * _DAYS}")
