"""The right to refresh: who gets it, how it ends, what it protects, and what is noted when it is given back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from feedproxy.archive import Archive
from feedproxy.archive.lease import CUT_OFF, LEASE, Backoff
from feedproxy.errors import LeaseError
from feedproxy.ingest.parse import parse
from tests.conftest import Clock
from tests.factories import DAY, api, entries


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
        tokens.append(archive.lease(holder, clock()) or 0)
        archive.release(tokens[-1], Backoff())
    assert [1, 2, 3, 4] == tokens


def test_release_of_a_lost_lease(archive: Archive, clock: Clock) -> None:
    """Whoever lost the lease can neither give it back nor note anything."""
    first = archive.lease("one", clock()) or 0
    archive.lease("other", clock.tick(seconds=60))
    archive.release(first, Backoff(3, "made up", clock(), clock()))
    assert 1 == archive.backoff().failures
    assert not archive.prolong(first, clock())
    assert archive.lease("third", clock()) is None


def test_cut_off(archive: Archive, clock: Clock) -> None:
    """A lease that was never given back is the note of a refresh that was cut off: a failure, after which all wait."""
    for failures, pause in enumerate((timedelta(), timedelta(minutes=1)), 1):
        archive.lease("killed", clock(), timedelta(hours=9))
        clock.tick(seconds=60)
        token = archive.lease("next", clock(), pause) or 0
        assert Backoff(failures, CUT_OFF, clock(), clock() + pause) == archive.backoff()
        archive.release(token, archive.backoff())
        assert failures == archive.backoff().failures


def test_given_back_is_not_cut_off(archive: Archive, clock: Clock) -> None:
    """One that was given back, or is prolonged by its own holder however late, is no failure."""
    archive.release(archive.lease("one", clock()) or 0, Backoff())
    token = archive.lease("two", clock())
    assert token == archive.lease("two", clock.tick(hours=1))
    assert Backoff() == archive.backoff()


def test_prolonged_by_token(archive: Archive, clock: Clock) -> None:
    """A lease is prolonged by its token, also late, until another has it or it was given back."""
    token = archive.lease("one", clock()) or 0
    assert archive.prolong(token, clock.tick(seconds=90))
    assert archive.lease("other", clock.tick(seconds=59)) is None
    archive.release(token, Backoff())
    assert not archive.prolong(token, clock())
    assert token + 1 == archive.lease("other", clock())


def test_dropped(archive: Archive, clock: Clock) -> None:
    """That a refresh was dropped is told where nothing else is wrong, and keeps nobody waiting."""
    archive.note_drop("dropped", clock())
    assert Backoff(0, "dropped", clock()) == archive.backoff()
    failed = Backoff(2, "made up", clock(), clock())
    archive.release(archive.lease("one", clock()) or 0, failed)
    archive.note_drop("dropped", clock.tick(hours=1))
    assert failed == archive.backoff()


# The pace ---------------------------------------------------------------------------------------


def test_pace(open_archive: Callable[..., Archive], address: str, clock: Clock) -> None:
    """After a rest ten turns come at once, then one every so many seconds, for all who share the archive together."""
    archives = [open_archive(address) for _ in range(2)]

    def waits(count: int) -> list[float]:
        """Take turns in one archive after the other, and wait for each."""
        found = []
        for number in range(count):
            found.append(round(archives[number % 2].turn(clock(), 2.5), 6))
            clock.tick(seconds=found[-1])
        return found

    assert [0] * 10 + [2.5, 2.5] == waits(12)
    clock.tick(seconds=1)
    assert [1.5] == waits(1)
    clock.tick(seconds=7.5)
    assert [0, 0, 0, 2.5] == waits(4)
    clock.tick(hours=1)
    assert [0] * 10 + [2.5] == waits(11)


def test_turns_taken_ahead(archive: Archive, clock: Clock) -> None:
    """Who takes a turn while others wait for theirs comes after them; without a pace nobody waits."""
    assert [0] * 10 + [1, 2, 3] == [archive.turn(clock(), 1) for _ in range(13)]
    assert 0 == archive.turn(clock(), 0)


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(days=-3660), timedelta(days=3660)])
def test_pace_of_a_clock_that_jumps(archive: Archive, clock: Clock, jump: timedelta) -> None:
    """A clock that jumps keeps nobody waiting for longer than ten turns."""
    for _ in range(12):
        archive.turn(clock(), 1)
    clock.now += jump
    assert all(archive.turn(clock(), 1) <= 10 for _ in range(5))


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
    other = archive.lease("other", clock.tick(seconds=60)) or 0
    for _ in range(2):
        with pytest.raises(LeaseError, match="lost the refresh lease to another process"):
            archive.store([parse(api(entries(2)), day=DAY)], clock(), token)
        archive.release(other, Backoff())
    assert (None, {}) == (archive.state().newest_entry_at, archive.days())


def test_tries(open_archive: Callable[..., Archive], address: str, clock: Clock) -> None:
    """What is noted when the lease is given back is there for everybody, until something else is."""
    here, there = (open_archive(address) for _ in range(2))
    assert Backoff() == there.backoff()
    noted = Backoff(3, "made up", clock(), datetime(2026, 3, 10, 12, 4, tzinfo=UTC))
    for tries in (noted, Backoff()):
        here.release(here.lease("one", clock()) or 0, tries)
        assert tries == there.backoff()
    here.lease("one", clock())
    assert Backoff() == there.backoff()
