"""A query in; wider queries, which add what else goes by the same name, out. Changes no query by itself.

Each offer adds alternatives to one word or phrase of the filter, or to several words in a row, which may be a phrase
without its quotation marks. They come from the ready-made filters of `query.interests`, from the abbreviations that
papers define, and from longer words with the same beginning.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import permutations

from feedproxy.archive import Archive
from feedproxy.archive.backend import time_limit
from feedproxy.errors import DeadlineError, QueryError
from feedproxy.model import Paper
from feedproxy.offers.abbreviations import definitions
from feedproxy.offers.endings import has_longer_form
from feedproxy.query.grammar import And, Filter, Not, Or, Term
from feedproxy.query.interests import interest_of
from feedproxy.query.parameters import Query, parse_query
from feedproxy.query.terms import singular, words

ALL_DAYS = 3660
_MOST = 6  # offers
_TEXT_FIELDS = (None, "title", "abstract")
_LONGEST_ROW = 4  # terms that we look up as a phrase
_SAMPLE = 100  # papers that we read, the newest with a term
_SPELLINGS = 3  # of an abbreviation or its long form
_WITNESSES = 2  # papers that must define an abbreviation
_LEAST = 0.01  # of a query's papers; an offer adds at least this many
_LARGEST = 0.25  # of all papers in a query's days; what we learned from papers adds at most this many
_USUAL = 0.9  # of the papers that a prefix adds; this many must have a usual form of the word


@dataclass(frozen=True, slots=True)
class Offer:
    """A wider query, its change in words, how many papers it adds, and whether these are those of an interest."""

    text: str
    query: Query
    papers: int
    is_interest: bool = False


@dataclass(frozen=True, slots=True)
class _Candidate:
    """What could replace a term, and the one term that this adds, or None for a whole interest.

    `is_learned` from papers, not written by people.
    """

    text: str
    tree: Filter
    term: Term | None = None
    is_learned: bool = False


def offers(archive: Archive, query: Query, budget: float) -> tuple[Offer, ...]:
    """Return up to six wider queries, most papers first, as many as `budget` seconds allow; raises ArchiveError."""
    different: list[Offer] = []
    with suppress(DeadlineError), time_limit(budget):
        for offer in _offers(archive, query):
            if all(offer.text != other.text and offer.query != other.query for other in different):
                different.append(offer)
    return tuple(sorted(different, key=lambda offer: (-offer.papers, not offer.is_interest, offer.text))[:_MOST])


def _offers(archive: Archive, query: Query) -> Iterator[Offer]:
    if not query.q or not positive_terms(query.q):
        return
    count, everything = archive.count(query), archive.count(Query(days=query.days))
    earlier: list[tuple[Filter, int, _Candidate]] = []
    enough = max(1, _LEAST * count)
    idle: set[Filter] = set()  # parts whose interest adds hardly anything; then no alternative in it does
    for part, candidate in _changes(archive, query.q):
        if part in idle and not candidate.is_learned:
            continue
        with suppress(QueryError):  # no address can say it
            wider = with_replacement(query, part, candidate.tree)
            papers = archive.count(wider) - count
            is_too_broad = candidate.is_learned and papers > _LARGEST * everything
            is_same = any((part, papers) == other[:2] and _is_same(candidate, other[2]) for other in earlier)
            if papers < enough and not candidate.term:
                idle.add(part)
            if papers >= enough and not is_too_broad and not is_same:
                earlier.append((part, papers, candidate))
                yield Offer(candidate.text, wider, papers, is_interest=not candidate.term)


def _is_same(one: _Candidate, other: _Candidate) -> bool:
    """Say whether a beginning adds what `other`, a whole interest or a term, does if it adds as many papers."""
    if not one.term or not one.term.prefix:
        return False
    if other.term:
        return _covers(one.term, other.term)
    return any(_covers(part, one.term) for part in _alternatives(other.tree))


def _changes(archive: Archive, tree: Filter) -> Iterator[tuple[Filter, _Candidate]]:
    """Yield a term of `tree`, or several in a row, with each filter that could replace it.

    A row that we can replace as a phrase keeps its meaning, and its terms are not replaced alone.
    """
    in_phrases: set[Term] = set()
    for row in _rows(tree):
        if in_phrases.isdisjoint(row):
            phrase = Term(tuple(word for term in row for word in term.words))
            for candidate in _candidates(archive, phrase):
                in_phrases.update(row)
                others = (part for part in _alternatives(candidate.tree) if not _covers(phrase, part))
                yield And(row), replace(candidate, tree=Or((And(row), *others)))
    for term in positive_terms(tree):
        if term not in in_phrases:
            yield from ((term, candidate) for candidate in _candidates(archive, term))


def _rows(tree: Filter) -> Iterator[tuple[Term, ...]]:
    """Yield the terms that stand next to each other and could be a phrase, the longest rows of a group first."""
    parts = tree.parts if isinstance(tree, And | Or) else ()
    for size in range(min(len(parts), _LONGEST_ROW), 1, -1) if isinstance(tree, And) else ():
        for at in range(len(parts) - size + 1):
            row = tuple(part for part in parts[at : at + size] if isinstance(part, Term))
            if len(row) == size and not any(term.field or term.prefix for term in row):
                yield row
    for part in parts:
        yield from _rows(part)


def positive_terms(tree: Filter | None) -> list[Term]:
    """Return the different words and phrases that `tree` looks for in titles and abstracts, in its order."""
    if isinstance(tree, Term):
        return [tree] if tree.field in _TEXT_FIELDS else []
    parts = tree.parts if isinstance(tree, And | Or) else ()
    return list(dict.fromkeys(term for part in parts for term in positive_terms(part)))


def with_replacement(query: Query, part: Filter, replacement: Filter) -> Query:
    """Return page 1 of `query` with `replacement` wherever it looks for `part`, a term or a row of terms in an And.

    Raises QueryError if it is too long.
    """
    return parse_query(str(replace(query, q=query.q and _replaced(query.q, part, replacement), page=1)))


def _replaced(tree: Filter, part: Filter, replacement: Filter) -> Filter:
    if tree == part:
        return replacement
    if not isinstance(tree, And | Or):
        return tree
    parts = tuple(_replaced(inner, part, replacement) for inner in tree.parts)
    size = len(part.parts) if isinstance(tree, And) and isinstance(part, And) else len(parts) + 1
    at = next((at for at in range(len(parts) - size + 1) if And(parts[at : at + size]) == part), None)
    return type(tree)(parts if at is None else (*parts[:at], replacement, *parts[at + size :]))


def _candidates(archive: Archive, term: Term) -> Iterator[_Candidate]:
    """Yield what could replace `term`, the most useful first."""
    interest = None if term.field else interest_of(term)
    alternatives = _alternatives(interest.query.q if interest else None)
    if interest and interest.query.q:
        has_term = any(_covers(part, term) for part in alternatives)
        others = [part for part in alternatives if not (isinstance(part, And) and term in part.parts)]  # `tts -scaling`
        tree = interest.query.q if has_term else Or((term, *others))
        yield _Candidate(interest.title, tree)
    learned = () if term.prefix else (*_synonyms(archive, term), *_longer(archive, term))
    terms = [part for part in (*learned, *alternatives) if isinstance(part, Term)]
    distinct = {_key(term)}
    for part in sorted(terms, key=lambda part: part.prefix):  # a whole word says more than a beginning
        if (key := _key(part)) not in distinct:
            distinct.add(key)
            yield _Candidate(str(part), Or((term, part)), part, is_learned=part in learned)


def _alternatives(tree: Filter | None) -> tuple[Filter, ...]:
    return tree.parts if isinstance(tree, Or) else (tree,) if tree else ()


def _covers(part: Filter, term: Filter) -> bool:
    """Say whether `part` finds all that `term` finds: robot* and robots do for "robots fold"."""
    if not isinstance(part, Term) or not isinstance(term, Term):
        return _key(part) == _key(term)
    if part.field != term.field or term.prefix > part.prefix:
        return False
    rows = (term.words[at : at + len(part.words)] for at in range(len(term.words) - len(part.words) + 1))
    return any(_begins(row, part) for row in rows) or _key(part) == _key(term)


def _begins(row: tuple[str, ...], part: Term) -> bool:
    """Say whether `row`, as many words, is the words of `part`, or begins with them if that is a prefix."""
    if not part.prefix:
        return _folded(row) == _folded(part.words)
    is_beginning = any(word.startswith(part.words[-1]) for word in (row[-1], singular(row[-1])))
    return is_beginning and _folded(row[:-1]) == _folded(part.words[:-1])


def _key(tree: Filter) -> object:
    """Return the same for every spelling of a term: one word or two, singular or plural."""
    return (_folded(tree.words), tree.prefix, tree.field) if isinstance(tree, Term) else tree


def _folded(words: Sequence[str]) -> str:
    return "".join(map(singular, words))


def _synonyms(archive: Archive, term: Term) -> list[Term]:
    """Return the abbreviations or long forms of `term` that papers define, the most common first."""
    key, spellings = _folded(term.words), dict[str, Counter[tuple[str, ...]]]()
    for paper in _newest(archive, term):
        near = (pair for pair in definitions(paper.summary) if pair[0][0].casefold() == key[0])  # so begin both
        pairs = {(tuple(words(short)), tuple(words(long))) for short, long in near}
        others = {other for pair in pairs for one, other in permutations(pair) if _folded(one) == key}
        for other in others:
            spellings.setdefault(_folded(other), Counter())[other] += 1
    by_papers = sorted(spellings.items(), key=lambda item: (-item[1].total(), item[0]))
    common = [forms for _, forms in by_papers[:_SPELLINGS] if forms.total() >= _WITNESSES]
    return [replace(term, words=min(forms, key=lambda form: (-forms[form], form))) for forms in common]


def _longer(archive: Archive, term: Term) -> list[Term]:
    """Return `term` as a prefix, unless that brings other words than forms of it."""
    word, prefix = term.words[-1], replace(term, prefix=True)
    if len(term.words) > 1 or len(word) < 2:
        return []
    papers = _newest(archive, And((prefix, Not(term))))
    usual = sum(has_longer_form(word, f"{paper.title} {paper.summary}") for paper in papers)
    return [prefix] if papers and usual >= _USUAL * len(papers) else []


def _newest(archive: Archive, tree: Filter) -> list[Paper]:
    return [entry.paper for entry in archive.search(Query(q=tree, days=ALL_DAYS, limit=_SAMPLE)).entries]
