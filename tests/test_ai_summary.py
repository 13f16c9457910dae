"""The Hub's AI summary of a paper: the first one stays, with the time when it came, and no feed of papers shows it."""

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from feedproxy.archive import Archive, schema
from feedproxy.model import Listing, Paper
from feedproxy.query.parameters import parse_query
from tests.conftest import Clock, documents
from tests.factories import DAY, paper, paper_id
from tests.invariants import violations

FIRST = datetime(2026, 3, 10, 12, tzinfo=UTC)
SUMMARIES = (None, None, "It has zebras.", "It has okapis.")
Summaries = dict[str, tuple[str | None, int | None]]


@pytest.fixture
def address(either: str) -> str:
    return either


def summaries(archive: Archive) -> Summaries:
    """Return every paper's AI summary and when it came (epoch seconds)."""
    row = schema.papers.c
    with archive._transaction() as db:
        return {name: (text, at) for name, text, at in db.execute(sa.select(row.id, row.ai_summary, row.ai_summary_at))}


def store(archive: Archive, now: datetime, *papers: Paper, day: date = DAY) -> None:
    archive.store([Listing(papers, day=day)], now)


def stamp(moment: datetime) -> int:
    return int(moment.timestamp())


def test_summary_of_a_new_paper(archive: Archive, clock: Clock) -> None:
    """It came when the paper was listed, and a feed's entry has it."""
    store(archive, clock(), paper(1, ai_summary="It has zebras."), paper(2))
    [_, entry] = archive.search(parse_query("")).entries
    assert "It has zebras." == entry.paper.ai_summary
    listed_at = stamp(entry.entered_at)
    assert {paper_id(1): ("It has zebras.", listed_at), paper_id(2): (None, None)} == summaries(archive)


def test_summary_of_history(archive: Archive, clock: Clock) -> None:
    """A day that is filled in had its summaries when it was listed; it gives none to a paper listed since."""
    store(archive, clock(), paper(1))
    earlier = datetime(2026, 2, 1, tzinfo=UTC)
    past = [paper(number, submitted_at=earlier, ai_summary="It has zebras.") for number in (1, 2)]
    store(archive, clock.tick(hours=1), *past, day=earlier.date())
    assert {paper_id(1): (None, None), paper_id(2): ("It has zebras.", stamp(earlier))} == summaries(archive)


def test_summary_that_comes_later(archive: Archive, clock: Clock) -> None:
    """It comes after the refresh before, and the first one stays, whatever comes; other texts change as ever."""
    store(archive, clock(), paper(1))
    came_at = clock() + timedelta(seconds=1)
    store(archive, clock.tick(hours=2), paper(1, ai_summary="It has zebras."))
    for later in (None, "It has okapis.", "It has zebras."):
        store(archive, clock.tick(hours=1), paper(1, ai_summary=later, title=f"Not {later}", upvotes=9))
        assert {paper_id(1): ("It has zebras.", stamp(came_at))} == summaries(archive)


def test_summary_is_no_revision(archive: Archive, clock: Clock) -> None:
    """No byte of any feed changes, no wording is added, and no search finds its words."""
    queries = [parse_query(text) for text in ("", "q=paper", "counts=1", "q=zebra", "q=-zebra")]
    store(archive, clock(), paper(1))
    before = documents(archive, *queries)
    store(archive, clock.tick(hours=1), paper(1, ai_summary="It has zebras."))
    assert before == documents(archive, *queries)
    assert 0 == archive.count(parse_query("q=zebra"))
    with archive._transaction() as db:
        assert [(None,)] == db.execute(sa.select(schema.papers.c.revised_at)).all()
        assert 1 == len(db.execute(sa.select(schema.wordings)).all())


def test_another_summary_does_not_move_the_revision(archive: Archive, clock: Clock) -> None:
    """The first one does, as the next digest shows it; another one changes nothing."""
    store(archive, clock(), paper(1))
    revisions = [archive.state().revision]
    for text in ("It has zebras.", "It has okapis.", None):
        store(archive, clock.tick(hours=1), paper(1, ai_summary=text))
        revisions.append(archive.state().revision)
    assert revisions[0] < revisions[1] == revisions[2] == revisions[3]


def test_two_listings_of_one_refresh(archive: Archive, clock: Clock) -> None:
    """The summary in the first of them stays, and one that has none takes none away."""
    texts = (None, "It has zebras.", "It has okapis.", None)
    archive.store([Listing((paper(1, ai_summary=text),), day=DAY) for text in texts], clock())
    assert ["It has zebras."] == [text for text, _ in summaries(archive).values()]


# Any listings -----------------------------------------------------------------------------------


def history(dice: random.Random) -> Iterator[tuple[datetime, list[Listing]]]:
    """Yield made-up refreshes of a few days, in which votes, titles and AI summaries come, change and go."""
    now, steps = FIRST, dice.choice(((40, 900, 90_000), (0, 1, 40, 900, 90_000, -3600)))  # seconds
    for _ in range(dice.randint(2, 12)):
        now += timedelta(seconds=dice.choice(steps))
        listings = []
        for age in dice.sample(range(5), dice.randint(1, 3)):
            day = now.date() - timedelta(days=age)
            midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
            seen = [
                paper(
                    number,
                    submitted_at=midnight + timedelta(hours=dice.choice((0, 0, 13))),
                    ai_summary=dice.choice(SUMMARIES),
                    title=dice.choice(("One Title", "Another Title")),
                    upvotes=dice.choice((0, 1, 2, 12)),
                )
                for number in dice.sample(range(12), dice.randint(0, 12))
            ]
            listings.append(Listing(tuple(seen), day=day))
        yield now, listings


def without_summaries(listings: list[Listing]) -> list[Listing]:
    return [replace(one, papers=tuple(replace(seen, ai_summary=None) for seen in one.papers)) for one in listings]


def last_closing(archive: Archive) -> int:
    """Return the last moment that a digest knows of (epoch seconds), 0 if there is none."""
    with archive._transaction() as db:
        return db.scalar(sa.select(sa.func.max(schema.closings.c.closed_at))) or 0


def keeps_its_first(archive: Archive, plain: Archive, seed: int) -> None:
    """Store a history in `archive`, and in `plain` without AI summaries; hold both to it after every refresh.

    The feeds are equal as long as refreshes are further apart than the papers of one: the date that a summary takes
    can move those of a refresh in the same seconds, or after the clock went back.
    """
    before: Summaries = {}
    has_gaps = True
    for now, listings in history(random.Random(seed)):  # noqa: S311
        previous, closed_at = archive.state().refreshed_at, last_closing(archive)
        has_gaps = has_gaps and (previous is None or now - previous >= timedelta(seconds=40))
        for one, listed in ((archive, listings), (plain, without_summaries(listings))):
            one.store(listed, now)
            one.close_periods(now, previous)
        after = summaries(archive)
        for name, (text, at) in after.items():
            assert (text is None) == (at is None)
            earlier = before.get(name, (None, None))
            if earlier[0] is not None:
                assert earlier == (text, at), "the first summary or its time has changed"
            elif name in before and previous and at is not None:
                assert max(stamp(previous), closed_at) < at, "an earlier digest knows a later summary"
            if text is not None and earlier[0] is None:
                said = {seen.ai_summary for one in listings for seen in one.papers if seen.id == name}
                assert text in said, "nobody said so"
        before = after
        queries = [parse_query(text) for text in ("", "min_upvotes=2", "q=another", "q=zebras OR okapis")]
        if after and has_gaps:
            assert documents(plain, *queries) == documents(archive, *queries)
    assert [] == violations(archive._database)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32))
def test_any_sequence_of_listings(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """Whatever comes, a paper's first AI summary and its time never change, and feeds are as they are without any."""
    folder = tmp_path_factory.mktemp("any")
    with closing(Archive(str(folder / "one"))) as archive, closing(Archive(str(folder / "other"))) as plain:
        keeps_its_first(archive, plain, seed)


@pytest.mark.integration
@pytest.mark.parametrize("seed", range(5))
def test_sequences_of_listings_in_postgresql(
    new_address: Callable[[str], str], open_archive: Callable[..., Archive], seed: int
) -> None:
    """So it is in PostgreSQL."""
    archive, plain = (open_archive(new_address("postgresql")) for _ in range(2))
    keeps_its_first(archive, plain, seed)
