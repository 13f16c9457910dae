"""A corpus of papers in; an archive that holds them, and the ids that a filter finds in it, out."""

import gzip
import json
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import count, groupby
from pathlib import Path

from feedproxy.archive import Archive
from feedproxy.model import Listing, Organization, Paper
from feedproxy.query.grammar import parse_filter
from feedproxy.query.parameters import Query
from tests.postgres import running


def read_listings(path: Path) -> list[Listing]:
    """Read one paper a line, as JSON: id, day, title, summary, keywords, upvotes, comments, code, organization."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        papers = [_paper(json.loads(line)) for line in lines]
    papers.sort(key=lambda paper: paper.submitted_at)
    days = groupby(papers, lambda paper: paper.submitted_at.date())
    return [Listing(tuple(listed), day=day) for day, listed in days]


def _paper(row: dict[str, str | list[str] | int | None]) -> Paper:
    values = dict(row)
    name = values.pop("organization")
    day = datetime.combine(date.fromisoformat(values.pop("day")), datetime.min.time(), UTC)
    return Paper(
        submitted_at=day,
        ai_keywords=tuple(values.pop("keywords")),
        github_repo=values.pop("code"),
        organization=Organization(name, name) if name else None,
        **values,
    )


class Corpus:
    """Papers, and the archive that holds them."""

    def __init__(self, listings: list[Listing], archive: Archive) -> None:
        self.archive, self.days = archive, {listing.day: listing.papers for listing in listings if listing.day}
        self.papers = {paper.id: paper for papers in self.days.values() for paper in papers}
        archive.store(listings, datetime.combine(max(self.days), datetime.max.time(), UTC))

    @cached_property
    def last_year(self) -> dict[date, tuple[Paper, ...]]:
        """The listing days of the last 365 days, with their papers."""
        start = max(self.days) - timedelta(days=365)
        return {day: papers for day, papers in self.days.items() if day > start}

    def daily(self, ids: frozenset[str]) -> float:
        """Return how many of the papers `ids` a listing day of the last year has on average."""
        return sum(paper.id in ids for papers in self.last_year.values() for paper in papers) / len(self.last_year)

    def ids(self, text: str) -> frozenset[str]:
        """Return the ids of the papers that the filter `text` finds; raises QueryError."""
        return self.ids_of(Query(q=parse_filter(text)))

    def ids_of(self, query: Query) -> frozenset[str]:
        """Return the ids of all papers of a query's filter."""
        ids: set[str] = set()
        for page in count(1):
            result = self.archive.search(Query(q=query.q, days=3660, limit=200, page=page))
            ids |= {entry.paper.id for entry in result.entries}
            if not result.more:
                break
        return frozenset(ids)


@contextmanager
def opened(listings: list[Listing], *, postgresql: bool = False) -> Iterator[Corpus]:
    """Store the papers in a new archive for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="feedproxy-quality-") as folder:
        if not postgresql:
            with closing(Archive(f"{folder}/archive.sqlite")) as archive:
                yield Corpus(listings, archive)
            return
        with running() as server, closing(Archive(server.create())) as archive:
            yield Corpus(listings, archive)
