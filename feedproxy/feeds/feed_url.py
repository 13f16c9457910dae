"""A feed's address, path or query in, as people copy it; the feed and its format out."""

import re
from collections.abc import Iterable

from feedproxy.errors import QueryError
from feedproxy.feeds import FORMATS, Feed
from feedproxy.query.named_feeds import NamedFeed
from feedproxy.query.parameters import parse_query, quoted
from feedproxy.text import did_you_mean

# A server, and any prefix before the path of a feed.
_SERVER = re.compile(r"https?://[^?#]*?/(?=(f/[^/?]*|[^/?]*)(\?|$))")


def read_address(text: str, base: str, named_feeds: Iterable[NamedFeed] = ()) -> tuple[Feed, str]:
    """Return the feed of `text` at the service at `base`, and its format.

    `text` may be absolute, relative, or only a query, which means RSS. Raises QueryError.
    """
    path, query_string = split(text.removeprefix(f"{base}/").removeprefix("/"))
    forms = {"": "rss", "feed": "rss"} | {f"feed.{form}": form for form in FORMATS}
    if path in forms:
        return Feed(parse_query(query_string), base), forms[path]
    paths = {feed.path(form): (feed, form) for feed in named_feeds for form in FORMATS}
    if path not in paths:
        hint = did_you_mean(path, [*forms, *paths]) or "; feed.rss?q=agents is one"
        raise QueryError(quoted(path), f"there is no such feed here{hint}")
    named_feed, form = paths[path]
    return Feed(named_feed.query_for(query_string), base, named_feed), form


def split(text: str) -> tuple[str, str]:
    """Return path and query of a relative address; a query alone, whose filter may contain a `?`, has no path."""
    path, _, query_string = text.partition("?")
    return ("", text) if "=" in path else (path, query_string)


def relative(text: str) -> str:
    """Return an address without its server."""
    return _SERVER.sub("", text, count=1) if text.startswith("http") else text
