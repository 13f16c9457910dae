"""The ready-made filters: they are a file of feeds, and a word leads to its interest."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from feedproxy.query.grammar import parse_filter
from feedproxy.query.interests import PATH, describe, interest_of, interests
from feedproxy.query.named_feeds import read_feeds
from feedproxy.query.parameters import Query
from tests.search_quality.interests import Wording, read_definitions
from tests.search_quality.report import filters
from tests.test_documents import ROOT, section


def test_are_a_file_of_feeds(tmp_path: Path) -> None:
    """A copy of the file is a file of feeds with names, and each feed has a filter and nothing else."""
    copy = tmp_path / "feeds.toml"
    copy.write_bytes(PATH.read_bytes())
    assert read_feeds(str(copy)) == interests()
    assert all(feed.query.q and feed.query == Query(q=feed.query.q) for feed in interests())


def test_have_room() -> None:
    """Each filter can still be narrowed by two more words."""
    assert all(parse_filter(f"({feed.query.q}) -survey title:example") for feed in interests())


def test_are_read_once() -> None:
    """Every call returns the same values."""
    assert interests() is interests()


def test_document() -> None:
    """docs/interests.md has a row for each interest, and its filter as it is in the file."""
    document = ROOT / "docs" / "interests.md"
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", section(document, "interests"), re.MULTILINE)
    assert [(feed.name, feed.title) for feed in interests()] == rows
    blocks = re.findall(r"`([^`]+)`\n\n```text\n([^`]+)```", section(document, "filters"))
    assert dict(filters(PATH)) == {name: " ".join(text.split()) for name, text in blocks}


def test_each_has_a_definition() -> None:
    """Each interest has a definition to measure it by, and each definition has an interest."""
    assert {feed.name for feed in interests()} == {wording.name for wording in read_definitions()}


@pytest.mark.parametrize("wording", read_definitions(), ids=lambda wording: wording.name)
def test_the_obvious_filter_leads_to_the_interest(wording: Wording) -> None:
    """The first filter that a person would type is an alternative of its interest, or its name."""
    feed = interest_of(parse_filter(wording.obvious))
    assert feed
    assert wording.name == feed.name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("RL", "rl"),
        ('"reinforcement learning"', "rl"),
        ("grpo", "rl"),
        ("agentic", "agents"),
        ("agent*", "agents"),
        ("robots", "robotics"),
        ("finetuning", "fine-tuning"),
        ("multi-modal", "multimodal"),
        ("tts", "speech"),  # an alternative with an exclusion
        ("web-agents", "deep-research"),  # the first of two
        ("memories", "memory"),
    ],
)
def test_a_word_leads_to_an_interest(text: str, name: str) -> None:
    """Case, plurals, hyphens and longer words do not matter."""
    feed = interest_of(parse_filter(text))
    assert feed
    assert name == feed.name


@pytest.mark.parametrize(
    "text", ["banana", "title:rl", "rl agents", "rl OR agents", "-rl", "r*", '"deep rl"', "mathews"]
)
def test_others_lead_nowhere(text: str) -> None:
    """A word of no interest, a field, several terms and a beginning that finds more than the interest lead nowhere."""
    assert interest_of(parse_filter(text)) is None


def test_no_filter_leads_nowhere() -> None:
    """The feed of all papers stands for no interest."""
    assert interest_of(None) is None


@pytest.mark.parametrize(
    ("addition", "conditions"),
    [
        ("", "Recommender systems, at least 2 upvotes"),
        (" -survey", "Recommender systems -survey, at least 2 upvotes"),
        (" OR survey", None),
    ],
)
def test_its_title_says_the_filter(addition: str, conditions: str | None) -> None:
    """In words, the title of an interest stands for its filter, alone or beside other words."""
    (interest,) = (feed.query.q for feed in interests() if feed.name == "recommendation")
    query = Query(q=parse_filter(f"({interest}){addition}"), min_upvotes=2)
    assert describe(query) == (conditions or query.describe)
    assert describe(query) == describe(replace(query, digest="week", top=5))
