"""What the benchmarks stand on: the archives they make, and how they count. The timings themselves are no tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from feedproxy.archive import Archive
from feedproxy.query.parameters import Query, parse_query
from tests.bench import archives
from tests.bench.figures import Figure, Goal, compared, interleaved, markdown, table
from tests.bench.load import Load, parsed
from tests.factories import paper
from tests.prose import dressed

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
    assert 200 == made.stats().papers
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


def test_ratio_is_the_median_of_the_rounds() -> None:
    """Two things are compared round by round, so that one bad round of both changes nothing."""
    found = compared("polls", [90, 9, 80], [100, 10, 100], Goal("≥", 0.9), "{:.0f}/s")
    assert Figure("polls", "80/s against 100/s", 0.9, Goal("≥", 0.9), spread=(0.8, 0.9)) == found


def test_rounds_are_interleaved() -> None:
    """Every other round is measured backwards."""
    order = list[float]()

    def measure(number: float) -> float:
        order.append(number)
        return number

    assert [[1, 1, 1], [2, 2, 2]] == interleaved(3, lambda: measure(1), lambda: measure(2))
    assert [1, 2, 2, 1, 1, 2] == order


@pytest.mark.parametrize(
    ("goal", "value", "verdict"),
    [
        (Goal("≥", 0.95), 0.95, ("≥ 0.95 ×", "met")),
        (Goal("≥", 0.3, aim=True), 0.2, ("aim: ≥ 0.3 ×", "MISSED")),
        (Goal("≤", 100, "ms"), 99, ("≤ 100 ms", "met")),
        (None, 1, ("", "")),
    ],
)
def test_verdict_on_a_goal(goal: Goal | None, value: float, verdict: tuple[str, str]) -> None:
    """A line says what was wished for and whether it is so."""
    assert verdict == Figure("", "", value, goal).cells()[4:]


def test_columns_are_as_wide_as_what_stands_in_them() -> None:
    """The table is aligned."""
    assert "a    b\nccc  d" == table([("a", "b"), ("ccc", "d")])


_WRK = """Running 1s test @ http://127.0.0.1:8000/feed.rss
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    10.00ms    2.00ms   1.25s    80.00%
    Req/Sec     1.60k   100.00     1.70k    70.00%
  Latency Distribution
     50%  900.00us
     75%    9.00ms
     90%   10.00ms
     99%   12.50ms
  1602 requests in 1.00s, 46.00MB read
Requests/sec:   1601.50
Transfer/sec:     46.00MB
"""


def test_what_wrk_prints_is_read() -> None:
    """Times are milliseconds in whatever unit wrk has them."""
    assert Load(1601.5, 0.9, 12.5, 1250, 1602, 46) == parsed(_WRK)


def test_answers_that_failed_are_no_figures() -> None:
    """Where some requests went wrong the rate says nothing."""
    with pytest.raises(RuntimeError, match="Non-2xx or 3xx responses: 7"):
        parsed(_WRK + "  Non-2xx or 3xx responses: 7\n")


def test_markdown() -> None:
    """The table of the documentation is the printed one with other lines between its cells."""
    assert "| a | b |\n| --- | --- |\n| 1 × | 2 |" == markdown([("a", "b"), ("1 ×", "2")])
