"""Where listings come from: the Hub, asked by day and politely; or saved files, taken whole.

Keeps nothing and dates nothing. Whatever goes wrong is one UpstreamError or ListingError.
"""

from datetime import datetime
from pathlib import Path
from typing import Protocol

from feedproxy import HOME
from feedproxy.config import DEMO, Config, is_address
from feedproxy.ingest.files import Saved
from feedproxy.ingest.http import Turn
from feedproxy.ingest.hub import Hub
from feedproxy.ingest.schedule import ListingDays, ListingRequest
from feedproxy.model import Listing

__all__ = ["Hub", "ListingDays", "ListingRequest", "Saved", "Source", "open_source"]


class Source(Protocol):
    """What a refresh needs of a place listings come from."""

    name: str

    def keep_pace(self, turn: Turn) -> None:
        """From now on call `turn` with the pace before each request, and wait for as many seconds as it returns."""

    def due(self, known: ListingDays, now: datetime, *, force: bool = False) -> list[list[ListingRequest]]:
        """Return what to get now, in batches to be stored one by one."""

    def next_due(self, known: ListingDays, now: datetime) -> datetime:
        """Return when to look again whether anything is due."""

    def get(self, ask: ListingRequest, now: datetime) -> Listing:
        """Get one listing; raises UpstreamError or ListingError."""


def open_source(config: Config) -> Source:
    """Return the source that `config.listing` names."""
    if is_address(config.listing):
        return Hub(config.listing, token=config.hf_token, pace=config.pace, contact=config.public_url or HOME)
    if config.listing == DEMO:
        return Saved(Path(__file__).parents[1] / "demo.json", "the made-up listing")
    return Saved(Path(config.listing))
