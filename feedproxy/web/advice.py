"""What is wrong with a query, or may be, in; out, the words, marks and links with which the page says so. Pure."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from feedproxy.errors import FeedproxyError, QueryError
from feedproxy.query.notices import notices
from feedproxy.query.parameters import PARAMETERS, query_pairs
from feedproxy.text import visible


@dataclass(frozen=True, slots=True)
class Link:
    """A query of the page, and the text of the link there."""

    text: str
    query: str


@dataclass(frozen=True, slots=True)
class Advice:
    """What the page says: by field, elsewhere, about the filter with marks in it, and what may be meant instead.

    `notices` have a link each.
    """

    is_about_query: bool = True
    problems: Mapping[str, str] = field(default_factory=dict)
    elsewhere: tuple[str, ...] = ()
    segments: tuple[tuple[str, bool], ...] = ()
    link: Link | None = None
    notices: tuple[tuple[str, Link], ...] = ()

    @property
    def mistakes(self) -> list[tuple[str, str]]:
        """The mistakes at fields, one by one: the name of the field and a line of text."""
        return [(name, line) for name, lines in self.problems.items() for line in lines.splitlines()]


def advice_on_error(error: FeedproxyError, typed: Mapping[str, str]) -> Advice:
    """Return what to say about a query with mistakes, or about an archive without papers."""
    if not isinstance(error, QueryError):
        return Advice(is_about_query=False, elsewhere=error.problems)
    problems: dict[str, list[str]] = defaultdict(list)
    for mistake in error.mistakes:
        has_field = mistake.parameter in PARAMETERS and mistake.parameter != "page"
        problems[mistake.parameter if has_field else ""].append(mistake.problem if has_field else str(mistake))
    elsewhere = problems.pop("", [])
    places = [mistake.position for mistake in error.mistakes if mistake.position is not None]
    by_field = {name: "\n".join(line[0].upper() + line[1:] for line in lines) for name, lines in problems.items()}
    return Advice(
        True, by_field, tuple(elsewhere), _with_marks(typed.get("q", ""), places), _link(error.suggestion, typed)
    )


def advice_on_filter(typed: Mapping[str, str]) -> Advice:
    """Return what to say about a query that can be read."""
    rows = notices(typed.get("q", ""))
    links = [Link(notice.suggestion, urlencode({**typed, "q": notice.suggestion})) for notice in rows]
    return Advice(notices=tuple(zip((notice.message for notice in rows), links, strict=True)))


def _link(suggestion: str, typed: Mapping[str, str]) -> Link | None:
    """Return a link to the query that may be meant; its text is the filter, or all of it if the filter was right."""
    pairs = query_pairs(suggestion)
    q = dict(pairs).get("q", suggestion)
    return Link(suggestion if q == typed.get("q") else q, urlencode(pairs)) if suggestion else None


def _with_marks(text: str, places: list[int]) -> tuple[tuple[str, bool], ...]:
    """Return `text` in segments, with a mark at each of `places`; a space stands for what is missing at the end."""
    segments, start = [], 0
    for place in places:
        segments += [(visible(text[start:place]), False), (visible(text[place : place + 1]) or " ", True)]
        start = place + 1
    return (*segments, (visible(text[start:]), False)) if places else ()
