"""What happened in, Prometheus text out; counted over all workers where PROMETHEUS_MULTIPROC_DIR names a folder.

That variable must be set before this module is imported (prometheus-client, "Multiprocess Mode").
"""

import os
from collections.abc import Iterator
from datetime import datetime

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from feedproxy.status import Status

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """Counts what an application does."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "feedproxy_requests", "Requests answered", ["format", "status"], registry=self._registry
        )
        self._feeds = Counter("feedproxy_feeds", "Feeds handed out, from memory or not", registry=self._registry)
        self._renderings = Counter("feedproxy_renderings", "Feeds that were not in memory", registry=self._registry)
        self._refreshes = Counter("feedproxy_refreshes", "Rounds of refreshing", ["outcome"], registry=self._registry)
        self._upstream = Histogram(
            "feedproxy_upstream_seconds", "Time to get one listing, pauses included", registry=self._registry
        )

    def answered(self, form: str, status: int) -> None:
        """Count a request by the format of its answer (rss, atom, json, or other) and its status."""
        self._requests.labels(form, status).inc()

    def fed(self) -> None:
        """Count a feed; those from memory are all that were not rendered."""
        self._feeds.inc()

    def rendered(self) -> None:
        """Count a feed that had to be rendered."""
        self._renderings.inc()

    def refused(self, reason: str) -> None:
        """Count a request that was refused."""

    def observe(self, event: str, seconds: float) -> None:
        """Count what the refresh did: a `listing` it got, or a round gone `good`, `failed`, or `left` to another."""
        if event == "listing":
            self._upstream.observe(seconds)
        else:
            self._refreshes.labels(event).inc()

    def exposition(self, status: Status, now: datetime) -> bytes:
        """Return everything counted, and how things stand now, as Prometheus text."""
        counted = self._registry
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            counted = CollectorRegistry()
            MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
        standing = CollectorRegistry()
        standing.register(_Standing(status, now))
        return generate_latest(counted) + generate_latest(standing)


class _Standing(Collector):
    """What is true at the moment of asking; the same in every worker."""

    def __init__(self, status: Status, now: datetime) -> None:
        self.status, self.now = status, now

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges."""
        yield GaugeMetricFamily("feedproxy_papers", "Papers in the archive", self.status.papers)
        if self.status.refreshed_at:
            age = (self.now - self.status.refreshed_at).total_seconds()
            yield GaugeMetricFamily("feedproxy_listing_age_seconds", "Time since the last good refresh", age)
