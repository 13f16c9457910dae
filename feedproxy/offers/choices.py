"""The ready-made filters, each with how many papers it brings a day in an archive."""

from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import zip_longest

from feedproxy.archive import Archive
from feedproxy.archive.backend import time_limit
from feedproxy.errors import DeadlineError
from feedproxy.query.interests import interests
from feedproxy.query.named_feeds import NamedFeed
from feedproxy.query.parameters import Query

_SECONDS = 1.0
ENOUGH = 5  # listing days; of fewer an average says little


@dataclass(frozen=True, slots=True)
class Choice:
    """A ready-made filter, and its entries per listing day; None if we have not counted them."""

    feed: NamedFeed
    average: float | None = None


def count_choices(archive: Archive) -> tuple[Choice, ...]:
    """Return all ready-made filters, with their averages over the last 30 listing days as far as a second allows.

    Raises ArchiveError.
    """
    averages: list[float] = []
    with suppress(DeadlineError), time_limit(_SECONDS):
        days, _ = archive.entry_dates_by_threshold(Query(), ())
        newest = archive.state().newest_entry_at
        if len(days) >= ENOUGH and newest:
            window = (newest.date() - days[0]).days + 1
            for feed in interests():
                count = archive.count(replace(feed.query, days=window))
                averages.append(count / len(days))
    return tuple(Choice(feed, average) for feed, average in zip_longest(interests(), averages))
