"""The measure of search: what it counts, on a dozen made-up papers, and what holds on the real ones."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedproxy.query.interests import interests
from feedproxy.query.named_feeds import NamedFeed
from tests.conftest import CAPTURES
from tests.search_quality.__main__ import lines
from tests.search_quality.corpus import Corpus, opened, read_listings
from tests.search_quality.interests import Figures, measure, read_definitions
from tests.search_quality.titles import ADVISED, FINDS, LOST, pasted
from tests.search_quality.words import Pair, compounds, failures, read_pairs

REAL = CAPTURES.parent / "search" / "corpus.jsonl.gz"
TEXTS = (
    ("Agents that knit", "We teach an agent to knit. It is pre-trained on wool."),
    ("Pretrained wool", "A pretrained reagent knits nothing."),
    ("Knitting: a survey", "Agentic knitting is everywhere."),
    ("Not all wool is wool", "Socks need foot-ware."),
    ("Wool & silk", "A subagent knits silk at once."),
    ("Silk (or wool)", "An email about silk, sent by e-mail."),
    ("Scarves for everyone", "The notall language, not all there is."),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of two days, with pairs of words beside it."""
    folder = tmp_path_factory.mktemp("corpus")
    rows = [
        {"id": f"9913.{at:05d}", "day": f"2026-03-{10 + at % 2}", "title": title, "summary": summary}
        | {"keywords": ["agents"] * (at == 3), "upvotes": 1, "comments": 0, "code": None, "organization": None}
        for at, (title, summary) in enumerate(TEXTS)
    ]
    (folder / "corpus.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    (folder / "plurals.tsv").write_text("# one word\nsock\tsocks\t-s\nsock\tstocking\tmade up\n")
    (folder / "apart.tsv").write_text("# two words\nwool\twoolly\tmade up\nsock\tsoc*\tmade up\n")
    return folder / "corpus.jsonl.gz"


@pytest.fixture(scope="module")
def corpus(path: Path) -> Iterator[Corpus]:
    with opened(read_listings(path)) as corpus:
        yield corpus


def test_corpus(corpus: Corpus) -> None:
    """All papers are found by what they say, and the last year holds both days."""
    assert len(TEXTS) == len(corpus.papers)
    assert {"9913.00000"} == corpus.ids("agents")
    assert 2 == len(corpus.last_year)
    assert 1.5 == corpus.daily(frozenset({"9913.00000", "9913.00001", "9913.00002"}))


def test_figures(corpus: Corpus) -> None:
    """Of three papers about agents a word finds one; a reagent is none; a keyword belongs to the core."""
    wording = next(wording for wording in read_definitions() if wording.name == "agents")
    papers = measure(wording, corpus.papers.values())
    assert {"9913.00000", "9913.00002", "9913.00004"} == papers.wanted
    assert {"9913.00000", "9913.00003"} == papers.core
    assert Figures(1, 1 / 3, 1 / 2, 1.0) == papers.figures({"9913.00000"})
    assert Figures(2, 1 / 3, 1 / 2, 1 / 2) == papers.figures({"9913.00000", "9913.00001"})
    assert Figures(0, 0.0, 0.0, 1.0) == papers.figures(())


def test_compounds(corpus: Corpus) -> None:
    """Words that occur with a sign and without are compared in three spellings; a space alone is another kind."""
    every = list(compounds(corpus))
    assert [("e", "mail"), ("pre", "trained")] == [compound.parts for compound in every if compound.has_sign]
    assert [("not", "all")] == [compound.parts for compound in every if not compound.has_sign]
    assert all("9913.00005" in hits for hits in every[0].hits)


def test_pairs(path: Path, tmp_path: Path) -> None:
    """Only the pairs that the search treats otherwise are told."""
    pairs = [
        *read_pairs(path.with_name("plurals.tsv"), is_one=True),
        *read_pairs(path.with_name("apart.tsv"), is_one=False),
    ]
    assert Pair("sock", "socks", "-s", is_one=True) == pairs[0]
    assert [
        "`sock` `stocking` (made up): `sock` misses the other and `stocking` misses the other",
        "`sock` `soc*` (made up): `soc*` finds the other",
    ] == failures(pairs, tmp_path)


def test_no_pairs(tmp_path: Path) -> None:
    """A corpus need not have pairs beside it."""
    assert [] == read_pairs(tmp_path / "plurals.tsv", is_one=True)


def test_titles(corpus: Corpus) -> None:
    """Every title in quotation marks finds its paper, and one with an operator in it may need that."""
    results = {paper.title: (plain, quoted) for paper, plain, quoted in pasted(corpus)}
    assert (FINDS, FINDS) == results["Agents that knit"]
    assert results["Not all wool is wool"][0] in (LOST, ADVISED)
    assert {FINDS} == {quoted for _, quoted in results.values()}


def test_report(path: Path) -> None:
    """The report names every interest and has a section for each measure."""
    report = "\n".join(lines(path))
    assert [] == [feed.name for feed in interests() if f"| {feed.name} |" not in report]
    assert [] == [title for title in ("Interests", "Compounds", "Plurals", "Titles") if f"## {title}\n" not in report]


def test_table(path: Path) -> None:
    """The parts of the document have a row and a filter for every interest."""
    parts = "\n".join(lines(path, is_document=True))
    assert [] == [feed.name for feed in interests() if f"| `{feed.name}` | {feed.title} |" not in parts]
    assert 2 * len(interests()) == parts.count("```")


# Real papers ------------------------------------------------------------------------------------

# Interests that no filter of 32 terms reaches: people write "a compact planner model".
_LEAST_RECALL = {"small-models": 0.8, "training": 0.92, "memory": 0.93, "synthetic-data": 0.94}


@pytest.fixture(scope="module")
def real_corpus() -> Iterator[Corpus]:
    if not REAL.exists():
        pytest.skip(f"no real papers at {REAL}")
    with opened(read_listings(REAL)) as corpus:
        yield corpus


@pytest.mark.once
@pytest.mark.parametrize("feed", interests(), ids=lambda feed: feed.name)
def test_a_ready_made_filter_finds_what_a_person_means(feed: NamedFeed, real_corpus: Corpus) -> None:
    """Of the papers with a usual wording it finds 95 % at least, and of what it finds 90 % at least are right."""
    wording = next(wording for wording in read_definitions() if wording.name == feed.name)
    figures = measure(wording, real_corpus.papers.values()).figures(real_corpus.ids_of(feed.query))
    assert figures.wide >= _LEAST_RECALL.get(feed.name, 0.95)
    assert figures.precision >= 0.9
