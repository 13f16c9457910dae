"""The Hub's AI summary of a paper: the first one stays, with the time when it came, and revises the entry then."""

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
    """It came with that refresh, and the first one stays, whatever comes; other texts change as ever."""
    store(archive, clock(), paper(1))
    came_at = clock.tick(hours=2)
    store(archive, came_at, paper(1, ai_summary="It has zebras."))
    for later in (None, "It has okapis.", "It has zebras."):
        store(archive, clock.tick(hours=1), paper(1, ai_summary=later, title=f"Not {later}", upvotes=9))
        assert {paper_id(1): ("It has zebras.", stamp(came_at))} == summaries(archive)


def test_summary_revises_the_entry(archive: Archive, clock: Clock) -> None:
    """It moves the date of the entry's last change, as feeds show it; it moves no other date and no other entry."""
    store(archive, clock(), paper(1), paper(2))
    before = archive.search(parse_query("")).entries
    store(archive, clock.tick(hours=1), paper(1, ai_summary="It has zebras."))
    after = archive.search(parse_query("")).entries
    assert [entry.entered_at for entry in before] == [entry.entered_at for entry in after]
    assert (before[0], clock(), "It has zebras.") == (after[0], after[1].updated_at, after[1].paper.ai_summary)


def test_summary_is_no_wording(archive: Archive, clock: Clock) -> None:
    """No wording is added, no search finds its words, and a feed without the paper stays as it is."""
    queries = [parse_query(text) for text in ("q=zebra", "q=-paper")]
    store(archive, clock(), paper(1))
    before = documents(archive, *queries)
    store(archive, clock.tick(hours=1), paper(1, ai_summary="It has zebras."))
    assert before == documents(archive, *queries)
    assert 0 == archive.count(parse_query("q=zebra"))
    with archive._transaction() as db:
        assert 1 == len(db.execute(sa.select(schema.wordings)).all())


def test_summary_with_votes(archive: Archive, clock: Clock) -> None:
    """A refresh that brings votes as well gives both one date."""
    store(archive, clock(), paper(1, upvotes=1))
    store(archive, clock.tick(hours=1), paper(1, upvotes=9, ai_summary="It has zebras."))
    [entry] = archive.search(parse_query("min_upvotes=5")).entries
    assert (clock(), clock(), 9) == (entry.entered_at, entry.updated_at, entry.upvotes_at_entry)


def test_another_summary_does_not_move_the_revision(archive: Archive, clock: Clock) -> None:
    """The first one does; another one changes nothing."""
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


def papers(archive: Archive, query: str) -> set[str]:
    """Return the ids of the papers in a feed."""
    return {entry.paper.id for entry in archive.search(parse_query(query)).entries}


def last_closing(archive: Archive) -> int:
    """Return the last moment that a digest knows of (epoch seconds), 0 if there is none."""
    with archive._transaction() as db:
        return db.scalar(sa.select(sa.func.max(schema.closings.c.closed_at))) or 0


def keeps_its_first(archive: Archive, plain: Archive, seed: int) -> None:
    """Store a history in `archive`, and in `plain` without AI summaries; hold both to it after every refresh.

    Feeds have the same papers. Their dates may differ by seconds, as each summary takes one.
    """
    before: Summaries = {}
    for now, listings in history(random.Random(seed)):  # noqa: S311
        previous, closed_at = archive.state().refreshed_at, last_closing(archive)
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
                assert stamp(previous) <= at, "a reader may have looked past it"
                assert closed_at < at, "an earlier digest knows a later summary"
            if text is not None and earlier[0] is None:
                said = {seen.ai_summary for one in listings for seen in one.papers if seen.id == name}
                assert text in said, "nobody said so"
        before = after
        for text in ("", "min_upvotes=2", "q=another", "q=zebras OR okapis"):
            assert papers(plain, text) == papers(archive, text)
    assert [] == violations(archive._database)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32))
def test_any_sequence_of_listings(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """Whatever comes, a paper's first AI summary and its time never change, and none brings or removes a paper."""
    folder = tmp_path_factory.mktemp("any")
    with closing(Archive(str(folder / "one"))) as archive, closing(Archive(str(folder / "other"))) as plain:
        keeps_its_first(archive, plain, seed)


@pytest.mark.once
@pytest.mark.parametrize("seed", range(5))
def test_sequences_of_listings_in_postgresql(
    new_address: Callable[[str], str], open_archive: Callable[..., Archive], seed: int
) -> None:
    """So it is in PostgreSQL."""
    archive, plain = (open_archive(new_address("postgresql")) for _ in range(2))
    keeps_its_first(archive, plain, seed)
