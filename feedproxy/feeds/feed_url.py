"""What people copy in – the address of a feed, its path, or its query alone – and the feed and format it means out."""

import re
from collections.abc import Iterable

from feedproxy.errors import QueryError
from feedproxy.feeds import FORMATS, Feed
from feedproxy.query.named_feeds import NamedFeed
from feedproxy.query.parameters import parse_query, quoted
from feedproxy.text import did_you_mean

_DEFAULT = "rss"
# A server, and what a server in front may have put before the path of a feed.
_ELSEWHERE = re.compile(r"https?://[^?#]*?/(?=(f/[^/?]*|[^/?]*)(\?|$))")


def read_address(text: str, base: str, feeds: Iterable[NamedFeed] = ()) -> tuple[Feed, str]:
    """Return the feed that `text` means at the service at `base`, and the name of its format.

    `text` may be absolute, relative, or only the query, which means RSS. Raises QueryError.
    """
    path, query_string = split(text.removeprefix(f"{base}/").removeprefix("/"))
    places = _places(feeds)
    if path not in places:
        raise QueryError(
            quoted(path), f"there is no such feed here{did_you_mean(path, places) or '; feed.rss?q=agents is one'}"
        )
    named, form = places[path]
    return Feed(named.query_for(query_string) if named else parse_query(query_string), base, named), form


def split(text: str) -> tuple[str, str]:
    """Return path and query of a relative address; of a query alone, in whose filter a `?` may stand, no path."""
    path, _, query_string = text.partition("?")
    return ("", text) if "=" in path else (path, query_string)


def relative(text: str) -> str:
    """Return an address without its server, whichever that is."""
    return _ELSEWHERE.sub("", text, count=1) if text.startswith("http") else text


def _places(feeds: Iterable[NamedFeed]) -> dict[str, tuple[NamedFeed | None, str]]:
    """Return every path that leads to a feed, with the feed's name, if it has one, and format."""
    plain = {"": _DEFAULT, "feed": _DEFAULT} | {f"feed.{form}": form for form in FORMATS}
    return {path: (None, form) for path, form in plain.items()} | {
        named.path(form): (named, form) for named in feeds for form in FORMATS
    }
