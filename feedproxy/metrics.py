"""Events in, Prometheus text out; PROMETHEUS_MULTIPROC_DIR names a folder where all workers add up their counts.

Set that variable before you import this module (prometheus-client, "Multiprocess Mode").
"""

import os
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Literal, get_args

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from feedproxy.feeds import FORMATS
from feedproxy.ingest.status import VERDICTS, Status

CONTENT_TYPE = CONTENT_TYPE_LATEST
Refusal = Literal["busy", "expensive"]
_STATUSES = (200, 204, 301, 304, 400, 403, 404, 405, 421, 500, 503)  # the others share a label for each class
_SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The counters of an application; each label has a fixed set of values, so that no client can fill the memory."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter("feedproxy_requests", "Requests answered", ["format", "status"], registry=registry)
        self._counter = cache(self._requests.labels)  # looking a counter up takes longer than counting
        self._seconds = Histogram(
            "feedproxy_answer_seconds", "Time that Flask takes to answer", registry=registry, buckets=_SECONDS
        )
        refusals = Counter("feedproxy_refused", "Work refused with 503", ["reason"], registry=registry)
        self._refusals = {reason: refusals.labels(reason) for reason in get_args(Refusal)}
        self._renderings = Counter("feedproxy_renderings", "Feeds that were not in memory", registry=registry)
        self._refreshes = Counter("feedproxy_refreshes", "Rounds of refreshing", ["outcome"], registry=registry)
        self._upstream = Histogram(
            "feedproxy_upstream_seconds", "Time to get one listing, pauses included", registry=registry
        )

    def count_answer(self, form: str, status: int) -> None:
        """Count a request by its status, and a feed by its format."""
        code = str(status) if status in _STATUSES else f"{status // 100}xx"
        self._counter(form if form in FORMATS else "other", code).inc()

    def time_answer(self, seconds: float) -> None:
        """Note how long Flask took to answer."""
        self._seconds.observe(seconds)

    def count_refusal(self, reason: Refusal) -> None:
        """Count a 503."""
        self._refusals[reason].inc()

    def count_rendering(self) -> None:
        """Count a feed that was not in memory."""
        self._renderings.inc()

    def observe(self, event: str, seconds: float) -> None:
        """Count an event of refreshing: a `listing`, or a round with the outcome `good`, `failed`, or `left`.

        `left` means that another process refreshes.
        """
        if event == "listing":
            self._upstream.observe(seconds)
        else:
            self._refreshes.labels(event).inc()

    def exposition(self, status: Status, now: datetime) -> bytes:
        """Return all counters, and the gauges of `status`, as Prometheus text."""
        counts, gauges = self._registry, CollectorRegistry()
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            counts = CollectorRegistry()
            MultiProcessCollector(counts)  # type: ignore[no-untyped-call]
        gauges.register(_Gauges(status, now))
        return generate_latest(counts) + generate_latest(gauges)


class _Gauges(Collector):
    """The status at this moment, which is the same in every worker."""

    def __init__(self, status: Status, now: datetime) -> None:
        self.status, self.now = status, now

    def collect(self) -> Iterator[GaugeMetricFamily]:
        status, gauge = self.status, GaugeMetricFamily
        yield gauge("feedproxy_papers", "Papers in the archive", status.papers)
        verdicts = gauge("feedproxy_verdict", "1 for what /status says, 0 for the others", labels=["verdict"])
        for verdict in VERDICTS:
            verdicts.add_metric([verdict], verdict == status.verdict)
        yield verdicts
        yield gauge("feedproxy_refresh_failures", "Refreshes failed since the last good one", status.failures)
        if status.refreshed_at:
            age = (self.now - status.refreshed_at).total_seconds()
            yield gauge("feedproxy_refresh_age_seconds", "Time since the last good refresh", age)
