"""Titles of papers pasted as filters in; whether each finds its paper, out."""

from collections import Counter
from collections.abc import Iterator

from feedproxy.errors import QueryError
from feedproxy.model import Paper
from tests.search_quality.corpus import Corpus

FINDS, ADVICE, REFUSED, LOST = "finds its paper", "advised to quote it", "refused without advice", "silently lost"


def pasted(corpus: Corpus) -> Iterator[tuple[Paper, str, str]]:
    """Yield each paper with the result of its title as a filter, and of its title in quotation marks."""
    for paper in corpus.papers.values():
        quoted = f'"{paper.title.translate(_NO_QUOTES)}"'
        yield paper, _result(corpus, paper.title, paper), _result(corpus, quoted, paper)


_NO_QUOTES = dict.fromkeys(map(ord, '"“”„‟«»″〝〞「」『』＂'), " ")


def _result(corpus: Corpus, text: str, paper: Paper) -> str:
    try:
        return FINDS if paper.id in corpus.ids(text) else LOST
    except QueryError as error:
        return ADVICE if "quotation mark" in str(error) else REFUSED


def mistakes(rows: list[tuple[Paper, str, str]]) -> list[tuple[Paper, str, str]]:
    """Return the rows with a title that is lost, and after them those with one that is refused without advice."""
    lost = [row for row in rows if LOST in row[1:]]
    return lost + [row for row in rows if REFUSED in row[1:] and LOST not in row[1:]]


def count_results(rows: list[tuple[Paper, str, str]]) -> list[tuple[str, int, int]]:
    """Return each result with the number of plain titles and of quoted titles that have it."""
    plain, quoted = Counter(row[1] for row in rows), Counter(row[2] for row in rows)
    return [(result, plain[result], quoted[result]) for result in (FINDS, ADVICE, REFUSED, LOST)]
