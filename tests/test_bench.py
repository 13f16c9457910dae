"""What the benchmarks stand on: the archives they make. The timings themselves are no tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from feedproxy.archive import Archive
from feedproxy.query import Query, parse_query
from tests.bench import archives
from tests.made_prose import dressed
from tests.made_up import paper

_ALL = Query(days=3660, limit=200)


@pytest.fixture(scope="module")
def days() -> archives.Days:
    """The newest 200 papers of a short world."""
    return archives.newest(200, span=60)


@pytest.fixture
def made(days: archives.Days, open_archive: Callable[[Path], Archive], tmp_path: Path) -> Archive:
    archive = open_archive(tmp_path / "made.sqlite")
    for now, listings in archives.refreshes(days):
        archive.store(listings, now)
    return archive


def test_archive_holds_as_many_papers_as_it_says(made: Archive) -> None:
    """An archive of 200 papers holds 200, up to the last day."""
    assert 200 == made.holdings().papers
    assert archives.evening(archives.LAST) == made.state().refreshed_at


def test_archive_dates_every_paper_apart(made: Archive) -> None:
    """No two papers have one date, and each is dated on a day of its listing."""
    entered = [entry.entered_at for entry in made.search(_ALL).entries]
    assert 200 == len(set(entered))
    assert archives.LAST == entered[0].date()


def test_votes_rise_after_the_first_listing(made: Archive) -> None:
    """Some papers cross a threshold later than they were listed."""
    crossed = made.search(parse_query("min_upvotes=10&days=3660&limit=200")).entries
    assert any(entry.entered_at.date() > entry.paper.submitted_at.date() for entry in crossed)


def test_smaller_archive_holds_the_newest_papers(days: archives.Days) -> None:
    """The papers of a smaller archive are the newest of a larger one, word for word."""
    fewer = archives.newest(20, span=60)
    assert fewer[archives.LAST] == days[archives.LAST][-len(fewer[archives.LAST]) :]


def test_paper_reads_the_same_every_time() -> None:
    """A paper is made of its id alone, with an abstract as long as real ones are."""
    assert dressed(paper(7)) == dressed(paper(7))
    assert all(165 <= len(dressed(paper(number)).summary) <= 1900 for number in range(1, 50))
