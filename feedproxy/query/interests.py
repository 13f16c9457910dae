"""The ready-made filters in interests.toml as named feeds; a filter in, the interest that it stands for, out."""

from collections.abc import Iterable
from functools import cache
from itertools import chain
from pathlib import Path

from feedproxy.query.grammar import And, Filter, Not, Or, Term
from feedproxy.query.named_feeds import NamedFeed, read_feeds
from feedproxy.query.parameters import Query
from feedproxy.query.terms import singular, words

PATH = Path(__file__).with_name("interests.toml")


@cache
def interests() -> tuple[NamedFeed, ...]:
    """Return the ready-made filters, the most general ones first; reads them once."""
    return read_feeds(str(PATH))


@cache
def _titles() -> dict[str, str]:
    """Return the title of each interest by its filter."""
    return {str(feed.query.q): feed.title for feed in interests()}


def describe(query: Query) -> str:
    """Return the conditions of `query` in words, with the title of an interest in place of its filter."""
    text, conditions = str(query.q), query.describe
    if " OR " not in text and "*" not in text:  # no interest, and reading them takes a while
        return conditions
    if title := _titles().get(text):
        return title + conditions.removeprefix(text)
    for interest, title in _titles().items():
        conditions = conditions.replace(f"({interest})", title)
    return conditions


def interest_of(tree: Filter | None) -> NamedFeed | None:
    """Return the interest that the filter `tree` stands for, if it is a single term without a field.

    That is the interest with this name; else one with this alternative, and of several the one whose title holds the
    term, or else the first.
    """
    if not isinstance(tree, Term) or tree.field:
        return None
    matches = [feed for feed in interests() if any(_includes(term, tree) for term in _alternatives(feed.query.q))]
    ranked = (
        [feed for feed in interests() if _includes(Term(tuple(words(feed.name))), tree)],
        [feed for feed in matches if f" {_spaced(tree.words)} " in f" {_spaced(words(feed.title))} "],
        matches,
    )
    return next(chain(*ranked), None)


def _alternatives(tree: Filter | None) -> list[Term]:
    """Return the terms that an interest joins by OR; of a term with exclusions, such as `tts -scaling`, the term."""
    parts = tree.parts if isinstance(tree, Or) else (tree,)
    return [term for part in parts if isinstance(term := _without_exclusions(part), Term)]


def _without_exclusions(part: Filter | None) -> Filter | None:
    if isinstance(part, And) and all(isinstance(other, Not) for other in part.parts[1:]):
        return part.parts[0]
    return part


def _includes(alternative: Term, term: Term) -> bool:
    """Say whether `alternative` is `term` up to plurals and hyphens, or a beginning of it."""
    wide, narrow = _singulars(alternative.words), _singulars(term.words)
    if alternative.prefix:
        return len(wide) == len(narrow) and wide[:-1] == narrow[:-1] and narrow[-1].startswith(wide[-1])
    return not term.prefix and "".join(wide) == "".join(narrow)


def _spaced(names: Iterable[str]) -> str:
    return " ".join(_singulars(names))


def _singulars(names: Iterable[str]) -> list[str]:
    return [singular(name) for name in names]
