"""Which source the settings name, and what of them reaches it."""

from datetime import UTC, datetime

import pytest

from feedproxy.config import Config
from feedproxy.errors import ListingError
from feedproxy.ingest.source import Hub, ListingRequest, SavedListings, open_source
from tests import hub as fake
from tests.factories import DAY

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("listing", "kind", "name"),
    [
        ("https://huggingface.co", Hub, "huggingface.co"),
        ("http://localhost:9/mirror/", Hub, "localhost"),
        ("/made/up", SavedListings, "/made/up"),
    ],
)
def test_open_source(listing: str, kind: type, name: str):
    """The setting names a server by its address, or a file or folder by its path."""
    source = open_source(Config.load({"FEEDPROXY_LISTING": listing}))

    assert (kind, name) == (type(source), source.name)


def test_open_source_settings(hub: fake.Hub):
    """Token, pace and public address of the settings reach the Hub."""
    settings = {"listing": hub.url + "/mirror/", "hf_token": "hf_x", "pace": "0", "public_url": "https://x.org"}
    source = open_source(Config.load({f"FEEDPROXY_{name.upper()}": text for name, text in settings.items()}))
    with pytest.raises(ListingError):
        source.get(ListingRequest(DAY), NOW)

    request, on_the_page = hub.requests
    assert ("/mirror/api/daily_papers", "/mirror/papers/date/2026-03-10") == (request.path, on_the_page.path)
    assert "Bearer hf_x" == request.headers["Authorization"]
    assert request.headers["User-Agent"].endswith("(+https://x.org)")
