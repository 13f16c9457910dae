"""What a filter is said to mean, where its writer may mean something else."""

import pytest

from feedproxy.query.grammar import MAX_CHARACTERS, parse_filter
from feedproxy.query.notices import notices

TOLD = {
    "all you need is not attention": ["“not” excludes “attention” here; "],
    "Not All Tokens: a Study": ["“Not” excludes “All” here; "],
    "Why A* Search Is Not Dead": ["“Not” excludes “Dead” here; "],
    "Not: this is not it": ["“not” excludes “it” here; "],
    'Why "good" is not "good enough"': ["“not” excludes “good enough” here; "],
    "why models (LLMs) do not (yet) plan": ["“not” excludes the group behind it here; "],
    "IT IS NOT WHAT YOU NEED": ["“NOT” excludes “WHAT” here; "],
    "to plan or not to plan": ["“or” finds what matches either side of it here; ", "“not” excludes “to” here; "],
    '"learn*" agents': ["“*” in quotation marks is a sign like others"],
}
SILENT = [
    *(
        "agents",
        "rl not survey",
        "rag or retrieval",
        "rl -survey not medical agents",
        "rag OR retrieval or storage not x",
    ),
    *(
        "planning and acting and thinking",
        "rl and agents or tools",
        "title:agents plan not act",
        "agents -plan not act",
        '"A* search"',
        '"is not it"',
    ),
    "a " * 300 + "not b",
]


@pytest.mark.parametrize("text", TOLD)
def test_what_is_told(text: str) -> None:
    """A small operator in a text, and a star before a closing quotation mark, are told with what may be meant."""
    found = notices(text)
    assert len(TOLD[text]) == len(found)
    for start, notice in zip(TOLD[text], found, strict=True):
        assert notice.message.startswith(start)
        assert parse_filter(notice.suggestion) != parse_filter(text)
        assert [] == notices(notice.suggestion)


@pytest.mark.parametrize("text", SILENT)
def test_what_is_not_told(text: str) -> None:
    """A short filter, and one with other operators, is meant as it is written."""
    assert [] == notices(text)


def test_notices_are_few() -> None:
    """However long a text is, a few notices are enough."""
    assert 3 == len(notices(" or ".join("abcdefghijkl")[:MAX_CHARACTERS]))
