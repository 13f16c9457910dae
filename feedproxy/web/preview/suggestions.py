"""A query in; queries that ask for less, and what each gives up, out. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice

from feedproxy.errors import QueryError
from feedproxy.query.grammar import And, Filter, Term
from feedproxy.query.parameters import Query, parse_query, validate

THRESHOLDS = (0, 1, 2, 5, 10, 20, 50)
_LONGEST = 3660  # days
_TRIES = 20


def _consistent(query: Query) -> Query | None:
    """Return `query`, or None if its address is refused although each of its parameters can be read."""
    try:
        return validate(query)
    except QueryError:
        return None


def normalized(query: Query) -> Query | None:
    """Return the first page of `query` as its address is read, or None if it is refused."""
    try:
        return parse_query(str(replace(query, page=1)))
    except QueryError:
        return None


def thresholds(query: Query) -> list[Query]:
    """Return `query` with each neighbouring number of upvotes, and with its own, the lowest first."""
    numbers = sorted({*THRESHOLDS, query.min_upvotes})
    return [choice for number in numbers if (choice := _consistent(replace(query, min_upvotes=number, page=1)))]


def relaxations(query: Query) -> Iterator[tuple[str, Query]]:
    """Yield what to do, such as `with any number of upvotes`, and the query it makes; each finds at least as much."""
    for told, less in chain(islice(_less(query), _TRIES), [("every paper", Query(days=_LONGEST))]):
        if read := normalized(less):
            yield told, read


def _less(query: Query) -> Iterator[tuple[str, Query]]:
    if query.days < _LONGEST:
        yield "as far back as there are papers", replace(query, days=_LONGEST)
    if query.min_upvotes:
        yield "with any number of upvotes", replace(query, min_upvotes=0)
    if query.min_comments:
        yield "with any number of comments", replace(query, min_comments=0)
    if query.q:
        yield from ((f"with the words {q}", replace(query, q=q)) for q in _relax(query.q))


def _relax(wanted: Filter) -> Iterator[Filter]:
    """Yield the filter without one of its parts, or with one of them looser."""
    parts = wanted.parts if isinstance(wanted, And) else (wanted,)
    for at, part in enumerate(parts):
        before, after = parts[:at], parts[at + 1 :]
        if rest := before + after:
            yield _all(rest)
        for easier in _easier(part):
            yield _all((*before, *easier, *after))


def _easier(part: Filter) -> Iterator[tuple[Filter, ...]]:
    if isinstance(part, Term) and len(part.words) > 1:
        *before, last = part.words
        yield *(Term((word,), field=part.field) for word in before), Term((last,), part.prefix, part.field)
    elif isinstance(part, Term) and not part.prefix:
        yield (Term(part.words, prefix=True, field=part.field),)


def _all(parts: tuple[Filter, ...]) -> Filter:
    return And(parts) if len(parts) > 1 else parts[0]
