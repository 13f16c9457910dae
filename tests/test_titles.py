"""Whole titles of real papers, pasted as filters: each finds its paper, or is told how it does."""

import gzip
import json
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from urllib.parse import quote

import pytest

from feedproxy.archive import Archive
from feedproxy.errors import QueryError
from feedproxy.model import Listing
from feedproxy.query.grammar import Filter, in_quotation_marks, parse_filter
from feedproxy.query.notices import notices
from feedproxy.query.parameters import Query, parse_query, query_pairs
from tests.conftest import CAPTURES
from tests.factories import paper

_UNUSUAL = re.compile(r"[^\w :-]|\b(or|not)\b|-( |-)", re.IGNORECASE)
CORPUS = CAPTURES.parent / "search" / "corpus.jsonl.gz"


@pytest.fixture(scope="module")
def titles() -> dict[str, str]:
    """Titles of real papers by their ids: every tenth, and all with more in them than words, hyphens and a colon."""
    if not CORPUS.is_file():
        pytest.skip(f"{CORPUS} is not there")
    with gzip.open(CORPUS, "rt") as lines:
        rows = [(row["id"], row["title"]) for row in map(json.loads, lines)]
    return {name: title for at, (name, title) in enumerate(rows) if at % 10 == 0 or _UNUSUAL.search(title)}


@pytest.fixture(scope="module")
def full_archive(titles: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive of papers with these titles and nothing else to say."""
    now = datetime(2026, 3, 11, tzinfo=UTC)
    papers = tuple(paper(1, id=name, title=title, summary="Nothing.") for name, title in titles.items())
    with closing(Archive(str(tmp_path_factory.mktemp("titles") / "archive.sqlite"))) as archive:
        archive.store([Listing(papers, day=date(2026, 3, 10))], now)
        yield archive


def holds(archive: Archive, tree: Filter, name: str) -> bool:
    pages = (archive.search(Query(q=tree, days=3660, limit=200, page=page)) for page in range(1, 15))
    return any(entry.paper.id == name for page in pages for entry in page.entries)


def read(title: str) -> tuple[Filter | None, str]:
    """Return the filter that `title` is, if any, and the filter that is offered in its place."""
    try:
        tree = parse_query(f"q={quote(title)}").q
    except QueryError as error:
        return None, dict(query_pairs(error.suggestion))["q"]
    return tree, next((notice.suggestion for notice in notices(title)), "")


def test_a_pasted_title_is_found_or_told(titles: dict[str, str], full_archive: Archive) -> None:
    """A title as it is finds its paper, or is told as a mistake, or said to exclude; as a phrase it always finds it."""
    refused = 0
    for name, title in titles.items():
        phrase = in_quotation_marks(title) or f'"{title}"'
        assert holds(full_archive, parse_filter(phrase), name), title
        tree, offer = read(title)
        refused += tree is None
        if tree is None or not holds(full_archive, tree, name):
            assert parse_filter(phrase) == parse_filter(offer), title
    assert refused / len(titles) < 0.4
