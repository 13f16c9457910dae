"""The protocol of a source of listings, with its implementations: the Hub, saved files and made-up papers."""

from datetime import datetime
from pathlib import Path
from typing import Protocol

from feedproxy import HOME
from feedproxy.config import Config, is_address
from feedproxy.ingest.demo import MadeUpListings
from feedproxy.ingest.files import SavedListings
from feedproxy.ingest.http import Fetcher, Turn
from feedproxy.ingest.hub import Hub
from feedproxy.ingest.schedule import ListingDays, ListingRequest
from feedproxy.model import Listing

__all__ = ["Hub", "ListingDays", "ListingRequest", "MadeUpListings", "SavedListings", "Source", "open_source"]


class Source(Protocol):
    """A place that listings come from; with `has_all_days` it gives all it has, and other days have no listing."""

    name: str
    has_all_days: bool

    def keep_pace(self, turn: Turn) -> None:
        """Before each request call `turn` with the interval between requests, and wait for the seconds it returns."""

    def due(self, days: ListingDays, now: datetime, *, force: bool = False) -> list[list[ListingRequest]]:
        """Return the listings to get now, in batches for one transaction each."""

    def next_due(self, days: ListingDays, now: datetime) -> datetime:
        """Return the next due time; not later than `now` if something is due already."""

    def get(self, request: ListingRequest, now: datetime) -> Listing:
        """Get one listing; raises ListingError if only this one fails, UpstreamError if the source does."""


def open_source(config: Config) -> Source:
    """Return the source that `config.listing` names."""
    if is_address(config.listing):
        contact = config.public_url or HOME
        return Hub(Fetcher(config.listing, token=config.hf_token, interval=config.pace, contact=contact))
    if config.is_demo:
        return MadeUpListings()
    return SavedListings(Path(config.listing))
