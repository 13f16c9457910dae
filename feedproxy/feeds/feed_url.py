"""A feed's address, path or query in, as people copy it; the feed and its format out."""

import re
from collections.abc import Iterable
from urllib.parse import unquote

from feedproxy.errors import QueryError
from feedproxy.feeds import FORMATS, Feed
from feedproxy.query.grammar import is_filter
from feedproxy.query.named_feeds import NamedFeed, refuse_parameters
from feedproxy.query.parameters import as_query, parse_query, query_pairs, quoted
from feedproxy.text import did_you_mean, visible

# `feed:` and `feed://` are what browsers and readers put before the address of a feed.
_SCHEME = re.compile(r"(?:feed:)?(?P<server>(?:(?:https?|feed):)?//)?", re.IGNORECASE)
# Any server, and any prefix before the path of a feed.
_SERVER = re.compile(r"[^/?#]+(?=[?#]|$)|[^?#]*?/(?=(?:f/)?[^/?#]*(?:[?#]|$))")
_PATH = re.compile(r"[/?]|f/|feed[.?#]")
_XML = re.compile(r"\.xml$")  # as many feeds are named elsewhere
SHOW = "show"  # a parameter of the page alone: how many entries it shows
_SHOW = re.compile(rf"(?:^|&){SHOW}=[^&]*")
_PAPER = re.compile(r"\d{4}\.\d{4,5}(?:v\d+)?(?:\.pdf)?")  # in the address of a paper
_SHARP = re.compile(r"(?:[=+ (]|%2[028])([a-z])#(?=$|[&+ )]|%2[029])", re.IGNORECASE)  # `c#`


def read_address(text: str, base: str, named_feeds: Iterable[NamedFeed] = (), *, server: str = "") -> tuple[Feed, str]:
    """Return the feed of `text` at the service at `base`, and its format.

    `text` may be absolute, relative, or only a query, which means RSS. The base of an absolute address must be
    `server`, if that is not empty. Raises QueryError.
    """
    path, query_string = split(text, server)
    if not path:  # the page, or a query alone
        query_string = _SHOW.sub("", query_string).removeprefix("&")
    forms = {"": "rss", "feed": "rss"} | {f"feed.{form}": form for form in FORMATS}
    if path in forms:
        return Feed(parse_query(query_string), base), forms[path]
    paths = {feed.path(form): (feed, form) for feed in named_feeds for form in FORMATS}
    if path not in paths:
        subscribable = [name for name, (_, form) in paths.items() if FORMATS[form].is_feed]
        raise QueryError(
            quoted(path), f"there is no such feed here{_hint(path, query_string, [*forms, *subscribable])}"
        )
    named_feed, form = paths[path]
    refuse_parameters(query_string)
    return Feed(named_feed.query, base, named_feed), form


def read_filter(text: str) -> str:
    """Return the filter in an address or query, as it was typed; empty without one. Raises QueryError."""
    return dict(query_pairs(split(text)[1])).get("q", "")


def base_of(text: str) -> str:
    """Return the address of the service in an absolute address, with its path and access key; else an empty text."""
    text = _bare(text)
    scheme = _SCHEME.match(text)
    match = _SERVER.match(text, scheme.end()) if scheme and scheme["server"] else None
    if not scheme or not match:
        return ""
    server, _, path = match[0].partition("/")
    is_secure = scheme["server"].casefold() == "https://"
    return f"{'https' if is_secure else 'http'}://{server.casefold()}/{path}".rstrip("/")


def split(text: str, server: str = "") -> tuple[str, str]:
    """Return path and query of an address; a query alone, whose filter may contain `?` and `#`, has no path.

    Ignores what copying adds: spaces and `<>` around it, `feed:` before it, a fragment behind it. Raises QueryError.
    """
    text = _bare(text)
    scheme = re.match(_SCHEME, text)
    rest = text[scheme.end() :] if scheme else text
    is_absolute = bool(scheme and scheme["server"])
    if is_absolute:
        base = re.compile(rf"{re.escape(server.partition('//')[2])}(?:/|(?=[?#]|$))", re.IGNORECASE)
        match = (base if server else _SERVER).match(rest)
        rest = rest[match.end() :] if match else text
    if is_absolute or _PATH.match(rest):
        if sharp := _SHARP.search(rest):
            raise QueryError("q", f"in an address # ends the query: write {sharp[1]}%23")
        rest = rest.partition("#")[0]
    path, _, query_string = rest.removeprefix("/").partition("?")
    return ("", rest) if "=" in path else (path, query_string)


def _bare(text: str) -> str:
    """Return `text` without the spaces and `<>` around it."""
    text = text.strip()
    return text[1:-1].strip() if text.startswith("<") and text.endswith(">") else text


def _hint(path: str, query_string: str, paths: list[str]) -> str:
    """Return the end of a message about a path that leads to no feed; it may be a filter alone."""
    if near := did_you_mean(_XML.sub(".rss", path), paths):
        return near
    if "%3f" in path.casefold():
        return f", did you mean {visible(unquote(path), 200)}?"
    is_encoded = "%" in path
    if "/" in path or _PAPER.fullmatch(path) or not is_filter(unquote(path) if is_encoded else path):
        return "; feed.rss?q=agents is one"
    parameters = filter(None, (f"q={path}" if is_encoded else as_query(path), query_string))
    return f", did you mean {visible('&'.join(parameters), 300)}?"
