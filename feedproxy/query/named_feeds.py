"""The operator's TOML file in; the feeds it gives names to, or every problem with it, out.

Serves nothing: what a feed holds is its query's to say.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from feedproxy.config import variable
from feedproxy.errors import ConfigError, QueryError, UnknownFeedError
from feedproxy.query.parameters import Query, is_ignored, parse_query, query_pairs, quoted
from feedproxy.text import did_you_mean, one_line

_LARGEST = 1_000_000  # bytes
_LONGEST_TITLE = 200  # characters


@dataclass(frozen=True, slots=True)
class NamedFeed:
    """A feed with a name, by which it is at `path`, and a title; its query may change."""

    name: str
    title: str
    query: Query

    def path(self, form: str) -> str:
        """Return where it lies in the format `form`, relative to the service's address."""
        return f"f/{self.name}.{form}"

    def query_for(self, query_string: str) -> Query:
        """Return its query, at the page that `query_string` asks for; raises QueryError for any other parameter."""
        for name, _ in query_pairs(query_string):
            if name != "page" and not is_ignored(name):
                raise QueryError(quoted(name), f"a feed with a name takes page only{did_you_mean(name, ['page'])}")
        return replace(self.query, page=parse_query(query_string).page)


def find(feeds: Iterable[NamedFeed], name: str) -> NamedFeed:
    """Return the one of `feeds` with that name; raises UnknownFeedError."""
    known = {feed.name: feed for feed in feeds}
    if name not in known:
        raise UnknownFeedError(f"no feed here has the name {quoted(name)}{did_you_mean(name, known)}")
    return known[name]


def read_feeds(path: str | None) -> tuple[NamedFeed, ...]:
    """Read the feeds in the file at `path`; none for None. Raises ConfigError naming every problem in it."""
    feeds: list[NamedFeed] = []
    try:
        problems = _read_into(feeds, _document(path)) if path else []
    except ValueError as error:
        problems = [str(error)]
    if problems:
        raise ConfigError(*(f"{variable('feeds')} {path}: {problem}" for problem in problems))
    return tuple(feeds)


def _document(path: str) -> Mapping[str, object]:
    """Return what a TOML file holds; raises ValueError."""
    try:
        return tomllib.loads(_text(path))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"is not TOML: {one_line(str(error), 200)}") from error


def _text(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            held = file.read(_LARGEST + 1)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    if len(held) > _LARGEST:
        raise ValueError(f"is larger than {_LARGEST} bytes")
    try:
        return held.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("is not UTF-8") from error


def _read_into(feeds: list[NamedFeed], document: Mapping[str, object]) -> list[str]:
    """Add the feeds in `document` to `feeds`; return every problem with it."""
    problems = [f"{quoted(key)} means nothing here{did_you_mean(key, ['feed'])}" for key in document if key != "feed"]
    tables = document.get("feed", [])
    if not isinstance(tables, list):
        return [*problems, "wants [[feed]], in two brackets, before each feed"]
    taken: set[object] = set()
    for number, table in enumerate(tables, 1):
        found, wrong = _fields(table if isinstance(table, dict) else {})
        name = found.get("name")
        if name in taken:
            wrong.append("the name is taken by a feed before it")
        taken |= {name} - {None}
        problems += [f"feed {number}{f' {quoted(str(name))}' if name else ''}: {problem}" for problem in wrong]
        if not wrong:
            feeds.append(NamedFeed(**found))  # type: ignore[arg-type]
    return problems


def _fields(table: Mapping[str, object]) -> tuple[dict[str, object], list[str]]:
    """Return what can be read of one feed, and what is wrong with the rest."""
    found: dict[str, object] = {}
    wrong = [f"{quoted(key)} is no key of a feed{did_you_mean(key, _KEYS)}" for key in table if key not in _KEYS]
    for key, read in _KEYS.items():
        try:
            found[key] = read(_string(table.get(key)))
        except (ValueError, QueryError) as error:
            wrong.append(f"{key}: {error}")
    return found, wrong


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("is missing" if value is None else "wants text in quotation marks")
    return value


def _name(text: str) -> str:
    if not re.fullmatch("[a-z0-9-]{1,40}", text):
        raise ValueError(f"wants 1 to 40 of a-z, 0-9 and -, not {quoted(text)}")
    return text


def _title(text: str) -> str:
    title = one_line(text, len(text))
    if not 1 <= len(title) <= _LONGEST_TITLE:
        raise ValueError(f"wants 1 to {_LONGEST_TITLE} characters")
    return title


def _query(text: str) -> Query:
    query = parse_query(text)
    if query.page != 1:
        raise QueryError("page", "is for readers to ask for; leave it out")
    return query


_KEYS: dict[str, Callable[[str], object]] = {"name": _name, "title": _title, "query": _query}
