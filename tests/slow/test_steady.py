"""What the Hub is asked in a week of service, however many serve and read."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from feedproxy.archive import Archive
from feedproxy.ingest.http import Fetcher
from feedproxy.ingest.loop import RefreshLoop
from feedproxy.ingest.refresher import Refresher
from feedproxy.ingest.source import Hub
from feedproxy.query.parameters import parse_query
from tests import hub as fake
from tests.conftest import Clock
from tests.simulation import Live, World

_SERVERS, _READERS, _DAYS = 3, 20, 7
_AT_MOST = 11  # requests an hour
_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)


def test_requests_in_steady_state(hub: fake.Hub, open_archive: Callable[..., Archive], tmp_path: Path) -> None:
    """In the week after the first fill the Hub is asked at most 11 times in any hour, whoever serves and reads."""
    clock = Clock()
    clock.now = filled = datetime(2026, 6, 8, 0, 7, tzinfo=UTC)  # a Monday
    world = World(7, date(2026, 5, 1), 60)
    hub.days = Live(world, clock)  # type: ignore[assignment]
    servers = [
        RefreshLoop(Refresher(Hub(Fetcher(hub.url, interval=0)), open_archive(tmp_path / "archive.sqlite"), clock))
        for _ in range(_SERVERS)
    ]
    servers[0].tick()
    first, asked = len(hub.requests), list[datetime]()
    wakes = [clock.now + timedelta(seconds=number) for number in range(_SERVERS)]
    queries = [parse_query(f"q=made&min_upvotes={number + 1}") for number in range(_READERS)]
    while (now := min(wakes)) < filled + timedelta(days=_DAYS):
        server, clock.now, before = wakes.index(now), now, len(hub.requests)
        wakes[server] = now + servers[server].tick()
        asked += [now] * (len(hub.requests) - before)
        if len(hub.requests) > before:
            servers[server].wait_for_papers(0)
            servers[server].refresher.archive.search(queries[now.minute % _READERS])
    starts = [filled + number * _MINUTE for number in range(_DAYS * 24 * 60 - 59)]
    hours = [bisect_left(asked, start + _HOUR) - bisect_left(asked, start) for start in starts]
    report(asked, hours, first)
    assert max(hours) <= _AT_MOST


def report(asked: list[datetime], hours: list[int], first: int) -> None:
    days = Counter(moment.date() for moment in asked)
    print(f"\nthe first fill: {first} requests; then a week of {_SERVERS} servers: {len(asked)}")
    print(f"an hour: {len(asked) / (24 * _DAYS):.1f} on average, at most {max(hours)}, whichever minute it begins at")
    print(f"an hour, Monday to Sunday: {' '.join(f'{days[day] / 24:.1f}' for day in sorted(days)[:_DAYS])}")
    print(f"hours with more than {_AT_MOST}: {sum(count > _AT_MOST for count in hours)} of {len(hours)}")
