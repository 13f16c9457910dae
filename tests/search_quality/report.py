"""A corpus in, Markdown tables of how well the search finds what a person means out."""

import tomllib
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from textwrap import wrap

from feedproxy.query.grammar import parse_filter
from feedproxy.query.interests import PATH, interests
from feedproxy.query.named_feeds import NamedFeed
from feedproxy.query.parameters import Query
from tests.search_quality.corpus import Corpus
from tests.search_quality.interests import Figures, Measure, measure, read_definitions
from tests.search_quality.titles import count_results, mistakes, pasted
from tests.search_quality.words import Compound, Pair, compounds

_OFFERS = "feedproxy.offers"
_BUDGET = 10.0  # seconds
_FEW = 3
_MOST_LINES = 400  # of one list


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """Yield the lines of a table."""
    names = list(head)
    for row in (names, ["---"] * len(names), *rows):
        yield f"| {' | '.join(map(str, row))} |"


def interest_lines(corpus: Corpus) -> Iterator[str]:
    """Yield what each obvious filter finds, the same with all offers, and what the ready-made filter finds."""
    yield "## Interests\n"
    yield "Hits, and in %: recall of papers with a usual wording in title or abstract, recall of papers with one"
    yield "in title or keywords, precision.\n"
    yield from table(("interest", "obvious filter", "found", "with all offers", "ready-made", "a day"), _rows(corpus))
    yield ""


def _rows(corpus: Corpus) -> Iterator[Iterable[object]]:
    for feed, obvious, papers in measures(corpus):
        offered = offered_ids(corpus, obvious)
        ready = corpus.ids_of(feed.query)
        yield (
            feed.name,
            f"`{obvious}`",
            _cell(papers.figures(corpus.ids(obvious))),
            "" if offered is None else _cell(papers.figures(offered)),
            _cell(papers.figures(ready)),
            f"{corpus.daily(ready):.1f}",
        )


def measures(corpus: Corpus) -> Iterator[tuple[NamedFeed, str, Measure]]:
    """Yield each interest with its obvious filter and the papers that it is about."""
    wordings = {wording.name: wording for wording in read_definitions()}
    for feed in interests():
        yield feed, wordings[feed.name].obvious, measure(wordings[feed.name], corpus.papers.values())


def _cell(figures: Figures) -> str:
    shares = (figures.wide, figures.core, figures.precision)
    return " · ".join((f"{figures.hits:,}", *(f"{100 * share:.0f}" for share in shares)))


def offered_ids(corpus: Corpus, text: str) -> frozenset[str] | None:
    """Return the ids that the filter `text` finds with all that is offered for it; None if nothing makes offers."""
    if not find_spec(_OFFERS):
        return None
    query = Query(q=parse_filter(text), days=3660)
    offers = import_module(_OFFERS).offers(corpus.archive, query, _BUDGET)
    return frozenset().union(*(corpus.ids_of(query) for query in (query, *(offer.query for offer in offers))))


def document_lines(corpus: Corpus) -> Iterator[str]:
    """Yield the table and the filters of docs/interests.md."""
    rows = []
    for feed, _, papers in measures(corpus):
        ids = corpus.ids_of(feed.query)
        figures = papers.figures(ids)
        shares = (f"{100 * share:.0f}" for share in (figures.wide, figures.core, figures.precision))
        rows.append((f"`{feed.name}`", feed.title, f"{corpus.daily(ids):.1f}", *shares))
    yield from table(("name", "interest", "a day", "recall", "core", "precision"), rows)
    yield "\n## The filters\n"
    for name, text in filters(PATH):
        yield f"`{name}`\n\n```text"
        yield from wrap(text, 110, break_long_words=False, break_on_hyphens=False)
        yield "```\n"


def filters(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the filter of each interest, as they are written in the file at `path`."""
    for table in tomllib.loads(path.read_text())["feed"]:
        yield table["name"], table["query"].removeprefix("q=")


def compound_lines(corpus: Corpus) -> Iterator[str]:
    """Yield how many compounds are one word, and those that are not."""
    yield "## Compounds\n"
    every = list(compounds(corpus))
    for has_sign, what in ((True, "a sign"), (False, "only a space")):
        chosen = [compound for compound in every if compound.has_sign is has_sign]
        unequal = [compound for compound in chosen if not compound.is_one]
        same = sum(hits[0] == hits[1] for hits in (compound.hits for compound in chosen))
        yield f"{len(chosen)} with {what} between. `a-b` and `ab` find the same papers for {same} of them,"
        yield f'and `"a b"` finds those too for {len(chosen) - len(unequal)}.\n'
        yield from _listed(map(_difference, unequal))


def _difference(compound: Compound) -> str:
    first, last = compound.parts
    union, both = frozenset().union(*compound.hits), frozenset.intersection(*compound.hits)
    counts = ", ".join(str(len(hits)) for hits in compound.hits)
    return f'`{first}-{last}`, `{first}{last}`, `"{first} {last}"`: {counts}; {", ".join(sorted(union - both)[:_FEW])}'


def plural_lines(pairs: list[Pair], wrong: list[str]) -> Iterator[str]:
    """Yield the pairs of words that the search treats otherwise than they are meant."""
    yield "## Plurals\n"
    yield f"{sum(pair.is_one for pair in pairs)} pairs are one word, {sum(not pair.is_one for pair in pairs)} are two."
    yield f"The search treats {len(wrong)} otherwise.\n"
    yield from _listed(wrong)


def title_lines(corpus: Corpus) -> Iterator[str]:
    """Yield the results of titles that are pasted as filters."""
    yield "## Titles\n"
    rows = list(pasted(corpus))
    yield from table(("result", "as it is", "in quotation marks"), count_results(rows))
    yield ""
    yield from _listed(
        f"{paper.id} {paper.title}: {plain}; quoted: {quoted}" for paper, plain, quoted in mistakes(rows)
    )


def _listed(lines: Iterable[str]) -> Iterator[str]:
    every = list(lines)
    yield from (f"- {line}" for line in every[:_MOST_LINES])
    if len(every) > _MOST_LINES:
        yield f"- … and {len(every) - _MOST_LINES} more"
    yield ""
