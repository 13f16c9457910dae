"""The archive: one contract for every backend."""

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from feedproxy.archive import Archive, open_database
from feedproxy.archive.dating import entry_date
from feedproxy.errors import ArchiveError
from feedproxy.feeds import FORMATS
from feedproxy.ingest.parse import parse
from feedproxy.model import Listing
from feedproxy.query.parameters import Query, parse_query
from tests import factories, postgres
from tests.conftest import Clock, documents
from tests.factories import DAY, api, capture, entries, entry, paper_id
from tests.hub import Timer
from tests.invariants import violations

Opener = Callable[..., Archive]
MIDNIGHT = datetime(2026, 3, 10, tzinfo=UTC)


@pytest.fixture
def address(either: str) -> str:
    return either


@pytest.fixture
def archive(open_archive: Opener, address: str) -> Iterator[Archive]:
    """An archive that is sound at the end, whatever the test did with it."""
    archive = open_archive(address)
    yield archive
    assert [] == violations(archive._database)


def listing(*found: dict[str, Any], day: date = DAY) -> Listing:
    return parse(api(found), day=day)


def shown(archive: Archive, query: str = "") -> list[tuple[str, datetime]]:
    """Return the ids and dates of a feed, newest first."""
    return [(entry.paper.id, entry.entered_at) for entry in archive.search(parse_query(query)).entries]


def test_keeps_every_field_of_a_paper(archive: Archive, clock: Clock) -> None:
    """A paper comes out of the archive as it went in."""
    full = entry(
        3,
        organization={"name": "example-lab", "fullname": "Example Lab"},
        githubRepo="https://git.example.org/a/b",
        githubStars=240,
        mediaUrls=["https://cdn-uploads.huggingface.co/made-up/3.mp4"],
        projectPage="https://example.org/",
        ai_keywords=["agents", "tool use"],
        upvotes=7,
        numComments=2,
    )
    bare = entry(4, thumbnail=None, authors=[], publishedAt=None)
    stored = listing(full, bare)
    archive.store([stored], clock())
    assert set(stored.papers) == {entry.paper for entry in archive.search(parse_query("")).entries}


def test_new_archive_is_empty(archive: Archive) -> None:
    """An archive that was never refreshed has no entries, and says so."""
    state = archive.state()
    assert (0, None, None) == (state.revision, state.refreshed_at, state.newest_entry_at)
    assert [] == shown(archive)
    assert 0 == archive.count(parse_query("q=agents"))


def test_first_refresh_dates_by_listing_time(archive: Archive, clock: Clock) -> None:
    """What the first refresh finds is dated when it was listed, each paper a second after the one before."""
    archive.store([listing(*entries(3))], clock())
    expected = [(paper_id(number), MIDNIGHT + timedelta(seconds=number - 1)) for number in (3, 2, 1)]
    assert expected == shown(archive)


def test_paper_that_appears_later_is_dated_by_the_refresh(archive: Archive, clock: Clock) -> None:
    """A paper listed at midnight that a reader could already have looked past is dated when it was seen."""
    archive.store([listing(entry(1))], clock())
    seen_at = clock.tick(minutes=15)
    archive.store([listing(entry(1), entry(2))], seen_at)
    assert (paper_id(2), seen_at) == shown(archive)[0]


def test_paper_listed_since_the_last_refresh_keeps_its_time(archive: Archive, clock: Clock) -> None:
    """A real listing time later than the refresh before it is the paper's date."""
    archive.store([listing(entry(1))], clock())
    listed_at = clock() + timedelta(minutes=3)
    clock.tick(minutes=15)
    archive.store([listing(entry(1), entry(2, submittedOnDailyAt=listed_at.isoformat()))], clock())
    assert (paper_id(2), listed_at) == shown(archive)[0]


def test_clock_days_ahead_for_one_refresh(archive: Archive, clock: Clock) -> None:
    """After a refresh by a clock that ran days ahead, new entries come after what readers saw then."""
    archive.store([listing(entry(1))], clock())
    ahead = clock() + timedelta(days=3)
    archive.store([listing(entry(1), entry(2))], ahead)
    assert (paper_id(2), ahead) == shown(archive)[0]
    archive.store([listing(entry(1), entry(2), entry(3))], clock.tick(minutes=15))
    assert (paper_id(3), ahead + timedelta(seconds=1)) == shown(archive)[0]


def test_threshold_is_crossed_when_it_is_reached(archive: Archive, clock: Clock) -> None:
    """A paper enters `min_upvotes=N` at the refresh that first saw N, and keeps that date when votes fall."""
    archive.store([listing(entry(1, upvotes=1))], clock())
    crossed_at = clock.tick(hours=5)
    archive.store([listing(entry(1, upvotes=12))], crossed_at)
    archive.store([listing(entry(1, upvotes=3))], clock.tick(hours=1))
    archive.store([listing(entry(1, upvotes=40))], clock.tick(hours=1))
    assert [(paper_id(1), MIDNIGHT)] == shown(archive, "min_upvotes=1")
    assert [(paper_id(1), crossed_at)] == shown(archive, "min_upvotes=2")
    assert [(paper_id(1), crossed_at)] == shown(archive, "min_upvotes=12")
    assert [(paper_id(1), clock())] == shown(archive, "min_upvotes=13")
    assert [] == shown(archive, "min_upvotes=41")
    assert 40 == archive.search(parse_query("")).entries[0].paper.upvotes


def test_backfilled_day_is_dated_by_its_listing(archive: Archive, clock: Clock) -> None:
    """A day before the first refresh that is asked for later is history, dated when it was listed."""
    archive.store([listing(entry(1))], clock())
    earlier = DAY - timedelta(days=40)
    archive.store([listing(entry(2, day=earlier), day=earlier)], clock.tick(hours=1))
    assert (paper_id(2), MIDNIGHT - timedelta(days=40)) == shown(archive, "days=100")[-1]


def test_day_missed_while_down_is_dated_by_the_refresh(archive: Archive, clock: Clock) -> None:
    """A day after the archive's first refresh is no history, however late it is read."""
    archive.store([listing(entry(1))], clock())
    archive.store([listing(entry(3, day=date(2026, 3, 20)), day=date(2026, 3, 20))], clock.tick(days=10))
    missed = date(2026, 3, 15)
    archive.store([listing(entry(2, day=missed), day=missed)], clock.tick(minutes=1))
    assert (paper_id(2), clock()) == shown(archive)[0]


def test_known_paper_in_a_backfilled_day_keeps_its_date(archive: Archive, clock: Clock) -> None:
    """Votes first seen on an older listing of a known paper count from now on, not from then."""
    archive.store([listing(entry(1, upvotes=1))], clock())
    earlier = DAY - timedelta(days=6)
    archive.store([listing(entry(1, day=earlier, upvotes=9), day=earlier)], clock.tick(hours=1))
    assert [(paper_id(1), MIDNIGHT)] == shown(archive)
    assert [(paper_id(1), clock())] == shown(archive, "min_upvotes=9")


def test_date_that_was_given_never_changes(archive: Archive, clock: Clock) -> None:
    """A day of the past that is read late revises nothing in a paper that is known, and dates its new votes now."""
    archive.store([listing(entry(3))], clock())
    first, again = DAY - timedelta(days=20), DAY - timedelta(days=14)
    archive.store([listing(entry(1, day=first, upvotes=2), day=first)], clock.tick(minutes=1))
    archive.store([listing(entry(1, day=again, upvotes=20, title="Zebras"), day=again)], clock.tick(minutes=1))
    assert [] == shown(archive, "q=zebra")
    assert [(paper_id(1), clock())] == shown(archive, "min_upvotes=20")


def test_today_read_late_is_no_history(archive: Archive, clock: Clock) -> None:
    """Papers of the very day the archive began, on a listing that could not be read at first, are dated when seen."""
    archive.store([listing(day=DAY - timedelta(days=1))], clock())
    archive.store([listing(entry(1))], clock.tick(hours=1))
    assert [(paper_id(1), clock())] == shown(archive)


def test_papers_newer_than_the_archive_are_no_history(archive: Archive, clock: Clock) -> None:
    """A day of the past that is answered with papers listed since is no history."""
    archive.store([listing(entry(1))], clock())
    later = DAY + timedelta(days=3)
    archive.store([listing(entry(2, day=later), day=later)], clock.tick(days=3))
    archive.store([listing(entry(3, day=later), day=DAY - timedelta(days=9))], clock.tick(hours=1))
    assert (paper_id(3), clock()) == shown(archive)[0]


def test_relisted_paper_keeps_its_first_day(archive: Archive, clock: Clock) -> None:
    """A paper that is listed again neither moves nor appears twice; its new votes date from its new listing."""
    archive.store([listing(entry(1, upvotes=2))], clock())
    again = DAY + timedelta(days=6)
    archive.store([listing(entry(1, day=again, upvotes=30), day=again)], clock.tick(days=6))
    assert [(paper_id(1), MIDNIGHT)] == shown(archive)
    assert [(paper_id(1), MIDNIGHT + timedelta(days=6))] == shown(archive, "min_upvotes=30")


def test_listings_of_one_refresh_count_as_one_sighting(archive: Archive, clock: Clock) -> None:
    """Several captures of a day, stored at once, leave the last wording, the first time and the highest counts."""
    captures = [entry(1, upvotes=3), entry(1, upvotes=9, title="Renamed"), entry(1, upvotes=5)]
    archive.store([listing(captured) for captured in captures], clock())
    assert [(paper_id(1), MIDNIGHT)] == shown(archive, "min_upvotes=9")
    kept = archive.search(parse_query("")).entries[0].paper
    assert (5, "Paper 1 on Retrieval") == (kept.upvotes, kept.title)


def test_revision_of_the_text_moves_updated_only(archive: Archive, clock: Clock) -> None:
    """A changed title shows, moves `updated_at`, and leaves the date of the entry alone."""
    archive.store([listing(entry(1))], clock())
    archive.store([listing(entry(1, title="Another Title"))], clock.tick(hours=2))
    found = archive.search(parse_query("")).entries[0]
    assert ("Another Title", MIDNIGHT, clock()) == (found.paper.title, found.entered_at, found.updated_at)


def test_optional_field_is_not_forgotten(archive: Archive, clock: Clock) -> None:
    """A field that is missing from a later answer keeps its value, and nothing has changed."""
    archive.store([listing(entry(1, githubRepo="https://git.example.org/a"))], clock())
    before = archive.state().revision
    archive.store([listing(entry(1, thumbnail=None))], clock.tick(hours=1))
    kept = archive.search(parse_query("")).entries[0].paper
    assert ("https://git.example.org/a", "https://cdn-thumbnails.huggingface.co/made-up/1.png") == (
        kept.github_repo,
        kept.thumbnail,
    )
    assert before == archive.state().revision


def test_stars_revise_nothing(archive: Archive, clock: Clock) -> None:
    """New stars show where counts do, and change no byte of a feed without counts."""
    queries = [parse_query(query) for query in ("", "content=brief", "q=has:code", "counts=1")]
    archive.store([listing(entry(1, githubStars=7, **CODE))], clock())
    before = documents(archive, *queries)
    archive.store([listing(entry(1, githubStars=9, **CODE))], clock.tick(hours=2))
    after = documents(archive, *queries)
    unchanged = [one == other for one, other in zip(before, after, strict=True)]
    assert [True] * 3 * len(FORMATS) + [False] * len(FORMATS) == unchanged
    assert 9 == archive.search(parse_query("")).entries[0].paper.github_stars


def test_stars_may_fall_to_none(archive: Archive, clock: Clock) -> None:
    """Stars can fall to none; only if the Hub leaves their number out does the old one stay."""
    shown = []
    for stars in (7, None, 0, None):
        archive.store([listing(entry(1, githubStars=stars, **CODE))], clock.tick(hours=2))
        shown.append(archive.search(parse_query("")).entries[0].paper.github_stars)
    assert [7, 7, 0, 0] == shown


def test_date_at_arxiv_revises_nothing(archive: Archive, clock: Clock) -> None:
    """No feed shows when a paper came to arXiv, so no reader is told of another date."""
    archive.store([listing(entry(1))], clock())
    before = documents(archive, parse_query(""))
    later = entry(1)
    later["paper"]["publishedAt"] = "2026-03-07T00:00:00.000Z"
    archive.store([listing(later)], clock.tick(hours=2))
    assert before == documents(archive, parse_query(""))


def test_video_that_comes_later(archive: Archive, clock: Clock) -> None:
    """A video revises the entry when it is first seen, and is not forgotten."""
    video = "https://cdn-uploads.huggingface.co/made-up/1.mp4"
    archive.store([listing(entry(1))], clock())
    came_at = clock.tick(hours=2)
    archive.store([listing(entry(1, mediaUrls=[video]))], came_at)
    archive.store([listing(entry(1))], clock.tick(hours=2))
    found = archive.search(parse_query("")).entries[0]
    assert ((video,), came_at) == (found.paper.media, found.updated_at)


def upvotes(archive: Archive, query: str) -> list[int | None]:
    """Return the upvotes with which each entry of a feed entered, newest first."""
    return [entry.upvotes_at_entry for entry in archive.search(parse_query(query)).entries]


def test_upvotes_at_the_entry(archive: Archive, clock: Clock) -> None:
    """They are the most that the paper had had by then in each feed, whatever comes later."""
    archive.store([listing(entry(1, upvotes=0))], clock())
    for votes in (3, 1, 12, 50):
        archive.store([listing(entry(1, upvotes=votes))], clock.tick(hours=1))
    archive.store([listing(entry(1, upvotes=51, title="Zebras"))], clock.tick(hours=1))
    archive.store([listing(entry(1, upvotes=80, numComments=4))], clock.tick(hours=1))
    later = DAY + timedelta(days=6)
    archive.store([listing(entry(1, day=later, upvotes=99), day=later)], clock.tick(days=6))
    expected = {
        "": None,
        "min_upvotes=2": 3,
        "min_upvotes=3": 3,
        "min_upvotes=10": 12,
        "q=zebra": 51,
        "q=zebra&min_upvotes=10": 51,
        "q=zebra&or_upvotes=20": 50,
        "min_comments=4": 80,
        "min_upvotes=90": 99,
    }
    assert {query: [number] for query, number in expected.items()} == {
        query: upvotes(archive, query) for query in expected
    }


def test_unknown_upvotes_at_the_entry(archive: Archive, clock: Clock) -> None:
    """Comments, which count for upvotes where those are unknown, are not taken for them."""
    text = parse(capture(("A Title", "An abstract.", "• 3 authors", "Mar 9, 2026 7")))
    archive.store([text], clock())
    assert [None] == upvotes(archive, "") == upvotes(archive, "min_upvotes=5")


def test_revised_wording_is_found_from_then_on(archive: Archive, clock: Clock) -> None:
    """A paper enters the feed of a word when the word first appears in it, and stays when it disappears."""
    archive.store([listing(entry(1))], clock())
    archive.store([listing(entry(1, title="Now With Zebras"))], clock.tick(hours=2))
    appeared_at = clock()
    archive.store([listing(entry(1, title="Without Again"))], clock.tick(hours=2))
    archive.store([listing(entry(1, title="Now With Zebras"))], clock.tick(hours=2))
    assert [(paper_id(1), appeared_at)] == shown(archive, "q=zebra")
    assert [(paper_id(1), MIDNIGHT)] == shown(archive, "q=-zebra")


CODE, PROJECT = {"githubRepo": "https://git.example.org/a/b"}, {"projectPage": "https://example.org/"}
ELSEWHERE = {"thumbnail": "https://images.example.org/1.png"}
BOTH = CODE | PROJECT
IDS = {"code": [paper_id(2)], "project": [], "image": [paper_id(2), paper_id(1)]}


@pytest.mark.parametrize("name", IDS)
def test_links_are_conditions(archive: Archive, clock: Clock, name: str) -> None:
    """`has:` finds the papers with such a link, `-has:` all others; an image is one that feeds show."""
    papers = entry(1), entry(2, **CODE), entry(3, **ELSEWHERE), entry(4, thumbnail=None, title="Code, project, image")
    archive.store([listing(*papers)], clock())
    ids = [paper_id(number) for number in (4, 3, 2, 1)]
    assert IDS[name] == [paper for paper, _ in shown(archive, f"q=has:{name}")]
    assert [paper for paper in ids if paper not in IDS[name]] == [
        paper for paper, _ in shown(archive, f"q=-has:{name}")
    ]
    assert IDS[name] == [paper for paper, _ in shown(archive, f"q=has:{name} (paper OR code) -title:zebra")]


def test_paper_enters_when_its_link_is_first_seen(archive: Archive, clock: Clock) -> None:
    """It enters then, stays although the link vanishes or changes, and stays in the feed of papers without."""
    archive.store([listing(entry(1))], clock())
    dates = {"q=-has:code": [(paper_id(1), MIDNIGHT)]}
    linked_at = clock.tick(days=2)
    moved = {"githubRepo": "https://git.example.org/c/d"}
    for fields in (CODE, {}, BOTH, moved, ELSEWHERE, {"title": "Zebras"}):
        archive.store([listing(entry(1, **fields))], clock())
        dates["q=has:code"] = dates["q=paper has:code has:image"] = [(paper_id(1), linked_at)]
        if fields is BOTH:
            dates["q=has:project"] = dates["q=has:project has:code"] = [(paper_id(1), clock())]
        assert dates == {query: shown(archive, query) for query in dates}
        clock.tick(hours=1)


def test_link_that_comes_after_months_is_in_a_narrow_window(archive: Archive, clock: Clock) -> None:
    """The window is about the entry's date, however old the paper is."""
    archive.store([listing(entry(1))], clock())
    linked_at = clock.tick(days=200)
    archive.store([listing(entry(1, **CODE))], linked_at)
    assert [(paper_id(1), linked_at)] == shown(archive, "q=has:code&days=1")
    assert [] == shown(archive, "q=-has:code&days=1")


def test_links_of_history_date_nothing_anew(archive: Archive, clock: Clock) -> None:
    """A day filled in late is dated by its listing, with its links; it adds no link to a paper listed since."""
    archive.store([listing(entry(1))], clock())
    earlier = DAY - timedelta(days=40)
    past = listing(entry(1, day=earlier, **CODE), entry(2, day=earlier, **CODE), day=earlier)
    archive.store([past], clock.tick(hours=1))
    assert [(paper_id(2), MIDNIGHT - timedelta(days=40))] == shown(archive, "q=has:code&days=100")


def test_paper_has_a_link_if_any_listing_of_the_refresh_says_so(archive: Archive, clock: Clock) -> None:
    """The order of the listings of one refresh makes no difference."""
    archive.store([listing(entry(1, **CODE), entry(2)), listing(entry(1), entry(2, **CODE))], clock())
    assert [paper_id(2), paper_id(1)] == [paper for paper, _ in shown(archive, "q=has:code")]


def test_a_new_address_of_a_link_writes_no_text_again(archive: Archive, clock: Clock) -> None:
    """Only the first link of a kind makes a new wording."""
    for number in range(3):
        archive.store([listing(entry(1, githubRepo=f"https://git.example.org/{number}"))], clock())
        clock.tick(hours=1)
    with archive._transaction() as db:
        assert [("code image",)] == db.exec_driver_sql("SELECT has FROM wordings").all()


def test_copied_text_has_no_links(archive: Archive, clock: Clock) -> None:
    """The text of a page says nothing of links, so its papers have none."""
    archive.store([parse(capture(("A Title", "An abstract.", "• 2 authors", "Mar 10, 2026 4")), day=DAY)], clock())
    assert ["a-title"] == [paper for paper, _ in shown(archive, "q=-has:code -has:project -has:image")]


def test_revision_moves_only_with_what_a_feed_could_show(archive: Archive, clock: Clock) -> None:
    """The same listing again leaves the revision; a vote, up or down, a comment and a new paper move it."""
    seen = [entry(1, upvotes=5), entry(1, upvotes=5), entry(1, upvotes=6), entry(1, upvotes=5)]
    seen += [entry(1, upvotes=5, numComments=1), entry(1, upvotes=5, numComments=1)]
    revisions = [archive.state().revision]
    for one in seen:
        archive.store([listing(one)], clock.tick(minutes=15))
        revisions.append(archive.state().revision)
    assert [1, 0, 1, 1, 1, 0] == [after > before for before, after in pairwise(revisions)]
    assert revisions == sorted(revisions)


def test_revision_never_means_two_things(open_archive: Opener, tmp_path: Path, clock: Clock) -> None:
    """A copy that is put back comes to no revision there was before; a clock that is set back sets back none."""
    archive = open_archive(tmp_path / "archive.sqlite")
    archive.store([listing(entry(1))], clock())
    shutil.copy(tmp_path / "archive.sqlite", tmp_path / "copy.sqlite")
    archive.store([listing(entry(2))], clock.tick(minutes=15))
    copy = open_archive(tmp_path / "copy.sqlite")
    copy.store([listing(entry(3))], clock.tick(minutes=15))
    assert archive.state().revision != copy.state().revision
    before = copy.state().revision
    copy.store([listing(entry(4))], clock.tick(hours=-1))
    archive.store([listing(entry(5))], clock())
    assert before < copy.state().revision != archive.state().revision


def test_days_are_the_newest(archive: Archive, clock: Clock) -> None:
    """However many days were read, a plan is made of the newest 400; all are told on request."""
    days = [DAY - timedelta(days=age) for age in range(450)]
    archive.mark_requested(days, clock())
    assert days[:400] == list(archive.days())
    assert set(days) == archive.days(None).keys()


def test_one_revision_means_one_thing(open_archive: Opener, address: str, clock: Clock) -> None:
    """Whoever searches while somebody stores, over whatever connection, finds the same for the same revision."""
    open_archive(address).store([listing(*entries(5))], clock())
    readers = [open_archive(address) for _ in range(2)]
    found: dict[int, set[tuple[object, ...]]] = {}
    done = threading.Event()

    def search(reader: Archive) -> list[tuple[int, tuple[object, ...]]]:
        seen = []
        while not done.is_set():
            page = reader.search(Query())
            seen.append((page.state.revision, page.entries))
        return seen

    with ThreadPoolExecutor(4) as pool:
        searches = [pool.submit(search, reader) for reader in readers * 2]
        for votes in range(2, 22):
            open_archive(address).store([listing(*entries(5 + votes, upvotes=votes))], clock.tick(minutes=15))
        done.set()
    for revision, page in (one for searched in searches for one in searched.result()):
        found.setdefault(revision, set()).add(page)
    assert len(found) > 1
    assert {1} == {len(pages) for pages in found.values()}


# What is polled all the time ---------------------------------------------------------------------


def test_recent_state_is_looked_at_once_a_second(open_archive: Opener, address: str, clock: Clock) -> None:
    """What another process stored is seen a second later, what this one stored at once."""
    timer = Timer()
    looking = open_archive(address, timer=timer)
    looking.store([listing(entry(1))], clock())
    first = looking.cached_state()
    assert first == looking.state()
    open_archive(address).store([listing(entry(2))], clock.tick(minutes=15))
    assert first == looking.cached_state()
    timer.sleep(1)
    assert first.revision < looking.cached_state().revision
    looking.store([listing(entry(3))], clock.tick(minutes=15))
    assert looking.state() == looking.cached_state()


def test_recent_state_is_that_of_the_last_search(open_archive: Opener, address: str, clock: Clock) -> None:
    """Once a search has seen what another process stored, nothing older is taken for recent."""
    looking = open_archive(address, timer=Timer())
    looking.store([listing(entry(1))], clock())
    looking.cached_state()
    open_archive(address).store([listing(entry(2))], clock.tick(minutes=15))
    assert looking.search(Query()).state == looking.cached_state()


def test_recent_state_outlives_the_archive(open_archive: Opener, tmp_path: Path, clock: Clock) -> None:
    """While the archive cannot be read its last state is recent; one that never could be read is an error."""
    path = tmp_path / "archive.sqlite"
    timer = Timer()
    archive = open_archive(path, timer=timer)
    archive.store([listing(entry(1))], clock())
    before = archive.cached_state()
    archive.close()
    timer.sleep(1)
    path.write_bytes(b"junk" * 1000)
    assert before == archive.cached_state()
    with pytest.raises(ArchiveError, match="not a database"):
        open_archive(path).cached_state()


def test_dates_are_handed_out_once(archive: Archive, clock: Clock) -> None:
    """No two papers share a date, whether they are new, crossing or revised."""
    archive.store([listing(*entries(30))], clock())
    archive.store([listing(*entries(40, upvotes=8))], clock.tick(hours=1))
    archive.store([listing(*entries(40, upvotes=9))], clock())
    found = archive.search(parse_query("min_upvotes=9&limit=200")).entries
    dates = [date for entry in found for date in {entry.entered_at, entry.updated_at}]
    assert 40 == len(found)
    assert len(dates) == len(set(dates))


def test_no_date_lies_in_the_future(archive: Archive, clock: Clock) -> None:
    """When many papers rise at once, their dates end with the refresh, in listing order, after all before them."""
    archive.store([listing(*entries(700))], clock())
    archive.store([listing(*entries(700, upvotes=8))], clock.tick(hours=1))
    found = [entered_at for _, entered_at in shown(archive, "min_upvotes=8&limit=200")]
    assert clock() == found[0]
    assert [clock() - timedelta(seconds=age) for age in range(200)] == found


def test_clock_that_jumps_back_dates_nothing_before_the_last_refresh(archive: Archive, clock: Clock) -> None:
    """A refresh is never dated earlier than the one before it, whatever the clock says."""
    archive.store([listing(entry(1))], clock())
    refreshed_at = archive.state().refreshed_at
    archive.store([listing(entry(1), entry(2))], clock.tick(hours=-1))
    assert (paper_id(2), refreshed_at) == shown(archive)[0]


@pytest.mark.parametrize(
    ("submitted_at", "previous", "backfilled", "expected"),
    [
        (50, None, False, 50),
        (50, 40, False, 50),
        (40, 40, False, None),
        (30, 40, False, None),
        (30, 40, True, 30),
        (170, 40, False, 100),
        (170, 40, True, 100),
    ],
)
def test_dating_rule(submitted_at: int, previous: int | None, backfilled: bool, expected: int) -> None:
    """The listing time counts where no reader can have looked past it, else the present; never later than now, 100."""
    assert expected == entry_date(submitted_at, now=100, previous=previous, backfilled=backfilled)


def test_days_window_ends_at_the_newest_date_and_begins_at_midnight(archive: Archive, clock: Clock) -> None:
    """`days=N` shows the newest day the archive holds and the N-1 before it, whole."""
    days = [DAY - timedelta(days=age) for age in range(4)]
    archive.store([listing(entry(at, day=day), day=day) for at, day in enumerate(days, 1)], clock())
    assert [paper_id(1)] == [name for name, _ in shown(archive, "days=1")]
    assert [paper_id(1), paper_id(2), paper_id(3)] == [name for name, _ in shown(archive, "days=3")]


def test_late_paper_is_in_a_narrow_window(archive: Archive, clock: Clock) -> None:
    """A paper listed weeks ago that meets a condition today is among today's entries."""
    archive.store([listing(entry(1), entry(2))], clock())
    clock.tick(days=20)
    archive.store([listing(entry(1, upvotes=50), entry(2, title="Zebras"))], clock())
    assert [(paper_id(1), clock() - timedelta(seconds=1))] == shown(archive, "min_upvotes=50&days=1")
    assert [(paper_id(2), clock())] == shown(archive, "q=zebra&days=1")


def test_pages_follow_one_another(archive: Archive, clock: Clock) -> None:
    """Pages of a feed, put together, are the whole of it; the last says that nothing follows."""
    archive.store([listing(*entries(25))], clock())
    pages = [archive.search(parse_query(f"limit=10&page={page}")) for page in (1, 2, 3, 4)]
    assert [10, 10, 5, 0] == [len(page.entries) for page in pages]
    assert [True, True, False, False] == [page.more for page in pages]
    assert [paper_id(number) for number in range(25, 0, -1)] == [e.paper.id for page in pages for e in page.entries]


def test_unknown_upvotes_are_measured_by_comments(archive: Archive, clock: Clock) -> None:
    """Where a listing tells no upvotes, `min_upvotes` looks at the comments, which are never shown as upvotes."""
    text = factories.capture(
        ("On Agents", "About agents.", "  • 2 authors", "Mar 9, 2026 2"),
        ("On Nothing", "About nothing.", "  • 1 author", "Mar 9, 2026"),
    )
    archive.store([parse(text)], clock())
    found = archive.search(parse_query("min_upvotes=2")).entries
    assert [("on-agents", None, 2)] == [(e.paper.id, e.paper.upvotes, e.paper.comments) for e in found]


def test_days_remember_what_was_asked_and_read(archive: Archive, clock: Clock) -> None:
    """A day is noted as asked for, as read with its count and validator, and as unchanged."""
    asked_at = clock()
    archive.mark_requested([DAY], asked_at)
    told = archive.days()[DAY]
    assert (asked_at, None, 0) == (told.asked_at, told.good_at, told.count)
    archive.store([Listing(listing(*entries(3)).papers, day=DAY, validator='W/"a"')], clock.tick(seconds=1))
    archive.store([Listing(day=DAY, unchanged=True)], clock.tick(minutes=15))
    told = archive.days()[DAY]
    assert (clock(), clock(), 3, 'W/"a"') == (told.asked_at, told.good_at, told.count, told.validator)


def test_emptied_listing_removes_nothing(archive: Archive, clock: Clock) -> None:
    """An empty answer for a day that had papers is noted, and every entry stays."""
    archive.store([listing(*entries(3))], clock())
    before = shown(archive)
    archive.store([listing()], clock.tick(minutes=15))
    assert before == shown(archive)
    assert 0 == archive.days()[DAY].count


def test_archive_survives_being_closed(archive: Archive, clock: Clock) -> None:
    """What was stored is there after a restart, with the same revision."""
    archive.store([listing(*entries(3))], clock())
    before = shown(archive), archive.state()
    archive.close()
    archive.close()
    assert before == (shown(archive), archive.state())


def refuse_wordings(address: str) -> None:
    """Have the database refuse any further wording."""
    if address.startswith("postgresql"):
        postgres.run(
            address,
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room'; END $$",
            "CREATE TRIGGER no BEFORE INSERT ON wordings EXECUTE FUNCTION no()",
        )
        return
    with closing(sqlite3.connect(address)) as other:
        other.execute("CREATE TRIGGER no BEFORE INSERT ON wordings BEGIN SELECT RAISE(ABORT, 'no room'); END")


def test_what_is_in_use_at_the_end_is_closed_when_it_comes_back(address: str) -> None:
    """Whoever still reads while the archive is closed goes on, and leaves nothing open."""
    with closing(open_database(address)) as database:
        with database.transaction() as db:
            driver = db.connection.driver_connection
            database.close()
            assert 1 == db.exec_driver_sql("SELECT 1").scalar_one()
        with pytest.raises(Exception, match="closed"):
            driver.execute("SELECT 1")


def test_failed_refresh_stores_nothing(archive: Archive, clock: Clock) -> None:
    """A refresh is all or nothing: what breaks half-way leaves no trace."""
    archive.store([listing(entry(1))], clock())
    before = shown(archive), archive.state(), archive.days()
    refuse_wordings(archive.address)
    with pytest.raises(ArchiveError, match=r"cannot write to the archive .*no room"):
        archive.store([listing(entry(2), day=DAY + timedelta(days=1))], clock.tick(hours=1))
    assert before == (shown(archive), archive.state(), archive.days())


def test_threads_may_read_while_one_writes(archive: Archive, clock: Clock) -> None:
    """Readers see whole refreshes only, while another thread stores one after the other."""
    archive.store([listing(*entries(10))], clock())
    counts: set[int] = set()

    def read() -> None:
        for _ in range(15):
            counts.add(archive.count(parse_query("")))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for first in (11, 21, 31):
        archive.store([listing(*entries(10, first=first))], clock.tick(minutes=15))
    for reader in readers:
        reader.join()
    assert counts <= {10, 20, 30, 40}


# What cannot be an archive ----------------------------------------------------------------------


def _junk(path: Path) -> None:
    path.write_bytes(b"this is no database at all, " * 100)


def _folder(path: Path) -> None:
    path.mkdir()


def _something_else(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE recipes (name)")


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_junk, "file is not a database"),
        (_folder, "it is not a file"),
        (os.mkfifo, "it is not a file"),
        (_something_else, "is a database of another program"),
        (_newer, "is from a newer feedproxy"),
    ],
)
def test_what_is_no_archive_is_refused_and_left_alone(
    make: Any, reason: str, tmp_path: Path, open_archive: Opener
) -> None:
    """A path that holds something else is one clear error, and stays as it was."""
    path = tmp_path / "archive.sqlite"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(ArchiveError, match=reason):
        open_archive(path).state()
    assert before == (path.read_bytes() if path.is_file() else None)


def test_empty_file_becomes_an_archive(tmp_path: Path, open_archive: Opener) -> None:
    """A file of zero bytes, as a crash can leave, is an archive that is still empty."""
    path = tmp_path / "archive.sqlite"
    path.touch()
    assert 0 == open_archive(path).state().revision


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("/dev/null/archive.sqlite", "File exists"),
        ("mysql://someone:secret@localhost/feeds", "the archive must be a file"),
        ("postgresql//://someone:secret@localhost/feeds", "the archive must be postgresql"),
        ("postgresql+asyncpg://someone:secret@localhost/feeds", "the archive must be postgresql"),
        ("postgresql://someone:secret@localhost/", "the archive must be postgresql"),
        ("postgresql://someone:secret@localhost:many/feeds", "the archive must be postgresql"),
        (
            "postgresql://someone:secret@localhost/feeds?host=/nowhere",
            "postgresql://localhost/feeds: ",
        ),
        ("postgresql://localhost/feeds?host=/nowhere&password=secret&odd=1", "invalid connection option"),
        ("sqlite://", "the archive must be a file"),
        ("sqlite:///:memory:", "the archive must be a file"),
    ],
)
def test_address_that_leads_nowhere_is_told(address: str, reason: str, open_archive: Opener) -> None:
    """An archive that cannot be created is one clear error."""
    with pytest.raises(ArchiveError, match=reason) as raised:
        open_archive(address).state()
    assert "secret" not in str(raised.value)


def test_path_is_taken_as_it_stands(tmp_path: Path, open_archive: Opener) -> None:
    """A question mark or a percent sign in the path of an archive is part of its name."""
    open_archive(tmp_path / "a?b=1%20.sqlite").state()
    assert ["a?b=1%20.sqlite"] == [path.name for path in tmp_path.iterdir() if path.suffix == ".sqlite"]


def test_older_entries_move_backdated_at(archive: Archive, clock: Clock) -> None:
    """What enters behind other entries is noted, for readers that ask by date of change."""
    archive.store([listing(*entries(2))], clock())
    assert archive.state().backdated_at is None
    archive.store([listing(*entries(3, upvotes=5))], clock.tick(hours=1))
    assert archive.state().backdated_at is None
    earlier = DAY - timedelta(days=9)
    archive.store([listing(entry(9, day=earlier), day=earlier)], clock.tick(hours=1))
    assert clock() == archive.state().backdated_at


def test_database_url_and_path_name_the_same_archive(tmp_path: Path, clock: Clock, open_archive: Opener) -> None:
    """`sqlite:///PATH` is the archive at PATH, and the folders to it are made."""
    path = tmp_path / "deep" / "down" / "archive.sqlite"
    open_archive(f"sqlite:///{path}").store([listing(entry(1))], clock())
    assert [(paper_id(1), MIDNIGHT)] == shown(open_archive(path))
