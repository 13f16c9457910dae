"""What a person finds in the real captures by reading them, as facts."""

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from feedproxy.archive import Archive
from feedproxy.ingest.http import Fetcher
from feedproxy.ingest.parse import parse
from feedproxy.ingest.refresher import Refresher
from feedproxy.ingest.schedule import missing_days
from feedproxy.ingest.source import Hub as HubSource
from feedproxy.ingest.source import ListingRequest
from feedproxy.query.parameters import Query, parse_query
from tests.hub import Hub

WHOLE = Query(days=3660, limit=200)
NOW = datetime(2026, 9, 1, tzinfo=UTC)
AGENTS_WITH_TWO_COMMENTS = {
    "End-to-End Agentic RAG System Training for Traceable Diagnostic Reasoning",
    "Insight-V: Exploring Long-Chain Visual Reasoning with Multimodal Large Language Models",
    "IntellAgent: A Multi-Agent Framework for Evaluating Conversational AI Systems",
    "LiveResearchBench: A Live Benchmark for User-Centric Deep Research in the Wild",
    "SWE-fficiency: Can Language Models Optimize Real-World Repositories on Real Workloads?",
    "Windows Agent Arena: Evaluating Multi-Modal OS Agents at Scale",
}


def titles(archive: Archive, query: str) -> set[str]:
    return {entry.paper.title for entry in archive.search(parse_query(query)).entries}


def test_text_capture(archive: Archive, captures: Path) -> None:
    """The copied text has 47 papers, 11 of them with a number, and these six are about agents and have two or more."""
    archive.store([parse((captures / "text" / "daily-papers-capture.txt").read_bytes())], NOW)
    assert 47 == archive.count(parse_query(""))
    assert 11 == archive.count(parse_query("min_comments=1"))
    assert AGENTS_WITH_TWO_COMMENTS == titles(archive, "q=agents&min_upvotes=2")


def test_api_captures(archive: Archive, captures: Path) -> None:
    """On real days, `q=agents&min_upvotes=2` finds just the papers in which the whole word stands and two votes are."""
    paths = sorted((captures / "api").glob("*.json"))
    archive.store([parse(path.read_bytes(), day=date.fromisoformat(path.name[:10])) for path in paths], NOW)
    papers = [entry["paper"] for path in paths for entry in json.loads(path.read_bytes())]
    assert len({paper["id"] for paper in papers}) == archive.count(parse_query("days=3660"))
    expected = {paper["id"] for paper in papers if paper["upvotes"] >= 2 and mentions_agents(paper)}
    query = parse_query("q=agents&min_upvotes=2&days=3660&limit=200")
    assert expected == {entry.paper.id for entry in archive.search(query).entries}


def test_listed_twice(hub: Hub, archive: Archive, open_archive: Callable[..., Archive], captures: Path) -> None:
    """2604.07429 was listed on 10 and on 16 April 2026: backfill dates it by the first, as a folder of files does."""
    days = (date(2026, 4, 10), date(2026, 4, 16))
    bodies = {day: next((captures / "api").glob(f"{day}*")).read_bytes() for day in days}
    hub.days = {day: json.loads(body) for day, body in bodies.items()}
    filled = open_archive(f"{archive.address}-filled")
    refresher = Refresher(HubSource(Fetcher(hub.url, interval=0)), filled, lambda: NOW)
    for day in missing_days({}, *days):
        refresher.fetch_and_store([ListingRequest(day)])
    archive.store([parse(body, day=day) for day, body in bodies.items()], NOW)
    ways = [{entry.paper.id: entry.entered_at for entry in way.search(WHOLE).entries} for way in (archive, filled)]
    assert days[0] == ways[1]["2604.07429"].date()
    assert ways[0] == ways[1]


def mentions_agents(paper: dict[str, str]) -> bool:
    """Say whether title or abstract holds the whole word, by the plainest means."""
    whole: Callable[[str], object] = re.compile(r"(?<![a-z0-9])agents?(?![a-z0-9])", re.IGNORECASE).search
    return bool(whole(paper["title"]) or whole(paper["summary"]))
