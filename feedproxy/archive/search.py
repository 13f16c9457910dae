"""A query in; the SQL that finds its entries and their dates, out.

Executes nothing. Every condition is a table of papers and since when each meets it; an entry's
date is the latest of its conditions' times. With `or_upvotes` it is the earlier of two such.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from feedproxy.archive.tables import ledger, papers, search, texts
from feedproxy.filters import And, Filter, Not, Or, Term
from feedproxy.query import Query
from feedproxy.words import begun, search_words, singular

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


def select_entries(query: Query, newest: int, lag: int) -> sa.Select[Any]:
    """Select `paper` (its `listed_at`) and `entered_at` of everything in the feed's window.

    `newest` is the newest date in the archive, `lag` how long after its listing a paper may
    still meet a condition; both in seconds.
    """
    start = newest - newest % DAY - (query.days - 1) * DAY
    low = start - lag
    found = _all_met(_conditions(query, low)).subquery()
    if query.or_upvotes:
        either = sa.union_all(sa.select(found), sa.select(_reached("upvotes", query.or_upvotes, low))).subquery()
        earliest = sa.func.min(either.c.since).label("since")
        found = sa.select(either.c.paper, earliest).group_by(either.c.paper).subquery()
    return sa.select(found.c.paper, found.c.since.label("entered_at")).where(found.c.since >= start)


def _conditions(query: Query, low: int) -> list[sa.Subquery]:
    """Return what `query` demands of papers from `low` on; at least that they are listed."""
    conditions = [_matched(query.q, low)] if query.q else []
    conditions += [_reached("upvotes", query.min_upvotes, low)] if query.min_upvotes else []
    conditions += [_reached("comments", query.min_comments, low)] if query.min_comments else []
    return conditions or [_listed(low)]


def _all_met(conditions: list[sa.Subquery]) -> sa.Select[Any]:
    """Select the papers in all of `conditions`, and the latest of their times."""
    first, *others = conditions
    times = [condition.c.since for condition in conditions]
    joined: Any = first
    for other in others:
        joined = joined.join(other, other.c.paper == first.c.paper)
    latest = _Latest(*times) if others else first.c.since
    return sa.select(first.c.paper, latest.label("since")).select_from(joined)


def _listed(low: int) -> sa.Subquery:
    key = papers.c.listed_at
    return sa.select(key.label("paper"), key.label("since")).where(key >= low).subquery()


def _reached(measure: str, wanted: int, low: int) -> sa.Subquery:
    """Select the papers that had `wanted` of `measure`, and when they first did: steps only rise."""
    return (
        sa.select(ledger.c.paper, sa.func.min(ledger.c.reached_at).label("since"))
        .where(ledger.c.measure == measure, ledger.c.paper >= low, ledger.c.value >= wanted)
        .group_by(ledger.c.paper)
        .subquery()
    )


def _matched(wanted: Filter, low: int) -> sa.Subquery:
    """Select each paper with a wording that matches, and since when it had the first such one."""
    return (
        sa.select(texts.c.paper, sa.func.min(texts.c.since).label("since"))
        .join_from(search, texts, texts.c.since == search.c.rowid)
        .where(sa.literal_column("search").op("MATCH")(_expression(wanted)), search.c.rowid >= low)
        .where(texts.c.paper >= low)
        .group_by(texts.c.paper)
        .subquery()
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
    columns = term.field or "{title abstract}"
    *before, last = term.words
    folded = [singular(word) for word in before]
    if not term.prefix:
        return f'{columns} : "{" ".join([*folded, singular(last)])}"'
    either = [f'"{" ".join([*folded, last])}" *', *(f'"{" ".join([*folded, word])}"' for word in sorted(begun(last)))]
    return f"{columns} : ({' OR '.join(either)})"


def document(title: str, summary: str, authors: tuple[str, ...], organization: tuple[str, ...]) -> dict[str, str]:
    """Return a paper's words as the index holds them, by column."""
    return {
        "title": f"{GAP} {' '.join(search_words(title))}",
        "abstract": " ".join(search_words(summary)),
        "author": f" {GAP} ".join(" ".join(search_words(name)) for name in authors),
        "org": f" {GAP} ".join(" ".join(search_words(name)) for name in organization),
    }
