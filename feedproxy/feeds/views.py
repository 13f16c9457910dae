"""A document in, the parts of each of its entries out, ready for every format."""

from collections.abc import Iterator

from feedproxy.feeds.digest import digest_view
from feedproxy.feeds.entry import EntryView, entry_view
from feedproxy.feeds.feed import Document
from feedproxy.model import Digest


def views(document: Document) -> Iterator[EntryView]:
    """Yield the view of each entry, newest first."""
    feed = document.feed
    for entry in document.entries:
        yield digest_view(entry, feed) if isinstance(entry, Digest) else entry_view(entry, feed.query)
