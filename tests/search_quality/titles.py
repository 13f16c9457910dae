"""Titles of papers pasted as filters in; whether each finds its paper, out."""

from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from urllib.parse import quote

from feedproxy.errors import QueryError
from feedproxy.model import Paper
from feedproxy.query.parameters import parse_query
from tests.search_quality.corpus import Corpus

FINDS, ADVISED = "finds its paper", "the advice finds its paper"
REFUSED, LOST = "refused, and no advice finds it", "silently lost"
_NOTICES = "feedproxy.query.notices"
_NO_QUOTES = dict.fromkeys(map(ord, '"“”„‟«»″〝〞「」『』＂'), " ")


def pasted(corpus: Corpus) -> Iterator[tuple[Paper, str, str]]:
    """Yield each paper with the result of its title as a filter, and of its title in quotation marks."""
    for paper in corpus.papers.values():
        quoted = f'"{paper.title.translate(_NO_QUOTES)}"'
        yield paper, _result(corpus, paper.title, paper), _result(corpus, quoted, paper)


def _result(corpus: Corpus, text: str, paper: Paper) -> str:
    try:
        query = parse_query(f"q={quote(text)}")
    except QueryError as error:
        return ADVISED if _finds(corpus, getattr(error, "suggestion", ""), paper) else REFUSED
    if paper.id in corpus.ids_of(query):
        return FINDS
    return ADVISED if any(_finds(corpus, advice, paper) for advice in _noticed(text)) else LOST


def _finds(corpus: Corpus, query_string: str, paper: Paper) -> bool:
    return bool(query_string) and paper.id in corpus.ids_of(parse_query(query_string))


def _noticed(text: str) -> Iterator[str]:
    """Yield the queries that are suggested beside the results of a filter, if anything makes suggestions."""
    if find_spec(_NOTICES):
        yield from (f"q={quote(notice.suggestion)}" for notice in import_module(_NOTICES).notices(text))


def mistakes(rows: list[tuple[Paper, str, str]]) -> list[tuple[Paper, str, str]]:
    """Return the rows with a title that is lost, and after them those with one that no advice finds."""
    lost = [row for row in rows if LOST in row[1:]]
    return lost + [row for row in rows if REFUSED in row[1:] and LOST not in row[1:]]


def count_results(rows: list[tuple[Paper, str, str]]) -> list[tuple[str, int, int]]:
    """Return each result with the number of plain titles and of quoted titles that have it."""
    plain, quoted = Counter(row[1] for row in rows), Counter(row[2] for row in rows)
    return [(result, plain[result], quoted[result]) for result in (FINDS, ADVISED, REFUSED, LOST)]
