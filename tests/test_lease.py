"""The right to refresh: who gets it, how it ends, what it protects, and what is noted when it is given back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from feedproxy.archive import LEASE, Archive, Tries
from feedproxy.errors import LeaseError
from feedproxy.listing import parse
from tests.conftest import Clock
from tests.made_up import DAY, api, entries


@pytest.fixture
def address(either: str) -> str:
    return either


def test_one_at_a_time(open_archive: Callable[..., Archive], address: str, clock: Clock) -> None:
    """While one has the lease no other gets it, through whatever opening of the same file."""
    here, there = (open_archive(address) for _ in range(2))
    assert 1 == here.lease("one", clock())
    assert (None, None) == (there.lease("other", clock()), here.lease("other", clock()))


def test_prolonged(archive: Archive, clock: Clock) -> None:
    """Whoever has the lease keeps it under the same token by asking again in time."""
    token = archive.lease("one", clock())
    for _ in range(3):
        clock.tick(seconds=59)
        assert token == archive.lease("one", clock())
        assert archive.lease("other", clock()) is None


def test_dead_holder(archive: Archive, clock: Clock) -> None:
    """A lease that nobody prolongs is free after 60 seconds, not one earlier, under a greater token."""
    first = archive.lease("one", clock())
    assert first
    clock.tick(seconds=59)
    assert archive.lease("other", clock()) is None
    clock.tick(seconds=1)
    assert first + 1 == archive.lease("other", clock())
    assert LEASE == timedelta(seconds=60)


def test_released(archive: Archive, clock: Clock) -> None:
    """A lease that was given back is free at once, for its last holder too, under a greater token each time."""
    tokens = []
    for holder in ("one", "other", "other", "one"):
        tokens.append(archive.lease(holder, clock()))
        archive.release(holder, Tries())
    assert [1, 2, 3, 4] == tokens


def test_release_of_a_lost_lease(archive: Archive, clock: Clock) -> None:
    """Whoever lost the lease can neither give it back nor note anything."""
    archive.lease("one", clock())
    archive.lease("other", clock.tick(seconds=60))
    archive.release("one", Tries(3, "made up", clock(), clock()))
    assert Tries() == archive.tries()
    assert archive.lease("third", clock()) is None


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(days=1), timedelta(days=3660)])
def test_clock_ran_ahead(archive: Archive, clock: Clock, ahead: timedelta) -> None:
    """A lease given by a clock that ran ahead is void."""
    archive.lease("one", clock() + ahead)
    assert 2 == archive.lease("other", clock())


def test_clocks_differ_a_little(archive: Archive, clock: Clock) -> None:
    """A lease given by a clock a minute ahead holds."""
    archive.lease("one", clock() + timedelta(minutes=1))
    assert archive.lease("other", clock()) is None


def test_store_with_a_lease(archive: Archive, clock: Clock) -> None:
    """What the holder brings is stored; also late, as long as nobody else has taken the lease."""
    token = archive.lease("one", clock())
    assert 2 == archive.store([parse(api(entries(2)), day=DAY)], clock(), token).new
    assert 1 == archive.store([parse(api(entries(3)), day=DAY)], clock.tick(hours=1), token).new


def test_store_without_the_lease(archive: Archive, clock: Clock) -> None:
    """What a former holder brings is refused whole, also after the next one has given the lease back."""
    token = archive.lease("one", clock())
    archive.lease("other", clock.tick(seconds=60))
    for _ in range(2):
        with pytest.raises(LeaseError, match="another process refreshes by now"):
            archive.store([parse(api(entries(2)), day=DAY)], clock(), token)
        archive.release("other", Tries())
    assert (None, {}) == (archive.state().newest, archive.days())


def test_tries(open_archive: Callable[..., Archive], address: str, clock: Clock) -> None:
    """What is noted when the lease is given back is there for everybody, until something else is."""
    here, there = (open_archive(address) for _ in range(2))
    assert Tries() == there.tries()
    noted = Tries(3, "made up", clock(), datetime(2026, 3, 10, 12, 4, tzinfo=UTC))
    for tries in (noted, Tries()):
        here.lease("one", clock())
        here.release("one", tries)
        assert tries == there.tries()
    here.lease("one", clock())
    assert Tries() == there.tries()
