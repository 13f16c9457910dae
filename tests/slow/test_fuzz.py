"""Listings and queries of every kind for as long as FEEDPROXY_FUZZ_SECONDS says (default 600): no surprise."""

import itertools
import os
import random
import string
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from urllib.parse import quote_plus

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from feedproxy.archive import Archive
from feedproxy.archive.state import SearchResult
from feedproxy.errors import QueryError
from feedproxy.model import Listing
from feedproxy.query.parameters import parse_query
from tests import test_parse as listings
from tests.factories import DAY, api, page
from tests.naive import TOKENS, NaiveArchive, is_exact, query_strings
from tests.test_search import history

_SECONDS = float(os.environ.get("FEEDPROXY_FUZZ_SECONDS", "600"))
_AT_ONCE = 500  # examples between two looks at the time

hostile = st.sampled_from((*listings.LINES, *listings.HOSTILE_LINES))
shuffled = st.lists(hostile, max_size=30).map(lambda lines: "\n".join(lines).encode())
anything = st.text(max_size=300).map(lambda text: text.encode(errors="surrogatepass")) | st.binary(max_size=300)
wrapped = st.tuples(st.sampled_from((b"[", b"{", b"<", b"\xef\xbb\xbf[", b'<div data-props="')), anything).map(b"".join)
documents = (
    listings.mutilated()
    | listings.disfigured().map(api)
    | listings.disfigured().map(page)
    | shuffled
    | anything
    | wrapped
)

soup = st.lists(st.sampled_from(TOKENS) | st.characters(codec="utf-8"), max_size=60).map("".join)
filters = soup.map(lambda text: f"q={quote_plus(text)}")
raw = st.text(st.sampled_from(string.printable + "=&%+;٣“–"), max_size=120) | st.text(max_size=60)
asked = query_strings | filters | raw


def repeat(seconds: float, test: Callable[[], None]) -> None:
    """Run `test`, each time from another seed, until `seconds` have passed."""
    until = time.monotonic() + seconds
    for number in itertools.count(random.randrange(2**32)):  # noqa: S311
        if time.monotonic() > until:
            return
        seed(number)(test)()


relaxed = settings(
    max_examples=_AT_ONCE, deadline=None, derandomize=False, database=None, suppress_health_check=list(HealthCheck)
)


def test_listings() -> None:
    """Whatever bytes come, in a form, out of it or mutilated: papers with safe text, or one plain error."""
    done: Counter[str] = Counter()

    @relaxed
    @given(documents, st.sampled_from((None, DAY)), st.sampled_from((None, listings.LATEST)))
    def test(data: bytes, day: object, latest: object) -> None:
        done["examples"] += 1
        listings.survives(data, day, latest)  # type: ignore[arg-type]

    repeat(_SECONDS / 2, test)
    print(f"\nlistings: {done['examples']:,} examples in {_SECONDS / 2:.0f} s")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Archive, NaiveArchive]]:
    """The archive and the naive one, after the same history."""
    naive = NaiveArchive()
    with closing(Archive(str(tmp_path_factory.mktemp("fuzz") / "archive.sqlite"))) as archive:
        for now, papers in history():
            archive.store([Listing(tuple(papers))], now)
            naive.store(papers, now)
        yield archive, naive


def test_queries(both: tuple[Archive, NaiveArchive]) -> None:
    """Whatever is asked: one line that says what is wrong, or the entries that a plain look at everything finds."""
    archive, naive = both
    done: Counter[str] = Counter()

    @relaxed
    @given(asked)
    def test(query_string: str) -> None:
        done["examples"] += 1
        try:
            query = parse_query(query_string)
        except QueryError as error:
            done["lines"] += len(str(error).splitlines())
            return
        done["readable"] += 1
        assert query == parse_query(str(query))
        if not is_exact(query.q):
            return
        entries, end = naive.entries(query), query.page * query.limit
        page = tuple(entries[end - query.limit : end])
        assert SearchResult(page, len(entries) > end, archive.state()) == archive.search(query)

    repeat(_SECONDS / 2, test)
    assert done["examples"] == done["readable"] + done["lines"], "an error has more than one line"
    print(f"\nqueries: {done['examples']:,} examples in {_SECONDS / 2:.0f} s, {done['readable']:,} of them readable")
