"""The operator's TOML file in; its feeds, or every mistake in it, out."""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedproxy.config import variable
from feedproxy.errors import ConfigError, QueryError
from feedproxy.query.parameters import Query, is_ignored, parse_query, query_pairs, quoted
from feedproxy.text import did_you_mean, one_line

_MAX_TITLE = 200  # characters


@dataclass(frozen=True, slots=True)
class NamedFeed:
    """A feed with a name: its address stays the same while its query and title may change."""

    name: str
    title: str
    query: Query

    def path(self, form: str) -> str:
        """Return the path of its document in the format `form`, relative to the service's address."""
        return f"f/{self.name}.{form}"


def refuse_parameters(query_string: str) -> None:
    """Raise QueryError if the address of a named feed has parameters, other than those of trackers."""
    names = [name for name, _ in query_pairs(query_string) if not is_ignored(name)]
    if names:
        raise QueryError.of(QueryError(quoted(name), "a feed with a name takes no parameters") for name in names)


def read_feeds(path: str | None) -> tuple[NamedFeed, ...]:
    """Read the file at `path`, if any; raises ConfigError with every mistake in it."""
    if path is None:
        return ()
    feeds: list[NamedFeed] = []
    try:
        mistakes = _read_into(feeds, tomllib.loads(Path(path).read_text("utf-8-sig")))
    except OSError as error:
        mistakes = [f"cannot be read: {error.strerror}"]
    except UnicodeDecodeError:
        mistakes = ["is not UTF-8"]
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        mistakes = [f"is not TOML: {one_line(str(error), 200)}"]
    if mistakes:
        raise ConfigError(*(f"{variable('feeds')} {path}: {mistake}" for mistake in mistakes))
    return tuple(feeds)


def _read_into(feeds: list[NamedFeed], document: dict[str, Any]) -> list[str]:
    """Add the feeds in `document` to `feeds`; return every mistake in it."""
    mistakes = [f"{quoted(key)} means nothing here{did_you_mean(key, ['feed'])}" for key in document if key != "feed"]
    tables = document.get("feed", [])
    if not isinstance(tables, list):
        return [*mistakes, "needs [[feed]], in two brackets, before each feed"]
    names: set[object] = set()
    for number, table in enumerate(tables, 1):
        values, problems = _read_table(table if isinstance(table, dict) else {})
        name = values.get("name")
        if name in names:
            problems.append("the name is taken by a feed before it")
        names |= {name} - {None}
        title = f"feed {number}{f' {quoted(name)}' if name else ''}"
        mistakes += [f"{title}: {problem}" for problem in problems]
        if not problems:
            feeds.append(NamedFeed(**values))
    return mistakes


def _read_table(table: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the valid values of one feed, and the problems with the others."""
    values: dict[str, Any] = {}
    problems = [f"{quoted(key)} is not a key of a feed{did_you_mean(key, _KEYS)}" for key in table if key not in _KEYS]
    for key, read in _KEYS.items():
        try:
            if key not in table:
                raise ValueError("is missing")
            if not isinstance(table[key], str):
                raise ValueError("must be text in quotation marks")
            values[key] = read(table[key])
        except QueryError as error:
            problems += [f"{key}: {problem}" for problem in error.problems]
        except ValueError as error:
            problems.append(f"{key}: {error}")
    return values, problems


def _name(text: str) -> str:
    if not re.fullmatch("[a-z0-9-]{1,40}", text):
        raise ValueError(f"must be 1 to 40 of a-z, 0-9 and -, not {quoted(text)}")
    return text


def _title(text: str) -> str:
    title = one_line(text, len(text))
    if not 1 <= len(title) <= _MAX_TITLE:
        raise ValueError(f"must have 1 to {_MAX_TITLE} characters")
    return title


def _query(text: str) -> Query:
    query = parse_query(text)
    if query.page != 1:
        raise QueryError("page", "a feed with a name has one page; leave it out")
    return query


_KEYS: dict[str, Callable[[str], object]] = {"name": _name, "title": _title, "query": _query}
