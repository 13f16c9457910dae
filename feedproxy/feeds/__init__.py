"""A document of entries in, its bytes as RSS 2.0, Atom 1.0, JSON Feed 1.1 or Markdown out.

Has no clock: equal documents make equal bytes. To add a format, add a row to `FORMATS`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from feedproxy.feeds.feed import Document, Feed
from feedproxy.feeds.jsonfeed import json_feed
from feedproxy.feeds.markdown import markdown
from feedproxy.feeds.xml import MEDIA_TYPES, atom, rss

__all__ = ["FORMATS", "Document", "Feed", "Format"]


@dataclass(frozen=True, slots=True)
class Format:
    """One format; `aliases` are other media types in `Accept` that mean it, `content_type` is the header.

    Feed readers can subscribe to it if it `is_feed`.
    """

    title: str
    media_type: str
    aliases: tuple[str, ...]
    content_type: str
    render: Callable[[Document], bytes]
    is_feed: bool = True


_RSS, _ATOM = MEDIA_TYPES.values()
FORMATS: dict[str, Format] = {
    "rss": Format("RSS", _RSS, ("application/xml", "text/xml"), f"{_RSS}; charset=utf-8", rss),
    "atom": Format("Atom", _ATOM, (), f"{_ATOM}; charset=utf-8", atom),
    # JSON is UTF-8 (RFC 8259)
    "json": Format("JSON Feed", "application/feed+json", ("application/json",), "application/feed+json", json_feed),
    "md": Format("Markdown", "text/markdown", (), "text/markdown; charset=utf-8", markdown, is_feed=False),
}
