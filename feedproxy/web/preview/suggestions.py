"""A query in; looser queries, each with its change in words, out. Pure."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import chain, islice

from feedproxy.errors import QueryError
from feedproxy.query.grammar import And, Filter, Term
from feedproxy.query.parameters import Query, parse_query, validate

THRESHOLDS = (0, 1, 2, 5, 10, 20, 50)
_MAX_DAYS = 3660
_TRIES = 20


def thresholds(query: Query) -> list[Query]:
    """Return `query` with several numbers of upvotes, its own among them, lowest first."""
    queries = []
    for number in sorted({*THRESHOLDS, query.min_upvotes}):
        with suppress(QueryError):  # another condition may make a number pointless
            queries.append(validate(replace(query, min_upvotes=number, page=1)))
    return queries


def relaxations(query: Query) -> Iterator[tuple[str, Query]]:
    """Yield a change in words, such as `with any number of upvotes`, and the looser query."""
    everything = Query(digest=query.digest, top=query.top, days=_MAX_DAYS)
    for text, relaxed in chain(islice(_relaxed(query), _TRIES), [("every paper", everything)]):
        with suppress(QueryError):  # no address can say it
            yield text, parse_query(str(replace(relaxed, page=1)))


def _relaxed(query: Query) -> Iterator[tuple[str, Query]]:
    if query.days < _MAX_DAYS:
        yield "as far back as there are papers", replace(query, days=_MAX_DAYS)
    if query.min_upvotes:
        yield "with any number of upvotes", replace(query, min_upvotes=0)
    if query.min_comments:
        yield "with any number of comments", replace(query, min_comments=0)
    if query.q:
        yield from ((f"with the words {q}", replace(query, q=q)) for q in _relaxed_filters(query.q))


def _relaxed_filters(tree: Filter) -> Iterator[Filter]:
    """Yield the filter without one of its parts, or with a looser one."""
    parts = tree.parts if isinstance(tree, And) else (tree,)
    for at, part in enumerate(parts):
        before, after = parts[:at], parts[at + 1 :]
        if before + after:
            yield _all(before + after)
        if not isinstance(part, Term):
            continue
        if len(part.words) > 1:
            *first, last = part.words
            words = (*(Term((word,), field=part.field) for word in first), Term((last,), part.prefix, part.field))
            yield _all((*before, *words, *after))
        elif not part.prefix and part.field != "has":
            yield _all((*before, Term(part.words, prefix=True, field=part.field), *after))


def _all(parts: tuple[Filter, ...]) -> Filter:
    return And(parts) if len(parts) > 1 else parts[0]
