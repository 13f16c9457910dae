"""A query in; the SQL that finds its entries and their dates, out.

Executes nothing. An entry's date is the latest of its conditions' times: since when a wording
matched, and when each count was first reached. With `or_upvotes` it is the earlier of two such.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from feedproxy.archive.tables import SEARCH_COLUMNS, ledger, papers, search, texts
from feedproxy.filters import And, Filter, Not, Or, Term
from feedproxy.query import Query
from feedproxy.words import search_words, singular

DAY = 86_400
GAP = "¶"  # stands first in every title and between names: no word of a query is equal to it


class _Latest(GenericFunction[int]):
    """The greatest of two or more times, none of them NULL."""

    name = "greatest"
    type = sa.BigInteger()
    inherit_cache = True


@compiles(_Latest, "sqlite")
def _sqlite_latest(element: Any, compiler: Any, **options: Any) -> str:
    return f"max({compiler.process(element.clauses, **options)})"


def entries(query: Query, newest: int, lag: int) -> sa.Select[Any]:
    """Select `paper` (its `listed_at`) and `entered_at` of everything in the feed's window.

    `newest` is the newest date in the archive, `lag` how long after its listing a paper may
    still meet a condition; both in seconds.
    """
    start = newest - newest % DAY - (query.days - 1) * DAY
    low = start - lag
    candidate = _candidates(query, low)
    entered = _entered(query, candidate)
    found = sa.select(candidate.c.paper, entered.label("entered_at")).subquery()
    return sa.select(found.c.paper, found.c.entered_at).where(found.c.entered_at >= start)


def _candidates(query: Query, low: int) -> sa.CTE:
    """Select papers from `low` on with the time at which each condition was met, or NULL."""
    columns: list[Any] = [papers.c.listed_at.label("paper")]
    source: Any = papers
    if query.q:
        matched = _matched(query.q, low)
        source = papers.join(matched, matched.c.paper == papers.c.listed_at, isouter=bool(query.or_upvotes))
        columns.append(matched.c.since.label("matched_at"))
    for name, measure in _THRESHOLDS.items():
        if wanted := getattr(query, name):
            columns.append(_first_step(measure, wanted).label(f"{name}_at"))
    return sa.select(*columns).select_from(source).where(papers.c.listed_at >= low).cte("candidate")


_THRESHOLDS = {"min_upvotes": "upvotes", "min_comments": "comments", "or_upvotes": "upvotes"}


def _first_step(measure: str, wanted: int) -> sa.ScalarSelect[int]:
    return (
        sa.select(ledger.c.reached_at)
        .where(ledger.c.paper == papers.c.listed_at, ledger.c.measure == measure, ledger.c.value >= wanted)
        .order_by(ledger.c.value)
        .limit(1)
        .scalar_subquery()
    )


def _entered(query: Query, candidate: sa.CTE) -> sa.ColumnElement[int]:
    times = [column for name, column in candidate.c.items() if name not in ("paper", "or_upvotes_at")]
    all_met: sa.ColumnElement[int] = times[0] if times else candidate.c.paper
    if len(times) > 1:
        all_met = sa.case((sa.and_(*(time.is_not(None) for time in times)), _Latest(*times)))
    if not query.or_upvotes:
        return all_met
    widened = candidate.c.or_upvotes_at
    return sa.case((all_met.is_(None), widened), (widened < all_met, widened), else_=all_met)


def _matched(wanted: Filter, low: int) -> sa.Subquery:
    """Select each paper with a wording that matches, and since when it had the first such one."""
    return (
        sa.select(texts.c.paper, sa.func.min(texts.c.since).label("since"))
        .join_from(search, texts, texts.c.since == search.c.rowid)
        .where(sa.literal_column("search").op("MATCH")(_expression(wanted)), search.c.rowid >= low)
        .group_by(texts.c.paper)
        .subquery("matched")
    )


def _expression(wanted: Filter) -> str:
    """Return `wanted` in FTS5's language, whose NOT takes two sides."""
    if isinstance(wanted, Term):
        return _term(wanted)
    if isinstance(wanted, Or):
        return "(" + " OR ".join(map(_expression, wanted.parts)) + ")"
    parts = wanted.parts if isinstance(wanted, And) else (wanted,)
    without = [_expression(part.part) for part in parts if isinstance(part, Not)]
    demanded = [_expression(part) for part in parts if not isinstance(part, Not)] or [f'title : "{GAP}"']
    return "(" + " NOT ".join([" AND ".join(demanded), *without]) + ")"


def _term(term: Term) -> str:
    columns = SEARCH_COLUMNS[term.field] if term.field else "{title abstract}"
    *before, last = term.words
    folded = [singular(word) for word in before]
    phrase = " ".join([*folded, singular(last)])
    if not term.prefix:
        return f'{columns} : "{phrase}"'
    begun = " ".join([*folded, last])
    return f'{columns} : ("{begun}" * OR "{phrase}")'


def document(title: str, summary: str, authors: tuple[str, ...], organization: tuple[str, ...]) -> dict[str, str]:
    """Return a paper's words as the index holds them, by column."""
    return {
        "title": f"{GAP} {' '.join(search_words(title))}",
        "abstract": " ".join(search_words(summary)),
        "author": f" {GAP} ".join(" ".join(search_words(name)) for name in authors),
        "org": f" {GAP} ".join(" ".join(search_words(name)) for name in organization),
    }
