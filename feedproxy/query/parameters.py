"""Parameters of a URL in, a frozen `Query` out, and back again in one canonical spelling.

The meaning of a URL never changes, so we only ever add parameters.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import parse_qsl, quote

from feedproxy.errors import QueryError
from feedproxy.query.grammar import Filter, parse_filter
from feedproxy.text import did_you_mean, one_line, plural, whole_number


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, its values and meaning in words; `read` turns its text into a value, or raises ValueError."""

    default: object
    values: str
    read: Callable[[str], object]
    meaning: str


def _parameter(default: object, values: str, read: Callable[[str], object], meaning: str) -> Any:
    return field(default=default, metadata={"parameter": Parameter(default, values, read, meaning)})


def _number(default: int, low: int, high: int, meaning: str) -> Any:
    values = f"a whole number from {low} to {high}"

    def read(text: str) -> int:
        if (number := whole_number(text, low, high)) is None:
            raise ValueError(f"is not {values}")
        return number

    return _parameter(default, values, read, meaning)


def _choice(default: str, choices: tuple[str, ...], meaning: str) -> Any:
    values = f"one of {', '.join(choices)}"

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"is not {values}{did_you_mean(text, choices)}")
        return text

    return _parameter(default, values, read, meaning)


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of a feed; equal queries make equal feeds."""

    q: Filter | None = _parameter(  # noqa: RUF009 (makes a field)
        None, "the filter language", parse_filter, "the words to look for"
    )
    min_upvotes: int = _number(0, 0, 1_000_000, "reached at least N upvotes")
    min_comments: int = _number(0, 0, 1_000_000, "reached at least N comments")
    or_upvotes: int = _number(0, 0, 1_000_000, "or reached N upvotes, regardless of the other conditions")
    days: int = _number(90, 1, 3660, "how many days back, counted from the newest date in the archive")
    limit: int = _number(50, 1, 200, "at most N entries")
    page: int = _number(1, 1, 10_000, "2 for the entries after the first `limit`, and so on")
    link: str = _choice("hf", ("hf", "arxiv", "pdf"), "where an entry's link leads; its id stays the same")
    content: str = _choice("full", ("full", "none"), "`none` leaves out the abstract and the links")
    counts: int = _number(0, 0, 1, "1 adds votes and comments; the feed then changes with every vote")

    def __str__(self) -> str:
        """Return the canonical query string: fixed order, no defaults, percent-encoded UTF-8."""
        values = {name: getattr(self, name) for name in PARAMETERS}
        return "&".join(
            f"{name}={quote(str(value), safe='():*,')}"
            for name, value in values.items()
            if value != PARAMETERS[name].default
        )

    @property
    def describe(self) -> str:
        """The conditions in words, such as `agents, at least 2 upvotes`; empty without conditions."""
        conditions = [
            str(self.q) if self.q else "",
            f"at least {plural(self.min_upvotes, 'upvote')}" if self.min_upvotes else "",
            f"at least {plural(self.min_comments, 'comment')}" if self.min_comments else "",
            f"or at least {plural(self.or_upvotes, 'upvote')}" if self.or_upvotes else "",
        ]
        return ", ".join(filter(None, conditions))


PARAMETERS: dict[str, Parameter] = {row.name: row.metadata["parameter"] for row in fields(Query)}
# The parameters that set a threshold, and the count of a paper that must reach it.
MEASURES = {"min_upvotes": "upvotes", "min_comments": "comments", "or_upvotes": "upvotes"}
_IGNORED = re.compile(r"utm_.*|fbclid|_", re.DOTALL)


def parse_query(query_string: str) -> Query:
    """Read the query part of a URL, without its `?`; raises QueryError for the first mistake in it."""
    values: dict[str, object] = {}
    for name, text in query_pairs(query_string):
        if is_ignored(name):
            continue
        parameter = PARAMETERS.get(name)
        if not parameter:
            hint = did_you_mean(name, PARAMETERS) or f" (parameters: {', '.join(PARAMETERS)})"
            raise QueryError(quoted(name), f"there is no such parameter{hint}")
        if name in values:
            raise QueryError(name, "given more than once")
        if not text:
            raise QueryError(name, "is empty; leave it out instead")
        try:
            values[name] = parameter.read(text)
        except ValueError as error:
            raise QueryError(name, f"{quoted(text)} {error}") from None
    return validate(Query(**values))  # type: ignore[arg-type]


def validate(query: Query) -> Query:
    """Return `query`; raises QueryError if one of its parameters makes another one pointless."""
    if query.or_upvotes and not (query.q or query.min_upvotes or query.min_comments):
        raise QueryError(
            "or_upvotes", "widens other conditions and there are none; min_upvotes is the one to use alone"
        )
    if 0 < query.or_upvotes <= query.min_upvotes:
        raise QueryError("or_upvotes", f"{query.or_upvotes} is not above min_upvotes, which then counts for nothing")
    return query


def is_ignored(name: str) -> bool:
    """Say whether trackers add this parameter to any address."""
    return bool(_IGNORED.fullmatch(name))


def query_pairs(query_string: str) -> list[tuple[str, str]]:
    """Return the decoded parameters of a query string in order; raises QueryError."""
    try:
        return parse_qsl(query_string, keep_blank_values=True, errors="strict", max_num_fields=100)
    except UnicodeDecodeError as error:
        pairs = parse_qsl(query_string, keep_blank_values=True, errors="surrogateescape")
        bad = (name for name, text in pairs if name in PARAMETERS and re.search("[\udc80-\udcff]", text))
        raise QueryError(next(bad, "query"), "is not UTF-8") from error
    except ValueError as error:
        raise QueryError("query", "holds more than 100 parameters") from error


def quoted(text: str) -> str:
    """Return `text` in quotation marks on one line; percent-encoded if some of it is invisible."""
    visible = text if one_line(text, len(text)) == text else quote(text, errors="surrogateescape")
    return f"“{one_line(visible, 40)}”"
