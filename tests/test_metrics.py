"""What is counted; `test_serve` shows that it adds up over worker processes."""

from collections.abc import Callable

import httpx

from tests.conftest import Clock
from tests.hub import Answer, Hub
from tests.made_up import DAY, entries

Serve = Callable[..., httpx.Client]


def counted(client: httpx.Client) -> dict[str, float]:
    """Return the samples of `/metrics` by name and labels."""
    response = client.get("/metrics")
    assert 200 == response.status_code
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    lines = [line for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_off_unless_configured(serve: Serve, hub: Hub) -> None:
    """Without the setting there is no such page."""
    assert 404 == serve(listing=hub.url).get("/metrics").status_code


def test_counts(serve: Serve, hub: Hub, clock: Clock) -> None:
    """Requests are counted by format and status, feeds by whether they were rendered, listings by their time."""
    hub.days[DAY] = entries(5)
    client = serve(listing=hub.url, metrics="1")
    etag = client.get("/feed.rss").headers["ETag"]
    client.get("/feed.rss", headers={"If-None-Match": etag})
    client.get("/feed.atom?limit=0")
    client.get("/healthz")
    found = counted(client)
    assert 1 == found['feedproxy_requests_total{format="rss",status="200"}']
    assert 1 == found['feedproxy_requests_total{format="rss",status="304"}']
    assert 1 == found['feedproxy_requests_total{format="atom",status="400"}']
    assert 1 == found['feedproxy_requests_total{format="other",status="200"}']
    assert 2 == found["feedproxy_feeds_total"]
    assert found["feedproxy_renderings_total"] in (1, 2)  # 2 if the second batch came in between
    assert found["feedproxy_upstream_seconds_count"] >= 1
    assert (5, 0) == (found["feedproxy_papers"], found["feedproxy_listing_age_seconds"])


def test_failures(serve: Serve, hub: Hub) -> None:
    """A round that failed is counted, and an archive that was never refreshed has no age."""
    hub.standing = Answer(429)
    client = serve(listing=hub.url, metrics="1")
    client.get("/feed.rss")
    found = counted(client)
    assert 1 == found['feedproxy_refreshes_total{outcome="failed"}']
    assert 0 == found["feedproxy_papers"]
    assert "feedproxy_listing_age_seconds" not in found
