"""A query in, the document of its feed out; the routes, the page and the commands all go this way.

Knows neither requests nor terminals.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from feedproxy.archive import Archive
from feedproxy.archive.state import SearchResult
from feedproxy.errors import NoPapersYet, UnknownFeedError
from feedproxy.feeds import FORMATS, Document, Feed
from feedproxy.model import Digest, E, Entry
from feedproxy.offers.choices import count_choices
from feedproxy.offers.memo import Memo
from feedproxy.offers.spelling import read_vocabulary
from feedproxy.query.named_feeds import NamedFeed, refuse_parameters
from feedproxy.query.parameters import Query, parse_query, quoted
from feedproxy.text import did_you_mean


@dataclass(frozen=True, slots=True)
class RenderedDocument:
    """A document as bytes, and the revision of the archive it was made from.

    `updated` (aware UTC) is None where the bytes can change without any date in them changing.
    """

    body: bytes
    updated: datetime | None
    revision: int


class Service:
    """The feeds of an archive: one for every query, and the operator's named feeds.

    Remembers what helps to choose one: how much the ready-made filters bring, and the words that papers use.
    """

    advice_seconds = 0.1  # that each kind of advice on a page may take at least: as long as the rest of the page

    def __init__(self, archive: Archive, named_feeds: Iterable[NamedFeed] = ()) -> None:
        self.archive, self.named_feeds = archive, tuple(named_feeds)
        self.choices, self.vocabulary = Memo(archive, count_choices), Memo(archive, read_vocabulary)

    def feed(self, query_string: str, base: str, name: str | None = None) -> Feed:
        """Return the feed of a query string, or the feed `name`, which takes none.

        Raises QueryError, and UnknownFeedError for a name that no feed has.
        """
        if name is None:
            return Feed(parse_query(query_string), base)
        by_name = {feed.name: feed for feed in self.named_feeds}
        if name not in by_name:
            raise UnknownFeedError(f"no feed here has the name {quoted(name)}{did_you_mean(name, by_name)}")
        refuse_parameters(query_string)
        return Feed(by_name[name].query, base, by_name[name])

    def search(self, query: Query) -> SearchResult[Entry]:
        """Return the papers of `query`; raises NoPapersYet while the archive is empty, and ArchiveError."""
        return _demand_papers(self.archive.search(query))

    def digests(self, query: Query) -> SearchResult[Digest]:
        """Return the digests of `query`; raises the same errors as `search`."""
        return _demand_papers(self.archive.digests(query))

    def result(self, feed: Feed) -> SearchResult[Entry] | SearchResult[Digest]:
        """Return the papers or the digests of `feed`; raises the same errors as `search`."""
        return self.digests(feed.query) if feed.query.digest else self.search(feed.query)

    def render(self, feed: Feed, form: str) -> RenderedDocument:
        """Return the document of `feed` in the format `form`; raises the same errors as `search`."""
        result = self.result(feed)
        document = Document(feed, result.entries, result.more)
        # A vote changes the body of a feed with counts but no date in it; so can an operator who edits a named feed.
        # A backfill can change only entries that are older than the newest; it may close periods long past.
        is_dated = not (feed.query.counts or feed.name) and result.state.is_backdating_over
        updated = (
            max(filter(None, (document.updated, result.state.backdated_at, result.closed_at))) if is_dated else None
        )
        return RenderedDocument(FORMATS[form].render(document), updated, result.state.revision)


def _demand_papers(result: SearchResult[E]) -> SearchResult[E]:
    if result.state.newest_entry_at is None:
        raise NoPapersYet
    return result
