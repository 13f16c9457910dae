"""The demo: a month of made-up papers up to today, in which there is something for whatever the page offers."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from shutil import copyfile
from statistics import median

import pytest

from feedproxy.archive import Archive
from feedproxy.config import Config
from feedproxy.ingest.demo import papers, with_made_up_names
from feedproxy.ingest.loop import RefreshLoop
from feedproxy.ingest.refresher import Refresher
from feedproxy.ingest.source import open_source
from feedproxy.query.interests import interests
from feedproxy.query.parameters import Query, parse_query
from feedproxy.web.page import EXAMPLES
from feedproxy.web.preview.suggestions import THRESHOLDS
from tests.conftest import Clock

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
NEW_YEAR = datetime(2026, 1, 1, 0, 5, tzinfo=UTC)


def refresh(archive: Archive, now: datetime) -> int:
    """Refresh an archive of the demo's at `now`, and return how many listings that took."""
    outcome = Refresher(open_source(Config.load({"FEEDPROXY_LISTING": "demo"})), archive, lambda: now).refresh_once()
    assert outcome
    return outcome.listings


@pytest.fixture
def demo(archive: Archive, address: str, demo_archive: Path) -> Archive:
    """Return an archive of the demo at noon of a Tuesday."""
    copyfile(demo_archive, address)
    return archive


def numbers(archive: Archive, texts: list[str]) -> dict[str, int]:
    """Return how many papers of 30 days each query finds."""
    return {text: archive.count(replace(parse_query(text), days=30)) for text in texts}


def test_the_same_papers_whatever_the_time(clock: Clock) -> None:
    """A day has the same papers for ever; the clock decides how many are listed, and how many votes they have."""
    day = NOON.date()
    early, late = (papers(day, NOON + timedelta(days=age)) for age in (0, 300))
    assert 0 < len(early) < len(late)
    assert early == tuple(replace(paper, upvotes=was.upvotes) for was, paper in zip(early, late, strict=False))
    assert all((was.upvotes or 0) <= (paper.upvotes or 0) for was, paper in zip(early, late, strict=False))
    assert () == papers(date(2026, 3, 8), NOON)  # a Sunday
    assert len(late) == len({paper.id for paper in late})


@pytest.mark.parametrize("now", [NOON, NEW_YEAR, NEW_YEAR + timedelta(days=1, hours=4), NOON + timedelta(days=800)])
def test_it_looks_like_the_hub(archive: Archive, now: datetime) -> None:
    """There are about 600 papers a month, half of them with some eight votes, and digests of all kinds."""
    refresh(archive, now)
    votes = [paper.upvotes or 0 for age in range(2, 60) for paper in papers(now.date() - timedelta(days=age), now)]
    assert 500 < archive.count(Query(days=30)) < 700
    assert 7 <= median(votes) <= 10
    assert 0.01 < sum(number > 100 for number in votes) / len(votes) < 0.04
    for kind in ("day", "week", "month"):
        assert archive.digests(parse_query(f"digest={kind}")).entries
    days, _ = archive.entry_dates_by_threshold(Query(), ())
    assert 30 == len(days)


def test_there_is_something_to_find(demo: Archive) -> None:
    """Every example of the page, every ready-made filter and every threshold finds something."""
    queries = [with_made_up_names(query) for _, query in EXAMPLES]
    queries += [f"q={feed.query.q}" for feed in interests()]
    queries += [f"min_upvotes={number}" for number in (*THRESHOLDS, 100)]
    queries += ["q=has:code", "q=has:project", 'q=author:"ada example"', "q=org:fiction", "min_comments=2"]
    queries += ["q=agents&min_upvotes=2", "q=agents -survey", "q=title:survey"]
    assert {} == {text: number for text, number in numbers(demo, queries).items() if number < 3}


def test_nothing_in_it_exists(demo: Archive) -> None:
    """No paper has an identifier of arXiv's, an image or a link to somebody; each says that it does not exist."""
    for entry in demo.search(Query(limit=200)).entries:
        paper = entry.paper
        assert int(paper.id[2:4]) > 12
        assert paper.image is None
        assert paper.summary.endswith("This paper does not exist: feedproxy made it up.")
        assert (paper.ai_summary or "").endswith("(Made up.)")
        assert all(
            ".example.org/" in (link or ".example.org/").replace("//", ".")
            for link in (paper.github_repo, paper.project_page)
        )


def test_it_moves_on(demo: Archive) -> None:
    """A quarter of an hour later votes have risen; after days of rest their papers are there, and others stay."""
    before = demo.search(Query(limit=200)).entries
    assert 0 == refresh(demo, NOON + timedelta(minutes=14))
    assert 10 > refresh(demo, NOON + timedelta(minutes=15))
    assert 20 > refresh(demo, NOON + timedelta(days=6))
    after = demo.search(Query(limit=200)).entries
    assert NOON.date() + timedelta(days=6) == after[0].entered_at.date()
    common = {entry.paper.id: entry.entered_at for entry in after}
    assert all(entry.entered_at == common.get(entry.paper.id, entry.entered_at) for entry in before)


def test_a_clock_that_was_ahead(demo: Archive) -> None:
    """What was read by a clock weeks ahead is read again by the right one, once."""
    refresh(demo, NOON + timedelta(days=40))
    assert 5 < refresh(demo, NOON + timedelta(minutes=15))
    assert 0 == refresh(demo, NOON + timedelta(minutes=16))


def test_its_status_is_that_of_the_hub(demo: Archive, clock: Clock, open_archive: Callable[..., Archive]) -> None:
    """The status judges the demo as it would the Hub."""
    source = open_source(Config.load({"FEEDPROXY_LISTING": "demo"}))
    loop = RefreshLoop(Refresher(source, demo, clock))
    status = loop.status()
    assert ("fresh", None) == (status.verdict, loop.progress())
    assert f"{len(papers(NOON.date(), NOON))} papers today" in status.reason
