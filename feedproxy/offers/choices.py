"""The ready-made filters, each with how many papers it brings a day in an archive."""

from dataclasses import dataclass, replace

from feedproxy.archive import Archive
from feedproxy.query.interests import interests
from feedproxy.query.named_feeds import NamedFeed
from feedproxy.query.parameters import Query


@dataclass(frozen=True, slots=True)
class Choice:
    """A ready-made filter, and its entries per listing day; None if we have not counted them."""

    feed: NamedFeed
    average: float | None = None


def count_choices(archive: Archive) -> tuple[Choice, ...]:
    """Return all ready-made filters with their averages over the last 30 listing days; raises ArchiveError."""
    days, _ = archive.entry_dates_by_threshold(Query(), ())
    newest = archive.state().newest_entry_at
    if not days or newest is None:
        return tuple(map(Choice, interests()))
    window = (newest.date() - days[0]).days + 1
    counts = ((feed, archive.count(replace(feed.query, days=window))) for feed in interests())
    return tuple(Choice(feed, count / len(days)) for feed, count in counts)
