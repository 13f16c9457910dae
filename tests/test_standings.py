"""The memory of digests: threads that read different states, reads that are cut off, and what SQLite reads for it."""

import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from feedproxy.archive import Archive, standings
from feedproxy.archive.schema import closings
from feedproxy.archive.standings import Standings, View
from feedproxy.model import Listing
from feedproxy.periods import midnight
from feedproxy.query.parameters import parse_query
from tests.conftest import Clock
from tests.factories import paper

_YEARS = 3


@pytest.fixture
def years(archive: Archive, clock: Clock) -> Archive:
    """Return an archive with a paper on every tenth day of three years, and all their periods closed."""
    days = [midnight(clock.now.date()) - timedelta(days=age) for age in range(0, 365 * _YEARS, 10)]
    listings = [
        Listing((paper(number, submitted_at=day, upvotes=number),), day=day.date()) for number, day in enumerate(days)
    ]
    archive.store(listings, clock.now)
    archive.close_periods(clock.now, None, has_all_days=True)
    return archive


def test_threads_that_read_different_states(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read from an older state never counts for a newer one, even if another thread looks in between."""
    memory, real, views = Standings(), standings._Current, list[View]()
    older, newer = (
        SimpleNamespace(backdated_at=at, revision=at, refreshed_at=None, newest=None, closed_at=None) for at in (1, 2)
    )

    def interrupt(revision: int) -> object:
        if revision == 1:
            thread = threading.Thread(target=lambda: views.append(memory.at(None, newer)))  # type: ignore[arg-type]
            thread.start()
            thread.join()
        return real(revision)

    monkeypatch.setattr(standings, "_Current", interrupt)
    views.append(memory.at(None, older))  # type: ignore[arg-type]
    assert [2, 1] == [view._current.revision for view in views]
    assert views[0]._standings is not views[1]._standings


def test_read_that_is_cut_off_is_not_lost(years: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try gets at least a year further, so that a slow machine answers in the end."""
    query = parse_query("digest=day&q=-agents&days=3660&limit=200")
    real, cut_offs = standings._standings_of, [False, True, False, True, False, False]

    def cut_off(rows: Any) -> Any:
        if cut_offs.pop(0):
            raise TimeoutError
        return real(rows)

    monkeypatch.setattr(standings, "_standings_of", cut_off)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            years.digests(query)
    assert years.digests(query).entries
    assert not cut_offs


@pytest.mark.parametrize("statement", [standings.select_standings, standings.select_rises])
def test_looks_at_each_paper_once(years: Archive, statement: Any) -> None:
    """SQLite looks up the periods of a paper; the other way round it would read all papers for each period."""
    with years._transaction() as db:
        newest = db.scalar(sa.select(sa.func.max(closings.c.until)))
        compiled = statement().compile(db)
        values = compiled.construct_params(standings._window("day", 0) | {"until": newest})
        lines = db.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {compiled}", tuple(values[name] for name in compiled.positiontup)
        )
        plan = [line[-1] for line in lines]
    assert "start>? AND start<?" in next(line for line in plan if "closings" in line)
