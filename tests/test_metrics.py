"""What is counted; `test_serve` shows that it adds up over worker processes."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx

from feedproxy.ingest.status import VERDICTS
from feedproxy.metrics import Metrics
from tests.conftest import Clock
from tests.factories import DAY, entries
from tests.hub import Answer, Hub
from tests.test_status import NOW, judge

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
    assert found["feedproxy_renderings_total"] in (1, 2)  # 2 if the second batch came in between
    assert found["feedproxy_upstream_seconds_count"] >= 1
    assert (5, 0, 0) == tuple(
        found[f"feedproxy_{name}"] for name in ("papers", "refresh_age_seconds", "refresh_failures")
    )
    assert 1 == sum(verdicts(found).values()) == verdicts(found)["fresh"] + verdicts(found)["filling"]
    assert 2 + found["feedproxy_renderings_total"] == found["feedproxy_answer_seconds_count"]


def test_failures(serve: Serve, hub: Hub) -> None:
    """A round that failed is counted, and an archive that was never refreshed has no age."""
    hub.standing = Answer(429)
    client = serve(listing=hub.url, metrics="1")
    client.get("/feed.rss")
    found = counted(client)
    assert 1 == found['feedproxy_refreshes_total{outcome="failed"}']
    assert 0 == found["feedproxy_papers"]
    assert "feedproxy_refresh_age_seconds" not in found
    assert 1 == found["feedproxy_refresh_failures"]
    assert dict.fromkeys(VERDICTS, 0) | {"empty": 1} == verdicts(found)


def verdicts(found: dict[str, float]) -> dict[str, float]:
    return {name: found[f'feedproxy_verdict{{verdict="{name}"}}'] for name in VERDICTS}


def test_clients_add_no_label(serve: Serve, demo: Path) -> None:
    """Whatever is asked for, the page does not grow: every label has a few values that are ours."""
    client = serve(listing="demo", archive=str(demo), metrics="1")
    strange = (
        "/static/{}",
        "/{}",
        "/f/{}.rss",
        "/feed.{}",
        "/feed.rss?q={}",
        "/k/{}",
        "/static/{}.css?v={}",
        "/opml?feed={}",
    )
    sizes = []
    for number in range(3):
        for path in strange:
            client.get(path.format(*[f"made-up{number}"] * 2))
            client.request(f"MADEUP{number}", path.format("a", "b"))
        found = counted(client)
        sizes.append(len(found))
    assert "made-up" not in str(found)
    assert sizes[1] == sizes[2]  # the page itself is counted from the second time on
    assert 24 <= sum(value for name, value in found.items() if 'requests_total{format="other",status="404"}' in name)


def test_rare_statuses_are_counted_by_class() -> None:
    """A status that the service does not give by itself is counted with its like."""
    metrics = Metrics()
    for status in (404, 417, 418, 599):
        metrics.count_answer("made-up", status)
    text = metrics.exposition(judge(), NOW).decode()
    told = {'format="other",status="404"': 1, 'format="other",status="4xx"': 2, 'format="other",status="5xx"': 1}
    assert [f"feedproxy_requests_total{{{labels}}} {count}.0" for labels, count in told.items()] == [
        line for line in text.splitlines() if line.startswith("feedproxy_requests_total")
    ]


def test_refused_work_is_counted() -> None:
    """Refusals are counted by their reason, and are there to be alerted on before the first."""
    metrics = Metrics()
    metrics.count_refusal("expensive")
    text = metrics.exposition(judge(), NOW).decode()
    assert 'feedproxy_refused_total{reason="busy"} 0.0\n' in text
    assert 'feedproxy_refused_total{reason="expensive"} 1.0\n' in text


def test_every_metric_is_documented(serve: Serve, demo: Path) -> None:
    """The table in docs/monitoring.md names each metric there is, and no other."""
    client = serve(listing="demo", archive=str(demo), metrics="1")
    client.get("/feed.rss")
    kinds = re.findall(r"^# TYPE (\S+) (?:counter|gauge|histogram)$", client.get("/metrics").text, re.MULTILINE)
    table = (Path(__file__).parents[1] / "docs" / "monitoring.md").read_text().partition("<!-- metrics -->")[2]
    documented = re.findall(r"^\| `(\w+)` \|", table.partition("<!-- end -->")[0], re.MULTILINE)
    assert sorted(name for name in kinds if not name.endswith("_created")) == sorted(documented)
